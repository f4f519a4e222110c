//! Removes transfer encodings as the body comes, in pieces of any size (RFC 2045 §6).
//!
//! Bodies that break the rules have one reading, whatever the pieces: base64 passes over what is not of its alphabet, and
//! padding ends a group of four, after which another may begin; an `=` of quoted-printable that introduces nothing stays.

use crate::decode::TransferEncoding;

/// White space before a line break that is held back until it is known to be there for nothing. RFC 2045 §6.7 allows 76
/// characters in a line; a longer run is kept as it is.
const SPACES_HELD_MAX: usize = 1_000;

/// Decodes one body.
#[derive(Clone, Debug)]
pub struct TransferDecoder(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Identity,
    Base64 { bits: u32, digits: u8 },
    QuotedPrintable(Quoted),
}

/// A quoted-printable body so far.
#[derive(Clone, Debug, Default)]
struct Quoted {
    /// `=` and what has come of its sequence.
    escape: Vec<u8>,
    /// White space that may stand before a line break; behind it perhaps a CR.
    held: Vec<u8>,
}

impl TransferDecoder {
    /// A decoder at the start of a body; `None` when nobody knows that encoding.
    #[must_use]
    pub fn new(encoding: TransferEncoding) -> Option<Self> {
        Some(Self(match encoding {
            TransferEncoding::SevenBit | TransferEncoding::EightBit | TransferEncoding::Binary => Kind::Identity,
            TransferEncoding::Base64 => Kind::Base64 { bits: 0, digits: 0 },
            TransferEncoding::QuotedPrintable => Kind::QuotedPrintable(Quoted::default()),
            TransferEncoding::Other => return None,
        }))
    }

    /// Appends what a piece of the body says.
    pub fn feed(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        match &mut self.0 {
            Kind::Identity => out.extend_from_slice(piece),
            Kind::Base64 { bits, digits } => {
                for octet in piece {
                    if let Some(value) = base64_value(*octet) {
                        *bits = *bits << 6 | value;
                        *digits += 1;
                        if *digits == 4 {
                            group(bits, digits, out);
                        }
                    } else if *octet == b'=' {
                        group(bits, digits, out);
                    }
                }
            }
            Kind::QuotedPrintable(quoted) => piece.iter().for_each(|octet| quoted.octet(*octet, out)),
        }
    }

    /// Appends what the end of the body completes.
    pub fn finish(mut self, out: &mut Vec<u8>) {
        match &mut self.0 {
            Kind::Identity => {}
            Kind::Base64 { bits, digits } => group(bits, digits, out),
            Kind::QuotedPrintable(quoted) => quoted.end(out),
        }
    }
}

fn base64_value(octet: u8) -> Option<u32> {
    Some(u32::from(match octet {
        b'A'..=b'Z' => octet - b'A',
        b'a'..=b'z' => octet - b'a' + 26,
        b'0'..=b'9' => octet - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    }))
}

/// The octets of up to four digits: a single one is six bits of nothing.
fn group(bits: &mut u32, digits: &mut u8, out: &mut Vec<u8>) {
    let [_, first, second, third] = (*bits << (6 * u32::from(4 - (*digits).min(4)))).to_be_bytes();
    match *digits {
        4 => out.extend_from_slice(&[first, second, third]),
        3 => out.extend_from_slice(&[first, second]),
        2 => out.push(first),
        _ => {}
    }
    (*bits, *digits) = (0, 0);
}

impl Quoted {
    fn octet(&mut self, octet: u8, out: &mut Vec<u8>) {
        if !self.escape.is_empty() {
            return self.escaped(octet, out);
        }
        match octet {
            b'=' => {
                out.append(&mut self.held);
                self.escape.push(octet);
            }
            b' ' | b'\t' if self.held.last() != Some(&b'\r') && self.held.len() < SPACES_HELD_MAX => {
                self.held.push(octet);
            }
            b'\r' if self.held.last() != Some(&b'\r') => self.held.push(octet),
            b'\n' => {
                // RFC 2045 §6.7 (3): white space at the end of a line was added on the way.
                let crlf = self.held.last() == Some(&b'\r');
                self.held.clear();
                out.extend_from_slice(if crlf { b"\r\n" } else { b"\n" });
            }
            other => {
                out.append(&mut self.held);
                // A CR, or white space beyond what is held.
                if matches!(other, b' ' | b'\t' | b'\r') { self.held.push(other) } else { out.push(other) }
            }
        }
    }

    /// Behind an `=`: two digits, or a line break with white space before it, which joins two lines.
    fn escaped(&mut self, octet: u8, out: &mut Vec<u8>) {
        self.escape.push(octet);
        match self.escape.as_slice() {
            [_, first] if first.is_ascii_hexdigit() => {}
            [_, first, second] if first.is_ascii_hexdigit() => match (hex(*first), hex(*second)) {
                (Some(high), Some(low)) => {
                    out.push(high << 4 | low);
                    self.escape.clear();
                }
                _ => self.not_escaped(out),
            },
            [_, spaces @ .., b'\n'] if spaces.strip_suffix(b"\r").unwrap_or(spaces).iter().all(|b| is_space(*b)) => {
                self.escape.clear();
            }
            [_, spaces @ ..] if self.escape.len() < SPACES_HELD_MAX => {
                if !spaces.strip_suffix(b"\r").unwrap_or(spaces).iter().all(|b| is_space(*b)) {
                    self.not_escaped(out);
                }
            }
            _ => self.not_escaped(out),
        }
    }

