//! The row of a queue entry: one message for one destination.

use bytes::Bytes;
use mail::{
    AccountId, Address, BlobHash, BodyType, DeliverBy, DsnNotify, DsnReturn, OriginalRecipient, QueueId, Reply,
    ReversePath, Timestamp, TraceId,
};
use serde::{Deserialize, Serialize};

use crate::error::StorageError;

/// How far one recipient has got.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RecipientState {
    /// Still to be delivered.
    Waiting,
    /// The next host has taken it.
    Delivered,
    /// Refused for good, or too old; the DSN, if one was due, left in the transaction that wrote this.
    Failed,
}

/// What kind of mail an entry is; each may have a retry schedule of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MailClass {
    /// Somebody wrote it.
    #[default]
    Person,
    /// A mailing list distributes it (`List-Id`, `List-Post`, or `Precedence: list` or `bulk`).
    List,
    /// A program wrote it (`Auto-Submitted` other than `no`, RFC 3834 §5).
    Automatic,
    /// Its reverse-path is null: a DSN or another report (RFC 5321 §4.5.5).
    Report,
}

impl MailClass {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Person, Self::List, Self::Automatic, Self::Report];

    /// Its name, as the configuration has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::List => "list",
            Self::Automatic => "automatic",
            Self::Report => "report",
        }
    }
}

/// One recipient of a queue entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueRecipient {
    /// Where it goes.
    pub address: Address,
    /// When a DSN is wanted (RFC 3461 §4.1).
    pub notify: DsnNotify,
    /// As first written (RFC 3461 §4.2).
    pub original: Option<OriginalRecipient>,
    /// How far it has got.
    pub state: RecipientState,
    /// What the remote host said last.
    pub last_reply: Option<Reply>,
}

/// Why a submitted message waits as a whole, before anything is decided about its recipients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum WaitsFor {
    /// Its sender may take it back ("undo send").
    Undo,
    /// Its sender has set the time (FUTURERELEASE, RFC 4865).
    Release,
}

/// A submitted message that waits as a whole, local recipients included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// Who has submitted it, and may take it back.
    pub account: AccountId,
    /// Until when.
    pub until: Timestamp,
    /// Why.
    pub why: WaitsFor,
}

/// A message on its way to one destination domain; or, with [`QueueRow::waiting`], one that has not set out yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueRow {
    /// Its number, set when it is stored.
    pub id: QueueId,
    /// The domain whose MX takes it (lower case, A-labels, or an address literal).
    pub destination: mail::Domain,
    /// Where DSNs go.
    pub reverse_path: ReversePath,
    /// RET= (RFC 3461 §4.3).
    pub dsn_return: Option<DsnReturn>,
    /// ENVID= (RFC 3461 §4.4).
    pub envelope_id: Option<String>,
    /// Whether the message or an address needs SMTPUTF8.
    pub smtputf8: bool,
    /// Whether the sender said SMTPUTF8, so that a DSN may have its UTF-8 form (RFC 6533).
    pub sender_smtputf8: bool,
    /// What was said of the body's bytes.
    pub body: BodyType,
    /// Content of the message.
    pub blob: BlobHash,
    /// Octets at the start of the blob that do not travel (our Return-Path, RFC 5321 §4.4).
    pub skip_octets: u32,
    /// Octets of the blob.
    pub octets: u64,
    /// Fields that travel in front of the blob's octets, each with its line end: what signs it (DKIM).
    pub prefix: String,
    /// Where its way is told.
    pub trace: Option<TraceId>,
    /// The recipients there.
    pub recipients: Vec<QueueRecipient>,
    /// When the message was accepted; its age counts from here.
    pub accepted_at: Timestamp,
    /// Attempts so far.
    pub attempts: u32,
    /// When the next attempt is due.
    pub next_attempt: Timestamp,
    /// The last failure of the whole attempt (no connection, …), for people.
    pub last_error: Option<String>,
    /// Whether a delay DSN has been sent.
    pub delay_notified: bool,
    /// Held by an administrator: not attempted until resumed.
    pub held: bool,
    /// What kind of mail it is.
    pub class: MailClass,
    /// The name of the route that an administrator sent it on (`relais queue reroute --route`).
    pub route: Option<String>,
    /// REQUIRETLS (RFC 8689): under verified TLS, to hosts that offer it, or not at all.
    pub require_tls: bool,
    /// MT-PRIORITY (RFC 6710), -9 to 9: of what is due, the higher goes first.
    pub priority: i8,
    /// BY= (RFC 2852).
    pub deliver_by: Option<DeliverBy>,
    /// It is a whole submission that waits: `destination` is this server's name, and `recipients` are those of the envelope.
    pub waiting: Option<Waiting>,
    /// HOLDFOR= or HOLDUNTIL= (RFC 4865): until when its sender had it held, or has.
    pub held_until: Option<Timestamp>,
    /// SOLICIT= (RFC 3865): the classes of solicitation that it says to be of.
    pub solicits: Vec<String>,
}

