//! About the names that an account writes under.

use mail::Address;
use serde::{Deserialize, Serialize};

/// About the names that an account writes under.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IdentityRequest {
    /// Make one, or change the one of that address; an absent field is left as it is, or empty for a new one.
    Put {
        /// The account.
        account: Address,
        /// The address to write under.
        address: Address,
        /// Whether it is there before: `true` only changes, `false` only adds.
        replace: bool,
        /// The sender name.
        #[serde(default)]
        display_name: Option<String>,
        /// The signature as text.
        #[serde(default)]
        signature_text: Option<String>,
        /// The signature as HTML.
        #[serde(default)]
        signature_html: Option<String>,
    },
    /// All of an account.
    List {
        /// The account.
        account: Address,
    },
    /// Delete one.
    Remove {
        /// The account.
        account: Address,
        /// Its address.
        address: Address,
    },
}

impl IdentityRequest {
    /// Whose they are.
    pub(crate) fn account(&self) -> &Address {
        match self {
            Self::Put { account, .. } | Self::List { account } | Self::Remove { account, .. } => account,
        }
    }
}
