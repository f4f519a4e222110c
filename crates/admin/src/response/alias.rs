//! Aliases and patterns.

use mail::{Address, Timestamp};
use routing::objects::AliasObject;
use serde::{Deserialize, Serialize};

/// An alias and who wrote to it first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AliasView {
    /// The alias.
    #[serde(flatten)]
    pub alias: AliasObject,
    /// Whether its last moment is over: it is on, and takes no mail.
    #[serde(default)]
    pub expired: bool,
    /// The login of the person who made it for themselves.
    #[serde(default)]
    pub owner: Option<Address>,
    /// The first message to it.
    #[serde(default)]
    pub first_use: Option<FirstUseView>,
    /// What whoever changed it should know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// The first message to an alias.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FirstUseView {
    /// Its reverse-path, in angle brackets.
    pub from: String,
    /// When it was accepted.
    pub at: Timestamp,
}

/// Which pattern fits an address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PatternTest {
    /// The address.
    pub address: Address,
    /// The place of the pattern that fits, from 1; `None`: none does.
    pub number: Option<usize>,
    /// It.
    pub pattern: Option<String>,
    /// What its targets become; one that is no target says why.
    pub targets: Vec<String>,
    /// Where a stranger's message to the address goes as things are saved, with reasons.
    pub explanation: String,
}
