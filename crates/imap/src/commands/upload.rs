//! Messages on their way in: the literals of an APPEND, one after the other (RFC 3501 §6.3.11, RFC 3502, RFC 7889).
//!
//! They stream to the store as they arrive and are scanned on the way; no session holds one in memory, and of many only what
//! [`UPLOADS_HELD_OCTETS`] and [`UPLOADS_RECORDS_OCTETS`] allow. What can be refused is refused before the client sends it.

use std::collections::VecDeque;

use bytes::Bytes;
use imap_wire::response::Code;
use imap_wire::{AfterRefusal, Announcement, Ticket, precompute};
use message::{Scanner, Structure};
use storage::blobs::{BlobWriter, StagedBlob};
use storage::limits::{APPENDED_MESSAGES_MAX, RECORD_OCTETS_MAX};
use storage::{StorageError, Store};

use super::append::Complete;
use crate::access::Target;
use crate::engine::message_limit::MessageLimit;
use crate::fault::{Answer, Fault};
use crate::limits::{UPLOADS_HELD_OCTETS, UPLOADS_RECORDS_OCTETS};
use crate::session::Session;

/// What an APPEND has brought so far.
#[derive(Default)]
pub(crate) struct Uploads {
    /// What came whole, in its order.
    received: VecDeque<Received>,
    current: Option<Box<Receiving>>,
    /// Octets announced so far, what is on its way included, and those that URLs name (RFC 4469).
    announced: u64,
    /// What the owner's quota had left when the first one was announced.
    quota_left: Option<u64>,
    /// How many octets one command may bring; `None`: as many as a message may have, which is looked at elsewhere.
    octets_max: Option<u64>,
    /// Octets in memory of the contents that came and of the messages that are complete.
    held: usize,
    /// Octets of their records.
    records: usize,
    /// The store refused; the rest is read and dropped, so that the connection stays in step.
    failed: Option<StorageError>,
}

/// A literal that came whole.
pub(crate) struct Received {
    ticket: Ticket,
    pub(crate) blob: StagedBlob,
    pub(crate) nul: Nul,
    /// The encoded record; one that is too large is computed when somebody asks.
    pub(crate) record: Option<Bytes>,
}

/// Whether NULs are in a literal. What it is like as a message is not kept: many of them may come before the command ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nul {
    /// None.
    Absent,
    /// In a literal, where they may not be: RFC 3501 §9, CHAR8 is any octet but NUL.
    InLiteral,
    /// In a literal8 (RFC 3516 §4.4).
    InLiteral8,
}

struct Receiving {
    ticket: Option<Ticket>,
    writer: BlobWriter,
    scanner: Scanner,
}

impl Uploads {
    /// None yet, of so many octets at the most, for an owner whose quota has so many left.
    pub(super) fn within(quota_left: Option<u64>, octets_max: u64) -> Self {
        Self { quota_left, octets_max: Some(octets_max), ..Self::default() }
    }

    /// Takes what came under a ticket; it counts no more.
    pub(crate) fn take(&mut self, ticket: Ticket) -> Option<Received> {
        let at = self.received.iter().position(|received| received.ticket == ticket)?;
        let received = self.received.remove(at)?;
        self.held = self.held.saturating_sub(received.blob.held_octets());
        self.records = self.records.saturating_sub(received.record.as_ref().map_or(0, Bytes::len));
        Some(received)
    }

    /// Whether so many octets more are within what one APPEND may bring and within the owner's quota, as far as can be told now.
    pub(super) fn weigh(&mut self, octets: u64) -> Result<(), Answer> {
        self.announced = self.announced.saturating_add(octets);
        if let Some(max) = self.octets_max.filter(|max| self.announced > *max) {
            return Err(Answer::no(Code::Limit, format!("One command brings {max} octets at the most")));
        }
        match self.quota_left {
            Some(left) if self.announced > left => Err(Answer::of(&StorageError::OverQuota)),
            _ => Ok(()),
        }
    }

    /// Counts what waits for the transaction. What is more than [`UPLOADS_HELD_OCTETS`] goes to the store.
    ///
    /// # Errors
    /// [`StorageError::LimitReached`] when there are more records than [`UPLOADS_RECORDS_OCTETS`] lets begin, or the engine's.
    pub(super) async fn keep(&mut self, store: &Store, complete: Complete) -> Result<Complete, StorageError> {
        let Complete { mut blob, record } = complete;
        self.records = self.records.saturating_add(record.as_ref().map_or(0, Bytes::len));
        // The last one that was let in may end behind the bound.
        if self.records > UPLOADS_RECORDS_OCTETS.saturating_add(RECORD_OCTETS_MAX) {
            return Err(too_many());
        }
        if self.held.saturating_add(blob.held_octets()) > UPLOADS_HELD_OCTETS {
            blob = store.spill_staged(blob).await?;
        }
        self.held = self.held.saturating_add(blob.held_octets());
        Ok(Complete { blob, record })
    }

