//! The whole way on a store in memory: accepted, decided, answered; crashes, races and loops included.

use std::time::Duration;

use bytes::Bytes;
use delivery::DeliverySettings;
use mail::{Domain, EnvelopeRecipient, QueueId, ReversePath, Timestamp, Uid};
use routing::limits::ANSWERS_PER_DAY_MAX;
use routing::objects::{AliasObject, DomainObject, Object, Target};
use storage::engine::{Body, Engine, Row};
use storage::objects::PutMode;
use storage::rows::{MessageRow, QueueRow};
use storage::{Committed, Durability, KeyRange, MemoryEngine, Order, SilentDoorbell};
use world::simulated::SimulatedWorld;

use super::*;

mod lives;
mod rows;
mod year;

const START: Timestamp = Timestamp(1_790_000_000_000);

struct Server {
    sim: SimulatedWorld,
    engine: MemoryEngine,
    store: Store,
    delivery: Delivery,
    responder: Responder,
}

fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

impl Server {
    async fn open(sim: SimulatedWorld, engine: MemoryEngine) -> Self {
        let store = Store::open(Arc::new(engine.clone()), sim.world()).await.unwrap();
        let hostname = Domain::parse("mx.a.example").unwrap();
        let delivery = Delivery::new(store.clone(), DeliverySettings { hostname, message_octets_max: 1_000_000 });
        Self { sim, engine, store, responder: Responder::new(delivery.clone()), delivery }
    }

    /// A server with one domain, and accounts alice (in Paris), bob and audit.
    async fn new(domain: &str) -> Self {
        let server = Self::open(SimulatedWorld::new(START, 7), MemoryEngine::default()).await;
        server
            .put(Object::Domain(DomainObject {
                created_at: START,
                ..DomainObject::new(Domain::parse(domain).unwrap())
            }))
            .await;
        for (name, full) in [("alice", "Alice Martin"), ("bob", ""), ("audit", "")] {
            let account = AccountObject {
                display_name: full.to_owned(),
                time_zone: "Europe/Paris".to_owned(),
                language: "fr".to_owned(),
                created_at: START,
                ..AccountObject::new(address(&format!("{name}@{domain}")))
            };
            server.store.add_account(account).await.unwrap();
        }
        server
    }

    async fn put(&self, object: Object) {
        self.store.put_object(object, PutMode::Add).await.unwrap();
    }

    async fn alias(&self, text: &str, targets: &[&str]) {
        let targets = targets.iter().map(|target| Target::try_from((*target).to_owned()).unwrap()).collect();
        self.put(Object::Alias(AliasObject { created_at: START, ..AliasObject::new(address(text), targets) })).await;
    }

    async fn add_responder(&self, at: &str, edit: impl FnOnce(&mut ResponderObject)) -> u64 {
        let mut object = ResponderObject::new(address(at), ResponderKind::Autoresponder);
        (object.subject_prefix, object.text) = ("Absence :".to_owned(), Some("Je ne suis pas là.".to_owned()));
        edit(&mut object);
        let done = self.store.put_object(Object::Responder(object), PutMode::Add).await.unwrap();
        let Object::Responder(stored) = done.value else { unreachable!() };
        stored.id
    }

    /// Accepts one message.
    async fn receive(&self, from: &str, to: &str, header: &str) {
        let content = format!(
            "From: {from}\r\nTo: {to}\r\nSubject: Prix ?\r\nMessage-ID: <m@r.example>\r\n{header}\r\nBonjour\r\n"
        );
        self.accept(ReversePath::parse(&format!("<{from}>")).unwrap(), to, content.as_bytes()).await;
    }

    async fn accept(&self, reverse_path: ReversePath, to: &str, content: &[u8]) {
        self.accept_from(reverse_path, to, content, None).await;
    }

