//! Values with rules of their own.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use mail::Domain;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

use super::flaw::whole_number;

/// An address and port to listen at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Endpoint(pub(crate) SocketAddr);

impl Endpoint {
    /// Every address of the machine.
    pub(crate) fn everywhere(port: u16) -> Self {
        Self((Ipv6Addr::UNSPECIFIED, port).into())
    }

    /// The machine itself only.
    pub(crate) fn loopback(port: u16) -> Self {
        Self((Ipv4Addr::LOCALHOST, port).into())
    }
}

impl TryFrom<String> for Endpoint {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse().map(Self).map_err(|_| {
            format!("\"{text}\" is no IP address with a port; write it like \"[::]:25\" or \"127.0.0.1:8025\"")
        })
    }
}

impl From<Endpoint> for String {
    fn from(endpoint: Endpoint) -> Self {
        endpoint.0.to_string()
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A score of strength, 0 to 4.
pub(super) fn strength<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u8, D::Error> {
    match u8::deserialize(deserializer)? {
        score @ 0..=4 => Ok(score),
        score => Err(D::Error::custom(format!("{score} is no strength; it goes from 0 (anything) to 4 (very strong)"))),
    }
}

/// A number with a least value.
pub(super) fn at_least<'de, D, N, const MIN: u32>(deserializer: D) -> Result<N, D::Error>
where
    D: Deserializer<'de>,
    N: Deserialize<'de> + PartialOrd + From<u32> + fmt::Display,
{
    let number =
        N::deserialize(deserializer).map_err(|error| D::Error::custom(whole_number(&error.to_string(), MIN)))?;
    if number < N::from(MIN) {
        return Err(D::Error::custom(format!("{number} is too small; the least is {MIN}")));
    }
    Ok(number)
}

/// A number with a least value, or 0: none.
pub(super) fn none_or_at_least<'de, D: Deserializer<'de>, const MIN: u32>(deserializer: D) -> Result<u32, D::Error> {
    let number = at_least::<_, u32, 0>(deserializer)?;
    if (1..MIN).contains(&number) {
        return Err(D::Error::custom(format!("{number} is too small; the least is {MIN}, and 0 is none")));
    }
    Ok(number)
}

/// A number with a greatest value.
pub(super) fn at_most<'de, D: Deserializer<'de>, const MAX: u32>(deserializer: D) -> Result<u32, D::Error> {
    let number = at_least::<_, u32, 0>(deserializer)?;
    if number > MAX { Err(D::Error::custom(format!("{number} is too large; the most is {MAX}"))) } else { Ok(number) }
}

/// Two numbers: of an address's neighbours and of its wider network.
pub(super) fn two_networks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u64; 2], D::Error> {
    let numbers = Vec::<u64>::deserialize(deserializer)?;
    <[u64; 2]>::try_from(numbers).map_err(|numbers| {
        D::Error::custom(format!(
            "these are {} numbers; write two, as [500, 1500]: for the neighbours of an address and for its wider network; 0 is none",
            numbers.len()
        ))
    })
}

/// Classes of solicitation (RFC 3865 §3): a reversed domain name, a colon, and what it means by it.
pub(super) fn solicitation_classes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let classes = Vec::<String>::deserialize(deserializer)?;
    let good = |b: u8| b.is_ascii_alphanumeric() || b"-_.:".contains(&b);
    match classes.iter().find(|class| class.is_empty() || !class.bytes().all(good)) {
        Some(class) => {
            Err(D::Error::custom(format!("\"{class}\" is no class of solicitation; write it like \"net.example:ADV\"")))
        }
        None if classes.iter().map(|class| class.len().saturating_add(1)).sum::<usize>() > 400 => {
            Err(D::Error::custom("these are too many for one line of EHLO; together they may have 400 characters"))
        }
        None => Ok(classes),
    }
}

/// The beginning of links, or nothing. It stands in letters as it is, so it is plain ASCII without spaces.
pub(super) fn web_url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    let behind = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let good = behind.is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_graphic()))
        && !text.contains(['<', '>', '"', '?', '#']);
    if text.is_empty() || good {
        return Ok(text.trim_end_matches('/').to_owned());
    }
    Err(D::Error::custom(format!("\"{text}\" is no address of a web site; write it like \"https://mail.example.org\"")))
}

/// A host, by name or IP address, or nothing.
pub(super) fn host_or_nothing<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.is_empty() { Ok(text) } else { checked_host(text).map_err(D::Error::custom) }
}

/// A host, by name or IP address.
pub(super) fn host<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    checked_host(String::deserialize(deserializer)?).map_err(D::Error::custom)
}

fn checked_host(text: String) -> Result<String, String> {
    if text.parse::<IpAddr>().is_ok() {
        return Ok(text);
    }
    match Domain::parse(&text) {
        Ok(name) => Ok(name.to_string()),
        Err(flaw) => Err(format!("\"{text}\" is no host: {flaw}")),
    }
}
