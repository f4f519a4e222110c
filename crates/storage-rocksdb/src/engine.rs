//! The engine: what the store calls. Hands writes to the committer, reads by itself.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

use bytes::Bytes;
use parking_lot::{Mutex, RwLock};
use storage::engine::{Body, Row, Snapshot};
use storage::{Committed, Doorbell, Durability, Engine, KeyRange, Order, StorageError};
use tokio::runtime::Handle;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use world::BoxFuture;

use crate::committer::{Committer, Job, Request};
use crate::database::Database;
use crate::health::{Health, Statistics};
use crate::options::{CHUNKS, Options, ROWS};
use crate::space::free_octets;

/// Rows up to which a scan is made on the caller's thread.
const DIRECT_SCAN_ROWS_MAX: usize = 256;
/// Keys that are looked up on the calling thread at once.
const DIRECT_GETS_MAX: usize = 256;

/// The store in a directory, by RocksDB.
pub struct RocksEngine {
    shared: Arc<Shared>,
    requests: Option<mpsc::Sender<Request>>,
    committer: Option<JoinHandle<()>>,
}

/// What the handle and the committer both hold.
pub(crate) struct Shared {
    pub(crate) path: PathBuf,
    pub(crate) options: Options,
    pub(crate) doorbell: Arc<dyn Doorbell>,
    /// `None` while it is reopened and once it is closed. Readers hold the lock for one read, never across an await.
    pub(crate) database: RwLock<Option<Database>>,
    pub(crate) health: Mutex<Health>,
    pub(crate) counters: Counters,
}

/// What has been done since opening.
#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) transactions: AtomicU64,
    pub(crate) groups: AtomicU64,
    pub(crate) syncs: AtomicU64,
}

impl RocksEngine {
    /// Opens the store in a directory, which is made when it is missing, and starts its committer.
    ///
    /// # Errors
    /// [`StorageError::Locked`] when another process has it open, or what the disk said.
    pub fn open(path: &Path, options: Options, doorbell: Arc<dyn Doorbell>) -> Result<Self, StorageError> {
        std::fs::create_dir_all(path).map_err(|error| StorageError::Io(format!("{}: {error}", path.display())))?;
        let database = Database::open(path, &options)?;
        let group = database.last_group()?;
        let (requests, received) = mpsc::channel(options.waiting_max.max(1));
        let shared = Arc::new(Shared {
            path: path.to_owned(),
            options,
            doorbell,
            database: RwLock::new(Some(database)),
            health: Mutex::new(Health::Ready),
            counters: Counters::default(),
        });
        let committer = Committer::new(Arc::clone(&shared), received, group);
        let committer = std::thread::Builder::new()
            .name("committer".to_owned())
            .spawn(move || committer.run())
            .map_err(|error| StorageError::Io(format!("starting the committer: {error}")))?;
        Ok(Self { shared, requests: Some(requests), committer: Some(committer) })
    }

    /// Makes a copy of the store as it is now, which can be opened on its own. The directory must not exist yet.
    ///
    /// # Errors
    /// When writing fails.
    pub async fn checkpoint(&self, to: &Path) -> Result<(), StorageError> {
        let to = to.to_owned();
        self.blocking(move |database| database.checkpoint(&to)).await
    }

    /// Whether the store takes writes. Who refuses work by this answer would never let the committer find out that it
    /// can work again, so a store that could not is asked to look.
    #[must_use]
    pub fn health(&self) -> Health {
        let health = self.shared.health.lock().clone();
        if matches!(health, Health::DiskFull { .. } | Health::Failed(_))
            && let Some(queue) = &self.requests
        {
            let (answer, _) = oneshot::channel();
            let look = Job { body: Box::new(|_| Ok(())), durability: Durability::Synced, answer };
            // A full queue looks by itself.
            drop(queue.try_send(Request::Transact(look)));
        }
        health
    }

