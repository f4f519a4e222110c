//! Rows of destinations that are written to more slowly than usual, by route ([`PaceRow`]).

use crate::engine::Order;
use crate::error::StorageError;
use crate::keys::{self, Key, Table};
use crate::limits::PACES_MAX;
use crate::rows::PaceRow;
use crate::store::Store;
use crate::transaction::Transaction;

fn key(route: &str) -> Vec<u8> {
    Key::global(Table::Pace).bytes(route.as_bytes()).done()
}

/// The route that a row's key names.
pub(crate) fn route_of(key: &[u8]) -> Option<&str> {
    key.get(keys::HEAD..).and_then(|route| std::str::from_utf8(route).ok()).filter(|route| !route.is_empty())
}

impl Transaction<'_> {
    /// Keeps what was learnt of a route's destination; `None`: it is as usual again.
    ///
    /// # Errors
    /// When the row can't be encoded.
    pub fn set_pace(&mut self, route: &str, pace: Option<&PaceRow>) -> Result<(), StorageError> {
        match pace {
            Some(pace) => self.put(key(route), pace.encode()?),
            None => self.delete(key(route)),
        }
        Ok(())
    }
}

impl Store {
    /// What was learnt of a route's destination; `None`: it is as usual.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn pace(&self, route: &str) -> Result<Option<PaceRow>, StorageError> {
        self.engine.get(&key(route)).await?.map(|value| PaceRow::decode(&value)).transpose()
    }

    /// All routes whose destination is written to more slowly than usual, in the order of their names.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn paces(&self) -> Result<Vec<(String, PaceRow)>, StorageError> {
        let rows = self.engine.scan(Key::global(Table::Pace).range(), Order::Ascending, PACES_MAX).await?;
        let mut paces = Vec::with_capacity(rows.len());
        for (key, value) in rows {
            let route = route_of(&key).ok_or_else(|| StorageError::corrupt("the key of a pace"))?;
            paces.push((route.to_owned(), PaceRow::decode(&value)?));
        }
        Ok(paces)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use mail::Timestamp;
    use world::simulated::SimulatedWorld;

    use super::*;
    use crate::MemoryEngine;

    #[tokio::test]
    async fn a_pace_is_kept_until_it_is_usual_again() {
        let world = SimulatedWorld::new(Timestamp(5), 1).world();
        let store = Store::open(Arc::new(MemoryEngine::default()), world).await.unwrap();
        let row = PaceRow { failures: 3, gap_millis: 2_000, learnt_at: Timestamp(5), ..PaceRow::default() };
        let kept = row.clone();
        store.transact(move |tx| tx.set_pace("b.example", Some(&kept))).await.unwrap();
        assert_eq!(store.pace("b.example").await.unwrap(), Some(row.clone()));
        assert_eq!(store.paces().await.unwrap(), [("b.example".to_owned(), row)]);
        store.transact(|tx| tx.set_pace("b.example", None)).await.unwrap();
        assert_eq!(store.pace("b.example").await.unwrap(), None);
    }
}
