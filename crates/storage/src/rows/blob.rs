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
    /// Chunks there are; each but the last holds [`crate::limits::BLOB_CHUNK_OCTETS`] of content, and so does not the first when it
    /// holds the front.
    pub chunks: u32,
    /// Message rows and queue rows that name it.
    pub references: u64,
    /// When it may go, while nobody names it; its grave row has the same time. `None` exactly while there are references.
    pub grave: Option<Timestamp>,
    /// Octets of a front that was put before the content when it had come; they are the first chunk. 0: there is none.
    pub front_octets: u32,
}

/// The row of a blob without a front, as it was before there were any.
#[derive(Serialize, Deserialize)]
struct Plain {
    upload: [u8; 16],
    octets: u64,
    chunks: u32,
    references: u64,
    grave: Option<Timestamp>,
}

const PLAIN: u8 = 1;
const WITH_FRONT: u8 = 2;

impl BlobRow {
    pub(crate) fn encode(&self) -> Result<Bytes, StorageError> {
        if self.front_octets > 0 {
            return super::encode(WITH_FRONT, self);
        }
        let Self { upload, octets, chunks, references, grave, .. } = *self;
        super::encode(PLAIN, &Plain { upload, octets, chunks, references, grave })
    }

    pub(crate) fn decode(value: &[u8]) -> Result<Self, StorageError> {
        if value.first() == Some(&WITH_FRONT) {
            return super::decode(WITH_FRONT, "blob row", value);
        }
        let Plain { upload, octets, chunks, references, grave } = super::decode(PLAIN, "blob row", value)?;
        Ok(Self { upload, octets, chunks, references, grave, front_octets: 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_with_a_front_and_without_come_back() {
        let row =
            BlobRow { upload: [7; 16], octets: 200_000, chunks: 5, references: 2, grave: None, front_octets: 300 };
        for row in [row.clone(), BlobRow { front_octets: 0, grave: Some(Timestamp(9)), ..row }] {
            let octets = row.encode().unwrap();
            assert_eq!(octets.first(), Some(if row.front_octets > 0 { &WITH_FRONT } else { &PLAIN }));
            assert_eq!(BlobRow::decode(&octets).unwrap(), row);
        }
    }
}
