//! SPF (RFC 7208): whether a domain says that a client may send for it.
//!
//! [`record`] reads what a domain publishes, strictly: what is not in the grammar is a mistake of the domain's. [`macros`] fills in
//! names. [`evaluate`] asks the DNS, within the bounds of §4.6.4. [`breadth`] says whether a pass says anything.

mod breadth;
mod evaluate;
mod macros;
mod record;

pub(super) use evaluate::{Question, check};

/// Every name that a record's macros make, for fuzzing; none when the texts hold no good record.
pub(super) fn expand_all(texts: &[Vec<u8>], ip: std::net::IpAddr) -> Vec<String> {
    let Ok(Some(record)) = record::among(texts) else { return Vec::new() };
    let values = macros::Values {
        ip,
        local: "strong-bad",
        sender_domain: "mail.example.org",
        domain: "example.org",
        helo: "mx.example.org",
        receiver: "here.example",
        client_name: "unknown".to_owned(),
        now_secs: 0,
    };
    record.names().map(|name| name.expand_name(&values)).collect()
}
