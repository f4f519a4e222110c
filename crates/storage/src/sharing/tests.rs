//! Members, lists, seen states and Message-IDs over the store in memory; each damage gives its finding.

use std::sync::Arc;

use bytes::Bytes;
use filter::Outcome;
use mail::{AccountId, Address, Flags, InternalDate, Keyword, MailboxId, ModSeq, SystemFlags, Timestamp, Uid};
use message::{MessageRecord, Scanner};
use proptest::prelude::*;
use routing::objects::{AccountKind, AccountObject, DomainObject, Member, Object, SeenState, SharedMailbox};
use routing::{Acl, Identifier, Rights};
use world::simulated::SimulatedWorld;

use super::transfer::End;
use super::{By, FlagMask, acl, message_ids, person_seen};
use crate::check::{Flaw, check};
use crate::keys;
use crate::limits::{KEYWORDS_MAX, PERSON_CHANGES_MAX};
use crate::messages::{ExpungeScope, FlagChange, NewMessage};
use crate::objects::PutMode;
use crate::{MemoryEngine, StorageError, Store};

const ALICE: AccountId = AccountId(1);
const BOB: AccountId = AccountId(2);
const INFO: AccountId = AccountId(3);
const INBOX: MailboxId = MailboxId(1);
const SENT: MailboxId = MailboxId(3);

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
    let members = [("alice", "lrswipkxtea"), ("bob", "lrs")];
    let members = members.map(|(name, rights)| Member { account: address(name), rights: rights.to_owned() });
    let shared = SharedMailbox { members: members.into(), seen: SeenState::PerPerson, ..SharedMailbox::default() };
    let info = AccountObject { kind: AccountKind::Shared, shared: Some(shared), ..AccountObject::new(address("info")) };
    assert_eq!(store.add_account(info).await.unwrap().value.id, INFO);
    Stage { engine, store }
}

fn content(id: &str) -> String {
    format!("Message-ID: <{id}>\r\n\r\nx\r\n")
}

fn record(id: &str) -> Bytes {
    let structure = Scanner::scan(content(id).as_bytes());
    Bytes::from(MessageRecord::new(&structure, Vec::new(), Vec::new(), Vec::new()).encode())
}

impl Stage {
    async fn deposit(&self, account: AccountId, mailbox: MailboxId, id: &str) -> Uid {
        let mut writer = self.store.blob_writer();
        writer.write(content(id).as_bytes()).await.unwrap();
        let blob = writer.finish();
        let message = NewMessage {
            blob: blob.hash,
            octets: blob.octets,
            flags: Flags::default(),
            internal_date: InternalDate::from(self.store.now()),
            saved_at: self.store.now(),
            record: Some(record(id)),
        };
        self.store.append(account, mailbox, blob, message).await.unwrap().value.uid
    }

    async fn flaws(&self) -> Vec<Flaw> {
        let mut flaws = Vec::new();
        check(&self.store, false, &mut |finding| flaws.push(finding.flaw)).await.unwrap();
        flaws.sort();
        flaws
    }

    async fn subscriptions(&self, who: AccountId) -> Vec<String> {
        let all = self.store.subscriptions(who).await.unwrap();
        all.into_iter().filter(|name| name.starts_with("Shared/")).collect()
    }

    async fn edit_info(&self, edit: impl FnOnce(&mut SharedMailbox)) {
        let mut info = (**self.store.directory().account_by_id(INFO).unwrap()).clone();
        edit(info.shared.as_mut().unwrap());
        self.store.put_object(Object::Account(info), PutMode::Replace).await.unwrap();
    }

    async fn line(&self, who: AccountId, rights: &str) {
        let rights = Rights::parse(rights).unwrap();
        let edit = move |acl: &mut Acl| acl.set(Identifier::Account(who), false, rights);
        self.store.edit_acl(INFO, INBOX, edit).await.unwrap();
    }

