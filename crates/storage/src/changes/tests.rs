use std::collections::BTreeSet;

use proptest::prelude::*;

use mail::{Flags, SystemFlags};

use super::*;
use crate::messages::{ExpungeScope, FlagChange};
use crate::stage::{ALICE, INBOX, house, message, open};
use crate::{Engine, MemoryEngine};

fn key(first: u32) -> Vec<u8> {
    keys::change(ALICE, INBOX, ModSeq(7), Uid(first))
}

proptest! {
    #[test]
    fn a_block_is_a_set(
        at in 0u32..4_000_000,
        all in prop::collection::btree_set(0u32..1024, 1..200),
        gone in prop::collection::btree_set(0u32..1024, 0..200),
    ) {
        let first = Block::first_uid(Uid(at));
        let block = |places: &BTreeSet<u32>| {
            let mut block = Block::default();
            places.iter().for_each(|place| block.insert(Uid(first.0 + place)));
            block
        };
        let row = block(&all).row(ChangeKind::Expunged);
        let read = changes_of(&key(first.0), &row).unwrap();
        let expected = all.iter().map(|place| Change { modseq: ModSeq(7), uid: Uid(first.0 + place), expunged: true });
        prop_assert_eq!(read, expected.collect::<Vec<_>>());
        prop_assert!((0..1024).all(|place| Block::contains(&row[1..], Uid(first.0 + place)) == all.contains(&place)));
        let left: BTreeSet<u32> = all.difference(&gone).copied().collect();
        prop_assert_eq!(block(&gone).taken_from(&row[1..]), block(&left));
    }
}

#[test]
fn rows_that_nobody_writes_are_corrupt() {
    let long = [&[CHANGED_IN_BLOCK][..], &[1; 129]].concat();
    for (first, value) in [
        (1024, &[][..]),
        (1024, &[9]),
        (1024, &[CHANGED, 1]),
        (1024, &[CHANGED_IN_BLOCK]),
        (1024, &[CHANGED_IN_BLOCK, 1, 0]),
        (1025, &[CHANGED_IN_BLOCK, 1]),
        (1024, &long),
    ] {
        assert!(changes_of(&key(first), value).is_err(), "{first}: {value:?}");
    }
    assert!(changes_of(&key(1024), &[CHANGED_IN_BLOCK, 1]).is_ok());
}

/// An account whose INBOX has so many messages, deposited together or one by one.
async fn stage(messages: u32, together: bool) -> (MemoryEngine, Store) {
    let engine = MemoryEngine::default();
    let store = house(&engine).await;
    let (staged, message) = message(&store, b"a: b\r\n\r\n").await;
    let all = vec![message; messages as usize];
    let _done = store
        .transact(move |tx| {
            tx.store_blob(&staged)?;
            all.chunks(if together { all.len() } else { 1 })
                .try_for_each(|some| tx.deposit_all(ALICE, INBOX, some).map(drop))
        })
        .await
        .unwrap();
    (engine, store)
}

async fn rows(engine: &MemoryEngine) -> usize {
    let range = Key::of(Table::Change, ALICE).u32(INBOX.0).range();
    engine.scan(range, Order::Ascending, usize::MAX).await.unwrap().len()
}

async fn mark(store: &Store, uids: impl Iterator<Item = u32>) {
    let seen = FlagChange::Add(Flags::system(SystemFlags::SEEN));
    let _done = store.change_flags(ALICE, INBOX, uids.map(Uid).collect(), seen, None).await.unwrap();
}

/// All pages of what changed, each of so many.
async fn told(store: &Store, since: u64, limit: usize) -> Vec<(u64, u32, bool)> {
    let (mut all, mut last) = (Vec::new(), None);
    loop {
        let page = store.changes(ALICE, INBOX, ModSeq(since), last, limit).await.unwrap();
        assert!(page.len() <= limit);
        all.extend(page.iter().map(|change| (change.modseq.0, change.uid.0, change.expunged)));
        if page.len() < limit {
            return all;
        }
        last = page.last().copied();
    }
}

async fn sound(store: &Store) {
    let mut findings = Vec::new();
    crate::check::check(store, false, &mut |finding| findings.push(finding.to_string())).await.unwrap();
    assert_eq!(findings, Vec::<String>::new());
}

#[tokio::test]
async fn what_changes_together_takes_a_row_for_a_thousand() {
    let (engine, store) = stage(3_000, true).await;
    assert_eq!(rows(&engine).await, 3, "of the deposits");
    mark(&store, 1..=3_000).await;
    assert_eq!(rows(&engine).await, 3, "the deposits are struck out");
    mark(&store, 1..=3_000).await;
    assert_eq!(told(&store, 2, 700).await, (1..=3_000).map(|uid| (3, uid, false)).collect::<Vec<_>>());
    sound(&store).await;
}

#[tokio::test]
async fn changes_one_by_one_strike_out_what_was_shared() {
    let (engine, store) = stage(2_000, true).await;
    for uid in [1, 1_023, 1_024, 2_000] {
        mark(&store, uid..=uid).await;
    }
    assert_eq!(rows(&engine).await, 6);
    let uids: Vec<Uid> = (1..=2_000).map(Uid).collect();
    let gone = store.expunge(ALICE, INBOX, uids[1..1_900].to_vec(), ExpungeScope::All).await.unwrap();
    assert_eq!(gone.value.len(), 1_899);
    let left = (1_901..2_000).map(|uid| (2, uid, false));
    let alone = [(3, 1, false), (6, 2_000, false)];
    let gone = (2..=1_900).map(|uid| (7, uid, true));
    let expected: Vec<_> = left.chain(alone).chain(gone).collect();
    for limit in [1, 2, 50, 1_000, 10_000] {
        assert_eq!(told(&store, 0, limit).await, expected, "pages of {limit}");
    }
    sound(&store).await;
}

/// Format 1 has a row for each message, also for those that changed together.
#[tokio::test]
async fn a_store_of_the_format_before_is_read_and_stamped_anew() {
    let (engine, store) = stage(1_500, false).await;
    // As that format has it: all of them changed at one MODSEQ, each with a row.
    let modseq = ModSeq(1_502);
    let older = move |tx: &mut Transaction<'_>| {
        let mut row = tx.mailbox_row(ALICE, INBOX)?;
        assert_eq!(row.next_modseq(), modseq);
        for uid in (1..=1_500).map(Uid) {
            let mut message = tx.message_row(ALICE, INBOX, uid)?.unwrap();
            tx.delete(change_key(ALICE, INBOX, &message));
            message.modseq = modseq;
            tx.put(keys::message(ALICE, INBOX, uid), message.encode());
            tx.put(change_key(ALICE, INBOX, &message), vec![CHANGED]);
        }
        tx.put(Key::global(Table::Meta).bytes(b"format").done(), 1u32.to_be_bytes().to_vec());
        tx.put_mailbox_row(ALICE, &row)
    };
    let _done = store.transact(older).await.unwrap();
    let store = open(&engine).await;
    assert_eq!(store.format().await, Ok(Some(crate::store::FORMAT)));
    sound(&store).await;
    let all: Vec<_> = (1..=1_500).map(|uid| (1_502, uid, false)).collect();
    assert_eq!(told(&store, 0, 400).await, all);
    mark(&store, 1..=1_499).await;
    assert_eq!(rows(&engine).await, 3, "two blocks, and one message as it was");
    sound(&store).await;
}
