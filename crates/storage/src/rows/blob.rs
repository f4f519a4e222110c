//! The row of a blob: where its chunks are and who still needs it.

use bytes::Bytes;
use mail::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::StorageError;

/// A stored message's content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlobRow {
    /// The upload whose chunks hold it.
    pub upload: [u8; 16],
    /// Octets of the content, uncompressed.
    pub octets: u64,
    /// Chunks there are; each but the last holds [`crate::limits::BLOB_CHUNK_OCTETS`] of content.
    pub chunks: u32,
    /// Message rows and queue rows that name it.
    pub references: u64,
    /// When it may go, while nobody names it; its grave row has the same time. `None` exactly while there are references.
    pub grave: Option<Timestamp>,
}

const VERSION: u8 = 1;

impl BlobRow {
    pub(crate) fn encode(&self) -> Result<Bytes, StorageError> {
        super::encode(VERSION, self)
    }

    pub(crate) fn decode(value: &[u8]) -> Result<Self, StorageError> {
        super::decode(VERSION, "blob row", value)
    }
}
