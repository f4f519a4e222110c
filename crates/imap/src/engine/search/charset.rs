//! Texts to search for, from the charset of the command (RFC 3501 §6.4.4) to Unicode.

use encoding_rs::{Encoding, REPLACEMENT, UTF_8, UTF_16BE, X_USER_DEFINED};
use imap_wire::SearchText;

/// The charsets that BADCHARSET names: the two that RFC 3501 asks for, and the most usual ones beside them. UTF-16 is read, but of
/// little use: no literal of SEARCH holds the NULs of its Latin letters.
pub(crate) const CHARSETS: [&str; 5] = ["US-ASCII", "UTF-8", "ISO-8859-1", "ISO-8859-15", "WINDOWS-1252"];

/// How texts are decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Charset(&'static Encoding);

impl Default for Charset {
    /// UTF-8, of which US-ASCII is a part.
    fn default() -> Self {
        Self(UTF_8)
    }
}

impl Charset {
    /// The charset of a name; `None` when it is not known.
    pub(crate) fn named(name: Option<&str>) -> Option<Self> {
        let Some(name) = name else { return Some(Self::default()) };
        match name.to_ascii_uppercase().as_str() {
            // Eight-bit octets under the name of US-ASCII are UTF-8, if they are anything.
            "US-ASCII" => Some(Self::default()),
            // RFC 2781 §4.3: without a mark of its order, UTF-16 has the big octet first.
            "UTF-16" => Some(Self(UTF_16BE)),
            name => {
                let known = Encoding::for_label_no_replacement(name.as_bytes());
                known.filter(|encoding| *encoding != X_USER_DEFINED && *encoding != REPLACEMENT).map(Self)
            }
        }
    }

    /// The text; `None` when it is not in this charset.
    pub(crate) fn decode(self, text: &SearchText) -> Option<String> {
        let octets = text.as_bytes();
        let (encoding, mark) = Encoding::for_bom(octets)
            .filter(|(marked, _)| *marked == self.0 || self.0 == UTF_16BE)
            .unwrap_or((self.0, 0));
        let text = octets.get(mark..).unwrap_or_default();
        encoding.decode_without_bom_handling_and_without_replacement(text).map(std::borrow::Cow::into_owned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(name: &str, octets: &[u8]) -> Option<String> {
        Charset::named(Some(name)).unwrap().decode(&SearchText::new(octets))
    }

    #[test]
    fn the_named_charsets_are_known() {
        for name in CHARSETS {
            assert!(Charset::named(Some(name)).is_some(), "{name}");
        }
        for name in ["KLINGON", "", "x-user-defined", "ISO-2022-KR"] {
            assert_eq!(Charset::named(Some(name)), None, "{name}");
        }
        assert_eq!(Charset::named(None), Some(Charset::default()));
    }

    #[test]
    fn texts_become_unicode() {
        assert_eq!(decode("UTF-8", "grüße".as_bytes()).unwrap(), "grüße");
        assert_eq!(decode("us-ascii", "grüße".as_bytes()).unwrap(), "grüße");
        assert_eq!(decode("ISO-8859-1", b"gr\xfc\xdfe").unwrap(), "grüße");
        assert_eq!(decode("iso-8859-15", b"10 \xa4").unwrap(), "10 €");
        assert_eq!(decode("WINDOWS-1252", b"\x80").unwrap(), "€");
        assert_eq!(decode("UTF-16", b"\x65\xe5\x67\x2c").unwrap(), "日本");
        assert_eq!(decode("UTF-16", b"\xff\xfe\xe5\x65\x2c\x67").unwrap(), "日本");
        assert_eq!(decode("SHIFT_JIS", b"\x93\xfa\x96{").unwrap(), "日本");
        assert_eq!(decode("UTF-8", b"\xff"), None);
        assert_eq!(decode("UTF-16", b"\xd8\x00"), None);
    }
}
