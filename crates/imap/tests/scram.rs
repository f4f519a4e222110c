//! SCRAM over the whole service: with the authenticator that ships, over a pipe and over TLS (RFC 5802, RFC 7677, RFC 9266,
//! RFC 5929). The client's side is written here, from the RFC.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may")]

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use crate::support::House;
use crate::support::certificate;
use crate::support::stage::Client;
use auth::{Channel, DirectoryAuthenticator, PasswordParams, SaslExchange};
use aws_lc_rs::{digest, hmac, pbkdf2};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mail::Address;
use relais_imap::{AuthError, Authenticator, Imap, Security, Settings, TlsHandle};
use routing::objects::{AccountObject, Object, ObjectKey, Service};
use storage::objects::PutMode;
use tokio_util::sync::CancellationToken;
use world::BoxFuture;

const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const PARAMS: PasswordParams = PasswordParams { scram_iterations: 10_000, ..PasswordParams::CHEAPEST };

/// The authenticator that ships, as the server hands it to IMAP.
struct Shipped(DirectoryAuthenticator);

impl Authenticator for Shipped {
    fn authenticate<'a>(
        &'a self,
        login: &'a str,
        password: &'a str,
        remote: IpAddr,
    ) -> BoxFuture<'a, Result<Arc<AccountObject>, AuthError>> {
        Box::pin(async move {
            Ok(auth::Authenticator::authenticate(&self.0, login, password, remote, Service::Imap).await?)
        })
    }

    fn offers_scram(&self) -> bool {
        auth::Authenticator::offers_scram(&self.0)
    }

    fn exchange<'a>(&'a self, mechanism: &str, channel: Channel) -> Option<Box<dyn SaslExchange + 'a>> {
        auth::Authenticator::exchange(&self.0, mechanism, channel)
    }
}

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
        let settings = auth_settings(params);
        let shipped = Shipped(DirectoryAuthenticator::new(house.store.clone(), settings).unwrap());
        let settings = Settings { plaintext_login_on_loopback: true, ..Settings::default() };
        let tls = Some(Arc::new(TlsHandle::new(certificate().0.clone())));
        let imap = Imap::new(house.store.clone(), bus::Bus::new(), Arc::new(shipped), settings, tls);
        Self { house, imap }
    }

    fn pipe(&self) -> Client {
        let (near, far) = tokio::io::duplex(64 * 1024);
        let imap = self.imap.clone();
        tokio::spawn(imap.serve_stream(Box::new(far), LOCALHOST, Security::StartTls, CancellationToken::new()));
        Client::new(Box::new(near))
    }

    /// A client over TLS, with what its side of the channel can be bound to.
    async fn tls(&self) -> (Client, Vec<u8>, Vec<u8>) {
        let (near, far) = tokio::io::duplex(64 * 1024);
        let imap = self.imap.clone();
        tokio::spawn(imap.serve_stream(Box::new(far), LOCALHOST, Security::ImplicitTls, CancellationToken::new()));
        let connector = tokio_rustls::TlsConnector::from(certificate().1.clone());
        let stream = connector.connect("imap.example".try_into().unwrap(), near).await.unwrap();
        let (_, session) = stream.get_ref();
        let exporter = session.export_keying_material([0; 32], b"EXPORTER-Channel-Binding", Some(b"")).unwrap();
        let shown = session.peer_certificates().unwrap()[0].to_vec();
        let end_point = digest::digest(&digest::SHA256, &shown).as_ref().to_vec();
        (Client::new(Box::new(stream)), exporter.to_vec(), end_point)
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

fn auth_settings(params: PasswordParams) -> auth::Settings {
    auth::Settings { password: params, ..auth::Settings::default() }
}

/// A client of SCRAM.
struct Scram<'a> {
    sha256: bool,
    gs2: &'a str,
    binding: &'a [u8],
    login: &'a str,
    password: &'a str,
}

