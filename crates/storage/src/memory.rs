//! An engine in memory, for tests and simulations: same semantics, and a disk that fails when told to.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use world::BoxFuture;

use crate::engine::{Body, Committed, Doorbell, Durability, Engine, KeyRange, Order, Row, SilentDoorbell, Snapshot};
use crate::error::StorageError;
use crate::transaction::{Transaction, Writes};

type Rows = BTreeMap<Vec<u8>, Bytes>;

/// Rows in a map. Clones share it.
#[derive(Clone)]
pub struct MemoryEngine {
    state: Arc<Mutex<State>>,
    doorbell: Arc<dyn Doorbell>,
}

#[derive(Default)]
struct State {
    /// What readers see.
    rows: Rows,
    /// What a power cut leaves.
    synced: Rows,
    /// What is visible and not yet in `synced`.
    unsynced: Writes,
    /// Commits until one fails; `None`: none does.
    fails_after: Option<(u64, StorageError)>,
    /// Reads until one fails; `None`: none does.
    reads_fail_after: Option<(u64, StorageError)>,
    commits: u64,
    /// Less free space than the reserve: only what may use that is taken.
    low_on_space: bool,
    closed: bool,
}

impl Default for MemoryEngine {
    fn default() -> Self {
        Self::new(Arc::new(SilentDoorbell))
    }
}

impl MemoryEngine {
    /// An empty store that rings this bell.
    #[must_use]
    pub fn new(doorbell: Arc<dyn Doorbell>) -> Self {
        Self { state: Arc::default(), doorbell }
    }

    /// Cuts the power: a new engine with what was synced, and another bell.
    #[must_use]
    pub fn after_power_cut(&self, doorbell: Arc<dyn Doorbell>) -> Self {
        let synced = self.state.lock().synced.clone();
        let state = State { rows: synced.clone(), synced, ..State::default() };
        Self { state: Arc::new(Mutex::new(state)), doorbell }
    }

    /// Lets the next `commits` writes pass and fails every one after them with `error`.
    pub fn fail_after(&self, commits: u64, error: StorageError) {
        self.state.lock().fails_after = Some((commits, error));
    }

    /// Lets the next `reads` look-ups and scans outside transactions pass and fails every one after them with `error`.
    pub fn fail_reads_after(&self, reads: u64, error: StorageError) {
        self.state.lock().reads_fail_after = Some((reads, error));
    }

    /// Ends the failing.
    pub fn heal(&self) {
        let mut state = self.state.lock();
        state.fails_after = None;
        state.reads_fail_after = None;
    }

    /// From now on, or no longer, the disk has less free space than the reserve.
    pub fn set_low_on_space(&self, low: bool) {
        self.state.lock().low_on_space = low;
    }

    /// How many transactions were committed.
    #[must_use]
    pub fn commits(&self) -> u64 {
        self.state.lock().commits
    }

    /// Every row, for comparisons.
    #[must_use]
    pub fn rows(&self) -> BTreeMap<Vec<u8>, Bytes> {
        self.state.lock().rows.clone()
    }

    /// Overwrites a row behind everyone's back, as damage would. `None` removes it.
    pub fn damage(&self, key: Vec<u8>, value: Option<Bytes>) {
        let mut state = self.state.lock();
        apply(&mut state.rows, BTreeMap::from([(key.clone(), value.clone())]));
        apply(&mut state.synced, BTreeMap::from([(key, value)]));
    }

    fn commit(&self, mut body: Body, durability: Durability) -> Result<Committed, StorageError> {
        let mut state = self.state.lock();
        if state.closed {
            return Err(StorageError::Closed);
        }
        let none = Writes::new();
        let mut transaction = Transaction::new(&state.rows, &none);
        body(&mut transaction)?;
        let collected = transaction.collect();
        state.check_fault()?;
        if state.low_on_space && !durability.may_use_reserve() {
            return Err(StorageError::DiskFull);
        }
        state.commits += 1;
        state.write(collected.writes);
        if durability.is_synced() {
            state.sync();
        }
        collected.after_commit.into_iter().for_each(|effect| effect());
        drop(state);
        self.doorbell.ring(&collected.notices);
        Ok(Committed::attest())
    }
}

