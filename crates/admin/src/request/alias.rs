//! About aliases.

use mail::{Address, Domain};
use routing::objects::Target;
use serde::{Deserialize, Serialize};

use crate::terms::Terms;

/// About aliases.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AliasRequest {
    /// Make one, or add redirects to the one there is (R3).
    Add {
        /// Its address.
        address: Address,
        /// Where it leads as well.
        targets: Vec<Target>,
        /// What it is for.
        #[serde(default)]
        note: Option<String>,
        /// What it demands of senders.
        #[serde(default)]
        terms: Box<Terms>,
    },
    /// Make one on behalf of a person, within the domain's policy; it leads to their mailbox.
    Make {
        /// The person's login.
        account: Address,
        /// The alias; `None`: a random one.
        #[serde(default)]
        address: Option<Address>,
        /// Where the random one is made; `None`: in the domain of the login.
        #[serde(default)]
        domain: Option<Domain>,
        /// What it is for.
        #[serde(default)]
        note: Option<String>,
    },
    /// All, or those of one domain, or those that one person made.
    List {
        /// Only this domain's.
        #[serde(default)]
        domain: Option<Domain>,
        /// Only those that this account made for itself.
        #[serde(default)]
        made_by: Option<Address>,
    },
    /// One.
    Show {
        /// Its address.
        address: Address,
        /// On behalf of this account: only when it made the alias.
        #[serde(default)]
        by: Option<Address>,
    },
    /// Change one.
    Set {
        /// Its address.
        address: Address,
        /// Where it leads instead.
        #[serde(default)]
        targets: Option<Vec<Target>>,
        /// What it is for.
        #[serde(default)]
        note: Option<String>,
        /// Whether it is in force.
        #[serde(default)]
        enabled: Option<bool>,
        /// What it demands of senders.
        #[serde(default)]
        terms: Box<Terms>,
        /// On behalf of this account: only when it made the alias, and only note and state.
        #[serde(default)]
        by: Option<Address>,
    },
    /// Delete one, or some of its redirects.
    Remove {
        /// Its address.
        address: Address,
        /// Only these redirects; empty: the alias.
        #[serde(default)]
        targets: Vec<Target>,
        /// On behalf of this account: only when it made the alias.
        #[serde(default)]
        by: Option<Address>,
        /// Even when others lead to it; they are taken out.
        #[serde(default)]
        force: bool,
    },
}
