//! What is due for destinations that have no room for it: looks at the queue pass over it unread, and it is taken from here when there
//! is room.
//!
//! Pure. Invariant: an entry waits for one destination, and none that is here is claimed.

use std::collections::{HashMap, VecDeque};

use mail::{QueueId, Timestamp};

/// One entry of the queue that waits for room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Waiting {
    pub(crate) id: QueueId,
    /// Its place in the schedule: one that has another now was moved since.
    pub(crate) at: Timestamp,
    pub(crate) priority: i8,
    /// It goes even when its destination is left alone: somebody asked for this attempt ([`queue::is_wanted_at_once`]), or there is more to
    /// say of it than that it is put off.
    pub(crate) is_wanted: bool,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Backlog {
    entries_max: usize,
    /// By what tells routes apart ([`queue::Choice::key`]); of each those first that are wanted, then the higher priorities (RFC 6710
    /// §5), equals as they came. What was moved, or has gone elsewhere, stays behind until it would be taken.
    waiting: HashMap<String, VecDeque<Waiting>>,
    /// What waits, and the places by which it does.
    ids: HashMap<QueueId, Timestamp>,
    /// The destinations, in the order of their turns.
    turns: VecDeque<String>,
}

impl Backlog {
    /// One that holds so many entries at the most.
    pub(crate) fn new(entries_max: usize) -> Self {
        Self { entries_max, waiting: HashMap::new(), ids: HashMap::new(), turns: VecDeque::new() }
    }

    /// How many entries wait.
    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether the entry waits here, by this place.
    pub(crate) fn contains(&self, id: QueueId, at: Timestamp) -> bool {
        self.ids.get(&id) == Some(&at)
    }

    /// Forgets an entry.
    pub(crate) fn forget(&mut self, id: QueueId) {
        self.ids.remove(&id);
    }

