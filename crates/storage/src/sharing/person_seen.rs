//! `\Seen` of one person in a mailbox where each has their own: one row for mailbox and reader.
//!
//! A change takes a MODSEQ of the mailbox, so that it has its place among all changes; which message it was about is
//! remembered here alone, for the last [`PERSON_CHANGES_MAX`] of them. What is older is forgotten as "not after
//! [`PersonSeen::floor`]": a client that has been away longer is told of every message, which is much and never wrong.
//!
//! Invariant: the set holds messages that are there only; expunging takes them out in the same transaction.

use std::collections::HashMap;

use mail::{AccountId, MailboxId, ModSeq, Notice, SystemFlags, Uid};
use serde::{Deserialize, Serialize};

use super::UidRanges;
use crate::engine::{Durability, KeyRange, Order};
use crate::error::StorageError;
use crate::keys::{self, Key, Table};
use crate::limits::{PERSON_CHANGES_MAX, PERSON_RANGES_MAX, PERSON_READERS_MAX};
use crate::rows::{self, MailboxRow, MessageRow};
use crate::store::Store;
use crate::transaction::Transaction;

const VERSION: u8 = 1;
const STATE: u8 = 0;
const READS: u8 = 1;

/// What one person has seen in a mailbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonSeen {
    /// The messages with `\Seen`.
    pub seen: UidRanges,
    /// The last changes, in order of MODSEQ; a message is in it once.
    pub changes: Vec<(ModSeq, Uid)>,
    /// No message that is not among the changes has changed here after it.
    pub floor: ModSeq,
}

impl Default for PersonSeen {
    /// Nothing seen yet.
    fn default() -> Self {
        Self { seen: UidRanges::default(), changes: Vec::new(), floor: ModSeq(0) }
    }
}

impl PersonSeen {
    /// The MODSEQ of the last change here.
    #[must_use]
    pub fn highest(&self) -> ModSeq {
        self.changes.last().map_or(self.floor, |(modseq, _)| *modseq)
    }

    /// The MODSEQ of a message's last change here, or one that is not smaller.
    #[must_use]
    pub fn modseq_of(&self, uid: Uid) -> ModSeq {
        self.changes.iter().rev().find(|(_, changed)| *changed == uid).map_or(self.floor, |(modseq, _)| *modseq)
    }

    /// What changed after a MODSEQ; `None`: that is so long ago that it may be any message.
    #[must_use]
    pub fn changed_since(&self, since: ModSeq) -> Option<&[(ModSeq, Uid)]> {
        let from = self.changes.partition_point(|(modseq, _)| *modseq <= since);
        (since >= self.floor).then(|| self.changes.get(from..).unwrap_or_default())
    }

    /// Shows rows as this person sees them.
    pub fn overlay(&self, rows: &mut [MessageRow]) {
        let late: HashMap<Uid, ModSeq> = self.changes.iter().map(|(modseq, uid)| (*uid, *modseq)).collect();
        for row in rows {
            let others = row.system_flags.without(SystemFlags::SEEN);
            let seen = if self.seen.contains(row.uid) { SystemFlags::SEEN } else { SystemFlags(0) };
            row.system_flags = others.union(seen);
            row.modseq = row.modseq.max(late.get(&row.uid).copied().unwrap_or(self.floor));
        }
    }

    /// Messages of the mailbox without `\Seen`.
    #[must_use]
    pub fn unseen_of(&self, row: &MailboxRow) -> u32 {
        row.messages.saturating_sub(self.seen.count())
    }

    fn note(&mut self, modseq: ModSeq, uids: &[Uid]) {
        self.changes.retain(|(_, changed)| uids.binary_search(changed).is_err());
        self.changes.extend(uids.iter().map(|uid| (modseq, *uid)));
        if let Some(surplus) = self.changes.len().checked_sub(PERSON_CHANGES_MAX).filter(|surplus| *surplus > 0) {
            let forgotten = self.changes.drain(..surplus).next_back();
            self.floor = self.floor.max(forgotten.map_or(ModSeq(0), |(modseq, _)| modseq));
            // Several messages may have changed at once: none of them may be known when one is forgotten.
            let floor = self.floor;
            self.changes.retain(|(modseq, _)| *modseq > floor);
        }
    }
}

impl Store {
    /// What somebody has seen in a mailbox.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn person_seen(
        &self,
        owner: AccountId,
        mailbox: MailboxId,
        reader: AccountId,
    ) -> Result<PersonSeen, StorageError> {
        decode(self.engine.get(&state_key(owner, mailbox, reader)).await?.as_deref())
    }

    /// Forgets what an account has seen in others' mailboxes, some at a time.
    pub(crate) async fn forget_reader(&self, reader: AccountId) -> Result<(), StorageError> {
        loop {
            let done = self.transact_with(Durability::Freeing, move |tx| tx.forget_some_reading(reader));
            if done.await?.value == 0 {
                return Ok(());
            }
        }
    }
}

