//! How fast a destination may be written to: what was learnt from those who could not be reached, and from those who asked
//! for less.
//!
//! A host that can't be reached is left alone for a while that doubles. One that defers by its own word (4xx to the greeting, MAIL,
//! DATA or the message, not to single recipients) gets half as many deliveries at a time, and a gap between two of them that
//! doubles; what it takes afterwards brings both back step by step.

use std::time::Duration;

use mail::{Reply, Timestamp};
use storage::rows::PaceRow;

use crate::limits::{
    GAP_FIRST, GAP_MAX, JUST_TAKEN, LEFT_ALONE_FIRST, LEFT_ALONE_MAX, PACE_REMEMBERED, SLOWED_AT_MOST_EVERY,
};

/// What an attempt tells of its destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// A host took what it was given.
    Up,
    /// A host defers for its own sake, not a recipient's.
    Busy(Reply),
    /// No host could be talked to; the reply that stands for it.
    Down(Reply),
    /// Nothing was learnt.
    Unknown,
}

/// The pace of one destination.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pace {
    row: PaceRow,
    /// Messages taken since the pace was changed last.
    taken: u32,
    last_begin: Option<Timestamp>,
    last_taken: Option<Timestamp>,
}

impl From<PaceRow> for Pace {
    fn from(row: PaceRow) -> Self {
        Self { row, ..Self::default() }
    }
}

impl Pace {
    /// The row to keep; `None`: as usual.
    #[must_use]
    pub fn row(&self) -> Option<&PaceRow> {
        (!self.is_usual()).then_some(&self.row)
    }

    fn is_usual(&self) -> bool {
        self.row.failures == 0 && self.row.at_a_time_max.is_none() && self.row.gap_millis == 0
    }

    /// Deliveries at a time, of so many usual ones: one alone while nobody knows whether the destination can be reached.
    #[must_use]
    pub fn at_a_time(&self, usual: usize) -> usize {
        let usual = usual.max(1);
        if self.row.failures > 0 {
            return 1;
        }
        let learnt = self.row.at_a_time_max.map_or(usual, |max| usize::try_from(max).unwrap_or(usual));
        learnt.clamp(1, usual)
    }

    /// The reply that stands for an attempt now, while the destination is left alone.
    #[must_use]
    pub fn left_alone(&self, now: Timestamp) -> Option<Reply> {
        let until = self.row.left_alone_until?;
        // A clock that was set back must not make the pause longer than it can be.
        let is_pause = now < until && until.since(now) <= LEFT_ALONE_MAX;
        if is_pause { self.row.said.clone() } else { None }
    }

    /// When the next delivery may begin. `gap_least` is what the settings ask for.
    #[must_use]
    pub fn next_begin(&self, gap_least: Duration, now: Timestamp) -> Timestamp {
        let gap = Duration::from_millis(self.row.gap_millis).max(gap_least);
        match self.last_begin {
            Some(last) if last <= now && !gap.is_zero() => last.plus(gap),
            Some(_) | None => now,
        }
    }

    /// A delivery begins.
    pub const fn begin(&mut self, now: Timestamp) {
        self.last_begin = Some(now);
    }

    /// Learns from an attempt, while so many others are in progress there, of so many usual ones. Whether the row has changed.
    pub fn learn(&mut self, health: &Health, others: usize, usual: usize, now: Timestamp) -> bool {
        match health {
            Health::Up => {
                self.last_taken = Some(now);
                self.up(usual, now)
            }
            // Who takes from others of our connections is not away, but has enough of them.
            Health::Down(reply) if others > 0 && self.row.failures == 0 && self.has_just_taken(now) => {
                self.slower(reply, others, now)
            }
            Health::Busy(reply) => self.slower(reply, others.saturating_add(1), now),
            Health::Down(reply) => {
                let doublings = self.row.failures.min(16);
                self.row.failures = self.row.failures.saturating_add(1);
                let span = LEFT_ALONE_FIRST.saturating_mul(1 << doublings).min(LEFT_ALONE_MAX);
                self.row.left_alone_until = Some(now.plus(span));
                self.said(reply, now);
                true
            }
            Health::Unknown => false,
        }
    }

    fn has_just_taken(&self, now: Timestamp) -> bool {
        self.last_taken.is_some_and(|at| at <= now && now.since(at) <= JUST_TAKEN)
    }

