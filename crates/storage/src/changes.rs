//! The change index: which messages of a mailbox changed at which MODSEQ (RFC 7162).
//!
//! A message that changed alone has a row of its own, by MODSEQ and UID. Messages that changed together share rows: one
//! for each block of 1024 UIDs, by MODSEQ and the block's first UID, which holds them as bits. So a STORE of thousands of
//! messages writes some rows here and not thousands. [`MessageRow::shares_change`] tells which of the two it is.
//! Invariant: all rows of one MODSEQ of a mailbox are of one kind, for a MODSEQ is taken by one change alone.

use std::collections::BTreeMap;

use bytes::Bytes;
use mail::{AccountId, MailboxId, ModSeq, SystemFlags, Uid};

use crate::engine::Order;
use crate::error::StorageError;
use crate::flag_blocks::{FlagBlock, FlagsAt};
use crate::keys::{self, Key, Table};
use crate::messages::uid_of;
use crate::rows::MessageRow;
use crate::store::Store;
use crate::transaction::Transaction;

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

/// The flags of a message that has changed, and since when it has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChangedFlags {
    /// Which message.
    pub uid: Uid,
    /// Since when, in MODSEQs.
    pub modseq: ModSeq,
    /// Its system flags.
    pub system_flags: SystemFlags,
    /// Its keywords ([`crate::rows::MailboxRow::keywords_of`]).
    pub keyword_bits: u128,
}

impl ChangedFlags {
    pub(crate) const fn of(uid: Uid, flags: &FlagsAt) -> Self {
        let FlagsAt { modseq, system_flags, keyword_bits } = *flags;
        Self { uid, modseq, system_flags, keyword_bits }
    }
}

/// What happened to messages at a MODSEQ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ChangeKind {
    /// They are new, or their flags changed.
    Changed,
    /// They are gone.
    Expunged,
}

/// UIDs that share a row.
const BLOCK_UIDS: u32 = 1024;

/// First octet of a row: what happened, and whether the key's UID is the message, or a block whose bits follow.
const CHANGED: u8 = 0;
const EXPUNGED: u8 = 1;
const CHANGED_IN_BLOCK: u8 = 2;
const EXPUNGED_IN_BLOCK: u8 = 3;

/// Rows that a page of changes is begun with: one may hold a thousand of them.
const ROWS_AT_FIRST: usize = 64;

/// The messages of a block, a bit each; no octets behind the last bit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Block(Vec<u8>);

impl Block {
    fn first_uid(uid: Uid) -> Uid {
        Uid(uid.0 & !(BLOCK_UIDS - 1))
    }

    fn place(uid: Uid) -> (usize, u8) {
        let at = uid.0 % BLOCK_UIDS;
        ((at / 8) as usize, 1 << (at % 8))
    }

    fn insert(&mut self, uid: Uid) {
        let (at, bit) = Self::place(uid);
        if self.0.len() <= at {
            self.0.resize(at.saturating_add(1), 0);
        }
        if let Some(octet) = self.0.get_mut(at) {
            *octet |= bit;
        }
    }

    fn contains(bits: &[u8], uid: Uid) -> bool {
        let (at, bit) = Self::place(uid);
        bits.get(at).is_some_and(|octet| octet & bit != 0)
    }

    /// The bits of a row without those of this block.
    fn taken_from(&self, bits: &[u8]) -> Self {
        let others = self.0.iter().copied().chain(std::iter::repeat(0));
        let mut left: Vec<u8> = bits.iter().zip(others).map(|(bits, gone)| bits & !gone).collect();
        left.truncate(left.iter().rposition(|octet| *octet != 0).map_or(0, |last| last.saturating_add(1)));
        Self(left)
    }

