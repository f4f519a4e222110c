//! Full-text indexes: segments in order and within what the mailbox has given out, blocks of segments that are known, and
//! each of them readable.

use mail::{AccountId, MailboxId};

use super::pages::{LARGE_ROWS, Pages, ROWS};
use super::{Check, Flaw};
use crate::engine::KeyRange;
use crate::error::StorageError;
use crate::keys::{self, Key, Table};
use crate::rows::{IndexRow, MailboxRow};

impl Check<'_> {
    pub(super) async fn indexes(&mut self) -> Result<(), StorageError> {
        let mut pages = Pages::new(self.store, KeyRange::prefix(vec![Table::Index as u8]), ROWS);
        loop {
            let page = pages.next().await?;
            if page.is_empty() {
                return self.index_blocks().await;
            }
            for (key, value) in page {
                let Some((account, mailbox)) = owner(&key) else { continue };
                let place = place(account, mailbox);
                let Some(row) = self.decoded(&place, IndexRow::decode(&value)) else { continue };
                let mailbox_row = self.store.engine.get(&keys::mailbox(account, mailbox)).await?;
                let mailbox_row = mailbox_row.and_then(|value| MailboxRow::decode(&value).ok());
                self.index(&row, mailbox_row.as_ref(), &place);
                for segment in &row.segments {
                    let lengths = Key::of(Table::IndexLengths, account).u32(mailbox.0).u32(segment.number).done();
                    let span = segment.last.0.saturating_sub(segment.first.0).saturating_add(1);
                    let known = match self.store.engine.get(&lengths).await? {
                        Some(lengths) => self.contents.index_lengths(&lengths, span),
                        None => Err("the lengths of its messages are missing".to_owned()),
                    };
                    if let Err(detail) = known {
                        self.find(Flaw::Index, &place, format!("segment {}: {detail}", segment.number));
                    }
                }
            }
        }
    }

    fn index(&mut self, row: &IndexRow, mailbox: Option<&MailboxRow>, place: &str) {
        let mut behind = 0;
        for segment in &row.segments {
            let span = u64::from(segment.last.0).saturating_add(1).saturating_sub(u64::from(segment.first.0));
            if segment.first.0 <= behind || segment.last < segment.first || u64::from(segment.messages) > span {
                self.find(Flaw::Index, place, format!("segment {} is not behind the one before it", segment.number));
            }
            behind = segment.last.0;
            if segment.number >= row.next_number {
                self.find(Flaw::Index, place, format!("segment {} has a number still to be given", segment.number));
            }
        }
        let below = mailbox.map_or(u32::MAX, |row| row.uid_next.0);
        if behind > row.indexed_to || row.indexed_to >= below {
            let detail = format!("indexed to UID {}, segments to {behind}, UIDNEXT is {below}", row.indexed_to);
            self.find(Flaw::Index, place, detail);
        }
    }

    /// Every block belongs to a segment that is known, has its postings, and can be read.
    async fn index_blocks(&mut self) -> Result<(), StorageError> {
        let mut known: Option<((AccountId, MailboxId), IndexRow)> = None;
        for table in [Table::IndexWords, Table::IndexPostings, Table::IndexLengths] {
            let mut pages = Pages::new(self.store, KeyRange::prefix(vec![table as u8]), LARGE_ROWS);
            loop {
                let page = pages.next().await?;
                if page.is_empty() {
                    break;
                }
                let postings: Vec<Vec<u8>> = page.iter().map(|(key, _)| twin(key)).collect();
                let postings = self.store.engine.multi_get(&postings).await?;
                for ((key, words), postings) in page.iter().zip(postings) {
                    let number = keys::middle(key, keys::HEAD + 4).map(u32::from_be_bytes);
                    let (Some(of), Some(number)) = (owner(key), number) else {
                        self.find(Flaw::Undecodable, format!("a key of {table:?}"), format!("{key:02x?}"));
                        continue;
                    };
                    if known.as_ref().is_none_or(|(known, _)| *known != of) {
                        // One that can't be read was told of already.
                        let row = self.store.index_row(of.0, of.1).await.unwrap_or_default();
                        known = Some((of, row));
                    }
                    let Some((_, row)) = &known else { continue };
                    let place = place(of.0, of.1);
                    if !row.knows(number) {
                        self.find(Flaw::Index, place, format!("rows of segment {number}, which is not known"));
                        pages.skip(Key::of(table, of.0).u32(of.1.0).u32(number).done());
                        break;
                    }
                    let Some(segment) = row.segment(number).filter(|_| table != Table::IndexLengths) else { continue };
                    let detail = match postings {
                        None => Err("a block without its other half".to_owned()),
                        Some(postings) if table == Table::IndexWords => {
                            let span = segment.last.0.saturating_sub(segment.first.0).saturating_add(1);
                            let first = key.get(FIRST_WORD..).unwrap_or_default();
                            self.contents.index_block(first, words, &postings, span)
                        }
                        Some(_) => Ok(()),
                    };
                    if let Err(detail) = detail {
                        self.find(Flaw::Index, place, format!("segment {number}: {detail}"));
                    }
                }
            }
        }
        Ok(())
    }
}

/// Octets of a block's key in front of its first word.
const FIRST_WORD: usize = keys::HEAD + 4 + 4 + 1;

fn owner(key: &[u8]) -> Option<(AccountId, MailboxId)> {
    let account = keys::middle(key, 1).map(|id| AccountId(u64::from_be_bytes(id)))?;
    let mailbox = keys::middle(key, keys::HEAD).map(|id| MailboxId(u32::from_be_bytes(id)))?;
    Some((account, mailbox))
}

fn place(account: AccountId, mailbox: MailboxId) -> String {
    format!("account {account}, mailbox {mailbox}")
}

/// The key of the postings of a block's words, or of the words of its postings.
fn twin(key: &[u8]) -> Vec<u8> {
    let mut twin = key.to_vec();
    if let Some(table) = twin.first_mut() {
        *table = if *table == Table::IndexWords as u8 { Table::IndexPostings } else { Table::IndexWords } as u8;
    }
    twin
}
