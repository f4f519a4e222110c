//! A message that passes, and the `DKIM-Signature` fields made of it (RFC 6376 §3.5, §5).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use mail::Timestamp;

use super::body::{BodyHasher, Canonicalization};
use super::header::{SignedHeader, canonical, header_end, signed};
use super::key::{KeyError, SigningKey};
use super::limits::HEADER_OCTETS_MAX;

/// A message under way. However it is cut, the result is the same.
pub struct Hasher {
    header: Vec<u8>,
    body: Option<BodyHasher>,
    too_long: bool,
}

/// A message that has passed: enough to sign it with any number of keys.
pub struct Hashed {
    header: Vec<u8>,
    body_hash: String,
}

impl Default for Hasher {
    fn default() -> Self {
        Self::new()
    }
}

impl Hasher {
    /// At the beginning of a message.
    #[must_use]
    pub const fn new() -> Self {
        Self { header: Vec::new(), body: None, too_long: false }
    }

    /// Takes the next octets.
    pub fn feed(&mut self, octets: &[u8]) {
        if self.too_long {
            return;
        }
        if let Some(body) = &mut self.body {
            return body.feed(octets);
        }
        let before = self.header.len();
        self.header.extend_from_slice(octets);
        match header_end(&self.header, before) {
            Some(end) => {
                let body_from = end.saturating_sub(before);
                self.header.truncate(end.saturating_sub(2));
                let mut body = BodyHasher::new(Canonicalization::Relaxed);
                body.feed(octets.get(body_from..).unwrap_or_default());
                self.body = Some(body);
            }
            None if self.header.len() > HEADER_OCTETS_MAX => {
                self.too_long = true;
                self.header = Vec::new();
            }
            None => {}
        }
    }

    /// The end of the message. `None` when its header is too long to be signed.
    #[must_use]
    pub fn finish(self) -> Option<Hashed> {
        if self.too_long || self.header.len() > HEADER_OCTETS_MAX {
            return None;
        }
        let hash = self.body.unwrap_or_else(|| BodyHasher::new(Canonicalization::Relaxed)).finish().0;
        Some(Hashed { header: self.header, body_hash: BASE64.encode(hash.as_ref()) })
    }
}

impl Hashed {
    /// A message whose header is known, blank line included or not, with the SHA-256 hash of its relaxed body.
    pub(crate) fn of(header: &[u8], relaxed_body: &[u8]) -> Self {
        let header = header
            .strip_suffix(b"\r\n\r\n")
            .map_or(header, |cut| header.get(..cut.len().saturating_add(2)).unwrap_or(cut));
        Self { header: header.to_vec(), body_hash: BASE64.encode(relaxed_body) }
    }

    /// The header, without the blank line.
    #[must_use]
    pub fn header(&self) -> &[u8] {
        &self.header
    }

    /// The fields to be put in front of the message, one for each key, each with its line end.
    ///
    /// # Errors
    /// When a key can't sign.
    pub fn sign(&self, keys: &[SigningKey], now: Timestamp) -> Result<String, KeyError> {
        let signed = signed(&self.header, &[]);
        keys.iter().map(|key| self.signature("DKIM-Signature: v=1", &signed, key, now)).collect()
    }

    /// The `ARC-Message-Signature` field of a set (RFC 8617 §4.1.2), with its line end. DKIM signatures are signed too; results and other
    /// sets must not be.
    pub(crate) fn arc_signature(&self, instance: u32, key: &SigningKey, now: Timestamp) -> Result<String, KeyError> {
        let signed = signed(&self.header, &["dkim-signature"]);
        self.signature(&format!("ARC-Message-Signature: i={instance}"), &signed, key, now)
    }

    /// The same message with fields in front of it.
    #[must_use]
    pub fn behind(&self, fields: &str) -> Self {
        Self { header: [fields.as_bytes(), &self.header].concat(), body_hash: self.body_hash.clone() }
    }

    fn signature(&self, begin: &str, of: &SignedHeader, key: &SigningKey, now: Timestamp) -> Result<String, KeyError> {
        let mut field = self.field(begin, key, &of.names, now);
        let mut octets = of.canonical.clone();
        // §3.7: the field itself, its `b=` empty, without the line end.
        canonical(field.as_bytes(), &mut octets);
        fold(&mut field, &key.sign(&octets)?);
        field.push_str("\r\n");
        Ok(field)
    }

    /// The field up to `b=`.
    fn field(&self, begin: &str, key: &SigningKey, names: &[&str], now: Timestamp) -> String {
        let mut field = format!(
            "{begin}; a={}; c=relaxed/relaxed; d={};\r\n\ts={}; t={};\r\n\th=",
            key.algorithm().name(),
            key.domain,
            key.selector,
            now.as_secs()
        );
        let mut column = 11_usize;
        for (n, name) in names.iter().enumerate() {
            if column > 66 {
                field.push_str("\r\n\t ");
                column = 9;
            }
            if n > 0 {
                field.push(':');
            }
            field.push_str(name);
            column = column.saturating_add(name.len()).saturating_add(1);
        }
        field.push_str(&format!(";\r\n\tbh={};\r\n\tb=", self.body_hash));
        field
    }
}

