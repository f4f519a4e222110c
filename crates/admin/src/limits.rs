//! Bounds of what one request may ask.

/// Accounts of one import.
pub const IMPORT_ACCOUNTS_MAX: usize = 100_000;

/// Accounts that an import adds in one transaction. Each is some thirty rows.
pub(crate) const IMPORT_AT_ONCE: usize = 200;

/// Passwords that an import hashes at a time.
pub(crate) const IMPORT_HASHES_AT_ONCE: usize = 8;

/// Further domains of one account, and of the users of one domain.
pub const FURTHER_DOMAINS_MAX: usize = 100;

/// Names that one account writes under.
pub const IDENTITIES_MAX: usize = 50;

/// Octets of a signature as text.
pub const SIGNATURE_TEXT_OCTETS_MAX: usize = 16 * 1024;

/// Octets of a signature as HTML.
pub const SIGNATURE_HTML_OCTETS_MAX: usize = 64 * 1024;

/// Aliases that one request adds to or takes from an account.
pub const ALIASES_PER_REQUEST_MAX: usize = 1_000;

/// Objects that leaving may change in one transaction.
pub const LEAVING_OBJECTS_MAX: usize = 10_000;

/// Queue entries in one listing, and one selection of all.
pub const QUEUE_ENTRIES_MAX: usize = 10_000;

/// Messages of which a test of a filter tells sender and subject, for each filter.
pub const FILTER_MATCHES_SHOWN_MAX: usize = 100;

/// Mailboxes whose filters an explanation tells of.
pub const FILTERED_MAILBOXES_TOLD_MAX: usize = 20;

/// Bits that the addresses of a network have in common, at least, for a ban of it without a second thought.
pub const BANNED_IPV4_BITS_MIN: u8 = 8;

/// The same for IPv6: a /16 is more than most countries have.
pub const BANNED_IPV6_BITS_MIN: u8 = 16;

/// Addresses on the suppression list that an explanation names.
pub const LISTED_TOLD_MAX: usize = 20;

/// Full mailboxes that an explanation names.
pub const FULL_MAILBOXES_TOLD_MAX: usize = 20;

/// Header fields that a message to be explained may have.
pub const SUPPOSED_FIELDS_MAX: usize = 50;

/// Contacts in one listing.
pub const CONTACTS_MAX: usize = 10_000;

/// Parked events of a topic in one listing, and in one selection of all.
pub const EVENTS_MAX: usize = 1_000;

/// Octets of a name or a note.
pub const NOTE_OCTETS_MAX: usize = 1_000;

/// Members of one shared mailbox.
pub const MEMBERS_MAX: usize = 1_000;

/// Characters of a list's name: behind it come `-confirm+` and a token of 21, and a local part has 64.
pub const LIST_NAME_OCTETS_MAX: usize = 30;

/// Members, or waiting messages, that are read or written at a time.
pub(crate) const MEMBERS_PAGE: usize = 1_000;

/// Folders of an external account.
pub const EXTERNAL_FOLDERS_MAX: usize = 100;

/// Octets of the certificates that an external account trusts.
pub const CA_PEM_OCTETS_MAX: usize = 64 * 1024;

/// Suppressed addresses of one answer.
pub const SUPPRESSED_LISTED_MAX: usize = 10_000;

/// Traces of one answer.
pub const TRACES_MAX: usize = 500;

/// References to what is to be removed, that one answer names.
pub const REFERENCES_TOLD_MAX: usize = 20;

/// Objects that one transaction writes or removes, where there are many.
pub(crate) const OBJECTS_AT_ONCE: usize = 2_000;

/// Addresses that one warning names; others are counted.
pub(crate) const WARNED_ADDRESSES_MAX: usize = 5;

/// Things that filters could not do among the messages of a folder, that one answer names; others are counted.
pub(crate) const FILTER_LEFT_OUT_MAX: usize = 100;

/// Senders of one account whose mail never goes to Spam by its content.
pub const SPAM_SENDERS_MAX: usize = 1_000;

/// Messages that one request lets the content filter learn.
pub const TRAINED_AT_ONCE_MAX: usize = 200;
/// Sources of the reports on a domain that are told, the largest first.
pub const REPORT_SOURCES_MAX: usize = 500;

/// Sources of which a sentence tells why they fail.
pub const REPORT_SENTENCES_MAX: usize = 10;

/// Senders of one network whose standing one answer tells.
pub const STANDINGS_LISTED_MAX: usize = 1_000;

/// Rows of the greylist of one answer.
pub const GREYLIST_LISTED_MAX: usize = 10_000;