/// 2: `sender_smtputf8`, `prefix`, `trace`, and `DsnNotify::said`. 3: from `class` on. 4: `held_until`. 5: `solicits`.
const VERSION: u8 = 5;

/// Octets that stand for the fields which version 3 has added at the end: each with its default, which is a zero octet.
const ADDED_BY_3: [u8; 6] = [0; 6];

/// The same for version 4.
const ADDED_BY_4: [u8; 1] = [0; 1];

/// The same for version 5.
const ADDED_BY_5: [u8; 1] = [0; 1];

impl QueueRow {
    pub(crate) fn encode(&self) -> Result<Bytes, StorageError> {
        super::encode(VERSION, self)
    }

    pub(crate) fn decode(value: &[u8]) -> Result<Self, StorageError> {
        if value.first() == Some(&1) {
            return super::decode::<layout1::Row>(1, "queue row", value).map(Into::into);
        }
        if value.first() == Some(&2) {
            return super::decode(2, "queue row", &[value, &ADDED_BY_3, &ADDED_BY_4, &ADDED_BY_5].concat());
        }
        if value.first() == Some(&3) {
            return super::decode(3, "queue row", &[value, &ADDED_BY_4, &ADDED_BY_5].concat());
        }
        if value.first() == Some(&4) {
            return super::decode(4, "queue row", &[value, &ADDED_BY_5].concat());
        }
        super::decode(VERSION, "queue row", value)
    }
}

/// The first layout, in stores that were made before there was a second.
mod layout1 {
    use super::*;

    #[derive(Deserialize)]
    #[cfg_attr(test, derive(Serialize))]
    pub(super) struct Notify {
        pub(super) success: bool,
        pub(super) failure: bool,
        pub(super) delay: bool,
    }

    #[derive(Deserialize)]
    #[cfg_attr(test, derive(Serialize))]
    pub(super) struct Recipient {
        pub(super) address: Address,
        pub(super) notify: Notify,
        pub(super) original: Option<OriginalRecipient>,
        pub(super) state: RecipientState,
        pub(super) last_reply: Option<Reply>,
    }

    #[derive(Deserialize)]
    #[cfg_attr(test, derive(Serialize))]
    pub(super) struct Row {
        pub(super) id: QueueId,
        pub(super) destination: mail::Domain,
        pub(super) reverse_path: ReversePath,
        pub(super) dsn_return: Option<DsnReturn>,
        pub(super) envelope_id: Option<String>,
        pub(super) smtputf8: bool,
        pub(super) body: BodyType,
        pub(super) blob: BlobHash,
        pub(super) skip_octets: u32,
        pub(super) octets: u64,
        pub(super) recipients: Vec<Recipient>,
        pub(super) accepted_at: Timestamp,
        pub(super) attempts: u32,
        pub(super) next_attempt: Timestamp,
        pub(super) last_error: Option<String>,
        pub(super) delay_notified: bool,
        pub(super) held: bool,
    }

    impl From<Recipient> for QueueRecipient {
        fn from(old: Recipient) -> Self {
            let Notify { success, failure, delay } = old.notify;
            // What is not the default was given.
            let asked = DsnNotify::asked(success, failure, delay);
            let is_default = DsnNotify { said: false, ..asked } == DsnNotify::default();
            let notify = if is_default { DsnNotify::default() } else { asked };
            Self { address: old.address, notify, original: old.original, state: old.state, last_reply: old.last_reply }
        }
    }

