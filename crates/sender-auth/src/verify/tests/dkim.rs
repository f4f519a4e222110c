//! Signatures: the examples of the RFCs, every way to be wrong, and `mail-auth` as the second opinion.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use mail_auth::crypto::{Ed25519Key, RsaKey, Sha256};
use mail_auth::dkim::{Canonicalization, DkimSigner};
use mail_auth::headers::HeaderWriter;
use mail_auth::{AuthenticatedMessage, DkimResult};
use proptest::prelude::*;
use rustls_pki_types::PrivatePkcs8KeyDer;

use super::server::Zone;
use super::*;
use crate::dkim::{Algorithm, generate, record};

const RFC8463: &str = include_str!("../../../testdata/dkim/rfc8463-a.3.eml");
const RFC6376: &str = include_str!("../../../testdata/dkim/rfc6376-a.2.eml");

const BROKEN: &str = "the signature is not by the key that is published, or what is signed was changed";

/// RFC 8463 appendix A.2, RFC 6376 appendix C.
fn rfc_keys() -> Zone {
    Zone::default()
        .txt(
            "brisbane._domainkey.football.example.com",
            "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
        )
        .txt(
            "test._domainkey.football.example.com",
            "v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY/J16\
             JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/\
             K4w3QIDAQAB",
        )
        .txt(
            "brisbane._domainkey.example.com",
            "v=DKIM1; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDwIRP/UC3SBsEmGqZ9ZJW3/DkMoGeLnQg1fWn7/zYtIxN2SnFCjxOCKG9v3b4\
             jYfcTNh5ijSsq631uBItLa7od+v/RtdC2UzJ1lWT947qR+Rcac2gbto/NMqJ0fzfVjH4OuKhitdY9tf6mcwGjaNBcWToIMmPSPDdQPNUYckcQ2QI\
             DAQAB",
        )
}

async fn results(zone: Zone, message: &str) -> Vec<(Outcome, &'static str)> {
    let checker = checker(zone).await;
    let found = checker.check(&arrived(message.as_bytes()), &from("192.0.2.1", "")).await;
    found.dkim.iter().map(|dkim| (dkim.outcome, dkim.reason)).collect()
}

fn crlf(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\n', "\r\n")
}

#[tokio::test]
async fn rfc6376_a_verifies() {
    // Appendix A.2 and A.3: the fields and the body are signed as they are (`simple`). What was signed has six blanks where lines
    // go on, and one before "Are"; the text of the RFC prints five, and two.
    let message = crlf(RFC6376);
    assert_eq!(results(rfc_keys(), &message).await, [(Outcome::Pass, "")]);
    let printed = message.replace("\r\n      ", "\r\n     ");
    assert_eq!(results(rfc_keys(), &printed).await, [(Outcome::Fail, BROKEN)]);
    let printed = message.replace("game. Are", "game.  Are");
    assert_eq!(results(rfc_keys(), &printed).await, [(Outcome::Fail, "the body was changed")]);
    let checker = checker(rfc_keys()).await;
    let found = checker.check(&arrived(message.as_bytes()), &from("192.0.2.1", "")).await;
    let told = found.field("mx.example");
    assert!(told.contains("dkim=pass header.d=example.com header.s=brisbane"), "{told}");
}

/// RFC 8463 appendix A: the secret key of A.1, in PKCS #8, has the record of A.2 and makes the signature of A.3.
#[test]
fn rfc8463_a_signs() {
    let mut pkcs8 = b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20".to_vec();
    pkcs8.extend(BASE64.decode("nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=").unwrap());
    let published = record(Algorithm::Ed25519, &pkcs8).unwrap();
    assert_eq!(published, "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=");
    let domain = Domain::parse("football.example.com").unwrap();
    let key = crate::dkim::SigningKey::read(domain, "brisbane".to_owned(), Algorithm::Ed25519, &pkcs8).unwrap();
    // Header and signature field in their relaxed form.
    let signed = "from:Joe SixPack <joe@football.example.com>\r\nto:Suzie Q <suzie@shopping.example.net>\r\n\
         subject:Is dinner ready?\r\ndate:Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n\
         message-id:<20030712040037.46341.5F8J@football.example.com>\r\ndkim-signature:v=1; a=ed25519-sha256; \
         c=relaxed/relaxed; d=football.example.com; i=@football.example.com; q=dns/txt; s=brisbane; t=1528637909; \
         h=from : to : subject : date : message-id : from : subject : date; \
         bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=; b=";
    let made = key.sign(signed.as_bytes()).unwrap();
    assert_eq!(made, "/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11BusFa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==");
}

