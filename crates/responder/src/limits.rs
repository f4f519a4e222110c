//! Bounds of what the responder reads and writes.

use std::time::Duration;

/// Addresses of a header in which the owner's are looked for; who is named behind them is not addressed by name.
pub const RECIPIENTS_MAX: usize = 500;

/// Message identifiers in an answer's References: the thread's first and its last ones (RFC 5322 §3.6.4).
pub const REFERENCES_MAX: usize = 20;

/// Octets of one message identifier that is repeated; a line has 998 at the most (RFC 5322 §2.1.1).
pub const MESSAGE_ID_OCTETS_MAX: usize = 250;

/// Characters of the sender name in an answer.
pub const DISPLAY_NAME_CHARS_MAX: usize = 100;

/// Rows of "last answered" that one sweeping transaction looks at.
pub const SWEEP_ROWS: usize = 1_000;

/// States of responders that one transaction looks at.
pub const STATE_ROWS: usize = 1_000;

/// The longest wait until the ends of windows are looked at again: clocks are set and zones change.
pub const LOOK_INTERVAL: Duration = Duration::from_secs(3600);

/// People who administer a shared mailbox that are told of its absence.
pub const ADMINISTRATORS_TOLD_MAX: usize = 50;

/// Between two sweeps.
pub const SWEEP_INTERVAL: Duration = Duration::from_secs(6 * 3600);
