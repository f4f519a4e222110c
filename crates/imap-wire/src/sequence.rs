//! Sequence sets: `1:3,7,9:*` (RFC 3501 §9 `sequence-set`), of sequence numbers or of UIDs.
//!
//! A [`SequenceSet`] is what the client wrote; [`SequenceSet::resolve`] makes it a [`NumberSet`],
//! sorted and merged, once the largest number in use is known.
//! Invariant: the ranges of a `NumberSet` are ascending, disjoint, not adjacent, and hold no zero.

use std::fmt;
use std::ops::RangeInclusive;

/// A number of a sequence set, or `*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SequenceBound {
    /// A number, never 0.
    Number(u32),
    /// `*`: the largest number in use.
    Largest,
}

/// A sequence set as the client wrote it: ranges, and perhaps `$`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SequenceSet {
    ranges: Vec<(SequenceBound, SequenceBound)>,
    saved: bool,
}

impl SequenceSet {
    /// A set of ranges, each `(from, to)` in any order; a single number is a range of one.
    /// `None` when there is no range or a number is 0.
    pub fn new(ranges: Vec<(SequenceBound, SequenceBound)>) -> Option<Self> {
        let zero = SequenceBound::Number(0);
        let valid = !ranges.is_empty() && ranges.iter().all(|&(a, b)| a != zero && b != zero);
        valid.then_some(Self { ranges, saved: false })
    }

    /// `$`: what the last SEARCH saved (RFC 5182), with ranges beside it (RFC 9051 §9 allows `1:3,$`) or without.
    /// `None` when a number is 0.
    pub fn with_saved(ranges: Vec<(SequenceBound, SequenceBound)>) -> Option<Self> {
        if ranges.is_empty() {
            return Some(Self { ranges, saved: true });
        }
        Self::new(ranges).map(|set| Self { saved: true, ..set })
    }

    /// Whether `$` is in it: [`SequenceSet::resolve`] knows nothing of what is saved.
    pub fn has_saved(&self) -> bool {
        self.saved
    }

    /// The ranges as written.
    pub fn ranges(&self) -> &[(SequenceBound, SequenceBound)] {
        &self.ranges
    }

    /// Whether `*` occurs.
    pub fn has_largest(&self) -> bool {
        self.ranges.iter().any(|&(a, b)| a == SequenceBound::Largest || b == SequenceBound::Largest)
    }

    /// Whether each number written is larger than the one before, and no `*` is there.
    pub fn is_ascending(&self) -> bool {
        let mut before = 0;
        !self.saved
            && self.ranges.iter().all(|range| match range {
                (SequenceBound::Number(first), SequenceBound::Number(last)) => {
                    let ascends = before < *first && first <= last;
                    before = *last;
                    ascends
                }
                _ => false,
            })
    }

    /// The largest number written out, if any: a sequence number above EXISTS is the client's error.
    pub fn max_number(&self) -> Option<u32> {
        let number = |bound| match bound {
            SequenceBound::Number(n) => Some(n),
            SequenceBound::Largest => None,
        };
        self.ranges.iter().flat_map(|&(a, b)| [number(a), number(b)]).flatten().max()
    }

    /// The numbers meant when `largest` is the largest in use (0: none is, and then `*` means nothing).
    /// Time is n log n in the ranges written, whatever they span.
    pub fn resolve(&self, largest: u32) -> NumberSet {
        let value = |bound| match bound {
            SequenceBound::Number(n) => n,
            SequenceBound::Largest => largest,
        };
        let ranges = self.ranges.iter().filter_map(|&(a, b)| {
            let starred = a == SequenceBound::Largest || b == SequenceBound::Largest;
            let (a, b) = (value(a), value(b));
            (!starred || largest > 0).then(|| a.min(b)..=a.max(b))
        });
        NumberSet::from_ranges(ranges)
    }
}

/// A set of numbers in ascending ranges; membership is a binary search.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct NumberSet(Vec<RangeInclusive<u32>>);

impl NumberSet {
    /// A set without numbers.
    pub const fn empty() -> Self {
        Self(Vec::new())
    }

    /// Sorts and merges ranges in any order; 0 and empty ranges are left out.
    pub fn from_ranges(ranges: impl IntoIterator<Item = RangeInclusive<u32>>) -> Self {
        let mut sorted: Vec<_> =
            ranges.into_iter().map(|r| (*r.start()).max(1)..=*r.end()).filter(|r| !r.is_empty()).collect();
        sorted.sort_unstable_by_key(|r| *r.start());
        let mut set = Self::empty();
        for range in sorted {
            set.push_range(range);
        }
        set
    }

