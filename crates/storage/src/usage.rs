//! What an account's mail amounts to: one row, kept by whatever adds or removes messages, and its quota.

use mail::AccountId;

use crate::error::StorageError;
use crate::keys::{self, Key, Table};
use crate::rows::MailboxRow;
use crate::store::Store;
use crate::transaction::Transaction;

/// The messages of all mailboxes of an account. A message in two mailboxes counts twice, as it does for IMAP clients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Octets of them.
    pub octets: u64,
    /// How many.
    pub messages: u64,
}

impl Usage {
    pub(crate) fn of(row: &MailboxRow) -> Self {
        Self { octets: row.octets, messages: u64::from(row.messages) }
    }

    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            octets: self.octets.saturating_add(other.octets),
            messages: self.messages.saturating_add(other.messages),
        }
    }

    fn minus(self, other: Self) -> Self {
        Self {
            octets: self.octets.saturating_sub(other.octets),
            messages: self.messages.saturating_sub(other.messages),
        }
    }

    pub(crate) fn decode(value: Option<&[u8]>) -> Result<Self, StorageError> {
        let Some(value) = value else { return Ok(Self::default()) };
        let numbers = (value.len() == 16).then(|| (keys::middle(value, 0), keys::middle(value, 8)));
        match numbers {
            Some((Some(octets), Some(messages))) => {
                Ok(Self { octets: u64::from_be_bytes(octets), messages: u64::from_be_bytes(messages) })
            }
            _ => Err(StorageError::corrupt("the usage of an account")),
        }
    }

    fn encode(self) -> Vec<u8> {
        [self.octets.to_be_bytes(), self.messages.to_be_bytes()].concat()
    }
}

pub(crate) fn usage_key(account: AccountId) -> Vec<u8> {
    Key::of(Table::Meta, account).bytes(b"usage").done()
}

impl Store {
    /// What an account's mail amounts to now.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn usage(&self, account: AccountId) -> Result<Usage, StorageError> {
        Usage::decode(self.engine.get(&usage_key(account)).await?.as_deref())
    }

    /// The quota of an account by the directory of this moment.
    pub(crate) fn quota_octets(&self, account: AccountId) -> Option<u64> {
        self.directory().account_by_id(account)?.quota_octets
    }
}

impl Transaction<'_> {
    /// What an account's mail amounts to, with what this transaction has done so far.
    ///
    /// # Errors
    /// When reading fails.
    pub fn usage(&self, account: AccountId) -> Result<Usage, StorageError> {
        Usage::decode(self.get(&usage_key(account))?.as_deref())
    }

    /// Fails when the account's mail amounts to more than its quota; to be called behind the deposits.
    ///
    /// # Errors
    /// [`StorageError::OverQuota`], or when reading fails.
    pub fn require_quota(&self, account: AccountId, quota_octets: Option<u64>) -> Result<(), StorageError> {
        match quota_octets {
            Some(quota) if self.usage(account)?.octets > quota => Err(StorageError::OverQuota),
            _ => Ok(()),
        }
    }

    pub(crate) fn add_usage(&mut self, account: AccountId, more: Usage) -> Result<(), StorageError> {
        let usage = self.usage(account)?.plus(more);
        self.put(usage_key(account), usage.encode());
        Ok(())
    }

    pub(crate) fn take_usage(&mut self, account: AccountId, less: Usage) -> Result<(), StorageError> {
        let usage = self.usage(account)?.minus(less);
        self.put(usage_key(account), usage.encode());
        Ok(())
    }
}
