//! Who asks.

use std::net::IpAddr;

use mail::AccountId;
use routing::Directory;
use routing::objects::{AccountObject, Role};

/// On whose behalf a request is carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// Who holds the data folder or the server's socket: may ask anything.
    System,
    /// A person who has logged in; what they may do is asked for each request, see [`crate::may`].
    Account {
        /// Their account.
        id: AccountId,
        /// Where they are, when it was not the machine's own command line.
        remote: Option<IpAddr>,
    },
}

impl Actor {
    /// Their account, when they have one and may still use it.
    pub(crate) fn account<'a>(&self, directory: &'a Directory) -> Option<&'a AccountObject> {
        match self {
            Self::System => None,
            Self::Account { id, .. } => directory.account_by_id(*id).map(|account| &**account),
        }
    }

    /// Whether they are this account's person.
    pub(crate) fn is(&self, account: &AccountObject) -> bool {
        matches!(self, Self::Account { id, .. } if *id == account.id)
    }

    /// Whether they may ask anything.
    pub(crate) fn is_administrator(&self, directory: &Directory) -> bool {
        match self {
            Self::System => true,
            Self::Account { .. } => self.account(directory).is_some_and(|account| account.role == Role::Administrator),
        }
    }
}
