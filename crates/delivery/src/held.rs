//! The event of [`mail::Topic::HeldMessage`]: a message is in the part of a list or of a moderated group.

use mail::{AccountId, Address, MailboxId, ReversePath, Timestamp, Uid};
use serde::{Deserialize, Serialize};

/// A message that a list has to deal with, or a group's moderators.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldMessage {
    /// The part of the store of the list or group.
    pub part: AccountId,
    /// The mailbox there.
    pub mailbox: MailboxId,
    /// The message's UID there.
    pub uid: Uid,
    /// The recipient as the envelope had it.
    pub recipient: Address,
    /// Envelope reverse-path.
    pub reverse_path: ReversePath,
    /// Who submitted it, when somebody who had logged in.
    pub account: Option<AccountId>,
    /// When it was accepted.
    pub received_at: Timestamp,
}

impl HeldMessage {
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
