//! Passwords and their hashes: Argon2id (RFC 9106) in PHC form.

use std::fmt;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use serde::{Deserialize, Serialize};
use world::Chance;
use zeroize::Zeroizing;

use crate::limits::{HASH_MEMORY_KIB_MAX, HASH_PASSES_MAX, PASSWORD_OCTETS_MAX};

/// A password in clear, on its way to a hash. Wiped when dropped, never printed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Password(Zeroizing<String>);

impl Password {
    /// The text, for the one place that hashes or sends it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Password {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl From<&str> for Password {
    fn from(text: &str) -> Self {
        Self(Zeroizing::new(text.to_owned()))
    }
}

impl From<Password> for String {
    fn from(password: Password) -> Self {
        password.expose().to_owned()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(not shown)")
    }
}

/// What a hash costs. New hashes take these; a check takes what its hash says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PasswordParams {
    /// Memory of one hash, in KiB.
    pub memory_kib: u32,
    /// Passes over that memory.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
    /// Iterations of the keys for SCRAM that are made beside the hash; 0: none are made, and SCRAM is not offered.
    pub scram_iterations: u32,
}

impl Default for PasswordParams {
    /// What OWASP recommends for Argon2id: 19 MiB, two passes, one lane. RFC 7677 §4 asks for 4,096 iterations at least; with
    /// so many a phone logs in within some hundredths of a second.
    fn default() -> Self {
        Self { memory_kib: 19 * 1024, passes: 2, lanes: 1, scram_iterations: 20_000 }
    }
}

impl PasswordParams {
    /// The cheapest that Argon2 allows: for tests and benchmarks, where passwords protect nothing.
    pub const CHEAPEST: Self = Self { memory_kib: 8, passes: 1, lanes: 1, scram_iterations: 0 };
}

/// Why no hash was made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HashError {
    /// Over [`PASSWORD_OCTETS_MAX`].
    #[error("the password is longer than {PASSWORD_OCTETS_MAX} octets")]
    TooLong,
    /// Argon2 doesn't take these parameters.
    #[error("Argon2 refuses the parameters: {0}")]
    Parameters(String),
}

/// Hashes a password with a fresh salt. Slow on purpose: never call it on a thread that serves connections.
///
/// # Errors
/// See [`HashError`].
pub fn hash_password(password: &str, params: PasswordParams, chance: &dyn Chance) -> Result<String, HashError> {
    if password.len() > PASSWORD_OCTETS_MAX {
        return Err(HashError::TooLong);
    }
    let refused = |error: &dyn fmt::Display| HashError::Parameters(error.to_string());
    let argon2 = Params::new(params.memory_kib, params.passes, params.lanes, None)
        .map(|params| Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
        .map_err(|error| refused(&error))?;
    let mut salt = [0; 16];
    chance.fill(&mut salt);
    let hash: PasswordHash =
        argon2.hash_password_with_salt(password.as_bytes(), &salt).map_err(|error| refused(&error))?;
    Ok(hash.to_string())
}

/// Whether a text is a hash that [`verify`] can work with, so that a wrong one is refused when it is stored.
#[must_use]
pub fn is_password_hash(text: &str) -> bool {
    usable(text).is_some()
}

/// Checks a password against a hash. Slow on purpose: never call it on a thread that serves connections.
#[must_use]
pub fn verify(password: &str, hash: &str) -> bool {
    usable(hash).is_some_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
}

fn usable(text: &str) -> Option<PasswordHash> {
    let hash = PasswordHash::new(text).ok()?;
    let params = Params::try_from(&hash).ok()?;
    let argon2id = hash.algorithm.as_str() == "argon2id" && hash.hash.is_some() && hash.salt.is_some();
    (argon2id && params.m_cost() <= HASH_MEMORY_KIB_MAX && params.t_cost() <= HASH_PASSES_MAX).then_some(hash)
}

/// A password for a new account: four groups of five characters that are not mistaken for each other, 98 bits.
#[must_use]
pub fn generate_password(chance: &dyn Chance) -> Password {
    let mut text = String::with_capacity(GENERATED_CHARACTERS + GENERATED_CHARACTERS / GROUP);
    let mut drawn = 0;
    while drawn < GENERATED_CHARACTERS {
        let mut byte = [0; 1];
        chance.fill(&mut byte);
        // 240 is the largest multiple of 30 in a byte: what is above would prefer some characters.
        let Some(character) = ALPHABET.get(usize::from(byte[0] % 30)).filter(|_| byte[0] < 240) else { continue };
        if drawn > 0 && drawn % GROUP == 0 {
            text.push('-');
        }
        text.push(char::from(*character));
        drawn += 1;
    }
    Password(Zeroizing::new(text))
}

const ALPHABET: &[u8; 30] = b"abcdefghjkmnpqrstuvwxyz2345679";
const GENERATED_CHARACTERS: usize = 20;
const GROUP: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;
    use mail::Timestamp;
    use world::simulated::SimulatedWorld;

    #[test]
    fn a_hash_is_argon2id_with_its_parameters_and_checks() {
        let chance = SimulatedWorld::new(Timestamp(0), 1).world().chance;
        let hash = hash_password("correct horse", PasswordParams::default(), &*chance).unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(verify("correct horse", &hash));
        assert!(!verify("correct horsf", &hash));
        let again = hash_password("correct horse", PasswordParams::default(), &*chance).unwrap();
        assert_ne!(hash, again, "the salt is fresh");
    }

    #[test]
    fn what_is_no_usable_hash_never_checks() {
        for bad in [
            "",
            "plain",
            "$argon2id$v=19$m=19456,t=2,p=1",
            "$argon2i$v=19$m=8,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            "$argon2id$v=19$m=4294967295,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            "$argon2id$v=19$m=8,t=4000000,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        ] {
            assert!(!is_password_hash(bad), "{bad}");
            assert!(!verify("", bad), "{bad}");
        }
    }

    #[test]
    fn generated_passwords_are_long_and_differ() {
        let chance = SimulatedWorld::new(Timestamp(0), 7).world().chance;
        let (a, b) = (generate_password(&*chance), generate_password(&*chance));
        assert_eq!(a.expose().len(), 23);
        assert_ne!(a, b);
        assert!(a.expose().bytes().all(|byte| byte == b'-' || ALPHABET.contains(&byte)));
        assert_eq!(format!("{a:?}"), "Password(not shown)");
    }

    #[test]
    fn too_long_or_impossible_is_refused() {
        let chance = SimulatedWorld::new(Timestamp(0), 1).world().chance;
        let long = "x".repeat(PASSWORD_OCTETS_MAX + 1);
        assert_eq!(hash_password(&long, PasswordParams::CHEAPEST, &*chance), Err(HashError::TooLong));
        let none = PasswordParams { memory_kib: 0, passes: 0, ..PasswordParams::CHEAPEST };
        assert!(matches!(hash_password("x", none, &*chance), Err(HashError::Parameters(_))));
    }
}
