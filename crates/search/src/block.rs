//! Blocks: some hundreds or thousands of words in order, and beside them which messages have each.
//!
//! The words are one text, each between line breaks, so that the search for a part of a word is one search in a text.

use bytes::Bytes;
use memchr::{memchr, memmem};
use storage::index::IndexBlock;

use crate::limits::{
    BLOCK_POSTINGS_OCTETS, BLOCK_WORDS_OCTETS, BLOCK_WORDS_OCTETS_MAX, SEGMENT_SPAN_MAX, WORD_CHARS_MAX,
};
use crate::postings::Postings;
use crate::words::WordTest;

/// Collects the words of a segment, which come zone by zone and in order, into blocks.
pub(crate) struct BlockWriter {
    span: u32,
    zone: u8,
    first: String,
    words: String,
    counts: Vec<u8>,
    lengths: Vec<u8>,
    data: Vec<u8>,
    finished: Vec<IndexBlock>,
    octets: usize,
}

impl BlockWriter {
    /// For a segment of so many UIDs.
    pub(crate) fn new(span: u32) -> Self {
        Self {
            span,
            zone: 0,
            first: String::new(),
            words: String::new(),
            counts: Vec::new(),
            lengths: Vec::new(),
            data: Vec::new(),
            finished: Vec::new(),
            octets: 0,
        }
    }

    /// Takes the next word.
    pub(crate) fn push(&mut self, zone: u8, word: &str, postings: &Postings) {
        let full = self.words.len() >= BLOCK_WORDS_OCTETS || self.data.len() >= BLOCK_POSTINGS_OCTETS;
        if full || zone != self.zone {
            self.end_block();
        }
        if self.words.is_empty() {
            self.zone = zone;
            self.first.clear();
            self.first.push_str(word);
            self.words.push('\n');
        }
        self.words.push_str(word);
        self.words.push('\n');
        let before = self.data.len();
        postings.encode(self.span, &mut self.data);
        put_number(&mut self.counts, postings.len());
        put_number(&mut self.lengths, self.data.len().saturating_sub(before));
    }

    fn end_block(&mut self) {
        if self.words.is_empty() {
            return;
        }
        let words = packed(self.words.as_bytes());
        let mut columns = std::mem::take(&mut self.counts);
        columns.append(&mut self.lengths);
        let columns = packed(&columns);
        let mut postings = Vec::with_capacity(columns.len().saturating_add(self.data.len()).saturating_add(3));
        put_number(&mut postings, columns.len());
        postings.extend_from_slice(&columns);
        postings.append(&mut self.data);
        self.octets = self.octets.saturating_add(words.len()).saturating_add(postings.len());
        self.finished.push(IndexBlock {
            zone: self.zone,
            first: Bytes::copy_from_slice(self.first.as_bytes()),
            words: Bytes::from(words),
            postings: Bytes::from(postings),
        });
        self.words.clear();
    }

    /// Octets of the blocks that [`BlockWriter::take`] would give.
    pub(crate) fn octets(&self) -> usize {
        self.octets
    }

    /// The blocks that are finished.
    pub(crate) fn take(&mut self) -> Vec<IndexBlock> {
        self.octets = 0;
        std::mem::take(&mut self.finished)
    }

    /// All that is left.
    pub(crate) fn finish(mut self) -> Vec<IndexBlock> {
        self.end_block();
        self.finished
    }
}

/// The words of a block.
pub(crate) struct Words(String);

impl Words {
    /// Reads them; `None` when they are damaged.
    pub(crate) fn decode(code: &[u8]) -> Option<Self> {
        let text = String::from_utf8(unpacked(code, BLOCK_WORDS_OCTETS_MAX)?).ok()?;
        (text.len() > 1 && text.starts_with('\n') && text.ends_with('\n')).then_some(Self(text))
    }

    /// The words in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        let inner = self.0.get(1..self.0.len().saturating_sub(1)).unwrap_or_default();
        inner.split('\n')
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        memchr::memchr_iter(b'\n', self.0.as_bytes()).count().saturating_sub(1)
    }

    /// The last one.
    pub(crate) fn last(&self) -> Option<&str> {
        self.0.trim_end_matches('\n').rsplit('\n').next()
    }

    /// The places of the words that pass.
    pub(crate) fn find(&self, test: &WordTest) -> Vec<usize> {
        let wanted = match test {
            WordTest::Is(text) => format!("\n{text}\n"),
            WordTest::Begins(text) => format!("\n{text}"),
            WordTest::Ends(text) => format!("{text}\n"),
            WordTest::Contains(text) => text.clone(),
        };
        let finder = memmem::Finder::new(wanted.as_bytes());
        let mut rest = self.0.as_bytes();
        let (mut found, mut place) = (Vec::new(), 0_usize);
        while let Some(at) = finder.find(rest) {
            // The line break in front of a word counts as part of it; one behind it begins the next.
            let line_break = usize::from(wanted.starts_with('\n'));
            let breaks = memchr::memchr_iter(b'\n', rest.get(..at.saturating_add(line_break)).unwrap_or_default());
            place = place.saturating_add(breaks.count());
            found.push(place.saturating_sub(1));
            let after = at.saturating_add(line_break);
            let Some(next) = rest.get(after..).and_then(|rest| memchr(b'\n', rest)) else { break };
            rest = rest.get(after.saturating_add(next)..).unwrap_or_default();
        }
        found
    }
}

