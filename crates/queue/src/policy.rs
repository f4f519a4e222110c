//! When to try again (RFC 5321 §4.5.4.1): delays that grow, spread by chance, until the message is too old.

use std::collections::BTreeMap;
use std::time::Duration;

use mail::Timestamp;
use storage::rows::MailClass;

/// The retry schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// The delay after the first failed attempt, after the second, and so on; the last one repeats.
    pub delays: Vec<Duration>,
    /// A message older than this fails for good.
    pub age_max: Duration,
    /// After this age the sender hears that the message is late.
    pub delay_notice_after: Duration,
    /// How far chance moves a delay, in percent of it, either way. At most 50 is used.
    pub jitter_percent: u8,
}

impl Default for RetryPolicy {
    /// 1, 5, 15 and 30 minutes, 1 and 2 hours, then every 4 hours, for 5 days; a notice after 4 hours.
    fn default() -> Self {
        let minutes = |n: u64| Duration::from_secs(n * 60);
        Self {
            delays: [1, 5, 15, 30, 60, 120, 240].map(minutes).to_vec(),
            age_max: Duration::from_secs(5 * 86_400),
            delay_notice_after: minutes(240),
            jitter_percent: 10,
        }
    }
}

/// The schedules of all classes of mail.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schedules {
    /// Of those that have none of their own.
    pub usual: RetryPolicy,
    /// Of those that have.
    pub by_class: BTreeMap<MailClass, RetryPolicy>,
}

impl Schedules {
    /// The schedule of a class.
    #[must_use]
    pub fn of(&self, class: MailClass) -> &RetryPolicy {
        self.by_class.get(&class).unwrap_or(&self.usual)
    }

    /// Longer than any time that a schedule puts an entry off.
    #[must_use]
    pub fn longest_wait(&self) -> Duration {
        let all = self.by_class.values().chain([&self.usual]).flat_map(|policy| policy.delays.iter().copied());
        // Jitter adds half at the most.
        all.max().unwrap_or(DELAY_MIN).saturating_mul(2).max(Duration::from_secs(3_600))
    }
}

/// No schedule makes the gap between two attempts shorter than this.
const DELAY_MIN: Duration = Duration::from_secs(1);

impl RetryPolicy {
    /// The delay after so many failed attempts (1 and up), before chance moves it.
    #[must_use]
    pub fn delay(&self, attempts: u32) -> Duration {
        let step = usize::try_from(attempts.saturating_sub(1)).unwrap_or(usize::MAX);
        self.delays.get(step).or(self.delays.last()).copied().unwrap_or(DELAY_MIN).max(DELAY_MIN)
    }

    /// When to try next after so many failed attempts. `chance` is any random number.
    ///
    /// Never later than the moment at which the message gets too old, so that the last attempt is made then; and not
    /// later than the moment at which a notice of delay is due, when `notice_due` says that one will be.
    #[must_use]
    pub fn next_attempt(
        &self,
        attempts: u32,
        accepted_at: Timestamp,
        now: Timestamp,
        notice_due: bool,
        chance: u64,
    ) -> Timestamp {
        let mut next = now.plus(self.spread(self.delay(attempts), chance));
        if notice_due {
            next = cap(next, now, accepted_at.plus(self.delay_notice_after));
        }
        cap(next, now, accepted_at.plus(self.age_max))
    }

    /// Whether a message has reached the age at which it fails.
    #[must_use]
    pub fn is_too_old(&self, accepted_at: Timestamp, now: Timestamp) -> bool {
        now >= self.expires_at(accepted_at)
    }

    /// Whether a message has reached the age at which its sender hears of the delay.
    #[must_use]
    pub fn is_late(&self, accepted_at: Timestamp, now: Timestamp) -> bool {
        now >= accepted_at.plus(self.delay_notice_after)
    }

    /// When a message gets too old.
    #[must_use]
    pub fn expires_at(&self, accepted_at: Timestamp) -> Timestamp {
        accepted_at.plus(self.age_max)
    }

