//! Rows of the full-text index: one [`IndexRow`] for each mailbox, blocks of words with their postings for each segment.
//! What is inside of the blocks is known by `search` alone.
//!
//! A segment is written in several transactions and counts from the last one on ([`Store::finish_index_segment`]); until
//! then, and while it is being removed, its number is among the loose ones. So a crash leaves nothing that nobody knows
//! of. Every transaction asks for the mailbox first: a deleted one gets no rows any more, and loses those that it has
//! with its messages.
//!
//! **Invariant:** a search that has read a segment's blocks and finds it still counted in the row then has missed none.

use bytes::Bytes;
use mail::{AccountId, MailboxId, Notice, Uid};

use crate::engine::{Durability, KeyRange, Order};
use crate::error::StorageError;
use crate::keys::{self, Key, Table};
use crate::limits::INDEX_BLOCKS_PER_REMOVAL;
use crate::rows::{IndexRow, IndexSegment, MailboxRow};
use crate::store::{Done, Store};
use crate::transaction::Transaction;

/// One segment of one mailbox's index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexPlace {
    /// Whose mailbox it is.
    pub account: AccountId,
    /// Which.
    pub mailbox: MailboxId,
    /// The segment's number.
    pub segment: u32,
}

/// A block of a segment: some words of a zone in their order, and beside them which messages have each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexBlock {
    /// Where in a message the words stand.
    pub zone: u8,
    /// The first word.
    pub first: Bytes,
    /// The words, encoded.
    pub words: Bytes,
    /// The postings, encoded.
    pub postings: Bytes,
}

impl IndexPlace {
    fn key(self, table: Table) -> Key {
        Key::of(table, self.account).u32(self.mailbox.0).u32(self.segment)
    }

    fn block(self, table: Table, zone: u8, first: &[u8]) -> Vec<u8> {
        self.key(table).u8(zone).bytes(first).done()
    }
}

/// Octets of a block's key in front of its first word.
const BLOCK_HEAD: usize = keys::HEAD + 4 + 4 + 1;

impl Store {
    /// A mailbox's index; one without any is an empty one.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`] when it can't be read or has another layout; it is built anew then.
    pub async fn index_row(&self, account: AccountId, mailbox: MailboxId) -> Result<IndexRow, StorageError> {
        let value = self.engine.get(&index_key(account, mailbox)).await?;
        value.map_or_else(|| Ok(IndexRow::default()), |value| IndexRow::decode(&value))
    }

    /// Blocks of words of a zone whose first word is `from` or comes behind it: each with its first word.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn index_words(
        &self,
        place: IndexPlace,
        zone: u8,
        from: &[u8],
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>, StorageError> {
        let mut range = place.key(Table::IndexWords).u8(zone).range();
        range.start = place.block(Table::IndexWords, zone, from);
        let rows = self.engine.scan(range, Order::Ascending, limit).await?;
        Ok(rows.into_iter().map(|(key, value)| (key.slice(BLOCK_HEAD.min(key.len())..), value)).collect())
    }

