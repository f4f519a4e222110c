//! SCRAM over the whole service: with the authenticator that ships, over a pipe and over TLS (RFC 5802, RFC 7677, RFC 9266,
//! RFC 5929). The dialogs themselves are in `tests/transcripts`; here is what stands before and between them.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may")]

use std::sync::Arc;
use std::time::Duration;

use crate::support::authority::authority;
use crate::support::scram::{ScramClient, Shipped};
use crate::support::stage::{Bindings, Client, piped};
use crate::support::{House, certificate};
use auth::PasswordParams;
use auth::ScramHash::{self, Sha1, Sha256};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mail::Address;
use relais_imap::{Imap, Security, Settings, TlsHandle};
use routing::objects::{AccountObject, Object, ObjectKey};
use storage::objects::PutMode;
use tokio_util::sync::CancellationToken;

const PARAMS: PasswordParams = PasswordParams { scram_iterations: 10_000, ..PasswordParams::CHEAPEST };

struct Stage {
    house: House,
    imap: Imap,
}

impl Stage {
    /// Alice has a password, and no keys for SCRAM yet.
    async fn new(params: PasswordParams) -> Self {
        let house = House::new(Settings::default(), false).await;
        let world = house.store.world().clone();
        let alice = AccountObject {
            password_hash: Some(auth::hash_password("secret", PasswordParams::CHEAPEST, &*world.chance).unwrap()),
            ..(*house.account("alice")).clone()
        };
        house.store.put_object(Object::Account(alice), PutMode::Replace).await.unwrap();
        let shipped = Shipped::new(house.store.clone(), params);
        let settings = Settings { plaintext_login_on_loopback: true, ..Settings::default() };
        let tls = Some(Arc::new(TlsHandle::new(certificate().0.clone())));
        let imap = Imap::new(house.store.clone(), bus::Bus::new(), Arc::new(shipped), settings, tls);
        Self { house, imap }
    }

    fn pipe(&self) -> Client {
        piped(&self.imap, Security::StartTls, &CancellationToken::new())
    }

    /// A client over TLS, with what its side of the channel can be bound to.
    async fn tls(&self) -> (Client, Bindings) {
        let mut client = piped(&self.imap, Security::ImplicitTls, &CancellationToken::new());
        client.handshake(certificate().1.clone()).await.unwrap();
        let bindings = client.bindings.take().unwrap();
        (client, bindings)
    }

    /// Lets failed logins be answered, which are held back.
    async fn patiently<T>(&self, work: impl Future<Output = T>) -> T {
        let clock = self.house.sim.clock.clone();
        tokio::pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return done,
                () = tokio::task::yield_now() => clock.advance(Duration::from_millis(1)),
            }
        }
    }
}

/// Who logs in by SCRAM, and how.
struct Scram<'a> {
    hash: ScramHash,
    gs2: &'a str,
    binding: &'a [u8],
    login: &'a str,
    password: &'a str,
}

impl Scram<'_> {
    /// Logs in; the tagged response. Checks the server's proof.
    async fn login(&self, client: &mut Client, mechanism: &str) -> String {
        let first = format!("{}n={},r=clientnonce", self.gs2, self.login);
        client.send(format!("a AUTHENTICATE {mechanism} {}\r\n", STANDARD.encode(&first)).as_bytes()).await.unwrap();
        let line = client.read_line().await.unwrap().unwrap();
        let Some(challenge) = line.strip_prefix("+ ") else { return line };
        let scram = ScramClient::new(&first);
        let message = String::from_utf8(STANDARD.decode(challenge).unwrap()).unwrap();
        let challenge = scram.challenge(&message).unwrap();
        let c = scram.channel_binding(self.binding);
        let finals = scram.answer(self.hash, self.password, &challenge, &c, &challenge.nonce);
        client.send(format!("{}\r\n", STANDARD.encode(finals.client)).as_bytes()).await.unwrap();
        let line = client.read_line().await.unwrap().unwrap();
        let Some(challenge) = line.strip_prefix("+ ") else { return line };
        assert_eq!(STANDARD.decode(challenge).unwrap(), finals.server.as_bytes(), "the server proves itself");
        client.send(b"\r\n").await.unwrap();
        client.read_line().await.unwrap().unwrap()
    }
}

