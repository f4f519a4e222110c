//! The row of a mailbox's full-text index: which segments there are and how far they reach.

use bytes::Bytes;
use mail::Uid;
use serde::{Deserialize, Serialize};

use crate::error::StorageError;

/// What is known of one segment: the index of a range of UIDs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexSegment {
    /// Its number, unique in its mailbox for ever.
    pub number: u32,
    /// The first UID that belongs to its range; postings count from here.
    pub first: Uid,
    /// The last UID that belongs to its range.
    pub last: Uid,
    /// Messages that were indexed, expunged ones included until the segment is written anew.
    pub messages: u32,
    /// Whether some of its messages could not be indexed in full: they are candidates of every search.
    pub partial: bool,
}

/// The full-text index of one mailbox.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexRow {
    /// The last UID that was indexed; 0: none. What is above is not in the index yet.
    pub indexed_to: u32,
    /// The number that the next segment gets.
    pub next_number: u32,
    /// The segments that count, in the order of their UIDs, which do not overlap.
    pub segments: Vec<IndexSegment>,
    /// Which reader's texts of attachments are among the words; 0: none are.
    pub attachments: u8,
    /// Segments that do not count, and may have rows: being written, or being removed.
    pub loose: Vec<u32>,
}

/// The layout of this row and of the blocks, and how words are taken from texts: a change makes the index be built anew.
const VERSION: u8 = 4; // 2: the words of HTML were glued together. 3: long texts were read a window at a time, each for itself.

impl IndexRow {
    pub(crate) fn encode(&self) -> Result<Bytes, StorageError> {
        super::encode(VERSION, self)
    }

    pub(crate) fn decode(value: &[u8]) -> Result<Self, StorageError> {
        super::decode(VERSION, "the row of a full-text index", value)
    }

    /// Messages in all segments, expunged ones included until their segment is written anew.
    #[must_use]
    pub fn messages(&self) -> u64 {
        self.segments.iter().map(|segment| u64::from(segment.messages)).sum()
    }

    /// The segment of a number, when it counts.
    #[must_use]
    pub fn segment(&self, number: u32) -> Option<&IndexSegment> {
        self.segments.iter().find(|segment| segment.number == number)
    }

    /// Whether a segment of that number may have rows.
    #[must_use]
    pub fn knows(&self, number: u32) -> bool {
        self.segment(number).is_some() || self.loose.contains(&number)
    }
}
