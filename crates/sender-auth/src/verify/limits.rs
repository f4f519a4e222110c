//! Bounds of what is checked of one message from outside, and of all of them.

use std::time::Duration;

/// Octets of a header that is checked; a longer one is refused, for its author could stand behind the end.
pub const HEADER_OCTETS_MAX: usize = 128 * 1024;

/// Octets of headers that all messages on their way in hold together.
pub const HEADERS_OCTETS_MAX: usize = 64 * 1024 * 1024;

/// `DKIM-Signature` fields of one message that are looked at, from the top (RFC 6376 §6.1 leaves the number open).
pub const SIGNATURES_MAX: usize = 10;

/// Names that one signature lists in `h=`.
pub const SIGNED_NAMES_MAX: usize = 1_000;

/// Sets of one ARC chain (RFC 8617 §4.2.1).
pub const ARC_SETS_MAX: usize = 50;

/// Domains in From for which DMARC is evaluated; a message with more fails (RFC 7489 §6.6.1 leaves the number open).
pub const AUTHOR_DOMAINS_MAX: usize = 4;

/// Records of one name that are tried as a key.
pub const KEY_RECORDS_MAX: usize = 5;

/// Octets of one TXT record that is read as a key: RSA with 8,192 bits takes 1,500.
pub const KEY_RECORD_OCTETS_MAX: usize = 4 * 1024;

/// Keys of one message that are asked for at once.
pub const LOOKUPS_AT_ONCE: usize = 8;

/// What all checks of one message may take.
pub const CHECK_TIME: Duration = Duration::from_secs(20);

/// Answers of the DNS that are kept.
pub const DNS_ANSWERS_MAX: u64 = 8 * 1024;

/// How long an answer is kept at the most, whatever it says of itself.
pub const DNS_TTL_MAX: Duration = Duration::from_secs(3600);

/// Octets of a value that a sender chose, as it stands in `Authentication-Results`.
pub const VALUE_OCTETS_MAX: usize = 255;

/// Octets of an `Authentication-Results` field from outside that are looked at; one whose name of a server comes later is removed.
pub const CLAIM_OCTETS_MAX: usize = 16 * 1024;

/// Names of a client that are looked up, to see whether they lead back to it.
pub const CLIENT_NAMES_MAX: usize = 5;