    /// The `=` introduced nothing: it stays, and what followed is read again.
    fn not_escaped(&mut self, out: &mut Vec<u8>) {
        let read = std::mem::take(&mut self.escape);
        out.push(b'=');
        // None of it is an `=` but perhaps the last, so this goes no deeper.
        read.iter().skip(1).for_each(|octet| self.octet(*octet, out));
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        let read = std::mem::take(&mut self.escape);
        let joins = read.iter().skip(1).all(|octet| is_space(*octet) || *octet == b'\r');
        if !joins {
            out.extend_from_slice(&read);
        }
        // White space at the end of the body stands at the end of a line.
        let kept = self.held.iter().position(|octet| !is_space(*octet)).unwrap_or(self.held.len());
        out.extend(self.held.drain(kept..));
        self.held.clear();
    }
}

const fn is_space(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t')
}

/// The value of a hexadecimal digit. RFC 2045 §6.7 (1) wants capitals and lets decoders take small letters.
fn hex(octet: u8) -> Option<u8> {
    char::from(octet).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decode(encoding: TransferEncoding, body: &[u8], cut: usize) -> Vec<u8> {
        let mut decoder = TransferDecoder::new(encoding).unwrap();
        let mut out = Vec::new();
        body.chunks(cut.max(1)).for_each(|piece| decoder.feed(piece, &mut out));
        decoder.finish(&mut out);
        out
    }

    fn says(encoding: TransferEncoding, body: &str, expected: &str) {
        for cut in 1..=body.len().max(1) {
            let said = decode(encoding, body.as_bytes(), cut);
            assert_eq!(String::from_utf8_lossy(&said), expected, "{body:?} cut at {cut}");
        }
    }

    #[test]
    fn base64_as_it_comes() {
        for (body, expected) in [
            ("", ""),
            ("aGVsbG8=", "hello"),
            ("aGVs\r\nbG8=\r\n", "hello"),
            ("a G-V*s_bG8", "hello"),
            ("aGk=aGVsbG8=", "hihello"),
            ("aGVsbG8", "hello"),
            ("aGVsb", "hel"),
            ("aGVsbA==", "hell"),
            ("aGVsbA===aGk", "hellhi"),
            ("=====", ""),
        ] {
            says(TransferEncoding::Base64, body, expected);
        }
    }

    #[test]
    fn quoted_printable_as_it_comes() {
        for (body, expected) in [
            ("", ""),
            ("a=3Db=c3=A9", "a=b\u{e9}"),
            ("soft=\r\nbreak", "softbreak"),
            ("soft= \t\r\nbreak", "softbreak"),
            ("spaces \t \r\nend", "spaces\r\nend"),
            ("a  b \n c ", "a  b\n c"),
            ("end=", "end"),
            ("end= \r\n", "end"),
            ("end= \r", "end"),
            ("no =zz escape =4 =4g", "no =zz escape =4 =4g"),
            ("==41", "=A"),
            ("=4=41", "=4A"),
            ("= x=", "= x"),
            ("cr\rlf \r x\r", "cr\rlf \r x\r"),
            ("=\rx", "=\rx"),
            ("=\r\r\nx", "=\r\r\nx"),
            ("ends =4", "ends =4"),
        ] {
            says(TransferEncoding::QuotedPrintable, body, expected);
        }
        let long = format!("x{} \r\ny", " ".repeat(3 * SPACES_HELD_MAX));
        let one = decode(TransferEncoding::QuotedPrintable, long.as_bytes(), 1);
        assert_eq!(one, decode(TransferEncoding::QuotedPrintable, long.as_bytes(), long.len()));
    }

    #[test]
    fn the_rest_is_what_it_is() {
        for encoding in [TransferEncoding::SevenBit, TransferEncoding::EightBit, TransferEncoding::Binary] {
            assert_eq!(decode(encoding, b"a=41 \0\r\n", 3), b"a=41 \0\r\n");
        }
        assert!(TransferDecoder::new(TransferEncoding::Other).is_none());
    }

    proptest! {
        #[test]
        fn cuts_change_nothing(body in "[ a-fA-F0-9=\t\r\n+/é]{0,80}", cut in 1usize..20) {
            for encoding in [TransferEncoding::Base64, TransferEncoding::QuotedPrintable] {
                prop_assert_eq!(decode(encoding, body.as_bytes(), cut), decode(encoding, body.as_bytes(), 1_000));
            }
        }

        #[test]
        fn what_another_encoder_wrote_comes_back(octets: Vec<u8>) {
            use base64::Engine;
            let body = base64::engine::general_purpose::STANDARD.encode(&octets);
            prop_assert_eq!(&decode(TransferEncoding::Base64, body.as_bytes(), 7), &octets);
            let quoted: String = octets.iter().map(|octet| format!("={octet:02X}=\r\n")).collect();
            prop_assert_eq!(&decode(TransferEncoding::QuotedPrintable, quoted.as_bytes(), 5), &octets);
        }
    }
}
