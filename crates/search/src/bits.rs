//! A set of messages of one segment, one bit for each UID of its range.

/// The set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bits(Vec<u64>);

impl Bits {
    /// None of so many.
    pub(crate) fn none(span: u32) -> Self {
        Self(vec![0; usize::try_from(span.div_ceil(64)).unwrap_or(0)])
    }

    /// Adds one; what is beyond the range is not there.
    pub(crate) fn insert(&mut self, offset: u32) {
        if let Some(word) = usize::try_from(offset / 64).ok().and_then(|at| self.0.get_mut(at)) {
            *word |= 1 << (offset % 64);
        }
    }

    pub(crate) fn contains(&self, offset: u32) -> bool {
        let word = usize::try_from(offset / 64).ok().and_then(|at| self.0.get(at));
        word.is_some_and(|word| word >> (offset % 64) & 1 == 1)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    /// Keeps those that are in the other as well.
    pub(crate) fn keep(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(word, other)| *word &= other);
    }

    /// Adds those of the other.
    pub(crate) fn add(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(word, other)| *word |= other);
    }

    /// In order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        (0_u32..).step_by(64).zip(&self.0).flat_map(|(base, word)| {
            let mut rest = *word;
            std::iter::from_fn(move || {
                let bit = rest.trailing_zeros();
                rest &= rest.wrapping_sub(1);
                (bit < 64).then(|| base.saturating_add(bit))
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(offsets: &[u32]) -> Bits {
        let mut bits = Bits::none(200);
        offsets.iter().for_each(|offset| bits.insert(*offset));
        bits
    }

    #[test]
    fn sets_are_joined_and_cut() {
        let mut bits = of(&[0, 63, 64, 199]);
        assert_eq!(bits.iter().collect::<Vec<_>>(), [0, 63, 64, 199]);
        assert!(bits.contains(63) && !bits.contains(62) && !bits.contains(9_999));
        bits.keep(&of(&[63, 65, 199]));
        bits.add(&of(&[1]));
        bits.insert(9_999);
        assert_eq!(bits.iter().collect::<Vec<_>>(), [1, 63, 199]);
        assert!(!bits.is_empty() && Bits::none(200).is_empty());
    }
}
