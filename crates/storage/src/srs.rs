//! What forwarding keeps (the Sender Rewriting Scheme): a key for each period, and the senders whose addresses are too long to be
//! written in a rewritten one.
//!
//! The first forward of a period makes its key, and removes what is older than the period before. What is removed can't lead a
//! bounce back any more: whoever calls chooses periods that are longer than a rewritten address is good for.

use mail::{Address, ReversePath};

use crate::engine::{KeyRange, Order};
use crate::error::StorageError;
use crate::keys::{Key, Table};
use crate::limits::SRS_SWEPT_AT_ONCE;
use crate::secret::{SecretKey, decode, encode};
use crate::store::Store;
use crate::transaction::Transaction;

impl Transaction<'_> {
    /// The key of a period; the first one to ask makes it of `fresh`.
    ///
    /// # Errors
    /// When reading fails.
    pub fn srs_key(&mut self, period: u32, fresh: [u8; 32]) -> Result<SecretKey, StorageError> {
        if let Some(value) = self.get(&key(period))? {
            return decode(&value);
        }
        self.put(key(period), encode(fresh));
        self.sweep_srs(Table::SrsKey, period)?;
        Ok(SecretKey(fresh))
    }

    /// Remembers the sender behind a token.
    ///
    /// # Errors
    /// When reading fails.
    pub fn put_srs_sender(&mut self, period: u32, token: &[u8], sender: &Address) -> Result<(), StorageError> {
        self.put(sender_key(period, token), sender.to_string().into_bytes());
        self.sweep_srs(Table::SrsSender, period)
    }

    /// Removes some of what is older than the period before `period`: more than is added, so that nothing heaps up.
    fn sweep_srs(&mut self, table: Table, period: u32) -> Result<(), StorageError> {
        let range =
            KeyRange { start: Key::global(table).done(), end: Key::global(table).u32(period.saturating_sub(1)).done() };
        for (key, _) in self.scan(&range, Order::Ascending, SRS_SWEPT_AT_ONCE)? {
            self.delete(key.to_vec());
        }
        Ok(())
    }
}

impl Store {
    /// The key of a period; `None` when nothing was forwarded then, or long ago.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn srs_key(&self, period: u32) -> Result<Option<SecretKey>, StorageError> {
        self.engine.get(&key(period)).await?.map(|value| decode(&value)).transpose()
    }

    /// The sender behind a token of a period.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn srs_sender(&self, period: u32, token: &[u8]) -> Result<Option<Address>, StorageError> {
        self.engine.get(&sender_key(period, token)).await?.map(|value| read_sender(&value)).transpose()
    }
}

pub(crate) fn read_sender(value: &[u8]) -> Result<Address, StorageError> {
    let text = std::str::from_utf8(value).map_err(|_| StorageError::corrupt("the sender of a forwarded message"))?;
    match ReversePath::parse(&format!("<{text}>")) {
        Ok(ReversePath::Address(address)) => Ok(address),
        Ok(ReversePath::Null) | Err(_) => Err(StorageError::corrupt("the sender of a forwarded message")),
    }
}

fn key(period: u32) -> Vec<u8> {
    Key::global(Table::SrsKey).u32(period).done()
}

fn sender_key(period: u32, token: &[u8]) -> Vec<u8> {
    Key::global(Table::SrsSender).u32(period).bytes(token).done()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use mail::Timestamp;
    use world::simulated::SimulatedWorld;

    use super::*;
    use crate::MemoryEngine;

    #[tokio::test]
    async fn keys_and_senders_of_a_period_go_with_the_period_after_the_next() {
        let world = SimulatedWorld::new(Timestamp(0), 3).world();
        let store = Store::open(Arc::new(MemoryEngine::default()), world).await.unwrap();
        let zoe = Address::parse("\"zoe x\"@far.example").unwrap();
        for period in 5..=7 {
            let sender = zoe.clone();
            let made = store.transact(move |tx| {
                tx.put_srs_sender(period, b"token", &sender)?;
                let first = tx.srs_key(period, [1; 32])?;
                assert_eq!(tx.srs_key(period, [2; 32])?, first);
                Ok(first)
            });
            assert_eq!(made.await.unwrap().value, SecretKey([1; 32]));
        }
        assert_eq!(store.srs_key(5).await.unwrap(), None);
        assert_eq!(store.srs_key(6).await.unwrap(), Some(SecretKey([1; 32])));
        assert_eq!(store.srs_sender(5, b"token").await.unwrap(), None);
        assert_eq!(store.srs_sender(6, b"token").await.unwrap(), Some(zoe));
        assert_eq!(store.srs_sender(7, b"other").await.unwrap(), None);
    }
}
