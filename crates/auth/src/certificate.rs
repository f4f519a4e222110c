//! What logins need of X.509 certificates (RFC 5280): a digest to bind to, and whose they are. Reads DER, and trusts no length.

use aws_lc_rs::digest;

const SEQUENCE: u8 = 0x30;
const OBJECT_IDENTIFIER: u8 = 0x06;
const OCTET_STRING: u8 = 0x04;
/// `[3]`, constructed: the extensions of a certificate.
const EXTENSIONS: u8 = 0xa3;
/// `[1]`: `rfc822Name` of a `GeneralName`.
const RFC822_NAME: u8 = 0x81;
/// 2.5.29.17
const SUBJECT_ALT_NAME: [u8; 3] = [0x55, 0x1d, 0x11];
/// 1.2.840.113549.1.1: RSA with a hash.
const RSA: [u8; 8] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01];
/// 1.2.840.10045.4: ECDSA with a hash.
const ECDSA: [u8; 6] = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04];

/// E-mail addresses that are taken of one certificate.
const ADDRESSES_MAX: usize = 16;

/// `tls-server-end-point` (RFC 5929 §4.1): the certificate's digest, by the hash of its signature; SHA-256 in place of MD5 and
/// SHA-1. `None` for a signature that names no hash (RSASSA-PSS, Ed25519), for which nothing is defined.
#[must_use]
pub fn end_point_binding(certificate: &[u8]) -> Option<Vec<u8>> {
    let (fields, _) = element(certificate, SEQUENCE)?;
    let (_, rest) = element(fields, SEQUENCE)?;
    let (algorithm, _) = element(rest, SEQUENCE)?;
    let (oid, _) = element(algorithm, OBJECT_IDENTIFIER)?;
    let hash = match (oid.strip_prefix(&RSA), oid.strip_prefix(&ECDSA)) {
        // md5, sha1, sha256
        (Some([4 | 5 | 11]), _) | (_, Some([1] | [3, 2])) => &digest::SHA256,
        (Some([12]), _) | (_, Some([3, 3])) => &digest::SHA384,
        (Some([13]), _) | (_, Some([3, 4])) => &digest::SHA512,
        _ => return None,
    };
    Some(digest::digest(hash, certificate).as_ref().to_vec())
}

/// The e-mail addresses among the subject's alternative names (RFC 5280 §4.2.1.6), as they stand there.
#[must_use]
pub fn email_addresses(certificate: &[u8]) -> Vec<String> {
    alternative_names(certificate).map_or_else(Vec::new, |names| {
        Elements(names)
            .filter(|(tag, _)| *tag == RFC822_NAME)
            .filter_map(|(_, name)| String::from_utf8(name.to_vec()).ok())
            .filter(|name| name.is_ascii())
            .take(ADDRESSES_MAX)
            .collect()
    })
}

/// The content of `GeneralNames`.
fn alternative_names(certificate: &[u8]) -> Option<&[u8]> {
    let (fields, _) = element(certificate, SEQUENCE)?;
    let (signed, _) = element(fields, SEQUENCE)?;
    let (_, extensions) = Elements(signed).find(|(tag, _)| *tag == EXTENSIONS)?;
    let (extensions, _) = element(extensions, SEQUENCE)?;
    Elements(extensions).filter(|(tag, _)| *tag == SEQUENCE).find_map(|(_, extension)| {
        let (oid, _) = element(extension, OBJECT_IDENTIFIER)?;
        let (_, value) = Elements(extension).find(|(tag, _)| *tag == OCTET_STRING)?;
        (oid == SUBJECT_ALT_NAME).then(|| element(value, SEQUENCE)).flatten().map(|(names, _)| names)
    })
}

/// The content of the element at the front, which must have this tag, and what follows it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, content, rest) = any_element(der)?;
    (found == tag).then_some((content, rest))
}

fn any_element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[tag, length], rest) = der.split_first_chunk::<2>()?;
    let (length, rest) = if length < 0x80 {
        (usize::from(length), rest)
    } else {
        let (octets, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
        let length = octets.iter().try_fold(0usize, |length, octet| {
            length.checked_mul(256).and_then(|length| length.checked_add(usize::from(*octet)))
        })?;
        (length, rest)
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

/// The elements of a content, as far as they can be read.
struct Elements<'a>(&'a [u8]);

impl<'a> Iterator for Elements<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (tag, content, rest) = any_element(self.0)?;
        self.0 = rest;
        Some((tag, content))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, SanType};

    use super::*;

    fn certificate(algorithm: &'static rcgen::SignatureAlgorithm) -> Vec<u8> {
        let key = KeyPair::generate_for(algorithm).unwrap();
        let mut params = CertificateParams::new(vec!["mail.example".to_owned()]).unwrap();
        for name in ["alice@example.org", "a.martin@example.org"] {
            params.subject_alt_names.push(SanType::Rfc822Name(name.try_into().unwrap()));
        }
        params.self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn the_digest_is_by_the_hash_of_the_signature() {
        let p256 = certificate(&PKCS_ECDSA_P256_SHA256);
        assert_eq!(end_point_binding(&p256), Some(digest::digest(&digest::SHA256, &p256).as_ref().to_vec()));
        let p384 = certificate(&PKCS_ECDSA_P384_SHA384);
        assert_eq!(end_point_binding(&p384), Some(digest::digest(&digest::SHA384, &p384).as_ref().to_vec()));
        assert_eq!(end_point_binding(&certificate(&PKCS_ED25519)), None);
    }

    #[test]
    fn addresses_are_those_of_the_subject() {
        let names = email_addresses(&certificate(&PKCS_ECDSA_P256_SHA256));
        assert_eq!(names, ["alice@example.org", "a.martin@example.org"]);
        assert!(email_addresses(b"").is_empty() && email_addresses(&[0x30, 0x80]).is_empty());
    }

    proptest! {
        #[test]
        fn damage_does_not_panic(at in 0usize..400, octet: u8, cut in 0usize..400) {
            let mut der = certificate(&PKCS_ECDSA_P256_SHA256);
            if let Some(place) = der.get_mut(at) {
                *place = octet;
            }
            der.truncate(der.len().saturating_sub(cut));
            drop((end_point_binding(&der), email_addresses(&der)));
        }
    }
}
