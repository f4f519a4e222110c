//! Messages with binary parts (BINARYMIME, RFC 3030 §3), made into such that every way knows: parts with the transfer encoding
//! `binary` become base64, as they pass. What a part holds does not change: decoded it is the same octets.
//!
//! A delimiter line is one that begins with CRLF, `--` and an open boundary (RFC 2046 §5.1.1); whatever else stands in a binary
//! part is content, whether it ends with CRLF or not. Headers, and parts that are not declared binary, are lines: a NUL or a bare
//! CR or LF there is a flaw. Memory: one header, one line that may be a delimiter.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::header_fields::raw_fields;
use crate::limits::{BINARY_BOUNDARIES_MAX, BINARY_HEADER_OCTETS_MAX};
use crate::mime::ContentType;

/// What is wrong with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BinaryFlaw {
    /// A NUL where none may be.
    Nul,
    /// CR or LF alone where lines are.
    BareNewline,
    /// A header that is too long, or parts too deep in each other.
    TooLarge,
}

/// Re-encodes a message as it passes.
pub struct BinaryParts {
    place: Place,
    /// Boundaries of the multiparts that are open, the outermost first.
    open: Vec<Vec<u8>>,
    /// The header that is coming, in [`Place::Header`].
    header: Vec<u8>,
    /// The line so far, as long as it may be a delimiter, or in a header.
    line: Option<Vec<u8>>,
    /// The last octet was a CR.
    after_cr: bool,
    encoder: Encoder,
    flaw: Option<BinaryFlaw>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Header,
    /// Lines: text, preambles, what is encoded already.
    Lines,
    /// A part of any octets.
    Binary,
}

impl Default for BinaryParts {
    fn default() -> Self {
        Self {
            place: Place::Header,
            open: Vec::new(),
            header: Vec::new(),
            line: Some(Vec::new()),
            after_cr: false,
            encoder: Encoder::default(),
            flaw: None,
        }
    }
}

impl BinaryParts {
    /// Takes octets; what they become is added to `out`.
    pub fn write(&mut self, octets: &[u8], out: &mut Vec<u8>) {
        for octet in octets {
            self.octet(*octet, out);
        }
    }

