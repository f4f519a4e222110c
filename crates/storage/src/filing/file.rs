//! Messages that are stored already, on their way to where filters want them. What does not fit somewhere stays where it is.

use std::collections::{BTreeSet, HashMap};

use filter::Outcome;
use mail::{AccountId, MailboxId, Timestamp, Uid};
use routing::objects::AccountObject;

use super::no_room;
use crate::engine::Durability;
use crate::error::StorageError;
use crate::limits::KEYWORDS_MAX;
use crate::messages::{ExpungeScope, FlagChange};
use crate::rows::{MailboxRow, MessageRow};
use crate::sharing::person_seen::PersonSeen;
use crate::store::{Done, Store};
use crate::transaction::Transaction;

/// What was done in one transaction.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct FiledOnce {
    /// How many of the messages were there.
    pub(crate) there: usize,
    /// What could not be done and why, each once.
    pub(crate) left_out: BTreeSet<String>,
}

impl Store {
    /// Does with messages of a mailbox what filters say, in one transaction; those that are gone are passed over. They are
    /// [`crate::limits::FILED_AT_ONCE`] at the most.
    ///
    /// # Errors
    /// [`StorageError::NoSuchAccount`], [`StorageError::NoSuchMailbox`], or the engine's.
    pub(crate) async fn file_messages(
        &self,
        account: AccountId,
        mailbox: MailboxId,
        outcomes: Vec<(Outcome, Vec<Uid>)>,
    ) -> Result<Done<FiledOnce>, StorageError> {
        let now = self.now();
        let owner = self.directory().account_by_id(account).cloned().ok_or(StorageError::NoSuchAccount)?;
        let frees = outcomes.iter().all(|(outcome, _)| outcome.discard);
        let durability = if frees { Durability::Freeing } else { Durability::Synced };
        self.transact_with(durability, move |tx| {
            let mut filed = FiledOnce::default();
            for (outcome, uids) in &outcomes {
                let there = tx.file(&owner, mailbox, uids, outcome, now, &mut filed.left_out)?;
                filed.there = filed.there.saturating_add(there);
            }
            Ok(filed)
        })
        .await
    }
}

impl Transaction<'_> {
    /// Does with messages that are there what filters say; returns how many were.
    fn file(
        &mut self,
        owner: &AccountObject,
        mailbox: MailboxId,
        uids: &[Uid],
        outcome: &Outcome,
        now: Timestamp,
        left_out: &mut BTreeSet<String>,
    ) -> Result<usize, StorageError> {
        let account = owner.id;
        if outcome.discard {
            return Ok(self.expunge(account, mailbox, uids, ExpungeScope::All, now)?.len());
        }
        let mut told = Vec::new();
        let mut flags = self.fitting(account, mailbox, outcome, &mut told)?;
        let mut target = None;
        if let Some(folder) = &outcome.folder {
            match self.filter_folder(owner, folder, now)? {
                Ok(found) if found == mailbox => {}
                Ok(found) => {
                    // What the folder has no room for would keep the message from going there.
                    let there = self.fitting(account, found, outcome, &mut told)?;
                    flags.keywords.retain(|tag| there.keywords.contains(tag));
                    target = Some(found);
                }
                Err(why) => told.push(format!("not moved to {folder}: {why}")),
            }
        }
        let there = self.change_flags(account, mailbox, uids, &FlagChange::Add(flags), None)?.rows;
        if there.is_empty() {
            return Ok(0);
        }
        let source = self.mailbox_row(account, mailbox)?;
        let readers = self.readers_of(account, mailbox)?;
        for folder in &outcome.copies {
            match self.filter_folder(owner, folder, now)? {
                Ok(found) if found == mailbox => {}
                Ok(found) => {
                    let wanted = self.placeable(&source, &there, owner, found, &mut told)?;
                    let octets: Vec<u64> = wanted.iter().map(|message| message.octets).collect();
                    let room = self.room_for(account, owner.quota(), &octets)?;
                    if room < wanted.len() {
                        told.push(no_room(folder));
                    }
                    let uids: Vec<Uid> = wanted.iter().take(room).map(|message| message.uid).collect();
                    let (_, pairs) = self.copy((account, mailbox), &uids, (account, found), now)?;
                    self.carry_seen(account, found, &readers, &pairs)?;
                }
                Err(why) => told.push(format!("not copied to {folder}: {why}")),
            }
        }
        if let Some(found) = target {
            let wanted = self.placeable(&source, &there, owner, found, &mut told)?;
            let uids: Vec<Uid> = wanted.iter().map(|message| message.uid).collect();
            let (_, pairs) = self.move_messages(account, mailbox, &uids, found, now)?;
            self.carry_seen(account, found, &readers, &pairs)?;
        }
        left_out.extend(told);
        Ok(there.len())
    }

    /// Those of some messages for whose own keywords another mailbox has room, one behind the other.
    fn placeable<'m>(
        &self,
        source: &MailboxRow,
        messages: &'m [MessageRow],
        owner: &AccountObject,
        target: MailboxId,
        told: &mut Vec<String>,
    ) -> Result<Vec<&'m MessageRow>, StorageError> {
        let mut row = self.mailbox_row(owner.id, target)?;
        let mut known: HashMap<u128, bool> = HashMap::new();
        let mut placeable = Vec::with_capacity(messages.len());
        for message in messages {
            let fits = known.entry(message.keyword_bits).or_insert_with(|| {
                let keywords = source.flags_of(message).keywords;
                let new = keywords.iter().filter(|keyword| !row.keywords.contains(*keyword)).count();
                row.keywords.len().saturating_add(new) <= KEYWORDS_MAX && row.keyword_bits(&keywords).is_ok()
            });
            if *fits {
                placeable.push(message);
            }
        }
        if placeable.len() < messages.len() {
            told.push(format!("{} has no room for the tags of some messages: they stay where they are", row.name));
        }
        Ok(placeable)
    }

    /// Who has read a message has read what becomes of it elsewhere, too. Where there is no room to remember that, the message
    /// is new to them.
    fn carry_seen(
        &mut self,
        account: AccountId,
        target: MailboxId,
        readers: &[(AccountId, PersonSeen)],
        pairs: &[(Uid, Uid)],
    ) -> Result<(), StorageError> {
        for (reader, state) in readers {
            let seen = pairs.iter().filter(|(before, _)| state.seen.contains(*before));
            let seen: Vec<(Uid, bool)> = seen.map(|(_, after)| (*after, true)).collect();
            if seen.is_empty() {
                continue;
            }
            match self.mark_seen(account, target, *reader, &seen) {
                Ok(_) | Err(StorageError::LimitReached(_) | StorageError::NoSuchAccount) => {}
                Err(other) => return Err(other),
            }
        }
        Ok(())
    }
}
