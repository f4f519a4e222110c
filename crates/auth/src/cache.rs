//! Recent successes, by a keyed hash of login, password and stored password hash.
//!
//! What is kept can't be turned back into a password without the key, which lives in this process only; and since the
//! stored hash is part of it, a changed password ends the entry.

use std::collections::HashMap;
use std::time::Duration;

use mail::Timestamp;
use parking_lot::Mutex;
use world::Chance;

use crate::limits::CACHE_ENTRIES_MAX;

pub(crate) struct Cache {
    key: [u8; 32],
    lifetime: Duration,
    entries: Mutex<HashMap<[u8; 32], Timestamp>>,
}

impl Cache {
    /// A cache whose entries live for a time; with none, nothing is kept.
    pub(crate) fn new(lifetime: Duration, chance: &dyn Chance) -> Self {
        let mut key = [0; 32];
        chance.fill(&mut key);
        Self { key, lifetime, entries: Mutex::default() }
    }

    /// Whether these three have succeeded a short time ago.
    pub(crate) fn knows(&self, login: &str, password: &str, hash: &str, now: Timestamp) -> bool {
        let mark = self.mark(login, password, hash);
        // A clock that was set back must not lengthen an entry's life: it was made at most a lifetime before its end.
        self.entries.lock().get(&mark).is_some_and(|end| *end > now && *end <= now.plus(self.lifetime))
    }

    /// These three have succeeded now.
    pub(crate) fn keep(&self, login: &str, password: &str, hash: &str, now: Timestamp) {
        if self.lifetime.is_zero() {
            return;
        }
        let mark = self.mark(login, password, hash);
        let mut entries = self.entries.lock();
        if entries.len() >= CACHE_ENTRIES_MAX {
            entries.retain(|_, end| *end > now);
        }
        if entries.len() >= CACHE_ENTRIES_MAX {
            // Losing an entry costs one hash. Better all at once, rarely, than a search each time.
            entries.clear();
        }
        entries.insert(mark, now.plus(self.lifetime));
    }

    fn mark(&self, login: &str, password: &str, hash: &str) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        for part in [login, password, hash] {
            hasher.update(&part.len().to_le_bytes());
            hasher.update(part.as_bytes());
        }
        *hasher.finalize().as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use world::simulated::SimulatedWorld;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn an_entry_lives_as_long_as_it_was_told() {
        let cache = Cache::new(MINUTE, &*SimulatedWorld::new(Timestamp(0), 1).world().chance);
        cache.keep("a@b", "secret", "hash", Timestamp(0));
        assert!(cache.knows("a@b", "secret", "hash", Timestamp(59_999)));
        assert!(!cache.knows("a@b", "secret", "hash", Timestamp(60_000)));
        assert!(!cache.knows("a@b", "secret", "hash", Timestamp(-1)), "the clock was set back");
    }

    #[test]
    fn all_three_count_and_do_not_run_into_each_other() {
        let cache = Cache::new(MINUTE, &*SimulatedWorld::new(Timestamp(0), 1).world().chance);
        cache.keep("a@b", "secret", "hash", Timestamp(0));
        assert!(!cache.knows("a@b", "secret", "other hash", Timestamp(1)));
        assert!(!cache.knows("a@b", "secre", "hash", Timestamp(1)));
        assert!(!cache.knows("a@bs", "ecret", "hash", Timestamp(1)));
    }

    #[test]
    fn with_no_lifetime_nothing_is_kept() {
        let cache = Cache::new(Duration::ZERO, &*SimulatedWorld::new(Timestamp(0), 1).world().chance);
        cache.keep("a@b", "secret", "hash", Timestamp(0));
        assert!(!cache.knows("a@b", "secret", "hash", Timestamp(0)));
        assert!(cache.entries.lock().is_empty());
    }

    #[test]
    fn it_never_grows_over_its_bound() {
        let cache = Cache::new(MINUTE, &*SimulatedWorld::new(Timestamp(0), 1).world().chance);
        for n in 0..CACHE_ENTRIES_MAX + 10 {
            cache.keep("a@b", &n.to_string(), "hash", Timestamp(0));
        }
        assert!(cache.entries.lock().len() <= CACHE_ENTRIES_MAX);
    }
}