/// Which messages have the words of a block.
pub(crate) struct BlockPostings<'b> {
    /// Of each word: how many messages, and where in the data.
    lists: Vec<(u32, std::ops::Range<usize>)>,
    data: &'b [u8],
}

impl<'b> BlockPostings<'b> {
    /// Reads where the lists are; `None` when that is damaged.
    pub(crate) fn decode(code: &'b [u8], words: usize) -> Option<Self> {
        let mut rest = code;
        let columns = usize::try_from(number(&mut rest)?).ok()?;
        let (columns, data) = rest.split_at_checked(columns)?;
        // Two numbers for each word, of five octets at most.
        let columns = unpacked(columns, BLOCK_WORDS_OCTETS_MAX.saturating_mul(10))?;
        let mut columns = columns.as_slice();
        let counts: Vec<u32> = (0..words).map(|_| number(&mut columns)).collect::<Option<_>>()?;
        let mut lists = Vec::with_capacity(words);
        let mut at = 0_usize;
        for count in counts {
            let end = at.checked_add(usize::try_from(number(&mut columns)?).ok()?)?;
            lists.push((count, at..end));
            at = end;
        }
        (columns.is_empty() && at == data.len()).then_some(Self { lists, data })
    }

    /// How many messages have the word at a place, and their code, for [`crate::postings::each`].
    pub(crate) fn list(&self, place: usize) -> Option<(u32, &'b [u8])> {
        let (messages, range) = self.lists.get(place)?;
        Some((*messages, self.data.get(range.clone())?))
    }
}

/// Whether a block can be read, and is what its key says.
///
/// # Errors
/// What is wrong with it.
pub fn check_block(first: &[u8], words: &[u8], postings: &[u8], span: u32) -> Result<(), String> {
    let words = Words::decode(words).ok_or("the words of a block can't be read")?;
    let all: Vec<&str> = words.iter().collect();
    if all.first().map(|word| word.as_bytes()) != Some(first) {
        return Err("a block is not under its first word".to_owned());
    }
    if !all.is_sorted_by(|a, b| a < b) {
        return Err("the words of a block are not in order".to_owned());
    }
    if all.iter().any(|word| word.is_empty() || word.chars().count() > WORD_CHARS_MAX) {
        return Err("a block has a word that is none".to_owned());
    }
    let lists = BlockPostings::decode(postings, all.len()).ok_or("the postings of a block can't be read")?;
    for (place, word) in all.iter().enumerate() {
        let (messages, code) = lists.list(place).ok_or("a word without postings")?;
        if messages == 0 || Postings::decode(code, messages, span).is_none() {
            return Err(format!("the postings of \"{word}\" can't be read"));
        }
    }
    Ok(())
}

/// How long the messages of a segment are, one octet for each UID of its range.
///
/// 0: there is none; [`PARTIAL`]: it is not indexed in full; else a step of the number of words.
pub(crate) const PARTIAL: u8 = u8::MAX;

/// The step of a length: the more words, the coarser.
pub(crate) fn length_step(words: usize) -> u8 {
    let words = u64::try_from(words).unwrap_or(u64::MAX).clamp(0, LONGEST).saturating_add(1);
    let log = words.ilog2();
    let quarter = ((words << 2) >> log) & 3;
    u8::try_from(u64::from(log) * 4 + quarter).unwrap_or(PARTIAL - 1).max(1)
}

/// Words from which on all messages are as long.
const LONGEST: u64 = 1 << 40;

/// About how many words a step stands for.
pub(crate) fn step_words(step: u8) -> f32 {
    (f32::from(step) / 4.0).exp2()
}

/// Encodes lengths.
pub(crate) fn pack_lengths(lengths: &[u8]) -> Bytes {
    Bytes::from(packed(lengths))
}

/// Reads lengths of so many UIDs; `None` when they are damaged.
pub(crate) fn unpack_lengths(code: &[u8], span: u32) -> Option<Vec<u8>> {
    let span = usize::try_from(span.min(SEGMENT_SPAN_MAX)).ok()?;
    unpacked(code, span).filter(|lengths| lengths.len() == span)
}

/// Whether the lengths of a segment's messages can be read.
///
/// # Errors
/// What is wrong with them.
pub fn check_lengths(lengths: &[u8], span: u32) -> Result<(), String> {
    unpack_lengths(lengths, span).map(drop).ok_or_else(|| "the lengths of its messages can't be read".to_owned())
}

fn packed(octets: &[u8]) -> Vec<u8> {
    // Compression into memory does not fail; were it to, the block could not be read, and the check would tell.
    zstd::bulk::compress(octets, LEVEL).unwrap_or_default()
}

fn unpacked(code: &[u8], octets_max: usize) -> Option<Vec<u8>> {
    zstd::bulk::decompress(code, octets_max).ok()
}

/// More than the default: a block is written once and read often.
const LEVEL: i32 = 6;

