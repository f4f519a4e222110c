//! Entries of the queue.

use mail::{Address, Domain, QueueId, Timestamp};
use serde::{Deserialize, Serialize};

/// A queue entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueEntryView {
    /// Its number.
    pub id: QueueId,
    /// Where it goes.
    pub destination: Domain,
    /// Where DSNs go, in angle brackets.
    pub reverse_path: String,
    /// Octets of the message.
    pub octets: u64,
    /// The recipients there.
    pub recipients: Vec<QueueRecipientView>,
    /// When the message was accepted.
    pub accepted_at: Timestamp,
    /// Attempts so far.
    pub attempts: u32,
    /// When the next one is due.
    pub next_attempt: Timestamp,
    /// The last failure of a whole attempt.
    pub last_error: Option<String>,
    /// Why it waits, in a sentence.
    #[serde(default)]
    pub why: String,
    /// Held by an administrator.
    pub held: bool,
    /// Until when it waits for its sender, who may take it back; it has not set out then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits_until: Option<Timestamp>,
    /// What of its sender it waits for; it has not set out then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<QueueWaitsFor>,
    /// Its priority (RFC 6710), -9 to 9.
    #[serde(default)]
    pub priority: i8,
    /// When it is to be delivered (RFC 2852).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deliver_by: Option<Timestamp>,
    /// What kind of mail it is: `person`, `list`, `automatic` or `report`.
    #[serde(default)]
    pub class: String,
    /// By which way it leaves at its next attempt, and why.
    #[serde(default)]
    pub way: String,
}

/// What of its sender an entry waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum QueueWaitsFor {
    /// They may take it back until then.
    Undo,
    /// They want it to leave then.
    Release,
}

/// A recipient of a queue entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueRecipientView {
    /// Who.
    pub address: Address,
    /// `waiting`, `delivered` or `failed`.
    pub state: String,
    /// What the remote host said last.
    pub last_reply: Option<String>,
}
