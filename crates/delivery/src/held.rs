//! The event of [`mail::Topic::HeldMessage`]: a message is in the part of a list or of a moderated group.

use mail::{AccountId, Address, BlobHash, Domain, MailboxId, ReversePath, Timestamp, TraceId, Uid};
use routing::objects::ListRole;
use serde::{Deserialize, Serialize};
use storage::messages::ExpungeScope;
use storage::{StorageError, Transaction};

/// What a list, or a moderated group, needs to decide on a message that its part of the store keeps. The consumer removes
/// the message from that mailbox when it has done with it, in the transaction that finishes the event or a later one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldMessage {
    /// The list's or group's number, which is the part of the store that keeps the message.
    pub part: AccountId,
    /// The mailbox there (its INBOX).
    pub mailbox: MailboxId,
    /// The message's UID there.
    pub uid: Uid,
    /// The message's content; alive as long as the message is. It begins with our Return-Path, see `skip_octets`.
    pub blob: BlobHash,
    /// Octets of the Return-Path field in front, which does not travel on.
    pub skip_octets: u32,
    /// Octets of the whole message as kept.
    pub octets: u64,
    /// The address of the list or group that was reached, as written: `garden-confirm+3f2a@example.org`.
    pub address: Address,
    /// What that address is for.
    pub role: ListRole,
    /// The recipient as the envelope had it, which may lead to `address` by an alias.
    pub recipient: Address,
    /// Envelope reverse-path. For who has not logged in it proves nothing.
    pub reverse_path: ReversePath,
    /// Who submitted it, logged in.
    pub account: Option<AccountId>,
    /// When it was accepted.
    pub received_at: Timestamp,
    /// The trace to which the consumer adds what it decides.
    #[serde(default)]
    pub trace: Option<TraceId>,
    /// The domain that it is surely from: DMARC passed for the author, or a DKIM signature of the author's domain is valid.
    #[serde(default)]
    pub verified: Option<Domain>,
    /// It is suspicious; in a mailbox it would be in Spam.
    #[serde(default)]
    pub spam: bool,
    /// It came with REQUIRETLS: so do its copies, and letters that repeat some of it (RFC 8689 §6).
    #[serde(default)]
    pub require_tls: bool,
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

    /// Removes what the event would have dealt with, for who forgets a parked one: the message, and how far it has got. One that
    /// waits for its moderators stays.
    ///
    /// # Errors
    /// When the store fails.
    pub fn forget(&self, tx: &mut Transaction<'_>, now: Timestamp) -> Result<(), StorageError> {
        if tx.waiting(self.part, self.uid)?.is_some_and(|waiting| waiting.decision.is_none()) {
            return Ok(());
        }
        let outgoing = tx.list_cursor(self.part, self.uid)?.map(|cursor| (cursor.mailbox, cursor.uid));
        tx.remove_list_cursor(self.part, self.uid);
        for (mailbox, uid) in outgoing.into_iter().chain([(self.mailbox, self.uid)]) {
            if tx.message_row(self.part, mailbox, uid)?.is_some() {
                tx.expunge(self.part, mailbox, &[uid], ExpungeScope::All, now)?;
            }
        }
        Ok(())
    }
}