    /// An account submits a message, logged in.
    async fn submit(&self, who: &str, to: &str) {
        let account = self.store.directory().account(&address(who)).unwrap().id;
        let content = format!("From: {who}\r\nTo: {to}\r\nSubject: Bonjour\r\nMessage-ID: <s@a.example>\r\n\r\nx\r\n");
        self.accept_from(ReversePath::Address(address(who)), to, content.as_bytes(), Some(account)).await;
    }

    async fn accept_from(&self, reverse_path: ReversePath, to: &str, content: &[u8], who: Option<mail::AccountId>) {
        let mut envelope = Envelope::new(reverse_path);
        envelope.recipients.push(EnvelopeRecipient {
            forward_path: ForwardPath::Address(address(to)),
            notify: mail::DsnNotify::default(),
            original: None,
        });
        let mut intake = self.delivery.intake(&envelope.reverse_path, b"").await.unwrap();
        if let Some(who) = who {
            intake.submitted_by(who);
        }
        intake.write(content).await.unwrap();
        let prepared = intake.finish(envelope).await.unwrap();
        self.store.transact(move |tx| prepared.apply(tx)).await.unwrap();
    }

    /// Takes every event that waits.
    async fn take_all(&self) -> Result<usize, TakeError> {
        let events = self.store.events_after(Topic::MessageStored, 0, 1000).await.unwrap();
        for event in &events {
            self.responder.take(event).await?;
        }
        Ok(events.len())
    }

    async fn queue(&self) -> Vec<QueueRow> {
        self.store.queue_entries(QueueId(0), 100_000).await.unwrap()
    }

    async fn text(&self, blob: &mail::BlobHash, skip: u64) -> String {
        let mut reader = self.store.blob(blob).await.unwrap().unwrap();
        let octets = reader.octets();
        String::from_utf8(reader.read(skip, octets).await.unwrap()).unwrap()
    }

    async fn mailbox(&self, who: &str, name: &str) -> Vec<MessageRow> {
        let account = self.store.directory().account(&address(who)).unwrap().id;
        let mailbox = self.store.mailbox_by_name(account, name).await.unwrap().unwrap().id;
        self.store.messages(account, mailbox, Uid(1), Uid(u32::MAX), 1000).await.unwrap()
    }

    /// The queued answers, as texts.
    async fn queued(&self) -> Vec<String> {
        let mut texts = Vec::new();
        for row in self.queue().await {
            texts.push(self.text(&row.blob, u64::from(row.skip_octets)).await);
        }
        texts
    }
}

#[tokio::test]
async fn v01_a05_a14_an_absence_is_answered_once_a_day_filed_and_marked() {
    let server = Server::new("a.example").await;
    server.add_responder("alice@a.example", |r| r.kind = ResponderKind::OutOfOffice).await;
    server.receive("carol@r.example", "alice@a.example", "").await;
    assert_eq!(server.take_all().await.unwrap(), 1);

    let queue = server.queue().await;
    assert_eq!(queue.len(), 1);
    assert!(queue[0].reverse_path.is_null());
    assert_eq!(queue[0].recipients[0].address, address("carol@r.example"));
    let answer = server.queued().await.remove(0);
    assert!(answer.starts_with("Date: "), "no Return-Path travels");
    for line in
        ["From: \"Alice Martin\" <alice@a.example>\r\n", "To: <carol@r.example>\r\n", "In-Reply-To: <m@r.example>\r\n"]
    {
        assert!(answer.contains(line), "{answer}");
    }
    let inbox = server.mailbox("alice@a.example", "INBOX").await;
    assert!(inbox.len() == 1 && inbox[0].system_flags.contains(SystemFlags::ANSWERED));
    let sent = server.mailbox("alice@a.example", "Sent").await;
    assert!(sent.len() == 1 && sent[0].system_flags.contains(SystemFlags::SEEN));
    assert_eq!(sent[0].blob, queue[0].blob, "one blob for the answer and its copy");

    server.receive("Carol@R.example", "alice@a.example", "").await;
    server.take_all().await.unwrap();
    assert_eq!(server.queue().await.len(), 1, "not twice a day, whatever the case of the address");
    server.sim.clock.advance(Duration::from_secs(86_400));
    server.receive("carol@r.example", "alice@a.example", "").await;
    server.take_all().await.unwrap();
    assert_eq!(server.queue().await.len(), 2);
    assert_eq!(server.take_all().await.unwrap(), 0, "no event is left");
}

