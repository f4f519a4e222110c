//! Flags that messages got together: a row for each block of 256 UIDs, in place of the rows of its messages.
//!
//! A STORE over a mailbox would write the row of each message. It notes flags and MODSEQ in the rows of the messages' blocks
//! instead, where that is fewer octets. So a message's own row and its block's may both tell its flags: **what has the larger
//! MODSEQ holds**, and message rows are never used before their blocks were laid over them. A change of one message
//! writes that one's row, and leaves the block as it is.
//!
//! Invariant: an entry is of a message that is there, and it stays until the message goes or gets another one. So who reads message
//! rows first and their blocks afterwards sees each message as it was when the reading began, or as it became since; but for
//! one that is removed in between, which takes its entry along. [`Store::messages`] and its kin leave such a one out.

use std::collections::BTreeMap;

use bytes::Bytes;
use mail::{AccountId, MailboxId, ModSeq, SystemFlags, Uid};

use crate::engine::Order;
use crate::error::StorageError;
use crate::keys::{self, Key, Table};
use crate::limits::TRANSACTION_ROWS_MAX;
use crate::rows::MessageRow;
use crate::store::Store;
use crate::transaction::Transaction;

/// UIDs that share a row.
const BLOCK_UIDS: u32 = 256;

/// Octets that hold a bit for each of them.
const BITS_OCTETS: usize = 32;

/// What writing a message's own row comes to: its octets, the key, and what the engine has for each.
const ROW_OCTETS: usize = 128;

const VERSION: u8 = 1;

/// The bit beside the system flags that says that keywords follow.
const HAS_KEYWORDS: u8 = 0x80;

/// What a message's flags became, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FlagsAt {
    pub(crate) modseq: ModSeq,
    pub(crate) system_flags: SystemFlags,
    pub(crate) keyword_bits: u128,
}

impl FlagsAt {
    pub(crate) const fn of(message: &MessageRow) -> Self {
        Self { modseq: message.modseq, system_flags: message.system_flags, keyword_bits: message.keyword_bits }
    }
}

/// The flags of some messages of a block: groups of messages that have the same, none of them in two.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FlagBlock(Vec<Group>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Group {
    flags: FlagsAt,
    members: Members,
}

/// Messages of a block, a bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Members([u8; BITS_OCTETS]);

impl Members {
    fn place(uid: Uid) -> (usize, u8) {
        let at = uid.0 % BLOCK_UIDS;
        ((at / 8) as usize, 1 << (at % 8))
    }

    fn contains(&self, uid: Uid) -> bool {
        let (at, bit) = Self::place(uid);
        self.0.get(at).is_some_and(|octet| octet & bit != 0)
    }

    fn insert(&mut self, uid: Uid) {
        let (at, bit) = Self::place(uid);
        if let Some(octet) = self.0.get_mut(at) {
            *octet |= bit;
        }
    }

    /// The octets up to the last bit that is set.
    fn octets(&self) -> &[u8] {
        let length = self.0.iter().rposition(|octet| *octet != 0).map_or(0, |last| last.saturating_add(1));
        self.0.get(..length).unwrap_or_default()
    }

    fn add(&mut self, others: &Self) {
        self.0.iter_mut().zip(&others.0).for_each(|(octet, other)| *octet |= other);
    }

    fn take(&mut self, others: &Self) {
        self.0.iter_mut().zip(&others.0).for_each(|(octet, other)| *octet &= !other);
    }

    fn meets(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).any(|(a, b)| a & b != 0)
    }
}

impl FlagBlock {
    /// The block that a UID is in, by its first UID.
    pub(crate) const fn first_uid(uid: Uid) -> Uid {
        Uid(uid.0 & !(BLOCK_UIDS - 1))
    }

    pub(crate) fn encode(&self) -> Bytes {
        let mut out = vec![VERSION];
        for Group { flags, members } in &self.0 {
            let has_keywords = flags.keyword_bits != 0;
            out.extend_from_slice(&flags.modseq.0.to_be_bytes());
            out.push(flags.system_flags.0 | if has_keywords { HAS_KEYWORDS } else { 0 });
            if has_keywords {
                out.extend_from_slice(&flags.keyword_bits.to_be_bytes());
            }
            let octets = members.octets();
            out.push(u8::try_from(octets.len()).unwrap_or(u8::MAX));
            out.extend_from_slice(octets);
        }
        Bytes::from(out)
    }

    pub(crate) fn decode(value: &[u8]) -> Result<Self, StorageError> {
        Self::decode_groups(value).ok_or_else(|| StorageError::corrupt("a row of flags"))
    }

