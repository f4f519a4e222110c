//! About contacts of an account.

use mail::Address;
use serde::{Deserialize, Serialize};

/// About contacts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ContactRequest {
    /// Enter one by hand.
    Add {
        /// Whose.
        account: Address,
        /// The contact.
        address: Address,
    },
    /// A page.
    List {
        /// Whose.
        account: Address,
        /// Only those behind this one.
        #[serde(default)]
        after: Option<Address>,
    },
    /// Remove one.
    Remove {
        /// Whose.
        account: Address,
        /// The contact.
        address: Address,
    },
}

impl ContactRequest {
    /// Whose contacts it is about.
    pub(crate) const fn account(&self) -> &Address {
        match self {
            Self::Add { account, .. } | Self::List { account, .. } | Self::Remove { account, .. } => account,
        }
    }
}
