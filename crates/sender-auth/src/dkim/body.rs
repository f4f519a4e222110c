//! A body, hashed as it passes. Relaxed (RFC 6376 §3.4.4): white space at line ends goes, runs of it become one space, empty lines
//! at the end do not count. Simple (§3.4.3): only empty lines at the end do not count.

use aws_lc_rs::digest::{Context, Digest, SHA256};

/// How much a body, or a header, may change on its way (RFC 6376 §3.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Canonicalization {
    /// §3.4.1, §3.4.3: hardly at all.
    Simple,
    /// §3.4.2, §3.4.4: in its white space.
    Relaxed,
}

/// A body under way. However it is cut, the hash is the same.
pub(crate) struct BodyHasher {
    relaxed: bool,
    hash: Context,
    /// Canonical octets so far.
    octets: u64,
    /// Canonical octets on their way into the hash.
    buffer: Vec<u8>,
    /// White space was seen and nothing behind it yet on this line.
    space: bool,
    /// A CR whose LF is still to come.
    carriage_return: bool,
    /// Line ends that count only when something follows.
    line_ends: u64,
    /// Whether anything but line ends was there.
    any: bool,
}

const BUFFER: usize = 8 * 1024;

impl BodyHasher {
    pub(crate) fn new(canonicalization: Canonicalization) -> Self {
        Self {
            relaxed: canonicalization == Canonicalization::Relaxed,
            hash: Context::new(&SHA256),
            octets: 0,
            buffer: Vec::with_capacity(BUFFER),
            space: false,
            carriage_return: false,
            line_ends: 0,
            any: false,
        }
    }

    pub(crate) fn feed(&mut self, octets: &[u8]) {
        let mut rest = octets;
        while let Some(&octet) = rest.first() {
            if self.carriage_return || self.is_special(octet) {
                self.special(octet);
                rest = rest.get(1..).unwrap_or_default();
                continue;
            }
            // The usual case: a stretch of text.
            let end = if self.relaxed {
                rest.iter().position(|octet| matches!(octet, b' ' | b'\t' | b'\r' | b'\n'))
            } else {
                memchr::memchr(b'\r', rest)
            };
            let end = end.unwrap_or(rest.len());
            let (text, behind) = rest.split_at_checked(end).unwrap_or((rest, &[]));
            self.catch_up();
            self.put(text);
            rest = behind;
        }
    }

    /// A bare LF ends no line of a simple body: SMTP lets none through (RFC 5321 §2.3.8).
    const fn is_special(&self, octet: u8) -> bool {
        octet == b'\r' || (self.relaxed && matches!(octet, b' ' | b'\t' | b'\n'))
    }

    fn special(&mut self, octet: u8) {
        if std::mem::take(&mut self.carriage_return) {
            if octet == b'\n' {
                self.line_end();
                return;
            }
            // A CR alone is no line end (RFC 5322 §2.3); it is text like any other.
            self.catch_up();
            self.put(b"\r");
        }
        match octet {
            b'\r' => self.carriage_return = true,
            b'\n' if self.relaxed => self.line_end(),
            b' ' | b'\t' if self.relaxed => self.space = true,
            _ => {
                self.catch_up();
                self.put(&[octet]);
            }
        }
    }

    fn line_end(&mut self) {
        self.space = false;
        self.line_ends = self.line_ends.saturating_add(1);
    }

    /// Something follows: what was waiting counts.
    fn catch_up(&mut self) {
        while self.line_ends > 0 {
            self.line_ends = self.line_ends.saturating_sub(1);
            self.put(b"\r\n");
        }
        if std::mem::take(&mut self.space) {
            self.put(b" ");
        }
        self.any = true;
    }

    fn put(&mut self, octets: &[u8]) {
        self.octets = self.octets.saturating_add(octets.len() as u64);
        if self.buffer.len().saturating_add(octets.len()) > BUFFER {
            self.hash.update(&self.buffer);
            self.buffer.clear();
        }
        if octets.len() > BUFFER { self.hash.update(octets) } else { self.buffer.extend_from_slice(octets) }
    }

