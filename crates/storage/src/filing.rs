//! What filters do with messages, as rows: deposited elsewhere than they would go, copied, tagged, or not kept at all; and
//! the same for messages that are there already. Decided by the crate `filter`.
//!
//! **Invariant:** a filter never keeps a message from being delivered. A folder that can't be made, a tag for which the
//! mailbox has no room, or a copy that does not fit into the quota, is left out and told; the message stays where it would go.

mod decided;
mod file;
mod stored;

use std::fmt;

use filter::Outcome;
use mail::{AccountId, Flags, MailboxId, Timestamp};
use routing::objects::{AccountObject, QuotaLimits};

use crate::error::StorageError;
use crate::limits::{KEYWORDS_MAX, MAILBOXES_MAX};
use crate::mailboxes::{DELIMITER, new_name};
use crate::messages::{Deposited, NewMessage};
use crate::transaction::Transaction;

pub use decided::decided;
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

impl Transaction<'_> {
    /// Puts a message where filters want it; without them it would go `into` this mailbox of its owner. Its blob must be stored
    /// before, unless it is deleted for good. Copies are made as far as they fit into the quota; whether the message itself does
    /// is asked by the caller.
    ///
    /// # Errors
    /// [`StorageError::NoSuchMailbox`], [`StorageError::LimitReached`] (UIDs), or the engine's.
    pub fn deposit_filtered(
        &mut self,
        owner: &AccountObject,
        into: MailboxId,
        message: &NewMessage,
        outcome: &Outcome,
    ) -> Result<Filed, StorageError> {
        let (account, quota) = (owner.id, owner.quota());
        let mut filed = Filed::default();
        if outcome.discard {
            return Ok(filed);
        }
        let mut main = into;
        if let Some(folder) = &outcome.folder {
            match self.filter_folder(owner, folder, message.saved_at)? {
                Ok(found) => main = found,
                Err(why) => filed.left_out.push(format!("not moved to {folder}: {why}")),
            }
        }
        filed.kept = Some(self.deposit_tagged(account, main, message, outcome, &mut filed.left_out)?);
        for folder in &outcome.copies {
            if self.room_for(account, quota, &[message.octets])? == 0 {
                filed.left_out.push(no_room(folder));
                continue;
            }
            match self.filter_folder(owner, folder, message.saved_at)? {
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
        let mut refused = Vec::new();
        for tag in &outcome.tags {
            let known = row.keywords.contains(tag);
            if known || room > 0 {
                room = if known { room } else { room.saturating_sub(1) };
                flags.keywords.insert(tag.clone());
            } else {
                refused.push(tag);
            }
        }
        match refused.as_slice() {
            [] => {}
            [tag] => left_out.push(format!("not tagged {tag}: {} has as many tags as it may have", row.name)),
            many => left_out.push(format!("not given {} tags: {} has as many as it may have", many.len(), row.name)),
        }
        Ok(flags)
    }

    /// How many of some messages, of so many octets each, fit into the quota: the first ones.
    fn room_for(&self, account: AccountId, quota: QuotaLimits, octets: &[u64]) -> Result<usize, StorageError> {
        let mut usage = self.usage(account)?;
        let fits = |octets: &&u64| {
            usage.octets = usage.octets.saturating_add(**octets);
            usage.messages = usage.messages.saturating_add(1);
            quota.hold(usage.octets, usage.messages)
        };
        Ok(octets.iter().take_while(fits).count())
    }

    /// The mailbox that a filter names: made with the levels above it when it is not there, and subscribed. The inner error
    /// says why there is none.
    fn filter_folder(
        &mut self,
        owner: &AccountObject,
        folder: &str,
        now: Timestamp,
    ) -> Result<Result<MailboxId, NoFolder>, StorageError> {
        let account = owner.id;
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
        let most = owner.quota().mailboxes.unwrap_or(u64::MAX).min(MAILBOXES_MAX as u64);
        if self.mailbox_count(account)?.saturating_add(missing) > most {
            return Ok(Err(NoFolder::TooMany));
        }
        let made = self.create_mailbox(account, Some(owner), &name, None, now, true)?;
        self.subscribe(account, &name)?;
        Ok(Ok(made.id))
    }
}

fn no_room(folder: &str) -> String {
    format!("not copied to {folder}: the account has no room for it")
}

#[cfg(test)]
mod tests;
