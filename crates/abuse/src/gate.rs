//! How many connections there are at a time: in all, from each place, and from the networks around it.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use mail::Prefix;
use parking_lot::Mutex;

use crate::around::around;

/// Bounds of connections at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AtOnce {
    /// In all.
    pub all: usize,
    /// From one place (IPv4 address, IPv6 /64).
    pub place: usize,
    /// From its neighbours (IPv4 /26, IPv6 /48) and from its wider network (/21, /32). 0 is none, and one that is smaller than that of a place
    /// is the same.
    pub networks: [usize; 2],
}

impl AtOnce {
    /// What each of the three widths may have.
    fn widths(&self) -> [usize; 3] {
        let [neighbourhood, region] =
            self.networks.map(|most| if most == 0 { usize::MAX } else { most.max(self.place) });
        [self.place, neighbourhood, region]
    }
}

/// Counts the connections of a service. Clones share the counts.
#[derive(Clone, Debug, Default)]
pub struct Gate(Arc<Mutex<Counts>>);

#[derive(Debug, Default)]
struct Counts {
    total: usize,
    /// Of places and networks that have connections; no other is remembered.
    by_source: HashMap<Prefix, usize>,
}

impl Counts {
    /// Counts one more from an address, unless its place or a network around it has too many.
    fn add(&mut self, remote: IpAddr, most: &AtOnce) -> Option<[Prefix; 3]> {
        let sources = around(remote);
        let count = |source| self.by_source.get(source).copied().unwrap_or(0);
        if sources.iter().zip(most.widths()).any(|(source, most)| count(source) >= most) {
            return None;
        }
        for source in sources {
            let count = self.by_source.entry(source).or_default();
            *count = count.saturating_add(1);
        }
        Some(sources)
    }

    fn remove(&mut self, sources: [Prefix; 3]) {
        for source in sources {
            if let Some(count) = self.by_source.get_mut(&source) {
                *count = count.saturating_sub(1);
                if *count == 0 {
                    self.by_source.remove(&source);
                }
            }
        }
    }
}

/// The right to hold one connection; given back when dropped.
#[derive(Debug)]
pub struct Pass {
    gate: Gate,
    /// Where it counts; `None`: only in all.
    sources: Option<[Prefix; 3]>,
}

impl Gate {
    /// Lets a connection in unless there are too many: in all, from its place, or from a network around it.
    #[must_use]
    pub fn enter(&self, remote: IpAddr, most: &AtOnce) -> Option<Pass> {
        let mut counts = self.0.lock();
        if counts.total >= most.all {
            return None;
        }
        let sources = Some(counts.add(remote, most)?);
        counts.total = counts.total.saturating_add(1);
        Some(Pass { gate: self.clone(), sources })
    }

    /// The same for who connects in the name of others, as a proxy does: it counts in all, and for no place.
    #[must_use]
    pub fn enter_for_others(&self, most: &AtOnce) -> Option<Pass> {
        let mut counts = self.0.lock();
        if counts.total >= most.all {
            return None;
        }
        counts.total = counts.total.saturating_add(1);
        Some(Pass { gate: self.clone(), sources: None })
    }
}

