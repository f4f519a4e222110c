//! What several modules promise together: little space, and what is left over from an interrupted run.

use std::sync::Arc;

use bytes::Bytes;
use mail::{AccountId, Address, Domain, Flags, InternalDate, SystemFlags, Timestamp, Uid};
use routing::objects::{AccountObject, AliasObject, DomainObject, Object, QuotaLimits, Target};
use world::simulated::SimulatedWorld;

use crate::check::check;
use crate::messages::{ExpungeScope, FlagChange, NewMessage};
use crate::objects::PutMode;
use crate::{Durability, MemoryEngine, StorageError, Store};

const START: Timestamp = Timestamp(1_800_000_000_000);

fn domain() -> Domain {
    Domain::parse("example.org").unwrap()
}

fn address(local: &str) -> Address {
    Address::new(local, domain()).unwrap()
}

async fn open(engine: &MemoryEngine) -> Store {
    Store::open(Arc::new(engine.clone()), SimulatedWorld::new(START, 7).world()).await.unwrap()
}

/// A store with a domain and alice, who has a message.
async fn stage() -> (MemoryEngine, Store, AccountId) {
    let engine = MemoryEngine::default();
    let store = open(&engine).await;
    let _done = store.put_object(Object::Domain(DomainObject::new(domain())), PutMode::Add).await.unwrap();
    let alice = store.add_account_in_domain(AccountObject::new(address("alice"))).await.unwrap().value.id;
    append(&store, alice).await.unwrap();
    (engine, store, alice)
}

async fn append(store: &Store, account: AccountId) -> Result<(), StorageError> {
    let mut writer = store.blob_writer();
    writer.write(b"a message").await?;
    let staged = writer.finish();
    let message = NewMessage {
        blob: staged.hash,
        octets: staged.octets,
        flags: Flags::default(),
        internal_date: InternalDate::from(store.now()),
        saved_at: store.now(),
        record: Some(Bytes::from_static(b"record")),
    };
    let inbox = store.inbox(account).await?.id;
    store.append(account, inbox, staged, message).await.map(drop)
}

#[tokio::test]
async fn below_the_reserve_only_what_frees_space_is_taken() {
    let (engine, store, alice) = stage().await;
    let alias = AliasObject::new(address("info"), vec![Target::AllUsers]);
    let _done = store.put_object(Object::Alias(alias.clone()), PutMode::AddInDomain).await.unwrap();
    let inbox = store.inbox(alice).await.unwrap().id;
    engine.set_low_on_space(true);
    assert_eq!(append(&store, alice).await, Err(StorageError::DiskFull));
    assert_eq!(store.create_mailbox(alice, "More", None).await.err(), Some(StorageError::DiskFull));
    let seen = FlagChange::Add(Flags::system(SystemFlags::SEEN));
    assert_eq!(store.change_flags(alice, inbox, vec![Uid(1)], seen, None).await.err(), Some(StorageError::DiskFull));

    let deleted = FlagChange::Add(Flags::system(SystemFlags::DELETED));
    let _done = store.change_flags(alice, inbox, vec![Uid(1)], deleted, None).await.unwrap();
    let gone = store.expunge(alice, inbox, vec![Uid(1)], ExpungeScope::Deleted).await.unwrap();
    assert_eq!(gone.value, [Uid(1)]);
    let _done = store.delete_mailbox(alice, "Junk").await.unwrap();
    let _done =
        store.put_object(Object::Alias(AliasObject { enabled: false, ..alias }), PutMode::Replace).await.unwrap();
    let _done = store.remove_account(&address("alice")).await.unwrap();
    // It is on disk, as all that is acknowledged: a power cut takes nothing of it back.
    let after = open(&engine.after_power_cut(Arc::new(crate::SilentDoorbell))).await;
    assert!(after.directory().account(&address("alice")).is_none());
    assert!(Durability::Freeing.is_synced());
}

#[tokio::test]
async fn several_blobs_are_read_at_once_and_stand_in_the_order_in_which_they_came() {
    let engine = MemoryEngine::default();
    let world = SimulatedWorld::new(START, 7);
    let store = Store::open(Arc::new(engine.clone()), world.world()).await.unwrap();
    let long = vec![b'x'; 2 * crate::limits::BLOB_CHUNK_OCTETS + 5];
    let mut hashes = Vec::new();
    for content in [&b"one"[..], &long, b"two, longer", b""] {
        let mut writer = store.blob_writer();
        writer.write(content).await.unwrap();
        let staged = writer.finish();
        hashes.push((staged.hash, content));
        let _done = store.transact(move |tx| tx.store_blob(&staged)).await.unwrap();
        world.clock.advance(std::time::Duration::from_millis(1));
    }
    let asked = [hashes[2].0, mail::BlobHash([9; 32]), hashes[1].0, hashes[3].0, hashes[0].0];
    let readers = store.blobs(&asked).await.unwrap();
    let expected = [Some(hashes[2].1), None, Some(hashes[1].1), Some(hashes[3].1), Some(hashes[0].1)];
    for (reader, expected) in readers.into_iter().zip(expected) {
        let read = match reader {
            Some(mut reader) => Some(reader.read(0, u64::MAX).await.unwrap()),
            None => None,
        };
        assert_eq!(read.as_deref(), expected);
    }
    // Three chunks of the long one between those of the short ones.
    let rows = engine.rows();
    let chunks: Vec<usize> = rows
        .iter()
        .filter(|(key, _)| key[0] == crate::keys::Table::Chunk as u8)
        .map(|(_, chunk)| chunk.len())
        .collect();
    let alone = |content: &[u8]| crate::compression::pack(content).len();
    assert_eq!((chunks.len(), chunks.first(), chunks.last()), (5, Some(&alone(b"one")), Some(&alone(b"two, longer"))));
}

