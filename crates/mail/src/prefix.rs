//! `Prefix`: an address, or a network as CIDR writes it (RFC 4632, RFC 4291 §2.3).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An address, or the addresses with a common beginning.
///
/// Bits behind the length are zero, and an IPv4 address that came as IPv6 is an IPv4 address: what means the same is equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Prefix {
    first: IpAddr,
    bits: u8,
}

/// What is no address and no network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no address and no network; write it like \"192.0.2.7\", \"192.0.2.0/24\" or \"2001:db8::/48\"")]
pub struct PrefixFlaw(String);

impl Prefix {
    /// The network of `bits` bits that an address is in; more bits than it has are as many as it has.
    #[must_use]
    pub fn of(address: IpAddr, bits: u8) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => {
                let bits = bits.min(32);
                let mask = u32::MAX.checked_shl(32_u32.saturating_sub(bits.into())).unwrap_or(0);
                Self { first: Ipv4Addr::from_bits(v4.to_bits() & mask).into(), bits }
            }
            IpAddr::V6(v6) => {
                let bits = bits.min(128);
                let mask = u128::MAX.checked_shl(128_u32.saturating_sub(bits.into())).unwrap_or(0);
                Self { first: Ipv6Addr::from_bits(v6.to_bits() & mask).into(), bits }
            }
        }
    }

    /// One address alone.
    #[must_use]
    pub fn address(address: IpAddr) -> Self {
        Self::of(address, u8::MAX)
    }

    /// What counts as one place: an IPv4 address, or the IPv6 /64 that one customer has to itself.
    #[must_use]
    pub fn place(address: IpAddr) -> Self {
        Self::of(address, if address.to_canonical().is_ipv4() { 32 } else { 64 })
    }

    /// The same, but at least a place: an IPv6 address stands for its /64.
    #[must_use]
    pub fn at_least_a_place(self) -> Self {
        let place = Self::place(self.first);
        if self.bits > place.bits { place } else { self }
    }

    /// Whether it is wider than one place.
    #[must_use]
    pub fn is_network(&self) -> bool {
        self.bits < Self::place(self.first).bits
    }

    /// Whether an address is in it.
    #[must_use]
    pub fn has(&self, address: IpAddr) -> bool {
        address.to_canonical().is_ipv4() == self.first.is_ipv4() && Self::of(address, self.bits) == *self
    }

    /// Its first address.
    #[must_use]
    pub const fn first(&self) -> IpAddr {
        self.first
    }

    /// How many bits its addresses have in common.
    #[must_use]
    pub const fn bits(&self) -> u8 {
        self.bits
    }
}

impl FromStr for Prefix {
    type Err = PrefixFlaw;

    fn from_str(text: &str) -> Result<Self, PrefixFlaw> {
        let wrong = || PrefixFlaw(text.chars().take(80).collect());
        let (ip, bits) = match text.split_once('/') {
            Some((ip, bits)) if !bits.is_empty() && bits.bytes().all(|byte| byte.is_ascii_digit()) => {
                (ip, Some(bits.parse::<u8>().map_err(|_| wrong())?))
            }
            Some(_) => return Err(wrong()),
            None => (text, None),
        };
        let ip: IpAddr = ip.parse().map_err(|_| wrong())?;
        let most: u8 = if ip.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(most);
        // An IPv4 network that is written as IPv6 counts the 96 bits in front of it.
        let mapped = ip.is_ipv6() && ip.to_canonical().is_ipv4();
        match (mapped, bits.checked_sub(96)) {
            _ if bits > most => Err(wrong()),
            (true, Some(bits)) => Ok(Self::of(ip, bits)),
            (true, None) => Err(wrong()),
            (false, _) => Ok(Self::of(ip, bits)),
        }
    }
}

impl TryFrom<String> for Prefix {
    type Error = PrefixFlaw;

    fn try_from(text: String) -> Result<Self, PrefixFlaw> {
        text.parse()
    }
}

impl From<Prefix> for String {
    fn from(prefix: Prefix) -> Self {
        prefix.to_string()
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = if self.first.is_ipv4() { 32 } else { 128 };
        if self.bits == whole { write!(f, "{}", self.first) } else { write!(f, "{}/{}", self.first, self.bits) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn prefix(text: &str) -> Prefix {
        text.parse().unwrap()
    }

    #[test]
    fn what_means_the_same_is_equal_and_written_the_same() {
        for (written, meant) in [
            ("192.0.2.7", "192.0.2.7"),
            ("192.0.2.7/32", "192.0.2.7"),
            ("192.0.2.200/26", "192.0.2.192/26"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("::ffff:192.0.2.7/120", "192.0.2.0/24"),
            ("2001:db8:0:1:2:3:4:5/64", "2001:db8:0:1::/64"),
            ("2001:db8::1/128", "2001:db8::1"),
            ("::/0", "::/0"),
        ] {
            assert_eq!(prefix(written).to_string(), meant, "{written}");
            assert_eq!(prefix(written), prefix(meant));
        }
        for wrong in ["", "x", "192.0.2", "192.0.2.0/33", "::/129", "192.0.2.0/", "192.0.2.0/+8", "::ffff:1.2.3.4/95"] {
            assert!(wrong.parse::<Prefix>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_place_is_an_ipv4_address_or_the_64_of_an_ipv6_address() {
        let place = |ip: &str| Prefix::place(ip.parse().unwrap()).to_string();
        assert_eq!(place("198.51.100.77"), "198.51.100.77");
        assert_eq!(place("::ffff:198.51.100.77"), "198.51.100.77");
        assert_eq!(place("2001:db8:1:2:3::4"), "2001:db8:1:2::/64");
        assert_eq!(prefix("2001:db8::1").at_least_a_place(), prefix("2001:db8::/64"));
        assert_eq!(prefix("2001:db8::/48").at_least_a_place(), prefix("2001:db8::/48"));
        assert_eq!(prefix("192.0.2.7").at_least_a_place(), prefix("192.0.2.7"));
        assert!(prefix("192.0.2.0/31").is_network() && !prefix("2001:db8::/64").is_network());
    }

    #[test]
    fn families_are_not_confused() {
        assert!(prefix("0.0.0.0/0").has("192.0.2.7".parse().unwrap()));
        assert!(!prefix("0.0.0.0/0").has("2001:db8::1".parse().unwrap()));
        assert!(!prefix("::/0").has("::ffff:192.0.2.7".parse().unwrap()), "that is an IPv4 address");
        assert!(prefix("127.0.0.0/8").has("::ffff:127.1.2.3".parse().unwrap()));
    }

    proptest! {
        #[test]
        fn printing_and_reading_is_the_same_again(ip: IpAddr, bits in 0_u8..=140) {
            let prefix = Prefix::of(ip, bits);
            prop_assert!(prefix.has(ip));
            prop_assert_eq!(prefix.to_string().parse::<Prefix>().unwrap(), prefix);
        }

        #[test]
        fn no_text_panics(text: String) {
            text.parse::<Prefix>().ok();
        }
    }
}