    /// Numbers for the metrics.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        let counters = &self.shared.counters;
        let waiting = self.requests.as_ref().map_or(0, |queue| queue.max_capacity().saturating_sub(queue.capacity()));
        let mut statistics = Statistics {
            transactions: counters.transactions.load(Ordering::Relaxed),
            groups: counters.groups.load(Ordering::Relaxed),
            syncs: counters.syncs.load(Ordering::Relaxed),
            waiting: waiting as u64,
            free_octets: free_octets(&self.shared.path).unwrap_or(0),
            ..Statistics::default()
        };
        if let Some(database) = &*self.shared.database.read() {
            statistics.sorted_octets = database.property("rocksdb.total-sst-files-size");
            statistics.blob_octets = database.property_of(CHUNKS, "rocksdb.total-blob-file-size");
            statistics.write_buffer_octets = database.property("rocksdb.cur-size-all-mem-tables");
            statistics.block_cache_octets = database.property_of(ROWS, "rocksdb.block-cache-usage");
            statistics.table_octets = database.property("rocksdb.estimate-table-readers-mem");
        }
        statistics
    }

    /// Puts a request before the committer. The place in its queue is taken at once where there is one, so that
    /// dropping the future can't undo it.
    fn ask<'a, T: 'a + Send>(
        &'a self,
        request: Request,
        answered: oneshot::Receiver<Result<T, StorageError>>,
    ) -> BoxFuture<'a, Result<T, StorageError>> {
        let Some(queue) = &self.requests else { return Box::pin(async { Err(StorageError::Closed) }) };
        let queued = queue.try_send(request);
        Box::pin(async move {
            match queued {
                Ok(()) => {}
                Err(TrySendError::Full(request)) => queue.send(request).await.map_err(|_| StorageError::Closed)?,
                Err(TrySendError::Closed(_)) => return Err(StorageError::Closed),
            }
            answered.await.unwrap_or(Err(StorageError::Closed))
        })
    }

    /// Reads on the caller's thread.
    fn read<T>(&self, work: impl FnOnce(&Database) -> Result<T, StorageError>) -> Result<T, StorageError> {
        self.shared.read(work)
    }

    /// Works on one of the runtime's blocking threads, or right here when there is no runtime.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Database) -> Result<T, StorageError> + Send + 'static,
    ) -> Result<T, StorageError> {
        let Ok(runtime) = Handle::try_current() else { return self.read(work) };
        let shared = Arc::clone(&self.shared);
        let result = runtime.spawn_blocking(move || shared.read(work)).await;
        result.unwrap_or_else(|error| Err(StorageError::Io(format!("reading was broken off: {error}"))))
    }
}

impl Shared {
    fn read<T>(&self, work: impl FnOnce(&Database) -> Result<T, StorageError>) -> Result<T, StorageError> {
        match &*self.database.read() {
            Some(database) => work(database),
            None => Err(match &*self.health.lock() {
                Health::Failed(error) => StorageError::Io(error.clone()),
                Health::Closed | Health::Ready | Health::DiskFull { .. } => StorageError::Closed,
            }),
        }
    }
}

impl Engine for RocksEngine {
    fn get<'a>(&'a self, key: &'a [u8]) -> BoxFuture<'a, Result<Option<Bytes>, StorageError>> {
        Box::pin(async move { self.read(|database| database.get(key)) })
    }

    fn multi_get<'a>(&'a self, keys: &'a [Vec<u8>]) -> BoxFuture<'a, Result<Vec<Option<Bytes>>, StorageError>> {
        Box::pin(async move {
            if keys.len() <= DIRECT_GETS_MAX {
                self.read(|database| database.multi_get(keys))
            } else {
                let keys = keys.to_vec();
                self.blocking(move |database| database.multi_get(&keys)).await
            }
        })
    }

    fn scan(&self, range: KeyRange, order: Order, limit: usize) -> BoxFuture<'_, Result<Vec<Row>, StorageError>> {
        Box::pin(async move {
            if limit <= DIRECT_SCAN_ROWS_MAX {
                self.read(|database| database.scan(&range, order, limit))
            } else {
                self.blocking(move |database| database.scan(&range, order, limit)).await
            }
        })
    }

    fn transact(&self, body: Body, durability: Durability) -> BoxFuture<'_, Result<Committed, StorageError>> {
        let (answer, answered) = oneshot::channel();
        self.ask(Request::Transact(Job { body, durability, answer }), answered)
    }

    fn write_early(&self, rows: Vec<Row>) -> BoxFuture<'_, Result<(), StorageError>> {
        let (answer, answered) = oneshot::channel();
        self.ask(Request::Early(rows, answer), answered)
    }

    fn close(&self) -> BoxFuture<'_, Result<(), StorageError>> {
        let (answer, answered) = oneshot::channel();
        self.ask(Request::Close(answer), answered)
    }
}

impl Drop for RocksEngine {
    /// Waits for the committer, so that the directory is free for the next one who opens it.
    fn drop(&mut self) {
        self.requests = None;
        let Some(committer) = self.committer.take() else { return };
        // An after-effect may have held the last handle: the committer can't wait for itself.
        if committer.thread().id() != std::thread::current().id() && committer.join().is_err() {
            tracing::error!("the committer panicked");
        }
    }
}
