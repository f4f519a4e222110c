//! `relais check`: verifies every invariant of a store.
//!
//! Nothing else may write meanwhile, or what it is in the middle of looks like damage. Memory is bounded: tables are
//! read in pages, and what has to be joined out of order (references to blobs, chunks of uploads) is counted in
//! several passes, each over a slice of the hashes.

mod accounts;
mod answered;
mod bans;
mod blobs;
mod contacts;
mod contents;
mod events;
mod fetch;
mod first_use;
mod forwards;
mod index;
mod lists;
mod mailboxes;
mod metadata;
mod objects;
mod ordered;
mod pages;
mod queue;
mod received_reports;
mod sharing;
mod signing_keys;
mod spam;
mod suppressed;
mod tables;
#[cfg(test)]
mod tests;
mod trace;
mod webhooks;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use mail::{AccountId, Address, BlobHash, MailboxId, Uid};

pub use contents::{Contents, Opaque, Scan};
pub(crate) use ordered::OrderedRow;

use crate::error::StorageError;
use crate::store::{FORMAT, Store};

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Flaw {
    /// A row or its key can't be read.
    Undecodable,
    /// A key of a table that this version doesn't know.
    UnknownTable,
    /// Rows of an account or a mailbox that is not there.
    Orphans,
    /// An object's key is not that of its content.
    ObjectKey,
    /// Filters that could not be saved so.
    Filters,
    /// Two accounts have one number.
    AccountNumber,
    /// A counter is not behind a number that is in use.
    Counter,
    /// A mailbox and its name don't lead to each other.
    MailboxName,
    /// An account has no INBOX.
    NoInbox,
    /// A deleted mailbox is still there.
    Doomed,
    /// Unfinished work names messages that never were.
    Undo,
    /// A mailbox's counters are not those of its messages.
    MailboxCounters,
    /// An account's usage is not the sum of its mailboxes.
    Usage,
    /// A UID is not below UIDNEXT.
    UidNext,
    /// A MODSEQ is above the mailbox's highest.
    HighestModSeq,
    /// A message has a keyword that its mailbox doesn't know.
    Keyword,
    /// A message without its row in the change index, or a row there that no message has.
    ChangeIndex,
    /// A block tells flags of a message that is not there, or that can't be so.
    FlagBlock,
    /// A record without a message.
    Record,
    /// An access list and the rows of those whom it names don't lead to each other.
    AccessList,
    /// An access list or an account names somebody who is not there.
    UnknownIdentifier,
    /// Somebody has seen what is not there, or in a way that can't be.
    PersonSeen,
    /// Annotations that can't be, or that are not counted as they should.
    Annotations,
    /// A Message-ID leads to no message that has it.
    MessageId,
    /// A message or a queue entry names a blob that is not there.
    MissingBlob,
    /// A blob's count of references is not the number of rows that name it.
    References,
    /// A blob's length is not what the rows that name it say.
    BlobOctets,
    /// A blob without references and without a grave, or a grave that is not one.
    Grave,
    /// A blob lacks a chunk.
    MissingChunk,
    /// A chunk that belongs to no blob and to no upload.
    OrphanChunk,
    /// The upload of a stored blob is marked as interrupted: its chunks would be swept.
    StoredUpload,
    /// A blob's content is not what its name says.
    BlobContent,
    /// The queue and its schedule don't lead to each other.
    QueueDue,
    /// Contacts, their order of time and their count do not match.
    Contacts,
    /// Tokens or messages that were learnt, and their totals, do not agree.
    Spam,
    /// The version stamp is missing or can't be read.
    Stamp,
    /// An account, an alias or a responder in a domain that is not there.
    NoDomain,
    /// A record is not what its message gives.
    RecordContent,
    /// A note of the last answer of a responder that can't be.
    Answered,
    /// An event whose content its consumer could not read.
    EventContent,
    /// The index of the traces and their terms don't lead to each other.
    TraceIndex,
    /// A row of a list is not under its own key, or leads to nothing.
    ListRow,
    /// A message of a list, or of a group with moderators, that nobody will deal with.
    Stranded,
    /// The row of a full-text index and its segments don't fit together, or a block can't be read.
    Index,
    /// Reports of others are not counted as they should be.
    ReceivedReports,
    /// Who was asked to come again is not counted, or not in the order in which it is forgotten.
    Greylist,
    /// Standings of senders are not counted, or not in the order of time.
    Reputation,
}

