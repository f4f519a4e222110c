//! Keys: a table byte, the part (account, or 0 for what belongs to none; 8 bytes), then what orders the rows. All
//! numbers are big-endian, so that byte order is number order.

use mail::{AccountId, BlobHash, MailboxId, ModSeq, QueueId, Timestamp, Topic, Uid};

use crate::engine::KeyRange;

/// What a row is. The numbers are the store's format and never change their meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Table {
    /// Version stamp and counters.
    Meta = 0x01,
    /// [`crate::rows::MailboxRow`] by account and mailbox.
    Mailbox = 0x11,
    /// Mailbox number by account and name.
    MailboxName = 0x12,
    /// Subscribed names (RFC 3501 §6.3.6: they outlive their mailbox).
    Subscription = 0x13,
    /// Deleted mailboxes whose messages are still to be removed.
    Doomed = 0x14,
    /// Access lists by owner and mailbox, and in whose lists an account is named ([`crate::sharing::acl`]).
    Acl = 0x15,
    /// [`crate::rows::UndoRow`] by a random number: work that takes several transactions and is settled when it is cut short.
    Undo = 0x16,
    /// Annotations by owner, mailbox and person, and where else a person has some ([`crate::metadata`], RFC 5464).
    Metadata = 0x17,
    /// Keys that authorised URLs are made with, by account and mailbox; see [`crate::url_keys`].
    UrlKey = 0x18,
    /// [`crate::rows::MessageRow`] by account, mailbox and UID.
    Message = 0x20,
    /// Encoded message record by account, mailbox and UID.
    Record = 0x21,
    /// What changed, by account, mailbox, MODSEQ and UID (RFC 7162).
    Change = 0x22,
    /// What single people have seen by owner, mailbox and reader ([`crate::sharing::person_seen`]).
    PersonSeen = 0x23,
    /// Where messages of shared accounts are, by Message-ID ([`crate::sharing::message_ids`]).
    MessageId = 0x24,
    /// Flags that messages got together, by account, mailbox and the first UID of a block; see `flag_blocks`.
    FlagBlock = 0x25,
    /// [`crate::rows::BlobRow`] by content hash.
    Blob = 0x30,
    /// Chunks of blobs by upload and number.
    Chunk = 0x31,
    /// Uploads whose chunks no blob names yet.
    Upload = 0x32,
    /// Blobs without references, by the time when they may go.
    Grave = 0x33,
    /// Objects of the directory.
    Object = 0x40,
    /// What a list or a moderated group has in its part: members, requests, waiting messages; see [`crate::lists`].
    ListMember = 0x41,
    /// [`crate::first_use::FirstUse`] by canonical address of the alias.
    FirstUse = 0x43,
    /// Contacts by account and address, with their order of time and their number.
    Contact = 0x44,
    /// Keys that this server made for itself, by name; see [`crate::secret`].
    Secret = 0x46,
    /// How far an external account is fetched, by its number and folder; see [`crate::fetch`].
    FetchState = 0x47,
    /// What was fetched from an external account already.
    FetchSeen = 0x48,
    /// [`crate::rows::QueueRow`] by number.
    Queue = 0x50,
    /// Queue numbers by the time of the next attempt.
    QueueDue = 0x51,
    /// Keys that sign the reverse-paths of forwarded messages, by period; see [`crate::srs`].
    SrsKey = 0x52,
    /// Senders whose rewritten reverse-path has only a token, by period and token.
    SrsSender = 0x53,
    /// What an account has submitted on a day; see [`crate::submitted`].
    Submitted = 0x54,
    /// In how many messages a token was, by part and token; see [`crate::spam`].
    SpamToken = 0x64,
    /// How messages were learnt.
    SpamLearnt = 0x65,
    /// How much was learnt.
    SpamTotals = 0x66,
    /// What an account has set about spam.
    SpamSettings = 0x67,
    /// MTA-STS policies of other domains, by domain; see [`crate::mta_sts`].
    StsPolicy = 0x58,
    /// What is counted for TLS reports, by day and domain; see [`crate::dmarc_reports`].
    TlsReport = 0x59,
    /// [`crate::rows::PaceRow`] by the name of the route.
    Pace = 0x5B,
    /// Durable events of the bus by topic and number.
    Event = 0x60,
    /// Events that failed too often.
    Parked = 0x61,
    /// Addresses to which nothing is sent of the server's own accord; see [`crate::suppressed`].
    Suppressed = 0x62,
    /// [`crate::webhooks::WebhookRow`] by number.
    Webhook = 0x63,
    /// Who is kept out, by address or network; see [`crate::bans`].
    Ban = 0x68,
    /// Who was asked to come again, and who has; see [`crate::greylist`].
    Greylist = 0x69,
    /// What became of former mail, by sender; see [`crate::reputation`].
    Reputation = 0x6a,
    /// Reports of others by kind, domain, day and digest; see [`crate::received_reports`].
    ReceivedReport = 0x6c,
    /// How many there are, and how large, by kind and domain.
    ReceivedReports = 0x6d,
    /// When a responder last answered a sender.
    Answered = 0x70,
    /// What each responder has done since it began to act.
    ResponderState = 0x71,
    /// Keys that sign what leaves, by domain and selector.
    SigningKey = 0x45,
    /// Steps of message traces, by trace and number.
    Trace = 0x80,
    /// Traces by what they are found by.
    TraceIndex = 0x81,
    /// What a trace is found by, by trace: goes when the trace goes.
    TraceTerms = 0x82,
    /// What is counted for DMARC reports, by day and domain; see [`crate::dmarc_reports`].
    DmarcReport = 0x83,
    /// [`crate::rows::IndexRow`] by account and mailbox; see [`crate::index`].
    Index = 0x90,
    /// Words of the full-text index by account, mailbox, segment, zone and the first word of the block.
    IndexWords = 0x91,
    /// Which messages have these words, by the same.
    IndexPostings = 0x92,
    /// How long the messages of a segment are, by account, mailbox and segment.
    IndexLengths = 0x93,
}

