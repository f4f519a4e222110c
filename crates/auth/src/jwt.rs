//! Tokens of an issuer: JSON Web Tokens (RFC 7519) signed by a key of its set (RFC 7517). Pure.
//!
//! Three algorithms, each bound to one type of key: RS256, ES256 (RFC 7518) and EdDSA with Ed25519 (RFC 8037). `none` is no algorithm, and HMAC
//! is none either: a public key must never become the secret of one. Which algorithm is used is said by the key as much as by the
//! token; what a token says of itself beyond that (`jwk`, `jku`, `x5c`) is not listened to.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mail::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::limits::{CLOCK_SKEW_SECS, ISSUER_KEYS_MAX, KEYS_TRIED_MAX, TOKEN_OCTETS_MAX};

/// A public key of an issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    id: Option<String>,
    material: Material,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Material {
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    /// Uncompressed, as SEC 1 has it.
    P256(Vec<u8>),
    Ed25519(Vec<u8>),
}

/// The keys of an issuer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeySet(Vec<Key>);

/// Why octets are no set of keys.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeySetFlaw {
    /// It is no JSON of that form.
    #[error("it is no set of keys (RFC 7517): {0}")]
    Form(String),
    /// None of its keys can be used.
    #[error("it has no key for RS256, ES256 or EdDSA")]
    Empty,
}

#[derive(Deserialize)]
struct WrittenSet {
    keys: Vec<Value>,
}

#[derive(Deserialize)]
struct WrittenKey {
    kty: String,
    #[serde(default)]
    kid: Option<String>,
    #[serde(default)]
    alg: Option<String>,
    #[serde(default, rename = "use")]
    purpose: Option<String>,
    #[serde(default)]
    crv: Option<String>,
    #[serde(default)]
    n: Option<String>,
    #[serde(default)]
    e: Option<String>,
    #[serde(default)]
    x: Option<String>,
    #[serde(default)]
    y: Option<String>,
}

impl KeySet {
    /// Reads a set. Keys that are for something else, or of another kind, are passed over (RFC 7517 §5).
    ///
    /// # Errors
    /// When it is none, or none of its keys will do.
    pub fn parse(text: &[u8]) -> Result<Self, KeySetFlaw> {
        let set: WrittenSet = serde_json::from_slice(text).map_err(|error| KeySetFlaw::Form(error.to_string()))?;
        let keys = set.keys.into_iter().filter_map(|key| Key::read(serde_json::from_value(key).ok()?));
        let keys: Vec<Key> = keys.take(ISSUER_KEYS_MAX).collect();
        if keys.is_empty() { Err(KeySetFlaw::Empty) } else { Ok(Self(keys)) }
    }

    /// Whether a key of this name is there; without a name, any is.
    #[must_use]
    pub fn has(&self, id: Option<&str>) -> bool {
        id.is_none_or(|id| self.0.iter().any(|key| key.id.as_deref() == Some(id)))
    }
}

fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

impl Key {
    fn read(written: WrittenKey) -> Option<Self> {
        if written.purpose.is_some_and(|purpose| purpose != "sig") {
            return None;
        }
        let (algorithm, material) = match (written.kty.as_str(), written.crv.as_deref()) {
            ("RSA", _) => {
                let (n, e) = (decode(&written.n?)?, decode(&written.e?)?);
                // The library refuses other sizes at each use; here once for all.
                let bits = n.iter().skip_while(|octet| **octet == 0).count().saturating_mul(8);
                ((2_048..=8_192).contains(&bits)).then_some(("RS256", Material::Rsa { n, e }))?
            }
            ("EC", Some("P-256")) => {
                let (x, y) = (decode(&written.x?)?, decode(&written.y?)?);
                (x.len() == 32 && y.len() == 32).then(|| ("ES256", Material::P256([&[4], &x[..], &y[..]].concat())))?
            }
            ("OKP", Some("Ed25519")) => {
                let x = decode(&written.x?)?;
                (x.len() == 32).then_some(("EdDSA", Material::Ed25519(x)))?
            }
            _ => return None,
        };
        // RFC 9864 has a name of its own for EdDSA with this curve.
        let fits = |said: &str| said == algorithm || (algorithm == "EdDSA" && said == "Ed25519");
        if written.alg.as_deref().is_some_and(|said| !fits(said)) {
            return None;
        }
        Some(Self { id: written.kid, material })
    }

