//! A set of UIDs as ranges: what somebody has read is mostly "all up to here".

use mail::Uid;
use serde::{Deserialize, Serialize};

/// A set of UIDs. Invariant: ranges are in order, not empty, and do not touch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UidRanges(Vec<(u32, u32)>);

impl UidRanges {
    /// Whether a UID is in it.
    #[must_use]
    pub fn contains(&self, uid: Uid) -> bool {
        self.place(uid.0).is_ok()
    }

    /// How many UIDs there are.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.0
            .iter()
            .fold(0, |sum: u32, (first, last)| sum.saturating_add(last.saturating_sub(*first)).saturating_add(1))
    }

    /// How many ranges they make.
    #[must_use]
    pub fn ranges(&self) -> usize {
        self.0.len()
    }

    /// The UIDs, in order.
    pub fn iter(&self) -> impl Iterator<Item = Uid> + '_ {
        self.0.iter().flat_map(|(first, last)| (*first..=*last).map(Uid))
    }

    /// Adds a UID; `false` when it was there.
    pub fn insert(&mut self, uid: Uid) -> bool {
        let Err(at) = self.place(uid.0) else { return false };
        let joins_left =
            at.checked_sub(1).and_then(|left| self.0.get(left)).is_some_and(|(_, last)| *last + 1 == uid.0);
        let joins_right = self.0.get(at).is_some_and(|(first, _)| uid.0.checked_add(1) == Some(*first));
        match (joins_left, joins_right) {
            (true, true) => {
                let (_, last) = self.0.remove(at);
                if let Some(left) = self.0.get_mut(at - 1) {
                    left.1 = last;
                }
            }
            (true, false) => self.0.get_mut(at - 1).into_iter().for_each(|left| left.1 = uid.0),
            (false, true) => self.0.get_mut(at).into_iter().for_each(|right| right.0 = uid.0),
            (false, false) => self.0.insert(at, (uid.0, uid.0)),
        }
        true
    }

    /// Takes a UID away; `false` when it was not there.
    pub fn remove(&mut self, uid: Uid) -> bool {
        let Ok(at) = self.place(uid.0) else { return false };
        let Some(range) = self.0.get_mut(at) else { return false };
        match (range.0 == uid.0, range.1 == uid.0) {
            (true, true) => {
                self.0.remove(at);
            }
            (true, false) => range.0 += 1,
            (false, true) => range.1 -= 1,
            (false, false) => {
                let rest = (uid.0 + 1, range.1);
                range.1 = uid.0 - 1;
                self.0.insert(at + 1, rest);
            }
        }
        true
    }

    /// Whether the ranges are as they must be.
    pub(crate) fn is_sound(&self) -> bool {
        let apart = |pair: &[(u32, u32)]| matches!(pair, [(_, a), (b, _)] if a.checked_add(1).is_some_and(|a| a < *b));
        self.0.iter().all(|(first, last)| *first > 0 && first <= last) && self.0.windows(2).all(apart)
    }

    /// The range that holds a number, or where one would be put in.
    fn place(&self, uid: u32) -> Result<usize, usize> {
        let at = self.0.partition_point(|(_, last)| *last < uid);
        match self.0.get(at) {
            Some((first, _)) if *first <= uid => Ok(at),
            _ => Err(at),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_set(steps in prop::collection::vec((any::<bool>(), 1u32..40), 0..120)) {
            let (mut ranges, mut model) = (UidRanges::default(), BTreeSet::new());
            for (add, uid) in steps {
                if add {
                    prop_assert_eq!(ranges.insert(Uid(uid)), model.insert(Uid(uid)));
                } else {
                    prop_assert_eq!(ranges.remove(Uid(uid)), model.remove(&Uid(uid)));
                }
                prop_assert!(ranges.is_sound(), "{:?}", ranges);
                prop_assert_eq!(ranges.iter().collect::<BTreeSet<_>>(), model.clone());
                prop_assert_eq!(ranges.count() as usize, model.len());
                prop_assert!((0..41).all(|uid| ranges.contains(Uid(uid)) == model.contains(&Uid(uid))));
            }
        }
    }

    #[test]
    fn the_largest_uid_is_one_like_others() {
        let mut ranges = UidRanges::default();
        assert!(ranges.insert(Uid(u32::MAX)) && ranges.insert(Uid(u32::MAX - 1)) && ranges.remove(Uid(u32::MAX)));
        assert!(ranges.is_sound() && ranges.contains(Uid(u32::MAX - 1)));
    }
}