    /// Moves a delay by chance, within the jitter.
    fn spread(&self, delay: Duration, chance: u64) -> Duration {
        let millis =
            u64::try_from(delay.as_millis()).unwrap_or(u64::MAX) / 100 * u64::from(self.jitter_percent.min(50));
        let width = millis.saturating_mul(2).saturating_add(1);
        let moved = delay.saturating_sub(Duration::from_millis(millis)) + Duration::from_millis(chance % width);
        moved.max(DELAY_MIN)
    }
}

/// The earlier of two moments, as long as the bound still lies ahead.
fn cap(next: Timestamp, now: Timestamp, bound: Timestamp) -> Timestamp {
    if bound > now { next.min(bound) } else { next }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MINUTE: i64 = 60_000;

    #[test]
    fn delays_follow_the_table_and_the_last_repeats() {
        let policy = RetryPolicy::default();
        let minutes: Vec<u64> = (1..10).map(|n| policy.delay(n).as_secs() / 60).collect();
        assert_eq!(minutes, [1, 5, 15, 30, 60, 120, 240, 240, 240]);
        assert_eq!(policy.delay(0), policy.delay(1));
        assert_eq!(policy.delay(u32::MAX).as_secs(), 240 * 60);
    }

    #[test]
    fn the_last_attempt_is_made_when_the_age_is_reached() {
        let policy = RetryPolicy { jitter_percent: 0, ..RetryPolicy::default() };
        let almost = Timestamp(5 * 86_400_000 - 10 * MINUTE);
        assert_eq!(policy.next_attempt(40, Timestamp(0), almost, false, 7), Timestamp(5 * 86_400_000));
        assert!(policy.is_too_old(Timestamp(0), Timestamp(5 * 86_400_000)));
        assert!(!policy.is_too_old(Timestamp(0), almost));
    }

    #[test]
    fn a_notice_that_is_due_is_not_slept_over() {
        let policy = RetryPolicy { jitter_percent: 0, ..RetryPolicy::default() };
        let now = Timestamp(231 * MINUTE);
        assert_eq!(policy.next_attempt(7, Timestamp(0), now, true, 0), Timestamp(240 * MINUTE));
        assert_eq!(policy.next_attempt(7, Timestamp(0), now, false, 0), Timestamp(471 * MINUTE));
    }

    #[test]
    fn a_class_may_have_a_schedule_of_its_own() {
        let list = RetryPolicy { delays: vec![Duration::from_secs(7 * 3_600)], ..RetryPolicy::default() };
        let schedules = Schedules { by_class: [(MailClass::List, list.clone())].into(), ..Schedules::default() };
        assert_eq!(schedules.of(MailClass::List), &list);
        assert_eq!(schedules.of(MailClass::Person), &RetryPolicy::default());
        assert_eq!(schedules.longest_wait(), Duration::from_secs(14 * 3_600));
    }

    #[test]
    fn an_empty_table_still_waits() {
        let policy = RetryPolicy { delays: Vec::new(), ..RetryPolicy::default() };
        assert_eq!(policy.next_attempt(1, Timestamp(0), Timestamp(0), false, 9), Timestamp(1000));
    }

    proptest! {
        #[test]
        fn the_next_attempt_lies_ahead_and_is_bounded(
            attempts in 1_u32..1000, age in 0_i64..6 * 86_400_000, chance: u64, notice: bool,
        ) {
            let policy = RetryPolicy::default();
            let (accepted, now) = (Timestamp(1_000_000), Timestamp(1_000_000 + age));
            let next = policy.next_attempt(attempts, accepted, now, notice, chance);
            prop_assert!(next > now);
            prop_assert!(next <= now.plus(policy.delay(attempts).mul_f64(1.11)));
            if !policy.is_too_old(accepted, now) {
                prop_assert!(next <= policy.expires_at(accepted));
            }
            prop_assert!(policy.delay(attempts + 1) >= policy.delay(attempts));
        }
    }
}
