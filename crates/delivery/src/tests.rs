//! From envelope to rows, over the store in memory.

use std::sync::Arc;

use mail::{Address, Envelope, EnvelopeRecipient, ForwardPath, QueueId, ReversePath, Timestamp, Topic, Uid};
use routing::objects::{AccountObject, AliasObject, DomainObject, Object, ResponderKind, ResponderObject, Target};
use storage::objects::PutMode;
use storage::{MemoryEngine, StorageError, Store};
use world::simulated::SimulatedWorld;

use crate::{Applied, Asking, Delivery, DeliverySettings, MessageStored, Refused};

const MESSAGE: &[u8] =
    b"From: Zoe <zoe@far.example>\r\nTo: alice@example.org\r\nSubject: Hello\r\n\r\nGood morning.\r\n";

struct Fixture {
    engine: MemoryEngine,
    delivery: Delivery,
    store: Store,
}

fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

async fn fixture() -> Fixture {
    fixture_in(&SimulatedWorld::new(Timestamp(1_700_000_000_000), 7)).await
}

async fn fixture_in(world: &SimulatedWorld) -> Fixture {
    let engine = MemoryEngine::default();
    let store = Store::open(Arc::new(engine.clone()), world.world()).await.unwrap();
    let domain = DomainObject::new("example.org".parse().unwrap());
    store.put_object(Object::Domain(domain), PutMode::Add).await.unwrap();
    for name in ["alice", "bob", "carol"] {
        let account = AccountObject::new(address(&format!("{name}@example.org")));
        store.add_account(account).await.unwrap();
    }
    let settings = DeliverySettings { hostname: "mx.example.org".parse().unwrap(), message_octets_max: 100_000 };
    Fixture { delivery: Delivery::new(store.clone(), settings), engine, store }
}

impl Fixture {
    async fn alias(&self, alias: &str, targets: &[&str]) {
        let object = AliasObject::new(
            address(alias),
            targets.iter().map(|target| Target::try_from((*target).to_owned()).unwrap()).collect(),
        );
        self.store.put_object(Object::Alias(object), PutMode::Add).await.unwrap();
    }

    async fn send(&self, recipients: &[&str]) -> Result<Applied, Refused> {
        let prepared = self.delivery.prepare(envelope(recipients), MESSAGE).await?;
        Ok(self.store.transact(move |tx| prepared.apply(tx)).await?.value)
    }

    async fn count(&self, name: &str) -> u32 {
        let account = self.store.directory().account(&address(name)).unwrap().id;
        self.store.inbox(account).await.unwrap().messages
    }
}

fn envelope(recipients: &[&str]) -> Envelope {
    let mut envelope = Envelope::new(ReversePath::Address(address("zoe@far.example")));
    envelope.recipients = recipients
        .iter()
        .map(|recipient| EnvelopeRecipient {
            forward_path: ForwardPath::parse(&format!("<{recipient}>")).unwrap(),
            notify: mail::DsnNotify::default(),
            original: None,
        })
        .collect();
    envelope
}

#[tokio::test]
async fn one_message_for_many_is_one_blob_and_one_commit() {
    let f = fixture().await;
    f.alias("team@example.org", &["alice@example.org", "bob@example.org", "zoe@far.example"]).await;
    let before = f.engine.commits();
    let applied =
        f.send(&["team@example.org", "alice@example.org", "yan@far.example", "x@other.example"]).await.unwrap();
    assert_eq!(f.engine.commits(), before + 1);
    assert_eq!(applied.deposits.len(), 2);
    assert_eq!((f.count("alice@example.org").await, f.count("bob@example.org").await), (1, 1));
    assert_eq!(f.count("carol@example.org").await, 0);
    let queue = f.store.queue_entries(QueueId(0), 10).await.unwrap();
    let there: Vec<(String, usize)> =
        queue.iter().map(|row| (row.destination.to_string(), row.recipients.len())).collect();
    assert_eq!(there, [("far.example".to_owned(), 2), ("other.example".to_owned(), 1)]);
    assert!(queue.iter().all(|row| row.blob == queue[0].blob));
}

#[tokio::test]
async fn what_is_stored_is_what_came_behind_return_path() {
    let f = fixture().await;
    let applied = f.send(&["alice@example.org", "yan@far.example"]).await.unwrap();
    let (account, mailbox, deposited) = applied.deposits[0];
    let row = f.store.message(account, mailbox, deposited.uid).await.unwrap().unwrap();
    let mut blob = f.store.blob(&row.blob).await.unwrap().unwrap();
    let content = blob.read(0, u64::MAX).await.unwrap();
    let expected = [b"Return-Path: <zoe@far.example>\r\n", MESSAGE].concat();
    assert_eq!(content, expected);
    assert_eq!(row.octets, expected.len() as u64);
    // The copy that travels on begins behind it (RFC 5321 §4.4).
    let queued = &f.store.queue_entries(QueueId(0), 1).await.unwrap()[0];
    assert_eq!(&content[queued.skip_octets as usize..], MESSAGE);
    let records = f.store.records(account, mailbox, Uid(1), Uid(9), 9).await.unwrap();
    let record = message::RecordView::new(&records[0].1).unwrap();
    assert!(record.envelope().windows(5).any(|w| w == b"Hello"));
}

