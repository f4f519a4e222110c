//! Messages in mailboxes: depositing, flags, expunging, copying, moving, and what changed since (RFC 3501, RFC 7162).
//!
//! Every change takes a MODSEQ of its mailbox and leaves a row in the change index, at which the change before is
//! struck out; an expunged UID keeps its row. So "what changed since" costs what changed.

use bytes::Bytes;
use mail::{
    AccountId, BlobHash, Flags, InternalDate, MailboxId, ModSeq, Notice, SystemFlags, Timestamp, Uid, UidValidity,
};

use crate::engine::{Durability, KeyRange, Order};
use crate::error::StorageError;
use crate::keys::{self, Key, Table};
use crate::limits::{RECORD_OCTETS_MAX, TRANSACTION_ROWS_MAX};
use crate::rows::{MailboxRow, MessageRow};
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

/// One line of the change index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// When, in MODSEQs.
    pub modseq: ModSeq,
    /// Which message.
    pub uid: Uid,
    /// Whether it is gone; otherwise it is new or its flags changed.
    pub expunged: bool,
}

/// Messages that one transaction changes at the most: each writes some four rows.
pub(crate) const MESSAGES_PER_TRANSACTION: usize = TRANSACTION_ROWS_MAX / 5;

impl Store {
    /// Messages of a mailbox with UIDs from `first` to `last` (both included), in order, at most `limit`.
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
        let range = uid_range(Table::Message, account, mailbox, first, last);
        let rows = self.engine.scan(range, Order::Ascending, limit).await?;
        rows.iter().map(|(key, value)| MessageRow::decode(uid_of(key)?, value)).collect()
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
        let value = self.engine.get(&keys::message(account, mailbox, uid)).await?;
        value.map(|value| MessageRow::decode(uid, &value)).transpose()
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

