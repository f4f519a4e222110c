//! Bounds of what the store takes.

/// Messages that filters file in one transaction: each may be some fifty rows, with as many copies as there may be.
pub const FILED_AT_ONCE: usize = 200;

/// Octets of a stored message's header that filters look at.
pub const FILTERED_HEADER_OCTETS_MAX: u64 = 40 * 1024;

/// Octets that filters look through for one message before a thread of its own does it: about a millisecond.
pub const COMPARED_AT_ONCE_OCTETS: usize = 1024 * 1024;

/// Octets of content in one chunk of a blob. With its codec byte a stored chunk stays below 64 KiB.
pub const BLOB_CHUNK_OCTETS: usize = 60 * 1024;

/// Rows that one transaction may write. Bulk operations over a mailbox are cut into several.
pub const TRANSACTION_ROWS_MAX: usize = 20_000;

/// Messages that one APPEND may bring (RFC 3502): each writes some eight rows.
pub const APPENDED_MESSAGES_MAX: usize = TRANSACTION_ROWS_MAX / 8;

/// Expunged messages of one mailbox whose UIDs are remembered for clients that come back (RFC 7162): some 3 MiB of rows.
pub const EXPUNGES_REMEMBERED_MAX: u32 = 100_000;

/// Mailboxes of one account.
pub const MAILBOXES_MAX: usize = 50_000;

/// Mailboxes that an account may have for a subaddress still to make one: the names are strangers' choice.
pub const SUBADDRESS_MAILBOXES_MAX: usize = 200;

/// Octets of a mailbox name in UTF-8, all levels together.
pub const MAILBOX_NAME_OCTETS_MAX: usize = 512;

/// Levels of a mailbox name.
pub const MAILBOX_DEPTH_MAX: usize = 32;

/// Distinct keywords of one mailbox: they are bits of a 128-bit number in each row.
pub const KEYWORDS_MAX: usize = 128;

/// Lines of the access list of one mailbox.
pub const ACL_ENTRIES_MAX: usize = 256;

/// Mailboxes of others whose access lists name one account and are shown to it.
pub const SHARED_WITH_MAX: usize = 10_000;

/// People with a `\Seen` of their own in one mailbox.
pub const PERSON_READERS_MAX: usize = 2_000;

/// Ranges of UIDs that one person has seen in one mailbox: half as many messages as are read here and there.
pub const PERSON_RANGES_MAX: usize = 100_000;

/// Changes of one person's `\Seen` in one mailbox that are remembered one by one.
pub const PERSON_CHANGES_MAX: usize = 500;

/// Annotations of one mailbox or of the server, shared ones and each person's counted apart: RFC 5464 §4.1 asks for 10.
pub const ANNOTATIONS_MAX: usize = 100;

/// Octets of names and values of the annotations that [`ANNOTATIONS_MAX`] counts.
pub const ANNOTATIONS_OCTETS_MAX: usize = 128 * 1024;

/// Octets of names and values of all annotations of one account: those that all see in its mailboxes, and its own
/// private ones anywhere.
pub const ANNOTATIONS_ACCOUNT_OCTETS_MAX: u64 = 16 * 1024 * 1024;

/// People other than the owner with private annotations on one mailbox.
pub const ANNOTATORS_MAX: usize = 2_000;

/// Names of removed annotations that are remembered, so that other sessions can be told of it.
pub const ANNOTATIONS_REMOVED_MAX: usize = 100;

/// Messages with one Message-ID that an answer marks as answered.
pub const ANSWERED_COPIES_MAX: usize = 20;

/// Octets of a message record; a larger one is not stored and IMAP computes it on demand.
pub const RECORD_OCTETS_MAX: usize = 56 * 1024;

/// Contacts of one account.
pub const CONTACTS_MAX: usize = 10_000;

/// Recipients of one submitted message that become contacts.
pub const CONTACTS_LEARNED_MAX: usize = 100;

/// Signing keys of one domain: two that sign, two to come, and some that have retired.
pub const SIGNING_KEYS_MAX: usize = 20;

/// Rows of steps that one trace keeps.
pub const TRACE_STEPS_MAX: u32 = 500;

/// Nodes of a routing tree that a trace keeps; a larger one is told in numbers.
pub const TRACE_NODES_MAX: usize = 100;

