//! A server in memory, an account, and a stage for transcripts.
#![allow(dead_code, unreachable_pub, reason = "not all that a stage can do is used by now")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "tests may; the lints' own exception knows only functions marked as tests"
)]

pub mod authority;
pub mod scram;
pub mod shared;
pub mod slow;
pub mod stage;

use std::net::IpAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use auth::{Channel, SaslError, SaslExchange, SaslStep};
use bus::Bus;
use bytes::Bytes;
use mail::{Address, Flags, InternalDate, Timestamp};
use relais_imap::{AuthError, Authenticator, Imap, Settings, TlsHandle};
use routing::objects::AccountObject;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs::default_provider;
use scram::{Shipped, with_secrets};
use slow::{Gates, Slow};
use storage::messages::{Deposited, NewMessage};
use storage::{Engine, MemoryEngine, Store};
use world::BoxFuture;
use world::simulated::SimulatedWorld;

/// Where time stands when a test begins: 2026-02-25 06:13:20 UTC.
pub const START: Timestamp = Timestamp(1_772_000_000_000);

/// The password of every account.
pub const PASSWORD: &str = "secret";

/// A name in a transcript as an address: `alice` is `alice@example.org`, `dora@other.example` is herself.
pub fn full(name: &str) -> String {
    if name.contains('@') { name.to_owned() } else { format!("{name}@example.org") }
}

/// Knows the accounts `alice` and `bob`.
struct Doorman(Store, Arc<AtomicBool>);

impl Authenticator for Doorman {
    fn authenticate<'a>(
        &'a self,
        login: &'a str,
        password: &'a str,
        _remote: IpAddr,
    ) -> BoxFuture<'a, Result<Arc<AccountObject>, AuthError>> {
        Box::pin(async move {
            let address = Address::parse(&full(login)).map_err(|_| AuthError::Refused)?;
            let account = self.0.directory().account(&address).cloned();
            if login == "broken" {
                return Err(AuthError::Unavailable("on purpose".to_owned()));
            }
            account.filter(|_| password == PASSWORD).ok_or(AuthError::Refused)
        })
    }

    fn offers_tokens(&self) -> bool {
        self.1.load(Ordering::Relaxed)
    }

    fn exchange<'a>(&'a self, mechanism: &str, _: Channel) -> Option<Box<dyn SaslExchange + 'a>> {
        let known = self.offers_tokens() && ["OAUTHBEARER", "XOAUTH2"].contains(&mechanism);
        known.then(|| Box::new(Tokens { store: &self.0, over: false }) as Box<_>)
    }
}

/// One token lets alice in, another does not.
struct Tokens<'a> {
    store: &'a Store,
    over: bool,
}

