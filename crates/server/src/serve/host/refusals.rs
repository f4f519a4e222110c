//! What is told of refused recipients, in the trace and in the log: whoever guesses addresses writes neither full, nor takes
//! the room of others.

use std::collections::HashMap;
use std::net::IpAddr;

use mail::Prefix;
use smtp_in::SessionId;

/// Refusals of this minute and this day, as far as they have been told.
#[derive(Default)]
pub(super) struct Refusals {
    day: Day,
    minute: i64,
    traced: u32,
    traced_of: HashMap<Prefix, u32>,
    logged_of: HashMap<SessionId, u32>,
}

/// What was traced on one day.
#[derive(Default)]
struct Day {
    day: i64,
    traced: u32,
    /// No more than are traced, so that the map is bounded as well.
    traced_of: HashMap<Prefix, u32>,
}

/// What the log, or the trace, gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Logged {
    /// The refusal.
    One,
    /// The refusal, and that there will be no more: of this connection in this minute, or in the traces of this day.
    Last,
    /// Nothing.
    Not,
}

impl Refusals {
    /// Whether one more of a client is traced in this minute, and on this day.
    pub(super) fn traces(&mut self, minute: i64, client: IpAddr) -> Logged {
        self.turn(minute);
        let network = Prefix::place(client);
        let of_client = self.traced_of.get(&network).copied().unwrap_or(0);
        let of_client_today = self.day.traced_of.get(&network).copied().unwrap_or(0);
        if self.traced >= TRACED_PER_MINUTE_MAX
            || of_client >= TRACED_OF_CLIENT_PER_MINUTE_MAX
            || self.day.traced >= TRACED_PER_DAY_MAX
            || of_client_today >= TRACED_OF_CLIENT_PER_DAY_MAX
        {
            return Logged::Not;
        }
        self.traced_of.insert(network, of_client.saturating_add(1));
        self.traced = self.traced.saturating_add(1);
        self.day.traced_of.insert(network, of_client_today.saturating_add(1));
        self.day.traced = self.day.traced.saturating_add(1);
        if self.day.traced == TRACED_PER_DAY_MAX { Logged::Last } else { Logged::One }
    }

    /// Whether one more of a connection is logged in this minute.
    pub(super) fn logs(&mut self, minute: i64, session: SessionId) -> Logged {
        self.turn(minute);
        if self.logged_of.len() >= SESSIONS_LOGGED_MAX && !self.logged_of.contains_key(&session) {
            return Logged::Not;
        }
        let logged = self.logged_of.entry(session).or_default();
        *logged = logged.saturating_add(1);
        match (*logged).cmp(&LOGGED_OF_SESSION_PER_MINUTE_MAX) {
            std::cmp::Ordering::Less => Logged::One,
            std::cmp::Ordering::Equal => Logged::Last,
            std::cmp::Ordering::Greater => Logged::Not,
        }
    }

    fn turn(&mut self, minute: i64) {
        let today = minute.div_euclid(MINUTES_PER_DAY);
        if self.day.day != today {
            self.day = Day { day: today, ..Day::default() };
        }
        if self.minute != minute {
            *self = Self { minute, day: std::mem::take(&mut self.day), ..Self::default() };
        }
    }
}

/// Refused recipients that are traced in one minute.
const TRACED_PER_MINUTE_MAX: u32 = 600;

/// Of these, those of one client (IPv6: of one /64): ten clients have their share.
const TRACED_OF_CLIENT_PER_MINUTE_MAX: u32 = 60;

/// Refused recipients that are traced on one day (UTC): a trace takes about a kilobyte, and is kept for `[trace] keep_days`.
pub(super) const TRACED_PER_DAY_MAX: u32 = 20_000;

/// Of these, those of one client.
const TRACED_OF_CLIENT_PER_DAY_MAX: u32 = 2_000;

const MINUTES_PER_DAY: i64 = 24 * 60;

/// Refused recipients of one connection that are logged in one minute.
const LOGGED_OF_SESSION_PER_MINUTE_MAX: u32 = 10;

/// Connections whose refusals are logged in one minute.
const SESSIONS_LOGGED_MAX: usize = 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn client(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn one_client_leaves_room_in_the_trace_for_others() {
        let mut refusals = Refusals::default();
        let mut traced =
            |minute, text: &str| (0..1_000).filter(|_| refusals.traces(minute, client(text)) != Logged::Not).count();
        assert_eq!(traced(1, "192.0.2.1"), 60);
        assert_eq!(traced(1, "2001:db8::1"), 60);
        assert_eq!(traced(1, "2001:db8::2"), 0, "the same /64");
        assert_eq!(traced(1, "2001:db8:0:1::1"), 60);
        let others: usize = (2..=20).map(|n| traced(1, &format!("192.0.2.{n}"))).sum();
        assert_eq!(others, 600 - 3 * 60, "all together have their bound");
        assert_eq!(traced(2, "192.0.2.1"), 60, "a new minute");
    }

    #[test]
    fn a_day_has_its_bound_beside_the_minutes() {
        let mut refusals = Refusals::default();
        let mut traced = |minute, text: &str| {
            let told: Vec<Logged> = (0..100).map(|_| refusals.traces(minute, client(text))).collect();
            let last = told.iter().filter(|one| **one == Logged::Last).count();
            (told.iter().filter(|one| **one != Logged::Not).count(), last)
        };
        let one: usize = (0..MINUTES_PER_DAY).map(|minute| traced(minute, "192.0.2.1").0).sum();
        assert_eq!(one, 2_000, "one client, all day");
        let others = (0..MINUTES_PER_DAY).map(|minute| traced(minute, &format!("198.51.100.{}", minute % 40)));
        let (all, last) = others.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        assert_eq!((all + one, last), (20_000, 1), "all together, and the log is told once");
        assert_eq!(traced(MINUTES_PER_DAY, "192.0.2.1"), (60, 0), "a new day");
        assert!(refusals.day.traced_of.len() <= 1);
    }

    #[test]
    fn one_connection_does_not_fill_the_log() {
        let mut refusals = Refusals::default();
        let told: Vec<Logged> = (0..100).map(|_| refusals.logs(1, SessionId(7))).collect();
        assert!(told[..9].iter().all(|one| *one == Logged::One));
        assert_eq!(told[9], Logged::Last);
        assert!(told[10..].iter().all(|one| *one == Logged::Not));
        assert_eq!(refusals.logs(1, SessionId(8)), Logged::One);
        assert_eq!(refusals.logs(2, SessionId(7)), Logged::One);
        let many = (0..5_000).filter(|n| refusals.logs(3, SessionId(*n)) != Logged::Not).count();
        assert_eq!(many, SESSIONS_LOGGED_MAX);
    }
}