/// Terms by which one trace is found.
pub const TRACE_INDEXED_MAX: usize = 200;

/// Recipients in one queue entry.
pub const QUEUE_ENTRY_RECIPIENTS_MAX: usize = 100;

/// Messages that one event of a judgement names.
pub const JUDGED_PER_EVENT_MAX: usize = 100;

/// Tokens that are counted for one account: some 2 MiB.
pub const SPAM_TOKENS_OF_ACCOUNT_MAX: u32 = 50_000;

/// Tokens that are counted for the site.
pub const SPAM_TOKENS_OF_SITE_MAX: u32 = 400_000;

/// Messages of one account of which it is known how they were learnt, so that they can be unlearnt.
pub const SPAM_NOTES_MAX: u32 = 20_000;

/// Messages that the site learns from one account: nobody alone says what is spam for all.
pub const SPAM_SHARED_MAX: u32 = 2_000;

/// Rows of tokens that one transaction looks at to find the rare ones.
pub const SPAM_TOKENS_SWEPT_AT_ONCE: usize = 5_000;

/// Messages of INBOX that are looked at for one that is ham.
pub const INBOX_LOOKED_AT_MAX: usize = 200;

/// Rows of forwarding that one transaction sweeps: more than it adds.
pub const SRS_SWEPT_AT_ONCE: usize = 20;

/// Blocks of a full-text index that one transaction removes: each is some tens of KiB, and is read before.
pub const INDEX_BLOCKS_PER_REMOVAL: usize = 256;

/// Addresses on the suppression list that end by themselves; beyond them those that would end first go.
pub const SUPPRESSED_MAX: usize = 200_000;

/// Characters of what is told of a suppressed address.
pub const SUPPRESSED_DETAIL_CHARS_MAX: usize = 300;

/// Webhooks of one server.
pub const WEBHOOKS_MAX: usize = 20;

/// Calls of webhooks that wait; what is new then is not told.
pub const WEBHOOK_CALLS_MAX: u64 = 100_000;
/// Reports of others on one domain, of one kind: five readers' worth a day for more than a year.
pub const RECEIVED_REPORTS_MAX: u32 = 2_000;

/// Of these, those whose sender is not surely who it says.
pub const RECEIVED_REPORTS_UNSURE_MAX: u32 = RECEIVED_REPORTS_MAX / 4;

/// Octets of the reports of others on one domain, of one kind.
pub const RECEIVED_REPORTS_OCTETS_MAX: u64 = 32 * 1024 * 1024;

/// Octets of one report of others.
pub const RECEIVED_REPORT_OCTETS_MAX: usize = 768 * 1024;

/// Destinations whose trouble is remembered over a restart, and shown.
pub const PACES_MAX: usize = 10_000;

/// Bans that are read at a time: more than are ever kept ([`abuse::limits::BANS_MAX`]).
pub const BANS_READ_MAX: usize = 2 * abuse::limits::BANS_MAX;
/// Senders of which it is known what became of their mail: some 20 MiB.
pub const STANDINGS_MAX: u32 = 100_000;

/// Messages of which it is known who sent them, so that what people say of them counts for the sender.
pub const SENDER_NOTES_MAX: u32 = 200_000;

/// Days for which that is known.
pub const SENDER_NOTE_DAYS: u32 = 60;

/// Days after which a standing that nothing happened to is forgotten: it weighs nothing any more.
pub const STANDING_DAYS: u32 = 240;

/// Senders that one message counts for.
pub const SENDERS_OF_MESSAGE_MAX: usize = 3;

/// Attempts that were asked to come again and did not yet: some 15 MiB. When there are as many, nobody more is asked.
pub const GREY_WAITING_MAX: u32 = 50_000;

/// Of these, those of one network, or of the servers of one domain; what more it writes as counts as one.
pub const GREY_OF_NETWORK_MAX: usize = 100;

/// Networks and domains that have come again; beyond them those go that would be forgotten first.
pub const GREY_PASSED_MAX: u32 = 50_000;

/// Rows of the greylist and of standings that one transaction of a sweep forgets.
pub const REPUTATION_SWEPT_AT_ONCE: usize = 500;

/// The part of such rows that makes room for one more when there are as many as there may be: what looks for the oldest steps over all
/// that was removed before, so it is not done for each.
pub const REPUTATION_ROOM_PART: u32 = 400;
