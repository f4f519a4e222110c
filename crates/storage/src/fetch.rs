//! How far external accounts are fetched (M8): what their last look gave, the last UID of each folder, and what was
//! fetched already. These rows are written by the transaction that deposits the messages, so that nothing comes twice
//! and nothing is lost.
//!
//! Rows of [`Table::FetchState`]: number of the external account, then nothing ([`FetchStatus`]), or `f` and the folder's
//! name there ([`FetchedFolder`]). Rows of [`Table::FetchSeen`]: number, then a [`Seen`]; they hold when that was.

use std::collections::BTreeMap;

use bytes::Bytes;
use mail::{AccountId, BlobHash, MailboxId, Timestamp, Uid};
use routing::objects::{ExternalAccountObject, Object, ObjectKey};
use serde::{Deserialize, Serialize};

use crate::engine::{Durability, KeyRange, Order};
use crate::error::StorageError;
use crate::keys::{HEAD, Key, Table};
use crate::objects::{decode, row_key};
use crate::rows;
use crate::store::{Store, counter};
use crate::transaction::Transaction;

/// How an external account stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FetchStatus {
    /// Somebody asked for a look now.
    pub asked: bool,
    /// When the last look ended.
    pub last_run: Option<Timestamp>,
    /// When the last look ended well.
    pub last_success: Option<Timestamp>,
    /// Since when every look fails.
    pub failing_since: Option<Timestamp>,
    /// How many have failed since.
    pub failures: u32,
    /// Why the last one failed.
    pub last_error: Option<String>,
    /// Whether the owner has had a letter about it.
    pub told: bool,
    /// Messages fetched in all.
    pub fetched: u64,
    /// Their octets.
    pub octets: u64,
    /// Messages that were not taken, as too large ones.
    pub skipped: u64,
    /// The last of them, and why.
    pub last_skipped: Option<String>,
    /// Messages that the look under way has dealt with, and those that it found new.
    pub progress: Option<(u64, u64)>,
}

/// How far a folder of an IMAP server is fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FetchedFolder {
    /// Which server and login that was; with another one, all begins anew.
    pub source: [u8; 16],
    /// UIDVALIDITY there.
    pub uid_validity: u32,
    /// The last UID that was dealt with.
    pub last_uid: u32,
}

/// One thing that was fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Seen {
    /// A content, in a mailbox here.
    Content(MailboxId, BlobHash),
    /// A message of a POP3 server, by the hash of source and UIDL.
    Uidl([u8; 16]),
    /// A message of an IMAP folder (hash of its name) that is still to be deleted there.
    ToDelete([u8; 16], Uid),
}

impl Seen {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Content(mailbox, hash) => [&b"c"[..], &mailbox.0.to_be_bytes(), &hash.0].concat(),
            Self::Uidl(hash) => [&b"u"[..], hash].concat(),
            Self::ToDelete(folder, uid) => [&b"d"[..], folder, &uid.0.to_be_bytes()].concat(),
        }
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let (kind, rest) = bytes.split_first()?;
        match kind {
            b'c' => {
                let (mailbox, hash) = rest.split_first_chunk()?;
                Some(Self::Content(MailboxId(u32::from_be_bytes(*mailbox)), BlobHash(hash.try_into().ok()?)))
            }
            b'u' => Some(Self::Uidl(rest.try_into().ok()?)),
            b'd' => {
                let (folder, uid) = rest.split_first_chunk()?;
                Some(Self::ToDelete(*folder, Uid(u32::from_be_bytes(uid.try_into().ok()?))))
            }
            _ => None,
        }
    }
}

impl Store {
    /// A number for a new external account: its password is bound to it before the object is stored.
    ///
    /// # Errors
    /// The engine's.
    pub async fn next_external(&self) -> Result<u64, StorageError> {
        Ok(self.transact(|tx| tx.next_number(counter("external"))).await?.value)
    }

