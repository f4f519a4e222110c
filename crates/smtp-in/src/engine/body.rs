//! The reader of a message's octets, for DATA and for BDAT.
//!
//! RFC 5321 §4.1.1.4, §4.5.2: DATA ends at CRLF.CRLF and nowhere else (the CRLF of the DATA line counts as the first),
//! and a leading dot of any other line is dropped. RFC 3030 §2: BDAT has neither dots nor an end of its own.
//! A bare CR or LF never begins or ends a line: it is a flaw, or becomes CRLF when the policy says so (RFC 5321
//! §2.3.8; SMTP smuggling). A NUL is a flaw. With BODY=BINARYMIME (RFC 3030 §3) any octet goes on as it came: the host makes lines of
//! it.

use crate::misbehaviour::Misbehaviour;
use crate::settings::BareNewlines;

/// Reads a message's octets as they come.
pub(super) struct BodyReader {
    at: At,
    dots: bool,
    bare_newlines: BareNewlines,
    /// Nothing is looked at.
    binary: bool,
    flaw: Option<Misbehaviour>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    /// Behind CRLF.
    LineStart,
    /// Behind a dot that begins a line.
    Dot,
    /// Behind such a dot and a CR.
    DotCr,
    /// Inside a line.
    Text,
    /// Behind a CR inside a line.
    Cr,
}

impl BodyReader {
    /// For DATA: dots count, and the end is in the octets.
    pub(super) fn data(bare_newlines: BareNewlines) -> Self {
        Self { at: At::LineStart, dots: true, bare_newlines, binary: false, flaw: None }
    }

    /// For BDAT: only line ends are looked at.
    pub(super) fn chunks(bare_newlines: BareNewlines) -> Self {
        Self { at: At::Text, dots: false, bare_newlines, binary: false, flaw: None }
    }

    /// For BDAT with BODY=BINARYMIME: nothing is.
    pub(super) fn binary() -> Self {
        Self { at: At::Text, dots: false, bare_newlines: BareNewlines::Refuse, binary: true, flaw: None }
    }

    /// Reads on; the message's octets are added to `out`. Returns how many octets were used and whether the
    /// message has ended with the last of them.
    pub(super) fn read(&mut self, octets: &[u8], out: &mut Vec<u8>) -> (usize, bool) {
        if self.binary {
            out.extend_from_slice(octets);
            return (octets.len(), false);
        }
        let mut used = 0;
        while let Some(rest) = octets.get(used..).filter(|rest| !rest.is_empty()) {
            if self.at == At::Text {
                // The quick way through ordinary text.
                let plain = memchr::memchr3(b'\r', b'\n', 0, rest).unwrap_or(rest.len());
                out.extend_from_slice(rest.get(..plain).unwrap_or_default());
                used += plain;
            }
            let Some(&octet) = octets.get(used) else { break };
            used += 1;
            if self.octet(octet, out) {
                return (used, true);
            }
        }
        (used, false)
    }

    /// One octet; true when it ended the message.
    fn octet(&mut self, octet: u8, out: &mut Vec<u8>) -> bool {
        self.at = match (self.at, octet) {
            (At::LineStart, b'.') => At::Dot,
            (At::Dot, b'\r') => At::DotCr,
            (At::DotCr, b'\n') => return true,
            (At::DotCr, b'\r') => self.bare(b'\r', At::Cr, out),
            (At::DotCr, other) => {
                self.bare(b'\r', At::Text, out);
                self.text(other, out)
            }
            (At::Cr, b'\n') => {
                out.extend_from_slice(b"\r\n");
                if self.dots { At::LineStart } else { At::Text }
            }
            (At::Cr, b'\r') => self.bare(b'\r', At::Cr, out),
            (At::Cr, other) => {
                self.bare(b'\r', At::Text, out);
                self.text(other, out)
            }
            (At::LineStart | At::Dot | At::Text, other) => self.text(other, out),
        };
        false
    }

    fn text(&mut self, octet: u8, out: &mut Vec<u8>) -> At {
        match octet {
            b'\r' => At::Cr,
            b'\n' => self.bare(b'\n', At::Text, out),
            0 => {
                self.flaw.get_or_insert(Misbehaviour::NulInMessage);
                At::Text
            }
            other => {
                out.push(other);
                At::Text
            }
        }
    }

    fn bare(&mut self, octet: u8, next: At, out: &mut Vec<u8>) -> At {
        match self.bare_newlines {
            BareNewlines::Refuse => {
                self.flaw.get_or_insert(Misbehaviour::BareNewlineInMessage);
                out.push(octet);
            }
            BareNewlines::Convert => out.extend_from_slice(b"\r\n"),
        }
        next
    }

