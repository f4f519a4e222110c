//! Access control lists: one row for each mailbox that has one, and beside it one row for each account that it names,
//! in that account's part (in nobody's part for `anyone`), so that "what is shared with me" costs what is.
//!
//! Invariant: a list and the rows of those whom it names are written together; `check` holds them against each other.

use std::collections::HashMap;

use mail::{AccountId, MailboxId, Notice};
use routing::{Acl, Identifier};

use crate::engine::{Durability, Order};
use crate::error::StorageError;
use crate::keys::{self, Key, Table};
use crate::limits::{ACL_ENTRIES_MAX, MAILBOXES_MAX, SHARED_WITH_MAX};
use crate::rows;
use crate::store::{Done, Store};
use crate::transaction::Transaction;

const VERSION: u8 = 1;
const LIST: u8 = 0;
const NAMED: u8 = 1;

impl Store {
    /// The list of a mailbox; an empty one when it has none.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn acl(&self, owner: AccountId, mailbox: MailboxId) -> Result<Acl, StorageError> {
        decode(self.engine.get(&list_key(owner, mailbox)).await?.as_deref())
    }

    /// Every list of an account.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn acls(&self, owner: AccountId) -> Result<HashMap<MailboxId, Acl>, StorageError> {
        let range = Key::of(Table::Acl, owner).u8(LIST).range();
        let rows = self.engine.scan(range, Order::Ascending, MAILBOXES_MAX).await?;
        rows.iter().map(|(key, value)| Ok((mailbox_of(key)?, decode(Some(value))?))).collect()
    }

    /// The mailboxes whose lists name an account, or everyone; at most [`SHARED_WITH_MAX`] of each.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn shared_with(&self, who: AccountId) -> Result<Vec<(AccountId, MailboxId)>, StorageError> {
        let mut shared = Vec::new();
        for part in [who, AccountId(0)] {
            let range = Key::of(Table::Acl, part).u8(NAMED).range();
            for (key, _) in self.engine.scan(range, Order::Ascending, SHARED_WITH_MAX).await? {
                shared.push(named_of(&key)?);
            }
        }
        shared.sort_unstable();
        shared.dedup();
        Ok(shared)
    }

    /// Changes the list of a mailbox. Who has it open hears of it.
    ///
    /// # Errors
    /// [`StorageError::NoSuchMailbox`], [`StorageError::LimitReached`], or the engine's.
    pub async fn edit_acl(
        &self,
        owner: AccountId,
        mailbox: MailboxId,
        edit: impl Fn(&mut Acl) + Send + 'static,
    ) -> Result<Done<Acl>, StorageError> {
        self.transact(move |tx| {
            let row = tx.mailbox_row(owner, mailbox)?;
            let mut acl = tx.acl(owner, mailbox)?;
            edit(&mut acl);
            tx.put_acl(owner, mailbox, &acl)?;
            tx.notify(Notice::Mailbox { account: owner, mailbox, modseq: row.highest_modseq });
            Ok(acl)
        })
        .await
    }

    /// Takes lists apart before their account goes, some at a time: an account can have more than one transaction holds.
    pub(crate) async fn clear_lists(&self, owner: AccountId) -> Result<(), StorageError> {
        loop {
            let done = self.transact_with(Durability::Freeing, move |tx| tx.clear_some_lists(owner));
            if done.await?.value == 0 {
                return Ok(());
            }
        }
    }
}

/// Lists that one transaction takes apart.
const LISTS_PER_STEP: usize = 30;

