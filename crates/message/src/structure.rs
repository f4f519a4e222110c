//! What a scan yields: the flattened part tree with exact offsets, the message header's index and facts.

use crate::{envelope::Envelope, facts::HeaderFacts, mime::Mime, part_table::PartTable, section::Section};

/// A range of octets of the message: `start` included, `end` not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ByteRange {
    /// First octet.
    pub start: u64,
    /// One after the last octet.
    pub end: u64,
}

impl ByteRange {
    /// Number of octets.
    pub fn size(self) -> u64 {
        self.end.saturating_sub(self.start)
    }

    /// Whether there is no octet.
    pub fn is_empty(self) -> bool {
        self.size() == 0
    }

    /// These octets of a whole message; nothing when the message is shorter.
    pub fn of(self, message: &[u8]) -> &[u8] {
        let start = usize::try_from(self.start).unwrap_or(usize::MAX);
        let end = usize::try_from(self.end).unwrap_or(usize::MAX);
        message.get(start..end).unwrap_or_default()
    }
}

/// How a part is built.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum PartKind {
    /// No parts inside.
    #[default]
    Leaf,
    /// `multipart/*`: its children are the body parts, possibly none (IMAP then needs an empty text part).
    Multipart,
    /// `message/rfc822` or `message/global`: its only child is the nested message.
    Message,
}

/// One part: the message itself, a body part, or a nested message.
///
/// **Invariant:** `header_start <= body_start <= body_end`, and children lie within their parent's body, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// Index of the parent; `None` for the message itself.
    pub parent: Option<usize>,
    /// Position among the parent's children, from 1.
    pub number: u32,
    /// How it is built; agrees with `mime.content_type`.
    pub kind: PartKind,
    /// First octet of the header.
    pub header_start: u64,
    /// First octet after the header and its blank line.
    pub body_start: u64,
    /// One after the last octet of the body; the line break before a boundary belongs to the boundary (RFC 2046 §5.1.1).
    pub body_end: u64,
    /// Line breaks in the body, as BODYSTRUCTURE gives for `text/*` and `message/rfc822`.
    pub lines: u64,
    /// What the `Content-*` fields say, defaults filled in.
    pub mime: Mime,
    /// The envelope, when this part is a message: the whole one or a nested one.
    pub envelope: Option<Box<Envelope>>,
}

impl Part {
    /// The header with its blank line.
    pub fn header(&self) -> ByteRange {
        ByteRange { start: self.header_start, end: self.body_start }
    }

    /// The body.
    pub fn body(&self) -> ByteRange {
        ByteRange { start: self.body_start, end: self.body_end }
    }
}

/// One field of the message header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderField {
    /// The name as sent; empty for a line that is no field.
    pub name: String,
    /// First octet of the field.
    pub start: u64,
    /// First octet after the colon.
    pub value_start: u64,
    /// One after the last octet, its line break included.
    pub end: u64,
}

/// The first octets of the first text part of a kind, as sent, for the preview.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextSample {
    /// Index of the part.
    pub part: usize,
    /// Its first octets, still encoded.
    pub bytes: Vec<u8>,
}

/// The structure of one message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Structure {
    /// Octets of the whole message.
    pub size: u64,
    /// All parts, each before its children; the first is the message itself and is always there.
    pub parts: Vec<Part>,
    /// Index of the message header, its first [`crate::limits::FIELDS_INDEXED_MAX`] fields.
    pub fields: Vec<HeaderField>,
    /// Facts about the message header.
    pub facts: HeaderFacts,
    /// The beginning of the first `text/plain` part that is not an attachment.
    pub plain_sample: Option<TextSample>,
    /// The beginning of the first `text/html` part that is not an attachment.
    pub html_sample: Option<TextSample>,
    /// The header of a part or nested message holds octets above 127.
    pub nested_header_eight_bit: bool,
    /// A body holds octets above 127: relaying needs 8BITMIME (RFC 6152).
    pub body_eight_bit: bool,
    /// There is a NUL somewhere: relaying needs BINARYMIME (RFC 3030).
    pub has_nul: bool,
    /// A bound of [`crate::limits`] was reached: something is missing here.
    pub limited: bool,
}

impl Structure {
    /// The message itself.
    pub fn root(&self) -> Option<&Part> {
        self.parts.first()
    }

    /// The envelope of the message.
    pub fn envelope(&self) -> Option<&Envelope> {
        self.root()?.envelope.as_deref()
    }

    /// The children of a part, in order.
    pub fn children(&self, parent: usize) -> impl Iterator<Item = (usize, &Part)> {
        self.parts.iter().enumerate().skip(parent).filter(move |(_, part)| part.parent == Some(parent))
    }

    /// Whether the (indexed) message header has a field of this name, in any case.
    pub fn has_field(&self, name: &str) -> bool {
        self.fields.iter().any(|field| field.name.eq_ignore_ascii_case(name))
    }