/// Appends a long word in lines of 70 (§3.5: white space in base64 does not count).
pub(crate) fn fold(out: &mut String, word: &str) {
    let mut rest = word;
    let mut room = 66;
    while rest.len() > room {
        let (line, behind) = rest.split_at(room);
        out.push_str(line);
        out.push_str("\r\n\t ");
        rest = behind;
        room = 66;
    }
    out.push_str(rest);
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{ED25519, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};

    use super::super::key::{Algorithm, generate, record};
    use super::*;
    use mail::Domain;

    const MESSAGE: &[u8] = b"From: Alice <alice@a.example>\r\nTo: bob@b.example\r\nSubject: A long\r\n subject\r\n\
        Date: Thu, 01 Jan 2026 00:00:00 +0000\r\nMessage-ID: <1@a.example>\r\n\r\nHello  \r\n\r\n";

    fn hashed(pieces: &[&[u8]]) -> Hashed {
        let mut hasher = Hasher::new();
        pieces.iter().for_each(|piece| hasher.feed(piece));
        hasher.finish().unwrap()
    }

    fn key(algorithm: Algorithm) -> (SigningKey, Vec<u8>) {
        let pkcs8 = generate(algorithm).unwrap();
        let domain = Domain::parse("a.example").unwrap();
        let key = SigningKey::read(domain, "s1".to_owned(), algorithm, &pkcs8).unwrap();
        let record = record(algorithm, &pkcs8).unwrap();
        let public = BASE64.decode(record.rsplit_once("p=").unwrap().1).unwrap();
        (key, public)
    }

    fn tag<'a>(field: &'a str, name: &str) -> String {
        let value = field.split_once(&format!("{name}=")).map(|(_, rest): (&'a str, &'a str)| rest).unwrap();
        value.split(';').next().unwrap().chars().filter(|c| !c.is_whitespace()).collect()
    }

    /// Checks a signature by the text of RFC 6376 §6.1.3, without the code under test but for `canonical`.
    fn verifies(message: &[u8], field: &str, algorithm: Algorithm, public: &[u8]) -> bool {
        let text = String::from_utf8(message.to_vec()).unwrap();
        let (header, _) = text.split_once("\r\n\r\n").unwrap();
        let mut fields: Vec<String> = Vec::new();
        for line in header.split("\r\n") {
            match fields.last_mut() {
                Some(last) if line.starts_with([' ', '\t']) => *last = format!("{last}\r\n{line}"),
                _ => fields.push(line.to_owned()),
            }
        }
        let mut octets = Vec::new();
        for name in tag(field, "h").split(':') {
            let at = fields.iter().rposition(|f| f.to_ascii_lowercase().starts_with(&format!("{name}:")));
            if let Some(at) = at {
                canonical(fields.remove(at).as_bytes(), &mut octets);
                octets.extend_from_slice(b"\r\n");
            }
        }
        let (unsigned, signature) = field.split_once("\tb=").unwrap();
        canonical(format!("{unsigned}\tb=").as_bytes(), &mut octets);
        let signature: String = signature.chars().filter(|c| !c.is_whitespace()).collect();
        let signature = BASE64.decode(signature).unwrap();
        match algorithm {
            Algorithm::Rsa2048 => {
                UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public).verify(&octets, &signature)
            }
            Algorithm::Ed25519 => {
                let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &octets);
                UnparsedPublicKey::new(&ED25519, public).verify(hash.as_ref(), &signature)
            }
        }
        .is_ok()
    }

    #[test]
    fn both_algorithms_verify_and_a_change_does_not() {
        for algorithm in [Algorithm::Rsa2048, Algorithm::Ed25519] {
            let (key, public) = key(algorithm);
            let field = hashed(&[MESSAGE]).sign(&[key], Timestamp(1_790_000_000_000)).unwrap();
            assert!(verifies(MESSAGE, &field, algorithm, &public), "{field}");
            assert_eq!(tag(&field, "t"), "1790000000");
            assert!(field.split("\r\n").all(|line| line.len() <= 78), "{field}");
            let changed = String::from_utf8(MESSAGE.to_vec()).unwrap().replace("bob@", "eve@");
            assert!(!verifies(changed.as_bytes(), &field, algorithm, &public));
            let added = [b"From: eve@a.example\r\n", MESSAGE].concat();
            assert!(!verifies(&added, &field, algorithm, &public), "a second From");
        }
    }

    #[test]
    fn the_body_hash_is_that_of_the_relaxed_body() {
        let (key, _) = key(Algorithm::Ed25519);
        let field = hashed(&[MESSAGE]).sign(&[key], Timestamp(0)).unwrap();
        let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, b"Hello\r\n");
        assert_eq!(tag(&field, "bh"), BASE64.encode(hash.as_ref()));
    }

    #[test]
    fn cutting_changes_nothing() {
        let whole = hashed(&[MESSAGE]);
        for cut in 0..=MESSAGE.len() {
            let cut = hashed(&[&MESSAGE[..cut], &MESSAGE[cut..]]);
            assert_eq!((cut.header(), &cut.body_hash), (whole.header(), &whole.body_hash));
        }
        assert_eq!(Some(whole.header()), MESSAGE.strip_suffix(b"\r\nHello  \r\n\r\n"));
    }

    #[test]
    fn a_header_without_end_is_not_signed() {
        let mut hasher = Hasher::new();
        (0..400).for_each(|_| hasher.feed(&[b'x'; 1024]));
        assert!(hasher.finish().is_none());
        assert_eq!(hashed(&[b"From: a@b\r\n"]).header(), b"From: a@b\r\n");
        assert_eq!(hashed(&[b"\r\nbody"]).header(), b"");
    }
}
