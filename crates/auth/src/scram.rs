//! SCRAM (RFC 5802, RFC 7677), the server's side: messages in, messages out; pure.
//!
//! A server keeps [`ScramKeys`], from which neither the password nor a proof of it can be made, and proves to the client that it
//! has them. With channel binding (`-PLUS`) both prove as well that nobody stands between them.

use aws_lc_rs::{digest, hmac, pbkdf2};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use routing::objects::{ScramKey, ScramKeys};
use world::Chance;

use crate::limits::{SCRAM_ITERATIONS_MAX, SCRAM_MESSAGE_OCTETS_MAX};

/// The hash that a mechanism is named after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScramHash {
    /// SCRAM-SHA-1 (RFC 5802).
    Sha1,
    /// SCRAM-SHA-256 (RFC 7677).
    Sha256,
}

/// Why an exchange ends before anything was proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScramFlaw {
    /// The message has not the form of RFC 5802 §7.
    #[error("the message is not one of SCRAM")]
    Malformed,
    /// Channel binding is missing, not wanted here, or of another channel (RFC 5802 §6): somebody may stand in between.
    #[error("the channel binding does not hold")]
    ChannelBinding,
    /// The client wants to act for somebody else.
    #[error("acting for somebody else is not possible")]
    OtherIdentity,
}

impl ScramHash {
    fn pbkdf2(self) -> pbkdf2::Algorithm {
        match self {
            Self::Sha1 => pbkdf2::PBKDF2_HMAC_SHA1,
            Self::Sha256 => pbkdf2::PBKDF2_HMAC_SHA256,
        }
    }

    fn hmac(self, key: &[u8], data: &[u8]) -> Vec<u8> {
        let algorithm = match self {
            Self::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => hmac::HMAC_SHA256,
        };
        hmac::sign(&hmac::Key::new(algorithm, key), data).as_ref().to_vec()
    }

    fn digest(self, data: &[u8]) -> Vec<u8> {
        let algorithm = match self {
            Self::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => &digest::SHA256,
        };
        digest::digest(algorithm, data).as_ref().to_vec()
    }

    const fn octets(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }

    /// The keys for this hash.
    #[must_use]
    pub const fn keys(self, keys: &ScramKeys) -> &ScramKey {
        match self {
            Self::Sha1 => &keys.sha1,
            Self::Sha256 => &keys.sha256,
        }
    }

    /// RFC 5802 §3: `SaltedPassword`, `StoredKey` and `ServerKey`.
    fn key(self, password: &[u8], salt: &[u8], iterations: std::num::NonZeroU32) -> ScramKey {
        let mut salted = zeroize::Zeroizing::new(vec![0; self.octets()]);
        pbkdf2::derive(self.pbkdf2(), iterations, salt, password, &mut salted);
        let client_key = zeroize::Zeroizing::new(self.hmac(&salted, b"Client Key"));
        ScramKey {
            stored: STANDARD.encode(self.digest(&client_key)),
            server: STANDARD.encode(self.hmac(&salted, b"Server Key")),
        }
    }
}

/// The keys of a password whose hash is `hash`; `None` when the iterations are 0. Slow on purpose: never call it on a thread
/// that serves connections.
#[must_use]
pub fn scram_keys(password: &str, hash: &str, iterations: u32, chance: &dyn Chance) -> Option<ScramKeys> {
    let rounds = std::num::NonZeroU32::new(iterations.min(SCRAM_ITERATIONS_MAX))?;
    let mut salt = [0; 16];
    chance.fill(&mut salt);
    // RFC 5802 §2.2: SASLprep; what it refuses is taken as it is, for the password opens the account all the same.
    let prepared = stringprep::saslprep(password).unwrap_or(std::borrow::Cow::Borrowed(password));
    let prepared = zeroize::Zeroizing::new(prepared.into_owned());
    let key = |hash: ScramHash| hash.key(prepared.as_bytes(), &salt, rounds);
    Some(ScramKeys {
        of: mark(hash),
        salt: STANDARD.encode(salt),
        iterations: rounds.get(),
        sha1: key(ScramHash::Sha1),
        sha256: key(ScramHash::Sha256),
    })
}

/// Whether keys belong to a password hash: others are of a password that is no longer in force.
#[must_use]
pub fn keys_belong(keys: &ScramKeys, hash: &str) -> bool {
    keys.of == mark(hash)
}

fn mark(hash: &str) -> String {
    blake3::hash(hash.as_bytes()).to_hex().chars().take(32).collect()
}

/// What the channel can be bound to, for `-PLUS`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChannelBindings {
    /// `tls-exporter` (RFC 9266).
    pub exporter: Option<Vec<u8>>,
    /// `tls-server-end-point` (RFC 5929 §4).
    pub server_end_point: Option<Vec<u8>>,
}

impl ChannelBindings {
    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.exporter.is_none() && self.server_end_point.is_none()
    }

    fn named(&self, name: &str) -> Option<&[u8]> {
        match name {
            "tls-exporter" => self.exporter.as_deref(),
            "tls-server-end-point" => self.server_end_point.as_deref(),
            _ => None,
        }
    }
}

/// The client's first message, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientFirst {
    /// Who: as sent, `=2C` and `=3D` decoded.
    pub username: String,
    nonce: String,
    bare: String,
    /// What `c=` of the last message must be, decoded.
    binding: Vec<u8>,
}

