//! Forwards to other servers, and their bounces.

use mail::{Domain, ReversePath};
use sender_auth::dkim::{Algorithm, Hasher, SigningKey, generate};
use sender_auth::verify::{Authentication, Client, Dmarc, Outcome, Rules, Said, Spf};
use storage::check::check;
use storage::rows::QueueRow;
use storage::signing_keys::{KeyState, SigningKeyRow};

use super::*;
use crate::Checks;

const DAY: std::time::Duration = std::time::Duration::from_secs(86_400);

struct Stage {
    f: Fixture,
    world: SimulatedWorld,
}

async fn stage() -> Stage {
    let engine = MemoryEngine::default();
    let world = SimulatedWorld::new(Timestamp(1_700_000_000_000), 7);
    let store = Store::open(Arc::new(engine.clone()), world.world()).await.unwrap();
    for name in ["example.org", "second.example"] {
        store.put_object(Object::Domain(DomainObject::new(name.parse().unwrap())), PutMode::Add).await.unwrap();
    }
    store.add_account(AccountObject::new(address("alice@example.org"))).await.unwrap();
    let settings = DeliverySettings { hostname: "mx.example.org".parse().unwrap(), message_octets_max: 100_000 };
    let f = Fixture { delivery: Delivery::new(store.clone(), settings), engine, store };
    f.alias("away@example.org", &["alice@elsewhere.example"]).await;
    Stage { f, world }
}

impl Stage {
    /// A message of another server, and the queue entry that it leads to.
    async fn forwarded(&self, from: &str, to: &str, content: &[u8]) -> QueueRow {
        let reverse_path = ReversePath::parse(&format!("<{from}>")).unwrap();
        let mut intake = self.f.delivery.intake(&reverse_path, b"Received: by us\r\n").await.unwrap();
        intake.write(content).await.unwrap();
        let prepared = intake.finish(Envelope { reverse_path, ..envelope(&[to]) }).await.unwrap();
        let applied = self.f.store.transact(move |tx| prepared.apply(tx)).await.unwrap().value;
        self.f.store.queue_entry(applied.queued[0]).await.unwrap().unwrap()
    }

    async fn rewritten(&self, from: &str) -> String {
        let row = self.forwarded(from, "away@example.org", MESSAGE).await;
        row.reverse_path.address().map(ToString::to_string).unwrap_or_default()
    }

    async fn rcpt(&self, from: &str, to: &str) -> String {
        let asking = Asking::from(ReversePath::parse(&format!("<{from}>")).unwrap(), self.f.store.now());
        let decided = self.f.delivery.decide(&asking, &ForwardPath::parse(&format!("<{to}>")).unwrap()).await;
        decided.map_or_else(|turned| turned.reply.to_string(), |()| "taken".to_owned())
    }
}

#[tokio::test]
async fn a_forward_leaves_under_an_address_of_ours_and_its_bounce_goes_back() {
    let s = stage().await;
    let commits = s.f.engine.commits();
    let there = s.rewritten("zoe@far.example").await;
    assert_eq!(s.f.engine.commits(), commits + 1, "the key comes with the message");
    assert!(there.starts_with("SRS0=") && there.ends_with("=far.example=zoe@example.org"), "{there}");
    assert_eq!(s.rcpt("", &there).await, "taken");
    // Servers that change the case.
    assert_eq!(s.rcpt("", &there.to_lowercase()).await, "taken");
    let bounce = s.forwarded("", &there, b"From: mailer-daemon@elsewhere.example\r\n\r\nNo.\r\n").await;
    assert_eq!(bounce.recipients[0].address, address("zoe@far.example"));
    assert!(bounce.reverse_path.is_null());
    assert_eq!(check(&s.f.store, true, &mut |_| {}).await.unwrap().findings, 0);
}

#[tokio::test]
async fn a_rewritten_address_is_no_way_to_write_through_this_server() {
    let s = stage().await;
    let there = s.rewritten("zoe@far.example").await;
    assert!(
        s.rcpt("max@other.example", &there).await.starts_with("550 5.7.1 This address takes delivery reports only")
    );
    for forged in [
        there.replace("=zoe@", "=max@"),
        there.replace("=far.example", "=bank.example"),
        "SRS0=AAAAAAAA=AA=bank.example=max@example.org".to_owned(),
        "SRS0=AAAAAAAAAAAAAAAA@example.org".to_owned(),
        "SRS1=AAAAAAAA=bank.example==x=AA=far.example=zoe@example.org".to_owned(),
    ] {
        assert!(s.rcpt("", &forged).await.starts_with("550 5.1.1"), "{forged}");
    }
    // Signed for another domain of ours it still is ours; of a stranger's domain it is relaying.
    assert_eq!(s.rcpt("", &there.replace("@example.org", "@second.example")).await, "taken");
    assert!(
        s.rcpt("", &there.replace("@example.org", "@other.example")).await.starts_with("550 5.7.1 Relaying denied")
    );
}

