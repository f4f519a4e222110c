//! Chains sealed by `mail-auth`, whole and broken.

use mail_auth::arc::ArcSealer;
use mail_auth::crypto::Ed25519Key;
use mail_auth::headers::HeaderWriter;
use mail_auth::{AuthenticatedMessage, AuthenticationResults};

use super::dkim::rsa_key;
use super::server::Zone;
use super::*;
use crate::arc::{ChainState, Results, seal};
use crate::dkim::{Algorithm, generate, record};

const MESSAGE: &str = "From: a@a.example\r\nTo: list@lists.example\r\nSubject: Hello\r\n\r\nText.\r\n";

/// The message sealed by two hosts, and where their keys are.
async fn sealed() -> (String, Zone) {
    let (ed, rsa) = (generate(Algorithm::Ed25519).unwrap(), generate(Algorithm::Rsa2048).unwrap());
    let zone = Zone::default()
        .txt("e._domainkey.lists.example", &record(Algorithm::Ed25519, &ed).unwrap())
        .txt("r._domainkey.relay.example", &record(Algorithm::Rsa2048, &rsa).unwrap());
    let checker = checker(zone.clone()).await;
    let mut message = MESSAGE.to_owned();
    for host in ["lists.example", "relay.example"] {
        let parsed = AuthenticatedMessage::parse(message.as_bytes()).unwrap();
        let arc = checker.mail_auth().verify_arc(&parsed).await;
        let results = AuthenticationResults::new(host);
        let set = if host == "lists.example" {
            ArcSealer::from_key(Ed25519Key::from_pkcs8_maybe_unchecked_der(&ed).unwrap())
                .domain(host)
                .selector("e")
                .headers(["From", "To", "Subject"])
                .seal(&parsed, &results, &arc)
                .unwrap()
                .to_header()
        } else {
            ArcSealer::from_key(rsa_key(&rsa))
                .domain(host)
                .selector("r")
                .headers(["From", "To", "Subject"])
                .seal(&parsed, &results, &arc)
                .unwrap()
                .to_header()
        };
        message = format!("{set}{message}");
    }
    (message, zone)
}

async fn judged(zone: Zone, message: &str) -> super::super::Arc {
    checker(zone).await.check(&arrived(message.as_bytes()), &from("192.0.2.1", "")).await.arc
}

#[tokio::test]
async fn rfc8617_a_chain_of_two_hosts_is_valid() {
    let (message, zone) = sealed().await;
    let found = judged(zone, &message).await;
    assert_eq!((found.outcome, found.reason), (Outcome::Pass, ""));
    let sealers: Vec<&str> = found.sealers.iter().map(|sealer| sealer.domain.as_str()).collect();
    assert_eq!(sealers, ["lists.example", "relay.example"]);
    assert!(found.sealers[0].results.contains("lists.example"), "{found:?}");
}

#[tokio::test]
async fn rfc8617_whatever_is_changed_breaks_it() {
    let (message, zone) = sealed().await;
    let without = |name: &str| {
        let mut fields: Vec<&[u8]> = message::raw_fields(message.as_bytes()).map(|field| field.bytes).collect();
        let at = fields.iter().position(|field| field.starts_with(name.as_bytes())).unwrap();
        fields.remove(at);
        let body = message.split_once("\r\n\r\n").unwrap().1;
        format!("{}\r\n{body}", String::from_utf8(fields.concat()).unwrap())
    };
    for (changed, reason) in [
        (message.replace("Text.", "Test."), "the body was changed"),
        (
            message.replace("Subject: Hello", "Subject: Hallo"),
            "the signature is not by the key that is published, or what is signed was changed",
        ),
        (message.replace("; lists.example", "; listz.example"), "a seal is wrong"),
        (without("ARC-Seal"), "a set is not complete"),
        (without("ARC-Authentication-Results"), "a set is not complete"),
        (message.replace("cv=none", "cv=fail"), "it was broken before it came here"),
        (message.replace("cv=pass", "cv=none"), "a set contradicts its place"),
        (message.replace("i=2", "i=3"), "a set is missing, double or can't be read"),
        (message.replace("i=2", "i=1"), "a set contradicts its place"),
        (message.replace("i=2", "i=99"), "a set is missing, double or can't be read"),
    ] {
        assert_ne!(changed, message, "{reason}");
        let found = judged(zone.clone(), &changed).await;
        assert_eq!((found.outcome, found.reason), (Outcome::Fail, reason));
        assert!(found.sealers.is_empty());
    }
    let keyless = judged(Zone::default(), &message).await;
    assert_eq!((keyless.outcome, keyless.reason), (Outcome::Fail, "the key is not published"));
    let down = judged(zone.fails("e._domainkey.lists.example"), &message).await;
    assert_eq!(down.outcome, Outcome::TemporaryError);
}

#[tokio::test]
async fn endless_chains_are_not_looked_at() {
    let set = |n: usize| {
        format!(
            "ARC-Seal: i={n}; a=rsa-sha256; cv=pass; d=x.example; s=s; b=AAAA\r\n\
             ARC-Message-Signature: i={n}; a=rsa-sha256; d=x.example; s=s; h=from; bh=AAAA; b=AAAA\r\n\
             ARC-Authentication-Results: i={n}; x\r\n"
        )
    };
    let message: String = (1..=60).map(set).collect::<String>() + MESSAGE;
    let found = judged(Zone::default(), &message).await;
    assert_eq!((found.outcome, found.reason), (Outcome::Fail, "there are too many sets"));
}

