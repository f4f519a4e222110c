//! Texts in any charset, in pieces: a character that is cut is read with the next piece.

use encoding_rs::{CoderResult, Decoder, Encoding};
use mail_parser::Charset;

use crate::limits::UTF7_RUN_OCTETS_MAX;

/// Decodes one text.
#[derive(Debug)]
pub(crate) struct CharsetReader(Kind);

#[derive(Debug)]
enum Kind {
    /// No charset that is known: ASCII so far, or octets that wait until it is known whether all of the text is UTF-8.
    Unknown(Vec<u8>),
    /// With the beginning of a character.
    Utf8(Vec<u8>),
    /// Each octet is a character.
    OctetByOctet(Charset),
    /// With what has come of characters that are shifted.
    Utf7(Vec<u8>),
    /// Before its byte order mark.
    Utf16(Vec<u8>),
    /// Several octets to a character.
    Stateful(Box<Decoder>),
}

/// The charset of a label, unless it says nothing: US-ASCII with octets above 127 is a lie.
pub(crate) fn known_charset(label: Option<&[u8]>) -> Option<Charset> {
    let label = label.filter(|label| !label.eq_ignore_ascii_case(b"us-ascii"))?;
    Charset::from_label(label.trim_ascii())
}

impl CharsetReader {
    /// A text with a charset's label, at its beginning.
    pub(crate) fn new(label: Option<&[u8]>) -> Self {
        Self(match known_charset(label) {
            None => Kind::Unknown(Vec::new()),
            Some(Charset::Utf8) => Kind::Utf8(Vec::new()),
            Some(Charset::Utf7) => Kind::Utf7(Vec::new()),
            Some(Charset::Utf16) => Kind::Utf16(Vec::new()),
            Some(charset) => match stateful(charset) {
                Some(decoder) => Kind::Stateful(Box::new(decoder)),
                None => Kind::OctetByOctet(charset),
            },
        })
    }

    /// Appends what a piece says.
    pub(crate) fn feed(&mut self, octets: &[u8], out: &mut String) {
        self.read(octets, false, out);
    }

    /// Appends what the end completes, or can't complete. Nothing may come behind it.
    pub(crate) fn finish(&mut self, out: &mut String) {
        if let Kind::Unknown(waiting) = &self.0 {
            let is_utf8 = str::from_utf8(waiting).is_ok();
            self.decide(is_utf8, out);
        }
        self.read(&[], true, out);
    }

    /// What waits until somebody says whether the text is UTF-8, when something does.
    pub(crate) fn waiting(&self) -> Option<&[u8]> {
        match &self.0 {
            Kind::Unknown(waiting) => Some(waiting.as_slice()).filter(|waiting| !waiting.is_empty()),
            Kind::Utf8(_) | Kind::OctetByOctet(_) | Kind::Utf7(_) | Kind::Utf16(_) | Kind::Stateful(_) => None,
        }
    }

    /// Reads a text without a charset as UTF-8 from now on, or else as windows-1252, which reads anything.
    pub(crate) fn decide(&mut self, is_utf8: bool, out: &mut String) {
        if let Kind::Unknown(waiting) = &mut self.0 {
            let waiting = std::mem::take(waiting);
            self.0 = if is_utf8 { Kind::Utf8(Vec::new()) } else { Kind::OctetByOctet(Charset::Windows1252) };
            self.read(&waiting, false, out);
        }
    }

    fn read(&mut self, octets: &[u8], last: bool, out: &mut String) {
        match &mut self.0 {
            Kind::Unknown(waiting) if !waiting.is_empty() => waiting.extend_from_slice(octets),
            Kind::Unknown(waiting) => {
                let ascii = octets.iter().position(|octet| !octet.is_ascii()).unwrap_or(octets.len());
                let (known, unknown) = octets.split_at(ascii);
                out.push_str(str::from_utf8(known).unwrap_or_default());
                waiting.extend_from_slice(unknown);
            }
            Kind::Utf8(begun) => utf8(begun, octets, last, out),
            Kind::OctetByOctet(charset) => out.push_str(&charset.decode(octets)),
            Kind::Utf7(shifted) => utf7(shifted, octets, last, out),
            Kind::Utf16(begun) => {
                begun.extend_from_slice(octets);
                if begun.len() < 2 && !last {
                    return;
                }
                let (encoding, mark) = match begun.as_slice() {
                    [0xfe, 0xff, ..] => (encoding_rs::UTF_16BE, 2),
                    [0xff, 0xfe, ..] => (encoding_rs::UTF_16LE, 2),
                    _ => (encoding_rs::UTF_16LE, 0),
                };
                let octets = begun.split_off(mark.min(begun.len()));
                self.0 = Kind::Stateful(Box::new(encoding.new_decoder_without_bom_handling()));
                self.read(&octets, last, out);
            }
            Kind::Stateful(decoder) => decode(decoder, octets, last, out),
        }
    }
}

