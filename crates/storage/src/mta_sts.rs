//! MTA-STS policies of other domains (RFC 8461), remembered for as long as they say: one row for each domain.

use std::collections::BTreeMap;

use bytes::Bytes;
use mail::{Domain, Timestamp};
use serde::{Deserialize, Serialize};

use crate::engine::{Durability, Order};
use crate::error::StorageError;
use crate::keys::{Key, Table};
use crate::rows;
use crate::store::Store;
use crate::transaction::Transaction;

/// Policies that are remembered.
pub const STS_POLICIES_MAX: usize = 20_000;

/// What is done with a host that does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StsMode {
    /// It gets no mail.
    Enforce,
    /// It gets mail, and the domain a report.
    Testing,
    /// The domain has no policy any more.
    None,
}

/// What a domain asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StsPolicy {
    /// The id that its TXT record had.
    pub id: String,
    /// What is done with others than `hosts`.
    pub mode: StsMode,
    /// Its MX hosts: names, or `*.` and a domain.
    pub hosts: Vec<String>,
}

/// A policy as it is remembered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StsRow {
    /// What it says.
    pub policy: StsPolicy,
    /// When it was fetched.
    pub fetched: Timestamp,
    /// Until when it holds.
    pub until: Timestamp,
}

impl StsRow {
    pub(crate) fn decode(value: &[u8]) -> Result<Self, StorageError> {
        rows::decode(VERSION, "an MTA-STS policy", value)
    }

    fn encode(&self) -> Result<Bytes, StorageError> {
        rows::encode(VERSION, self)
    }
}

const VERSION: u8 = 1;

impl Store {
    /// The policy that is remembered of a domain, expired or not.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn sts_policy(&self, domain: &Domain) -> Result<Option<StsRow>, StorageError> {
        self.engine.get(&key(domain)).await?.map(|value| StsRow::decode(&value)).transpose()
    }

    /// Remembers a policy. Not synced: it could be fetched again.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn remember_sts_policy(&self, domain: Domain, row: StsRow) -> Result<(), StorageError> {
        let put = move |tx: &mut Transaction<'_>| {
            tx.put(key(&domain), row.encode()?);
            Ok(())
        };
        self.transact_with(Durability::Relaxed, put).await.map(drop)
    }

    /// Forgets the policies that have expired, and of more than [`STS_POLICIES_MAX`] those that expire first.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn forget_sts_policies(&self) -> Result<(), StorageError> {
        let now = self.now();
        // By their end; of two that end together the key decides.
        let mut kept: BTreeMap<(Timestamp, Vec<u8>), ()> = BTreeMap::new();
        let mut range = Key::global(Table::StsPolicy).range();
        loop {
            let page = self.engine.scan(range.clone(), Order::Ascending, PAGE).await?;
            let Some((last, _)) = page.last() else { break };
            range.start = [last.as_ref(), &[0]].concat();
            let mut gone = Vec::new();
            for (key, value) in &page {
                match StsRow::decode(value) {
                    Ok(row) if row.until > now => _ = kept.insert((row.until, key.to_vec()), ()),
                    Ok(_) | Err(_) => gone.push(key.to_vec()),
                }
            }
            while kept.len() > STS_POLICIES_MAX {
                if let Some(((_, key), ())) = kept.pop_first() {
                    gone.push(key);
                }
            }
            if !gone.is_empty() {
                self.forget(gone).await?;
            }
        }
        Ok(())
    }

    async fn forget(&self, gone: Vec<Vec<u8>>) -> Result<(), StorageError> {
        let delete = move |tx: &mut Transaction<'_>| {
            gone.iter().for_each(|key| tx.delete(key.clone()));
            Ok(())
        };
        self.transact_with(Durability::Freeing, delete).await.map(drop)
    }
}

const PAGE: usize = 500;

pub(crate) fn key(domain: &Domain) -> Vec<u8> {
    Key::global(Table::StsPolicy).bytes(domain.as_str().as_bytes()).done()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use world::simulated::SimulatedWorld;

    use super::*;
    use crate::MemoryEngine;

    #[tokio::test]
    async fn policies_are_remembered_until_they_expire() {
        let simulated = SimulatedWorld::new(Timestamp(1_000_000), 3);
        let store = Store::open(Arc::new(MemoryEngine::default()), simulated.world()).await.unwrap();
        let row = |secs| StsRow {
            policy: StsPolicy { id: "1".into(), mode: StsMode::Enforce, hosts: vec!["*.a.example".into()] },
            fetched: Timestamp(1_000_000),
            until: Timestamp(1_000_000).plus(Duration::from_secs(secs)),
        };
        let (short, long) = (Domain::parse("a.example").unwrap(), Domain::parse("b.example").unwrap());
        assert_eq!(store.sts_policy(&short).await, Ok(None));
        store.remember_sts_policy(short.clone(), row(10)).await.unwrap();
        store.remember_sts_policy(long.clone(), row(20)).await.unwrap();
        store.forget_sts_policies().await.unwrap();
        assert_eq!(store.sts_policy(&short).await, Ok(Some(row(10))));
        simulated.clock.advance(Duration::from_secs(10));
        store.forget_sts_policies().await.unwrap();
        assert_eq!(store.sts_policy(&short).await, Ok(None));
        assert_eq!(store.sts_policy(&long).await, Ok(Some(row(20))));
    }

    #[tokio::test]
    async fn no_more_than_so_many_are_remembered() {
        let simulated = SimulatedWorld::new(Timestamp(0), 3);
        let store = Store::open(Arc::new(MemoryEngine::default()), simulated.world()).await.unwrap();
        let policy = StsPolicy { id: "1".into(), mode: StsMode::None, hosts: Vec::new() };
        let fill = move |tx: &mut Transaction<'_>| {
            for n in 0..=i64::try_from(STS_POLICIES_MAX).unwrap() {
                let row = StsRow { policy: policy.clone(), fetched: Timestamp(0), until: Timestamp(1_000 + n) };
                tx.put(key(&Domain::parse(&format!("n{n}.example")).unwrap()), row.encode()?);
            }
            Ok(())
        };
        store.transact(fill).await.unwrap();
        store.forget_sts_policies().await.unwrap();
        let there = async |n: usize| {
            store.sts_policy(&Domain::parse(&format!("n{n}.example")).unwrap()).await.unwrap().is_some()
        };
        assert_eq!((there(0).await, there(1).await, there(STS_POLICIES_MAX).await), (false, true, true));
    }
}