impl Scram<'_> {
    fn hmac(&self, key: &[u8], data: &[u8]) -> Vec<u8> {
        let algorithm = if self.sha256 { hmac::HMAC_SHA256 } else { hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY };
        hmac::sign(&hmac::Key::new(algorithm, key), data).as_ref().to_vec()
    }

    /// Logs in; the tagged response. Checks the server's proof.
    async fn login(&self, client: &mut Client, mechanism: &str) -> String {
        let bare = format!("n={},r=clientnonce", self.login);
        let first = STANDARD.encode(format!("{}{bare}", self.gs2));
        client.send(format!("a AUTHENTICATE {mechanism} {first}\r\n").as_bytes()).await.unwrap();
        let line = client.read_line().await.unwrap().unwrap();
        let Some(challenge) = line.strip_prefix("+ ") else { return line };
        let server_first = String::from_utf8(STANDARD.decode(challenge).unwrap()).unwrap();
        let field = |name: &str| server_first.split(',').find_map(|field| field.strip_prefix(name)).unwrap();
        let (nonce, salt, iterations) = (field("r="), STANDARD.decode(field("s=")).unwrap(), field("i="));
        assert!(nonce.starts_with("clientnonce") && nonce.len() > 30);
        let (algorithm, hash, octets) = if self.sha256 {
            (pbkdf2::PBKDF2_HMAC_SHA256, &digest::SHA256, 32)
        } else {
            (pbkdf2::PBKDF2_HMAC_SHA1, &digest::SHA1_FOR_LEGACY_USE_ONLY, 20)
        };
        let mut salted = vec![0; octets];
        pbkdf2::derive(algorithm, iterations.parse().unwrap(), &salt, self.password.as_bytes(), &mut salted);
        let binding = [self.gs2.as_bytes(), self.binding].concat();
        let last = format!("c={},r={nonce}", STANDARD.encode(binding));
        let said = format!("{bare},{server_first},{last}");
        let client_key = self.hmac(&salted, b"Client Key");
        let signature = self.hmac(digest::digest(hash, &client_key).as_ref(), said.as_bytes());
        let proof: Vec<u8> = client_key.iter().zip(signature).map(|(a, b)| a ^ b).collect();
        let last = STANDARD.encode(format!("{last},p={}", STANDARD.encode(proof)));
        client.send(format!("{last}\r\n").as_bytes()).await.unwrap();
        let line = client.read_line().await.unwrap().unwrap();
        let Some(challenge) = line.strip_prefix("+ ") else { return line };
        let expected = format!("v={}", STANDARD.encode(self.hmac(&self.hmac(&salted, b"Server Key"), said.as_bytes())));
        assert_eq!(STANDARD.decode(challenge).unwrap(), expected.as_bytes(), "the server proves itself");
        client.send(b"\r\n").await.unwrap();
        client.read_line().await.unwrap().unwrap()
    }
}

const fn plain<'a>(sha256: bool, login: &'a str, password: &'a str) -> Scram<'a> {
    Scram { sha256, gs2: "n,,", binding: b"", login, password }
}

#[tokio::test]
async fn a_password_that_was_used_once_opens_by_scram() {
    let stage = Stage::new(PARAMS).await;
    let mut client = stage.pipe();
    assert!(client.read_line().await.unwrap().unwrap().contains("AUTH=SCRAM-SHA-256 AUTH=SCRAM-SHA-1 AUTH=PLAIN"));
    // There are no keys yet: as a wrong password.
    let refused = stage.patiently(plain(true, "alice@example.org", "secret").login(&mut client, "SCRAM-SHA-256")).await;
    assert!(refused.starts_with("a NO [AUTHENTICATIONFAILED] "), "{refused}");
    let let_in = client.command("b", "LOGIN alice@example.org secret").await.unwrap();
    assert!(let_in.last().unwrap().starts_with("b OK "), "{let_in:?}");
    let key = ObjectKey::Account(Address::parse("alice@example.org").unwrap());
    let stored = stage.house.store.directory().account(&Address::parse("alice@example.org").unwrap()).cloned().unwrap();
    assert!(stored.scram.as_ref().is_some_and(|keys| keys.iterations == 10_000), "{key:?}");
    for (sha256, mechanism) in [(true, "SCRAM-SHA-256"), (false, "scram-sha-1")] {
        let mut client = stage.pipe();
        client.read_line().await.unwrap();
        let let_in = plain(sha256, "Alice@example.org", "secret").login(&mut client, mechanism).await;
        assert!(let_in.starts_with("a OK [CAPABILITY "), "{let_in}");
        assert!(client.command("c", "SELECT INBOX").await.unwrap().last().unwrap().starts_with("c OK"));
    }
    let mut client = stage.pipe();
    client.read_line().await.unwrap();
    let refused = stage.patiently(plain(true, "alice@example.org", "Secret").login(&mut client, "SCRAM-SHA-256")).await;
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
    let refused = stage.patiently(plain(true, "alice@example.org", "secret").login(&mut client, "SCRAM-SHA-256")).await;
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
    let refused = stage.patiently(plain(true, "nobody@example.org", "x").login(&mut client, "SCRAM-SHA-256")).await;
    assert!(refused.starts_with("a NO [AUTHENTICATIONFAILED] Wrong name or password"), "{refused}");
}