/// The decoder of a charset in which a character may have several octets.
fn stateful(charset: Charset) -> Option<Decoder> {
    let endian = [(Charset::Utf16Le, encoding_rs::UTF_16LE), (Charset::Utf16Be, encoding_rs::UTF_16BE)];
    if let Some((_, encoding)) = endian.into_iter().find(|(known, _)| *known == charset) {
        return Some(encoding.new_decoder_without_bom_handling());
    }
    let known: [(Charset, &'static Encoding); 11] = [
        (Charset::ShiftJis, encoding_rs::SHIFT_JIS),
        (Charset::Big5, encoding_rs::BIG5),
        (Charset::EucJp, encoding_rs::EUC_JP),
        (Charset::EucKr, encoding_rs::EUC_KR),
        (Charset::Gb18030, encoding_rs::GB18030),
        (Charset::Gbk, encoding_rs::GBK),
        (Charset::Iso2022Jp, encoding_rs::ISO_2022_JP),
        (Charset::Ibm866, encoding_rs::IBM866),
        (Charset::XMacCyrillic, encoding_rs::X_MAC_CYRILLIC),
        (Charset::XUserDefined, encoding_rs::X_USER_DEFINED),
        (Charset::Replacement, encoding_rs::REPLACEMENT),
    ];
    known.into_iter().find(|(known, _)| *known == charset).map(|(_, encoding)| encoding.new_decoder())
}

fn decode(decoder: &mut Decoder, mut octets: &[u8], last: bool, out: &mut String) {
    /// Room for any character.
    const ROOM: usize = 16;
    loop {
        out.reserve(decoder.max_utf8_buffer_length(octets.len()).unwrap_or(octets.len()).max(ROOM));
        let (result, read, _) = decoder.decode_to_string(octets, out, last);
        octets = octets.get(read..).unwrap_or_default();
        if result == CoderResult::InputEmpty {
            return;
        }
    }
}

fn utf8(begun: &mut Vec<u8>, octets: &[u8], last: bool, out: &mut String) {
    begun.extend_from_slice(octets);
    let mut kept = Vec::new();
    let mut chunks = begun.utf8_chunks().peekable();
    while let Some(chunk) = chunks.next() {
        out.push_str(chunk.valid());
        let invalid = chunk.invalid();
        if invalid.is_empty() {
            continue;
        }
        if !last && chunks.peek().is_none() && is_begun(invalid) {
            kept = invalid.to_vec();
        } else {
            out.push(char::REPLACEMENT_CHARACTER);
        }
    }
    *begun = kept;
}

/// Whether octets are the beginning of a character.
fn is_begun(octets: &[u8]) -> bool {
    str::from_utf8(octets).is_err_and(|error| error.error_len().is_none())
}

/// RFC 2152: what is shifted, from `+` to the first octet that is not of base64, is read when it has come whole.
fn utf7(shifted: &mut Vec<u8>, octets: &[u8], last: bool, out: &mut String) {
    let is_digit = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'+' | b'/');
    shifted.extend_from_slice(octets);
    let mut open = None;
    for (at, octet) in shifted.iter().enumerate() {
        match open {
            None if *octet == b'+' => open = Some(at),
            Some(_) if !is_digit(*octet) => open = None,
            None | Some(_) => {}
        }
    }
    let whole = open.filter(|_| !last).unwrap_or(shifted.len());
    let mut rest = shifted.split_off(whole);
    out.push_str(&Charset::Utf7.decode(shifted));
    // No text has that much without a line break: it is cut between two groups of whole units.
    if rest.len() > UTF7_RUN_OCTETS_MAX {
        let cut = (rest.len() - 1) / 8 * 8 + 1;
        let behind = rest.split_off(cut);
        rest.push(b'-');
        out.push_str(&Charset::Utf7.decode(&rest));
        rest = [b"+".as_slice(), &behind].concat();
    }
    *shifted = rest;
}

