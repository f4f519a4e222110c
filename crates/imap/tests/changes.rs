//! What others change is told, once and in the end always, also when the store fails in between.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may")]

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::support::stage::{Client, pipe};
use crate::support::{House, PASSWORD};
use bytes::Bytes;
use parking_lot::Mutex;
use relais_imap::{Security, Settings};
use storage::engine::{Body, Committed, Durability, Row};
use storage::messages::{MOVED_PER_TRANSACTION, NewMessage};
use storage::{Engine, KeyRange, MemoryEngine, Order, StorageError, Store};
use tokio_util::sync::CancellationToken;
use world::BoxFuture;

fn settings() -> Settings {
    Settings { plaintext_login_on_loopback: true, ..Settings::default() }
}

async fn login(house: &House) -> Client {
    let mut client = pipe(house, &CancellationToken::new());
    client.read_line().await.unwrap();
    client.command("l", &format!("LOGIN alice {PASSWORD}")).await.unwrap();
    client
}

fn flagged(lines: &[String]) -> BTreeSet<u32> {
    let number = |line: &String| line.split(' ').nth(1).and_then(|number| number.parse().ok());
    lines.iter().filter(|line| line.contains("FETCH")).filter_map(number).collect()
}

/// Whichever read fails while changes are told: the next command tells the rest.
#[tokio::test]
async fn changes_that_could_not_be_read_are_told_later() {
    for error in [StorageError::Io("on purpose".to_owned()), StorageError::LimitReached("on purpose")] {
        let house = House::new(settings(), false).await;
        house.fill("alice", 1_200).await;
        let (mut listener, mut other) = (login(&house).await, login(&house).await);
        listener.command("s", "SELECT INBOX").await.unwrap();
        other.command("s", "SELECT INBOX").await.unwrap();
        let mut exists = 1_200;
        let mut failing = 0;
        for reads in 0.. {
            // Three MODSEQs, so that a page of the change index ends in the middle of one; three ranges of UIDs.
            let sign = if reads % 2 == 0 { '+' } else { '-' };
            for set in ["1200", "1:998", "1000:1199"] {
                other.command("o", &format!("STORE {set} {sign}FLAGS.SILENT (\\Flagged)")).await.unwrap();
            }
            house.deliver("alice", "INBOX", &crate::support::fixture("simple.eml"), true).await;
            exists += 1;
            house.engine.fail_reads_after(reads, error.clone());
            let mut lines = listener.command("n", "NOOP").await.unwrap();
            assert_eq!(lines.last().unwrap(), "n OK Done");
            house.engine.heal();
            let whole = flagged(&lines).len() == 1_199 && lines.iter().any(|line| line.ends_with("RECENT"));
            let later = listener.command("m", "NOOP").await.unwrap();
            if whole {
                assert_eq!(later.len(), 1, "nothing is told twice");
                failing = reads;
            }
            lines.extend(later);
            assert!(lines.contains(&format!("* {exists} EXISTS")), "{reads} reads: EXISTS");
            assert_eq!(flagged(&lines).len(), 1_199, "{reads} reads: flags");
            if whole {
                break;
            }
        }
        assert!(failing >= 6, "{failing} reads could fail");
    }
}

/// An engine that does something else first when `\Recent` is claimed.
struct Racing {
    inner: MemoryEngine,
    before_claim: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl Engine for Racing {
    fn get<'a>(&'a self, key: &'a [u8]) -> BoxFuture<'a, Result<Option<Bytes>, StorageError>> {
        self.inner.get(key)
    }

    fn multi_get<'a>(&'a self, keys: &'a [Vec<u8>]) -> BoxFuture<'a, Result<Vec<Option<Bytes>>, StorageError>> {
        self.inner.multi_get(keys)
    }

    fn scan(&self, range: KeyRange, order: Order, limit: usize) -> BoxFuture<'_, Result<Vec<Row>, StorageError>> {
        self.inner.scan(range, order, limit)
    }

