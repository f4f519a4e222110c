//! The tarpit: whoever guesses waits for each answer, longer each time.

use std::time::Duration;

use crate::limits::{FAILURES_WITHOUT_WAIT, FIRST_WAIT};

/// How long the answer to the `failures`th failure of a place within an hour waits: nothing at first, then twice as long each time, up to
/// `most`.
#[must_use]
pub fn tarpit_wait(failures: u32, most: Duration) -> Duration {
    let Some(power) = failures.checked_sub(FAILURES_WITHOUT_WAIT.saturating_add(1)) else { return Duration::ZERO };
    let times = 1_u32.checked_shl(power.min(31)).unwrap_or(u32::MAX);
    FIRST_WAIT.saturating_mul(times).min(most)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn waits_grow_and_have_an_end() {
        let waits = (0..13).map(|failures| tarpit_wait(failures, Duration::from_secs(10)).as_millis());
        assert_eq!(waits.collect::<Vec<_>>(), [0, 0, 0, 0, 0, 500, 1000, 2000, 4000, 8000, 10_000, 10_000, 10_000]);
    }

    proptest! {
        #[test]
        fn more_failures_never_wait_less_and_none_more_than_the_most(failures: u32, secs in 0_u64..100) {
            let most = Duration::from_secs(secs);
            let wait = tarpit_wait(failures, most);
            prop_assert!(wait <= most);
            prop_assert!(tarpit_wait(failures.saturating_add(1), most) >= wait);
        }
    }
}
