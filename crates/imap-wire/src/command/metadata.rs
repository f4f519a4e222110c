//! Annotations (RFC 5464): GETMETADATA, SETMETADATA, and the names of entries.

use std::fmt;

use crate::limits::ENTRY_NAME_MAX;
use crate::mailbox_name::MailboxName;

/// The name of an entry (RFC 5464 §3.2), in lower case: entry names have no case.
///
/// Invariant: it begins with `/shared` or `/private`; no component is empty; printable ASCII without `*` and `%`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EntryName(Box<str>);

/// Why a text is not the name of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryFlaw {
    /// It does not begin with `/shared` or `/private`.
    Scope,
    /// Two slashes in a row, or one at the end.
    EmptyComponent,
    /// A wildcard, a control character, or something that is not ASCII.
    Character,
    /// Only a scope, or `vendor` without the name of an entry of a vendor's product.
    TooShort,
    /// Longer than [`crate::limits::ENTRY_NAME_MAX`].
    TooLong,
}

impl EntryName {
    /// Reads the whole name of an entry: two components, four below `vendor`.
    ///
    /// # Errors
    /// The rule that it breaks.
    pub fn parse(text: &[u8]) -> Result<Self, EntryFlaw> {
        let name = Self::parse_above(text)?;
        let components: Vec<&str> = name.0.split('/').skip(1).collect();
        match components.as_slice() {
            [_] | [_, "vendor"] | [_, "vendor", _] => Err(EntryFlaw::TooShort),
            _ => Ok(name),
        }
    }

    /// Reads a name that may also be one above the names of entries: where DEPTH asks for what is below.
    ///
    /// # Errors
    /// The rule that it breaks.
    pub fn parse_above(text: &[u8]) -> Result<Self, EntryFlaw> {
        if text.len() > ENTRY_NAME_MAX {
            return Err(EntryFlaw::TooLong);
        }
        if text.iter().any(|&b| !matches!(b, b' '..=b'~') || matches!(b, b'*' | b'%')) {
            return Err(EntryFlaw::Character);
        }
        let name = String::from_utf8_lossy(text).to_ascii_lowercase();
        let mut components = name.split('/');
        if components.next() != Some("") || !matches!(components.next(), Some("shared" | "private")) {
            return Err(EntryFlaw::Scope);
        }
        if components.any(str::is_empty) {
            return Err(EntryFlaw::EmptyComponent);
        }
        Ok(Self(name.into()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether each person has their own value: `/private/…`.
    #[must_use]
    pub fn is_private(&self) -> bool {
        self.0.starts_with("/private")
    }

    /// How many levels below this name another one is; `None` when it is not below it, 0 for the same.
    #[must_use]
    pub fn levels_to(&self, other: &str) -> Option<usize> {
        let rest = other.strip_prefix(&*self.0)?;
        (rest.is_empty() || rest.starts_with('/')).then(|| rest.matches('/').count())
    }
}

impl fmt::Display for EntryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl EntryFlaw {
    /// What to tell the client.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Scope => "an entry name begins with /shared/ or /private/",
            Self::EmptyComponent => "an entry name has no empty component",
            Self::Character => "an entry name is printable ASCII without * and %",
            Self::TooShort => "the entry name has too few components",
            Self::TooLong => "the entry name is too long",
        }
    }
}

/// How far below the named entries GETMETADATA looks (RFC 5464 §4.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Depth {
    /// `0`: the entries themselves.
    #[default]
    Entry,
    /// `1`: what is immediately below them, too.
    Children,
    /// `infinity`: all that is below them, too.
    All,
}

impl Depth {
    /// Whether an entry so many levels below a named one is asked for.
    #[must_use]
    pub const fn reaches(self, levels: usize) -> bool {
        match self {
            Self::Entry => levels == 0,
            Self::Children => levels <= 1,
            Self::All => true,
        }
    }
}

/// Which entries GETMETADATA, and LIST with RETURN METADATA (RFC 9590), are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetadataQuery {
    /// The names; at least one, each once.
    pub entries: Vec<EntryName>,
    /// Values longer than so many octets are left out.
    pub size_max: Option<u64>,
    /// How far below the names to look.
    pub depth: Depth,
}

impl MetadataQuery {
    /// Whether an entry is asked for, by its name in lower case.
    #[must_use]
    pub fn asks_for(&self, name: &str) -> bool {
        self.entries.iter().any(|entry| entry.levels_to(name).is_some_and(|levels| self.depth.reaches(levels)))
    }
}

/// GETMETADATA (RFC 5464 §4.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetMetadata {
    /// Of which mailbox; an empty name: of the server.
    pub mailbox: MailboxName,
    /// What.
    pub query: MetadataQuery,
}

/// An entry with its value; `None` for none.
pub type EntryValue = (EntryName, Option<Vec<u8>>);

/// SETMETADATA (RFC 5464 §4.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetMetadata {
    /// Of which mailbox; an empty name: of the server.
    pub mailbox: MailboxName,
    /// At least one entry, each once, with its new value; `None` removes it.
    pub entries: Vec<EntryValue>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entry_names_have_rules() {
        for (text, expected) in [
            ("/shared/comment", Ok("/shared/comment")),
            ("/Private/Comment", Ok("/private/comment")),
            ("/shared/vendor/x/y", Ok("/shared/vendor/x/y")),
            ("/private/filters/values/a b", Ok("/private/filters/values/a b")),
            ("/shared", Err(EntryFlaw::TooShort)),
            ("/shared/vendor", Err(EntryFlaw::TooShort)),
            ("/shared/vendor/x", Err(EntryFlaw::TooShort)),
            ("/shared/", Err(EntryFlaw::EmptyComponent)),
            ("/shared//x", Err(EntryFlaw::EmptyComponent)),
            ("/shared/x/", Err(EntryFlaw::EmptyComponent)),
            ("/comment", Err(EntryFlaw::Scope)),
            ("shared/comment", Err(EntryFlaw::Scope)),
            ("/sharedx/comment", Err(EntryFlaw::Scope)),
            ("", Err(EntryFlaw::Scope)),
            ("/shared/*", Err(EntryFlaw::Character)),
            ("/shared/%", Err(EntryFlaw::Character)),
            ("/shared/\u{e9}", Err(EntryFlaw::Character)),
            ("/shared/\u{1}", Err(EntryFlaw::Character)),
        ] {
            let read = EntryName::parse(text.as_bytes());
            assert_eq!(read.as_ref().map(EntryName::as_str).map_err(|flaw| *flaw), expected, "{text}");
        }
        assert_eq!(EntryName::parse(&[b'/'; ENTRY_NAME_MAX + 1]), Err(EntryFlaw::TooLong));
        assert!(EntryName::parse_above(b"/shared").is_ok() && EntryName::parse_above(b"/shared/vendor").is_ok());
    }

    #[test]
    fn depth_counts_components() {
        let query = |depth| MetadataQuery {
            entries: vec![EntryName::parse_above(b"/shared/a").unwrap()],
            size_max: None,
            depth,
        };
        let names = ["/shared/a", "/shared/a/b", "/shared/a/b/c", "/shared/ab", "/private/a"];
        for (depth, expected) in [
            (Depth::Entry, [true, false, false, false, false]),
            (Depth::Children, [true, true, false, false, false]),
            (Depth::All, [true, true, true, false, false]),
        ] {
            assert_eq!(names.map(|name| query(depth).asks_for(name)), expected, "{depth:?}");
        }
    }
}