/// A key of ours, and the zone with its record.
fn our_key(zone: Zone, algorithm: Algorithm, domain: &str) -> (crate::dkim::SigningKey, Zone) {
    let pkcs8 = generate(algorithm).unwrap();
    let zone = zone.txt(&format!("o._domainkey.{domain}"), &record(algorithm, &pkcs8).unwrap());
    let key = crate::dkim::SigningKey::read(domain.parse().unwrap(), "o".to_owned(), algorithm, &pkcs8).unwrap();
    (key, zone)
}

/// A message as it comes and is passed on: checked here, sealed.
async fn passed_on(zone: Zone, key: &crate::dkim::SigningKey, message: &str) -> String {
    let mut arrival = Arrival::new(Arc::new(Budget::new(1 << 20)));
    arrival.may_be_sealed();
    message.as_bytes().chunks(7).for_each(|piece| arrival.feed(piece).unwrap());
    let arrived = arrival.finish();
    let found = checker(zone).await.check(&arrived, &from("192.0.2.1", "a@a.example")).await;
    let field = found.field("mx.ours.example");
    let chain = ChainState::found(&found.arc);
    assert_eq!(chain, ChainState::told(&field), "what the field tells is what was found");
    let Some(chain) = chain else { return message.to_owned() };
    let results = Results { field: field.strip_prefix("Authentication-Results: ").unwrap(), chain };
    let now = Timestamp::from_secs(1_800_000_000);
    let set = seal(&arrived.hashed().unwrap(), results, key, now).unwrap().unwrap_or_default();
    format!("{set}{field}Received: by mx.ours.example\r\n{message}")
}

#[tokio::test]
async fn rfc8617_our_seal_begins_a_chain_and_goes_on_with_one() {
    for algorithm in [Algorithm::Rsa2048, Algorithm::Ed25519] {
        let (message, zone) = sealed().await;
        let (key, zone) = our_key(zone, algorithm, "ours.example");
        let third = passed_on(zone.clone(), &key, &message).await;
        assert!(third.starts_with("ARC-Seal: i=3; ") && third.contains("cv=pass;\r\n\td=ours.example"), "{third}");
        let found = judged(zone.clone(), &third).await;
        assert_eq!((found.outcome, found.reason), (Outcome::Pass, ""), "{third}");
        assert_eq!(found.sealers[2].domain, "ours.example");
        assert!(found.sealers[2].results.contains("mx.ours.example") && found.sealers[2].results.contains("arc=pass"));
        // A chain of ours alone, and one of two.
        let first = passed_on(zone.clone(), &key, MESSAGE).await;
        assert!(first.starts_with("ARC-Seal: i=1; ") && first.contains("cv=none"), "{first}");
        let second = passed_on(zone.clone(), &key, &first).await;
        // mail-auth judges alike.
        for (message, sets) in [(&first, 1), (&second, 2), (&third, 3)] {
            assert_eq!(judged(zone.clone(), message).await.sealers.len(), sets);
            let checker = checker(zone.clone()).await;
            let parsed = AuthenticatedMessage::parse(message.as_bytes()).unwrap();
            let theirs = checker.mail_auth().verify_arc(&parsed).await;
            assert_eq!(*theirs.result(), mail_auth::DkimResult::Pass, "{message}");
        }
        assert!(third.split("\r\n").all(|line| line.len() <= 120), "{third}");
    }
}

#[tokio::test]
async fn rfc8617_a_broken_chain_is_marked_once_and_a_full_or_unknown_one_not_sealed() {
    let (message, zone) = sealed().await;
    let (key, zone) = our_key(zone, Algorithm::Rsa2048, "ours.example");
    let broken = message.replace("Text.", "Test.");
    let marked = passed_on(zone.clone(), &key, &broken).await;
    assert!(marked.starts_with("ARC-Seal: i=3; ") && marked.contains("cv=fail"), "{marked}");
    let found = judged(zone.clone(), &marked).await;
    assert_eq!((found.outcome, found.reason), (Outcome::Fail, "it was broken before it came here"));
    let again = passed_on(zone.clone(), &key, &marked).await;
    assert!(again.starts_with("Authentication-Results:"), "{again}");
    let unknown = passed_on(zone.clone().fails("e._domainkey.lists.example"), &key, &message).await;
    assert_eq!(unknown, message, "what is not known is not sealed");
    let seal = |n: usize| format!("ARC-Seal: i={n}; a=rsa-sha256; cv=pass; d=x.example; s=s; b=AAAA\r\n");
    let full: String = (1..=50).map(seal).collect::<String>() + MESSAGE;
    assert!(passed_on(zone, &key, &full).await.starts_with("Authentication-Results:"));
}

#[tokio::test]
async fn rfc6376_a_signature_made_outside_survives_the_seal() {
    let (key, zone) = our_key(Zone::default(), Algorithm::Rsa2048, "ours.example");
    let (outside, zone) = our_key(zone, Algorithm::Ed25519, "a.example");
    let mut hasher = crate::dkim::Hasher::new();
    hasher.feed(MESSAGE.as_bytes());
    let now = Timestamp::from_secs(1_799_999_000);
    let signature = hasher.finish().unwrap().sign(&[outside], now).unwrap();
    let forwarded = passed_on(zone.clone(), &key, &format!("{signature}{MESSAGE}")).await;
    let found = checker(zone).await.check(&arrived(forwarded.as_bytes()), &from("192.0.2.9", "x@ours.example")).await;
    assert_eq!((found.dkim[0].outcome, found.arc.outcome), (Outcome::Pass, Outcome::Pass), "{found:?}");
    assert!(forwarded.contains("h=from:from:reply-to:subject:subject:to:to:cc:dkim-signature"), "{forwarded}");
}
