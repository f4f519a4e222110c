//! The row of a durable event of the bus.

use bytes::Bytes;
use mail::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::StorageError;

/// An event that some consumer still has to take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventRow {
    /// Its number in its topic.
    pub number: u64,
    /// When it was written.
    pub created_at: Timestamp,
    /// Not to be handed out before.
    pub due: Timestamp,
    /// Failed attempts so far.
    pub attempts: u32,
    /// The last failure, for the administrator.
    pub last_error: Option<String>,
    /// What the topic's writer and consumer agreed on.
    pub payload: Vec<u8>,
}

const VERSION: u8 = 1;

impl EventRow {
    pub(crate) fn encode(&self) -> Result<Bytes, StorageError> {
        super::encode(VERSION, self)
    }

    pub(crate) fn decode(value: &[u8]) -> Result<Self, StorageError> {
        super::decode(VERSION, "event row", value)
    }
}
