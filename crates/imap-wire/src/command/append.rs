//! APPEND (RFC 3501 §6.3.11) of one message or several (RFC 3502), with UTF-8 in their headers (RFC 6855 §4), or put
//! together from parts (RFC 4469).

use std::fmt;

use mail::InternalDate;

use crate::flag::Flag;
use crate::mailbox_name::MailboxName;
use crate::sequence::SequenceSet;

/// Messages to be added to a mailbox: all of them, or none (RFC 3502).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Append {
    /// Where to.
    pub mailbox: MailboxName,
    /// What; at least one.
    pub messages: Vec<AppendMessage>,
}

/// REPLACE (RFC 8508): a message to be added, and one of the selected mailbox that goes with that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replace {
    /// Which message goes: one number, or `*`.
    pub set: SequenceSet,
    /// Whether that is a UID.
    pub uid: bool,
    /// Where the new one goes to.
    pub mailbox: MailboxName,
    /// The new one.
    pub message: AppendMessage,
}

/// One message to be added; its octets went past the parser, the ticket says which they were.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppendMessage {
    /// The flags it shall have.
    pub flags: Vec<Flag>,
    /// Its INTERNALDATE; without it, now.
    pub date: Option<InternalDate>,
    /// What it consists of.
    pub content: AppendContent,
}

/// What a message to be added consists of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AppendContent {
    /// The message literal that the framer streamed.
    Message(Ticket),
    /// `UTF8 (…)`: the same, and its header is in UTF-8 (RFC 6855 §4).
    Utf8(Ticket),
    /// `CATENATE (…)`: parts that follow each other, at least one (RFC 4469 §3).
    Catenate(Vec<CatenatePart>),
}

/// A part of a message that is put together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CatenatePart {
    /// `TEXT`: octets that the client sent.
    Text(Ticket),
    /// `UTF8 (…)`: the same, and a header in them may be in UTF-8 (RFC 6855 §4).
    Utf8(Ticket),
    /// `URL`: octets of a message that is there, by its IMAP URL as sent.
    Url(Vec<u8>),
}

/// Stands in a command's text for a message literal that was streamed. Unique within a connection.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(u64);

impl Ticket {
    pub(crate) const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The octets that stand in the command's text, as a literal8.
    pub(crate) const fn to_bytes(self) -> [u8; 8] {
        self.0.to_be_bytes()
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Some(Self(u64::from_be_bytes(bytes.try_into().ok()?)))
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ticket({})", self.0)
    }
}
