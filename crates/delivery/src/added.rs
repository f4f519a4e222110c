//! The event of [`mail::Topic::MemberAdded`]: somebody was made a member of a list without having asked, and is to be told.

use mail::{AccountId, Address};
use serde::{Deserialize, Serialize};

/// What a list needs to write the letter; all else is read when it is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberAdded {
    /// The list's number.
    pub part: AccountId,
    /// The new member.
    pub address: Address,
    /// Whether the letter counts among those that the list may write in a day to people whom somebody without a role has added.
    #[serde(default)]
    pub bounded: bool,
}

impl MemberAdded {
    /// The payload of the event's row.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        // Strings and numbers only: JSON can't fail on them.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads a payload.
    ///
    /// # Errors
    /// When it is none of ours.
    pub fn decode(payload: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(payload)
    }
}
