//! What the rows hold. Each value begins with its layout's version byte.

mod blob;
mod event;
mod index;
mod list;
mod mailbox;
mod message;
mod pace;
mod queue;
mod undo;

pub use blob::BlobRow;
pub use event::EventRow;
pub use index::{IndexRow, IndexSegment};
pub use list::{
    BounceScore, CursorRow, ListRequest, MemberRow, MemberState, ModerationDecision, RequestKind, WaitReason,
    WaitingRow,
};
pub use mailbox::MailboxRow;
pub use message::{MessageRow, Sent};
pub use pace::PaceRow;
pub use queue::{MailClass, QueueRecipient, QueueRow, RecipientState, Waiting, WaitsFor};
pub use undo::UndoRow;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::StorageError;

/// Encodes with postcard behind a version byte.
pub(crate) fn encode<T: Serialize>(version: u8, row: &T) -> Result<Bytes, StorageError> {
    let start = vec![version];
    let bytes = postcard::to_extend(row, start).map_err(|error| StorageError::corrupt(format!("encoding: {error}")))?;
    Ok(Bytes::from(bytes))
}

/// Decodes what [`encode`] wrote.
pub(crate) fn decode<T: DeserializeOwned>(version: u8, what: &'static str, value: &[u8]) -> Result<T, StorageError> {
    match value.split_first() {
        Some((found, rest)) if *found == version => {
            postcard::from_bytes(rest).map_err(|error| StorageError::corrupt(format!("{what}: {error}")))
        }
        Some((found, _)) => Err(StorageError::corrupt(format!("{what}: unknown layout {found}"))),
        None => Err(StorageError::corrupt(format!("{what}: empty row"))),
    }
}
