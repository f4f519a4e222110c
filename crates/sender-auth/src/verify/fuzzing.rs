//! For fuzzing: what domains publish, as its readers take it.

use std::net::Ipv6Addr;

use super::key::PublicKey;
use super::spf::expand_all;

/// Reads texts of the DNS as an SPF record and fills in its macros; panics when a promise does not hold.
///
/// # Panics
/// When a name that macros make has over 253 octets in several labels.
pub fn spf_record(texts: &[Vec<u8>]) {
    for name in expand_all(texts, Ipv6Addr::LOCALHOST.into()) {
        assert!(name.len() <= 253 || !name.contains('.'), "{name}");
    }
}

/// Reads texts of the DNS as a key.
pub fn key_record(texts: &[Vec<u8>]) {
    // Either is fine: it came to an end.
    PublicKey::among(texts).ok();
}
