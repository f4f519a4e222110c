//! Each kind of row is damaged once, and exactly the right finding comes out.

use std::sync::Arc;

use bytes::Bytes;
use mail::{
    AccountId, BodyType, Domain, Flags, InternalDate, Keyword, MailboxId, ModSeq, SystemFlags, Timestamp, Topic, Uid,
};
use routing::objects::{
    AccountKind, AccountObject, DomainObject, ListObject, Member, Object, ObjectKey, SharedMailbox,
};
use world::simulated::SimulatedWorld;

use super::{Contents, Finding, Flaw, Scan, check, check_with};
use crate::blobs::GRAVE_KEEP;
use crate::index::{IndexBlock, index_key};
use crate::keys::{self, Key, Table};
use crate::lists::{OUTGOING, member_key};
use crate::mailboxes::doomed_key;
use crate::messages::{ExpungeScope, FlagChange, NewMessage};
use crate::objects::{PutMode, row_key};
use crate::received_reports::{ReceivedReport, ReportKey, ReportKind};
use crate::rows::{
    BlobRow, CursorRow, EventRow, IndexRow, IndexSegment, MailboxRow, MemberRow, MessageRow, ModerationDecision,
    QueueRow, UndoRow, WaitReason, WaitingRow,
};
use crate::store::{Store, counter};
use crate::usage::usage_key;
use crate::{Engine, MemoryEngine, StorageError};

const ALICE: AccountId = AccountId(1);
const INBOX: MailboxId = MailboxId(1);
/// The part of a list, once [`list`] has made it.
const GARDEN: AccountId = AccountId(3);
const TRASH: MailboxId = MailboxId(4);
const START: Timestamp = Timestamp(1_800_000_000_000);

fn domain() -> Domain {
    Domain::parse("example.org").unwrap()
}

/// Contents as the stage has them: whoever stores them knows what they are.
struct Known;

impl Contents for Known {
    fn record(&self, record: &[u8]) -> Result<(), String> {
        if record.starts_with(b"record") { Ok(()) } else { Err("no record".to_owned()) }
    }

    fn scan(&self) -> Option<Box<dyn Scan>> {
        Some(Box::new(Self))
    }

    fn event(&self, _topic: Topic, payload: &[u8]) -> Result<(), String> {
        if payload.is_ascii() { Ok(()) } else { Err("no text".to_owned()) }
    }

    fn held_message(&self, payload: &[u8]) -> Option<(AccountId, MailboxId, Uid)> {
        let uid = std::str::from_utf8(payload).ok()?.strip_prefix("held ")?.parse().ok()?;
        Some((GARDEN, INBOX, Uid(uid)))
    }

    fn answered(&self, key: &[u8], value: &[u8]) -> Result<(), String> {
        if key == b"key" && value == b"value" { Ok(()) } else { Err("no note".to_owned()) }
    }

    fn index_block(&self, first: &[u8], words: &[u8], postings: &[u8], span: u32) -> Result<(), String> {
        let sound = words.starts_with(first) && postings == b"postings" && span == 3;
        if sound { Ok(()) } else { Err("no block".to_owned()) }
    }

    fn index_lengths(&self, lengths: &[u8], span: u32) -> Result<(), String> {
        if lengths == b"lengths" && span == 3 { Ok(()) } else { Err("no lengths".to_owned()) }
    }
}

impl Scan for Known {
    fn take(&mut self, _octets: &[u8]) {}

    fn record(self: Box<Self>) -> Vec<u8> {
        b"record".to_vec()
    }
}

fn account(name: &str) -> AccountObject {
    AccountObject {
        created_at: START,
        ..AccountObject::new(mail::Address::parse(&format!("{name}@example.org")).unwrap())
    }
}

fn undo_key() -> Vec<u8> {
    Key::global(Table::Undo).bytes(&[7; 16]).done()
}

/// A store with two accounts, six messages (one of them large and in two mailboxes), an expunged one, one queue entry
/// and two events.
struct Stage {
    engine: MemoryEngine,
    store: Store,
    large: mail::BlobHash,
    small: mail::BlobHash,
    /// Expunged, in its grave.
    buried: mail::BlobHash,
}

async fn append(store: &Store, content: &[u8], flags: Flags) -> mail::BlobHash {
    append_to(store, (ALICE, INBOX), content, flags).await
}

async fn append_to(
    store: &Store,
    (account, mailbox): (AccountId, MailboxId),
    content: &[u8],
    flags: Flags,
) -> mail::BlobHash {
    let mut writer = store.blob_writer();
    writer.write(content).await.unwrap();
    let staged = writer.finish();
    let (hash, octets) = (staged.hash, staged.octets);
    let message = NewMessage {
        blob: hash,
        octets,
        flags,
        internal_date: InternalDate::from(store.now()),
        saved_at: store.now(),
        record: Some(Bytes::from_static(b"record")),
    };
    let _done = store.append(account, mailbox, staged, message).await.unwrap();
    hash
}

