//! The line reader: what has arrived and is not worked on yet, and the lines in it.
//!
//! RFC 5321 §2.3.8: only CRLF ends a line. An over-long line is read to its CRLF, thrown away and reported once,
//! wherever the input was cut. Invariant: never more than `INPUT_OCTETS_MAX` octets are held; lines are wiped once
//! taken, since one may carry a password.

use zeroize::{Zeroize, Zeroizing};

use crate::limits::INPUT_OCTETS_MAX;

/// Octets that wait, in order of arrival.
#[derive(Default)]
pub(super) struct Input {
    buffer: Vec<u8>,
    /// Where the first octet that waits stands in the buffer.
    start: usize,
    /// How many of the waiting octets are known to have no CRLF among them.
    scanned: usize,
    /// Inside an over-long line; tells whether its last octet was CR.
    swallowing: Option<LastOctet>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum LastOctet {
    Cr,
    Other,
}

/// What the line reader found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A line, without its CRLF.
    Complete(Zeroizing<Vec<u8>>),
    /// A line over its limit has ended.
    TooLong,
    /// No line has ended yet.
    Incomplete,
}

impl Input {
    /// How many octets may still be added.
    pub(super) fn room(&self) -> usize {
        INPUT_OCTETS_MAX.saturating_sub(self.waiting().len())
    }

    /// Adds what arrived.
    pub(super) fn add(&mut self, octets: &[u8]) {
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        self.buffer.extend_from_slice(octets);
    }

    /// The octets that wait.
    pub(super) fn waiting(&self) -> &[u8] {
        self.buffer.get(self.start..).unwrap_or_default()
    }

    /// Drops the first octets that wait, and gives the memory back when none is left.
    pub(super) fn consume(&mut self, octets: usize) {
        self.start = self.start.saturating_add(octets).min(self.buffer.len());
        self.scanned = 0;
        if self.start == self.buffer.len() {
            self.buffer = Vec::new();
            self.start = 0;
        }
    }

    /// Drops everything that waits.
    pub(super) fn clear(&mut self) {
        self.consume(usize::MAX);
        self.swallowing = None;
    }

    /// Takes the next line. The limit, counted with CRLF, may depend on how the line begins.
    pub(super) fn take_line(&mut self, octets_max: impl Fn(&[u8]) -> usize) -> Line {
        if let Some(last) = self.swallowing {
            return self.swallow(last);
        }
        let waiting = self.waiting();
        // The CR of a CRLF may have been the last octet of the search before.
        let from = self.scanned.saturating_sub(1);
        let found = waiting.get(from..).and_then(|rest| memchr::memmem::find(rest, b"\r\n")).map(|at| from + at);
        let octets_max = octets_max(waiting);
        match found {
            Some(end) if end + 2 <= octets_max => {
                let line = Zeroizing::new(waiting.get(..end).unwrap_or_default().to_vec());
                self.wipe(end);
                self.consume(end + 2);
                Line::Complete(line)
            }
            Some(end) => {
                self.consume(end + 2);
                Line::TooLong
            }
            None if waiting.len() >= octets_max => {
                let last = if waiting.last() == Some(&b'\r') { LastOctet::Cr } else { LastOctet::Other };
                self.consume(usize::MAX);
                self.swallowing = Some(last);
                Line::Incomplete
            }
            None => {
                self.scanned = waiting.len();
                Line::Incomplete
            }
        }
    }

    fn wipe(&mut self, octets: usize) {
        if let Some(line) = self.buffer.get_mut(self.start..self.start.saturating_add(octets)) {
            line.zeroize();
        }
    }

    fn swallow(&mut self, last: LastOctet) -> Line {
        let waiting = self.waiting();
        if last == LastOctet::Cr && waiting.first() == Some(&b'\n') {
            self.swallowing = None;
            self.consume(1);
            return Line::TooLong;
        }
        if let Some(end) = memchr::memmem::find(waiting, b"\r\n") {
            self.swallowing = None;
            self.consume(end + 2);
            return Line::TooLong;
        }
        if let Some(octet) = waiting.last() {
            self.swallowing = Some(if *octet == b'\r' { LastOctet::Cr } else { LastOctet::Other });
            self.consume(usize::MAX);
        }
        Line::Incomplete
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lines(pieces: &[&[u8]], max: usize) -> Vec<Option<Vec<u8>>> {
        let mut input = Input::default();
        let mut found = Vec::new();
        for piece in pieces {
            input.add(piece);
            loop {
                match input.take_line(|_| max) {
                    Line::Complete(line) => found.push(Some(line.to_vec())),
                    Line::TooLong => found.push(None),
                    Line::Incomplete => break,
                }
            }
        }
        found
    }

    #[test]
    fn only_crlf_ends_a_line() {
        let found = lines(&[b"a\nb\rc\r\r\nd\r\n"], 100);
        assert_eq!(found, [Some(b"a\nb\rc\r".to_vec()), Some(b"d".to_vec())]);
    }

    #[test]
    fn a_line_may_just_reach_its_limit() {
        assert_eq!(lines(&[b"12345678\r\n"], 10), [Some(b"12345678".to_vec())]);
        assert_eq!(lines(&[b"123456789\r\nx\r\n"], 10), [None, Some(b"x".to_vec())]);
    }

    #[test]
    fn an_empty_reader_holds_no_memory() {
        let mut input = Input::default();
        input.add(&[b'x'; 5000]);
        input.add(b"\r\n");
        assert!(matches!(input.take_line(|_| 10_000), Line::Complete(_)));
        assert_eq!(input.buffer.capacity(), 0);
    }

    proptest! {
        #[test]
        fn where_the_input_is_cut_changes_nothing(
            octets in proptest::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'x')], 0..60),
            cuts in proptest::collection::vec(0usize..60, 0..6),
            max in 3usize..12,
        ) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|at| at.min(octets.len())).collect();
            cuts.extend([0, octets.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|pair| &octets[pair[0]..pair[1]]).collect();
            prop_assert_eq!(lines(&pieces, max), lines(&[&octets], max));
        }
    }
}