#[tokio::test]
async fn over_tls_the_channel_is_bound() {
    let stage = Stage::new(PARAMS).await;
    let (mut client, ..) = stage.tls().await;
    let greeting = client.read_line().await.unwrap().unwrap();
    assert!(greeting.contains("AUTH=SCRAM-SHA-256-PLUS AUTH=SCRAM-SHA-1-PLUS AUTH=SCRAM-SHA-256 "), "{greeting}");
    client.command("b", "LOGIN alice@example.org secret").await.unwrap();
    for (kind, sha256) in [("tls-exporter", true), ("tls-server-end-point", false)] {
        let (mut client, exporter, end_point) = stage.tls().await;
        client.read_line().await.unwrap();
        let binding = if kind == "tls-exporter" { &exporter } else { &end_point };
        let gs2 = format!("p={kind},,");
        let scram = Scram { sha256, gs2: &gs2, binding, login: "alice@example.org", password: "secret" };
        let mechanism = if sha256 { "SCRAM-SHA-256-PLUS" } else { "SCRAM-SHA-1-PLUS" };
        let let_in = scram.login(&mut client, mechanism).await;
        assert!(let_in.starts_with("a OK "), "{kind}: {let_in}");
        // RFC 8437 §4.2: it is the same channel after UNAUTHENTICATE, and who does not bind to it is refused as before.
        client.command("u", "UNAUTHENTICATE").await.unwrap();
        let offered = client.command("c", "CAPABILITY").await.unwrap();
        assert!(offered[0].contains(&format!(" AUTH={mechanism} ")), "{offered:?}");
        let let_in = scram.login(&mut client, mechanism).await;
        assert!(let_in.starts_with("a OK "), "{kind}: {let_in}");
        client.command("u", "UNAUTHENTICATE").await.unwrap();
        let down = Scram { gs2: "y,,", ..plain(true, "alice@example.org", "secret") };
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
    let down = Scram { gs2: "y,,", ..plain(true, "alice@example.org", "secret") };
    let refused = stage.patiently(down.login(&mut client, "SCRAM-SHA-256")).await;
    assert!(refused.starts_with("a NO [AUTHENTICATIONFAILED] "), "{refused}");
}

/// RFC 4422, appendix A: the certificate tells who it is.
#[tokio::test]
async fn a_certificate_opens_by_external() {
    let stage = Stage::new(PARAMS).await;
    let signer_key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let signer = params.self_signed(&signer_key).unwrap();
    let issuer = rcgen::Issuer::new(params, signer_key);
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut roots = rustls::RootCertStore::empty();
    roots.add(signer.der().clone()).unwrap();
    let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone());
    let key = rcgen::generate_simple_self_signed(vec!["imap.example".to_owned()]).unwrap();
    let own = rustls::pki_types::PrivatePkcs8KeyDer::from(key.signing_key.serialize_der());
    let server = rustls::ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier.allow_unauthenticated().build().unwrap())
        .with_single_cert(vec![key.cert.der().clone()], own.into())
        .unwrap();
    let shipped = Shipped(DirectoryAuthenticator::new(stage.house.store.clone(), auth_settings(PARAMS)).unwrap());
    let tls = Some(Arc::new(TlsHandle::new(Arc::new(server))));
    let imap = Imap::new(stage.house.store.clone(), bus::Bus::new(), Arc::new(shipped), Settings::default(), tls);
    for (name, authzid, expected) in [
        (Some("alice@example.org"), "=", "a OK "),
        (Some("Alice@EXAMPLE.org"), "YWxpY2VAZXhhbXBsZS5vcmc=", "a OK "),
        (Some("alice@example.org"), "Ym9iQGV4YW1wbGUub3Jn", "a NO [AUTHORIZATIONFAILED] "),
        (Some("nobody@example.org"), "=", "a NO [AUTHENTICATIONFAILED] "),
        (None, "=", "a NO [CANNOT] "),
    ] {
        let mut trusted = rustls::RootCertStore::empty();
        trusted.add(key.cert.der().clone()).unwrap();
        let builder = rustls::ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(trusted);
        let client = match name {
            None => builder.with_no_client_auth(),
            Some(name) => {
                let client_key = rcgen::KeyPair::generate().unwrap();
                let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
                params.subject_alt_names.push(rcgen::SanType::Rfc822Name(name.try_into().unwrap()));
                let certificate = params.signed_by(&client_key, &issuer).unwrap();
                let own = rustls::pki_types::PrivatePkcs8KeyDer::from(client_key.serialize_der());
                builder.with_client_auth_cert(vec![certificate.der().clone()], own.into()).unwrap()
            }
        };
        let (near, far) = tokio::io::duplex(64 * 1024);
        let service = imap.clone();
        tokio::spawn(service.serve_stream(Box::new(far), LOCALHOST, Security::ImplicitTls, CancellationToken::new()));
        let connector = tokio_rustls::TlsConnector::from(Arc::new(client));
        let stream = connector.connect("imap.example".try_into().unwrap(), near).await.unwrap();
        let mut client = Client::new(Box::new(stream));
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
    for (message, answer) in [("AAAA", "b BAD "), ("*", "b BAD "), ("!", "b BAD ")] {
        client.send(b"b AUTHENTICATE SCRAM-SHA-1\r\n").await.unwrap();
        assert_eq!(client.read_line().await.unwrap().unwrap(), "+ ");
        client.send(format!("{message}\r\n").as_bytes()).await.unwrap();
        let line = client.read_line().await.unwrap().unwrap();
        assert!(line.starts_with(answer), "{line}");
    }
}