    /// The block in which a word is, when the zone has it; with the block's first word.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn index_words_at(
        &self,
        place: IndexPlace,
        zone: u8,
        word: &[u8],
    ) -> Result<Option<(Bytes, Bytes)>, StorageError> {
        let mut range = place.key(Table::IndexWords).u8(zone).range();
        range.end = [place.block(Table::IndexWords, zone, word).as_slice(), &[0]].concat();
        let rows = self.engine.scan(range, Order::Descending, 1).await?;
        Ok(rows.into_iter().next().map(|(key, value)| (key.slice(BLOCK_HEAD.min(key.len())..), value)))
    }

    /// The postings of blocks, by their first words.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn index_postings(
        &self,
        place: IndexPlace,
        zone: u8,
        firsts: &[Bytes],
    ) -> Result<Vec<Option<Bytes>>, StorageError> {
        let keys: Vec<Vec<u8>> = firsts.iter().map(|first| place.block(Table::IndexPostings, zone, first)).collect();
        self.engine.multi_get(&keys).await
    }

    /// The lengths of a segment's messages, encoded.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn index_lengths(&self, place: IndexPlace) -> Result<Option<Bytes>, StorageError> {
        self.engine.get(&place.key(Table::IndexLengths).done()).await
    }

    /// Takes the number of a new segment, whose blocks may then be written.
    ///
    /// # Errors
    /// [`StorageError::NoSuchMailbox`], or the engine's.
    pub async fn begin_index_segment(
        &self,
        account: AccountId,
        mailbox: MailboxId,
    ) -> Result<Done<IndexPlace>, StorageError> {
        self.transact(move |tx| {
            let mut row = tx.index_row(account, mailbox)?;
            let segment = row.next_number;
            row.next_number = segment.checked_add(1).ok_or(StorageError::LimitReached("segments of an index"))?;
            row.loose.push(segment);
            tx.put_index_row(account, mailbox, &row)?;
            Ok(IndexPlace { account, mailbox, segment })
        })
        .await
    }

    /// Writes blocks of a segment that was begun.
    ///
    /// # Errors
    /// [`StorageError::NoSuchMailbox`], [`StorageError::Expunged`] when the index was forgotten meanwhile, or the engine's.
    pub async fn put_index_blocks(&self, place: IndexPlace, blocks: Vec<IndexBlock>) -> Result<Done<()>, StorageError> {
        self.transact(move |tx| {
            tx.require_loose(place)?;
            for block in &blocks {
                tx.put(place.block(Table::IndexWords, block.zone, &block.first), block.words.clone());
                tx.put(place.block(Table::IndexPostings, block.zone, &block.first), block.postings.clone());
            }
            Ok(())
        })
        .await
    }

    /// Lets a segment count from now on, in the place of others; those become loose. Without a segment (all its messages
    /// are gone) the others go all the same.
    ///
    /// # Errors
    /// [`StorageError::NoSuchMailbox`], [`StorageError::Expunged`] when the index was forgotten meanwhile, or the engine's.
    pub async fn finish_index_segment(
        &self,
        place: IndexPlace,
        segment: Option<(IndexSegment, Bytes)>,
        instead_of: Vec<u32>,
        indexed_to: Uid,
    ) -> Result<Done<()>, StorageError> {
        self.transact(move |tx| {
            let mut row = tx.require_loose(place)?;
            if instead_of.iter().any(|number| row.segment(*number).is_none()) {
                return Err(StorageError::Expunged);
            }
            row.segments.retain(|segment| !instead_of.contains(&segment.number));
            row.loose.extend(&instead_of);
            if let Some((segment, lengths)) = &segment {
                row.loose.retain(|number| *number != place.segment);
                row.segments.push(*segment);
                row.segments.sort_by_key(|segment| segment.first);
                tx.put(place.key(Table::IndexLengths).done(), lengths.clone());
            }
            row.indexed_to = row.indexed_to.max(indexed_to.0);
            tx.put_index_row(place.account, place.mailbox, &row)
        })
        .await
    }

    /// Removes the rows of loose segments. Nobody else may be writing one of this mailbox.
    ///
    /// # Errors
    /// When reading or writing fails.
    pub async fn remove_loose_segments(&self, account: AccountId, mailbox: MailboxId) -> Result<(), StorageError> {
        loop {
            let more = self.transact_with(Durability::Freeing, move |tx| tx.remove_loose(account, mailbox));
            if !more.await?.value {
                return Ok(());
            }
        }
    }

    /// Forgets what is indexed of a mailbox: it is indexed anew from its first message on.
    ///
    /// # Errors
    /// [`StorageError::NoSuchMailbox`], or the engine's.
    pub async fn forget_index(&self, account: AccountId, mailbox: MailboxId) -> Result<Done<()>, StorageError> {
        self.begin_index(account, mailbox, None).await
    }

    /// As [`Store::forget_index`]; from now on with the texts of attachments that a reader of this number gives; 0: without.
    ///
    /// # Errors
    /// [`StorageError::NoSuchMailbox`], or the engine's.
    pub async fn begin_index(
        &self,
        account: AccountId,
        mailbox: MailboxId,
        attachments: Option<u8>,
    ) -> Result<Done<()>, StorageError> {
        self.transact_with(Durability::Freeing, move |tx| {
            let modseq = tx.mailbox_row(account, mailbox)?.highest_modseq;
            let row = match tx.index_row(account, mailbox) {
                Ok(mut row) => {
                    let numbers = row.segments.drain(..).map(|segment| segment.number);
                    row.loose.extend(numbers);
                    IndexRow { indexed_to: 0, ..row }
                }
                // What can't be read does not tell its segments; their numbers begin at 0.
                Err(StorageError::Corrupt(_)) => {
                    let last = tx.last_index_segment(account, mailbox)?;
                    let loose = last.map_or_else(Vec::new, |last| (0..=last).collect());
                    let next_number = last.map_or(0, |last| last.saturating_add(1));
                    IndexRow { next_number, loose, ..IndexRow::default() }
                }
                Err(error) => return Err(error),
            };
            let row = IndexRow { attachments: attachments.unwrap_or(row.attachments), ..row };
            // Who indexes hears of it.
            tx.notify(Notice::Mailbox { account, mailbox, modseq });
            tx.put_index_row(account, mailbox, &row)
        })
        .await
    }

    /// Mailboxes of all accounts, in the order of account and number, behind one.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn mailboxes_after(
        &self,
        after: Option<(AccountId, MailboxId)>,
        limit: usize,
    ) -> Result<Vec<(AccountId, MailboxRow)>, StorageError> {
        let mut range = KeyRange::prefix(vec![Table::Mailbox as u8]);
        if let Some((account, mailbox)) = after {
            range.start = [keys::mailbox(account, mailbox).as_slice(), &[0]].concat();
        }
        let rows = self.engine.scan(range, Order::Ascending, limit).await?;
        let read = |(key, value): &(Bytes, Bytes)| {
            let account = keys::middle(key, 1).map(|id| AccountId(u64::from_be_bytes(id)));
            Ok((account.ok_or_else(|| StorageError::corrupt("a mailbox's key"))?, MailboxRow::decode(value)?))
        };
        rows.iter().map(read).collect()
    }
}