fn put_number(out: &mut Vec<u8>, number: usize) {
    let mut number = number;
    while number >= 0x80 {
        out.push(u8::try_from(number & 0x7F).unwrap_or(0) | 0x80);
        number >>= 7;
    }
    out.push(u8::try_from(number).unwrap_or(0));
}

fn number(from: &mut &[u8]) -> Option<u32> {
    let mut number = 0_u32;
    for shift in (0..35).step_by(7) {
        let (first, rest) = from.split_first()?;
        *from = rest;
        let part = u32::from(first & 0x7F);
        number |= part.checked_shl(shift).filter(|moved| moved >> shift == part)?;
        if first & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(words: &[&str]) -> IndexBlock {
        let mut writer = BlockWriter::new(100);
        for (n, word) in words.iter().enumerate() {
            let mut postings = Postings::default();
            (0_u32..).take(n + 1).for_each(|offset| postings.push(offset, offset == 1));
            writer.push(0, word, &postings);
        }
        writer.finish().pop().unwrap()
    }

    #[test]
    fn words_are_found_at_their_places() {
        let block = block(&["a", "aa", "aab", "b", "baa", "caab", "d"]);
        let words = Words::decode(&block.words).unwrap();
        let find = |test: fn(String) -> WordTest, text: &str| words.find(&test(text.to_owned()));
        assert_eq!(find(WordTest::Is, "aa"), [1]);
        assert_eq!(find(WordTest::Is, "a"), [0]);
        assert_eq!(find(WordTest::Is, "d"), [6]);
        assert_eq!(find(WordTest::Is, "c"), Vec::<usize>::new());
        assert_eq!(find(WordTest::Begins, "a"), [0, 1, 2]);
        assert_eq!(find(WordTest::Begins, "ca"), [5]);
        assert_eq!(find(WordTest::Ends, "a"), [0, 1, 4]);
        assert_eq!(find(WordTest::Ends, "b"), [2, 3, 5]);
        assert_eq!(find(WordTest::Contains, "a"), [0, 1, 2, 4, 5]);
        assert_eq!(find(WordTest::Contains, "aa"), [1, 2, 4, 5]);
        assert_eq!(find(WordTest::Contains, "d"), [6]);
        assert_eq!(find(WordTest::Contains, "x"), Vec::<usize>::new());
    }

    #[test]
    fn a_block_is_read_as_it_was_written() {
        let block = block(&["alpha", "beta", "gamma"]);
        assert_eq!(check_block(b"alpha", &block.words, &block.postings, 100), Ok(()));
        let words = Words::decode(&block.words).unwrap();
        assert_eq!(words.iter().collect::<Vec<_>>(), ["alpha", "beta", "gamma"]);
        let postings = BlockPostings::decode(&block.postings, 3).unwrap();
        let (messages, code) = postings.list(2).unwrap();
        let list = Postings::decode(code, messages, 100).unwrap();
        assert_eq!(list.iter().collect::<Vec<_>>(), [(0, false), (1, true), (2, false)]);
        assert!(postings.list(3).is_none());
    }

    #[test]
    fn damage_is_told() {
        let sound = block(&["alpha", "beta"]);
        let unsorted = block(&["beta", "alpha"]);
        assert!(check_block(b"alph", &sound.words, &sound.postings, 100).is_err());
        assert!(check_block(b"beta", &unsorted.words, &unsorted.postings, 100).is_err());
        assert!(check_block(b"alpha", &sound.words, &sound.words, 100).is_err());
        assert!(check_block(b"alpha", &sound.postings, &sound.postings, 100).is_err());
        assert!(check_block(b"alpha", &sound.words, &sound.postings, 1).is_err());
        assert!(check_lengths(&pack_lengths(&[1, 2, 3]), 3).is_ok());
        assert!(check_lengths(&pack_lengths(&[1, 2, 3]), 4).is_err());
        assert!(check_lengths(b"?", 3).is_err());
    }

    #[test]
    fn blocks_end_with_their_zone_and_when_they_are_full() {
        let mut one = Postings::default();
        one.push(7, false);
        let mut writer = BlockWriter::new(100);
        for n in 0..10_000 {
            writer.push(0, &format!("word{n:05}"), &one);
        }
        writer.push(3, "alpha", &one);
        assert!(writer.octets() > 0);
        let mut blocks = writer.take();
        assert_eq!(writer.octets(), 0);
        blocks.extend(writer.finish());
        assert_eq!(blocks.iter().map(|block| block.zone).collect::<Vec<_>>(), [0, 0, 0, 0, 3]);
        for block in &blocks {
            assert_eq!(check_block(&block.first, &block.words, &block.postings, 100), Ok(()));
        }
    }

    #[test]
    fn lengths_are_told_within_a_fifth() {
        assert_eq!(length_step(0), 1);
        for words in [1_usize, 2, 3, 7, 100, 450, 1_000, 65_000, 10_000_000] {
            let told = step_words(length_step(words));
            assert!((told / (words as f32 + 1.0) - 1.0).abs() < 0.2, "{words}: {told}");
        }
        assert!(length_step(usize::MAX) < PARTIAL);
    }
}
