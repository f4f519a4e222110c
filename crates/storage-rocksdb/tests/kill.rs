//! `kill -9` at random moments: what was acknowledged is there, and no invariant is broken.
//!
//! The test binary starts itself again as the victim: it opens the store, deposits and expunges from several tasks, and
//! writes a line for each thing that was acknowledged. The parent kills it after a number of lines that differs from
//! round to round, opens the store and compares.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test: what goes wrong is a failure"
)]
#![allow(clippy::disallowed_methods, reason = "the test is bounded by the time that really passes")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mail::{AccountId, Address, Flags, InternalDate, MailboxId, Timestamp, Uid};
use relais_storage_rocksdb::{Options, RocksEngine};
use routing::objects::AccountObject;
use storage::messages::{ExpungeScope, NewMessage};
use storage::{Engine, SilentDoorbell, Store};
use world::simulated::SimulatedWorld;

const VICTIM: &str = "RELAIS_KILL_TEST_STORE";
const ROUNDS: u64 = 12;
/// So many however slow the machine is.
const ROUNDS_MIN: u64 = 3;
const TASKS: u64 = 8;
const TIME_MAX: Duration = Duration::from_secs(15);
const INBOX: MailboxId = MailboxId(1);

async fn open(path: &Path, seed: u64) -> Store {
    // Small buffers, so that rounds also fall into flushes and compactions.
    let options = Options { free_octets_min: 0, write_buffer_octets: 512 << 10, ..Options::default() };
    let engine = RocksEngine::open(path, options, Arc::new(SilentDoorbell)).unwrap();
    let world = SimulatedWorld::new(Timestamp(1_800_000_000_000), seed).world();
    Store::open(Arc::new(engine) as Arc<dyn Engine>, world).await.unwrap()
}

fn account(number: u64) -> AccountObject {
    AccountObject::new(Address::parse(&format!("user{number}@example.org")).unwrap())
}

/// A message that tells its number; every fifth has several chunks.
fn content(account: u64, number: u64) -> Vec<u8> {
    let mut content = format!("{account} {number}\r\n").into_bytes();
    let mut state = (account << 32) | number | 1;
    let octets = if number.is_multiple_of(5) { 130_000 } else { 3000 };
    while content.len() < octets {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        content.extend_from_slice(&state.to_le_bytes()[3..7]);
    }
    content
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).ok();
}

/// Deposits into two accounts of eight, and expunges every seventh, until it is killed.
async fn work(store: Store, own: u64, round: u64) {
    let account = AccountId(own);
    for number in round * 1_000_000.. {
        let content = content(own, number);
        let mut writer = store.blob_writer();
        writer.write(&content).await.unwrap();
        let staged = writer.finish();
        let message = NewMessage {
            blob: staged.hash,
            octets: staged.octets,
            flags: Flags::default(),
            internal_date: InternalDate::from(store.now()),
            saved_at: store.now(),
            record: None,
        };
        let other = AccountId(own % TASKS + 1);
        let done = store
            .transact(move |tx| {
                tx.store_blob(&staged)?;
                tx.deposit(other, INBOX, &message)?;
                tx.deposit(account, INBOX, &message)
            })
            .await
            .unwrap();
        let uid = done.value.uid;
        say(&format!("+ {own} {uid} {number}"));
        if number.is_multiple_of(7) {
            say(&format!("? {own} {uid}"));
            let gone = store.expunge(account, INBOX, vec![uid], ExpungeScope::All).await.unwrap();
            assert_eq!(gone.value, vec![uid]);
            say(&format!("- {own} {uid}"));
        }
    }
}

#[test]
fn victim() {
    let Some(path) = std::env::var_os(VICTIM) else { return };
    let round: u64 = std::env::var("RELAIS_KILL_TEST_ROUND").unwrap().parse().unwrap();
    // Where there is one core, the test harness has begun a line of its own.
    say("");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    runtime.block_on(async {
        let store = open(Path::new(&path), round).await;
        let mut tasks = Vec::new();
        for own in 1..=TASKS {
            tasks.push(tokio::spawn(work(store.clone(), own, round)));
        }
        for task in tasks {
            task.await.unwrap();
        }
    });
}