#[tokio::test]
async fn v05_silence_ends_the_event_without_a_trace_in_the_mailboxes() {
    let server = Server::new("a.example").await;
    server.add_responder("alice@a.example", |r| r.kind = ResponderKind::OutOfOffice).await;
    for (from, header) in [
        ("", ""),
        ("list-bounces@r.example", ""),
        ("carol@r.example", "Auto-Submitted: auto-replied\r\n"),
        ("carol@r.example", "Precedence: bulk\r\n"),
        ("carol@r.example", "List-Id: <x.r.example>\r\n"),
        ("ghost@a.example", ""),
        ("alice@a.example", ""),
    ] {
        server.receive(from, "alice@a.example", header).await;
        assert_eq!(server.take_all().await.unwrap(), 1);
    }
    assert_eq!(server.take_all().await.unwrap(), 0);
    assert!(server.queue().await.is_empty());
    assert!(server.mailbox("alice@a.example", "Sent").await.is_empty());
    assert_eq!(server.mailbox("alice@a.example", "INBOX").await.len(), 7);
}

#[tokio::test]
async fn a_header_too_long_to_be_read_whole_is_not_answered() {
    let server = Server::new("a.example").await;
    server.add_responder("alice@a.example", |_| ()).await;
    let long = format!("{}Auto-Submitted: auto-replied\r\n", "X-Filler: 0123456789\r\n".repeat(4000));
    server.receive("carol@r.example", "alice@a.example", &long).await;
    assert_eq!(server.take_all().await.unwrap(), 1);
    assert!(server.queue().await.is_empty());
}

#[tokio::test]
async fn the_answer_comes_from_the_alias_that_was_written_to() {
    let server = Server::new("a.example").await;
    server.alias("info@a.example", &["alice@a.example", "bob@a.example"]).await;
    server.add_responder("alice@a.example", |r| r.kind = ResponderKind::OutOfOffice).await;
    server.receive("carol@r.example", "info@a.example", "").await;
    server.take_all().await.unwrap();
    let answer = server.queued().await.remove(0);
    assert!(answer.contains("From: \"Alice Martin\" <info@a.example>\r\n"), "{answer}");
    assert!(!answer.contains("alice@a.example"), "the address behind the alias stays private");
    assert!(server.mailbox("bob@a.example", "INBOX").await[0].system_flags == SystemFlags::default());
}

#[tokio::test]
async fn a04_every_answer_is_copied() {
    let server = Server::new("a.example").await;
    server.add_responder("alice@a.example", |r| r.copy_answers_to = Some(address("audit@a.example"))).await;
    server.receive("carol@r.example", "alice@a.example", "").await;
    server.take_all().await.unwrap();
    let copies = server.mailbox("audit@a.example", "INBOX").await;
    assert_eq!(copies.len(), 1);
    assert!(server.text(&copies[0].blob, 0).await.contains("To: <carol@r.example>\r\n"));
    assert_eq!(server.queue().await.len(), 1);
}

#[tokio::test]
async fn a04_a_copy_address_that_is_gone_does_not_hold_up_the_answer() {
    let server = Server::new("a.example").await;
    server.add_responder("alice@a.example", |r| r.copy_answers_to = Some(address("gone@a.example"))).await;
    server.receive("carol@r.example", "alice@a.example", "").await;
    server.take_all().await.unwrap();
    assert_eq!(server.queue().await.len(), 1);
}

