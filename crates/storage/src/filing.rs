//! What filters do with messages, as rows: deposited elsewhere than they would go, copied, tagged, or not kept at all; and
//! the same for messages that are there already. Decided by the crate `filter`.
//!
//! **Invariant:** a filter never keeps a message from being delivered. A folder that can't be made, or a tag for which the
//! mailbox has no room, is left out and told; the message stays where it would go.

mod stored;

use std::fmt;

use filter::Outcome;
use mail::{AccountId, Flags, MailboxId, Timestamp, Uid};
use routing::objects::QuotaLimits;

use crate::engine::Durability;
use crate::error::StorageError;
use crate::limits::{KEYWORDS_MAX, MAILBOXES_MAX};
use crate::mailboxes::{DELIMITER, new_name};
use crate::messages::{Deposited, ExpungeScope, FlagChange, NewMessage};
use crate::store::{Done, Store};
use crate::transaction::Transaction;

pub use stored::{FiledMessages, LookedAt, place_of};

/// Where a filtered message is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filed {
    /// Where the account keeps it; `None`: a filter deleted it for good.
    pub kept: Option<Filing>,
    /// Where copies are.
    pub copies: Vec<Filing>,
    /// What could not be done and why, in words.
    pub left_out: Vec<String>,
}

/// One mailbox that keeps a filtered message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filing {
    /// Which.
    pub mailbox: MailboxId,
    /// Its name.
    pub name: String,
    /// Where it is there.
    pub deposited: Deposited,
}

/// Why a filter's folder can't be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoFolder {
    /// No mailbox may have this name.
    BadName(&'static str),
    /// The account has as many as it may have.
    TooMany,
}

impl fmt::Display for NoFolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadName(why) => write!(f, "no folder may have that name: {why}"),
            Self::TooMany => f.write_str("the account has as many folders as it may have"),
        }
    }
}

impl Store {
    /// Does with messages of a mailbox what filters say, in one transaction; those that are gone are passed over. They are
    /// [`crate::limits::FILED_AT_ONCE`] at the most. Returns how many were there, and what was left out.
    ///
    /// # Errors
    /// [`StorageError::NoSuchMailbox`], [`StorageError::OverQuota`], or the engine's.
    pub(crate) async fn file_messages(
        &self,
        account: AccountId,
        mailbox: MailboxId,
        outcomes: Vec<(Outcome, Vec<Uid>)>,
    ) -> Result<Done<(usize, Vec<String>)>, StorageError> {
        let (now, quota) = (self.now(), self.quota(account));
        let frees = outcomes.iter().all(|(outcome, _)| outcome.discard);
        let durability = if frees { Durability::Freeing } else { Durability::Synced };
        self.transact_with(durability, move |tx| {
            let (mut there, mut left_out) = (0usize, Vec::new());
            for (outcome, uids) in &outcomes {
                there = there.saturating_add(tx.file(account, mailbox, uids, outcome, quota, now, &mut left_out)?);
            }
            if outcomes.iter().any(|(outcome, _)| !outcome.copies.is_empty()) {
                tx.require_quota(account, quota)?;
            }
            left_out.sort_unstable();
            left_out.dedup();
            Ok((there, left_out))
        })
        .await
    }
}