    /// Takes up fields that were put into the message header after it was scanned: whole lines, at the beginning of a field.
    pub fn insert_fields(&mut self, at: u64, fields: &[u8]) {
        let added = fields.len() as u64;
        let moved = |place: &mut u64| {
            if *place >= at {
                *place = place.saturating_add(added);
            }
        };
        for (index, part) in self.parts.iter_mut().enumerate() {
            if index > 0 {
                moved(&mut part.header_start);
            }
            moved(&mut part.body_start);
            moved(&mut part.body_end);
        }
        for field in &mut self.fields {
            [&mut field.start, &mut field.value_start, &mut field.end].into_iter().for_each(|place| {
                // The end of the field before is where the new ones begin.
                if *place > at {
                    *place = place.saturating_add(added);
                }
            });
        }
        let before = self.fields.iter().take_while(|field| field.end <= at).count();
        for field in self.fields.iter_mut().skip(before) {
            field.start = field.start.max(at.saturating_add(added));
        }
        let mut start = at;
        let mut new = Vec::new();
        for field in crate::raw_fields(fields) {
            let end = start.saturating_add(field.bytes.len() as u64);
            let value_start = end.saturating_sub(field.value().len() as u64);
            let name = String::from_utf8_lossy(field.name.unwrap_or_default()).into_owned();
            new.push(HeaderField { name, start, value_start, end });
            start = end;
        }
        self.fields.splice(before..before, new);
        self.fields.truncate(crate::limits::FIELDS_INDEXED_MAX);
        self.size = self.size.saturating_add(added);
    }

    /// The compact table that a stored record keeps.
    pub fn part_table(&self) -> PartTable {
        PartTable::new(self)
    }

    /// The octets of a section, or `None` when the message has no such section.
    pub fn section(&self, section: &Section) -> Option<ByteRange> {
        self.part_table().section(section)
    }

    /// Whether a reader would call something in this message an attachment.
    pub fn has_attachment(&self) -> bool {
        let nested = |part: &Part| {
            part.parent.and_then(|parent| self.parts.get(parent)).is_some_and(|parent| parent.kind == PartKind::Message)
        };
        let mut inside_nested = vec![false; self.parts.len()];
        for (index, part) in self.parts.iter().enumerate() {
            let inside =
                nested(part) || part.parent.and_then(|parent| inside_nested.get(parent)).copied() == Some(true);
            if let Some(slot) = inside_nested.get_mut(index) {
                *slot = inside;
            }
            if !inside && is_attachment(part) {
                return true;
            }
        }
        false
    }
}

fn is_attachment(part: &Part) -> bool {
    let mime = &part.mime;
    let disposition = mime.disposition.as_ref();
    if part.kind == PartKind::Multipart {
        return false;
    }
    if disposition.is_some_and(|disposition| disposition.kind.eq_ignore_ascii_case(b"attachment")) {
        return true;
    }
    // Pictures of an HTML text and signatures are machinery, not something that was attached.
    let machinery = mime.id.is_some()
        || [&b"pgp-signature"[..], b"pkcs7-signature", b"x-pkcs7-signature", b"pgp-encrypted", b"delivery-status"]
            .iter()
            .any(|subtype| mime.content_type.subtype.eq_ignore_ascii_case(subtype));
    let named = mime.content_type.parameters.decoded(b"name").is_some()
        || disposition.is_some_and(|disposition| disposition.parameters.decoded(b"filename").is_some());
    !machinery && (named || !mime.content_type.kind.eq_ignore_ascii_case(b"text"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scanner;

    /// Inserted afterwards or there from the start: the same.
    #[test]
    fn inserted_fields_are_as_if_they_had_been_there() {
        let (front, behind) = (
            "Return-Path: <a@b>\r\n",
            "Received: x\r\n y\r\nFrom: a@b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\nx\r\n--b\r\n\r\none\r\n--b\r\n\
             Content-Type: message/rfc822\r\n\r\nSubject: z\r\n\r\ninside\r\n--b--\r\n",
        );
        for added in ["Authentication-Results: mx;\r\n\tspf=pass\r\n", "A: b\r\nC:\r\n"] {
            for (front, behind) in [(front, behind), ("", behind), (front, "\r\nbody"), (front, "")] {
                let mut inserted = Scanner::scan(format!("{front}{behind}").as_bytes());
                inserted.insert_fields(front.len() as u64, added.as_bytes());
                let whole = Scanner::scan(format!("{front}{added}{behind}").as_bytes());
                assert_eq!(inserted.fields, whole.fields, "{front:?} {added:?} {behind:?}");
                assert_eq!(inserted.part_table(), whole.part_table());
                assert_eq!(inserted.size, whole.size);
                let places = |structure: &Structure| {
                    structure.parts.iter().map(|part| (part.header(), part.body(), part.lines)).collect::<Vec<_>>()
                };
                assert_eq!(places(&inserted), places(&whole), "{front:?} {added:?} {behind:?}");
            }
        }
    }
}
