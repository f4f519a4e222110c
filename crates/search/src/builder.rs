//! The index of some messages, made in memory: what a new segment is before it is written, and what a fuzzy search sees
//! of messages that are in no segment yet.

use std::collections::HashMap;

use bytes::Bytes;
use mail::Uid;
use storage::index::IndexBlock;

use crate::block::{BlockWriter, PARTIAL, length_step, pack_lengths};
use crate::limits::{MESSAGE_WORDS_MAX, SEGMENT_SPAN_MAX};
use crate::postings::Postings;
use crate::texts::Zone;
use crate::words::words;

/// Takes messages in the order of their UIDs.
pub(crate) struct Builder {
    first: Uid,
    zones: [HashMap<Box<str>, Entry>; Zone::ALL.len()],
    lengths: Vec<u8>,
    messages: u32,
    partial: bool,
    octets: usize,
    message: Message,
}

/// The message that is being taken.
#[derive(Clone, Copy, Default)]
struct Message {
    offset: u32,
    words: usize,
    distinct: usize,
}

/// One word.
#[derive(Default)]
struct Entry {
    postings: Postings,
    /// How often it stands in the last message.
    times: u8,
}

/// What came of it.
pub(crate) struct Built {
    /// The UID from which offsets count.
    pub(crate) first: Uid,
    /// The last message.
    pub(crate) last: Uid,
    pub(crate) messages: u32,
    pub(crate) partial: bool,
    pub(crate) lengths: Vec<u8>,
    pub(crate) blocks: Vec<IndexBlock>,
}

impl Built {
    /// UIDs from the first to the last.
    pub(crate) fn span(&self) -> u32 {
        span(self.first, self.last)
    }

    pub(crate) fn packed_lengths(&self) -> Bytes {
        pack_lengths(&self.lengths)
    }
}

/// UIDs from the first to the last, both included.
pub(crate) fn span(first: Uid, last: Uid) -> u32 {
    last.0.saturating_sub(first.0).saturating_add(1)
}

impl Builder {
    /// For messages from this UID on.
    pub(crate) fn new(first: Uid) -> Self {
        Self {
            first,
            zones: Default::default(),
            lengths: Vec::new(),
            messages: 0,
            partial: false,
            octets: 0,
            message: Message::default(),
        }
    }

    /// Begins the next message. `false`: it is too far from the first one to be in one segment with it.
    pub(crate) fn begin(&mut self, uid: Uid) -> bool {
        let offset = uid.0.saturating_sub(self.first.0);
        self.message = Message { offset, ..Message::default() };
        offset < SEGMENT_SPAN_MAX
    }

    /// Takes a text of the message.
    pub(crate) fn text(&mut self, zone: Zone, text: &str) {
        let Some(entries) = self.zones.get_mut(zone as usize) else { return };
        let (message, octets) = (&mut self.message, &mut self.octets);
        words(text, |word, exact| {
            message.words = message.words.saturating_add(1);
            if let Some(entry) = entries.get_mut(word) {
                if !exact {
                    entry.postings.note_inexact();
                }
                if entry.postings.last() == Some(message.offset) {
                    entry.times = entry.times.saturating_add(1);
                    if entry.times == OFTEN {
                        entry.postings.mark_last();
                    }
                    return;
                }
                message.distinct = message.distinct.saturating_add(1);
                if message.distinct <= MESSAGE_WORDS_MAX {
                    entry.postings.push(message.offset, false);
                    entry.times = 1;
                    *octets = octets.saturating_add(8);
                }
                return;
            }
            message.distinct = message.distinct.saturating_add(1);
            if message.distinct <= MESSAGE_WORDS_MAX {
                let mut entry = Entry { times: 1, ..Entry::default() };
                entry.postings.push(message.offset, false);
                if !exact {
                    entry.postings.note_inexact();
                }
                *octets = octets.saturating_add(word.len()).saturating_add(WORD_OCTETS);
                entries.insert(word.into(), entry);
            }
        });
    }

    /// Ends the message; `whole`: all of it could be read.
    pub(crate) fn end(&mut self, whole: bool) {
        let whole = whole && self.message.distinct <= MESSAGE_WORDS_MAX;
        let place = usize::try_from(self.message.offset).unwrap_or(usize::MAX);
        self.lengths.resize(place, 0);
        self.lengths.push(if whole { length_step(self.message.words) } else { PARTIAL });
        self.partial |= !whole;
        self.messages = self.messages.saturating_add(1);
    }

    pub(crate) fn messages(&self) -> usize {
        usize::try_from(self.messages).unwrap_or(usize::MAX)
    }

