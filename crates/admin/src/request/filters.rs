//! Requests about the filters of an account.

use filter::{Condition, Matching, Place};
use mail::{Address, Keyword};
use serde::{Deserialize, Serialize};

use super::{Edit, keep};

/// About the filters of an account, a person's or a shared mailbox's. A filter is found by its name, in any case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FilterRequest {
    /// Add a filter.
    Add {
        /// Whose.
        account: Address,
        /// Its name.
        name: String,
        /// Where it comes, from 1; `None`: behind the others.
        #[serde(default)]
        position: Option<usize>,
        /// What it does.
        content: Box<FilterContent>,
    },
    /// List them in their order.
    List {
        /// Whose.
        account: Address,
    },
    /// Show one.
    Show {
        /// Whose.
        account: Address,
        /// Which.
        name: String,
    },
    /// Change one.
    Set {
        /// Whose.
        account: Address,
        /// Which.
        name: String,
        /// What changes.
        content: Box<FilterContent>,
    },
    /// Put one at another place among the others.
    Move {
        /// Whose.
        account: Address,
        /// Which.
        name: String,
        /// Where it comes, from 1; behind the last one counts as last.
        position: usize,
    },
    /// Remove one.
    Remove {
        /// Whose.
        account: Address,
        /// Which.
        name: String,
    },
    /// Tell which of the messages that are there match, and change nothing.
    Test {
        /// Whose.
        account: Address,
        /// Which filter, be it switched off; `None`: all that are on, as if the messages came now.
        #[serde(default)]
        name: Option<String>,
        /// The mailbox with the messages.
        folder: String,
        /// How many messages are told of, for each filter; the newest.
        #[serde(default)]
        show: usize,
    },
    /// Do with the messages that are there what filters say.
    Apply {
        /// Whose.
        account: Address,
        /// Which filter, be it switched off; `None`: all that are on, as if the messages came now.
        #[serde(default)]
        name: Option<String>,
        /// The mailbox with the messages.
        folder: String,
    },
}

impl FilterRequest {
    /// Whose filters.
    #[must_use]
    pub fn account(&self) -> &Address {
        match self {
            Self::Add { account, .. }
            | Self::List { account }
            | Self::Show { account, .. }
            | Self::Set { account, .. }
            | Self::Move { account, .. }
            | Self::Remove { account, .. }
            | Self::Test { account, .. }
            | Self::Apply { account, .. } => account,
        }
    }
}

/// What a filter is and does; what is not said stays, or is at its default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FilterContent {
    /// Another name.
    pub name: Option<String>,
    /// Switched on.
    pub enabled: Option<bool>,
    /// Whether all conditions must hold, or one.
    pub matching: Option<Matching>,
    /// All conditions.
    pub conditions: Option<Vec<Condition>>,
    /// Delete for good.
    pub discard: Option<bool>,
    /// Move to this mailbox.
    #[serde(default = "keep")]
    pub folder: Edit<String>,
    /// Copy to these mailboxes.
    pub copies: Option<Vec<String>>,
    /// Give these tags.
    pub tags: Option<Vec<Keyword>>,
    /// Mark as important.
    pub important: Option<bool>,
    /// Mark as read.
    pub read: Option<bool>,
    /// Skip the filters behind it.
    pub stop: Option<bool>,
    /// Where messages go that it looks at.
    pub places: Option<Vec<Place>>,
}