    /// The last chunk has been read: a CR that still waits for its LF is a bare one.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        if self.at == At::Cr {
            self.at = self.bare(b'\r', At::Text, out);
        }
    }

    /// The first thing found wrong.
    pub(super) fn flaw(&self) -> Option<&Misbehaviour> {
        self.flaw.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    struct Found {
        message: Vec<u8>,
        used: usize,
        ended: bool,
        flaw: Option<Misbehaviour>,
    }

    fn read_pieces(pieces: &[&[u8]], policy: BareNewlines) -> Found {
        let mut reader = BodyReader::data(policy);
        let mut found = Found { message: Vec::new(), used: 0, ended: false, flaw: None };
        for piece in pieces {
            if !found.ended {
                let (used, ended) = reader.read(piece, &mut found.message);
                found.used += used;
                found.ended = ended;
            }
        }
        found.flaw = reader.flaw().cloned();
        found
    }

    fn read(octets: &[u8]) -> Found {
        read_pieces(&[octets], BareNewlines::Refuse)
    }

    #[test]
    fn a_dot_line_ends_the_message_and_what_follows_stays() {
        let found = read(b"a\r\n.\r\nQUIT\r\n");
        assert_eq!((found.message.as_slice(), found.used, found.ended), (&b"a\r\n"[..], 6, true));
    }

    #[test]
    fn trap_a_dot_and_several_cr_do_not_end_the_message() {
        for wrong in [&b"a\r\n.\r\r\n"[..], b"a\r\n.\r\r\r\n", b"a\r\n.\r\r\r\r\n"] {
            let found = read(wrong);
            assert!(!found.ended, "{wrong:?}");
            assert_eq!(found.flaw, Some(Misbehaviour::BareNewlineInMessage));
        }
    }

    #[test]
    fn trap_a_dot_as_first_line_ends_an_empty_message() {
        let found = read(b".\r\n");
        assert_eq!((found.message.as_slice(), found.ended, found.flaw), (&b""[..], true, None));
    }

    #[test]
    fn trap_the_first_line_is_unstuffed() {
        let found = read(b"..x\r\n.\r\n");
        assert_eq!((found.message.as_slice(), found.ended), (&b".x\r\n"[..], true));
    }

    #[test]
    fn trap_bare_cr_and_lf_in_data_are_found() {
        for wrong in [&b"a\rb\r\n.\r\n"[..], b"a\nb\r\n.\r\n", b"\n\r\n.\r\n", b"a\r\r\n.\r\n"] {
            let found = read(wrong);
            assert!(found.ended, "{wrong:?}");
            assert_eq!(found.flaw, Some(Misbehaviour::BareNewlineInMessage), "{wrong:?}");
        }
    }

    #[test]
    fn no_other_dot_line_ends_the_message() {
        for wrong in [&b"a\n.\n"[..], b"a\r\n.\n", b"a\n.\r\n", b"a\r.\r", b"a\r.\r\n", b"a\r\n.\r", b"\n.\r\n"] {
            let found = read(wrong);
            assert!(!found.ended, "{wrong:?}");
        }
    }

    #[test]
    fn conversion_makes_crlf_and_ends_nothing() {
        let found = read_pieces(&[b"a\nb\rc\r\r\n\n.\r\n.\r\n"], BareNewlines::Convert);
        assert_eq!(found.message, b"a\r\nb\r\nc\r\n\r\n\r\n.\r\n");
        assert_eq!((found.ended, found.flaw), (true, None));
    }

    #[test]
    fn nul_is_a_flaw() {
        assert_eq!(read(b"a\0b\r\n.\r\n").flaw, Some(Misbehaviour::NulInMessage));
        assert_eq!(read(b"\0\r\n.\r\n").flaw, Some(Misbehaviour::NulInMessage));
    }

    #[test]
    fn chunks_keep_dots_and_may_cut_a_crlf() {
        let mut reader = BodyReader::chunks(BareNewlines::Refuse);
        let mut out = Vec::new();
        for chunk in [&b".a\r"[..], b"\n.\r\n..b", b"\r\n"] {
            assert_eq!(reader.read(chunk, &mut out), (chunk.len(), false));
        }
        reader.finish(&mut out);
        assert_eq!((out.as_slice(), reader.flaw()), (&b".a\r\n.\r\n..b\r\n"[..], None));
    }

    #[test]
    fn a_cr_at_the_end_of_the_last_chunk_is_bare() {
        let mut reader = BodyReader::chunks(BareNewlines::Refuse);
        reader.read(b"a\r", &mut Vec::new());
        reader.finish(&mut Vec::new());
        assert_eq!(reader.flaw(), Some(&Misbehaviour::BareNewlineInMessage));
    }

    fn smtp_octet() -> impl Strategy<Value = u8> {
        prop_oneof![3 => Just(b'\r'), 3 => Just(b'\n'), 3 => Just(b'.'), 1 => Just(b'x'), 1 => Just(0u8)]
    }

    proptest! {
        #[test]
        fn the_end_is_exactly_at_crlf_dot_crlf(octets in proptest::collection::vec(smtp_octet(), 0..80)) {
            // The DATA line's own CRLF stands in front.
            let framed = [b"\r\n", octets.as_slice()].concat();
            let expected = memchr::memmem::find(&framed, b"\r\n.\r\n").map(|at| at + 3);
            let found = read(&octets);
            prop_assert_eq!(found.ended.then_some(found.used), expected);
        }

        #[test]
        fn where_the_data_is_cut_changes_nothing(
            octets in proptest::collection::vec(smtp_octet(), 0..60),
            at in 0usize..60,
        ) {
            let (head, tail) = octets.split_at(at.min(octets.len()));
            let whole = read(&octets);
            let cut = read_pieces(&[head, tail], BareNewlines::Refuse);
            prop_assert_eq!((whole.message, whole.used, whole.ended, whole.flaw),
                            (cut.message, cut.used, cut.ended, cut.flaw));
        }

        #[test]
        fn a_stuffed_message_comes_out_as_it_went_in(lines in proptest::collection::vec("[.a ]{0,5}", 0..8)) {
            let message: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
            let mut wire = String::new();
            for line in &lines {
                if line.starts_with('.') {
                    wire.push('.');
                }
                wire.push_str(&format!("{line}\r\n"));
            }
            wire.push_str(".\r\n");
            let found = read(wire.as_bytes());
            prop_assert!(found.ended);
            prop_assert_eq!(found.message, message.into_bytes());
        }
    }
}
