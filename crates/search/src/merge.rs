//! Segments that stand side by side become one: fewer words to read through, and what is expunged goes.

use mail::{AccountId, MailboxId, Uid};
use storage::index::IndexPlace;
use storage::rows::IndexSegment;
use storage::{StorageError, Store};

use crate::bits::Bits;
use crate::block::{BlockWriter, PARTIAL, pack_lengths};
use crate::builder::span;
use crate::limits::{
    BLOCKS_PER_MERGE_READ, ROWS_PER_READ, SEGMENT_MESSAGES_MAX, SEGMENT_SPAN_MAX, SEGMENTS_PER_MERGE, TAIL_MESSAGES,
};
use crate::postings::Postings;
use crate::segment::{Segment, corrupt};
use crate::texts::Zone;

/// Which of the last segments should become one: eight of about one size, or as many as fit.
pub(crate) fn due(segments: &[IndexSegment]) -> Option<&[IndexSegment]> {
    (0..SIZES).find_map(|size| {
        let smaller = segments.iter().rev().take_while(|segment| size_of(segment) <= size).count();
        let mut due = segments.get(segments.len().saturating_sub(smaller)..)?;
        let alike = due.iter().filter(|segment| size_of(segment) == size).count();
        if alike < if size + 1 < SIZES { SEGMENTS_PER_MERGE } else { SEGMENTS_PER_MERGE / 2 } {
            return None;
        }
        while !fit(due) {
            due = due.get(1..)?;
        }
        (due.len() > 1).then_some(due)
    })
}

/// Each size is eight times the one before.
fn size_of(segment: &IndexSegment) -> u32 {
    let smallest = u32::try_from(TAIL_MESSAGES).unwrap_or(u32::MAX);
    (segment.messages / smallest).max(1).ilog2() / 3
}

const SIZES: u32 = 3;

fn fit(segments: &[IndexSegment]) -> bool {
    let messages = segments.iter().fold(0_u32, |sum, segment| sum.saturating_add(segment.messages));
    let (Some(first), Some(last)) = (segments.first(), segments.last()) else { return true };
    messages <= SEGMENT_MESSAGES_MAX && span(first.first, last.last) <= SEGMENT_SPAN_MAX
}

/// Puts a new segment in the place of some that stand side by side, without what is expunged.
///
/// # Errors
/// When reading or writing fails; the old segments still count then.
pub(crate) async fn merge(
    store: &Store,
    (account, mailbox): (AccountId, MailboxId),
    segments: &[IndexSegment],
    write_octets: usize,
) -> Result<(), StorageError> {
    let (Some(first), Some(last)) = (segments.first(), segments.last()) else { return Ok(()) };
    let (first, last) = (first.first, last.last);
    let span = span(first, last);
    let place = store.begin_index_segment(account, mailbox).await?.value;
    let of = |segment: &IndexSegment| IndexPlace { account, mailbox, segment: segment.number };
    let inputs: Vec<Segment<'_>> =
        segments.iter().map(|segment| Segment::stored(store, of(segment), segment)).collect();
    let live = live(store, (account, mailbox), first, last).await?;
    let lengths = lengths(&inputs, &live, first, span).await?;
    let mut writer = BlockWriter::new(span);
    for zone in Zone::ALL {
        let mut cursors = Vec::with_capacity(inputs.len());
        for input in &inputs {
            let shift = input.first.0.saturating_sub(first.0);
            let mut cursor = Cursor { segment: input, zone, shift, words: Vec::new(), after: None, ended: false };
            cursor.fill().await?;
            cursors.push(cursor);
        }
        let mut words = 0_usize;
        while let Some(word) = cursors.iter().filter_map(Cursor::word).min().map(str::to_owned) {
            let mut all = Postings::default();
            for cursor in &mut cursors {
                if cursor.word() == Some(word.as_str()) {
                    let shift = cursor.shift;
                    let postings = cursor.take().await?;
                    if postings.is_inexact() {
                        all.note_inexact();
                    }
                    let shifted = postings.iter().map(|(offset, often)| (offset.saturating_add(shift), often));
                    shifted.filter(|(offset, _)| live.contains(*offset)).for_each(|(at, often)| all.push(at, often));
                }
            }
            if !all.is_empty() {
                writer.push(zone as u8, &word, &all);
            }
            if writer.octets() >= write_octets {
                store.put_index_blocks(place, writer.take()).await?;
            }
            words = words.saturating_add(1);
            if words.is_multiple_of(WORDS_PER_TURN) {
                tokio::task::yield_now().await;
            }
        }
    }
    store.put_index_blocks(place, writer.finish()).await?;
    let messages = lengths.iter().filter(|length| **length > 0).count();
    let segment = IndexSegment {
        number: place.segment,
        first,
        last,
        messages: u32::try_from(messages).unwrap_or(u32::MAX),
        partial: lengths.contains(&PARTIAL),
    };
    let segment = (messages > 0).then(|| (segment, pack_lengths(&lengths)));
    let instead_of = segments.iter().map(|segment| segment.number).collect();
    store.finish_index_segment(place, segment, instead_of, Uid(0)).await?;
    store.remove_loose_segments(account, mailbox).await
}