#[tokio::test]
async fn a06_a_free_address_answers_and_gives_one_failure_notice() {
    let server = Server::new("a.example").await;
    server.add_responder("prices@a.example", |_| ()).await;
    server.add_responder("prices@a.example", |r| r.text = Some("Second".to_owned())).await;
    server.receive("carol@r.example", "prices@a.example", "").await;
    assert_eq!(server.take_all().await.unwrap(), 2);
    let queued = server.queued().await;
    let notices: Vec<_> = queued.iter().filter(|text| text.contains("multipart/report")).collect();
    assert_eq!((queued.len(), notices.len()), (3, 1), "{queued:#?}");
    assert!(
        notices[0].contains("Final-Recipient: rfc822;prices@a.example") && notices[0].contains("5.1.1"),
        "{}",
        notices[0]
    );
    // Where no answer may go, the notice still does; where nothing may go, nothing does.
    server.receive("dora@r.example", "prices@a.example", "Precedence: bulk\r\n").await;
    server.receive("", "prices@a.example", "").await;
    server.receive("ghost@a.example", "prices@a.example", "").await;
    server.take_all().await.unwrap();
    assert_eq!(server.queue().await.len(), 4);
}

/// RFC 8689 §5, §6: the answer and the notice travel as their message did.
#[tokio::test]
async fn rfc8689_what_came_with_requiretls_is_answered_with_it() {
    for require_tls in [false, true] {
        let server = Server::new("a.example").await;
        server.add_responder("prices@a.example", |_| ()).await;
        let mut envelope = Envelope::new(ReversePath::parse("<carol@r.example>").unwrap());
        envelope.require_tls = require_tls;
        envelope.recipients.push(EnvelopeRecipient {
            forward_path: ForwardPath::Address(address("prices@a.example")),
            notify: mail::DsnNotify::default(),
            original: None,
        });
        let mut intake = server.delivery.intake(&envelope.reverse_path, b"").await.unwrap();
        intake.write(b"From: carol@r.example\r\nTo: prices@a.example\r\nSubject: Prix ?\r\n\r\nx\r\n").await.unwrap();
        let prepared = intake.finish(envelope).await.unwrap();
        server.store.transact(move |tx| prepared.apply(tx)).await.unwrap();
        server.take_all().await.unwrap();
        let rows = server.queue().await;
        assert_eq!(rows.len(), 2, "the answer, and the notice that nobody reads there");
        assert!(rows.iter().all(|row| row.require_tls == require_tls), "{rows:?}");
    }
}

#[tokio::test]
async fn a06_the_notice_is_given_whatever_is_edited_after_the_message_came() {
    let server = Server::new("a.example").await;
    let first = server.add_responder("prices@a.example", |_| ()).await;
    server.add_responder("prices@a.example", |_| ()).await;
    server.receive("carol@r.example", "prices@a.example", "").await;
    server.store.remove_object(routing::objects::ObjectKey::Responder(first)).await.unwrap();
    assert_eq!(server.take_all().await.unwrap(), 2);
    let queued = server.queued().await;
    let notices = queued.iter().filter(|text| text.contains("multipart/report")).count();
    assert_eq!((queued.len(), notices), (2, 1), "{queued:#?}");
}

#[tokio::test]
async fn a06_beside_a_blackhole_only_the_answer_leaves() {
    let server = Server::new("a.example").await;
    server.alias("prices@a.example", &[":blackhole:"]).await;
    server.add_responder("prices@a.example", |r| (r.html, r.text) = (Some("<p>10 €</p>".to_owned()), None)).await;
    server.receive("carol@r.example", "prices@a.example", "").await;
    server.take_all().await.unwrap();
    let queued = server.queued().await;
    assert!(queued.len() == 1 && queued[0].contains("multipart/alternative"), "{queued:?}");
}