fn queue_row(blob: mail::BlobHash, octets: u64) -> QueueRow {
    QueueRow {
        id: mail::QueueId(0),
        destination: Domain::parse("example.net").unwrap(),
        reverse_path: mail::ReversePath::Null,
        dsn_return: None,
        envelope_id: None,
        smtputf8: false,
        sender_smtputf8: false,
        body: BodyType::SevenBit,
        blob,
        skip_octets: 0,
        octets,
        prefix: String::new(),
        trace: None,
        recipients: vec![],
        accepted_at: START,
        attempts: 0,
        next_attempt: START,
        last_error: None,
        delay_notified: false,
        held: false,
        require_tls: false,
        priority: 0,
        deliver_by: None,
        held_until: None,
        solicits: Vec::new(),
        waiting: None,
        class: crate::rows::MailClass::Report,
        route: None,
    }
}

fn member(name: &str) -> Bytes {
    MemberRow::new(account(name).address, START).encode().unwrap()
}

/// The row of a ban since 5 ms after 1970.
fn ban(prefix: &str, until: i64) -> Bytes {
    let ban = abuse::Ban {
        prefix: prefix.parse().unwrap(),
        cause: abuse::Cause::FailedLogins,
        why: "20 failed logins in an hour".to_owned(),
        since: Timestamp(5),
        until: Some(Timestamp(until)),
        times: 1,
    };
    crate::bans::encode(&ban).unwrap()
}

fn waiting() -> WaitingRow {
    WaitingRow {
        trace: None,
        automatic: false,
        require_tls: false,
        address: account("garden").address,
        recipient: account("garden").address,
        skip_octets: 0,
        reverse_path: mail::ReversePath::Null,
        account: None,
        received_at: START,
        author: None,
        subject: String::new(),
        octets: 5,
        reason: WaitReason::Moderated,
        expires: START,
        decision: None,
    }
}

async fn stage() -> Stage {
    let engine = MemoryEngine::default();
    let world = SimulatedWorld::new(START, 7).world();
    let store = Store::open(Arc::new(engine.clone()), world).await.unwrap();
    let domain = Object::Domain(DomainObject { created_at: START, ..DomainObject::new(domain()) });
    let _domain = store.put_object(domain, PutMode::Add).await.unwrap();
    let _alice = store.add_account(account("alice")).await.unwrap();
    let _bob = store.add_account(account("bob")).await.unwrap();
    let noise: Vec<u8> =
        (0..200_000_u32).flat_map(|n| blake3::hash(&n.to_be_bytes()).as_bytes()[..1].to_vec()).collect();
    let large = append(&store, &noise, Flags::default()).await;
    let small = append(&store, b"small", Flags::default()).await;
    let buried = append(&store, b"buried", Flags::default()).await;
    let marked = Flags { system: SystemFlags::SEEN, keywords: [Keyword::parse("work").unwrap()].into() };
    append(&store, b"marked", marked).await;
    let _done = store.copy((ALICE, INBOX), vec![Uid(1)], (ALICE, TRASH)).await.unwrap();
    let deleted = FlagChange::Add(Flags::system(SystemFlags::DELETED));
    let _done = store.change_flags(ALICE, INBOX, vec![Uid(3)], deleted, None).await.unwrap();
    let _done = store.expunge(ALICE, INBOX, vec![Uid(3)], ExpungeScope::Deleted).await.unwrap();
    let _done = store
        .transact(move |tx| {
            tx.enqueue(queue_row(small, 5))?;
            tx.emit(Topic::MessageStored, START, b"first".to_vec())?;
            let second = tx.emit(Topic::MessageStored, START, b"second".to_vec())?;
            tx.park_event(Topic::MessageStored, second, "too often")
        })
        .await
        .unwrap();
    for finished in [true, false] {
        let place = store.begin_index_segment(ALICE, INBOX).await.unwrap().value;
        let text = |text: &'static str| Bytes::from_static(text.as_bytes());
        let (words, postings) = (text("word"), text("postings"));
        let block = IndexBlock { zone: 0, first: words.clone(), words, postings };
        let _done = store.put_index_blocks(place, vec![block]).await.unwrap();
        let range = (Uid(1), Uid(3));
        let segment = IndexSegment { number: 0, first: range.0, last: range.1, messages: 3, partial: false };
        if finished {
            let segment = Some((segment, text("lengths")));
            let _done = store.finish_index_segment(place, segment, Vec::new(), range.1).await.unwrap();
        }
    }
    Stage { engine, store, large, small, buried }
}

fn index_block(table: Table, segment: u32, first: &str) -> Vec<u8> {
    Key::of(table, ALICE).u32(INBOX.0).u32(segment).u8(0).bytes(first.as_bytes()).done()
}

impl Stage {
    async fn findings(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        // What `relais check` opens: nothing has been read of it before.
        let store = Store::unopened(Arc::new(self.engine.clone()), self.store.world().clone());
        check_with(&store, true, &Known, &mut |finding| findings.push(finding)).await.unwrap();
        findings
    }

    async fn flaws(&self) -> Vec<Flaw> {
        let mut flaws: Vec<Flaw> = self.findings().await.into_iter().map(|finding| finding.flaw).collect();
        flaws.sort();
        flaws
    }

    async fn get(&self, key: &[u8]) -> Bytes {
        self.engine.get(key).await.unwrap().expect("the row is there")
    }