    async fn seen(&self, who: AccountId, change: FlagChange) -> Vec<bool> {
        let by = By { mask: FlagMask::ALL, person: Some(who) };
        let uids = [Uid(1), Uid(2), Uid(3)];
        let done = self.store.transact(move |tx| tx.change_flags_by(INFO, INBOX, &uids, &change, None, by)).await;
        done.unwrap().value.rows.iter().map(|row| row.system_flags.contains(SystemFlags::SEEN)).collect()
    }
}

#[tokio::test]
async fn r07_members_are_subscribed_when_they_join_and_no_longer_when_they_leave() {
    let s = stage().await;
    let all =
        ["", "/Archive", "/Drafts", "/Junk", "/Sent", "/Trash"].map(|name| format!("Shared/info@example.org{name}"));
    assert_eq!(s.subscriptions(ALICE).await, all);
    assert_eq!(s.subscriptions(BOB).await, all);
    s.edit_info(|shared| shared.members.retain(|member| member.account != address("bob"))).await;
    assert_eq!(s.subscriptions(BOB).await, Vec::<String>::new());
    assert_eq!(s.subscriptions(ALICE).await, all, "whoever stays keeps them");
    s.edit_info(|shared| shared.members.push(Member { account: address("bob"), rights: "r".to_owned() })).await;
    assert_eq!(s.subscriptions(BOB).await, Vec::<String>::new(), "not what can't be looked up");
    s.store.remove_account(&address("info")).await.unwrap();
    assert_eq!(s.subscriptions(ALICE).await, Vec::<String>::new());
    assert_eq!(s.flaws().await, vec![]);
}

#[tokio::test]
async fn r07_members_are_subscribed_to_new_folders_that_they_see() {
    let s = stage().await;
    let before = s.subscriptions(ALICE).await;
    let new = |names: &[&str]| {
        let names = names.iter().map(|name| format!("Shared/info@example.org/{name}"));
        let mut all: Vec<String> = before.iter().cloned().chain(names).collect();
        all.sort();
        all
    };
    s.store.create_mailbox_by(INFO, "Orders/Open", None, false).await.unwrap();
    for who in [ALICE, BOB] {
        assert_eq!(s.subscriptions(who).await, new(&["Orders", "Orders/Open"]));
    }
    // By a filter, too; not who has no right to see it, nor who wants to see nothing of the mailbox.
    s.line(BOB, "r").await;
    s.store.create_mailbox_by(INFO, "Hidden", None, false).await.unwrap();
    s.store.set_subscription(ALICE, "Shared/info@example.org", false).await.unwrap();
    s.deposit(INFO, INBOX, "a").await;
    let moved = Outcome { folder: Some("Filed".to_owned()), ..Outcome::default() };
    s.store.file_messages(INFO, INBOX, vec![(moved, vec![Uid(1)])]).await.unwrap();
    assert_eq!(s.subscriptions(BOB).await, new(&["Orders", "Orders/Open", "Filed"]));
    let alice = s.subscriptions(ALICE).await;
    assert!(alice.iter().any(|name| name.ends_with("/Hidden")) && !alice.iter().any(|name| name.ends_with("/Filed")));
    assert_eq!(s.flaws().await, vec![]);
}

#[tokio::test]
async fn r07_what_people_have_read_stays_read_where_filters_put_it() {
    let s = stage().await;
    for id in ["a", "b", "c"] {
        s.deposit(INFO, INBOX, id).await;
    }
    let mark =
        |who: AccountId, uid: u32| s.store.transact(move |tx| tx.mark_seen(INFO, INBOX, who, &[(Uid(uid), true)]));
    mark(ALICE, 1).await.unwrap();
    mark(ALICE, 2).await.unwrap();
    mark(BOB, 2).await.unwrap();
    let filed = Outcome { folder: Some("Filed".to_owned()), copies: vec!["Copies".to_owned()], ..Outcome::default() };
    s.store.file_messages(INFO, INBOX, vec![(filed, vec![Uid(1), Uid(2), Uid(3)])]).await.unwrap();
    for name in ["Filed", "Copies"] {
        let row = s.store.mailbox_by_name(INFO, name).await.unwrap().unwrap();
        for (who, read) in [(ALICE, vec![1, 2]), (BOB, vec![2])] {
            let state = s.store.person_seen(INFO, row.id, who).await.unwrap();
            let seen: Vec<u32> = (1..=3).filter(|uid| state.seen.contains(Uid(*uid))).collect();
            assert_eq!(seen, read, "{name} {who}");
        }
    }
    let left = s.store.person_seen(INFO, INBOX, ALICE).await.unwrap();
    assert_eq!(left.seen.count(), 0);
    assert_eq!(s.flaws().await, vec![]);
}

