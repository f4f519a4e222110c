//! Responders: answers that an address gives by itself.

use mail::{Address, Timestamp};
use serde::{Deserialize, Serialize};

use super::yes;

/// Which rules a responder follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ResponderKind {
    /// A robot at an address: answers whatever comes (A1).
    Autoresponder,
    /// A person is away: also demands to be addressed by name (V5).
    OutOfOffice,
}

/// A responder: an answer that an address gives by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResponderObject {
    /// Its number, 1 and up, never used again.
    pub id: u64,
    /// The address that answers: a mailbox, an alias, or neither (A6, A7).
    pub address: Address,
    /// Which rules it follows.
    pub kind: ResponderKind,
    /// Switched on.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Subject of the answer; empty: the original subject behind the prefix (A2).
    #[serde(default)]
    pub subject: String,
    /// Put before the original subject, as `Re:` or `Away:`.
    #[serde(default)]
    pub subject_prefix: String,
    /// Plain text of the answer.
    #[serde(default)]
    pub text: Option<String>,
    /// HTML of the answer; a text alternative is made from it when `text` is absent (A3).
    #[serde(default)]
    pub html: Option<String>,
    /// First moment, civil time in the owner's zone (`2026-07-01T00:00`); `None`: from always (A8).
    #[serde(default)]
    pub starts: Option<String>,
    /// Last moment, inclusive, like `starts`; `None`: until switched off.
    #[serde(default)]
    pub ends: Option<String>,
    /// Minimum seconds between two answers to one sender (A5); 86,400 is the suggested value.
    #[serde(default = "one_day")]
    pub frequency_secs: u64,
    /// Whether received messages stay (A9); `false` drops them while the responder is active.
    #[serde(default = "yes")]
    pub keep: bool,
    /// Every answer that leaves is copied to it (A4).
    #[serde(default)]
    pub copy_answers_to: Option<Address>,
    /// Received messages are copied to it (A10).
    #[serde(default)]
    pub copy_received_to: Option<Address>,
    /// Whether answers are filed in the owner's Sent mailbox (A14).
    #[serde(default = "yes")]
    pub file_in_sent: bool,
    /// When it was made.
    #[serde(default)]
    pub created_at: Timestamp,
}

impl ResponderObject {
    /// A responder at an address, with every field at its default: enabled, without subject or message (so it does not
    /// act yet), once a day, keeping what comes. The store gives the number.
    #[must_use]
    pub fn new(address: Address, kind: ResponderKind) -> Self {
        Self {
            id: 0,
            address,
            kind,
            enabled: true,
            subject: String::new(),
            subject_prefix: String::new(),
            text: None,
            html: None,
            starts: None,
            ends: None,
            frequency_secs: one_day(),
            keep: true,
            copy_answers_to: None,
            copy_received_to: None,
            file_in_sent: true,
            created_at: Timestamp(0),
        }
    }
}

fn one_day() -> u64 {
    86_400
}
