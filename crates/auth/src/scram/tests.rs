use std::num::NonZeroU32;

use mail::Timestamp;
use proptest::prelude::*;
use world::simulated::SimulatedWorld;

use super::*;

/// The keys of `pencil` with the salts of the RFCs' examples.
fn keys(hash: ScramHash, salt: &str) -> ScramKeys {
    let decoded = STANDARD.decode(salt).unwrap();
    let key = hash.key(b"pencil", &decoded, NonZeroU32::new(4096).unwrap());
    ScramKeys { of: String::new(), salt: salt.to_owned(), iterations: 4096, sha1: key.clone(), sha256: key }
}

fn none() -> ChannelBindings {
    ChannelBindings::default()
}

fn bound() -> ChannelBindings {
    ChannelBindings { exporter: Some(b"exported".to_vec()), server_end_point: None }
}

/// As [`ServerFirst::new`], with a nonce as it is written.
fn first(message: &str, hash: ScramHash, salt: &str, nonce: &str) -> ServerFirst {
    let client = ClientFirst::parse(message.as_bytes(), false, &none()).unwrap();
    let nonce = format!("{}{nonce}", client.nonce);
    let message = format!("r={nonce},s={salt},i=4096");
    let key = hash.keys(&keys(hash, salt)).clone();
    ServerFirst { hash, key, nonce, binding: client.binding, so_far: format!("{},{message}", client.bare), message }
}

/// What a client would say last.
fn proof(server: &ServerFirst, hash: ScramHash, password: &str, salt: &str, iterations: u32, binding: &[u8]) -> String {
    let mut salted = vec![0; hash.octets()];
    let salt = STANDARD.decode(salt).unwrap();
    pbkdf2::derive(hash.pbkdf2(), NonZeroU32::new(iterations).unwrap(), &salt, password.as_bytes(), &mut salted);
    let client_key = hash.hmac(&salted, b"Client Key");
    let last = format!("c={},r={}", STANDARD.encode(binding), server.nonce);
    let signature = hash.hmac(&hash.digest(&client_key), format!("{},{last}", server.so_far).as_bytes());
    let proof: Vec<u8> = client_key.iter().zip(signature).map(|(a, b)| a ^ b).collect();
    format!("{last},p={}", STANDARD.encode(proof))
}

#[test]
fn the_example_of_rfc_5802() {
    let server =
        first("n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL", ScramHash::Sha1, "QSXCR+Q6sek8bf92", "3rfcNHYJY1ZVvWVs7j");
    assert_eq!(server.message(), "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096");
    let last = b"c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=";
    assert_eq!(server.check(last), Ok(Some("v=rmF9pqV8S7suAoZWja4dJRkFsKQ=".to_owned())));
    let other = b"c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Tt=";
    assert_ne!(server.check(other), Ok(Some("v=rmF9pqV8S7suAoZWja4dJRkFsKQ=".to_owned())));
}

#[test]
fn the_example_of_rfc_7677() {
    let server = first(
        "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
        ScramHash::Sha256,
        "W22ZaJ0SNY7soEsUEjb6gQ==",
        "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
    );
    let last =
        "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
    assert_eq!(server.check(last.as_bytes()), Ok(Some("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=".to_owned())));
}

#[test]
fn keys_are_made_for_both_hashes_and_one_password() {
    let chance = SimulatedWorld::new(Timestamp(0), 3).world().chance;
    let keys = scram_keys("pen\u{a0}cil", "$hash", 10_000, &*chance).unwrap();
    assert!(keys_belong(&keys, "$hash") && !keys_belong(&keys, "$other"));
    assert_eq!(scram_keys("x", "$hash", 0, &*chance), None);
    for hash in [ScramHash::Sha1, ScramHash::Sha256] {
        let client = ClientFirst::parse(b"n,,n=a=2Cb=3Dc,r=abc", false, &none()).unwrap();
        assert_eq!(client.username, "a,b=c");
        let server = ServerFirst::new(client, hash, &keys, [7; 18]);
        // SASLprep makes a space of one that does not break.
        for (password, right) in [("pen cil", true), ("pencil", false)] {
            let last = proof(&server, hash, password, &keys.salt, 10_000, b"n,,");
            assert_eq!(server.check(last.as_bytes()).unwrap().is_some(), right, "{password}");
        }
    }
    assert!(!format!("{keys:?}").contains(&keys.sha1.stored));
}

