//! The line reader: what has arrived and is not worked on yet, and the lines in it.
//!
//! RFC 5321 §2.3.8: only CRLF ends a line. An over-long line is read to its CRLF, thrown away and reported once,
//! wherever the input was cut, unless it does not end within `SWALLOWED_LINE_OCTETS_MAX`. Invariant: never more than `INPUT_OCTETS_MAX` octets are held; lines are wiped once
//! taken, since one may carry a password.

use zeroize::{Zeroize, Zeroizing};

use crate::limits::{INPUT_OCTETS_MAX, SWALLOWED_LINE_OCTETS_MAX};

/// Octets that wait, in order of arrival.
#[derive(Default)]
pub(super) struct Input {
    buffer: Vec<u8>,
    /// Where the first octet that waits stands in the buffer.
    start: usize,
    /// How many of the waiting octets are known to have no CRLF among them.
    scanned: usize,
    /// Inside a line that is thrown away.
    swallowing: Option<Swallowed>,
}

/// What is known of a line that is thrown away.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Swallowed {
    last: LastOctet,
    octets: usize,
    /// The client has been told already.
    answered: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum LastOctet {
    Cr,
    /// LF that does not stand behind CR.
    BareLf,
    Other,
}

impl LastOctet {
    /// Of octets that no CRLF is among; `before` is what stood before them.
    fn of(octets: &[u8], before: Self) -> Self {
        match octets {
            [.., b'\r'] => Self::Cr,
            [.., b'\r', b'\n'] => Self::Other,
            [b'\n'] if before == Self::Cr => Self::Other,
            [.., b'\n'] => Self::BareLf,
            [] => before,
            _ => Self::Other,
        }
    }
}

/// What the line reader found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A line, without its CRLF.
    Complete(Zeroizing<Vec<u8>>),
    /// A line over its limit has ended.
    TooLong,
    /// A line over its limit goes on and on.
    Endless,
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

    /// Whether what waits belongs to a line whose beginning was thrown away.
    pub(super) fn is_inside_long_line(&self) -> bool {
        self.swallowing.is_some()
    }

    /// The octets that wait.
    pub(super) fn waiting(&self) -> &[u8] {
        self.buffer.get(self.start..).unwrap_or_default()
    }

    /// Whether a line has ended among the octets that wait.
    pub(super) fn has_line(&self) -> bool {
        memchr::memmem::find(self.waiting(), b"\r\n").is_some()
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
        if let Some(swallowed) = self.swallowing
            && let Some(line) = self.swallow(swallowed)
        {
            return line;
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
                self.throw_away(false);
                Line::Incomplete
            }
            None => {
                self.scanned = waiting.len();
                Line::Incomplete
            }
        }
    }

    fn wipe(&mut self, octets: usize) {
        let end = self.start.saturating_add(octets).min(self.buffer.len());
        if let Some(line) = self.buffer.get_mut(self.start..end) {
            line.zeroize();
        }
    }

    /// Whether what has come of the line that is awaited looks as if LF alone had ended it.
    pub(super) fn ends_with_bare_lf(&self) -> bool {
        let before = self.swallowing.map_or(LastOctet::Other, |swallowed| swallowed.last);
        LastOctet::of(self.waiting(), before) == LastOctet::BareLf
    }

    /// The client has been told that its line is wrong: what there is of it is dropped, and so is the rest up to CRLF.
    pub(super) fn give_line_up(&mut self) {
        self.throw_away(true);
        if let Some(swallowed) = &mut self.swallowing {
            swallowed.last = LastOctet::Other;
        }
    }

    /// Drops what waits, which holds no CRLF, and goes on dropping.
    fn throw_away(&mut self, answered: bool) {
        let known = self.swallowing.unwrap_or(Swallowed { last: LastOctet::Other, octets: 0, answered });
        let waiting = self.waiting();
        let swallowed = Swallowed {
            last: LastOctet::of(waiting, known.last),
            octets: known.octets.saturating_add(waiting.len()),
            answered: answered || known.answered,
        };
        self.wipe(usize::MAX);
        self.consume(usize::MAX);
        self.swallowing = Some(swallowed);
    }

    /// Works on the rest of a line that is thrown away; `None` when it has ended and its client knows already.
    fn swallow(&mut self, swallowed: Swallowed) -> Option<Line> {
        let waiting = self.waiting();
        let end = if swallowed.last == LastOctet::Cr && waiting.first() == Some(&b'\n') {
            Some(1)
        } else {
            memchr::memmem::find(waiting, b"\r\n").map(|at| at + 2)
        };
        if let Some(end) = end {
            self.swallowing = None;
            self.consume(end);
            return (!swallowed.answered).then_some(Line::TooLong);
        }
        self.throw_away(false);
        let octets = self.swallowing.map_or(0, |swallowed| swallowed.octets);
        Some(if octets > SWALLOWED_LINE_OCTETS_MAX { Line::Endless } else { Line::Incomplete })
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
                    Line::Endless | Line::Incomplete => break,
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

    #[test]
    fn a_line_without_end_is_not_read_for_ever() {
        let mut input = Input::default();
        let mut octets = 0;
        loop {
            input.add(&[b'x'; 1000]);
            octets += 1000;
            let line = input.take_line(|_| 100);
            if line == Line::Endless {
                break;
            }
            assert_eq!(line, Line::Incomplete);
        }
        assert!((SWALLOWED_LINE_OCTETS_MAX..SWALLOWED_LINE_OCTETS_MAX + 2000).contains(&octets), "{octets}");
        assert_eq!(input.buffer.capacity(), 0);
    }

    #[test]
    fn a_line_that_was_given_up_ends_in_silence() {
        for pieces in [&[b"rest\r\nnext\r\n".as_slice()][..], &[b"rest\r", b"\nnext\r\n"], &[b"\r\nnext\r\n"]] {
            let mut input = Input::default();
            input.add(b"EHLO x\n");
            assert_eq!(input.take_line(|_| 100), Line::Incomplete);
            assert!(input.ends_with_bare_lf());
            input.give_line_up();
            assert!(!input.ends_with_bare_lf(), "it was answered");
            let (last, first) = pieces.split_last().unwrap();
            for piece in first {
                input.add(piece);
                assert_eq!(input.take_line(|_| 100), Line::Incomplete);
            }
            input.add(last);
            assert_eq!(input.take_line(|_| 100), Line::Complete(Zeroizing::new(b"next".to_vec())));
        }
        // The next line of such a client stands alone again.
        let mut input = Input::default();
        input.add(b"EHLO x\n");
        assert_eq!(input.take_line(|_| 100), Line::Incomplete);
        input.give_line_up();
        input.add(b"QUIT\n");
        assert_eq!(input.take_line(|_| 100), Line::Incomplete);
        assert!(input.ends_with_bare_lf());
    }

    #[test]
    fn only_lf_without_cr_is_bare() {
        for (octets, bare) in [("a\n", true), ("\n", true), ("a", false), ("a\r", false), ("a\nb", false), ("", false)]
        {
            let mut input = Input::default();
            input.add(octets.as_bytes());
            assert_eq!(input.ends_with_bare_lf(), bare, "{octets:?}");
        }
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
