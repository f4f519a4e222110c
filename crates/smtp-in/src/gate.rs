//! How many connections a listener has, in all and from each address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use mail::Prefix;
use parking_lot::Mutex;

/// Counts the connections of one listener.
#[derive(Clone, Debug, Default)]
pub struct Gate(Arc<Mutex<Counts>>);

#[derive(Debug, Default)]
struct Counts {
    total: usize,
    by_source: HashMap<Prefix, usize>,
}

/// The right to hold one connection; given back when dropped.
#[derive(Debug)]
pub struct Pass {
    gate: Gate,
    source: Prefix,
}

impl Gate {
    /// Lets a connection in unless there are too many: in all, or from one address (IPv4, or IPv6 /64).
    #[must_use]
    pub fn enter(&self, remote: IpAddr, connections_max: usize, per_address_max: usize) -> Option<Pass> {
        let source = Prefix::place(remote);
        let mut counts = self.0.lock();
        if counts.total >= connections_max {
            return None;
        }
        let from_source = counts.by_source.entry(source).or_default();
        if *from_source >= per_address_max {
            return None;
        }
        *from_source += 1;
        counts.total += 1;
        Some(Pass { gate: self.clone(), source })
    }
}

impl Pass {
    /// The connection turns out to be another address's: it counts there from now on. False when that one has too many.
    #[must_use]
    pub fn move_to(&mut self, remote: IpAddr, per_address_max: usize) -> bool {
        let Some(moved) = self.gate.enter(remote, usize::MAX, per_address_max) else { return false };
        *self = moved;
        true
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let mut counts = self.gate.0.lock();
        counts.total = counts.total.saturating_sub(1);
        if let Some(from_source) = counts.by_source.get_mut(&self.source) {
            *from_source = from_source.saturating_sub(1);
            if *from_source == 0 {
                counts.by_source.remove(&self.source);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_and_all_together_have_a_limit() {
        let gate = Gate::default();
        let enter = |text: &str| gate.enter(text.parse().unwrap(), 3, 2);
        let first = enter("2001:db8::1").unwrap();
        let _second = enter("2001:db8::2").unwrap();
        assert!(enter("2001:db8::3").is_none(), "the same /64");
        let _third = enter("192.0.2.1").unwrap();
        assert!(enter("192.0.2.2").is_none(), "three in all");
        drop(first);
        assert!(enter("::ffff:192.0.2.1").is_some());
        assert_eq!(gate.0.lock().by_source.len(), 2);
    }

    #[test]
    fn a_connection_counts_for_whom_a_proxy_names() {
        let gate = Gate::default();
        let proxy = || gate.enter("192.0.2.1".parse().unwrap(), 9, usize::MAX).unwrap();
        let client = "198.51.100.7".parse().unwrap();
        let (mut first, mut second) = (proxy(), proxy());
        assert!(first.move_to(client, 1));
        assert!(!second.move_to(client, 1), "that one has a connection already");
        assert_eq!(gate.0.lock().total, 2);
        drop((first, second));
        let left = gate.0.lock();
        assert_eq!((left.total, left.by_source.len()), (0, 0));
    }
}