#[tokio::test]
async fn nothing_is_stored_for_the_blackhole() {
    let f = fixture().await;
    f.alias("nobody@example.org", &[":blackhole:"]).await;
    let rows = f.engine.rows();
    // Its trace says what became of it; of the message itself nothing stays.
    let quiet = f.delivery.clone().without_traces();
    let prepared = quiet.prepare(envelope(&["nobody@example.org"]), MESSAGE).await.unwrap();
    let applied = f.store.transact(move |tx| prepared.apply(tx)).await.unwrap().value;
    assert_eq!(applied, Applied::default());
    assert_eq!(f.engine.rows(), rows);
}

#[tokio::test]
async fn an_empty_target_reaches_every_user_of_the_domain() {
    let f = fixture().await;
    f.alias("all@example.org", &[""]).await;
    assert_eq!(f.send(&["all@example.org", "bob@example.org"]).await.unwrap().deposits.len(), 3);
}

#[tokio::test]
async fn strangers_may_not_relay_and_accounts_may() {
    let f = fixture().await;
    let path = |text: &str| ForwardPath::parse(text).unwrap();
    let decide = async |asking: &Asking, to: &str| {
        f.delivery.decide(asking, &path(to)).await.map_err(|turned| turned.reply.to_string())
    };
    let refused = |result: Result<(), String>, start: &str| assert!(result.unwrap_err().starts_with(start));
    let anyone = Asking::anyone(f.store.now());
    assert_eq!(decide(&anyone, "<alice@example.org>").await, Ok(()));
    assert_eq!(decide(&anyone, "<alice+x@example.org>").await, Ok(()));
    refused(decide(&anyone, "<nobody@example.org>").await, "550 5.1.1");
    refused(decide(&anyone, "<yan@far.example>").await, "550 5.7.1");
    let alice = f.store.directory().account(&address("alice@example.org")).unwrap().id;
    let alice = Asking::logged_in(alice, ReversePath::Address(address("alice@example.org")), f.store.now());
    assert_eq!(decide(&alice, "<yan@far.example>").await, Ok(()));
    refused(decide(&alice, "<nobody@example.org>").await, "550 5.1.1");
}

#[tokio::test]
async fn a_responder_hears_of_its_message_in_the_same_commit() {
    let f = fixture().await;
    let responder = ResponderObject {
        subject_prefix: "Away:".to_owned(),
        text: Some("Back on Monday.".to_owned()),
        ..ResponderObject::new(address("alice@example.org"), ResponderKind::OutOfOffice)
    };
    f.store.put_object(Object::Responder(responder), PutMode::Add).await.unwrap();
    f.send(&["alice@example.org", "bob@example.org"]).await.unwrap();
    let events = f.store.events_after(Topic::MessageStored, 0, 9).await.unwrap();
    let event = MessageStored::decode(&events[0].payload).unwrap();
    assert_eq!(events.len(), 1);
    assert_eq!(event.address, address("alice@example.org"));
    assert_eq!(event.kept.unwrap().uid, Uid(1));
    assert!(event.header.ends_with("Subject: Hello\r\n\r\n"), "{}", event.header);
    assert!(!event.failure_notice);
}

#[tokio::test]
async fn a_failing_disk_leaves_nothing() {
    let f = fixture().await;
    let rows = f.engine.rows();
    f.engine.fail_after(0, StorageError::DiskFull);
    let Refused(reply) = f.send(&["alice@example.org", "yan@far.example"]).await.unwrap_err();
    assert_eq!(reply.code, 452);
    assert_eq!(f.engine.rows(), rows);
    f.engine.heal();
    assert_eq!(f.send(&["alice@example.org"]).await.unwrap().deposits.len(), 1);
}

#[tokio::test]
async fn a_message_over_the_limit_is_refused() {
    let f = fixture().await;
    let mut intake = f.delivery.intake(&ReversePath::Null, b"Received: x\r\n").await.unwrap();
    let Refused(reply) = intake.write(&vec![b'x'; 200_000]).await.unwrap_err();
    assert_eq!(reply.to_string(), "552 5.3.4 Message size exceeds the limit");
}

