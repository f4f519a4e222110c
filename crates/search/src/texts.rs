//! What SEARCH sees of a message, read a window at a time: the header's fields decoded, the headers of the parts, the
//! texts decoded as a person would read them. The index and the search itself read through here, so they see the same.

use bytes::Bytes;
use message::{
    ByteRange, PartKind, PartTable, RecordView, Scanner, TableEntry, TextKind, TextReader, decode_header, decode_text,
    raw_fields, strip_html,
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

/// Reads the texts of a part, a window at a time. Windows overlap, so that a text at the border of two is within one. What they
/// show does not depend on where they are cut: characters, tags and comments go on in the next one.
pub struct TextWindows<'p> {
    part: &'p TableEntry,
    /// Where the next piece begins.
    at: u64,
    ended: bool,
    /// Octets, as sent, of one window.
    octets_max: usize,
    /// What has come of a part that may be in one window whole.
    window: Vec<u8>,
    /// Reads a part that is not.
    reader: Option<Box<TextReader>>,
    /// Octets that it was fed since the last window.
    fed: usize,
    /// What the next window shows again.
    overlap: String,
}

impl<'p> TextWindows<'p> {
    /// Before the first window. A part that is no text has none.
    #[must_use]
    pub fn new(part: &'p TableEntry) -> Self {
        Self::of_octets(part, WINDOW_OCTETS)
    }

    /// As [`TextWindows::new`], with windows of another size.
    pub(crate) fn of_octets(part: &'p TableEntry, octets_max: usize) -> Self {
        Self {
            part,
            at: part.body().start,
            ended: part.kind != PartKind::Leaf || part.text == TextKind::None,
            octets_max,
            window: Vec::new(),
            reader: None,
            fed: 0,
            overlap: String::new(),
        }
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
            match &mut self.reader {
                Some(text) => {
                    text.feed(&piece);
                    self.fed = self.fed.saturating_add(piece.len());
                }
                None => {
                    self.window.extend_from_slice(&piece);
                    if self.ended {
                        return Ok(Some(self.whole()));
                    }
                    if self.window.len() >= self.octets_max {
                        self.begin();
                    }
                }
            }
            if !self.ended && self.fed < self.octets_max {
                continue;
            }
            self.fed = 0;
            if let Some(text) = self.text(reader).await? {
                return Ok(Some(text));
            }
        }
        Ok(None)
    }

    fn charset(&self) -> Option<&'p [u8]> {
        self.part.charset.as_deref().map(str::as_bytes)
    }

    /// The text of a part that is in one window.
    fn whole(&mut self) -> String {
        let text = decode_text(&std::mem::take(&mut self.window), self.part.encoding, self.charset());
        if self.part.text == TextKind::Html { strip_html(&text) } else { text }
    }

    /// The part is longer than a window.
    fn begin(&mut self) {
        let mut text = TextReader::new(self.part.encoding, self.charset(), self.part.text == TextKind::Html);
        let window = std::mem::take(&mut self.window);
        text.feed(&window);
        self.fed = window.len();
        self.reader = Some(Box::new(text));
    }

    /// The window that has come to its end; none when there is nothing new in it.
    async fn text(&mut self, reader: &mut BlobReader) -> Result<Option<String>, StorageError> {
        let Some(mut text) = self.reader.take() else { return Ok(None) };
        if text.is_waiting() && !self.ended {
            let is_utf8 = self.rest_is_utf8(&text, reader).await?;
            text.decide(is_utf8);
        }
        let new = if self.ended {
            text.finish()
        } else {
            let new = text.take();
            self.reader = Some(text);
            new
        };
        if new.is_empty() {
            return Ok(None);
        }
        let mut window = std::mem::take(&mut self.overlap);
        window.push_str(&new);
        if !self.ended {
            self.overlap = window.get(overlap_at(&window)..).unwrap_or_default().to_owned();
        }
        Ok(Some(window))
    }

    /// Whether a text that says nothing of its charset is UTF-8 from the first octet above 127 to its end.
    async fn rest_is_utf8(&self, text: &TextReader, reader: &mut BlobReader) -> Result<bool, StorageError> {
        let (mut ahead, mut at, end) = (text.look_ahead(), self.at, self.part.body().end);
        while at < end {
            let piece = reader.piece(at, end).await?;
            if piece.is_empty() || !ahead.feed(&piece) {
                break;
            }
            at = at.saturating_add(piece.len() as u64);
            tokio::task::yield_now().await;
        }
        Ok(ahead.finish())
    }
}

/// Where what the next window shows again begins: in front of a word, unless that is very long.
fn overlap_at(window: &str) -> usize {
    let latest = window.floor_char_boundary(window.len().saturating_sub(OVERLAP_OCTETS));
    let earliest = window.floor_char_boundary(latest.saturating_sub(OVERLAP_OCTETS));
    let before = window.get(earliest..latest).unwrap_or_default();
    match before.char_indices().rfind(|(_, c)| c.is_whitespace()) {
        Some((at, c)) => earliest.saturating_add(at).saturating_add(c.len_utf8()),
        None => latest,
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
    fn windows_overlap_in_front_of_a_word() {
        assert_eq!(overlap_at("a few words"), 0);
        let words = format!("{}{}", "word ".repeat(OVERLAP_OCTETS), "x".repeat(OVERLAP_OCTETS - 2));
        let at = overlap_at(&words);
        assert!(words[at..].starts_with("word x") && words.len() - at >= OVERLAP_OCTETS, "{at}");
        let one = "é".repeat(2 * OVERLAP_OCTETS);
        assert_eq!(overlap_at(&one), one.len() - OVERLAP_OCTETS);
    }
}
