//! Which messages have a word: ascending numbers, as small as chance allows (Rice codes of the gaps).
//!
//! A list of a few messages among thousands takes some 1.5 octets for each, one of every second message 2 bits for each,
//! one of all messages 1 bit for each. A further bit tells where the word stands often, and one for
//! the whole list whether its messages have the word as it is.

/// Messages that have a word, as offsets from the first UID of the segment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Postings {
    /// The offsets, ascending, shifted by one; the lowest bit tells that the word stands there often.
    marked: Vec<u32>,
    /// Some of them have the word only once it is folded: its letters in ASCII stand in no row there.
    inexact: bool,
}

impl Postings {
    /// Takes the next message. Offsets are below 2^31.
    pub(crate) fn push(&mut self, offset: u32, often: bool) {
        self.marked.push(offset << 1 | u32::from(often));
    }

    /// Marks the last message as one in which the word stands often.
    pub(crate) fn mark_last(&mut self) {
        if let Some(last) = self.marked.last_mut() {
            *last |= 1;
        }
    }

    /// Some message has the word only once it is folded.
    pub(crate) fn note_inexact(&mut self) {
        self.inexact = true;
    }

    pub(crate) fn is_inexact(&self) -> bool {
        self.inexact
    }

    /// The last message.
    pub(crate) fn last(&self) -> Option<u32> {
        self.marked.last().map(|marked| marked >> 1)
    }

    pub(crate) fn len(&self) -> usize {
        self.marked.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.marked.is_empty()
    }

    /// Offsets and whether the word stands there often.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, bool)> + '_ {
        self.marked.iter().map(|marked| (marked >> 1, marked & 1 == 1))
    }

    /// Appends the code of the list, for a segment of so many UIDs. The number of messages is not part of it.
    pub(crate) fn encode(&self, span: u32, out: &mut Vec<u8>) {
        let parameter = parameter(self.marked.len(), span);
        let mut bits = BitWriter { out, buffer: 0, filled: 0 };
        let mut next = 0_u32;
        let marks = self.marked.iter().any(|marked| marked & 1 == 1);
        bits.put(u64::from(marks), 1);
        bits.put(u64::from(self.inexact), 1);
        for (offset, often) in self.iter() {
            let gap = offset.saturating_sub(next);
            next = offset.saturating_add(1);
            bits.unary(gap >> parameter);
            bits.put(u64::from(gap & ((1 << parameter) - 1)), parameter);
            if marks {
                bits.put(u64::from(often), 1);
            }
        }
        bits.finish();
    }

    /// Reads what [`Postings::encode`] wrote: so many messages of a segment of so many UIDs; `None` when it is damaged.
    pub(crate) fn decode(code: &[u8], messages: u32, span: u32) -> Option<Self> {
        let marked = Vec::with_capacity(usize::try_from(messages.min(span)).ok()?);
        let mut found = Self { marked, inexact: !is_exact(code) };
        each(code, messages, span, |offset, often| found.push(offset, often))?;
        Some(found)
    }
}

/// Whether every message of a code has the word as it is, in ASCII and without case, and not just when both are folded.
pub(crate) fn is_exact(code: &[u8]) -> bool {
    code.first().is_some_and(|first| first & 2 == 0)
}

/// Calls for each message of a code, without keeping them; `None` when it is damaged.
pub(crate) fn each(code: &[u8], messages: u32, span: u32, mut sink: impl FnMut(u32, bool)) -> Option<()> {
    if messages > span {
        return None;
    }
    let parameter = parameter(usize::try_from(messages).ok()?, span);
    let mut bits = BitReader { code, buffer: 0, filled: 0 };
    let marks = bits.take(1)? == 1;
    bits.take(1)?;
    let mut next = 0_u32;
    for _ in 0..messages {
        let high = bits.unary(span >> parameter)?;
        let gap = (high << parameter).checked_add(bits.take(parameter)?)?;
        let offset = next.checked_add(gap).filter(|offset| *offset < span)?;
        let often = marks && bits.take(1)? == 1;
        sink(offset, often);
        next = offset.saturating_add(1);
    }
    Some(())
}

/// Bits of a gap that are written as they are: about the logarithm of the usual gap.
fn parameter(messages: usize, span: u32) -> u32 {
    let usual = u64::from(span).saturating_mul(11) / 16 / u64::try_from(messages).unwrap_or(u64::MAX).max(1);
    usual.max(1).ilog2()
}

struct BitWriter<'o> {
    out: &'o mut Vec<u8>,
    buffer: u64,
    filled: u32,
}

