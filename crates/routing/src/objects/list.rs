//! Mailing lists: their members join, leave and change their address by themselves (R8).

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
