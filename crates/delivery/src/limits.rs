//! Bounds of delivery.

/// `Received` fields after which a message is taken for one in a loop (RFC 5321 §6.3 asks for at least 100).
pub const HOPS_MAX: u32 = 100;

/// Octets of the header that a responder's event carries; enough for every field that it asks for in real mail.
pub const EVENT_HEADER_OCTETS_MAX: usize = 40 * 1024;

/// Octets of the header of a message that waited, by which copies for shared mailboxes are filed: all that a submitted message may have,
/// and our own field.
pub(crate) const WAITING_HEADER_OCTETS_MAX: u64 = 264 * 1024;

/// Message-IDs of one answer whose messages are looked for in a shared mailbox.
pub const ANSWERED_IDS_MAX: usize = 10;

/// How long a decision on a waiting message is kept, so that later deciders can be told of it.
pub const DECISION_KEEP: std::time::Duration = std::time::Duration::from_secs(14 * 86_400);

/// Decisions of one list or group that are kept; the oldest go first.
pub const DECISIONS_MAX: usize = 1_000;

/// Administrators who are told that an account has come to a limit.
pub const LIMIT_TOLD_MAX: usize = 10;

/// How often an address that was rewritten here is looked at: SRS1 leads to SRS0, and that to the sender.
pub const TURNS_MAX: usize = 4;

/// Mailboxes that a message's trace names one by one.
pub const TRACE_DELIVERED_MAX: usize = 200;

/// Recipients of one envelope whose way a trace keeps.
pub const TRACE_ROUTED_MAX: usize = 50;

/// Filters of one account of which a message's trace tells.
pub const TRACE_FILTERS_MAX: usize = 10;

/// Things that filters of one account could not do, of which a message's trace tells; others are counted.
pub const TRACE_LEFT_OUT_MAX: usize = 10;

/// Characters of what a trace tells of one filter, or of one such thing.
pub const TRACE_FILTER_CHARS_MAX: usize = 300;

/// Days after which a message that waits for a group's moderators is refused by itself.
pub const GROUP_WAITING_DAYS: u32 = 7;

/// Days for which a DMARC report is tried, when the DNS does not say who is entitled to it.
pub const REPORT_DAYS_MAX: u32 = 3;

/// Readers of one domain's reports.
pub const REPORT_READERS_MAX: usize = 5;

/// Reports that leave at a time; the next ones follow with the next look.
pub const REPORTS_AT_ONCE: usize = 1_000;

/// Recipients whom a call of a webhook names; others are counted.
pub const HOOK_RECIPIENTS_MAX: usize = 100;

/// Octets of a complaint that are looked at.
pub const COMPLAINT_OCTETS_MAX: usize = 64 * 1024;

/// Readers whom one complaint names.
pub const COMPLAINED_MAX: usize = 10;

/// Addresses that pass one message on to one destination, that are remembered for the search of loops.
pub const DELIVERED_TO_MAX: usize = 100;
