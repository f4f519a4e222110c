//! Every bound of this crate, in one place. Beyond a bound nothing fails: what is over it is not kept, and
//! [`crate::Structure::limited`] says so.

/// Depth of nested multiparts and messages. A container below is treated as `application/octet-stream`.
pub const DEPTH_MAX: usize = 64;

/// Parts of one message. The last one swallows what follows.
pub const PARTS_MAX: usize = 2_000;

/// Octets of a boundary; RFC 2046 §5.1.1 allows 70. A multipart with a longer one has no parts.
pub const BOUNDARY_BYTES_MAX: usize = 250;

/// Octets of a line that may be a boundary that are looked at: the dashes, the boundary, some padding.
pub(crate) const CANDIDATE_BYTES_MAX: usize = BOUNDARY_BYTES_MAX + 16;

/// Octets of a field name; a longer one is an unknown field (RFC 5322 §2.1.1 bounds the whole line to 998).
pub const FIELD_NAME_BYTES_MAX: usize = 100;

/// Fields of the message header that are indexed.
pub const FIELDS_INDEXED_MAX: usize = 500;

/// Octets kept of a list of recipients: To, Cc, Bcc, each.
pub const RECIPIENTS_BYTES_MAX: usize = 32 * 1024;

/// Octets kept of References.
pub const REFERENCES_BYTES_MAX: usize = 16 * 1024;

/// Octets kept of Subject, From, Sender, Reply-To, Content-Type, Content-Disposition, each.
pub const LONG_VALUE_BYTES_MAX: usize = 8 * 1024;

/// Octets kept of any other field of interest.
pub const SHORT_VALUE_BYTES_MAX: usize = 1024;

/// Values kept of a field that is legitimately repeated by each hop (Delivered-To, X-Loop).
pub const REPEATED_VALUES_MAX: usize = 50;

/// Octets of header values kept for all parts and nested messages together.
pub const NESTED_VALUES_BYTES_MAX: usize = 256 * 1024;

/// Addresses kept of one field.
pub const ADDRESSES_MAX: usize = 1_000;

/// Addresses kept for all nested messages together.
pub const NESTED_ADDRESSES_MAX: usize = 4_000;

/// Depth of comments in an address list; RFC 5322 §3.2.2 lets them nest.
pub const COMMENT_DEPTH_MAX: usize = 100;

/// Parameters of one Content-Type or Content-Disposition.
pub const PARAMETERS_MAX: usize = 100;

/// Tags of one Content-Language.
pub const LANGUAGES_MAX: usize = 50;

/// Octets of the first text/plain part kept for the preview.
pub const PLAIN_SAMPLE_BYTES_MAX: usize = 4 * 1024;

/// Octets of the first text/html part kept for the preview; style sheets come before the text.
pub const HTML_SAMPLE_BYTES_MAX: usize = 32 * 1024;

/// Octets of a character reference in HTML, `&` and `;` included; the longest name has 33.
pub(crate) const HTML_REFERENCE_OCTETS_MAX: usize = 40;

/// Octets that are looked at behind a `>` in a quoted attribute of HTML for the end of the quotes; beyond, the `>` has ended the tag.
pub const HTML_QUOTED_OCTETS_MAX: usize = 64 * 1024;

/// Octets of the longest name of an element of HTML that changes anything, and more.
pub(crate) const HTML_NAME_OCTETS_MAX: usize = 32;

/// Octets of HTML that are read at once.
pub(crate) const HTML_PIECE_OCTETS: usize = 16 * 1024;

/// Octets of a shifted run of UTF-7 that are kept together (RFC 2152).
pub(crate) const UTF7_RUN_OCTETS_MAX: usize = 64 * 1024;

/// Characters of a preview; RFC 8970 §3.1 asks for at most 256, and suggests 200.
pub const PREVIEW_CHARS_MAX: usize = 200;

/// Octets of a decoded string in a record's sort keys.
pub const SORT_STRING_BYTES_MAX: usize = 1_000;

/// Octets of one message identifier.
pub const MESSAGE_ID_BYTES_MAX: usize = 500;

/// Message identifiers kept of References or In-Reply-To: the first, and then the last ones.
pub const REFERENCES_MAX: usize = 100;

/// Octets of one header in a message with binary parts.
pub const BINARY_HEADER_OCTETS_MAX: usize = 256 * 1024;

/// Multiparts in each other in a message with binary parts.
pub const BINARY_BOUNDARIES_MAX: usize = 50;

/// Octets of a charset name in a part table.
pub(crate) const CHARSET_BYTES_MAX: usize = 64;