impl Transaction<'_> {
    /// Puts a message where filters want it; without them it would go `into` this mailbox. Its blob must be stored before,
    /// unless it is deleted for good.
    ///
    /// # Errors
    /// [`StorageError::NoSuchMailbox`], [`StorageError::LimitReached`] (UIDs), or the engine's.
    pub fn deposit_filtered(
        &mut self,
        account: AccountId,
        into: MailboxId,
        message: &NewMessage,
        outcome: &Outcome,
        quota: QuotaLimits,
    ) -> Result<Filed, StorageError> {
        let mut filed = Filed::default();
        if outcome.discard {
            return Ok(filed);
        }
        let mut main = into;
        if let Some(folder) = &outcome.folder {
            match self.filter_folder(account, folder, quota, message.saved_at)? {
                Ok(found) => main = found,
                Err(why) => filed.left_out.push(format!("not moved to {folder}: {why}")),
            }
        }
        filed.kept = Some(self.deposit_tagged(account, main, message, outcome, &mut filed.left_out)?);
        for folder in &outcome.copies {
            match self.filter_folder(account, folder, quota, message.saved_at)? {
                Ok(found) if found == main || filed.copies.iter().any(|copy| copy.mailbox == found) => {}
                Ok(found) => {
                    filed.copies.push(self.deposit_tagged(account, found, message, outcome, &mut filed.left_out)?);
                }
                Err(why) => filed.left_out.push(format!("not copied to {folder}: {why}")),
            }
        }
        Ok(filed)
    }

    fn deposit_tagged(
        &mut self,
        account: AccountId,
        mailbox: MailboxId,
        message: &NewMessage,
        outcome: &Outcome,
        left_out: &mut Vec<String>,
    ) -> Result<Filing, StorageError> {
        let mut message = message.clone();
        let flags = self.fitting(account, mailbox, outcome, left_out)?;
        message.flags.system = message.flags.system.union(flags.system);
        message.flags.keywords.extend(flags.keywords);
        let deposited = self.deposit(account, mailbox, &message)?;
        Ok(Filing { mailbox, name: self.mailbox_row(account, mailbox)?.name, deposited })
    }

    /// The flags that filters give, without the keywords for which the mailbox has no room.
    fn fitting(
        &self,
        account: AccountId,
        mailbox: MailboxId,
        outcome: &Outcome,
        left_out: &mut Vec<String>,
    ) -> Result<Flags, StorageError> {
        let mut flags = Flags::system(outcome.flags);
        if outcome.tags.is_empty() {
            return Ok(flags);
        }
        let row = self.mailbox_row(account, mailbox)?;
        let mut room = KEYWORDS_MAX.saturating_sub(row.keywords.len());
        for tag in &outcome.tags {
            let known = row.keywords.contains(tag);
            if known || room > 0 {
                room = if known { room } else { room.saturating_sub(1) };
                flags.keywords.insert(tag.clone());
            } else {
                left_out.push(format!("not tagged {tag}: {} has as many tags as it may have", row.name));
            }
        }
        Ok(flags)
    }

    /// The mailbox that a filter names: made with the levels above it when it is not there, and subscribed. The inner error
    /// says why there is none.
    fn filter_folder(
        &mut self,
        account: AccountId,
        folder: &str,
        quota: QuotaLimits,
        now: Timestamp,
    ) -> Result<Result<MailboxId, NoFolder>, StorageError> {
        let name = match new_name(folder) {
            Ok(name) => name,
            Err(StorageError::BadMailboxName(why)) => return Ok(Err(NoFolder::BadName(why))),
            Err(other) => return Err(other),
        };
        if let Some(found) = self.mailbox_named(account, &name)? {
            return Ok(Ok(found));
        }
        let mut missing = 1u64;
        for (at, _) in name.match_indices(DELIMITER) {
            if self.mailbox_named(account, name.get(..at).unwrap_or_default())?.is_none() {
                missing = missing.saturating_add(1);
            }
        }
        let most = quota.mailboxes.unwrap_or(u64::MAX).min(MAILBOXES_MAX as u64);
        if self.mailbox_count(account)?.saturating_add(missing) > most {
            return Ok(Err(NoFolder::TooMany));
        }
        let made = self.create_mailbox(account, &name, None, now, true)?;
        self.subscribe(account, &name)?;
        Ok(Ok(made.id))
    }

    /// Does with messages that are there what filters say; returns how many were.
    #[expect(clippy::too_many_arguments, reason = "a message's place, what to do, and the bounds of the account")]
    fn file(
        &mut self,
        account: AccountId,
        mailbox: MailboxId,
        uids: &[Uid],
        outcome: &Outcome,
        quota: QuotaLimits,
        now: Timestamp,
        left_out: &mut Vec<String>,
    ) -> Result<usize, StorageError> {
        if outcome.discard {
            return Ok(self.expunge(account, mailbox, uids, ExpungeScope::All, now)?.len());
        }
        let flags = self.fitting(account, mailbox, outcome, left_out)?;
        let there = if flags == Flags::default() {
            let mut there = Vec::with_capacity(uids.len());
            for uid in uids {
                there.extend(self.message_row(account, mailbox, *uid)?.map(|row| row.uid));
            }
            there
        } else {
            let changed = self.change_flags(account, mailbox, uids, &FlagChange::Add(flags), None)?;
            changed.rows.iter().map(|row| row.uid).collect()
        };
        if there.is_empty() {
            return Ok(0);
        }
        for folder in &outcome.copies {
            match self.filter_folder(account, folder, quota, now)? {
                Ok(found) if found == mailbox => {}
                Ok(found) => drop(self.copy((account, mailbox), &there, (account, found), now)?),
                Err(why) => left_out.push(format!("not copied to {folder}: {why}")),
            }
        }
        if let Some(folder) = &outcome.folder {
            match self.filter_folder(account, folder, quota, now)? {
                Ok(found) if found == mailbox => {}
                Ok(found) => {
                    self.copy((account, mailbox), &there, (account, found), now)?;
                    self.expunge(account, mailbox, &there, ExpungeScope::All, now)?;
                }
                Err(why) => left_out.push(format!("not moved to {folder}: {why}")),
            }
        }
        Ok(there.len())
    }
}

#[cfg(test)]
mod tests;