/// Rows that one transaction forgets.
const READERS_PER_STEP: usize = 1_000;

impl Transaction<'_> {
    /// What somebody has seen in a mailbox.
    ///
    /// # Errors
    /// When reading fails.
    pub fn person_seen(
        &self,
        owner: AccountId,
        mailbox: MailboxId,
        reader: AccountId,
    ) -> Result<PersonSeen, StorageError> {
        decode(self.get(&state_key(owner, mailbox, reader))?.as_deref())
    }

    /// Sets and takes away `\Seen` for one person: messages that are there, in order of UID.
    ///
    /// # Errors
    /// [`StorageError::NoSuchMailbox`], [`StorageError::LimitReached`], or when reading fails.
    pub fn mark_seen(
        &mut self,
        owner: AccountId,
        mailbox: MailboxId,
        reader: AccountId,
        wanted: &[(Uid, bool)],
    ) -> Result<PersonSeen, StorageError> {
        let mut state = self.person_seen(owner, mailbox, reader)?;
        let mut changed = Vec::new();
        for (uid, seen) in wanted {
            let different = if *seen { state.seen.insert(*uid) } else { state.seen.remove(*uid) };
            if different {
                changed.push(*uid);
            }
        }
        if changed.is_empty() {
            return Ok(state);
        }
        if state.seen.ranges() > PERSON_RANGES_MAX {
            return Err(StorageError::LimitReached("gaps between what you have read in this mailbox"));
        }
        changed.sort_unstable();
        let mut row = self.mailbox_row(owner, mailbox)?;
        let modseq = row.next_modseq();
        state.note(modseq, &changed);
        let reads = reads_key(reader, owner, mailbox);
        if self.get(&reads)?.is_none() {
            if !self.has_account(reader)? {
                return Err(StorageError::NoSuchAccount);
            }
            let readers = self.scan(&states(owner, mailbox), Order::Ascending, PERSON_READERS_MAX)?;
            if readers.len() >= PERSON_READERS_MAX {
                return Err(StorageError::LimitReached("people with a seen state of their own in this mailbox"));
            }
            self.put(reads, Vec::new());
        }
        self.put(state_key(owner, mailbox, reader), rows::encode(VERSION, &state)?);
        self.put_mailbox_row(owner, &row)?;
        self.notify(Notice::Mailbox { account: owner, mailbox, modseq });
        Ok(state)
    }

    /// Everyone who has a state of their own in a mailbox, with it.
    pub(crate) fn readers_of(
        &self,
        owner: AccountId,
        mailbox: MailboxId,
    ) -> Result<Vec<(AccountId, PersonSeen)>, StorageError> {
        let rows = self.scan(&states(owner, mailbox), Order::Ascending, PERSON_READERS_MAX)?;
        rows.iter().map(|(key, value)| Ok((reader_of(key)?, decode(Some(value))?))).collect()
    }

    /// Forgets some of what an account has seen in others' mailboxes; 0 when none is left.
    pub(crate) fn forget_some_reading(&mut self, reader: AccountId) -> Result<usize, StorageError> {
        let range = Key::of(Table::PersonSeen, reader).u8(READS).range();
        let some = self.scan(&range, Order::Ascending, READERS_PER_STEP)?;
        for (key, _) in &some {
            let (owner, mailbox) = reads_of(key)?;
            self.delete(state_key(owner, mailbox, reader));
            self.delete(key.to_vec());
        }
        Ok(some.len())
    }

    /// Messages are gone: nobody has seen them any more. Costs one look where no reader has a state of their own.
    pub(crate) fn forget_seen(
        &mut self,
        owner: AccountId,
        mailbox: MailboxId,
        gone: &[Uid],
    ) -> Result<(), StorageError> {
        for (key, value) in self.scan(&states(owner, mailbox), Order::Ascending, PERSON_READERS_MAX)? {
            let mut state = decode(Some(&value))?;
            let before = state.clone();
            for uid in gone {
                state.seen.remove(*uid);
            }
            state.changes.retain(|(_, uid)| gone.binary_search(uid).is_err());
            if state != before {
                self.put(key.to_vec(), rows::encode(VERSION, &state)?);
            }
        }
        Ok(())
    }

    /// The mailbox goes, and what anyone has seen in it.
    pub(crate) fn forget_readers(&mut self, owner: AccountId, mailbox: MailboxId) -> Result<(), StorageError> {
        for (key, _) in self.scan(&states(owner, mailbox), Order::Ascending, PERSON_READERS_MAX)? {
            self.delete(reads_key(reader_of(&key)?, owner, mailbox));
            self.delete(key.to_vec());
        }
        Ok(())
    }
}