    fn up(&mut self, usual: usize, now: Timestamp) -> bool {
        if self.is_usual() {
            return false;
        }
        let was_away = self.row.failures > 0;
        self.row.failures = 0;
        self.row.left_alone_until = None;
        self.taken = self.taken.saturating_add(1);
        let at_a_time = self.at_a_time(usual);
        // As many as go at a time have gone well: a step back.
        let steps = usize::try_from(self.taken).unwrap_or(usize::MAX) >= at_a_time;
        if steps && (self.row.at_a_time_max.is_some() || self.row.gap_millis > 0) {
            self.taken = 0;
            let wider = at_a_time.saturating_add(1);
            self.row.at_a_time_max = (wider < usual.max(1)).then(|| u32::try_from(wider).unwrap_or(u32::MAX));
            let gap = self.row.gap_millis / 2;
            self.row.gap_millis = if Duration::from_millis(gap) < GAP_FIRST { 0 } else { gap };
            self.row.learnt_at = now;
        }
        if self.is_usual() {
            self.row = PaceRow::default();
        }
        was_away || steps
    }

    /// Half as many at a time, twice the gap; what several say at once counts once.
    fn slower(&mut self, reply: &Reply, at_a_time: usize, now: Timestamp) -> bool {
        let slowed = self.row.at_a_time_max.is_some() || self.row.gap_millis > 0;
        let learnt_at = self.row.learnt_at;
        if slowed && now >= learnt_at && now.since(learnt_at) < SLOWED_AT_MOST_EVERY {
            return false;
        }
        let known = self.row.at_a_time_max.map_or(at_a_time, |max| usize::try_from(max).unwrap_or(at_a_time));
        self.row.at_a_time_max = Some(u32::try_from(known.min(at_a_time) / 2).unwrap_or(u32::MAX).max(1));
        let gap = Duration::from_millis(self.row.gap_millis);
        let gap = gap.saturating_mul(2).clamp(GAP_FIRST, GAP_MAX);
        self.row.gap_millis = u64::try_from(gap.as_millis()).unwrap_or(u64::MAX);
        self.said(reply, now);
        true
    }

    fn said(&mut self, reply: &Reply, now: Timestamp) {
        self.taken = 0;
        self.row.said = Some(reply.clone());
        self.row.learnt_at = now;
    }

    /// When something was learnt last.
    #[must_use]
    pub const fn learnt_at(&self) -> Timestamp {
        self.row.learnt_at
    }

    /// Whether it is as usual, or what was learnt is so old that it says nothing any more.
    #[must_use]
    pub fn is_forgettable(&self, now: Timestamp) -> bool {
        let learnt_at = self.row.learnt_at.max(self.row.left_alone_until.unwrap_or(self.row.learnt_at));
        // Learnt in the future: the clock was set back.
        self.is_usual() || now >= learnt_at.plus(PACE_REMEMBERED) || self.row.learnt_at > now.plus(PACE_REMEMBERED)
    }
}

