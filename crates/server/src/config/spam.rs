//! `[spam]`: whether and how the content of mail from other servers is judged.

use serde::{Deserialize, Serialize};
use spam::Points;

/// The content filter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Spam {
    pub(crate) enabled: bool,
    /// From how many points on a message goes to Spam.
    #[serde(with = "threshold")]
    pub(crate) threshold: Points,
    /// From how many on it is refused; 0: never.
    #[serde(with = "refusal")]
    pub(crate) refuse_from: Points,
    /// Whether what accounts learn is learnt by the site, too.
    pub(crate) learn_site_wide: bool,
}

impl Default for Spam {
    fn default() -> Self {
        Self { enabled: true, threshold: Points::THRESHOLD, refuse_from: Points(150), learn_site_wide: true }
    }
}

impl Spam {
    /// How delivery judges; `None`: not at all.
    pub(crate) fn filter(&self) -> Option<delivery::ContentFilter> {
        let refuse = (self.refuse_from != Points(0)).then_some(self.refuse_from);
        self.enabled.then_some(delivery::ContentFilter { threshold: self.threshold, refuse })
    }
}

/// A number with one decimal place.
mod threshold {
    use serde::{Deserialize, Deserializer, Serializer};
    use spam::Points;

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
    pub(super) fn serialize<S: Serializer>(points: &Points, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(f64::from(points.0) / 10.0)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Points, D::Error> {
        let number = f64::deserialize(deserializer)?;
        format!("{number}").parse().map_err(serde::de::Error::custom)
    }
}

/// The same, or 0.
mod refusal {
    use serde::{Deserialize, Deserializer};
    use spam::Points;

    pub(super) use super::threshold::serialize;

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Points, D::Error> {
        match f64::deserialize(deserializer)? {
            0.0 => Ok(Points(0)),
            number => format!("{number}").parse().map_err(serde::de::Error::custom),
        }
    }
}