#[tokio::test]
async fn r07_who_goes_is_forgotten_everywhere() {
    let s = stage().await;
    for id in ["a", "b", "c"] {
        s.deposit(INFO, INBOX, id).await;
    }
    s.line(BOB, "lr").await;
    s.line(ALICE, "lra").await;
    let plans = s.store.create_mailbox(ALICE, "Plans", None).await.unwrap().value.id;
    let everyone = |acl: &mut Acl| acl.set(Identifier::Anyone, false, Rights::LOOKUP);
    s.store.edit_acl(ALICE, plans, everyone).await.unwrap();
    assert_eq!(s.seen(BOB, FlagChange::Add(Flags::system(SystemFlags::SEEN))).await, [true; 3]);
    assert_eq!(s.store.shared_with(BOB).await.unwrap(), [(ALICE, plans), (INFO, INBOX)]);
    s.store.remove_account(&address("bob")).await.unwrap();
    let list = s.store.acl(INFO, INBOX).await.unwrap();
    assert_eq!(list.entries.iter().map(|entry| entry.identifier).collect::<Vec<_>>(), [Identifier::Account(ALICE)]);
    let info = s.store.directory().account_by_id(INFO).cloned().unwrap();
    assert_eq!(info.shared.as_ref().unwrap().members.len(), 1);
    assert_eq!(s.flaws().await, vec![]);
    let line = |acl: &mut Acl| acl.set(Identifier::Account(BOB), false, Rights::READ);
    let named = s.store.edit_acl(INFO, INBOX, line).await;
    assert_eq!(named.err(), Some(StorageError::NoSuchAccount), "nor is named by who was too late to hear");
    let mark = |tx: &mut crate::Transaction<'_>| tx.mark_seen(INFO, INBOX, BOB, &[(Uid(1), true)]);
    assert_eq!(s.store.transact(mark).await.err(), Some(StorageError::NoSuchAccount));
    // One who comes later under the same address finds no door open.
    let again = s.store.add_account(AccountObject::new(address("bob"))).await.unwrap().value.id;
    assert_eq!(s.store.shared_with(again).await.unwrap(), [(ALICE, plans)]);
    s.store.remove_account(&address("alice")).await.unwrap();
    assert_eq!(s.store.shared_with(again).await.unwrap(), []);
    assert_eq!(s.flaws().await, vec![]);
}

#[tokio::test]
async fn a_new_mailbox_has_the_list_of_the_one_above_it() {
    let s = stage().await;
    s.line(BOB, "lrk").await;
    let plans = s.store.create_mailbox(INFO, "Plans", None).await.unwrap().value.id;
    assert!(s.store.acl(INFO, plans).await.unwrap().is_empty(), "an owner's first level is below nothing");
    let theirs = s.store.create_mailbox_by(INFO, "Theirs", None, false).await.unwrap().value.id;
    assert_eq!(s.store.acl(INFO, theirs).await.unwrap(), s.store.acl(INFO, INBOX).await.unwrap());
    let below = s.store.create_mailbox(INFO, "Theirs/a/b", None).await.unwrap().value.id;
    assert_eq!(s.store.acl(INFO, below).await.unwrap(), s.store.acl(INFO, INBOX).await.unwrap());
    let _done = s.store.delete_mailbox(INFO, "Theirs/a/b").await.unwrap();
    assert!(s.store.acl(INFO, below).await.unwrap().is_empty());
    assert_eq!(s.flaws().await, vec![]);
}

