//! One signature of a message: `DKIM-Signature` (RFC 6376 §3.5) or `ARC-Message-Signature` (RFC 8617 §4.1.2), which are made and
//! checked alike. The body has passed already; what is left of it is its hash.

use std::collections::HashMap;

use mail::Timestamp;
use mail_auth::crypto::Algorithm;
use mail_auth::dkim::Canonicalization as Read;
use message::{RawField, raw_fields};

use super::key::{KeyAnswer, PublicKey, SignatureKind};
use super::limits::SIGNED_NAMES_MAX;
use super::results::Outcome;
use crate::dkim::body::Canonicalization;
use crate::dkim::header::canonical;

/// A result other than a pass, and why.
pub(super) type Flaw = (Outcome, &'static str);

/// The fields of a header, found by name from the bottom up.
pub(super) struct Fields<'a> {
    all: Vec<RawField<'a>>,
    by_name: HashMap<Vec<u8>, Vec<usize>>,
}

impl<'a> Fields<'a> {
    pub(super) fn of(header: &'a [u8]) -> Self {
        let all: Vec<RawField<'a>> = raw_fields(header).collect();
        let mut by_name: HashMap<Vec<u8>, Vec<usize>> = HashMap::new();
        for (at, field) in all.iter().enumerate() {
            if let Some(name) = field.name {
                by_name.entry(name.trim_ascii_end().to_ascii_lowercase()).or_default().push(at);
            }
        }
        Self { all, by_name }
    }

    /// The fields of a name, given in lower case, from the top.
    pub(super) fn named(&self, name: &str) -> impl Iterator<Item = &RawField<'a>> {
        let places = self.by_name.get(name.as_bytes()).map(Vec::as_slice).unwrap_or_default();
        places.iter().filter_map(|at| self.all.get(*at))
    }
}

/// Hashes of one body, those that a signature asks for.
#[derive(Clone, Debug, Default)]
pub(super) struct BodyHashes {
    pub(super) simple: Option<(Vec<u8>, u64)>,
    pub(super) relaxed: Option<(Vec<u8>, u64)>,
}

/// A signature as its field says it.
#[derive(Clone, Debug)]
pub(super) struct Signature {
    pub(super) algorithm: Algorithm,
    pub(super) domain: String,
    pub(super) selector: String,
    pub(super) signature: Vec<u8>,
    pub(super) body_hash: Vec<u8>,
    pub(super) names: Vec<String>,
    /// `l=`; 0: the whole body.
    pub(super) body_octets: u64,
    pub(super) signed_at: u64,
    pub(super) expires: u64,
    pub(super) header: Canonicalization,
    pub(super) body: Canonicalization,
    /// `i=` of DKIM.
    pub(super) identity: String,
}

const fn read(canonicalization: Read) -> Canonicalization {
    match canonicalization {
        Read::Relaxed => Canonicalization::Relaxed,
        Read::Simple => Canonicalization::Simple,
    }
}

impl From<mail_auth::dkim::Signature> for Signature {
    fn from(from: mail_auth::dkim::Signature) -> Self {
        Self {
            algorithm: from.a,
            domain: from.d,
            selector: from.s,
            signature: from.b,
            body_hash: from.bh,
            names: from.h,
            body_octets: from.l,
            signed_at: from.t,
            expires: from.x,
            header: read(from.ch),
            body: read(from.cb),
            identity: from.i,
        }
    }
}

impl From<mail_auth::arc::Signature> for Signature {
    fn from(from: mail_auth::arc::Signature) -> Self {
        Self {
            algorithm: from.a,
            domain: from.d,
            selector: from.s,
            signature: from.b,
            body_hash: from.bh,
            names: from.h,
            body_octets: from.l,
            signed_at: from.t,
            expires: from.x,
            header: read(from.ch),
            body: read(from.cb),
            identity: String::new(),
        }
    }
}

