//! Messages in mailboxes: depositing, flags, expunging, copying, moving, and what changed since (RFC 3501, RFC 7162).
//!
//! Every change takes a MODSEQ of its mailbox, one for all messages that it changes, and is noted in the change index
//! ([`crate::changes`]), where the change before is struck out; an expunged UID stays there. So "what changed since"
//! costs what changed.

mod copying;

pub(crate) use copying::arrived;

use bytes::Bytes;
use mail::{
    AccountId, BlobHash, Flags, InternalDate, MailboxId, ModSeq, Notice, SystemFlags, Timestamp, Uid, UidValidity,
};

use crate::changes::ChangeKind;
use crate::engine::{Durability, KeyRange, Order};
use crate::error::StorageError;
use crate::flag_blocks::FlagBlock;
use crate::keys::{self, Key, Table};
use crate::limits::{RECORD_OCTETS_MAX, TRANSACTION_ROWS_MAX};
use crate::rows::{MailboxRow, MessageRow, Sent};
use crate::sharing::FlagMask;
use crate::store::{Done, Store};
use crate::transaction::Transaction;
use crate::usage::Usage;

/// A message on its way into a mailbox. Its blob must be stored in the same transaction or before.
#[derive(Clone, Debug)]
pub struct NewMessage {
    /// Its content.
    pub blob: BlobHash,
    /// Octets of it.
    pub octets: u64,
    /// Flags to start with.
    pub flags: Flags,
    /// INTERNALDATE.
    pub internal_date: InternalDate,
    /// Now.
    pub saved_at: Timestamp,
    /// The encoded record (`message::MessageRecord`); one over [`RECORD_OCTETS_MAX`] is left out.
    pub record: Option<Bytes>,
}

/// Where a message went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deposited {
    /// The mailbox's UIDVALIDITY.
    pub uid_validity: UidValidity,
    /// Its UID there.
    pub uid: Uid,
    /// Its MODSEQ there.
    pub modseq: ModSeq,
}

/// What STORE does to flags (RFC 3501 §6.4.6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FlagChange {
    /// `FLAGS`
    Replace(Flags),
    /// `+FLAGS`
    Add(Flags),
    /// `-FLAGS`
    Remove(Flags),
}

impl FlagChange {
    /// What a transaction with this change waits for. Marking as deleted is the first half of an expunge.
    #[must_use]
    pub fn durability(&self) -> Durability {
        match self {
            Self::Replace(flags) | Self::Add(flags) if flags.system.contains(SystemFlags::DELETED) => {
                Durability::Freeing
            }
            Self::Replace(_) | Self::Add(_) | Self::Remove(_) => Durability::Synced,
        }
    }
}

/// What a STORE did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FlagsChanged {
    /// The rows as they are now, in order of UID: changed ones, and those that were so already.
    pub rows: Vec<MessageRow>,
    /// The MODSEQ that each of `rows` had before: who has not heard of it yet has to be told more than what was asked for.
    pub before: Vec<ModSeq>,
    /// UIDs left alone because they changed after UNCHANGEDSINCE (RFC 7162 §3.1.3), in order.
    pub modified: Vec<Uid>,
}

/// Which of the named messages EXPUNGE removes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpungeScope {
    /// Those with `\Deleted`.
    Deleted,
    /// All of them.
    All,
}

/// Rows that are scanned in the time that one is found by its key.
const SCANNED_FOR_ONE: usize = 4;

/// Messages whose rows are looked at again in place of the mailbox's.
const FEW: usize = 2;

/// Messages that one transaction changes at the most: each writes some four rows.
pub(crate) const MESSAGES_PER_TRANSACTION: usize = TRANSACTION_ROWS_MAX / 5;

/// Messages whose flags one transaction changes at the most: each writes its row, and strikes out a change before.
pub const FLAGGED_PER_TRANSACTION: usize = TRANSACTION_ROWS_MAX / 2;

