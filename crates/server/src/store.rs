//! Opening the store: the data folder, the engine, the directory.

use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bus::Bus;
use storage::{StorageError, Store};
use storage_rocksdb::{Options, RocksEngine};
use world::World;

use crate::cli::Failure;
use crate::config::Config;
use crate::privileges;

/// An open store and what belongs to it.
pub(crate) struct Open {
    /// The store.
    pub(crate) store: Store,
    /// Its engine, for health and numbers.
    pub(crate) engine: Arc<RocksEngine>,
    /// Rung by it.
    pub(crate) bus: Bus,
}

impl Open {
    /// Syncs everything and lets go of the lock.
    pub(crate) async fn close(self) -> Result<(), Failure> {
        self.store.close().await.map_err(|error| Failure::new(format!("closing the store failed: {error}")))
    }
}

/// Where the engine keeps its files.
pub(crate) fn folder(data_dir: &Path) -> PathBuf {
    data_dir.join("store")
}

/// Makes the data folder, readable by its owner only.
pub(crate) fn make_data_dir(data_dir: &Path) -> Result<(), Failure> {
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(data_dir);
    made.map_err(|error| {
        let failure = Failure::new(format!("the data folder {} can't be made: {error}", data_dir.display()));
        failure.hint("set `data_dir` in the configuration to a folder that this user may write")
    })?;
    let readable_by_others = std::fs::metadata(data_dir).is_ok_and(|meta| meta.permissions().mode() & 0o077 != 0);
    if readable_by_others {
        tracing::warn!(folder = %data_dir.display(), "the data folder is open to other users; chmod 700 closes it");
    }
    Ok(())
}

/// Opens the store as the server does.
pub(crate) async fn open(config: &Config) -> Result<Open, Failure> {
    make_data_dir(&config.data_dir)?;
    let world = World::system().map_err(|error| Failure::new(format!("the name servers are not known: {error}")))?;
    open_in(config, world).await
}

/// Opens the store for one command, as the user that it belongs to.
pub(crate) async fn open_beside(config: &Config) -> Result<Open, Failure> {
    if !config.data_dir.exists() {
        let failure = Failure::new(format!("there is no data folder {}", config.data_dir.display()));
        return Err(failure.hint("`relais init` makes one; `--config FILE` names another configuration"));
    }
    privileges::become_user(&config.run_as_user)?;
    open(config).await
}

async fn open_in(config: &Config, world: World) -> Result<Open, Failure> {
    let octets = |mebibytes: u64| mebibytes.saturating_mul(1 << 20);
    let options = Options {
        free_octets_min: octets(config.storage.free_space_reserve_mib),
        block_cache_octets: usize::try_from(octets(config.storage.cache_mib)).unwrap_or(usize::MAX),
        ..Options::default()
    };
    let bus = Bus::new();
    let doorbell = Arc::new(bus.clone());
    let path = folder(&config.data_dir);
    let opening = tokio::task::spawn_blocking(move || RocksEngine::open(&path, options, doorbell));
    let engine = opening.await.map_err(|error| Failure::new(format!("opening the store was interrupted: {error}")))?;
    let engine = Arc::new(engine.map_err(|error| failure(config, &error))?);
    let store = Store::open(engine.clone(), world).await.map_err(|error| failure(config, &error))?;
    Ok(Open { store, engine, bus })
}

fn failure(config: &Config, error: &StorageError) -> Failure {
    let path = folder(&config.data_dir);
    let failure = Failure::new(format!("{}: {error}", path.display()));
    let hint = if matches!(error, StorageError::Locked) {
        "a server has it open; stop that first"
    } else if matches!(error, StorageError::Newer { .. }) {
        "run the version of Relais that wrote it, or a later one"
    } else if matches!(error, StorageError::DiskFull) {
        "make room on the disk, or lower `free_space_reserve_mib`"
    } else if matches!(error, StorageError::Corrupt(_)) {
        "`relais check` tells more; restore a backup if it does not help"
    } else {
        return failure;
    };
    failure.hint(hint)
}