    /// Whether anything waits for the destination.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.waiting.contains_key(key)
    }

    /// Takes an entry up. `false`: there is no room, for each destination may have as much as is free and not more, so that there is
    /// always some for another one.
    pub(crate) fn add(&mut self, key: &str, entry: Waiting) -> bool {
        let free = self.entries_max.saturating_sub(self.ids.len());
        let queue = match self.waiting.get_mut(key) {
            Some(queue) => queue,
            None if free == 0 => return false,
            None => {
                self.turns.push_back(key.to_owned());
                self.waiting.entry(key.to_owned()).or_default()
            }
        };
        if queue.len() >= free {
            return false;
        }
        if self.ids.insert(entry.id, entry.at) != Some(entry.at) {
            let rank = |one: &Waiting| (one.is_wanted, one.priority);
            let at = queue.partition_point(|earlier| rank(earlier) >= rank(&entry));
            queue.insert(at, entry);
        }
        true
    }

    /// The next entry that may be taken, each destination in its turn.
    pub(crate) fn take(&mut self, may: impl Fn(&str, Waiting) -> bool) -> Option<(String, Waiting)> {
        for _ in 0..self.turns.len() {
            let key = self.turns.pop_front()?;
            let Some(queue) = self.waiting.get_mut(&key) else { continue };
            while queue.front().is_some_and(|first| self.ids.get(&first.id) != Some(&first.at)) {
                queue.pop_front();
            }
            let taken = queue.front().copied().filter(|first| may(&key, *first));
            if taken.is_some() {
                queue.pop_front();
            }
            if queue.is_empty() {
                self.waiting.remove(&key);
            } else {
                self.turns.push_back(key.clone());
            }
            if let Some(taken) = taken {
                self.ids.remove(&taken.id);
                return Some((key, taken));
            }
        }
        None
    }

    /// Takes the first entries of a destination that nobody has asked for, so many at the most.
    pub(crate) fn take_unwanted(&mut self, key: &str, entries_max: usize) -> Vec<QueueId> {
        let Some(queue) = self.waiting.get_mut(key) else { return Vec::new() };
        let (mut taken, mut left) = (Vec::new(), VecDeque::new());
        for entry in std::mem::take(queue) {
            if self.ids.get(&entry.id) != Some(&entry.at) {
                continue;
            }
            if entry.is_wanted || taken.len() >= entries_max {
                left.push_back(entry);
            } else {
                taken.push(entry.id);
            }
        }
        *queue = left;
        if queue.is_empty() {
            self.waiting.remove(key);
            self.turns.retain(|turn| turn != key);
        }
        for id in &taken {
            self.ids.remove(id);
        }
        taken
    }

    /// The destinations for which something waits.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        self.waiting.keys().map(String::as_str)
    }

    /// Forgets all.
    pub(crate) fn clear(&mut self) {
        *self = Self::new(self.entries_max);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: u64, priority: i8) -> Waiting {
        Waiting { id: QueueId(id), at: Timestamp(7), priority, is_wanted: false }
    }

    fn taken(backlog: &mut Backlog, may: impl Fn(&str, Waiting) -> bool) -> Vec<(String, u64)> {
        std::iter::from_fn(|| backlog.take(&may)).map(|(key, entry)| (key, entry.id.0)).collect()
    }

    fn named(expected: &[(&str, u64)]) -> Vec<(String, u64)> {
        expected.iter().map(|(key, id)| ((*key).to_owned(), *id)).collect()
    }

    #[test]
    fn each_destination_in_its_turn_and_of_each_the_higher_priority_first() {
        let mut backlog = Backlog::new(100);
        for (key, id, priority) in [("a", 1, 0), ("a", 2, 0), ("a", 3, 4), ("b", 4, 0), ("c", 5, 0), ("b", 6, 0)] {
            assert!(backlog.add(key, entry(id, priority)));
        }
        assert_eq!(
            taken(&mut backlog, |key, _| key != "c"),
            named(&[("a", 3), ("b", 4), ("a", 1), ("b", 6), ("a", 2)])
        );
        assert!(
            backlog.has("c")
                && !backlog.has("a")
                && backlog.contains(QueueId(5), Timestamp(7))
                && !backlog.contains(QueueId(1), Timestamp(7))
        );
        assert_eq!(taken(&mut backlog, |_, _| true), named(&[("c", 5)]));
        assert_eq!((backlog.len(), backlog.keys().count()), (0, 0));
        assert!(backlog.add("a", entry(1, 0)), "what was taken may come again");
    }

    #[test]
    fn there_is_always_room_for_another_destination() {
        let mut backlog = Backlog::new(100);
        let took = |backlog: &mut Backlog, key: &str, first: u64| {
            (first..first + 100).filter(|id| backlog.add(key, entry(*id, 0))).count()
        };
        assert_eq!(took(&mut backlog, "a", 0), 50);
        assert_eq!(took(&mut backlog, "b", 1_000), 25);
        assert_eq!(took(&mut backlog, "c", 2_000), 13);
        let others: usize = (0..20).map(|other| took(&mut backlog, &format!("d{other}"), 3_000 + other * 100)).sum();
        assert_eq!((others, backlog.len()), (12, 100));
        assert!(!backlog.add("e", entry(9_000, 0)) && !backlog.has("e"));
    }

    #[test]
    fn an_entry_waits_once() {
        let mut backlog = Backlog::new(100);
        assert!(backlog.add("a", entry(1, 0)) && backlog.add("a", entry(1, 0)));
        assert_eq!((backlog.len(), taken(&mut backlog, |_, _| true)), (1, named(&[("a", 1)])));
    }

    #[test]
    fn what_was_moved_waits_by_its_new_place_alone() {
        let mut backlog = Backlog::new(100);
        for id in 0..4 {
            backlog.add("a", entry(id, 0));
        }
        assert!(!backlog.contains(QueueId(2), Timestamp(1)), "it is to be read again");
        backlog.add("a", Waiting { at: Timestamp(1), is_wanted: true, ..entry(2, 0) });
        assert!(backlog.contains(QueueId(2), Timestamp(1)) && !backlog.contains(QueueId(2), Timestamp(7)));
        backlog.add("b", Waiting { at: Timestamp(2), ..entry(3, 0) });
        backlog.forget(QueueId(0));
        assert_eq!(taken(&mut backlog, |key, _| key == "a"), named(&[("a", 2), ("a", 1)]), "what is wanted goes first");
        assert_eq!(taken(&mut backlog, |_, _| true), named(&[("b", 3)]));
        assert_eq!((backlog.len(), backlog.keys().count()), (0, 0));
    }

    #[test]
    fn what_somebody_asked_for_is_not_put_off() {
        let mut backlog = Backlog::new(100);
        for id in 0..6 {
            backlog.add("a", Waiting { is_wanted: id % 3 == 0, ..entry(id, 0) });
        }
        assert_eq!(backlog.take_unwanted("a", 3), [1, 2, 4].map(QueueId));
        assert_eq!(backlog.take_unwanted("a", 3), [QueueId(5)]);
        assert_eq!(backlog.take_unwanted("a", 3), []);
        assert_eq!(backlog.take_unwanted("b", 3), []);
        assert_eq!(taken(&mut backlog, |_, entry| entry.is_wanted), named(&[("a", 0), ("a", 3)]));
        backlog.add("a", entry(7, 0));
        assert_eq!(backlog.take_unwanted("a", 3), [QueueId(7)]);
        backlog.add("a", entry(8, 0));
        assert_eq!(taken(&mut backlog, |_, _| true), named(&[("a", 8)]), "one turn for each destination");
    }
}