    /// What changed after `since`, in order of MODSEQ, at most `limit`; expunges as far as they are remembered
    /// ([`Store::expunges_forgotten`]). The next page starts after the last one's
    /// MODSEQ **and** UID.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn changes(
        &self,
        account: AccountId,
        mailbox: MailboxId,
        since: ModSeq,
        after: Option<Change>,
        limit: usize,
    ) -> Result<Vec<Change>, StorageError> {
        let mut range = Key::of(Table::Change, account).u32(mailbox.0).range();
        range.start = match after {
            Some(last) => [keys::change(account, mailbox, last.modseq, last.uid).as_slice(), &[0]].concat(),
            None => keys::change(account, mailbox, ModSeq(since.0.saturating_add(1)), Uid(0)),
        };
        let rows = self.engine.scan(range, Order::Ascending, limit).await?;
        rows.iter().map(|(key, value)| change_of(key, value)).collect()
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
        for some in chunks(uids) {
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
        for some in chunks(uids) {
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
        scope: ExpungeScope,
    ) -> Result<Done<(UidValidity, Vec<(Uid, Uid)>)>, StorageError> {
        let now = self.now();
        let mut pairs = Vec::new();
        let mut last = None;
        for some in chunks(uids) {
            let done = self
                .transact(move |tx| {
                    let copied = tx.copy((account, from), &some, (account, to), now)?;
                    let moved: Vec<Uid> = copied.1.iter().map(|(source, _)| *source).collect();
                    tx.expunge(account, from, &moved, scope, now)?;
                    Ok(copied)
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
        let mut row = self.mailbox_row(account, mailbox)?;
        let before = row.clone();
        let indexed = self.keeps_message_ids(account)?;
        let deposited = self.deposit_into(account, &mut row, message, indexed)?;
        self.put_grown_row(account, &before, &row)?;
        Ok(deposited)
    }

    /// As [`Transaction::deposit`], for several messages.
    pub(crate) fn deposit_all(
        &mut self,
        account: AccountId,
        mailbox: MailboxId,
        messages: &[NewMessage],
    ) -> Result<Vec<Deposited>, StorageError> {
        let mut row = self.mailbox_row(account, mailbox)?;
        let before = row.clone();
        let indexed = self.keeps_message_ids(account)?;
        let deposited: Result<Vec<_>, _> =
            messages.iter().map(|message| self.deposit_into(account, &mut row, message, indexed)).collect();
        let deposited = deposited?;
        self.put_grown_row(account, &before, &row)?;
        Ok(deposited)
    }

    /// Writes a mailbox row whose messages became more or less, and the account's usage with it.
    fn put_grown_row(&mut self, account: AccountId, before: &MailboxRow, row: &MailboxRow) -> Result<(), StorageError> {
        self.take_usage(account, Usage::of(before))?;
        self.add_usage(account, Usage::of(row))?;
        self.put_mailbox_row(account, row)
    }

    fn deposit_into(
        &mut self,
        account: AccountId,
        row: &mut MailboxRow,
        message: &NewMessage,
        indexed: bool,
    ) -> Result<Deposited, StorageError> {
        let uid = row.uid_next;
        row.uid_next = uid.next().ok_or(StorageError::LimitReached("messages in this mailbox's lifetime"))?;
        let modseq = row.next_modseq();
        let new = MessageRow {
            uid,
            modseq,
            system_flags: message.flags.system,
            keyword_bits: row.keyword_bits(&message.flags.keywords)?,
            internal_date: message.internal_date,
            saved_at: message.saved_at,
            octets: message.octets,
            blob: message.blob,
        };
        row.count_in(&new);
        self.reference_blob(&message.blob)?;
        self.put(keys::message(account, row.id, uid), new.encode());
        if let Some(record) = message.record.as_ref().filter(|record| record.len() <= RECORD_OCTETS_MAX) {
            self.put(keys::record(account, row.id, uid), record.clone());
            if indexed {
                self.index_message_id(account, row.id, uid, record);
            }
        }
        self.put(keys::change(account, row.id, modseq, uid), Bytes::from_static(&[CHANGED]));
        self.notify_mailbox(account, row);
        Ok(Deposited { uid_validity: row.uid_validity, uid, modseq })
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
        self.get(&keys::message(account, mailbox, uid))?.map(|value| MessageRow::decode(uid, &value)).transpose()
    }

    /// The rows of those messages that are there, in order of UID. Messages that lie close together are read in one go.
    fn message_rows(
        &self,
        account: AccountId,
        mailbox: MailboxId,
        uids: &[Uid],
    ) -> Result<Vec<MessageRow>, StorageError> {
        let rows = self.rows_of_uids(Table::Message, (account, mailbox), uids, 4)?;
        rows.iter().map(|(uid, value)| MessageRow::decode(*uid, value)).collect()
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
        let mut modseq = None;
        for mut message in self.message_rows(account, mailbox, uids)? {
            let uid = message.uid;
            if unchanged_since.is_some_and(|since| message.modseq > since) {
                result.modified.push(uid);
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
                let modseq = *modseq.get_or_insert_with(|| row.next_modseq());
                row.count_flags(message.system_flags, false);
                row.count_flags(system, true);
                self.delete(keys::change(account, mailbox, message.modseq, uid));
                message.modseq = modseq;
                message.system_flags = system;
                message.keyword_bits = keywords;
                self.put(keys::change(account, mailbox, modseq, uid), Bytes::from_static(&[CHANGED]));
                self.put(keys::message(account, mailbox, uid), message.encode());
            }
            result.rows.push(message);
        }
        if modseq.is_some() {
            self.put_mailbox_row(account, &row)?;
            self.notify_mailbox(account, &row);
        }
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
        let mut gone = Vec::new();
        let mut modseq = None;
        for message in self.message_rows(account, mailbox, uids)? {
            let uid = message.uid;
            if scope == ExpungeScope::Deleted && !message.system_flags.contains(SystemFlags::DELETED) {
                continue;
            }
            let modseq = *modseq.get_or_insert_with(|| row.next_modseq());
            row.count_out(&message);
            self.delete(keys::change(account, mailbox, message.modseq, uid));
            self.put(keys::change(account, mailbox, modseq, uid), Bytes::from_static(&[EXPUNGED]));
            self.remove_message_rows(account, mailbox, &message, indexed, now)?;
            gone.push(uid);
        }
        if modseq.is_some() {
            self.put_grown_row(account, &before, &row)?;
            self.forget_seen(account, mailbox, &gone)?;
            self.forget_some_expunges(account, &row, gone.len())?;
            self.notify_mailbox(account, &row);
        }
        Ok(gone)
    }

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
        let indexed = self.keeps_message_ids(to.0)?;
        let mut pairs = Vec::with_capacity(uids.len());
        // Read before the first copy is made: within one mailbox a copy may get a UID that is named here.
        let messages = self.message_rows(from.0, from.1, uids)?;
        let mut records = self.rows_of_uids(Table::Record, from, uids, 1)?.into_iter().peekable();
        for message in messages {
            while records.next_if(|(uid, _)| *uid < message.uid).is_some() {}
            let new = NewMessage {
                blob: message.blob,
                octets: message.octets,
                flags: source.flags_of(&message),
                internal_date: message.internal_date,
                saved_at: now,
                record: records.next_if(|(uid, _)| *uid == message.uid).map(|(_, record)| record),
            };
            pairs.push((message.uid, self.deposit_into(to.0, &mut target, &new, indexed)?.uid));
        }
        if !pairs.is_empty() {
            self.put_grown_row(to.0, &before, &target)?;
        }
        Ok((target.uid_validity, pairs))
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
        for (key, value) in &messages {
            let message = MessageRow::decode(uid_of(key)?, value)?;
            self.remove_message_rows(account, mailbox, &message, indexed, now)?;
        }
        if !messages.is_empty() {
            return Ok(messages.len());
        }
        let range = Key::of(Table::Change, account).u32(mailbox.0).range();
        let changes = self.scan(&range, Order::Ascending, TRANSACTION_ROWS_MAX)?;
        changes.iter().for_each(|(key, _)| self.delete(key.to_vec()));
        if !changes.is_empty() {
            return Ok(changes.len());
        }
        self.wipe_index(account, mailbox)
    }

    fn remove_message_rows(
        &mut self,
        account: AccountId,
        mailbox: MailboxId,
        message: &MessageRow,
        indexed: bool,
        now: Timestamp,
    ) -> Result<(), StorageError> {
        if indexed {
            self.unindex_message_id(account, mailbox, message.uid)?;
        }
        self.delete(keys::message(account, mailbox, message.uid));
        self.delete(keys::record(account, mailbox, message.uid));
        self.unreference_blob(&message.blob, now)
    }

    fn notify_mailbox(&mut self, account: AccountId, row: &MailboxRow) {
        self.notify(Notice::Mailbox { account, mailbox: row.id, modseq: row.highest_modseq });
    }
}

const CHANGED: u8 = 0;
const EXPUNGED: u8 = 1;

pub(crate) fn chunks(mut uids: Vec<Uid>) -> Vec<Vec<Uid>> {
    let mut all = Vec::new();
    while uids.len() > MESSAGES_PER_TRANSACTION {
        let rest = uids.split_off(MESSAGES_PER_TRANSACTION);
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

pub(crate) fn change_of(key: &[u8], value: &[u8]) -> Result<Change, StorageError> {
    let modseq = keys::middle(key, keys::HEAD + 4).map(u64::from_be_bytes);
    match (modseq, value) {
        (Some(modseq), [kind @ (CHANGED | EXPUNGED)]) => {
            Ok(Change { modseq: ModSeq(modseq), uid: uid_of(key)?, expunged: *kind == EXPUNGED })
        }
        _ => Err(StorageError::corrupt("a row of the change index")),
    }
}