    /// The store's refusal, if there was one.
    pub(crate) fn take_failure(&mut self) -> Option<StorageError> {
        self.failed.take()
    }
}

impl Session {
    /// Whether the announced message is welcome.
    pub(crate) async fn weigh_append(&mut self, announcement: &Announcement) -> Result<Result<(), Answer>, Fault> {
        let max = self.settings.append_octets_max;
        if announcement.size > max {
            let text = format!("A message may have {max} octets at the most");
            return Ok(Err(Answer::no(Code::TooBig, text)));
        }
        if let Some(uploads) = self.uploads.as_deref_mut() {
            if uploads.records >= UPLOADS_RECORDS_OCTETS {
                return Ok(Err(Answer::of(&too_many())));
            }
            let messages = uploads.received.len().saturating_add(1);
            if let Some(answer) = too_many_for(self.settings.message_limit, messages) {
                return Ok(Err(answer));
            }
            // The mailbox was looked at when the first one was announced.
            return Ok(uploads.weigh(announcement.size));
        }
        let Some(mailbox) = &announcement.mailbox else {
            return Ok(Err(Answer::bad("The mailbox name can't be read")));
        };
        let target = match self.target_of(mailbox).await? {
            Ok(target) => target,
            Err(answer) => return Ok(Err(answer)),
        };
        // RFC 8508 §3.4: what is replaced makes room; the transaction counts.
        if announcement.verb != "APPEND" {
            if self.selected.is_none() {
                return Ok(Err(Answer::bad("Select a mailbox first")));
            }
            let mut uploads = self.uploads_replacing();
            let weighed = uploads.weigh(announcement.size);
            self.uploads = Some(Box::new(uploads));
            return Ok(weighed);
        }
        let mut uploads = match self.uploads_to(&target, 1).await? {
            Ok(uploads) => uploads,
            Err(answer) => return Ok(Err(answer)),
        };
        let weighed = uploads.weigh(announcement.size);
        self.uploads = Some(Box::new(uploads));
        Ok(weighed)
    }

    /// What is to come into a mailbox: none yet; the inner error is the answer when its owner's quota has no room for so many
    /// messages.
    pub(super) async fn uploads_to(
        &mut self,
        target: &Target,
        messages: u64,
    ) -> Result<Result<Uploads, Answer>, Fault> {
        let store = &self.server.store;
        let (quota, used) = (store.quota(target.owner), store.usage(target.owner).await?);
        if !quota.hold(used.octets, used.messages.saturating_add(messages)) {
            return Ok(Err(Answer::of(&StorageError::OverQuota)));
        }
        let left = quota.octets.map(|quota| quota.saturating_sub(used.octets));
        Ok(Ok(Uploads::within(left, self.upload_octets_max())))
    }

    /// What is to come in the place of another message: none yet. What is replaced makes room, so that the transaction alone can
    /// tell what the quota says.
    pub(super) fn uploads_replacing(&self) -> Uploads {
        Uploads::within(None, self.upload_octets_max())
    }

    /// Octets that one command may bring.
    fn upload_octets_max(&self) -> u64 {
        self.settings.append_octets_all_max.max(self.settings.append_octets_max)
    }

    /// The answer to an APPEND of more messages than one may bring.
    pub(super) fn too_many_messages(&self, messages: usize) -> Option<Answer> {
        too_many_for(self.settings.message_limit, messages)
    }

    /// The message is welcome: its octets go to the store from now on.
    pub(crate) fn begin_upload(&mut self) {
        let ticket = self.connection.framer.accept();
        let writer = self.server.store.blob_writer();
        if let Some(uploads) = self.uploads.as_deref_mut() {
            uploads.current = Some(Box::new(Receiving { ticket, writer, scanner: Scanner::new() }));
        }
    }

    /// The message is not welcome: the command ends here, before or in spite of its octets.
    pub(crate) fn refuse_append(&mut self, announcement: &Announcement, answer: &Answer) {
        self.uploads = None;
        self.say_answer_to(announcement.tag.as_ref(), answer);
        if self.connection.framer.refuse() == AfterRefusal::Close {
            self.ending = Some("You are sending more than I am willing to drop".into());
        }
    }

