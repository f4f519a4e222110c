//! Tokens signed here, and every way to forge one.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
};
use serde_json::json;

use super::*;

pub(crate) const NOW: Timestamp = Timestamp(1_700_000_000_000);

/// An issuer with a key of each kind.
pub(crate) struct Signer {
    rsa: RsaKeyPair,
    p256: EcdsaKeyPair,
    ed25519: Ed25519KeyPair,
}

pub(crate) fn encode(octets: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(octets)
}

impl Signer {
    pub(crate) fn new() -> Self {
        Self {
            rsa: RsaKeyPair::generate(KeySize::Rsa2048).unwrap(),
            p256: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap(),
            ed25519: Ed25519KeyPair::generate().unwrap(),
        }
    }

    /// The set of keys, named by their kinds.
    pub(crate) fn keys(&self) -> Value {
        let rsa = self.rsa.public_key();
        let (n, e) =
            (rsa.modulus().big_endian_without_leading_zero(), rsa.exponent().big_endian_without_leading_zero());
        let point = self.p256.public_key().as_ref();
        json!({"keys": [
            {"kty": "oct", "k": "AAAA", "kid": "secret"},
            {"kty": "RSA", "kid": "rsa-enc", "use": "enc", "n": encode(n), "e": encode(e)},
            {"kty": "RSA", "kid": "rsa", "use": "sig", "alg": "RS256", "n": encode(n), "e": encode(e)},
            {"kty": "EC", "crv": "P-256", "kid": "ec", "x": encode(&point[1..33]), "y": encode(&point[33..])},
            {"kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": encode(self.ed25519.public_key().as_ref())},
        ]})
    }

    fn sign(&self, algorithm: &str, signed: &[u8]) -> Vec<u8> {
        let chance = SystemRandom::new();
        match algorithm {
            "RS256" => {
                let mut signature = vec![0; self.rsa.public_modulus_len()];
                self.rsa.sign(&RSA_PKCS1_SHA256, &chance, signed, &mut signature).unwrap();
                signature
            }
            "ES256" => self.p256.sign(&chance, signed).unwrap().as_ref().to_vec(),
            _ => self.ed25519.sign(signed).as_ref().to_vec(),
        }
    }

    /// A token with this header and these claims, signed as the algorithm says.
    pub(crate) fn token(&self, header: &Value, claims: &Value, algorithm: &str) -> String {
        let signed = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
        format!("{signed}.{}", encode(self.sign(algorithm, signed.as_bytes())))
    }
}

pub(crate) fn claims() -> Value {
    json!({
        "iss": "https://id.example.org", "aud": ["relais", "other"], "sub": "7", "email": "alice@example.org",
        "email_verified": true, "scope": "openid mail", "iat": 1_700_000_000, "nbf": 1_700_000_000, "exp": 1_700_000_600.5,
    })
}

pub(crate) fn rules() -> TokenRules {
    TokenRules {
        issuer: "https://id.example.org".to_owned(),
        audiences: vec!["mail".to_owned(), "relais".to_owned()],
        scope: "mail".to_owned(),
        claim: "email".to_owned(),
    }
}

fn judged(token: &str, keys: &KeySet) -> Result<(), TokenFlaw> {
    Token::parse(token)?.verify(keys, &rules(), NOW)
}

#[test]
fn a_token_of_each_algorithm_is_believed() {
    let signer = Signer::new();
    let keys = KeySet::parse(signer.keys().to_string().as_bytes()).unwrap();
    for (algorithm, id) in [("RS256", "rsa"), ("ES256", "ec"), ("EdDSA", "ed")] {
        for header in [json!({"alg": algorithm, "kid": id, "typ": "at+jwt"}), json!({"alg": algorithm})] {
            let token = signer.token(&header, &claims(), algorithm);
            assert_eq!(judged(&token, &keys), Ok(()), "{header}");
            assert_eq!(Token::parse(&token).unwrap().address("email"), Some("alice@example.org"));
        }
    }
}

