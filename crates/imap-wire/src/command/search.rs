//! SEARCH (RFC 3501 §6.4.4), its RETURN options (RFC 4731, 5182, 5267, 6203, 9394), MODSEQ (RFC 7162 §3.1.5), OLDER and
//! YOUNGER (RFC 5032), FUZZY (RFC 6203), FILTER (RFC 5466), SAVEDBEFORE and its kin (RFC 8514), EMAILID and THREADID (RFC 8474),
//! UIDAFTER and UIDBEFORE (RFC 9738 §3.2).

use std::fmt;
use std::ops::Range;

use super::fetch::FetchItem;
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
    /// UPDATE (…): data items that are told of new messages in the result (RFC 5465 §7).
    pub update_fetch: Vec<FetchItem>,
    /// What a message must be; several keys are one `And`.
    pub key: SearchKey,
}

impl Search {
    /// Whether a MODSEQ key is in it: then the answer carries the largest MODSEQ found (RFC 7162 §3.1.5).
    pub fn uses_modseq(&self) -> bool {
        self.key.any(&|key| matches!(key, SearchKey::ModSeq(_)))
    }
}

/// RETURN options (RFC 4731 §3.1, and others as noted).
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
    /// SAVE: the result becomes `$` (RFC 5182).
    pub save: bool,
    /// CONTEXT: the client will ask again (RFC 5267 §4.2).
    pub context: bool,
    /// UPDATE: changes of the result are told (RFC 5267 §4.3).
    pub update: bool,
    /// RELEVANCY: a score for each result (RFC 6203 §4).
    pub relevancy: bool,
    /// PARTIAL: some of the results by their place (RFC 5267 §4.4, RFC 9394 §3.1). Never together with ALL.
    pub partial: Option<PartialRange>,
}

impl SearchReturn {
    /// What `RETURN ()` asks for (RFC 4731 §3.1).
    pub const ALL: Self = Self {
        min: false,
        max: false,
        all: true,
        count: false,
        save: false,
        context: false,
        update: false,
        relevancy: false,
        partial: None,
    };

    /// Whether SAVE is all that was asked for: then nothing is said of the result (RFC 5182 §1).
    pub fn only_saves(self) -> bool {
        self == Self { save: true, ..Self::default() }
    }
}

/// `1:500`, or `-1:-100` counted from the end (RFC 9394 §4 `partial-range`). Places begin with 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PartialRange {
    first: u32,
    last: u32,
    from_end: bool,
}

impl PartialRange {
    /// The range as written; `None` when a place is 0.
    pub const fn new(first: u32, last: u32, from_end: bool) -> Option<Self> {
        if first == 0 || last == 0 { None } else { Some(Self { first, last, from_end }) }
    }

    /// How many places it has.
    pub const fn places(self) -> u32 {
        self.first.abs_diff(self.last).saturating_add(1)
    }

    /// The indexes of a list of so many results, ascending; empty when the range lies behind its end.
    pub fn of(self, results: usize) -> Range<usize> {
        let place = |place: u32| usize::try_from(place).unwrap_or(usize::MAX);
        let (low, high) = (place(self.first.min(self.last)), place(self.first.max(self.last)));
        let (from, to) = (low.saturating_sub(1).min(results), high.min(results));
        if self.from_end { results - to..results - from } else { from..to }
    }
}

/// As it was written, since answers repeat it.
impl fmt::Display for PartialRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.from_end { "-" } else { "" };
        write!(f, "{sign}{}:{sign}{}", self.first, self.last)
    }
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
    /// UIDAFTER: its UID is larger (RFC 9738 §3.2).
    UidAfter(u32),
    /// UIDBEFORE: its UID is smaller (RFC 9738 §3.2).
    UidBefore(u32),
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
    /// SAVEDBEFORE, SAVEDON, SAVEDSINCE: the day on which it came into the mailbox (RFC 8514 §4.3).
    Saved(DateTest, Date),
    /// SAVEDATESUPPORTED: the mailbox keeps that day (RFC 8514 §4.3).
    SaveDateSupported,
    /// EMAILID (RFC 8474 §6).
    EmailId(String),
    /// THREADID (RFC 8474 §6).
    ThreadId(String),
    /// FUZZY: what is within may be matched by words (RFC 6203 §3).
    Fuzzy(Box<Self>),
    /// FILTER: a search that is kept under a name (RFC 5466 §3.1).
    Filter(String),
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
            Self::Not(key) | Self::Fuzzy(key) => key.any(test),
            Self::All
            | Self::Sequence(_)
            | Self::Uid(_)
            | Self::UidAfter(_)
            | Self::UidBefore(_)
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
            | Self::Saved(..)
            | Self::SaveDateSupported
            | Self::EmailId(_)
            | Self::ThreadId(_)
            | Self::Filter(_)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partial_range_is_clipped_to_the_results() {
        let range = |first, last, from_end| PartialRange::new(first, last, from_end).unwrap();
        assert_eq!(range(1, 5, false).of(3), 0..3);
        assert_eq!(range(5, 2, false).of(10), 1..5);
        assert_eq!(range(1, 2, true).of(10), 8..10);
        assert_eq!(range(3, 100, true).of(10), 0..8);
        assert!(range(11, 20, false).of(10).is_empty() && range(11, 20, true).of(10).is_empty());
        assert_eq!(PartialRange::new(0, 1, false), None);
        assert_eq!((range(5, 2, false).to_string(), range(1, 9, true).to_string()), ("5:2".into(), "-1:-9".into()));
    }
}
