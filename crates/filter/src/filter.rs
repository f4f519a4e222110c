//! A filter, and the filters of an account, as they are stored: JSON, in which a later field has a default.

use std::fmt;
use std::str::FromStr;

use mail::AccountId;
use serde::{Deserialize, Serialize};

use crate::action::Actions;
use crate::condition::Condition;

/// One filter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filter {
    /// What its owner calls it; unlike those of the account's other filters, without regard to case.
    pub name: String,
    /// Switched on.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Whether all conditions must hold, or one.
    #[serde(default)]
    pub matching: Matching,
    /// What is asked of a message.
    pub conditions: Vec<Condition>,
    /// What is done with it.
    #[serde(flatten)]
    pub actions: Actions,
    /// The filters behind it are skipped when it matches.
    #[serde(default)]
    pub stop: bool,
    /// Where messages go that it looks at, each place once.
    #[serde(default = "inbox")]
    pub places: Vec<Place>,
}

/// Whether all conditions must hold, or one of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Matching {
    /// All of them.
    #[default]
    All,
    /// One at least.
    Any,
}

/// Where a message would go if there were no filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// INBOX: what comes in.
    Inbox,
    /// The mailbox with the special use `\Sent` (RFC 6154): copies of what is sent.
    Sent,
    /// The mailbox with the special use `\Junk`: what was taken for spam.
    Spam,
}

/// The filters of one account, in the order in which they are looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilterSet {
    /// Whose.
    pub account: AccountId,
    /// The filters, the first one first. A set without filters is not stored.
    pub filters: Vec<Filter>,
}

impl Filter {
    /// A filter with every field at its default: switched on, looking at what comes into INBOX, doing nothing yet.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            enabled: true,
            matching: Matching::All,
            conditions: Vec::new(),
            actions: Actions::default(),
            stop: false,
            places: inbox(),
        }
    }

    /// Whether it has this name: case does not matter.
    #[must_use]
    pub fn is_named(&self, name: &str) -> bool {
        message::casemap(self.name.trim()) == message::casemap(name.trim())
    }
}

impl FilterSet {
    /// Where the filter of this name is, from 0.
    #[must_use]
    pub fn position(&self, name: &str) -> Option<usize> {
        self.filters.iter().position(|filter| filter.is_named(name))
    }

    /// Whether any filter that is switched on looks at what goes to a place.
    #[must_use]
    pub fn acts_in(&self, place: Place) -> bool {
        self.filters.iter().any(|filter| filter.enabled && filter.places.contains(&place))
    }
}

impl Place {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Inbox, Self::Sent, Self::Spam];

    /// Its name for people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Inbox => "INBOX",
            Self::Sent => "Sent",
            Self::Spam => "Spam",
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|place| place.name().eq_ignore_ascii_case(text));
        found.ok_or_else(|| "a filter looks at inbox, sent or spam".to_owned())
    }
}

fn yes() -> bool {
    true
}

fn inbox() -> Vec<Place> {
    vec![Place::Inbox]
}