const fn plain<'a>(hash: ScramHash, login: &'a str, password: &'a str) -> Scram<'a> {
    Scram { hash, gs2: "n,,", binding: b"", login, password }
}

/// RFC 5802 §5, RFC 7677 §3: what the client of these tests and of the transcripts says is what the RFCs show.
#[test]
fn the_clients_side_is_that_of_the_examples() {
    for (hash, first, server_first, client_final, server_final) in [
        (
            Sha1,
            "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
            "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
            "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
            "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
        ),
        (
            Sha256,
            "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
            "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
            "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
        ),
    ] {
        let scram = ScramClient::new(first);
        let challenge = scram.challenge(server_first).unwrap();
        let finals = scram.answer(hash, "pencil", &challenge, &scram.channel_binding(b""), &challenge.nonce);
        assert_eq!((finals.client.as_str(), finals.server.as_str()), (client_final, server_final));
        assert!(scram.challenge("r=another3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096").is_err());
    }
}

#[tokio::test]
async fn a_password_that_was_used_once_opens_by_scram() {
    let stage = Stage::new(PARAMS).await;
    let mut client = stage.pipe();
    assert!(client.read_line().await.unwrap().unwrap().contains("AUTH=SCRAM-SHA-256 AUTH=SCRAM-SHA-1 AUTH=PLAIN"));
    // There are no keys yet: as a wrong password.
    let refused =
        stage.patiently(plain(Sha256, "alice@example.org", "secret").login(&mut client, "SCRAM-SHA-256")).await;
    assert!(refused.starts_with("a NO [AUTHENTICATIONFAILED] "), "{refused}");
    let let_in = client.command("b", "LOGIN alice@example.org secret").await.unwrap();
    assert!(let_in.last().unwrap().starts_with("b OK "), "{let_in:?}");
    let key = ObjectKey::Account(Address::parse("alice@example.org").unwrap());
    let stored = stage.house.store.directory().account(&Address::parse("alice@example.org").unwrap()).cloned().unwrap();
    assert!(stored.scram.as_ref().is_some_and(|keys| keys.iterations == 10_000), "{key:?}");
    for (hash, mechanism) in [(Sha256, "SCRAM-SHA-256"), (Sha1, "scram-sha-1")] {
        let mut client = stage.pipe();
        client.read_line().await.unwrap();
        let let_in = plain(hash, "Alice@example.org", "secret").login(&mut client, mechanism).await;
        assert!(let_in.starts_with("a OK [CAPABILITY "), "{let_in}");
        assert!(client.command("c", "SELECT INBOX").await.unwrap().last().unwrap().starts_with("c OK"));
    }
    let mut client = stage.pipe();
    client.read_line().await.unwrap();
    let refused =
        stage.patiently(plain(Sha256, "alice@example.org", "Secret").login(&mut client, "SCRAM-SHA-256")).await;
    assert!(refused.starts_with("a NO [AUTHENTICATIONFAILED] "), "{refused}");
}

#[tokio::test]
async fn keys_of_a_password_that_was_changed_open_nothing() {
    let stage = Stage::new(PARAMS).await;
    let mut client = stage.pipe();
    client.read_line().await.unwrap();
    client.command("b", "LOGIN alice@example.org secret").await.unwrap();
    // Somebody changes the hash and knows nothing of keys.
    let address = Address::parse("alice@example.org").unwrap();
    let before = stage.house.store.directory().account(&address).cloned().unwrap();
    let chance = stage.house.store.world().chance.clone();
    let hash = auth::hash_password("another", PasswordParams::CHEAPEST, &*chance).unwrap();
    let changed = AccountObject { password_hash: Some(hash), ..(*before).clone() };
    assert!(changed.scram.is_some());
    stage.house.store.put_object(Object::Account(changed), PutMode::Replace).await.unwrap();
    let mut client = stage.pipe();
    client.read_line().await.unwrap();
    let refused =
        stage.patiently(plain(Sha256, "alice@example.org", "secret").login(&mut client, "SCRAM-SHA-256")).await;
    assert!(refused.starts_with("a NO [AUTHENTICATIONFAILED] "), "{refused}");
}

