use std::collections::BTreeMap;
use std::sync::Arc;

use mail::{Flags, Keyword, Timestamp};
use proptest::prelude::*;
use world::BoxFuture;
use world::simulated::SimulatedWorld;

use super::*;
use crate::changes::ChangedFlags;
use crate::engine::{Body, Committed, Durability, KeyRange, Row};
use crate::messages::{ExpungeScope, FlagChange};
use crate::rows::Sent;
use crate::stage::{ALICE, INBOX, house, message, open};
use crate::{Engine, MemoryEngine};

fn at(modseq: u64, flags: u8, keyword_bits: u128) -> FlagsAt {
    FlagsAt { modseq: ModSeq(modseq), system_flags: SystemFlags(flags), keyword_bits }
}

proptest! {
    #[test]
    fn a_block_is_a_map(
        block in 0u32..16_777_216,
        steps in prop::collection::vec((0u32..256, prop::option::of((1u64..4, 0u8..3, 0u128..2))), 1..600),
    ) {
        let first = Uid(block * 256);
        let mut expected: BTreeMap<Uid, FlagsAt> = BTreeMap::new();
        let mut block = FlagBlock::default();
        for (place, to) in steps {
            let uid = Uid(first.0 + place);
            prop_assert_eq!(FlagBlock::first_uid(uid), first);
            match to {
                Some((modseq, flags, keywords)) => {
                    block.set(&[(uid, at(modseq, flags, keywords))]);
                    expected.insert(uid, at(modseq, flags, keywords));
                }
                None => {
                    block.remove(std::iter::once(uid));
                    expected.remove(&uid);
                }
            }
        }
        prop_assert_eq!(block.settle(), !expected.is_empty());
        prop_assert_eq!(block.entries(first), expected.clone().into_iter().collect::<Vec<_>>());
        let read = FlagBlock::decode(&block.encode());
        prop_assert_eq!(read.ok(), Some(block).filter(|_| !expected.is_empty()));
    }
}

#[test]
fn rows_that_nobody_writes_are_corrupt() {
    let mut block = FlagBlock::default();
    block.set(&[(Uid(256), at(7, 1, 3)), (Uid(511), at(8, 0, 0))]);
    let row = block.encode().to_vec();
    assert_eq!(FlagBlock::decode(&row), Ok(block));
    for cut in (0..row.len()).filter(|cut| *cut != 28) {
        assert!(FlagBlock::decode(&row[..cut]).is_err(), "cut at {cut}");
    }
    let group = |flags: u8, bits: &[u8]| [&[1][..], &7u64.to_be_bytes(), &[flags, 1], bits].concat();
    assert!(FlagBlock::decode(&group(0, &[5])).is_ok());
    let twice = [group(0, &[4]), group(0, &[5])[1..].to_vec()].concat();
    let long = [&[1][..], &7u64.to_be_bytes(), &[0, 33], &[1; 33]].concat();
    let no_keywords = [&[1][..], &7u64.to_be_bytes(), &[HAS_KEYWORDS], &[0; 16], &[1, 1]].concat();
    for (what, row) in [("no member", group(0, &[0])), ("in two", twice), ("long", long), ("none", no_keywords)] {
        assert!(FlagBlock::decode(&row).is_err(), "{what}");
    }
    let mut newer = group(0, &[5]);
    newer[0] = 2;
    assert!(FlagBlock::decode(&newer).is_err());
}

/// An engine at which somebody else removes messages, once, right before a block is read.
struct Meanwhile {
    engine: MemoryEngine,
    expunges: parking_lot::Mutex<Option<(Store, Vec<Uid>)>>,
}

impl Meanwhile {
    async fn before(&self, key: &[u8]) {
        let expunges = if key[0] == Table::FlagBlock as u8 { self.expunges.lock().take() } else { None };
        if let Some((other, uids)) = expunges {
            let _done = other.expunge(ALICE, INBOX, uids, ExpungeScope::All).await.unwrap();
        }
    }
}

impl Engine for Meanwhile {
    fn get<'a>(&'a self, key: &'a [u8]) -> BoxFuture<'a, Result<Option<Bytes>, StorageError>> {
        Box::pin(async move {
            self.before(key).await;
            self.engine.get(key).await
        })
    }

