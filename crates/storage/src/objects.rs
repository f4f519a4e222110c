//! The directory's objects: JSON rows, and the index in memory that follows each commit.

use std::sync::Arc;

use bytes::Bytes;
use mail::{Domain, Notice};
use parking_lot::RwLock;
use routing::Directory;
use routing::objects::{AccountKind, AccountObject, Object, ObjectKey};

use crate::engine::{Durability, Order};
use crate::error::StorageError;
use crate::keys::{Key, Table};
use crate::store::{Done, Store, counter};
use crate::transaction::Transaction;

/// Whether the object may, must or must not be there before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutMode {
    /// Must be new.
    Add,
    /// Must be new, and the domain of its address must be there: nobody can remove that one in between.
    AddInDomain,
    /// Must be there.
    Replace,
}

impl Store {
    /// Stores an object. A responder with number 0 gets the next number. Accounts, groups and lists are added by
    /// [`Store::add_account`], [`Store::add_group`] and [`Store::add_list`], which make their mailboxes.
    ///
    /// # Errors
    /// [`StorageError::ObjectExists`], [`StorageError::NoSuchObject`], or the engine's.
    pub async fn put_object(&self, object: Object, mode: PutMode) -> Result<Done<Object>, StorageError> {
        let directory = Arc::clone(&self.directory);
        // Changing what is there takes no more room: an administrator can act when the disk is nearly full.
        let durability = match mode {
            PutMode::Add | PutMode::AddInDomain => Durability::Synced,
            PutMode::Replace => Durability::Freeing,
        };
        self.transact_with(durability, move |tx| {
            let mut object = object.clone();
            if let Object::Responder(responder) = &mut object
                && responder.id == 0
            {
                responder.id = tx.next_number(counter("responder"))?;
            }
            tx.put_object(&directory, object.clone(), mode)?;
            Ok(object)
        })
        .await
    }

    /// Removes an object. Removing an account leaves its mail; see [`Store::remove_account`].
    ///
    /// # Errors
    /// [`StorageError::NoSuchObject`], or the engine's.
    pub async fn remove_object(&self, key: ObjectKey) -> Result<Done<()>, StorageError> {
        let directory = Arc::clone(&self.directory);
        self.transact_with(Durability::Freeing, move |tx| tx.remove_object(&directory, &key)).await
    }

    /// Removes a domain in which nothing is left. What was added a moment ago counts: it is looked for at the commit point.
    ///
    /// # Errors
    /// [`StorageError::NoSuchObject`], [`StorageError::NotAllowed`] when something is left, or the engine's.
    pub async fn remove_domain(&self, domain: &Domain) -> Result<Done<()>, StorageError> {
        let (directory, domain) = (Arc::clone(&self.directory), domain.clone());
        self.transact_with(Durability::Freeing, move |tx| {
            if tx.is_inhabited(&domain)? {
                return Err(StorageError::NotAllowed("something was added to the domain in the meantime"));
            }
            for key in tx.signing_keys(&domain)? {
                tx.remove_signing_key(&domain, &key.selector)?;
            }
            tx.remove_object(&directory, &ObjectKey::Domain(domain.clone()))
        })
        .await
    }

    pub(crate) async fn load_directory(&self) -> Result<(), StorageError> {
        let mut range = Key::global(Table::Object).range();
        let mut loaded = Directory::default();
        loop {
            let page = self.engine.scan(range.clone(), Order::Ascending, 1000).await?;
            let Some((last, _)) = page.last() else { break };
            range.start = [last.as_ref(), &[0]].concat();
            for (_, value) in page {
                loaded.put(decode(&value)?);
            }
        }
        *self.directory.write() = loaded;
        Ok(())
    }

    /// Tells the directory the server's own name, under which `postmaster` and `abuse` are read (RFC 5321 §4.5.1).
    pub fn set_own_name(&self, name: &Domain) {
        self.directory.write().set_own_name(name.clone());
    }
}