    /// The end of the message.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        let ends_with_cr = std::mem::take(&mut self.after_cr);
        if let Some(line) = self.line.take() {
            if self.place == Place::Header {
                let header = std::mem::take(&mut self.header);
                self.check_lines(&header);
                self.check_lines(&line);
                out.extend_from_slice(&header);
                out.extend_from_slice(&line);
            } else {
                self.content(&line, out);
            }
        }
        if self.place == Place::Lines && ends_with_cr {
            self.found(BinaryFlaw::BareNewline);
        }
        self.encoder.finish(true, out);
    }

    /// The first thing found wrong.
    #[must_use]
    pub fn flaw(&self) -> Option<BinaryFlaw> {
        self.flaw
    }

    fn found(&mut self, flaw: BinaryFlaw) {
        self.flaw.get_or_insert(flaw);
    }

    fn octet(&mut self, octet: u8, out: &mut Vec<u8>) {
        let ends_line = octet == b'\n' && self.after_cr;
        match self.line.take() {
            None => {
                self.content(&[octet], out);
                self.after_cr = octet == b'\r';
                if ends_line {
                    self.line = Some(Vec::new());
                }
            }
            Some(mut line) => {
                line.push(octet);
                self.after_cr = octet == b'\r';
                if ends_line {
                    self.line = Some(Vec::new());
                    self.whole_line(&line, out);
                } else if self.place == Place::Header {
                    if line.len().saturating_add(self.header.len()) > BINARY_HEADER_OCTETS_MAX {
                        self.found(BinaryFlaw::TooLarge);
                        self.header = Vec::new();
                        line = Vec::new();
                    }
                    self.line = Some(line);
                } else if self.may_be_delimiter(&line) {
                    self.line = Some(line);
                } else {
                    // What it was mistaken for so far may end with the CR of the line's end.
                    let after_cr = std::mem::take(&mut self.after_cr);
                    self.content(&line, out);
                    self.after_cr = after_cr;
                }
            }
        }
    }

    /// A line with its CRLF.
    fn whole_line(&mut self, line: &[u8], out: &mut Vec<u8>) {
        self.after_cr = false;
        if let Some((depth, last)) = self.delimiter(line) {
            if self.place == Place::Header {
                // A part without a body.
                let header = std::mem::take(&mut self.header);
                self.check_lines(&header);
                out.extend_from_slice(&header);
            }
            // The CRLF in front belongs to the delimiter.
            self.encoder.finish(false, out);
            out.extend_from_slice(line);
            self.open.truncate(if last { depth } else { depth.saturating_add(1) });
            self.place = if last { Place::Lines } else { Place::Header };
            return;
        }
        if self.place != Place::Header {
            self.content(line, out);
            return;
        }
        self.header.extend_from_slice(line);
        if line == b"\r\n" {
            let header = std::mem::take(&mut self.header);
            self.header_ended(&header, out);
        } else if self.header.len() > BINARY_HEADER_OCTETS_MAX {
            self.found(BinaryFlaw::TooLarge);
            self.header = Vec::new();
        }
    }

    fn header_ended(&mut self, header: &[u8], out: &mut Vec<u8>) {
        self.check_lines(header);
        let named = |name: &'static [u8]| {
            raw_fields(header).find(move |field| field.name.is_some_and(|n| n.eq_ignore_ascii_case(name)))
        };
        let kind = named(b"Content-Type").and_then(|field| ContentType::parse(field.value()));
        let encoding = named(b"Content-Transfer-Encoding").map(|field| field.value().trim_ascii().to_ascii_lowercase());
        let binary = encoding.as_deref() == Some(b"binary");
        let boundary = kind.as_ref().filter(|kind| kind.is(b"multipart")).and_then(ContentType::boundary);
        let nested = kind
            .as_ref()
            .is_some_and(|kind| kind.is_exactly(b"message", b"rfc822") || kind.is_exactly(b"message", b"global"));
        // RFC 2045 §6.4: what holds other parts has no encoding of its own.
        let becomes: &[u8] = if boundary.is_some() || nested { b"8bit" } else { b"base64" };
        self.place = match boundary {
            Some(boundary) => {
                if self.open.len() >= BINARY_BOUNDARIES_MAX {
                    self.found(BinaryFlaw::TooLarge);
                } else {
                    self.open.push(boundary);
                }
                Place::Lines
            }
            None if nested => Place::Header,
            None if binary => Place::Binary,
            None => Place::Lines,
        };
        if !binary {
            out.extend_from_slice(header);
            return;
        }
        let mut fields = raw_fields(header);
        for field in fields.by_ref() {
            if field.name.is_some_and(|name| name.eq_ignore_ascii_case(b"Content-Transfer-Encoding")) {
                out.extend_from_slice(b"Content-Transfer-Encoding: ");
                out.extend_from_slice(becomes);
                out.extend_from_slice(b"\r\n");
            } else {
                out.extend_from_slice(field.bytes);
            }
        }
        out.extend_from_slice(fields.rest());
    }

    /// Content of the part, in pieces of any size.
    fn content(&mut self, octets: &[u8], out: &mut Vec<u8>) {
        if self.place == Place::Binary {
            octets.iter().for_each(|octet| self.encoder.octet(*octet, out));
            return;
        }
        self.check_octets(octets, self.after_cr);
        out.extend_from_slice(octets);
    }

    /// Whole lines.
    fn check_lines(&mut self, octets: &[u8]) {
        if self.check_octets(octets, false) {
            self.found(BinaryFlaw::BareNewline);
        }
    }

    /// What is flawed in text, `after_cr` or not; whether it ends with a CR.
    fn check_octets(&mut self, octets: &[u8], mut after_cr: bool) -> bool {
        for octet in octets {
            match *octet {
                0 => self.found(BinaryFlaw::Nul),
                b'\n' if !after_cr => self.found(BinaryFlaw::BareNewline),
                b'\n' => {}
                _ if after_cr => self.found(BinaryFlaw::BareNewline),
                _ => {}
            }
            after_cr = *octet == b'\r';
        }
        after_cr
    }

    /// Whether what has come of a line can still become a delimiter.
    fn may_be_delimiter(&self, line: &[u8]) -> bool {
        let Some(rest) = line.strip_prefix(b"--") else { return line == b"-" && !self.open.is_empty() };
        self.open.iter().any(|boundary| match rest.strip_prefix(boundary.as_slice()) {
            Some(behind) => {
                behind.len() <= DELIMITER_TAIL_MAX && is_tail(behind.strip_suffix(b"\r").unwrap_or(behind), true)
            }
            None => boundary.starts_with(rest),
        })
    }

    /// Which open multipart a line delimits, and whether it is the last of its delimiters.
    fn delimiter(&self, line: &[u8]) -> Option<(usize, bool)> {
        let rest = line.strip_suffix(b"\r\n")?.strip_prefix(b"--")?;
        self.open.iter().enumerate().rev().find_map(|(depth, boundary)| {
            let behind = rest.strip_prefix(boundary.as_slice())?;
            is_tail(behind, false).then(|| (depth, behind.starts_with(b"--")))
        })
    }
}