    fn decode_groups(value: &[u8]) -> Option<Self> {
        let (version, mut rest) = value.split_first()?;
        let mut groups: Vec<Group> = Vec::new();
        let mut all = Members::default();
        while !rest.is_empty() {
            let modseq = ModSeq(u64::from_be_bytes(take(&mut rest)?));
            let [flags] = take(&mut rest)?;
            let has_keywords = flags & HAS_KEYWORDS != 0;
            let keyword_bits = if has_keywords { u128::from_be_bytes(take(&mut rest)?) } else { 0 };
            let [length] = take(&mut rest)?;
            let (bits, behind) = rest.split_at_checked(length.into())?;
            rest = behind;
            let mut members = Members::default();
            members.0.get_mut(..bits.len())?.copy_from_slice(bits);
            let sound = bits.last().is_some_and(|last| *last != 0)
                && has_keywords == (keyword_bits != 0)
                && !all.meets(&members);
            all.add(&members);
            let flags = FlagsAt { modseq, system_flags: SystemFlags(flags & !HAS_KEYWORDS), keyword_bits };
            groups.push(Some(Group { flags, members }).filter(|_| sound)?);
        }
        (*version == VERSION && !groups.is_empty()).then_some(Self(groups))
    }

    /// What the block tells of a message.
    pub(crate) fn flags_of(&self, uid: Uid) -> Option<&FlagsAt> {
        self.0.iter().find(|group| group.members.contains(uid)).map(|group| &group.flags)
    }

    /// Notes what flags of messages became, in place of what they were.
    fn set(&mut self, changed: &[(Uid, FlagsAt)]) {
        self.remove(changed.iter().map(|(uid, _)| *uid));
        for (uid, flags) in changed {
            // What changes together mostly has the same flags as the one before it.
            match self.0.iter_mut().rev().find(|group| group.flags == *flags) {
                Some(group) => group.members.insert(*uid),
                None => {
                    let mut members = Members::default();
                    members.insert(*uid);
                    self.0.push(Group { flags: *flags, members });
                }
            }
        }
    }

    /// Forgets messages. Groups may be left without members until [`FlagBlock::settle`].
    fn remove(&mut self, gone: impl Iterator<Item = Uid>) {
        let mut members = Members::default();
        gone.for_each(|uid| members.insert(uid));
        self.0.iter_mut().for_each(|group| group.members.take(&members));
    }

    /// Lets go of groups without members; whether any is left.
    fn settle(&mut self) -> bool {
        self.0.retain(|group| group.members != Members::default());
        !self.0.is_empty()
    }

    /// What it tells, message by message; `first` is the block's first UID.
    pub(crate) fn entries(&self, first: Uid) -> Vec<(Uid, FlagsAt)> {
        let uids = (0..BLOCK_UIDS).filter_map(|at| first.0.checked_add(at)).map(Uid);
        uids.filter_map(|uid| Some((uid, *self.flags_of(uid)?))).collect()
    }

    /// Gives a message's row the flags that are noted here, if they are newer.
    pub(crate) fn lay_over(&self, message: &mut MessageRow) {
        if let Some(flags) = self.flags_of(message.uid).filter(|flags| flags.modseq > message.modseq) {
            message.modseq = flags.modseq;
            message.system_flags = flags.system_flags;
            message.keyword_bits = flags.keyword_bits;
            // Only changes of several messages are noted in blocks.
            message.shares_change = true;
        }
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = rest.split_first_chunk::<N>()?;
    *rest = tail;
    Some(*head)
}

impl Store {
    /// Lays the blocks of messages over their rows, which were read before. Returns the blocks that there are.
    pub(crate) async fn lay_flags_over(
        &self,
        account: AccountId,
        mailbox: MailboxId,
        messages: &mut [MessageRow],
    ) -> Result<BTreeMap<Uid, FlagBlock>, StorageError> {
        let blocks = self.flag_blocks_of(account, mailbox, messages.iter().map(|message| message.uid)).await?;
        if blocks.is_empty() {
            return Ok(blocks);
        }
        for message in messages {
            if let Some(block) = blocks.get(&FlagBlock::first_uid(message.uid)) {
                block.lay_over(message);
            }
        }
        Ok(blocks)
    }

