//! What filters do to rows, and that the store is sound afterwards.

use std::sync::Arc;

use filter::{Condition, Filter, FilterSet};
use mail::{Address, Domain, InternalDate, Keyword, SystemFlags};
use routing::objects::{AccountObject, DomainObject, Object, ObjectKey};
use world::simulated::SimulatedWorld;

use super::*;
use crate::MemoryEngine;
use crate::objects::PutMode;

const ALICE: AccountId = AccountId(1);
const INBOX: MailboxId = MailboxId(1);
const ANY: QuotaLimits = QuotaLimits { octets: None, messages: None, mailboxes: None };

async fn stage() -> Store {
    let world = SimulatedWorld::new(Timestamp(1_800_000_000_000), 7).world();
    let store = Store::open(Arc::new(MemoryEngine::default()), world).await.unwrap();
    let domain = DomainObject::new(Domain::parse("example.org").unwrap());
    let _done = store.put_object(Object::Domain(domain), PutMode::Add).await.unwrap();
    let alice = AccountObject::new(Address::parse("alice@example.org").unwrap());
    assert_eq!(store.add_account(alice).await.unwrap().value.id, ALICE);
    store
}

fn tag(text: &str) -> Keyword {
    Keyword::parse(text).unwrap()
}

fn moved(folder: &str) -> Outcome {
    Outcome { folder: Some(folder.to_owned()), ..Outcome::default() }
}

async fn deliver(store: &Store, content: &str, outcome: &Outcome, quota: QuotaLimits) -> Filed {
    let mut writer = store.blob_writer();
    writer.write(content.as_bytes()).await.unwrap();
    let staged = writer.finish();
    let message = NewMessage {
        blob: staged.hash,
        octets: staged.octets,
        flags: Flags::default(),
        internal_date: InternalDate::from(store.now()),
        saved_at: store.now(),
        record: None,
    };
    let outcome = outcome.clone();
    let body = move |tx: &mut Transaction<'_>| {
        if !outcome.discard {
            tx.store_blob(&staged)?;
        }
        tx.deposit_filtered(ALICE, INBOX, &message, &outcome, quota)
    };
    store.transact(body).await.unwrap().value
}

/// How many messages a mailbox has, with the flags of the last one.
async fn there(store: &Store, name: &str) -> Option<(u32, Flags)> {
    let row = store.mailbox_by_name(ALICE, name).await.unwrap()?;
    let messages = store.messages(ALICE, row.id, Uid(1), Uid(u32::MAX), 1_000).await.unwrap();
    let flags = messages.last().map(|message| row.flags_of(message)).unwrap_or_default();
    Some((row.messages, flags))
}

async fn sound(store: &Store) {
    let mut findings = Vec::new();
    crate::check::check(store, false, &mut |finding| findings.push(finding.to_string())).await.unwrap();
    assert_eq!(findings, Vec::<String>::new());
}

#[tokio::test]
async fn i03_a_folder_is_made_with_those_above_it_and_subscribed() {
    let store = stage().await;
    let outcome = Outcome {
        copies: vec!["Archive".to_owned(), "Work/Bills".to_owned(), "Work/Copies".to_owned()],
        tags: [tag("$Work"), tag("bills")].into(),
        flags: SystemFlags::FLAGGED.union(SystemFlags::SEEN),
        ..moved("Work/Bills")
    };
    let filed = deliver(&store, "a: b\r\n\r\n", &outcome, ANY).await;
    assert_eq!(filed.left_out, Vec::<String>::new());
    assert_eq!(filed.kept.unwrap().name, "Work/Bills");
    let copies: Vec<&str> = filed.copies.iter().map(|copy| copy.name.as_str()).collect();
    assert_eq!(copies, ["Archive", "Work/Copies"], "no second one where it is already");
    let flags = Flags { system: outcome.flags, keywords: outcome.tags.clone() };
    for name in ["Work/Bills", "Archive", "Work/Copies"] {
        assert_eq!(there(&store, name).await, Some((1, flags.clone())), "{name}");
    }
    assert_eq!(there(&store, "Work").await.unwrap().0, 0);
    assert_eq!(there(&store, "INBOX").await.unwrap().0, 0);
    assert!(store.is_subscribed(ALICE, "Work/Bills").await.unwrap());
    sound(&store).await;
}

#[tokio::test]
async fn i03_what_is_deleted_for_good_leaves_nothing() {
    let store = stage().await;
    let outcome = Outcome { discard: true, copies: vec!["Copies".to_owned()], ..moved("Bills") };
    assert_eq!(deliver(&store, "a: b\r\n\r\n", &outcome, ANY).await, Filed::default());
    assert_eq!((there(&store, "Bills").await, there(&store, "Copies").await), (None, None));
    assert_eq!(store.usage(ALICE).await.unwrap().messages, 0);
    sound(&store).await;
}

