//! Opening and closing parts: at the end of a header, at a boundary, at the end of the message.

use crate::{
    envelope::Envelope,
    limits::{DEPTH_MAX, PARTS_MAX},
    mime::{ContentType, Mime},
    scanner::{
        At, Mark, Mode, SampleKind, Scanner,
        lines::{is_padding, to_u64},
    },
    structure::{Part, PartKind, TextSample},
};

/// A part that has not ended.
#[derive(Debug)]
pub(super) struct Open {
    /// Its index.
    pub(super) part: usize,
    /// What divides its children, while there may be more of them.
    boundary: Option<Vec<u8>>,
    /// `multipart/digest`: the children's default type is another (RFC 2046 §5.1.5).
    digest: bool,
    /// How many children it has.
    children: u32,
    /// Line feeds before its body.
    lines_before: u64,
    /// Where its last child's body ended.
    children_end: u64,
    /// Whether its parent is a digest.
    in_digest: bool,
    /// Whether it has an envelope.
    pub(super) is_message: bool,
}

/// A boundary line of `open[depth]`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Matching {
    depth: usize,
    /// It is the last one, with `--` at its end.
    closing: bool,
}

impl Scanner {
    /// Begins a part at the current offset; its header follows. `parent` is the depth in `open`.
    pub(super) fn open_part(&mut self, parent: Option<usize>, in_digest: bool) {
        let index = self.structure.parts.len();
        let parent = parent.and_then(|depth| self.open.get_mut(depth));
        let mut part = Part { number: 1, header_start: self.offset, ..Part::default() };
        let mut is_message = true;
        if let Some(parent) = parent {
            parent.children = parent.children.saturating_add(1);
            part.number = parent.children;
            part.parent = Some(parent.part);
            is_message = parent.boundary.is_none();
        }
        self.structure.parts.push(part);
        self.open.push(Open {
            part: index,
            boundary: None,
            digest: false,
            children: 0,
            lines_before: 0,
            children_end: 0,
            in_digest,
            is_message,
        });
        self.mode = Mode::Header;
        self.sample = None;
    }

    /// The header of the current part has ended: its body begins at `body`.
    pub(super) fn end_header(&mut self, body: Mark) {
        let facts = std::mem::take(&mut self.facts);
        let depth = self.open.len();
        let full = self.structure.parts.len() >= PARTS_MAX;
        let Some(open) = self.open.last_mut() else { return };
        let mut mime = Mime::from_facts(&facts, open.in_digest);
        let (kind, boundary) = kind_of(&mut mime.content_type);
        let too_deep = kind != PartKind::Leaf && depth >= DEPTH_MAX || kind == PartKind::Message && full;
        let (kind, boundary) = if too_deep {
            self.structure.limited = true;
            // RFC 2046 §4.5.1: octets whose meaning is not known.
            mime.content_type = ContentType::new(b"application", b"octet-stream");
            (PartKind::Leaf, None)
        } else {
            (kind, boundary)
        };
        self.boundaries = self.boundaries.saturating_add(usize::from(boundary.is_some()));
        open.digest = boundary.is_some() && mime.content_type.is_exactly(b"multipart", b"digest");
        open.boundary = boundary;
        open.lines_before = body.lines;
        let index = open.part;
        let envelope = open.is_message.then(|| {
            let mut unlimited = usize::MAX;
            let left = if depth == 1 { &mut unlimited } else { &mut self.nested_addresses_left };
            Box::new(Envelope::from_facts(&facts, left))
        });
        self.mode = Mode::Body;
        self.sample = if kind == PartKind::Leaf { self.begin_sample(index, &mime) } else { None };
        if let Some(part) = self.structure.parts.get_mut(index) {
            part.kind = kind;
            part.body_start = body.start;
            part.mime = mime;
            part.envelope = envelope;
        }
        if depth == 1 {
            self.structure.facts = facts;
        }
        if kind == PartKind::Message {
            // RFC 2046 §5.2.1: the body is a message, whose header begins here.
            self.open_part(depth.checked_sub(1), false);
            if let Some(nested) = self.structure.parts.last_mut() {
                nested.header_start = body.start;
            }
        }
    }

    /// The open multipart whose boundary the line in `candidate` is, the innermost first.
    pub(super) fn matching_boundary(&mut self) -> Option<Matching> {
        let length = self.candidate.iter().rposition(|byte| !is_padding(*byte))?.saturating_add(1);
        let line = self.candidate.get(2..length)?;
        let found = self.open.iter().enumerate().rev().find_map(|(depth, open)| {
            let boundary = open.boundary.as_deref()?;
            let rest = line.strip_prefix(boundary)?;
            match rest {
                b"" => Some(Matching { depth, closing: false }),
                b"--" => Some(Matching { depth, closing: true }),
                _ => None,
            }
        })?;
        if !found.closing && self.structure.parts.len() >= PARTS_MAX {
            self.structure.limited = true;
            return None;
        }
        Some(found)
    }

