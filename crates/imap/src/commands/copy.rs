//! COPY and MOVE (RFC 3501 §6.4.7, RFC 6851; RFC 4315 COPYUID).

use imap_wire::response::{Code, Condition};
use imap_wire::{NumberSet, Tag, Transfer};
use mail::{Uid, UidValidity};
use routing::Rights;
use storage::StorageError;
use storage::messages::MOVED_PER_TRANSACTION;

use crate::access::{Target, no_right};
use crate::commands::append::try_create;
use crate::commands::store::read_only;
use crate::engine::message_limit::Limited;
use crate::fault::{Answer, Fault};
use crate::progress::Progress;
use crate::session::Session;

impl Session {
    pub(crate) async fn copy(&mut self, tag: &Tag, transfer: &Transfer) -> Result<Answer, Fault> {
        let (uids, target) = match self.weigh_transfer(transfer).await? {
            Ok(weighed) => weighed,
            Err(answer) => return Ok(answer),
        };
        // RFC 9738 §3.1: all or nothing.
        if let Some((limited, _)) = Limited::among(&uids, self.settings.message_limit.of_saves()) {
            return Ok(Answer::no(limited.code(), "Too many messages to copy; try fewer"));
        }
        let from = self.key()?;
        if self.leaves_home(&target)? {
            return self.transfer(tag, uids, &target, None).await;
        }
        let store = self.server.store.clone();
        let work = store.copy(from, uids, (from.0, target.row.id));
        let copied = self.amid(tag, &Progress::default(), work).await?;
        match copied {
            Err(StorageError::NoSuchMailbox) => Ok(try_create()),
            copied => {
                let code = copy_uid(&copied?.value);
                self.brought(&target, code.as_ref());
                Ok(match code {
                    Some(code) => Answer::ok("Copied").with(code),
                    None => Answer::ok("Nothing to copy"),
                })
            }
        }
    }

    /// What has come to the target is no news to this session.
    fn brought(&mut self, target: &Target, code: Option<&Code>) {
        if let Some(Code::CopyUid { destination, .. }) = code {
            self.own_arrivals((target.owner, target.row.id), destination);
        }
    }

    /// RFC 6851 §4.3: COPYUID comes in an untagged OK, then the EXPUNGEs, then the tagged OK.
    pub(crate) async fn move_messages(&mut self, tag: &Tag, transfer: &Transfer) -> Result<Answer, Fault> {
        if self.selected()?.read_only {
            return Ok(read_only());
        }
        // RFC 6851 §4.4: MOVE takes away as STORE and EXPUNGE do.
        if !self.selected()?.access.rights.has(Rights::DELETE.with(Rights::EXPUNGE)) {
            return Ok(no_right());
        }
        let (uids, target) = match self.weigh_transfer(transfer).await? {
            Ok(weighed) => weighed,
            Err(answer) => return Ok(answer),
        };
        let (limited, uids) = match Limited::among(&uids, self.settings.message_limit.of_any()) {
            Some((limited, some)) => (Some(limited), some.to_vec()),
            None => (None, uids),
        };
        let answer = if self.leaves_home(&target)? {
            self.transfer(tag, uids, &target, Some(transfer.uid)).await?
        } else {
            self.move_within(tag, transfer, uids, &target).await?
        };
        Ok(self.answer_limited(answer, limited))
    }

    /// MOVE between two mailboxes of the account.
    async fn move_within(
        &mut self,
        tag: &Tag,
        transfer: &Transfer,
        uids: Vec<Uid>,
        target: &Target,
    ) -> Result<Answer, Fault> {
        let (account, from) = self.key()?;
        let store = self.server.store.clone();
        let (mut validity, mut pairs, mut failure) = (UidValidity(0), Vec::new(), None);
        let progress = Progress::towards(u32::try_from(uids.len()).unwrap_or(u32::MAX));
        for some in uids.chunks(MOVED_PER_TRANSACTION) {
            let work = store.move_messages(account, from, some.to_vec(), target.row.id);
            match self.amid(tag, &progress, work).await? {
                Ok(moved) => {
                    progress.add(some.len());
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
        self.brought(target, code.as_ref());
        if let Some(code) = &code {
            self.say(Condition::Ok, Some(code), "Moved");
        }
        match failure {
            Some(StorageError::NoSuchMailbox) => Ok(try_create()),
            Some(error) => Err(error.into()),
            None if code.is_none() => Ok(Answer::ok("Nothing to move")),
            None => self.told_up_to(true, transfer.uid, "Done").await,
        }
    }

    /// Which messages, and where to; the inner error is the answer when that can't be.
    async fn weigh_transfer(&mut self, transfer: &Transfer) -> Result<Result<(Vec<Uid>, Target), Answer>, Fault> {
        let target = match self.target_of(&transfer.mailbox).await? {
            Ok(target) => target,
            Err(answer) => return Ok(Err(answer)),
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
        Ok(Ok((uids, target)))
    }

    /// Whether another account's mailbox is one of the two.
    fn leaves_home(&mut self, target: &Target) -> Result<bool, Fault> {
        let account = self.account()?;
        Ok(target.owner != account || self.selected()?.owner != account)
    }

    /// Copies or moves from or to another account's mailbox, with the flags that may be set there. A COPY is one
    /// transaction; a long MOVE takes several, each of which leaves every message in exactly one of the mailboxes. `moves`: it is
    /// MOVE, or UID MOVE.
    async fn transfer(
        &mut self,
        tag: &Tag,
        uids: Vec<Uid>,
        target: &Target,
        moves: Option<bool>,
    ) -> Result<Answer, Fault> {
        let remove = moves.is_some();
        let from = self.end()?;
        let store = self.server.store.clone();
        let step = if remove { MOVED_PER_TRANSACTION } else { uids.len().max(1) };
        let (mut validity, mut pairs, mut failure) = (UidValidity(0), Vec::new(), None);
        let progress = Progress::towards(u32::try_from(uids.len()).unwrap_or(u32::MAX));
        for some in uids.chunks(step) {
            let work = store.transfer(from, some.to_vec(), target.end(), remove);
            match self.amid(tag, &progress, work).await? {
                Ok(done) => {
                    progress.add(some.len());
                    validity = done.value.0;
                    pairs.extend(done.value.1);
                }
                Err(error) => {
                    failure = Some(error);
                    break;
                }
            }
        }
        let code = copy_uid(&(validity, pairs));
        self.brought(target, code.as_ref());
        if let Some(code) = code.as_ref().filter(|_| remove) {
            self.say(Condition::Ok, Some(code), "Moved");
        }
        match (failure, code, remove) {
            (Some(StorageError::NoSuchMailbox), ..) => Ok(Answer::of(&StorageError::NoSuchMailbox)),
            (Some(error), ..) => Err(error.into()),
            (None, Some(code), false) => Ok(Answer::ok("Copied").with(code)),
            (None, Some(_), true) => self.told_up_to(true, moves == Some(true), "Done").await,
            (None, None, _) => Ok(Answer::ok("Nothing to copy or move")),
        }
    }
}

/// RFC 4315 §3; no code when nothing was copied.
fn copy_uid((validity, pairs): &(UidValidity, Vec<(Uid, Uid)>)) -> Option<Code> {
    let source = NumberSet::from_numbers(pairs.iter().map(|(from, _)| from.0));
    let destination = NumberSet::from_numbers(pairs.iter().map(|(_, to)| to.0));
    (!pairs.is_empty()).then_some(Code::CopyUid { uid_validity: validity.0, source, destination })
}