impl Flaw {
    const fn text(self) -> &'static str {
        match self {
            Self::Undecodable => "can't be read",
            Self::UnknownTable => "belongs to no known table",
            Self::Orphans => "belongs to nothing that is there",
            Self::ObjectKey => "is stored under another object's key",
            Self::Filters => "could not be saved so",
            Self::AccountNumber => "has the number of another account",
            Self::Counter => "is behind a number in use",
            Self::MailboxName => "name and mailbox don't match",
            Self::NoInbox => "has no INBOX",
            Self::Doomed => "is deleted and still there",
            Self::Undo => "names messages that never were",
            Self::MailboxCounters => "counters are wrong",
            Self::Usage => "usage is wrong",
            Self::UidNext => "UID is not below UIDNEXT",
            Self::HighestModSeq => "MODSEQ is above HIGHESTMODSEQ",
            Self::Keyword => "has an unknown keyword",
            Self::FlagBlock => "flags of a block are wrong",
            Self::ChangeIndex => "change index is wrong",
            Self::AccessList => "access list is not what its readers' rows say",
            Self::UnknownIdentifier => "names somebody who is not there",
            Self::PersonSeen => "what somebody has seen is wrong",
            Self::Annotations => "annotations are wrong",
            Self::MessageId => "Message-ID leads nowhere",
            Self::Record => "record without a message",
            Self::MissingBlob => "content is missing",
            Self::References => "count of references is wrong",
            Self::BlobOctets => "length of the content is wrong",
            Self::Grave => "grave is wrong",
            Self::MissingChunk => "chunk is missing",
            Self::OrphanChunk => "chunk belongs to nothing",
            Self::StoredUpload => "upload is marked as interrupted",
            Self::BlobContent => "content is damaged",
            Self::QueueDue => "schedule of the queue is wrong",
            Self::Contacts => "the index of contacts is wrong",
            Self::Spam => "what was learnt of spam is counted wrong",
            Self::Stamp => "version stamp is missing or can't be read",
            Self::NoDomain => "is in a domain that is not there",
            Self::RecordContent => "record does not fit the message",
            Self::Answered => "note of the last answer can't be read",
            Self::EventContent => "content of the event can't be read",
            Self::TraceIndex => "index of the traces is wrong",
            Self::ListRow => "row of a list is wrong",
            Self::Stranded => "nothing will deal with it",
            Self::Index => "full-text index is wrong; `relais reindex` builds it anew",
            Self::ReceivedReports => "reports of others are miscounted",
            Self::Greylist => "the greylist does not fit together",
            Self::Reputation => "standings of senders do not fit together",
        }
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What kind of thing.
    pub flaw: Flaw,
    /// Where, as `account 3, mailbox 7, UID 12`.
    pub place: String,
    /// What was found and what was expected.
    pub detail: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.flaw.text())?;
        if self.detail.is_empty() { Ok(()) } else { write!(f, " ({})", self.detail) }
    }
}

/// How much was looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// Accounts, shared mailboxes among them.
    pub accounts: u64,
    /// Groups.
    pub groups: u64,
    /// Mailing lists.
    pub lists: u64,
    /// Mailboxes.
    pub mailboxes: u64,
    /// Messages in mailboxes.
    pub messages: u64,
    /// Stored contents.
    pub blobs: u64,
    /// Entries of the queue.
    pub queue_entries: u64,
    /// Events of the bus, parked ones included.
    pub events: u64,
    /// Events that failed too often and wait for an administrator: nothing is wrong with the store.
    pub parked_events: u64,
    /// What was found wrong.
    pub findings: u64,
}

