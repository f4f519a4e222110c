//! The guard against guessing: failures counted per remote address and per account, that wear off with time.
//!
//! From the third failure on the answer is held back, each time twice as long; from a set number on nothing is checked
//! until some have worn off. Failures for an account must not shut out its owner: an address that has logged in to it
//! before is judged by its own failures only.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::time::Duration;

use mail::{Address, Prefix, Timestamp};
use parking_lot::Mutex;

use crate::limits::{DELAY_MAX, FAMILIAR_ENTRIES_MAX, FAMILIAR_FOR, GUARD_ENTRIES_MAX};

/// How much guessing is borne.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuardSettings {
    /// Failures of one remote address (IPv6: of one /64) from which on it is refused. 0: never.
    pub address_failures_max: u32,
    /// Failures for one account, from wherever they come, from which on strange addresses are refused. 0: never.
    pub account_failures_max: u32,
    /// The time in which one failure wears off.
    pub failure_wears_off: Duration,
}

impl Default for GuardSettings {
    fn default() -> Self {
        Self { address_failures_max: 20, account_failures_max: 50, failure_wears_off: Duration::from_secs(60) }
    }
}

pub(crate) struct Guard {
    settings: GuardSettings,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    addresses: HashMap<Prefix, Failures>,
    accounts: HashMap<Address, Failures>,
    familiar: HashMap<(Prefix, Address), Timestamp>,
}

#[derive(Clone, Copy)]
struct Failures {
    count: u32,
    counted_at: Timestamp,
}

impl Failures {
    /// How many are left at a time.
    fn left(self, now: Timestamp, wears_off: Duration) -> u32 {
        let gone = now.since(self.counted_at).as_millis().checked_div(wears_off.as_millis()).unwrap_or(u128::MAX);
        self.count.saturating_sub(u32::try_from(gone).unwrap_or(u32::MAX))
    }
}

impl Guard {
    pub(crate) fn new(settings: GuardSettings) -> Self {
        Self { settings, state: Mutex::default() }
    }

    /// Whether an attempt may be made; otherwise how long until then.
    pub(crate) fn admit(&self, remote: IpAddr, account: &Address, now: Timestamp) -> Result<(), Duration> {
        let network = Prefix::place(remote);
        let state = self.state.lock();
        let by_address = self.wait(state.addresses.get(&network).copied(), self.settings.address_failures_max, now);
        let familiar = state.familiar.get(&(network, account.clone())).is_some_and(|end| *end > now);
        let by_account = if familiar {
            None
        } else {
            self.wait(state.accounts.get(account).copied(), self.settings.account_failures_max, now)
        };
        by_address.max(by_account).map_or(Ok(()), Err)
    }

    /// Whether an address has logged in to an account lately.
    pub(crate) fn is_familiar(&self, remote: IpAddr, account: &Address, now: Timestamp) -> bool {
        let key = (Prefix::place(remote), account.clone());
        self.state.lock().familiar.get(&key).is_some_and(|end| *end > now)
    }

    /// An attempt has failed. Returns how long to hold the answer back.
    pub(crate) fn failed(&self, remote: IpAddr, account: &Address, now: Timestamp) -> Duration {
        let wears_off = self.settings.failure_wears_off;
        let mut state = self.state.lock();
        let of_address = count(&mut state.addresses, Prefix::place(remote), now, wears_off);
        count(&mut state.accounts, account.clone(), now, wears_off);
        match of_address.checked_sub(FAILURES_WITHOUT_DELAY + 1) {
            None => Duration::ZERO,
            Some(power) => FIRST_DELAY.saturating_mul(1u32.checked_shl(power.min(31)).unwrap_or(1)).min(DELAY_MAX),
        }
    }

    /// An attempt has succeeded: the account's failures are forgotten, the address's wear off as they do, so that one
    /// account of one's own does not buy guesses at others.
    pub(crate) fn succeeded(&self, remote: IpAddr, account: &Address, now: Timestamp) {
        let mut state = self.state.lock();
        state.accounts.remove(account);
        if state.familiar.len() >= FAMILIAR_ENTRIES_MAX {
            state.familiar.retain(|_, end| *end > now);
        }
        if state.familiar.len() >= FAMILIAR_ENTRIES_MAX {
            state.familiar.clear();
        }
        state.familiar.insert((Prefix::place(remote), account.clone()), now.plus(FAMILIAR_FOR));
    }

    /// How long until `failures` are below the maximum.
    fn wait(&self, failures: Option<Failures>, max: u32, now: Timestamp) -> Option<Duration> {
        let failures = failures?;
        let wears_off = self.settings.failure_wears_off;
        let over = failures.left(now, wears_off).checked_sub(max.checked_sub(1)?).filter(|over| *over > 0)?;
        Some(wears_off.saturating_mul(over))
    }
}