    /// How an external account stands.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn fetch_status(&self, id: u64) -> Result<FetchStatus, StorageError> {
        let value = self.engine.get(&status_key(id)).await?;
        value.map_or_else(|| Ok(FetchStatus::default()), |value| decode_status(&value))
    }

    /// How far a folder is fetched.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn fetched_folder(&self, id: u64, folder: &str) -> Result<Option<FetchedFolder>, StorageError> {
        self.engine.get(&folder_key(id, folder)).await?.map(|value| decode_folder(&value)).transpose()
    }

    /// When each of these was fetched, if it was.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn fetch_seen(&self, id: u64, seen: &[Seen]) -> Result<Vec<Option<Timestamp>>, StorageError> {
        let keys: Vec<Vec<u8>> = seen.iter().map(|one| seen_key(id, one)).collect();
        let values = self.engine.multi_get(&keys).await?;
        values.into_iter().map(|value| value.map(|value| decode_seen(&value)).transpose()).collect()
    }

    /// Messages of a folder that are still to be deleted there, behind a UID, with when they were fetched.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn fetch_to_delete(
        &self,
        id: u64,
        folder: [u8; 16],
        after: Option<Uid>,
        limit: usize,
    ) -> Result<Vec<(Uid, Timestamp)>, StorageError> {
        let base = || Key::global(Table::FetchSeen).u64(id).u8(b'd').bytes(&folder);
        let mut range = base().range();
        if let Some(after) = after {
            range.start = [base().u32(after.0).done().as_slice(), &[0]].concat();
        }
        let rows = self.engine.scan(range, Order::Ascending, limit).await?;
        let uid = |key: &[u8]| match read_seen(key) {
            Some((_, Seen::ToDelete(_, uid))) => Ok(uid),
            _ => Err(StorageError::corrupt("the key of a fetched message")),
        };
        rows.iter().map(|(key, value)| Ok((uid(key)?, decode_seen(value)?))).collect()
    }

    /// Messages of a POP3 server that were fetched, behind one, in order of their hashes.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn fetched_uidls(
        &self,
        id: u64,
        after: Option<[u8; 16]>,
        limit: usize,
    ) -> Result<Vec<[u8; 16]>, StorageError> {
        let base = || Key::global(Table::FetchSeen).u64(id).u8(b'u');
        let mut range = base().range();
        if let Some(after) = after {
            range.start = [base().bytes(&after).done().as_slice(), &[0]].concat();
        }
        let rows = self.engine.scan(range, Order::Ascending, limit).await?;
        let hash = |key: &[u8]| match read_seen(key) {
            Some((_, Seen::Uidl(hash))) => Ok(hash),
            _ => Err(StorageError::corrupt("the key of a fetched message")),
        };
        rows.iter().map(|(key, _)| hash(key)).collect()
    }

    /// Forgets contents that were fetched into mailboxes of its owner which are gone, and those of before a time. Returns how
    /// many.
    ///
    /// # Errors
    /// The engine's.
    pub async fn forget_fetched_contents(
        &self,
        id: u64,
        owner: AccountId,
        before: Option<Timestamp>,
    ) -> Result<usize, StorageError> {
        let mut range = Key::global(Table::FetchSeen).u64(id).u8(b'c').range();
        let (mut known, mut forgotten) = (BTreeMap::new(), 0_usize);
        loop {
            let rows = self.engine.scan(range.clone(), Order::Ascending, FORGOTTEN_AT_ONCE).await?;
            let Some((last, _)) = rows.last() else { return Ok(forgotten) };
            range.start = [last.as_ref(), &[0]].concat();
            let mut keys: Vec<Vec<u8>> = Vec::new();
            for (key, value) in &rows {
                let Some((_, Seen::Content(mailbox, _))) = read_seen(key) else {
                    return Err(StorageError::corrupt("the key of a fetched message"));
                };
                let there = match known.get(&mailbox) {
                    Some(there) => *there,
                    None => {
                        let there = self.mailbox(owner, mailbox).await?.is_some();
                        known.insert(mailbox, there);
                        there
                    }
                };
                let old = before.is_some_and(|before| decode_seen(value).is_ok_and(|at| at < before));
                if !there || old {
                    keys.push(key.to_vec());
                }
            }
            if keys.is_empty() {
                continue;
            }
            forgotten = forgotten.saturating_add(keys.len());
            let forget = move |tx: &mut Transaction<'_>| {
                keys.iter().for_each(|key| tx.delete(key.clone()));
                Ok(())
            };
            self.transact_with(Durability::Freeing, forget).await?;
        }
    }

    /// Removes an external account and all that is known of it; what was fetched stays. It is switched off first, so
    /// that nothing is fetched anew while its memory goes.
    ///
    /// # Errors
    /// [`StorageError::NoSuchObject`], or the engine's.
    pub async fn remove_external(&self, id: u64) -> Result<(), StorageError> {
        let directory = std::sync::Arc::clone(&self.directory);
        let off = std::sync::Arc::clone(&directory);
        let switch_off = move |tx: &mut Transaction<'_>| {
            let mut external =
                tx.external(id)?.ok_or_else(|| StorageError::NoSuchObject(format!("external account {id}")))?;
            external.enabled = false;
            tx.put_object(&off, Object::External(external), crate::objects::PutMode::Replace)
        };
        self.transact_with(Durability::Freeing, switch_off).await?;
        loop {
            let directory = std::sync::Arc::clone(&directory);
            let more = self.transact_with(Durability::Freeing, move |tx| {
                for range in [state_range(id), seen_range(id)] {
                    let rows = tx.scan(&range, Order::Ascending, REMOVED_AT_ONCE)?;
                    rows.iter().for_each(|(key, _)| tx.delete(key.to_vec()));
                    if rows.len() == REMOVED_AT_ONCE {
                        return Ok(true);
                    }
                }
                tx.remove_object(&directory, &ObjectKey::External(id))?;
                Ok(false)
            });
            if !more.await?.value {
                return Ok(());
            }
        }
    }
}

