//! Bounds of the bus.

use std::time::Duration;

/// Events of one topic that its consumer works on at the same time.
pub const CONCURRENCY_MAX: usize = 32;

/// Event numbers that a consumer holds in memory; the rest stays on disk until there is room.
pub const HELD_MAX: usize = 10_000;

/// Failed attempts after which an event is parked.
pub const ATTEMPTS_MAX: u32 = 12;

/// Wait after the first failure; each further one doubles it.
pub const FIRST_RETRY: Duration = Duration::from_secs(1);

/// The longest wait between two attempts.
pub const LONGEST_RETRY: Duration = Duration::from_secs(600);

/// Changed mailboxes that are kept apart for their reader; when there are more, it is told that all may have changed.
pub const CHANGES_MAX: usize = 10_000;

/// Characters of a consumer's panic that are kept with the event.
pub const PANIC_CHARACTERS_MAX: usize = 300;

/// Mailboxes that a watch over accounts remembers one by one between two looks.
pub const DIRTY_MAILBOXES_MAX: usize = 500;