    /// Numbers in any order.
    pub fn from_numbers(numbers: impl IntoIterator<Item = u32>) -> Self {
        let mut sorted: Vec<u32> = numbers.into_iter().collect();
        sorted.sort_unstable();
        let mut set = Self::empty();
        for number in sorted {
            set.push(number);
        }
        set
    }

    /// Adds a number not smaller than any added before; others are put in their place at a cost.
    pub fn push(&mut self, number: u32) {
        self.push_range(number..=number);
    }

    fn push_range(&mut self, range: RangeInclusive<u32>) {
        let (start, end) = ((*range.start()).max(1), *range.end());
        if start > end {
            return;
        }
        match self.0.last_mut() {
            Some(last) if start < *last.start() => {
                let mut all = std::mem::take(&mut self.0);
                all.push(start..=end);
                *self = Self::from_ranges(all);
            }
            Some(last) if start <= last.end().saturating_add(1) => *last = *last.start()..=(*last.end()).max(end),
            _ => self.0.push(start..=end),
        }
    }

    /// Whether no number is in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many numbers are in it.
    pub fn count(&self) -> u64 {
        self.0.iter().map(|r| u64::from(*r.end()) - u64::from(*r.start()) + 1).sum()
    }

    /// The ascending, disjoint ranges.
    pub fn ranges(&self) -> &[RangeInclusive<u32>] {
        &self.0
    }

    /// Whether a number is in it.
    pub fn contains(&self, number: u32) -> bool {
        let at = self.0.partition_point(|r| *r.end() < number);
        self.0.get(at).is_some_and(|r| r.contains(&number))
    }

    /// The smallest number.
    pub fn min(&self) -> Option<u32> {
        self.0.first().map(|r| *r.start())
    }

    /// The largest number.
    pub fn max(&self) -> Option<u32> {
        self.0.last().map(|r| *r.end())
    }

    /// All numbers, ascending. Clip a client's set first ([`NumberSet::clip`]): it may span 2³².
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.0.iter().cloned().flatten()
    }

    /// What is in one of the two.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        if other.is_empty() {
            return self.clone();
        }
        Self::from_ranges(self.0.iter().chain(&other.0).cloned())
    }

    /// The part that lies within `bounds`.
    pub fn clip(&self, bounds: RangeInclusive<u32>) -> Self {
        let clipped = self.0.iter().map(|r| (*r.start()).max(*bounds.start())..=(*r.end()).min(*bounds.end()));
        Self(clipped.filter(|r| !r.is_empty()).collect())
    }

    /// The numbers that are not in `other`.
    pub fn minus(&self, other: &Self) -> Self {
        let mut left = Self::empty();
        let mut holes = other.0.iter().peekable();
        for range in &self.0 {
            let mut from = Some(*range.start());
            while let (Some(start), Some(hole)) = (from, holes.peek()) {
                if *hole.end() < start {
                    holes.next();
                    continue;
                }
                if *hole.start() > *range.end() {
                    break;
                }
                if *hole.start() > start {
                    left.push_range(start..=*hole.start() - 1);
                }
                from = hole.end().checked_add(1).filter(|next| next <= range.end());
            }
            if let Some(start) = from {
                left.push_range(start..=*range.end());
            }
        }
        left
    }

    /// The numbers that are in both.
    pub fn intersection(&self, other: &Self) -> Self {
        self.minus(&self.minus(other))
    }

    /// The indexes of those elements of an ascending slice that are in the set, ascending;
    /// time grows with the ranges and what is found, not with the slice.
    pub fn positions_in<'a, T>(
        &'a self,
        sorted: &'a [T],
        number: impl Fn(&T) -> u32 + 'a,
    ) -> impl Iterator<Item = usize> + 'a {
        self.0.iter().flat_map(move |range| {
            let from = sorted.partition_point(|item| number(item) < *range.start());
            let to = sorted.partition_point(|item| number(item) <= *range.end());
            from..to
        })
    }
}

impl FromIterator<u32> for NumberSet {
    fn from_iter<I: IntoIterator<Item = u32>>(numbers: I) -> Self {
        Self::from_numbers(numbers)
    }
}

/// `1:3,5`, as responses carry it (RFC 4315 `uid-set`, RFC 4731 `sequence-set`); empty when the set is.
impl fmt::Display for NumberSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, range) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str(",")?;
            }
            match (range.start(), range.end()) {
                (a, b) if a == b => write!(f, "{a}")?,
                (a, b) => write!(f, "{a}:{b}")?,
            }
        }
        Ok(())
    }
}

