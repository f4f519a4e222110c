//! What was asked of the DNS lately, so that each thing is asked once by a session, also while it is being asked. Bounded in number and in time.
//!
//! How long answers of the DNS are good for is the resolver's to know: it keeps them by their TTL ([`world::SystemResolver`]).

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::Shared;
use mail::Timestamp;
use parking_lot::Mutex;
use world::BoxFuture;

/// An answer that may not be complete.
pub(super) trait Answer: Send + Sync + 'static {
    /// Whether everything was answered. What was not is asked again sooner.
    fn is_complete(&self) -> bool;

    /// Whether it was asked at all. What was not, for want of a place, is asked by the next one who wants to know.
    fn was_asked(&self) -> bool {
        true
    }
}

/// An answer under way, or there.
pub(super) type Asked<V> = Shared<BoxFuture<'static, Arc<V>>>;

/// Answers by what was asked.
pub(super) struct Cache<K, V> {
    kept: Mutex<HashMap<K, Kept<V>>>,
    entries_max: usize,
}

struct Kept<V> {
    begun: Timestamp,
    answer: Asked<V>,
}

impl<V: Answer> Kept<V> {
    fn is_good(&self, now: Timestamp) -> bool {
        // A clock that was set back makes nothing good for longer.
        let age = now.since(self.begun);
        let most = match self.answer.peek() {
            Some(answer) if !answer.was_asked() => Duration::ZERO,
            Some(answer) if !answer.is_complete() => INCOMPLETE_KEPT,
            Some(_) | None => KEPT,
        };
        self.begun <= now && age < most
    }
}

impl<K: Eq + Hash + Clone, V: Answer> Cache<K, V> {
    pub(super) fn new(entries_max: usize) -> Self {
        Self { kept: Mutex::default(), entries_max }
    }

    /// The answer to a question, which is asked unless it was lately. It is asked to its end, whether somebody waits or not.
    pub(super) fn ask(&self, key: &K, now: Timestamp, ask: impl FnOnce() -> BoxFuture<'static, V>) -> Asked<V> {
        let mut kept = self.kept.lock();
        if let Some(one) = kept.get(key).filter(|one| one.is_good(now)) {
            return one.answer.clone();
        }
        if kept.len() >= self.entries_max {
            kept.retain(|_, one| one.is_good(now));
            if kept.len() >= self.entries_max {
                // Half of them go at once, the oldest: so each costs little.
                let mut begun: Vec<Timestamp> = kept.values().map(|one| one.begun).collect();
                begun.sort_unstable();
                let middle = begun.get(begun.len() / 2).copied().unwrap_or(now);
                kept.retain(|_, one| one.begun > middle);
            }
        }
        let answer: BoxFuture<'static, Arc<V>> = Box::pin(ask().map(Arc::new));
        let answer = answer.shared();
        kept.insert(key.clone(), Kept { begun: now, answer: answer.clone() });
        drop(kept);
        tokio::spawn(answer.clone());
        answer
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.kept.lock().len()
    }
}

/// How long an answer is kept: as long as the resolver keeps answers of lists at the least.
const KEPT: Duration = Duration::from_secs(60);
/// The same for one that is not complete.
const INCOMPLETE_KEPT: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[derive(Debug, PartialEq)]
    struct Said {
        number: usize,
        complete: bool,
        asked: bool,
    }

    impl Answer for Said {
        fn is_complete(&self) -> bool {
            self.complete
        }
        fn was_asked(&self) -> bool {
            self.asked
        }
    }

    #[tokio::test]
    async fn each_thing_is_asked_once_in_its_time() {
        let cache: Cache<u8, Said> = Cache::new(10);
        let asked = AtomicUsize::new(0);
        let ask = async |key: u8, secs: i64, complete: bool| {
            let answer = cache.ask(&key, Timestamp::from_secs(1_000 + secs), || {
                let number = asked.fetch_add(1, Ordering::Relaxed);
                Box::pin(std::future::ready(Said { number, complete, asked: true }))
            });
            answer.await.number
        };
        assert_eq!((ask(1, 0, true).await, ask(1, 59, true).await), (0, 0));
        assert_eq!(ask(1, 60, false).await, 1);
        assert_eq!(
            (ask(1, 89, true).await, ask(1, 90, true).await),
            (1, 2),
            "what was not answered is asked again soon"
        );
        assert_eq!(ask(1, 0, true).await, 3, "a clock that was set back");
    }

    #[tokio::test]
    async fn what_was_not_asked_is_asked_by_the_next_one() {
        let cache: Cache<u8, Said> = Cache::new(10);
        let ask = |number, asked| {
            cache.ask(&1, Timestamp(1_000), move || {
                Box::pin(std::future::ready(Said { number, complete: asked, asked }))
            })
        };
        let numbers = [ask(1, false).await.number, ask(2, false).await.number, ask(3, true).await.number];
        assert_eq!((numbers, ask(4, true).await.number), ([1, 2, 3], 3));
    }

    #[tokio::test]
    async fn many_questions_are_bounded() {
        let cache: Cache<u32, Said> = Cache::new(10);
        for n in 0..1_000_u32 {
            let now = Timestamp::from_secs(1_000 + i64::from(n) / 100);
            drop(cache.ask(&n, now, || Box::pin(std::future::ready(Said { number: 0, complete: true, asked: true }))));
            assert!(cache.len() <= 10);
        }
    }
}
