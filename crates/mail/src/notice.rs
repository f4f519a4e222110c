//! What a committed transaction rings the bell for. A notice carries no data: its reader looks into the store.

use crate::ids::{AccountId, MailboxId, ModSeq};

/// Durable topics: each has rows of its own in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub enum Topic {
    /// A message was stored that a responder may have to answer.
    MessageStored,
    /// A queue entry was added or became due.
    Queue,
    /// A message came to a list, or to a group whose moderators are asked first.
    HeldMessage,
    /// Somebody was made a member of a list, and is to be told.
    MemberAdded,
    /// A webhook is to be called.
    Webhook,
    /// A person has said of messages that they are spam, or that they are not.
    MessageJudged,
    /// A message came to an address at which reports of others are read.
    ReportReceived,
}

impl Topic {
    /// Every topic there is.
    pub const ALL: [Self; 7] = [
        Self::MessageStored,
        Self::Queue,
        Self::HeldMessage,
        Self::MemberAdded,
        Self::Webhook,
        Self::MessageJudged,
        Self::ReportReceived,
    ];

    /// Its name, for people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::MessageStored => "message-stored",
            Self::Queue => "queue",
            Self::HeldMessage => "held-message",
            Self::MemberAdded => "member-added",
            Self::Webhook => "webhook",
            Self::MessageJudged => "message-judged",
            Self::ReportReceived => "report-received",
        }
    }

    /// The topic of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|topic| topic.name() == name)
    }
}

/// Something changed. May be merged with others and may be lost; losing one only delays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Notice {
    /// Messages or flags of a mailbox, up to this MODSEQ.
    Mailbox {
        /// Whose.
        account: AccountId,
        /// Which.
        mailbox: MailboxId,
        /// The mailbox's highest MODSEQ at that commit.
        modseq: ModSeq,
    },
    /// The set of mailboxes of an account: created, renamed, deleted, subscribed.
    MailboxList(AccountId),
    /// A durable topic has a new row.
    Topic(Topic),
    /// Domains, accounts, aliases or responders.
    Directory,
}