#[tokio::test]
async fn a_start_without_room_sweeps_later() {
    let (engine, store, alice) = stage().await;
    // An upload that is broken off, and a mailbox whose messages are still to be removed.
    let mut writer = store.blob_writer();
    writer.write(&[7; 300_000]).await.unwrap();
    engine.fail_after(1, StorageError::DiskFull);
    let _done = store.delete_mailbox(alice, "Junk").await.unwrap();
    let left = engine.rows();
    engine.fail_after(0, StorageError::DiskFull);
    let again = open(&engine).await;
    assert_eq!(again.directory().accounts().count(), 1, "it serves");
    assert!(again.sweep().await.is_err());
    engine.heal();
    assert!(again.sweep().await.unwrap() > 0);
    let swept = engine.rows();
    assert!(swept.len() < left.len());
    for table in [crate::keys::Table::Upload, crate::keys::Table::Chunk, crate::keys::Table::Doomed] {
        let rows = swept.keys().filter(|key| key[0] == table as u8).count();
        // The message that is there has one chunk.
        assert_eq!(rows, usize::from(table == crate::keys::Table::Chunk), "{table:?}");
    }
    drop(writer);
}

#[tokio::test]
async fn a_domain_goes_only_when_nothing_is_in_it_and_takes_nothing_once_it_is_gone() {
    let (_engine, store, _alice) = stage().await;
    let inhabited = StorageError::NotAllowed("something was added to the domain in the meantime");
    assert_eq!(store.remove_domain(&domain()).await.err(), Some(inhabited));
    let _done = store.remove_account(&address("alice")).await.unwrap();
    let _done = store.remove_domain(&domain()).await.unwrap();
    let no_domain = || Some(StorageError::NoSuchObject("domain example.org".to_owned()));
    assert_eq!(store.add_account_in_domain(AccountObject::new(address("bob"))).await.err(), no_domain());
    let alias = Object::Alias(AliasObject::new(address("info"), vec![Target::AllUsers]));
    assert_eq!(store.put_object(alias, PutMode::AddInDomain).await.err(), no_domain());
}

#[tokio::test]
async fn an_account_with_thousands_of_mailboxes_goes_in_steps() {
    let (_engine, store, alice) = stage().await;
    for n in 0..2_500 {
        let _done = store.create_mailbox(alice, &format!("m{n}"), None).await.unwrap();
        let _done = store.set_subscription(alice, &format!("m{n}"), true).await.unwrap();
    }
    assert_eq!(store.mailbox_count(alice).await.unwrap(), 2_506);
    let _done = store.remove_account(&address("alice")).await.unwrap();
    let mut flaws = Vec::new();
    check(&store, false, &mut |finding| flaws.push(finding)).await.unwrap();
    assert!(flaws.is_empty(), "{flaws:?}");
    assert_eq!(store.mailboxes(alice).await.unwrap().len(), 0);
}

