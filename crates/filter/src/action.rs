//! What a filter does with a message that it matches.

use std::collections::BTreeSet;

use mail::Keyword;
use serde::{Deserialize, Serialize};

/// Any of these may stand together; [`discard`](Self::discard) stands alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Actions {
    /// Delete it for good: no mailbox of the account keeps it.
    pub discard: bool,
    /// Move it to this mailbox instead of where it would go.
    pub folder: Option<String>,
    /// Copy it to these mailboxes.
    pub copies: Vec<String>,
    /// Give it these keywords (RFC 3501 §2.3.2).
    pub tags: BTreeSet<Keyword>,
    /// Mark it as important: `\Flagged`.
    pub important: bool,
    /// Mark it as read: `\Seen`.
    pub read: bool,
}

impl Actions {
    /// Whether it does nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What it does, in words: `moves it to Invoices`.
    #[must_use]
    pub fn in_words(&self) -> Vec<String> {
        let mut words = Vec::new();
        if self.discard {
            words.push("deletes it for good".to_owned());
        }
        words.extend(self.folder.iter().map(|folder| format!("moves it to {folder}")));
        words.extend(self.copies.iter().map(|folder| format!("copies it to {folder}")));
        words.extend(self.tags.iter().map(|tag| format!("tags it {tag}")));
        if self.important {
            words.push("marks it as important".to_owned());
        }
        if self.read {
            words.push("marks it as read".to_owned());
        }
        words
    }
}
