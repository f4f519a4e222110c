//! Chains sealed by `mail-auth`, whole and broken.

use mail_auth::arc::ArcSealer;
use mail_auth::crypto::Ed25519Key;
use mail_auth::headers::HeaderWriter;
use mail_auth::{AuthenticatedMessage, AuthenticationResults};

use super::dkim::rsa_key;
use super::server::Zone;
use super::*;
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