#[tokio::test]
async fn mailboxes_and_subscriptions_are_counted_and_a_quota_bounds_them() {
    let (engine, store, alice) = stage().await;
    let quota = QuotaLimits { mailboxes: Some(8), ..QuotaLimits::default() };
    let _done = store.set_quota(alice, quota).await.unwrap();
    // Six are there from the start; a name with two levels above it makes three.
    assert_eq!(store.create_mailbox(alice, "a/b/c", None).await.err(), Some(StorageError::OverQuota));
    let _done = store.create_mailbox(alice, "a/b", None).await.unwrap();
    assert_eq!(store.create_mailbox(alice, "d", None).await.err(), Some(StorageError::OverQuota));
    assert_eq!(store.rename_mailbox(alice, "a/b", "x/y").await.err(), Some(StorageError::OverQuota));
    let _done = store.rename_mailbox(alice, "a", "x").await.unwrap();
    let _done = store.delete_mailbox(alice, "x/b").await.unwrap();
    assert_eq!(store.mailbox_count(alice).await.unwrap(), 7);
    for (name, subscribed) in [("x", true), ("x", true), ("gone", true), ("Sent", false), ("Sent", false)] {
        let _done = store.set_subscription(alice, name, subscribed).await.unwrap();
    }
    let flaws = || async {
        let mut flaws = Vec::new();
        check(&store, false, &mut |finding| flaws.push(finding.flaw)).await.unwrap();
        flaws
    };
    assert!(flaws().await.is_empty(), "{:?}", flaws().await);
    let keys = [crate::usage::mailbox_count_key(alice), crate::mailboxes::subscription_count_key(alice)];
    for key in keys {
        let right = engine.rows().get(&key[..]).cloned().unwrap();
        for (value, expected) in [
            (Some(Bytes::from_static(&[0, 0, 0, 0, 0, 0, 0, 99])), vec![crate::check::Flaw::Usage]),
            (Some(Bytes::from_static(b"x")), vec![crate::check::Flaw::Undecodable]),
            // As stores have it that were made before they were counted.
            (None, vec![]),
            (Some(right), vec![]),
        ] {
            let key = key.clone();
            let write = move |tx: &mut crate::Transaction<'_>| {
                match &value {
                    Some(value) => tx.put(key.clone(), value.clone()),
                    None => tx.delete(key.clone()),
                }
                Ok(())
            };
            store.transact(write).await.unwrap();
            assert_eq!(flaws().await, expected);
        }
    }
    // What was not counted is, with the next change.
    let key = crate::usage::mailbox_count_key(alice);
    let forget = move |tx: &mut crate::Transaction<'_>| {
        tx.delete(key.clone());
        Ok(())
    };
    store.transact(forget).await.unwrap();
    assert_eq!(store.mailbox_count(alice).await.unwrap(), 7);
    let _done = store.create_mailbox(alice, "x/c", None).await.unwrap();
    assert_eq!(store.mailbox_count(alice).await.unwrap(), 8);
    assert!(flaws().await.is_empty());
}

/// A front that is known at the end stands before the content, whatever the length; small messages are as if it had come first.
#[tokio::test]
async fn a_front_stands_before_what_came_before_it() {
    let (_engine, store, alice) = stage().await;
    let inbox = store.inbox(alice).await.unwrap().id;
    let chunk = crate::limits::BLOB_CHUNK_OCTETS;
    let front = b"Front: here\r\n".repeat(9);
    for octets in [0, 1, chunk - front.len(), chunk - 1, chunk, chunk + 1, 3 * chunk, 3 * chunk + 7] {
        let content: Vec<u8> = (0..octets).map(|n| u8::try_from(n % 251).unwrap()).collect();
        let whole = [&front[..], &content].concat();
        let mut plain = store.blob_writer();
        plain.write(&whole).await.unwrap();
        assert_eq!(plain.reader().read(0, u64::MAX).await.unwrap(), whole, "{octets}");
        let plain = plain.finish();
        let mut writer = store.blob_writer_with_front();
        for piece in content.chunks(10_000) {
            writer.write(piece).await.unwrap();
        }
        // What was taken so far can be read before anybody knows its front.
        assert_eq!(writer.reader().read(0, u64::MAX).await.unwrap(), content, "{octets}");
        let staged = writer.finish_behind(&front).await.unwrap();
        assert_eq!((staged.octets, staged.hash == plain.hash), (whole.len() as u64, octets <= chunk), "{octets}");
        let hash = staged.hash;
        assert_eq!(store.staged_reader(&staged).read(0, u64::MAX).await.unwrap(), whole, "{octets}");
        let staged = if octets % 2 == 0 { store.spill_staged(staged).await.unwrap() } else { staged };
        let message = NewMessage {
            blob: hash,
            octets: staged.octets,
            flags: Flags::default(),
            internal_date: InternalDate::from(store.now()),
            saved_at: store.now(),
            record: None,
        };
        store.append(alice, inbox, staged, message).await.unwrap();
        let mut reader = store.blob(&hash).await.unwrap().unwrap();
        assert_eq!(reader.read(0, u64::MAX).await.unwrap(), whole, "{octets}");
        for start in [0, 1, front.len() - 1, front.len(), front.len() + 1, chunk, front.len() + chunk, 2 * chunk] {
            let (start, end) = (start.min(whole.len()), (start + 2_000).min(whole.len()));
            assert_eq!(reader.read(start as u64, end as u64).await.unwrap(), whole[start..end], "{octets} {start}");
        }
        let again = store.staged_again(&hash).await.unwrap().unwrap();
        assert_eq!(store.staged_reader(&again).read(0, u64::MAX).await.unwrap(), whole, "{octets}");
    }
    let checked = check(&store, true, &mut |finding| panic!("{finding:?}")).await.unwrap();
    assert_eq!(checked.findings, 0);
    let too_long = store.blob_writer_with_front().finish_behind(&vec![b'x'; chunk + 1]).await;
    assert!(matches!(too_long, Err(StorageError::LimitReached(_))));
}
