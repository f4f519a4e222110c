//! The mechanism INTERNAL of authorised URLs (RFC 4467 §5): an HMAC by the key of the mailbox, in hexadecimal, behind an octet
//! that says how it was made.

use std::fmt::Write;

use aws_lc_rs::{constant_time, hmac};

/// HMAC-SHA-256.
const VERSION: &str = "01";

/// The token of a URL, which ends before its `:mechanism:token`.
#[must_use]
pub fn url_token(key: &[u8; 32], rump: &[u8]) -> String {
    let mut token = VERSION.to_owned();
    for octet in hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), rump).as_ref() {
        // Writing to a text does not fail.
        write!(token, "{octet:02x}").ok();
    }
    token
}

/// Whether a token is that of a URL.
#[must_use]
pub fn is_url_token(key: &[u8; 32], rump: &[u8], token: &str) -> bool {
    let right = url_token(key, rump);
    constant_time::verify_slices_are_equal(right.as_bytes(), token.to_ascii_lowercase().as_bytes()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_of_one_key_and_one_url() {
        let token = url_token(&[7; 32], b"imap://a@b/c/;UID=1;URLAUTH=anonymous");
        assert!(token.len() == 66 && token.starts_with(VERSION));
        assert!(is_url_token(&[7; 32], b"imap://a@b/c/;UID=1;URLAUTH=anonymous", &token.to_uppercase()));
        assert!(!is_url_token(&[8; 32], b"imap://a@b/c/;UID=1;URLAUTH=anonymous", &token));
        assert!(!is_url_token(&[7; 32], b"imap://a@b/c/;UID=2;URLAUTH=anonymous", &token));
        assert!(!is_url_token(&[7; 32], b"imap://a@b/c/;UID=1;URLAUTH=anonymous", ""));
    }
}
