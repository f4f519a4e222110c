//! What every engine must do, as tests that any engine can be put through (feature `conformance`).
//!
//! Each function takes a maker of empty engines, panics with the reason when the engine breaks the contract of
//! [`Engine`], and runs on a tokio runtime with more than one thread. [`all`] runs them one after the other.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test suite: what goes wrong here is a failure")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use mail::{Notice, Topic};
use parking_lot::Mutex;

use crate::engine::{Committed, Doorbell, Durability, Engine, KeyRange, Order, Row};
use crate::error::StorageError;
use crate::keys::{Key, Table};
use crate::transaction::Transaction;

/// Makes an empty engine that rings a bell.
pub trait Maker: Fn(Arc<dyn Doorbell>) -> Arc<dyn Engine> {}

impl<F: Fn(Arc<dyn Doorbell>) -> Arc<dyn Engine>> Maker for F {}

/// Every test of this module.
pub async fn all(make: &impl Maker) {
    scans_keep_order_and_limits(make).await;
    scans_cross_tables(make).await;
    reads_find_what_was_written(make).await;
    a_transaction_reads_its_own_writes(make).await;
    an_abort_leaves_nothing(make).await;
    concurrent_transactions_lose_nothing(make).await;
    after_effects_and_bells_come_before_the_answer(make).await;
    a_dropped_future_still_commits(make).await;
    a_panicking_body_harms_nobody(make).await;
    early_writes_are_there(make).await;
    a_closed_engine_takes_nothing(make).await;
}

/// A bell that writes down what it was rung for.
#[derive(Default)]
struct Ledger(Mutex<Vec<Notice>>);

impl Doorbell for Ledger {
    fn ring(&self, notices: &[Notice]) {
        self.0.lock().extend_from_slice(notices);
    }
}

fn silent(make: &impl Maker) -> Arc<dyn Engine> {
    make(Arc::new(Ledger::default()))
}

fn key(number: u32) -> Vec<u8> {
    Key::global(Table::Meta).u32(number).done()
}

fn chunk(number: u32) -> Vec<u8> {
    Key::global(Table::Chunk).bytes(&[7; 16]).u32(number).done()
}

fn everything() -> KeyRange {
    KeyRange { start: vec![0], end: vec![0xFF] }
}

fn keys(rows: &[Row]) -> Vec<Vec<u8>> {
    rows.iter().map(|(key, _)| key.to_vec()).collect()
}

async fn run(
    engine: &dyn Engine,
    body: impl FnMut(&mut Transaction<'_>) -> Result<(), StorageError> + Send + 'static,
) -> Result<Committed, StorageError> {
    engine.transact(Box::new(body), Durability::Synced).await
}

async fn put(engine: &dyn Engine, keys: Vec<Vec<u8>>) {
    let body = move |tx: &mut Transaction<'_>| {
        keys.iter().for_each(|key| tx.put(key.clone(), key.clone()));
        Ok(())
    };
    let _committed = run(engine, body).await.unwrap();
}

async fn scans_keep_order_and_limits(make: &impl Maker) {
    let engine = silent(make);
    put(engine.as_ref(), (0..600).map(key).collect()).await;
    let all = Key::global(Table::Meta).range();
    for (limit, expected) in [(0, 0), (1, 1), (10, 10), (599, 599), (600, 600), (5000, 600)] {
        let up = engine.scan(all.clone(), Order::Ascending, limit).await.unwrap();
        assert_eq!(keys(&up), (0..expected).map(key).collect::<Vec<_>>(), "ascending, at most {limit}");
        let down = engine.scan(all.clone(), Order::Descending, limit).await.unwrap();
        assert_eq!(keys(&down), (600 - expected..600).rev().map(key).collect::<Vec<_>>(), "descending, {limit}");
    }
    let half_open = KeyRange { start: key(5), end: key(8) };
    let some = engine.scan(half_open.clone(), Order::Ascending, 100).await.unwrap();
    assert_eq!(keys(&some), vec![key(5), key(6), key(7)]);
    let some = engine.scan(half_open, Order::Descending, 2).await.unwrap();
    assert_eq!(keys(&some), vec![key(7), key(6)]);
    for (start, end) in [(key(8), key(8)), (key(8), key(5))] {
        let none = engine.scan(KeyRange { start, end }, Order::Ascending, 10).await.unwrap();
        assert!(none.is_empty(), "an empty or inverted range holds nothing");
    }
}