    fn multi_get<'a>(&'a self, keys: &'a [Vec<u8>]) -> BoxFuture<'a, Result<Vec<Option<Bytes>>, StorageError>> {
        Box::pin(async move {
            self.before(&keys[0]).await;
            self.engine.multi_get(keys).await
        })
    }

    fn scan(&self, range: KeyRange, order: Order, limit: usize) -> BoxFuture<'_, Result<Vec<Row>, StorageError>> {
        self.engine.scan(range, order, limit)
    }

    fn transact(&self, body: Body, durability: Durability) -> BoxFuture<'_, Result<Committed, StorageError>> {
        self.engine.transact(body, durability)
    }

    fn write_early(&self, rows: Vec<Row>) -> BoxFuture<'_, Result<(), StorageError>> {
        self.engine.write_early(rows)
    }

    fn close(&self) -> BoxFuture<'_, Result<(), StorageError>> {
        self.engine.close()
    }
}

/// Nobody is told flags of before after those that a message got since (RFC 7162 §3.1: MODSEQs only grow).
#[tokio::test]
async fn what_is_removed_while_it_is_read_is_left_out() {
    for few in [1, 2, 3, 400] {
        let (engine, store) = stage(700).await;
        let _done = store.change_flags(ALICE, INBOX, uids(1..=700), SEEN, None).await.unwrap();
        let gone = uids(1..=few);
        let meanwhile = Meanwhile { engine: engine.clone(), expunges: parking_lot::Mutex::default() };
        let meanwhile = Arc::new(meanwhile);
        let world = SimulatedWorld::new(Timestamp(1_800_000_000_000), 1).world();
        let reader = Store::open(Arc::clone(&meanwhile) as Arc<dyn Engine>, world).await.unwrap();
        let next = |first: u32| *meanwhile.expunges.lock() = Some((store.clone(), uids(first..=first + few - 1)));
        let is_told = |rows: &[MessageRow], first: u32, last: u32| {
            assert!(rows.iter().all(|row| row.modseq == ModSeq(3) && row.system_flags.contains(SystemFlags::SEEN)));
            assert_eq!(rows.iter().map(|row| row.uid).min(), (first <= last).then_some(Uid(first)), "{few}");
        };
        next(1);
        is_told(&reader.messages_of(ALICE, INBOX, &gone).await.unwrap(), few + 1, few);
        if few > 100 {
            continue;
        }
        next(few + 1);
        is_told(&reader.messages(ALICE, INBOX, Uid(1), Uid(600), 600).await.unwrap(), 2 * few + 1, 600);
        next(2 * few + 1);
        is_told(&reader.messages_descending(ALICE, INBOX, Uid(1), Uid(600), 600).await.unwrap(), 3 * few + 1, 600);
        next(3 * few + 1);
        assert_eq!(reader.message(ALICE, INBOX, Uid(3 * few + 1)).await, Ok(None));
    }
}

/// A page is short at the end alone: who reads page by page sees all that are there, whatever goes meanwhile.
#[tokio::test]
async fn what_is_removed_shortens_no_page() {
    for gone in [1..=1, 3..=3, 1..=50, 20..=90, 650..=700] {
        for (order, ends_at) in [(Order::Ascending, 700), (Order::Descending, 1)] {
            let (engine, store) = stage(700).await;
            let _done = store.change_flags(ALICE, INBOX, uids(1..=700), SEEN, None).await.unwrap();
            let removed = Some((store.clone(), uids(gone.clone())));
            let meanwhile = Meanwhile { engine: engine.clone(), expunges: parking_lot::Mutex::new(removed) };
            let world = SimulatedWorld::new(Timestamp(1_800_000_000_000), 1).world();
            let reader = Store::open(Arc::new(meanwhile), world).await.unwrap();
            let (mut first, mut last, mut seen) = (Uid(1), Uid(700), Vec::new());
            loop {
                let page = match order {
                    Order::Ascending => reader.messages(ALICE, INBOX, first, last, 50).await.unwrap(),
                    Order::Descending => reader.messages_descending(ALICE, INBOX, first, last, 50).await.unwrap(),
                };
                seen.extend(page.iter().map(|row| row.uid.0));
                match page.last().map(|row| row.uid) {
                    Some(at) if page.len() == 50 && at.0 != ends_at => match order {
                        Order::Ascending => first = Uid(at.0 + 1),
                        Order::Descending => last = Uid(at.0 - 1),
                    },
                    _ => break,
                }
            }
            seen.sort_unstable();
            let left: Vec<u32> = (1..=700).filter(|uid| !gone.contains(uid)).collect();
            let told_before: Vec<u32> = seen.iter().copied().filter(|uid| gone.contains(uid)).collect();
            seen.retain(|uid| !gone.contains(uid));
            assert_eq!(seen, left, "{gone:?} {order:?}");
            assert!(told_before.is_empty(), "they went while the first page was read: {told_before:?}");
        }
    }
}

