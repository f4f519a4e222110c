//! Opening the store: the data folder, the engine, the directory.

use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bus::Bus;
use nix::sys::stat::{Mode, umask};
use storage::{StorageError, Store};
use storage_rocksdb::{Options, RocksEngine};
use world::World;

use crate::cli::Failure;
use crate::config::Config;
use crate::{descriptors, privileges};

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
    must_be_there(config)?;
    open_or_make(config).await
}

/// Opens the store, and makes it when there is none: for who makes a new one on purpose.
pub(crate) async fn open_or_make(config: &Config) -> Result<Open, Failure> {
    make_data_dir(&config.data_dir)?;
    let (engine, bus, world) = engine(config).await?;
    let store = Store::open(engine.clone(), world).await.map_err(|error| failure(config, &error))?;
    store.set_own_name(&config.hostname);
    Ok(Open { store, engine, bus })
}

/// Opens the store for one command, as the user that it belongs to.
pub(crate) async fn open_beside(config: &Config) -> Result<Open, Failure> {
    must_be_there(config)?;
    privileges::become_owner(config)?;
    open(config).await
}

/// Opens the store for a check: nothing of it is read yet or written, so that a damaged one can be looked at.
pub(crate) async fn open_to_check(config: &Config) -> Result<Open, Failure> {
    must_be_there(config)?;
    privileges::become_owner(config)?;
    let (engine, bus, world) = engine(config).await?;
    Ok(Open { store: Store::unopened(engine.clone(), world), engine, bus })
}

/// Refuses a folder without a store. A volume that is not mounted must not look like a server without accounts, which
/// would refuse everybody's mail for good.
fn must_be_there(config: &Config) -> Result<(), Failure> {
    let folder = folder(&config.data_dir);
    // RocksDB's file that every store has.
    match std::fs::metadata(folder.join("CURRENT")) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            let failure = Failure::new(format!("{}: {error}", folder.display()));
            Err(failure.hint(owner_hint(config)))
        }
        Err(_) => {
            let failure = Failure::new(format!("there is no store in {}", config.data_dir.display()));
            Err(failure.hint(
                "is the volume mounted that it is on? `relais init` makes a new one; `--config FILE` names another \
                 configuration",
            ))
        }
    }
}

fn owner_hint(config: &Config) -> String {
    match privileges::owner_of(&config.data_dir) {
        Some(owner) => format!("run this as {owner}, whom {} belongs to, or as root", config.data_dir.display()),
        None => "run this as the user that the data folder belongs to, or as root".to_owned(),
    }
}

async fn engine(config: &Config) -> Result<(Arc<RocksEngine>, Bus, World), Failure> {
    // What is made from here on (the store's files, sockets) is for nobody else.
    umask(Mode::from_bits_truncate(0o077));
    let anchors = match config.queue.tls.trust_anchor_file.as_path() {
        file if file.as_os_str().is_empty() => None,
        file => Some(
            std::fs::read_to_string(file)
                .map_err(|error| Failure::new(format!("[queue.tls] trust_anchor_file {}: {error}", file.display())))?,
        ),
    };
    let world = World::system_trusting(anchors.as_deref()).map_err(|error| {
        let failure = Failure::new(format!("the name servers are not known: {error}"));
        failure.hint("/etc/resolv.conf should have a line such as `nameserver 192.0.2.53`")
    })?;
    let octets = |mebibytes: u64| mebibytes.saturating_mul(1 << 20);
    let options = Options {
        free_octets_min: octets(config.storage.free_space_reserve_mib),
        block_cache_octets: usize::try_from(octets(config.storage.cache_mib)).unwrap_or(usize::MAX),
        open_files_max: descriptors::of_the_store(),
        ..Options::default()
    };
    let bus = Bus::new();
    let doorbell = Arc::new(bus.clone());
    let path = folder(&config.data_dir);
    let opening = tokio::task::spawn_blocking(move || RocksEngine::open(&path, options, doorbell));
    let engine = opening.await.map_err(|error| Failure::new(format!("opening the store was interrupted: {error}")))?;
    Ok((Arc::new(engine.map_err(|error| failure(config, &error))?), bus, world))
}

fn failure(config: &Config, error: &StorageError) -> Failure {
    let path = folder(&config.data_dir);
    if matches!(error, StorageError::DiskFull) {
        let reserve = config.storage.free_space_reserve_mib;
        let failure = Failure::new(format!(
            "{}: less free space than the reserve of {reserve} MiB ([storage] free_space_reserve_mib)",
            path.display()
        ));
        return failure.hint("make room on the disk, or lower `free_space_reserve_mib`");
    }
    let failure = Failure::new(format!("{}: {error}", path.display()));
    let hint = if matches!(error, StorageError::Locked) {
        "a server has it open; stop that first"
    } else if matches!(error, StorageError::Newer { .. }) {
        "run the version of Relais that wrote it, or a later one"
    } else if matches!(error, StorageError::Corrupt(_)) {
        "`relais check` tells more; restore a backup (docs/backup.md) if it does not help"
    } else if error.to_string().contains("Permission denied") {
        return failure.hint(owner_hint(config));
    } else {
        return failure;
    };
    failure.hint(hint)
}
