//! Every bound of the IMAP wire in one place, each with what the RFCs ask for.

/// The longest line that a command may have, its CRLF not counted.
/// RFC 2683 §3.2.1.5 asks servers for at least 8,000 octets, RFC 7162 §4 for 8,192; long UID sets need more.
pub const LINE_MAX: usize = 64 * 1024;

/// The longest command with its literals kept inline (message literals are not kept, so they do not count).
pub const COMMAND_MAX: usize = 256 * 1024;

/// The longest literal kept inline once the client has logged in (a name, a search text).
pub const INLINE_LITERAL_MAX: u64 = 64 * 1024;

/// The longest command line before login. AUTHENTICATE may carry a 12,288 octet response (RFC 4954 §4 sets that figure for SMTP).
pub const LINE_MAX_BEFORE_LOGIN: usize = 16 * 1024;

/// The longest literal kept inline before login: a user name or a password.
pub const INLINE_LITERAL_MAX_BEFORE_LOGIN: u64 = 4 * 1024;

/// The longest command before login, literals included.
pub const COMMAND_MAX_BEFORE_LOGIN: usize = 32 * 1024;

/// How many octets of the lines of one refused command are read and thrown away to stay in step with the client.
/// Beyond it the connection is closed, for the client would go on sending for nothing.
pub const SWALLOW_MAX: u64 = 1024 * 1024;

/// How many octets of its literals are: of a message, say, that is too large and comes in a literal that does not wait (RFC 7888 §4).
pub const SWALLOW_LITERALS_MAX: u64 = 256 * 1024 * 1024;

/// The same, before login.
pub const SWALLOW_LITERALS_MAX_BEFORE_LOGIN: u64 = SWALLOW_MAX;

/// The largest literal that can be announced at all: RFC 9051 §9 makes it a number of 63 bits (RFC 3501 of 32).
pub const ANNOUNCED_MAX: u64 = (1 << 63) - 1;

/// How deep SEARCH keys may nest (parentheses, NOT, OR). The RFCs set no figure.
pub const SEARCH_DEPTH_MAX: usize = 32;

/// How many keys one SEARCH may have in all.
pub const SEARCH_KEYS_MAX: usize = 2_000;

/// How many criteria one SORT may have. Each of the nine that there are makes sense once.
pub const SORT_CRITERIA_MAX: usize = 20;

/// How many mailboxes the sources of one ESEARCH may name; a source without names counts as one.
pub const MAILBOX_FILTERS_MAX: usize = 1_000;

/// How many items one FETCH may have. A client that reads a message part by part asks for some dozens.
pub const FETCH_ITEMS_MAX: usize = 500;

/// The longest name of an annotation's entry.
pub const ENTRY_NAME_MAX: usize = 256;

/// How many entries one GETMETADATA or SETMETADATA may name.
pub const ENTRIES_MAX: usize = 200;

/// Octets of an annotation's value: RFC 5464 §4.1 asks for 1,024.
pub const ENTRY_VALUE_MAX: u64 = 32 * 1024;

/// How many language ranges, or comparators, one command may name.
pub const LANGUAGE_RANGES_MAX: usize = 100;

/// URLs in one GENURLAUTH or URLFETCH (RFC 4467 sets no figure).
pub const URLS_MAX: usize = 100;

/// Octets of a URL, or of a filter's name, that a response code repeats.
pub const ECHOED_MAX: usize = 1_024;

/// How much of what a client sent is repeated in the text of an answer.
pub const QUOTED_BACK_MAX: usize = 32;

/// The largest MODSEQ: RFC 7162 §7 makes it a 63-bit number.
pub const MODSEQ_MAX: u64 = i64::MAX as u64;

/// ENVELOPE, BODY and BODYSTRUCTURE of one message together may take this many octets in its record.
pub const PRECOMPUTED_MAX: usize = 48 * 1024;

/// How many groups, and how many names of mailboxes, one NOTIFY may have.
pub const NOTIFY_NAMES_MAX: usize = 1_000;