impl fmt::Debug for NumberSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NumberSet({self})")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::SequenceBound::{Largest, Number};
    use super::*;

    #[test]
    fn star_is_the_largest_in_use() {
        let set = SequenceSet::new(vec![(Number(559), Largest)]).unwrap();
        // RFC 3501 §6.4.8: 559:* always includes the last message.
        assert_eq!(set.resolve(500).to_string(), "500:559");
        assert_eq!(set.resolve(600).to_string(), "559:600");
        assert!(set.resolve(0).is_empty());
        assert_eq!(SequenceSet::new(vec![(Largest, Largest)]).unwrap().resolve(4).to_string(), "4");
        assert_eq!(SequenceSet::new(vec![(Number(0), Largest)]), None);
        assert_eq!(SequenceSet::new(vec![]), None);
    }

    #[test]
    fn a_saved_result_stands_alone_or_beside_ranges() {
        let alone = SequenceSet::with_saved(vec![]).unwrap();
        assert!(alone.has_saved() && alone.resolve(9).is_empty() && alone.max_number().is_none());
        let beside = SequenceSet::with_saved(vec![(Number(2), Largest)]).unwrap();
        assert!(beside.has_saved() && beside.resolve(3).to_string() == "2:3");
        assert_eq!(SequenceSet::with_saved(vec![(Number(0), Largest)]), None);
    }

    #[test]
    fn ascending_is_as_written() {
        let set = |ranges: &[(u32, u32)]| {
            SequenceSet::new(ranges.iter().map(|(a, b)| (Number(*a), Number(*b))).collect()).unwrap()
        };
        assert!(set(&[(1, 1), (3, 7), (8, 8)]).is_ascending());
        assert!(!set(&[(3, 1)]).is_ascending() && !set(&[(1, 3), (3, 4)]).is_ascending());
        assert!(!SequenceSet::new(vec![(Number(1), Largest)]).unwrap().is_ascending());
    }

    #[test]
    fn rfc_example_of_overlapping_ranges() {
        // RFC 3501 §9: "3:5,4:4,2" style sets hold each number once.
        let set = SequenceSet::new(vec![(Number(5), Number(3)), (Number(4), Number(4)), (Number(2), Number(2))]);
        assert_eq!(set.unwrap().resolve(9).to_string(), "2:5");
    }

    proptest! {
        #[test]
        fn a_number_set_is_a_set(ranges in prop::collection::vec((1u32..60, 1u32..60), 0..8), probe in 1u32..70) {
            let model: BTreeSet<u32> = ranges.iter().flat_map(|&(a, b)| a.min(b)..=a.max(b)).collect();
            let set = NumberSet::from_ranges(ranges.iter().map(|&(a, b)| a.min(b)..=a.max(b)));
            prop_assert_eq!(set.iter().collect::<Vec<_>>(), model.iter().copied().collect::<Vec<_>>());
            prop_assert_eq!(set.contains(probe), model.contains(&probe));
            prop_assert_eq!(set.count(), model.len() as u64);
            prop_assert_eq!(&NumberSet::from_numbers(model.iter().rev().copied()), &set);
            prop_assert!(set.ranges().windows(2).all(|w| w[0].end() + 1 < *w[1].start()));
            let evens: Vec<u32> = (0..80).step_by(2).collect();
            let found: Vec<u32> = set.positions_in(&evens, |&n| n).map(|i| evens[i]).collect();
            prop_assert_eq!(found, model.iter().copied().filter(|n| n % 2 == 0).collect::<Vec<_>>());
        }

        #[test]
        fn differences_are_those_of_sets(
            a in prop::collection::btree_set(1u32..60, 0..30),
            b in prop::collection::btree_set(1u32..60, 0..30),
        ) {
            let (left, right) = (NumberSet::from_numbers(a.iter().copied()), NumberSet::from_numbers(b.iter().copied()));
            prop_assert_eq!(left.minus(&right), NumberSet::from_numbers(a.difference(&b).copied()));
            prop_assert_eq!(left.intersection(&right), NumberSet::from_numbers(a.intersection(&b).copied()));
            prop_assert_eq!(left.union(&right), NumberSet::from_numbers(&a | &b));
        }

        #[test]
        fn pushing_in_any_order_keeps_the_invariant(numbers in prop::collection::vec(1u32..40, 0..30)) {
            let mut set = NumberSet::empty();
            numbers.iter().for_each(|&n| set.push(n));
            prop_assert_eq!(set, NumberSet::from_numbers(numbers));
        }
    }
}
