//! COPY and MOVE within an account or, for the former, to another (RFC 3501 §6.4.7, RFC 6851). All copies of one transaction get one
//! MODSEQ. A move is no copy and expunge: the blobs are named as often as before, and the account's mail amounts to the same.

use bytes::Bytes;
use mail::{AccountId, MailboxId, Timestamp, Uid, UidValidity};

use super::{ExpungeScope, MESSAGES_PER_TRANSACTION, MOVED_PER_TRANSACTION, chunks};
use crate::changes::ChangeKind;
use crate::error::StorageError;
use crate::keys::Table;
use crate::rows::{MailboxRow, MessageRow, Sent};
use crate::store::{Done, Store};
use crate::transaction::Transaction;

impl Store {
    /// Copies messages to a mailbox, of the same account or another: all, or none (RFC 3501 §6.4.7). Returns pairs of
    /// UIDs, in order; messages that are gone are left out.
    ///
    /// # Errors
    /// [`StorageError::NoSuchMailbox`], [`StorageError::LimitReached`], [`StorageError::OverQuota`], or the engine's.
    pub async fn copy(
        &self,
        from: (AccountId, MailboxId),
        uids: Vec<Uid>,
        to: (AccountId, MailboxId),
    ) -> Result<Done<(UidValidity, Vec<(Uid, Uid)>)>, StorageError> {
        if uids.len() > MESSAGES_PER_TRANSACTION {
            return self.copy_in_steps(from, uids, to).await;
        }
        let (now, quota) = (self.now(), self.quota(to.0));
        self.transact(move |tx| {
            let copied = tx.copy(from, &uids, to, now)?;
            tx.judge_by_place(Some(from), to, &arrived(&copied.1), now)?;
            tx.require_quota(to.0, quota)?;
            Ok(copied)
        })
        .await
    }

    /// Moves messages within an account (RFC 6851): each is in exactly one of the mailboxes at any instant.
    ///
    /// # Errors
    /// [`StorageError::NoSuchMailbox`], [`StorageError::LimitReached`], or the engine's.
    pub async fn move_messages(
        &self,
        account: AccountId,
        from: MailboxId,
        uids: Vec<Uid>,
        to: MailboxId,
    ) -> Result<Done<(UidValidity, Vec<(Uid, Uid)>)>, StorageError> {
        let now = self.now();
        let mut pairs = Vec::new();
        let mut last = None;
        for some in chunks(uids, MOVED_PER_TRANSACTION) {
            let done = self
                .transact(move |tx| {
                    let moved = tx.move_messages(account, from, &some, to, now)?;
                    tx.judge_by_place(Some((account, from)), (account, to), &arrived(&moved.1), now)?;
                    Ok(moved)
                })
                .await?;
            pairs.extend(done.value.1);
            last = Some((done.value.0, done.committed));
        }
        let (validity, committed) = match last {
            Some(last) => last,
            None => {
                let done = self.transact(move |tx| Ok(tx.mailbox_row(account, to)?.uid_validity)).await?;
                (done.value, done.committed)
            }
        };
        Ok(Done { value: (validity, pairs), committed })
    }
}

/// The UIDs of copies.
pub(crate) fn arrived(pairs: &[(Uid, Uid)]) -> Vec<Uid> {
    pairs.iter().map(|(_, copy)| *copy).collect()
}

impl Transaction<'_> {
    /// Copies messages; those that are gone are left out. Pairs of UIDs, in order.
    pub(crate) fn copy(
        &mut self,
        from: (AccountId, MailboxId),
        uids: &[Uid],
        to: (AccountId, MailboxId),
        now: Timestamp,
    ) -> Result<(UidValidity, Vec<(Uid, Uid)>), StorageError> {
        let source = self.mailbox_row(from.0, from.1)?;
        let mut target = self.mailbox_row(to.0, to.1)?;
        let before = target.clone();
        // Read before the first copy is made: within one mailbox a copy may get a UID that is named here.
        let messages = self.message_rows(from.0, from.1, uids)?;
        self.reference_blobs(messages.iter().map(|message| message.blob))?;
        let records = self.rows_of_uids(Table::Record, from, uids, 1)?;
        let pairs = self.place_copies(&source, to.0, &mut target, &messages, records, now)?;
        if !pairs.is_empty() {
            self.put_grown_row(to.0, &before, &target)?;
        }
        Ok((target.uid_validity, pairs))
    }

    /// Moves messages within an account. Its mail amounts to what it did before, and as many rows name the blobs.
    pub(crate) fn move_messages(
        &mut self,
        account: AccountId,
        from: MailboxId,
        uids: &[Uid],
        to: MailboxId,
        now: Timestamp,
    ) -> Result<(UidValidity, Vec<(Uid, Uid)>), StorageError> {
        if from == to {
            let copied = self.copy((account, from), uids, (account, to), now)?;
            let moved: Vec<Uid> = copied.1.iter().map(|(source, _)| *source).collect();
            self.expunge(account, from, &moved, ExpungeScope::All, now)?;
            return Ok(copied);
        }
        let mut source = self.mailbox_row(account, from)?;
        let mut target = self.mailbox_row(account, to)?;
        let indexed = self.keeps_message_ids(account)?;
        let messages = self.message_rows(account, from, uids)?;
        let records = self.rows_of_uids(Table::Record, (account, from), uids, 1)?;
        let pairs = self.place_copies(&source, account, &mut target, &messages, records, now)?;
        for message in &messages {
            self.remove_message_rows(account, from, message, indexed)?;
        }
        self.note_expunged(account, &mut source, &messages)?;
        if !pairs.is_empty() {
            self.put_mailbox_row(account, &source)?;
            self.put_mailbox_row(account, &target)?;
        }
        Ok((target.uid_validity, pairs))
    }

    /// Writes the rows of copies, all at one MODSEQ. The blobs' references are counted and the mailbox's row is written by the
    /// caller. Pairs of UIDs, in order.
    fn place_copies(
        &mut self,
        source: &MailboxRow,
        owner: AccountId,
        target: &mut MailboxRow,
        messages: &[MessageRow],
        records: Vec<(Uid, Bytes)>,
        now: Timestamp,
    ) -> Result<Vec<(Uid, Uid)>, StorageError> {
        if messages.is_empty() {
            return Ok(Vec::new());
        }
        let indexed = self.keeps_message_ids(owner)?;
        let modseq = target.next_modseq();
        let mut records = records.into_iter().peekable();
        let (mut bits_there, mut bits_here) = (0, 0);
        let mut pairs = Vec::with_capacity(messages.len());
        for message in messages {
            while records.next_if(|(uid, _)| *uid < message.uid).is_some() {}
            let record = records.next_if(|(uid, _)| *uid == message.uid).map(|(_, record)| record);
            if message.keyword_bits != bits_there {
                bits_here = target.keyword_bits(&source.flags_of(message).keywords)?;
                bits_there = message.keyword_bits;
            }
            let copy = MessageRow {
                modseq,
                keyword_bits: bits_here,
                saved_at: now,
                shares_change: messages.len() > 1,
                sent: match (message.sent, &record) {
                    (Sent::Untold, Some(record)) => Sent::of_record(record),
                    (sent, _) => sent,
                },
                ..message.clone()
            };
            pairs.push((message.uid, self.place(owner, target, copy, record.as_ref(), indexed)?));
        }
        let copies: Vec<Uid> = pairs.iter().map(|(_, copy)| *copy).collect();
        self.note_changes(owner, target.id, modseq, ChangeKind::Changed, &copies);
        self.notify_mailbox(owner, target);
        Ok(pairs)
    }
}