#[test]
fn confusions_of_algorithms_are_refused() {
    let signer = Signer::new();
    let keys = KeySet::parse(signer.keys().to_string().as_bytes()).unwrap();
    let payload = encode(claims().to_string());
    let with =
        |header: Value, signature: &[u8]| format!("{}.{payload}.{}", encode(header.to_string()), encode(signature));
    for alg in ["none", "None", "NONE", "", "HS256", "HS384", "PS256", "ES384", "rs256"] {
        assert_eq!(judged(&with(json!({"alg": alg}), b""), &keys), Err(TokenFlaw::Algorithm), "{alg}");
    }
    // The public key as the secret of HMAC: the classic.
    let signed = format!("{}.{payload}", encode(json!({"alg": "HS256", "kid": "rsa"}).to_string()));
    let public = signer.rsa.public_key().as_ref();
    let mac =
        aws_lc_rs::hmac::sign(&aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, public), signed.as_bytes());
    assert_eq!(judged(&format!("{signed}.{}", encode(mac.as_ref())), &keys), Err(TokenFlaw::Algorithm));
    // A key of another kind, one for another use, one that is not there, one that the token brings along.
    for id in ["ec", "ed", "rsa-enc", "secret", "new"] {
        let token = signer.token(&json!({"alg": "RS256", "kid": id}), &claims(), "RS256");
        assert_eq!(judged(&token, &keys), Err(TokenFlaw::UnknownKey), "{id}");
    }
    let stranger = Signer::new();
    let brought = stranger.keys()["keys"][2].clone();
    let header = json!({"alg": "RS256", "kid": "rsa", "jwk": brought, "jku": "https://evil.example/keys"});
    assert_eq!(judged(&stranger.token(&header, &claims(), "RS256"), &keys), Err(TokenFlaw::Signature));
    // ECDSA with zeros (CVE-2022-21449), and signatures of other lengths.
    for signature in [&[0; 64][..], &[0; 63], &[], &[0xFF; 256]] {
        assert_eq!(judged(&with(json!({"alg": "ES256"}), signature), &keys), Err(TokenFlaw::Signature));
        assert_eq!(judged(&with(json!({"alg": "RS256"}), signature), &keys), Err(TokenFlaw::Signature));
        assert_eq!(judged(&with(json!({"alg": "EdDSA"}), signature), &keys), Err(TokenFlaw::Signature));
    }
    let token = signer.token(&json!({"alg": "EdDSA", "crit": ["exp"]}), &claims(), "EdDSA");
    assert_eq!(judged(&token, &keys), Err(TokenFlaw::Critical));
}

