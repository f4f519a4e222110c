//! Groups.

use routing::objects::GroupObject;
use serde::{Deserialize, Serialize};

/// A group and what waits for its moderators.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupView {
    /// The group.
    #[serde(flatten)]
    pub group: GroupObject,
    /// Messages that wait for a moderator.
    #[serde(default)]
    pub waiting: usize,
    /// What whoever changed it should know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}
