//! Logins by the authenticator that ships: its accounts, and the client's side of SCRAM, written from RFC 5802.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Arc, OnceLock};

use auth::{Channel, DirectoryAuthenticator, PasswordParams, SaslExchange, ScramHash};
use aws_lc_rs::{digest, hmac, pbkdf2};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mail::Address;
use relais_imap::{AuthError, Authenticator};
use routing::objects::{AccountObject, ScramKeys, Service};
use storage::Store;
use world::BoxFuture;
use world::simulated::SimulatedWorld;

use super::stage::Bindings;
use super::{PASSWORD, START, full};

/// Few: it is the exchange that is played, hundreds of times.
const ITERATIONS: u32 = 16;

/// The authenticator that ships, as the server hands it to IMAP.
pub struct Shipped(pub DirectoryAuthenticator);

impl Shipped {
    /// Checks logins against a store; offers SCRAM when its keys cost something.
    pub fn new(store: Store, password: PasswordParams) -> Self {
        let settings = auth::Settings { password, ..auth::Settings::default() };
        Self(DirectoryAuthenticator::new(store, settings).unwrap())
    }

    /// The same, with the iterations of [`with_secrets`].
    pub fn quick(store: Store, scram: bool) -> Self {
        let scram_iterations = if scram { ITERATIONS } else { 0 };
        Self::new(store, PasswordParams { scram_iterations, ..PasswordParams::CHEAPEST })
    }
}

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

/// An account with the password of every account, and with the keys for SCRAM that belong to it or without.
pub fn with_secrets(name: &str, scram: bool) -> AccountObject {
    static SECRETS: OnceLock<(String, ScramKeys)> = OnceLock::new();
    let (hash, keys) = SECRETS.get_or_init(|| {
        let chance = SimulatedWorld::new(START, 2).chance;
        let hash = auth::hash_password(PASSWORD, PasswordParams::CHEAPEST, &*chance).unwrap();
        let keys = auth::scram_keys(PASSWORD, &hash, ITERATIONS, &*chance).unwrap();
        (hash, keys)
    });
    AccountObject {
        password_hash: Some(hash.clone()),
        scram: scram.then(|| keys.clone()),
        ..AccountObject::new(Address::parse(&full(name)).unwrap())
    }
}

/// The client's side of an exchange.
pub struct ScramClient {
    gs2_header: String,
    bare: String,
}

/// `server-first-message`, understood.
pub struct Challenge {
    message: String,
    pub nonce: String,
    salt: Vec<u8>,
    iterations: NonZeroU32,
}

/// What a client says last, and what a server answers that knows the password too.
pub struct Finals {
    pub client: String,
    pub server: String,
}

impl ScramClient {
    /// One that begins with this `client-first-message`, which may also be none.
    pub fn new(first: &str) -> Self {
        let bare = first.splitn(3, ',').nth(2).unwrap_or_default();
        let gs2_header = first.strip_suffix(bare).unwrap_or_default();
        Self { gs2_header: gs2_header.to_owned(), bare: bare.to_owned() }
    }

    /// To what it binds: `tls-exporter`, `tls-server-end-point`, or nothing.
    pub fn binds_to(&self) -> Option<&str> {
        self.gs2_header.strip_prefix("p=")?.split(',').next()
    }

    /// Reads `server-first-message`, whose nonce must begin with the client's (RFC 5802 §5.1).
    pub fn challenge(&self, message: &str) -> Result<Challenge, String> {
        let wrong = || format!("{message:?} is no server-first-message");
        let fields: Vec<&str> = message.split(',').collect();
        let [nonce, salt, iterations] = fields[..] else { return Err(wrong()) };
        let own = self.bare.rsplit_once("r=").map_or("", |(_, nonce)| nonce);
        let nonce = nonce.strip_prefix("r=").filter(|nonce| nonce.starts_with(own) && nonce.len() >= own.len() + 16);
        let salt = salt.strip_prefix("s=").and_then(|salt| STANDARD.decode(salt).ok());
        let iterations = iterations.strip_prefix("i=").and_then(|number| number.parse().ok());
        let nonce = nonce.ok_or_else(wrong)?.to_owned();
        let (salt, iterations) = (salt.ok_or_else(wrong)?, iterations.ok_or_else(wrong)?);
        Ok(Challenge { message: message.to_owned(), nonce, salt, iterations })
    }

