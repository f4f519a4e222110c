use auth::AuthError;
use bus::{Consumer, TakeError};
use delivery::DeliverySettings;
use mail::{Domain, Timestamp};
use routing::objects::{AccountObject, AliasObject, DomainObject, Object, Target};
use storage::Store;
use storage::objects::PutMode;
use storage::rows::EventRow;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use world::simulated::SimulatedWorld;

use super::identity::check_identity;
use super::*;

fn directory() -> Directory {
    let mut directory = Directory::default();
    directory.put(Object::Domain(DomainObject::new(Domain::parse("a.example").unwrap())));
    for (id, address) in [(1, "alice@a.example"), (2, "bob@a.example")] {
        directory.put(Object::Account(AccountObject {
            id: AccountId(id),
            ..AccountObject::new(Address::parse(address).unwrap())
        }));
    }
    directory.put(Object::Alias(AliasObject::new(
        Address::parse("info@a.example").unwrap(),
        vec![Target::Address(Address::parse("alice@a.example").unwrap())],
    )));
    directory
}

fn said(header: &str) -> String {
    match check_identity(&directory(), AccountId(1), format!("{header}\r\n").as_bytes()) {
        Ok(()) => "taken".to_owned(),
        Err(reply) => reply.to_string(),
    }
}

#[test]
fn r06_the_sender_of_a_submitted_message_is_ones_own() {
    for own in [
        "From: alice@a.example",
        "From: \"Alice, at home\" <ALICE+x@a.example>\r\nSubject: x",
        "Subject: x\r\nfrom: Info <info@a.example>",
        "From: alice@a.example, info@a.example\r\nSender: alice@a.example",
        "From: alice@a.example\r\nReply-To: anybody@elsewhere.example, bob@a.example",
        "Resent-From: info@a.example\r\nResent-Sender: alice@a.example\r\nFrom: alice@a.example\r\nResent-From: alice@a.example",
    ] {
        assert_eq!(said(own), "taken", "{own}");
    }
    for (foreign, reason) in [
        ("From: bob@a.example", "550 5.7.1 You may not send as bob@a.example: it is the address of another account"),
        (
            "From: alice@a.example\r\nFrom: bob@a.example",
            "550 5.6.0 From, Sender or a Resent field can be read in more than one way",
        ),
        ("From: alice@a.example, Bob <bob@a.example>", "550 5.7.1 You may not send as bob@a.example"),
        ("From: alice@a.example\r\nSender: bob@a.example", "550 5.7.1 You may not send as bob@a.example"),
        ("From: alice@a.example\r\nResent-From: bob@a.example", "550 5.7.1 You may not send as bob@a.example"),
        ("From: alice@a.example\r\nRESENT-SENDER: bob@a.example", "550 5.7.1 You may not send as bob@a.example"),
        (
            "From: alice@a.example\r\nSender: alice@a.example\r\nSender: info@a.example",
            "550 5.6.0 From, Sender or a Resent field can be read in more than one way",
        ),
        ("Subject: no From at all", "550 5.6.0 The message has no From field"),
        ("Sender: alice@a.example\r\nResent-From: alice@a.example", "550 5.6.0 The message has no From field"),
        ("From:\r\n =?utf-8?q?x?=\r\n <ceo@elsewhere.example>", "550 5.7.1 You may not send as ceo@elsewhere.example"),
        ("From: alice", "550 5.6.0 From, Sender or a Resent field can be read in more than one way"),
    ] {
        assert!(said(foreign).starts_with(reason), "{foreign}: {}", said(foreign));
    }
}

/// A responder that hangs until it is let go.
struct Stuck {
    store: Store,
    go: Semaphore,
}

impl Consumer for Stuck {
    fn take<'a>(&'a self, event: &'a EventRow) -> BoxFuture<'a, Result<(), TakeError>> {
        Box::pin(async move {
            self.go.acquire().await.unwrap().forget();
            let number = event.number;
            self.store.transact(move |tx| tx.finish_event(Topic::MessageStored, number)).await?;
            Ok(())
        })
    }
}

struct Nobody;

impl Authenticator for Nobody {
    fn authenticate<'a>(
        &'a self,
        _login: &'a str,
        _password: &'a str,
        _remote: std::net::IpAddr,
        _service: Service,
    ) -> BoxFuture<'a, Result<Arc<AccountObject>, AuthError>> {
        Box::pin(std::future::ready(Err(AuthError::Refused)))
    }

    fn confirm<'a>(
        &'a self,
        _account: &'a AccountObject,
        _password: &'a str,
        _remote: std::net::IpAddr,
    ) -> BoxFuture<'a, Result<(), AuthError>> {
        Box::pin(std::future::ready(Err(AuthError::Refused)))
    }
}

