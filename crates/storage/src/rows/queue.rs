//! The row of a queue entry: one message for one destination.

use bytes::Bytes;
use mail::{
    Address, BlobHash, BodyType, DsnNotify, DsnReturn, OriginalRecipient, QueueId, Reply, ReversePath, Timestamp,
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

/// A message on its way to one destination domain.
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
    /// What was said of the body's bytes.
    pub body: BodyType,
    /// Content of the message.
    pub blob: BlobHash,
    /// Octets at the start of the blob that do not travel (our Return-Path, RFC 5321 §4.4).
    pub skip_octets: u32,
    /// Octets of the blob.
    pub octets: u64,
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
}

const VERSION: u8 = 1;

impl QueueRow {
    pub(crate) fn encode(&self) -> Result<Bytes, StorageError> {
        super::encode(VERSION, self)
    }

    pub(crate) fn decode(value: &[u8]) -> Result<Self, StorageError> {
        super::decode(VERSION, "queue row", value)
    }
}