#[tokio::test]
async fn rfc8463_a_verifies() {
    let message = crlf(RFC8463);
    assert_eq!(results(rfc_keys(), &message).await, [(Outcome::Pass, ""), (Outcome::Pass, "")]);
    let checker = checker(rfc_keys()).await;
    let found = checker.check(&arrived(message.as_bytes()), &from("192.0.2.1", "")).await;
    let told = found.field("mx.example");
    assert!(told.contains(
        "dkim=pass header.d=football.example.com header.s=brisbane header.b=\"/gCrinpc\" header.a=ed25519-sha256"
    ));
    assert_eq!(found.verified_domain().unwrap().as_str(), "football.example.com");
}

#[tokio::test]
async fn whatever_is_changed_breaks_it() {
    let whole = crlf(RFC8463);
    for (from, to, expected) in [
        ("Hi.", "Ho.", (Outcome::Fail, "the body was changed")),
        ("Joe.\r\n", "Joe.\r\nP.S.\r\n", (Outcome::Fail, "the body was changed")),
        ("Joe.\r\n", "Joe.  \r\n\r\n\r\n", (Outcome::Pass, "")),
        ("Subject: Is dinner", "subject:  Is\r\n dinner", (Outcome::Pass, "")),
        ("dinner ready", "supper ready", (Outcome::Fail, BROKEN)),
        ("From: Joe", "From: Eve <eve@x.example>\r\nFrom: Joe", (Outcome::Fail, BROKEN)),
        ("Message-ID:", "Subject: another\r\nMessage-ID:", (Outcome::Fail, BROKEN)),
        ("t=1528637909", "t=1528637908", (Outcome::Fail, BROKEN)),
        ("i=@football", "i=@x.football", (Outcome::Fail, BROKEN)),
        ("i=@football", "i=@foot", (Outcome::PermanentError, "its identity is not of its domain")),
        ("v=1;", "v=2;", (Outcome::Neutral, "it can't be read")),
    ] {
        assert!(whole.contains(from), "{from}");
        let found = results(rfc_keys(), &whole.replace(from, to)).await;
        assert_eq!(found, [expected, expected], "{from} -> {to}");
    }
}

#[tokio::test]
async fn keys_that_are_not_there() {
    let message = crlf(RFC8463);
    let (ed, rsa) = ("brisbane._domainkey.football.example.com", "test._domainkey.football.example.com");
    let permanent = |reason| (Outcome::PermanentError, reason);
    for (zone, expected) in [
        (Zone::default(), [permanent("the key is not published"); 2]),
        (
            Zone::default().fails(ed).txt(rsa, "v=DKIM1; p="),
            [(Outcome::TemporaryError, "the DNS did not answer"), permanent("the key was withdrawn")],
        ),
        (
            Zone::default().txt(ed, "v=DKIM1; p=AAAA").txt(rsa, "v=DKIM1; k=ed25519; p=AAAA"),
            [(Outcome::Fail, "the key is of another kind than the signature"); 2],
        ),
        (
            Zone::default().a(ed, "192.0.2.1").txt(rsa, "hello"),
            [permanent("the key is not published"), permanent("the record is no key")],
        ),
    ] {
        assert_eq!(results(zone, &message).await, expected);
    }
}

#[tokio::test]
async fn what_this_server_does_not_accept() {
    let head = "DKIM-Signature: v=1; d=a.example; s=s; b=AAAA; bh=frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY=;";
    // `bh` of an empty simple body.
    for (tags, expected) in [
        ("a=rsa-sha1; h=from", (Outcome::Policy, "SHA-1 proves nothing any more")),
        ("a=rsa-md5; h=from", (Outcome::Neutral, "it can't be read")),
        ("a=rsa-sha256; h=from; t=10; x=5", (Outcome::Neutral, "it expires before it was made")),
        ("a=rsa-sha256; h=from; t=10; x=20", (Outcome::Fail, "it has expired")),
        ("a=rsa-sha256; h=to", (Outcome::PermanentError, "From is not signed")),
        ("a=rsa-sha256; h=from; l=1", (Outcome::Policy, "it signs only the beginning of the body")),
        ("a=rsa-sha256; h=from; l=99", (Outcome::Fail, "the body was changed")),
        ("a=rsa-sha256; h=from; l=2", (Outcome::PermanentError, "the key is not published")),
        ("a=rsa-sha256; h=from", (Outcome::PermanentError, "the key is not published")),
    ] {
        let message = format!("{head} {tags}\r\nFrom: a@a.example\r\n\r\n\r\n");
        assert_eq!(results(Zone::default(), &message).await, [expected], "{tags}");
    }
    let names = vec!["from"; limits::SIGNED_NAMES_MAX + 1].join(":");
    let message = format!("{head} a=rsa-sha256; h={names}\r\nFrom: a@a.example\r\n\r\n\r\n");
    assert_eq!(results(Zone::default(), &message).await, [(Outcome::Neutral, "it lists too many fields")]);
    let many = format!("{head} a=rsa-sha256; h=from\r\n").repeat(25) + "From: a@a.example\r\n\r\n\r\n";
    let checker = checker(Zone::default()).await;
    let found = checker.check(&arrived(many.as_bytes()), &from("192.0.2.1", "")).await;
    assert_eq!((found.dkim.len(), found.dkim_beyond), (10, 15));
}