#[tokio::test]
async fn its_time_ends_and_keys_change_meanwhile() {
    let s = stage().await;
    let there = s.rewritten("zoe@far.example").await;
    let long = "bounces+2837465-9a1f-alice=example.org@em1234.mailer.far.example";
    let stored = s.rewritten(long).await;
    assert!(stored.len() < 40, "{stored}");
    for _ in 0..21 {
        assert_eq!(s.rcpt("", &there).await, "taken");
        assert_eq!(s.rcpt("", &stored).await, "taken");
        s.world.clock.advance(DAY);
        // Other forwards go on, with new keys.
        s.rewritten("max@far.example").await;
        s.rewritten("bounces+2837465-9a1f-bob=example.org@em1234.mailer.far.example").await;
    }
    let back = s.forwarded("", &stored, MESSAGE).await;
    assert_eq!(back.recipients[0].address, address(long));
    s.world.clock.advance(DAY);
    assert!(s.rcpt("", &there).await.starts_with("550 5.1.1 The message that this address was made for"));
    for _ in 0..4 {
        s.world.clock.advance(DAY * 21);
        s.rewritten("max@far.example").await;
        s.rewritten("bounces+2837465-9a1f-bob=example.org@em1234.mailer.far.example").await;
    }
    assert!(s.rcpt("", &there).await.starts_with("550 5.1.1"));
    assert!(s.rcpt("", &stored).await.starts_with("550 5.1.1"));
}

#[tokio::test]
async fn ones_own_and_nobodys_reverse_path_stay() {
    let s = stage().await;
    assert_eq!(s.rewritten("alice@example.org").await, "alice@example.org");
    assert_eq!(s.rewritten("").await, "");
    // What others have rewritten goes back to the first of them.
    let chained = s.rewritten("SRS0=h=tt=a.example=z@first.example").await;
    assert!(
        chained.starts_with("SRS1=") && chained.ends_with("=first.example==h=tt=a.example=z@example.org"),
        "{chained}"
    );
    let bounce = s.forwarded("", &chained, MESSAGE).await;
    assert_eq!(bounce.recipients[0].address, address("SRS0=h=tt=a.example=z@first.example"));
}

/// Two servers that forward to each other: what this one has rewritten comes back with the other's SRS1 around it.
#[tokio::test]
async fn what_came_round_is_led_back_to_its_sender() {
    let s = stage().await;
    let first = s.rewritten("zoe@far.example").await;
    let (local, domain) = first.rsplit_once('@').unwrap();
    let others = format!("SRS1=h={domain}={}@other.example", &local[4..]);
    let round = s.rewritten(&others).await;
    assert!(round.starts_with("SRS1=") && round.contains("=example.org=="), "{round}");
    assert_eq!(s.rcpt("", &round).await, "taken");
    let bounce = s.forwarded("", &round, MESSAGE).await;
    assert_eq!(bounce.recipients[0].address, address("zoe@far.example"));
}

#[tokio::test]
async fn a_signature_made_outside_is_good_behind_the_forward() {
    let s = stage().await;
    let domain: Domain = "far.example".parse().unwrap();
    let pkcs8 = generate(Algorithm::Ed25519).unwrap();
    let key = SigningKey::read(domain, "s1".to_owned(), Algorithm::Ed25519, &pkcs8).unwrap();
    let mut hasher = Hasher::new();
    hasher.feed(MESSAGE);
    let signature = hasher.finish().unwrap().sign(&[key], s.f.store.now()).unwrap();
    let signed = [signature.as_bytes(), MESSAGE].concat();
    let row = s.forwarded("zoe@far.example", "away@example.org", &signed).await;
    let mut blob = s.f.store.blob(&row.blob).await.unwrap().unwrap();
    let travels = blob.read(u64::from(row.skip_octets), u64::MAX).await.unwrap();
    // Nothing but a trace field in front: every signed field and the body are the octets that were signed.
    assert_eq!(
        String::from_utf8(travels).unwrap(),
        format!("Received: by us\r\n{}", String::from_utf8(signed).unwrap())
    );
    assert_eq!(row.prefix, "Delivered-To: away@example.org\r\n", "it is not signed anew");
}