    /// `c=`: the header of the first message, and what the channel is bound to.
    pub fn channel_binding(&self, data: &[u8]) -> String {
        STANDARD.encode([self.gs2_header.as_bytes(), data].concat())
    }

    /// Answers a challenge (RFC 5802 §3); `c` and `r` are what the last message holds.
    pub fn answer(&self, hash: ScramHash, password: &str, challenge: &Challenge, c: &str, r: &str) -> Finals {
        let (algorithm, digest, octets) = match hash {
            ScramHash::Sha1 => (pbkdf2::PBKDF2_HMAC_SHA1, &digest::SHA1_FOR_LEGACY_USE_ONLY, 20),
            ScramHash::Sha256 => (pbkdf2::PBKDF2_HMAC_SHA256, &digest::SHA256, 32),
        };
        let mut salted = vec![0; octets];
        pbkdf2::derive(algorithm, challenge.iterations, &challenge.salt, password.as_bytes(), &mut salted);
        let without_proof = format!("c={c},r={r}");
        let said = format!("{},{},{without_proof}", self.bare, challenge.message);
        let client_key = sign(hash, &salted, b"Client Key");
        let signature = sign(hash, digest::digest(digest, &client_key).as_ref(), said.as_bytes());
        let proof: Vec<u8> = client_key.iter().zip(signature).map(|(a, b)| a ^ b).collect();
        let verifier = sign(hash, &sign(hash, &salted, b"Server Key"), said.as_bytes());
        Finals {
            client: format!("{without_proof},p={}", STANDARD.encode(proof)),
            server: format!("v={}", STANDARD.encode(verifier)),
        }
    }
}

/// How a transcript has the client answer: `HASH PASSWORD [channel=N] [c=BASE64] [r=NONCE]`.
pub struct Answer<'a> {
    hash: ScramHash,
    password: &'a str,
    /// The connection whose channel it binds to, if that is another one.
    pub channel: Option<u32>,
    c: Option<&'a str>,
    r: Option<&'a str>,
}

impl<'a> TryFrom<&'a str> for Answer<'a> {
    type Error = String;

    fn try_from(text: &'a str) -> Result<Self, String> {
        let mut words = text.split(' ');
        let hash = match words.next() {
            Some("SHA-1") => ScramHash::Sha1,
            Some("SHA-256") => ScramHash::Sha256,
            _ => return Err(format!("{text}: no mechanism is named after that")),
        };
        let password = words.next().ok_or("HASH PASSWORD")?;
        let mut answer = Self { hash, password, channel: None, c: None, r: None };
        for word in words {
            match word.split_once('=') {
                Some(("channel", number)) => answer.channel = Some(number.parse().map_err(|_| "channel=N")?),
                Some(("c", text)) => answer.c = Some(text),
                Some(("r", text)) => answer.r = Some(text),
                _ => return Err(format!("{word}?")),
            }
        }
        Ok(answer)
    }
}

impl Answer<'_> {
    /// The answer to a challenge, bound to a channel if the first message has said so.
    pub fn finals(&self, scram: &ScramClient, challenge: &Challenge, channel: Option<&Bindings>) -> Finals {
        let bound = match (scram.binds_to(), channel) {
            (Some("tls-exporter"), Some(bindings)) => bindings.exporter.as_slice(),
            (Some("tls-server-end-point"), Some(bindings)) => bindings.server_end_point.as_slice(),
            _ => &[],
        };
        let own = scram.channel_binding(bound);
        let (c, r) = (self.c.unwrap_or(&own), self.r.unwrap_or(&challenge.nonce));
        scram.answer(self.hash, self.password, challenge, c, r)
    }
}

fn sign(hash: ScramHash, key: &[u8], data: &[u8]) -> Vec<u8> {
    let algorithm = match hash {
        ScramHash::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        ScramHash::Sha256 => hmac::HMAC_SHA256,
    };
    hmac::sign(&hmac::Key::new(algorithm, key), data).as_ref().to_vec()
}
