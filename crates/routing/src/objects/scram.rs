//! What SCRAM logins are checked with (RFC 5802 §3): derived from a password, and no way back to it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The keys of one password, for both hashes. They do not print themselves: with them a password can be guessed offline.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScramKeys {
    /// A mark of the password hash that was in force when they were made: with another one they are void.
    pub of: String,
    /// In base64.
    pub salt: String,
    /// How often the hash is applied.
    pub iterations: u32,
    /// For SCRAM-SHA-1.
    pub sha1: ScramKey,
    /// For SCRAM-SHA-256 (RFC 7677).
    pub sha256: ScramKey,
}

/// The keys for one hash, in base64.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScramKey {
    /// `StoredKey`: checks the client's proof.
    pub stored: String,
    /// `ServerKey`: makes the server's.
    pub server: String,
}

impl fmt::Debug for ScramKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ScramKeys(..)")
    }
}

impl fmt::Debug for ScramKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ScramKey(..)")
    }
}
