//! Points: tenths, so that sums are exact and comparable.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Points, in tenths; as `5.0` for people.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Points(pub i32);

impl Points {
    /// From this many on, a message goes to Spam, unless somebody says otherwise.
    pub const THRESHOLD: Self = Self(50);

    /// The least that may be set as a threshold.
    pub const THRESHOLD_MIN: Self = Self(20);

    /// The most.
    pub const THRESHOLD_MAX: Self = Self(200);

    /// The sum.
    #[must_use]
    pub const fn plus(self, more: Self) -> Self {
        Self(self.0.saturating_add(more.0))
    }
}

impl fmt::Display for Points {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let tenths = self.0.unsigned_abs();
        write!(f, "{sign}{}.{}", tenths / 10, tenths % 10)
    }
}

/// Why a text is no threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a threshold is a number from {min} to {max}, like 5 or 6.5", min = Points::THRESHOLD_MIN, max = Points::THRESHOLD_MAX)]
pub struct PointsFlaw;

/// A threshold, as a person writes it.
impl FromStr for Points {
    type Err = PointsFlaw;

    fn from_str(text: &str) -> Result<Self, PointsFlaw> {
        let (whole, tenth) = text.split_once('.').unwrap_or((text, "0"));
        let digit = tenth.len() == 1 && tenth.bytes().all(|octet| octet.is_ascii_digit());
        let whole: i32 = whole.parse().ok().filter(|number| (0..=1_000).contains(number)).ok_or(PointsFlaw)?;
        let tenth: i32 = tenth.parse().ok().filter(|_| digit).ok_or(PointsFlaw)?;
        let points = Self(whole.saturating_mul(10).saturating_add(tenth));
        let fits = points >= Self::THRESHOLD_MIN && points <= Self::THRESHOLD_MAX;
        if fits { Ok(points) } else { Err(PointsFlaw) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_are_read_and_written() {
        for (text, tenths) in [("5", 50), ("6.5", 65), ("2.0", 20), ("20", 200)] {
            assert_eq!(text.parse(), Ok(Points(tenths)), "{text}");
        }
        for wrong in ["", "1.9", "20.1", "5.55", "-5", "5.", "x", "5,0", "99999999999"] {
            assert_eq!(wrong.parse::<Points>(), Err(PointsFlaw), "{wrong}");
        }
        assert_eq!(Points(-15).to_string(), "-1.5");
        assert_eq!(Points(-5).to_string(), "-0.5");
        assert_eq!(Points(120).to_string(), "12.0");
    }
}
