//! What is remembered of a destination: what waits for it, its idle connections, its failures.
//!
//! Pure but for the sessions that it holds. A destination that can't be reached is left alone for a while that doubles;
//! its entries are spared the attempt meanwhile, so that they hold up nobody.

use std::collections::VecDeque;

use mail::{QueueId, Reply, Timestamp};

use crate::attempt::Health;
use crate::limits::{DOWN_FIRST, DOWN_MAX};
use crate::route::Route;

/// One destination, with idle sessions of type `S`.
pub(crate) struct Destination<S> {
    pub(crate) route: Route,
    /// Claimed entries that wait for their turn, with their priorities: the higher ones first.
    pub(crate) ready: VecDeque<(QueueId, i8)>,
    /// Attempts in progress.
    pub(crate) running: usize,
    idle: Vec<(S, Timestamp)>,
    failures: u32,
    down: Option<(Timestamp, Reply)>,
}

impl<S> Destination<S> {
    pub(crate) fn new(route: Route) -> Self {
        Self { route, ready: VecDeque::new(), running: 0, idle: Vec::new(), failures: 0, down: None }
    }

    /// Adds a claimed entry, behind those of its priority (RFC 6710 §5).
    pub(crate) fn add(&mut self, id: QueueId, priority: i8) {
        let at = self.ready.partition_point(|(_, earlier)| *earlier >= priority);
        self.ready.insert(at, (id, priority));
    }

    /// How many connections it may have: one while it is in doubt.
    pub(crate) fn connections_max(&self, usual: usize) -> usize {
        if self.failures > 0 { 1 } else { usual.max(1) }
    }

    /// The reply that stands for an attempt now, while the destination is left alone.
    pub(crate) fn down(&self, now: Timestamp) -> Option<Reply> {
        self.down.as_ref().filter(|(until, _)| now < *until).map(|(_, reply)| reply.clone())
    }

    /// Learns from an attempt.
    pub(crate) fn learn(&mut self, health: &Health, now: Timestamp) {
        match health {
            Health::Up => {
                self.failures = 0;
                self.down = None;
            }
            Health::Down(reply) => {
                let doublings = self.failures.min(16);
                self.failures = self.failures.saturating_add(1);
                let span = DOWN_FIRST.saturating_mul(1 << doublings).min(DOWN_MAX);
                self.down = Some((now.plus(span), reply.clone()));
            }
            Health::Unknown => {}
        }
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

    /// Whether nothing is worth remembering any more: a failure is, for as long as a further one would double.
    pub(crate) fn is_forgettable(&self, now: Timestamp) -> bool {
        let remembered = self.down.as_ref().is_some_and(|(until, _)| now < until.plus(DOWN_MAX));
        self.ready.is_empty() && self.running == 0 && self.idle.is_empty() && !remembered
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mail::Domain;

    use super::*;

    fn destination() -> Destination<u8> {
        Destination::new(Route::Mx(Domain::parse("b.example").unwrap()))
    }

    fn down() -> Health {
        Health::Down(Reply::plain(451, "away"))
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
    fn failures_double_the_pause_up_to_a_bound() {
        let mut destination = destination();
        let mut now = Timestamp(0);
        let mut pauses = Vec::new();
        for _ in 0..6 {
            destination.learn(&down(), now);
            let mut pause = 0;
            while destination.down(now).is_some() {
                now = now.plus(Duration::from_secs(1));
                pause += 1;
            }
            pauses.push(pause);
            assert_eq!(destination.connections_max(10), 1);
        }
        assert_eq!(pauses, [30, 60, 120, 240, 300, 300]);
        destination.learn(&Health::Unknown, now);
        assert_eq!(destination.connections_max(10), 1);
        destination.learn(&Health::Up, now);
        assert_eq!(destination.connections_max(10), 10);
        assert!(destination.down(now).is_none());
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
        destination.learn(&down(), Timestamp(0));
        assert!(!destination.is_forgettable(Timestamp(60_000)));
        assert!(destination.is_forgettable(Timestamp(400_000)));
    }
}
