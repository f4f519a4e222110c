//! SEARCH (RFC 3501 §6.4.4), its RETURN options (RFC 4731), MODSEQ (RFC 7162 §3.1.5), OLDER and YOUNGER (RFC 5032).

use crate::date::Date;
use crate::flag::Flag;
use crate::section::HeaderName;
use crate::sequence::SequenceSet;

/// What to look for and what to say of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search {
    /// Answer with UIDs.
    pub uid: bool,
    /// CHARSET of the texts, in capitals; without it they are US-ASCII (UTF-8 where that is enabled).
    pub charset: Option<String>,
    /// RETURN (…): answer with ESEARCH. `RETURN ()` asks for ALL.
    pub returns: Option<SearchReturn>,
    /// What a message must be; several keys are one `And`.
    pub key: SearchKey,
}

impl Search {
    /// Whether a MODSEQ key is in it: then the answer carries the largest MODSEQ found (RFC 7162 §3.1.5).
    pub fn uses_modseq(&self) -> bool {
        self.key.any(&|key| matches!(key, SearchKey::ModSeq(_)))
    }
}

/// RETURN options of RFC 4731.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SearchReturn {
    /// MIN
    pub min: bool,
    /// MAX
    pub max: bool,
    /// ALL
    pub all: bool,
    /// COUNT
    pub count: bool,
}

/// A condition on a message. Synonyms are gone: `UNSEEN` is `Lacks(Seen)`, `NEW` is `And[Recent, Lacks(Seen)]`, `OLD` is `Not(Recent)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SearchKey {
    /// Every message.
    All,
    /// All of these.
    And(Vec<Self>),
    /// One of these at least.
    Or(Box<Self>, Box<Self>),
    /// Not this.
    Not(Box<Self>),
    /// Its sequence number is in the set.
    Sequence(SequenceSet),
    /// Its UID is in the set.
    Uid(SequenceSet),
    /// It has the flag or keyword.
    Has(Flag),
    /// It does not have the flag or keyword.
    Lacks(Flag),
    /// It has `\Recent`.
    Recent,
    /// BCC, CC, FROM, SUBJECT, TO: a field of the envelope holds the text.
    Envelope(EnvelopeField, SearchText),
    /// HEADER: a field of that name holds the text; an empty text asks only for the field.
    Header(HeaderName, SearchText),
    /// BODY: the body holds the text.
    Body(SearchText),
    /// TEXT: header or body holds the text.
    Text(SearchText),
    /// BEFORE, ON, SINCE: the day of INTERNALDATE.
    Internal(DateTest, Date),
    /// SENTBEFORE, SENTON, SENTSINCE: the day of the Date field.
    Sent(DateTest, Date),
    /// More octets than.
    Larger(u64),
    /// Fewer octets than.
    Smaller(u64),
    /// INTERNALDATE at least so many seconds ago (RFC 5032).
    Older(u32),
    /// INTERNALDATE at most so many seconds ago (RFC 5032).
    Younger(u32),
    /// MODSEQ at least so large. The metadata item that RFC 7162 §3.1.5 lets a client name is not kept: all flags share one MODSEQ.
    ModSeq(u64),
}

impl SearchKey {
    /// Whether `test` holds for this key or one within it.
    pub fn any(&self, test: &dyn Fn(&Self) -> bool) -> bool {
        if test(self) {
            return true;
        }
        match self {
            Self::And(keys) => keys.iter().any(|key| key.any(test)),
            Self::Or(a, b) => a.any(test) || b.any(test),
            Self::Not(key) => key.any(test),
            Self::All
            | Self::Sequence(_)
            | Self::Uid(_)
            | Self::Has(_)
            | Self::Lacks(_)
            | Self::Recent
            | Self::Envelope(..)
            | Self::Header(..)
            | Self::Body(_)
            | Self::Text(_)
            | Self::Internal(..)
            | Self::Sent(..)
            | Self::Larger(_)
            | Self::Smaller(_)
            | Self::Older(_)
            | Self::Younger(_)
            | Self::ModSeq(_) => false,
        }
    }

    /// Several keys, one after the other: all must hold.
    pub(crate) fn all_of(mut keys: Vec<Self>) -> Self {
        match keys.len() {
            1 => keys.pop().unwrap_or(Self::All),
            _ => Self::And(keys),
        }
    }
}

/// A field of the envelope that SEARCH has a key for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EnvelopeField {
    /// BCC
    Bcc,
    /// CC
    Cc,
    /// FROM
    From,
    /// SUBJECT
    Subject,
    /// TO
    To,
}

/// How a day is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DateTest {
    /// Earlier than the day.
    Before,
    /// Within the day.
    On,
    /// Within or after the day.
    Since,
}

impl DateTest {
    /// Whether `day` passes the test against `wanted`.
    pub fn holds(self, day: Date, wanted: Date) -> bool {
        match self {
            Self::Before => day < wanted,
            Self::On => day == wanted,
            Self::Since => day >= wanted,
        }
    }
}

/// A text to look for, in the charset of the command.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SearchText(Vec<u8>);

impl SearchText {
    /// The octets as sent.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// The octets as sent.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The text, when the octets are UTF-8 (of which US-ASCII is a part).
    pub fn as_str(&self) -> Option<&str> {
        str::from_utf8(&self.0).ok()
    }
}
