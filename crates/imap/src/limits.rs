//! Every bound of an IMAP session in one place. Those of lines, literals and search nesting are in `imap_wire::limits`.

use std::time::Duration;

/// Rows read from the store at once while listing, fetching or searching.
pub const ROWS_PER_PAGE: usize = 500;

/// Rows read from the store at once while a mailbox's map is made: some 400 KiB.
pub const MAP_ROWS_PER_PAGE: usize = 2_000;

/// Records read at once: some kilobytes each, 56 KiB at the most.
pub const RECORDS_PER_PAGE: usize = 100;

/// Messages whose contents FETCH reads at once.
pub const AHEAD_MESSAGES_MAX: usize = 16;

/// Octets of these messages, all together.
pub const AHEAD_OCTETS_MAX: u64 = 128 * 1024;

/// Octets that are looked at in the time that one is packed (COMPRESS).
pub const LOOKED_AT_PER_PACKED: usize = 4;

/// Octets that are looked at in the time that one question about one message's row takes.
pub const TEST_OCTETS: usize = 64;

/// Records in a row of which SEARCH reads all when one of them is asked for: that is cheaper than looking for it.
pub const RECORDS_READ_FOR_ONE: usize = 8;

/// Octets of messages that get `\Seen` in one step of FETCH, unless one message has more: what a client that goes away in
/// the middle finds read without having got it.
pub const SEEN_OCTETS_PER_STEP: u64 = 64 * 1024;

/// Items of one message answered by FETCH before other sessions get their turn.
pub const FETCH_ITEMS_PER_TURN: usize = 16;

/// Lines of the change index read at once.
pub const CHANGES_PER_PAGE: usize = 1_000;

/// Messages of one batch of UIDBATCHES at the least: a mailbox of a million messages has two thousand of them.
pub const UID_BATCH_MIN: u32 = 500;

/// Messages that one command works on, unless the settings say otherwise (RFC 9738 §3 asks for 1,000 at least): a whole mailbox
/// for nearly everybody, and what one COPY holds in memory is some 16 MiB of UIDs.
pub const MESSAGES_PER_COMMAND: u32 = 1_000_000;

/// Octets of answers collected before they are written to the socket.
pub const OUTPUT_OCTETS: usize = 32 * 1024;

/// Octets asked for while a session waits for its next command: what an idle session holds.
pub const IDLE_READ_OCTETS: usize = 512;

/// Octets asked for while a client is sending.
pub const BUSY_READ_OCTETS: usize = 16 * 1024;

/// Octets of a decoded part that BINARY holds; a longer one is decoded twice, first to count it (RFC 3516).
pub const BINARY_HELD_OCTETS: usize = 64 * 1024;

/// Octets of messages of one APPEND that are held in memory, compressed; what comes beyond goes to the store early.
pub const UPLOADS_HELD_OCTETS: usize = 1024 * 1024;

/// Octets of records of the messages of one APPEND: no more messages are taken beyond (RFC 3502). A record has some
/// kilobytes.
pub const UPLOADS_RECORDS_OCTETS: usize = 16 * 1024 * 1024;

/// Octets of all messages of one APPEND, what its URLs name included, unless the settings say otherwise; one message of the
/// largest size is taken all the same. RFC 3502 and RFC 4469 set no figure; a quota may allow less.
pub const APPEND_OCTETS_ALL_MAX: u64 = 1024 * 1024 * 1024;

/// URLs in one APPEND, of all its CATENATEs together (RFC 4469 sets no figure).
pub const CATENATED_URLS_MAX: usize = 1_000;

/// Octets that are inflated at once of what a client with COMPRESS sends (RFC 4978).
pub const INFLATED_OCTETS: usize = 16 * 1024;

/// How hard answers are compressed, from 1 to 10: RFC 4978 §4 finds 1 to 5 enough.
pub(crate) const DEFLATE_LEVEL: u8 = 3;

/// How long a silent client's compressor is kept, which takes some hundred kilobytes.
pub const COMPRESSOR_KEEP: Duration = Duration::from_secs(10);

/// Octets of a header looked at by `HEADER.FIELDS` and SEARCH; the rest of a longer one is not seen by them.
pub const HEADER_OCTETS_MAX: u64 = search::limits::HEADER_OCTETS_MAX;

/// Octets of headers and texts that SEARCH looks at before other sessions get their turn, each as often as it does: a
/// millisecond or two.
pub const TURN_OCTETS: usize = 256 * 1024;

/// What reading a message costs, however small it is, in octets looked at.
pub const MESSAGE_READ_OCTETS: usize = 4 * 1024;

/// Rows looked at by SEARCH before other sessions get their turn.
pub const SEARCH_ROWS_PER_TURN: usize = 2_000;

/// Messages sorted or threaded before other sessions get their turn.
pub const SORT_MESSAGES_PER_TURN: usize = 20_000;

