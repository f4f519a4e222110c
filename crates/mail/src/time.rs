//! Points in time.

use serde::{Deserialize, Serialize};

/// A point in time: milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Whole seconds since the epoch, rounded down.
    #[must_use]
    pub const fn as_secs(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// From whole seconds; saturates.
    #[must_use]
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs.saturating_mul(1000))
    }

    /// The date of RFC 5322 §3.3, in UTC. A point that no calendar of four-digit years has prints as 1970.
    #[must_use]
    pub fn to_rfc5322(self) -> String {
        let at = jiff::Timestamp::from_second(self.as_secs()).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        at.strftime("%a, %d %b %Y %H:%M:%S +0000").to_string()
    }

    /// The same as RFC 3339 has it: `2026-01-01T00:00:00Z`.
    #[must_use]
    pub fn to_rfc3339(self) -> String {
        let at = jiff::Timestamp::from_second(self.as_secs()).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    }

    /// This point less a span; saturates.
    #[must_use]
    pub fn minus(self, span: std::time::Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)))
    }

    /// This point plus a span; saturates.
    #[must_use]
    pub fn plus(self, span: std::time::Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)))
    }

    /// The span since an earlier point, zero when it is not earlier.
    #[must_use]
    pub fn since(self, earlier: Self) -> std::time::Duration {
        let span = self.0.saturating_sub(earlier.0);
        std::time::Duration::from_millis(u64::try_from(span).unwrap_or(0))
    }
}

/// INTERNALDATE (RFC 3501 §2.3.3): a second and the zone in which it was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InternalDate {
    /// Seconds since the epoch.
    pub secs: i64,
    /// Minutes east of UTC, -1439 to 1439.
    pub offset_minutes: i16,
}

impl From<Timestamp> for InternalDate {
    fn from(at: Timestamp) -> Self {
        Self { secs: at.as_secs(), offset_minutes: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_as_the_rfc_writes_them() {
        assert_eq!(Timestamp(1_700_000_000_999).to_rfc5322(), "Tue, 14 Nov 2023 22:13:20 +0000");
        assert_eq!(Timestamp(i64::MAX).to_rfc5322(), "Thu, 01 Jan 1970 00:00:00 +0000");
    }
}