#[tokio::test]
async fn a_message_that_goes_in_circles_is_refused() {
    let f = fixture().await;
    let looping = [b"Received: from a\r\n".repeat(101).as_slice(), MESSAGE].concat();
    let Refused(reply) = f.delivery.prepare(envelope(&["alice@example.org"]), &looping).await.unwrap_err();
    assert_eq!(reply.code, 554);
}

#[tokio::test]
async fn a_recipient_that_is_gone_meanwhile_is_never_lost() {
    let f = fixture().await;
    let Refused(reply) = f.send(&["alice@example.org", "nobody@example.org"]).await.unwrap_err();
    assert!(reply.is_temporary());
    assert_eq!(f.count("alice@example.org").await, 0);
}

#[tokio::test]
async fn a_full_mailbox_is_refused_for_now_and_no_others_with_it() {
    let f = fixture().await;
    f.alias("team@example.org", &["alice@example.org", "bob@example.org"]).await;
    let alice = f.store.directory().account(&address("alice@example.org")).unwrap().as_ref().clone();
    f.send(&["alice@example.org"]).await.unwrap();
    f.store
        .put_object(Object::Account(AccountObject { quota_octets: Some(10), ..alice }), PutMode::Replace)
        .await
        .unwrap();
    let anyone = Asking::anyone(f.store.now());
    let decide = async |to: &str| f.delivery.decide(&anyone, &ForwardPath::parse(to).unwrap()).await;
    assert!(decide("<alice@example.org>").await.unwrap_err().reply.to_string().starts_with("452 4.2.2"));
    assert_eq!(decide("<alice@example.org>").await.unwrap_err().why, "every mailbox that it leads to is full");
    assert_eq!(decide("<nobody@example.org>").await.unwrap_err().why, "there is no such address");
    let strange = decide("<zoe@far.example>").await.unwrap_err().why;
    assert_eq!(strange, "not a domain of this server, and the sender has not logged in");
    assert_eq!(decide("<team@example.org>").await, Ok(()));
    assert_eq!(decide("<bob@example.org>").await, Ok(()));
}

#[tokio::test]
async fn who_asked_for_it_hears_of_the_delivery_in_the_same_commit() {
    let f = fixture().await;
    let mut envelope = envelope(&["alice@example.org", "bob@example.org"]);
    envelope.envelope_id = Some("QQ314159".to_owned());
    envelope.recipients[0].notify.success = true;
    let prepared = f.delivery.prepare(envelope, MESSAGE).await.unwrap();
    let before = f.engine.commits();
    f.store.transact(move |tx| prepared.apply(tx)).await.unwrap();
    assert_eq!(f.engine.commits(), before + 1);
    let queue = f.store.queue_entries(QueueId(0), 9).await.unwrap();
    assert_eq!(queue.len(), 1);
    assert!(queue[0].reverse_path.is_null());
    assert_eq!(queue[0].recipients[0].address, address("zoe@far.example"));
    let mut blob = f.store.blob(&queue[0].blob).await.unwrap().unwrap();
    let dsn = String::from_utf8(blob.read(0, u64::MAX).await.unwrap()).unwrap();
    assert!(dsn.contains("Action: delivered\r\n"), "{dsn}");
    assert!(dsn.contains("Final-Recipient: rfc822;alice@example.org\r\n"), "{dsn}");
    assert!(dsn.contains("Original-Envelope-Id: QQ314159\r\n"), "{dsn}");
    assert!(!dsn.contains("bob@example.org"), "{dsn}");
}

#[tokio::test]
async fn a_message_can_not_continue_our_own_fields() {
    let f = fixture().await;
    let mut intake = f.delivery.intake(&ReversePath::Null, b"Received: by us\r\n").await.unwrap();
    intake.write(b"").await.unwrap();
    intake.write(b"\tfor <forged@example.org>\r\n").await.unwrap();
    intake.write(b" more\r\n").await.unwrap();
    let prepared = intake.finish(envelope(&["alice@example.org"])).await.unwrap();
    let applied = f.store.transact(move |tx| prepared.apply(tx)).await.unwrap().value;
    let (account, mailbox, deposited) = applied.deposits[0];
    let row = f.store.message(account, mailbox, deposited.uid).await.unwrap().unwrap();
    let mut blob = f.store.blob(&row.blob).await.unwrap().unwrap();
    let content = String::from_utf8(blob.read(0, u64::MAX).await.unwrap()).unwrap();
    assert_eq!(content, "Return-Path: <>\r\nReceived: by us\r\n\r\n\tfor <forged@example.org>\r\n more\r\n");
}

