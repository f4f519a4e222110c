//! The part tree in the form that a stored record keeps: enough to answer sections and to decode texts without the message.

use crate::{
    codec::{Reader, Writer},
    decode::TransferEncoding,
    limits::{CHARSET_BYTES_MAX, PARTS_MAX},
    structure::{ByteRange, Part, PartKind, Structure},
};

/// Whether, and how, a part is text that SEARCH should look into.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TextKind {
    /// Not `text/*`.
    #[default]
    None,
    /// `text/html`.
    Html,
    /// `text/plain` and every other text.
    Plain,
}

/// One part of a [`PartTable`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TableEntry {
    /// Index of the parent; `None` for the message itself.
    pub parent: Option<usize>,
    /// How it is built.
    pub kind: PartKind,
    /// First octet of the header.
    pub header_start: u64,
    /// First octet after the header and its blank line.
    pub body_start: u64,
    /// One after the last octet of the body.
    pub body_end: u64,
    /// How the body is encoded.
    pub encoding: TransferEncoding,
    /// Whether it is text.
    pub text: TextKind,
    /// The charset of a text, as sent.
    pub charset: Option<String>,
}

impl TableEntry {
    fn new(part: &Part) -> Self {
        let content_type = &part.mime.content_type;
        let text = match (content_type.is(b"text"), content_type.subtype.eq_ignore_ascii_case(b"html")) {
            (false, _) => TextKind::None,
            (true, true) => TextKind::Html,
            (true, false) => TextKind::Plain,
        };
        let charset = content_type
            .charset()
            .filter(|charset| text != TextKind::None && charset.len() <= CHARSET_BYTES_MAX)
            .map(|charset| String::from_utf8_lossy(&charset).into_owned());
        Self {
            parent: part.parent,
            kind: part.kind,
            header_start: part.header_start,
            body_start: part.body_start,
            body_end: part.body_end,
            encoding: TransferEncoding::from_field(part.mime.encoding.as_deref()),
            text,
            charset,
        }
    }

    /// The header with its blank line.
    pub fn header(&self) -> ByteRange {
        ByteRange { start: self.header_start, end: self.body_start }
    }

    /// The body.
    pub fn body(&self) -> ByteRange {
        ByteRange { start: self.body_start, end: self.body_end }
    }
}

/// All parts of a message, each before its children, the message itself first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartTable {
    entries: Vec<TableEntry>,
}

impl PartTable {
    pub(crate) fn new(structure: &Structure) -> Self {
        Self { entries: structure.parts.iter().map(TableEntry::new).collect() }
    }

    /// The parts.
    pub fn entries(&self) -> &[TableEntry] {
        &self.entries
    }

    /// Octets of the whole message.
    pub fn size(&self) -> u64 {
        self.entries.first().map_or(0, |root| root.body_end)
    }

    /// The table as octets. Offsets are stored as distances, which are short.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.length(self.entries.len());
        let mut previous_start = 0;
        for entry in &self.entries {
            writer.length(entry.parent.map_or(0, |parent| parent.saturating_add(1)));
            writer.octet(kind_code(entry.kind) | entry.encoding.code() << 2 | text_code(entry.text) << 5);
            // Parts come in the order of their headers, so no distance is negative.
            writer.number(entry.header_start.saturating_sub(previous_start));
            writer.number(entry.body_start.saturating_sub(entry.header_start));
            writer.number(entry.body_end.saturating_sub(entry.body_start));
            previous_start = entry.header_start;
            if entry.text != TextKind::None {
                writer.optional_text(entry.charset.as_deref());
            }
        }
        writer.0
    }

    /// Reads what [`PartTable::encode`] wrote; `None` when it is damaged.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        let count = reader.length().filter(|count| *count <= PARTS_MAX)?;
        let mut entries = Vec::with_capacity(count);
        let mut previous_start = 0_u64;
        for index in 0..count {
            let parent = reader.length()?.checked_sub(1);
            if parent.is_some_and(|parent| parent >= index) {
                return None;
            }
            let codes = reader.octet()?;
            let header_start = previous_start.checked_add(reader.number()?)?;
            let body_start = header_start.checked_add(reader.number()?)?;
            let body_end = body_start.checked_add(reader.number()?)?;
            previous_start = header_start;
            let text = text_of(codes >> 5)?;
            let charset = if text == TextKind::None { None } else { reader.optional_text()?.map(ToOwned::to_owned) };
            entries.push(TableEntry {
                parent,
                kind: kind_from(codes & 3)?,
                header_start,
                body_start,
                body_end,
                encoding: TransferEncoding::from_code(codes >> 2 & 7)?,
                text,
                charset,
            });
        }
        reader.0.is_empty().then_some(Self { entries })
    }
}

fn kind_code(kind: PartKind) -> u8 {
    match kind {
        PartKind::Leaf => 0,
        PartKind::Multipart => 1,
        PartKind::Message => 2,
    }
}

fn kind_from(code: u8) -> Option<PartKind> {
    match code {
        0 => Some(PartKind::Leaf),
        1 => Some(PartKind::Multipart),
        2 => Some(PartKind::Message),
        _ => None,
    }
}

fn text_code(text: TextKind) -> u8 {
    match text {
        TextKind::None => 0,
        TextKind::Html => 1,
        TextKind::Plain => 2,
    }
}

fn text_of(code: u8) -> Option<TextKind> {
    match code {
        0 => Some(TextKind::None),
        1 => Some(TextKind::Html),
        2 => Some(TextKind::Plain),
        _ => None,
    }
}
