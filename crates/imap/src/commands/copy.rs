//! COPY and MOVE (RFC 3501 §6.4.7, RFC 6851; RFC 4315 COPYUID).

use imap_wire::response::{self, Code, Condition};
use imap_wire::{NumberSet, Transfer};
use mail::{MailboxId, Uid, UidValidity};
use storage::StorageError;
use storage::limits::TRANSACTION_ROWS_MAX;
use storage::messages::ExpungeScope;

use crate::commands::append::try_create;
use crate::commands::store::read_only;
use crate::fault::{Answer, Fault};
use crate::session::Session;

/// Messages that one transaction moves: each writes some ten rows.
const MOVES_PER_STEP: usize = TRANSACTION_ROWS_MAX / 10;

impl Session {
    pub(crate) async fn copy(&mut self, transfer: &Transfer) -> Result<Answer, Fault> {
        let (uids, target) = match self.weigh_transfer(transfer).await? {
            Ok(weighed) => weighed,
            Err(answer) => return Ok(answer),
        };
        let from = self.key()?;
        let copied = self.server.store.copy(from, uids, (from.0, target)).await;
        match copied {
            Err(StorageError::NoSuchMailbox) => Ok(try_create()),
            copied => Ok(match copy_uid(&copied?.value) {
                Some(code) => Answer::ok("Copied").with(code),
                None => Answer::ok("Nothing to copy"),
            }),
        }
    }

    /// RFC 6851 §4.3: COPYUID comes in an untagged OK, then the EXPUNGEs, then the tagged OK.
    pub(crate) async fn move_messages(&mut self, transfer: &Transfer) -> Result<Answer, Fault> {
        if self.selected()?.read_only {
            return Ok(read_only());
        }
        let (uids, target) = match self.weigh_transfer(transfer).await? {
            Ok(weighed) => weighed,
            Err(answer) => return Ok(answer),
        };
        let (account, from) = self.key()?;
        let store = self.server.store.clone();
        let (mut validity, mut pairs, mut failure) = (UidValidity(0), Vec::new(), None);
        for some in uids.chunks(MOVES_PER_STEP) {
            match store.move_messages(account, from, some.to_vec(), target, ExpungeScope::All).await {
                Ok(moved) => {
                    validity = moved.value.0;
                    pairs.extend(moved.value.1);
                }
                Err(error) => {
                    failure = Some(error);
                    break;
                }
            }
        }
        // RFC 6851 §3.3: each message is in one of the mailboxes; what has moved is told also when the rest could not.
        let code = copy_uid(&(validity, pairs));
        if let Some(code) = &code {
            response::untagged(self.connection.out(), Condition::Ok, Some(code), "Moved");
        }
        match failure {
            Some(StorageError::NoSuchMailbox) => Ok(try_create()),
            Some(error) => Err(error.into()),
            None if code.is_none() => Ok(Answer::ok("Nothing to move")),
            None => Ok(Answer::ok("Done")),
        }
    }

    /// Which messages, and where to; the inner error is the answer when that can't be.
    async fn weigh_transfer(&mut self, transfer: &Transfer) -> Result<Result<(Vec<Uid>, MailboxId), Answer>, Fault> {
        let account = self.account()?;
        let Some(target) = self.server.store.mailbox_by_name(account, transfer.mailbox.as_str()).await? else {
            return Ok(Err(try_create()));
        };
        let wanted = match self.wanted(&transfer.set, transfer.uid)? {
            Ok(wanted) => wanted,
            Err(answer) => return Ok(Err(answer)),
        };
        // RFC 3501 §6.4.7: all or none. A sequence number whose message is gone is one that can't be copied.
        self.learn().await?;
        let view = &self.selected()?.view;
        let uids: Vec<Uid> = view.map().existing(&wanted).collect();
        if !transfer.uid && uids.iter().any(|uid| view.is_gone(*uid)) {
            return Ok(Err(Answer::of(&StorageError::Expunged)));
        }
        Ok(Ok((uids, target.id)))
    }
}

/// RFC 4315 §3; no code when nothing was copied.
fn copy_uid((validity, pairs): &(UidValidity, Vec<(Uid, Uid)>)) -> Option<Code> {
    let source = NumberSet::from_numbers(pairs.iter().map(|(from, _)| from.0));
    let destination = NumberSet::from_numbers(pairs.iter().map(|(_, to)| to.0));
    (!pairs.is_empty()).then_some(Code::CopyUid { uid_validity: validity.0, source, destination })
}
