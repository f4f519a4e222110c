//! Annotations over the store in memory: limits, who answers for what, what goes with whom; each damage gives its finding.

use std::sync::Arc;

use bytes::Bytes;
use mail::{AccountId, Address, MailboxId, Timestamp};
use routing::objects::{AccountObject, DomainObject, Object};
use world::simulated::SimulatedWorld;

use super::*;
use crate::check::{Flaw, check};
use crate::limits::{ANNOTATIONS_MAX, ANNOTATIONS_OCTETS_MAX};
use crate::objects::PutMode;
use crate::{Engine, MemoryEngine};

const ALICE: AccountId = AccountId(1);
const BOB: AccountId = AccountId(2);
const INBOX: MailboxId = MailboxId(1);

fn address(name: &str) -> Address {
    Address::parse(&format!("{name}@example.org")).unwrap()
}

struct Stage {
    engine: MemoryEngine,
    store: Store,
}

async fn stage() -> Stage {
    let engine = MemoryEngine::default();
    let world = SimulatedWorld::new(Timestamp(1_800_000_000_000), 7).world();
    let store = Store::open(Arc::new(engine.clone()), world).await.unwrap();
    let domain = DomainObject::new(mail::Domain::parse("example.org").unwrap());
    store.put_object(Object::Domain(domain), PutMode::Add).await.unwrap();
    for name in ["alice", "bob"] {
        store.add_account(AccountObject::new(address(name))).await.unwrap();
    }
    Stage { engine, store }
}

fn on(mailbox: MailboxId) -> Annotated {
    Annotated::Mailbox(ALICE, mailbox)
}

impl Stage {
    async fn set(&self, place: AnnotationPlace, name: &str, value: Option<&[u8]>) -> Result<u64, StorageError> {
        let changes = vec![(place, vec![(name.to_owned(), value.map(<[u8]>::to_vec))])];
        Ok(self.store.annotate(changes, None).await?.value.first().map_or(0, |(_, number)| *number))
    }

    async fn value(&self, place: AnnotationPlace, name: &str) -> Option<Vec<u8>> {
        self.store.annotations(place).await.unwrap().value(name).map(<[u8]>::to_vec)
    }

    async fn flaws(&self) -> Vec<Flaw> {
        let mut flaws = Vec::new();
        check(&self.store, false, &mut |finding| flaws.push(finding.flaw)).await.unwrap();
        flaws
    }

    async fn octets(&self, account: AccountId) -> u64 {
        let value = self.engine.get(&counters_key(account)).await.unwrap();
        Counters::decode(value.as_deref()).unwrap().octets
    }

    async fn write(&self, key: Vec<u8>, value: Option<Bytes>) {
        let write = move |tx: &mut Transaction<'_>| {
            match &value {
                Some(value) => tx.put(key.clone(), value.clone()),
                None => tx.delete(key.clone()),
            }
            Ok(())
        };
        self.store.transact(write).await.unwrap();
    }
}

#[tokio::test]
async fn each_answers_for_their_own_and_everything_goes_with_its_mailbox() {
    let stage = stage().await;
    stage.set(AnnotationPlace::shared(on(INBOX)), "/shared/comment", Some(b"12345")).await.unwrap();
    stage.set(AnnotationPlace::private(on(INBOX), BOB), "/private/comment", Some(b"123")).await.unwrap();
    stage.set(AnnotationPlace::private(Annotated::Server, BOB), "/private/x", Some(b"")).await.unwrap();
    stage.set(AnnotationPlace::shared(Annotated::Server), "/shared/x", Some(b"1")).await.unwrap();
    assert_eq!((stage.octets(ALICE).await, stage.octets(BOB).await), (15 + 5, 16 + 3 + 10));
    assert_eq!(stage.value(AnnotationPlace::private(on(INBOX), ALICE), "/private/comment").await, None);
    assert!(stage.flaws().await.is_empty(), "{:?}", stage.flaws().await);
    // RFC 5464 §4.1: RENAME of INBOX copies what all see and the owner's own, not what is another's.
    let _done = stage.store.rename_mailbox(ALICE, "INBOX", "Was").await.unwrap();
    let was = stage.store.mailbox_by_name(ALICE, "Was").await.unwrap().unwrap().id;
    assert_eq!(stage.value(AnnotationPlace::shared(on(was)), "/shared/comment").await.as_deref(), Some(&b"12345"[..]));
    assert_eq!(stage.value(AnnotationPlace::private(on(was), BOB), "/private/comment").await, None);
    stage.set(AnnotationPlace::private(on(was), BOB), "/private/comment", Some(b"123")).await.unwrap();
    let _done = stage.store.delete_mailbox(ALICE, "Was").await.unwrap();
    assert_eq!((stage.octets(ALICE).await, stage.octets(BOB).await), (20, 29));
    assert!(stage.flaws().await.is_empty(), "{:?}", stage.flaws().await);
}

#[tokio::test]
async fn who_goes_takes_their_annotations_along() {
    let stage = stage().await;
    stage.set(AnnotationPlace::private(on(INBOX), BOB), "/private/comment", Some(b"123")).await.unwrap();
    stage.set(AnnotationPlace::private(Annotated::Server, BOB), "/private/x", Some(b"1")).await.unwrap();
    stage.set(AnnotationPlace::shared(on(INBOX)), "/shared/x", Some(b"1")).await.unwrap();
    let _done = stage.store.remove_account(&address("bob")).await.unwrap();
    assert!(stage.flaws().await.is_empty(), "{:?}", stage.flaws().await);
    let left = stage.engine.scan(KeyRange::prefix(vec![Table::Metadata as u8]), Order::Ascending, 9).await.unwrap();
    assert_eq!(left.len(), 1, "only what is Alice's");
    let gone = stage.set(AnnotationPlace::private(on(INBOX), BOB), "/private/x", Some(b"1")).await;
    assert_eq!(gone, Err(StorageError::NoSuchAccount));
    let _done = stage.store.remove_account(&address("alice")).await.unwrap();
    assert!(stage.flaws().await.is_empty(), "{:?}", stage.flaws().await);
}