#[test]
fn the_channel_is_bound() {
    let hash = ScramHash::Sha256;
    let salt = "W22ZaJ0SNY7soEsUEjb6gQ==";
    let client = ClientFirst::parse(b"p=tls-exporter,,n=user,r=abc", true, &bound()).unwrap();
    let server = ServerFirst::new(client, hash, &keys(hash, salt), [1; 18]);
    let right = proof(&server, hash, "pencil", salt, 4096, b"p=tls-exporter,,exported");
    assert!(server.check(right.as_bytes()).unwrap().is_some());
    // Somebody in between has another channel.
    let other = proof(&server, hash, "pencil", salt, 4096, b"p=tls-exporter,,otherwise");
    assert_eq!(server.check(other.as_bytes()), Err(ScramFlaw::ChannelBinding));
    let parse =
        |message: &[u8], plus, bindings: &ChannelBindings| ClientFirst::parse(message, plus, bindings).map(drop);
    // Without -PLUS there is no binding, with it there must be one, and of a kind that is there.
    assert_eq!(parse(b"p=tls-exporter,,n=u,r=a", false, &bound()), Err(ScramFlaw::ChannelBinding));
    assert_eq!(parse(b"n,,n=u,r=a", true, &bound()), Err(ScramFlaw::ChannelBinding));
    assert_eq!(parse(b"p=tls-unique,,n=u,r=a", true, &bound()), Err(ScramFlaw::ChannelBinding));
    assert_eq!(parse(b"p=tls-server-end-point,,n=u,r=a", true, &bound()), Err(ScramFlaw::ChannelBinding));
    // The offer of -PLUS was taken away by somebody.
    assert_eq!(parse(b"y,,n=u,r=a", false, &bound()), Err(ScramFlaw::ChannelBinding));
    assert_eq!(parse(b"y,,n=u,r=a", false, &none()), Ok(()));
    assert_eq!(parse(b"n,,n=u,r=a", false, &bound()), Ok(()));
}

#[test]
fn messages_have_their_form() {
    for bad in [
        "",
        "n",
        "n,",
        "n,,",
        "n,,n=u",
        "n,,n=,r=a",
        "n,,n=u,r=",
        "x,,n=u,r=a",
        "n,b=u,n=u,r=a",
        "n,,m=ext,n=u,r=a",
        "n,,n=u=,r=a",
        "n,,n=u=2c,r=a",
        "n,,n=u,r=a b",
        "n,,r=a,n=u",
        "n,,n=\0,r=a",
    ] {
        assert_eq!(ClientFirst::parse(bad.as_bytes(), false, &none()), Err(ScramFlaw::Malformed), "{bad}");
    }
    assert_eq!(ClientFirst::parse(b"n,a=v,n=u,r=a", false, &none()), Err(ScramFlaw::OtherIdentity));
    assert!(ClientFirst::parse(b"n,a=U,n=u,r=a,ext=1", false, &none()).is_ok());
    let server = first("n,,n=user,r=abc", ScramHash::Sha1, "QSXCR+Q6sek8bf92", "def");
    for bad in [
        "",
        "c=biws",
        "c=biws,r=abcdef",
        "c=biws,r=abcdef,p=?",
        "c=biws,r=abcdef,p=AAAA",
        "r=abcdef,c=biws,p=AAAA",
        "c=biws,r=other,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
    ] {
        assert_eq!(server.check(bad.as_bytes()), Err(ScramFlaw::Malformed), "{bad}");
    }
}

proptest! {
    #[test]
    fn no_octets_panic(octets: Vec<u8>, words in "[a-z2CD3=,-]{0,40}") {
        let server = first("n,,n=user,r=abc", ScramHash::Sha1, "QSXCR+Q6sek8bf92", "def");
        for message in [octets.as_slice(), words.as_bytes()] {
            drop(ClientFirst::parse(message, true, &bound()));
            drop(server.check(message));
        }
    }
}
