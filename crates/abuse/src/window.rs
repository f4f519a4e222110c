//! A count over the time that has just passed: the window is cut into slots, of which the oldest falls out.

use std::time::Duration;

use mail::Timestamp;

/// Slots of a window: what was counted falls out when between five sixths of the window and the whole of it have passed.
pub(crate) const SLOTS: usize = 6;

/// What was counted in each slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Window {
    /// By the number of the slot, modulo [`SLOTS`].
    counts: [u32; SLOTS],
    /// The newest slot.
    newest: i64,
}

/// The number of the slot that a time is in.
pub(crate) fn slot(now: Timestamp, window: Duration) -> i64 {
    let width = i64::try_from(window.as_millis()).unwrap_or(i64::MAX).checked_div(SLOTS_I64).unwrap_or(1).max(1);
    now.0.div_euclid(width)
}

const SLOTS_I64: i64 = 6;

impl Window {
    /// Counts so many more, and returns how many there are now.
    pub(crate) fn add(&mut self, more: u32, now: Timestamp, window: Duration) -> u32 {
        self.turn(slot(now, window));
        let newest = index(self.newest);
        if let Some(count) = self.counts.get_mut(newest) {
            *count = count.saturating_add(more);
        }
        self.sum()
    }

    /// How many there are.
    pub(crate) fn count(&self, now: Timestamp, window: Duration) -> u32 {
        let mut turned = *self;
        turned.turn(slot(now, window));
        turned.sum()
    }

    /// Empties the slots that have fallen out. A clock that was set back a little counts into the newest slot; one that was set back by
    /// more than the window begins anew.
    fn turn(&mut self, now: i64) {
        let passed = now.saturating_sub(self.newest);
        if passed >= SLOTS_I64 || passed <= -SLOTS_I64 {
            *self = Self { counts: [0; SLOTS], newest: now };
            return;
        }
        for _ in 0..passed {
            self.newest = self.newest.saturating_add(1);
            if let Some(count) = self.counts.get_mut(index(self.newest)) {
                *count = 0;
            }
        }
    }

    fn sum(&self) -> u32 {
        self.counts.iter().fold(0, |sum: u32, count| sum.saturating_add(*count))
    }
}

fn index(slot: i64) -> usize {
    usize::try_from(slot.rem_euclid(SLOTS_I64)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    #[test]
    fn what_is_older_than_the_window_falls_out() {
        let mut window = Window::default();
        assert_eq!(window.add(3, at(6_000), MINUTE), 3);
        assert_eq!(window.add(2, at(6_025), MINUTE), 5);
        assert_eq!(window.count(at(6_059), MINUTE), 5);
        assert_eq!(window.count(at(6_060), MINUTE), 2);
        assert_eq!(window.count(at(6_080), MINUTE), 0);
        assert_eq!(window.add(1, at(9_000), MINUTE), 1);
    }

    #[test]
    fn a_clock_that_is_set_back_makes_nothing_of_it() {
        let mut window = Window::default();
        window.add(4, at(6_000), MINUTE);
        assert_eq!(window.add(1, at(5_980), MINUTE), 5, "a little");
        assert_eq!(window.count(at(3_000), MINUTE), 0, "much");
        assert_eq!(window.add(1, at(3_000), MINUTE), 1);
        assert_eq!(window.add(u32::MAX, at(3_000), MINUTE), u32::MAX);
        assert_eq!(Window::default().count(Timestamp(i64::MIN), MINUTE), 0);
    }
}
