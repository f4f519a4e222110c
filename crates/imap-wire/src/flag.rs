//! Flags of messages: the five system flags a client may set, and keywords (RFC 3501 §2.3.2).
//!
//! One flag as commands name it; [`mail::Flags`] is the set that the store keeps. A keyword is an atom, so it is written
//! without quotes everywhere.

use std::fmt;

use mail::{Flags, Keyword, SystemFlags};

/// A flag that a client may set. `\Recent` is the server's alone and is no variant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Flag {
    /// `\Answered`
    Answered,
    /// `\Deleted`
    Deleted,
    /// `\Draft`
    Draft,
    /// `\Flagged`
    Flagged,
    /// `\Seen`
    Seen,
    /// A keyword such as `$Forwarded`.
    Keyword(Keyword),
}

impl Flag {
    /// The five system flags, in the order in which FLAGS lists them.
    pub const SYSTEM: [Self; 5] = [Self::Answered, Self::Flagged, Self::Deleted, Self::Seen, Self::Draft];

    /// The system flag of that name, without its backslash, in any case.
    pub fn system(name: &[u8]) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_slice() {
            b"answered" => Self::Answered,
            b"deleted" => Self::Deleted,
            b"draft" => Self::Draft,
            b"flagged" => Self::Flagged,
            b"seen" => Self::Seen,
            _ => return None,
        })
    }

    /// A flag as it is written, `\Seen` or `$Forwarded`.
    pub fn parse(text: &[u8]) -> Option<Self> {
        match text.strip_prefix(b"\\") {
            Some(name) => Self::system(name),
            None => Keyword::parse(str::from_utf8(text).ok()?).ok().map(Self::Keyword),
        }
    }

    /// The flags of a set, as they are listed.
    pub fn all_in(flags: &Flags) -> impl Iterator<Item = Self> + '_ {
        let system = Self::SYSTEM.into_iter().filter(|flag| flags.system.contains(flag.bit()));
        system.chain(flags.keywords.iter().cloned().map(Self::Keyword))
    }

    /// Whether it is in a set.
    pub fn is_in(&self, flags: &Flags) -> bool {
        if let Self::Keyword(keyword) = self {
            return flags.keywords.contains(keyword);
        }
        flags.system.contains(self.bit())
    }

    /// The bit of a system flag; no bit for a keyword.
    pub const fn bit(&self) -> SystemFlags {
        match self {
            Self::Answered => SystemFlags::ANSWERED,
            Self::Deleted => SystemFlags::DELETED,
            Self::Draft => SystemFlags::DRAFT,
            Self::Flagged => SystemFlags::FLAGGED,
            Self::Seen => SystemFlags::SEEN,
            Self::Keyword(_) => SystemFlags(0),
        }
    }

    /// The flag as it is written.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Answered => "\\Answered",
            Self::Deleted => "\\Deleted",
            Self::Draft => "\\Draft",
            Self::Flagged => "\\Flagged",
            Self::Seen => "\\Seen",
            Self::Keyword(keyword) => keyword.as_str(),
        }
    }
}

impl fmt::Display for Flag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The flags as the store keeps them.
impl FromIterator<Flag> for Flags {
    fn from_iter<I: IntoIterator<Item = Flag>>(list: I) -> Self {
        let mut flags = Self::default();
        for flag in list {
            flags.system = flags.system.union(flag.bit());
            if let Flag::Keyword(keyword) = flag {
                flags.keywords.insert(keyword);
            }
        }
        flags
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_read_in_any_case_and_keywords_checked() {
        assert_eq!(Flag::parse(b"\\sEEn"), Some(Flag::Seen));
        assert_eq!(Flag::parse(b"$Forwarded").unwrap().as_str(), "$Forwarded");
        for bad in [&b""[..], b"\\", b"\\Recent", b"\\Foo", b"a b", b"a(", b"a]", b"a*", b"\xc3\xa9", &[b'k'; 65]] {
            assert_eq!(Flag::parse(bad), None, "{bad:?}");
        }
        for flag in Flag::SYSTEM {
            assert_eq!(Flag::parse(flag.as_str().as_bytes()), Some(flag));
        }
    }

    #[test]
    fn lists_and_sets() {
        let list: Vec<Flag> =
            ["\\Seen", "b", "\\Answered", "a", "B"].iter().filter_map(|f| Flag::parse(f.as_bytes())).collect();
        let set: Flags = list.into_iter().collect();
        assert_eq!(Flag::all_in(&set).map(|f| f.to_string()).collect::<Vec<_>>(), ["\\Answered", "\\Seen", "a", "b"]);
        assert!(Flag::parse(b"\\seen").unwrap().is_in(&set) && Flag::parse(b"A").unwrap().is_in(&set));
        assert!(!Flag::Draft.is_in(&set) && !Flag::parse(b"c").unwrap().is_in(&set));
    }
}
