//! RocksDB keeps the contract that every engine keeps, and what only it has: the lock, the checkpoint, coming back.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test: what goes wrong is a failure"
)]

use std::sync::Arc;

use relais_storage_rocksdb::{Health, Options, RocksEngine};
use storage::{Doorbell, Durability, Engine, SilentDoorbell, StorageError, Transaction};

fn options() -> Options {
    Options { free_octets_min: 0, ..Options::default() }
}

fn open(path: &std::path::Path) -> Result<RocksEngine, StorageError> {
    RocksEngine::open(path, options(), Arc::new(SilentDoorbell))
}

async fn put(engine: &RocksEngine, key: &'static [u8], durability: Durability) -> Result<(), StorageError> {
    let body = move |tx: &mut Transaction<'_>| {
        tx.put(key.to_vec(), key);
        Ok(())
    };
    engine.transact(Box::new(body), durability).await.map(drop)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keeps_the_contract_of_engines() {
    let directory = tempfile::tempdir().unwrap();
    let number = std::sync::atomic::AtomicU64::new(0);
    let make = |doorbell: Arc<dyn Doorbell>| {
        let number = number.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let path = directory.path().join(number.to_string());
        Arc::new(RocksEngine::open(&path, options(), doorbell).unwrap()) as Arc<dyn Engine>
    };
    storage::conformance::all(&make).await;
}

#[tokio::test]
async fn a_second_opening_finds_the_lock() {
    let directory = tempfile::tempdir().unwrap();
    let first = open(directory.path()).unwrap();
    assert_eq!(open(directory.path()).err(), Some(StorageError::Locked));
    drop(first);
    assert!(open(directory.path()).is_ok());
}

#[tokio::test]
async fn what_was_written_is_there_after_reopening() {
    let directory = tempfile::tempdir().unwrap();
    let engine = open(directory.path()).unwrap();
    put(&engine, b"\x01synced", Durability::Synced).await.unwrap();
    put(&engine, b"\x01relaxed", Durability::Relaxed).await.unwrap();
    engine.close().await.unwrap();
    assert_eq!(engine.health(), Health::Closed);
    assert_eq!(engine.get(b"\x01synced").await, Err(StorageError::Closed));
    // The directory is free once it is closed, even while the handle lives on.
    let again = open(directory.path()).unwrap();
    assert!(again.get(b"\x01synced").await.unwrap().is_some());
    assert!(again.get(b"\x01relaxed").await.unwrap().is_some());
}

#[tokio::test]
async fn a_checkpoint_opens_on_its_own() {
    let directory = tempfile::tempdir().unwrap();
    let engine = open(&directory.path().join("store")).unwrap();
    put(&engine, b"\x01before", Durability::Synced).await.unwrap();
    put(&engine, b"\x31chunk", Durability::Synced).await.unwrap();
    let copy = directory.path().join("copy");
    engine.checkpoint(&copy).await.unwrap();
    put(&engine, b"\x01behind", Durability::Synced).await.unwrap();
    let copied = open(&copy).unwrap();
    assert!(copied.get(b"\x01before").await.unwrap().is_some());
    assert!(copied.get(b"\x31chunk").await.unwrap().is_some());
    assert!(copied.get(b"\x01behind").await.unwrap().is_none());
}

#[tokio::test]
async fn too_little_space_refuses_and_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let options = Options { free_octets_min: u64::MAX, ..options() };
    let engine = RocksEngine::open(directory.path(), options, Arc::new(SilentDoorbell)).unwrap();
    assert_eq!(put(&engine, b"\x01row", Durability::Synced).await, Err(StorageError::DiskFull));
    assert_eq!(engine.write_early(vec![]).await, Err(StorageError::DiskFull));
    assert!(matches!(engine.health(), Health::DiskFull { .. }));
    assert_eq!(engine.get(b"\x01row").await, Ok(None), "reading goes on");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn those_who_wait_share_a_sync() {
    let directory = tempfile::tempdir().unwrap();
    let engine = Arc::new(open(directory.path()).unwrap());
    let tasks = (0..200).map(|_| {
        let engine = Arc::clone(&engine);
        tokio::spawn(async move { put(&engine, b"\x01row", Durability::Synced).await })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap().unwrap();
    }
    let statistics = engine.statistics();
    assert_eq!(statistics.transactions, 200);
    assert!(statistics.syncs < 200, "{statistics:?}");
    assert!(statistics.write_buffer_octets > 0 && statistics.free_octets > 0, "{statistics:?}");
}