impl Transaction<'_> {
    /// The list of a mailbox; an empty one when it has none.
    ///
    /// # Errors
    /// When reading fails.
    pub fn acl(&self, owner: AccountId, mailbox: MailboxId) -> Result<Acl, StorageError> {
        decode(self.get(&list_key(owner, mailbox))?.as_deref())
    }

    /// Writes the list of a mailbox.
    ///
    /// # Errors
    /// [`StorageError::LimitReached`], or when reading fails.
    pub fn put_acl(&mut self, owner: AccountId, mailbox: MailboxId, acl: &Acl) -> Result<(), StorageError> {
        if acl.entries.len() > ACL_ENTRIES_MAX {
            return Err(StorageError::LimitReached("lines of an access list"));
        }
        let before = self.acl(owner, mailbox)?;
        for entry in acl.entries.iter().filter(|entry| !before.entries.contains(entry)) {
            if let Identifier::Account(who) = entry.identifier
                && !self.has_account(who)?
            {
                return Err(StorageError::NoSuchAccount);
            }
        }
        for entry in before.entries {
            self.delete(named_key(entry.identifier, owner, mailbox));
            self.notify_list(entry.identifier);
        }
        for entry in &acl.entries {
            self.put(named_key(entry.identifier, owner, mailbox), Vec::new());
            self.notify_list(entry.identifier);
        }
        let key = list_key(owner, mailbox);
        if acl.is_empty() {
            self.delete(key);
        } else {
            self.put(key, rows::encode(VERSION, acl)?);
        }
        Ok(())
    }

    /// Takes apart some lists of an account, and some that name it; 0 when none is left.
    pub(crate) fn clear_some_lists(&mut self, account: AccountId) -> Result<usize, StorageError> {
        let range = Key::of(Table::Acl, account).u8(LIST).range();
        let some = self.scan(&range, Order::Ascending, LISTS_PER_STEP)?;
        for (key, _) in &some {
            self.put_acl(account, mailbox_of(key)?, &Acl::default())?;
        }
        let range = Key::of(Table::Acl, account).u8(NAMED).range();
        let named = self.scan(&range, Order::Ascending, LISTS_PER_STEP)?;
        for (key, _) in &named {
            let (other, mailbox) = named_of(key)?;
            self.forget_identifier(other, mailbox, account)?;
        }
        Ok(some.len().saturating_add(named.len()))
    }

    /// A new mailbox has the list of the one above it (RFC 4314 §4, CREATE).
    pub(crate) fn inherit_acl(
        &mut self,
        owner: AccountId,
        parent: MailboxId,
        child: MailboxId,
    ) -> Result<(), StorageError> {
        let acl = self.acl(owner, parent)?;
        if acl.is_empty() { Ok(()) } else { self.put_acl(owner, child, &acl) }
    }

    /// Takes somebody out of a list.
    pub(crate) fn forget_identifier(
        &mut self,
        owner: AccountId,
        mailbox: MailboxId,
        who: AccountId,
    ) -> Result<(), StorageError> {
        let mut acl = self.acl(owner, mailbox)?;
        acl.remove(Identifier::Account(who), false);
        acl.remove(Identifier::Account(who), true);
        self.delete(named_key(Identifier::Account(who), owner, mailbox));
        self.put_acl(owner, mailbox, &acl)
    }

    fn notify_list(&mut self, identifier: Identifier) {
        if let Identifier::Account(who) = identifier {
            self.notify(Notice::MailboxList(who));
        }
    }
}

pub(crate) fn decode(value: Option<&[u8]>) -> Result<Acl, StorageError> {
    value.map_or_else(|| Ok(Acl::default()), |value| rows::decode(VERSION, "an access list", value))
}

pub(crate) fn list_key(owner: AccountId, mailbox: MailboxId) -> Vec<u8> {
    Key::of(Table::Acl, owner).u8(LIST).u32(mailbox.0).done()
}

pub(crate) fn named_key(identifier: Identifier, owner: AccountId, mailbox: MailboxId) -> Vec<u8> {
    let part = match identifier {
        Identifier::Account(who) => who,
        Identifier::Anyone => AccountId(0),
    };
    Key::of(Table::Acl, part).u8(NAMED).u64(owner.0).u32(mailbox.0).done()
}

/// What a key of this table is: the list of a mailbox, or that somebody is named in one.
pub(crate) fn parse_key(key: &[u8]) -> Result<(AccountId, Row), StorageError> {
    let part = keys::middle(key, 1).map(|part| AccountId(u64::from_be_bytes(part)));
    match (part, key.get(keys::HEAD)) {
        (Some(part), Some(&LIST)) => Ok((part, Row::List(mailbox_of(key)?))),
        (Some(part), Some(&NAMED)) => {
            let (owner, mailbox) = named_of(key)?;
            Ok((part, Row::Named { owner, mailbox }))
        }
        _ => Err(StorageError::corrupt("the key of an access list")),
    }
}

/// See [`parse_key`].
pub(crate) enum Row {
    List(MailboxId),
    Named { owner: AccountId, mailbox: MailboxId },
}

fn mailbox_of(key: &[u8]) -> Result<MailboxId, StorageError> {
    let id = keys::tail(key).map(|id| MailboxId(u32::from_be_bytes(id)));
    id.ok_or_else(|| StorageError::corrupt("the key of an access list"))
}

fn named_of(key: &[u8]) -> Result<(AccountId, MailboxId), StorageError> {
    let owner = keys::middle(key, keys::HEAD + 1).map(|id| AccountId(u64::from_be_bytes(id)));
    let owner = owner.ok_or_else(|| StorageError::corrupt("the key of an access list"))?;
    Ok((owner, mailbox_of(key)?))
}
