//! The network that a client is in, as far as one owner is likely: an IPv4 /24, an IPv6 /64.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use mail::Prefix;
use serde::{Deserialize, Serialize};

/// An IPv4 /24 or an IPv6 /64. An IPv4 address that comes as IPv6 is an IPv4 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Network(Prefix);

/// A text is no network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is no network; write it like 192.0.2.0/24 or 2001:db8:1:2::/64")]
pub struct NetworkFlaw;

impl Network {
    /// The octets of its key: the family, then the address.
    #[must_use]
    pub fn octets(&self) -> [u8; 17] {
        let mut octets = [0; 17];
        let (family, address) = match self.0.first() {
            IpAddr::V4(ip) => (4, ip.to_ipv6_mapped()),
            IpAddr::V6(ip) => (6, ip),
        };
        octets.iter_mut().zip(std::iter::once(family).chain(address.octets())).for_each(|(to, from)| *to = from);
        octets
    }
}

impl From<IpAddr> for Network {
    fn from(ip: IpAddr) -> Self {
        Self(Prefix::of(ip, if ip.to_canonical().is_ipv4() { 24 } else { 64 }))
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Network {
    type Err = NetworkFlaw;

    fn from_str(text: &str) -> Result<Self, NetworkFlaw> {
        // An address stands for the network that it is in.
        if let Ok(ip) = text.parse::<IpAddr>() {
            return Ok(Self::from(ip));
        }
        let prefix: Prefix = text.parse().map_err(|_| NetworkFlaw)?;
        let network = Self::from(prefix.first());
        if network.0 == prefix { Ok(network) } else { Err(NetworkFlaw) }
    }
}

impl TryFrom<String> for Network {
    type Error = NetworkFlaw;

    fn try_from(text: String) -> Result<Self, NetworkFlaw> {
        text.parse()
    }
}

impl From<Network> for String {
    fn from(network: Network) -> Self {
        network.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_owner_are_one_network() {
        for (ip, network) in [
            ("192.0.2.77", "192.0.2.0/24"),
            ("::ffff:192.0.2.1", "192.0.2.0/24"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ] {
            let found = Network::from(ip.parse::<IpAddr>().unwrap());
            assert_eq!(found.to_string(), network);
            assert_eq!(network.parse(), Ok(found));
            assert_eq!(ip.parse(), Ok(found));
        }
        for wrong in ["", "192.0.2.0/16", "2001:db8::/48", "example.org", "192.0.2.0/"] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
        let four = Network::from("192.0.2.1".parse::<IpAddr>().unwrap()).octets();
        assert_eq!((four[0], &four[13..]), (4, &[192, 0, 2, 0][..]));
    }
}