/// An account whose INBOX has so many messages.
async fn stage(messages: usize) -> (MemoryEngine, Store) {
    let engine = MemoryEngine::default();
    let store = house(&engine).await;
    let (staged, message) = message(&store, b"a: b\r\n\r\n").await;
    let all = vec![message; messages];
    let _done = store
        .transact(move |tx| {
            tx.store_blob(&staged)?;
            tx.deposit_all(ALICE, INBOX, &all)
        })
        .await
        .unwrap();
    (engine, store)
}

async fn rows(engine: &MemoryEngine, table: Table) -> Vec<(Bytes, Bytes)> {
    engine.scan(Key::of(table, ALICE).range(), Order::Ascending, usize::MAX).await.unwrap()
}

async fn sound(store: &Store) {
    let mut findings = Vec::new();
    crate::check::check(store, false, &mut |finding| findings.push(finding.to_string())).await.unwrap();
    assert_eq!(findings, Vec::<String>::new());
}

fn uids(range: std::ops::RangeInclusive<u32>) -> Vec<Uid> {
    range.map(Uid).collect()
}

const SEEN: FlagChange =
    FlagChange::Add(Flags { system: SystemFlags::SEEN, keywords: std::collections::BTreeSet::new() });

#[tokio::test]
async fn flags_that_messages_get_together_take_a_row_for_256() {
    let (engine, store) = stage(1_000).await;
    let before = rows(&engine, Table::Message).await;
    let done = store.change_flags(ALICE, INBOX, uids(1..=1_000), SEEN, None).await.unwrap().value;
    assert!(done.rows.iter().all(|row| row.system_flags == SystemFlags::SEEN && row.modseq == ModSeq(3)));
    assert_eq!(rows(&engine, Table::FlagBlock).await.len(), 4);
    assert_eq!(rows(&engine, Table::Message).await, before, "their own rows are as they were");
    assert_eq!(store.messages(ALICE, INBOX, Uid(1), Uid(1_000), 1_000).await.unwrap(), done.rows);
    sound(&store).await;

    // One that changes alone has its own row written, and the block is left as it is.
    let blocks = rows(&engine, Table::FlagBlock).await;
    let unseen = FlagChange::Replace(Flags::default());
    let one = store.change_flags(ALICE, INBOX, uids(300..=300), unseen, None).await.unwrap().value.rows;
    assert_eq!(rows(&engine, Table::FlagBlock).await, blocks);
    assert_eq!(one[0].modseq, ModSeq(4));
    assert_eq!(store.message(ALICE, INBOX, Uid(300)).await.unwrap().as_ref(), one.first());
    assert_eq!(store.inbox(ALICE).await.unwrap().unseen, 1);
    sound(&store).await;
    // UNCHANGEDSINCE looks at what holds.
    let done = store.change_flags(ALICE, INBOX, uids(299..=301), SEEN, Some(ModSeq(3))).await.unwrap().value;
    assert_eq!(done.modified, [Uid(300)]);
    let done = store.change_flags(ALICE, INBOX, uids(1..=1_000), SEEN, Some(ModSeq(2))).await.unwrap().value;
    assert_eq!(done.modified.len(), 1_000);

    // What goes takes its entry with it.
    let gone = store.expunge(ALICE, INBOX, uids(1..=600), ExpungeScope::All).await.unwrap().value;
    assert_eq!(gone.len(), 600);
    assert_eq!(rows(&engine, Table::FlagBlock).await.len(), 2);
    sound(&store).await;
    let gone = store.expunge(ALICE, INBOX, uids(601..=1_000), ExpungeScope::All).await.unwrap().value;
    assert_eq!(gone.len(), 400);
    assert_eq!(rows(&engine, Table::FlagBlock).await, []);
    sound(&store).await;
}

