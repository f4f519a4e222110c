//! Bans: who is kept out, kept over a restart. A row for each address or network; what it means is `abuse`'s.

use std::collections::BTreeMap;

use abuse::Ban;
use bytes::Bytes;
use mail::Prefix;

use crate::engine::{Durability, Order};
use crate::error::StorageError;
use crate::keys::{HEAD, Key, Table};
use crate::limits::BANS_READ_MAX;
use crate::rows;
use crate::store::Store;
use crate::transaction::Transaction;

const VERSION: u8 = 1;

/// The key of an address or network: as it is written, of which there is one way.
fn key(prefix: &Prefix) -> Vec<u8> {
    Key::global(Table::Ban).bytes(prefix.to_string().as_bytes()).done()
}

/// Whom a key is about, for the check.
pub(crate) fn prefix_of(key: &[u8]) -> Option<Prefix> {
    std::str::from_utf8(key.get(HEAD..)?).ok()?.parse().ok()
}

pub(crate) fn decode(value: &[u8]) -> Result<Ban, StorageError> {
    rows::decode(VERSION, "a ban", value)
}

pub(crate) fn encode(ban: &Ban) -> Result<Bytes, StorageError> {
    rows::encode(VERSION, ban)
}

impl Transaction<'_> {
    /// Keeps a ban, in the place of what there was of the same address or network.
    ///
    /// # Errors
    /// When it can't be encoded.
    pub fn put_ban(&mut self, ban: &Ban) -> Result<(), StorageError> {
        self.put(key(&ban.prefix), encode(ban)?);
        Ok(())
    }

    /// What is kept of an address or network.
    ///
    /// # Errors
    /// When reading fails.
    pub fn ban(&self, prefix: &Prefix) -> Result<Option<Ban>, StorageError> {
        self.get(&key(prefix))?.map(|value| decode(&value)).transpose()
    }

    /// Removes a ban, and the memory of earlier ones.
    pub fn remove_ban(&mut self, prefix: &Prefix) {
        self.delete(key(prefix));
    }
}

impl Store {
    /// All bans that are kept, also those that are over and make the next one longer.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn bans(&self) -> Result<Vec<Ban>, StorageError> {
        let rows = self.engine.scan(Key::global(Table::Ban).range(), Order::Ascending, BANS_READ_MAX).await?;
        rows.iter().map(|(_, value)| decode(value)).collect()
    }

    /// Keeps some bans and removes others, in one transaction. It may use the reserve of the disk: few octets, and who attacks is not helped by
    /// a full disk.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn keep_bans(&self, kept: Vec<Ban>, gone: Vec<Prefix>) -> Result<(), StorageError> {
        let keep = move |tx: &mut Transaction<'_>| {
            kept.iter().try_for_each(|ban| tx.put_ban(ban))?;
            gone.iter().for_each(|prefix| tx.remove_ban(prefix));
            Ok(())
        };
        self.transact_with(Durability::Freeing, keep).await.map(drop)
    }
}

impl Store {
    /// Keeps these bans and no others, in one transaction; as [`Store::keep_bans`].
    ///
    /// # Errors
    /// When the store fails.
    pub async fn replace_bans(&self, all: Vec<Ban>) -> Result<(), StorageError> {
        let replace = move |tx: &mut Transaction<'_>| {
            let mut wanted = BTreeMap::new();
            for ban in &all {
                wanted.insert(key(&ban.prefix), encode(ban)?);
            }
            for (row, value) in tx.scan(&Key::global(Table::Ban).range(), Order::Ascending, BANS_READ_MAX)? {
                match wanted.get(row.as_ref()) {
                    Some(same) if *same == value => drop(wanted.remove(row.as_ref())),
                    Some(_) => {}
                    None => tx.delete(row.to_vec()),
                }
            }
            wanted.into_iter().for_each(|(row, value)| tx.put(row, value));
            Ok(())
        };
        self.transact_with(Durability::Freeing, replace).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use abuse::Cause;
    use mail::Timestamp;
    use world::simulated::SimulatedWorld;

    use super::*;
    use crate::MemoryEngine;

    fn ban(prefix: &str, until: Option<Timestamp>) -> Ban {
        Ban {
            prefix: prefix.parse().unwrap(),
            cause: Cause::FailedLogins,
            why: "20 failed logins in an hour".to_owned(),
            since: Timestamp(5),
            until,
            times: 2,
        }
    }

    #[tokio::test]
    async fn bans_are_kept_replaced_and_removed() {
        let world = SimulatedWorld::new(Timestamp(5), 1).world();
        let store = Store::open(Arc::new(MemoryEngine::default()), world).await.unwrap();
        let until = Some(Timestamp(5).plus(Duration::from_secs(300)));
        let (one, two) = (ban("192.0.2.7", until), ban("2001:db8::/48", None));
        store.keep_bans(vec![one.clone(), two.clone()], Vec::new()).await.unwrap();
        assert_eq!(store.bans().await.unwrap(), [one.clone(), two.clone()]);
        let again = Ban { times: 3, ..one.clone() };
        store.keep_bans(vec![again.clone()], vec![two.prefix]).await.unwrap();
        assert_eq!(store.bans().await.unwrap(), [again]);
        assert_eq!(crate::check::check(&store, true, &mut |_| {}).await.unwrap().findings, 0);
    }

    #[tokio::test]
    async fn all_that_is_remembered_takes_the_place_of_what_was_kept() {
        let world = SimulatedWorld::new(Timestamp(5), 1).world();
        let store = Store::open(Arc::new(MemoryEngine::default()), world).await.unwrap();
        let [one, two, three] = ["192.0.2.7", "192.0.2.8", "192.0.2.9"].map(|place| ban(place, None));
        store.keep_bans(vec![one.clone(), two.clone()], Vec::new()).await.unwrap();
        let again = Ban { times: 3, ..two.clone() };
        store.replace_bans(vec![three.clone(), again.clone()]).await.unwrap();
        assert_eq!(store.bans().await.unwrap(), [again, three]);
        store.replace_bans(Vec::new()).await.unwrap();
        assert_eq!(store.bans().await.unwrap(), []);
        assert_eq!(crate::check::check(&store, true, &mut |_| {}).await.unwrap().findings, 0);
    }

    #[test]
    fn a_key_names_whom_it_is_about() {
        for text in ["192.0.2.7", "192.0.2.0/24", "2001:db8::/32", "0.0.0.0/0"] {
            let prefix = text.parse().unwrap();
            assert_eq!(prefix_of(&key(&prefix)), Some(prefix));
        }
        assert_eq!(prefix_of(&Key::global(Table::Ban).bytes(b"x").done()), None);
    }
}