/// Messages that one transaction moves at the most: each writes some seven rows.
pub const MOVED_PER_TRANSACTION: usize = TRANSACTION_ROWS_MAX / 8;

/// Messages that one transaction expunges at the most: each writes some six rows.
pub const EXPUNGED_PER_TRANSACTION: usize = TRANSACTION_ROWS_MAX / 6;

impl Store {
    /// Messages of a mailbox with UIDs from `first` to `last` (both included), in order, at most `limit`; fewer only at the end.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn messages(
        &self,
        account: AccountId,
        mailbox: MailboxId,
        first: Uid,
        last: Uid,
        limit: usize,
    ) -> Result<Vec<MessageRow>, StorageError> {
        if first == last && limit > 0 {
            return Ok(self.message(account, mailbox, first).await?.into_iter().collect());
        }
        self.messages_in(Order::Ascending, account, mailbox, (first, last), limit).await
    }

    /// As [`Store::messages`], the last one first.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn messages_descending(
        &self,
        account: AccountId,
        mailbox: MailboxId,
        first: Uid,
        last: Uid,
        limit: usize,
    ) -> Result<Vec<MessageRow>, StorageError> {
        self.messages_in(Order::Descending, account, mailbox, (first, last), limit).await
    }

    async fn messages_in(
        &self,
        order: Order,
        account: AccountId,
        mailbox: MailboxId,
        (first, last): (Uid, Uid),
        limit: usize,
    ) -> Result<Vec<MessageRow>, StorageError> {
        let (mut first, mut last) = (first, last);
        let mut found: Vec<MessageRow> = Vec::new();
        // Once, unless some went meanwhile: fewer than `limit` are told at the end alone.
        loop {
            let range = uid_range(Table::Message, account, mailbox, first, last);
            let before = self.engine.get(&keys::mailbox(account, mailbox)).await?;
            let left = limit.saturating_sub(found.len());
            let rows = self.engine.scan(range, order, left).await?;
            let mut messages = Vec::with_capacity(rows.len());
            for (key, value) in &rows {
                messages.push(MessageRow::decode(uid_of(key)?, value)?);
            }
            let looked_at = messages.last().map(|message| message.uid);
            let messages = self.as_it_is(account, mailbox, before, messages).await?;
            if found.is_empty() {
                found = messages;
            } else {
                found.extend(messages);
            }
            let Some(looked_at) = looked_at.filter(|_| rows.len() == left && found.len() < limit) else { break };
            let more = match order {
                Order::Ascending => looked_at.next().filter(|next| *next <= last).map(|next| first = next),
                Order::Descending => {
                    let before = looked_at.0.checked_sub(1).map(Uid).filter(|before| *before >= first);
                    before.map(|before| last = before)
                }
            };
            if more.is_none() {
                break;
            }
        }
        Ok(found)
    }

    /// Messages of rows that were read a moment ago, with the flags that blocks tell of them; without those that went while both
    /// were read: these have taken their flags along, and what is in the row alone may be older than what has been told
    /// of them. `before` is the mailbox's row before anything else was read, which tells whether anything can have gone.
    async fn as_it_is(
        &self,
        account: AccountId,
        mailbox: MailboxId,
        before: Option<Bytes>,
        mut messages: Vec<MessageRow>,
    ) -> Result<Vec<MessageRow>, StorageError> {
        let blocks = self.lay_flags_over(account, mailbox, &mut messages).await?;
        // Of which a block tells, that was there when the block was read.
        let has_entry =
            |uid: Uid| blocks.get(&FlagBlock::first_uid(uid)).is_some_and(|block| block.flags_of(uid).is_some());
        let mut unsure: Vec<Uid> = messages.iter().map(|message| message.uid).filter(|uid| !has_entry(*uid)).collect();
        if unsure.is_empty() || !self.may_have_gone(account, mailbox, before).await? {
            return Ok(messages);
        }
        unsure.sort_unstable();
        let there = self.rows_of(Table::Message, account, mailbox, &unsure).await?;
        let is_there = |uid: Uid| there.binary_search_by_key(&uid, |(uid, _)| *uid).is_ok();
        messages.retain(|message| unsure.binary_search(&message.uid).is_err() || is_there(message.uid));
        Ok(messages)
    }

    /// Whether messages can have left a mailbox since its row was read: one that comes adds to UIDNEXT and to the number of
    /// messages, one that goes is missing from the latter alone.
    async fn may_have_gone(
        &self,
        account: AccountId,
        mailbox: MailboxId,
        before: Option<Bytes>,
    ) -> Result<bool, StorageError> {
        let Some(before) = before else { return Ok(true) };
        let Some(after) = self.engine.get(&keys::mailbox(account, mailbox)).await? else { return Ok(true) };
        if before == after {
            return Ok(false);
        }
        let (before, after) = (MailboxRow::decode(&before)?, MailboxRow::decode(&after)?);
        let came = after.uid_next.0.checked_sub(before.uid_next.0);
        Ok(came.is_none() || came != after.messages.checked_sub(before.messages))
    }

    /// UIDs of messages from `first` to `last` (both included), in order, at most `limit`. Costs less than their rows.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn message_uids(
        &self,
        account: AccountId,
        mailbox: MailboxId,
        first: Uid,
        last: Uid,
        limit: usize,
    ) -> Result<Vec<Uid>, StorageError> {
        let range = uid_range(Table::Message, account, mailbox, first, last);
        let rows = self.engine.scan(range, Order::Ascending, limit).await?;
        rows.iter().map(|(key, _)| uid_of(key)).collect()
    }

    /// One message.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn message(
        &self,
        account: AccountId,
        mailbox: MailboxId,
        uid: Uid,
    ) -> Result<Option<MessageRow>, StorageError> {
        let Some(value) = self.engine.get(&keys::message(account, mailbox, uid)).await? else { return Ok(None) };
        let message = MessageRow::decode(uid, &value)?;
        Ok(self.as_it_is(account, mailbox, None, vec![message]).await?.pop())
    }

    /// Messages with these UIDs, which are in order; those that are not there are left out.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn messages_of(
        &self,
        account: AccountId,
        mailbox: MailboxId,
        uids: &[Uid],
    ) -> Result<Vec<MessageRow>, StorageError> {
        // Of a few messages each row is looked at again: that is no more than two looks at the mailbox's.
        let before = match uids.len() {
            0..=FEW => None,
            _ => self.engine.get(&keys::mailbox(account, mailbox)).await?,
        };
        let rows = self.rows_of(Table::Message, account, mailbox, uids).await?;
        let mut messages = Vec::with_capacity(rows.len());
        for (uid, value) in &rows {
            messages.push(MessageRow::decode(*uid, value)?);
        }
        self.as_it_is(account, mailbox, before, messages).await
    }

    /// Encoded records of messages with these UIDs, which are in order. A message whose record was too large has none.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn records_of(
        &self,
        account: AccountId,
        mailbox: MailboxId,
        uids: &[Uid],
    ) -> Result<Vec<(Uid, Bytes)>, StorageError> {
        self.rows_of(Table::Record, account, mailbox, uids).await
    }

    /// Rows of messages with these UIDs: of those that lie close to each other by a scan, which reads what is between them as well, of
    /// others each by its key.
    async fn rows_of(
        &self,
        table: Table,
        account: AccountId,
        mailbox: MailboxId,
        uids: &[Uid],
    ) -> Result<Vec<(Uid, Bytes)>, StorageError> {
        let (Some(first), Some(last)) = (uids.first(), uids.last()) else { return Ok(Vec::new()) };
        let span = (last.0.saturating_sub(first.0) as usize).saturating_add(1);
        let scanned_max = if table == Table::Message {
            uids.len().saturating_mul(SCANNED_FOR_ONE)
        } else {
            // Records are large: hardly more is held than was asked for.
            uids.len().saturating_add(uids.len() / SCANNED_FOR_ONE)
        };
        if uids.len() > 1 && span <= scanned_max {
            let range = uid_range(table, account, mailbox, *first, *last);
            let rows = self.engine.scan(range, Order::Ascending, span).await?;
            let mut wanted = uids.iter().peekable();
            let mut found = Vec::with_capacity(uids.len());
            for (key, value) in rows {
                let uid = uid_of(&key)?;
                while wanted.next_if(|wanted| **wanted < uid).is_some() {}
                if wanted.next_if(|wanted| **wanted == uid).is_some() {
                    found.push((uid, value));
                }
            }
            return Ok(found);
        }
        let key = |uid: &Uid| Key::of(table, account).u32(mailbox.0).u32(uid.0).done();
        let values = match uids {
            [uid] => vec![self.engine.get(&key(uid)).await?],
            several => self.engine.multi_get(&several.iter().map(key).collect::<Vec<_>>()).await?,
        };
        Ok(uids.iter().zip(values).filter_map(|(uid, value)| Some((*uid, value?))).collect())
    }

    /// Encoded records of messages with UIDs from `first` to `last`, in order, at most `limit`. A message whose record
    /// was too large has none.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn records(
        &self,
        account: AccountId,
        mailbox: MailboxId,
        first: Uid,
        last: Uid,
        limit: usize,
    ) -> Result<Vec<(Uid, Bytes)>, StorageError> {
        let range = uid_range(Table::Record, account, mailbox, first, last);
        let rows = self.engine.scan(range, Order::Ascending, limit).await?;
        rows.into_iter().map(|(key, value)| Ok((uid_of(&key)?, value))).collect()
    }

    /// Deposits one message (APPEND): stores its blob, counts it, tells the mailbox's watchers.
    ///
    /// # Errors
    /// [`StorageError::NoSuchMailbox`], [`StorageError::OverQuota`], or the engine's.
    pub async fn append(
        &self,
        account: AccountId,
        mailbox: MailboxId,
        blob: crate::blobs::StagedBlob,
        message: NewMessage,
    ) -> Result<Done<Deposited>, StorageError> {
        let quota = self.quota(account);
        self.transact(move |tx| {
            tx.store_blob(&blob)?;
            let deposited = tx.deposit(account, mailbox, &message)?;
            tx.require_quota(account, quota)?;
            Ok(deposited)
        })
        .await
    }

    /// Changes the flags of messages (in order of UID; unknown ones are passed over). The token is of the last of the
    /// transactions that a long list is cut into; `None` when nothing had to be written.
    ///
    /// # Errors
    /// [`StorageError::NoSuchMailbox`], [`StorageError::LimitReached`] (keywords), or the engine's.
    pub async fn change_flags(
        &self,
        account: AccountId,
        mailbox: MailboxId,
        uids: Vec<Uid>,
        change: FlagChange,
        unchanged_since: Option<ModSeq>,
    ) -> Result<Done<FlagsChanged>, StorageError> {
        let durability = change.durability();
        let mut all = FlagsChanged::default();
        let mut token = None;
        for some in chunks(uids, FLAGGED_PER_TRANSACTION) {
            let change = change.clone();
            let flagging =
                move |tx: &mut Transaction<'_>| tx.change_flags(account, mailbox, &some, &change, unchanged_since);
            let done = self.transact_with(durability, flagging).await?;
            all.rows.extend(done.value.rows);
            all.before.extend(done.value.before);
            all.modified.extend(done.value.modified);
            token = Some(done.committed);
        }
        let committed = match token {
            Some(token) => token,
            None => self.transact_with(durability, |_| Ok(())).await?.committed,
        };
        Ok(Done { value: all, committed })
    }

    /// Expunges messages and returns the UIDs that went, in order.
    ///
    /// # Errors
    /// [`StorageError::NoSuchMailbox`], or the engine's.
    pub async fn expunge(
        &self,
        account: AccountId,
        mailbox: MailboxId,
        uids: Vec<Uid>,
        scope: ExpungeScope,
    ) -> Result<Done<Vec<Uid>>, StorageError> {
        let now = self.now();
        let mut gone = Vec::new();
        let mut token = None;
        for some in chunks(uids, EXPUNGED_PER_TRANSACTION) {
            let expunging = move |tx: &mut Transaction<'_>| tx.expunge(account, mailbox, &some, scope, now);
            let done = self.transact_with(Durability::Freeing, expunging).await?;
            gone.extend(done.value);
            token = Some(done.committed);
        }
        let committed = match token {
            Some(token) => token,
            None => self.transact_with(Durability::Freeing, |_| Ok(())).await?.committed,
        };
        Ok(Done { value: gone, committed })
    }
}

