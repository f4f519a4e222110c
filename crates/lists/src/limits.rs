//! Bounds of mailing lists.

use std::time::Duration;

/// Letters to one moderator that may be written at the same moment: as many events are worked on at once
/// ([`bus::limits::CONCURRENCY_MAX`]).
pub(crate) const LETTERS_AT_ONCE: u32 = 32;

/// Members that one transaction deals with when a post goes out.
pub const BATCH_MEMBERS: usize = 100;

/// Octets at the start of a message that are read: its header, the first text, what a DSN says.
pub const READ_OCTETS_MAX: u64 = 256 * 1024;

/// Letters of one kind that an address is sent in a day, asked for or not: nobody can use a list to fill a mailbox.
pub const LETTERS_PER_DAY: u32 = 3;

/// Letters of one list in a day to whoever wrote to it without having logged in: help, refusals and the like. Who forges
/// senders can make it write no more than these.
pub const LETTERS_TO_WRITERS_PER_DAY: u32 = 200;

/// Letters in a day with which one member confirms that they leave. Each can be answered for [`REQUEST_KEEP`], and the
/// signed links work besides, so that a member can leave however many orders others write in their name.
pub const LEAVE_LETTERS_PER_DAY: u32 = 3;

/// Confirmation letters of one list in a day, all addresses together; those of leaving are not among them.
pub const CONFIRMATIONS_PER_DAY: u32 = 500;

/// Letters of one list in a day to people whom its owners have added: nobody without a role of their own on the server makes it write
/// to more strangers than these.
pub const ADDED_LETTERS_PER_DAY: u32 = 200;

/// How long a confirmation is waited for.
pub const REQUEST_KEEP: Duration = Duration::from_secs(3 * 86_400);

/// How long a pending member waits for a moderator.
pub const APPROVAL_KEEP: Duration = Duration::from_secs(30 * 86_400);

/// How long a link to leave or to manage one's membership holds. RFC 8058 §4 wants them to outlive the message.
pub const LINK_KEEP: Duration = Duration::from_secs(365 * 86_400);

/// Characters of a waiting message's text that moderators are shown.
pub const EXCERPT_CHARS: usize = 1_200;

/// Characters of a reason that a moderator gives.
pub const REASON_CHARS: usize = 500;

/// Characters of a display name.
pub const NAME_CHARS: usize = 100;

/// Between two sweeps of what has expired.
pub const SWEEP_INTERVAL: Duration = Duration::from_secs(900);

/// Rows that one step of sweeping looks at.
pub const SWEEP_ROWS: usize = 200;

/// How long the DMARC policy of a domain is looked for.
pub const DMARC_PATIENCE: Duration = Duration::from_secs(10);

/// Names that are asked for a DMARC policy: the author's domain, and the topmost above it.
pub const DMARC_NAMES_MAX: usize = 5;

/// Octets of a form that a page takes.
pub const FORM_OCTETS_MAX: usize = 16 * 1024;

/// Characters of a subject that are kept of a message.
pub const SUBJECT_CHARS: usize = 500;

/// Messages of one list or group that wait for a moderator at a time.
pub const WAITING_MAX: usize = 1_000;

/// Octets of the messages of one list or group that wait for a moderator, unless the configuration says otherwise.
pub const WAITING_OCTETS_MAX: u64 = 256 * 1024 * 1024;

/// Messages of the page that shows a moderator what waits.
pub const WAITING_SHOWN: usize = 100;

/// Addresses of an author's Reply-To that travel on.
pub const REPLY_TO_MAX: usize = 10;

/// Octets of a Reply-To that travels on as it came.
pub const REPLY_TO_OCTETS_MAX: usize = 2_000;

/// Letters about waiting messages that a moderator of a list gets in a day. The last one says so; the rest waits without a
/// letter, and the first one of the next day says how many wait.
pub const MODERATOR_LETTERS_PER_DAY: u32 = 100;