async fn scans_cross_tables(make: &impl Maker) {
    let engine = silent(make);
    let late = Key::global(Table::Event).done();
    let written = vec![key(1), chunk(1), chunk(2), late.clone()];
    put(engine.as_ref(), written.clone()).await;
    for limit in 0..6 {
        let up = engine.scan(everything(), Order::Ascending, limit).await.unwrap();
        assert_eq!(keys(&up), written[..limit.min(4)], "ascending over tables, at most {limit}");
        let down = engine.scan(everything(), Order::Descending, limit).await.unwrap();
        let mut expected: Vec<Vec<u8>> = written.iter().rev().cloned().collect();
        expected.truncate(limit);
        assert_eq!(keys(&down), expected, "descending over tables, at most {limit}");
    }
}

async fn reads_find_what_was_written(make: &impl Maker) {
    let engine = silent(make);
    put(engine.as_ref(), vec![key(1), key(3), chunk(9)]).await;
    assert_eq!(engine.get(&key(1)).await.unwrap().as_deref(), Some(key(1).as_slice()));
    assert_eq!(engine.get(&key(2)).await.unwrap(), None);
    let found = engine.multi_get(&[key(3), key(2), chunk(9), key(1)]).await.unwrap();
    let expected = [Some(key(3)), None, Some(chunk(9)), Some(key(1))];
    assert_eq!(found, expected.map(|value| value.map(Bytes::from)), "values come in the order of the keys");
    assert_eq!(engine.multi_get(&[]).await.unwrap(), vec![]);
    let empty = move |tx: &mut Transaction<'_>| {
        tx.put(key(4), Bytes::new());
        Ok(())
    };
    let _committed = run(engine.as_ref(), empty).await.unwrap();
    assert_eq!(engine.get(&key(4)).await.unwrap(), Some(Bytes::new()), "an empty value is a value");
}

async fn a_transaction_reads_its_own_writes(make: &impl Maker) {
    let engine = silent(make);
    put(engine.as_ref(), vec![key(1), key(2), key(3)]).await;
    let body = |tx: &mut Transaction<'_>| {
        tx.put(key(5), "five");
        tx.delete(key(2));
        tx.put(key(3), "changed");
        assert_eq!(tx.get(&key(5))?.as_deref(), Some(b"five".as_slice()));
        assert_eq!(tx.get(&key(2))?, None);
        let range = Key::global(Table::Meta).range();
        assert_eq!(keys(&tx.scan(&range, Order::Ascending, 10)?), vec![key(1), key(3), key(5)]);
        assert_eq!(keys(&tx.scan(&range, Order::Ascending, 2)?), vec![key(1), key(3)]);
        assert_eq!(keys(&tx.scan(&range, Order::Descending, 2)?), vec![key(5), key(3)]);
        tx.delete(key(5));
        assert_eq!(tx.get(&key(5))?, None);
        Ok(())
    };
    let _committed = run(engine.as_ref(), body).await.unwrap();
    let rows = engine.scan(everything(), Order::Ascending, 10).await.unwrap();
    assert_eq!(keys(&rows), vec![key(1), key(3)]);
    assert_eq!(rows[1].1.as_ref(), b"changed");
}

async fn an_abort_leaves_nothing(make: &impl Maker) {
    let ledger = Arc::new(Ledger::default());
    let engine = make(Arc::clone(&ledger) as Arc<dyn Doorbell>);
    let ran = Arc::new(AtomicU64::new(0));
    // Beside others, so that the abort happens within a group where there are groups.
    let mut tasks = Vec::new();
    for number in 0..50 {
        let (engine, ran) = (Arc::clone(&engine), Arc::clone(&ran));
        tasks.push(tokio::spawn(async move {
            let body = move |tx: &mut Transaction<'_>| {
                tx.put(key(number), "written");
                if number % 2 == 0 {
                    return Ok(());
                }
                tx.notify(Notice::Topic(Topic::Queue));
                let ran = Arc::clone(&ran);
                tx.after_commit(move || {
                    ran.fetch_add(1, Ordering::SeqCst);
                });
                Err(StorageError::OverQuota)
            };
            (number, run(engine.as_ref(), body).await.map(drop))
        }));
    }
    for task in tasks {
        let (number, result) = task.await.unwrap();
        assert_eq!(result, if number % 2 == 0 { Ok(()) } else { Err(StorageError::OverQuota) });
    }
    let rows = engine.scan(everything(), Order::Ascending, 100).await.unwrap();
    assert_eq!(keys(&rows), (0..50).step_by(2).map(key).collect::<Vec<_>>());
    assert_eq!(ran.load(Ordering::SeqCst), 0, "an aborted transaction has no after-effects");
    assert!(ledger.0.lock().is_empty(), "an aborted transaction rings no bell");
}

