//! RFC 9585: a client hears that a long command goes on, as long as it does.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may")]

use std::sync::Arc;
use std::time::Duration;

use crate::support::stage::{Client, soon};
use crate::support::{House, PASSWORD};
use bytes::Bytes;
use relais_imap::{Security, Settings};
use storage::engine::{Body, Committed, Durability, Row};
use storage::{Engine, KeyRange, MemoryEngine, Order, StorageError, Store};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use world::BoxFuture;

/// An engine whose synced transactions and scans wait for leave.
struct Slow {
    inner: MemoryEngine,
    commits: Arc<Semaphore>,
    scans: Arc<Semaphore>,
}

impl Engine for Slow {
    fn get<'a>(&'a self, key: &'a [u8]) -> BoxFuture<'a, Result<Option<Bytes>, StorageError>> {
        self.inner.get(key)
    }

    fn multi_get<'a>(&'a self, keys: &'a [Vec<u8>]) -> BoxFuture<'a, Result<Vec<Option<Bytes>>, StorageError>> {
        self.inner.multi_get(keys)
    }

    fn scan(&self, range: KeyRange, order: Order, limit: usize) -> BoxFuture<'_, Result<Vec<Row>, StorageError>> {
        Box::pin(async move {
            self.scans.acquire().await.unwrap().forget();
            self.inner.scan(range, order, limit).await
        })
    }

    fn transact(&self, body: Body, durability: Durability) -> BoxFuture<'_, Result<Committed, StorageError>> {
        Box::pin(async move {
            if durability == Durability::Synced {
                self.commits.acquire().await.unwrap().forget();
            }
            self.inner.transact(body, durability).await
        })
    }

    fn write_early(&self, rows: Vec<Row>) -> BoxFuture<'_, Result<(), StorageError>> {
        self.inner.write_early(rows)
    }

    fn close(&self) -> BoxFuture<'_, Result<(), StorageError>> {
        self.inner.close()
    }
}

const PLENTY: usize = 1_000_000;

struct Stage {
    house: House,
    commits: Arc<Semaphore>,
    scans: Arc<Semaphore>,
    client: Client,
}

async fn stage(messages: usize) -> Stage {
    let settings = Settings { plaintext_login_on_loopback: true, ..Settings::default() };
    let house = House::new(settings.clone(), false).await;
    house.fill("alice", messages).await;
    let (commits, scans) = (Arc::new(Semaphore::new(PLENTY)), Arc::new(Semaphore::new(PLENTY)));
    let slow = Slow { inner: house.engine.clone(), commits: Arc::clone(&commits), scans: Arc::clone(&scans) };
    let store = Store::open(Arc::new(slow), house.sim.world()).await.unwrap();
    let imap = house.imap_on(store, settings);
    let (near, far) = tokio::io::duplex(64 * 1024);
    let at = "127.0.0.1".parse().unwrap();
    tokio::spawn(imap.serve_stream(Box::new(far), at, Security::StartTls, CancellationToken::new()));
    let mut client = Client::new(Box::new(near));
    client.read_line().await.unwrap();
    client.command("l", &format!("LOGIN alice {PASSWORD}")).await.unwrap();
    client.command("s", "SELECT INBOX").await.unwrap();
    Stage { house, commits, scans, client }
}