#[tokio::test]
async fn a_block_that_cant_be_read_leaves_the_others_to_the_check() {
    let (engine, store) = stage(1_000).await;
    let _done = store.change_flags(ALICE, INBOX, uids(1..=1_000), SEEN, None).await.unwrap();
    engine.damage(keys::flag_block(ALICE, INBOX, Uid(256)), Some(Bytes::from_static(b"?")));
    let mut findings = Vec::new();
    crate::check::check(&store, false, &mut |finding| findings.push(finding.to_string())).await.unwrap();
    let of = |uid: u32| findings.iter().filter(|finding| finding.contains(&format!("UID {uid}:"))).count();
    assert!([256, 511].iter().all(|uid| of(*uid) > 0), "{:#?}", findings.first());
    assert!([1, 255, 512, 1_000].iter().all(|uid| of(*uid) == 0));
}

/// Flags that differ from message to message make a block large: then rows are written that are fewer octets.
#[tokio::test]
async fn a_block_is_never_more_than_the_rows_in_its_place() {
    let (engine, store) = stage(256).await;
    for uid in 1..=255 {
        let flags = FlagChange::Replace(Flags {
            system: SystemFlags((uid % 32) as u8),
            keywords: Flags::default().keywords.into_iter().chain(Keyword::parse(&format!("k{}", uid % 8))).collect(),
        });
        // Two at a time: one is the same for all of them.
        let _done = store.change_flags(ALICE, INBOX, vec![Uid(uid), Uid(256)], flags, None).await.unwrap();
    }
    let blocks = rows(&engine, Table::FlagBlock).await;
    assert!(
        blocks.iter().all(|(_, value)| value.len() <= 2 * ROW_OCTETS),
        "{:?}",
        blocks.first().map(|row| row.1.len())
    );
    for uid in 1..=255 {
        let message = store.message(ALICE, INBOX, Uid(uid)).await.unwrap().unwrap();
        assert_eq!(message.system_flags, SystemFlags((uid % 32) as u8), "UID {uid}");
    }
    sound(&store).await;
    let all = FlagChange::Add(Flags::system(SystemFlags::DELETED));
    let done = store.change_flags(ALICE, INBOX, uids(1..=256), all, None).await.unwrap().value;
    assert_eq!(store.messages(ALICE, INBOX, Uid(1), Uid(256), 256).await.unwrap(), done.rows);
    sound(&store).await;
}

#[tokio::test]
async fn a_deleted_mailbox_leaves_no_block() {
    let (engine, store) = stage(600).await;
    let trash = store.mailbox_by_name(ALICE, "Trash").await.unwrap().unwrap().id;
    let _done = store.change_flags(ALICE, INBOX, uids(1..=600), SEEN, None).await.unwrap();
    let _done = store.copy((ALICE, INBOX), uids(1..=600), (ALICE, trash)).await.unwrap();
    let copies = store.messages(ALICE, trash, Uid(1), Uid(600), 600).await.unwrap();
    assert!(copies.len() == 600 && copies.iter().all(|row| row.system_flags == SystemFlags::SEEN));
    let _done = store
        .change_flags(ALICE, trash, uids(1..=600), FlagChange::Remove(Flags::system(SystemFlags::SEEN)), None)
        .await
        .unwrap();
    assert_eq!(rows(&engine, Table::FlagBlock).await.len(), 6);
    let _done = store.delete_mailbox(ALICE, "Trash").await.unwrap();
    store.sweep().await.unwrap();
    assert_eq!(rows(&engine, Table::FlagBlock).await.len(), 3);
    sound(&store).await;
    // RFC 3501 §6.3.5: INBOX is renamed by moving what is in it.
    let _done = store.rename_mailbox(ALICE, "INBOX", "Old").await.unwrap();
    assert_eq!(rows(&engine, Table::FlagBlock).await, []);
    let old = store.mailbox_by_name(ALICE, "Old").await.unwrap().unwrap();
    assert_eq!((old.messages, old.unseen), (600, 0));
    sound(&store).await;
}

