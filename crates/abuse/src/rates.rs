//! How much comes from where: counts of each place and of the two networks around it.

use std::net::IpAddr;
use std::time::Duration;

use mail::{Prefix, Timestamp};
use serde::{Deserialize, Serialize};

use crate::around::around;
use crate::bounded::Bounded;
use crate::limits::{NEIGHBOURHOODS_MAX, PLACES_MAX, REGIONS_MAX};
use crate::window::Window;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Connections, whatever becomes of them.
    Connections,
    /// Messages that begin, of who has not logged in.
    Messages,
    /// Recipients that there are not.
    UnknownRecipients,
    /// Logins that failed.
    FailedLogins,
    /// Commands that make no sense.
    BadCommands,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Connections, Self::Messages, Self::UnknownRecipients, Self::FailedLogins, Self::BadCommands];

    /// The time over which it is counted.
    #[must_use]
    pub const fn window(self) -> Duration {
        match self {
            Self::Connections => Duration::from_secs(60),
            Self::Messages | Self::UnknownRecipients | Self::FailedLogins | Self::BadCommands => {
                Duration::from_secs(3_600)
            }
        }
    }

    /// Its window in words.
    #[must_use]
    pub const fn window_words(self) -> &'static str {
        match self {
            Self::Connections => "a minute",
            Self::Messages | Self::UnknownRecipients | Self::FailedLogins | Self::BadCommands => "an hour",
        }
    }

    /// What is counted, in words, of one or of several.
    #[must_use]
    pub const fn words(self, one: bool) -> &'static str {
        match (self, one) {
            (Self::Connections, true) => "connection",
            (Self::Connections, false) => "connections",
            (Self::Messages, true) => "message",
            (Self::Messages, false) => "messages",
            (Self::UnknownRecipients, true) => "recipient that does not exist",
            (Self::UnknownRecipients, false) => "recipients that do not exist",
            (Self::FailedLogins, true) => "failed login",
            (Self::FailedLogins, false) => "failed logins",
            (Self::BadCommands, true) => "command that makes no sense",
            (Self::BadCommands, false) => "commands that make no sense",
        }
    }

    /// The name that metrics and settings have for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connections => "connections",
            Self::Messages => "messages",
            Self::UnknownRecipients => "unknown_recipients",
            Self::FailedLogins => "failed_logins",
            Self::BadCommands => "bad_commands",
        }
    }
}

/// The windows of one place or network.
#[derive(Clone, Copy, Debug, Default)]
struct Counters([Window; Kind::ALL.len()]);

/// Counts of places and of the networks around them. Each of the three widths has a bound of its own: who comes from many addresses
/// pushes addresses out, and stays known by the network.
#[derive(Debug)]
pub struct Rates([Bounded<Prefix, Counters>; 3]);

impl Default for Rates {
    fn default() -> Self {
        Self::bounded([PLACES_MAX, NEIGHBOURHOODS_MAX, REGIONS_MAX])
    }
}

impl Rates {
    /// Counts that remember so many of each width.
    #[must_use]
    pub fn bounded(most: [usize; 3]) -> Self {
        Self(most.map(Bounded::new))
    }

    /// Counts so many more from an address, and returns how many there are: of its place and of the networks around it.
    pub fn add(&mut self, kind: Kind, address: IpAddr, more: u32, now: Timestamp) -> [u32; 3] {
        let [place, neighbourhood, region] = around(address);
        let [places, neighbourhoods, regions] = &mut self.0;
        [(places, place), (neighbourhoods, neighbourhood), (regions, region)].map(|(table, prefix)| {
            table.using(prefix).0.get_mut(kind as usize).map_or(0, |window| window.add(more, now, kind.window()))
        })
    }

    /// How many there are, without counting.
    #[must_use]
    pub fn counts(&self, kind: Kind, address: IpAddr, now: Timestamp) -> [u32; 3] {
        let [place, neighbourhood, region] = around(address);
        let [places, neighbourhoods, regions] = &self.0;
        [(places, place), (neighbourhoods, neighbourhood), (regions, region)].map(|(table, prefix)| {
            let window = table.get(&prefix).and_then(|counters| counters.0.get(kind as usize));
            window.map_or(0, |window| window.count(now, kind.window()))
        })
    }

    /// Begins anew for a place or network of the three widths: what was counted of it has had its consequence.
    pub fn forget(&mut self, kind: Kind, prefix: &Prefix) {
        for table in &mut self.0 {
            if let Some(window) = table.get_mut(prefix).and_then(|counters| counters.0.get_mut(kind as usize)) {
                *window = Window::default();
            }
        }
    }