    fn uids(first: Uid, bits: &[u8]) -> impl Iterator<Item = Uid> + '_ {
        let octets = (first.0..).step_by(8).zip(bits);
        octets.flat_map(|(at, octet)| (0..8).filter(move |bit| octet & (1 << bit) != 0).map(move |bit| Uid(at | bit)))
    }

    fn row(&self, kind: ChangeKind) -> Vec<u8> {
        let first = match kind {
            ChangeKind::Changed => CHANGED_IN_BLOCK,
            ChangeKind::Expunged => EXPUNGED_IN_BLOCK,
        };
        [&[first], self.0.as_slice()].concat()
    }
}

/// The key of the row that tells of a message's last change.
pub(crate) fn change_key(account: AccountId, mailbox: MailboxId, message: &MessageRow) -> Vec<u8> {
    let named = if message.shares_change { Block::first_uid(message.uid) } else { message.uid };
    keys::change(account, mailbox, message.modseq, named)
}

/// Whether the row at [`change_key`] tells of the message.
pub(crate) fn tells_of(value: &[u8], message: &MessageRow) -> bool {
    match value {
        [CHANGED | EXPUNGED] => !message.shares_change,
        [CHANGED_IN_BLOCK | EXPUNGED_IN_BLOCK, bits @ ..] => {
            message.shares_change && Block::contains(bits, message.uid)
        }
        _ => false,
    }
}

/// What a row tells, in order of UID.
pub(crate) fn changes_of(key: &[u8], value: &[u8]) -> Result<Vec<Change>, StorageError> {
    let corrupt = || StorageError::corrupt("a row of the change index");
    let modseq = ModSeq(keys::middle(key, keys::HEAD + 4).map(u64::from_be_bytes).ok_or_else(corrupt)?);
    let uid = uid_of(key)?;
    let block = |bits: &[u8], expunged| {
        let sound = uid == Block::first_uid(uid)
            && bits.len() <= (BLOCK_UIDS / 8) as usize
            && bits.last().is_some_and(|octet| *octet != 0);
        let change = |uid| Change { modseq, uid, expunged };
        if sound { Ok(Block::uids(uid, bits).map(change).collect()) } else { Err(corrupt()) }
    };
    match value {
        [CHANGED] => Ok(vec![Change { modseq, uid, expunged: false }]),
        [EXPUNGED] => Ok(vec![Change { modseq, uid, expunged: true }]),
        [CHANGED_IN_BLOCK, bits @ ..] => block(bits, false),
        [EXPUNGED_IN_BLOCK, bits @ ..] => block(bits, true),
        _ => Err(corrupt()),
    }
}

/// A row that tells of expunged messages, without the first `count` of them; `None` when it tells of no more.
pub(crate) fn without_first(key: &[u8], value: &[u8], count: usize) -> Result<Option<Vec<u8>>, StorageError> {
    let left = changes_of(key, value)?.into_iter().skip(count);
    let mut block = Block::default();
    left.for_each(|change| block.insert(change.uid));
    Ok((!block.0.is_empty()).then(|| block.row(ChangeKind::Expunged)))
}