impl BitWriter<'_> {
    /// At most 32 bits, the lowest first.
    fn put(&mut self, value: u64, bits: u32) {
        self.buffer |= value << self.filled;
        self.filled = self.filled.saturating_add(bits);
        while self.filled >= 8 {
            let [low, ..] = self.buffer.to_le_bytes();
            self.out.push(low);
            self.buffer >>= 8;
            self.filled = self.filled.saturating_sub(8);
        }
    }

    /// So many zeros, then a one.
    fn unary(&mut self, zeros: u32) {
        let mut zeros = zeros;
        while zeros >= 24 {
            self.put(0, 24);
            zeros = zeros.saturating_sub(24);
        }
        self.put(1 << zeros, zeros.saturating_add(1));
    }

    fn finish(mut self) {
        if self.filled > 0 {
            let missing = 8_u32.saturating_sub(self.filled);
            self.put(0, missing);
        }
    }
}

struct BitReader<'c> {
    code: &'c [u8],
    buffer: u64,
    filled: u32,
}

impl BitReader<'_> {
    fn fill(&mut self) {
        while self.filled <= 48
            && let Some((first, rest)) = self.code.split_first()
        {
            self.buffer |= u64::from(*first) << self.filled;
            self.filled = self.filled.saturating_add(8);
            self.code = rest;
        }
    }

    /// At most 32 bits.
    fn take(&mut self, bits: u32) -> Option<u32> {
        if self.filled < bits {
            self.fill();
        }
        let left = self.filled.checked_sub(bits)?;
        let value = self.buffer & ((1_u64 << bits) - 1);
        self.buffer >>= bits;
        self.filled = left;
        u32::try_from(value).ok()
    }

    /// Zeros up to the next one, at most so many.
    fn unary(&mut self, zeros_max: u32) -> Option<u32> {
        let mut zeros = 0_u32;
        loop {
            if self.filled == 0 {
                self.fill();
            }
            if self.filled == 0 || zeros > zeros_max {
                return None;
            }
            let run = self.buffer.trailing_zeros().min(self.filled);
            zeros = zeros.saturating_add(run);
            if run < self.filled {
                self.buffer >>= run.saturating_add(1);
                self.filled = self.filled.saturating_sub(run).saturating_sub(1);
                return Some(zeros).filter(|zeros| *zeros <= zeros_max);
            }
            (self.buffer, self.filled) = (0, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn list(offsets: impl IntoIterator<Item = (u32, bool)>) -> Postings {
        let mut list = Postings::default();
        offsets.into_iter().for_each(|(offset, often)| list.push(offset, often));
        list
    }

    fn octets(list: &Postings, span: u32) -> usize {
        let mut code = Vec::new();
        list.encode(span, &mut code);
        assert_eq!(Postings::decode(&code, u32::try_from(list.len()).unwrap(), span).as_ref(), Some(list));
        code.len()
    }

    #[test]
    fn lists_are_as_small_as_they_can_be() {
        assert_eq!(octets(&list((0..8_000).map(|n| (n, false))), 8_000), 1_001);
        assert_eq!(octets(&list((0..4_000).map(|n| (2 * n, false))), 8_000), 1_001);
        assert_eq!(octets(&list([(5_000, false)]), 8_000), 2);
        assert_eq!(octets(&list([]), 8_000), 1);
        assert_eq!(octets(&list([(0, true)]), 1), 1);
        assert!(octets(&list([(1 << 20) - 1].map(|n| (n, true))), 1 << 20) <= 4);
    }

    #[test]
    fn what_is_damaged_is_no_list() {
        assert_eq!(Postings::decode(&[], 1, 8), None);
        assert_eq!(Postings::decode(&[0; 9], 1, 8), None);
        assert_eq!(Postings::decode(&[0xFF], 9, 8), None);
        assert_eq!(Postings::decode(&[], u32::MAX, u32::MAX), None);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            offsets in proptest::collection::btree_map(0_u32..70_000, proptest::bool::ANY, 0..300),
            beyond in 0_u32..1_000_000,
        ) {
            let span = offsets.last_key_value().map_or(1, |(last, _)| last + 1) + beyond;
            octets(&list(offsets), span);
        }

        #[test]
        fn nothing_panics(code: Vec<u8>, messages: u32, span in 0_u32..1 << 20) {
            if let Some(list) = Postings::decode(&code, messages.min(5_000), span) {
                prop_assert!(list.iter().all(|(offset, _)| offset < span));
            }
        }
    }
}
