//! The event of [`mail::Topic::ReportReceived`]: a message came to an address at which reports of others are read.

use std::sync::Arc;

use mail::{Address, BlobHash, Domain, Envelope, ForwardPath, Timestamp, Topic, TraceId};
use serde::{Deserialize, Serialize};
use storage::{StorageError, Transaction};

use crate::{Delivery, Prepared};

/// What the reader of reports needs. The message itself has been delivered like every other; its content outlives the event, unless that
/// waits for longer than an hour and nobody has kept the message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportReceived {
    /// The message's content.
    pub blob: BlobHash,
    /// Octets of the whole message as stored.
    pub octets: u64,
    /// When it was accepted.
    pub received_at: Timestamp,
    /// The domain that it is surely from.
    pub verified: Option<Domain>,
    /// The trace to which is added what was read.
    pub trace: Option<TraceId>,
}

impl ReportReceived {
    /// The payload of the event's row.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        // Strings and numbers only: JSON can't fail on them.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads a payload.
    ///
    /// # Errors
    /// When it is none of ours.
    pub fn decode(payload: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(payload)
    }
}

impl Delivery {
    /// The same delivery, which hands on what comes to these addresses as reports of others.
    #[must_use]
    pub fn reading_reports_at(mut self, addresses: Vec<Address>) -> Self {
        self.reports_to = Arc::from(addresses);
        self
    }

    /// Whether a message may be a report of others.
    pub(crate) fn may_be_report(&self, envelope: &Envelope) -> bool {
        let reads = |address: &Address| self.reports_to.iter().any(|known| known.same_mailbox(address));
        let mut paths = envelope.recipients.iter().map(|recipient| &recipient.forward_path);
        !self.reports_to.is_empty()
            && paths.any(|path| match path {
                ForwardPath::Address(address) => reads(address),
                ForwardPath::Postmaster => false,
            })
    }
}

impl Prepared {
    /// Tells the reader of reports.
    pub(crate) fn tell_of_report(&self, tx: &mut Transaction<'_>) -> Result<(), StorageError> {
        if !self.report {
            return Ok(());
        }
        if !self.stores_message() {
            // Nobody keeps it: its content waits in a grave for who reads it.
            self.store_blob(tx)?;
        }
        let event = ReportReceived {
            blob: self.blob.hash,
            octets: self.blob.octets,
            received_at: self.now,
            verified: self
                .verdict
                .as_ref()
                .and_then(crate::checks::Verdict::verified)
                .or_else(|| self.written_by.clone()),
            trace: self.beginning.id,
        };
        tx.emit(Topic::ReportReceived, self.now, event.encode()).map(drop)
    }
}