    /// Octets of memory, about.
    pub(crate) fn octets(&self) -> usize {
        self.octets
    }

    /// The segment; `None` without messages.
    pub(crate) fn finish(self) -> Option<Built> {
        let last = u32::try_from(self.lengths.len()).ok()?.checked_sub(1)?;
        let last = Uid(self.first.0.saturating_add(last));
        let mut writer = BlockWriter::new(span(self.first, last));
        for (zone, entries) in (0_u8..).zip(self.zones) {
            let mut entries: Vec<_> = entries.into_iter().collect();
            entries.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
            for (word, entry) in entries {
                writer.push(zone, &word, &entry.postings);
            }
        }
        Some(Built {
            first: self.first,
            last,
            messages: self.messages,
            partial: self.partial,
            lengths: self.lengths,
            blocks: writer.finish(),
        })
    }
}

/// Times that a word stands in a message for it to stand there often.
const OFTEN: u8 = 3;

/// Octets of memory that a word takes beside its letters.
const WORD_OCTETS: usize = 96;

#[cfg(test)]
#[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss, clippy::cast_sign_loss, reason = "tests may")]
mod tests {
    use super::*;
    use crate::block::check_block;

    /// Words as often as in letters (Zipf's law): the index takes at most 30 % of the text's octets, and not next to nothing.
    /// What it takes of real letters is measured: `docs/performance.md`.
    #[test]
    fn an_index_is_small_beside_its_text() {
        const WORDS: usize = 40_000;
        const MESSAGES: u32 = 5_000;
        let mut seed = 88_172_645_463_325_252_u64;
        let mut number = move || {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed
        };
        let letters = |length: u64, bits: u64| -> String {
            (0..length).map(|at| char::from(b'a' + ((bits >> (at * 5)) % 26) as u8)).collect()
        };
        let words: Vec<String> = (0..WORDS).map(|_| letters(2 + number() % 10, number())).collect();
        let mut builder = Builder::new(Uid(1));
        let mut octets = 0;
        for uid in 1..=MESSAGES {
            assert!(builder.begin(Uid(uid)));
            let mut text = String::new();
            for _ in 0..50 + number() % 350 {
                // The rank of a word is as the exponential of an even chance.
                let chance = (number() >> 11) as f64 / (1_u64 << 53) as f64;
                let rank = ((WORDS as f64).powf(chance) as usize).min(WORDS) - 1;
                text += &words[rank];
                text += " ";
            }
            octets += text.len();
            builder.text(Zone::Body, &text);
            builder.end(true);
        }
        let built = builder.finish().unwrap();
        let index: usize =
            built.blocks.iter().map(|block| block.first.len() + block.words.len() + block.postings.len()).sum();
        let index = index + built.packed_lengths().len();
        assert!(index * 100 <= octets * 30, "{index} octets for {octets} of text");
        assert!(index * 100 >= octets, "{index} octets for {octets} of text");
    }

    #[test]
    fn words_lead_to_the_messages_that_have_them() {
        let mut builder = Builder::new(Uid(10));
        for (uid, text) in [(10, "one two"), (13, "two two TWO"), (14, "three")] {
            assert!(builder.begin(Uid(uid)));
            builder.text(Zone::Body, text);
            builder.end(uid != 14);
        }
        assert!(!builder.begin(Uid(10 + SEGMENT_SPAN_MAX)));
        let built = builder.finish().unwrap();
        assert_eq!((built.first, built.last, built.messages, built.partial), (Uid(10), Uid(14), 3, true));
        assert_eq!(built.lengths, [length_step(2), 0, 0, length_step(3), PARTIAL]);
        let [block] = built.blocks.as_slice() else { panic!("one block") };
        assert_eq!(check_block(b"one", &block.words, &block.postings, built.span()), Ok(()));
        let postings = crate::block::BlockPostings::decode(&block.postings, 3).unwrap();
        let (messages, code) = postings.list(2).unwrap();
        let two = Postings::decode(code, messages, 5).unwrap();
        assert_eq!(two.iter().collect::<Vec<_>>(), [(0, false), (3, true)]);
    }

    #[test]
    fn a_message_with_too_many_words_is_told_apart() {
        let mut builder = Builder::new(Uid(1));
        builder.begin(Uid(1));
        (0..=MESSAGE_WORDS_MAX).for_each(|n| builder.text(Zone::Other, &format!("w{n}")));
        builder.end(true);
        assert!(builder.finish().unwrap().partial);
        assert!(Builder::new(Uid(1)).finish().is_none());
    }
}
