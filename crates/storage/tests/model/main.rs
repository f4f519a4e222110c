//! The store against a naive model of it: random operations; a fault at each write; a power cut after each write.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test: what goes wrong is a failure"
)]

mod accounts;
mod blobs;
mod model;
mod stage;

use std::time::Duration;

use proptest::prelude::*;
use relais_storage::StorageError;

use crate::model::{NAMES, Op};
use crate::stage::Stage;

fn name() -> impl Strategy<Value = usize> {
    0..NAMES.len()
}

fn mailbox() -> impl Strategy<Value = usize> {
    // The first names exist more often than not.
    prop_oneof![3 => 0..3_usize, 1 => name()]
}

fn op() -> impl Strategy<Value = Op> {
    let flags = (mailbox(), any::<u8>(), 0..3_u8, any::<u8>(), prop::option::of(0..12_u64));
    prop_oneof![
        6 => (mailbox(), 0..5_u8, any::<u8>()).prop_map(|(to, content, flags)| Op::Append { to, content, flags }),
        4 => flags.prop_map(|(at, uids, how, flags, since)| Op::Flags { at, uids, how, flags, since }),
        3 => (mailbox(), any::<u8>(), any::<bool>()).prop_map(|(at, uids, all)| Op::Expunge { at, uids, all }),
        2 => (mailbox(), mailbox(), any::<u8>()).prop_map(|(from, to, uids)| Op::Copy { from, to, uids }),
        2 => (mailbox(), mailbox(), any::<u8>()).prop_map(|(from, to, uids)| Op::Move { from, to, uids }),
        2 => name().prop_map(|name| Op::Create { name }),
        1 => name().prop_map(|name| Op::Delete { name }),
        1 => (name(), name()).prop_map(|(from, to)| Op::Rename { from, to }),
        1 => (0..5_000_u64).prop_map(|secs| Op::Sweep { secs }),
    ]
}

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_store_does_what_the_model_does(ops in prop::collection::vec(op(), 1..40)) {
        run(async {
            let mut stage = Stage::new().await;
            for op in &ops {
                stage.step(op).await;
            }
            stage.compare().await;
            stage.check().await;
        });
    }
}

/// Something of everything, in which each operation but the last two is one transaction.
fn script() -> Vec<Op> {
    vec![
        Op::Append { to: 0, content: 0, flags: 0 },
        Op::Append { to: 0, content: 4, flags: 3 },
        Op::Append { to: 0, content: 0, flags: 9 },
        Op::Create { name: 3 },
        Op::Append { to: 3, content: 4, flags: 0 },
        Op::Flags { at: 0, uids: 7, how: 1, flags: 6, since: None },
        Op::Copy { from: 0, to: 3, uids: 3 },
        Op::Move { from: 3, to: 1, uids: 1 },
        Op::Expunge { at: 0, uids: 2, all: true },
        Op::Rename { from: 3, to: 5 },
        Op::Append { to: 5, content: 2, flags: 1 },
        Op::Expunge { at: 0, uids: 255, all: false },
        Op::Sweep { secs: 4000 },
        Op::Delete { name: 5 },
        Op::Append { to: 0, content: 2, flags: 0 },
        Op::Sweep { secs: 4000 },
    ]
}

fn faults() -> [StorageError; 2] {
    [StorageError::DiskFull, StorageError::Io("the disk failed, on purpose".to_owned())]
}

#[test]
fn one_failing_write_harms_only_its_operation() {
    for fault in faults() {
        for writes in 0.. {
            let failed = run(async {
                let mut stage = Stage::new().await;
                stage.engine.fail_after(writes, fault.clone());
                let mut failed = 0;
                for op in script() {
                    // What fails is not in the model; what comes behind it works again.
                    if stage.try_step(&op).await == Err(fault.clone()) {
                        failed += 1;
                        stage.engine.heal();
                    }
                }
                stage.engine.heal();
                stage.compare().await;
                stage.check().await;
                failed
            });
            if failed == 0 {
                assert!(writes > 20, "the faults have reached the script's end");
                break;
            }
        }
    }
}

#[test]
fn a_power_cut_takes_nothing_that_was_acknowledged() {
    for writes in 0.. {
        let failed = run(async {
            let mut stage = Stage::new().await;
            stage.engine.fail_after(writes, StorageError::Io("no power".to_owned()));
            let mut failed = 0;
            for op in script() {
                failed += u32::from(stage.try_step(&op).await.is_err());
            }
            stage.power_cut().await;
            stage.compare().await;
            stage.check().await;
            // What was left half done goes away by itself.
            stage.world.clock.advance(Duration::from_secs(100_000));
            stage.store.sweep().await.unwrap();
            stage.store.sweep().await.unwrap();
            stage.compare().await;
            stage.check().await;
            stage.nothing_is_left_over().await;
            failed
        });
        if failed == 0 {
            break;
        }
    }
}

#[test]
fn what_the_quota_refuses_leaves_nothing() {
    run(async {
        let mut stage = Stage::with_quota(Some(stage::content(4).len() as u64 + 50)).await;
        let append = |content| Op::Append { to: 0, content, flags: 0 };
        stage.step(&append(4)).await;
        assert_eq!(stage.try_step(&append(4)).await, Err(StorageError::OverQuota));
        assert_eq!(stage.try_step(&Op::Copy { from: 0, to: 1, uids: 1 }).await, Err(StorageError::OverQuota));
        stage.step(&append(0)).await;
        stage.step(&Op::Move { from: 0, to: 1, uids: 3 }).await;
        stage.step(&Op::Expunge { at: 1, uids: 255, all: true }).await;
        stage.step(&append(4)).await;
        stage.compare().await;
        stage.check().await;
    });
}
