//! Bounds of this crate.

use std::time::Duration;

/// Places (IPv4 addresses, IPv6 /64) that are counted at a time; the one that was heard of least lately goes.
pub const PLACES_MAX: usize = 20_000;

/// The same of the networks around them (IPv4 /26, IPv6 /48).
pub const NEIGHBOURHOODS_MAX: usize = 10_000;

/// The same of the networks around these (IPv4 /21, IPv6 /32).
pub const REGIONS_MAX: usize = 5_000;

/// Bans that are remembered at a time, in force or over. Beyond them those go that end first; what an administrator has set without an end
/// stays.
pub const BANS_MAX: usize = 20_000;

/// Bans made and gone that wait to be written, while nothing can be; beyond it all that is remembered is written anew.
pub const CHANGES_MAX: usize = BANS_MAX;

/// Characters of the reason of a ban: it fits the line of a reply (RFC 5321 §4.5.3.1.5) with what stands around it.
pub const WHY_CHARS_MAX: usize = 200;

/// Places from which somebody has logged in lately.
pub(crate) const FAMILIAR_MAX: usize = 20_000;

/// How long such a place is remembered.
pub(crate) const FAMILIAR_FOR: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Wrong passwords of one place that are known again.
pub(crate) const GUESSES_KNOWN: usize = 8;

/// Places whose wrong passwords are known again.
pub(crate) const GUESSERS_MAX: usize = 5_000;

/// How often in a minute who is turned away is told why behind a TLS handshake, for each place.
pub(crate) const EXPLAINED_PER_MINUTE: u32 = 6;

/// Failures of a place within an hour without a wait: everybody mistypes.
pub(crate) const FAILURES_WITHOUT_WAIT: u32 = 4;

/// The first wait of the tarpit; each further one is twice as long.
pub(crate) const FIRST_WAIT: Duration = Duration::from_millis(500);