impl Transaction<'_> {
    /// An external account as it is at this moment.
    ///
    /// # Errors
    /// When reading fails.
    pub fn external(&self, id: u64) -> Result<Option<ExternalAccountObject>, StorageError> {
        match self.get(&row_key(&ObjectKey::External(id)))?.map(|value| decode(&value)).transpose()? {
            Some(Object::External(external)) => Ok(Some(external)),
            Some(_) => Err(StorageError::corrupt(format!("external account {id}"))),
            None => Ok(None),
        }
    }

    /// How an external account stands.
    ///
    /// # Errors
    /// When reading fails.
    pub fn fetch_status(&self, id: u64) -> Result<FetchStatus, StorageError> {
        self.get(&status_key(id))?.map_or_else(|| Ok(FetchStatus::default()), |value| decode_status(&value))
    }

    /// Writes how an external account stands.
    ///
    /// # Errors
    /// When it can't be encoded.
    pub fn put_fetch_status(&mut self, id: u64, status: &FetchStatus) -> Result<(), StorageError> {
        self.put(status_key(id), rows::encode(VERSION, status)?);
        Ok(())
    }

    /// Writes how far a folder is fetched.
    ///
    /// # Errors
    /// When it can't be encoded.
    pub fn put_fetched_folder(&mut self, id: u64, folder: &str, state: &FetchedFolder) -> Result<(), StorageError> {
        self.put(folder_key(id, folder), rows::encode(VERSION, state)?);
        Ok(())
    }

    /// Whether this was fetched.
    ///
    /// # Errors
    /// When reading fails.
    pub fn is_fetch_seen(&self, id: u64, seen: &Seen) -> Result<bool, StorageError> {
        Ok(self.get(&seen_key(id, seen))?.is_some())
    }

    /// Remembers that this was fetched; the first time counts.
    ///
    /// # Errors
    /// When reading fails.
    pub fn put_fetch_seen(&mut self, id: u64, seen: &Seen, at: Timestamp) -> Result<(), StorageError> {
        if !self.is_fetch_seen(id, seen)? {
            self.put(seen_key(id, seen), Bytes::from([&[VERSION], at.0.to_be_bytes().as_slice()].concat()));
        }
        Ok(())
    }

    /// Forgets that this was fetched.
    pub fn remove_fetch_seen(&mut self, id: u64, seen: &Seen) {
        self.delete(seen_key(id, seen));
    }
}

/// Every row of how an external account stands.
pub(crate) fn state_range(id: u64) -> KeyRange {
    Key::global(Table::FetchState).u64(id).range()
}

fn seen_range(id: u64) -> KeyRange {
    Key::global(Table::FetchSeen).u64(id).range()
}

fn status_key(id: u64) -> Vec<u8> {
    Key::global(Table::FetchState).u64(id).done()
}

fn folder_key(id: u64, folder: &str) -> Vec<u8> {
    Key::global(Table::FetchState).u64(id).u8(b'f').bytes(folder.as_bytes()).done()
}

fn seen_key(id: u64, seen: &Seen) -> Vec<u8> {
    Key::global(Table::FetchSeen).u64(id).bytes(&seen.bytes()).done()
}

