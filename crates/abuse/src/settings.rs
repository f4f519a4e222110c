//! What an administrator decides.

use std::time::Duration;

use mail::Prefix;
use serde::{Deserialize, Serialize};

use crate::rates::Kind;

/// A number for a place (IPv4 address, IPv6 /64), for its neighbourhood (IPv4 /26, IPv6 /48) and for its region (/21, /32); 0 for none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PerNetwork(pub [u32; 3]);

/// The settings; they may be replaced while running.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Whether anything is counted and banned of the server's own accord. What an administrator bans is banned all the same.
    pub enabled: bool,
    /// Who is neither counted nor banned.
    pub never_banned: Vec<Prefix>,
    /// Connections in a minute, to all ports together.
    pub connections: PerNetwork,
    /// Messages in an hour of who has not logged in.
    pub messages: PerNetwork,
    /// Recipients in an hour that there are not.
    pub unknown_recipients: PerNetwork,
    /// Failed logins in an hour, from which on there is a ban.
    pub failed_logins: PerNetwork,
    /// Commands in an hour that make no sense, from which on there is a ban.
    pub bad_commands: PerNetwork,
    /// How many times a rate (connections, messages, unknown recipients) is exceeded when a ban follows; 0: none does.
    pub ban_at_multiple: u32,
    /// How long the first, the second, the third ban of a place lasts; the last holds for all further ones. Never empty.
    pub ban_for: Vec<Duration>,
    /// How long a ban that is over makes the next one longer.
    pub forgotten_after: Duration,
    /// The longest wait of an answer to a guesser; zero: none waits.
    pub tarpit_max: Duration,
    /// Answers that wait at a time, of all guessers together.
    pub tarpit_held_max: usize,
    /// Where people who were banned can write to, from elsewhere.
    pub contact: String,
}

impl Default for Settings {
    fn default() -> Self {
        let secs = Duration::from_secs;
        Self {
            enabled: true,
            never_banned: Vec::new(),
            connections: PerNetwork([600, 3_000, 12_000]),
            messages: PerNetwork([1_000, 20_000, 100_000]),
            unknown_recipients: PerNetwork([60, 600, 3_000]),
            // Of places alone: a stranger with some addresses in a network would have all of it banned, other people's servers in it as well. And
            // whoever writes through a large provider could have that one banned for a rate.
            failed_logins: PerNetwork([20, 0, 0]),
            bad_commands: PerNetwork([100, 0, 0]),
            ban_at_multiple: 0,
            ban_for: vec![secs(300), secs(1_800), secs(10_800), secs(86_400)],
            forgotten_after: secs(30 * 86_400),
            tarpit_max: secs(10),
            tarpit_held_max: 200,
            contact: "postmaster".to_owned(),
        }
    }
}

impl Settings {
    /// How many of a kind are borne.
    #[must_use]
    pub const fn limits(&self, kind: Kind) -> PerNetwork {
        match kind {
            Kind::Connections => self.connections,
            Kind::Messages => self.messages,
            Kind::UnknownRecipients => self.unknown_recipients,
            Kind::FailedLogins => self.failed_logins,
            Kind::BadCommands => self.bad_commands,
        }
    }

    /// From how many of a kind on a place or network is banned; 0: never.
    #[must_use]
    pub fn bans_from(&self, kind: Kind) -> [u32; 3] {
        let PerNetwork(limits) = self.limits(kind);
        match kind {
            // More than the rate and less than the ban is answered "come again later"; there is no such answer to these two.
            Kind::FailedLogins | Kind::BadCommands => limits,
            Kind::Connections | Kind::Messages | Kind::UnknownRecipients => {
                limits.map(|limit| limit.saturating_mul(self.ban_at_multiple))
            }
        }
    }

    /// How long the `times`th ban of a place lasts.
    #[must_use]
    pub fn ban_lasts(&self, times: u32) -> Duration {
        let nth = usize::try_from(times.saturating_sub(1)).unwrap_or(usize::MAX);
        self.ban_for.get(nth).or(self.ban_for.last()).copied().unwrap_or(Duration::from_secs(300))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_ban_lasts_longer_until_the_last_which_stays() {
        let settings = Settings::default();
        let lasts = |times| settings.ban_lasts(times).as_secs();
        assert_eq!([0, 1, 2, 3, 4, 5, u32::MAX].map(lasts), [300, 300, 1_800, 10_800, 86_400, 86_400, 86_400]);
    }

    #[test]
    fn a_multiple_of_zero_bans_nobody_for_a_rate() {
        let settings = Settings { ban_at_multiple: 0, ..Settings::default() };
        assert_eq!(settings.bans_from(Kind::Connections), [0; 3]);
        assert_eq!(settings.bans_from(Kind::FailedLogins), [20, 0, 0]);
    }
}
