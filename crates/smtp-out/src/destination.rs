//! What is remembered of a destination: what waits for it, its idle connections, its pace.
//!
//! Pure but for the sessions that it holds. A destination that can't be reached is left alone for a while that doubles; its entries are
//! put off meanwhile, so that they hold up nobody ([`queue::Pace`]).

use std::collections::VecDeque;

use mail::{QueueId, Timestamp};
use queue::Pace;

use crate::route::Route;

/// One destination, with idle sessions of type `S`.
pub(crate) struct Destination<S> {
    pub(crate) route: Route,
    /// Claimed entries that wait for their turn, with their priorities: the higher ones first.
    pub(crate) ready: VecDeque<(QueueId, i8)>,
    /// Attempts in progress.
    pub(crate) running: usize,
    /// How fast it may be written to.
    pub(crate) pace: Pace,
    idle: Vec<(S, Timestamp)>,
}

impl<S> Destination<S> {
    pub(crate) fn new(route: Route, pace: Pace) -> Self {
        Self { route, ready: VecDeque::new(), running: 0, pace, idle: Vec::new() }
    }

    /// Adds a claimed entry, behind those of its priority (RFC 6710 §5).
    pub(crate) fn add(&mut self, id: QueueId, priority: i8) {
        let at = self.ready.partition_point(|(_, earlier)| *earlier >= priority);
        self.ready.insert(at, (id, priority));
    }

    /// Keeps a session for the next entry.
    pub(crate) fn keep(&mut self, session: S, until: Timestamp) {
        self.idle.push((session, until));
    }

    /// The session that was used last.
    pub(crate) fn take_idle(&mut self) -> Option<S> {
        self.idle.pop().map(|(session, _)| session)
    }

    /// Sessions that were idle too long.
    pub(crate) fn expired(&mut self, now: Timestamp) -> Vec<S> {
        self.idle.extract_if(.., |(_, until)| *until <= now).map(|(session, _)| session).collect()
    }

    /// When the next idle session is to be closed.
    pub(crate) fn next_expiry(&self) -> Option<Timestamp> {
        self.idle.iter().map(|(_, until)| *until).min()
    }

    /// Idle connections.
    pub(crate) fn idle(&self) -> usize {
        self.idle.len()
    }

    /// Whether nothing is worth remembering any more.
    pub(crate) fn is_forgettable(&self, now: Timestamp) -> bool {
        self.is_at_rest() && self.pace.is_forgettable(now)
    }

    /// Whether nothing waits, nothing runs and no connection is open.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.ready.is_empty() && self.running == 0 && self.idle.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use mail::{Domain, Reply};
    use queue::Health;

    use super::*;

    fn destination() -> Destination<u8> {
        Destination::new(Route::Mx(Domain::parse("b.example").unwrap()), Pace::default())
    }

    #[test]
    fn the_higher_priority_goes_first_and_equals_in_their_order() {
        let mut destination = destination();
        for (id, priority) in [(1, 0), (2, -3), (3, 5), (4, 0), (5, 5), (6, 9), (7, -3)] {
            destination.add(QueueId(id), priority);
        }
        let order: Vec<u64> = destination.ready.iter().map(|(id, _)| id.0).collect();
        assert_eq!(order, [6, 3, 5, 1, 4, 2, 7]);
    }

    #[test]
    fn idle_sessions_expire_each_in_its_time() {
        let mut destination = destination();
        destination.keep(1, Timestamp(10));
        destination.keep(2, Timestamp(20));
        destination.keep(3, Timestamp(30));
        assert_eq!(destination.next_expiry(), Some(Timestamp(10)));
        assert_eq!(destination.expired(Timestamp(10)), [1]);
        assert_eq!(destination.take_idle(), Some(3));
        assert!(!destination.is_forgettable(Timestamp(15)));
        assert_eq!(destination.expired(Timestamp(99)), [2]);
        assert!(destination.is_forgettable(Timestamp(99)));
    }

    #[test]
    fn a_failure_is_remembered_for_a_while() {
        let mut destination = destination();
        destination.pace.learn(&Health::Down(Reply::plain(451, "away")), 0, 5, Timestamp(0));
        assert!(!destination.is_forgettable(Timestamp(60_000)));
        assert!(destination.is_forgettable(Timestamp(4_000_000)));
    }
}