/// A check under way.
struct Check<'c> {
    store: &'c Store,
    report: &'c mut (dyn FnMut(Finding) + Send),
    checked: Checked,
    /// Numbers of the accounts that have an object.
    accounts: BTreeSet<AccountId>,
    /// Their addresses in lower case, without those of groups and lists.
    people: BTreeSet<Address>,
    /// The parts of lists and groups.
    parts: BTreeSet<AccountId>,
    /// Messages with an event of their list or group.
    held: BTreeSet<(AccountId, MailboxId, Uid)>,
    /// An event did not say which message it is about.
    held_unknown: bool,
    /// Shared mailboxes, and each member of them as written there.
    members: Vec<(Address, Address)>,
    /// Whether every message is read.
    deep: bool,
    /// Knows what the store does not.
    contents: &'c dyn Contents,
    /// Hashes of the records that messages gave, so that one in many mailboxes is read once.
    scanned: BTreeMap<BlobHash, BlobHash>,
}

impl Check<'_> {
    async fn stamp(&mut self) -> Result<(), StorageError> {
        match self.store.format().await {
            Ok(Some(found)) if found > FORMAT => Err(StorageError::Newer { found, known: FORMAT }),
            Ok(Some(_)) => Ok(()),
            Ok(None) => {
                self.find(Flaw::Stamp, "the store", "it is missing");
                Ok(())
            }
            Err(StorageError::Corrupt(detail)) => {
                self.find(Flaw::Stamp, "the store", detail);
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    fn find(&mut self, flaw: Flaw, place: impl Into<String>, detail: impl Into<String>) {
        self.checked.findings = self.checked.findings.saturating_add(1);
        (self.report)(Finding { flaw, place: place.into(), detail: detail.into() });
    }

    /// Reports what can't be decoded, and goes on without it.
    fn decoded<T>(&mut self, place: &str, row: Result<T, StorageError>) -> Option<T> {
        match row {
            Ok(row) => Some(row),
            Err(error) => {
                self.find(Flaw::Undecodable, place, error.to_string());
                None
            }
        }
    }
}

/// Verifies a store and reports each flaw; `deep` reads every content and compares it with its hash. [`Store::unopened`]
/// is enough of a store.
///
/// # Errors
/// [`StorageError::Newer`], or when reading fails: then the check is not complete.
pub async fn check(
    store: &Store,
    deep: bool,
    report: &mut (dyn FnMut(Finding) + Send),
) -> Result<Checked, StorageError> {
    check_with(store, deep, &Opaque, report).await
}

/// As [`check`], with somebody who knows what is inside of records and events.
///
/// # Errors
/// As [`check`].
pub async fn check_with(
    store: &Store,
    deep: bool,
    contents: &dyn Contents,
    report: &mut (dyn FnMut(Finding) + Send),
) -> Result<Checked, StorageError> {
    let mut check = Check {
        store,
        report,
        checked: Checked::default(),
        accounts: BTreeSet::new(),
        people: BTreeSet::new(),
        parts: BTreeSet::new(),
        held: BTreeSet::new(),
        held_unknown: false,
        members: Vec::new(),
        deep,
        contents,
        scanned: BTreeMap::new(),
    };
    check.stamp().await?;
    check.tables().await?;
    check.objects().await?;
    check.mailboxes().await?;
    check.accounts().await?;
    check.sharing().await?;
    check.annotations().await?;
    check.contacts().await?;
    check.spam().await?;
    check.first_uses().await?;
    check.forwards().await?;
    check.queue().await?;
    check.events().await?;
    check.lists().await?;
    check.indexes().await?;
    check.fetched().await?;
    check.answered().await?;
    check.signing_keys().await?;
    check.suppressed().await?;
    check.bans().await?;
    check.webhooks().await?;
    check.received_reports().await?;
    check.greylist().await?;
    check.reputation().await?;
    check.traces().await?;
    check.blobs().await?;
    Ok(check.checked)
}
