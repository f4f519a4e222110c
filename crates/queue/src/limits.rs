//! Bounds of what the queue's decisions make.

use std::time::Duration;

/// Octets of the returned message in a failure DSN with `RET=FULL`; of a larger message only the header is returned.
pub const RETURNED_MESSAGE_OCTETS_MAX: u64 = 1024 * 1024;

/// Octets of the returned header; the rest of a longer one is cut at a line's end.
pub const RETURNED_HEADER_OCTETS_MAX: u64 = 64 * 1024;

/// Octets that a DSN repeats of one reply of a remote host.
pub const DIAGNOSTIC_OCTETS_MAX: usize = 900;

/// A destination that can't be reached is left alone for so long after the first failure; doubled for each further one.
pub const LEFT_ALONE_FIRST: Duration = Duration::from_secs(30);

/// The longest that a destination is left alone.
pub const LEFT_ALONE_MAX: Duration = Duration::from_secs(300);

/// The gap between the beginnings of two deliveries to a destination that asked for patience; doubled each time.
pub const GAP_FIRST: Duration = Duration::from_secs(1);

/// The longest gap.
pub const GAP_MAX: Duration = Duration::from_secs(60);

/// What several connections hear within this time counts once.
pub const SLOWED_AT_MOST_EVERY: Duration = Duration::from_secs(5);

/// After so long without anything new, what was learnt of a destination is forgotten.
pub const PACE_REMEMBERED: Duration = Duration::from_secs(3_600);

/// A destination that has taken a message so lately can be reached, whatever becomes of a further connection.
pub const JUST_TAKEN: Duration = Duration::from_secs(60);