/// Moves time on until the session that works has been waiting long enough to say so.
async fn ten_seconds(house: &House) {
    soon(async {
        for _ in 0..200 {
            tokio::task::yield_now().await;
        }
        house.sim.clock.advance(Duration::from_secs(10));
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_long_move_says_how_far_it_is() {
    let Stage { house, commits, mut client, .. } = stage(4_500).await;
    commits.forget_permits(PLENTY);
    client.send(b"m MOVE 1:* Trash\r\n").await.unwrap();
    ten_seconds(&house).await;
    assert_eq!(client.read_line().await.unwrap().unwrap(), "* OK [INPROGRESS (\"m\" 0 4500)] Still at it");
    ten_seconds(&house).await;
    assert_eq!(client.read_line().await.unwrap().unwrap(), "* OK [INPROGRESS (\"m\" 0 4500)] Still at it");
    commits.add_permits(1);
    ten_seconds(&house).await;
    assert_eq!(client.read_line().await.unwrap().unwrap(), "* OK [INPROGRESS (\"m\" 2500 4500)] Still at it");
    commits.add_permits(PLENTY);
    let lines = client.until("m").await.unwrap();
    assert!(lines[0].starts_with("* OK [COPYUID ") && lines.last().unwrap().starts_with("m OK"), "{}", lines[0]);
}

#[tokio::test]
async fn a_long_search_and_a_long_copy_say_that_they_go_on() {
    let Stage { house, commits, scans, mut client } = stage(2_000).await;
    scans.forget_permits(PLENTY);
    client.send(b"q SEARCH FLAGGED\r\n").await.unwrap();
    scans.add_permits(1);
    ten_seconds(&house).await;
    let line = client.read_line().await.unwrap().unwrap();
    assert_eq!(line, "* OK [INPROGRESS (\"q\" 500 2000)] Still at it");
    scans.add_permits(PLENTY);
    assert_eq!(client.until("q").await.unwrap(), ["* SEARCH", "q OK Searched"]);
    commits.forget_permits(PLENTY);
    client.send(b"c] COPY 1:* Trash\r\n").await.unwrap();
    ten_seconds(&house).await;
    let line = client.read_line().await.unwrap().unwrap();
    // RFC 9585 §4: a tag with "]" is not told.
    assert_eq!(line, "* OK [INPROGRESS (NIL NIL NIL)] Still at it");
    commits.add_permits(PLENTY);
    assert!(client.until("c]").await.unwrap().last().unwrap().starts_with("c] OK [COPYUID"));
}

#[tokio::test]
async fn a_long_sort_a_long_thread_and_a_long_esearch_say_that_they_go_on() {
    let Stage { house, scans, mut client, .. } = stage(2_000).await;
    for (command, begins, progress) in [
        // What is sorted and threaded has to be found first.
        ("a SORT (SUBJECT) UTF-8 FLAGGED", "* SORT", "\"a\" 500 2000"),
        ("b THREAD REFERENCES UTF-8 FLAGGED", "* THREAD", "\"b\" 500 2000"),
        ("c ESEARCH IN (selected) RETURN (COUNT) FLAGGED", "c OK", "\"c\" 500 2000"),
    ] {
        scans.forget_permits(PLENTY);
        client.send(format!("{command}\r\n").as_bytes()).await.unwrap();
        scans.add_permits(1);
        ten_seconds(&house).await;
        let line = client.read_line().await.unwrap().unwrap();
        assert_eq!(line, format!("* OK [INPROGRESS ({progress})] Still at it"), "{command}");
        scans.add_permits(PLENTY);
        let lines = client.until(&command[..1]).await.unwrap();
        assert!(lines[0].starts_with(begins) && lines.last().unwrap().contains(" OK "), "{lines:?}");
    }
    // Sorting itself can't be counted.
    scans.forget_permits(PLENTY);
    client.send(b"d SORT (SUBJECT) UTF-8 ALL\r\n").await.unwrap();
    ten_seconds(&house).await;
    let line = client.read_line().await.unwrap().unwrap();
    assert!(line.starts_with("* OK [INPROGRESS ("), "{line}");
    scans.add_permits(PLENTY);
    assert!(client.until("d").await.unwrap().last().unwrap().starts_with("d OK"));
    // Nothing of it is kept from before: the mailboxes that are named are read.
    scans.forget_permits(PLENTY);
    client.send(b"e ESEARCH IN (mailboxes INBOX) RETURN (COUNT) FLAGGED\r\n").await.unwrap();
    ten_seconds(&house).await;
    scans.add_permits(PLENTY);
    assert!(client.until("e").await.unwrap().last().unwrap().starts_with("e OK"));
}