    /// The hash, and how many canonical octets there were. A body that has anything ends with a line end; an empty one is nothing at
    /// all when relaxed (§3.4.4 b), and a line end when simple (§3.4.3).
    pub(crate) fn finish(mut self) -> (Digest, u64) {
        if std::mem::take(&mut self.carriage_return) {
            self.catch_up();
            self.put(b"\r");
        }
        // White space alone on the last line goes, with the line.
        if self.any || !self.relaxed {
            self.put(b"\r\n");
        }
        self.hash.update(&self.buffer);
        (self.hash.finish(), self.octets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hash(pieces: &[&[u8]]) -> Vec<u8> {
        hash_as(Canonicalization::Relaxed, pieces).0
    }

    fn hash_as(canonicalization: Canonicalization, pieces: &[&[u8]]) -> (Vec<u8>, u64) {
        let mut body = BodyHasher::new(canonicalization);
        pieces.iter().for_each(|piece| body.feed(piece));
        let (hash, octets) = body.finish();
        (hash.as_ref().to_vec(), octets)
    }

    fn plain(text: &[u8]) -> Vec<u8> {
        aws_lc_rs::digest::digest(&SHA256, text).as_ref().to_vec()
    }

    #[test]
    fn the_canonical_form_of_the_rfc() {
        for (body, canonical) in [
            // RFC 6376 §3.4.5.
            (" C \r\nD \t E\r\n\r\n\r\n", " C\r\nD E\r\n"),
            ("", ""),
            ("\r\n\r\n", ""),
            (" \r\n\t\r\n", ""),
            ("text", "text\r\n"),
            ("a\r\n \r\n\r\nb\r\n", "a\r\n\r\n\r\nb\r\n"),
            ("a  \t b\r\n", "a b\r\n"),
            ("\ta\r\n", " a\r\n"),
            ("a \r", "a \r\r\n"),
        ] {
            assert_eq!(hash(&[body.as_bytes()]), plain(canonical.as_bytes()), "{body:?}");
        }
        let long = "x".repeat(50_000);
        assert_eq!(hash(&[long.as_bytes(), b"\r\n\r\n"]), plain(format!("{long}\r\n").as_bytes()));
    }

    #[test]
    fn the_simple_form_of_the_rfc() {
        for (body, canonical) in [
            // RFC 6376 §3.4.5, §3.4.3.
            (" C \r\nD \t E\r\n\r\n\r\n", " C \r\nD \t E\r\n"),
            ("", "\r\n"),
            ("\r\n\r\n", "\r\n"),
            ("text", "text\r\n"),
            (" \r\n\r\n", " \r\n"),
            ("a\r\n\r\nb\r\n", "a\r\n\r\nb\r\n"),
            ("a\r", "a\r\r\n"),
        ] {
            let expected = (plain(canonical.as_bytes()), canonical.len() as u64);
            assert_eq!(hash_as(Canonicalization::Simple, &[body.as_bytes()]), expected, "{body:?}");
            let cut: Vec<&[u8]> = body.as_bytes().chunks(1).collect();
            assert_eq!(hash_as(Canonicalization::Simple, &cut), expected, "{body:?}");
        }
    }

    /// The same by definition, on a whole body.
    fn model(body: &str) -> String {
        let mut lines: Vec<String> = Vec::new();
        for line in body.split("\r\n") {
            let mut out = String::new();
            let mut space = false;
            for c in line.chars() {
                if matches!(c, ' ' | '\t') {
                    space = true;
                } else {
                    if std::mem::take(&mut space) {
                        out.push(' ');
                    }
                    out.push(c);
                }
            }
            lines.push(out);
        }
        while lines.last().is_some_and(String::is_empty) {
            lines.pop();
        }
        lines.iter().map(|line| format!("{line}\r\n")).collect()
    }

    proptest! {
        #[test]
        fn is_the_model_however_it_is_cut(parts in prop::collection::vec("(\r\n|[ \t]|[a-z.]){0,12}", 0..12)) {
            let body = parts.concat();
            let pieces: Vec<&[u8]> = parts.iter().map(String::as_bytes).collect();
            prop_assert_eq!(hash(&pieces), plain(model(&body).as_bytes()));
            let octets: Vec<&[u8]> = body.as_bytes().chunks(1).collect();
            prop_assert_eq!(hash(&octets), plain(model(&body).as_bytes()));
        }
    }
}