    /// The blocks that there are of some messages, by the first UID of each.
    pub(crate) async fn flag_blocks_of(
        &self,
        account: AccountId,
        mailbox: MailboxId,
        uids: impl Iterator<Item = Uid>,
    ) -> Result<BTreeMap<Uid, FlagBlock>, StorageError> {
        let mut firsts: Vec<Uid> = uids.map(FlagBlock::first_uid).collect();
        firsts.dedup();
        firsts.sort_unstable();
        firsts.dedup();
        let values = match firsts.as_slice() {
            [] => return Ok(BTreeMap::new()),
            [first] => vec![self.engine.get(&keys::flag_block(account, mailbox, *first)).await?],
            several => {
                let keys: Vec<Vec<u8>> =
                    several.iter().map(|first| keys::flag_block(account, mailbox, *first)).collect();
                self.engine.multi_get(&keys).await?
            }
        };
        let mut blocks = BTreeMap::new();
        for (first, value) in firsts.into_iter().zip(values) {
            if let Some(value) = value {
                blocks.insert(first, FlagBlock::decode(&value)?);
            }
        }
        Ok(blocks)
    }
}

impl Transaction<'_> {
    fn flag_block(&self, key: &[u8]) -> Result<Option<FlagBlock>, StorageError> {
        self.get(key)?.map(|value| FlagBlock::decode(&value)).transpose()
    }

    /// Lays the blocks of messages over their rows; they are in order of UID.
    pub(crate) fn lay_flags_over(
        &self,
        account: AccountId,
        mailbox: MailboxId,
        messages: &mut [MessageRow],
    ) -> Result<(), StorageError> {
        for some in messages.chunk_by_mut(|a, b| same_block(a.uid, b.uid)) {
            let Some(first) = some.first().map(|message| FlagBlock::first_uid(message.uid)) else { continue };
            if let Some(block) = self.flag_block(&keys::flag_block(account, mailbox, first))? {
                some.iter_mut().for_each(|message| block.lay_over(message));
            }
        }
        Ok(())
    }

    /// Writes messages whose flags have changed together, in order of UID, at a MODSEQ that was taken for them.
    pub(crate) fn put_flags(
        &mut self,
        account: AccountId,
        mailbox: MailboxId,
        changed: &[&MessageRow],
    ) -> Result<(), StorageError> {
        for some in changed.chunk_by(|a, b| same_block(a.uid, b.uid)) {
            if let Some((key, value)) = self.block_with(account, mailbox, some)? {
                self.put(key, value);
                continue;
            }
            for message in some {
                self.put(keys::message(account, mailbox, message.uid), message.encode());
            }
        }
        Ok(())
    }

    /// The row of a block with the flags of some of its messages; `None` when their own rows are no more octets.
    fn block_with(
        &self,
        account: AccountId,
        mailbox: MailboxId,
        some: &[&MessageRow],
    ) -> Result<Option<(Vec<u8>, Bytes)>, StorageError> {
        let [first, _, ..] = some else { return Ok(None) };
        let key = keys::flag_block(account, mailbox, FlagBlock::first_uid(first.uid));
        let mut block = self.flag_block(&key)?.unwrap_or_default();
        let changed: Vec<(Uid, FlagsAt)> = some.iter().map(|message| (message.uid, FlagsAt::of(message))).collect();
        block.set(&changed);
        block.settle();
        let value = block.encode();
        Ok((value.len() < some.len().saturating_mul(ROW_OCTETS)).then_some((key, value)))
    }

    /// Forgets what blocks tell of messages that are gone, in order of UID.
    pub(crate) fn forget_flags(
        &mut self,
        account: AccountId,
        mailbox: MailboxId,
        gone: &[Uid],
    ) -> Result<(), StorageError> {
        for some in gone.chunk_by(|a, b| same_block(*a, *b)) {
            let Some(first) = some.first() else { continue };
            let key = keys::flag_block(account, mailbox, FlagBlock::first_uid(*first));
            let Some(before) = self.flag_block(&key)? else { continue };
            let mut block = before.clone();
            block.remove(some.iter().copied());
            if !block.settle() {
                self.delete(key);
            } else if block != before {
                self.put(key, block.encode());
            }
        }
        Ok(())
    }

    /// Removes the blocks of a mailbox that is going, some thousands at a time; how many.
    pub(crate) fn wipe_flags(&mut self, account: AccountId, mailbox: MailboxId) -> Result<usize, StorageError> {
        let range = Key::of(Table::FlagBlock, account).u32(mailbox.0).range();
        let blocks = self.scan(&range, Order::Ascending, TRANSACTION_ROWS_MAX)?;
        blocks.iter().for_each(|(key, _)| self.delete(key.to_vec()));
        Ok(blocks.len())
    }
}

fn same_block(a: Uid, b: Uid) -> bool {
    FlagBlock::first_uid(a) == FlagBlock::first_uid(b)
}

#[cfg(test)]
mod tests;