#[tokio::test]
async fn one_persons_seen_is_not_anothers() {
    let s = stage().await;
    for id in ["a", "b", "c"] {
        s.deposit(INFO, INBOX, id).await;
    }
    let seen = Flags::system(SystemFlags::SEEN);
    assert_eq!(s.seen(ALICE, FlagChange::Add(seen.clone())).await, [true; 3]);
    assert_eq!(s.seen(BOB, FlagChange::Add(Flags::system(SystemFlags::FLAGGED))).await, [false; 3]);
    assert_eq!(s.store.inbox(INFO).await.unwrap().unseen, 3, "the mailbox's own is nobody's");
    let row = s.store.inbox(INFO).await.unwrap();
    let alice = s.store.person_seen(INFO, INBOX, ALICE).await.unwrap();
    assert_eq!((alice.unseen_of(&row), alice.seen.count()), (0, 3));
    // A replacement takes \Seen away for who replaces, and for nobody else; the other flags are everyone's.
    assert_eq!(s.seen(ALICE, FlagChange::Replace(Flags::default())).await, [false; 3]);
    assert_eq!(s.seen(BOB, FlagChange::Replace(seen)).await, [true; 3]);
    let rows = s.store.messages(INFO, INBOX, Uid(1), Uid(9), 9).await.unwrap();
    assert!(rows.iter().all(|row| row.system_flags == SystemFlags(0)));
    let now = s.store.now();
    let expunge = move |tx: &mut crate::Transaction<'_>| tx.expunge(INFO, INBOX, &[Uid(2)], ExpungeScope::All, now);
    s.store.transact(expunge).await.unwrap();
    assert_eq!(s.store.person_seen(INFO, INBOX, BOB).await.unwrap().seen.iter().collect::<Vec<_>>(), [Uid(1), Uid(3)]);
    assert_eq!(s.flaws().await, vec![]);
}

#[tokio::test]
async fn copies_carry_what_their_reader_sees() {
    let s = stage().await;
    for id in ["a", "b"] {
        s.deposit(INFO, INBOX, id).await;
    }
    let seen = FlagChange::Add(Flags::system(SystemFlags::SEEN));
    let by = By { mask: FlagMask::ALL, person: Some(BOB) };
    let mark = move |tx: &mut crate::Transaction<'_>| tx.change_flags_by(INFO, INBOX, &[Uid(1)], &seen, None, by);
    s.store.transact(mark).await.unwrap();
    let from = End { owner: INFO, mailbox: INBOX, by };
    let home = End { owner: BOB, mailbox: INBOX, by: By::OWNER };
    let (_, pairs) = s.store.transfer(from, vec![Uid(1), Uid(2), Uid(77)], home, false).await.unwrap().value;
    assert_eq!(pairs, [(Uid(1), Uid(1)), (Uid(2), Uid(2))]);
    assert_eq!(s.store.inbox(BOB).await.unwrap().unseen, 1);
    // And back, by someone who may not set \Seen there.
    let only_insert = By { mask: FlagMask::of(Rights::INSERT), person: Some(BOB) };
    let back = End { owner: INFO, mailbox: SENT, by: only_insert };
    s.store.transfer(home, vec![Uid(1)], back, true).await.unwrap();
    assert_eq!(s.store.person_seen(INFO, SENT, BOB).await.unwrap().seen.count(), 0);
    assert_eq!((s.store.inbox(BOB).await.unwrap().messages, s.store.usage(INFO).await.unwrap().messages), (1, 3));
    assert_eq!(s.flaws().await, vec![]);
}