    fn transact(&self, body: Body, durability: Durability) -> BoxFuture<'_, Result<Committed, StorageError>> {
        if durability == Durability::Relaxed
            && let Some(first) = self.before_claim.lock().take()
        {
            first();
        }
        self.inner.transact(body, durability)
    }

    fn write_early(&self, rows: Vec<Row>) -> BoxFuture<'_, Result<(), StorageError>> {
        self.inner.write_early(rows)
    }

    fn close(&self) -> BoxFuture<'_, Result<(), StorageError>> {
        self.inner.close()
    }
}

/// RFC 3501 §2.3.2: every message is `\Recent` in some session, also one that comes while the mailbox is selected.
#[tokio::test]
async fn what_comes_during_select_is_recent_afterwards() {
    let house = House::new(settings(), false).await;
    house.fill("alice", 1).await;
    let account = house.account("alice").id;
    let inbox = house.store.inbox(account).await.unwrap().id;
    let row = house.store.message(account, inbox, mail::Uid(1)).await.unwrap().unwrap();
    let message = NewMessage {
        blob: row.blob,
        octets: row.octets,
        flags: mail::Flags::default(),
        internal_date: row.internal_date,
        saved_at: row.saved_at,
        record: None,
    };
    let inner = house.engine.clone();
    let racing = Racing { inner: inner.clone(), before_claim: Mutex::default() };
    let racing = Arc::new(racing);
    let store = Store::open(racing.clone(), house.sim.world()).await.unwrap();
    *racing.before_claim.lock() = Some(Box::new(move || {
        let deposit = move |tx: &mut storage::Transaction<'_>| tx.deposit(account, inbox, &message).map(drop);
        // It is done at once; the future only tells of it.
        drop(inner.transact(Box::new(deposit), Durability::Synced));
    }));
    let imap = house.imap_on(store, settings());
    let (near, far) = tokio::io::duplex(64 * 1024);
    let at = "127.0.0.1".parse().unwrap();
    tokio::spawn(imap.serve_stream(Box::new(far), at, Security::StartTls, CancellationToken::new()));
    let mut client = Client::new(Box::new(near));
    client.read_line().await.unwrap();
    client.command("l", &format!("LOGIN alice {PASSWORD}")).await.unwrap();
    let lines = client.command("s", "SELECT INBOX").await.unwrap();
    assert!(lines.contains(&"* 1 EXISTS".to_owned()) && lines.contains(&"* 1 RECENT".to_owned()), "{lines:?}");
    let lines = client.command("n", "NOOP").await.unwrap();
    assert_eq!(lines[..2], ["* 2 EXISTS", "* 2 RECENT"]);
    let lines = client.command("f", "FETCH 2 FLAGS").await.unwrap();
    assert_eq!(lines[0], "* 2 FETCH (FLAGS (\\Recent))");
}

/// RFC 6851 §3.3: what has moved before the store failed is told, with its new UIDs.
#[tokio::test]
async fn a_long_move_that_fails_tells_what_has_moved() {
    let moved = MOVED_PER_TRANSACTION;
    let house = House::new(settings(), false).await;
    house.fill("alice", MOVED_PER_TRANSACTION + 100).await;
    let mut client = login(&house).await;
    client.command("s", "SELECT INBOX").await.unwrap();
    house.engine.fail_after(1, StorageError::DiskFull);
    let lines = client.command("m", "MOVE 1:* Trash").await.unwrap();
    assert!(
        lines[0].starts_with("* OK [COPYUID ") && lines[0].contains(&format!(" 1:{moved} 1:{moved}]")),
        "{}",
        lines[0]
    );
    assert_eq!(lines.iter().filter(|line| line.ends_with("EXPUNGE")).count(), moved);
    assert!(lines.last().unwrap().starts_with("m NO [UNAVAILABLE]"));
    house.engine.heal();
    let lines = client.command("m", "MOVE 1:* Trash").await.unwrap();
    let rest = format!("{}:{}", moved + 1, moved + 100);
    assert!(lines[0].contains(&format!(" {rest} {rest}]")), "{}", lines[0]);
    assert_eq!(lines.last().unwrap(), "m OK Done");
}
