//! Submitted messages that wait: until their sender can't take them back any more ("undo send"), or until the time that the
//! sender has set (FUTURERELEASE, RFC 4865).
//!
//! Such a message is one row of the queue, with all recipients of its envelope; nothing is decided about them before its time
//! comes, so that local recipients wait as well. Then its octets are taken in again, by the way of every message, and everything
//! that follows is written in one transaction with the end of the row. A recipient that is gone meanwhile is reported: the
//! client has heard 250.

use mail::{Domain, EnhancedCode, Envelope, EnvelopeRecipient, ForwardPath, Reply};
use message::raw_fields;
use storage::rows::{QueueRecipient, QueueRow, RecipientState, Waiting, WaitsFor};
use storage::trace::{Step, Taken};
use storage::{StorageError, Transaction};

use crate::filed::Filing;
use crate::intake::Waited;
use crate::limits::WAITING_HEADER_OCTETS_MAX;
use crate::prepared::{Applied, Prepared};
use crate::{Delivery, Refused};

/// Why a message that waited could not go its way now.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReleaseError {
    /// It is refused; the reply says why, and whether for good.
    #[error("{0}")]
    Refused(Reply),
    /// The store's.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl From<Refused> for ReleaseError {
    fn from(Refused(reply): Refused) -> Self {
        Self::Refused(reply)
    }
}

/// How a prepared message waits.
#[derive(Clone, Debug)]
pub(crate) struct Wait {
    waiting: Waiting,
    /// This server's name, as the destination of what has none yet.
    hostname: Domain,
    /// All recipients of the envelope.
    recipients: Vec<QueueRecipient>,
}

impl Delivery {
    /// The same message, which waits as a whole instead of going its way.
    #[must_use]
    pub fn waiting(&self, prepared: Prepared, waiting: Waiting) -> Prepared {
        // Without it no queue runs: `SmtpOut::new` demands it.
        let Some(postmaster) = self.postmaster() else { return prepared };
        let recipient = |recipient: &EnvelopeRecipient| QueueRecipient {
            address: match &recipient.forward_path {
                ForwardPath::Address(address) => address.clone(),
                // RFC 5321 §4.5.1: the one of this server.
                ForwardPath::Postmaster => postmaster.clone(),
            },
            notify: recipient.notify,
            original: recipient.original.clone(),
            state: RecipientState::Waiting,
            last_reply: None,
        };
        let recipients = prepared.envelope.recipients.iter().map(recipient).collect();
        let hostname = self.settings().hostname.clone();
        Prepared { wait: Some(Wait { waiting, hostname, recipients }), ..prepared }
    }
}

impl Prepared {
    /// Writes the row that waits.
    pub(crate) fn apply_wait(&self, tx: &mut Transaction<'_>, wait: &Wait) -> Result<Applied, StorageError> {
        let waiting = wait.waiting;
        self.store_blob(tx)?;
        let row = QueueRow {
            next_attempt: waiting.until,
            // It is signed when it leaves.
            prefix: String::new(),
            waiting: Some(waiting),
            ..self.queue_row(&wait.hostname, &wait.recipients, None)
        };
        let entry = tx.enqueue(row)?;
        self.learn_contacts(tx)?;
        if let Some(trace) = self.beginning.id {
            let why = match waiting.why {
                WaitsFor::Undo => "its sender may take it back",
                WaitsFor::Release => "its sender wants it to leave then",
            };
            let text = format!("it waits until {} as queue entry {entry}: {why}", waiting.until.for_people());
            let first = std::iter::once(self.received_step()).chain(self.outside.iter().cloned());
            let steps = first.chain([Step::Decided { text }]).map(|step| Taken { at: self.now, step });
            let steps: Vec<Taken> = steps.collect();
            tx.index_trace(trace, self.terms());
            tx.trace(trace, &steps)?;
        }
        Ok(Applied { queued: vec![entry], ..Applied::default() })
    }
}

