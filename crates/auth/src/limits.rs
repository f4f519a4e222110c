//! Bounds of this crate.

use std::time::Duration;

/// Octets of a password that are looked at; a longer one is wrong. NIST SP 800-63B asks for at least 64.
pub const PASSWORD_OCTETS_MAX: usize = 1_024;

/// Characters that a password has at least, whatever the configuration says. NIST SP 800-63B asks for 8.
pub const PASSWORD_CHARACTERS_FLOOR: usize = 8;

/// Octets of a login that are looked at; a longer one is wrong. An address has at most 254 (RFC 5321 §4.5.3.1.3), and
/// UTF-8 domains are longer before they are normalised.
pub const LOGIN_OCTETS_MAX: usize = 1_024;

/// Octets of one message of SCRAM.
pub(crate) const SCRAM_MESSAGE_OCTETS_MAX: usize = 4 * 1_024;

/// Iterations of SCRAM that may be configured: a client has to do as many.
pub const SCRAM_ITERATIONS_MAX: u32 = 1_000_000;

/// Password checks that may wait for the pool; more are told to come back.
pub const CHECKS_WAITING_MAX: usize = 512;

/// Successes that are remembered at a time.
pub(crate) const CACHE_ENTRIES_MAX: usize = 20_000;

/// Addresses and accounts whose failures are remembered at a time, of each.
pub(crate) const GUARD_ENTRIES_MAX: usize = 50_000;

/// Pairs of address and account that have logged in, and are not shut out by what others do to the account.
pub(crate) const FAMILIAR_ENTRIES_MAX: usize = 50_000;

/// How long such a pair is remembered.
pub(crate) const FAMILIAR_FOR: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// The longest that an answer is held back.
pub(crate) const DELAY_MAX: Duration = Duration::from_secs(8);

/// Argon2 memory that a stored hash may ask for: a damaged or foreign one must not take the machine's.
pub(crate) const HASH_MEMORY_KIB_MAX: u32 = 1024 * 1024;

/// Argon2 passes that a stored hash may ask for.
pub(crate) const HASH_PASSES_MAX: u32 = 64;

/// Octets of a token of an issuer, which come in a line of 12,288 in base64 (RFC 4954 §4).
pub(crate) const TOKEN_OCTETS_MAX: usize = 9 * 1_024;

/// Keys of an issuer.
pub(crate) const ISSUER_KEYS_MAX: usize = 100;

/// Keys that are tried for one token that does not name its own.
pub(crate) const KEYS_TRIED_MAX: usize = 4;

/// Seconds by which the clocks of issuer and server may differ.
pub(crate) const CLOCK_SKEW_SECS: i64 = 60;

/// How often an issuer is asked for its keys at the most, whatever tokens say.
pub(crate) const KEYS_ASKED_EVERY: Duration = Duration::from_secs(60);

/// How long keys are used beyond their time when the issuer does not answer.
pub(crate) const KEYS_OUTLIVE: Duration = Duration::from_secs(24 * 60 * 60);