    async fn edit_mailbox(&self, edit: impl FnOnce(&mut MailboxRow)) {
        let key = keys::mailbox(ALICE, INBOX);
        let mut row = MailboxRow::decode(&self.get(&key).await).unwrap();
        edit(&mut row);
        self.engine.damage(key, Some(row.encode().unwrap()));
    }

    async fn edit_index(&self, edit: impl FnOnce(&mut IndexRow)) {
        let key = index_key(ALICE, INBOX);
        let mut row = IndexRow::decode(&self.get(&key).await).unwrap();
        edit(&mut row);
        self.put(key, row.encode().unwrap());
    }

    async fn edit_message(&self, uid: Uid, edit: impl FnOnce(&mut MessageRow)) {
        let key = keys::message(ALICE, INBOX, uid);
        let mut row = MessageRow::decode(uid, &self.get(&key).await).unwrap();
        edit(&mut row);
        self.engine.damage(key, Some(row.encode()));
    }

    async fn edit_blob(&self, hash: &mail::BlobHash, edit: impl FnOnce(&mut BlobRow)) {
        let mut row = self.blob(hash).await;
        edit(&mut row);
        self.engine.damage(keys::blob(hash), Some(row.encode().unwrap()));
    }

    async fn blob(&self, hash: &mail::BlobHash) -> BlobRow {
        BlobRow::decode(&self.get(&keys::blob(hash)).await).unwrap()
    }

    /// A row of a block that tells of one message.
    fn flags(&self, uid: Uid, modseq: ModSeq) -> Vec<u8> {
        let mut bits = vec![0; uid.0 as usize / 8 + 1];
        bits[uid.0 as usize / 8] = 1 << (uid.0 % 8);
        let octets = u8::try_from(bits.len()).unwrap();
        [&[1][..], &modseq.0.to_be_bytes(), &[0, octets], &bits].concat()
    }

    fn put_flags(&self, uid: Uid, modseq: ModSeq) {
        self.put(keys::flag_block(ALICE, INBOX, Uid(0)), self.flags(uid, modseq));
    }

    fn put(&self, key: Vec<u8>, value: impl Into<Bytes>) {
        self.engine.damage(key, Some(value.into()));
    }

    fn remove(&self, key: Vec<u8>) {
        self.engine.damage(key, None);
    }

    /// A report of others on a domain.
    async fn keep_report(&self) {
        let name = Domain::parse("a.example").unwrap();
        let key = ReportKey { kind: ReportKind::Dmarc, day: 1, digest: [7; 16] };
        let report = ReceivedReport { received_at: START, verified: None, content: b"it".to_vec() };
        self.store.transact(move |tx| tx.keep_report(&name, &key, &report)).await.unwrap();
    }
}

fn report_totals() -> Vec<u8> {
    Key::global(Table::ReceivedReports).bytes(b"\x01a.example\0").done()
}

#[tokio::test]
async fn a_sound_store_has_no_findings() {
    let stage = stage().await;
    assert_eq!(stage.findings().await, vec![]);
    let checked = check(&stage.store, true, &mut |_| {}).await.unwrap();
    assert_eq!((checked.accounts, checked.mailboxes, checked.messages), (2, 12, 4));
    assert_eq!((checked.blobs, checked.queue_entries, checked.findings), (4, 1, 0));
    assert_eq!((checked.events, checked.parked_events), (2, 1));
    assert_eq!((checked.groups, checked.lists), (0, 0));
    list(&stage).await;
    let checked = check(&stage.store, true, &mut |_| {}).await.unwrap();
    assert_eq!((checked.accounts, checked.groups, checked.lists), (2, 0, 1));
}

/// A list with three messages in its INBOX and one on its way out: the first has an event, the second waits undecided, the third
/// goes out.
async fn list(stage: &Stage) -> MailboxId {
    let garden = mail::Address::parse("garden@example.org").unwrap();
    let garden = ListObject { owners: vec![account("alice").address], created_at: START, ..ListObject::new(garden) };
    let garden = stage.store.add_list(garden).await.unwrap().value;
    assert_eq!(garden.id, GARDEN);
    let outgoing = stage.store.create_mailbox(GARDEN, OUTGOING, None).await.unwrap().value.id;
    for mailbox in [INBOX, INBOX, INBOX, outgoing] {
        append_to(&stage.store, (GARDEN, mailbox), b"small", Flags::default()).await;
    }
    let _done = stage
        .store
        .transact(move |tx| {
            tx.emit(Topic::HeldMessage, START, b"held 1".to_vec())?;
            tx.put_waiting(GARDEN, Uid(2), &waiting())?;
            let third = tx.emit(Topic::HeldMessage, START, b"held 3".to_vec())?;
            tx.park_event(Topic::HeldMessage, third, "too often")?;
            tx.put_list_cursor(GARDEN, Uid(3), &cursor(outgoing))
        })
        .await
        .unwrap();
    outgoing
}

fn cursor(mailbox: MailboxId) -> CursorRow {
    CursorRow {
        mailbox,
        uid: Uid(1),
        blob: mail::BlobHash([0; 32]),
        after: None,
        sent: 0,
        author: None,
        rewrite_from: false,
    }
}