/// Words after which others get their turn.
const WORDS_PER_TURN: usize = 256;

/// The messages that are still there.
async fn live(
    store: &Store,
    (account, mailbox): (AccountId, MailboxId),
    first: Uid,
    last: Uid,
) -> Result<Bits, StorageError> {
    let mut live = Bits::none(span(first, last));
    let mut from = Some(first);
    while let Some(next) = from {
        let rows = store.messages(account, mailbox, next, last, ROWS_PER_READ).await?;
        rows.iter().for_each(|row| live.insert(row.uid.0.saturating_sub(first.0)));
        from = rows.last().and_then(|row| row.uid.next()).filter(|_| rows.len() == ROWS_PER_READ);
        tokio::task::yield_now().await;
    }
    Ok(live)
}

async fn lengths(inputs: &[Segment<'_>], live: &Bits, first: Uid, span: u32) -> Result<Vec<u8>, StorageError> {
    let mut all = vec![0; usize::try_from(span).unwrap_or(0)];
    for input in inputs {
        let shift = input.first.0.saturating_sub(first.0);
        for (offset, length) in (shift..).zip(input.lengths().await?) {
            if live.contains(offset)
                && let Some(place) = usize::try_from(offset).ok().and_then(|at| all.get_mut(at))
            {
                *place = length;
            }
        }
    }
    Ok(all)
}

/// Goes through the words of one zone of one segment.
struct Cursor<'s> {
    segment: &'s Segment<'s>,
    zone: Zone,
    /// What its offsets are behind those of the new segment.
    shift: u32,
    /// The words that were read, the next one last.
    words: Vec<(String, Postings)>,
    after: Option<bytes::Bytes>,
    ended: bool,
}

impl Cursor<'_> {
    fn word(&self) -> Option<&str> {
        self.words.last().map(|(word, _)| word.as_str())
    }

    async fn take(&mut self) -> Result<Postings, StorageError> {
        let postings = self.words.pop().map(|(_, postings)| postings).unwrap_or_default();
        if self.words.is_empty() {
            self.fill().await?;
        }
        Ok(postings)
    }

    /// Reads the next blocks.
    async fn fill(&mut self) -> Result<(), StorageError> {
        if self.ended {
            return Ok(());
        }
        let blocks = self.segment.blocks_after(self.zone, self.after.as_ref(), BLOCKS_PER_MERGE_READ).await?;
        self.ended = blocks.len() < BLOCKS_PER_MERGE_READ;
        self.after = blocks.last().map(|block| block.first().clone()).or_else(|| self.after.take());
        let mut words = Vec::new();
        let found: Vec<_> = blocks.iter().map(|block| (block, (0..block.words.count()).collect())).collect();
        let (mut postings, span) = (Vec::new(), self.segment.span);
        let mut take = |_, messages, code: &[u8]| {
            postings.push(Postings::decode(code, messages, span)?);
            Some(())
        };
        self.segment.postings(self.zone, &found, &mut take).await?;
        for block in &blocks {
            words.extend(block.words.iter().map(str::to_owned));
        }
        if words.len() != postings.len() {
            return Err(corrupt("words without postings"));
        }
        self.words = words.into_iter().zip(postings).rev().collect();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segments(messages: &[u32]) -> Vec<IndexSegment> {
        let mut next = 1;
        let segment = |(number, messages): (usize, &u32)| {
            let first = Uid(next);
            next += messages;
            let last = Uid(next - 1);
            IndexSegment { number: u32::try_from(number).unwrap(), first, last, messages: *messages, partial: false }
        };
        messages.iter().enumerate().map(segment).collect()
    }

    #[test]
    fn segments_of_one_size_are_due_together() {
        let due = |messages: &[u32]| due(&segments(messages)).map(|due| due.iter().map(|one| one.messages).collect());
        assert_eq!(due(&[128; 7]), None::<Vec<u32>>);
        assert_eq!(
            due(&[2_048, 128, 128, 128, 128, 128, 128, 128, 200]),
            Some(vec![128, 128, 128, 128, 128, 128, 128, 200])
        );
        let some = [2_048, 2_048, 2_048, 128, 128, 2_048, 2_048, 128, 2_048, 2_048, 2_048];
        assert_eq!(due(some.get(..8).unwrap()), None);
        assert_eq!(due(&some), Some(some.to_vec()));
        assert_eq!(due(&[65_536, 16_384, 16_384, 16_384]), None);
        assert_eq!(due(&[65_536, 16_384, 16_384, 16_384, 16_384]), Some(vec![16_384; 4]));
        assert_eq!(due(&[65_536, 65_536, 65_536, 65_536]), None);
    }
}
