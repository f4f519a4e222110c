//! Sequence number ↔ UID, in runs: a mailbox that never lost a message is one run, whatever its size.
//!
//! RFC 3501 §2.3.1. Invariant: UIDs and sequence numbers both ascend; sequence numbers have no gaps; runs are not adjacent.

use std::ops::RangeInclusive;

use imap_wire::NumberSet;
use mail::{SequenceNumber, Uid};

/// The messages of a mailbox as one session counts them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct UidMap {
    runs: Vec<Run>,
    messages: u32,
}

/// Messages with consecutive UIDs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    uid: u32,
    /// The sequence number of its first message. The run ends where the next one begins.
    sequence: u32,
}

impl UidMap {
    /// How many messages there are: the number of EXISTS.
    pub(crate) const fn messages(&self) -> u32 {
        self.messages
    }

    /// The largest UID; 0 when there is no message.
    pub(crate) fn max_uid(&self) -> u32 {
        self.uid_of(SequenceNumber(self.messages)).map_or(0, |uid| uid.0)
    }

    /// The UID of a sequence number.
    pub(crate) fn uid_of(&self, number: SequenceNumber) -> Option<Uid> {
        if number.0 == 0 || number.0 > self.messages {
            return None;
        }
        let at = self.runs.partition_point(|run| run.sequence <= number.0).checked_sub(1)?;
        let run = self.runs.get(at)?;
        run.uid.checked_add(number.0.checked_sub(run.sequence)?).map(Uid)
    }

    /// The sequence number of a UID, when that message is there.
    pub(crate) fn sequence_of(&self, uid: Uid) -> Option<SequenceNumber> {
        let at = self.runs.partition_point(|run| run.uid <= uid.0).checked_sub(1)?;
        let run = self.runs.get(at)?;
        let offset = uid.0.checked_sub(run.uid)?;
        let end = self.runs.get(at + 1).map_or(self.messages + 1, |next| next.sequence);
        let number = run.sequence.checked_add(offset)?;
        (number < end).then_some(SequenceNumber(number))
    }

    /// Whether the message is there.
    pub(crate) fn contains(&self, uid: Uid) -> bool {
        self.sequence_of(uid).is_some()
    }

    /// How many messages have this UID or a larger one.
    pub(crate) fn count_from(&self, uid: Uid) -> u32 {
        let at = self.runs.partition_point(|run| run.uid <= uid.0);
        let end_of = |at: usize| self.runs.get(at).map_or(self.messages + 1, |next| next.sequence);
        let Some(before) = at.checked_sub(1).and_then(|at| self.runs.get(at)) else { return self.messages };
        let below = before.sequence.saturating_add(uid.0.saturating_sub(before.uid)).min(end_of(at));
        (self.messages + 1).saturating_sub(below)
    }

    /// So many messages with consecutive UIDs.
    pub(crate) fn whole(first: Uid, messages: u32) -> Self {
        let mut map = Self::default();
        if let Some(more) = messages.checked_sub(1) {
            map.push_range(first.0, first.0.saturating_add(more));
        }
        map
    }

    /// Adds a message behind all others; one that is not behind them is there already and changes nothing.
    pub(crate) fn push(&mut self, uid: Uid) {
        self.push_range(uid.0, uid.0);
    }

    fn push_range(&mut self, first: u32, last: u32) {
        let max = self.max_uid();
        if first > last || first <= max {
            return;
        }
        if self.messages == 0 || first != max + 1 {
            self.runs.push(Run { uid: first, sequence: self.messages + 1 });
        }
        // UIDs are 32-bit and distinct, so there can't be more messages than 32 bits count.
        self.messages = self.messages.saturating_add(last - first + 1);
    }