/// What was acknowledged so far.
#[derive(Default)]
struct Ledger {
    /// Number of the message by account and UID.
    there: BTreeMap<(u64, u32), u64>,
    /// Of these the expunging was asked for, and not acknowledged.
    unsure: BTreeSet<(u64, u32)>,
}

impl Ledger {
    fn take(&mut self, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        let number = |at: usize| words[at].parse::<u64>().unwrap();
        let key = || (number(1), u32::try_from(number(2)).unwrap());
        match words[0] {
            "+" => {
                self.there.insert(key(), number(3));
            }
            "?" => {
                self.unsure.insert(key());
            }
            "-" => {
                self.unsure.remove(&key());
                self.there.remove(&key()).unwrap();
            }
            // The test harness has its say on the same output.
            _ => {}
        }
    }

    async fn compare(&mut self, store: &Store) {
        for own in 1..=TASKS {
            let found = store.messages(AccountId(own), INBOX, Uid(1), Uid(u32::MAX), usize::MAX >> 1).await.unwrap();
            let found: BTreeMap<u32, _> = found.into_iter().map(|row| (row.uid.0, row.blob)).collect();
            let expected: Vec<_> = self.there.range((own, 0)..=(own, u32::MAX)).map(|(k, v)| (k.1, *v)).collect();
            for (uid, number) in expected {
                match found.get(&uid) {
                    Some(hash) => assert_eq!(hash.0, *blake3::hash(&content(own, number)).as_bytes(), "UID {uid}"),
                    None => {
                        assert!(
                            self.unsure.contains(&(own, uid)),
                            "account {own}: UID {uid} was acknowledged and is gone"
                        );
                        self.there.remove(&(own, uid));
                    }
                }
            }
        }
        // Those that were not expunged after all stay.
        self.unsure.clear();
    }
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_by_kills() {
    let started = Instant::now();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let store = open(&path, 0).await;
    let domain = routing::objects::DomainObject::new(mail::Domain::parse("example.org").unwrap());
    let domain = routing::objects::Object::Domain(domain);
    drop(store.put_object(domain, storage::objects::PutMode::Add).await.unwrap());
    for number in 1..=TASKS {
        assert_eq!(store.add_account(account(number)).await.unwrap().value.id, AccountId(number));
    }
    store.close().await.unwrap();
    drop(store);

    let mut ledger = Ledger::default();
    for round in 1..=ROUNDS {
        let mut victim = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "victim", "--nocapture"])
            .env(VICTIM, &path)
            .env("RELAIS_KILL_TEST_ROUND", round.to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(victim.stdout.take().unwrap()).lines();
        // From just after the start to well into flushes; the kernel's timing does the rest.
        let alive = round * round * 9 % 400 + 1;
        for _ in 0..alive {
            ledger.take(&lines.next().expect("the victim works until it is killed").unwrap());
        }
        victim.kill().unwrap();
        // What it said before it died was acknowledged, too.
        lines.map_while(Result::ok).for_each(|line| {
            // The last line may be cut.
            if line.split(' ').count() >= 3 && line.split(' ').skip(1).all(|word| word.parse::<u64>().is_ok()) {
                ledger.take(&line);
            }
        });
        victim.wait().unwrap();

        let store = open(&path, 1000 + round).await;
        ledger.compare(&store).await;
        let mut findings = Vec::new();
        let mut report = |finding: storage::check::Finding| findings.push(finding.to_string());
        let checked = storage::check::check(&store, true, &mut report).await.unwrap();
        assert!(checked.messages >= ledger.there.len() as u64);
        assert_eq!(findings, Vec::<String>::new(), "round {round}");
        store.close().await.unwrap();
        if round >= ROUNDS_MIN && started.elapsed() > TIME_MAX {
            break;
        }
    }
    assert!(ledger.there.len() > 50, "{} messages were acknowledged", ledger.there.len());
}
