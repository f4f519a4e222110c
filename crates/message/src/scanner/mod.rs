//! The streaming scanner: octets in, [`Structure`] out.
//!
//! RFC 5322 §2.1 (header, blank line, body), RFC 2046 §5.1.1 (boundaries), §5.1.5 (digest), §5.2.1 (`message/rfc822`).
//! Lines end in CRLF; a bare LF ends a line as well, for old mail that clients append; a bare CR is an octet like any other.
//!
//! A boundary is `--`, the boundary parameter, optionally `--`, optionally spaces and tabs, alone on its line. The innermost
//! open multipart is asked first, so of equal boundaries the inner one counts until it is closed.
//!
//! State: [`At`] is the place within the current line, [`Mode`] says whether the line belongs to a header or a body, `open`
//! is the path from the message to the current part. **Invariant:** every transition is decided by the octets so far, never
//! by where a piece ends. `lines.rs` moves through lines, `parts.rs` opens and closes parts, `values.rs` keeps
//! header values.

mod lines;
mod parts;
mod values;

use memchr::memmem::Finder;

use crate::{
    facts::HeaderFacts,
    limits::{NESTED_ADDRESSES_MAX, NESTED_VALUES_BYTES_MAX},
    scanner::{parts::Open, values::CurrentField},
    structure::Structure,
};

/// Reads a message in pieces. See the module documentation of the crate for what it promises.
#[derive(Debug)]
pub struct Scanner {
    structure: Structure,
    /// Octets consumed.
    offset: u64,
    /// Line feeds consumed.
    lines: u64,
    /// Last octet consumed.
    last: u8,
    /// Where the current line began.
    line: Mark,
    at: At,
    mode: Mode,
    /// The beginning of a line that may be a boundary.
    candidate: Vec<u8>,
    /// From the message itself to the current part.
    open: Vec<Open>,
    /// How many of `open` have a boundary to look for.
    boundaries: usize,
    /// Finds a line that begins with two dashes.
    dashes: Finder<'static>,
    field: CurrentField,
    /// Values of the header being read.
    facts: HeaderFacts,
    nested_values_left: usize,
    nested_addresses_left: usize,
    /// Which sample the current body is kept for.
    sample: Option<SampleKind>,
}

/// A line's beginning, and the line break before it.
#[derive(Clone, Copy, Debug, Default)]
struct Mark {
    /// First octet of the line.
    start: u64,
    /// Octets of the line break before it; 0 at the start of the message and at its end.
    line_break: u64,
    /// Line feeds before it.
    lines: u64,
}

/// The place within the current line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// Nothing of the line has been seen.
    LineStart,
    /// Header: a CR that may be a blank line.
    Cr,
    /// One dash that may begin a boundary.
    Dash,
    /// Two dashes and more, in `candidate`.
    Candidate,
    /// Header: within a field name, or a line that is no field.
    Name,
    /// Header: within a field value, or the rest of a line that is no field.
    Value,
    /// Body: within a line that is no boundary.
    Text,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Header,
    Body,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SampleKind {
    Plain,
    Html,
}

impl Default for Scanner {
    fn default() -> Self {
        Self::new()
    }
}

impl Scanner {
    /// A scanner before the first octet.
    pub fn new() -> Self {
        let mut scanner = Self {
            structure: Structure::default(),
            offset: 0,
            lines: 0,
            last: 0,
            line: Mark::default(),
            at: At::LineStart,
            mode: Mode::Header,
            candidate: Vec::new(),
            open: Vec::new(),
            boundaries: 0,
            dashes: Finder::new(b"\n--"),
            field: CurrentField::default(),
            facts: HeaderFacts::default(),
            nested_values_left: NESTED_VALUES_BYTES_MAX,
            nested_addresses_left: NESTED_ADDRESSES_MAX,
            sample: None,
        };
        scanner.open_part(None, false);
        scanner
    }

    /// Scans a whole message.
    pub fn scan(message: &[u8]) -> Structure {
        let mut scanner = Self::new();
        scanner.feed(message);
        scanner.finish()
    }

    /// Octets seen so far.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Facts about the message header, as soon as it has ended.
    pub fn header_facts(&self) -> Option<&HeaderFacts> {
        let in_message_header = self.mode == Mode::Header && self.open.len() == 1;
        (!in_message_header).then_some(&self.structure.facts)
    }

    /// Reads the next piece, of any size.
    pub fn feed(&mut self, piece: &[u8]) {
        self.structure.has_nul |= memchr::memchr(0, piece).is_some();
        let mut rest = piece;
        while !rest.is_empty() {
            let used = self.step(rest);
            rest = rest.get(used..).unwrap_or_default();
        }
    }

    /// The message has ended.
    pub fn finish(mut self) -> Structure {
        self.end_last_line();
        let end = Mark { start: self.offset, line_break: 0, lines: self.lines };
        self.close_parts(0, end);
        self.structure.size = self.offset;
        self.structure
    }
}

#[cfg(test)]
mod tests;
