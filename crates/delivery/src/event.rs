//! The event of [`mail::Topic::MessageStored`]: a message came to an address at which a responder is active.

use mail::{
    AccountId, Address, BlobHash, DsnNotify, MailboxId, OriginalRecipient, ReversePath, Timestamp, TraceId, Uid,
};
use serde::{Deserialize, Serialize};

/// Where a mailbox kept the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Whose mailbox.
    pub account: AccountId,
    /// Which.
    pub mailbox: MailboxId,
    /// The message's UID there.
    pub uid: Uid,
    /// Its content; alive as long as the message is.
    pub blob: BlobHash,
}

/// What a responder needs to decide and to answer. The header travels in the event, because the message itself may be
/// dropped or expunged before the responder comes to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageStored {
    /// The responder that was active at acceptance.
    pub responder: u64,
    /// The address that was written to, at which the responder stands.
    pub address: Address,
    /// The recipient as the envelope had it, which may lead to `address` by an alias.
    pub recipient: Address,
    /// Envelope reverse-path.
    pub reverse_path: ReversePath,
    /// Who submitted it, logged in; `None`: another server handed it over.
    #[serde(default)]
    pub account: Option<AccountId>,
    /// When the message was accepted: "the date of receipt" (A12).
    pub received_at: Timestamp,
    /// The message's header, cut at [`crate::limits::EVENT_HEADER_OCTETS_MAX`]; kept as text, octets above 127 that
    /// are no UTF-8 replaced.
    pub header: String,
    /// Octets of the whole message.
    pub octets: u64,
    /// Where the owner's mailbox kept it, if one did.
    pub kept: Option<Kept>,
    /// Where the message's way is told.
    #[serde(default)]
    pub trace: Option<TraceId>,
    /// Neither mailbox nor redirect stands behind the address: the sender also gets a failure notice (A6).
    pub failure_notice: bool,
    /// As many others as may answer one message come before it.
    #[serde(default)]
    pub beyond: bool,
    /// When the sender wants a DSN (RFC 3461 §4.1).
    #[serde(default)]
    pub notify: DsnNotify,
    /// The recipient as the sender knows it (RFC 3461 §4.2).
    #[serde(default)]
    pub original: Option<OriginalRecipient>,
    /// `ENVID=` (RFC 3461 §4.4).
    #[serde(default)]
    pub envelope_id: Option<String>,
    /// Whether the sender said SMTPUTF8.
    #[serde(default)]
    pub smtputf8: bool,
    /// Whether it came with REQUIRETLS: what repeats some of it goes under that, too (RFC 8689 §5, §6).
    #[serde(default)]
    pub require_tls: bool,
}

impl MessageStored {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_from_before_dsn_parameters_ask_for_the_default() {
        let event = MessageStored {
            responder: 1,
            address: Address::parse("a@b.example").unwrap(),
            recipient: Address::parse("a@b.example").unwrap(),
            reverse_path: ReversePath::Null,
            account: None,
            received_at: Timestamp(0),
            header: String::new(),
            octets: 0,
            kept: None,
            trace: None,
            failure_notice: true,
            beyond: false,
            notify: DsnNotify::default(),
            original: None,
            envelope_id: None,
            smtputf8: false,
            require_tls: false,
        };
        let mut old: serde_json::Value = serde_json::from_slice(&event.encode()).unwrap();
        for later in ["notify", "original", "envelope_id", "smtputf8", "beyond", "require_tls"] {
            assert!(old.as_object_mut().unwrap().remove(later).is_some(), "{later}");
        }
        assert_eq!(MessageStored::decode(old.to_string().as_bytes()).unwrap(), event);
    }
}
