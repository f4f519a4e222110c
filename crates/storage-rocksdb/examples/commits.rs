//! How many deposits of a 4 KiB message are committed in a second by 1, 10 and 50 writers, beside what the disk syncs.
//!
//! `cargo run --release --ignore-rust-version -p relais-storage-rocksdb --example commits [DIRECTORY [SECONDS]]`
#![allow(clippy::disallowed_methods, clippy::print_stdout, reason = "a measurement for people: it reads clocks")]

use std::error::Error;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use mail::{AccountId, Address, Flags, InternalDate, MailboxId, Timestamp};
use relais_storage_rocksdb::{Options, RocksEngine};
use routing::objects::AccountObject;
use storage::messages::NewMessage;
use storage::{Engine, SilentDoorbell, Store};
use world::simulated::SimulatedWorld;

const ACCOUNTS: u64 = 50;
const MESSAGE_OCTETS: usize = 4096;

type Failure = Box<dyn Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let directory = arguments.next().unwrap_or_else(|| "target/commits".to_owned());
    let span = Duration::from_secs(arguments.next().map_or(Ok(5), |seconds| seconds.parse())?);
    std::fs::create_dir_all(&directory)?;
    let place = tempfile::tempdir_in(&directory)?;
    println!("fdatasync after appending 4 KiB: {:.0}/s", syncs(place.path(), span)?);
    let runtime = tokio::runtime::Builder::new_multi_thread().build()?;
    runtime.block_on(measure(&place.path().join("store"), span))
}

/// Appends and syncs, as a log does.
fn syncs(place: &Path, span: Duration) -> Result<f64, Failure> {
    let mut file = std::fs::File::create(place.join("log"))?;
    let (started, mut count) = (Instant::now(), 0_u32);
    while started.elapsed() < span {
        file.write_all(&[count.to_le_bytes()[0]; MESSAGE_OCTETS])?;
        file.sync_data()?;
        count += 1;
    }
    Ok(f64::from(count) / started.elapsed().as_secs_f64())
}

async fn measure(place: &Path, span: Duration) -> Result<(), Failure> {
    println!("memory before opening: {} KiB", resident_kib()?);
    let engine = Arc::new(RocksEngine::open(place, Options::default(), Arc::new(SilentDoorbell))?);
    let world = SimulatedWorld::new(Timestamp(1_800_000_000_000), 1).world();
    let store = Store::open(Arc::clone(&engine) as Arc<dyn Engine>, world).await?;
    for number in 1..=ACCOUNTS {
        let account = AccountObject::new(Address::parse(&format!("user{number}@example.org"))?);
        drop(store.add_account(account).await?);
    }
    println!("memory with an open store of {ACCOUNTS} accounts: {} KiB", resident_kib()?);
    let numbers = Arc::new(AtomicU64::new(0));
    for writers in [1, 10, 50] {
        let (before, started) = (engine.statistics(), Instant::now());
        let mut tasks = Vec::new();
        for writer in 0..writers {
            let (store, numbers) = (store.clone(), Arc::clone(&numbers));
            tasks.push(tokio::spawn(async move {
                let mut longest = Duration::ZERO;
                while started.elapsed() < span {
                    let asked = Instant::now();
                    let number = numbers.fetch_add(1, Ordering::Relaxed);
                    deposit(&store, AccountId(writer % ACCOUNTS + 1), number).await?;
                    longest = longest.max(asked.elapsed());
                }
                Ok::<_, Failure>(longest)
            }));
        }
        let mut longest = Duration::ZERO;
        for task in tasks {
            longest = longest.max(task.await??);
        }
        let (after, seconds) = (engine.statistics(), started.elapsed().as_secs_f64());
        let commits = after.transactions - before.transactions;
        let groups = (after.groups - before.groups).max(1);
        println!(
            "{writers:>3} writers: {:.0} commits/s, {:.0} syncs/s, {:.1} commits per sync, longest wait {longest:.1?}",
            rate(commits, seconds),
            rate(after.syncs - before.syncs, seconds),
            rate(commits, 1.0) / rate(groups, 1.0),
        );
    }
    println!("memory after that: {} KiB", resident_kib()?);
    println!("{:?}", engine.statistics());
    store.close().await?;
    Ok(())
}

/// What the kernel says that this process has in memory.
fn resident_kib() -> Result<u64, Failure> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0 kB");
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

fn rate(count: u64, seconds: f64) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX)) / seconds
}

async fn deposit(store: &Store, account: AccountId, number: u64) -> Result<(), Failure> {
    // Half of it compresses, as mail does.
    let mut content = format!("Subject: {number}\r\n\r\n").into_bytes();
    content.resize(MESSAGE_OCTETS / 2, b'x');
    let mut state = number | 1;
    while content.len() < MESSAGE_OCTETS {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        content.extend_from_slice(&state.to_be_bytes()[..4]);
    }
    let mut writer = store.blob_writer();
    writer.write(&content).await?;
    let staged = writer.finish();
    let message = NewMessage {
        blob: staged.hash,
        octets: staged.octets,
        flags: Flags::default(),
        internal_date: InternalDate::from(store.now()),
        saved_at: store.now(),
        record: Some(bytes::Bytes::from(vec![b'r'; 700])),
    };
    let _deposited = store.append(account, MailboxId(1), staged, message).await?;
    Ok(())
}