/// RFC 5802 §9: names that are not there have salts that stay the same.
#[tokio::test]
async fn who_is_not_there_looks_as_if_they_were() {
    let stage = Stage::new(PARAMS).await;
    let mut salts = Vec::new();
    for login in ["nobody@example.org", "nobody@example.org", "other@example.org", "alice@example.org"] {
        let mut client = stage.pipe();
        client.read_line().await.unwrap();
        let first = STANDARD.encode(format!("n,,n={login},r=abc"));
        client.send(format!("a AUTHENTICATE SCRAM-SHA-256 {first}\r\n").as_bytes()).await.unwrap();
        let line = client.read_line().await.unwrap().unwrap();
        let challenge = String::from_utf8(STANDARD.decode(line.strip_prefix("+ ").unwrap()).unwrap()).unwrap();
        let (_, salt) = challenge.split_once(",s=").unwrap();
        assert!(salt.ends_with(",i=10000"), "{salt}");
        salts.push(salt.to_owned());
    }
    assert!(salts[0] == salts[1] && salts[1] != salts[2] && salts[2] != salts[3], "{salts:?}");
    let mut client = stage.pipe();
    client.read_line().await.unwrap();
    let refused = stage.patiently(plain(Sha256, "nobody@example.org", "x").login(&mut client, "SCRAM-SHA-256")).await;
    assert!(refused.starts_with("a NO [AUTHENTICATIONFAILED] Wrong name or password"), "{refused}");
}

#[tokio::test]
async fn over_tls_the_channel_is_bound() {
    let stage = Stage::new(PARAMS).await;
    let (mut client, ..) = stage.tls().await;
    let greeting = client.read_line().await.unwrap().unwrap();
    assert!(greeting.contains("AUTH=SCRAM-SHA-256-PLUS AUTH=SCRAM-SHA-1-PLUS AUTH=SCRAM-SHA-256 "), "{greeting}");
    client.command("b", "LOGIN alice@example.org secret").await.unwrap();
    for (kind, hash, mechanism) in
        [("tls-exporter", Sha256, "SCRAM-SHA-256-PLUS"), ("tls-server-end-point", Sha1, "SCRAM-SHA-1-PLUS")]
    {
        let (mut client, Bindings { exporter, server_end_point }) = stage.tls().await;
        client.read_line().await.unwrap();
        let binding = if kind == "tls-exporter" { &exporter } else { &server_end_point };
        let gs2 = format!("p={kind},,");
        let scram = Scram { hash, gs2: &gs2, binding, login: "alice@example.org", password: "secret" };
        let let_in = scram.login(&mut client, mechanism).await;
        assert!(let_in.starts_with("a OK "), "{kind}: {let_in}");
        // RFC 8437 §4.2: it is the same channel after UNAUTHENTICATE, and who does not bind to it is refused as before.
        client.command("u", "UNAUTHENTICATE").await.unwrap();
        let offered = client.command("c", "CAPABILITY").await.unwrap();
        assert!(offered[0].contains(&format!(" AUTH={mechanism} ")), "{offered:?}");
        let let_in = scram.login(&mut client, mechanism).await;
        assert!(let_in.starts_with("a OK "), "{kind}: {let_in}");
        client.command("u", "UNAUTHENTICATE").await.unwrap();
        let down = Scram { gs2: "y,,", ..plain(Sha256, "alice@example.org", "secret") };
        let refused = stage.patiently(down.login(&mut client, "SCRAM-SHA-256")).await;
        assert!(refused.starts_with("a NO [AUTHENTICATIONFAILED] "), "{kind}: {refused}");
        // Another channel's binding: somebody stands in between.
        let (mut client, ..) = stage.tls().await;
        client.read_line().await.unwrap();
        let other = Scram { binding: &[1; 32], ..scram };
        let refused = stage.patiently(other.login(&mut client, mechanism)).await;
        assert!(refused.starts_with("a NO [AUTHENTICATIONFAILED] "), "{kind}: {refused}");
    }
    // "y": the client could bind and was not offered it, but it was (RFC 5802 §6).
    let (mut client, ..) = stage.tls().await;
    client.read_line().await.unwrap();
    let down = Scram { gs2: "y,,", ..plain(Sha256, "alice@example.org", "secret") };
    let refused = stage.patiently(down.login(&mut client, "SCRAM-SHA-256")).await;
    assert!(refused.starts_with("a NO [AUTHENTICATIONFAILED] "), "{refused}");
}