/// Whether octets that come in pieces are UTF-8.
#[derive(Debug)]
pub(crate) struct Utf8Check {
    begun: Vec<u8>,
    valid: bool,
}

impl Default for Utf8Check {
    fn default() -> Self {
        Self { begun: Vec::new(), valid: true }
    }
}

impl Utf8Check {
    /// Looks at a piece; `false`: it is none, whatever follows.
    pub(crate) fn feed(&mut self, octets: &[u8]) -> bool {
        if self.valid {
            self.begun.extend_from_slice(octets);
            match str::from_utf8(&self.begun) {
                Ok(_) => self.begun.clear(),
                Err(error) if error.error_len().is_none() => drop(self.begun.drain(..error.valid_up_to())),
                Err(_) => self.valid = false,
            }
        }
        self.valid
    }

    /// Whether all of it was.
    pub(crate) fn finish(&self) -> bool {
        self.valid && self.begun.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::decode::{TransferEncoding, decode_text};

    fn read(label: Option<&[u8]>, octets: &[u8], cut: usize) -> String {
        let (mut reader, mut out) = (CharsetReader::new(label), String::new());
        octets.chunks(cut.max(1)).for_each(|piece| reader.feed(piece, &mut out));
        reader.finish(&mut out);
        out
    }

    const LABELS: [&[u8]; 16] = [
        b"utf-8",
        b"iso-8859-1",
        b"windows-1251",
        b"utf-16",
        b"utf-16le",
        b"utf-16be",
        b"shift_jis",
        b"euc-jp",
        b"iso-2022-jp",
        b"gb18030",
        b"big5",
        b"euc-kr",
        b"koi8-r",
        b"ibm866",
        b"us-ascii",
        b"x-nothing",
    ];

    proptest! {
        /// However it is cut, a text is the one that it is as a whole.
        #[test]
        fn cuts_change_nothing(octets: Vec<u8>, text: String, cut in 1_usize..9) {
            for label in LABELS.into_iter().map(Some).chain([None]) {
                for octets in [octets.as_slice(), text.as_bytes()] {
                    let whole = decode_text(octets, TransferEncoding::Binary, label);
                    prop_assert_eq!(read(label, octets, cut), whole, "{:?}", label.map(String::from_utf8_lossy));
                }
            }
        }

        #[test]
        fn shifted_texts_are_cut_anywhere(text in "[a-z+é日\u{1f600} -]{0,40}", cut in 1_usize..9) {
            let mut octets = Vec::new();
            for c in text.chars() {
                if c.is_ascii() && c != '+' {
                    octets.extend(c.to_string().bytes());
                    continue;
                }
                use base64::Engine;
                let units: Vec<u8> = c.encode_utf16(&mut [0; 2]).iter().flat_map(|unit| unit.to_be_bytes()).collect();
                octets.extend(format!("+{}-", base64::engine::general_purpose::STANDARD_NO_PAD.encode(units)).bytes());
            }
            prop_assert_eq!(read(Some(b"utf-7"), &octets, cut), text);
        }

        #[test]
        fn utf8_is_known_in_pieces(octets in prop_oneof![any::<Vec<u8>>(), any::<String>().prop_map(String::into_bytes)], cut in 1_usize..9) {
            let mut check = Utf8Check::default();
            octets.chunks(cut).for_each(|piece| { check.feed(piece); });
            prop_assert_eq!(check.finish(), str::from_utf8(&octets).is_ok());
        }
    }

    #[test]
    fn what_is_shifted_without_end_is_read_all_the_same() {
        use base64::Engine;
        let text = "日本".repeat(UTF7_RUN_OCTETS_MAX);
        let units: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        let octets = format!("a+{}-b", base64::engine::general_purpose::STANDARD_NO_PAD.encode(units));
        assert!(read(Some(b"utf-7"), octets.as_bytes(), 1_000) == format!("a{text}b"));
    }
}
