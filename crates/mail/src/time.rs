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

    /// As RFC 3339 writes it, in UTC: `2026-11-29T10:30:00Z`. What no calendar of four-digit years has prints as 1970.
    #[must_use]
    pub fn to_rfc3339(self) -> String {
        let at = jiff::Timestamp::from_second(self.as_secs()).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    }

    /// As people read it, on the command line, in traces and in replies: `2026-11-29 10:30:00 UTC`.
    #[must_use]
    pub fn for_people(self) -> String {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(at) => at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
            Err(_) => "the end of time".to_owned(),
        }
    }

    /// Reads a date and time of RFC 3339 §5.6; any zone.
    #[must_use]
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        // jiff takes more than RFC 3339 has.
        let bytes = text.as_bytes();
        let at = |place: usize| bytes.get(place).map(u8::to_ascii_uppercase);
        let zone = text.get(19..)?.trim_start_matches(|c: char| c == '.' || c.is_ascii_digit());
        let good =
            (at(4), at(7), at(10), at(13), at(16)) == (Some(b'-'), Some(b'-'), Some(b'T'), Some(b':'), Some(b':'));
        let zoned = zone.eq_ignore_ascii_case("Z") || (zone.len() == 6 && zone.starts_with(['+', '-']));
        if !good || !zoned || bytes.iter().any(|b| b.is_ascii_whitespace()) {
            return None;
        }
        text.parse::<jiff::Timestamp>().ok().map(|at| Self(at.as_millisecond()))
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
        assert_eq!(Timestamp(1_700_000_000_999).to_rfc3339(), "2023-11-14T22:13:20Z");
        assert_eq!(Timestamp(1_700_000_000_999).for_people(), "2023-11-14 22:13:20 UTC");
        assert_eq!(Timestamp(i64::MAX).for_people(), "the end of time");
    }

    #[test]
    fn dates_of_rfc3339_are_read() {
        for text in
            ["2023-11-14T22:13:20Z", "2023-11-14t22:13:20z", "2023-11-14T23:13:20+01:00", "2023-11-14T22:13:20.0Z"]
        {
            assert_eq!(Timestamp::parse_rfc3339(text), Some(Timestamp(1_700_000_000_000)), "{text}");
        }
        for wrong in [
            "",
            "2023-11-14",
            "2023-11-14T22:13:20",
            "2023-11-14 22:13:20Z",
            "2023-13-14T22:13:20Z",
            "20231114T221320Z",
        ] {
            assert_eq!(Timestamp::parse_rfc3339(wrong), None, "{wrong}");
        }
    }
}