/// A key in the making.
#[derive(Debug)]
pub struct Key(Vec<u8>);

impl Key {
    /// A key of a table, in no account's part.
    #[must_use]
    pub fn global(table: Table) -> Self {
        Self::of(table, AccountId(0))
    }

    /// A key of a table in an account's part.
    #[must_use]
    pub fn of(table: Table, account: AccountId) -> Self {
        let mut key = Vec::with_capacity(40);
        key.push(table as u8);
        key.extend_from_slice(&account.0.to_be_bytes());
        Self(key)
    }

    /// Appends bytes.
    #[must_use]
    pub fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// Appends one byte.
    #[must_use]
    pub fn u8(self, number: u8) -> Self {
        self.bytes(&[number])
    }

    /// Appends a 32-bit number.
    #[must_use]
    pub fn u32(self, number: u32) -> Self {
        self.bytes(&number.to_be_bytes())
    }

    /// Appends a 64-bit number.
    #[must_use]
    pub fn u64(self, number: u64) -> Self {
        self.bytes(&number.to_be_bytes())
    }

    /// Appends a time; times before 1970 count as 1970.
    #[must_use]
    pub fn time(self, at: Timestamp) -> Self {
        self.u64(u64::try_from(at.0).unwrap_or(0))
    }

    /// The finished key.
    #[must_use]
    pub fn done(self) -> Vec<u8> {
        self.0
    }

    /// Every key that begins with this one.
    #[must_use]
    pub fn range(self) -> KeyRange {
        KeyRange::prefix(self.0)
    }
}

pub(crate) fn mailbox(account: AccountId, mailbox: MailboxId) -> Vec<u8> {
    Key::of(Table::Mailbox, account).u32(mailbox.0).done()
}

pub(crate) fn mailbox_name(account: AccountId, name: &str) -> Vec<u8> {
    Key::of(Table::MailboxName, account).bytes(name.as_bytes()).done()
}

pub(crate) fn subscription(account: AccountId, name: &str) -> Vec<u8> {
    Key::of(Table::Subscription, account).bytes(name.as_bytes()).done()
}

