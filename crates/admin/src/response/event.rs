//! Parked events.

use mail::Timestamp;
use serde::{Deserialize, Serialize};

use crate::request::EventId;

/// A parked event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventView {
    /// Its topic and number.
    pub id: EventId,
    /// When what it tells of happened.
    pub created_at: Timestamp,
    /// Attempts that failed.
    pub attempts: u32,
    /// Why the last one did.
    pub last_error: Option<String>,
    /// What it is about, when one was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<serde_json::Value>,
}
