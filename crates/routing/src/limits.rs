//! Bounds of what routing follows.

/// Targets of one alias object.
pub const ALIAS_TARGETS_MAX: usize = 10_000;

/// Aliases, catch-alls and postmasters that lead to one another before the way counts as a loop (RFC 5321 §6.3 asks
/// for a bound on hops; inside one server this is ours).
pub const DEPTH_MAX: usize = 50;

/// Nodes of one resolution tree: what one forward-path may expand to.
pub const NODES_MAX: usize = 100_000;

/// Octets of a subaddress detail that are kept; a local part has 64 anyway (RFC 5321 §4.5.3.1.1).
pub const DETAIL_OCTETS_MAX: usize = 64;

/// Answers that one responder gives one sender in a day, whatever its frequency: what ends loops that no mark shows.
pub const ANSWERS_PER_DAY_MAX: u32 = 20;

/// Responders at one address: each hears of every message that comes there.
pub const RESPONDERS_PER_ADDRESS_MAX: usize = 50;

/// Octets of a responder's subject, and of its prefix.
pub const RESPONDER_SUBJECT_OCTETS_MAX: usize = 500;

/// Octets of a responder's text, and of its HTML.
pub const RESPONDER_BODY_OCTETS_MAX: usize = 512 * 1024;

/// Answers that one sender gets in a day from all responders of this server together, whatever the subaddress.
pub const SENDER_ANSWERS_PER_DAY_MAX: u32 = 60;

/// Answers that the senders of one domain that is not ours get in a day from all responders of this server together: one
/// stranger can invent any number of senders.
pub const DOMAIN_ANSWERS_PER_DAY_MAX: u32 = 500;

/// Responders of one person, or of one address without an account, that may answer one message: the first ones, in the
/// order of its recipients and then of their numbers.
pub const ANSWERS_PER_PERSON_MAX: usize = 5;

/// Responders that may answer one message, of all people together.
pub const ANSWERS_PER_MESSAGE_MAX: usize = 25;

/// Spans in the weekly hours of one responder, and octets of their text.
pub const HOURS_SPANS_MAX: usize = 50;

/// See [`HOURS_SPANS_MAX`].
pub const HOURS_OCTETS_MAX: usize = 1_000;

/// Placeholders that are filled in one text: with [`PLACEHOLDER_CHARS_MAX`] what bounds an answer.
pub const PLACEHOLDERS_MAX: usize = 100;

/// Characters of what stands for one placeholder.
pub const PLACEHOLDER_CHARS_MAX: usize = 250;

/// Characters of an answer's subject.
pub const ANSWER_SUBJECT_CHARS_MAX: usize = 250;

/// Octets of the text behind `:fail:`: with its codes it stays below the line of a reply (RFC 5321 §4.5.3.1.5).
pub const FAIL_TEXT_OCTETS_MAX: usize = 400;

/// Pattern aliases of one domain.
pub const PATTERNS_MAX: usize = 200;

/// Octets of a pattern.
pub const PATTERN_OCTETS_MAX: usize = 500;

/// Octets that a compiled pattern may take; matching is linear in the local part whatever the pattern.
pub const PATTERN_COMPILED_OCTETS_MAX: usize = 256 * 1024;

/// Targets of one pattern alias.
pub const PATTERN_TARGETS_MAX: usize = 100;

/// Members of a group.
pub const GROUP_MEMBERS_MAX: usize = 10_000;

/// Senders named by one address.
pub const SENDERS_MAX: usize = 1_000;

/// Messages that an account may submit in a day when nothing else is said: more than a person writes, less than spam needs.
pub const MESSAGES_PER_DAY: u32 = 1_000;

/// Recipients of the messages that an account submits in a day.
pub const RECIPIENTS_PER_DAY: u32 = 3_000;

/// Recipients outside, in a day, that an account has not written to before.
pub const FIRST_TIME_PER_DAY: u32 = 500;