    /// The UIDs, in ranges.
    pub(crate) fn uid_ranges(&self) -> impl Iterator<Item = RangeInclusive<u32>> + '_ {
        self.runs.iter().enumerate().map(|(at, run)| {
            let end = self.runs.get(at + 1).map_or(self.messages + 1, |next| next.sequence);
            run.uid..=run.uid.saturating_add(end.saturating_sub(run.sequence).saturating_sub(1))
        })
    }

    /// The map without some messages. Costs what its runs cost, not what its messages would.
    pub(crate) fn without(&self, gone: &NumberSet) -> Self {
        let mut kept = Self::default();
        let mut holes = gone.ranges().iter().peekable();
        for range in self.uid_ranges() {
            let (mut start, end) = (Some(*range.start()), *range.end());
            while let (Some(from), Some(hole)) = (start, holes.peek()) {
                if *hole.end() < from {
                    holes.next();
                    continue;
                }
                if *hole.start() > end {
                    break;
                }
                if *hole.start() > from {
                    kept.push_range(from, *hole.start() - 1);
                }
                start = hole.end().checked_add(1).filter(|next| *next <= end);
                if start.is_some() {
                    holes.next();
                }
            }
            if let Some(from) = start {
                kept.push_range(from, end);
            }
        }
        kept
    }

    /// UID ranges that hold exactly the messages with these sequence numbers, as many ranges as were given. UIDs that
    /// lie between two messages of a range belong to no message.
    pub(crate) fn uids_of(&self, numbers: &NumberSet) -> NumberSet {
        NumberSet::from_ranges(numbers.ranges().iter().filter_map(|range| {
            let first = self.uid_of(SequenceNumber(*range.start()))?;
            let last = self.uid_of(SequenceNumber((*range.end()).min(self.messages)))?;
            Some(first.0..=last.0)
        }))
    }

    /// The UIDs among `uids` that belong to a message, in order.
    pub(crate) fn existing<'a>(&'a self, uids: &'a NumberSet) -> impl Iterator<Item = Uid> + 'a {
        uids.ranges()
            .iter()
            .flat_map(move |wanted| {
                let at = self.runs.partition_point(|run| run.uid <= *wanted.start()).saturating_sub(1);
                let runs = self.runs.get(at..).unwrap_or_default();
                runs.iter().enumerate().map_while(move |(n, run)| {
                    if run.uid > *wanted.end() {
                        return None;
                    }
                    let end = self.runs.get(at + n + 1).map_or(self.messages + 1, |next| next.sequence);
                    let last = run.uid.saturating_add(end.saturating_sub(run.sequence).saturating_sub(1));
                    Some(run.uid.max(*wanted.start())..=last.min(*wanted.end()))
                })
            })
            .flatten()
            .map(Uid)
    }
}

impl FromIterator<Uid> for UidMap {
    /// From ascending UIDs.
    fn from_iter<I: IntoIterator<Item = Uid>>(uids: I) -> Self {
        let mut map = Self::default();
        uids.into_iter().for_each(|uid| map.push(uid));
        map
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// The map against the plain list that it stands for.
        #[test]
        fn a_map_is_a_sorted_list(
            uids in prop::collection::btree_set(1u32..200, 0..80),
            gone in prop::collection::btree_set(1u32..200, 0..80),
            probe in 0u32..210,
        ) {
            let list: Vec<u32> = uids.iter().copied().collect();
            let map: UidMap = list.iter().copied().map(Uid).collect();
            prop_assert_eq!(map.messages() as usize, list.len());
            prop_assert_eq!(map.max_uid(), list.last().copied().unwrap_or(0));
            prop_assert_eq!(map.uid_of(SequenceNumber(probe)).map(|u| u.0), (probe as usize).checked_sub(1).and_then(|n| list.get(n).copied()));
            prop_assert_eq!(map.sequence_of(Uid(probe)).map(|n| n.0 as usize - 1), list.iter().position(|u| *u == probe));
            prop_assert_eq!(map.count_from(Uid(probe)) as usize, list.iter().filter(|u| **u >= probe).count());
            let holes = NumberSet::from_numbers(gone.iter().copied());
            let left: UidMap = uids.difference(&gone).copied().map(Uid).collect();
            prop_assert_eq!(map.without(&holes), left);
            let existing: BTreeSet<u32> = map.existing(&holes).map(|u| u.0).collect();
            prop_assert_eq!(existing, uids.intersection(&gone).copied().collect::<BTreeSet<_>>());
            let by_number: Vec<u32> = map.existing(&map.uids_of(&holes)).map(|u| u.0).collect();
            let expected: Vec<u32> = gone.iter().filter_map(|n| list.get(*n as usize - 1).copied()).collect();
            prop_assert_eq!(by_number, expected);
        }
    }

    #[test]
    fn a_hundred_thousand_messages_are_one_run() {
        let map: UidMap = (1..=100_000).map(Uid).collect();
        assert_eq!(map.runs.len(), 1);
        assert_eq!(map, UidMap::whole(Uid(1), 100_000));
        assert_eq!(UidMap::whole(Uid(5), 0), UidMap::default());
        assert_eq!(map.without(&NumberSet::from_numbers([500])).runs.len(), 2);
    }

    #[test]
    fn the_largest_uid_is_no_trap() {
        let map: UidMap = [1, u32::MAX].map(Uid).into_iter().collect();
        assert_eq!(map.sequence_of(Uid(u32::MAX)), Some(SequenceNumber(2)));
        assert_eq!(map.without(&NumberSet::from_numbers([u32::MAX])).messages(), 1);
        assert_eq!(map.existing(&NumberSet::from_ranges([1..=u32::MAX])).count(), 2);
    }
}
