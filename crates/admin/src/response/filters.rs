//! Filters, what they match and what they did.

use filter::{Filter, Verdict};
use mail::Address;
use serde::{Deserialize, Serialize};

/// One filter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilterView {
    /// Whose.
    pub account: Address,
    /// Its place among the others, from 1.
    pub position: usize,
    /// The filter.
    #[serde(flatten)]
    pub filter: Filter,
    /// Its conditions as people write them.
    pub condition_texts: Vec<String>,
    /// It rests with all filters of the account, whose person has left.
    pub rests: bool,
}

/// What filters match among the messages of a mailbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilterTest {
    /// Whose.
    pub account: Address,
    /// The mailbox.
    pub folder: String,
    /// Messages that were looked at.
    pub messages: usize,
    /// What each filter matches, in their order.
    pub filters: Vec<FilterMatches>,
}

/// What one filter matches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilterMatches {
    /// The filter.
    pub filter: String,
    /// Why it does not look at the mailbox, in words: it `is switched off`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passed_over: Option<String>,
    /// How many messages.
    pub matches: usize,
    /// What it does with them, in words.
    pub does: Vec<String>,
    /// Some of them, the newest last.
    pub newest: Vec<MatchedMessage>,
}

/// A message that a filter matches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MatchedMessage {
    /// Its UID.
    pub uid: u32,
    /// Its INTERNALDATE, in seconds since 1970.
    pub date_secs: i64,
    /// Its From, decoded.
    pub from: String,
    /// Its Subject, decoded.
    pub subject: String,
}

/// What filters did with the messages of a mailbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FiltersApplied {
    /// Whose.
    pub account: Address,
    /// The mailbox.
    pub folder: String,
    /// Messages that were looked at.
    pub messages: usize,
    /// How many messages each filter matched, in their order; without those that do not look there.
    pub filters: Vec<(String, usize)>,
    /// With how many messages something was done.
    pub filed: usize,
    /// What could not be done and why, in words.
    pub left_out: Vec<String>,
}

/// What the filters of one account would do with a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilterVerdicts {
    /// Whose.
    pub account: Address,
    /// What each filter says, in their order.
    pub verdicts: Vec<Verdict>,
}