    /// Octets of the message.
    pub(crate) async fn upload_chunk(&mut self, chunk: &Bytes) {
        let Some(uploads) = self.uploads.as_deref_mut() else { return };
        let Some(receiving) = uploads.current.as_deref_mut().filter(|_| uploads.failed.is_none()) else { return };
        receiving.scanner.feed(chunk);
        if let Err(error) = receiving.writer.write(chunk).await {
            uploads.failed = Some(error);
        }
    }

    /// The last octet has come.
    pub(crate) async fn upload_end(&mut self, ticket: Ticket, nul: bool) {
        let Some(uploads) = self.uploads.as_deref_mut() else { return };
        let Some(receiving) = uploads.current.take().filter(|receiving| receiving.ticket == Some(ticket)) else {
            return;
        };
        if uploads.failed.is_some() {
            return;
        }
        let Receiving { writer, scanner, .. } = *receiving;
        let structure = scanner.finish();
        let blob = writer.finish();
        let nul = match (nul, structure.has_nul) {
            (true, _) => Nul::InLiteral,
            (false, true) => Nul::InLiteral8,
            (false, false) => Nul::Absent,
        };
        // With a NUL it is not yet what is to be stored.
        let record = if nul == Nul::Absent { encoded_record(&structure) } else { None };
        match uploads.keep(&self.server.store, Complete { blob, record }).await {
            Ok(Complete { blob, record }) => uploads.received.push_back(Received { ticket, blob, nul, record }),
            Err(error) => uploads.failed = Some(error),
        }
    }
}

/// RFC 9738 §3.1: an APPEND is done whole or not at all, and the client is told how many it may bring: what the settings say or,
/// when that is less, what one transaction holds.
fn too_many_for(limit: MessageLimit, messages: usize) -> Option<Answer> {
    let transaction = u32::try_from(APPENDED_MESSAGES_MAX).unwrap_or(u32::MAX);
    let limit = limit.of_saves().map_or(transaction, |limit| limit.min(transaction));
    let over = u32::try_from(messages).map_or(true, |messages| messages > limit);
    let text = format!("One APPEND brings {limit} messages at the most");
    over.then(|| Answer::no(Code::MessageLimit { limit, lowest: None }, text))
}

/// RFC 5530 §3: LIMIT.
pub(super) const fn too_many() -> StorageError {
    StorageError::LimitReached("messages in one APPEND")
}

/// The record of a message; `None` for one that is too large, which is computed when somebody asks.
pub(super) fn encoded_record(structure: &Structure) -> Option<Bytes> {
    let record = precompute::record(structure).unwrap_or_else(|oversize| *oversize.record).encode();
    (record.len() <= RECORD_OCTETS_MAX).then(|| Bytes::from(record))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use mail::Timestamp;
    use storage::MemoryEngine;
    use world::simulated::SimulatedWorld;

    use super::*;

    async fn complete(store: &Store, seed: u32, record: usize) -> Complete {
        let mut noise = seed;
        let content: Vec<u8> = std::iter::repeat_with(|| {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            noise.to_be_bytes()[0]
        })
        .take(50_000)
        .collect();
        let mut writer = store.blob_writer();
        writer.write(&content).await.unwrap();
        Complete { blob: writer.finish(), record: Some(vec![0; record].into()) }
    }

    /// Of what waits for the transaction, only so much is in memory, however it was made.
    #[tokio::test]
    async fn what_is_complete_is_held_within_bounds() {
        let sim = SimulatedWorld::new(Timestamp(1_800_000_000_000), 1);
        let store = Store::open(Arc::new(MemoryEngine::default()), sim.world()).await.unwrap();
        let mut uploads = Uploads::within(None, u64::MAX);
        let mut kept = Vec::new();
        for seed in 1..=400 {
            let made = complete(&store, seed, RECORD_OCTETS_MAX).await;
            match uploads.keep(&store, made).await {
                Ok(complete) => kept.push(complete),
                Err(error) => {
                    assert_eq!(error, too_many());
                    break;
                }
            }
        }
        let held: usize = kept.iter().map(|complete| complete.blob.held_octets()).sum();
        assert!((UPLOADS_HELD_OCTETS / 2..=UPLOADS_HELD_OCTETS).contains(&held), "{held}");
        let records: usize = kept.iter().filter_map(|complete| complete.record.as_ref()).map(Bytes::len).sum();
        assert!(records.abs_diff(UPLOADS_RECORDS_OCTETS) <= 2 * RECORD_OCTETS_MAX, "{records}");
    }

    /// A literal8 with a NUL costs no more than another while it waits: what it is like is found out again.
    #[test]
    fn nothing_is_kept_of_what_a_nul_is_in() {
        assert_eq!(size_of::<Nul>(), 1);
    }
}