impl Transaction<'_> {
    pub(crate) fn put_object(
        &mut self,
        directory: &Arc<RwLock<Directory>>,
        object: Object,
        mode: PutMode,
    ) -> Result<(), StorageError> {
        let key = object.key();
        let row = row_key(&key);
        match (self.get(&row)?.is_some(), mode) {
            (true, PutMode::Add | PutMode::AddInDomain) => return Err(StorageError::ObjectExists(name(&key))),
            (false, PutMode::Replace) => return Err(StorageError::NoSuchObject(name(&key))),
            (true, PutMode::Replace) | (false, PutMode::Add | PutMode::AddInDomain) => {}
        }
        if mode == PutMode::AddInDomain
            && let Some(domain) = domain_of(&object)
            && self.get(&row_key(&ObjectKey::Domain(domain.clone())))?.is_none()
        {
            return Err(StorageError::NoSuchObject(format!("domain {domain}")));
        }
        if let Object::Responder(responder) = &object {
            // One that brings its number along, from an export: new ones must come behind it.
            self.raise_counter("responder", responder.id)?;
        }
        if let Object::External(external) = &object {
            self.raise_counter("external", external.id)?;
        }
        if let Object::Account(account) = &object {
            let before = self.get(&row)?.map(|value| decode(&value)).transpose()?;
            let before = before.as_ref().and_then(as_account);
            if account.kind == AccountKind::Shared {
                self.keep_message_ids(account.id);
            }
            self.members_changed(before, Some(account))?;
        }
        let json = serde_json::to_vec(&object).map_err(|error| StorageError::corrupt(error.to_string()))?;
        self.put(row, json);
        self.notify(Notice::Directory);
        let directory = Arc::clone(directory);
        self.after_commit(move || directory.write().put(object));
        Ok(())
    }

    /// Whether any object has an address in the domain.
    fn is_inhabited(&self, domain: &Domain) -> Result<bool, StorageError> {
        let mut range = Key::global(Table::Object).range();
        loop {
            let page = self.scan(&range, Order::Ascending, 1000)?;
            let Some((last, _)) = page.last() else { return Ok(false) };
            range.start = [last.as_ref(), &[0]].concat();
            for (_, value) in &page {
                if domain_of(&decode(value)?) == Some(domain) {
                    return Ok(true);
                }
            }
        }
    }

    fn raise_counter(&mut self, name: &str, id: u64) -> Result<(), StorageError> {
        if self.last_number(&counter(name))? < id {
            self.put(counter(name), id.to_be_bytes().to_vec());
        }
        Ok(())
    }

    pub(crate) fn remove_object(
        &mut self,
        directory: &Arc<RwLock<Directory>>,
        key: &ObjectKey,
    ) -> Result<(), StorageError> {
        let row = row_key(key);
        let Some(value) = self.get(&row)? else { return Err(StorageError::NoSuchObject(name(key))) };
        if let ObjectKey::Account(_) = key {
            self.members_changed(as_account(&decode(&value)?), None)?;
        }
        self.delete(row);
        if let ObjectKey::Alias(address) = key {
            self.delete(crate::keys::first_use(address));
        }
        self.notify(Notice::Directory);
        let (directory, key) = (Arc::clone(directory), key.clone());
        self.after_commit(move || directory.write().remove(&key));
        Ok(())
    }
}

fn as_account(object: &Object) -> Option<&AccountObject> {
    if let Object::Account(account) = object { Some(account) } else { None }
}

pub(crate) fn decode(value: &Bytes) -> Result<Object, StorageError> {
    serde_json::from_slice(value).map_err(|error| StorageError::corrupt(format!("an object: {error}")))
}

pub(crate) fn row_key(key: &ObjectKey) -> Vec<u8> {
    let table = Key::global(Table::Object);
    match key {
        ObjectKey::Domain(name) => table.bytes(b"d").bytes(name.as_str().as_bytes()),
        ObjectKey::Account(address) => table.bytes(b"a").bytes(address.to_string().as_bytes()),
        ObjectKey::Alias(address) => table.bytes(b"r").bytes(address.to_string().as_bytes()),
        ObjectKey::Group(address) => table.bytes(b"g").bytes(address.to_string().as_bytes()),
        ObjectKey::List(address) => table.bytes(b"l").bytes(address.to_string().as_bytes()),
        ObjectKey::Responder(id) => table.bytes(b"v").u64(*id),
        ObjectKey::External(id) => table.bytes(b"x").u64(*id),
        ObjectKey::Filters(account) => table.bytes(b"f").u64(account.0),
    }
    .done()
}

/// The domain that an object's address is in.
pub(crate) fn domain_of(object: &Object) -> Option<&Domain> {
    match object {
        // Filters go with their account.
        Object::Domain(_) | Object::Filters(_) => None,
        Object::Account(account) => Some(account.address.domain()),
        Object::Alias(alias) => Some(alias.address.domain()),
        Object::Group(group) => Some(group.address.domain()),
        Object::List(list) => Some(list.address.domain()),
        Object::Responder(responder) => Some(responder.address.domain()),
        Object::External(external) => Some(external.owner.domain()),
    }
}

fn name(key: &ObjectKey) -> String {
    match key {
        ObjectKey::Domain(name) => format!("domain {name}"),
        ObjectKey::Account(address) => format!("account {address}"),
        ObjectKey::Alias(address) => format!("alias {address}"),
        ObjectKey::Group(address) => format!("group {address}"),
        ObjectKey::List(address) => format!("list {address}"),
        ObjectKey::Responder(id) => format!("responder {id}"),
        ObjectKey::External(id) => format!("external account {id}"),
        ObjectKey::Filters(account) => format!("filters of account {account}"),
    }
}
