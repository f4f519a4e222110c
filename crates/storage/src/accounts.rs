//! Accounts, groups and lists: an object of the directory and the mailboxes that come with it. Each is a part of the key
//! space of its own; their numbers come from one counter.

use std::sync::Arc;

use mail::{AccountId, MailboxId, SpecialUse};
use routing::objects::{AccountObject, GroupObject, ListObject, Object, ObjectKey};

use crate::engine::Durability;
use crate::error::StorageError;
use crate::objects::PutMode;
use crate::rows::MailboxRow;
use crate::store::{Done, Store, counter};

/// What every new account has beside INBOX, all subscribed.
pub const FIRST_MAILBOXES: [(&str, SpecialUse); 5] = [
    ("Drafts", SpecialUse::Drafts),
    ("Sent", SpecialUse::Sent),
    ("Trash", SpecialUse::Trash),
    ("Junk", SpecialUse::Junk),
    ("Archive", SpecialUse::Archive),
];

impl Store {
    /// Adds an account with INBOX and [`FIRST_MAILBOXES`]. Its number is given here, whatever the object says.
    ///
    /// # Errors
    /// [`StorageError::ObjectExists`], or the engine's.
    pub async fn add_account(&self, account: AccountObject) -> Result<Done<AccountObject>, StorageError> {
        let (objects, now) = (self.objects(), self.now());
        self.transact(move |tx| objects.add_account(tx, account.clone(), PutMode::Add, now)).await
    }

    /// As [`Store::add_account`], in a domain that is there.
    ///
    /// # Errors
    /// [`StorageError::ObjectExists`], [`StorageError::NoSuchObject`] for the domain, or the engine's.
    pub async fn add_account_in_domain(&self, account: AccountObject) -> Result<Done<AccountObject>, StorageError> {
        let (objects, now) = (self.objects(), self.now());
        self.transact(move |tx| objects.add_account(tx, account.clone(), PutMode::AddInDomain, now)).await
    }

    /// Adds a group with the mailbox in which messages wait for its moderators. Its number is given here.
    ///
    /// # Errors
    /// [`StorageError::ObjectExists`], or the engine's.
    pub async fn add_group(&self, group: GroupObject) -> Result<Done<GroupObject>, StorageError> {
        let directory = Arc::clone(&self.directory);
        let now = self.now();
        self.transact(move |tx| {
            let mut group = group.clone();
            group.id = AccountId(tx.next_number(counter("account"))?);
            tx.put_object(&directory, Object::Group(group.clone()), PutMode::Add)?;
            tx.create_mailbox_row(group.id, "INBOX", None, now)?;
            Ok(group)
        })
        .await
    }

    /// Adds a mailing list with the mailbox in which messages wait. Its number is given here.
    ///
    /// # Errors
    /// [`StorageError::ObjectExists`], or the engine's.
    pub async fn add_list(&self, list: ListObject) -> Result<Done<ListObject>, StorageError> {
        let directory = Arc::clone(&self.directory);
        let now = self.now();
        self.transact(move |tx| {
            let mut list = list.clone();
            list.id = AccountId(tx.next_number(counter("account"))?);
            tx.put_object(&directory, Object::List(list.clone()), PutMode::Add)?;
            tx.create_mailbox_row(list.id, "INBOX", None, now)?;
            Ok(list)
        })
        .await
    }

    /// Removes an account, its external accounts and all its mail.
    ///
    /// # Errors
    /// [`StorageError::NoSuchObject`], or the engine's.
    pub async fn remove_account(&self, address: &mail::Address) -> Result<Done<()>, StorageError> {
        let account = self.directory().account(address).map(|account| account.id);
        let account = account.ok_or_else(|| StorageError::NoSuchObject(format!("account {address}")))?;
        self.remove_part(account, ObjectKey::Account(address.canonical())).await
    }

    /// Removes a group, and the messages that wait for its moderators.
    ///
    /// # Errors
    /// [`StorageError::NoSuchObject`], or the engine's.
    pub async fn remove_group(&self, address: &mail::Address) -> Result<Done<()>, StorageError> {
        let group = self.directory().group(address).map(|group| group.id);
        let group = group.ok_or_else(|| StorageError::NoSuchObject(format!("group {address}")))?;
        self.remove_part(group, ObjectKey::Group(address.canonical())).await
    }

    /// Removes a mailing list with its members and messages.
    ///
    /// # Errors
    /// [`StorageError::NoSuchObject`], or the engine's.
    pub async fn remove_list(&self, address: &mail::Address) -> Result<Done<()>, StorageError> {
        let list = self.directory().list(address).map(|list| list.id);
        let list = list.ok_or_else(|| StorageError::NoSuchObject(format!("list {address}")))?;
        self.remove_part(list, ObjectKey::List(address.canonical())).await
    }

    /// Removes an object with everything in its part of the store.
    async fn remove_part(&self, part: AccountId, key: ObjectKey) -> Result<Done<()>, StorageError> {
        self.clear_before_removal(part).await?;
        let objects = self.objects();
        let done = self.transact_with(Durability::Freeing, move |tx| objects.remove_part(tx, part, &key)).await?;
        self.sweep_after_deletion().await;
        Ok(done)
    }

    /// The INBOX of an account.
    ///
    /// # Errors
    /// [`StorageError::NoSuchMailbox`] when there is no such account.
    pub async fn inbox(&self, account: AccountId) -> Result<MailboxRow, StorageError> {
        self.mailbox_by_name(account, "INBOX").await?.ok_or(StorageError::NoSuchMailbox)
    }

    /// The first mailbox of an account with a special use.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn special_mailbox(
        &self,
        account: AccountId,
        special_use: SpecialUse,
    ) -> Result<Option<MailboxId>, StorageError> {
        let mailboxes = self.mailboxes(account).await?;
        Ok(mailboxes.iter().find(|row| row.special_use == Some(special_use)).map(|row| row.id))
    }
}