#[test]
fn every_octet_counts() {
    let signer = Signer::new();
    let keys = KeySet::parse(signer.keys().to_string().as_bytes()).unwrap();
    let token = signer.token(&json!({"alg": "EdDSA", "kid": "ed"}), &claims(), "EdDSA");
    for at in 0..token.len() {
        let mut other = token.clone().into_bytes();
        other[at] = if other[at] == b'A' { b'B' } else { b'A' };
        assert!(judged(std::str::from_utf8(&other).unwrap(), &keys).is_err(), "{at}");
        assert!(judged(&token[..at], &keys).is_err());
    }
    for text in
        ["", ".", "..", "...", "a.b", "a.b.c.d", "é.é.é", "e30.e30.", &format!("{token}="), &format!("{token}.x")]
    {
        assert!(matches!(judged(text, &keys), Err(TokenFlaw::Form)), "{text}");
    }
    assert_eq!(judged(&"a".repeat(TOKEN_OCTETS_MAX + 1), &keys), Err(TokenFlaw::Form));
    // A member twice: which one holds would be a matter of taste.
    let twice = format!("{}.{}.x", encode(r#"{"alg":"none","alg":"EdDSA"}"#), encode(claims().to_string()));
    assert_eq!(judged(&twice, &keys), Err(TokenFlaw::Form));
}

#[test]
fn claims_are_held_to_the_rules() {
    let signer = Signer::new();
    let keys = KeySet::parse(signer.keys().to_string().as_bytes()).unwrap();
    let with = |name: &str, value: Value| {
        let mut claims = claims();
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        } else {
            claims[name] = value;
        }
        judged(&signer.token(&json!({"alg": "EdDSA"}), &claims, "EdDSA"), &keys)
    };
    let now = 1_700_000_000;
    for (name, value, verdict) in [
        ("iss", json!("https://id.example.org/"), Err(TokenFlaw::Issuer)),
        ("iss", json!(["https://id.example.org"]), Err(TokenFlaw::Issuer)),
        ("iss", Value::Null, Err(TokenFlaw::Issuer)),
        ("aud", json!("relais"), Ok(())),
        ("aud", json!("mail"), Ok(())),
        ("aud", json!("Relais"), Err(TokenFlaw::Audience)),
        ("aud", json!([]), Err(TokenFlaw::Audience)),
        ("aud", Value::Null, Err(TokenFlaw::Audience)),
        ("exp", json!(now - 59), Ok(())),
        ("exp", json!(now - 60), Err(TokenFlaw::Expired)),
        ("exp", json!("9999999999"), Err(TokenFlaw::Expired)),
        ("exp", json!(1e300), Err(TokenFlaw::Expired)),
        ("exp", json!(-1e300), Err(TokenFlaw::Expired)),
        ("exp", Value::Null, Err(TokenFlaw::Expired)),
        ("nbf", json!(now + 60), Ok(())),
        ("nbf", json!(now + 61), Err(TokenFlaw::NotYet)),
        ("nbf", json!("soon"), Err(TokenFlaw::NotYet)),
        ("nbf", Value::Null, Ok(())),
        ("scope", json!("mailbox"), Err(TokenFlaw::Scope)),
        ("scope", Value::Null, Err(TokenFlaw::Scope)),
        ("scope", json!(["mail"]), Ok(())),
        ("email", Value::Null, Err(TokenFlaw::Subject)),
        ("email", json!(["alice@example.org"]), Err(TokenFlaw::Subject)),
        ("email_verified", json!(false), Err(TokenFlaw::Subject)),
        ("email_verified", json!("false"), Err(TokenFlaw::Subject)),
        ("email_verified", json!("true"), Ok(())),
        ("email_verified", Value::Null, Ok(())),
    ] {
        assert_eq!(with(name, value.clone()), verdict, "{name} {value}");
    }
}

#[test]
fn keys_are_read_as_the_rfc_says_and_weak_ones_are_passed_over() {
    assert!(matches!(KeySet::parse(b"[]"), Err(KeySetFlaw::Form(_))));
    for key in [
        json!({"kty": "RSA", "n": encode([0xFF; 128]), "e": "AQAB"}),
        json!({"kty": "RSA", "n": encode([0xFF; 256]), "e": "AQAB", "alg": "RS512"}),
        json!({"kty": "EC", "crv": "P-384", "x": encode([1; 48]), "y": encode([1; 48])}),
        json!({"kty": "EC", "crv": "P-256", "x": encode([1; 31]), "y": encode([1; 32])}),
        json!({"kty": "OKP", "crv": "X25519", "x": encode([1; 32])}),
        json!({"kty": "oct", "k": "AAAA"}),
        json!({"n": 5}),
        json!(7),
    ] {
        assert_eq!(KeySet::parse(json!({"keys": [key]}).to_string().as_bytes()), Err(KeySetFlaw::Empty), "{key}");
    }
    let many = json!({"keys": vec![json!({"kty": "OKP", "crv": "Ed25519", "x": encode([1; 32])}); 1_000]});
    assert_eq!(KeySet::parse(many.to_string().as_bytes()).unwrap().0.len(), ISSUER_KEYS_MAX);
}