pub(crate) fn message(account: AccountId, mailbox: MailboxId, uid: Uid) -> Vec<u8> {
    Key::of(Table::Message, account).u32(mailbox.0).u32(uid.0).done()
}

pub(crate) fn record(account: AccountId, mailbox: MailboxId, uid: Uid) -> Vec<u8> {
    Key::of(Table::Record, account).u32(mailbox.0).u32(uid.0).done()
}

pub(crate) fn flag_block(account: AccountId, mailbox: MailboxId, first: Uid) -> Vec<u8> {
    Key::of(Table::FlagBlock, account).u32(mailbox.0).u32(first.0).done()
}

pub(crate) fn change(account: AccountId, mailbox: MailboxId, modseq: ModSeq, uid: Uid) -> Vec<u8> {
    Key::of(Table::Change, account).u32(mailbox.0).u64(modseq.0).u32(uid.0).done()
}

pub(crate) fn blob(hash: &BlobHash) -> Vec<u8> {
    Key::global(Table::Blob).bytes(&hash.0).done()
}

pub(crate) fn chunk(upload: [u8; 16], number: u32) -> Vec<u8> {
    Key::global(Table::Chunk).bytes(&upload).u32(number).done()
}

pub(crate) fn upload(upload: [u8; 16]) -> Vec<u8> {
    Key::global(Table::Upload).bytes(&upload).done()
}

pub(crate) fn grave(at: Timestamp, hash: &BlobHash) -> Vec<u8> {
    Key::global(Table::Grave).time(at).bytes(&hash.0).done()
}

pub(crate) fn first_use(alias: &mail::Address) -> Vec<u8> {
    Key::global(Table::FirstUse).bytes(alias.to_string().as_bytes()).done()
}

pub(crate) fn queue(id: QueueId) -> Vec<u8> {
    Key::global(Table::Queue).u64(id.0).done()
}

pub(crate) fn queue_due(at: Timestamp, id: QueueId) -> Vec<u8> {
    Key::global(Table::QueueDue).time(at).u64(id.0).done()
}

pub(crate) fn event(topic: Topic, number: u64) -> Vec<u8> {
    Key::global(Table::Event).u8(topic_number(topic)).u64(number).done()
}

pub(crate) fn parked(topic: Topic, number: u64) -> Vec<u8> {
    Key::global(Table::Parked).u8(topic_number(topic)).u64(number).done()
}

pub(crate) fn events_of(topic: Topic) -> KeyRange {
    Key::global(Table::Event).u8(topic_number(topic)).range()
}

pub(crate) fn parked_of(topic: Topic) -> KeyRange {
    Key::global(Table::Parked).u8(topic_number(topic)).range()
}

const fn topic_number(topic: Topic) -> u8 {
    match topic {
        Topic::MessageStored => 1,
        Topic::Queue => 2,
        Topic::HeldMessage => 3,
        Topic::MemberAdded => 4,
        Topic::Webhook => 5,
        Topic::MessageJudged => 9,
        Topic::ReportReceived => 12,
    }
}

/// The last `N` bytes of a key.
pub(crate) fn tail<const N: usize>(key: &[u8]) -> Option<[u8; N]> {
    key.last_chunk::<N>().copied()
}

/// The `N` bytes at `at`.
pub(crate) fn middle<const N: usize>(key: &[u8], at: usize) -> Option<[u8; N]> {
    key.get(at..)?.first_chunk::<N>().copied()
}

/// Octets of table byte and part.
pub(crate) const HEAD: usize = 9;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn byte_order_is_number_order() {
        let key = |uid| message(AccountId(1), MailboxId(2), Uid(uid));
        assert!(key(255) < key(256));
        assert!(message(AccountId(1), MailboxId(2), Uid(u32::MAX)) < message(AccountId(1), MailboxId(3), Uid(1)));
    }

    #[test]
    fn a_prefix_range_ends_behind_its_last_key() {
        let range = Key::of(Table::Message, AccountId(u64::MAX)).range();
        assert!(message(AccountId(u64::MAX), MailboxId(u32::MAX), Uid(u32::MAX)) < range.end);
        assert!(range.end <= Key::global(Table::Record).done());
    }
}
