//! Special-use attributes of mailboxes (RFC 6154 §2).

use serde::{Deserialize, Serialize};

/// What a mailbox is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum SpecialUse {
    /// `\Archive`
    Archive,
    /// `\Drafts`
    Drafts,
    /// `\Junk`
    Junk,
    /// `\Sent`
    Sent,
    /// `\Trash`
    Trash,
}

impl SpecialUse {
    /// Every use that a mailbox of ours can have.
    pub const ALL: [Self; 5] = [Self::Archive, Self::Drafts, Self::Junk, Self::Sent, Self::Trash];

    /// The attribute, with its backslash.
    #[must_use]
    pub const fn attribute(self) -> &'static str {
        match self {
            Self::Archive => "\\Archive",
            Self::Drafts => "\\Drafts",
            Self::Junk => "\\Junk",
            Self::Sent => "\\Sent",
            Self::Trash => "\\Trash",
        }
    }

    /// The use that an attribute (with backslash, any case) names.
    #[must_use]
    pub fn from_attribute(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.attribute().eq_ignore_ascii_case(text))
    }
}