impl Delivery {
    /// Sends a message on that has waited: everything that its envelope leads to now is written in one transaction with the
    /// end of its row. A row that was changed meanwhile (held, taken back) stays as it is.
    ///
    /// # Errors
    /// [`ReleaseError`]; the row is as it was then.
    pub async fn release(&self, row: &QueueRow) -> Result<(), ReleaseError> {
        let Some(waiting) = row.waiting else { return Ok(()) };
        let store = self.store();
        let account = store.directory().account_by_id(waiting.account).map(|account| account.id);
        let mut blob = store.blob(&row.blob).await?.ok_or(ReleaseError::Refused(LOST))?;
        let start = u64::from(row.skip_octets);
        let head = blob.read(start, start.saturating_add(WAITING_HEADER_OCTETS_MAX)).await?;
        let end = head.windows(4).position(|four| four == b"\r\n\r\n").map_or(head.len(), |at| at.saturating_add(2));
        let header = head.get(..end).unwrap_or_default();
        // The first field is ours; it is not among those that are signed.
        let received = raw_fields(header).next().map_or(&[][..], |field| field.bytes);
        let mut intake = self.intake(&row.reverse_path, received).await?;
        intake.has_waited(Waited { account, trace: row.trace });
        let mut at = start.saturating_add(received.len() as u64);
        loop {
            let piece = blob.piece(at, u64::MAX).await?;
            if piece.is_empty() {
                break;
            }
            at = at.saturating_add(piece.len() as u64);
            intake.write(&piece).await?;
        }
        let prepared = Box::pin(intake.finish(self.envelope_of(row))).await?;
        let filing = match account {
            Some(account) => {
                let filing = Filing::of(&store.directory(), account, row.reverse_path.address(), header);
                Some(filing.filtered(store, &prepared, header).await)
            }
            None => None,
        };
        match self.write_released(row, &prepared, filing).await {
            // The message has been accepted: that a shared mailbox has no room for its copy does not keep it back.
            Err(StorageError::OverQuota) => Ok(self.write_released(row, &prepared, None).await?),
            done => Ok(done?),
        }
    }

    async fn write_released(
        &self,
        row: &QueueRow,
        prepared: &Prepared,
        filing: Option<Filing>,
    ) -> Result<(), StorageError> {
        let (claimed, prepared, now) = (row.clone(), prepared.clone(), self.store().now());
        let body = move |tx: &mut Transaction<'_>| {
            if tx.queue_entry(claimed.id)?.as_ref() != Some(&claimed) {
                return Ok(());
            }
            prepared.apply(tx)?;
            filing.as_ref().map_or(Ok(()), |filing| filing.apply(tx, &prepared))?;
            tx.remove_queue_entry(claimed.id, now).map(|_| ())
        };
        self.store().transact(body).await.map(|_| ())
    }

    /// The envelope that a waiting row was made from. The time that MAIL set has come.
    fn envelope_of(&self, row: &QueueRow) -> Envelope {
        let postmaster = self.postmaster().filter(|own| self.store().directory().domain(own.domain()).is_none());
        let recipient = |recipient: &QueueRecipient| EnvelopeRecipient {
            forward_path: if Some(&recipient.address) == postmaster.as_ref() {
                ForwardPath::Postmaster
            } else {
                ForwardPath::Address(recipient.address.clone())
            },
            notify: recipient.notify,
            original: recipient.original.clone(),
        };
        Envelope {
            body: row.body,
            smtputf8: row.sender_smtputf8,
            dsn_return: row.dsn_return,
            envelope_id: row.envelope_id.clone(),
            deliver_by: row.deliver_by,
            hold_until: row.held_until,
            priority: row.priority,
            require_tls: row.require_tls,
            solicits: row.solicits.clone(),
            recipients: row.recipients.iter().map(recipient).collect(),
            ..Envelope::new(row.reverse_path.clone())
        }
    }
}

const LOST: Reply = Reply::fixed(554, EnhancedCode(5, 3, 0), "This server has lost the message");