    impl From<Row> for QueueRow {
        fn from(old: Row) -> Self {
            Self {
                id: old.id,
                destination: old.destination,
                reverse_path: old.reverse_path,
                dsn_return: old.dsn_return,
                envelope_id: old.envelope_id,
                smtputf8: old.smtputf8,
                // It stood for both.
                sender_smtputf8: old.smtputf8,
                body: old.body,
                blob: old.blob,
                skip_octets: old.skip_octets,
                octets: old.octets,
                prefix: String::new(),
                trace: None,
                recipients: old.recipients.into_iter().map(Into::into).collect(),
                accepted_at: old.accepted_at,
                attempts: old.attempts,
                next_attempt: old.next_attempt,
                last_error: old.last_error,
                delay_notified: old.delay_notified,
                held: old.held,
                class: MailClass::Person,
                route: None,
                require_tls: false,
                priority: 0,
                deliver_by: None,
                waiting: None,
                held_until: None,
                solicits: Vec::new(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn old_row(notify: layout1::Notify) -> layout1::Row {
        layout1::Row {
            id: QueueId(7),
            destination: mail::Domain::parse("b.example").unwrap(),
            reverse_path: ReversePath::parse("<a@a.example>").unwrap(),
            dsn_return: Some(DsnReturn::Full),
            envelope_id: Some("id".into()),
            smtputf8: true,
            body: BodyType::EightBitMime,
            blob: BlobHash([9; 32]),
            skip_octets: 30,
            octets: 1030,
            recipients: vec![layout1::Recipient {
                address: Address::parse("x@b.example").unwrap(),
                notify,
                original: None,
                state: RecipientState::Waiting,
                last_reply: Some(Reply::plain(451, "later")),
            }],
            accepted_at: Timestamp(1),
            attempts: 2,
            next_attempt: Timestamp(3),
            last_error: Some("no connection".into()),
            delay_notified: true,
            held: true,
        }
    }

    #[test]
    fn rows_of_the_first_layout_are_read() {
        let bytes =
            super::super::encode(1, &old_row(layout1::Notify { success: false, failure: true, delay: true })).unwrap();
        let row = QueueRow::decode(&bytes).unwrap();
        assert_eq!((row.id, row.octets, row.attempts, row.held), (QueueId(7), 1030, 2, true));
        assert!(row.smtputf8 && row.sender_smtputf8);
        assert_eq!(row.recipients[0].notify, DsnNotify::default());
        assert_eq!(row.recipients[0].last_reply, Some(Reply::plain(451, "later")));
        let again = QueueRow::decode(&row.encode().unwrap()).unwrap();
        assert_eq!(again, row);
        let bytes =
            super::super::encode(1, &old_row(layout1::Notify { success: true, failure: true, delay: false })).unwrap();
        assert_eq!(QueueRow::decode(&bytes).unwrap().recipients[0].notify, DsnNotify::asked(true, true, false));
        assert!((2..=6).all(|version| QueueRow::decode(&[version]).is_err()));
    }

    #[test]
    fn rows_of_the_second_to_fourth_layout_are_read() {
        let row = QueueRow::from(old_row(layout1::Notify { success: false, failure: true, delay: true }));
        let mut second = row.encode().unwrap().to_vec();
        second.truncate(second.len() - ADDED_BY_5.len());
        second[0] = 4;
        assert_eq!(QueueRow::decode(&second).unwrap(), row, "the fourth layout");
        second.truncate(second.len() - ADDED_BY_4.len());
        second[0] = 3;
        assert_eq!(QueueRow::decode(&second).unwrap(), row, "the third layout");
        second.truncate(second.len() - ADDED_BY_3.len());
        second[0] = 2;
        assert_eq!(QueueRow::decode(&second).unwrap(), row);
        let held_until = Some(Timestamp(7));
        let named = QueueRow {
            class: MailClass::List,
            route: Some("provider".into()),
            require_tls: true,
            held_until,
            solicits: vec!["net.example:ADV".into()],
            ..row
        };
        assert_eq!(QueueRow::decode(&named.encode().unwrap()).unwrap(), named);
    }
}
