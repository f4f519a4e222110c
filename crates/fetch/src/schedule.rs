//! When an external account is looked at next. Pure.

use std::time::Duration;

use mail::Timestamp;
use routing::objects::{AfterFetch, ExternalAccountObject};
use storage::fetch::FetchStatus;

use crate::limits::{BACK_OFF_MAX, CONTENT_KEEP};

/// The moment of the next look; `least` is the shortest interval.
pub(crate) fn due(external: &ExternalAccountObject, status: &FetchStatus, least: Duration) -> Timestamp {
    let Some(last) = status.last_run.filter(|_| !status.asked) else { return Timestamp(0) };
    let interval = Duration::from_secs(external.interval_secs).max(least);
    let times = 1u32.checked_shl(status.failures.min(16)).unwrap_or(u32::MAX);
    let wait = interval.saturating_mul(times).min(interval.max(BACK_OFF_MAX));
    last.plus(wait)
}

/// From before when contents that were fetched need not be known any more; `None`: all are, for they stay there.
pub(crate) fn forgotten_before(after: AfterFetch, now: Timestamp) -> Option<Timestamp> {
    let days = match after {
        AfterFetch::Leave => return None,
        AfterFetch::Delete => 0,
        AfterFetch::DeleteAfterDays(days) => days,
    };
    let kept = Duration::from_secs(u64::from(days).saturating_mul(86_400)).saturating_add(CONTENT_KEEP);
    Some(Timestamp(now.0.saturating_sub(i64::try_from(kept.as_millis()).unwrap_or(i64::MAX))))
}

#[cfg(test)]
mod tests {
    use mail::{Address, Domain};
    use routing::objects::ExternalProtocol;

    use super::*;

    #[test]
    fn m08_failures_are_tried_again_ever_later_and_never_given_up() {
        let owner = Address::parse("a@a.example").unwrap();
        let host = Domain::parse("b.example").unwrap();
        let mut external = ExternalAccountObject::new(owner, ExternalProtocol::Pop3, host, "x".into());
        let mut status = FetchStatus::default();
        let minute = Duration::from_secs(60);
        assert_eq!(due(&external, &status, minute), Timestamp(0));
        status.last_run = Some(Timestamp(1_000));
        let waits = [(0, 300), (1, 600), (2, 1_200), (6, 19_200), (7, 21_600), (u32::MAX, 21_600)];
        for (failures, secs) in waits {
            status.failures = failures;
            assert_eq!(due(&external, &status, minute), Timestamp(1_000 + secs * 1_000), "{failures}");
        }
        external.interval_secs = 86_400;
        assert_eq!(due(&external, &status, minute), Timestamp(1_000 + 86_400_000));
        (external.interval_secs, status.failures) = (1, 0);
        assert_eq!(due(&external, &status, minute), Timestamp(61_000));
        status.asked = true;
        assert_eq!(due(&external, &status, minute), Timestamp(0));
    }
}