#[tokio::test]
async fn v03_whom_an_account_writes_to_is_a_contact_in_the_same_commit() {
    let f = fixture().await;
    let account = f.store.directory().account(&address("alice@example.org")).unwrap().id;
    let mut intake = f.delivery.intake(&ReversePath::Null, b"Received: x\r\n").await.unwrap();
    intake.submitted_by(account);
    intake.write(MESSAGE).await.unwrap();
    let prepared = intake.finish(envelope(&["Yan@far.example", "bob@example.org"])).await.unwrap();
    let before = f.engine.commits();
    f.store.transact(move |tx| prepared.apply(tx)).await.unwrap();
    assert_eq!(f.engine.commits(), before + 1);
    let contacts = f.store.contacts(account, None, 9).await.unwrap();
    let known: Vec<String> = contacts.iter().map(|contact| contact.address.to_string()).collect();
    assert_eq!(known, ["bob@example.org", "yan@far.example"]);
    // What another server hands over makes nobody a contact, whatever its reverse-path says.
    f.send(&["carol@example.org"]).await.unwrap();
    assert_eq!(f.store.contacts(account, None, 9).await.unwrap().len(), 2);
}

async fn rows(f: &Fixture) -> Vec<storage::rows::QueueRow> {
    f.store.queue_entries(QueueId(0), 10).await.unwrap()
}

async fn take(f: &Fixture, envelope: Envelope, content: &[u8]) {
    let prepared = f.delivery.prepare(envelope, content).await.unwrap();
    f.store.transact(move |tx| prepared.apply(tx)).await.unwrap();
}

#[tokio::test]
async fn each_row_needs_smtputf8_for_itself() {
    let f = fixture().await;
    f.alias("team@example.org", &["jos\u{e9}@far.example", "yan@other.example"]).await;
    take(&f, envelope(&["team@example.org"]), MESSAGE).await;
    let needs: Vec<(String, bool, bool)> =
        rows(&f).await.iter().map(|row| (row.destination.to_string(), row.smtputf8, row.sender_smtputf8)).collect();
    assert_eq!(needs, [("far.example".to_owned(), true, false), ("other.example".to_owned(), false, false)]);
    // The reverse-path is everybody's.
    let f = fixture().await;
    let mut from = envelope(&["yan@other.example"]);
    from.reverse_path = ReversePath::Address(address("zo\u{eb}@far.example"));
    take(&f, from, MESSAGE).await;
    assert!(rows(&f).await[0].smtputf8);
}

#[tokio::test]
async fn postmaster_without_a_domain_is_reported_too() {
    let f = fixture().await;
    f.alias("postmaster@example.org", &["alice@example.org"]).await;
    let mut letter = envelope(&["postmaster"]);
    letter.recipients[0].notify = mail::DsnNotify::asked(true, true, false);
    take(&f, letter, MESSAGE).await;
    assert_eq!(f.count("alice@example.org").await, 1);
    let notices = rows(&f).await;
    assert_eq!(notices.len(), 1, "the sender hears of it");
    let mut blob = f.store.blob(&notices[0].blob).await.unwrap().unwrap();
    let text = String::from_utf8(blob.read(0, u64::MAX).await.unwrap()).unwrap();
    assert!(text.contains("Action: delivered\r\n"), "{text}");
    assert!(text.contains("Final-Recipient: rfc822;postmaster@"), "{text}");
}

#[tokio::test]
async fn a_responder_hears_what_the_sender_asked_for() {
    let f = fixture().await;
    let object = ResponderObject {
        created_at: Timestamp(1),
        enabled: true,
        subject_prefix: "Away:".to_owned(),
        text: Some("Gone.".to_owned()),
        ..ResponderObject::new(address("alice@example.org"), ResponderKind::OutOfOffice)
    };
    f.store.put_object(Object::Responder(object), PutMode::Add).await.unwrap();
    let mut letter = envelope(&["alice@example.org"]);
    letter.envelope_id = Some("order-7".into());
    letter.recipients[0].notify = mail::DsnNotify::NEVER;
    letter.recipients[0].original =
        Some(mail::OriginalRecipient { address_type: "rfc822".into(), address: "first@example.org".into() });
    take(&f, letter.clone(), MESSAGE).await;
    let events = f.store.events_after(Topic::MessageStored, 0, 10).await.unwrap();
    let event = MessageStored::decode(&events[0].payload).unwrap();
    assert_eq!((event.notify, event.original), (mail::DsnNotify::NEVER, letter.recipients[0].original.clone()));
    assert_eq!(event.envelope_id.as_deref(), Some("order-7"));
}
mod addresses;
mod allowance;
mod checks;
mod clients;
mod content;
mod dsn;
mod filters;
mod forwards;
mod outside;
mod reports;
mod suppression;
mod traces;