/// Format 2 has flags in message rows alone, which tell no dates.
#[tokio::test]
async fn a_store_of_the_format_before_is_read_and_stamped_anew() {
    let (engine, store) = stage(700).await;
    let marked =
        FlagChange::Add(Flags { system: SystemFlags::FLAGGED, keywords: [Keyword::parse("work").unwrap()].into() });
    let _done = store.change_flags(ALICE, INBOX, uids(100..=500), marked, None).await.unwrap();
    let as_before = store.messages(ALICE, INBOX, Uid(1), Uid(700), 700).await.unwrap();
    let older = as_before.clone();
    let write = move |tx: &mut Transaction<'_>| {
        for message in &older {
            assert_eq!(message.sent, Sent::Untold);
            tx.put(keys::message(ALICE, INBOX, message.uid), message.encode_undated());
        }
        assert!(tx.wipe_flags(ALICE, INBOX)? > 0);
        tx.put(Key::global(Table::Meta).bytes(b"format").done(), 2u32.to_be_bytes().to_vec());
        Ok(())
    };
    let _done = store.transact(write).await.unwrap();
    let store = open(&engine).await;
    assert_eq!(store.format().await, Ok(Some(crate::store::FORMAT)));
    assert_eq!(store.messages(ALICE, INBOX, Uid(1), Uid(700), 700).await.unwrap(), as_before);
    sound(&store).await;
    let _done = store.change_flags(ALICE, INBOX, uids(1..=700), SEEN, None).await.unwrap();
    let _done = store.expunge(ALICE, INBOX, uids(1..=50), ExpungeScope::All).await.unwrap();
    let now = store.messages(ALICE, INBOX, Uid(1), Uid(700), 700).await.unwrap();
    for (row, before) in now.iter().zip(&as_before[50..]) {
        let system_flags = before.system_flags.union(SystemFlags::SEEN);
        let expected = MessageRow { modseq: ModSeq(4), system_flags, shares_change: true, ..before.clone() };
        assert_eq!(*row, expected);
    }
    sound(&store).await;
}

#[derive(Clone, Debug)]
enum Step {
    Change { first: u32, count: u32, step: u32, how: u8, flags: u8 },
    Expunge { first: u32, count: u32 },
    Move { first: u32, count: u32 },
    CopyHere { first: u32, count: u32 },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let count = || prop_oneof![1u32..4, 1u32..60, 1u32..700];
    let change = (1u32..700, count(), prop_oneof![3 => Just(1u32), 1 => 2u32..90], 0u8..3, 0u8..16);
    let change = change.prop_map(|(first, count, step, how, flags)| Step::Change { first, count, step, how, flags });
    let range = || (1u32..700, prop_oneof![1u32..4, 1u32..60]);
    prop::collection::vec(
        prop_oneof![
            6 => change,
            1 => range().prop_map(|(first, count)| Step::Expunge { first, count }),
            1 => range().prop_map(|(first, count)| Step::Move { first, count }),
            1 => range().prop_map(|(first, count)| Step::CopyHere { first, count }),
        ],
        1..25,
    )
}

