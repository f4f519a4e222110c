//! The public key of a signature, as the DNS has it (RFC 6376 §3.6.1, RFC 8463 §4).

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{ED25519, RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::limits::{KEY_RECORD_OCTETS_MAX, KEY_RECORDS_MAX};

/// What the DNS said when it was asked for a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum KeyAnswer {
    /// The records, the strings of each joined.
    Records(Vec<Vec<u8>>),
    /// There are none.
    Missing,
    /// It did not answer.
    Temporary,
}

/// A key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PublicKey {
    kind: Kind,
    octets: Vec<u8>,
    /// `t=s`: `i=` has to name the very domain.
    pub(crate) strict: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Rsa,
    Ed25519,
}

/// How a message is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SignatureKind {
    /// `rsa-sha256`.
    RsaSha256,
    /// `ed25519-sha256`.
    Ed25519Sha256,
}

impl PublicKey {
    /// The first key among the records of a name.
    pub(crate) fn among(records: &[Vec<u8>]) -> Result<Self, &'static str> {
        let mut flaw = "the key is not published";
        for record in records.iter().take(KEY_RECORDS_MAX) {
            match Self::read(record) {
                Ok(key) => return Ok(key),
                Err(found) => flaw = found,
            }
        }
        Err(flaw)
    }

    fn read(record: &[u8]) -> Result<Self, &'static str> {
        if record.len() > KEY_RECORD_OCTETS_MAX {
            return Err("the key record is too long");
        }
        let text = std::str::from_utf8(record).map_err(|_| NO_KEY)?;
        let (mut kind, mut octets, mut strict) = (Kind::Rsa, None, false);
        for (place, tag) in text.split(';').map(str::trim).filter(|tag| !tag.is_empty()).enumerate() {
            let (name, value) = tag.split_once('=').ok_or(NO_KEY)?;
            let (name, value) = (name.trim_end(), value.trim_start());
            let mut listed = value.split(':').map(str::trim);
            match name {
                "v" if place > 0 || value != "DKIM1" => return Err(NO_KEY),
                "k" => {
                    kind = match value {
                        "rsa" => Kind::Rsa,
                        "ed25519" => Kind::Ed25519,
                        _ => return Err("the key is of an unknown kind"),
                    }
                }
                "h" if !listed.any(|hash| hash == "sha256") => return Err("the key is for other hashes"),
                "s" if !listed.any(|service| service == "*" || service == "email") => {
                    return Err("the key is not for mail");
                }
                "t" => strict = listed.any(|flag| flag == "s"),
                "p" => {
                    let plain: String = value.chars().filter(|c| !c.is_ascii_whitespace()).collect();
                    if plain.is_empty() {
                        return Err("the key was withdrawn");
                    }
                    octets = Some(BASE64.decode(plain).map_err(|_| "the key can't be read")?);
                }
                _ => {}
            }
        }
        Ok(Self { kind, octets: octets.ok_or(NO_KEY)?, strict })
    }

    /// Whether a signature over these octets is by this key.
    pub(crate) fn verifies(&self, kind: SignatureKind, octets: &[u8], signature: &[u8]) -> Result<(), &'static str> {
        let verified = match (kind, self.kind) {
            (SignatureKind::RsaSha256, Kind::Rsa) => {
                // RFC 8301 §3.2: from 1,024 bits.
                UnparsedPublicKey::new(&RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, &self.octets)
                    .verify(octets, signature)
            }
            // RFC 8463 §3: the hash is what is signed.
            (SignatureKind::Ed25519Sha256, Kind::Ed25519) => {
                UnparsedPublicKey::new(&ED25519, &self.octets).verify(digest(&SHA256, octets).as_ref(), signature)
            }
            (SignatureKind::RsaSha256, Kind::Ed25519) | (SignatureKind::Ed25519Sha256, Kind::Rsa) => {
                return Err("the key is of another kind than the signature");
            }
        };
        verified.map_err(|_| "the signature is not by the key that is published, or what is signed was changed")
    }
}

const NO_KEY: &str = "the record is no key";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read() {
        for (record, wanted) in [
            ("v=DKIM1; k=ed25519; p=AAAA", Ok(false)),
            ("p=AA AA\t;", Ok(false)),
            ("v=DKIM1; p=AAAA; t=y:s; n=note; x=unknown", Ok(true)),
            ("k=rsa; h=sha1 : sha256; s=email; p=AAAA", Ok(false)),
            ("k=rsa; v=DKIM1; p=AAAA", Err(NO_KEY)),
            ("v=DKIM2; p=AAAA", Err(NO_KEY)),
            ("v=DKIM1; p=", Err("the key was withdrawn")),
            ("v=DKIM1; p=!", Err("the key can't be read")),
            ("v=DKIM1; k=dsa; p=AAAA", Err("the key is of an unknown kind")),
            ("v=DKIM1; h=sha1; p=AAAA", Err("the key is for other hashes")),
            ("v=DKIM1; s=web; p=AAAA", Err("the key is not for mail")),
            ("v=DKIM1", Err(NO_KEY)),
            ("some text", Err(NO_KEY)),
            ("", Err(NO_KEY)),
        ] {
            assert_eq!(PublicKey::read(record.as_bytes()).map(|key| key.strict), wanted, "{record}");
        }
        assert!(PublicKey::read(&[0xff]).is_err());
        assert!(PublicKey::read(&vec![b'x'; KEY_RECORD_OCTETS_MAX + 1]).is_err());
    }

    #[test]
    fn the_first_key_among_other_texts_counts() {
        let records = |texts: &[&str]| texts.iter().map(|text| text.as_bytes().to_vec()).collect::<Vec<_>>();
        assert!(PublicKey::among(&records(&["hello", "p=AAAA"])).is_ok());
        assert_eq!(PublicKey::among(&records(&["p="])), Err("the key was withdrawn"));
        assert!(PublicKey::among(&[]).is_err());
    }
}
