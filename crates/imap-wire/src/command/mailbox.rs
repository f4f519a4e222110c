//! SELECT, EXAMINE, CREATE and STATUS: what is asked of one mailbox.

use mail::SpecialUse;

use crate::mailbox_name::MailboxName;
use crate::sequence::SequenceSet;

/// SELECT or EXAMINE (RFC 3501 §6.3.1, §6.3.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Select {
    /// Which mailbox.
    pub mailbox: MailboxName,
    /// EXAMINE.
    pub read_only: bool,
    /// The CONDSTORE parameter (RFC 7162 §3.1.8).
    pub condstore: bool,
    /// The QRESYNC parameter (RFC 7162 §3.2.5).
    pub qresync: Option<Box<Qresync>>,
}

/// What a client knows of a mailbox that it comes back to (RFC 7162 §3.2.5). No set has a `*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Qresync {
    /// The UIDVALIDITY that it knows; when it is another one now, all else is passed over.
    pub uid_validity: u32,
    /// It knows of every change up to here; at least 1.
    pub modseq: u64,
    /// The UIDs that it knows; all there can be when not given.
    pub known_uids: Option<SequenceSet>,
    /// Sequence numbers, and the UIDs that it has for them, both ascending (§3.2.5.2).
    pub sequence_match: Option<(SequenceSet, SequenceSet)>,
}

/// CREATE (RFC 3501 §6.3.3; RFC 6154 §3 for the uses).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Create {
    /// The name wished for. A trailing delimiter announces children and is kept here.
    pub mailbox: MailboxName,
    /// `USE (…)`; empty when not given.
    pub special_uses: Vec<SpecialUse>,
}

/// What STATUS may be asked (RFC 3501 §6.3.10, RFC 7162 §3.1.7, RFC 8438, RFC 9051 §6.3.11).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StatusItem {
    /// `MESSAGES`
    Messages,
    /// `RECENT`
    Recent,
    /// `UIDNEXT`
    UidNext,
    /// `UIDVALIDITY`
    UidValidity,
    /// `UNSEEN`: how many, other than SELECT's response code.
    Unseen,
    /// `DELETED`
    Deleted,
    /// `DELETED-STORAGE` (RFC 9208 §4.1.4)
    DeletedStorage,
    /// `SIZE`
    Size,
    /// `HIGHESTMODSEQ`
    HighestModSeq,
    /// `MAILBOXID` (RFC 8474 §4.3)
    MailboxId,
    /// `APPENDLIMIT` (RFC 7889 §3.2)
    AppendLimit,
}

impl StatusItem {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Messages,
        Self::Recent,
        Self::UidNext,
        Self::UidValidity,
        Self::Unseen,
        Self::Deleted,
        Self::DeletedStorage,
        Self::Size,
        Self::HighestModSeq,
        Self::MailboxId,
        Self::AppendLimit,
    ];

    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Messages => "MESSAGES",
            Self::Recent => "RECENT",
            Self::UidNext => "UIDNEXT",
            Self::UidValidity => "UIDVALIDITY",
            Self::Unseen => "UNSEEN",
            Self::Deleted => "DELETED",
            Self::DeletedStorage => "DELETED-STORAGE",
            Self::Size => "SIZE",
            Self::HighestModSeq => "HIGHESTMODSEQ",
            Self::MailboxId => "MAILBOXID",
            Self::AppendLimit => "APPENDLIMIT",
        }
    }

    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|item| item.as_str().as_bytes().eq_ignore_ascii_case(text))
    }
}
