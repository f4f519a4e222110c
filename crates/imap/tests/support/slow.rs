//! An engine that does what it is let do: its synced transactions and its scans wait for leave.

use std::sync::Arc;

use bytes::Bytes;
use storage::engine::{Body, Committed, Durability, Row};
use storage::{Engine, KeyRange, MemoryEngine, Order, StorageError};
use tokio::sync::Semaphore;
use world::BoxFuture;

/// More than anything takes.
const PLENTY: usize = 1_000_000;

/// What work waits at, while it is held.
#[derive(Clone)]
pub struct Gate(Arc<Semaphore>);

impl Gate {
    fn open() -> Self {
        Self(Arc::new(Semaphore::new(PLENTY)))
    }

    /// From now on nothing gets through.
    pub fn hold(&self) {
        self.0.forget_permits(self.0.available_permits());
    }

    /// So many get through.
    pub fn let_through(&self, many: usize) {
        self.0.add_permits(many);
    }

    /// Everything gets through again.
    pub fn release(&self) {
        self.let_through(PLENTY);
    }

    async fn pass(&self) {
        self.0.acquire().await.unwrap().forget();
    }
}

/// The gates of an engine.
#[derive(Clone)]
pub struct Gates {
    /// Of transactions that are synced.
    pub commits: Gate,
    /// Of scans.
    pub scans: Gate,
}

/// An engine behind gates, which are open at first.
pub struct Slow {
    inner: MemoryEngine,
    pub gates: Gates,
}

impl Slow {
    pub fn new(inner: MemoryEngine) -> Self {
        Self { inner, gates: Gates { commits: Gate::open(), scans: Gate::open() } }
    }
}

impl Engine for Slow {
    fn get<'a>(&'a self, key: &'a [u8]) -> BoxFuture<'a, Result<Option<Bytes>, StorageError>> {
        self.inner.get(key)
    }

    fn multi_get<'a>(&'a self, keys: &'a [Vec<u8>]) -> BoxFuture<'a, Result<Vec<Option<Bytes>>, StorageError>> {
        self.inner.multi_get(keys)
    }

    fn scan(&self, range: KeyRange, order: Order, limit: usize) -> BoxFuture<'_, Result<Vec<Row>, StorageError>> {
        Box::pin(async move {
            self.gates.scans.pass().await;
            self.inner.scan(range, order, limit).await
        })
    }

    fn transact(&self, body: Body, durability: Durability) -> BoxFuture<'_, Result<Committed, StorageError>> {
        Box::pin(async move {
            if durability == Durability::Synced {
                self.gates.commits.pass().await;
            }
            self.inner.transact(body, durability).await
        })
    }

    fn write_early(&self, rows: Vec<Row>) -> BoxFuture<'_, Result<(), StorageError>> {
        self.inner.write_early(rows)
    }

    fn close(&self) -> BoxFuture<'_, Result<(), StorageError>> {
        self.inner.close()
    }
}