impl SaslExchange for Tokens<'_> {
    fn step<'a>(&'a mut self, response: &'a [u8]) -> BoxFuture<'a, Result<SaslStep, SaslError>> {
        Box::pin(async move {
            if std::mem::replace(&mut self.over, true) {
                return Err(SaslError::Auth(auth::AuthError::Refused));
            }
            if response.ends_with(b"\x01auth=Bearer bad\x01\x01") {
                return Ok(SaslStep::Challenge(br#"{"status":"invalid_token"}"#.to_vec()));
            }
            let alice = self.store.directory().account(&Address::parse(&full("alice")).unwrap()).cloned();
            let good = response.ends_with(b"\x01auth=Bearer good\x01\x01");
            alice.filter(|_| good).map(SaslStep::Done).ok_or(SaslError::Malformed)
        })
    }
}

/// Everything a test needs around the service.
pub struct House {
    pub sim: SimulatedWorld,
    pub engine: MemoryEngine,
    /// What the engine's work waits at, if it does.
    pub gates: Option<Gates>,
    pub store: Store,
    pub imap: Imap,
    /// Whether tokens are taken.
    pub tokens: Arc<AtomicBool>,
}

/// How a house is built.
#[derive(Default)]
pub struct Plan {
    /// The server's side of TLS.
    pub tls: Option<Arc<ServerConfig>>,
    /// The authenticator that ships is at the door; accounts have hashes of their password.
    pub shipped: bool,
    /// Accounts that have keys for SCRAM as well, which is offered when there is one.
    pub scram: Vec<String>,
    /// The engine's work can be held.
    pub slow: bool,
}

impl House {
    pub async fn new(settings: Settings, tls: bool) -> Self {
        Self::built(settings, Plan { tls: tls.then(|| certificate().0.clone()), ..Plan::default() }).await
    }

    pub async fn built(settings: Settings, plan: Plan) -> Self {
        let sim = SimulatedWorld::new(START, 1);
        let bus = Bus::new();
        let engine = MemoryEngine::new(Arc::new(bus.clone()));
        let slow = plan.slow.then(|| Slow::new(engine.clone()));
        let gates = slow.as_ref().map(|slow| slow.gates.clone());
        let used: Arc<dyn Engine> = match slow {
            Some(slow) => Arc::new(slow),
            None => Arc::new(engine.clone()),
        };
        let store = Store::open(used, sim.world()).await.unwrap();
        let others = plan.scram.iter().map(String::as_str).filter(|name| !["alice", "bob"].contains(name));
        for name in ["alice", "bob"].into_iter().chain(others) {
            let has_keys = plan.scram.iter().any(|one| one == name);
            let account = if plan.shipped { with_secrets(name, has_keys) } else { account(name) };
            store.add_account(account).await.unwrap();
        }
        let handle = plan.tls.map(|config| Arc::new(TlsHandle::new(config)));
        let tokens = Arc::new(AtomicBool::new(false));
        let door: Arc<dyn Authenticator> = if plan.shipped {
            Arc::new(Shipped::quick(store.clone(), !plan.scram.is_empty()))
        } else {
            Arc::new(Doorman(store.clone(), tokens.clone()))
        };
        let imap = Imap::new(store.clone(), bus, door, settings, handle);
        Self { sim, engine, gates, store, imap, tokens }
    }

    /// The same service on another handle of the store.
    pub fn imap_on(&self, store: Store, settings: Settings) -> Imap {
        Imap::new(store.clone(), Bus::new(), Arc::new(Doorman(store, Arc::default())), settings, None)
    }

    /// Puts many copies of a small message into an INBOX at once.
    pub async fn fill(&self, to: &str, messages: usize) {
        let account = self.account(to).id;
        let inbox = self.store.inbox(account).await.unwrap().id;
        let first = self.deliver(to, "INBOX", &fixture("simple.eml"), true).await.uid;
        let row = self.store.message(account, inbox, first).await.unwrap().unwrap();
        let record = self.store.records(account, inbox, first, first, 1).await.unwrap().pop().map(|(_, record)| record);
        let message = NewMessage {
            blob: row.blob,
            octets: row.octets,
            flags: Flags::default(),
            internal_date: row.internal_date,
            saved_at: row.saved_at,
            record,
        };
        let more = move |tx: &mut storage::Transaction<'_>| {
            (1..messages).try_for_each(|_| tx.deposit(account, inbox, &message).map(drop))
        };
        let _done = self.store.transact(more).await.unwrap();
    }

    pub fn account(&self, name: &str) -> Arc<AccountObject> {
        let address = Address::parse(&full(name)).unwrap();
        self.store.directory().account(&address).cloned().unwrap()
    }

    /// Puts a message into a mailbox, as a delivery would.
    pub async fn deliver(&self, to: &str, mailbox: &str, content: &[u8], with_record: bool) -> Deposited {
        let account = self.account(to).id;
        let mailbox = self.store.mailbox_by_name(account, mailbox).await.unwrap().unwrap();
        let mut writer = self.store.blob_writer();
        writer.write(content).await.unwrap();
        let blob = writer.finish();
        let record = imap_wire::precompute::record(&message::Scanner::scan(content)).unwrap();
        let message = NewMessage {
            blob: blob.hash,
            octets: blob.octets,
            flags: Flags::default(),
            internal_date: InternalDate::from(self.store.now()),
            saved_at: self.store.now(),
            record: with_record.then(|| Bytes::from(record.encode())),
        };
        self.store.append(account, mailbox.id, blob, message).await.unwrap().value
    }
}

/// A message of `tests/transcripts/messages`, with CRLF.
pub fn fixture(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/transcripts/messages").join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.replace('\n', "\r\n").into_bytes()
}

fn account(name: &str) -> AccountObject {
    let object = format!("{{\"id\":0,\"address\":\"{name}@example.org\"}}");
    serde_json::from_str(&object).unwrap()
}

/// The server's and the client's side of one throw-away certificate.
pub fn certificate() -> &'static (Arc<ServerConfig>, Arc<rustls::ClientConfig>) {
    static TLS: OnceLock<(Arc<ServerConfig>, Arc<rustls::ClientConfig>)> = OnceLock::new();
    TLS.get_or_init(|| {
        let made = rcgen::generate_simple_self_signed(vec!["imap.example".to_owned()]).unwrap();
        let certificate = made.cert.der().clone();
        let key = rustls::pki_types::PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
        let server = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], key.into())
            .unwrap();
        let mut roots = rustls::RootCertStore::empty();
        roots.add(certificate).unwrap();
        let client = rustls::ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        (Arc::new(server), Arc::new(client))
    })
}
