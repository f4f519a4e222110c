//! APPEND (RFC 3501 §6.3.11; RFC 3502 several messages, RFC 4315 APPENDUID, RFC 6855 §4 UTF8). How the messages come in:
//! `upload`; how they are put together: `catenate`.

use bytes::Bytes;
use imap_wire::response::Code;
use imap_wire::{Append, AppendContent, AppendMessage, CatenatePart, MailboxName, NumberSet};
use mail::{AccountId, InternalDate, MailboxId, Uid};
use routing::Rights;
use routing::namespace::Place;
use storage::blobs::StagedBlob;
use storage::messages::NewMessage;
use storage::{StorageError, Store};
use urls::LastParts;

use super::recode::without_nuls;
use super::sent::filter_sent;
use super::upload::{Nul, Uploads, encoded_record};
use crate::access::{Target, refusal};
use crate::fault::{Answer, Fault};
use crate::limits::CATENATED_URLS_MAX;
use crate::records::scan;
use crate::session::Session;

impl Session {
    /// The whole command has come.
    pub(crate) async fn append(&mut self, append: Append) -> Result<Answer, Fault> {
        Ok(match self.deposit(&append.mailbox, append.messages, None).await? {
            Ok(code) => Answer::ok("Appended").with(code),
            Err(answer) => answer,
        })
    }

    /// Puts messages into a mailbox, and removes one that they replace (RFC 8508) in the same transaction; the inner error is
    /// the answer when that can't be.
    pub(super) async fn deposit(
        &mut self,
        mailbox: &MailboxName,
        appended: Vec<AppendMessage>,
        replaced: Option<(AccountId, MailboxId, Uid)>,
    ) -> Result<Result<Code, Answer>, Fault> {
        let uploads = self.uploads.take();
        if let Some(answer) = self.too_many_messages(appended.len()) {
            return Ok(Err(answer));
        }
        if urls(&appended) > CATENATED_URLS_MAX {
            return Err(StorageError::LimitReached("URLs in one APPEND").into());
        }
        let target = match self.target_of(mailbox).await? {
            Ok(target) => target,
            Err(answer) => return Ok(Err(answer)),
        };
        let mut uploads = match uploads {
            Some(uploads) => *uploads,
            // None came: all that is appended is there already. What is replaced makes room; the transaction counts then.
            None if replaced.is_some() => self.uploads_replacing(),
            None => match self.uploads_to(&target, appended.len() as u64).await? {
                Ok(uploads) => uploads,
                Err(answer) => return Ok(Err(answer)),
            },
        };
        if let Some(error) = uploads.take_failure() {
            return Err(error.into());
        }
        let store = self.server.store.clone();
        let mut last_parts = LastParts::default();
        let now = store.now();
        let mut messages = Vec::with_capacity(appended.len());
        for message in appended {
            let complete = match self.completed(message.content, &mut uploads, &mut last_parts).await? {
                Ok(complete) => complete,
                Err(answer) => return Ok(Err(answer)),
            };
            // RFC 3502 §6.3.11: this cancels them all.
            if complete.blob.octets == 0 {
                return Ok(Err(Answer::no(Code::Cannot, "The message is empty")));
            }
            let complete = uploads.keep(&store, complete).await?;
            let new = NewMessage {
                blob: complete.blob.hash,
                octets: complete.blob.octets,
                flags: message.flags.into_iter().collect(),
                internal_date: message.date.unwrap_or_else(|| InternalDate::from(now)),
                saved_at: now,
                record: complete.record,
            };
            messages.push((complete.blob, new));
        }
        // Putting them together may have taken a while.
        let target = match self.target_of(mailbox).await? {
            Ok(target) => target,
            Err(answer) => return Ok(Err(answer)),
        };
        let octets = messages.iter().map(|(_, message)| message.octets).fold(0, u64::saturating_add);
        let deposited = match store.append_replacing(target.end(), messages, replaced).await {
            Err(StorageError::NoSuchMailbox) => return Ok(Err(try_create())),
            done => done?.value,
        };
        metrics::counter!("relais_imap_appended_octets_total").increment(octets);
        if replaced.is_none() {
            filter_sent(&store, &target, &deposited).await;
        }
        let uid_validity = deposited.first().map_or(0, |deposited| deposited.uid_validity.0);
        // One transaction gives ascending UIDs.
        let uids = NumberSet::from_numbers(deposited.iter().map(|deposited| deposited.uid.0));
        self.own_arrivals((target.owner, target.row.id), &uids);
        Ok(Ok(Code::AppendUid { uid_validity, uids }))
    }
}

/// A message as it is to be stored.
pub(super) struct Complete {
    pub(super) blob: StagedBlob,
    pub(super) record: Option<Bytes>,
}

impl Session {
    /// What a message consists of, made one; the inner error is the answer when that can't be.
    async fn completed(
        &mut self,
        content: AppendContent,
        uploads: &mut Uploads,
        last_parts: &mut LastParts,
    ) -> Result<Result<Complete, Answer>, Fault> {
        let ticket = match content {
            AppendContent::Message(ticket) => ticket,
            AppendContent::Utf8(ticket) if self.takes_utf8() => ticket,
            AppendContent::Utf8(_) => return Ok(Err(utf8_first())),
            AppendContent::Catenate(parts) => return self.catenate(parts, uploads, last_parts).await,
        };
        let Some(received) = uploads.take(ticket) else { return Ok(Err(not_received())) };
        match received.nul {
            Nul::Absent => Ok(Ok(Complete { blob: received.blob, record: received.record })),
            Nul::InLiteral => Ok(Err(nul_in_literal())),
            Nul::InLiteral8 => Ok(encoded(&self.server.store, received.blob).await?),
        }
    }

    /// Whether the client may send UTF-8 where the base specification has none (RFC 6855 §3).
    pub(super) const fn takes_utf8(&self) -> bool {
        self.enabled.utf8 || self.enabled.rev2
    }
}

/// A message with NULs as it can be stored (RFC 3516 §4.4).
pub(super) async fn encoded(store: &Store, blob: StagedBlob) -> Result<Result<Complete, Answer>, StorageError> {
    let structure = scan(&mut store.staged_reader(&blob), blob.octets).await?;
    let (blob, structure) = without_nuls(store, &blob, &structure).await?;
    if structure.has_nul {
        return Ok(Err(Answer::no(Code::UnknownCte, "Only parts that are binary can hold a NUL")));
    }
    Ok(Ok(Complete { blob, record: encoded_record(&structure) }))
}

/// How many URLs the messages are put together from (RFC 4469).
fn urls(messages: &[AppendMessage]) -> usize {
    let of = |message: &AppendMessage| match &message.content {
        AppendContent::Catenate(parts) => parts.iter().filter(|part| matches!(part, CatenatePart::Url(_))).count(),
        AppendContent::Message(_) | AppendContent::Utf8(_) => 0,
    };
    messages.iter().map(of).sum()
}

/// The literal is not there: the command is not what was announced.
pub(super) fn not_received() -> Answer {
    Answer::bad("The message did not come")
}

pub(super) fn nul_in_literal() -> Answer {
    Answer::bad("Only a literal8 can hold a NUL")
}

/// RFC 6855 §4
pub(super) fn utf8_first() -> Answer {
    Answer::no(Code::Cannot, "ENABLE UTF8=ACCEPT first")
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