pub(crate) fn decode(value: Option<&[u8]>) -> Result<PersonSeen, StorageError> {
    value.map_or_else(|| Ok(PersonSeen::default()), |value| rows::decode(VERSION, "what somebody has seen", value))
}

pub(crate) fn state_key(owner: AccountId, mailbox: MailboxId, reader: AccountId) -> Vec<u8> {
    Key::of(Table::PersonSeen, owner).u8(STATE).u32(mailbox.0).u64(reader.0).done()
}

pub(crate) fn reads_key(reader: AccountId, owner: AccountId, mailbox: MailboxId) -> Vec<u8> {
    Key::of(Table::PersonSeen, reader).u8(READS).u64(owner.0).u32(mailbox.0).done()
}

fn states(owner: AccountId, mailbox: MailboxId) -> KeyRange {
    Key::of(Table::PersonSeen, owner).u8(STATE).u32(mailbox.0).range()
}

/// What a key of this table is: a state, or that somebody has one.
pub(crate) fn parse_key(key: &[u8]) -> Result<(AccountId, Row), StorageError> {
    let part = keys::middle(key, 1).map(|part| AccountId(u64::from_be_bytes(part)));
    let mailbox = keys::middle(key, keys::HEAD + 1).map(|id| MailboxId(u32::from_be_bytes(id)));
    match (part, key.get(keys::HEAD), mailbox) {
        (Some(part), Some(&STATE), Some(mailbox)) => Ok((part, Row::State { mailbox, reader: reader_of(key)? })),
        (Some(part), Some(&READS), _) => {
            let (owner, mailbox) = reads_of(key)?;
            Ok((part, Row::Reads { owner, mailbox }))
        }
        _ => Err(bad_key()),
    }
}

/// See [`parse_key`].
pub(crate) enum Row {
    State { mailbox: MailboxId, reader: AccountId },
    Reads { owner: AccountId, mailbox: MailboxId },
}

fn reader_of(key: &[u8]) -> Result<AccountId, StorageError> {
    keys::tail(key).map(|id| AccountId(u64::from_be_bytes(id))).ok_or_else(bad_key)
}

fn reads_of(key: &[u8]) -> Result<(AccountId, MailboxId), StorageError> {
    let owner = keys::middle(key, keys::HEAD + 1).map(|id| AccountId(u64::from_be_bytes(id)));
    let mailbox = keys::tail(key).map(|id| MailboxId(u32::from_be_bytes(id)));
    owner.zip(mailbox).ok_or_else(bad_key)
}

fn bad_key() -> StorageError {
    StorageError::corrupt("the key of what somebody has seen")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_remembered_up_to_a_bound_and_never_denied() {
        let mut state = PersonSeen::default();
        for n in 1..=u32::try_from(PERSON_CHANGES_MAX).unwrap() {
            state.note(ModSeq(u64::from(n) + 1), &[Uid(n)]);
        }
        assert_eq!((state.floor, state.changes.len()), (ModSeq(0), PERSON_CHANGES_MAX));
        assert_eq!(state.changed_since(ModSeq(0)).map(<[_]>::len), Some(PERSON_CHANGES_MAX));
        let next = state.highest().0 + 1;
        state.note(ModSeq(next), &[Uid(70_000), Uid(70_001)]);
        assert_eq!(state.floor, ModSeq(3), "the oldest two are forgotten");
        assert_eq!((state.modseq_of(Uid(1)), state.modseq_of(Uid(3))), (ModSeq(3), ModSeq(4)));
        assert_eq!(state.changed_since(ModSeq(2)), None);
        assert_eq!(state.changed_since(ModSeq(next - 1)).map(<[_]>::len), Some(2));
        assert_eq!(state.changed_since(ModSeq(next)), Some(&[][..]));
        // One change of more messages than are remembered: all of them are "not after".
        let many: Vec<Uid> = (1..=u32::try_from(PERSON_CHANGES_MAX).unwrap() + 5).map(Uid).collect();
        state.note(ModSeq(next + 1), &many);
        assert_eq!((state.changes.len(), state.floor, state.highest()), (0, ModSeq(next + 1), ModSeq(next + 1)));
    }

    #[test]
    fn a_message_is_among_the_changes_once() {
        let mut state = PersonSeen::default();
        state.note(ModSeq(2), &[Uid(1), Uid(2)]);
        state.note(ModSeq(3), &[Uid(1)]);
        assert_eq!(state.changes, [(ModSeq(2), Uid(2)), (ModSeq(3), Uid(1))]);
        assert_eq!(state.highest(), ModSeq(3));
    }
}