/// The number of the external account in a key of either table, and what follows it.
pub(crate) fn owner_of(key: &[u8]) -> Option<(u64, &[u8])> {
    let (id, rest) = key.get(HEAD..)?.split_first_chunk()?;
    Some((u64::from_be_bytes(*id), rest))
}

pub(crate) fn read_seen(key: &[u8]) -> Option<(u64, Seen)> {
    let (id, rest) = owner_of(key)?;
    Some((id, Seen::parse(rest)?))
}

/// For `check`: whether a row of the first table can be read.
pub(crate) fn read_state(key: &[u8], value: &[u8]) -> Result<u64, StorageError> {
    match owner_of(key) {
        Some((id, [])) => decode_status(value).map(|_| id),
        Some((id, [b'f', ..])) => decode_folder(value).map(|_| id),
        _ => Err(StorageError::corrupt("the key of a fetch state")),
    }
}

fn decode_status(value: &[u8]) -> Result<FetchStatus, StorageError> {
    rows::decode(VERSION, "how an external account stands", value)
}

fn decode_folder(value: &[u8]) -> Result<FetchedFolder, StorageError> {
    rows::decode(VERSION, "how far a folder is fetched", value)
}

pub(crate) fn decode_seen(value: &[u8]) -> Result<Timestamp, StorageError> {
    let at = value.strip_prefix(&[VERSION]).and_then(|rest| rest.try_into().ok());
    at.map(i64::from_be_bytes).map(Timestamp).ok_or_else(|| StorageError::corrupt("a fetched message"))
}

const VERSION: u8 = 1;
const REMOVED_AT_ONCE: usize = 5_000;
const FORGOTTEN_AT_ONCE: usize = 1_000;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use mail::{Address, Domain};
    use routing::objects::ExternalProtocol;
    use world::simulated::SimulatedWorld;

    use super::*;
    use crate::MemoryEngine;
    use crate::objects::PutMode;

    #[test]
    fn m08_keys_give_back_what_they_were_made_of() {
        let all =
            [Seen::Content(MailboxId(7), BlobHash([9; 32])), Seen::Uidl([3; 16]), Seen::ToDelete([4; 16], Uid(77))];
        for seen in all {
            assert_eq!(read_seen(&seen_key(5, &seen)), Some((5, seen)));
            let key = seen_key(5, &seen);
            assert_eq!(read_seen(&key[..key.len() - 1]), None, "{seen:?}");
        }
    }

    #[tokio::test]
    async fn m08_removing_takes_all_rows_and_no_one_elses() {
        let engine = MemoryEngine::default();
        let world = SimulatedWorld::new(Timestamp(5), 3).world();
        let store = Store::open(Arc::new(engine.clone()), world).await.unwrap();
        let owner = Address::parse("alice@a.example").unwrap();
        let host = Domain::parse("imap.b.example").unwrap();
        for expected in 1..=2 {
            let id = store.next_external().await.unwrap();
            assert_eq!(id, expected);
            let object = ExternalAccountObject {
                id,
                ..ExternalAccountObject::new(owner.clone(), ExternalProtocol::Imap, host.clone(), "x".into())
            };
            store.put_object(Object::External(object), PutMode::Add).await.unwrap();
            let fill = move |tx: &mut Transaction<'_>| {
                tx.put_fetch_status(id, &FetchStatus { fetched: 3, ..FetchStatus::default() })?;
                let folder = FetchedFolder { source: [1; 16], uid_validity: 2, last_uid: 3 };
                tx.put_fetched_folder(id, "INBOX", &folder)?;
                (0..10_002).try_for_each(|n| tx.put_fetch_seen(id, &Seen::ToDelete([1; 16], Uid(n)), Timestamp(8)))
            };
            store.transact(fill).await.unwrap();
        }
        let ours = |id| {
            let rows = engine.rows();
            rows.keys().filter(|key| [0x47, 0x48].contains(&key[0]) && owner_of(key).unwrap().0 == id).count()
        };
        assert_eq!((ours(1), ours(2)), (10_004, 10_004));
        store.remove_external(1).await.unwrap();
        assert_eq!((ours(1), ours(2)), (0, 10_004));
        assert!(store.directory().external(1).is_none() && store.directory().external(2).is_some());
        let page = store.fetch_to_delete(2, [1; 16], Some(Uid(10)), 2).await.unwrap();
        assert_eq!(page, [(Uid(11), Timestamp(8)), (Uid(12), Timestamp(8))]);
        assert!(store.remove_external(1).await.is_err());
    }
}
