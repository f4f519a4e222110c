//! Bounds of what a server elsewhere may do to this one.

use std::time::Duration;

/// Octets of one line of a protocol, literals apart. Lines of a message have the message's bound.
pub const LINE_OCTETS_MAX: usize = 16 * 1024;

/// Octets of one response that are kept, small literals included.
pub const RESPONSE_OCTETS_MAX: usize = 128 * 1024;

/// Responses to one command.
pub const RESPONSES_MAX: usize = 100_000;

/// UIDs that are asked for and remembered at a time.
pub const UIDS_AT_ONCE: usize = 20_000;

/// Messages whose size and flags are asked for at a time.
pub const DESCRIBED_AT_ONCE: usize = 100;

/// Messages of a POP3 mailbox.
pub const POP3_MESSAGES_MAX: usize = 100_000;

/// Messages in one transaction.
pub const BATCH_MESSAGES_MAX: usize = 20;

/// Octets of messages after which a transaction is written.
pub const BATCH_OCTETS_MAX: u64 = 1024 * 1024;

/// The time for a connection.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// The time of one look at one external account. What is left is fetched by the next one.
pub const LOOK_TIME_MAX: Duration = Duration::from_secs(30 * 60);

/// The time for LOGOUT or QUIT.
pub const LAST_WORDS_TIMEOUT: Duration = Duration::from_secs(10);

/// The longest wait after failures, unless the interval is longer.
pub const BACK_OFF_MAX: Duration = Duration::from_secs(6 * 3_600);

/// After this time of failures the owner gets a letter.
pub const LETTER_AFTER: Duration = Duration::from_secs(86_400);

/// Failed looks after which a message that the server does not give is passed over.
pub const REFUSED_MESSAGE_TRIES: u32 = 3;

/// Characters of what a server says that are shown.
pub const TOLD_CHARACTERS_MAX: usize = 300;

/// Between two times of forgetting what matters no more.
pub const SWEEP_INTERVAL: Duration = Duration::from_secs(86_400);

/// So long after a message was to be deleted there its content is known again. As long as messages stay there, it is for
/// good: their folder may get new numbers.
pub const CONTENT_KEEP: Duration = Duration::from_secs(90 * 86_400);