#[tokio::test]
async fn i03_what_cannot_be_done_is_told_and_the_message_is_there() {
    let store = stage().await;
    let full = QuotaLimits { mailboxes: Some(7), ..ANY };
    let filed = deliver(&store, "1", &Outcome { copies: vec!["a*b".to_owned()], ..moved("A/B") }, full).await;
    assert_eq!(
        filed.left_out,
        [
            "not moved to A/B: the account has as many folders as it may have",
            "not copied to a*b: no folder may have that name: it has a wildcard",
        ]
    );
    assert_eq!(filed.kept.unwrap().name, "INBOX");
    assert_eq!(there(&store, "A").await, None, "not half of it");
    let one_more = QuotaLimits { mailboxes: Some(7), ..ANY };
    assert_eq!(deliver(&store, "2", &moved("A"), one_more).await.kept.unwrap().name, "A");

    // As many keywords as a mailbox may have.
    for n in 0..KEYWORDS_MAX / 8 {
        let tags = (0..8).map(|k| tag(&format!("t{}", n * 8 + k))).collect();
        deliver(&store, "3", &Outcome { tags, ..Outcome::default() }, ANY).await;
    }
    let outcome = Outcome { tags: [tag("T7"), tag("more")].into(), ..Outcome::default() };
    let filed = deliver(&store, "4", &outcome, ANY).await;
    assert_eq!(filed.left_out, ["not tagged more: INBOX has as many tags as it may have"]);
    assert_eq!(there(&store, "INBOX").await.unwrap().1.keywords, [tag("t7")].into());
    sound(&store).await;
}

#[tokio::test]
async fn i04_messages_that_are_there_are_filed_and_keep_their_flags() {
    let store = stage().await;
    for n in 0..6 {
        let flags = if n % 2 == 0 { SystemFlags::ANSWERED } else { SystemFlags(0) };
        deliver(&store, &n.to_string(), &Outcome { flags, ..Outcome::default() }, ANY).await;
    }
    let tagged = Outcome { tags: [tag("x")].into(), copies: vec!["Copies".to_owned()], ..moved("Moved") };
    let outcomes = vec![
        (tagged, vec![Uid(1), Uid(2), Uid(77)]),
        (Outcome { discard: true, ..Outcome::default() }, vec![Uid(3), Uid(3)]),
        (Outcome { flags: SystemFlags::SEEN, ..Outcome::default() }, vec![Uid(4)]),
        (moved("INBOX"), vec![Uid(5)]),
    ];
    let done = store.file_messages(ALICE, INBOX, outcomes).await.unwrap().value;
    assert_eq!(done, (5, Vec::new()));
    let row = store.mailbox_by_name(ALICE, "Moved").await.unwrap().unwrap();
    let messages = store.messages(ALICE, row.id, Uid(1), Uid(9), 9).await.unwrap();
    let flags: Vec<Flags> = messages.iter().map(|message| row.flags_of(message)).collect();
    let with = |system| Flags { system, keywords: [tag("x")].into() };
    assert_eq!(flags, [with(SystemFlags::ANSWERED), with(SystemFlags(0))]);
    assert_eq!(there(&store, "Copies").await.unwrap(), (2, with(SystemFlags(0))));
    let left = store.messages(ALICE, INBOX, Uid(1), Uid(9), 9).await.unwrap();
    let left: Vec<(u32, SystemFlags)> = left.iter().map(|row| (row.uid.0, row.system_flags)).collect();
    assert_eq!(left, [(4, SystemFlags::SEEN), (5, SystemFlags::ANSWERED), (6, SystemFlags(0))]);
    assert!(store.is_subscribed(ALICE, "Moved").await.unwrap());
    sound(&store).await;
}

#[tokio::test]
async fn i04_copies_of_what_is_there_are_held_against_the_quota() {
    let store = stage().await;
    deliver(&store, "one", &Outcome::default(), ANY).await;
    let Some(alice) = store.directory().account_by_id(ALICE).cloned() else { panic!("alice is gone") };
    let limited = AccountObject { quota_messages: Some(1), ..(*alice).clone() };
    let _done = store.put_object(Object::Account(limited), PutMode::Replace).await.unwrap();
    let copied = Outcome { copies: vec!["Copies".to_owned()], ..Outcome::default() };
    let full = store.file_messages(ALICE, INBOX, vec![(copied, vec![Uid(1)])]).await;
    assert_eq!(full.map(|done| done.value), Err(StorageError::OverQuota));
    assert_eq!(there(&store, "Copies").await, None);
    let done = store.file_messages(ALICE, INBOX, vec![(moved("Moved"), vec![Uid(1)])]).await.unwrap().value;
    assert_eq!(done, (1, Vec::new()), "moving takes no more room");
}

fn filters(account: AccountId, names: &[&str]) -> Object {
    let filter = |name: &&str| Filter {
        conditions: vec![Condition::Attachment { present: true }],
        stop: true,
        ..Filter::new(*name)
    };
    Object::Filters(FilterSet { account, filters: names.iter().map(filter).collect() })
}

#[tokio::test]
async fn i03_filters_go_with_their_account() {
    let store = stage().await;
    let _done = store.put_object(filters(ALICE, &["a", "b"]), PutMode::Add).await.unwrap();
    sound(&store).await;
    assert_eq!(store.directory().filters(ALICE).unwrap().filters.len(), 2);
    let _done = store.remove_account(&Address::parse("alice@example.org").unwrap()).await.unwrap();
    assert!(store.directory().filters(ALICE).is_none());
    let gone = store.remove_object(ObjectKey::Filters(ALICE)).await;
    assert!(matches!(gone, Err(StorageError::NoSuchObject(_))));
    sound(&store).await;
}

#[tokio::test]
async fn i03_filters_of_nobody_and_such_as_cannot_be_are_found() {
    for (object, said) in [
        (filters(AccountId(77), &["a"]), "there is no such account"),
        (filters(ALICE, &[]), "a row all the same"),
        (filters(ALICE, &["a", "A"]), "there is a filter"),
    ] {
        let store = stage().await;
        let _done = store.put_object(object, PutMode::Add).await.unwrap();
        let mut findings = Vec::new();
        crate::check::check(&store, false, &mut |finding| findings.push(finding.to_string())).await.unwrap();
        assert!(findings.len() == 1 && findings[0].contains(said), "{findings:?}");
    }
}