/// Flags by bits: two system flags, two keywords.
fn flags(bits: u8) -> Flags {
    let keywords = ["a", "b"].into_iter().enumerate().filter(|(n, _)| bits & (4 << n) != 0);
    Flags { system: SystemFlags(bits & 3), keywords: keywords.map(|(_, k)| Keyword::parse(k).unwrap()).collect() }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Every message has the flags and the MODSEQ that a plain list of messages has, wherever they are written.
    #[test]
    fn blocks_and_rows_are_a_list_of_messages(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (_engine, store) = stage(520).await;
            let trash = store.mailbox_by_name(ALICE, "Trash").await.unwrap().unwrap().id;
            let mut expected: BTreeMap<u32, (Flags, u64)> = (1..=520).map(|uid| (uid, (Flags::default(), 2))).collect();
            let (mut modseq, mut next) = (2, 521);
            for step in steps {
                match step {
                    Step::Change { first, count, step, how, flags: bits } => {
                        let named: Vec<u32> = (0..count).map(|n| first + n * step).collect();
                        let given = flags(bits);
                        let mut changed = false;
                        for uid in &named {
                            let Some((flags, at)) = expected.get_mut(uid) else { continue };
                            let keywords = match how {
                                0 => given.keywords.clone(),
                                1 => &flags.keywords | &given.keywords,
                                _ => &flags.keywords - &given.keywords,
                            };
                            let system = match how {
                                0 => given.system,
                                1 => flags.system.union(given.system),
                                _ => flags.system.without(given.system),
                            };
                            let new = Flags { system, keywords };
                            if new != *flags {
                                (*flags, *at, changed) = (new, modseq + 1, true);
                            }
                        }
                        modseq += u64::from(changed);
                        let change = match how {
                            0 => FlagChange::Replace(given),
                            1 => FlagChange::Add(given),
                            _ => FlagChange::Remove(given),
                        };
                        let named = named.into_iter().map(Uid).collect();
                        let _done = store.change_flags(ALICE, INBOX, named, change, None).await.unwrap();
                    }
                    Step::Expunge { first, count } | Step::Move { first, count } => {
                        let named = uids(first..=first + count - 1);
                        if matches!(step, Step::Move { .. }) {
                            let _done = store.move_messages(ALICE, INBOX, named.clone(), trash).await.unwrap();
                        } else {
                            let _done = store.expunge(ALICE, INBOX, named.clone(), ExpungeScope::All).await.unwrap();
                        }
                        let before = expected.len();
                        expected.retain(|uid, _| !named.contains(&Uid(*uid)));
                        modseq += u64::from(expected.len() < before);
                    }
                    Step::CopyHere { first, count } => {
                        let named = uids(first..=first + count - 1);
                        let copied: Vec<Flags> =
                            named.iter().filter_map(|uid| expected.get(&uid.0)).map(|(flags, _)| flags.clone()).collect();
                        modseq += u64::from(!copied.is_empty());
                        for flags in copied {
                            expected.insert(next, (flags, modseq));
                            next += 1;
                        }
                        let _done = store.copy((ALICE, INBOX), named, (ALICE, INBOX)).await.unwrap();
                    }
                }
                let row = store.inbox(ALICE).await.unwrap();
                let all = store.messages(ALICE, INBOX, Uid(1), Uid(u32::MAX), 10_000).await.unwrap();
                let found: BTreeMap<u32, (Flags, u64)> =
                    all.iter().map(|message| (message.uid.0, (row.flags_of(message), message.modseq.0))).collect();
                assert_eq!(found, expected);
                assert_eq!(row.highest_modseq.0, modseq);
                for since in [ModSeq(1), ModSeq(modseq / 2), ModSeq(modseq.saturating_sub(1)), ModSeq(modseq)] {
                    let mut changes = store.changes(ALICE, INBOX, since, None, 10_000).await.unwrap();
                    changes.retain(|change| !change.expunged);
                    changes.sort_unstable_by_key(|change| change.uid);
                    let told = store.changed_flags(ALICE, INBOX, &changes).await.unwrap();
                    let of = |row: &MessageRow| ChangedFlags::of(row.uid, &FlagsAt::of(row));
                    let changed: Vec<_> = all.iter().filter(|row| row.modseq > since).map(of).collect();
                    assert_eq!(told, changed, "since {since:?}");
                }
                for message in all.iter().step_by(97) {
                    assert_eq!(store.message(ALICE, INBOX, message.uid).await.unwrap().as_ref(), Some(message));
                }
                // Some of them, whether they lie close to each other or far, and are there or not.
                for apart in [1, 2, 3, 9, 200] {
                    let named: Vec<Uid> = (1..=next + 9).step_by(apart).map(Uid).collect();
                    let there: Vec<_> = all.iter().filter(|message| named.contains(&message.uid)).cloned().collect();
                    assert_eq!(store.messages_of(ALICE, INBOX, &named).await.unwrap(), there, "every {apart}th");
                }
            }
            sound(&store).await;
        });
    }
}
