//! A disk that refuses: writes to the log fail again and again, for real. What was acknowledged is there, what was
//! refused is not, and the store goes on by itself.
//!
//! The test binary starts itself again under a limit of file size, at which the operating system fails each write that
//! would go beyond it. The log reaches the limit, a write fails in the middle, the engine reopens the store and goes on
//! with a new log.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test: what goes wrong is a failure"
)]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use relais_storage_rocksdb::{Health, Options, RocksEngine};
use storage::{Durability, Engine, KeyRange, Order, SilentDoorbell, StorageError, Transaction};

const VICTIM: &str = "RELAIS_FAULT_TEST_STORE";
const WRITES: u32 = 1500;

fn open(path: &Path) -> RocksEngine {
    let options = Options { free_octets_min: 0, ..Options::default() };
    RocksEngine::open(path, options, Arc::new(SilentDoorbell)).unwrap()
}

fn key(number: u32) -> Vec<u8> {
    [&[0x01], number.to_be_bytes().as_slice()].concat()
}

async fn put(engine: &RocksEngine, number: u32) -> Result<(), StorageError> {
    let body = move |tx: &mut Transaction<'_>| {
        // Compressible, so that the sorted files stay below the limit.
        tx.put(key(number), vec![b'x'; 2000]);
        Ok(())
    };
    engine.transact(Box::new(body), Durability::Synced).await.map(drop)
}

#[tokio::test]
async fn victim() {
    let Some(path) = std::env::var_os(VICTIM) else { return };
    let engine = Arc::new(open(Path::new(&path)));
    let mut lines = String::new();
    for first in (0..WRITES).step_by(3) {
        let numbers = first..first + 3;
        let tasks: Vec<_> = numbers
            .map(|number| {
                let engine = Arc::clone(&engine);
                (number, tokio::spawn(async move { put(&engine, number).await }))
            })
            .collect();
        for (number, task) in tasks {
            let sign = if task.await.unwrap().is_ok() { '+' } else { '!' };
            lines.push_str(&format!("{sign} {number}\n"));
        }
    }
    assert_eq!(engine.health(), Health::Ready);
    println!("\n{lines}");
}

#[tokio::test]
async fn a_failing_log_loses_nothing_and_heals() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    open(&path).close().await.unwrap();
    // A shell sets the limit (in blocks of 512 or 1024 octets) and makes going beyond it an error and no signal.
    let output = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 300; exec \"$0\" --exact victim --nocapture"])
        .arg(std::env::current_exe().unwrap())
        .env(VICTIM, &path)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8(output.stdout).unwrap();
    let numbers = |sign: &str| -> BTreeSet<u32> {
        said.lines().filter_map(|line| line.strip_prefix(sign)?.strip_prefix(' ')?.parse().ok()).collect()
    };
    let (acknowledged, refused) = (numbers("+"), numbers("!"));
    assert_eq!(acknowledged.len() + refused.len(), usize::try_from(WRITES).unwrap());
    assert!(!refused.is_empty(), "the limit was never reached");
    assert!(acknowledged.len() > refused.len() * 10, "{} refused: it does not go on by itself", refused.len());

    let engine = open(&path);
    let range = KeyRange { start: vec![0x01], end: vec![0x02] };
    let rows = engine.scan(range, Order::Ascending, usize::MAX).await.unwrap();
    let there: BTreeSet<u32> = rows
        .iter()
        .filter_map(|(key, _)| key.get(1..).and_then(|number| number.try_into().ok()).map(u32::from_be_bytes))
        .collect();
    assert_eq!(there, acknowledged);
}
