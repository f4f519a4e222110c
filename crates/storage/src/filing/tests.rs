//! What filters do to rows, and that the store is sound afterwards.

use std::sync::Arc;

use filter::{Condition, Filter, FilterSet, MessageView, Place, compares, decide};
use mail::{Address, Keyword, SystemFlags, Uid};
use routing::objects::{AccountObject, Object, ObjectKey};

use super::*;
use crate::limits::COMPARED_AT_ONCE_OCTETS;
use crate::objects::PutMode;
use crate::stage::{ALICE, INBOX, house, message};
use crate::{MemoryEngine, Store};

const ANY: QuotaLimits = QuotaLimits { octets: None, messages: None, mailboxes: None };

async fn stage() -> Store {
    house(&MemoryEngine::default()).await
}

fn tag(text: &str) -> Keyword {
    Keyword::parse(text).unwrap()
}

fn moved(folder: &str) -> Outcome {
    Outcome { folder: Some(folder.to_owned()), ..Outcome::default() }
}

fn with_quota(account: AccountObject, quota: QuotaLimits) -> AccountObject {
    let (octets, messages, mailboxes) = (quota.octets, quota.messages, quota.mailboxes);
    AccountObject { quota_octets: octets, quota_messages: messages, quota_mailboxes: mailboxes, ..account }
}

async fn file(store: &Store, outcome: Outcome, uids: &[u32]) -> (usize, Vec<String>) {
    let uids = uids.iter().map(|uid| Uid(*uid)).collect();
    let done = store.file_messages(ALICE, INBOX, vec![(outcome, uids)]).await.unwrap().value;
    (done.there, done.left_out.into_iter().collect())
}

async fn deliver(store: &Store, content: &str, outcome: &Outcome, quota: QuotaLimits) -> Filed {
    let (staged, message) = message(store, content.as_bytes()).await;
    let outcome = outcome.clone();
    let alice = (**store.directory().account_by_id(ALICE).unwrap()).clone();
    let alice = with_quota(alice, quota);
    let body = move |tx: &mut Transaction<'_>| {
        if !outcome.discard {
            tx.store_blob(&staged)?;
        }
        tx.deposit_filtered(&alice, INBOX, &message, &outcome)
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
    assert_eq!((done.there, done.left_out.len()), (5, 0));
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
    for content in ["one", "two", "three"] {
        deliver(&store, content, &Outcome::default(), ANY).await;
    }
    let alice = (**store.directory().account_by_id(ALICE).unwrap()).clone();
    let limited = with_quota(alice, QuotaLimits { messages: Some(4), ..ANY });
    let _done = store.put_object(Object::Account(limited), PutMode::Replace).await.unwrap();
    let copied = Outcome { copies: vec!["Copies".to_owned()], tags: [tag("x")].into(), ..Outcome::default() };
    let no_room = || vec!["not copied to Copies: the account has no room for it".to_owned()];
    assert_eq!(file(&store, copied, &[1, 2, 3]).await, (3, no_room()));
    assert_eq!(there(&store, "Copies").await.unwrap().0, 1, "one fits");
    assert_eq!(there(&store, "INBOX").await.unwrap().1.keywords, [tag("x")].into(), "what else is to be done is done");
    let both = Outcome { copies: vec!["Copies".to_owned()], ..moved("Moved") };
    assert_eq!(file(&store, both, &[1]).await, (1, no_room()), "moving takes no more room");
    assert_eq!(there(&store, "Moved").await.unwrap().0, 1);
    sound(&store).await;
}

#[tokio::test]
async fn i03_a_copy_that_does_not_fit_is_left_out() {
    let store = stage().await;
    let outcome = Outcome { copies: vec!["A".to_owned(), "B".to_owned()], ..Outcome::default() };
    for (quota, said, kept) in [
        (QuotaLimits { messages: Some(2), ..ANY }, vec!["not copied to B: the account has no room for it"], 1),
        (
            QuotaLimits { octets: Some(3 * 10 - 1), ..ANY },
            vec!["not copied to A: the account has no room for it", "not copied to B: the account has no room for it"],
            1,
        ),
        (QuotaLimits { octets: Some(6 * 10), ..ANY }, vec![], 2),
    ] {
        let before = there(&store, "INBOX").await.unwrap().0;
        let filed = deliver(&store, "0123456789", &outcome, quota).await;
        assert_eq!(filed.left_out, said);
        assert_eq!(there(&store, "INBOX").await.unwrap().0, before + 1, "the message itself is there");
        assert_eq!(there(&store, "A").await.unwrap().0, kept);
    }
    sound(&store).await;
}

