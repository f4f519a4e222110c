//! Lines of a body that a filter writes: every one ends with CRLF, whatever it was written with.

/// Mends line ends as octets pass, however they are cut.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lines {
    /// The last octet was a CR whose LF may follow.
    cr: bool,
    /// Something has passed, and no line end behind it.
    open: bool,
}

impl Lines {
    /// The next octets, mended: CR and LF alone become CRLF, since another server might take either for a line end.
    pub(crate) fn pass(&mut self, octets: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(octets.len().saturating_add(16));
        for octet in octets {
            match (octet, std::mem::replace(&mut self.cr, *octet == b'\r')) {
                (b'\n', _) => self.end(&mut out),
                (b'\r', true) => self.end(&mut out),
                (b'\r', false) => {}
                (other, cr) => {
                    if cr {
                        self.end(&mut out);
                    }
                    out.push(*other);
                    self.open = true;
                }
            }
        }
        out
    }

    /// What is missing at the end: the last line's.
    pub(crate) fn finish(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        if std::mem::take(&mut self.cr) || self.open {
            self.end(&mut out);
        }
        out
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"\r\n");
        self.open = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn mended(octets: &[u8], cut: usize) -> Vec<u8> {
        let mut lines = Lines::default();
        let (front, behind) = octets.split_at(cut.min(octets.len()));
        let mut out = lines.pass(front);
        out.extend(lines.pass(behind));
        out.extend(lines.finish());
        out
    }

    #[test]
    fn every_line_ends_with_crlf() {
        for (given, expected) in [
            (&b""[..], &b""[..]),
            (b"a\r\nb\r\n", b"a\r\nb\r\n"),
            (b"a\nb", b"a\r\nb\r\n"),
            (b"a\rb\r", b"a\r\nb\r\n"),
            (b"a\r\r\nb\n\n", b"a\r\n\r\nb\r\n\r\n"),
            (b"\n.\n", b"\r\n.\r\n"),
            (b"\r", b"\r\n"),
        ] {
            for cut in 0..=given.len() {
                assert_eq!(mended(given, cut), expected, "{given:?} at {cut}");
            }
        }
    }

    proptest! {
        #[test]
        fn no_line_end_stands_alone(octets in prop::collection::vec(prop::sample::select(b"a\r\n.".to_vec()), 0..40), cut in 0_usize..40) {
            let out = mended(&octets, cut);
            let text = String::from_utf8(out.clone()).unwrap().replace("\r\n", "");
            prop_assert!(!text.contains(['\r', '\n']), "{out:?}");
            prop_assert_eq!(mended(&octets, 0), out.clone());
            prop_assert_eq!(mended(&out, 3), out);
        }
    }
}