/// What may follow a boundary: `--` for the last, and white space. `partly`: the beginning of that.
fn is_tail(behind: &[u8], partly: bool) -> bool {
    let blank = |octets: &[u8]| octets.iter().all(|octet| matches!(octet, b' ' | b'\t'));
    blank(behind) || behind.strip_prefix(b"--").is_some_and(blank) || (partly && behind == b"-")
}

/// White space behind a boundary that is still looked at.
const DELIMITER_TAIL_MAX: usize = 200;

/// Base64 in lines of 76 characters (RFC 2045 §6.8). The last CRLF waits: it may belong to a delimiter.
#[derive(Default)]
struct Encoder {
    octets: Vec<u8>,
    held: Vec<u8>,
}

impl Encoder {
    fn octet(&mut self, octet: u8, out: &mut Vec<u8>) {
        match (self.held.as_slice(), octet) {
            ([], b'\r') | ([b'\r'], b'\n') => self.held.push(octet),
            _ => {
                for held in std::mem::take(&mut self.held) {
                    self.encode(held, out);
                }
                if octet == b'\r' {
                    self.held.push(octet);
                } else {
                    self.encode(octet, out);
                }
            }
        }
    }

    fn encode(&mut self, octet: u8, out: &mut Vec<u8>) {
        self.octets.push(octet);
        if self.octets.len() == LINE_OCTETS {
            self.line(out);
        }
    }

    fn line(&mut self, out: &mut Vec<u8>) {
        if !self.octets.is_empty() {
            out.extend_from_slice(STANDARD.encode(&self.octets).as_bytes());
            out.extend_from_slice(b"\r\n");
            self.octets.clear();
        }
    }

    /// The end of a part; what waits is content when the message ends with it.
    fn finish(&mut self, with_held: bool, out: &mut Vec<u8>) {
        let held = std::mem::take(&mut self.held);
        if with_held {
            held.into_iter().for_each(|octet| self.encode(octet, out));
        }
        self.line(out);
    }
}

