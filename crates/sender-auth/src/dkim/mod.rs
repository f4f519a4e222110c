//! DKIM signatures (RFC 6376), RSA and Ed25519 (RFC 8463) side by side.
//!
//! Canonicalisation is relaxed for header and body (§3.4.2, §3.4.4): what relays do to white space breaks nothing. Which
//! fields are signed stands in [`sign`]; those that matter to a reader are signed once more than they are there, so that
//! nobody can add one (§8.15).

pub(crate) mod body;
pub(crate) mod header;
mod key;
pub mod limits;
mod sign;

pub use key::{Algorithm, KeyError, SigningKey, generate, record};
pub(crate) use sign::fold;
pub use sign::{Hashed, Hasher};
