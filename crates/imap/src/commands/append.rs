//! APPEND (RFC 3501 §6.3.11; RFC 3502 several messages, RFC 4315 APPENDUID). How the messages come in: `upload`.

use imap_wire::response::Code;
use imap_wire::{Append, MailboxName, NumberSet};
use mail::InternalDate;
use routing::Rights;
use routing::namespace::Place;
use storage::StorageError;
use storage::messages::NewMessage;

use crate::access::{Target, refusal};
use crate::fault::{Answer, Fault};
use crate::session::Session;

impl Session {
    /// The whole command has come.
    pub(crate) async fn append(&mut self, append: Append) -> Result<Answer, Fault> {
        let Some(mut uploads) = self.uploads.take() else { return Ok(Answer::bad("The message did not come")) };
        if let Some(error) = uploads.take_failure() {
            return Err(error.into());
        }
        let store = self.server.store.clone();
        let now = store.now();
        let mut messages = Vec::with_capacity(append.messages.len());
        for message in append.messages {
            let Some(received) = uploads.take(message.message) else {
                return Ok(Answer::bad("The message did not come"));
            };
            // RFC 3501 §9: CHAR8 is any octet but NUL; literal8 (RFC 3516) is not offered for messages.
            if received.nul {
                return Ok(Answer::bad("A message can't hold a NUL"));
            }
            // RFC 3502 §6.3.11: this cancels them all.
            if received.blob.octets == 0 {
                return Ok(Answer::no(Code::Cannot, "The message is empty"));
            }
            let new = NewMessage {
                blob: received.blob.hash,
                octets: received.blob.octets,
                flags: message.flags.into_iter().collect(),
                internal_date: message.date.unwrap_or_else(|| InternalDate::from(now)),
                saved_at: now,
                record: received.record,
            };
            messages.push((received.blob, new));
        }
        let target = match self.target_of(&append.mailbox).await? {
            Ok(target) => target,
            Err(answer) => return Ok(answer),
        };
        let octets = messages.iter().map(|(_, message)| message.octets).fold(0, u64::saturating_add);
        let deposited = match store.append_all(target.end(), messages).await {
            Err(StorageError::NoSuchMailbox) => return Ok(try_create()),
            done => done?.value,
        };
        metrics::counter!("relais_imap_appended_octets_total").increment(octets);
        let uid_validity = deposited.first().map_or(0, |deposited| deposited.uid_validity.0);
        // One transaction gives ascending UIDs.
        let uids = NumberSet::from_numbers(deposited.iter().map(|deposited| deposited.uid.0));
        self.own_arrivals((target.owner, target.row.id), &uids);
        Ok(Answer::ok("Appended").with(Code::AppendUid { uid_validity, uids }))
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