    /// Whether the key has signed this, by this algorithm.
    fn verifies(&self, algorithm: Algorithm, signed: &[u8], signature: &[u8]) -> bool {
        match (&self.material, algorithm) {
            (Material::Rsa { n, e }, Algorithm::Rs256) => {
                RsaPublicKeyComponents { n, e }.verify(&RSA_PKCS1_2048_8192_SHA256, signed, signature).is_ok()
            }
            (Material::P256(point), Algorithm::Es256) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(signed, signature).is_ok()
            }
            (Material::Ed25519(key), Algorithm::EdDsa) => {
                UnparsedPublicKey::new(&ED25519, key).verify(signed, signature).is_ok()
            }
            (Material::Rsa { .. } | Material::P256(_) | Material::Ed25519(_), _) => false,
        }
    }

    const fn is_for(&self, algorithm: Algorithm) -> bool {
        matches!(
            (&self.material, algorithm),
            (Material::Rsa { .. }, Algorithm::Rs256)
                | (Material::P256(_), Algorithm::Es256)
                | (Material::Ed25519(_), Algorithm::EdDsa)
        )
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Algorithm {
    Rs256,
    Es256,
    EdDsa,
}

/// Why a token is not believed. The texts are for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenFlaw {
    /// It has not the form of one.
    #[error("it is no signed token (RFC 7519)")]
    Form,
    /// Its algorithm is none of the three.
    #[error("its algorithm is not RS256, ES256 or EdDSA")]
    Algorithm,
    /// It demands something that is not understood (RFC 7515 §4.1.11).
    #[error("it has critical extensions")]
    Critical,
    /// No key of the issuer has this name, or none is of the kind.
    #[error("the issuer has no such key")]
    UnknownKey,
    /// The signature is wrong.
    #[error("the signature is wrong")]
    Signature,
    /// It is of another issuer.
    #[error("it is of another issuer")]
    Issuer,
    /// It is for somebody else.
    #[error("it is for another audience")]
    Audience,
    /// Its time is over, or it says no time at all.
    #[error("it has expired")]
    Expired,
    /// Its time has not come.
    #[error("it is not valid yet")]
    NotYet,
    /// It does not allow this.
    #[error("it lacks the scope that is demanded")]
    Scope,
    /// It does not say who it is of.
    #[error("it does not say whose it is")]
    Subject,
}

/// What a token must say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRules {
    /// `iss`, exactly.
    pub issuer: String,
    /// `aud`: one of these.
    pub audiences: Vec<String>,
    /// `scope`, or the list `scp`: this is among them. Empty: any.
    pub scope: String,
    /// The claim that holds the address.
    pub claim: String,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    #[serde(default)]
    kid: Option<String>,
    #[serde(default)]
    crit: Option<Value>,
}

/// A token that can be read; nothing of it is proved.
pub struct Token<'t> {
    header: Header,
    claims: Map<String, Value>,
    signed: &'t [u8],
    signature: Vec<u8>,
}

impl<'t> Token<'t> {
    /// Reads a token in its compact form (RFC 7515 §3.1).
    ///
    /// # Errors
    /// [`TokenFlaw::Form`].
    pub fn parse(text: &'t str) -> Result<Self, TokenFlaw> {
        if text.len() > TOKEN_OCTETS_MAX {
            return Err(TokenFlaw::Form);
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(TokenFlaw::Form)?;
        let (header, claims) = signed.split_once('.').filter(|(_, rest)| !rest.contains('.')).ok_or(TokenFlaw::Form)?;
        let part = |text: &str| decode(text).ok_or(TokenFlaw::Form);
        Ok(Self {
            header: serde_json::from_slice(&part(header)?).map_err(|_| TokenFlaw::Form)?,
            claims: serde_json::from_slice(&part(claims)?).map_err(|_| TokenFlaw::Form)?,
            signed: signed.as_bytes(),
            signature: part(signature)?,
        })
    }

    /// The name of its key.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.header.kid.as_deref()
    }

