//! About groups.

use mail::{Address, Domain};
use routing::objects::{Posting, Service};
use serde::{Deserialize, Serialize};

use crate::terms::Terms;

/// What a group is; an absent field is left as it is, or at its default for a new one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GroupContent {
    /// Its name.
    pub display_name: Option<String>,
    /// Its members from now on.
    pub members: Option<Vec<Address>>,
    /// Members that come in.
    pub add_members: Vec<Address>,
    /// Members that leave.
    pub remove_members: Vec<Address>,
    /// Who may write to it.
    pub posting: Option<Posting>,
    /// Whether messages wait for a moderator.
    pub moderated: Option<bool>,
    /// Who moderates.
    pub moderators: Option<Vec<Address>>,
    /// Whether it is in force.
    pub enabled: Option<bool>,
    /// What it is for.
    pub note: Option<String>,
    /// What it demands of senders.
    pub terms: Terms,
    /// Ways in to take from its members (M6).
    pub withdraw: Vec<Service>,
    /// Ways in to give back to them.
    pub restore: Vec<Service>,
}

/// About groups (R9).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GroupRequest {
    /// Make one.
    Add {
        /// Its address.
        address: Address,
        /// What it is.
        #[serde(default)]
        content: Box<GroupContent>,
    },
    /// All, or those of one domain.
    List {
        /// Only this domain's.
        #[serde(default)]
        domain: Option<Domain>,
    },
    /// One.
    Show {
        /// Its address.
        address: Address,
    },
    /// Change one.
    Set {
        /// Its address.
        address: Address,
        /// What changes.
        content: Box<GroupContent>,
    },
    /// Delete one, with what waits for its moderators.
    Remove {
        /// Its address.
        address: Address,
        /// Even when others lead to it; they are taken out.
        #[serde(default)]
        force: bool,
    },
}