/// RFC 4422, appendix A: the certificate tells who it is.
#[tokio::test]
async fn a_certificate_opens_by_external() {
    let stage = Stage::new(PARAMS).await;
    let shipped = Shipped::new(stage.house.store.clone(), PARAMS);
    let tls = Some(Arc::new(TlsHandle::new(authority().server.clone())));
    let imap = Imap::new(stage.house.store.clone(), bus::Bus::new(), Arc::new(shipped), Settings::default(), tls);
    for (name, authzid, expected) in [
        (Some("alice@example.org"), "=", "a OK "),
        (Some("Alice@EXAMPLE.org"), "YWxpY2VAZXhhbXBsZS5vcmc=", "a OK "),
        (Some("alice@example.org"), "Ym9iQGV4YW1wbGUub3Jn", "a NO [AUTHORIZATIONFAILED] "),
        (Some("nobody@example.org"), "=", "a NO [AUTHENTICATIONFAILED] "),
        (None, "=", "a NO [CANNOT] "),
    ] {
        let mut client = piped(&imap, Security::ImplicitTls, &CancellationToken::new());
        client.handshake(authority().client(name)).await.unwrap();
        let greeting = client.read_line().await.unwrap().unwrap();
        assert_eq!(greeting.contains("AUTH=EXTERNAL"), name.is_some(), "{greeting}");
        let answer = stage.patiently(client.command("a", &format!("AUTHENTICATE EXTERNAL {authzid}"))).await.unwrap();
        assert!(answer[0].starts_with(expected), "{name:?} {authzid}: {answer:?}");
        if !expected.starts_with("a OK") {
            continue;
        }
        // RFC 8437 §4.2: UNAUTHENTICATE does not discard the certificate; somebody may log in by it again.
        for round in 0..2 {
            let answer = client.command("u", "UNAUTHENTICATE").await.unwrap();
            assert!(answer[0].starts_with("u OK"), "{round}: {answer:?}");
            let answer = client.command("c", "CAPABILITY").await.unwrap();
            assert!(answer[0].contains(" AUTH=EXTERNAL "), "{round}: {answer:?}");
            let answer = client.command("a", &format!("AUTHENTICATE EXTERNAL {authzid}")).await.unwrap();
            assert!(answer[0].starts_with(expected), "{round}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn what_is_not_offered_is_refused() {
    let stage = Stage::new(PasswordParams::CHEAPEST).await;
    let mut client = stage.pipe();
    let greeting = client.read_line().await.unwrap().unwrap();
    assert!(!greeting.contains("SCRAM"), "{greeting}");
    for mechanism in ["SCRAM-SHA-256", "SCRAM-SHA-1-PLUS", "EXTERNAL", "CRAM-MD5"] {
        let lines = client.command("a", &format!("AUTHENTICATE {mechanism}")).await.unwrap();
        assert!(lines[0].starts_with("a NO [CANNOT] "), "{lines:?}");
    }
    let stage = Stage::new(PARAMS).await;
    let mut client = stage.pipe();
    client.read_line().await.unwrap();
    // Without TLS there is nothing to bind to, and nobody whom a certificate names.
    for mechanism in ["SCRAM-SHA-256-PLUS", "EXTERNAL"] {
        let lines = client.command("a", &format!("AUTHENTICATE {mechanism}")).await.unwrap();
        assert!(lines[0].starts_with("a NO [CANNOT] "), "{lines:?}");
    }
    for (message, answer) in [("AAAA", "b BAD [CLIENTBUG] "), ("*", "b BAD Cancelled"), ("!", "b BAD [CLIENTBUG] ")] {
        client.send(b"b AUTHENTICATE SCRAM-SHA-1\r\n").await.unwrap();
        assert_eq!(client.read_line().await.unwrap().unwrap(), "+ ");
        client.send(format!("{message}\r\n").as_bytes()).await.unwrap();
        let line = client.read_line().await.unwrap().unwrap();
        assert!(line.starts_with(answer), "{line}");
    }
}
