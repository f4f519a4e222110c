//! COPY, MOVE and APPEND where somebody else's mailbox is one of the two, or both (RFC 4314 §4, COPY and APPEND).

use mail::{AccountId, MailboxId, SystemFlags, Timestamp, Uid, UidValidity};

use super::By;
use crate::blobs::StagedBlob;
use crate::error::StorageError;
use crate::keys;
use crate::limits::APPENDED_MESSAGES_MAX;
use crate::messages::{Deposited, ExpungeScope, MESSAGES_PER_TRANSACTION, NewMessage, arrived};
use crate::store::{Done, Store};
use crate::transaction::Transaction;

/// One end of a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// Whose mailbox.
    pub owner: AccountId,
    /// Which.
    pub mailbox: MailboxId,
    /// How far whoever transfers may change flags there, and whose `\Seen` they see there.
    pub by: By,
}

impl Store {
    /// Copies or moves messages between mailboxes of any accounts, in one transaction: all, or none. Returns pairs of
    /// UIDs, in order; messages that are gone are left out.
    ///
    /// # Errors
    /// [`StorageError::NoSuchMailbox`], [`StorageError::LimitReached`] (more messages than one transaction holds, too),
    /// [`StorageError::OverQuota`], or the engine's.
    pub async fn transfer(
        &self,
        from: End,
        uids: Vec<Uid>,
        to: End,
        remove: bool,
    ) -> Result<Done<(UidValidity, Vec<(Uid, Uid)>)>, StorageError> {
        if uids.len() > MESSAGES_PER_TRANSACTION {
            return Err(StorageError::LimitReached("messages to copy between accounts at once"));
        }
        let (now, quota) = (self.now(), self.quota(to.owner));
        self.transact(move |tx| {
            let pairs = tx.transfer(from, &uids, to, now)?;
            tx.judge_by_place(Some((from.owner, from.mailbox)), (to.owner, to.mailbox), &arrived(&pairs.1), now)?;
            // Within one account nothing more is stored afterwards.
            if !(remove && from.owner == to.owner) {
                tx.require_quota(to.owner, quota)?;
            }
            if remove {
                let moved: Vec<Uid> = pairs.1.iter().map(|(source, _)| *source).collect();
                tx.expunge(from.owner, from.mailbox, &moved, ExpungeScope::All, now)?;
            }
            Ok(pairs)
        })
        .await
    }

    /// Deposits messages (APPEND, RFC 3502) for somebody, in one transaction: all, or none, each with the flags that they
    /// may set there.
    ///
    /// # Errors
    /// [`StorageError::NoSuchMailbox`], [`StorageError::LimitReached`] (more messages than one transaction holds, too),
    /// [`StorageError::OverQuota`], or the engine's.
    pub async fn append_all(
        &self,
        to: End,
        messages: Vec<(StagedBlob, NewMessage)>,
    ) -> Result<Done<Vec<Deposited>>, StorageError> {
        self.append_replacing(to, messages, None).await
    }

    /// As [`Store::append_all`], and in the same transaction a message goes for good (REPLACE, RFC 8508): the quota counts
    /// what is there afterwards.
    ///
    /// # Errors
    /// [`StorageError::Expunged`] when that message is not there, or those of [`Store::append_all`].
    pub async fn append_replacing(
        &self,
        to: End,
        messages: Vec<(StagedBlob, NewMessage)>,
        replaced: Option<(AccountId, MailboxId, Uid)>,
    ) -> Result<Done<Vec<Deposited>>, StorageError> {
        if messages.len() > APPENDED_MESSAGES_MAX {
            return Err(StorageError::LimitReached("messages to append at once"));
        }
        let mut blobs = Vec::with_capacity(messages.len());
        let mut new = Vec::with_capacity(messages.len());
        let mut seen = Vec::with_capacity(messages.len());
        for (blob, mut message) in messages {
            let (flags, seen_by_person) = to.by.split(message.flags);
            message.flags = flags;
            blobs.push(blob);
            new.push(message);
            seen.push(seen_by_person);
        }
        let (quota, now) = (self.quota(to.owner), self.now());
        self.transact(move |tx| {
            blobs.iter().try_for_each(|blob| tx.store_blob(blob))?;
            let deposited = tx.deposit_all(to.owner, to.mailbox, &new)?;
            let uids: Vec<Uid> = deposited.iter().map(|deposited| deposited.uid).collect();
            tx.judge_by_place(None, (to.owner, to.mailbox), &uids, now)?;
            if let Some((owner, mailbox, uid)) = replaced
                && tx.expunge(owner, mailbox, &[uid], ExpungeScope::All, now)?.is_empty()
            {
                return Err(StorageError::Expunged);
            }
            if let Some(person) = to.by.person {
                let seen = deposited.iter().zip(&seen).filter(|(_, seen)| **seen);
                let seen: Vec<(Uid, bool)> = seen.map(|(deposited, _)| (deposited.uid, true)).collect();
                tx.mark_seen(to.owner, to.mailbox, person, &seen)?;
            }
            tx.require_quota(to.owner, quota)?;
            Ok(deposited)
        })
        .await
    }
}

impl Transaction<'_> {
    fn transfer(
        &mut self,
        from: End,
        uids: &[Uid],
        to: End,
        now: Timestamp,
    ) -> Result<(UidValidity, Vec<(Uid, Uid)>), StorageError> {
        let source = self.mailbox_row(from.owner, from.mailbox)?;
        let validity = self.mailbox_row(to.owner, to.mailbox)?.uid_validity;
        let state = from.by.person.map(|person| self.person_seen(from.owner, from.mailbox, person)).transpose()?;
        let mut pairs = Vec::with_capacity(uids.len());
        let mut seen = Vec::new();
        for uid in uids.iter().filter(|uid| **uid < source.uid_next) {
            let Some(message) = self.message_row(from.owner, from.mailbox, *uid)? else { continue };
            let mut flags = source.flags_of(&message);
            if let Some(state) = &state {
                flags.system = flags.system.without(SystemFlags::SEEN);
                if state.seen.contains(*uid) {
                    flags.system = flags.system.union(SystemFlags::SEEN);
                }
            }
            let (flags, seen_by_person) = to.by.split(flags);
            let new = NewMessage {
                blob: message.blob,
                octets: message.octets,
                flags,
                internal_date: message.internal_date,
                saved_at: now,
                record: self.get(&keys::record(from.owner, from.mailbox, *uid))?,
            };
            let copy = self.deposit(to.owner, to.mailbox, &new)?.uid;
            if seen_by_person {
                seen.push((copy, true));
            }
            pairs.push((*uid, copy));
        }
        if let Some(person) = to.by.person {
            self.mark_seen(to.owner, to.mailbox, person, &seen)?;
        }
        Ok((validity, pairs))
    }
}
