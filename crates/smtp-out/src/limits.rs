//! Bounds of the sending side; the times are those of RFC 5321 §4.5.3.2.

use std::time::Duration;

/// Until a TCP connection stands. RFC 5321 names none; a host that needs longer is as good as away.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// Until a TLS handshake is done.
pub const TLS_TIMEOUT: Duration = Duration::from_secs(60);

/// Until the greeting (§4.5.3.2.1), and the replies to EHLO, STARTTLS and AUTH.
pub const GREETING_TIMEOUT: Duration = Duration::from_secs(300);

/// Until the reply to MAIL (§4.5.3.2.2) or RCPT (§4.5.3.2.3).
pub const COMMAND_TIMEOUT: Duration = Duration::from_secs(300);

/// Until the reply to DATA (§4.5.3.2.4).
pub const DATA_TIMEOUT: Duration = Duration::from_secs(120);

/// Until a block of the message has gone out (§4.5.3.2.5).
pub const BLOCK_TIMEOUT: Duration = Duration::from_secs(180);

/// Until the reply to the final dot (§4.5.3.2.6).
pub const FINAL_DOT_TIMEOUT: Duration = Duration::from_secs(600);

/// Until the reply to QUIT, or to what a host may still have to say when it stopped reading.
pub const LAST_WORDS_TIMEOUT: Duration = Duration::from_secs(5);

/// Until all replies to a pipelined group of MAIL and RCPT, each of which has [`COMMAND_TIMEOUT`].
pub const GROUP_TIMEOUT: Duration = Duration::from_secs(600);

/// Octets of commands that are sent before their replies are read, so that neither side ever waits for the other to
/// read (RFC 2920 §3.1).
pub const GROUP_OCTETS_MAX: usize = 4_000;

/// Octets that a host may send in answer to one command.
pub const ANSWER_OCTETS_MAX: usize = 512 * 1024;

/// Octets of one line of an answer that are kept. RFC 5321 §4.5.3.1.5 asks for 512.
pub const ANSWER_LINE_OCTETS_MAX: usize = 1_024;

/// Octets of an answer that are kept, all lines together: more than any EHLO.
pub const ANSWER_TEXT_OCTETS_MAX: usize = 16 * 1024;

/// Octets of a reply's text that go into rows, logs and DSNs.
pub const REPLY_TEXT_OCTETS_MAX: usize = 2 * 1024;

/// Hosts of an MX answer that are looked at.
pub const MX_HOSTS_MAX: usize = 16;

/// Addresses that one attempt tries at the most.
pub const ADDRESSES_MAX: usize = 10;

/// TLSA records of a host that are looked at.
pub const TLSA_RECORDS_MAX: usize = 32;

/// Until an MTA-STS policy is fetched (RFC 8461 §3.3).
pub const STS_FETCH_TIMEOUT: Duration = Duration::from_secs(60);

/// Octets of an MTA-STS policy (RFC 8461 §3.3).
pub const STS_POLICY_OCTETS_MAX: usize = 64 * 1024;

/// Hosts that an MTA-STS policy names.
pub const STS_PATTERNS_MAX: usize = 100;

/// A policy that was not to be had is not asked for again before this (RFC 8461 §3.3).
pub const STS_RETRY: Duration = Duration::from_secs(300);

/// The same, where an older one still holds.
pub const STS_REFRESH_RETRY: Duration = Duration::from_secs(3600);

/// A domain whose `_mta-sts` record the DNS could not give is not asked for it again before this.
pub const STS_DNS_RETRY: Duration = Duration::from_secs(60);

/// Domains of which it is remembered that their policy was not to be had.
pub const STS_FAILURES_MAX: usize = 1_000;

/// Lines of a policy that a TLS report repeats.
pub const REPORT_LINES_MAX: usize = 10;

/// Octets of a message's beginning in which `TLS-Required` is looked for (RFC 8689 §5).
pub const HEAD_OCTETS_MAX: usize = 64 * 1024;

/// Entries that are claimed at the same time, those that wait for their turns included: of many more destinations than connections.
pub const CLAIMED_MAX: usize = 10_000;

/// Entries of one destination that wait for their turns, claimed: more than it gets connections at once.
pub const CLAIMED_PER_DESTINATION_MAX: usize = 20;

/// Entries that are remembered as due and not claimed, for want of room; a destination may have half of them, and of what is left then
/// the next one half.
pub const BACKLOG_MAX: usize = 65_536;

/// Entries that one look into the queue reads at the most.
pub const SCAN_MAX: usize = 8_192;

/// Places of the schedule that a look reads first; then twice as many with each page.
pub const SCAN_PAGE: usize = 64;

/// Places of the schedule that a look reads at once at the most.
pub const SCAN_PAGE_MAX: usize = 1_024;

/// The time between two looks from the very beginning of the schedule. Those in between go on where the last one ended: each
/// would pass over all that was done lately, which stays in the store for a while as something that is gone.
pub const WHOLE_LOOK_EVERY: Duration = Duration::from_secs(1);

/// The least time between two of them when entries are moved to earlier times meanwhile, or sent another way.
pub const MOVED_LOOK_EVERY: Duration = Duration::from_millis(200);

/// How long before now such a look begins: an entry has the time at which it was made ready, and is there when that is written.
pub const WRITTEN_WITHIN: Duration = Duration::from_millis(200);

/// Destinations that are remembered, those with something to do apart.
pub const DESTINATIONS_MAX: usize = 10_000;

/// The least time between two rounds that close idle connections and forget destinations.
pub const TIDY_EVERY: Duration = Duration::from_millis(500);

/// Entries that one transaction puts off.
pub const PUT_OFF_AT_ONCE: usize = 1_000;

/// The least time between two writes of what was learnt of destinations.
pub const PACES_WRITTEN_EVERY: Duration = Duration::from_secs(1);

/// Destinations whose pace one transaction writes.
pub const PACES_WRITTEN_AT_ONCE: usize = 500;

/// A clock that goes back by more than this was set.
pub const CLOCK_SET_BACK: Duration = Duration::from_secs(60);

/// The queue is looked at this often even when nothing rings, so that a lost ring or a moved clock only delays.
pub const LOOK_EVERY: Duration = Duration::from_secs(60);

/// A held entry that stands among the due ones is looked at again after this.
pub const HELD_LOOK_EVERY: Duration = Duration::from_secs(3600);

/// The wait after a message whose time had come could not go its way.
pub const RELEASE_RETRY: Duration = Duration::from_secs(60);

/// The wait after the store failed.
pub const STORE_RETRY: Duration = Duration::from_secs(2);