#[tokio::test]
async fn there_are_limits_and_nothing_is_set_beyond_them() {
    let stage = stage().await;
    let place = AnnotationPlace::shared(on(INBOX));
    for n in 0..ANNOTATIONS_MAX {
        stage.set(place, &format!("/shared/{n:03}"), Some(b"x")).await.unwrap();
    }
    let limit = |result: Result<u64, StorageError>| matches!(result, Err(StorageError::LimitReached(_)));
    assert!(limit(stage.set(place, "/shared/more", Some(b"x")).await));
    assert_eq!(stage.value(place, "/shared/more").await, None);
    stage.set(place, "/shared/000", Some(b"other")).await.unwrap();
    stage.set(place, "/shared/001", None).await.unwrap();
    stage.set(place, "/shared/more", Some(b"x")).await.unwrap();
    let long = vec![b'x'; ANNOTATIONS_OCTETS_MAX];
    assert!(limit(stage.set(place, "/shared/002", Some(&long)).await));
    // The account as a whole: as many mailboxes as it takes.
    let much = vec![b'x'; ANNOTATIONS_OCTETS_MAX - 20];
    let mut refused = false;
    for n in 0..200 {
        let row = stage.store.create_mailbox(ALICE, &format!("m{n}"), None).await.unwrap().value;
        refused = limit(stage.set(AnnotationPlace::shared(on(row.id)), "/shared/x", Some(&much)).await);
        if refused {
            break;
        }
    }
    assert!(refused && stage.octets(ALICE).await <= ANNOTATIONS_ACCOUNT_OCTETS_MAX);
    // Less is always possible.
    stage.set(place, "/shared/003", None).await.unwrap();
    assert!(stage.flaws().await.is_empty(), "{:?}", stage.flaws().await);
}

#[tokio::test]
async fn news_are_what_others_changed_and_one_can_see() {
    let stage = stage().await;
    let before = stage.store.annotation_number(ALICE).await.unwrap();
    let shared = AnnotationPlace::shared(on(INBOX));
    stage.set(shared, "/shared/a", Some(b"1")).await.unwrap();
    let own = stage.set(shared, "/shared/b", Some(b"1")).await.unwrap();
    stage.set(AnnotationPlace::private(on(INBOX), BOB), "/private/c", Some(b"1")).await.unwrap();
    stage.set(shared, "/shared/a", None).await.unwrap();
    let news = |person, except: Vec<u64>| {
        let store = stage.store.clone();
        async move {
            let news = store.annotation_news(ALICE, Some(INBOX), person, before, &except).await.unwrap();
            news.into_iter().flat_map(|news| news.names).collect::<Vec<_>>()
        }
    };
    assert_eq!(news(ALICE, vec![]).await, ["/shared/a", "/shared/b"]);
    assert_eq!(news(ALICE, vec![own]).await, ["/shared/a"]);
    assert_eq!(news(BOB, vec![own]).await, ["/shared/a", "/private/c"]);
    let now = stage.store.annotation_number(ALICE).await.unwrap();
    assert_eq!(now, before + 4);
    assert!(stage.store.annotation_news(ALICE, None, BOB, now, &[]).await.unwrap().is_empty());
}

#[tokio::test]
async fn every_damage_is_found() {
    let place = AnnotationPlace::private(on(INBOX), BOB);
    let set = |entries: &[(&str, u64)]| {
        let entries = entries.iter().map(|(name, changed)| Annotation {
            name: (*name).to_owned(),
            value: b"123".to_vec(),
            changed: *changed,
        });
        let set = AnnotationSet { entries: entries.collect(), removed: Vec::new() };
        Some(rows::encode(VERSION, &set).unwrap())
    };
    let orphan = AnnotationPlace::private(on(MailboxId(77)), ALICE);
    let stranger = AnnotationPlace { part: ALICE, mailbox: INBOX, person: AccountId(77) };
    let numbers = |octets, number| Some(Bytes::from(Counters { octets, number }.encode()));
    for (key, value, expected) in [
        (place.elsewhere_key(), None, vec![Flaw::Annotations]),
        (place.key(), None, vec![Flaw::Annotations, Flaw::Annotations]),
        (place.key(), Some(Bytes::from_static(b"\x09")), vec![Flaw::Undecodable, Flaw::Annotations]),
        (place.key(), set(&[("/private/COMMENT", 1)]), vec![Flaw::Annotations]),
        (place.key(), set(&[("/private/comment", 5)]), vec![Flaw::Counter]),
        (orphan.key(), set(&[]), vec![Flaw::Orphans]),
        (stranger.key(), set(&[]), vec![Flaw::UnknownIdentifier, Flaw::Annotations]),
        (counters_key(BOB), numbers(1, 0), vec![Flaw::Annotations]),
        (counters_key(BOB), Some(Bytes::from_static(b"x")), vec![Flaw::Undecodable]),
        (counters_key(ALICE), numbers(0, 0), vec![Flaw::Counter]),
        (Key::of(Table::Metadata, ALICE).u8(9).done(), Some(Bytes::new()), vec![Flaw::Undecodable]),
    ] {
        let stage = stage().await;
        stage.set(place, "/private/comment", Some(b"123")).await.unwrap();
        assert!(stage.flaws().await.is_empty());
        stage.write(key.clone(), value).await;
        assert_eq!(stage.flaws().await, expected, "{key:02x?}");
    }
}
