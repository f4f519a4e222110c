//! What SEARCH sees of a message, read a window at a time: the header's fields decoded, the headers of the parts, the
//! texts decoded as a person would read them. The index and the search itself read through here, so they see the same.

use bytes::Bytes;
use message::{
    ByteRange, PartKind, PartTable, RecordView, Scanner, TableEntry, TextKind, TransferEncoding, decode_header,
    decode_text, raw_fields, strip_html,
};
use storage::blobs::BlobReader;
use storage::rows::MessageRow;
use storage::{StorageError, Store};

use crate::attachments::attachment_text;
use crate::limits::{HEADER_OCTETS_MAX, OVERLAP_OCTETS, WINDOW_OCTETS};

/// Where in a message a word stands. The numbers are part of the index's layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub(crate) enum Zone {
    /// The texts, and the headers of the parts.
    Body = 0,
    /// `Subject`.
    Subject = 1,
    /// `From`.
    From = 2,
    /// `To`, `Cc`, `Bcc`.
    Recipients = 3,
    /// Every other field, and the names of all.
    Other = 4,
}

impl Zone {
    /// All of them, in the order of their numbers.
    pub(crate) const ALL: [Self; 5] = [Self::Body, Self::Subject, Self::From, Self::Recipients, Self::Other];

    /// Those of the header.
    pub(crate) const HEADER: [Self; 4] = [Self::Subject, Self::From, Self::Recipients, Self::Other];

    /// Where the value of a field is.
    pub(crate) fn of_field(name: &[u8]) -> Self {
        let is = |known: &[u8]| known.eq_ignore_ascii_case(name);
        match name {
            _ if is(b"Subject") => Self::Subject,
            _ if is(b"From") => Self::From,
            _ if is(b"To") || is(b"Cc") || is(b"Bcc") => Self::Recipients,
            _ => Self::Other,
        }
    }
}

/// Reads the texts of a part, a window at a time. Windows overlap, so that a text at the border of two is within one;
/// each ends where its encoding allows a cut.
pub struct TextWindows<'p> {
    part: &'p TableEntry,
    at: u64,
    window: Vec<u8>,
    ended: bool,
}

impl<'p> TextWindows<'p> {
    /// Before the first window. A part that is no text has none.
    #[must_use]
    pub fn new(part: &'p TableEntry) -> Self {
        let ended = part.kind != PartKind::Leaf || part.text == TextKind::None;
        Self { part, at: part.body().start, window: Vec::new(), ended }
    }

    /// The next window, decoded; HTML as its text.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn next(&mut self, reader: &mut BlobReader) -> Result<Option<String>, StorageError> {
        let end = self.part.body().end;
        while !self.ended {
            let piece = reader.piece(self.at, end).await?;
            self.at = self.at.saturating_add(piece.len() as u64);
            self.ended = piece.is_empty() || self.at >= end;
            match self.part.encoding {
                // Without its line breaks, base64 can be cut at every fourth character.
                TransferEncoding::Base64 => {
                    self.window.extend(piece.iter().filter(|octet| !octet.is_ascii_whitespace()));
                }
                TransferEncoding::SevenBit
                | TransferEncoding::EightBit
                | TransferEncoding::Binary
                | TransferEncoding::QuotedPrintable
                | TransferEncoding::Other => self.window.extend_from_slice(&piece),
            }
            if self.ended || self.window.len() >= WINDOW_OCTETS {
                return Ok(Some(self.decode()));
            }
        }
        Ok(None)
    }

    /// The text of the window, which is left with what it shares with the next one.
    fn decode(&mut self) -> String {
        let (window, part) = (&mut self.window, self.part);
        let end = if self.ended { window.len() } else { cut(window, window.len(), part.encoding) };
        let octets = window.get(..end).unwrap_or_default();
        let text = decode_text(octets, part.encoding, part.charset.as_deref().map(str::as_bytes));
        let keep = cut(window, end.saturating_sub(OVERLAP_OCTETS), part.encoding);
        window.drain(..keep);
        if part.text == TextKind::Html { strip_html(&text) } else { text }
    }
}

/// The last place up to `at` where the encoded text may be cut.
fn cut(window: &[u8], at: usize, encoding: TransferEncoding) -> usize {
    let before = window.get(..at).unwrap_or(window);
    match encoding {
        TransferEncoding::Base64 => before.len() / 4 * 4,
        TransferEncoding::SevenBit
        | TransferEncoding::EightBit
        | TransferEncoding::Binary
        | TransferEncoding::QuotedPrintable
        | TransferEncoding::Other => {
            // A line break far in front would leave the window as long as it is: then the cut goes through a line.
            let line_end = memchr::memrchr(b'\n', before).filter(|line_end| *line_end >= before.len() / 2);
            line_end.map_or(before.len(), |line_end| line_end.saturating_add(1))
        }
    }
}

/// A header, as far as it is seen.
///
/// # Errors
/// When reading fails.
pub async fn read_header(reader: &mut BlobReader, range: ByteRange) -> Result<Vec<u8>, StorageError> {
    reader.read(range.start, range.end.min(range.start.saturating_add(HEADER_OCTETS_MAX))).await
}

/// Gives every text of a message with its zone, as far as it can be read.
///
/// # Errors
/// [`StorageError::Expunged`] when it is gone; else when reading fails.
pub(crate) async fn read_message(
    store: &Store,
    row: &MessageRow,
    record: Option<Bytes>,
    attachments: bool,
    sink: &mut (dyn FnMut(Zone, &str) + Send),
) -> Result<(), StorageError> {
    let mut reader = store.blob(&row.blob).await?.ok_or(StorageError::Expunged)?;
    let parts = parts(&mut reader, row, record).await?;
    for (at, part) in parts.entries().iter().enumerate() {
        let header = read_header(&mut reader, part.header()).await?;
        for field in raw_fields(&header) {
            let name = field.name.unwrap_or_default();
            let value = decode_header(field.value());
            let zone = if at > 0 { Zone::Body } else { Zone::of_field(name) };
            sink(if at > 0 { Zone::Body } else { Zone::Other }, &String::from_utf8_lossy(name));
            sink(zone, &value);
        }
        let mut windows = TextWindows::new(part);
        while let Some(text) = windows.next(&mut reader).await? {
            sink(Zone::Body, &text);
            tokio::task::yield_now().await;
        }
        if attachments && let Some(text) = attachment_text(&mut reader, part).await? {
            sink(Zone::Body, &text);
        }
    }
    Ok(())
}

/// Where the parts are: as the record has it, or from the content.
async fn parts(reader: &mut BlobReader, row: &MessageRow, record: Option<Bytes>) -> Result<PartTable, StorageError> {
    if let Some(parts) = record.and_then(|record| RecordView::new(&record).ok()?.parts().ok()) {
        return Ok(parts);
    }
    let (mut scanner, mut at) = (Scanner::new(), 0);
    loop {
        let piece = reader.piece(at, row.octets).await?;
        if piece.is_empty() {
            return Ok(scanner.finish().part_table());
        }
        at = at.saturating_add(piece.len() as u64);
        scanner.feed(&piece);
        tokio::task::yield_now().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_cut_where_the_encoding_allows() {
        assert_eq!(cut(b"AAAABBBBCC", 10, TransferEncoding::Base64), 8);
        assert_eq!(cut(b"line\r\nmore", 10, TransferEncoding::QuotedPrintable), 6);
        assert_eq!(cut(b"one long line", 13, TransferEncoding::SevenBit), 13);
        assert_eq!(cut(b"", 0, TransferEncoding::SevenBit), 0);
    }
}
