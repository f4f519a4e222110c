//! Shared mailboxes: one account that several people read under their own logins (R7).

use mail::Address;
use serde::{Deserialize, Serialize};

/// Who shares an account, and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SharedMailbox {
    /// The people, with what each may do.
    pub members: Vec<Member>,
    /// Whose `\Seen` it is, for mailboxes that do not say otherwise.
    pub seen: SeenState,
    /// Whether what is sent under its address is filed in its Sent, and what was answered is marked.
    pub file_sent: bool,
}

impl Default for SharedMailbox {
    fn default() -> Self {
        Self { members: Vec::new(), seen: SeenState::Shared, file_sent: true }
    }
}

/// A person who shares an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// The primary address of their account.
    pub account: Address,
    /// What they may do, in the letters of RFC 4314 §2.1 (`lrswipkxtean`), for mailboxes without an ACL of their own.
    pub rights: String,
}

/// Whose `\Seen` flag a shared mailbox has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SeenState {
    /// One for all: what somebody has read, is read.
    #[default]
    Shared,
    /// One for each person.
    PerPerson,
}
