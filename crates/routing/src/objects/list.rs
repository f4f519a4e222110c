//! Mailing lists: their members join, leave and change their address by themselves (R8).

use std::fmt;

use mail::{AccountId, Address, Timestamp};
use serde::{Deserialize, Serialize};

use super::{AddressRules, ListSettings, Posting, yes};

/// A mailing list. Its members are rows of the store, not part of the object: they come and go by themselves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListObject {
    /// Its part of the store (waiting messages, archive, members); from the same numbers as accounts.
    pub id: AccountId,
    /// Its address. `-request`, `-owner`, `-join`, `-leave`, `-confirm` and `-bounces` behind the local part belong to it.
    pub address: Address,
    /// Its name, as `Working group on gardens`.
    #[serde(default)]
    pub display_name: String,
    /// Who answers for it.
    #[serde(default)]
    pub owners: Vec<Address>,
    /// Who moderates; the owners when empty.
    #[serde(default)]
    pub moderators: Vec<Address>,
    /// Who may write to it.
    #[serde(default = "members")]
    pub posting: Posting,
    /// Messages wait until a moderator lets them through.
    #[serde(default)]
    pub moderated: bool,
    /// A disabled list is unknown to senders.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// What it demands of who writes to it, beside `posting`.
    #[serde(default)]
    pub rules: AddressRules,
    /// How it behaves.
    #[serde(default)]
    pub settings: ListSettings,
    /// What it is for.
    #[serde(default)]
    pub note: String,
    /// When it was made.
    #[serde(default)]
    pub created_at: Timestamp,
}

/// What an address of a list is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ListRole {
    /// The list's own address: a message to its members.
    Post,
    /// `-request`: orders by mail.
    Request,
    /// `-owner`: to those who answer for it.
    Owner,
    /// `-join`.
    Join,
    /// `-leave`.
    Leave,
    /// `-confirm…`: an answer that confirms something; what follows belongs to the list.
    Confirm,
    /// `-bounces…`: DSNs; what follows says about whom.
    Bounces,
}

impl ListRole {
    /// The roles that a canonical local part can have, each with the local part of the list that it would be of:
    /// `garden-confirm+3f2a` is `garden`, [`ListRole::Confirm`]. A token may have dashes.
    pub fn split(local: &str) -> impl Iterator<Item = (&str, Self)> {
        local.match_indices('-').filter_map(|(at, _)| {
            let (name, tail) = (local.get(..at)?, local.get(at..)?.get(1..)?);
            Some((name, Self::of(tail)?)).filter(|_| !name.is_empty())
        })
    }

    fn of(tail: &str) -> Option<Self> {
        let open =
            |word: &str| tail.strip_prefix(word).is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric()));
        match tail {
            "request" => Some(Self::Request),
            "owner" => Some(Self::Owner),
            "join" => Some(Self::Join),
            "leave" => Some(Self::Leave),
            _ if open("confirm") => Some(Self::Confirm),
            _ if open("bounces") => Some(Self::Bounces),
            _ => None,
        }
    }
}

impl fmt::Display for ListRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Post => "post",
            Self::Request => "request",
            Self::Owner => "owner",
            Self::Join => "join",
            Self::Leave => "leave",
            Self::Confirm => "confirm",
            Self::Bounces => "bounces",
        })
    }
}

impl ListObject {
    /// A list whose members write to it. The store gives the number.
    #[must_use]
    pub fn new(address: Address) -> Self {
        Self {
            id: AccountId(0),
            address,
            display_name: String::new(),
            owners: Vec::new(),
            moderators: Vec::new(),
            posting: Posting::Members,
            moderated: false,
            enabled: true,
            rules: AddressRules::default(),
            settings: ListSettings::default(),
            note: String::new(),
            created_at: Timestamp(0),
        }
    }

    /// Who decides on waiting messages: the moderators, the owners when there are none.
    #[must_use]
    pub fn deciders(&self) -> &[Address] {
        if self.moderators.is_empty() { &self.owners } else { &self.moderators }
    }
}

fn members() -> Posting {
    Posting::Members
}