impl Transaction<'_> {
    /// Puts a message into a mailbox: the next UID and MODSEQ, counters, record, change index, one more reference to
    /// its blob.
    ///
    /// # Errors
    /// [`StorageError::NoSuchMailbox`], [`StorageError::LimitReached`], or the engine's.
    pub fn deposit(
        &mut self,
        account: AccountId,
        mailbox: MailboxId,
        message: &NewMessage,
    ) -> Result<Deposited, StorageError> {
        let deposited = self.deposit_all(account, mailbox, std::slice::from_ref(message))?;
        deposited.first().copied().ok_or(StorageError::Expunged)
    }

    /// As [`Transaction::deposit`], for several messages, which get one MODSEQ.
    pub(crate) fn deposit_all(
        &mut self,
        account: AccountId,
        mailbox: MailboxId,
        messages: &[NewMessage],
    ) -> Result<Vec<Deposited>, StorageError> {
        let mut row = self.mailbox_row(account, mailbox)?;
        if messages.is_empty() {
            return Ok(Vec::new());
        }
        let before = row.clone();
        let modseq = row.next_modseq();
        let indexed = self.keeps_message_ids(account)?;
        let mut uids = Vec::with_capacity(messages.len());
        for message in messages {
            let new = MessageRow {
                uid: row.uid_next,
                modseq,
                system_flags: message.flags.system,
                keyword_bits: row.keyword_bits(&message.flags.keywords)?,
                internal_date: message.internal_date,
                saved_at: message.saved_at,
                octets: message.octets,
                blob: message.blob,
                shares_change: messages.len() > 1,
                sent: message.record.as_deref().map_or(Sent::Untold, Sent::of_record),
            };
            uids.push(self.place(account, &mut row, new, message.record.as_ref(), indexed)?);
        }
        self.reference_blobs(messages.iter().map(|message| message.blob))?;
        self.note_changes(account, mailbox, modseq, ChangeKind::Changed, &uids);
        self.put_grown_row(account, &before, &row)?;
        self.notify_mailbox(account, &row);
        Ok(uids.into_iter().map(|uid| Deposited { uid_validity: row.uid_validity, uid, modseq }).collect())
    }

    /// Writes a mailbox row whose messages became more or less, and the account's usage with it.
    fn put_grown_row(&mut self, account: AccountId, before: &MailboxRow, row: &MailboxRow) -> Result<(), StorageError> {
        self.take_usage(account, Usage::of(before))?;
        self.add_usage(account, Usage::of(row))?;
        self.put_mailbox_row(account, row)
    }

    /// Writes the rows of a message that is new to a mailbox, and counts it there. The change is noted, the blob's reference
    /// counted and the mailbox's row written by the caller.
    fn place(
        &mut self,
        account: AccountId,
        row: &mut MailboxRow,
        mut message: MessageRow,
        record: Option<&Bytes>,
        indexed: bool,
    ) -> Result<Uid, StorageError> {
        let uid = row.uid_next;
        row.uid_next = uid.next().ok_or(StorageError::LimitReached("messages in this mailbox's lifetime"))?;
        message.uid = uid;
        row.count_in(&message);
        self.put(keys::message(account, row.id, uid), message.encode());
        if let Some(record) = record.filter(|record| record.len() <= RECORD_OCTETS_MAX) {
            self.put(keys::record(account, row.id, uid), record.clone());
            if indexed {
                self.index_message_id(account, row.id, uid, record);
            }
        }
        Ok(uid)
    }

    /// One message's row.
    ///
    /// # Errors
    /// When reading fails.
    pub fn message_row(
        &self,
        account: AccountId,
        mailbox: MailboxId,
        uid: Uid,
    ) -> Result<Option<MessageRow>, StorageError> {
        let Some(value) = self.get(&keys::message(account, mailbox, uid))? else { return Ok(None) };
        let mut message = MessageRow::decode(uid, &value)?;
        self.lay_flags_over(account, mailbox, std::slice::from_mut(&mut message))?;
        Ok(Some(message))
    }

    /// The rows of those messages that are there, in order of UID. Messages that lie close together are read in one go.
    pub(crate) fn message_rows(
        &self,
        account: AccountId,
        mailbox: MailboxId,
        uids: &[Uid],
    ) -> Result<Vec<MessageRow>, StorageError> {
        let rows = self.rows_of_uids(Table::Message, (account, mailbox), uids, 4)?;
        let mut messages = Vec::with_capacity(rows.len());
        for (uid, value) in &rows {
            messages.push(MessageRow::decode(*uid, value)?);
        }
        self.lay_flags_over(account, mailbox, &mut messages)?;
        Ok(messages)
    }

    /// What a table has by UID of a mailbox, in order of UID. UIDs that are no further apart than `gap` are read by one
    /// scan: passing over a few small rows costs less than finding one.
    fn rows_of_uids(
        &self,
        table: Table,
        (account, mailbox): (AccountId, MailboxId),
        uids: &[Uid],
        gap: u32,
    ) -> Result<Vec<(Uid, Bytes)>, StorageError> {
        let mut found = Vec::with_capacity(uids.len());
        let mut ordered = std::borrow::Cow::Borrowed(uids);
        if !uids.is_sorted_by(|a, b| a < b) {
            ordered.to_mut().sort_unstable();
            ordered.to_mut().dedup();
        }
        for run in ordered.chunk_by(|a, b| b.0.saturating_sub(a.0) <= gap) {
            match run {
                [] => {}
                [uid] => {
                    let key = Key::of(table, account).u32(mailbox.0).u32(uid.0).done();
                    found.extend(self.get(&key)?.map(|value| (*uid, value)));
                }
                [first, .., last] => {
                    let range = uid_range(table, account, mailbox, *first, *last);
                    let limit = (last.0.saturating_sub(first.0) as usize).saturating_add(1);
                    for (key, value) in self.scan(&range, Order::Ascending, limit)? {
                        let uid = uid_of(&key)?;
                        if run.binary_search(&uid).is_ok() {
                            found.push((uid, value));
                        }
                    }
                }
            }
        }
        Ok(found)
    }

    /// Changes flags; see [`Store::change_flags`]. All changed messages get one new MODSEQ.
    ///
    /// # Errors
    /// [`StorageError::NoSuchMailbox`], [`StorageError::LimitReached`], or the engine's.
    pub fn change_flags(
        &mut self,
        account: AccountId,
        mailbox: MailboxId,
        uids: &[Uid],
        change: &FlagChange,
        unchanged_since: Option<ModSeq>,
    ) -> Result<FlagsChanged, StorageError> {
        self.change_flags_within(account, mailbox, uids, change, unchanged_since, FlagMask::ALL)
    }

    /// As [`Transaction::change_flags`], and flags outside of a mask stay as they are.
    pub(crate) fn change_flags_within(
        &mut self,
        account: AccountId,
        mailbox: MailboxId,
        uids: &[Uid],
        change: &FlagChange,
        unchanged_since: Option<ModSeq>,
        mask: FlagMask,
    ) -> Result<FlagsChanged, StorageError> {
        let mut row = self.mailbox_row(account, mailbox)?;
        let (FlagChange::Replace(flags) | FlagChange::Add(flags) | FlagChange::Remove(flags)) = change;
        let flags = mask.filter(flags.clone());
        let bits = match change {
            // What the mailbox has never seen no message can lose.
            FlagChange::Remove(_) => row.known_keyword_bits(&flags.keywords),
            FlagChange::Replace(_) | FlagChange::Add(_) => row.keyword_bits(&flags.keywords)?,
        };
        let mut result = FlagsChanged::default();
        let (mut before, mut places) = (Vec::new(), Vec::new());
        for mut message in self.message_rows(account, mailbox, uids)? {
            if unchanged_since.is_some_and(|since| message.modseq > since) {
                result.modified.push(message.uid);
                continue;
            }
            let (system, keywords) = match change {
                FlagChange::Replace(_) => {
                    let kept = if mask.keywords { 0 } else { message.keyword_bits };
                    (message.system_flags.without(mask.system).union(flags.system), kept | bits)
                }
                FlagChange::Add(_) => (message.system_flags.union(flags.system), message.keyword_bits | bits),
                FlagChange::Remove(_) => (message.system_flags.without(flags.system), message.keyword_bits & !bits),
            };
            result.before.push(message.modseq);
            if (system, keywords) != (message.system_flags, message.keyword_bits) {
                places.push(result.rows.len());
                before.push(message.clone());
                row.count_flags(message.system_flags, false);
                row.count_flags(system, true);
                message.system_flags = system;
                message.keyword_bits = keywords;
            }
            result.rows.push(message);
        }
        if before.is_empty() {
            return Ok(result);
        }
        let (modseq, shares_change) = (row.next_modseq(), before.len() > 1);
        for place in &places {
            let Some(message) = result.rows.get_mut(*place) else { continue };
            message.modseq = modseq;
            message.shares_change = shares_change;
        }
        let written: Vec<&MessageRow> = places.iter().filter_map(|place| result.rows.get(*place)).collect();
        self.put_flags(account, mailbox, &written)?;
        let changed: Vec<Uid> = before.iter().map(|message| message.uid).collect();
        self.strike_changes(account, mailbox, &before)?;
        self.note_changes(account, mailbox, modseq, ChangeKind::Changed, &changed);
        self.put_mailbox_row(account, &row)?;
        self.notify_mailbox(account, &row);
        Ok(result)
    }

    /// Expunges; see [`Store::expunge`]. All expunged messages get one new MODSEQ.
    ///
    /// # Errors
    /// [`StorageError::NoSuchMailbox`], or the engine's.
    pub fn expunge(
        &mut self,
        account: AccountId,
        mailbox: MailboxId,
        uids: &[Uid],
        scope: ExpungeScope,
        now: Timestamp,
    ) -> Result<Vec<Uid>, StorageError> {
        let mut row = self.mailbox_row(account, mailbox)?;
        let before = row.clone();
        let indexed = self.keeps_message_ids(account)?;
        let mut messages = self.message_rows(account, mailbox, uids)?;
        messages.retain(|message| match scope {
            ExpungeScope::Deleted => message.system_flags.contains(SystemFlags::DELETED),
            ExpungeScope::All => true,
        });
        for message in &messages {
            self.remove_message_rows(account, mailbox, message, indexed)?;
        }
        self.unreference_blobs(messages.iter().map(|message| message.blob), now)?;
        let gone = self.note_expunged(account, &mut row, &messages)?;
        if !gone.is_empty() {
            self.put_grown_row(account, &before, &row)?;
        }
        Ok(gone)
    }

    /// Counts messages out of a mailbox, takes a MODSEQ for them and notes that they are gone. Their rows are removed, and the
    /// mailbox's is written, by the caller.
    fn note_expunged(
        &mut self,
        account: AccountId,
        row: &mut MailboxRow,
        messages: &[MessageRow],
    ) -> Result<Vec<Uid>, StorageError> {
        let gone: Vec<Uid> = messages.iter().map(|message| message.uid).collect();
        if gone.is_empty() {
            return Ok(gone);
        }
        let modseq = row.next_modseq();
        messages.iter().for_each(|message| row.count_out(message));
        self.strike_changes(account, row.id, messages)?;
        self.note_changes(account, row.id, modseq, ChangeKind::Expunged, &gone);
        self.forget_flags(account, row.id, &gone)?;
        self.forget_seen(account, row.id, &gone)?;
        self.forget_some_expunges(account, row, gone.len())?;
        self.notify_mailbox(account, row);
        Ok(gone)
    }

    /// Removes some thousands of a doomed mailbox's rows; 0 when none is left.
    pub(crate) fn wipe_messages(
        &mut self,
        account: AccountId,
        mailbox: MailboxId,
        now: Timestamp,
    ) -> Result<usize, StorageError> {
        let range = Key::of(Table::Message, account).u32(mailbox.0).range();
        let messages = self.scan(&range, Order::Ascending, MESSAGES_PER_TRANSACTION)?;
        let indexed = self.keeps_message_ids(account)?;
        let mut blobs = Vec::with_capacity(messages.len());
        for (key, value) in &messages {
            let message = MessageRow::decode(uid_of(key)?, value)?;
            self.remove_message_rows(account, mailbox, &message, indexed)?;
            blobs.push(message.blob);
        }
        self.unreference_blobs(blobs.into_iter(), now)?;
        if !messages.is_empty() {
            return Ok(messages.len());
        }
        let range = Key::of(Table::Change, account).u32(mailbox.0).range();
        let changes = self.scan(&range, Order::Ascending, TRANSACTION_ROWS_MAX)?;
        changes.iter().for_each(|(key, _)| self.delete(key.to_vec()));
        if !changes.is_empty() {
            return Ok(changes.len());
        }
        let blocks = self.wipe_flags(account, mailbox)?;
        if blocks > 0 {
            return Ok(blocks);
        }
        self.wipe_index(account, mailbox)
    }

    fn remove_message_rows(
        &mut self,
        account: AccountId,
        mailbox: MailboxId,
        message: &MessageRow,
        indexed: bool,
    ) -> Result<(), StorageError> {
        if indexed {
            self.unindex_message_id(account, mailbox, message.uid)?;
        }
        self.delete(keys::message(account, mailbox, message.uid));
        self.delete(keys::record(account, mailbox, message.uid));
        Ok(())
    }

    fn notify_mailbox(&mut self, account: AccountId, row: &MailboxRow) {
        self.notify(Notice::Mailbox { account, mailbox: row.id, modseq: row.highest_modseq });
    }
}

/// UIDs in lists of at most so many.
pub(crate) fn chunks(mut uids: Vec<Uid>, each: usize) -> Vec<Vec<Uid>> {
    let mut all = Vec::new();
    while uids.len() > each {
        let rest = uids.split_off(each);
        all.push(std::mem::replace(&mut uids, rest));
    }
    if !uids.is_empty() {
        all.push(uids);
    }
    all
}

pub(crate) fn uid_range(table: Table, account: AccountId, mailbox: MailboxId, first: Uid, last: Uid) -> KeyRange {
    let key = |uid: Uid| Key::of(table, account).u32(mailbox.0).u32(uid.0);
    KeyRange { start: key(first).done(), end: key(last).u8(0).done() }
}

pub(crate) fn uid_of(key: &[u8]) -> Result<Uid, StorageError> {
    keys::tail(key).map(|uid| Uid(u32::from_be_bytes(uid))).ok_or_else(|| StorageError::corrupt("a message's key"))
}
