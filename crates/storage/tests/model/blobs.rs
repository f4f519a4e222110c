//! Contents: stored once, spilled early, buried, swept, and never lost to those.

use std::time::Duration;

use mail::{AccountId, BlobHash, MailboxId, Uid};
use relais_storage::blobs::{GRAVE_KEEP, StagedBlob};
use relais_storage::keys::{Key, Table};
use relais_storage::messages::{ExpungeScope, NewMessage};
use relais_storage::{Engine, Order, StorageError};

use crate::stage::{Stage, content};

const INBOX: MailboxId = MailboxId(1);
const ALICE: AccountId = AccountId(1);

async fn staged(stage: &Stage, bytes: &[u8]) -> StagedBlob {
    let mut writer = stage.store.blob_writer();
    writer.write(bytes).await.unwrap();
    writer.finish()
}

fn message(stage: &Stage, staged: &StagedBlob) -> NewMessage {
    NewMessage {
        blob: staged.hash,
        octets: staged.octets,
        flags: mail::Flags::default(),
        internal_date: mail::InternalDate::from(stage.store.now()),
        saved_at: stage.store.now(),
        record: None,
    }
}

async fn append(stage: &Stage, staged: &StagedBlob) -> Uid {
    stage.store.append(ALICE, INBOX, staged.clone(), message(stage, staged)).await.unwrap().value.uid
}

async fn rows(stage: &Stage, table: Table) -> usize {
    stage.engine.scan(Key::global(table).range(), Order::Ascending, 1000).await.unwrap().len()
}

async fn content_of(stage: &Stage, hash: &BlobHash) -> Vec<u8> {
    stage.store.blob(hash).await.unwrap().expect("it is there").read(0, u64::MAX).await.unwrap()
}

#[tokio::test]
async fn one_content_is_stored_once() {
    let stage = Stage::new().await;
    let (first, second) = (staged(&stage, &content(4)).await, staged(&stage, &content(4)).await);
    assert_eq!(rows(&stage, Table::Upload).await, 2, "full chunks are written before the transaction");
    append(&stage, &first).await;
    let chunks_of_both = rows(&stage, Table::Chunk).await;
    append(&stage, &second).await;
    assert_eq!((rows(&stage, Table::Blob).await, rows(&stage, Table::Chunk).await), (1, 3));
    assert!(chunks_of_both > 3);
    assert_eq!(rows(&stage, Table::Upload).await, 0);
    assert_eq!(content_of(&stage, &first.hash).await, content(4));
    stage.check().await;
}

#[tokio::test]
async fn the_same_upload_may_come_twice() {
    let stage = Stage::new().await;
    let staged = staged(&stage, &content(4)).await;
    append(&stage, &staged).await;
    append(&stage, &staged).await;
    assert_eq!(content_of(&stage, &staged.hash).await, content(4));
    stage.check().await;
}

#[tokio::test]
async fn a_buried_content_is_there_for_its_readers_and_then_goes() {
    let stage = Stage::new().await;
    let staged = staged(&stage, &content(4)).await;
    let uid = append(&stage, &staged).await;
    let mut reader = stage.store.blob(&staged.hash).await.unwrap().unwrap();
    let first = reader.piece(0, u64::MAX).await.unwrap();
    let _gone = stage.store.expunge(ALICE, INBOX, vec![uid], ExpungeScope::All).await.unwrap();
    stage.world.clock.advance(GRAVE_KEEP - Duration::from_secs(1));
    assert_eq!(stage.store.sweep().await, Ok(0));
    let rest = reader.read(first.len() as u64, u64::MAX).await.unwrap();
    assert_eq!([&first[..], &rest].concat(), content(4), "a reader comes to its end");
    stage.world.clock.advance(Duration::from_secs(2));
    assert_eq!(stage.store.sweep().await, Ok(1));
    assert!(stage.store.blob(&staged.hash).await.unwrap().is_none());
    assert_eq!((rows(&stage, Table::Chunk).await, rows(&stage, Table::Grave).await), (0, 0));
    stage.check().await;
}

#[tokio::test]
async fn a_content_that_comes_again_leaves_its_grave() {
    let stage = Stage::new().await;
    let first = staged(&stage, &content(0)).await;
    let uid = append(&stage, &first).await;
    let _gone = stage.store.expunge(ALICE, INBOX, vec![uid], ExpungeScope::All).await.unwrap();
    append(&stage, &staged(&stage, &content(0)).await).await;
    assert_eq!(rows(&stage, Table::Grave).await, 0);
    stage.world.clock.advance(GRAVE_KEEP * 2);
    assert_eq!(stage.store.sweep().await, Ok(0));
    assert_eq!(content_of(&stage, &first.hash).await, content(0));
    stage.check().await;
}

#[tokio::test]
async fn a_content_that_nothing_names_goes() {
    let stage = Stage::new().await;
    let staged = staged(&stage, &content(4)).await;
    let store_only = staged.clone();
    let _done = stage.store.transact(move |tx| tx.store_blob(&store_only)).await.unwrap();
    stage.check().await;
    stage.world.clock.advance(GRAVE_KEEP * 2);
    assert_eq!(stage.store.sweep().await, Ok(1));
    assert_eq!((rows(&stage, Table::Blob).await, rows(&stage, Table::Chunk).await), (0, 0));
}

#[tokio::test]
async fn an_upload_that_was_swept_is_refused() {
    let stage = Stage::new().await;
    let staged = staged(&stage, &content(4)).await;
    stage.world.clock.advance(Duration::from_secs(90_000));
    assert_eq!(stage.store.sweep().await, Ok(1));
    assert_eq!((rows(&stage, Table::Upload).await, rows(&stage, Table::Chunk).await), (0, 0));
    let late = stage.store.append(ALICE, INBOX, staged.clone(), message(&stage, &staged)).await;
    assert_eq!(late.err(), Some(StorageError::Expunged));
    stage.check().await;
}

#[tokio::test]
async fn an_upload_that_is_given_up_is_swept_soon() {
    let stage = Stage::new().await;
    let kept = staged(&stage, &content(4)).await;
    append(&stage, &kept).await;
    drop(kept);
    let chunks_of_kept = rows(&stage, Table::Chunk).await;

    let another = |n: u8| [content(4), vec![n]].concat();
    // One whose sender breaks off, one that is refused when it is complete, one that still comes in.
    let mut cut = stage.store.blob_writer();
    cut.write(&another(5)).await.unwrap();
    drop(cut);
    drop(staged(&stage, &another(6)).await);
    let mut coming = stage.store.blob_writer();
    coming.write(&another(7)).await.unwrap();

    assert_eq!(rows(&stage, Table::Upload).await, 3);
    assert_eq!(stage.store.sweep().await, Ok(2));
    assert_eq!(rows(&stage, Table::Upload).await, 1, "what still comes in stays");
    let coming = coming.finish();
    append(&stage, &coming).await;
    assert_eq!(content_of(&stage, &coming.hash).await, another(7));
    drop(coming);
    assert_eq!(stage.store.sweep().await, Ok(0), "what was kept stays");
    assert!(rows(&stage, Table::Chunk).await > chunks_of_kept);
    stage.check().await;
}
