//! Bounds of what an account's filters may be.

/// Filters of one account.
pub const FILTERS_MAX: usize = 200;

/// Conditions of one filter.
pub const CONDITIONS_MAX: usize = 50;

/// Conditions of all filters of an account together: what is compared for each message that comes.
pub const CONDITIONS_OF_SET_MAX: usize = 2_000;

/// Tags that one filter gives, and folders that it copies to.
pub const TAGS_MAX: usize = 10;

/// Folders that one filter copies to.
pub const COPIES_MAX: usize = 5;

/// Folders that one message is copied to by all filters together; those of later filters are left out.
pub const COPIES_OF_MESSAGE_MAX: usize = 10;

/// Octets of a filter's name.
pub const NAME_OCTETS_MAX: usize = 100;

/// Octets of what a condition compares with.
pub const VALUE_OCTETS_MAX: usize = 500;

/// Octets of the name of a header field in a condition (RFC 5322 §2.1.1 bounds the line).
pub const FIELD_NAME_OCTETS_MAX: usize = 76;

/// Octets of all texts of an account's filters together: names, folders, tags, and what conditions compare with.
pub const SET_OCTETS_MAX: usize = 64 * 1024;

/// Addresses of a header field that conditions are compared with.
pub const ADDRESSES_MAX: usize = 1_000;

/// Octets of one text of a message (a field's value, an address, a display name), in the form in which it is compared: what is
/// behind them does not count.
pub const TEXT_OCTETS_MAX: usize = 8 * 1024;

/// Octets of all texts that a message has in the fields of one name, in that form: those behind them do not count.
pub const FIELD_OCTETS_MAX: usize = 48 * 1024;