impl Transaction<'_> {
    /// The index of a mailbox that is there.
    fn index_row(&self, account: AccountId, mailbox: MailboxId) -> Result<IndexRow, StorageError> {
        self.get(&keys::mailbox(account, mailbox))?.ok_or(StorageError::NoSuchMailbox)?;
        let value = self.get(&index_key(account, mailbox))?;
        value.map_or_else(|| Ok(IndexRow::default()), |value| IndexRow::decode(&value))
    }

    fn put_index_row(&mut self, account: AccountId, mailbox: MailboxId, row: &IndexRow) -> Result<(), StorageError> {
        self.put(index_key(account, mailbox), row.encode()?);
        Ok(())
    }

    fn require_loose(&self, place: IndexPlace) -> Result<IndexRow, StorageError> {
        let row = self.index_row(place.account, place.mailbox)?;
        if row.loose.contains(&place.segment) { Ok(row) } else { Err(StorageError::Expunged) }
    }

    /// Removes some rows of the loose segments; whether there may be more.
    fn remove_loose(&mut self, account: AccountId, mailbox: MailboxId) -> Result<bool, StorageError> {
        let mut row = match self.index_row(account, mailbox) {
            Ok(row) => row,
            // Its rows go with its messages.
            Err(StorageError::NoSuchMailbox) => return Ok(false),
            Err(error) => return Err(error),
        };
        let Some(segment) = row.loose.last().copied() else { return Ok(false) };
        let place = IndexPlace { account, mailbox, segment };
        for table in BLOCK_TABLES {
            if self.remove_some(&place.key(table).range())? > 0 {
                return Ok(true);
            }
        }
        row.loose.pop();
        let more = !row.loose.is_empty();
        self.put_index_row(account, mailbox, &row)?;
        Ok(more)
    }

    /// The largest segment number that has rows.
    fn last_index_segment(&self, account: AccountId, mailbox: MailboxId) -> Result<Option<u32>, StorageError> {
        let mut last = None;
        for table in BLOCK_TABLES {
            let range = Key::of(table, account).u32(mailbox.0).range();
            let rows = self.scan(&range, Order::Descending, 1)?;
            let number = rows.first().and_then(|(key, _)| keys::middle(key, keys::HEAD + 4)).map(u32::from_be_bytes);
            last = last.max(number);
        }
        Ok(last)
    }

    /// Removes some of the rows that a mailbox's index has; 0 when none is left.
    pub(crate) fn wipe_index(&mut self, account: AccountId, mailbox: MailboxId) -> Result<usize, StorageError> {
        for table in BLOCK_TABLES.into_iter().chain([Table::Index]) {
            let removed = self.remove_some(&Key::of(table, account).u32(mailbox.0).range())?;
            if removed > 0 {
                return Ok(removed);
            }
        }
        Ok(0)
    }

    fn remove_some(&mut self, range: &KeyRange) -> Result<usize, StorageError> {
        let rows = self.scan(range, Order::Ascending, INDEX_BLOCKS_PER_REMOVAL)?;
        rows.iter().for_each(|(key, _)| self.delete(key.to_vec()));
        Ok(rows.len())
    }
}

const BLOCK_TABLES: [Table; 3] = [Table::IndexWords, Table::IndexPostings, Table::IndexLengths];

pub(crate) fn index_key(account: AccountId, mailbox: MailboxId) -> Vec<u8> {
    Key::of(Table::Index, account).u32(mailbox.0).done()
}

#[cfg(test)]
mod tests;