#[tokio::test]
async fn what_comes_back_to_the_address_that_passed_it_on_is_in_a_loop() {
    let s = stage().await;
    s.f.alias("other@example.org", &["max@elsewhere.example"]).await;
    let row = s.forwarded("zoe@far.example", "away@example.org", MESSAGE).await;
    let back = [row.prefix.as_bytes(), b"Received: by elsewhere\r\n", MESSAGE].concat();
    for (to, taken) in [("AWAY@example.org", false), ("alice@example.org", true), ("other@example.org", true)] {
        let mut intake = s.f.delivery.intake(&ReversePath::Null, b"Received: by us\r\n").await.unwrap();
        intake.write(&back).await.unwrap();
        let finished = intake.finish(envelope(&[to])).await;
        assert_eq!(finished.as_ref().is_ok(), taken, "{to}");
        if let Err(Refused(reply)) = finished {
            assert!(reply.to_string().starts_with("554 5.4.6"), "{reply}");
        }
    }
    // Two addresses that lead to one place: neither is told of the other.
    let both = envelope(&["away@example.org", "other@example.org"]);
    let prepared = s.f.delivery.prepare(both, MESSAGE).await.unwrap();
    let queued = s.f.store.transact(move |tx| prepared.apply(tx)).await.unwrap().value.queued;
    let row = s.f.store.queue_entry(queued[0]).await.unwrap().unwrap();
    assert!(!row.prefix.contains("Delivered-To"), "{}", row.prefix);
}

#[tokio::test]
async fn rfc8617_a_forward_is_sealed_with_what_was_found() {
    let s = stage().await;
    let domain: Domain = "example.org".parse().unwrap();
    for algorithm in [Algorithm::Ed25519, Algorithm::Rsa2048] {
        let pkcs8 = generate(algorithm).unwrap().to_vec();
        let row = SigningKeyRow {
            selector: algorithm.name().replace("-sha256", ""),
            algorithm: algorithm.name().to_owned(),
            pkcs8,
            state: KeyState::Active,
            created_at: s.f.store.now(),
        };
        let domain = domain.clone();
        s.f.store.transact(move |tx| tx.put_signing_key(&domain, &row)).await.unwrap();
    }
    s.f.alias("both@example.org", &["alice@example.org", "alice@elsewhere.example"]).await;
    let good = Authentication {
        spf: Spf { outcome: Outcome::Pass, domain: "far.example".to_owned(), explanation: None },
        dmarc: vec![Dmarc { outcome: Outcome::Pass, domain: "far.example".to_owned(), ..Dmarc::default() }],
        ..Authentication::default()
    };
    let queued = |row: &str| row.starts_with("Delivered-To: ");
    for (to, sealed) in [("both@example.org", true), ("alice@example.org", false)] {
        let said = Said(good.clone());
        let delivery = s.f.delivery.clone().checking(Checks::new(Arc::new(said), Rules::default()));
        let client =
            Client { ip: "192.0.2.1".parse().unwrap(), helo: None, reverse_path: Some(address("zoe@far.example")) };
        let mut intake = delivery.checked_intake(client, b"Received: by us\r\n").await.unwrap();
        let envelope = Envelope { reverse_path: ReversePath::parse("<zoe@far.example>").unwrap(), ..envelope(&[to]) };
        intake.led_by(&envelope);
        for piece in MESSAGE.chunks(5) {
            intake.write(piece).await.unwrap();
        }
        let prepared = intake.finish(envelope).await.unwrap();
        let applied = s.f.store.transact(move |tx| prepared.apply(tx)).await.unwrap().value;
        assert_eq!(applied.queued.len(), usize::from(sealed));
        let Some(id) = applied.queued.first() else { continue };
        let prefix = s.f.store.queue_entry(*id).await.unwrap().unwrap().prefix;
        assert!(queued(&prefix), "{prefix}");
        for wanted in [
            "ARC-Seal: i=1; a=rsa-sha256; t=1700000000; cv=none;\r\n\td=example.org; s=rsa;",
            "ARC-Message-Signature: i=1; a=rsa-sha256; c=relaxed/relaxed; d=example.org;",
            "ARC-Authentication-Results: i=1; mx.example.org;\r\n\tiprev=none policy.iprev=192.0.2.1;\r\n\tspf=pass",
        ] {
            assert!(prefix.contains(wanted), "{wanted}\n{prefix}");
        }
        assert!(!prefix.contains("DKIM-Signature"), "{prefix}");
    }
}
