//! Flags of messages: the five system flags a client may set, and keywords (RFC 3501 §2.3.2).
//!
//! Invariant: a [`Keyword`] is an atom of bounded length, so it can be written without quoting anywhere.

use std::fmt;

use crate::chars::is_atom_char;
use crate::limits::KEYWORD_MAX;

/// A flag that a client may set. `\Recent` is the server's alone and is no variant.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
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
            None => Keyword::new(text).map(Self::Keyword),
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

/// A keyword: an atom as the client wrote it. RFC 9051 §2.3.2 compares keywords without regard to case;
/// equality here is exact, the store decides.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Keyword(Box<str>);

impl Keyword {
    /// A keyword, when the bytes are an atom of acceptable length.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let valid = !bytes.is_empty() && bytes.len() <= KEYWORD_MAX && bytes.iter().copied().all(is_atom_char);
        let text = valid.then(|| str::from_utf8(bytes).ok())??;
        Some(Self(text.into()))
    }

    /// The keyword as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Keyword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_read_in_any_case_and_keywords_checked() {
        assert_eq!(Flag::parse(b"\\sEEn"), Some(Flag::Seen));
        assert_eq!(Flag::parse(b"$Forwarded").unwrap().as_str(), "$Forwarded");
        for bad in [&b""[..], b"\\", b"\\Recent", b"\\Foo", b"a b", b"a(", b"a]", b"a*", b"\xc3\xa9", &[b'k'; 256]] {
            assert_eq!(Flag::parse(bad), None, "{bad:?}");
        }
        for flag in Flag::SYSTEM {
            assert_eq!(Flag::parse(flag.as_str().as_bytes()), Some(flag));
        }
    }
}