async fn until(holds: impl Fn() -> bool) {
    while !holds() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn senders_are_asked_to_wait_while_the_responder_is_stuck_and_no_longer() {
    let folder = tempfile::tempdir().unwrap();
    let bus = Bus::new();
    let options = storage_rocksdb::Options { free_octets_min: 0, ..storage_rocksdb::Options::default() };
    let engine = Arc::new(RocksEngine::open(folder.path(), options, Arc::new(bus.clone())).unwrap());
    let world = SimulatedWorld::new(Timestamp(1_000_000), 1);
    let store = Store::open(engine.clone(), world.world()).await.unwrap();
    let settings = DeliverySettings { hostname: Domain::parse("mx.a.example").unwrap(), message_octets_max: 1000 };
    let delivery = Delivery::new(store.clone(), settings);
    let host = MailHost::new(delivery, Arc::new(Nobody), bus.clone(), engine, Arc::new(AtomicUsize::new(2)));
    let stuck = Arc::new(Stuck { store: store.clone(), go: Semaphore::new(0) });
    let stop = CancellationToken::new();
    let responder = tokio::spawn({
        let (bus, store, stuck, stop) = (bus.clone(), store.clone(), stuck.clone(), stop.clone());
        async move { bus::consume(&bus, &store, Topic::MessageStored, stuck.as_ref(), stop).await }
    });
    for waiting in 1..=3 {
        assert_eq!(host.room(), Ok(()));
        let now = store.now();
        store.transact(move |tx| tx.emit(Topic::MessageStored, now, Vec::new())).await.unwrap();
        until(|| bus.backlog(Topic::MessageStored) == waiting).await;
    }
    assert_eq!(host.room(), Err(BUSY));
    stuck.go.add_permits(1);
    until(|| host.room().is_ok()).await;
    stuck.go.add_permits(2);
    until(|| bus.backlog(Topic::MessageStored) == 0).await;
    stop.cancel();
    responder.await.unwrap().unwrap();
}

/// A host over a store with the domain a.example and nobody in it, behind a door.
async fn behind(door: &Door, folder: &std::path::Path, world: &SimulatedWorld) -> MailHost {
    let bus = Bus::new();
    let options = storage_rocksdb::Options { free_octets_min: 0, ..storage_rocksdb::Options::default() };
    let engine = Arc::new(RocksEngine::open(folder, options, Arc::new(bus.clone())).unwrap());
    let store = Store::open(engine.clone(), world.world()).await.unwrap();
    let domain = Object::Domain(DomainObject::new(Domain::parse("a.example").unwrap()));
    store.put_object(domain, PutMode::Add).await.unwrap();
    let settings = DeliverySettings { hostname: Domain::parse("mx.a.example").unwrap(), message_octets_max: 1000 };
    let delivery = Delivery::new(store, settings);
    MailHost::new(delivery, Arc::new(Nobody), bus, engine, Arc::new(AtomicUsize::new(2))).behind(door.clone())
}

#[tokio::test]
async fn who_tries_recipients_waits_and_is_sent_away_and_its_trace_tells() {
    let limits = abuse::Settings {
        messages: abuse::PerNetwork([7, 0, 0]),
        unknown_recipients: abuse::PerNetwork([6, 0, 0]),
        ..abuse::Settings::default()
    };
    let door = Door::new(limits, || {});
    let (folder, world) = (tempfile::tempdir().unwrap(), SimulatedWorld::new(Timestamp(1_000_000), 1));
    let host = behind(&door, folder.path(), &world).await;
    let at = "198.51.100.7:4711".parse().unwrap();
    let facts = SessionFacts::new(smtp_in::SessionId(1), ListenerKind::Mx, at, at);
    let envelope = Envelope::new(ReversePath::Null);
    let asked = async |who: &str| {
        let path = ForwardPath::parse(&format!("<{who}@a.example>")).unwrap();
        let mut verdict = std::pin::pin!(host.recipient(&facts, &envelope, &path));
        let mut waited = false;
        loop {
            tokio::select! {
                biased;
                verdict = &mut verdict => match verdict {
                    Verdict::Refuse(reply) => return (reply.to_string(), waited),
                    Verdict::Accept => panic!("there is nobody"),
                },
                () = until(|| world.clock.next_wake().is_some()) => {
                    waited = true;
                    world.clock.advance(Duration::from_secs(10));
                }
            }
        }
    };
    for n in 0..6 {
        let (reply, waited) = asked(&format!("x{n}")).await;
        assert!(reply.starts_with("550 5.1.1 "), "{reply}");
        assert_eq!(waited, n >= 4, "{n}: who guesses waits");
    }
    let (reply, _) = asked("x6").await;
    assert!(
        reply.starts_with("451 4.7.0 Too many recipients that do not exist from 198.51.100.7: at most 6 in an hour"),
        "{reply}"
    );
    // Messages have a rate of their own, and who has logged in none.
    for _ in 0..7 {
        assert_eq!(host.may_begin(&facts, &envelope).await, Verdict::Accept);
    }
    let Verdict::Refuse(reply) = host.may_begin(&facts, &envelope).await else { panic!() };
    assert!(
        reply.to_string().starts_with("421 4.7.0 Too many messages from 198.51.100.7: at most 7 in an hour"),
        "{reply}"
    );
    let lmtp = SessionFacts { kind: ListenerKind::Lmtp, ..facts.clone() };
    assert_eq!(host.may_begin(&lmtp, &envelope).await, Verdict::Accept);
}

#[test]
fn what_readers_may_take_for_another_author_is_refused() {
    let many = format!("From: {} Bob <bob@a.example>", "a:;\r\n ".repeat(600));
    let long = format!("From: {} alice@a.example", "(x)".repeat(4_000));
    for header in [
        many.as_str(),
        long.as_str(),
        "From: bob@a.example alice@a.example",
        "From: bob@a.example <alice@a.example>",
        "From: alice@a.example (\\)bob@a.example",
        "From: \"alice@a.example",
        "From: G:;",
        "From:",
        "From: alice@a.example\r\nFrom: alice@a.example",
        "\u{feff}From: bob@a.example\r\nFrom: alice@a.example",
        " From: bob@a.example\r\nFrom: alice@a.example",
        "Sender: bob@a.example alice@a.example\r\nFrom: alice@a.example",
    ] {
        let told = said(header);
        assert!(told.starts_with("550 5.6.0"), "{header:?}: {told}");
    }
    for header in [
        "From: \"bob@a.example\" <alice@a.example>",
        "From: Alice (not bob@a.example) <alice@a.example>",
        "From: Team: alice@a.example, alice+x@a.example;",
        "From: =?utf-8?Q?Bob?= <alice@a.example>",
    ] {
        assert_eq!(said(header), "taken", "{header:?}");
    }
}

/// RFC 2852: undo is nothing that a message with a time can afford beyond that.
#[test]
fn what_is_wanted_by_a_time_waits_no_longer_than_half_of_it() {
    let now = Timestamp(1_000_000);
    let after = |secs: u64| now.plus(Duration::from_secs(secs));
    for (undo, by, hold, until) in [
        (20, None, None, Some((20, WaitsFor::Undo))),
        (20, Some(10), None, Some((5, WaitsFor::Undo))),
        (20, Some(3_600), None, Some((20, WaitsFor::Undo))),
        (0, Some(10), None, None),
        (20, Some(100), Some(60), Some((60, WaitsFor::Release))),
        (20, Some(10), Some(8), Some((8, WaitsFor::Release))),
        (20, Some(10), Some(2), Some((5, WaitsFor::Undo))),
    ] {
        for mode in [mail::DeliverByMode::Return, mail::DeliverByMode::Notify] {
            let mut envelope = Envelope::new(ReversePath::Null);
            envelope.deliver_by = by.map(|secs| mail::DeliverBy { by: after(secs), mode, trace: false });
            envelope.hold_until = hold.map(after);
            let waiting = waiting(AccountId(1), undo, &envelope, now).map(|waiting| (waiting.until, waiting.why));
            assert_eq!(waiting, until.map(|(secs, why)| (after(secs), why)), "{undo} {by:?} {hold:?}");
        }
    }
    // A time that is over keeps nobody from taking a message back.
    let mut envelope = Envelope::new(ReversePath::Null);
    envelope.deliver_by = Some(mail::DeliverBy { by: Timestamp(0), mode: mail::DeliverByMode::Notify, trace: false });
    assert_eq!(waiting(AccountId(1), 20, &envelope, now).map(|waiting| waiting.until), Some(after(20)));
}
