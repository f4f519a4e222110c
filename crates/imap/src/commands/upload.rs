//! Messages on their way in: the literals of an APPEND, one after the other (RFC 3501 §6.3.11, RFC 3502, RFC 7889).
//!
//! They stream to the store as they arrive and are scanned on the way; no session holds one in memory, and of many only what
//! [`UPLOADS_HELD_OCTETS`] and [`UPLOADS_RECORDS_OCTETS`] allow. What can be refused is refused before the client sends it.

use std::collections::VecDeque;

use bytes::Bytes;
use imap_wire::response::Code;
use imap_wire::{AfterRefusal, Announcement, Ticket, precompute};
use message::{Scanner, Structure};
use storage::StorageError;
use storage::blobs::{BlobWriter, StagedBlob};
use storage::limits::{APPENDED_MESSAGES_MAX, RECORD_OCTETS_MAX};

use crate::fault::{Answer, Fault};
use crate::limits::{UPLOADS_HELD_OCTETS, UPLOADS_RECORDS_OCTETS};
use crate::session::Session;

/// What an APPEND has brought so far.
#[derive(Default)]
pub(crate) struct Uploads {
    /// What came whole, in its order.
    received: VecDeque<Received>,
    current: Option<Box<Receiving>>,
    /// Octets announced so far, what is on its way included.
    announced: u64,
    /// What the owner's quota had left when the first one was announced.
    quota_left: Option<u64>,
    /// Octets of `received` in memory.
    held: usize,
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

/// Whether NULs are in a literal.
pub(crate) enum Nul {
    /// None.
    Absent,
    /// In a literal, where they may not be: RFC 3501 §9, CHAR8 is any octet but NUL.
    InLiteral,
    /// In a literal8 (RFC 3516 §4.4); what it is like as a message.
    InLiteral8(Box<Structure>),
}

struct Receiving {
    ticket: Option<Ticket>,
    writer: BlobWriter,
    scanner: Scanner,
}

impl Uploads {
    /// Takes what came under a ticket.
    pub(crate) fn take(&mut self, ticket: Ticket) -> Option<Received> {
        let at = self.received.iter().position(|received| received.ticket == ticket)?;
        self.received.remove(at)
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
        if let Some(uploads) = self.uploads.as_deref() {
            if uploads.received.len() >= APPENDED_MESSAGES_MAX || uploads.records >= UPLOADS_RECORDS_OCTETS {
                return Ok(Err(Answer::of(&StorageError::LimitReached("messages in one APPEND"))));
            }
            // The mailbox was looked at when the first one was announced.
            return Ok(self.weigh_quota(announcement.size));
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
            self.uploads = Some(Box::default());
            return Ok(Ok(()));
        }
        let store = &self.server.store;
        let (quota, used) = (store.quota(target.owner), store.usage(target.owner).await?);
        if !quota.hold(used.octets, used.messages.saturating_add(1)) {
            return Ok(Err(Answer::of(&StorageError::OverQuota)));
        }
        let quota_left = quota.octets.map(|quota| quota.saturating_sub(used.octets));
        self.uploads = Some(Box::new(Uploads { quota_left, ..Uploads::default() }));
        Ok(self.weigh_quota(announcement.size))
    }

    /// Whether so many octets more are within the owner's quota, as far as can be told now.
    fn weigh_quota(&mut self, octets: u64) -> Result<(), Answer> {
        let Some(uploads) = self.uploads.as_deref_mut() else { return Ok(()) };
        uploads.announced = uploads.announced.saturating_add(octets);
        match uploads.quota_left {
            Some(left) if uploads.announced > left => Err(Answer::of(&StorageError::OverQuota)),
            _ => Ok(()),
        }
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
        match &announcement.tag {
            Some(tag) => self.say_answer(tag, answer),
            None => self.say(answer.condition, answer.code.as_ref(), &answer.text),
        }
        if self.connection.framer.refuse() == AfterRefusal::Close {
            self.ending = Some("You are sending more than I am willing to drop");
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
        let mut blob = writer.finish();
        let record = encoded_record(&structure);
        let nul = match (nul, structure.has_nul) {
            (true, _) => Nul::InLiteral,
            (false, true) => Nul::InLiteral8(Box::new(structure)),
            (false, false) => Nul::Absent,
        };
        if uploads.held.saturating_add(blob.held_octets()) > UPLOADS_HELD_OCTETS {
            blob = match self.server.store.spill_staged(blob).await {
                Ok(blob) => blob,
                Err(error) => return uploads.failed = Some(error),
            };
        }
        uploads.held = uploads.held.saturating_add(blob.held_octets());
        uploads.records = uploads.records.saturating_add(record.as_ref().map_or(0, Bytes::len));
        uploads.received.push_back(Received { ticket, blob, nul, record });
    }
}

/// The record of a message; `None` for one that is too large, which is computed when somebody asks.
pub(super) fn encoded_record(structure: &Structure) -> Option<Bytes> {
    let record = precompute::record(structure).unwrap_or_else(|oversize| *oversize.record).encode();
    (record.len() <= RECORD_OCTETS_MAX).then(|| Bytes::from(record))
}