impl ClientFirst {
    /// Reads `client-first-message` (RFC 5802 §7) of a mechanism, with `-PLUS` or without, over a channel with these bindings.
    ///
    /// # Errors
    /// See [`ScramFlaw`].
    pub fn parse(message: &[u8], plus: bool, bindings: &ChannelBindings) -> Result<Self, ScramFlaw> {
        let text = text(message)?;
        let (flag, rest) = text.split_once(',').ok_or(ScramFlaw::Malformed)?;
        let (authzid, bare) = rest.split_once(',').ok_or(ScramFlaw::Malformed)?;
        let data = match flag {
            // RFC 5802 §6: "y" is said by who could bind and has not been offered it: then the offer was taken away.
            "y" if !bindings.is_empty() => return Err(ScramFlaw::ChannelBinding),
            "y" | "n" if !plus => &[][..],
            "y" | "n" => return Err(ScramFlaw::ChannelBinding),
            _ => {
                let name = flag.strip_prefix("p=").ok_or(ScramFlaw::Malformed)?;
                bindings.named(name).filter(|_| plus).ok_or(ScramFlaw::ChannelBinding)?
            }
        };
        let header = text.strip_suffix(bare).unwrap_or_default();
        let mut fields = bare.split(',');
        // RFC 5802 §5.1: an extension that must be understood, and none is.
        let name = fields.next().and_then(|field| field.strip_prefix("n=")).ok_or(ScramFlaw::Malformed)?;
        let nonce = fields.next().and_then(|field| field.strip_prefix("r=")).ok_or(ScramFlaw::Malformed)?;
        let printable = !nonce.is_empty() && nonce.bytes().all(|b| matches!(b, b'!'..=b'~'));
        let username =
            Some(saslname(name)?).filter(|name| !name.is_empty() && printable).ok_or(ScramFlaw::Malformed)?;
        if !authzid.is_empty() {
            let wanted = saslname(authzid.strip_prefix("a=").ok_or(ScramFlaw::Malformed)?)?;
            if !wanted.eq_ignore_ascii_case(&username) {
                return Err(ScramFlaw::OtherIdentity);
            }
        }
        let binding = [header.as_bytes(), data].concat();
        Ok(Self { username, nonce: nonce.to_owned(), bare: bare.to_owned(), binding })
    }
}

/// An exchange between the server's first message and the client's last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerFirst {
    hash: ScramHash,
    key: ScramKey,
    nonce: String,
    binding: Vec<u8>,
    /// `client-first-message-bare "," server-first-message`
    so_far: String,
    message: String,
}

impl ServerFirst {
    /// Answers a client with the keys of whom it named, and the server's part of the nonce.
    #[must_use]
    pub fn new(first: ClientFirst, hash: ScramHash, keys: &ScramKeys, nonce: [u8; 18]) -> Self {
        let nonce = format!("{}{}", first.nonce, STANDARD.encode(nonce));
        let message = format!("r={nonce},s={},i={}", keys.salt, keys.iterations);
        let so_far = format!("{},{message}", first.bare);
        Self { hash, key: hash.keys(keys).clone(), nonce, binding: first.binding, so_far, message }
    }

    /// `server-first-message`
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Reads `client-final-message`: the `server-final-message` when the proof holds, otherwise `None`.
    ///
    /// # Errors
    /// See [`ScramFlaw`].
    pub fn check(&self, message: &[u8]) -> Result<Option<String>, ScramFlaw> {
        let text = text(message)?;
        let (without_proof, proof) = text.rsplit_once(",p=").ok_or(ScramFlaw::Malformed)?;
        let mut fields = without_proof.split(',');
        let binding = fields.next().and_then(|field| field.strip_prefix("c=")).ok_or(ScramFlaw::Malformed)?;
        let nonce = fields.next().and_then(|field| field.strip_prefix("r=")).ok_or(ScramFlaw::Malformed)?;
        let binding = STANDARD.decode(binding).map_err(|_| ScramFlaw::Malformed)?;
        let proof = STANDARD.decode(proof).map_err(|_| ScramFlaw::Malformed)?;
        if binding != self.binding {
            return Err(ScramFlaw::ChannelBinding);
        }
        if nonce != self.nonce || proof.len() != self.hash.octets() {
            return Err(ScramFlaw::Malformed);
        }
        let said = format!("{},{without_proof}", self.so_far);
        let (Ok(stored), Ok(server)) = (STANDARD.decode(&self.key.stored), STANDARD.decode(&self.key.server)) else {
            return Ok(None);
        };
        let signature = self.hash.hmac(&stored, said.as_bytes());
        let client_key: Vec<u8> = signature.iter().zip(&proof).map(|(a, b)| a ^ b).collect();
        let holds = aws_lc_rs::constant_time::verify_slices_are_equal(&self.hash.digest(&client_key), &stored).is_ok();
        Ok(holds.then(|| format!("v={}", STANDARD.encode(self.hash.hmac(&server, said.as_bytes())))))
    }
}

fn text(message: &[u8]) -> Result<&str, ScramFlaw> {
    let text = str::from_utf8(message).ok().filter(|text| text.len() <= SCRAM_MESSAGE_OCTETS_MAX);
    text.filter(|text| !text.contains('\0')).ok_or(ScramFlaw::Malformed)
}

/// `saslname`: a comma is `=2C`, an equals sign `=3D`, and nothing else stands behind one.
fn saslname(text: &str) -> Result<String, ScramFlaw> {
    let mut name = String::with_capacity(text.len());
    let mut pieces = text.split('=');
    name.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        let (escaped, rest) = match (piece.strip_prefix("2C"), piece.strip_prefix("3D")) {
            (Some(rest), _) => (',', rest),
            (None, Some(rest)) => ('=', rest),
            (None, None) => return Err(ScramFlaw::Malformed),
        };
        name.push(escaped);
        name.push_str(rest);
    }
    Ok(name)
}

#[cfg(test)]
mod tests;
