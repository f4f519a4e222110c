//! FETCH (RFC 3501 §6.4.5, RFC 7162 §3.1.4, §3.2.6, RFC 3516 §4.2, RFC 8970 §3, RFC 9394 §3.3).

use super::search::PartialRange;
use crate::section::{Partial, Section};
use crate::sequence::SequenceSet;

/// Which data of which messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetch {
    /// Which messages.
    pub set: SequenceSet,
    /// Whether the set holds UIDs; then every answer carries UID, asked for or not (RFC 3501 §6.4.8).
    pub uid: bool,
    /// What of them, macros expanded; at least one.
    pub items: Vec<FetchItem>,
    /// CHANGEDSINCE: only messages with a larger MODSEQ. Implies MODSEQ in every answer.
    pub changed_since: Option<u64>,
    /// VANISHED (RFC 7162 §3.2.6): tell which of them were expunged since. Only with UIDs and CHANGEDSINCE.
    pub vanished: bool,
    /// PARTIAL (RFC 9394 §3.3): only those at these places among the messages of the set. Only with UIDs.
    pub partial: Option<PartialRange>,
}

/// One data item of a message.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum FetchItem {
    /// `BODY`: the structure without extension data.
    Body,
    /// `BODY[section]<partial>` or `BODY.PEEK[…]`
    BodySection {
        /// What stands in the brackets.
        section: Section,
        /// `<start.length>`
        partial: Option<Partial>,
        /// `BODY.PEEK`: do not set `\Seen`.
        peek: bool,
    },
    /// `BODYSTRUCTURE`
    BodyStructure,
    /// `EMAILID` (RFC 8474 §5.1)
    EmailId,
    /// `ENVELOPE`
    Envelope,
    /// `FLAGS`
    Flags,
    /// `INTERNALDATE`
    InternalDate,
    /// `RFC822`: as `BODY[]`, under its own name.
    Rfc822,
    /// `RFC822.HEADER`: as `BODY.PEEK[HEADER]`.
    Rfc822Header,
    /// `RFC822.SIZE`
    Rfc822Size,
    /// `RFC822.TEXT`: as `BODY[TEXT]`.
    Rfc822Text,
    /// `SAVEDATE` (RFC 8514 §4.2)
    SaveDate,
    /// `THREADID` (RFC 8474 §5.2)
    ThreadId,
    /// `UID`
    Uid,
    /// `MODSEQ` (RFC 7162)
    ModSeq,
    /// `BINARY[part]<partial>` or `BINARY.PEEK[…]`: the part without its transfer encoding (RFC 3516 §4.2).
    Binary {
        /// The part number; empty means the whole message.
        part: Vec<u32>,
        /// `<start.length>` of what is decoded.
        partial: Option<Partial>,
        /// `BINARY.PEEK`: do not set `\Seen`.
        peek: bool,
    },
    /// `BINARY.SIZE[part]`: how many octets `BINARY[part]` has (RFC 3516 §4.2).
    BinarySize {
        /// The part number; empty means the whole message.
        part: Vec<u32>,
    },
    /// `PREVIEW`: the first words of the message (RFC 8970 §3).
    Preview {
        /// `(LAZY)`: only when they are at hand.
        lazy: bool,
    },
}

impl FetchItem {
    /// Whether fetching it sets `\Seen` (RFC 3501 §6.4.5).
    pub const fn sets_seen(&self) -> bool {
        matches!(
            self,
            Self::BodySection { peek: false, .. } | Self::Binary { peek: false, .. } | Self::Rfc822 | Self::Rfc822Text
        )
    }

    pub(crate) fn fast() -> Vec<Self> {
        vec![Self::Flags, Self::InternalDate, Self::Rfc822Size]
    }

    pub(crate) fn all() -> Vec<Self> {
        vec![Self::Flags, Self::InternalDate, Self::Rfc822Size, Self::Envelope]
    }

    pub(crate) fn full() -> Vec<Self> {
        vec![Self::Flags, Self::InternalDate, Self::Rfc822Size, Self::Envelope, Self::Body]
    }
}
