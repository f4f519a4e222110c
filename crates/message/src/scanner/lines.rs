//! Through the lines: where each begins, what it may be, and the fast way over bodies.

use crate::{
    limits::CANDIDATE_BYTES_MAX,
    scanner::{At, Mark, Mode, Scanner},
};

impl Scanner {
    /// Consumes some of `rest`, at least when [`At`] does not change, and returns how much.
    pub(super) fn step(&mut self, rest: &[u8]) -> usize {
        match (self.at, self.mode) {
            (At::LineStart, _) => self.line_start(rest),
            (At::Cr, _) => self.after_cr(rest),
            (At::Dash, _) => self.after_dash(rest),
            (At::Candidate, _) => self.candidate(rest),
            (At::Name | At::Value, _) => {
                let piece = line_piece(rest);
                self.header_octets(piece);
                self.consume_line_piece(piece)
            }
            (At::Text, _) => self.body_text(rest),
        }
    }

    fn line_start(&mut self, rest: &[u8]) -> usize {
        let Some(first) = rest.get(..1) else { return 0 };
        match (first, self.mode) {
            (b"-", _) if self.boundaries > 0 => {
                self.at = At::Dash;
                self.consume_line_piece(first)
            }
            (_, Mode::Body) => {
                self.at = At::Text;
                0
            }
            (b"\n", Mode::Header) => self.blank_line(first),
            (b"\r", Mode::Header) => {
                self.at = At::Cr;
                self.consume_line_piece(first)
            }
            (b" " | b"\t", Mode::Header) => {
                // RFC 5322 §2.2.3: a folded line goes on with the field; without a field it belongs to nothing.
                self.at = At::Value;
                0
            }
            (_, Mode::Header) => {
                self.begin_field(self.line.start);
                self.at = At::Name;
                0
            }
        }
    }

    fn after_cr(&mut self, rest: &[u8]) -> usize {
        if let Some(line_feed) = rest.get(..1).filter(|first| first == b"\n") {
            return self.blank_line(line_feed);
        }
        self.begin_field(self.line.start);
        self.at = At::Name;
        self.header_octets(b"\r");
        0
    }

    /// RFC 5322 §2.1: the header ends with this line.
    fn blank_line(&mut self, line_feed: &[u8]) -> usize {
        self.end_field(self.line.start);
        let used = self.consume_line_piece(line_feed);
        self.at = At::LineStart;
        self.end_header(self.line);
        used
    }

    fn after_dash(&mut self, rest: &[u8]) -> usize {
        self.candidate.clear();
        self.candidate.push(b'-');
        match rest.get(..1) {
            Some(b"-") => {
                self.candidate.push(b'-');
                self.at = At::Candidate;
                self.consume_line_piece(b"-")
            }
            _ => {
                self.not_a_boundary(self.line);
                0
            }
        }
    }

    /// Collects a line that begins with two dashes, until it ends or is too long for any boundary.
    fn candidate(&mut self, rest: &[u8]) -> usize {
        let piece = line_piece(rest);
        let room = CANDIDATE_BYTES_MAX.saturating_sub(self.candidate.len()).min(piece.len());
        let (fitting, excess) = piece.split_at_checked(room).unwrap_or((piece, &[]));
        self.candidate.extend_from_slice(fitting);
        // RFC 2046 §5.1.1: any amount of padding may follow; it need not be kept.
        if let Some(other) = excess.iter().position(|byte| !is_padding(*byte)) {
            let used = room.saturating_add(other);
            let line = self.line;
            self.consume_line_piece(piece.get(..used).unwrap_or_default());
            self.not_a_boundary(line);
            return used;
        }
        if !piece.ends_with(b"\n") {
            return self.consume_line_piece(piece);
        }
        if !self.candidate.ends_with(b"\n") {
            self.candidate.push(b'\n');
        }
        let line = self.line;
        let used = self.consume_line_piece(piece);
        self.end_candidate(line);
        used
    }

    fn end_candidate(&mut self, line: Mark) {
        match self.matching_boundary() {
            Some(matching) => self.boundary(matching, line),
            None => self.not_a_boundary(line),
        }
    }

    /// The octets in `candidate`, which began the line `line`, are ordinary ones.
    fn not_a_boundary(&mut self, line: Mark) {
        let candidate = std::mem::take(&mut self.candidate);
        match self.mode {
            Mode::Header => {
                self.begin_field(line.start);
                self.at = At::Name;
                self.header_octets(&candidate);
            }
            Mode::Body => {
                self.note_body(&candidate);
                self.at = if candidate.ends_with(b"\n") { At::LineStart } else { At::Text };
            }
        }
        self.candidate = candidate;
    }

    /// Body octets that begin within a line, or at the start of one that cannot be a boundary.
    fn body_text(&mut self, rest: &[u8]) -> usize {
        let (used, ended) = if self.boundaries == 0 {
            (rest.len(), rest.ends_with(b"\n"))
        } else if let Some(found) = self.dashes.find(rest) {
            (found.saturating_add(1), true)
        } else if rest.ends_with(b"\n-") {
            (rest.len().saturating_sub(1), true)
        } else {
            (rest.len(), rest.ends_with(b"\n"))
        };
        let text = rest.get(..used).unwrap_or_default();
        self.note_body(text);
        if ended {
            self.at = At::LineStart;
        }
        let last = text.len().saturating_sub(2);
        let (front, end) = text.split_at_checked(last).unwrap_or((&[], text));
        // Only the last line's end matters below; the line feeds before it are counted at once.
        self.lines = self.lines.saturating_add(to_u64(memchr::memchr_iter(b'\n', front).count()));
        self.offset = self.offset.saturating_add(to_u64(front.len()));
        if let Some(last) = front.last() {
            self.last = *last;
        }
        for octet in end.chunks(1) {
            self.consume_line_piece(octet);
        }
        used
    }

    /// Counts a piece that has no line feed but at its end.
    fn consume_line_piece(&mut self, piece: &[u8]) -> usize {
        let Some((last, before)) = piece.split_last() else { return 0 };
        self.offset = self.offset.saturating_add(to_u64(piece.len()));
        if *last == b'\n' {
            let after_cr = before.last().copied().unwrap_or(self.last) == b'\r';
            self.lines = self.lines.saturating_add(1);
            self.line = Mark { start: self.offset, line_break: if after_cr { 2 } else { 1 }, lines: self.lines };
        }
        self.last = *last;
        piece.len()
    }

    /// At the end of the message: what was waiting for more is decided with what there is.
    pub(super) fn end_last_line(&mut self) {
        match (self.at, self.mode) {
            (At::Candidate, _) => self.end_candidate(self.line),
            (At::Dash, _) => {
                self.candidate.clear();
                self.candidate.push(b'-');
                self.not_a_boundary(self.line);
            }
            (At::Cr, _) => self.begin_field(self.line.start),
            (At::LineStart | At::Name | At::Value | At::Text, _) => {}
        }
    }
}

/// Up to the end of the line, its line feed included, or all.
fn line_piece(rest: &[u8]) -> &[u8] {
    memchr::memchr(b'\n', rest).and_then(|at| rest.get(..=at)).unwrap_or(rest)
}

/// RFC 2046 §5.1.1 transport-padding, and the line break.
pub(super) fn is_padding(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

pub(super) fn to_u64(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
