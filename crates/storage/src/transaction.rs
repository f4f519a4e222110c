//! A transaction in the making: reads through what it has written itself, collects writes, notices and after-effects.

use std::collections::BTreeMap;
use std::ops::Bound;

use bytes::Bytes;
use mail::Notice;

use crate::engine::{AfterCommit, KeyRange, Order, Row, Snapshot};
use crate::error::StorageError;

/// Writes by key; `None` deletes.
pub type Writes = BTreeMap<Vec<u8>, Option<Bytes>>;

/// One transaction while its body runs.
pub struct Transaction<'a> {
    stored: &'a dyn Snapshot,
    /// Writes of transactions that precede this one in the same group and are not in `stored` yet.
    group: &'a Writes,
    writes: Writes,
    notices: Vec<Notice>,
    after_commit: Vec<AfterCommit>,
}

/// What a finished body leaves to its engine.
pub struct Collected {
    /// To write, all or nothing.
    pub writes: Writes,
    /// To ring once that is durable.
    pub notices: Vec<Notice>,
    /// To run before that.
    pub after_commit: Vec<AfterCommit>,
}

impl<'a> Transaction<'a> {
    /// For engines: a transaction on top of a snapshot and of the group's earlier writes.
    #[must_use]
    pub fn new(stored: &'a dyn Snapshot, group: &'a Writes) -> Self {
        Self { stored, group, writes: Writes::new(), notices: Vec::new(), after_commit: Vec::new() }
    }

    /// For engines: ends the body.
    #[must_use]
    pub fn collect(self) -> Collected {
        Collected { writes: self.writes, notices: self.notices, after_commit: self.after_commit }
    }

    /// The value of a key, own writes included.
    ///
    /// # Errors
    /// When reading fails.
    pub fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StorageError> {
        match self.writes.get(key) {
            Some(value) => Ok(value.clone()),
            None => self.get_before(key),
        }
    }

    /// The values of several keys in their order, own writes included. Costs less than each by itself, the least where they are sorted.
    ///
    /// # Errors
    /// When reading fails.
    pub fn get_all(&self, keys: &[Vec<u8>]) -> Result<Vec<Option<Bytes>>, StorageError> {
        let written = |key: &Vec<u8>| self.writes.get(key).or_else(|| self.group.get(key)).cloned();
        let mut values: Vec<Option<Option<Bytes>>> = keys.iter().map(written).collect();
        let known = keys.iter().zip(&values);
        let stored: Vec<Vec<u8>> = known.filter(|(_, value)| value.is_none()).map(|(key, _)| key.clone()).collect();
        let stored = if stored.is_empty() { Vec::new() } else { self.stored.multi_get(&stored)? };
        let unknown = values.iter_mut().filter(|value| value.is_none());
        unknown.zip(stored).for_each(|(value, stored)| *value = Some(stored));
        Ok(values.into_iter().map(Option::flatten).collect())
    }

    /// At most `limit` rows of a range, own writes included.
    ///
    /// # Errors
    /// When reading fails.
    pub fn scan(&self, range: &KeyRange, order: Order, limit: usize) -> Result<Vec<Row>, StorageError> {
        let bounds = (Bound::Included(range.start.as_slice()), Bound::Excluded(range.end.as_slice()));
        if range.start >= range.end {
            return Ok(Vec::new());
        }
        let mut pending: BTreeMap<&[u8], &Option<Bytes>> = BTreeMap::new();
        for (key, value) in self.group.range::<[u8], _>(bounds).chain(self.writes.range::<[u8], _>(bounds)) {
            pending.insert(key, value);
        }
        // Each pending deletion can hide at most one stored row.
        let deletions = pending.values().filter(|value| value.is_none()).count();
        let stored = self.stored.scan(range, order, limit.saturating_add(deletions))?;
        if pending.is_empty() {
            return Ok(stored);
        }
        let mut merged: BTreeMap<Bytes, Bytes> =
            stored.into_iter().filter(|(key, _)| !pending.contains_key(key.as_ref())).collect();
        for (key, value) in pending {
            if let Some(value) = value {
                merged.insert(Bytes::copy_from_slice(key), value.clone());
            }
        }
        Ok(match order {
            Order::Ascending => merged.into_iter().take(limit).collect(),
            Order::Descending => merged.into_iter().rev().take(limit).collect(),
        })
    }

    /// Writes a row.
    pub fn put(&mut self, key: Vec<u8>, value: impl Into<Bytes>) {
        self.writes.insert(key, Some(value.into()));
    }

    /// Deletes a row; one that is not there stays so.
    pub fn delete(&mut self, key: Vec<u8>) {
        // A row that came and went within this transaction leaves no trace when there was none before.
        if matches!(self.writes.get(&key), Some(Some(_))) && matches!(self.get_before(&key), Ok(None)) {
            self.writes.remove(&key);
        } else {
            self.writes.insert(key, None);
        }
    }

    /// The value that a key had before this transaction.
    fn get_before(&self, key: &[u8]) -> Result<Option<Bytes>, StorageError> {
        match self.group.get(key) {
            Some(value) => Ok(value.clone()),
            None => self.stored.get(key),
        }
    }

    /// Rings the bell once this is durable.
    pub fn notify(&mut self, notice: Notice) {
        if !self.notices.contains(&notice) {
            self.notices.push(notice);
        }
    }

    /// Runs once this is durable, before the caller hears of it.
    pub fn after_commit(&mut self, effect: impl FnOnce() + Send + 'static) {
        self.after_commit.push(Box::new(effect));
    }

    /// How many rows are to be written, so that bodies can keep within [`crate::limits::TRANSACTION_ROWS_MAX`].
    #[must_use]
    pub fn rows_written(&self) -> usize {
        self.writes.len()
    }
}
