//! APPEND (RFC 3501 §6.3.11; RFC 4315 APPENDUID, RFC 7889).
//!
//! The message streams to the store as it arrives and is scanned on the way; no session holds one in memory. What can be
//! refused is refused before the client sends it.

use bytes::Bytes;
use imap_wire::response::{self, Code};
use imap_wire::{AfterRefusal, Announcement, Append, MailboxName, Ticket, precompute};
use mail::InternalDate;
use message::Scanner;
use routing::Rights;
use routing::namespace::Place;
use storage::StorageError;
use storage::blobs::BlobWriter;
use storage::messages::NewMessage;

use crate::access::{Target, refusal};
use crate::fault::{Answer, Fault};
use crate::session::Session;

/// A message on its way in.
pub(crate) struct Upload {
    ticket: Option<Ticket>,
    writer: BlobWriter,
    scanner: Scanner,
    /// The store refused; the rest is read and dropped, so that the connection stays in step.
    failed: Option<StorageError>,
    nul: bool,
    complete: bool,
}

impl Session {
    /// Whether the announced message is welcome.
    pub(crate) async fn weigh_append(&mut self, announcement: &Announcement) -> Result<Result<(), Answer>, Fault> {
        let max = self.settings.append_octets_max;
        if announcement.size > max {
            let text = format!("A message may have {max} octets at the most");
            return Ok(Err(Answer::no(Code::TooBig, text)));
        }
        let Some(mailbox) = &announcement.mailbox else {
            return Ok(Err(Answer::bad("The mailbox name can't be read")));
        };
        let target = match self.target_of(mailbox).await? {
            Ok(target) => target,
            Err(answer) => return Ok(Err(answer)),
        };
        let store = &self.server.store;
        let (quota, used) = (store.quota(target.owner), store.usage(target.owner).await?);
        if !quota.hold(used.octets.saturating_add(announcement.size), used.messages.saturating_add(1)) {
            return Ok(Err(Answer::of(&StorageError::OverQuota)));
        }
        Ok(Ok(()))
    }

    /// The message is welcome: its octets go to the store from now on.
    pub(crate) fn begin_upload(&mut self) {
        let ticket = self.connection.framer.accept();
        self.upload = Some(Box::new(Upload {
            ticket,
            writer: self.server.store.blob_writer(),
            scanner: Scanner::new(),
            failed: None,
            nul: false,
            complete: false,
        }));
    }

    /// The message is not welcome: the command ends here, before or in spite of its octets.
    pub(crate) fn refuse_append(&mut self, announcement: &Announcement, answer: &Answer) {
        match &announcement.tag {
            Some(tag) => {
                response::tagged(self.connection.out(), tag, answer.condition, answer.code.as_ref(), &answer.text);
            }
            None => response::untagged(self.connection.out(), answer.condition, answer.code.as_ref(), &answer.text),
        }
        if self.connection.framer.refuse() == AfterRefusal::Close {
            self.ending = Some("You are sending more than I am willing to drop");
        }
    }

    /// Octets of the message.
    pub(crate) async fn upload_chunk(&mut self, chunk: &Bytes) {
        let Some(upload) = self.upload.as_deref_mut() else { return };
        if upload.failed.is_some() {
            return;
        }
        upload.scanner.feed(chunk);
        if let Err(error) = upload.writer.write(chunk).await {
            upload.failed = Some(error);
        }
    }

    /// The last octet has come.
    pub(crate) fn upload_end(&mut self, ticket: Ticket, nul: bool) {
        if let Some(upload) = self.upload.as_deref_mut() {
            upload.nul = nul;
            upload.complete = upload.ticket == Some(ticket);
        }
    }

    /// The whole command has come.
    pub(crate) async fn append(&mut self, append: Append) -> Result<Answer, Fault> {
        let uploaded = self.upload.take().filter(|upload| upload.complete && upload.ticket == Some(append.message));
        let Some(upload) = uploaded else { return Ok(Answer::bad("The message did not come")) };
        let Upload { writer, scanner, failed, nul, .. } = *upload;
        if let Some(error) = failed {
            return Err(error.into());
        }
        let structure = scanner.finish();
        // RFC 3501 §9: CHAR8 is any octet but NUL; literal8 (RFC 3516) is not offered for messages.
        if nul || structure.has_nul {
            return Ok(Answer::bad("A message can't hold a NUL"));
        }
        if structure.size == 0 {
            return Ok(Answer::no(Code::Cannot, "The message is empty"));
        }
        let store = self.server.store.clone();
        let target = match self.target_of(&append.mailbox).await? {
            Ok(target) => target,
            Err(answer) => return Ok(answer),
        };
        let blob = writer.finish();
        let now = store.now();
        let message = NewMessage {
            blob: blob.hash,
            octets: blob.octets,
            flags: append.flags.into_iter().collect(),
            internal_date: append.date.unwrap_or_else(|| InternalDate::from(now)),
            saved_at: now,
            // One that is too large is computed when somebody asks.
            record: precompute::record(&structure).ok().map(|record| Bytes::from(record.encode())),
        };
        let octets = message.octets;
        let deposited = match store.append_by(target.end(), blob, message).await {
            Err(StorageError::NoSuchMailbox) => return Ok(try_create()),
            done => done?.value,
        };
        metrics::counter!("relais_imap_appended_octets_total").increment(octets);
        let code = Code::AppendUid { uid_validity: deposited.uid_validity.0, uid: deposited.uid.0 };
        Ok(Answer::ok("Appended").with(code))
    }
}

impl Session {
    /// The mailbox that messages shall go to; the inner error is the answer when they can't (RFC 4314 §4: the right `i`).
    pub(crate) async fn target_of(&mut self, mailbox: &MailboxName) -> Result<Result<Target, Answer>, Fault> {
        match self.find(mailbox.as_str()).await? {
            Some(target) if target.access.rights.has(Rights::INSERT) => Ok(Ok(target)),
            Some(target) => Ok(Err(refusal(target.access.rights))),
            // What can't be seen can't be created either, as far as anyone is told.
            None if self.place(mailbox.as_str())? != Place::Own => Ok(Err(Answer::of(&StorageError::NoSuchMailbox))),
            None => Ok(Err(try_create())),
        }
    }
}

/// RFC 3501 §6.3.11: the client may create the mailbox and try again.
pub(crate) fn try_create() -> Answer {
    Answer::no(Code::TryCreate, "There is no such mailbox")
}
