//! Where something comes from, as far as one owner is likely: a network, or the servers of a domain, whatever networks they are in.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use mail::Domain;
use serde::{Deserialize, Serialize};

use crate::network::Network;

/// A network, or the servers that a domain sends from. As a text they are told apart by the `/` that no domain has.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Origin {
    /// The network of a client.
    Network(Network),
    /// The servers of a domain, by its SPF: a provider sends from many networks.
    Pool(Domain),
}

/// A text names neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is neither a network nor a domain; write it like 192.0.2.0/24, 2001:db8:1:2::/64 or far.example")]
pub struct OriginFlaw;

impl Origin {
    /// The servers of a domain; `None` when it is an address, or no complete name.
    #[must_use]
    pub fn pool(domain: Domain) -> Option<Self> {
        let is_address = domain.as_literal().is_some() || domain.as_str().parse::<IpAddr>().is_ok();
        (!is_address && domain.as_str().contains('.')).then_some(Self::Pool(domain))
    }
}

impl From<Network> for Origin {
    fn from(network: Network) -> Self {
        Self::Network(network)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(network) => network.fmt(f),
            Self::Pool(domain) => domain.fmt(f),
        }
    }
}

impl FromStr for Origin {
    type Err = OriginFlaw;

    fn from_str(text: &str) -> Result<Self, OriginFlaw> {
        // An address stands for the network that it is in.
        if let Ok(network) = text.parse() {
            return Ok(Self::Network(network));
        }
        Domain::parse(text).ok().and_then(Self::pool).ok_or(OriginFlaw)
    }
}

impl TryFrom<String> for Origin {
    type Error = OriginFlaw;

    fn try_from(text: String) -> Result<Self, OriginFlaw> {
        text.parse()
    }
}

impl From<Origin> for String {
    fn from(origin: Origin) -> Self {
        origin.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_and_domains_are_told_apart_by_their_texts() {
        let pool = |text: &str| Origin::pool(Domain::parse(text).unwrap());
        for text in ["192.0.2.0/24", "2001:db8:1:2::/64", "far.example", "xn--caf-dma.example"] {
            let origin: Origin = text.parse().unwrap();
            assert_eq!(origin.to_string(), text);
            assert_eq!(Origin::try_from(String::from(origin.clone())), Ok(origin.clone()));
            assert_eq!(matches!(origin, Origin::Pool(_)), text.ends_with("example"));
        }
        assert_eq!("192.0.2.77".parse(), Ok(Origin::Network("192.0.2.0/24".parse().unwrap())));
        assert_eq!("Far.Example".parse().ok(), pool("far.example"));
        for wrong in ["", "192.0.2.0/16", "[192.0.2.1]", "localhost", "zoe@far.example", "a b.example"] {
            assert_eq!(wrong.parse::<Origin>(), Err(OriginFlaw), "{wrong}");
        }
        for none in ["192.0.2.1", "[192.0.2.1]", "localhost"] {
            assert_eq!(pool(none), None, "{none}");
        }
    }
}
