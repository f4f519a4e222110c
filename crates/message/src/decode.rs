//! From what was sent to what people read: RFC 2047, transfer encodings, charsets. Never fails; what cannot be read
//! becomes U+FFFD.

use std::borrow::Cow;

use mail_parser::{Charset, Encoding, HeaderForm};

use crate::charset_reader::known_charset;

/// `Content-Transfer-Encoding`: RFC 2045 §6.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TransferEncoding {
    /// `7bit`, the default.
    #[default]
    SevenBit,
    /// `8bit`.
    EightBit,
    /// `binary`.
    Binary,
    /// `quoted-printable`.
    QuotedPrintable,
    /// `base64`.
    Base64,
    /// Unknown: the body cannot be decoded (RFC 2045 §6.4).
    Other,
}

impl TransferEncoding {
    /// Reads the name, in any case; absent is `7bit`.
    pub fn from_field(name: Option<&[u8]>) -> Self {
        let Some(name) = name else { return Self::SevenBit };
        let known: [(&[u8], Self); 5] = [
            (b"7bit", Self::SevenBit),
            (b"8bit", Self::EightBit),
            (b"binary", Self::Binary),
            (b"quoted-printable", Self::QuotedPrintable),
            (b"base64", Self::Base64),
        ];
        known
            .into_iter()
            .find_map(|(known, encoding)| known.eq_ignore_ascii_case(name).then_some(encoding))
            .unwrap_or(Self::Other)
    }

    pub(crate) fn code(self) -> u8 {
        match self {
            Self::SevenBit => 0,
            Self::EightBit => 1,
            Self::Binary => 2,
            Self::QuotedPrintable => 3,
            Self::Base64 => 4,
            Self::Other => 5,
        }
    }

    pub(crate) fn from_code(code: u8) -> Option<Self> {
        [Self::SevenBit, Self::EightBit, Self::Binary, Self::QuotedPrintable, Self::Base64, Self::Other]
            .into_iter()
            .find(|encoding| encoding.code() == code)
    }
}

/// A header value with its RFC 2047 words decoded and its lines joined; raw UTF-8 (RFC 6532) passes.
pub fn decode_header(raw: &[u8]) -> String {
    let parsed = HeaderForm::Text.parse(raw);
    let text = parsed.value().as_text().map(ToOwned::to_owned);
    text.unwrap_or_else(|| String::from_utf8_lossy(raw.trim_ascii()).into_owned())
}

/// A body without its transfer encoding. Borrowed when there is none.
pub fn decode_bytes(bytes: &[u8], encoding: TransferEncoding) -> Cow<'_, [u8]> {
    match encoding {
        TransferEncoding::Base64 => Encoding::Base64.decode(bytes),
        TransferEncoding::QuotedPrintable => Encoding::QuotedPrintable.decode(bytes),
        TransferEncoding::SevenBit
        | TransferEncoding::EightBit
        | TransferEncoding::Binary
        | TransferEncoding::Other => Cow::Borrowed(bytes),
    }
}

/// The text of a body: transfer encoding, then charset. Without a charset, or with one that is unknown or a lie, UTF-8 is
/// tried and then windows-1252, which reads anything.
pub fn decode_text(bytes: &[u8], encoding: TransferEncoding, charset: Option<&[u8]>) -> String {
    let decoded = decode_bytes(bytes, encoding);
    match known_charset(charset) {
        Some(charset) => charset.decode(&decoded).into_owned(),
        None => match str::from_utf8(&decoded) {
            Ok(text) => text.to_owned(),
            Err(_) => Charset::Windows1252.decode(&decoded).into_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn header_words_are_decoded() {
        assert_eq!(decode_header(b"=?utf-8?Q?Gr=C3=BC=C3=9Fe?= aus"), "Grüße aus");
        assert_eq!(decode_header(b"=?iso-8859-1?B?R3L832U=?="), "Grüße");
        assert_eq!(decode_header(b"=?utf-8?Q?a?=\r\n =?utf-8?Q?b?="), "ab");
        assert_eq!(decode_header("  rohes Ü\r\n zwei ".as_bytes()), "rohes Ü zwei");
        assert_eq!(decode_header(b""), "");
        assert!(decode_header(b"a \xFF b").starts_with("a "));
    }

    #[test]
    fn texts_are_decoded() {
        assert_eq!(decode_text(b"R3L8w59l", TransferEncoding::Base64, Some(b"utf-8")).chars().next(), Some('G'));
        assert_eq!(decode_text(b"Gr=FC=DFe=\r\n!", TransferEncoding::QuotedPrintable, Some(b"ISO-8859-1")), "Grüße!");
        assert_eq!(decode_text(b"Gr\xFC\xDFe", TransferEncoding::EightBit, Some(b"us-ascii")), "Grüße");
        assert_eq!(decode_text("Grüße".as_bytes(), TransferEncoding::EightBit, None), "Grüße");
        assert_eq!(decode_text("Grüße".as_bytes(), TransferEncoding::EightBit, Some(b"x-nothing")), "Grüße");
        assert_eq!(decode_text(b"\x93\xFA\x96{", TransferEncoding::EightBit, Some(b"shift_jis")), "日本");
    }

    proptest! {
        #[test]
        fn nothing_panics(bytes: Vec<u8>, charset: Vec<u8>) {
            decode_header(&bytes);
            for encoding in (0..6).filter_map(TransferEncoding::from_code) {
                decode_text(&bytes, encoding, Some(&charset));
            }
        }
    }
}
