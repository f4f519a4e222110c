//! The signature of a call: HMAC-SHA256 (RFC 2104) over the time and the body, so that a call can't be made up, and not be made again later.

use std::fmt::Write as _;

use aws_lc_rs::hmac;

/// The value of `Relais-Signature`: `t=SECONDS,v1=HEX`, where HEX signs `SECONDS.BODY` with the hook's secret.
#[must_use]
pub fn signature(secret: &str, at_secs: i64, body: &[u8]) -> String {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()));
    context.update(format!("{at_secs}.").as_bytes());
    context.update(body);
    let mut value = format!("t={at_secs},v1=");
    for octet in context.sign().as_ref() {
        // Writing to a text does not fail.
        write!(value, "{octet:02x}").ok();
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc2104_it_signs_the_time_and_the_body() {
        // By openssl: printf '1700000000.{}' | openssl dgst -sha256 -hmac key
        let signed = signature("key", 1_700_000_000, b"{}");
        assert_eq!(signed.len(), "t=1700000000,v1=".len() + 64);
        assert_ne!(signed, signature("key", 1_700_000_001, b"{}"));
        assert_ne!(signed, signature("key2", 1_700_000_000, b"{}"));
        assert_ne!(signed, signature("key", 1_700_000_000, b"{ }"));
        assert_eq!(signed, EXPECTED);
    }

    const EXPECTED: &str = "t=1700000000,v1=9d713ed406bb7076d4123f0dc2c39d2df5c654ed4b0cd56b52c8b4c940bd63ae";
}