pub(super) fn rsa_key(pkcs8: &[u8]) -> RsaKey<Sha256> {
    RsaKey::from_key_der(PrivatePkcs8KeyDer::from(pkcs8).into()).unwrap()
}

/// Keys of this test, and their records.
struct Keys {
    rsa: Vec<u8>,
    ed: Vec<u8>,
}

impl Keys {
    fn new() -> Self {
        Self { rsa: generate(Algorithm::Rsa2048).unwrap().to_vec(), ed: generate(Algorithm::Ed25519).unwrap().to_vec() }
    }

    fn zone(&self) -> Zone {
        Zone::default()
            .txt("r._domainkey.a.example", &record(Algorithm::Rsa2048, &self.rsa).unwrap())
            .txt("e._domainkey.a.example", &record(Algorithm::Ed25519, &self.ed).unwrap())
    }

    /// The message with a signature by each key, by `mail-auth`.
    fn sign(&self, message: &str, header: Canonicalization, body: Canonicalization) -> String {
        let names = ["From", "To", "Subject", "Received", "X", "From"];
        let rsa = DkimSigner::from_key(rsa_key(&self.rsa))
            .domain("a.example")
            .selector("r")
            .headers(names)
            .header_canonicalization(header)
            .body_canonicalization(body)
            .sign(message.as_bytes())
            .unwrap();
        let ed = DkimSigner::from_key(Ed25519Key::from_pkcs8_maybe_unchecked_der(&self.ed).unwrap())
            .domain("a.example")
            .selector("e")
            .headers(names)
            .header_canonicalization(header)
            .body_canonicalization(body)
            .sign(message.as_bytes())
            .unwrap();
        format!("{}{}{message}", rsa.to_header(), ed.to_header())
    }
}

/// Whatever `mail-auth` signs verifies here, and for each change of it both say the same.
#[test]
fn mail_auth_agrees() {
    let keys = Keys::new();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let checker = runtime.block_on(checker(keys.zone()));
    let kinds = [Canonicalization::Simple, Canonicalization::Relaxed];
    let header = "((From: a@a\\.example|To: b|Subject: c  d|X:e| f|Received: x)\r\n){0,6}";
    let body = "(\r\n|[ \ta-c.]{0,3}){0,12}(\r\n)?";
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig { cases: 60, ..ProptestConfig::default() });
    runner
        .run(&(header, body, 0..4_usize, 0..2000_usize), |(header, body, kind, change)| {
            let message = format!("From: <a@a.example>\r\n{header}\r\n{body}");
            let signed = keys.sign(&message, kinds[kind / 2], kinds[kind % 2]);
            let mut changed = signed.clone().into_bytes();
            if let Some(octet) = changed.get_mut(change).filter(|octet| octet.is_ascii_lowercase()) {
                *octet ^= 1;
            }
            for message in [signed.as_bytes(), changed.as_slice()] {
                runtime.block_on(async {
                    let ours = checker.check(&arrived(message), &from("192.0.2.1", "")).await;
                    let ours: Vec<bool> = ours.dkim.iter().map(|dkim| dkim.outcome == Outcome::Pass).collect();
                    let Some(read) = AuthenticatedMessage::parse(message) else { return Ok(()) };
                    let theirs = checker.mail_auth().verify_dkim(&read).await;
                    let passes = theirs.iter().filter(|output| output.result() == &DkimResult::Pass).count();
                    prop_assert_eq!(ours.iter().filter(|pass| **pass).count(), passes, "{:?}", message);
                    if message == signed.as_bytes() {
                        prop_assert_eq!(ours, [true, true]);
                    }
                    Ok(())
                })?;
            }
            Ok(())
        })
        .unwrap();
}

/// What we sign ourselves verifies.
#[tokio::test]
async fn our_own_signatures_verify() {
    let keys = Keys::new();
    let message = "From: a@a.example\r\nSubject: long\r\n line\r\n\r\nbody  x\r\n\r\n";
    let mut hasher = crate::dkim::Hasher::new();
    hasher.feed(message.as_bytes());
    let domain = Domain::parse("a.example").unwrap();
    let signing = [("r", Algorithm::Rsa2048, &keys.rsa), ("e", Algorithm::Ed25519, &keys.ed)];
    let signing = signing.map(|(selector, algorithm, key)| {
        crate::dkim::SigningKey::read(domain.clone(), selector.to_owned(), algorithm, key).unwrap()
    });
    let fields = hasher.finish().unwrap().sign(&signing, Timestamp::from_secs(1_790_000_000)).unwrap();
    assert_eq!(results(keys.zone(), &format!("{fields}{message}")).await, [(Outcome::Pass, ""); 2]);
}