    /// The boundary line that began at `line` has been consumed.
    pub(super) fn boundary(&mut self, matching: Matching, line: Mark) {
        self.close_parts(matching.depth.saturating_add(1), line);
        self.at = At::LineStart;
        let Some(open) = self.open.get_mut(matching.depth) else { return };
        if matching.closing {
            // The epilogue follows: no boundary of this multipart counts any more.
            open.boundary = None;
            self.boundaries = self.boundaries.saturating_sub(1);
            self.mode = Mode::Body;
            self.sample = None;
        } else {
            let digest = open.digest;
            self.open_part(Some(matching.depth), digest);
        }
    }

    /// Ends all parts deeper than `depth` in front of the boundary line at `end` (or at the end of the message).
    pub(super) fn close_parts(&mut self, depth: usize, end: Mark) {
        if self.open.len() <= depth {
            return;
        }
        // A header without a blank line: the body is empty. The second round is for a nested message.
        while self.mode == Mode::Header {
            self.end_field(end.start);
            self.end_header(Mark { line_break: 0, ..end });
        }
        let mut children_end = 0;
        while self.open.len() > depth {
            let Some(open) = self.open.pop() else { break };
            self.boundaries = self.boundaries.saturating_sub(usize::from(open.boundary.is_some()));
            let Some(part) = self.structure.parts.get_mut(open.part) else { continue };
            // RFC 2046 §5.1.1: the line break before the boundary belongs to it, unless it ended the header.
            let before_break = end.start.saturating_sub(end.line_break);
            part.body_end = before_break.max(part.body_start).max(children_end).max(open.children_end);
            let lines = if part.body_end < end.start { end.lines.saturating_sub(1) } else { end.lines };
            part.lines = lines.saturating_sub(open.lines_before);
            children_end = part.body_end;
        }
        if let Some(parent) = self.open.last_mut() {
            parent.children_end = children_end;
        }
        self.sample = None;
    }

    /// Whether the leaf that begins is the first text of its kind that a reader would see.
    fn begin_sample(&mut self, part: usize, mime: &Mime) -> Option<SampleKind> {
        let attached =
            mime.disposition.as_ref().is_some_and(|disposition| disposition.kind.eq_ignore_ascii_case(b"attachment"));
        if attached || !mime.content_type.is(b"text") {
            return None;
        }
        let sample = TextSample { part, bytes: Vec::new() };
        if mime.content_type.subtype.eq_ignore_ascii_case(b"html") {
            self.structure.html_sample.is_none().then(|| {
                self.structure.html_sample = Some(sample);
                SampleKind::Html
            })
        } else if mime.content_type.subtype.eq_ignore_ascii_case(b"plain") {
            self.structure.plain_sample.is_none().then(|| {
                self.structure.plain_sample = Some(sample);
                SampleKind::Plain
            })
        } else {
            None
        }
    }

    /// Keeps what is wanted of body octets, and their facts.
    pub(super) fn note_body(&mut self, text: &[u8]) {
        self.structure.body_eight_bit |= !text.is_ascii();
        let (sample, bytes_max) = match self.sample {
            Some(SampleKind::Plain) => (&mut self.structure.plain_sample, crate::limits::PLAIN_SAMPLE_BYTES_MAX),
            Some(SampleKind::Html) => (&mut self.structure.html_sample, crate::limits::HTML_SAMPLE_BYTES_MAX),
            None => return,
        };
        let Some(sample) = sample else { return };
        let room = bytes_max.saturating_sub(sample.bytes.len());
        sample.bytes.extend_from_slice(text.get(..room).unwrap_or(text));
        debug_assert!(to_u64(sample.bytes.len()) <= to_u64(bytes_max));
    }
}

/// How a part of this type is read, and what divides it.
fn kind_of(content_type: &mut ContentType) -> (PartKind, Option<Vec<u8>>) {
    if content_type.is(b"multipart") {
        let boundary = content_type.boundary();
        if boundary.is_none() {
            // RFC 2046 §5.1.1 requires the parameter; RFC 2045 §5.2: what cannot be read counts as text/plain.
            *content_type = ContentType::default();
            return (PartKind::Leaf, None);
        }
        return (PartKind::Multipart, boundary);
    }
    // RFC 6532 §3.7: message/global is message/rfc822 with UTF-8 in its header. A transfer encoding changes nothing here:
    // RFC 2046 §5.2.1 forbids one, and IMAP wants an envelope and a body of every part of this type.
    if content_type.is_exactly(b"message", b"rfc822") || content_type.is_exactly(b"message", b"global") {
        return (PartKind::Message, None);
    }
    (PartKind::Leaf, None)
}