/// How it is signed, when this server accepts that.
pub(super) const fn accepted(algorithm: Algorithm) -> Result<SignatureKind, Flaw> {
    match algorithm {
        Algorithm::RsaSha256 => Ok(SignatureKind::RsaSha256),
        Algorithm::Ed25519Sha256 => Ok(SignatureKind::Ed25519Sha256),
        // RFC 8301 §3.1.
        Algorithm::RsaSha1 => Err((Outcome::Policy, "SHA-1 proves nothing any more")),
        Algorithm::MlDsa44 => Err((Outcome::Neutral, "the algorithm is unknown")),
    }
}

/// Where the key of a signature is.
pub(super) fn key_name(selector: &str, domain: &str) -> String {
    format!("{selector}._domainkey.{domain}.").to_ascii_lowercase()
}

impl Signature {
    pub(super) fn key_name(&self) -> String {
        key_name(&self.selector, &self.domain)
    }

    /// All that can be said without its key.
    pub(super) fn before_key(&self, hashes: &BodyHashes, now: Timestamp) -> Result<(), Flaw> {
        accepted(self.algorithm)?;
        if self.names.len() > SIGNED_NAMES_MAX {
            return Err((Outcome::Neutral, "it lists too many fields"));
        }
        // RFC 6376 §5.4.
        if !self.names.iter().any(|name| name.eq_ignore_ascii_case("from")) {
            return Err((Outcome::PermanentError, "From is not signed"));
        }
        if self.expires != 0 {
            let now = u64::try_from(now.as_secs()).unwrap_or(0);
            if self.expires <= self.signed_at {
                return Err((Outcome::Neutral, "it expires before it was made"));
            }
            if self.expires <= now {
                return Err((Outcome::Fail, "it has expired"));
            }
        }
        let hash = match self.body {
            Canonicalization::Simple => &hashes.simple,
            Canonicalization::Relaxed => &hashes.relaxed,
        };
        let Some((hash, octets)) = hash else { return Err((Outcome::Neutral, "the body was not hashed")) };
        // RFC 6376 §8.2: what is behind the signed part could say anything.
        if self.body_octets != 0 && self.body_octets < *octets {
            return Err((Outcome::Policy, "it signs only the beginning of the body"));
        }
        if *hash != self.body_hash || self.body_octets > *octets {
            return Err((Outcome::Fail, "the body was changed"));
        }
        Ok(())
    }

    /// The rest, with its key. `field` is the field of the signature itself.
    pub(super) fn verify(&self, fields: &Fields<'_>, field: &RawField<'_>, key: &KeyAnswer) -> Result<(), Flaw> {
        let key = published(key)?;
        if !self.identity_fits(key.strict) {
            return Err((Outcome::PermanentError, "its identity is not of its domain"));
        }
        let mut octets = Vec::new();
        // RFC 6376 §5.4.2: fields of one name from the bottom up; those that are not there sign their absence.
        let mut used: HashMap<Vec<u8>, usize> = HashMap::new();
        for name in &self.names {
            let name = name.trim().to_ascii_lowercase().into_bytes();
            let Some(places) = fields.by_name.get(&name) else { continue };
            let used = used.entry(name).or_default();
            *used = used.saturating_add(1);
            let Some(at) = places.len().checked_sub(*used).and_then(|at| places.get(at)) else { continue };
            let Some(signed) = fields.all.get(*at) else { continue };
            match self.header {
                Canonicalization::Relaxed => {
                    canonical(signed.bytes, &mut octets);
                    octets.extend_from_slice(b"\r\n");
                }
                Canonicalization::Simple => octets.extend_from_slice(signed.bytes),
            }
        }
        // §3.7: the field itself, its `b=` empty, without the line end.
        let unsigned = without_signature(field.bytes);
        match self.header {
            Canonicalization::Relaxed => canonical(&unsigned, &mut octets),
            Canonicalization::Simple => octets.extend_from_slice(&unsigned),
        }
        let kind = accepted(self.algorithm)?;
        key.verifies(kind, &octets, &self.signature).map_err(|reason| (Outcome::Fail, reason))
    }

