//! The octets of DATA: dots doubled at the start of a line, CRLF before the final dot (RFC 5321 §4.5.2).
//!
//! Only CRLF ends a line. A bare CR or LF, which intake refuses, would end a line for a careless receiver and let a
//! message smuggle in a second one; should one be stored all the same, it leaves as CRLF.

/// Stuffs a message that comes in pieces.
#[derive(Debug, Default)]
pub(crate) struct Stuffing {
    at: Place,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    LineStart,
    InLine,
    /// Behind a CR that has not been written yet.
    Cr,
}

impl Stuffing {
    /// Appends a piece as it goes over the wire.
    pub(crate) fn piece(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        out.reserve(piece.len());
        for &octet in piece {
            self.octet(octet, out);
        }
    }

    fn octet(&mut self, octet: u8, out: &mut Vec<u8>) {
        if self.at == Place::Cr {
            out.extend_from_slice(b"\r\n");
            self.at = Place::LineStart;
            if octet == b'\n' {
                return;
            }
        }
        match octet {
            b'\r' => self.at = Place::Cr,
            b'\n' => {
                out.extend_from_slice(b"\r\n");
                self.at = Place::LineStart;
            }
            _ => {
                if octet == b'.' && self.at == Place::LineStart {
                    out.push(b'.');
                }
                out.push(octet);
                self.at = Place::InLine;
            }
        }
    }

    /// Ends the message: its last line's CRLF where it has none, and the final dot.
    pub(crate) fn finish(self, out: &mut Vec<u8>) {
        if self.at != Place::LineStart {
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b".\r\n");
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stuffed(pieces: &[&[u8]]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut stuffing = Stuffing::default();
        pieces.iter().for_each(|piece| stuffing.piece(piece, &mut out));
        stuffing.finish(&mut out);
        out
    }

    #[test]
    fn dots_at_line_starts_are_doubled_and_nothing_else_changes() {
        for (message, wire) in [
            (&b"a\r\n"[..], &b"a\r\n.\r\n"[..]),
            (b"a", b"a\r\n.\r\n"),
            (b"", b".\r\n"),
            (b".\r\n", b"..\r\n.\r\n"),
            (b"..\r\na.b\r\n.c\r\n", b"...\r\na.b\r\n..c\r\n.\r\n"),
            (b"a\n.\nb\r.\rc\r\n", b"a\r\n..\r\nb\r\n..\r\nc\r\n.\r\n"),
            (b"a\r", b"a\r\n.\r\n"),
            (b"a\r\r\n", b"a\r\n\r\n.\r\n"),
        ] {
            assert_eq!(stuffed(&[message]), wire, "{:?}", message.escape_ascii().to_string());
        }
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter_and_the_end_is_found_only_at_the_end(
            octets in prop::collection::vec(prop::sample::select(b"a.\r\n".to_vec()), 0..40), at in 0_usize..40,
        ) {
            let whole = stuffed(&[&octets]);
            let (one, two) = octets.split_at(at.min(octets.len()));
            prop_assert_eq!(&whole, &stuffed(&[one, two]));
            let mut wire = b"\r\n".to_vec();
            wire.extend_from_slice(&whole);
            for end in [&b"\r\n.\r\n"[..], b"\n.\n", b"\r.\r"] {
                let found = wire.windows(end.len()).position(|w| w == end);
                prop_assert!(found.is_none() || found == Some(wire.len() - 5));
            }
        }
    }
}
