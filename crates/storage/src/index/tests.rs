use std::sync::Arc;

use mail::Timestamp;
use world::simulated::SimulatedWorld;

use super::*;
use crate::MemoryEngine;

const ALICE: AccountId = AccountId(1);

struct Stage {
    engine: MemoryEngine,
    store: Store,
    mailbox: MailboxId,
}

async fn stage() -> Stage {
    let sim = SimulatedWorld::new(Timestamp(1_000_000), 1);
    let engine = MemoryEngine::new(Arc::new(crate::SilentDoorbell));
    let store = Store::open(Arc::new(engine.clone()), sim.world()).await.unwrap();
    let mailbox = store.create_mailbox(ALICE, "Archive", None).await.unwrap().value.id;
    Stage { engine, store, mailbox }
}

fn block(first: &str) -> IndexBlock {
    let of = |text: &str| Bytes::copy_from_slice(text.as_bytes());
    IndexBlock { zone: 2, first: of(first), words: of("words"), postings: of("postings") }
}

fn segment(place: IndexPlace, first: u32, last: u32) -> (IndexSegment, Bytes) {
    let messages = last - first + 1;
    let segment = IndexSegment { number: place.segment, first: Uid(first), last: Uid(last), messages, partial: false };
    (segment, Bytes::from_static(b"lengths"))
}

impl Stage {
    async fn indexed(&self, first: u32, last: u32, instead_of: Vec<u32>) -> IndexPlace {
        let place = self.store.begin_index_segment(ALICE, self.mailbox).await.unwrap().value;
        self.store.put_index_blocks(place, vec![block("alpha"), block("mu")]).await.unwrap();
        let segment = Some(segment(place, first, last));
        self.store.finish_index_segment(place, segment, instead_of, Uid(last)).await.unwrap();
        place
    }

    fn rows(&self) -> usize {
        let tables = BLOCK_TABLES.map(|table| table as u8);
        self.engine.rows().keys().filter(|key| tables.contains(&key[0])).count()
    }
}

#[tokio::test]
async fn a_segment_counts_once_it_is_finished() {
    let s = stage().await;
    let place = s.store.begin_index_segment(ALICE, s.mailbox).await.unwrap().value;
    s.store.put_index_blocks(place, vec![block("alpha")]).await.unwrap();
    let row = s.store.index_row(ALICE, s.mailbox).await.unwrap();
    assert_eq!((row.segments.len(), row.loose.as_slice(), row.indexed_to), (0, [0].as_slice(), 0));
    s.store.finish_index_segment(place, Some(segment(place, 1, 9)), Vec::new(), Uid(9)).await.unwrap();
    let row = s.store.index_row(ALICE, s.mailbox).await.unwrap();
    assert_eq!((row.messages(), row.loose.len(), row.indexed_to), (9, 0, 9));
    // It is finished, so nothing can be added to it.
    let late = s.store.put_index_blocks(place, vec![block("beta")]).await;
    assert!(matches!(late, Err(StorageError::Expunged)));
}

#[tokio::test]
async fn blocks_are_found_by_the_words_between_which_they_stand() {
    let s = stage().await;
    let place = s.indexed(1, 9, Vec::new()).await;
    let first = async |word: &str| {
        let found = s.store.index_words_at(place, 2, word.as_bytes()).await.unwrap();
        found.map(|(first, _)| String::from_utf8(first.to_vec()).unwrap())
    };
    assert_eq!(first("alpha").await.as_deref(), Some("alpha"));
    assert_eq!(first("beta").await.as_deref(), Some("alpha"));
    assert_eq!(first("zeta").await.as_deref(), Some("mu"));
    assert_eq!(first("aa").await, None);
    assert_eq!(s.store.index_words(place, 2, b"b", 9).await.unwrap().len(), 1);
    assert_eq!(s.store.index_words(place, 2, b"", 9).await.unwrap().len(), 2);
    assert_eq!(s.store.index_words(place, 3, b"", 9).await.unwrap().len(), 0);
    let postings = s.store.index_postings(place, 2, &[Bytes::from_static(b"mu"), Bytes::from_static(b"nu")]).await;
    assert_eq!(postings.unwrap(), [Some(Bytes::from_static(b"postings")), None]);
}

#[tokio::test]
async fn what_was_replaced_or_never_finished_is_removed() {
    let s = stage().await;
    s.indexed(1, 9, Vec::new()).await;
    s.indexed(10, 19, Vec::new()).await;
    let unfinished = s.store.begin_index_segment(ALICE, s.mailbox).await.unwrap().value;
    s.store.put_index_blocks(unfinished, vec![block("alpha")]).await.unwrap();
    s.indexed(1, 19, vec![0, 1]).await;
    let row = s.store.index_row(ALICE, s.mailbox).await.unwrap();
    assert_eq!((row.segments.len(), row.loose.as_slice()), (1, [2, 0, 1].as_slice()));
    assert_eq!(s.rows(), 3 * 5 + 2);
    s.store.remove_loose_segments(ALICE, s.mailbox).await.unwrap();
    let row = s.store.index_row(ALICE, s.mailbox).await.unwrap();
    assert_eq!((row.segments.len(), row.loose.len(), row.indexed_to, s.rows()), (1, 0, 19, 5));
}

#[tokio::test]
async fn a_replacement_of_what_is_gone_is_refused() {
    let s = stage().await;
    s.indexed(1, 9, Vec::new()).await;
    let place = s.store.begin_index_segment(ALICE, s.mailbox).await.unwrap().value;
    s.store.forget_index(ALICE, s.mailbox).await.unwrap();
    let finished = s.store.finish_index_segment(place, Some(segment(place, 1, 9)), vec![0], Uid(9)).await;
    assert!(matches!(finished, Err(StorageError::Expunged)));
}

#[tokio::test]
async fn what_can_not_be_read_is_forgotten_with_all_its_rows() {
    let s = stage().await;
    s.indexed(1, 9, Vec::new()).await;
    s.indexed(10, 19, Vec::new()).await;
    s.engine.damage(index_key(ALICE, s.mailbox), Some(Bytes::from_static(b"?")));
    assert!(matches!(s.store.index_row(ALICE, s.mailbox).await, Err(StorageError::Corrupt(_))));
    s.store.forget_index(ALICE, s.mailbox).await.unwrap();
    s.store.remove_loose_segments(ALICE, s.mailbox).await.unwrap();
    let row = s.store.index_row(ALICE, s.mailbox).await.unwrap();
    assert_eq!((row, s.rows()), (IndexRow { next_number: 2, ..IndexRow::default() }, 0));
}

#[tokio::test]
async fn a_deleted_mailbox_takes_its_index_along_and_gets_none_any_more() {
    let s = stage().await;
    s.indexed(1, 9, Vec::new()).await;
    let place = s.store.begin_index_segment(ALICE, s.mailbox).await.unwrap().value;
    s.store.delete_mailbox(ALICE, "Archive").await.unwrap();
    assert_eq!(s.rows(), 0);
    assert!(!s.engine.rows().contains_key(&index_key(ALICE, s.mailbox)));
    let late = s.store.put_index_blocks(place, vec![block("alpha")]).await;
    assert!(matches!(late, Err(StorageError::NoSuchMailbox)));
    s.store.remove_loose_segments(ALICE, s.mailbox).await.unwrap();
    assert_eq!(s.rows(), 0);
}
