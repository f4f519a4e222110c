//! Messages of the store as sections name them: their content, where their parts are, their headers.

use bytes::Bytes;
use imap_wire::{HeaderName, Section, SectionText};
use message::{ByteRange, PartTable, RecordView, Scanner, Structure};
use search::limits::HEADER_OCTETS_MAX;
use storage::blobs::BlobReader;
use storage::rows::MessageRow;
use storage::{StorageError, Store};

/// A reader of the message's content.
///
/// # Errors
/// When there is none any more, or reading fails.
pub async fn content(store: &Store, row: &MessageRow) -> Result<BlobReader, StorageError> {
    store.blob(&row.blob).await?.ok_or(StorageError::Expunged)
}

/// What a message of so many octets is like.
///
/// # Errors
/// When reading fails.
pub async fn scan(reader: &mut BlobReader, octets: u64) -> Result<Structure, StorageError> {
    let mut scanner = Scanner::new();
    let mut at = 0;
    loop {
        let piece = reader.piece(at, octets).await?;
        if piece.is_empty() {
            return Ok(scanner.finish());
        }
        at += piece.len() as u64;
        scanner.feed(&piece);
        tokio::task::yield_now().await;
    }
}

/// Where the parts of a message are: as its stored record says, else as its content does. A record that was too large has them all the same.
///
/// # Errors
/// When reading fails.
pub async fn parts(store: &Store, row: &MessageRow, stored: Option<Bytes>) -> Result<PartTable, StorageError> {
    if let Some(parts) = stored.and_then(|stored| RecordView::new(&stored).ok()?.parts().ok()) {
        return Ok(parts);
    }
    Ok(scan(&mut content(store, row).await?, row.octets).await?.part_table())
}

/// A header, as far as it is looked at.
///
/// # Errors
/// When reading fails.
pub async fn read_header(reader: &mut BlobReader, range: ByteRange) -> Result<Vec<u8>, StorageError> {
    reader.read(range.start, range.end.min(range.start.saturating_add(HEADER_OCTETS_MAX))).await
}

/// The names of HEADER.FIELDS, and whether all others are meant.
#[must_use]
pub fn fields(section: &Section) -> Option<(&[HeaderName], bool)> {
    match section.text.as_ref()? {
        SectionText::HeaderFields(names) => Some((names, false)),
        SectionText::HeaderFieldsNot(names) => Some((names, true)),
        SectionText::Header | SectionText::Text | SectionText::Mime => None,
    }
}
