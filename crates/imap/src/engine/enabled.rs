//! What a session has switched on: by ENABLE (RFC 5161), or by a command that says that the client knows of it.
//!
//! Nothing is ever switched off but by UNAUTHENTICATE (RFC 8437 §3), which makes the session a new one.

use imap_wire::NameEncoding;
use imap_wire::response::TextCharset;

use super::language::Language;

/// The extensions that change how a session speaks. None is on at the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Enabled {
    /// The client knows MODSEQs (RFC 7162 §3.1): FETCH responses carry them.
    pub(crate) condstore: bool,
    /// VANISHED takes the place of EXPUNGE (RFC 7162 §3.2.3). Never without `condstore`.
    pub(crate) qresync: bool,
    /// Names and texts travel in UTF-8 (RFC 6855 §3).
    pub(crate) utf8: bool,
    /// The client speaks IMAP4rev2 (RFC 9051 §6.3.1): UTF-8 as with `utf8`, ESEARCH for every SEARCH, no `\Recent`.
    pub(crate) rev2: bool,
    /// No sequence numbers, in neither direction (RFC 9586 §3).
    pub(crate) uid_only: bool,
    /// The language of what is said to people (RFC 5255 §3).
    pub(crate) language: Language,
}

impl Enabled {
    /// What texts for people are made of.
    pub(crate) const fn text_charset(self) -> TextCharset {
        if self.language.is_chosen() { TextCharset::Utf8 } else { TextCharset::Ascii }
    }

    /// How names of mailboxes travel.
    pub(crate) const fn name_encoding(self) -> NameEncoding {
        if self.utf8 || self.rev2 { NameEncoding::Utf8 } else { NameEncoding::ModifiedUtf7 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_in_utf8_for_who_has_asked_for_it() {
        let plain = Enabled::default();
        assert_eq!(plain.name_encoding(), NameEncoding::ModifiedUtf7);
        assert_eq!(Enabled { condstore: true, qresync: true, ..plain }.name_encoding(), NameEncoding::ModifiedUtf7);
        assert_eq!(Enabled { utf8: true, ..plain }.name_encoding(), NameEncoding::Utf8);
        assert_eq!(Enabled { rev2: true, ..plain }.name_encoding(), NameEncoding::Utf8);
    }
}
