//! Bounds of what one request may ask.

/// Characters that a password must have at least. NIST SP 800-63B asks for 8.
pub const PASSWORD_CHARACTERS_MIN: usize = 8;

/// Accounts of one import.
pub const IMPORT_ACCOUNTS_MAX: usize = 100_000;

/// Accounts that an import adds at a time, so that they share syncs.
pub(crate) const IMPORT_AT_ONCE: usize = 64;

/// Queue entries in one listing, and one selection of all.
pub const QUEUE_ENTRIES_MAX: usize = 10_000;

/// Contacts in one listing.
pub const CONTACTS_MAX: usize = 10_000;

/// Parked events of a topic in one listing, and in one selection of all.
pub const EVENTS_MAX: usize = 1_000;

/// Octets of a name or a note.
pub const NOTE_OCTETS_MAX: usize = 1_000;

/// Characters of a list's name: behind it come `-confirm+` and a token of 21, and a local part has 64.
pub const LIST_NAME_OCTETS_MAX: usize = 30;

/// Members, or waiting messages, that are read or written at a time.
pub(crate) const MEMBERS_PAGE: usize = 1_000;

/// Folders of an external account.
pub const EXTERNAL_FOLDERS_MAX: usize = 100;

/// Octets of the certificates that an external account trusts.
pub const CA_PEM_OCTETS_MAX: usize = 64 * 1024;
