//! Objects inside a transaction: several of them, with mail and other rows, in one act.

use std::sync::Arc;

use mail::{AccountId, Timestamp};
use parking_lot::RwLock;
use routing::Directory;
use routing::objects::{AccountObject, Object, ObjectKey};

use crate::accounts::FIRST_MAILBOXES;
use crate::engine::{Durability, Order};
use crate::error::StorageError;
use crate::keys::{Key, Table};
use crate::limits::MAILBOXES_MAX;
use crate::objects::{PutMode, decode, row_key};
use crate::rows::MailboxRow;
use crate::store::{Store, counter};
use crate::transaction::Transaction;

/// The way to the objects of a store for the bodies of transactions. Clones are cheap.
#[derive(Clone)]
pub struct Objects {
    directory: Arc<RwLock<Directory>>,
}

impl Store {
    /// The way to the objects for the bodies of transactions.
    #[must_use]
    pub fn objects(&self) -> Objects {
        Objects { directory: Arc::clone(&self.directory) }
    }

    /// To be called before a transaction with [`Objects::remove_part`]: removes what is too much for one.
    ///
    /// # Errors
    /// When reading or writing fails.
    pub async fn clear_before_removal(&self, part: AccountId) -> Result<(), StorageError> {
        let externals: Vec<u64> = {
            let directory = self.directory();
            let owner = directory.account_by_id(part);
            let owned = owner.into_iter().flat_map(|owner| directory.externals_of(&owner.address));
            owned.map(|external| external.id).collect()
        };
        for id in externals {
            self.remove_external(id).await?;
        }
        self.clear_mailboxes(part).await?;
        // What others share with it and it with others goes first, some rows at a time.
        self.clear_lists(part).await?;
        self.forget_reader(part).await?;
        self.forget_annotator(part).await?;
        self.clear_message_ids(part).await?;
        self.clear_contacts(part).await?;
        self.forget_spam(part).await?;
        // Thousands of members do not fit into one transaction; the object goes with the last of them.
        while self.transact_with(Durability::Freeing, move |tx| tx.drop_list_rows(part)).await?.value {}
        Ok(())
    }

    /// To be called after a transaction with [`Objects::remove_part`]: removes the mail of what is gone. What is
    /// interrupted is taken up at the next start.
    pub async fn sweep_removed(&self) {
        self.sweep_after_deletion().await;
    }
}

impl Objects {
    /// An object as the transaction sees it, its own writes and those of the transactions before it included.
    ///
    /// # Errors
    /// When reading fails.
    pub fn get(&self, tx: &Transaction<'_>, key: &ObjectKey) -> Result<Option<Object>, StorageError> {
        tx.get(&row_key(key))?.map(|value| decode(&value)).transpose()
    }

    /// Writes an object; see [`Store::put_object`].
    ///
    /// # Errors
    /// [`StorageError::ObjectExists`], [`StorageError::NoSuchObject`], or the engine's.
    pub fn put(&self, tx: &mut Transaction<'_>, object: Object, mode: PutMode) -> Result<Object, StorageError> {
        let mut object = object;
        if let Object::Responder(responder) = &mut object
            && responder.id == 0
        {
            responder.id = tx.next_number(counter("responder"))?;
        }
        tx.put_object(&self.directory, object.clone(), mode)?;
        Ok(object)
    }

    /// Takes an object away; an account's mail stays, see [`Objects::remove_part`].
    ///
    /// # Errors
    /// [`StorageError::NoSuchObject`], or the engine's.
    pub fn remove(&self, tx: &mut Transaction<'_>, key: &ObjectKey) -> Result<(), StorageError> {
        tx.remove_object(&self.directory, key)
    }

    /// Adds an account with INBOX and [`FIRST_MAILBOXES`]. Its number is given here, whatever the object says.
    ///
    /// # Errors
    /// [`StorageError::ObjectExists`], or the engine's.
    pub fn add_account(
        &self,
        tx: &mut Transaction<'_>,
        account: AccountObject,
        mode: PutMode,
        now: Timestamp,
    ) -> Result<AccountObject, StorageError> {
        let account = AccountObject { id: AccountId(tx.next_number(counter("account"))?), ..account };
        tx.put_object(&self.directory, Object::Account(account.clone()), mode)?;
        tx.create_mailbox_row(account.id, "INBOX", None, now)?;
        tx.subscribe(account.id, "INBOX")?;
        for (name, special_use) in FIRST_MAILBOXES {
            tx.create_mailbox_row(account.id, name, Some(special_use), now)?;
            tx.subscribe(account.id, name)?;
        }
        // Its members are to see the mailboxes that have just been made.
        tx.members_changed(None, Some(&account))?;
        Ok(account)
    }

    /// Takes an object away with everything in its part of the store. [`Store::clear_before_removal`] comes before,
    /// [`Store::sweep_removed`] follows.
    ///
    /// # Errors
    /// [`StorageError::NoSuchObject`], or the engine's.
    pub fn remove_part(&self, tx: &mut Transaction<'_>, part: AccountId, key: &ObjectKey) -> Result<(), StorageError> {
        tx.clear_last_contacts(part)?;
        tx.forget_submitted(part);
        while tx.forget_some_spam(part)? {}
        if tx.drop_list_rows(part)? {
            return Err(StorageError::NotAllowed("too much was added to it meanwhile; remove it again"));
        }
        for (_, value) in tx.scan(&Key::of(Table::Mailbox, part).range(), Order::Ascending, MAILBOXES_MAX)? {
            tx.doom_mailbox(part, MailboxRow::decode(&value)?.id)?;
        }
        while tx.forget_some_annotations(part)? > 0 {}
        for table in [Table::Subscription, Table::Meta] {
            for (row, _) in tx.scan(&Key::of(table, part).range(), Order::Ascending, MAILBOXES_MAX)? {
                tx.delete(row.to_vec());
            }
        }
        if let ObjectKey::Account(address) = key {
            tx.leave_all(&self.directory, address)?;
        }
        // What others share with it and it with others; most of it has gone in steps before, where there is much.
        while tx.clear_some_lists(part)? > 0 {}
        while tx.forget_some_reading(part)? > 0 {}
        while tx.clear_some_message_ids(part)? > 0 {}
        let filters = ObjectKey::Filters(part);
        if self.get(tx, &filters)?.is_some() {
            tx.remove_object(&self.directory, &filters)?;
        }
        tx.remove_object(&self.directory, key)
    }
}