/// bob's account becomes a shared mailbox of these.
async fn share(stage: &Stage, members: &[&str]) {
    let key = row_key(&ObjectKey::Account(account("bob").address));
    let Ok(Object::Account(mut bob)) = serde_json::from_slice(&stage.get(&key).await) else { panic!("bob's account") };
    bob.kind = AccountKind::Shared;
    let member = |name: &&str| Member { account: account(name).address, rights: "lrs".to_owned() };
    bob.shared = Some(SharedMailbox { members: members.iter().map(member).collect(), ..SharedMailbox::default() });
    stage.put(key, serde_json::to_vec(&Object::Account(bob)).unwrap());
}

/// One test for each piece of damage: what is done to the stage, and the flaws that must be found, in order of [`Flaw`].
macro_rules! damage {
    ($($name:ident($stage:ident) $body:block => $flaws:expr;)*) => {$(
        #[tokio::test]
        async fn $name() {
            let $stage = stage().await;
            $body
            assert_eq!($stage.flaws().await, $flaws, "{:#?}", $stage.findings().await);
        }
    )*};
}

damage! {
    unknown_table(s) { s.put(vec![0x7A, 1], "?"); } => [Flaw::UnknownTable];
    object_unreadable(s) { s.put(row_key(&ObjectKey::Domain(Domain::parse("a.org").unwrap())), "{"); }
        => [Flaw::Undecodable];
    member_of_a_shared_mailbox(s) { share(&s, &["alice", "carol"]).await; } => [Flaw::UnknownIdentifier];
    members_that_are_there(s) { share(&s, &["Alice"]).await; } => [];
    stamp_missing(s) { s.remove(Key::global(Table::Meta).bytes(b"format").done()); } => [Flaw::Stamp];
    stamp_unreadable(s) { s.put(Key::global(Table::Meta).bytes(b"format").done(), "1"); } => [Flaw::Stamp];
    domain_gone(s) { s.remove(row_key(&ObjectKey::Domain(domain()))); } => [Flaw::NoDomain; 2];
    record_unreadable(s) { s.put(keys::record(ALICE, INBOX, Uid(2)), "?"); } => [Flaw::RecordContent];
    record_of_another_message(s) { s.put(keys::record(ALICE, INBOX, Uid(2)), "record of another"); }
        => [Flaw::RecordContent];
    answered(s) { s.put(Key::global(Table::Answered).bytes(b"key").done(), "value"); } => [];
    answered_unreadable(s) { s.put(Key::global(Table::Answered).bytes(b"key").done(), "?"); } => [Flaw::Answered];
    event_content(s) {
        let mut row = EventRow::decode(&s.get(&keys::event(Topic::MessageStored, 1)).await).unwrap();
        row.payload = vec![0xFF];
        s.put(keys::event(Topic::MessageStored, 1), row.encode().unwrap());
    } => [Flaw::EventContent];
    object_under_another_key(s) {
        let value = s.get(&row_key(&ObjectKey::Account(account("bob").address))).await;
        s.remove(row_key(&ObjectKey::Account(account("bob").address)));
        s.put(row_key(&ObjectKey::Account(account("bo").address)), value);
    } => [Flaw::ObjectKey];
    two_accounts_with_one_number(s) {
        let mut other = account("carol");
        other.id = ALICE;
        s.put(row_key(&ObjectKey::Account(account("carol").address)), serde_json::to_vec(&Object::Account(other)).unwrap());
    } => [Flaw::AccountNumber];
    account_without_object(s) { s.remove(row_key(&ObjectKey::Account(account("bob").address))); }
        => [Flaw::Orphans; 4];
    account_counter(s) { s.put(counter("account"), 1_u64.to_be_bytes().to_vec()); } => [Flaw::Counter];
    mailbox_counter(s) { s.put(Key::of(Table::Meta, ALICE).bytes(b"mailbox").done(), 3_u64.to_be_bytes().to_vec()); }
        => [Flaw::Counter];
    queue_counter(s) { s.remove(counter("queue")); } => [Flaw::Counter];
    event_counter(s) { s.remove(counter("event:message-stored")); } => [Flaw::Counter];
    uid_validity(s) { s.remove(Key::of(Table::Meta, ALICE).bytes(b"uidvalidity").done()); } => [Flaw::Counter];
    counter_unreadable(s) { s.put(counter("account"), "x"); } => [Flaw::Undecodable];
    usage(s) { s.remove(usage_key(ALICE)); } => [Flaw::Usage];
    mailbox_unreadable(s) { s.put(keys::mailbox(AccountId(2), MailboxId(2)), "?"); } => [Flaw::Undecodable];
    mailbox_without_row(s) { s.remove(keys::mailbox(AccountId(2), MailboxId(2))); }
        => [Flaw::MailboxName, Flaw::Usage];
    mailbox_without_name(s) { s.remove(keys::mailbox_name(ALICE, "Sent")); } => [Flaw::MailboxName];
    no_inbox(s) { s.remove(keys::mailbox_name(ALICE, "INBOX")); } => [Flaw::MailboxName, Flaw::NoInbox];
    second_name(s) { s.put(keys::mailbox_name(ALICE, "Other"), INBOX.0.to_be_bytes().to_vec()); }
        => [Flaw::MailboxName];
    doomed_mailbox_there(s) { s.put(doomed_key(ALICE, INBOX), ""); } => [Flaw::Doomed];
    undo_unreadable(s) { s.put(undo_key(), "?"); } => [Flaw::Undecodable];
    undo_of_what_never_was(s) {
        let row = UndoRow::Copy { account: ALICE, mailbox: INBOX, copies: vec![(Uid(1), Uid(99))] };
        s.put(undo_key(), row.encode().unwrap());
    } => [Flaw::Undo];
    undo_without_order(s) {
        let row = UndoRow::Copy { account: ALICE, mailbox: INBOX, copies: vec![(Uid(2), Uid(1))] };
        s.put(undo_key(), row.encode().unwrap());
    } => [Flaw::Undo];
    move_of_what_never_was(s) {
        let row = UndoRow::MoveAll { account: ALICE, from: INBOX, to: TRASH, below: Uid(99) };
        s.put(undo_key(), row.encode().unwrap());
    } => [Flaw::Undo];
    undo_in_a_deleted_mailbox(s) {
        let row = UndoRow::Copy { account: ALICE, mailbox: MailboxId(77), copies: vec![(Uid(1), Uid(99))] };
        s.put(undo_key(), row.encode().unwrap());
    } => [];
    unseen(s) { s.edit_mailbox(|row| row.unseen += 1).await; } => [Flaw::MailboxCounters];
    deleted(s) { s.edit_mailbox(|row| row.deleted += 1).await; } => [Flaw::MailboxCounters];
    messages(s) { s.edit_mailbox(|row| row.messages += 1).await; } => [Flaw::MailboxCounters, Flaw::Usage];
    octets(s) { s.edit_mailbox(|row| row.octets -= 1).await; } => [Flaw::MailboxCounters, Flaw::Usage];
    uid_next(s) { s.edit_mailbox(|row| { row.uid_next = Uid(4); row.recent_from = Uid(1); }).await; }
        => [Flaw::UidNext, Flaw::UidNext];
    recent(s) { s.edit_mailbox(|row| row.recent_from = Uid(9)).await; } => [Flaw::UidNext];
    highest_modseq(s) { s.edit_mailbox(|row| row.highest_modseq = ModSeq(row.highest_modseq.0 - 1)).await; }
        => [Flaw::HighestModSeq];
    keywords(s) { s.edit_mailbox(|row| row.keywords.clear()).await; } => [Flaw::Keyword];
    message_unreadable(s) { s.put(keys::message(ALICE, INBOX, Uid(4)), "?"); }
        => [Flaw::Undecodable, Flaw::MailboxCounters, Flaw::References];
    message_gone(s) { s.remove(keys::message(ALICE, INBOX, Uid(4))); }
        => [Flaw::MailboxCounters, Flaw::ChangeIndex, Flaw::Record, Flaw::References];
    message_of_another_blob(s) { let hash = s.large; s.edit_message(Uid(2), |row| row.blob = hash).await; }
        => [Flaw::References, Flaw::References, Flaw::BlobOctets];
    message_of_no_blob(s) { s.edit_message(Uid(2), |row| row.blob = mail::BlobHash([9; 32])).await; }
        => [Flaw::MissingBlob, Flaw::References];
    flags_unreadable(s) { s.put(keys::flag_block(ALICE, INBOX, Uid(0)), "?"); } => [Flaw::Undecodable];
    flags_of_nothing(s) { s.put_flags(Uid(3), ModSeq(2)); } => [Flaw::FlagBlock];
    flags_in_two_places(s) { s.put_flags(Uid(1), ModSeq(2)); } => [Flaw::FlagBlock];
    flags_not_noted(s) { s.put_flags(Uid(1), ModSeq(3)); } => [Flaw::ChangeIndex, Flaw::ChangeIndex];
    flags_at_no_place(s) {
        let row = s.flags(Uid(1), ModSeq(1));
        s.put(keys::flag_block(ALICE, INBOX, Uid(1)), row);
    } => [Flaw::FlagBlock];
    change_missing(s) { s.remove(keys::change(ALICE, INBOX, ModSeq(2), Uid(1))); } => [Flaw::ChangeIndex];
    forgotten_unreadable(s) { s.put(keys::change(ALICE, INBOX, ModSeq(0), Uid(0)), vec![1]); } => [Flaw::Undecodable];
    forgotten_too_far(s) {
        let value = [&[1][..], &99u64.to_be_bytes(), &[0; 8]].concat();
        s.put(keys::change(ALICE, INBOX, ModSeq(0), Uid(0)), value);
    } => [Flaw::HighestModSeq, Flaw::ChangeIndex];
    change_stale(s) { s.put(keys::change(ALICE, INBOX, ModSeq(3), Uid(1)), vec![0]); } => [Flaw::ChangeIndex];
    change_of_nothing(s) { s.put(keys::change(ALICE, INBOX, ModSeq(4), Uid(3)), vec![0]); } => [Flaw::ChangeIndex];
    change_says_expunged(s) { s.put(keys::change(ALICE, INBOX, ModSeq(2), Uid(1)), vec![1]); } => [Flaw::ChangeIndex];
    change_unreadable(s) { s.put(keys::change(ALICE, INBOX, ModSeq(4), Uid(3)), "??"); } => [Flaw::Undecodable];
    change_said_to_be_shared(s) { s.edit_message(Uid(1), |row| row.shares_change = true).await; } => [Flaw::ChangeIndex];
    modseq_of_a_message(s) { s.edit_message(Uid(1), |row| row.modseq = ModSeq(99)).await; }
        => [Flaw::HighestModSeq, Flaw::ChangeIndex, Flaw::ChangeIndex];
    record_of_nothing(s) { s.put(keys::record(ALICE, INBOX, Uid(3)), "?"); } => [Flaw::Record];
    rows_of_no_mailbox(s) {
        s.put(keys::record(ALICE, MailboxId(77), Uid(3)), "?");
        s.put(keys::change(AccountId(9), INBOX, ModSeq(3), Uid(3)), vec![0]);
    } => [Flaw::Orphans, Flaw::Orphans];
    subscription_of_nobody(s) { s.put(keys::subscription(AccountId(9), "INBOX"), ""); } => [Flaw::Orphans];
    blob_unreadable(s) { s.put(keys::blob(&s.small), "?"); } => [Flaw::Undecodable, Flaw::OrphanChunk];
    blob_gone(s) { s.remove(keys::blob(&s.small)); } => [Flaw::MissingBlob, Flaw::OrphanChunk];
    references(s) { let hash = s.small; s.edit_blob(&hash, |row| row.references = 7).await; } => [Flaw::References];
    blob_length(s) { let hash = s.large; s.edit_blob(&hash, |row| row.octets -= 1).await; }
        => [Flaw::BlobOctets, Flaw::BlobContent];
    grave_missing(s) { s.remove(keys::grave(START.plus(GRAVE_KEEP), &s.buried)); } => [Flaw::Grave];
    grave_of_a_living_blob(s) { s.put(keys::grave(START, &s.small), ""); } => [Flaw::Grave];
    grave_of_nothing(s) { s.put(keys::grave(START, &mail::BlobHash([1; 32])), ""); } => [Flaw::Grave];
    chunk_missing(s) {
        let upload = s.blob(&s.large).await.upload;
        s.remove(keys::chunk(upload, 1));
    } => [Flaw::MissingChunk];
    chunk_behind_the_end(s) {
        let row = s.blob(&s.large).await;
        s.put(keys::chunk(row.upload, row.chunks), "?");
    } => [Flaw::OrphanChunk];
    chunk_of_nothing(s) { s.put(keys::chunk([4; 16], 0), "?"); } => [Flaw::OrphanChunk];
    chunk_of_an_upload(s) {
        s.put(keys::chunk([4; 16], 0), "?");
        s.put(keys::upload([4; 16]), "12345678");
    } => [];
    upload_marker_of_a_stored_blob(s) {
        let upload = s.blob(&s.large).await.upload;
        s.put(keys::upload(upload), "12345678");
    } => [Flaw::StoredUpload];
    content_changed(s) {
        let upload = s.blob(&s.small).await.upload;
        s.put(keys::chunk(upload, 0), b"\0smale".to_vec());
    } => [Flaw::BlobContent];
    chunk_unreadable(s) {
        let upload = s.blob(&s.small).await.upload;
        s.put(keys::chunk(upload, 0), b"\x07".to_vec());
    } => [Flaw::BlobContent];
    queue_unreadable(s) { s.put(keys::queue(mail::QueueId(1)), "?"); } => [Flaw::Undecodable, Flaw::References];
    queue_gone(s) { s.remove(keys::queue(mail::QueueId(1))); } => [Flaw::References, Flaw::QueueDue];
    queue_unscheduled(s) { s.remove(keys::queue_due(START, mail::QueueId(1))); } => [Flaw::QueueDue];
    queue_scheduled_twice(s) { s.put(keys::queue_due(Timestamp(5), mail::QueueId(1)), ""); } => [Flaw::QueueDue];
    pace_unreadable(s) { s.put(Key::global(Table::Pace).bytes(b"b.example").done(), "?"); } => [Flaw::Undecodable];
    pace_of_no_route(s) { s.put(Key::global(Table::Pace).bytes(b"\xff").done(), "?"); } => [Flaw::Undecodable];
    fetch_state_of_nobody(s) {
        s.put(Key::global(Table::FetchState).u64(7).bytes(b"fINBOX").done(), [&[1][..], &[0; 16], &[1, 1]].concat());
    } => [Flaw::Orphans];
    a_fetched_message_that_is_none(s) {
        s.put(Key::global(Table::FetchSeen).u64(7).bytes(b"z").done(), "");
    } => [Flaw::Undecodable, Flaw::Orphans];
    contacts_of_nobody(s) { s.put(crate::contacts::count_key(AccountId(9)), 0_u64.to_be_bytes().to_vec()); } => [Flaw::Orphans];
    contact_uncounted(s) {
        s.put(crate::contacts::row_key(ALICE, &account("x").address), [&[1, 1][..], &[0; 8]].concat());
    } => [Flaw::Contacts];
    contact_out_of_time(s) {
        s.put(crate::contacts::row_key(ALICE, &account("x").address), [&[1, 2][..], &[0; 8]].concat());
        s.put(crate::contacts::count_key(ALICE), 1_u64.to_be_bytes().to_vec());
    } => [Flaw::Contacts, Flaw::Contacts];
    contact_unreadable(s) {
        s.put(crate::contacts::row_key(ALICE, &account("x").address), "?");
        s.put(crate::contacts::count_key(ALICE), 1_u64.to_be_bytes().to_vec());
    } => [Flaw::Undecodable];
    responder_state_unreadable(s) { s.put(Key::global(Table::ResponderState).u64(1).done(), "?"); } => [Flaw::Undecodable];
    event_unreadable(s) { s.put(keys::event(Topic::MessageStored, 1), "?"); } => [Flaw::Undecodable];
    event_with_another_number(s) {
        let mut row = EventRow::decode(&s.get(&keys::event(Topic::MessageStored, 1)).await).unwrap();
        row.number = 2;
        s.put(keys::event(Topic::MessageStored, 1), row.encode().unwrap());
    } => [Flaw::Undecodable];
    received_report_unreadable(s) {
        s.put(Key::global(Table::ReceivedReport).bytes(b"\x01a.example\0").u32(1).bytes(&[7; 16]).done(), "?");
    } => [Flaw::Undecodable];
    received_reports_miscounted(s) { s.keep_report().await; s.remove(report_totals()); } => [Flaw::ReceivedReports];
    received_reports_of_nothing(s) {
        s.keep_report().await;
        let totals = s.store.engine.get(&report_totals()).await.unwrap().unwrap();
        s.put(Key::global(Table::ReceivedReports).bytes(b"\x02a.example\0").done(), totals);
    } => [Flaw::ReceivedReports];
    received_report_totals_unreadable(s) { s.keep_report().await; s.put(report_totals(), "?"); } => [Flaw::Undecodable];
    signing_key_of_no_domain(s) {
        s.put(Key::global(Table::SigningKey).bytes(b"gone.example\0s1").done(), "?");
    } => [Flaw::Undecodable, Flaw::NoDomain];
    trace_unreadable(s) {
        s.put(Key::global(Table::Trace).bytes(&[7; 16]).u32(0).done(), "?");
    } => [Flaw::Undecodable];
    trace_index_of_nothing(s) {
        s.put(Key::global(Table::TraceIndex).bytes(&[b'm'; 17]).bytes(&[7; 16]).done(), "");
    } => [Flaw::TraceIndex];
    trace_terms_without_index(s) {
        s.put(Key::global(Table::TraceTerms).bytes(&[7; 16]).bytes(&[b'm'; 17]).done(), "");
    } => [Flaw::TraceIndex];
    first_use_of_no_alias(s) {
        let alias = mail::Address::parse("gone@example.org").unwrap();
        s.put(keys::first_use(&alias), "?");
    } => [Flaw::Undecodable, Flaw::Orphans];
    list_row_unreadable(s) { s.put(Key::of(Table::ListMember, ALICE).u8(b'x').done(), "?"); } => [Flaw::Undecodable];
    list_rows_of_nobody(s) { s.put(member_key(AccountId(9), &account("bob").address), member("bob")); }
        => [Flaw::Orphans];
    list_member_under_another_address(s) { s.put(member_key(ALICE, &account("bob").address), member("carol")); }
        => [Flaw::ListRow];
    list_cursor_of_no_message(s) {
        let _done = s.store.transact(|tx| tx.put_list_cursor(ALICE, Uid(9), &cursor(INBOX))).await.unwrap();
    } => [Flaw::ListRow];
    list_cursor_of_no_post(s) {
        let _done = s.store.transact(|tx| tx.put_list_cursor(ALICE, Uid(1), &cursor(MailboxId(77)))).await.unwrap();
    } => [Flaw::ListRow];
    list_with_all_it_needs(s) { list(&s).await; } => [];
    list_message_without_event(s) {
        list(&s).await;
        let _done = s.store.transact(|tx| tx.finish_event(Topic::HeldMessage, 1)).await.unwrap();
    } => [Flaw::Stranded];
    list_message_decided_without_event(s) {
        list(&s).await;
        let decision = ModerationDecision { approved: true, by: String::new(), at: START, reason: String::new() };
        let decided = WaitingRow { decision: Some(decision), ..waiting() };
        let _done = s.store.transact(move |tx| tx.put_waiting(GARDEN, Uid(2), &decided)).await.unwrap();
    } => [Flaw::Stranded];
    list_post_without_cursor(s) {
        list(&s).await;
        let _done = s.store.transact(|tx| { tx.remove_list_cursor(GARDEN, Uid(3)); Ok(()) }).await.unwrap();
    } => [Flaw::Stranded];
    list_waiting_without_message(s) {
        let done = s.store.transact(|tx| {
            tx.put_waiting(ALICE, Uid(1), &waiting())?;
            tx.put_waiting(ALICE, Uid(3), &waiting())
        }).await;
        let _done = done.unwrap();
    } => [Flaw::ListRow];
    secret_unreadable(s) { s.put(Key::global(Table::Secret).bytes(b"lists").done(), "?"); } => [Flaw::Undecodable];
    submitted_unreadable(s) { s.put(crate::submitted::key(ALICE), "?"); } => [Flaw::Undecodable];
    submitted_by_nobody(s) { s.put(crate::submitted::key(AccountId(9)), "?"); } => [Flaw::Undecodable, Flaw::Orphans];
    forwarding_key_unreadable(s) { s.put(Key::global(Table::SrsKey).u32(1).done(), "?"); } => [Flaw::Undecodable];
    forwarded_sender_unreadable(s) { s.put(Key::global(Table::SrsSender).u32(1).bytes(b"t").done(), "?"); } => [Flaw::Undecodable];
    webhook_unreadable(s) { s.put(Key::global(Table::Webhook).u64(1).done(), "?"); } => [Flaw::Undecodable];
    ban_unreadable(s) { s.put(Key::global(Table::Ban).bytes(b"192.0.2.7").done(), "?"); } => [Flaw::Undecodable];
    ban_of_nobody(s) { s.put(Key::global(Table::Ban).bytes(b"everybody").done(), "?"); } => [Flaw::Undecodable];
    ban_under_another_address(s) {
        let value = ban("192.0.2.8", 9);
        s.put(Key::global(Table::Ban).bytes(b"192.0.2.7").done(), value);
    } => [Flaw::Undecodable];
    ban_that_ends_before_it_begins(s) {
        let value = ban("192.0.2.7", 4);
        s.put(Key::global(Table::Ban).bytes(b"192.0.2.7").done(), value);
    } => [Flaw::Undecodable];
    suppressed_unreadable(s) { s.put(Key::global(Table::Suppressed).bytes(b"a@far.example").done(), "?"); } => [Flaw::Undecodable];
    mta_sts_policy_unreadable(s) { s.put(Key::global(Table::StsPolicy).bytes(b"a.example").done(), "?"); } => [Flaw::Undecodable];
    index_unreadable(s) { s.put(index_key(ALICE, INBOX), "?"); } => [Flaw::Undecodable, Flaw::Index, Flaw::Index, Flaw::Index, Flaw::Index, Flaw::Index];
    index_of_no_mailbox(s) { s.put(index_key(ALICE, MailboxId(99)), IndexRow::default().encode().unwrap()); }
        => [Flaw::Orphans];
    index_beyond_what_was_given_out(s) { s.edit_index(|row| row.indexed_to = 9).await; } => [Flaw::Index];
    index_behind_its_segments(s) { s.edit_index(|row| row.indexed_to = 2).await; } => [Flaw::Index];
    index_segment_twice(s) { s.edit_index(|row| row.segments.push(row.segments[0])).await; } => [Flaw::Index];
    index_segment_number(s) { s.edit_index(|row| row.next_number = 0).await; } => [Flaw::Index];
    index_segment_forgotten(s) { s.edit_index(|row| row.segments.clear()).await; } => [Flaw::Index; 3];
    index_words_gone(s) { s.remove(index_block(Table::IndexWords, 0, "word")); } => [Flaw::Index];
    index_postings_gone(s) { s.remove(index_block(Table::IndexPostings, 0, "word")); } => [Flaw::Index];
    index_lengths_gone(s) { s.remove(Key::of(Table::IndexLengths, ALICE).u32(INBOX.0).u32(0).done()); }
        => [Flaw::Index];
    index_block_damaged(s) { s.put(index_block(Table::IndexPostings, 0, "word"), "?"); } => [Flaw::Index];
    index_lengths_damaged(s) { s.put(Key::of(Table::IndexLengths, ALICE).u32(INBOX.0).u32(0).done(), "?"); }
        => [Flaw::Index];
    index_block_of_an_unfinished_segment(s) { s.put(index_block(Table::IndexPostings, 1, "word"), "?"); } => [];
    event_of_no_topic(s) { s.put(Key::global(Table::Event).u8(99).u64(1).done(), "?"); } => [Flaw::Undecodable];
}

#[tokio::test]
async fn shallow_leaves_the_contents_alone() {
    let stage = stage().await;
    let upload = stage.blob(&stage.small).await.upload;
    stage.put(keys::chunk(upload, 0), b"\0smale".to_vec());
    let checked = check(&stage.store, false, &mut |_| {}).await.unwrap();
    assert_eq!(checked.findings, 0);
}

#[tokio::test]
async fn a_newer_store_is_not_judged() {
    let stage = stage().await;
    stage.put(Key::global(Table::Meta).bytes(b"format").done(), vec![0, 0, 0, 9]);
    let newer = Some(StorageError::Newer { found: 9, known: crate::store::FORMAT });
    assert_eq!(check(&stage.store, false, &mut |_| {}).await.err(), newer);
    let world = stage.store.world().clone();
    assert_eq!(Store::open(Arc::new(stage.engine.clone()), world).await.err(), newer);
}