#[tokio::test]
async fn a09_what_is_not_kept_is_answered_all_the_same() {
    let server = Server::new("a.example").await;
    server.add_responder("alice@a.example", |r| r.keep = false).await;
    server.receive("carol@r.example", "alice@a.example", "").await;
    server.take_all().await.unwrap();
    assert!(server.mailbox("alice@a.example", "INBOX").await.is_empty());
    assert_eq!(server.queue().await.len(), 1);
    assert_eq!(server.mailbox("alice@a.example", "Sent").await.len(), 1);
}

#[tokio::test]
async fn two_absent_colleagues_do_not_answer_each_other() {
    let server = Server::new("a.example").await;
    for who in ["alice@a.example", "bob@a.example"] {
        server.add_responder(who, |r| r.frequency_secs = 0).await;
    }
    server.receive("bob@a.example", "alice@a.example", "").await;
    for _ in 0..10 {
        server.take_all().await.unwrap();
    }
    assert_eq!(server.mailbox("bob@a.example", "INBOX").await.len(), 1, "alice's answer");
    assert_eq!(server.mailbox("alice@a.example", "INBOX").await.len(), 1, "bob's message");
    assert!(server.queue().await.is_empty());
}

#[tokio::test]
async fn an_event_handed_out_twice_has_its_effect_once() {
    let server = Server::new("a.example").await;
    server.add_responder("alice@a.example", |r| r.frequency_secs = 0).await;
    server.receive("carol@r.example", "alice@a.example", "").await;
    let event = server.store.events_after(Topic::MessageStored, 0, 1).await.unwrap().remove(0);
    server.responder.take(&event).await.unwrap();
    server.responder.take(&event).await.unwrap();
    assert_eq!(server.queue().await.len(), 1);
}

#[tokio::test]
async fn a_responder_that_is_gone_is_silent() {
    let server = Server::new("a.example").await;
    let id = server.add_responder("alice@a.example", |_| ()).await;
    server.receive("carol@r.example", "alice@a.example", "").await;
    server.store.remove_object(routing::objects::ObjectKey::Responder(id)).await.unwrap();
    assert_eq!(server.take_all().await.unwrap(), 1);
    assert!(server.queue().await.is_empty());
    assert_eq!(server.take_all().await.unwrap(), 0);
}

#[tokio::test]
async fn a_message_that_is_gone_by_then_is_answered_without_its_mark() {
    let server = Server::new("a.example").await;
    server.add_responder("alice@a.example", |_| ()).await;
    server.receive("carol@r.example", "alice@a.example", "").await;
    let account = server.store.directory().account(&address("alice@a.example")).unwrap().id;
    let inbox = server.store.inbox(account).await.unwrap().id;
    let all = storage::messages::ExpungeScope::All;
    server.store.expunge(account, inbox, vec![Uid(1)], all).await.unwrap();
    server.take_all().await.unwrap();
    assert_eq!(server.queue().await.len(), 1);
}

#[tokio::test]
async fn an_unreadable_event_is_parked_not_retried() {
    let server = Server::new("a.example").await;
    server.store.transact(|tx| tx.emit(Topic::MessageStored, START, b"{".to_vec())).await.unwrap();
    assert!(matches!(server.take_all().await, Err(TakeError::Permanent(_))));
}

#[tokio::test]
async fn a_power_cut_at_any_commit_leaves_exactly_one_answer() {
    let mut commits = 0;
    loop {
        let server = Server::new("a.example").await;
        server.add_responder("alice@a.example", |r| r.frequency_secs = 0).await;
        server.receive("carol@r.example", "alice@a.example", "").await;
        server.engine.fail_after(commits, StorageError::Io("the power went".to_owned()));
        let ended = server.take_all().await.is_ok();
        let engine = server.engine.after_power_cut(Arc::new(SilentDoorbell));
        let again = Server::open(server.sim.clone(), engine).await;
        again.take_all().await.unwrap();
        assert_eq!(again.queue().await.len(), 1, "after {commits} commits");
        assert_eq!(again.mailbox("alice@a.example", "Sent").await.len(), 1);
        let inbox = again.mailbox("alice@a.example", "INBOX").await;
        assert!(inbox[0].system_flags.contains(SystemFlags::ANSWERED));
        assert_eq!(again.take_all().await.unwrap(), 0);
        if ended {
            break;
        }
        commits += 1;
    }
    assert!(commits >= 2, "the loop has cut at every commit");
}