    /// How many are remembered, of each width.
    #[must_use]
    pub fn remembered(&self) -> [usize; 3] {
        let [places, neighbourhoods, regions] = &self.0;
        [places.len(), neighbourhoods.len(), regions.len()]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::window::{SLOTS, slot};

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_place_counts_for_itself_and_for_the_networks_around_it() {
        let mut rates = Rates::default();
        let now = Timestamp::from_secs(1_000_000);
        let kind = Kind::FailedLogins;
        assert_eq!(rates.add(kind, ip("198.51.100.70"), 2, now), [2, 2, 2]);
        assert_eq!(rates.add(kind, ip("198.51.100.71"), 1, now), [1, 3, 3]);
        assert_eq!(rates.add(kind, ip("198.51.101.71"), 1, now), [1, 1, 4]);
        assert_eq!(rates.add(kind, ip("2001:db8:1:1::1"), 1, now), [1, 1, 1]);
        assert_eq!(rates.add(kind, ip("2001:db8:1:1::2"), 1, now), [2, 2, 2], "the same /64");
        assert_eq!(rates.add(kind, ip("2001:db8:1:2::2"), 1, now), [1, 3, 3]);
        assert_eq!(rates.add(Kind::Connections, ip("198.51.100.70"), 1, now), [1, 1, 1], "another kind");
        rates.forget(kind, &Prefix::place(ip("198.51.100.70")));
        assert_eq!(rates.counts(kind, ip("198.51.100.70"), now), [0, 3, 4]);
        assert_eq!(rates.counts(kind, ip("203.0.113.1"), now), [0, 0, 0]);
    }

    /// Who has many addresses pushes addresses out, not the networks that they are in.
    #[test]
    fn many_addresses_of_a_network_do_not_make_it_forgotten() {
        let mut rates = Rates::bounded([10, 10, 10]);
        let now = Timestamp::from_secs(1_000_000);
        for n in 0..60 {
            rates.add(Kind::Connections, ip(&format!("192.0.2.{n}")), 1, now);
        }
        assert_eq!(rates.counts(Kind::Connections, ip("192.0.2.0"), now), [0, 60, 60]);
        assert_eq!(rates.remembered(), [10, 1, 1]);
    }

    /// What was counted, when, and how many.
    type Counted = (Kind, Timestamp, u32);

    /// What the table does, written down as plainly as it can be: everything that was ever counted is kept, and counted anew each time.
    #[derive(Default)]
    struct Naive {
        /// Of each width: the prefixes, the one used last at the end, with all that was counted.
        tables: [Vec<(Prefix, Vec<Counted>)>; 3],
    }

    impl Naive {
        fn add(&mut self, most: usize, kind: Kind, address: IpAddr, more: u32, now: Timestamp) {
            for (table, prefix) in self.tables.iter_mut().zip(around(address)) {
                let at = table.iter().position(|(known, _)| *known == prefix);
                let mut entry = at.map_or((prefix, Vec::new()), |at| table.remove(at));
                entry.1.push((kind, now, more));
                if table.len() >= most {
                    table.remove(0);
                }
                table.push(entry);
            }
        }

        fn counts(&self, kind: Kind, address: IpAddr, now: Timestamp) -> [u32; 3] {
            let mut counts = [0; 3];
            for ((table, prefix), count) in self.tables.iter().zip(around(address)).zip(&mut counts) {
                let Some((_, all)) = table.iter().find(|(known, _)| *known == prefix) else { continue };
                let since = slot(now, kind.window()) - i64::try_from(SLOTS).unwrap();
                let counted = all.iter().filter(|(one, at, _)| *one == kind && slot(*at, kind.window()) > since);
                *count = counted.map(|(_, _, more)| more).sum();
            }
            counts
        }
    }

    proptest! {
        /// Whatever comes in whatever order, the bounded table knows what the naive one knows, and no more than it may.
        #[test]
        fn the_table_agrees_with_a_naive_one(
            most in 1_usize..6,
            steps in prop::collection::vec((0_usize..5, 0_u32..400, 0_i64..3_000, 1_u32..4), 1..120),
        ) {
            let mut rates = Rates::bounded([most; 3]);
            let mut naive = Naive::default();
            let mut now = Timestamp::from_secs(1_700_000_000);
            // A dozen places in a few networks.
            let address = |n: u32| IpAddr::from((0xC633_6400_u32 + (n % 12) * 37 + (n / 100) * 2_048).to_be_bytes());
            for (kind, who, passed, more) in steps {
                now = now.plus(Duration::from_secs(u64::try_from(passed % 700).unwrap() / if kind == 0 { 20 } else { 1 }));
                let kind = Kind::ALL[kind];
                let who = address(who);
                let told = rates.add(kind, who, more, now);
                naive.add(most, kind, who, more, now);
                prop_assert_eq!(told, naive.counts(kind, who, now));
                prop_assert!(rates.remembered().iter().all(|remembered| *remembered <= most));
                for other in 0..12 {
                    for kind in Kind::ALL {
                        let other = address(other);
                        prop_assert_eq!(rates.counts(kind, other, now), naive.counts(kind, other, now));
                    }
                }
            }
        }
    }
}
