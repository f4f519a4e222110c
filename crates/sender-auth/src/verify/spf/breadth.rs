//! How much of the world a domain's records let pass, as far as they were read.
//!
//! A record that lets everybody pass says nothing of who sends: neither that they are the domain's servers, nor that two of them have one owner.

use std::net::IpAddr;

/// Addresses that records may name together and still say something: of IPv4 as many as a /12 has, of IPv6 as many /48. The largest
/// providers name half of that.
const NARROW_MAX: u64 = 1 << 20;

/// Sums up what mechanisms name, of the client's family.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Breadth {
    named: u64,
    /// The client passes by something that names no addresses.
    unbounded: bool,
}

impl Breadth {
    /// So many networks of this length are named.
    pub(super) fn add(&mut self, family: IpAddr, prefix: u8, how_many: usize) {
        let units: u8 = if family.is_ipv4() { 32 } else { 48 };
        let each = 1_u64.checked_shl(u32::from(units.saturating_sub(prefix))).unwrap_or(u64::MAX);
        let all = each.saturating_mul(u64::try_from(how_many).unwrap_or(u64::MAX));
        self.named = self.named.saturating_add(all);
    }

    /// The client passes by what could let anybody pass.
    pub(super) const fn passes_by_anything(&mut self) {
        self.unbounded = true;
    }

    /// Whether a pass says something.
    pub(super) const fn is_narrow(self) -> bool {
        !self.unbounded && self.named <= NARROW_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_names_much_of_the_world_is_not_narrow() {
        let (four, six): (IpAddr, IpAddr) = ("192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap());
        for (family, networks, narrow) in [
            (four, &[][..], true),
            (four, &[(32, 1_000)], true),
            // What the largest provider names.
            (four, &[(15, 2), (16, 2), (17, 2)], true),
            (four, &[(12, 1)], true),
            (four, &[(12, 1), (32, 1)], false),
            (four, &[(16, 17)], false),
            (four, &[(1, 2)], false),
            (four, &[(0, 1)], false),
            (four, &[(0, usize::MAX), (0, usize::MAX)], false),
            (six, &[(36, 6), (48, 9), (128, 50)], true),
            (six, &[(28, 1)], true),
            (six, &[(28, 1), (64, 1)], false),
            (six, &[(3, 1)], false),
            (six, &[(0, 1)], false),
        ] {
            let mut breadth = Breadth::default();
            networks.iter().for_each(|(prefix, how_many)| breadth.add(family, *prefix, *how_many));
            assert_eq!(breadth.is_narrow(), narrow, "{family} {networks:?}");
        }
        let mut breadth = Breadth::default();
        breadth.passes_by_anything();
        assert!(!breadth.is_narrow());
    }
}
