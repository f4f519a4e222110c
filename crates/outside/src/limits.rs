//! Bounds of what outside filters are told and may say.

use std::time::Duration;

/// Octets of a message's header that filters are shown; a message with more is refused.
pub const HEADER_OCTETS_MAX: usize = 264 * 1024;

/// Octets of one field that a filter writes.
pub const FIELD_OCTETS_MAX: usize = 60 * 1024;

/// Octets of the name of such a field.
pub const NAME_OCTETS_MAX: usize = 100;

/// Changes that one filter makes to one message.
pub const CHANGES_MAX: usize = 1_000;

/// Octets of all the fields together that one filter writes.
pub const CHANGED_OCTETS_MAX: usize = 256 * 1024;

/// Recipients that the filters together add to one message.
pub const RECIPIENTS_ADDED_MAX: usize = 100;

/// Characters of a filter's text in a reply.
pub const REPLY_CHARS_MAX: usize = 400;

/// Characters of a reason, for a header field and the trace.
pub const REASON_CHARS_MAX: usize = 300;

/// Notes of one filter that the trace has.
pub const NOTES_MAX: usize = 10;

/// Octets of rspamd's answer.
pub const ANSWER_OCTETS_MAX: usize = 1024 * 1024;

/// Symbols that a reason names.
pub const SYMBOLS_SHOWN_MAX: usize = 8;

/// The largest score that is shown as it is.
pub const SCORE_SHOWN_MAX: f64 = 9_999.0;

/// Recipients that rspamd is told of.
pub const RECIPIENTS_TOLD_MAX: usize = 100;

/// Octets of one milter packet's data, where nothing else was agreed on.
pub const PACKET_OCTETS_MAX: usize = 65_535;

/// Lists of symbols that a filter may ask for, and names in each.
pub const SYMBOLS_MAX: usize = 100;

/// How long a filter that is left is waited for.
pub const GOODBYE: Duration = Duration::from_secs(1);

/// Filters that one server asks.
pub const FILTERS_MAX: usize = 20;

/// Messages that are under the eyes of filters at a time; others wait for their turn. Each holds its header, some copies of it, and an answer.
pub const AT_ONCE_MAX: usize = 50;
