//! Bounds of what is looked at.

/// Octets from the beginning of a message that are looked at.
pub const SAMPLE_OCTETS_MAX: usize = 64 * 1024;

/// Words of one message's texts that are looked at.
pub const WORDS_MAX: usize = 2_000;

/// Different tokens of one message.
pub const TOKENS_MAX: usize = 500;

/// Hosts of links that become tokens.
pub const HOSTS_MAX: usize = 50;

/// Characters of a word that becomes a token; a longer one is none.
pub const WORD_CHARS_MAX: usize = 30;

/// Octets of a header field that are looked at.
pub const FIELD_OCTETS_MAX: usize = 1_000;

/// Tokens that decide about one message: those that say most.
pub const TELLING_MAX: usize = 60;

/// Messages of each kind, spam and ham, that have to be learnt before anything follows: by the account, or by the whole site.
pub const LEARNT_MIN: u32 = 20;

/// Characters of a reason.
pub const REASON_CHARS_MAX: usize = 300;
