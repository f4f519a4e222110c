//! Names of mailboxes on the wire: modified UTF-7 (RFC 3501 §5.1.3), or UTF-8 once a client has enabled it (RFC 6855, RFC 9051
//! §5.1).
//!
//! Invariant: a [`MailboxName`] holds Unicode text in normalisation form C without control characters, and INBOX, which has no
//! case, as `INBOX`.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use unicode_normalization::{UnicodeNormalization, is_nfc};

use crate::utf7;

/// How names travel in this session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NameEncoding {
    /// RFC 3501: printable ASCII, everything else in modified base64.
    #[default]
    ModifiedUtf7,
    /// RFC 6855, RFC 9051: `ENABLE UTF8=ACCEPT` or `ENABLE IMAP4rev2` was given.
    Utf8,
}

/// The name of a mailbox, decoded. It may be empty: that no such mailbox exists is the store's answer. Names are equal however
/// they were spelt.
#[derive(Debug, Clone)]
pub struct MailboxName {
    name: Box<str>,
    /// As the client wrote it, where that is another spelling.
    supplied: Option<Box<str>>,
}

impl MailboxName {
    /// The one name that has no case.
    pub const INBOX: &'static str = "INBOX";

    /// Decodes what a client sent.
    pub fn decode(wire: &[u8], encoding: NameEncoding) -> Result<Self, NameFlaw> {
        Ok(Self::spelt(decode_raw(wire, encoding)?))
    }

    /// A name that is already Unicode, from the store for instance.
    pub fn new(text: &str) -> Result<Self, NameFlaw> {
        check(text.as_bytes())?;
        Ok(Self::spelt(text.to_owned()))
    }

    fn spelt(text: String) -> Self {
        match normalise(&text) {
            Cow::Owned(name) => Self { name: name.into(), supplied: Some(text.into()) },
            Cow::Borrowed(_) => Self { name: text.into(), supplied: None },
        }
    }

    /// What the client wrote, when that is not the name itself: in another normalisation form, or INBOX in other case (RFC 9051
    /// §6.3.9.7).
    pub fn supplied(&self) -> Option<&str> {
        self.supplied.as_deref()
    }

    /// The name as Unicode text.
    pub fn as_str(&self) -> &str {
        &self.name
    }

    /// Whether it is INBOX.
    pub fn is_inbox(&self) -> bool {
        &*self.name == Self::INBOX
    }

    /// The name as it travels.
    pub fn encode(&self, encoding: NameEncoding) -> Cow<'_, str> {
        match encoding {
            NameEncoding::ModifiedUtf7 => utf7::encode(&self.name),
            NameEncoding::Utf8 => Cow::Borrowed(&self.name),
        }
    }
}

impl PartialEq for MailboxName {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for MailboxName {}

impl Hash for MailboxName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl PartialOrd for MailboxName {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for MailboxName {
    fn cmp(&self, other: &Self) -> Ordering {
        self.name.cmp(&other.name)
    }
}

impl fmt::Display for MailboxName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// Decodes a name, a LIST reference or a LIST pattern (wildcards are printable ASCII and stay what they are).
pub(crate) fn decode_text(wire: &[u8], encoding: NameEncoding) -> Result<String, NameFlaw> {
    decode_raw(wire, encoding).map(|text| normalise(&text).into_owned())
}

fn decode_raw(wire: &[u8], encoding: NameEncoding) -> Result<String, NameFlaw> {
    check(wire)?;
    let text = match encoding {
        // RFC 6855 §3: UTF-8 names in place of modified UTF-7; a name in pure ASCII is itself, `&` included.
        NameEncoding::Utf8 => str::from_utf8(wire).map_err(|_| NameFlaw::NotUtf8)?.to_owned(),
        NameEncoding::ModifiedUtf7 => utf7::decode(wire).ok_or(NameFlaw::NotUtf7)?,
    };
    check(text.as_bytes())?;
    Ok(text)
}

fn check(bytes: &[u8]) -> Result<(), NameFlaw> {
    if bytes.iter().any(|&b| b < 0x20 || b == 0x7f) { Err(NameFlaw::Control) } else { Ok(()) }
}

/// The one spelling of a name (RFC 9051 §5.1: NFC); borrowed when it is in it already.
fn normalise(text: &str) -> Cow<'_, str> {
    if text.eq_ignore_ascii_case(MailboxName::INBOX) && text != MailboxName::INBOX {
        return Cow::Owned(MailboxName::INBOX.to_owned());
    }
    if text.is_ascii() || is_nfc(text) { Cow::Borrowed(text) } else { Cow::Owned(text.nfc().collect()) }
}

/// Why bytes are not the name of a mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameFlaw {
    /// A control character.
    Control,
    /// Not modified UTF-7 in the one way in which a name may be written.
    NotUtf7,
    /// Not UTF-8, in a session that has enabled it.
    NotUtf8,
}

