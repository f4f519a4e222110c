//! The handle to a store: opens it, runs transactions, holds the directory.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use mail::Timestamp;
use parking_lot::{Mutex, RwLock, RwLockReadGuard};
use routing::Directory;
use world::World;

use crate::blobs::Abandoned;
use crate::engine::{Committed, Durability, Engine};
use crate::error::StorageError;
use crate::keys::{Key, Table};
use crate::transaction::Transaction;
use crate::undo::GivenUp;

/// An open store. Clones share it.
#[derive(Clone)]
pub struct Store {
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) directory: Arc<RwLock<Directory>>,
    pub(crate) world: World,
    pub(crate) abandoned: Abandoned,
    pub(crate) given_up: GivenUp,
    /// Whether there is a webhook.
    pub(crate) webhooks: Arc<AtomicBool>,
}

/// What a transaction gave, with the proof that it is on disk.
#[derive(Debug)]
pub struct Done<T> {
    /// What the body returned.
    pub value: T,
    /// The token that an acknowledgement is built from.
    pub committed: Committed,
}

/// The format that this version writes; see [`StorageError::Newer`]. Older ones are read as they are:
///
/// - 1: each row of the change index tells of one message.
/// - 2: messages that changed together share rows there ([`crate::changes`]).
/// - 3: rows of messages tell when these were sent ([`crate::rows::Sent`]); what flags messages got together is in rows of
///   blocks (`flag_blocks`).
pub const FORMAT: u32 = 3;

impl Store {
    /// Opens a store on an engine: checks or writes the version stamp, loads the directory, sweeps what an interrupted
    /// run left. When there is no room for the sweeping, [`Store::sweep`] does it later.
    ///
    /// # Errors
    /// [`StorageError::Newer`], or what reading gave.
    pub async fn open(engine: Arc<dyn Engine>, world: World) -> Result<Self, StorageError> {
        let store = Self::unopened(engine, world);
        match store.format().await? {
            Some(FORMAT) => {}
            Some(found) if found > FORMAT => return Err(StorageError::Newer { found, known: FORMAT }),
            // From here on a version that knows only the older format must not open it.
            Some(_) | None => {
                let stamp = |tx: &mut Transaction<'_>| {
                    tx.put(stamp_key(), FORMAT.to_be_bytes().to_vec());
                    Ok(())
                };
                store.transact(stamp).await?;
            }
        }
        store.load_directory().await?;
        store.load_webhooks().await?;
        store.settle_all().await?;
        store.sweep_interrupted().await?;
        Ok(store)
    }

    /// A store as it is on the disk, for [`crate::check`] alone: nothing is read before it is looked at, nothing is
    /// written, and the directory is empty. What is damaged can be looked at this way too.
    #[must_use]
    pub fn unopened(engine: Arc<dyn Engine>, world: World) -> Self {
        Self {
            engine,
            directory: Arc::default(),
            world,
            abandoned: Abandoned::default(),
            given_up: GivenUp::default(),
            webhooks: Arc::default(),
        }
    }

    /// The format that the version stamp tells; `None` in a new store.
    pub(crate) async fn format(&self) -> Result<Option<u32>, StorageError> {
        let Some(stamp) = self.engine.get(&stamp_key()).await? else { return Ok(None) };
        let stamp = stamp.as_ref().try_into().map_err(|_| StorageError::corrupt("the version stamp"))?;
        Ok(Some(u32::from_be_bytes(stamp)))
    }

    /// Sweeps what an interrupted run left. On a full disk that waits: the server is needed most when mail can be read
    /// and deleted, and nothing else.
    async fn sweep_interrupted(&self) -> Result<(), StorageError> {
        let swept = match self.sweep_uploads(None).await {
            Ok(_) => self.sweep_doomed_mailboxes().await,
            Err(error) => Err(error),
        };
        match swept {
            Ok(()) => Ok(()),
            Err(error @ (StorageError::DiskFull | StorageError::Io(_))) => {
                tracing::warn!(%error, "what an interrupted run left is not swept yet; it is tried again");
                self.abandon_uploads().await
            }
            Err(error) => Err(error),
        }
    }

    /// The directory of this moment. Hold the guard for a decision, never across an await.
    pub fn directory(&self) -> RwLockReadGuard<'_, Directory> {
        self.directory.read()
    }

    /// Now, by the world's clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.world.clock.now()
    }

    /// The world that the store lives in.
    #[must_use]
    pub fn world(&self) -> &World {
        &self.world
    }

    /// Runs a body and commits its writes, synced. The body may run more than once.
    ///
    /// # Errors
    /// The body's own, or the engine's; then nothing was written.
    pub async fn transact<T: Send + 'static>(
        &self,
        body: impl FnMut(&mut Transaction<'_>) -> Result<T, StorageError> + Send + 'static,
    ) -> Result<Done<T>, StorageError> {
        self.transact_with(Durability::Synced, body).await
    }

    /// As [`Store::transact`], with a say in what to wait for.
    ///
    /// # Errors
    /// The body's own, or the engine's; then nothing was written.
    pub async fn transact_with<T: Send + 'static>(
        &self,
        durability: Durability,
        mut body: impl FnMut(&mut Transaction<'_>) -> Result<T, StorageError> + Send + 'static,
    ) -> Result<Done<T>, StorageError> {
        let slot = Arc::new(Mutex::new(None));
        let fill = Arc::clone(&slot);
        let run = move |tx: &mut Transaction<'_>| {
            *fill.lock() = Some(body(tx)?);
            Ok(())
        };
        let committed = self.engine.transact(Box::new(run), durability).await?;
        let value = slot.lock().take().ok_or(StorageError::Closed)?;
        Ok(Done { value, committed })
    }

    /// Syncs everything and takes no more transactions.
    ///
    /// # Errors
    /// When the sync fails.
    pub async fn close(&self) -> Result<(), StorageError> {
        self.engine.close().await
    }
}

impl Transaction<'_> {
    /// Takes the next number of a counter; the first is 1.
    pub(crate) fn next_number(&mut self, counter: Vec<u8>) -> Result<u64, StorageError> {
        let next =
            self.last_number(&counter)?.checked_add(1).ok_or_else(|| StorageError::corrupt("a counter at its end"))?;
        self.put(counter, next.to_be_bytes().to_vec());
        Ok(next)
    }

    /// The number that a counter gave last; 0 before the first.
    pub(crate) fn last_number(&self, counter: &[u8]) -> Result<u64, StorageError> {
        counted(self.get(counter)?.as_deref())
    }
}

/// The number that a counter's row holds.
pub(crate) fn counted(value: Option<&[u8]>) -> Result<u64, StorageError> {
    let Some(value) = value else { return Ok(0) };
    Ok(u64::from_be_bytes(value.try_into().map_err(|_| StorageError::corrupt("a counter"))?))
}

/// The key of a counter in no account's part.
pub(crate) fn counter(name: &str) -> Vec<u8> {
    Key::global(Table::Meta).bytes(b"counter:").bytes(name.as_bytes()).done()
}

fn stamp_key() -> Vec<u8> {
    Key::global(Table::Meta).bytes(b"format").done()
}
