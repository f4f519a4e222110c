//! Bounds of calls.

use std::time::Duration;

/// What one call may take.
pub const CALL_TIME: Duration = Duration::from_secs(10);

/// Octets of a hook's answer; nothing in it matters but its status.
pub const ANSWER_OCTETS_MAX: usize = 4 * 1024;

/// Waits of a hook after its first failure, its second, and so on; the last one repeats.
pub const DELAYS: [Duration; 6] = [
    Duration::from_secs(10),
    Duration::from_secs(60),
    Duration::from_secs(300),
    Duration::from_secs(900),
    Duration::from_secs(3_600),
    Duration::from_secs(3 * 3_600),
];

/// A call that is older is told to nobody any more.
pub const CALL_AGE_MAX: Duration = Duration::from_secs(24 * 3_600);

/// A hook that has failed for so long is switched off.
pub const FAILING_MAX: Duration = Duration::from_secs(3 * 86_400);

/// How often the time of the last success is written, while all goes well.
pub const SUCCESS_NOTED_EVERY: Duration = Duration::from_secs(60);

/// Administrators who are told that a hook is switched off.
pub const TOLD_MAX: usize = 10;

/// Characters of an error that are kept.
pub const ERROR_CHARS_MAX: usize = 200;
