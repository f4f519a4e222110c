//! The record of a message: stored at delivery; when it was too large, or can't be read, computed from the content.

use bytes::Bytes;
use imap_wire::precompute::{self, Forms};
use message::{MessageRecord, RecordView};
use storage::rows::MessageRow;
use storage::{StorageError, Store};

pub(crate) use urls::messages::{content, scan};

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

/// A record that was checked by [`complete`] and can't be read all the same.
pub(crate) fn damaged(error: message::RecordError) -> StorageError {
    StorageError::Corrupt(error.to_string())
}
