//! What clients say to prove who they are: messages of SCRAM and of tokens, the tokens, certificates.

use auth::fuzzing::{bearer as read_bearer, scram as exchange};
use auth::{KeySet, Token, TokenRules, email_addresses, end_point_binding};
use mail::Timestamp;

/// An exchange by SCRAM: the first message and the last, parted by a line end. Whoever is named and whatever is said, the server's challenge has
/// its three fields, and nobody proves to know a password that nobody knows.
pub(crate) fn scram(input: &[u8]) {
    let Some((how, input)) = input.split_first() else { return };
    let mut halves = input.splitn(2, |octet| *octet == b'\n');
    let (first, last) = (halves.next().unwrap_or_default(), halves.next().unwrap_or_default());
    let Some(done) = exchange(first, last, how & 1 != 0, how & 2 != 0) else { return };
    assert!(!done.username.is_empty() && !done.username.contains('\0'), "{:?}", done.username);
    let fields: Vec<&str> = done.challenge.split(',').collect();
    let [nonce, salt, rounds] = fields.as_slice() else { panic!("a client can't add a field: {:?}", done.challenge) };
    assert!(nonce.starts_with("r=") && salt.starts_with("s=") && *rounds == "i=4096", "{:?}", done.challenge);
    assert!(done.challenge.bytes().all(|octet| octet.is_ascii_graphic()), "{:?}", done.challenge);
    assert!(!done.proved, "nobody knows the password");
}

/// Messages of OAUTHBEARER and XOAUTH2: what is understood can be written so that it is understood again.
pub(crate) fn bearer(input: &[u8]) {
    for oauthbearer in [true, false] {
        let Some((identity, token)) = read_bearer(input, oauthbearer) else { continue };
        assert!(!token.contains(SEPARATOR) && !identity.contains(SEPARATOR), "{identity:?} {token:?}");
        let text = String::from_utf8_lossy(input);
        assert!(text.contains(&token), "a token is a part of what was said");
        let name = identity.replace('=', "=3D").replace(',', "=2C");
        let head = match (oauthbearer, identity.is_empty()) {
            (true, true) => "n,,".to_owned(),
            (true, false) => format!("n,a={name},"),
            (false, _) => format!("user={identity}"),
        };
        let written = format!("{head}{SEPARATOR}host=mx.example{SEPARATOR}auth=Bearer {token}{SEPARATOR}{SEPARATOR}");
        assert_eq!(read_bearer(written.as_bytes(), oauthbearer), Some((identity, token)), "{written:?}");
    }
}

const SEPARATOR: char = '\u{1}';

/// A set of keys and a token, parted by a line end: no keys and no token do harm, and of all tokens only those that the issuer has signed are
/// believed.
pub(crate) fn token(input: &[u8]) {
    let mut halves = input.splitn(2, |octet| *octet == b'\n');
    let (keys, text) = (halves.next().unwrap_or_default(), halves.next().unwrap_or_default());
    let text = String::from_utf8_lossy(text);
    let Ok(token) = Token::parse(&text) else {
        KeySet::parse(keys).ok();
        return;
    };
    let rules = TokenRules {
        issuer: "https://id.example".to_owned(),
        audiences: vec!["relais".to_owned()],
        scope: "mail".to_owned(),
        claim: "email".to_owned(),
    };
    let now = Timestamp::from_secs(1_700_000_000);
    if let Ok(keys) = KeySet::parse(keys) {
        // Whoever writes the keys may have signed it: only what it does is looked at.
        if token.verify(&keys, &rules, now).is_ok() {
            assert!(token.address(&rules.claim).is_some_and(|address| !address.is_empty()), "it says whose it is");
        }
    }
    let Ok(known) = KeySet::parse(ISSUER_KEYS) else { panic!("these are keys") };
    assert!(
        token.verify(&known, &rules, now).is_err() || SIGNED.contains(&&*text),
        "nobody else has signed with this key"
    );
}

/// The key of RFC 8037, appendix A.
const ISSUER_KEYS: &[u8] =
    br#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

/// What it has signed: two tokens of Alice's, which are seeds.
const SIGNED: [&str; 2] = [
    concat!(
        "eyJhbGciOiJFZERTQSIsImtpZCI6ImEifQ.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUiLCJhdWQiOlsicmVsYWlzIl0sImVtY",
        "WlsIjoiYWxpY2VAYS5leGFtcGxlIiwiZW1haWxfdmVyaWZpZWQiOnRydWUsInNjb3BlIjoib3BlbmlkIG1haWwiLCJleHAiOjIwM",
        "DAwMDAwMDB9.GacA0AmJo9qXiH6-PfUfPTIhMzQc5f5qWI71LoSUlwaBd8G_6f94G97W-oQvMiCVt7t_WlVkRY4KlIXGD48oBg",
    ),
    concat!(
        "eyJhbGciOiJFZDI1NTE5In0.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUiLCJhdWQiOiJyZWxhaXMiLCJlbWFpbCI6ImFsaWNl",
        "QGEuZXhhbXBsZSIsImVtYWlsX3ZlcmlmaWVkIjp0cnVlLCJzY29wZSI6Im9wZW5pZCBtYWlsIiwiZXhwIjoyMDAwMDAwMDAwLCJu",
        "YmYiOjE2OTk5OTk5OTkuNSwic2NwIjpbIm1haWwiXX0.DrEePR-RG1aR1D3iabTJ0aAlPGNVtJ_KxHGJdDK7Lmw4eOH8iYmqYJUw",
        "kksPBxCDuxXnxFpT2mVM5K1lBE6RCw",
    ),
];

/// A client's certificate: addresses that are there are in it, and its digest is one of the three sizes.
pub(crate) fn certificate(input: &[u8]) {
    let addresses = email_addresses(input);
    assert!(addresses.len() <= 16, "{} addresses", addresses.len());
    for address in &addresses {
        let there = address.is_empty() || input.windows(address.len()).any(|octets| octets == address.as_bytes());
        assert!(address.is_ascii() && there, "{address:?}");
    }
    let digest = end_point_binding(input);
    assert!(digest.is_none_or(|digest| [32, 48, 64].contains(&digest.len())), "a digest");
    // What stands behind a certificate does not belong to it.
    let more = [input, b"\x30\x00"].concat();
    assert!(addresses.is_empty() || email_addresses(&more) == addresses, "behind it");
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Else the target would find nothing believed, and say nothing.
    #[test]
    fn the_signed_tokens_are_believed() {
        let rules = TokenRules {
            issuer: "https://id.example".to_owned(),
            audiences: vec!["relais".to_owned()],
            scope: "mail".to_owned(),
            claim: "email".to_owned(),
        };
        let keys = KeySet::parse(ISSUER_KEYS).unwrap();
        for signed in SIGNED {
            let believed = Token::parse(signed).unwrap().verify(&keys, &rules, Timestamp::from_secs(1_700_000_000));
            assert_eq!(believed, Ok(()));
        }
    }
}