/// Lets every other task run before each transaction, so that concurrent events interleave step by step.
#[derive(Clone)]
struct Interleaving(MemoryEngine);

impl Engine for Interleaving {
    fn get<'a>(&'a self, key: &'a [u8]) -> BoxFuture<'a, Result<Option<Bytes>, StorageError>> {
        self.0.get(key)
    }

    fn multi_get<'a>(&'a self, keys: &'a [Vec<u8>]) -> BoxFuture<'a, Result<Vec<Option<Bytes>>, StorageError>> {
        self.0.multi_get(keys)
    }

    fn scan(&self, range: KeyRange, order: Order, limit: usize) -> BoxFuture<'_, Result<Vec<Row>, StorageError>> {
        self.0.scan(range, order, limit)
    }

    fn transact(&self, body: Body, durability: Durability) -> BoxFuture<'_, Result<Committed, StorageError>> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            self.0.transact(body, durability).await
        })
    }

    fn write_early(&self, rows: Vec<Row>) -> BoxFuture<'_, Result<(), StorageError>> {
        self.0.write_early(rows)
    }

    fn close(&self) -> BoxFuture<'_, Result<(), StorageError>> {
        self.0.close()
    }
}

#[tokio::test]
async fn concurrent_messages_of_one_sender_give_one_answer() {
    let server = Server::new("a.example").await;
    server.add_responder("alice@a.example", |_| ()).await;
    for _ in 0..20 {
        server.receive("carol@r.example", "alice@a.example", "").await;
    }
    server.receive("dora@r.example", "alice@a.example", "").await;
    let engine = Arc::new(Interleaving(server.engine.clone()));
    let store = Store::open(engine, server.sim.world()).await.unwrap();
    let settings = server.delivery.settings().clone();
    let responder = Responder::new(Delivery::new(store.clone(), settings));
    let mut tasks = tokio::task::JoinSet::new();
    for event in store.events_after(Topic::MessageStored, 0, 100).await.unwrap() {
        let responder = responder.clone();
        tasks.spawn(async move { responder.take(&event).await });
    }
    for ended in tasks.join_all().await {
        ended.unwrap();
    }
    let mut answered: Vec<String> =
        server.queue().await.iter().map(|row| row.recipients[0].address.to_string()).collect();
    answered.sort();
    assert_eq!(answered, ["carol@r.example", "dora@r.example"]);
    assert_eq!(server.take_all().await.unwrap(), 0);
}

/// Carries what is queued on one server to the other; gives how many messages travelled. A `broken` one strips the
/// marks of automatic answers and writes a reverse-path of its own, as bad responders do.
async fn carry(from: &Server, to: &Server, seen: &mut usize, broken: Option<&str>) -> usize {
    let rows = from.queue().await.split_off(*seen);
    *seen += rows.len();
    for row in &rows {
        let mut text = from.text(&row.blob, u64::from(row.skip_octets)).await;
        let mut path = row.reverse_path.clone();
        if let Some(author) = broken {
            for mark in ["Auto-Submitted: auto-replied\r\n", "X-Auto-Response-Suppress: All\r\n"] {
                text = text.replace(mark, "");
            }
            text = text.split_inclusive("\r\n").filter(|line| !line.starts_with("X-Loop")).collect();
            path = ReversePath::Address(address(author));
        }
        let recipient = row.recipients[0].address.to_string();
        to.accept(path, &recipient, text.as_bytes()).await;
    }
    rows.len()
}

