//! What is to be kept over a restart, and is not yet: of each place and network the newest.
//!
//! Bounded, also while nothing can be written for long: when there is too much of it, all that is remembered is to be written anew.

use std::collections::BTreeMap;

use mail::Prefix;

use crate::bans::Ban;
use crate::limits::CHANGES_MAX;

/// One thing to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A ban is new, or another one than before.
    Banned(Ban),
    /// There is none any more, nor the memory of one.
    Gone(Prefix),
}

/// What is to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changes {
    by_prefix: BTreeMap<Prefix, Option<Ban>>,
    everything: bool,
    most: usize,
}

impl Default for Changes {
    fn default() -> Self {
        Self::bounded(CHANGES_MAX)
    }
}

impl Changes {
    /// So many at the most.
    #[must_use]
    pub const fn bounded(most: usize) -> Self {
        Self { by_prefix: BTreeMap::new(), everything: false, most }
    }

    /// There is this ban of a place or network now; `None`: none any more.
    pub(crate) fn note(&mut self, prefix: Prefix, ban: Option<Ban>) {
        if self.everything {
            return;
        }
        if self.by_prefix.len() >= self.most && !self.by_prefix.contains_key(&prefix) {
            self.everything = true;
            self.by_prefix.clear();
            return;
        }
        self.by_prefix.insert(prefix, ban);
    }

    /// What came later.
    pub fn add(&mut self, later: Self) {
        if later.everything {
            self.everything = true;
            self.by_prefix.clear();
        }
        for (prefix, ban) in later.by_prefix {
            self.note(prefix, ban);
        }
    }

    /// Whether there is nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_prefix.is_empty() && !self.everything
    }

    /// Whether there were too many: all that is remembered takes the place of all that was kept ([`crate::Door::remembered`]).
    #[must_use]
    pub const fn is_everything(&self) -> bool {
        self.everything
    }

    /// Each of them; none when it is everything.
    pub fn iter(&self) -> impl Iterator<Item = Change> {
        let change = |(prefix, ban): (&Prefix, &Option<Ban>)| ban.clone().map_or(Change::Gone(*prefix), Change::Banned);
        self.by_prefix.iter().map(change)
    }
}

#[cfg(test)]
mod tests {
    use mail::Timestamp;
    use proptest::prelude::*;

    use super::*;
    use crate::bans::Cause;

    fn prefix(n: u8) -> Prefix {
        Prefix::place([192, 0, 2, n].into())
    }

    fn ban(n: u8, times: u32) -> Ban {
        let (cause, since) = (Cause::FailedLogins, Timestamp(5));
        Ban { prefix: prefix(n), cause, why: "20 failed logins in an hour".to_owned(), since, until: None, times }
    }

    #[test]
    fn the_newest_of_each_place_is_kept_and_too_many_are_everything() {
        let mut changes = Changes::bounded(2);
        changes.note(prefix(1), Some(ban(1, 1)));
        changes.note(prefix(2), Some(ban(2, 1)));
        changes.note(prefix(1), None);
        changes.note(prefix(2), Some(ban(2, 2)));
        assert_eq!(changes.iter().collect::<Vec<_>>(), [Change::Gone(prefix(1)), Change::Banned(ban(2, 2))]);
        let mut later = Changes::bounded(2);
        later.note(prefix(1), Some(ban(1, 3)));
        changes.add(later.clone());
        assert_eq!(changes.iter().next(), Some(Change::Banned(ban(1, 3))));
        changes.note(prefix(3), None);
        assert!(changes.is_everything() && !changes.is_empty() && changes.iter().next().is_none());
        changes.note(prefix(4), None);
        assert!(changes.by_prefix.is_empty(), "nothing more is noted");
        later.add(changes);
        assert!(later.is_everything());
    }

    proptest! {
        #[test]
        fn whatever_is_noted_there_is_a_bound(all in prop::collection::vec((any::<u8>(), any::<bool>()), 0..300), most in 1_usize..40) {
            let mut changes = Changes::bounded(most);
            let mut newest = BTreeMap::new();
            for (n, banned) in all {
                let ban = banned.then(|| ban(n, 1));
                changes.note(prefix(n), ban.clone());
                newest.insert(prefix(n), ban);
                prop_assert!(changes.by_prefix.len() <= most);
            }
            prop_assert_eq!(changes.is_everything(), newest.len() > most);
            if !changes.is_everything() {
                prop_assert_eq!(changes.by_prefix, newest);
            }
        }
    }
}