/// Adds one failure and tells how many there are.
fn count<K: Hash + Eq + Clone>(
    failures: &mut HashMap<K, Failures>,
    key: K,
    now: Timestamp,
    wears_off: Duration,
) -> u32 {
    if failures.len() >= GUARD_ENTRIES_MAX && !failures.contains_key(&key) {
        failures.retain(|_, failures| failures.left(now, wears_off) > 0);
        if failures.len() >= GUARD_ENTRIES_MAX {
            // Of a few, the one with the least goes: who has failed often stays remembered.
            let least = failures.iter().take(64).min_by_key(|(_, f)| f.left(now, wears_off)).map(|(k, _)| k.clone());
            least.map(|key| failures.remove(&key));
        }
    }
    let entry = failures.entry(key).or_insert(Failures { count: 0, counted_at: now });
    entry.count = entry.left(now, wears_off).saturating_add(1);
    entry.counted_at = now;
    entry.count
}

/// Everybody mistypes.
const FAILURES_WITHOUT_DELAY: u32 = 2;
const FIRST_DELAY: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use super::*;

    fn guard() -> Guard {
        Guard::new(GuardSettings {
            address_failures_max: 5,
            account_failures_max: 8,
            failure_wears_off: Duration::from_secs(60),
        })
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn alice() -> Address {
        Address::parse("alice@example.org").unwrap()
    }

    const START: Timestamp = Timestamp(1_000_000_000_000);

    #[test]
    fn delays_grow_and_have_an_end() {
        let guard = guard();
        let delays: Vec<u128> = (0..9).map(|_| guard.failed(ip("192.0.2.1"), &alice(), START).as_millis()).collect();
        assert_eq!(delays, [0, 0, 500, 1000, 2000, 4000, 8000, 8000, 8000]);
    }

    #[test]
    fn an_address_is_refused_and_comes_back_by_itself() {
        let guard = guard();
        for _ in 0..5 {
            assert_eq!(guard.admit(ip("192.0.2.1"), &alice(), START), Ok(()));
            guard.failed(ip("192.0.2.1"), &alice(), START);
        }
        assert_eq!(guard.admit(ip("192.0.2.1"), &alice(), START), Err(Duration::from_secs(60)));
        assert_eq!(guard.admit(ip("192.0.2.2"), &alice(), START), Ok(()), "another address is free");
        assert_eq!(guard.admit(ip("192.0.2.1"), &alice(), START.plus(Duration::from_secs(60))), Ok(()));
    }

    #[test]
    fn an_account_is_guarded_from_many_addresses_but_not_from_its_owner() {
        let guard = guard();
        guard.succeeded(ip("198.51.100.7"), &alice(), START);
        for n in 0..8 {
            guard.failed(ip(&format!("192.0.2.{n}")), &alice(), START);
        }
        assert!(guard.admit(ip("192.0.2.200"), &alice(), START).is_err());
        assert_eq!(guard.admit(ip("198.51.100.7"), &alice(), START), Ok(()));
    }

    #[test]
    fn one_success_does_not_buy_guesses() {
        let guard = guard();
        let bob = Address::parse("bob@example.org").unwrap();
        for _ in 0..4 {
            guard.failed(ip("192.0.2.1"), &alice(), START);
        }
        guard.succeeded(ip("192.0.2.1"), &bob, START);
        guard.failed(ip("192.0.2.1"), &alice(), START);
        assert!(guard.admit(ip("192.0.2.1"), &alice(), START).is_err());
    }

    #[test]
    fn an_ipv6_network_counts_as_one_and_mapped_addresses_as_ipv4() {
        let guard = guard();
        for n in 0..5 {
            guard.failed(ip(&format!("2001:db8:0:1::{n}")), &alice(), START);
        }
        assert!(guard.admit(ip("2001:db8:0:1:ffff::1"), &alice(), START).is_err());
        assert!(guard.admit(ip("2001:db8:0:2::1"), &alice(), START).is_ok());
        assert_eq!(Prefix::place(ip("::ffff:192.0.2.1")), Prefix::place(ip("192.0.2.1")));
    }

    #[test]
    fn memory_has_a_bound_and_the_worst_stay_remembered() {
        let guard = guard();
        for _ in 0..5 {
            guard.failed(ip("192.0.2.1"), &alice(), START);
        }
        for n in 0..u32::try_from(GUARD_ENTRIES_MAX).unwrap() + 100 {
            guard.failed(IpAddr::from(n.to_be_bytes()), &alice(), START);
        }
        assert!(guard.state.lock().addresses.len() <= GUARD_ENTRIES_MAX);
        assert!(guard.admit(ip("192.0.2.1"), &alice(), START).is_err());
    }

    #[test]
    fn zero_switches_a_rule_off() {
        let off = GuardSettings { address_failures_max: 0, account_failures_max: 0, ..GuardSettings::default() };
        let guard = Guard::new(off);
        for _ in 0..1000 {
            guard.failed(ip("192.0.2.1"), &alice(), START);
        }
        assert_eq!(guard.admit(ip("192.0.2.1"), &alice(), START), Ok(()));
    }
}
