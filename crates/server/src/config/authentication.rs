//! `[sender_authentication]`: whether and how it is checked where mail from other servers comes from.

use std::fmt;
use std::net::IpAddr;

use mail::Domain;
use serde::{Deserialize, Deserializer, Serialize};

use super::values::at_least;

/// Where messages come from, and what follows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct SenderAuthentication {
    pub(crate) verify: bool,
    pub(crate) trusted_networks: Vec<Network>,
    /// Empty: the host name.
    #[serde(deserialize_with = "name_or_nothing")]
    pub(crate) results_name: String,
    pub(crate) dmarc: Dmarc,
    pub(crate) defer_when_unsure: bool,
    pub(crate) refuse_spf_fail: bool,
    pub(crate) trusted_sealers: Vec<Domain>,
    #[serde(deserialize_with = "at_least::<_, _, 1>")]
    pub(crate) timeout_secs: u64,
    /// Empty: no reports.
    #[serde(deserialize_with = "address_or_nothing")]
    pub(crate) reports_from: String,
    /// Where reports of others are read; none: they are mail like any other.
    pub(crate) reports_to: Vec<mail::Address>,
    #[serde(deserialize_with = "at_least::<_, _, 1>")]
    pub(crate) reports_keep_days: u64,
}

/// How far DMARC is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Dmarc {
    /// `reject` refuses.
    Enforce,
    /// `reject` puts into Spam.
    Quarantine,
    /// Nothing follows.
    Report,
}

impl Default for SenderAuthentication {
    fn default() -> Self {
        let loopback = [
            Network { ip: [127, 0, 0, 0].into(), prefix: 8 },
            Network { ip: IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]), prefix: 128 },
        ];
        Self {
            verify: true,
            trusted_networks: loopback.to_vec(),
            results_name: String::new(),
            dmarc: Dmarc::Enforce,
            defer_when_unsure: true,
            refuse_spf_fail: false,
            trusted_sealers: Vec::new(),
            timeout_secs: 20,
            reports_from: String::new(),
            reports_to: Vec::new(),
            reports_keep_days: 180,
        }
    }
}

impl SenderAuthentication {
    /// What follows from the checks.
    pub(crate) fn rules(&self) -> sender_auth::verify::Rules {
        use sender_auth::verify::Enforcement;
        sender_auth::verify::Rules {
            dmarc: match self.dmarc {
                Dmarc::Enforce => Enforcement::Enforce,
                Dmarc::Quarantine => Enforcement::Quarantine,
                Dmarc::Report => Enforcement::Report,
            },
            defer_when_unsure: self.defer_when_unsure,
            refuse_spf_fail: self.refuse_spf_fail,
            trusted_sealers: self.trusted_sealers.clone(),
        }
    }
}

/// Addresses with a common beginning, as `192.0.2.0/24`; one address is a network of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Network {
    ip: IpAddr,
    prefix: u8,
}

impl Network {
    /// Whether an address is in it. An IPv4 address that comes as IPv6 is an IPv4 address.
    pub(crate) fn has(&self, address: IpAddr) -> bool {
        let octets = |ip: IpAddr| match ip.to_canonical() {
            IpAddr::V4(ip) => ip.octets().to_vec(),
            IpAddr::V6(ip) => ip.octets().to_vec(),
        };
        let (own, other) = (octets(self.ip), octets(address));
        let (whole, rest) = (usize::from(self.prefix / 8), u32::from(self.prefix % 8));
        let mask = !u8::MAX.checked_shr(rest).unwrap_or(0);
        own.len() == other.len()
            && own.get(..whole) == other.get(..whole)
            && own.get(whole).map(|octet| octet & mask) == other.get(whole).map(|octet| octet & mask)
    }
}

impl TryFrom<String> for Network {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wrong =
            || format!("\"{text}\" is no network; write it like \"192.0.2.0/24\", \"2001:db8::/32\" or \"192.0.2.1\"");
        let (ip, prefix) = match text.split_once('/') {
            Some((ip, prefix)) => (ip, Some(prefix.parse::<u8>().map_err(|_| wrong())?)),
            None => (text.as_str(), None),
        };
        let ip: IpAddr = ip.parse().map_err(|_| wrong())?;
        let most = if ip.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.unwrap_or(most);
        if prefix > most { Err(wrong()) } else { Ok(Self { ip, prefix }) }
    }
}

impl From<Network> for String {
    fn from(network: Network) -> Self {
        network.to_string()
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.ip, self.prefix)
    }
}

/// A name of a server, or nothing.
fn name_or_nothing<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.is_empty() {
        return Ok(text);
    }
    match Domain::parse(&text) {
        Ok(name) if name.as_literal().is_none() => Ok(name.to_string()),
        Ok(_) => Err(serde::de::Error::custom("this must be a name, not an IP address")),
        Err(flaw) => Err(serde::de::Error::custom(format!("\"{text}\" is no name of a server: {flaw}"))),
    }
}

/// A mail address, or nothing.
fn address_or_nothing<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.is_empty() || mail::Address::parse(&text).is_ok() {
        return Ok(text);
    }
    Err(serde::de::Error::custom(format!("\"{text}\" is no mail address; write it like \"dmarc@example.org\"")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_know_their_addresses() {
        let network = |text: &str| Network::try_from(text.to_owned());
        for (text, inside, outside) in [
            ("192.0.2.0/24", "192.0.2.255", "192.0.3.0"),
            ("192.0.2.128/25", "192.0.2.200", "192.0.2.127"),
            ("192.0.2.1", "::ffff:192.0.2.1", "192.0.2.2"),
            ("0.0.0.0/0", "203.0.113.9", "2001:db8::1"),
            ("2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::1"),
            ("::1", "::1", "::2"),
        ] {
            let network = network(text).unwrap();
            assert!(network.has(inside.parse().unwrap()) && !network.has(outside.parse().unwrap()), "{text}");
        }
        for wrong in ["", "192.0.2.0/33", "192.0.2.0/", "192.0.2/24", "::/129", "example.org"] {
            assert!(network(wrong).is_err(), "{wrong}");
        }
        assert_eq!(String::from(network("192.0.2.1").unwrap()), "192.0.2.1/32");
    }
}
