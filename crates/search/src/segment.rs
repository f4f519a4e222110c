//! One segment to look into: stored, or in memory.

use bytes::Bytes;
use mail::Uid;
use storage::index::{IndexBlock, IndexPlace};
use storage::rows::IndexSegment;
use storage::{StorageError, Store};

use crate::block::{BlockPostings, Words, unpack_lengths};
use crate::builder::{Built, span};
use crate::limits::BLOCKS_PER_READ;
use crate::texts::Zone;
use crate::words::WordTest;

/// Where the blocks are.
enum Blocks<'s> {
    Stored(&'s Store, IndexPlace),
    /// In the order of zone and first word.
    Memory(Vec<IndexBlock>, Vec<u8>),
}

/// A segment to look into.
pub(crate) struct Segment<'s> {
    blocks: Blocks<'s>,
    /// The UID from which offsets count.
    pub(crate) first: Uid,
    /// How many UIDs its range has.
    pub(crate) span: u32,
    /// Messages in it, expunged ones included.
    pub(crate) messages: u32,
    /// Some of them are candidates of every search.
    pub(crate) partial: bool,
}

/// A block with its words.
pub(crate) struct Found {
    first: Bytes,
    pub(crate) words: Words,
}

/// What can be done with a list of postings: how many messages, and their code.
pub(crate) type Take<'t> = dyn FnMut(usize, u32, &[u8]) -> Option<()> + Send + 't;

impl<'s> Segment<'s> {
    pub(crate) fn stored(store: &'s Store, place: IndexPlace, of: &IndexSegment) -> Self {
        Self {
            blocks: Blocks::Stored(store, place),
            first: of.first,
            span: span(of.first, of.last),
            messages: of.messages,
            partial: of.partial,
        }
    }

    pub(crate) fn built(built: Built) -> Self {
        let (first, span, messages, partial) = (built.first, built.span(), built.messages, built.partial);
        Self { blocks: Blocks::Memory(built.blocks, built.lengths), first, span, messages, partial }
    }

    /// Blocks of a zone from the one on in which the word is or would be, at most so many.
    pub(crate) async fn blocks_from(&self, zone: Zone, word: &[u8]) -> Result<Vec<Found>, StorageError> {
        let mut found = Vec::new();
        match &self.blocks {
            Blocks::Stored(store, place) => {
                if let Some((first, words)) = store.index_words_at(*place, zone as u8, word).await? {
                    found.push(decoded(first, &words)?);
                }
            }
            Blocks::Memory(blocks, _) => {
                let of_zone = blocks.iter().filter(|block| block.zone == zone as u8);
                let before = of_zone.take_while(|block| block.first.as_ref() <= word).last();
                if let Some(block) = before {
                    found.push(decoded(block.first.clone(), &block.words)?);
                }
            }
        }
        Ok(found)
    }

    /// Blocks of a zone whose first word is behind `after` (all: `None`), at most so many.
    pub(crate) async fn blocks_after(
        &self,
        zone: Zone,
        after: Option<&Bytes>,
        limit: usize,
    ) -> Result<Vec<Found>, StorageError> {
        let from = after.map_or_else(Vec::new, |after| [after.as_ref(), &[0]].concat());
        match &self.blocks {
            Blocks::Stored(store, place) => {
                let rows = store.index_words(*place, zone as u8, &from, limit.min(BLOCKS_PER_READ)).await?;
                rows.into_iter().map(|(first, words)| decoded(first, &words)).collect()
            }
            Blocks::Memory(blocks, _) => {
                let of_zone = blocks.iter().filter(|block| block.zone == zone as u8 && block.first >= from);
                of_zone.take(limit).map(|block| decoded(block.first.clone(), &block.words)).collect()
            }
        }
    }

    /// Reads the postings of words at places of blocks; `take` gets the number of the pair, how many messages, their code.
    pub(crate) async fn postings(
        &self,
        zone: Zone,
        found: &[(&Found, Vec<usize>)],
        take: &mut Take<'_>,
    ) -> Result<(), StorageError> {
        let firsts: Vec<Bytes> = found.iter().map(|(block, _)| block.first.clone()).collect();
        let rows = match &self.blocks {
            Blocks::Stored(store, place) => store.index_postings(*place, zone as u8, &firsts).await?,
            Blocks::Memory(blocks, _) => {
                let find =
                    |first: &Bytes| blocks.iter().find(|block| block.zone == zone as u8 && block.first == *first);
                firsts.iter().map(|first| find(first).map(|block| block.postings.clone())).collect()
            }
        };
        for (number, ((block, places), row)) in found.iter().zip(rows).enumerate() {
            let row = row.ok_or_else(|| corrupt("a block has no postings"))?;
            let lists = BlockPostings::decode(&row, block.words.count()).ok_or_else(|| corrupt("postings"))?;
            for place in places {
                let (messages, code) = lists.list(*place).ok_or_else(|| corrupt("a word has no postings"))?;
                take(number, messages, code).ok_or_else(|| corrupt("postings of a word"))?;
            }
        }
        Ok(())
    }

    /// How long each message is, by offset.
    pub(crate) async fn lengths(&self) -> Result<Vec<u8>, StorageError> {
        match &self.blocks {
            Blocks::Stored(store, place) => {
                let lengths = store.index_lengths(*place).await?.ok_or_else(|| corrupt("a segment has no lengths"))?;
                unpack_lengths(&lengths, self.span).ok_or_else(|| corrupt("the lengths of messages"))
            }
            Blocks::Memory(_, lengths) => Ok(lengths.clone()),
        }
    }
}

impl Found {
    /// The first word, by which the block is known.
    pub(crate) fn first(&self) -> &Bytes {
        &self.first
    }

    /// Whether words that begin with this may be in a block behind this one.
    pub(crate) fn may_go_on(&self, prefix: &str) -> bool {
        self.words.last().is_none_or(|last| last < prefix || last.starts_with(prefix))
    }

    /// The places of the words that pass.
    pub(crate) fn find(&self, test: &WordTest) -> Vec<usize> {
        self.words.find(test)
    }
}

fn decoded(first: Bytes, words: &[u8]) -> Result<Found, StorageError> {
    let words = Words::decode(words).ok_or_else(|| corrupt("the words of a block"))?;
    Ok(Found { first, words })
}

/// Something in an index that can't be read.
pub(crate) fn corrupt(what: &str) -> StorageError {
    StorageError::Corrupt(format!("a full-text index: {what}"))
}
