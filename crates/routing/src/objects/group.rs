//! Groups: one address for a set of mailboxes (R9).

use mail::{AccountId, Address, Timestamp};
use serde::{Deserialize, Serialize};

use super::{AddressRules, SenderPattern, Service, yes};

/// Who may write to a group or a list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Posting {
    /// Anybody.
    #[default]
    Anyone,
    /// The people of the organisation ([`crate::organisation`]), logged in.
    Organisation,
    /// The members.
    Members,
    /// These, and nobody else.
    Named(Vec<SenderPattern>),
}

/// A group of mailboxes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupObject {
    /// Its part of the store, where messages wait for a moderator; from the same numbers as accounts.
    pub id: AccountId,
    /// Its address.
    pub address: Address,
    /// Its name, as `The board`.
    #[serde(default)]
    pub display_name: String,
    /// Primary addresses of the accounts in it.
    #[serde(default)]
    pub members: Vec<Address>,
    /// Who may write to it.
    #[serde(default)]
    pub posting: Posting,
    /// Messages wait until a moderator lets them through.
    #[serde(default)]
    pub moderated: bool,
    /// Who moderates; they are asked by mail. Their own messages do not wait.
    #[serde(default)]
    pub moderators: Vec<Address>,
    /// A disabled group is unknown to senders.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Ways in that its members do not have (M6), as long as the group is enabled.
    #[serde(default)]
    pub withdrawn: Vec<Service>,
    /// What it demands of who writes to it, beside `posting`.
    #[serde(default)]
    pub rules: AddressRules,
    /// Who gets the message as well when every member is away.
    #[serde(default)]
    pub when_away: Option<Address>,
    /// Whether the deputies whom they name get it as well when every member is away.
    #[serde(default)]
    pub deputies_when_away: bool,
    /// What it is for.
    #[serde(default)]
    pub note: String,
    /// When it was made.
    #[serde(default)]
    pub created_at: Timestamp,
}

impl GroupObject {
    /// A group without members, open to everyone. The store gives the number.
    #[must_use]
    pub fn new(address: Address) -> Self {
        Self {
            id: AccountId(0),
            address,
            display_name: String::new(),
            members: Vec::new(),
            posting: Posting::Anyone,
            moderated: false,
            moderators: Vec::new(),
            enabled: true,
            withdrawn: Vec::new(),
            rules: AddressRules::default(),
            when_away: None,
            deputies_when_away: false,
            note: String::new(),
            created_at: Timestamp(0),
        }
    }
}
