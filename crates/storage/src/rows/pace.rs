//! What the sending side has learnt of a destination that is in trouble, kept over a restart and shown to administrators.

use bytes::Bytes;
use mail::{Reply, Timestamp};
use serde::{Deserialize, Serialize};

use crate::error::StorageError;

/// How fast a destination may be written to; there is a row only while that is slower than usual.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaceRow {
    /// Attempts in a row by which no host could be reached.
    pub failures: u32,
    /// Until then it is left alone.
    pub left_alone_until: Option<Timestamp>,
    /// Deliveries at a time; `None`: as many as the settings allow.
    pub at_a_time_max: Option<u32>,
    /// Milliseconds between the beginnings of two deliveries; 0 for none.
    pub gap_millis: u64,
    /// What a host said, or what stands for its silence.
    pub said: Option<Reply>,
    /// When this was learnt.
    pub learnt_at: Timestamp,
}

const VERSION: u8 = 1;

impl PaceRow {
    pub(crate) fn encode(&self) -> Result<Bytes, StorageError> {
        super::encode(VERSION, self)
    }

    pub(crate) fn decode(value: &[u8]) -> Result<Self, StorageError> {
        super::decode(VERSION, "pace of a destination", value)
    }
}
