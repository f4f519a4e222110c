//! The engine trait: ordered rows, serial transactions with shared syncs, early writes for blobs.
//!
//! A transaction is a function from what is stored to what is to be written. An embedded engine runs it at its commit
//! point, one after the other; an engine behind a network may run it against a snapshot, commit its reads as asserts,
//! and run it again on conflict. Hence the rule: **a transaction body may run more than once and has no effect but
//! its writes.** Why not batches with asserts: `docs/decisions/0001-transactions-are-functions.md`.

use bytes::Bytes;
use mail::Notice;
use world::BoxFuture;

use crate::error::StorageError;
use crate::transaction::Transaction;

/// Proof that a transaction is on disk and synced. Only an engine makes one; every acknowledgement is built from it.
#[derive(Debug)]
#[must_use = "an acknowledgement is built from this"]
pub struct Committed(());

impl Committed {
    /// For engines alone, after the sync has returned.
    #[doc(hidden)]
    pub const fn attest() -> Self {
        Self(())
    }
}

/// Half-open range of keys: `start..end`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRange {
    /// The first key that belongs to it.
    pub start: Vec<u8>,
    /// The first key that no longer does.
    pub end: Vec<u8>,
}

impl KeyRange {
    /// Every key that begins with `prefix`.
    #[must_use]
    pub fn prefix(prefix: Vec<u8>) -> Self {
        let mut end = prefix.clone();
        while let Some(last) = end.pop() {
            if let Some(next) = last.checked_add(1) {
                end.push(next);
                return Self { start: prefix, end };
            }
        }
        // Only a prefix of 0xFF bytes has no successor; no table number is 0xFF.
        Self { start: prefix, end: vec![0xFF; 64] }
    }
}

/// Direction of a scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Smallest key first.
    Ascending,
    /// Largest key first.
    Descending,
}

/// What the caller of a commit waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// The write is synced.
    Synced,
    /// As [`Durability::Synced`], for what frees space or records what has happened already (an expunge, the end of a
    /// queue entry): taken when there is too little free space for anything new, down to half of the reserve.
    Freeing,
    /// The write is visible; a power cut may undo it. Only for what may be forgotten (`\Recent`, sweeping).
    Relaxed,
}

impl Durability {
    /// Whether the caller waits for a sync.
    #[must_use]
    pub fn is_synced(self) -> bool {
        match self {
            Self::Synced | Self::Freeing => true,
            Self::Relaxed => false,
        }
    }

    /// Whether this is taken while the reserve of free space is begun.
    #[must_use]
    pub fn may_use_reserve(self) -> bool {
        match self {
            Self::Synced => false,
            Self::Freeing | Self::Relaxed => true,
        }
    }
}

/// A transaction body. See the module's rule.
pub type Body = Box<dyn FnMut(&mut Transaction<'_>) -> Result<(), StorageError> + Send>;

/// Runs after the commit and before its caller hears of it; for caches that must never lag behind the disk.
pub type AfterCommit = Box<dyn FnOnce() + Send>;

/// A row: key and value.
pub type Row = (Bytes, Bytes);

/// Where an engine tells of commits.
pub trait Doorbell: Send + Sync {
    /// Called after each commit with what it touched. Must not block.
    fn ring(&self, notices: &[Notice]);
}

/// A doorbell that nobody hears.
#[derive(Clone, Copy, Debug)]
pub struct SilentDoorbell;

impl Doorbell for SilentDoorbell {
    fn ring(&self, _notices: &[Notice]) {}
}

/// Reads as of one moment, for transaction bodies. Implemented by engines.
pub trait Snapshot {
    /// The value of a key.
    ///
    /// # Errors
    /// When reading fails.
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StorageError>;

    /// The values of several keys, in their order. Costs less than each by itself, the least where they are sorted.
    ///
    /// # Errors
    /// When reading fails.
    fn multi_get(&self, keys: &[Vec<u8>]) -> Result<Vec<Option<Bytes>>, StorageError>;

    /// At most `limit` rows of a range.
    ///
    /// # Errors
    /// When reading fails.
    fn scan(&self, range: &KeyRange, order: Order, limit: usize) -> Result<Vec<Row>, StorageError>;
}

/// A storage engine.
pub trait Engine: Send + Sync + 'static {
    /// The value of a key.
    fn get<'a>(&'a self, key: &'a [u8]) -> BoxFuture<'a, Result<Option<Bytes>, StorageError>>;

    /// The values of several keys, in their order.
    fn multi_get<'a>(&'a self, keys: &'a [Vec<u8>]) -> BoxFuture<'a, Result<Vec<Option<Bytes>>, StorageError>>;

    /// At most `limit` rows of a range; no cursor outlives the call, so the caller pages by key.
    fn scan(&self, range: KeyRange, order: Order, limit: usize) -> BoxFuture<'_, Result<Vec<Row>, StorageError>>;

    /// Runs a transaction body and commits its writes in one atomic step, or nothing of them. Goes on to its end even
    /// when the returned future is dropped.
    fn transact(&self, body: Body, durability: Durability) -> BoxFuture<'_, Result<Committed, StorageError>>;

    /// Writes rows ahead of the transaction that will name them (chunks of a blob). They are as durable as the first
    /// synced transaction after them. Nothing may depend on them before that.
    fn write_early(&self, rows: Vec<Row>) -> BoxFuture<'_, Result<(), StorageError>>;

    /// Makes everything written so far durable and stops taking transactions. Called once, at shutdown.
    fn close(&self) -> BoxFuture<'_, Result<(), StorageError>>;
}
