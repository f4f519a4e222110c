//! SORT and THREAD (RFC 5256; RFC 5957 DISPLAYFROM and DISPLAYTO; RFC 5267 §3 RETURN; RFC 6203 §4 RELEVANCY).

use super::Search;

/// SORT: a search, and the order of what it finds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sort {
    /// What matters first comes first; at least one.
    pub criteria: Vec<SortCriterion>,
    /// What is sorted. Its charset is always there.
    pub search: Search,
}

/// One criterion of SORT.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SortCriterion {
    /// What is compared.
    pub key: SortKey,
    /// REVERSE: the largest first.
    pub reverse: bool,
}

/// What SORT compares (RFC 5256 BASE.6.4.SORT).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SortKey {
    /// INTERNALDATE.
    Arrival,
    /// The mailbox of the first address of Cc.
    Cc,
    /// The sent date.
    Date,
    /// The display name of the first address of From (RFC 5957 §3).
    DisplayFrom,
    /// The display name of the first address of To (RFC 5957 §3).
    DisplayTo,
    /// The mailbox of the first address of From.
    From,
    /// The score of FUZZY, the best first (RFC 6203 §4).
    Relevancy,
    /// RFC822.SIZE.
    Size,
    /// The base subject.
    Subject,
    /// The mailbox of the first address of To.
    To,
}

/// THREAD: a search, and how what it finds becomes threads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thread {
    /// The algorithm.
    pub algorithm: ThreadAlgorithm,
    /// What is threaded. Its charset is always there.
    pub search: Search,
}

/// A threading algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ThreadAlgorithm {
    /// RFC 5256, by base subject and date.
    OrderedSubject,
    /// RFC 5256, by references and base subject.
    References,
    /// draft-ietf-morg-inthread, by references alone; the thread with the newest message last.
    Refs,
}
