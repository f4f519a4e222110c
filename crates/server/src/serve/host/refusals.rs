//! What is told of refused recipients, in the trace and in the log: whoever guesses addresses writes neither full, nor takes
//! the room of others.

use std::collections::HashMap;
use std::net::IpAddr;

use auth::Network;
use smtp_in::SessionId;

/// Refusals of this minute, as far as they have been told.
#[derive(Default)]
pub(super) struct Refusals {
    minute: i64,
    traced: u32,
    traced_of: HashMap<Network, u32>,
    logged_of: HashMap<SessionId, u32>,
}

/// What the log gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Logged {
    /// The refusal.
    One,
    /// The refusal, and that there will be no more of this connection in this minute.
    Last,
    /// Nothing.
    Not,
}

impl Refusals {
    /// Whether one more of a client is traced in this minute.
    pub(super) fn traces(&mut self, minute: i64, client: IpAddr) -> bool {
        self.turn(minute);
        if self.traced >= TRACED_PER_MINUTE_MAX {
            return false;
        }
        let of_client = self.traced_of.entry(Network::from(client)).or_default();
        if *of_client >= TRACED_OF_CLIENT_PER_MINUTE_MAX {
            return false;
        }
        *of_client = of_client.saturating_add(1);
        self.traced = self.traced.saturating_add(1);
        true
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
        if self.minute != minute {
            *self = Self { minute, ..Self::default() };
        }
    }
}

/// Refused recipients that are traced in one minute.
const TRACED_PER_MINUTE_MAX: u32 = 600;

/// Of these, those of one client (IPv6: of one /64): ten clients have their share.
const TRACED_OF_CLIENT_PER_MINUTE_MAX: u32 = 60;

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
        let mut traced = |minute, text: &str| (0..1_000).filter(|_| refusals.traces(minute, client(text))).count();
        assert_eq!(traced(1, "192.0.2.1"), 60);
        assert_eq!(traced(1, "2001:db8::1"), 60);
        assert_eq!(traced(1, "2001:db8::2"), 0, "the same /64");
        assert_eq!(traced(1, "2001:db8:0:1::1"), 60);
        let others: usize = (2..=20).map(|n| traced(1, &format!("192.0.2.{n}"))).sum();
        assert_eq!(others, 600 - 3 * 60, "all together have their bound");
        assert_eq!(traced(2, "192.0.2.1"), 60, "a new minute");
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
