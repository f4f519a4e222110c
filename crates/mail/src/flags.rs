//! Message flags: the system flags of RFC 3501 §2.3.2 and keywords.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

/// The five system flags that are stored, as a bit set. `\Recent` belongs to sessions, not to messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SystemFlags(pub u8);

impl SystemFlags {
    /// `\Seen`
    pub const SEEN: Self = Self(1);
    /// `\Answered`
    pub const ANSWERED: Self = Self(2);
    /// `\Flagged`
    pub const FLAGGED: Self = Self(4);
    /// `\Deleted`
    pub const DELETED: Self = Self(8);
    /// `\Draft`
    pub const DRAFT: Self = Self(16);
    /// Each flag with its name, in the order in which they are listed.
    pub const ALL: [(Self, &'static str); 5] = [
        (Self::ANSWERED, "\\Answered"),
        (Self::FLAGGED, "\\Flagged"),
        (Self::DELETED, "\\Deleted"),
        (Self::SEEN, "\\Seen"),
        (Self::DRAFT, "\\Draft"),
    ];

    /// Whether all flags of `other` are set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both sets together.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// This set without the other.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The flag of that name (`\Seen`), in any case.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| known.eq_ignore_ascii_case(name)).map(|(flag, _)| *flag)
    }
}

/// A keyword (RFC 3501 §2.3.2): an atom, compared without case, printed as first written.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Keyword(String);

/// Why a text is no keyword.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeywordFlaw {
    /// Empty, or over 64 octets.
    #[error("a keyword has 1 to 64 characters")]
    Length,
    /// Not an IMAP atom.
    #[error("a keyword may not contain that character")]
    BadCharacter,
}

impl Keyword {
    /// Checks and takes a keyword.
    ///
    /// # Errors
    /// When it is no atom of RFC 3501 §9, or too long.
    pub fn parse(text: &str) -> Result<Self, KeywordFlaw> {
        if text.is_empty() || text.len() > 64 {
            return Err(KeywordFlaw::Length);
        }
        let atom = |b: u8| b.is_ascii_graphic() && !b"(){%*\"\\]".contains(&b);
        if text.bytes().all(atom) { Ok(Self(text.to_owned())) } else { Err(KeywordFlaw::BadCharacter) }
    }

    /// As first written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn folded(&self) -> impl Iterator<Item = u8> + '_ {
        self.0.bytes().map(|b| b.to_ascii_lowercase())
    }
}

impl PartialEq for Keyword {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for Keyword {}

impl PartialOrd for Keyword {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Keyword {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.folded().cmp(other.folded())
    }
}

impl fmt::Display for Keyword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Keyword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Keyword {
    type Error = KeywordFlaw;

    fn try_from(text: String) -> Result<Self, KeywordFlaw> {
        Self::parse(&text)
    }
}

impl From<Keyword> for String {
    fn from(keyword: Keyword) -> Self {
        keyword.0
    }
}

/// The flags of one message.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flags {
    /// System flags.
    pub system: SystemFlags,
    /// Keywords.
    pub keywords: BTreeSet<Keyword>,
}

impl Flags {
    /// System flags only.
    #[must_use]
    pub fn system(system: SystemFlags) -> Self {
        Self { system, keywords: BTreeSet::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_ignore_case_but_keep_it() {
        let a = Keyword::parse("$Forwarded").unwrap();
        let b = Keyword::parse("$FORWARDED").unwrap();
        assert_eq!(a, b);
        assert_eq!(BTreeSet::from([a, b]).len(), 1);
        for bad in ["", "a b", "\\Seen", "a(b", "é"] {
            assert!(Keyword::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn system_flags_have_their_names() {
        for (flag, name) in SystemFlags::ALL {
            assert_eq!(SystemFlags::from_name(&name.to_uppercase()), Some(flag));
        }
        assert_eq!(SystemFlags::from_name("\\Recent"), None);
    }
}