async fn concurrent_transactions_lose_nothing(make: &impl Maker) {
    const TASKS: u64 = 40;
    const EACH: u64 = 10;
    let engine = silent(make);
    let mut tasks = Vec::new();
    for _ in 0..TASKS {
        let engine = Arc::clone(&engine);
        tasks.push(tokio::spawn(async move {
            let mut seen = Vec::new();
            for _ in 0..EACH {
                let got = Arc::new(AtomicU64::new(0));
                let fill = Arc::clone(&got);
                let body = move |tx: &mut Transaction<'_>| {
                    let last =
                        tx.get(&key(0))?.map_or(0, |value| u64::from_be_bytes(value.as_ref().try_into().unwrap()));
                    tx.put(key(0), (last + 1).to_be_bytes().to_vec());
                    fill.store(last + 1, Ordering::SeqCst);
                    Ok(())
                };
                let _committed = run(engine.as_ref(), body).await.unwrap();
                seen.push(got.load(Ordering::SeqCst));
                let stored = engine.get(&key(0)).await.unwrap().unwrap();
                let stored = u64::from_be_bytes(stored.as_ref().try_into().unwrap());
                assert!(stored >= got.load(Ordering::SeqCst), "what was answered is visible");
            }
            seen
        }));
    }
    let mut all = BTreeMap::new();
    for task in tasks {
        for number in task.await.unwrap() {
            *all.entry(number).or_insert(0) += 1;
        }
    }
    let expected: BTreeMap<u64, i32> = (1..=TASKS * EACH).map(|number| (number, 1)).collect();
    assert_eq!(all, expected, "each transaction took a number of its own");
}

async fn after_effects_and_bells_come_before_the_answer(make: &impl Maker) {
    let ledger = Arc::new(Ledger::default());
    let engine = make(Arc::clone(&ledger) as Arc<dyn Doorbell>);
    let order = Arc::new(Mutex::new(Vec::new()));
    for number in 0..20_u64 {
        let fill = Arc::clone(&order);
        let body = move |tx: &mut Transaction<'_>| {
            tx.put(key(1), number.to_be_bytes().to_vec());
            tx.notify(Notice::MailboxList(mail::AccountId(number)));
            let fill = Arc::clone(&fill);
            tx.after_commit(move || fill.lock().push(number));
            Ok(())
        };
        let _committed = run(engine.as_ref(), body).await.unwrap();
        assert_eq!(order.lock().last(), Some(&number), "the after-effect ran before the answer");
        let last = ledger.0.lock().last().copied();
        assert_eq!(last, Some(Notice::MailboxList(mail::AccountId(number))), "the bell rang before the answer");
    }
    assert_eq!(*order.lock(), (0..20).collect::<Vec<_>>(), "after-effects run in the order of the commits");
}

async fn a_dropped_future_still_commits(make: &impl Maker) {
    let engine = silent(make);
    let body = |tx: &mut Transaction<'_>| {
        tx.put(key(1), "kept");
        Ok(())
    };
    drop(engine.transact(Box::new(body), Durability::Synced));
    // Serial commits: once this one is answered, the one before it is done.
    put(engine.as_ref(), vec![key(2)]).await;
    assert_eq!(engine.get(&key(1)).await.unwrap().as_deref(), Some(b"kept".as_slice()));
}

async fn a_panicking_body_harms_nobody(make: &impl Maker) {
    let engine = silent(make);
    let asking = Arc::clone(&engine);
    // An engine may answer with an error or let the panic through to the caller; it goes on in either case.
    let asked = tokio::spawn(async move {
        let body = |tx: &mut Transaction<'_>| {
            tx.put(key(1), "never");
            panic!("on purpose, in a test");
        };
        run(asking.as_ref(), body).await.map(drop)
    });
    assert!(!matches!(asked.await, Ok(Ok(()))), "a panic is no success");
    put(engine.as_ref(), vec![key(2)]).await;
    assert_eq!(engine.get(&key(1)).await.unwrap(), None, "a panicking body leaves nothing");
}

async fn early_writes_are_there(make: &impl Maker) {
    let engine = silent(make);
    let rows = (0..3).map(|n| (Bytes::from(chunk(n)), Bytes::from(vec![7; 60_000]))).collect();
    engine.write_early(rows).await.unwrap();
    let body = |tx: &mut Transaction<'_>| {
        assert_eq!(tx.get(&chunk(1))?.map(|value| value.len()), Some(60_000));
        tx.delete(chunk(2));
        tx.put(key(1), "names them");
        Ok(())
    };
    let _committed = run(engine.as_ref(), body).await.unwrap();
    let rows = engine.scan(everything(), Order::Ascending, 10).await.unwrap();
    assert_eq!(keys(&rows), vec![key(1), chunk(0), chunk(1)]);
}

async fn a_closed_engine_takes_nothing(make: &impl Maker) {
    let engine = silent(make);
    put(engine.as_ref(), vec![key(1)]).await;
    engine.close().await.unwrap();
    let body = |tx: &mut Transaction<'_>| {
        tx.put(key(2), "late");
        Ok(())
    };
    assert_eq!(run(engine.as_ref(), body).await.map(drop), Err(StorageError::Closed));
}