async fn dialogue(broken: bool, rounds: u64) -> usize {
    let (a, b) = (Server::new("a.example").await, Server::new("b.example").await);
    a.add_responder("alice@a.example", |r| r.frequency_secs = 0).await;
    b.add_responder("alice@b.example", |r| r.frequency_secs = 0).await;
    let authors = if broken { (Some("alice@a.example"), Some("alice@b.example")) } else { (None, None) };
    let (mut from_a, mut from_b, mut messages) = (0, 0, 0);
    // Thousands of times somebody starts it again, within the day.
    for _ in 0..rounds {
        a.receive("alice@b.example", "alice@a.example", "").await;
        for _ in 0..3 {
            a.take_all().await.unwrap();
            let mut moved = carry(&a, &b, &mut from_a, authors.0).await;
            if moved > 0 {
                b.take_all().await.unwrap();
                moved += carry(&b, &a, &mut from_b, authors.1).await;
            }
            messages += moved;
            if moved == 0 {
                break;
            }
        }
        a.sim.clock.advance(Duration::from_secs(1));
        b.sim.clock.advance(Duration::from_secs(1));
    }
    messages
}

#[tokio::test]
async fn two_servers_stop_at_the_cap_whatever_the_marks() {
    let cap = ANSWERS_PER_DAY_MAX as usize;
    assert_eq!(dialogue(false, 1).await, 1, "an answer is not answered");
    assert_eq!(dialogue(false, 300).await, cap);
}

/// Ten thousand times within a day somebody starts it, and an evil relay between the two strips every mark.
#[tokio::test]
async fn v05_two_servers_fed_ten_thousand_messages_stop_at_the_cap() {
    assert_eq!(dialogue(true, 10_000).await, 2 * ANSWERS_PER_DAY_MAX as usize);
}

#[tokio::test]
async fn senders_answered_long_ago_are_forgotten() {
    let server = Server::new("a.example").await;
    let id = server.add_responder("alice@a.example", |r| r.frequency_secs = 7 * 86_400).await;
    server.add_responder("bob@a.example", |_| ()).await;
    for n in 0..5 {
        for to in ["alice@a.example", "bob@a.example"] {
            server.receive(&format!("u{n}@r.example"), to, "").await;
        }
    }
    server.take_all().await.unwrap();
    assert_eq!(server.responder.sweep().await.unwrap(), 0);
    server.sim.clock.advance(Duration::from_secs(2 * 86_400));
    assert_eq!(
        server.responder.sweep().await.unwrap(),
        11,
        "bob's, with a frequency of a day, those of all, the domain"
    );
    server.store.remove_object(routing::objects::ObjectKey::Responder(id)).await.unwrap();
    assert_eq!(server.responder.sweep().await.unwrap(), 5, "those of a responder that is gone");
    assert_eq!(server.responder.sweep().await.unwrap(), 0);
}

#[tokio::test]
async fn the_bus_drives_it() {
    let bus = Bus::new();
    let sim = SimulatedWorld::new(START, 7);
    let seeded = Server::new("a.example").await;
    seeded.add_responder("alice@a.example", |_| ()).await;
    let server = Server::open(sim, seeded.engine.after_power_cut(Arc::new(bus.clone()))).await;
    let stop = CancellationToken::new();
    let running = tokio::spawn({
        let (responder, bus, stop) = (server.responder.clone(), bus.clone(), stop.clone());
        async move { responder.run(&bus, stop).await }
    });
    server.receive("carol@r.example", "alice@a.example", "").await;
    while server.queue().await.is_empty() {
        tokio::task::yield_now().await;
    }
    stop.cancel();
    running.await.unwrap().unwrap();
    assert!(server.store.events_after(Topic::MessageStored, 0, 1).await.unwrap().is_empty());
}