impl Store {
    /// What changed after `since`, in order of MODSEQ and then of UID, at most `limit`; expunges as far as they are remembered
    /// ([`Store::expunges_forgotten`]). The next page starts after the last one's MODSEQ **and** UID.
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
            // A block of which a part has been told.
            Some(last) => keys::change(account, mailbox, last.modseq, Block::first_uid(last.uid)),
            None => keys::change(account, mailbox, ModSeq(since.0.saturating_add(1)), Uid(0)),
        };
        let told = after.map(|last| (last.modseq, last.uid));
        let mut changes = Vec::new();
        let mut rows = ROWS_AT_FIRST;
        while changes.len() < limit {
            let page = self.engine.scan(range.clone(), Order::Ascending, rows).await?;
            let Some((last, _)) = page.last() else { break };
            range.start = [last.as_ref(), &[0]].concat();
            for (key, value) in &page {
                let untold = |change: &Change| told.is_none_or(|told| (change.modseq, change.uid) > told);
                changes.extend(changes_of(key, value)?.into_iter().filter(untold));
            }
            if page.len() < rows {
                break;
            }
            rows = rows.saturating_mul(2).min(limit.max(ROWS_AT_FIRST));
        }
        changes.truncate(limit);
        Ok(changes)
    }

    /// The flags of messages that changed, which are in order of UID and each there once; those that are gone are left out. They
    /// are as of the change, or of a later one.
    ///
    /// Where a block of flags tells of a change, the message's own row is not read: after a STORE here and there in a
    /// mailbox that is a read for many messages, and not one or two for each.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn changed_flags(
        &self,
        account: AccountId,
        mailbox: MailboxId,
        changes: &[Change],
    ) -> Result<Vec<ChangedFlags>, StorageError> {
        // Read after the changes: an entry that is older than its message's change has lost against the message's own row.
        let blocks = self.flag_blocks_of(account, mailbox, changes.iter().map(|change| change.uid)).await?;
        let (mut told, mut others) = (Vec::with_capacity(changes.len()), Vec::new());
        for Change { uid, modseq, .. } in changes {
            let noted = blocks.get(&FlagBlock::first_uid(*uid)).and_then(|block| block.flags_of(*uid));
            match noted.filter(|noted| noted.modseq >= *modseq) {
                Some(noted) => told.push(ChangedFlags::of(*uid, noted)),
                None => others.push(*uid),
            }
        }
        if !others.is_empty() {
            let rows = self.messages_of(account, mailbox, &others).await?;
            told.extend(rows.iter().map(|row| ChangedFlags::of(row.uid, &FlagsAt::of(row))));
            told.sort_unstable_by_key(|flags| flags.uid);
        }
        Ok(told)
    }
}

impl Transaction<'_> {
    /// Notes that messages changed, at a MODSEQ that was taken for them; the UIDs ascend. More than one
    /// [share](MessageRow::shares_change) their rows.
    pub(crate) fn note_changes(
        &mut self,
        account: AccountId,
        mailbox: MailboxId,
        modseq: ModSeq,
        kind: ChangeKind,
        uids: &[Uid],
    ) {
        if let [uid] = uids {
            let value: &[u8] = match kind {
                ChangeKind::Changed => &[CHANGED],
                ChangeKind::Expunged => &[EXPUNGED],
            };
            self.put(keys::change(account, mailbox, modseq, *uid), Bytes::from_static(value));
            return;
        }
        for some in uids.chunk_by(|a, b| Block::first_uid(*a) == Block::first_uid(*b)) {
            let Some(first) = some.first() else { continue };
            let mut block = Block::default();
            some.iter().for_each(|uid| block.insert(*uid));
            self.put(keys::change(account, mailbox, modseq, Block::first_uid(*first)), block.row(kind));
        }
    }

    /// Strikes out the changes before, of messages that change now.
    pub(crate) fn strike_changes(
        &mut self,
        account: AccountId,
        mailbox: MailboxId,
        before: &[MessageRow],
    ) -> Result<(), StorageError> {
        let mut blocks: BTreeMap<(ModSeq, Uid), Block> = BTreeMap::new();
        for message in before {
            if message.shares_change {
                blocks.entry((message.modseq, Block::first_uid(message.uid))).or_default().insert(message.uid);
            } else {
                self.delete(keys::change(account, mailbox, message.modseq, message.uid));
            }
        }
        for ((modseq, first), gone) in blocks {
            let key = keys::change(account, mailbox, modseq, first);
            // A row of the other kind has messages that are gone, and one that is missing none: `check` tells of it.
            let value = self.get(&key)?;
            if let Some([CHANGED_IN_BLOCK, bits @ ..]) = value.as_deref() {
                match gone.taken_from(bits) {
                    left if left.0.is_empty() => self.delete(key),
                    left => self.put(key, left.row(ChangeKind::Changed)),
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