    /// The address that a claim holds; as long as the token is not verified, anybody's guess.
    #[must_use]
    pub fn address(&self, claim: &str) -> Option<&str> {
        // OpenID Connect Core §5.1: an address that its issuer has not verified is anybody's.
        let unverified = claim == "email" && self.claims.get("email_verified").is_some_and(|said| !is_true(said));
        self.claims.get(claim).and_then(Value::as_str).filter(|address| !unverified && !address.is_empty())
    }

    /// Whether it is to be believed: its signature first, then what it says.
    ///
    /// # Errors
    /// Why not.
    pub fn verify(&self, keys: &KeySet, rules: &TokenRules, now: Timestamp) -> Result<(), TokenFlaw> {
        let algorithm = match self.header.alg.as_str() {
            "RS256" => Algorithm::Rs256,
            "ES256" => Algorithm::Es256,
            "EdDSA" | "Ed25519" => Algorithm::EdDsa,
            _ => return Err(TokenFlaw::Algorithm),
        };
        if self.header.crit.is_some() {
            return Err(TokenFlaw::Critical);
        }
        let named = |key: &&Key| self.key_id().is_none_or(|id| key.id.as_deref() == Some(id));
        let fitting = keys.0.iter().filter(named).filter(|key| key.is_for(algorithm));
        let mut fitting = fitting.take(KEYS_TRIED_MAX).peekable();
        if fitting.peek().is_none() {
            return Err(TokenFlaw::UnknownKey);
        }
        if !fitting.any(|key| key.verifies(algorithm, self.signed, &self.signature)) {
            return Err(TokenFlaw::Signature);
        }
        self.claims_hold(rules, now)
    }

    fn claims_hold(&self, rules: &TokenRules, now: Timestamp) -> Result<(), TokenFlaw> {
        let text = |name: &str| self.claims.get(name).and_then(Value::as_str);
        if text("iss") != Some(&rules.issuer) {
            return Err(TokenFlaw::Issuer);
        }
        let wanted = |audience: &Value| {
            audience.as_str().is_some_and(|audience| rules.audiences.iter().any(|wanted| wanted == audience))
        };
        let for_us = match self.claims.get("aud") {
            Some(Value::Array(all)) => all.iter().any(wanted),
            Some(one) => wanted(one),
            None => false,
        };
        if !for_us {
            return Err(TokenFlaw::Audience);
        }
        // RFC 7519 §2: seconds since 1970, and fractions may be written.
        let (now, skew) = (now.as_secs(), CLOCK_SKEW_SECS);
        let seconds = |value: &Value| value.as_i64().or_else(|| whole(value.as_f64()?));
        match self.claims.get("exp").and_then(seconds) {
            Some(end) if now < end.saturating_add(skew) => {}
            Some(_) | None => return Err(TokenFlaw::Expired),
        }
        match self.claims.get("nbf").map(seconds) {
            Some(Some(begin)) if now.saturating_add(skew) < begin => return Err(TokenFlaw::NotYet),
            Some(None) => return Err(TokenFlaw::NotYet),
            Some(Some(_)) | None => {}
        }
        // RFC 9068 §2.2.3 has `scope`, parted by blanks; some issuers write a list as `scp`.
        let scopes = ["scope", "scp"].iter().filter_map(|name| self.claims.get(*name)).flat_map(scopes);
        if !rules.scope.is_empty() && !scopes.into_iter().any(|scope| scope == rules.scope) {
            return Err(TokenFlaw::Scope);
        }
        self.address(&rules.claim).map(drop).ok_or(TokenFlaw::Subject)
    }
}

fn is_true(value: &Value) -> bool {
    value.as_bool() == Some(true) || value.as_str() == Some("true")
}

fn scopes(value: &Value) -> Vec<&str> {
    match value {
        Value::Array(all) => all.iter().filter_map(Value::as_str).collect(),
        Value::String(text) => text.split(' ').collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => Vec::new(),
    }
}

/// The whole seconds of a number with a fraction; `None` for what is no moment.
fn whole(seconds: f64) -> Option<i64> {
    let text = format!("{:.0}", seconds.floor());
    text.parse().ok()
}

#[cfg(test)]
pub(crate) mod tests;
