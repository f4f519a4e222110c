//! The record of a message: stored at delivery; when it was too large, or can't be read, computed from the content.

use bytes::Bytes;
use imap_wire::precompute::{self, Forms};
use message::{MessageRecord, PartTable, RecordView, Scanner, Structure};
use storage::blobs::BlobReader;
use storage::rows::MessageRow;
use storage::{StorageError, Store};

/// The message's encoded record, complete. `parts`: that the part table can be read is checked as well.
pub(crate) async fn complete(
    store: &Store,
    row: &MessageRow,
    stored: Option<Bytes>,
    parts: bool,
) -> Result<Bytes, StorageError> {
    if let Some(stored) = stored {
        match RecordView::new(&stored) {
            Ok(view) if !view.envelope().is_empty() && (!parts || view.parts().is_ok()) => return Ok(stored),
            // Kept without its three forms, because they were too large.
            Ok(_) => {}
            Err(error) => tracing::warn!(uid = %row.uid, %error, "a message's record is computed anew"),
        }
    }
    let structure = scan(&mut content(store, row).await?, row.octets).await?;
    let Forms { envelope, body, body_structure } = precompute::forms(&structure);
    Ok(Bytes::from(MessageRecord::new(&structure, envelope, body, body_structure).encode()))
}

/// What a message of so many octets is like.
pub(crate) async fn scan(reader: &mut BlobReader, octets: u64) -> Result<Structure, StorageError> {
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

/// Where the parts of a message are. Less than [`complete`]: a record that was too large has them all the same.
pub(crate) async fn parts(store: &Store, row: &MessageRow, stored: Option<Bytes>) -> Result<PartTable, StorageError> {
    if let Some(parts) = stored.and_then(|stored| RecordView::new(&stored).ok()?.parts().ok()) {
        return Ok(parts);
    }
    let record = complete(store, row, None, true).await?;
    RecordView::new(&record).and_then(|view| view.parts()).map_err(damaged)
}

/// A reader of the message's content.
pub(crate) async fn content(store: &Store, row: &MessageRow) -> Result<BlobReader, StorageError> {
    store.blob(&row.blob).await?.ok_or(StorageError::Expunged)
}

/// A record that was checked by [`complete`] and can't be read all the same.
pub(crate) fn damaged(error: message::RecordError) -> StorageError {
    StorageError::Corrupt(error.to_string())
}