impl Pass {
    /// The connection turns out to be another address's: it counts there from now on. False when that one, or a network around it, has too many.
    #[must_use]
    pub fn move_to(&mut self, remote: IpAddr, most: &AtOnce) -> bool {
        let mut counts = self.gate.0.lock();
        let Some(moved) = counts.add(remote, most) else { return false };
        if let Some(left) = self.sources.replace(moved) {
            counts.remove(left);
        }
        true
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let mut counts = self.gate.0.lock();
        counts.total = counts.total.saturating_sub(1);
        if let Some(sources) = self.sources.take() {
            counts.remove(sources);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    const FEW: AtOnce = AtOnce { all: 3, place: 2, networks: [0, 0] };

    #[test]
    fn each_place_and_all_together_have_a_limit() {
        let gate = Gate::default();
        let enter = |text: &str| gate.enter(ip(text), &FEW);
        let first = enter("2001:db8::1").unwrap();
        let _second = enter("2001:db8::2").unwrap();
        assert!(enter("2001:db8::3").is_none(), "the same /64");
        let _third = enter("192.0.2.1").unwrap();
        assert!(enter("192.0.2.2").is_none(), "three in all");
        drop(first);
        assert!(enter("::ffff:192.0.2.1").is_some());
        assert_eq!(gate.0.lock().by_source.len(), 6, "two places, each with two networks");
    }

    /// Who has many addresses does not get every place of a listener.
    #[test]
    fn the_networks_around_a_place_have_limits_of_their_own() {
        for addresses in [
            // Three neighbours, then one of the wider network, and a stranger.
            ["198.51.100.1", "198.51.100.2", "198.51.100.3", "198.51.101.1", "198.51.101.200", "203.0.113.1"],
            ["2001:db8:1:1::1", "2001:db8:1:2::1", "2001:db8:1:3::1", "2001:db8:2::1", "2001:db8:3::1", "2001:db9::1"],
        ] {
            let gate = Gate::default();
            let most = AtOnce { all: 100, place: 1, networks: [2, 3] };
            let [first, second, third, wider, widest, stranger] = addresses.map(ip);
            let passes = (gate.enter(first, &most).unwrap(), gate.enter(second, &most).unwrap());
            assert!(gate.enter(third, &most).is_none(), "two neighbours are there");
            let _wider = gate.enter(wider, &most).unwrap();
            assert!(gate.enter(widest, &most).is_none(), "three of the wider network are there");
            let _stranger = gate.enter(stranger, &most).unwrap();
            drop(passes);
            let _third = gate.enter(third, &most).unwrap();
            let without = AtOnce { networks: [0, 0], ..most };
            assert!(gate.enter(first, &without).is_some() && gate.enter(widest, &without).is_some(), "0 is no limit");
        }
    }

    #[test]
    fn a_network_may_have_what_one_place_may() {
        let gate = Gate::default();
        let most = AtOnce { all: 100, place: 5, networks: [2, 3] };
        let passes: Vec<Pass> = (0..9).map_while(|_| gate.enter(ip("192.0.2.1"), &most)).collect();
        assert_eq!(passes.len(), 5);
    }

    #[test]
    fn a_connection_counts_for_whom_a_proxy_names() {
        let gate = Gate::default();
        let most = AtOnce { all: 9, place: 1, networks: [0, 0] };
        let proxy = || gate.enter_for_others(&most).unwrap();
        let client = ip("198.51.100.7");
        let (mut first, mut second) = (proxy(), proxy());
        assert!(first.move_to(client, &most));
        assert!(!second.move_to(client, &most), "that one has a connection already");
        assert!(gate.enter(client, &most).is_none());
        assert!(first.move_to(ip("198.51.100.8"), &most), "it is another one's after all");
        assert!(second.move_to(client, &most));
        assert_eq!(gate.0.lock().total, 2);
        drop((first, second));
        let left = gate.0.lock();
        assert_eq!((left.total, left.by_source.len()), (0, 0));
    }

    proptest! {
        /// Whoever comes and goes: nobody has more than they may, and nothing is left of who has gone.
        #[test]
        fn counts_are_those_of_who_is_there(
            most in (1_usize..30, 1_usize..4, [0_usize..8, 0_usize..8]),
            steps in prop::collection::vec((any::<bool>(), 0_u8..40, 0_usize..8), 1..100),
        ) {
            let (all, place, networks) = most;
            let most = AtOnce { all, place, networks };
            let gate = Gate::default();
            let mut inside: Vec<(IpAddr, Pass)> = Vec::new();
            for (comes, who, which) in steps {
                if !comes {
                    if !inside.is_empty() {
                        inside.swap_remove(which % inside.len());
                    }
                    continue;
                }
                let who = ip(&format!("198.51.{}.{}", who % 10, who.saturating_mul(6)));
                let around_who = around(who);
                let count = |n: usize| inside.iter().filter(|(other, _)| around(*other)[n] == around_who[n]).count();
                let fits = inside.len() < all && (0..3).all(|n| count(n) < most.widths()[n]);
                let pass = gate.enter(who, &most);
                prop_assert_eq!(pass.is_some(), fits);
                inside.extend(pass.map(|pass| (who, pass)));
            }
            inside.clear();
            prop_assert_eq!(gate.0.lock().by_source.len(), 0);
            prop_assert_eq!(gate.0.lock().total, 0);
        }
    }
}
