//! STORE (RFC 3501 §6.4.6, RFC 7162 §3.1.3).

use crate::flag::Flag;
use crate::sequence::SequenceSet;

/// How to change the flags of which messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    /// Which messages.
    pub set: SequenceSet,
    /// Whether the set holds UIDs.
    pub uid: bool,
    /// Replace, add or remove.
    pub action: StoreAction,
    /// `.SILENT`: no FETCH in answer (but MODSEQ where CONDSTORE is on).
    pub silent: bool,
    /// The flags, as written, possibly none.
    pub flags: Vec<Flag>,
    /// UNCHANGEDSINCE: only messages whose MODSEQ is not larger.
    pub unchanged_since: Option<u64>,
}

/// What STORE does with its flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StoreAction {
    /// `FLAGS`
    Replace,
    /// `+FLAGS`
    Add,
    /// `-FLAGS`
    Remove,
}