impl State {
    fn write(&mut self, writes: Writes) {
        apply(&mut self.rows, writes.clone());
        self.unsynced.extend(writes);
    }

    fn sync(&mut self) {
        apply(&mut self.synced, std::mem::take(&mut self.unsynced));
    }

    fn check_fault(&mut self) -> Result<(), StorageError> {
        countdown(&mut self.fails_after)
    }

    /// The rows, for a reader.
    fn read(&mut self) -> Result<&Rows, StorageError> {
        countdown(&mut self.reads_fail_after)?;
        Ok(&self.rows)
    }
}

fn countdown(fault: &mut Option<(u64, StorageError)>) -> Result<(), StorageError> {
    match fault {
        Some((0, error)) => Err(error.clone()),
        Some((left, _)) => {
            *left -= 1;
            Ok(())
        }
        None => Ok(()),
    }
}

fn apply(rows: &mut Rows, writes: Writes) {
    for (key, value) in writes {
        match value {
            Some(value) => rows.insert(key, value),
            None => rows.remove(&key),
        };
    }
}

impl Snapshot for Rows {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StorageError> {
        Ok(Self::get(self, key).cloned())
    }

    fn multi_get(&self, keys: &[Vec<u8>]) -> Result<Vec<Option<Bytes>>, StorageError> {
        keys.iter().map(|key| Snapshot::get(self, key)).collect()
    }

    fn scan(&self, range: &KeyRange, order: Order, limit: usize) -> Result<Vec<Row>, StorageError> {
        if range.start >= range.end {
            return Ok(Vec::new());
        }
        let bounds = (Bound::Included(range.start.as_slice()), Bound::Excluded(range.end.as_slice()));
        let rows = self.range::<[u8], _>(bounds).map(|(k, v)| (Bytes::copy_from_slice(k), v.clone()));
        Ok(match order {
            Order::Ascending => rows.take(limit).collect(),
            Order::Descending => rows.rev().take(limit).collect(),
        })
    }
}

impl Engine for MemoryEngine {
    fn get<'a>(&'a self, key: &'a [u8]) -> BoxFuture<'a, Result<Option<Bytes>, StorageError>> {
        Box::pin(async move { Snapshot::get(self.state.lock().read()?, key) })
    }

    fn multi_get<'a>(&'a self, keys: &'a [Vec<u8>]) -> BoxFuture<'a, Result<Vec<Option<Bytes>>, StorageError>> {
        Box::pin(async move { Snapshot::multi_get(self.state.lock().read()?, keys) })
    }

    fn scan(&self, range: KeyRange, order: Order, limit: usize) -> BoxFuture<'_, Result<Vec<Row>, StorageError>> {
        Box::pin(async move { Snapshot::scan(self.state.lock().read()?, &range, order, limit) })
    }

    fn transact(&self, body: Body, durability: Durability) -> BoxFuture<'_, Result<Committed, StorageError>> {
        // Done at once, so that dropping the future can't undo it.
        let result = self.commit(body, durability);
        Box::pin(async move { result })
    }

    fn write_early(&self, rows: Vec<Row>) -> BoxFuture<'_, Result<(), StorageError>> {
        Box::pin(async move {
            let mut state = self.state.lock();
            state.check_fault()?;
            if state.low_on_space {
                return Err(StorageError::DiskFull);
            }
            state.write(rows.into_iter().map(|(k, v)| (k.to_vec(), Some(v))).collect());
            Ok(())
        })
    }

    fn close(&self) -> BoxFuture<'_, Result<(), StorageError>> {
        Box::pin(async move {
            let mut state = self.state.lock();
            state.sync();
            state.closed = true;
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn keeps_the_contract_of_engines() {
        let make = |doorbell| Arc::new(MemoryEngine::new(doorbell)) as Arc<dyn Engine>;
        crate::conformance::all(&make).await;
    }
}