/// Octets of keys that SORT and THREAD keep in memory for all mailboxes together.
pub const ORDERS_OCTETS_MAX: usize = 64 * 1024 * 1024;

/// Octets of keys that one SORT or THREAD reads, unless the settings say otherwise: a million messages by SUBJECT.
pub const ORDER_OCTETS_MAX: usize = 128 * 1024 * 1024;

/// Mailboxes whose keys are read at the same time, each of another owner; a mailbox with few to read does not wait.
pub const ORDERS_READ_AT_ONCE: usize = 2;

/// How long the keys of a mailbox are kept after they were used.
pub const ORDERS_UNUSED_MAX: Duration = Duration::from_secs(10 * 60);

/// Orders, and sets of threads, kept of one mailbox.
pub const ORDERS_KEPT: usize = 4;

/// A SORT or THREAD of less than this part of a mailbox reads the keys of these messages alone, unless all are known.
pub const SORT_FEW_OF: u64 = 4;

/// Threads written before the answer goes out.
pub const THREADS_PER_FLUSH: usize = 1_000;

/// Searches of one session whose results are kept up to date (RFC 5267 §4.3.1).
pub const UPDATES_MAX: usize = 10;

/// Results of a SORT that are kept up to date.
pub const UPDATED_SORT_MAX: usize = 20_000;

/// Texts looked for in a header or a window by SEARCH before other sessions get their turn.
pub const SEARCH_NEEDLES_PER_TURN: usize = 16;

/// Failed logins on one connection; then it is closed.
pub const LOGIN_FAILURES_MAX: u32 = 3;

/// Refused commands in a row; then the connection is closed.
pub const BAD_COMMANDS_MAX: u32 = 25;

/// Wildcards in one LIST pattern.
pub const LIST_WILDCARDS_MAX: usize = 32;

/// Patterns of one LIST (RFC 5258 sets no figure).
pub const LIST_PATTERNS_MAX: usize = 100;

/// Wildcards in all patterns of one LIST.
pub const LIST_WILDCARDS_ALL_MAX: usize = 200;

/// Names held against the patterns of LIST before other sessions get their turn.
pub const LIST_NAMES_PER_TURN: usize = 32;

/// Mailboxes of others that one LIST shows.
pub const FOREIGN_MAILBOXES_MAX: usize = 20_000;

/// Octets of one LIST pattern with its reference.
pub const LIST_PATTERN_OCTETS_MAX: usize = 1_024;

/// How long a client may take to accept octets that are sent to it.
pub const WRITE_TIMEOUT: Duration = Duration::from_secs(300);

/// How long a client may pause in the middle of a command.
pub const COMMAND_PAUSE_MAX: Duration = Duration::from_secs(300);

/// How long a TLS handshake may take.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a client may take from its connection until it has logged in, whatever it says meanwhile. RFC 3501 §5.4 binds the time after login only.
pub const LOGIN_TIMEOUT: Duration = Duration::from_secs(180);

/// The autologout timer of a logged-in session, unless the settings say more: RFC 3501 §5.4 asks for 30 minutes at least.
pub const AUTOLOGOUT: Duration = Duration::from_secs(30 * 60);

/// The time in which a client that packs has read that it idles, and waits for what comes.
pub const IDLE_BEGINS_WITHIN: Duration = Duration::from_millis(250);

/// How often an idling client hears `* OK Still here`, so that no middlebox forgets the connection.
pub const KEEP_ALIVE: Duration = Duration::from_secs(120);

/// How often a client hears that a long command goes on (RFC 9585).
pub const PROGRESS_EVERY: Duration = Duration::from_secs(10);

/// How long a failed login is delayed; the second twice, the third three times as long.
pub const LOGIN_FAILURE_DELAY: Duration = Duration::from_secs(2);

/// Mailboxes that nobody has open any more whose map is kept for who comes back. A map is some ranges of UIDs: kilobytes
/// at most unless every second message was expunged.
pub(crate) const VIEWS_KEPT_MAX: usize = 128;

/// Messages between two that may be found which SEARCH reads along: one longer read is cheaper than two.
pub const SEARCH_GAP_MAX: u32 = 16;

/// Mailboxes that one session may want to hear of by NOTIFY: some hundred octets each.
pub const NOTIFY_MAILBOXES_MAX: usize = 20_000;

/// Mailboxes that have gone whose UIDVALIDITY a session with NOTIFY remembers.
pub const NOTIFY_GONE_MAX: usize = 1_000;

/// Names that a session with NOTIFY has changed itself and remembers until it looks.
pub const NOTIFY_OWN_NAMES_MAX: usize = 1_000;

/// Mailboxes looked at for NOTIFY or gone through for ESEARCH before other sessions get their turn. A session that wants to hear
/// of more of them rests after a look.
pub const MAILBOXES_PER_TURN: usize = 500;

/// How long a session that wants to hear of many mailboxes rests between two looks at all of them; what happens meanwhile is
/// told together.
pub const NOTIFY_PAUSE: Duration = Duration::from_millis(250);