#[tokio::test]
async fn a_transfer_that_does_not_fit_changes_nothing() {
    let s = stage().await;
    let mut info = (**s.store.directory().account_by_id(INFO).unwrap()).clone();
    info.quota_octets = Some(3);
    s.store.put_object(Object::Account(info), PutMode::Replace).await.unwrap();
    for id in ["aa", "bb"] {
        s.deposit(BOB, INBOX, id).await;
    }
    let home = End { owner: BOB, mailbox: INBOX, by: By::OWNER };
    let there = End { owner: INFO, mailbox: INBOX, by: By::OWNER };
    let moved = s.store.transfer(home, vec![Uid(1), Uid(2)], there, true).await;
    assert_eq!(moved.err(), Some(StorageError::OverQuota));
    assert_eq!((s.store.usage(BOB).await.unwrap().messages, s.store.usage(INFO).await.unwrap().messages), (2, 0));
    assert_eq!(s.flaws().await, vec![]);
}

#[tokio::test]
async fn r07_an_answer_marks_what_it_answers_wherever_that_went() {
    let s = stage().await;
    s.deposit(INFO, INBOX, "a@x").await;
    s.deposit(INFO, INBOX, "b@x").await;
    s.deposit(BOB, INBOX, "a@x").await;
    let moved = s.store.move_messages(INFO, INBOX, vec![Uid(1)], SENT).await.unwrap();
    assert_eq!(moved.value.1.len(), 1);
    let by_alice = Keyword::parse("answered-by-alice").unwrap();
    let mark = move |tx: &mut crate::Transaction<'_>| {
        let ids = ["a@x".to_owned(), "nobody@x".to_owned()];
        Ok((tx.mark_answered(INFO, &ids, &by_alice)?, tx.mark_answered(BOB, &ids, &by_alice)?))
    };
    assert_eq!(s.store.transact(mark).await.unwrap().value, (1, 0), "people's own mail is not looked through");
    let sent = s.store.mailbox(INFO, SENT).await.unwrap().unwrap();
    let row = s.store.messages(INFO, SENT, Uid(1), Uid(9), 9).await.unwrap().remove(0);
    let flags = sent.flags_of(&row);
    assert_eq!(flags.system, SystemFlags::ANSWERED);
    assert_eq!(flags.keywords.iter().map(Keyword::as_str).collect::<Vec<_>>(), ["answered-by-alice"]);
    assert_eq!(s.flaws().await, vec![]);
    s.store.remove_account(&address("info")).await.unwrap();
    assert_eq!(s.flaws().await, vec![]);
}

#[tokio::test]
async fn r07_where_no_keyword_fits_answered_is_said_all_the_same() {
    let s = stage().await;
    s.deposit(INFO, INBOX, "a@x").await;
    let fill = |from: usize, to: usize| {
        let keywords = (from..to).map(|n| Keyword::parse(&format!("k{n}")).unwrap()).collect();
        FlagChange::Add(Flags { system: SystemFlags(0), keywords })
    };
    let answer = |name: &'static str| {
        move |tx: &mut crate::Transaction<'_>| {
            tx.mark_answered(INFO, &["a@x".to_owned()], &Keyword::parse(name).unwrap())
        }
    };
    let _done = s.store.change_flags(INFO, INBOX, vec![Uid(1)], fill(0, KEYWORDS_MAX - 1), None).await.unwrap();
    s.store.transact(answer("answered-by-alice")).await.unwrap();
    let full = s.store.inbox(INFO).await.unwrap();
    assert_eq!((full.keywords.len(), full.keywords.last().unwrap().as_str()), (KEYWORDS_MAX, "answered-by-alice"));
    assert_eq!(s.store.transact(answer("answered-by-bob")).await.unwrap().value, 1);
    let row = s.store.messages(INFO, INBOX, Uid(1), Uid(1), 1).await.unwrap().remove(0);
    assert!(row.system_flags.contains(SystemFlags::ANSWERED));

    // One place less taken, and $Answered in it: that is used.
    s.deposit(INFO, SENT, "b@x").await;
    let _done = s.store.change_flags(INFO, SENT, vec![Uid(1)], fill(0, KEYWORDS_MAX - 1), None).await.unwrap();
    let general =
        FlagChange::Add(Flags { system: SystemFlags(0), keywords: [Keyword::parse("$Answered").unwrap()].into() });
    let _done = s.store.change_flags(INFO, SENT, vec![Uid(1)], general.clone(), None).await.unwrap();
    let FlagChange::Add(flags) = general else { return };
    let _done = s.store.change_flags(INFO, SENT, vec![Uid(1)], FlagChange::Remove(flags), None).await.unwrap();
    let mark = |tx: &mut crate::Transaction<'_>| {
        tx.mark_answered(INFO, &["b@x".to_owned()], &Keyword::parse("answered-by-bob").unwrap())
    };
    s.store.transact(mark).await.unwrap();
    let sent = s.store.mailbox(INFO, SENT).await.unwrap().unwrap();
    let row = s.store.messages(INFO, SENT, Uid(1), Uid(1), 1).await.unwrap().remove(0);
    assert!(sent.flags_of(&row).keywords.contains(&Keyword::parse("$answered").unwrap()));
}