const LINE_OCTETS: usize = 57;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pieces(message: &[u8], cut: usize) -> (Vec<u8>, Option<BinaryFlaw>) {
        let mut parts = BinaryParts::default();
        let mut out = Vec::new();
        let (head, tail) = message.split_at(cut.min(message.len()));
        parts.write(head, &mut out);
        parts.write(tail, &mut out);
        parts.finish(&mut out);
        (out, parts.flaw())
    }

    fn encoded(message: &[u8]) -> Vec<u8> {
        let whole = pieces(message, 0);
        for cut in 0..message.len() {
            assert_eq!(pieces(message, cut), whole, "cut at {cut}");
        }
        assert_eq!(whole.1, None);
        whole.0
    }

    const TWO: &[u8] = b"Subject: x\r\nContent-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: BINARY\r\n\r\n\
        --b\r\nContent-Type: text/plain\r\n\r\nplain\r\n--b\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: binary\r\n\r\n\
        \0\n\r\r\n--c\r\n\r\n--b--\r\nend\r\n";

    #[test]
    fn binary_parts_become_base64_and_nothing_else_changes() {
        let out = String::from_utf8(encoded(TWO)).unwrap();
        let content = STANDARD.encode(b"\0\n\r\r\n--c\r\n");
        let expected = format!(
            "Subject: x\r\nContent-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\
             --b\r\nContent-Type: text/plain\r\n\r\nplain\r\n--b\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\n\
             {content}\r\n--b--\r\nend\r\n"
        );
        assert_eq!(out, expected);
    }

    #[test]
    fn a_single_binary_part_goes_to_the_end_of_the_message() {
        let out = encoded(b"content-transfer-encoding: binary\r\n\r\na\nb\r\n");
        assert_eq!(
            out,
            format!("Content-Transfer-Encoding: base64\r\n\r\n{}\r\n", STANDARD.encode("a\nb\r\n")).into_bytes()
        );
        assert_eq!(encoded(b"Content-Transfer-Encoding: binary\r\n\r\n"), b"Content-Transfer-Encoding: base64\r\n\r\n");
    }

    #[test]
    fn messages_in_messages_are_read_too() {
        let out = encoded(
            b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: binary\r\n\r\nSubject: y\r\nContent-Transfer-Encoding: binary\r\n\r\n\xff\0",
        );
        let expected = b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\nSubject: y\r\nContent-Transfer-Encoding: base64\r\n\r\n/wA=\r\n";
        assert_eq!(out, expected);
    }

    #[test]
    fn an_inner_part_ends_with_the_delimiter_of_an_outer_one() {
        let message = b"Content-Type: multipart/mixed; boundary=outer\r\n\r\n--outer\r\nContent-Type: multipart/mixed; boundary=inner\r\n\r\n\
            --inner\r\nContent-Transfer-Encoding: binary\r\n\r\n\0\r\n--outer \r\nX: y\r\n--outer--\r\n";
        let out = String::from_utf8(encoded(message)).unwrap();
        assert!(out.ends_with("AA==\r\n--outer \r\nX: y\r\n--outer--\r\n"), "{out}");
    }

    #[test]
    fn what_is_not_declared_binary_has_lines() {
        let flaw = |message: &[u8]| pieces(message, 0).1;
        assert_eq!(flaw(b"Subject: x\r\n\r\na\nb\r\n"), Some(BinaryFlaw::BareNewline));
        assert_eq!(flaw(b"Subject: x\r\n\r\na\rb\r\n"), Some(BinaryFlaw::BareNewline));
        assert_eq!(flaw(b"Subject: x\r\n\r\na\r"), Some(BinaryFlaw::BareNewline));
        assert_eq!(flaw(b"Subject: x\r\n\r\na\0\r\n"), Some(BinaryFlaw::Nul));
        assert_eq!(
            flaw(b"Subject: \nx\r\nContent-Transfer-Encoding: binary\r\n\r\na\0\r\n"),
            Some(BinaryFlaw::BareNewline)
        );
        assert_eq!(flaw(b"Subject: \0\r\nContent-Transfer-Encoding: binary\r\n\r\n"), Some(BinaryFlaw::Nul));
        assert_eq!(flaw(&[b'x'; BINARY_HEADER_OCTETS_MAX + 10]), Some(BinaryFlaw::TooLarge));
    }

    proptest! {
        #[test]
        fn content_comes_out_as_it_went_in(
            content in proptest::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'-'), Just(b'x'), Just(0u8)], 0..200),
            cut in 0usize..300,
        ) {
            prop_assume!(!content.windows(5).any(|five| five == b"\r\n--x") && !content.starts_with(b"--x"));
            let head = b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Transfer-Encoding: binary\r\n\r\n";
            let (out, flaw) = pieces(&[&head[..], &content, b"\r\n--x--\r\n"].concat(), cut);
            prop_assert_eq!(flaw, None);
            let text = String::from_utf8(out).unwrap();
            let start = text.find("base64\r\n\r\n").unwrap() + 10;
            let coded: String = text[start..].strip_suffix("--x--\r\n").unwrap().split("\r\n").collect();
            prop_assert_eq!(STANDARD.decode(coded).unwrap(), content);
        }

        #[test]
        fn what_comes_out_is_lines(
            octets in proptest::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'-'), Just(b'b'), Just(0u8)], 0..80),
        ) {
            let head = b"Content-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: binary\r\n\r\n";
            let inner = b"--b\r\nContent-Transfer-Encoding: binary\r\n\r\n";
            let (out, flaw) = pieces(&[&head[..], inner, &octets, b"\r\n", inner, &octets].concat(), 7);
            if flaw.is_none() {
                for (at, octet) in out.iter().enumerate() {
                    prop_assert!(*octet != 0);
                    prop_assert!(*octet != b'\n' || out[at - 1] == b'\r');
                    prop_assert!(*octet != b'\r' || out.get(at + 1) == Some(&b'\n'));
                }
            }
        }
    }
}