/// What a row says, for people: a part of the sentence why an entry waits. `None`: nothing that matters now.
#[must_use]
pub fn told(row: &PaceRow, now: Timestamp) -> Option<String> {
    let said = row.said.as_ref().map(|said| format!(" ({said})")).unwrap_or_default();
    if let Some(until) = row.left_alone_until.filter(|until| *until > now) {
        let until = until.for_people();
        return Some(format!("its destination can't be reached{said} and is left alone until {until}"));
    }
    let at_a_time = row.at_a_time_max?;
    let deliveries = if at_a_time == 1 { "one delivery".to_owned() } else { format!("{at_a_time} deliveries") };
    let gap = match row.gap_millis {
        0 => String::new(),
        millis => format!(", one every {} s", millis.div_ceil(1_000)),
    };
    Some(format!("its destination asked for patience{said} and gets {deliveries} at a time{gap}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn down() -> Health {
        Health::Down(Reply::plain(451, "away"))
    }

    fn busy() -> Health {
        Health::Busy(Reply::plain(421, "too many"))
    }

    fn second(n: i64) -> Timestamp {
        Timestamp(n * 1_000)
    }

    #[test]
    fn failures_double_the_pause_up_to_a_bound() {
        let mut pace = Pace::default();
        let mut now = Timestamp(0);
        let mut pauses = Vec::new();
        for _ in 0..6 {
            assert!(pace.learn(&down(), 0, 10, now));
            let mut pause = 0;
            while pace.left_alone(now).is_some() {
                now = now.plus(Duration::from_secs(1));
                pause += 1;
            }
            pauses.push(pause);
            assert_eq!(pace.at_a_time(10), 1);
        }
        assert_eq!(pauses, [30, 60, 120, 240, 300, 300]);
        assert!(!pace.learn(&Health::Unknown, 0, 10, now));
        assert!(pace.learn(&Health::Up, 0, 10, now));
        assert_eq!((pace.at_a_time(10), pace.left_alone(now), pace.row()), (10, None, None));
    }

    #[test]
    fn who_asks_for_patience_gets_less_and_later_more_again() {
        let mut pace = Pace::default();
        assert!(pace.learn(&busy(), 9, 10, second(0)));
        assert_eq!((pace.at_a_time(10), pace.row.gap_millis), (5, 1_000));
        assert!(!pace.learn(&busy(), 4, 10, second(1)), "said by another connection at the same time");
        assert!(pace.learn(&busy(), 4, 10, second(10)));
        assert_eq!((pace.at_a_time(10), pace.row.gap_millis), (2, 2_000));
        for n in 1..10 {
            pace.learn(&busy(), 1, 10, second(10 + 10 * n));
        }
        assert_eq!((pace.at_a_time(10), pace.row.gap_millis), (1, 60_000));
        let now = second(200);
        pace.begin(now);
        assert_eq!(pace.next_begin(Duration::ZERO, now), now.plus(Duration::from_secs(60)));
        let mut taken = 0;
        while pace.row().is_some() {
            pace.learn(&Health::Up, 0, 10, now);
            taken += 1;
        }
        assert_eq!(pace.at_a_time(10), 10);
        assert!((20..60).contains(&taken), "{taken} messages until all is as usual");
    }

    #[test]
    fn one_of_many_connections_that_is_refused_is_too_many_and_not_the_end() {
        let mut pace = Pace::default();
        pace.learn(&Health::Up, 5, 10, second(0));
        pace.learn(&down(), 4, 10, second(1));
        assert_eq!((pace.at_a_time(10), pace.left_alone(second(2))), (2, None));
        // With nothing taken for a while, all of them fail for another reason.
        let mut pace = Pace::default();
        pace.learn(&Health::Up, 5, 10, second(0));
        pace.learn(&down(), 4, 10, second(100));
        assert!(pace.left_alone(second(101)).is_some());
    }

    #[test]
    fn a_rate_of_the_settings_holds_with_nothing_learnt() {
        let mut pace = Pace::default();
        pace.begin(second(5));
        assert_eq!(pace.next_begin(Duration::from_secs(6), second(5)), second(11));
        assert_eq!(pace.next_begin(Duration::ZERO, second(5)), second(5));
        // The clock was set back: nobody waits for the time that was.
        assert_eq!(pace.next_begin(Duration::from_secs(6), second(1)), second(1));
    }

    #[test]
    fn what_was_learnt_is_forgotten_and_a_clock_set_back_prolongs_no_pause() {
        let mut pace = Pace::default();
        pace.learn(&down(), 0, 10, second(100_000));
        assert!(!pace.is_forgettable(second(100_060)));
        assert!(pace.is_forgettable(second(104_000)));
        assert_eq!(pace.left_alone(second(50_000)), None);
        assert!(pace.is_forgettable(second(50_000)));
    }

    #[test]
    fn people_are_told_why() {
        let mut pace = Pace::default();
        pace.learn(&busy(), 3, 10, second(0));
        let text = told(pace.row().unwrap(), second(1)).unwrap();
        assert_eq!(
            text,
            "its destination asked for patience (421 too many) and gets 2 deliveries at a time, one every 1 s"
        );
        pace.learn(&down(), 0, 10, second(10));
        assert!(
            told(pace.row().unwrap(), second(11))
                .unwrap()
                .starts_with("its destination can't be reached (451 away) and is")
        );
    }

    proptest! {
        #[test]
        fn the_pace_stays_in_its_bounds(steps in prop::collection::vec((0_u8..4, 0_usize..12, 0_i64..100), 0..200)) {
            let mut pace = Pace::default();
            let mut now = Timestamp(0);
            for (kind, others, secs) in steps {
                now = now.plus(Duration::from_secs(secs.unsigned_abs()));
                let health = [Health::Up, Health::Unknown, busy(), down()][usize::from(kind)].clone();
                pace.learn(&health, others, 10, now);
                prop_assert!((1..=10).contains(&pace.at_a_time(10)));
                prop_assert!(pace.row.gap_millis <= 60_000);
                pace.begin(now);
                prop_assert!(pace.next_begin(Duration::ZERO, now) <= now.plus(GAP_MAX));
                let kept = pace.row().cloned().map(Pace::from).unwrap_or_default();
                prop_assert_eq!(kept.at_a_time(10), pace.at_a_time(10));
            }
        }
    }
}