    /// RFC 6376 §3.5: `i=` is of the domain or, unless the key is strict, of one below.
    fn identity_fits(&self, strict: bool) -> bool {
        if self.identity.is_empty() {
            return true;
        }
        let Some((_, domain)) = self.identity.rsplit_once('@') else { return false };
        let (domain, signing) = (domain.to_ascii_lowercase(), self.domain.to_ascii_lowercase());
        domain == signing || (!strict && domain.strip_suffix(&signing).is_some_and(|above| above.ends_with('.')))
    }
}

/// The key that an answer gives.
pub(super) fn published(answer: &KeyAnswer) -> Result<PublicKey, Flaw> {
    match answer {
        KeyAnswer::Records(records) => PublicKey::among(records).map_err(|reason| (Outcome::PermanentError, reason)),
        KeyAnswer::Missing => Err((Outcome::PermanentError, "the key is not published")),
        KeyAnswer::Temporary => Err((Outcome::TemporaryError, "the DNS did not answer")),
    }
}

/// A field of a signature with an empty `b=`, and without the line end.
pub(super) fn without_signature(field: &[u8]) -> Vec<u8> {
    let field = field.strip_suffix(b"\r\n").unwrap_or(field);
    let colon = memchr::memchr(b':', field).map_or(field.len(), |at| at.saturating_add(1));
    let (name, value) = field.split_at_checked(colon).unwrap_or((field, &[]));
    let mut out = name.to_vec();
    for (n, tag) in value.split(|octet| *octet == b';').enumerate() {
        if n > 0 {
            out.push(b';');
        }
        let equals = memchr::memchr(b'=', tag);
        match equals.and_then(|at| tag.split_at_checked(at.saturating_add(1))) {
            Some((before, _)) if before.strip_suffix(b"=").is_some_and(|tag| tag.trim_ascii() == b"b") => {
                out.extend_from_slice(before);
            }
            Some(_) | None => out.extend_from_slice(tag),
        }
    }
    out
}

/// The beginning of `b=`, for people and RFC 6008 §4.
pub(super) fn beginning(signature: &[u8]) -> String {
    use base64::Engine as _;
    let start = signature.get(..signature.len().min(6)).unwrap_or_default();
    base64::engine::general_purpose::STANDARD.encode(start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_goes_and_all_else_stays() {
        for (field, expected) in [
            ("DKIM-Signature: v=1; b=abc\r\n", "DKIM-Signature: v=1; b="),
            ("X: b=a b\r\n c; bh=x=; d=y;\r\n", "X: b=; bh=x=; d=y;"),
            ("X: v=1;\r\n\tb =\r\n\tab==\r\n", "X: v=1;\r\n\tb ="),
            ("X: bb=1; h=b; b=2", "X: bb=1; h=b; b="),
            ("X: v=1", "X: v=1"),
        ] {
            assert_eq!(String::from_utf8(without_signature(field.as_bytes())).unwrap(), expected);
        }
    }

    fn named(identity: &str) -> Signature {
        let value = format!(" v=1; a=rsa-sha256; d=a.example; s=s; i={identity}; h=From; bh=AAAA; b=AAAA");
        mail_auth::dkim::Signature::parse(value.as_bytes()).unwrap().into()
    }

    #[test]
    fn an_identity_is_of_the_domain() {
        for (identity, strict, fits) in [
            ("@a.example", true, true),
            ("bob@A.example", true, true),
            ("bob@x.a.example", false, true),
            ("bob@x.a.example", true, false),
            ("bob@xa.example", false, false),
            ("bob@example", false, false),
            ("bob", false, false),
        ] {
            assert_eq!(named(identity).identity_fits(strict), fits, "{identity} {strict}");
        }
    }
}