/// What it is, the row and what it becomes, and what must be found.
type Damage = (&'static str, Vec<u8>, Option<Bytes>, Vec<Flaw>);

#[tokio::test]
async fn each_damage_is_found() {
    let s = stage().await;
    s.deposit(INFO, INBOX, "a@x").await;
    s.line(BOB, "lr").await;
    s.seen(BOB, FlagChange::Add(Flags::system(SystemFlags::SEEN))).await;
    assert_eq!(s.flaws().await, vec![]);
    let state = person_seen::state_key(INFO, INBOX, BOB);
    let seen = s.store.person_seen(INFO, INBOX, BOB).await.unwrap();
    let with = |edit: fn(&mut person_seen::PersonSeen)| {
        let mut seen = seen.clone();
        edit(&mut seen);
        Some(crate::rows::encode(1, &seen).unwrap())
    };
    let stranger = AccountId(99);
    let list = |who| {
        let mut acl = Acl::default();
        acl.set(Identifier::Account(who), false, Rights::READ);
        Some(crate::rows::encode(1, &acl).unwrap())
    };
    let table: Vec<Damage> = vec![
        ("list unreadable", acl::list_key(INFO, INBOX), Some(Bytes::from_static(b"?")), vec![Flaw::Undecodable; 2]),
        ("list gone", acl::list_key(INFO, INBOX), None, vec![Flaw::AccessList]),
        ("reader's row gone", acl::named_key(Identifier::Account(BOB), INFO, INBOX), None, vec![Flaw::AccessList]),
        (
            "reader's row of nothing",
            acl::named_key(Identifier::Anyone, INFO, SENT),
            Some(Bytes::new()),
            vec![Flaw::AccessList],
        ),
        ("list of no mailbox", acl::list_key(INFO, MailboxId(77)), list(BOB), vec![Flaw::Orphans, Flaw::AccessList]),
        (
            "list names a stranger",
            acl::list_key(INFO, INBOX),
            list(stranger),
            vec![Flaw::AccessList, Flaw::AccessList, Flaw::UnknownIdentifier],
        ),
        ("seen unreadable", state.clone(), Some(Bytes::from_static(b"?")), vec![Flaw::Undecodable]),
        ("seen gone", state.clone(), None, vec![Flaw::PersonSeen]),
        ("reads gone", person_seen::reads_key(BOB, INFO, INBOX), None, vec![Flaw::PersonSeen]),
        (
            "seen what is not there",
            state.clone(),
            with(|seen| {
                seen.seen.insert(Uid(9));
            }),
            vec![Flaw::PersonSeen],
        ),
        ("seen in the future", state.clone(), with(|seen| seen.floor = ModSeq(1 << 40)), vec![Flaw::PersonSeen]),
        (
            "changes in the future",
            state.clone(),
            with(|seen| seen.changes.push((ModSeq(1 << 40), Uid(1)))),
            vec![Flaw::PersonSeen],
        ),
        ("record gone", keys::record(INFO, INBOX, Uid(1)), None, vec![Flaw::MessageId]),
        (
            "Message-ID of another",
            message_ids::key(INFO, "z@x", INBOX, Uid(1)),
            Some(Bytes::new()),
            vec![Flaw::MessageId],
        ),
    ];
    for (what, key, value, flaws) in table {
        let before = crate::Engine::get(&s.engine, &key).await.unwrap();
        s.engine.damage(key.clone(), value);
        assert_eq!(s.flaws().await, flaws, "{what}");
        s.engine.damage(key, before);
    }
    assert_eq!(s.flaws().await, vec![]);
}

#[tokio::test]
async fn many_changes_are_bounded() {
    let s = stage().await;
    let count = u32::try_from(PERSON_CHANGES_MAX).unwrap() + 20;
    for n in 0..count {
        s.deposit(INFO, INBOX, &format!("{n}@x")).await;
    }
    let wanted: Vec<(Uid, bool)> = (1..=count).map(|uid| (Uid(uid), true)).collect();
    let mark = move |tx: &mut crate::Transaction<'_>| tx.mark_seen(INFO, INBOX, BOB, &wanted);
    let state = s.store.transact(mark).await.unwrap().value;
    assert_eq!((state.seen.count(), state.seen.ranges(), state.changes.len()), (count, 1, 0));
    assert_eq!(state.changed_since(ModSeq(1)), None, "any may have changed");
    assert_eq!(s.flaws().await, vec![]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Two readers and an owner of none: whatever they mark and expunge, each sees what a simple model says, and the
    /// store is sound.
    #[test]
    fn seen_states_follow_a_model(steps in prop::collection::vec((0u8..4, 1u32..8, 0u8..2), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let s = stage().await;
            for n in 0..7 {
                s.deposit(INFO, INBOX, &format!("{n}@x")).await;
            }
            let mut model: std::collections::BTreeMap<u32, [bool; 2]> = (1..=7).map(|uid| (uid, [false; 2])).collect();
            for (what, uid, who) in steps {
                let reader = [ALICE, BOB][usize::from(who)];
                let now = s.store.now();
                let flags = Flags::system(SystemFlags::SEEN);
                let change = match what {
                    0 => FlagChange::Add(flags),
                    1 => FlagChange::Remove(flags),
                    2 => FlagChange::Replace(flags),
                    _ => {
                        let gone = move |tx: &mut crate::Transaction<'_>| {
                            tx.expunge(INFO, INBOX, &[Uid(uid)], ExpungeScope::All, now)
                        };
                        s.store.transact(gone).await.unwrap();
                        model.remove(&uid);
                        continue;
                    }
                };
                let seen = !matches!(change, FlagChange::Remove(_));
                let by = By { mask: FlagMask::of(Rights::SEEN), person: Some(reader) };
                let since = s.store.inbox(INFO).await.unwrap().highest_modseq;
                let mark = move |tx: &mut crate::Transaction<'_>| {
                    tx.change_flags_by(INFO, INBOX, &[Uid(uid)], &change, Some(since), by)
                };
                s.store.transact(mark).await.unwrap();
                if let Some(states) = model.get_mut(&uid) {
                    states[usize::from(who)] = seen;
                }
            }
            for (n, reader) in [ALICE, BOB].into_iter().enumerate() {
                let state = s.store.person_seen(INFO, INBOX, reader).await.unwrap();
                let mut rows = s.store.messages(INFO, INBOX, Uid(1), Uid(9), 9).await.unwrap();
                state.overlay(&mut rows);
                let found: Vec<(u32, bool)> =
                    rows.iter().map(|row| (row.uid.0, row.system_flags.contains(SystemFlags::SEEN))).collect();
                let expected: Vec<(u32, bool)> = model.iter().map(|(uid, seen)| (*uid, seen[n])).collect();
                assert_eq!(found, expected);
                let row = s.store.inbox(INFO).await.unwrap();
                let unseen = expected.iter().filter(|(_, seen)| !seen).count();
                assert_eq!(state.unseen_of(&row) as usize, unseen);
            }
            assert_eq!(s.flaws().await, vec![]);
        });
    }
}