impl NameFlaw {
    /// What to tell the client.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Control => "a mailbox name has no control characters",
            Self::NotUtf7 => "the mailbox name is not in modified UTF-7",
            Self::NotUtf8 => "the mailbox name is not in UTF-8",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inbox_has_no_case_and_other_names_have() {
        for wire in ["INBOX", "inbox", "InBoX"] {
            assert!(MailboxName::decode(wire.as_bytes(), NameEncoding::ModifiedUtf7).unwrap().is_inbox());
            assert!(MailboxName::new(wire).unwrap().is_inbox());
        }
        assert_eq!(MailboxName::decode(b"Sent", NameEncoding::ModifiedUtf7).unwrap().as_str(), "Sent");
    }

    #[test]
    fn names_are_in_one_normalisation_form() {
        // "Ca" + "fe" with a combining acute accent.
        let name = MailboxName::decode("Cafe\u{301}".as_bytes(), NameEncoding::Utf8).unwrap();
        assert_eq!((name.as_str(), name.supplied()), ("Caf\u{e9}", Some("Cafe\u{301}")));
        assert_eq!(name, MailboxName::new("Caf\u{e9}").unwrap());
        assert_eq!(MailboxName::new("Caf\u{e9}").unwrap().supplied(), None);
        assert_eq!(MailboxName::decode(b"Cafe&AwE-", NameEncoding::ModifiedUtf7).unwrap(), name);
        assert_eq!(decode_text("*e\u{301}%".as_bytes(), NameEncoding::Utf8).unwrap(), "*\u{e9}%");
        assert_eq!(MailboxName::new("inbox").unwrap().supplied(), Some("inbox"));
    }

    #[test]
    fn encodings() {
        let name = MailboxName::decode(b"~peter/mail/&U,BTFw-/&ZeVnLIqe-", NameEncoding::ModifiedUtf7).unwrap();
        assert_eq!(name.as_str(), "~peter/mail/\u{53f0}\u{5317}/\u{65e5}\u{672c}\u{8a9e}");
        assert_eq!(name.encode(NameEncoding::ModifiedUtf7), "~peter/mail/&U,BTFw-/&ZeVnLIqe-");
        assert_eq!(MailboxName::decode(name.as_str().as_bytes(), NameEncoding::Utf8).unwrap(), name);
        assert_eq!(MailboxName::decode("é".as_bytes(), NameEncoding::ModifiedUtf7), Err(NameFlaw::NotUtf7));
        assert_eq!(MailboxName::decode(b"\xe9", NameEncoding::Utf8), Err(NameFlaw::NotUtf8));
        assert_eq!(MailboxName::decode(b"a\tb", NameEncoding::ModifiedUtf7), Err(NameFlaw::Control));
        assert_eq!(MailboxName::decode(b"&AAA-", NameEncoding::ModifiedUtf7), Err(NameFlaw::Control));
    }
}
