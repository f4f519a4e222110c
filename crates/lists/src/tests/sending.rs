//! Posts as they leave: signed.

use sender_auth::dkim::{Algorithm, Hasher, SigningKey, generate};
use sender_auth::verify::{Authentication, Client, Dmarc, Outcome, Rules, Said};
use storage::signing_keys::{KeyState, SigningKeyRow};

use super::*;

/// RFC 8058 §4: one-click leaving needs a signature that covers its fields. Whoever checks with tools of others: `tests/e2e/test_trace.py`.
#[tokio::test]
async fn posts_leave_with_a_signature_of_the_lists_domain() {
    let mut f = fixture(ListObject { posting: Posting::Anyone, ..garden() }).await;
    let domain = Domain::parse("example.org").unwrap();
    let pkcs8 = generate(Algorithm::Ed25519).unwrap().to_vec();
    let key = SigningKey::read(domain.clone(), "s1".to_owned(), Algorithm::Ed25519, &pkcs8).unwrap();
    let (algorithm, state) = (Algorithm::Ed25519.name().to_owned(), KeyState::Active);
    let row = SigningKeyRow { selector: "s1".to_owned(), algorithm, pkcs8, state, created_at: START };
    f.store.transact(move |tx| tx.put_signing_key(&domain, &row)).await.unwrap();
    for n in 0..150 {
        f.member(&format!("m{n}@far.example")).await;
    }
    f.set(|list| list.settings.from = routing::objects::FromPolicy::Rewrite).await;
    for (n, personal) in [false, true].into_iter().enumerate() {
        f.set(|list| list.settings.personal_links = personal).await;
        let content = message("zoe@bank.example", "garden@example.org", "Tea", "Body");
        f.held(f.list.id, "<zoe@bank.example>", "garden@example.org", None, &content).await;
        // Once in pieces: the copies behind a power cut are signed like those before.
        f.engine.fail_after(3, StorageError::Io("power".to_owned()));
        assert!(f.take_all().await.is_err());
        f.power_cut().await;
        f.take_all().await.unwrap();
        let rows = f.queue().await;
        assert_eq!(rows.len(), 150 * (n + 1));
        for row in rows.iter().skip(150 * n) {
            let text = f.text(&row.blob).await;
            let mut hasher = Hasher::new();
            hasher.feed(&text.as_bytes()[row.skip_octets as usize..]);
            // The signature is a function of what leaves, the key and the moment.
            let signed = hasher.finish().unwrap().sign(std::slice::from_ref(&key), START).unwrap();
            assert_eq!(row.prefix, signed);
            assert!(signed.starts_with("DKIM-Signature: ") && signed.contains("d=example.org;"), "{signed}");
            let covered = signed.replace("\r\n\t ", "");
            let fields = ["from:", "list-id", "list-unsubscribe:list-unsubscribe-post"];
            let wanted = if personal { &fields[..] } else { &fields[..2] };
            assert!(wanted.iter().all(|field| covered.contains(field)), "{signed}");
        }
    }
    // Mail to the owners only passes.
    f.set(|list| list.owners = vec![address("boss@far.example")]).await;
    f.mail("zoe@far.example", "garden-owner@example.org", "Question", "x").await;
    assert_eq!(f.queue().await.last().unwrap().prefix, "");
    f.sound().await;
}

/// RFC 8617 §5.1: what a list changes breaks the author's signature; the seal says what was found before.
#[tokio::test]
async fn rfc8617_a_post_from_outside_leaves_sealed_and_one_from_inside_not() {
    let mut f = fixture(ListObject { posting: Posting::Anyone, ..garden() }).await;
    let domain = Domain::parse("example.org").unwrap();
    let pkcs8 = generate(Algorithm::Ed25519).unwrap().to_vec();
    let (algorithm, state) = (Algorithm::Ed25519.name().to_owned(), KeyState::Active);
    let row = SigningKeyRow { selector: "s1".to_owned(), algorithm, pkcs8, state, created_at: START };
    f.store.transact(move |tx| tx.put_signing_key(&domain, &row)).await.unwrap();
    f.member("m@far.example").await;
    let found = Authentication {
        dmarc: vec![Dmarc { outcome: Outcome::Pass, domain: "bank.example".to_owned(), ..Dmarc::default() }],
        ..Authentication::default()
    };
    let forged = "Authentication-Results: mx.example.org; dmarc=pass header.from=forged.example\r\n";
    for personal in [false, true] {
        f.set(|list| list.settings.personal_links = personal).await;
        let checks = delivery::Checks::new(Arc::new(Said(found.clone())), Rules::default());
        let delivery = f.delivery.clone().checking(checks);
        let client =
            Client { ip: "192.0.2.1".parse().unwrap(), helo: None, reverse_path: Some(address("zoe@bank.example")) };
        let mut intake = delivery.checked_intake(client, b"Received: by mx; now\r\n").await.unwrap();
        let content = message("zoe@bank.example", "garden@example.org", "Tea", "Body");
        intake.write(format!("{forged}{content}").as_bytes()).await.unwrap();
        let mut envelope = Envelope::new(ReversePath::parse("<zoe@bank.example>").unwrap());
        envelope.recipients.push(crate::consumer::recipient(&address("garden@example.org")));
        let prepared = intake.finish(envelope).await.unwrap();
        f.store.transact(move |tx| prepared.apply(tx)).await.unwrap();
        f.take_all().await.unwrap();
        let prefix = f.queue().await.last().unwrap().prefix.clone();
        assert!(prefix.starts_with("ARC-Seal: i=1; a=ed25519-sha256; "), "{prefix}");
        assert!(prefix.contains("ARC-Authentication-Results: i=1; mx.example.org;\r\n"), "{prefix}");
        assert!(prefix.contains("dmarc=pass header.from=bank.example") && !prefix.contains("forged"), "{prefix}");
        assert!(prefix.contains(":dkim-signature"), "the list's signature is under the seal: {prefix}");
        assert!(prefix.lines().any(|line| line.starts_with("DKIM-Signature:")), "{prefix}");
    }
    // What nobody checked says nothing, whatever stands in it.
    f.mail("alice@example.org", "garden@example.org", "Milk", "x").await;
    let prefix = f.queue().await.last().unwrap().prefix.clone();
    assert!(prefix.starts_with("DKIM-Signature:") && !prefix.contains("ARC-"), "{prefix}");
}
