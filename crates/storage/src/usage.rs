//! What an account's mail amounts to: one row, kept by whatever adds or removes messages; how many mailboxes it has: another;
//! and its quota (RFC 9208).

use mail::AccountId;
use routing::objects::{Object, ObjectKey, QuotaLimits};

use crate::engine::{KeyRange, Order};
use crate::error::StorageError;
use crate::keys::{self, Key, Table};
use crate::limits::MAILBOXES_MAX;
use crate::objects::PutMode;
use crate::rows::MailboxRow;
use crate::store::{Done, Store, counted};
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

/// How many mailboxes an account has.
pub(crate) fn mailbox_count_key(account: AccountId) -> Vec<u8> {
    Key::of(Table::Meta, account).bytes(b"mailboxes").done()
}

fn names_of(account: AccountId) -> KeyRange {
    Key::of(Table::MailboxName, account).range()
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
    #[must_use]
    pub fn quota(&self, account: AccountId) -> QuotaLimits {
        self.directory().account_by_id(account).map(|account| account.quota()).unwrap_or_default()
    }

    /// Sets the quota of an account, whatever it has already.
    ///
    /// # Errors
    /// [`StorageError::NoSuchAccount`], or the engine's.
    pub async fn set_quota(&self, account: AccountId, limits: QuotaLimits) -> Result<Done<()>, StorageError> {
        let objects = self.objects();
        let address = self.directory().account_by_id(account).map(|account| account.address.canonical());
        let key = ObjectKey::Account(address.ok_or(StorageError::NoSuchAccount)?);
        self.transact(move |tx| {
            let Some(Object::Account(mut object)) = objects.get(tx, &key)? else {
                return Err(StorageError::NoSuchAccount);
            };
            object.quota_octets = limits.octets;
            object.quota_messages = limits.messages;
            object.quota_mailboxes = limits.mailboxes;
            objects.put(tx, Object::Account(object), PutMode::Replace).map(drop)
        })
        .await
    }

    /// How many mailboxes an account has.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn mailbox_count(&self, account: AccountId) -> Result<u64, StorageError> {
        match self.engine.get(&mailbox_count_key(account)).await? {
            Some(value) => counted(Some(&value)),
            None => Ok(self.engine.scan(names_of(account), Order::Ascending, MAILBOXES_MAX).await?.len() as u64),
        }
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
    pub fn require_quota(&self, account: AccountId, quota: QuotaLimits) -> Result<(), StorageError> {
        let usage = self.usage(account)?;
        if quota.hold(usage.octets, usage.messages) { Ok(()) } else { Err(StorageError::OverQuota) }
    }

    /// Fails when the account has more mailboxes than its quota; to be called behind what makes them.
    pub(crate) fn require_mailbox_quota(&self, account: AccountId, quota: QuotaLimits) -> Result<(), StorageError> {
        match quota.mailboxes {
            Some(limit) if self.mailbox_count(account)? > limit => Err(StorageError::OverQuota),
            _ => Ok(()),
        }
    }

    /// How many mailboxes an account has. Stores that were made before they were counted have no row: then they are.
    pub(crate) fn mailbox_count(&self, account: AccountId) -> Result<u64, StorageError> {
        match self.get(&mailbox_count_key(account))? {
            Some(value) => counted(Some(&value)),
            None => Ok(self.scan(&names_of(account), Order::Ascending, MAILBOXES_MAX)?.len() as u64),
        }
    }

    /// Notes how many mailboxes there are, after one came or went.
    pub(crate) fn put_mailbox_count(&mut self, account: AccountId, count: u64) {
        self.put(mailbox_count_key(account), count.to_be_bytes().to_vec());
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