/// As many keywords as a mailbox may have, in that one.
async fn fill_keywords(store: &Store, folder: &str) {
    for n in 0..KEYWORDS_MAX / 8 {
        let tags = (0..8).map(|k| tag(&format!("t{}", n * 8 + k))).collect();
        deliver(store, "full", &Outcome { tags, ..moved(folder) }, ANY).await;
    }
}

#[tokio::test]
async fn i03_tags_that_find_no_room_are_told_in_one_line() {
    let store = stage().await;
    fill_keywords(&store, "INBOX").await;
    let tags = (0..100).map(|n| tag(&format!("more{n}"))).collect();
    let filed = deliver(&store, "x", &Outcome { tags, copies: vec!["A".to_owned()], ..Outcome::default() }, ANY).await;
    assert_eq!(filed.left_out, ["not given 100 tags: INBOX has as many as it may have"]);
    assert_eq!(there(&store, "A").await.unwrap().1.keywords.len(), 100);
}

#[tokio::test]
async fn i04_a_message_whose_tags_find_no_room_stays_and_holds_up_no_other() {
    let store = stage().await;
    fill_keywords(&store, "Full").await;
    deliver(&store, "1", &Outcome { tags: [tag("own")].into(), ..Outcome::default() }, ANY).await;
    deliver(&store, "2", &Outcome { tags: [tag("t7")].into(), ..Outcome::default() }, ANY).await;
    deliver(&store, "3", &Outcome::default(), ANY).await;
    let full = u32::try_from(KEYWORDS_MAX / 8).unwrap();
    let stays = "Full has no room for the tags of some messages: they stay where they are";
    let copied = Outcome { copies: vec!["Full".to_owned()], ..Outcome::default() };
    assert_eq!(file(&store, copied, &[1, 2, 3]).await, (3, vec![stays.to_owned()]));
    assert_eq!(there(&store, "Full").await.unwrap().0, full + 2);
    // A tag of the filter for which there is no room is left out, as it is for what comes in.
    let new = Outcome { tags: [tag("new")].into(), ..moved("Full") };
    let untagged = "not tagged new: Full has as many tags as it may have";
    assert_eq!(file(&store, new, &[1, 2, 3]).await, (3, vec![stays.to_owned(), untagged.to_owned()]));
    assert_eq!(there(&store, "Full").await.unwrap(), (full + 4, Flags::default()));
    assert_eq!(there(&store, "INBOX").await.unwrap(), (1, Flags { keywords: [tag("own")].into(), ..Flags::default() }));
    sound(&store).await;
}

fn filters(account: AccountId, names: &[&str]) -> Object {
    let filter = |name: &&str| Filter {
        conditions: vec![Condition::Attachment { present: true }],
        stop: true,
        ..Filter::new(*name)
    };
    Object::Filters(FilterSet { account, filters: names.iter().map(filter).collect() })
}

#[test]
fn i03_much_to_compare_holds_up_nobody() {
    let conditions: Vec<Condition> =
        (0..filter::limits::CONDITIONS_MAX).map(|n| format!("subject contains {n}x").parse().unwrap()).collect();
    let one = |n: usize| Filter { conditions: conditions.clone(), stop: true, ..Filter::new(n.to_string()) };
    let set = Arc::new(FilterSet { account: ALICE, filters: (0..40).map(one).collect() });
    let header = format!("Subject: {}\r\n\r\n", "\u{2057}".repeat(10_000));
    let view = Arc::new(MessageView::new(header.as_bytes(), false, 1));
    let much = compares(&set.filters, &view);
    assert!(much > COMPARED_AT_ONCE_OCTETS && much <= 2_000 * (filter::limits::TEXT_OCTETS_MAX + 1), "{much}");
    // The only thread for long work is busy until others on the test's thread have had their turn: what waits for it
    // lets them go on, and what compares on the test's own thread is found out.
    let runtime = tokio::runtime::Builder::new_current_thread().max_blocking_threads(1).build().unwrap();
    runtime.block_on(async {
        let (free, busy) = std::sync::mpsc::sync_channel(1);
        drop(tokio::task::spawn_blocking(move || busy.recv()));
        let others = std::cell::Cell::new(0);
        let decided = async {
            let decision = decided(&set, &view, Place::Inbox).await;
            assert!(others.get() > 0, "others had their turn");
            decision
        };
        let other = async {
            others.set(1);
            free.send(()).unwrap();
        };
        assert_eq!(tokio::join!(decided, other).0, decide(&set.filters, &view, Place::Inbox));
    });
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
