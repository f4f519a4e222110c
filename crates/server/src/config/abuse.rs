//! Who may connect how often, who is banned and for how long, and the tarpit.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use abuse::PerNetwork;
use mail::Domain;
use mail::Prefix;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

use super::Config;
use super::values::at_least;

/// The section `[abuse]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Abuse {
    pub(crate) enabled: bool,
    pub(crate) never_banned: Vec<Never>,
    #[serde(deserialize_with = "per_network")]
    pub(crate) connections_per_minute_max: PerNetwork,
    #[serde(deserialize_with = "per_network")]
    pub(crate) messages_per_hour_max: PerNetwork,
    #[serde(deserialize_with = "per_network")]
    pub(crate) unknown_recipients_per_hour_max: PerNetwork,
    #[serde(deserialize_with = "per_network")]
    pub(crate) failed_logins_per_hour_max: PerNetwork,
    #[serde(deserialize_with = "per_network")]
    pub(crate) bad_commands_per_hour_max: PerNetwork,
    /// 0: never.
    pub(crate) ban_at_multiple: u32,
    #[serde(deserialize_with = "spans")]
    pub(crate) ban_secs: Vec<u64>,
    #[serde(deserialize_with = "at_least::<_, _, 1>")]
    pub(crate) ban_forgotten_days: u32,
    /// 0: none.
    pub(crate) tarpit_secs_max: u32,
    pub(crate) tarpit_connections_max: u32,
    /// Empty: the postmaster.
    #[serde(deserialize_with = "contact")]
    pub(crate) contact: String,
}

impl Default for Abuse {
    fn default() -> Self {
        let usual = abuse::Settings::default();
        Self {
            enabled: usual.enabled,
            never_banned: vec![
                Never::Network(Prefix::of(Ipv4Addr::LOCALHOST.into(), 8)),
                Never::Network(Prefix::address(Ipv6Addr::LOCALHOST.into())),
                Never::TrustedNetworks,
            ],
            connections_per_minute_max: usual.connections,
            messages_per_hour_max: usual.messages,
            unknown_recipients_per_hour_max: usual.unknown_recipients,
            failed_logins_per_hour_max: usual.failed_logins,
            bad_commands_per_hour_max: usual.bad_commands,
            ban_at_multiple: usual.ban_at_multiple,
            ban_secs: usual.ban_for.iter().map(Duration::as_secs).collect(),
            ban_forgotten_days: 30,
            tarpit_secs_max: 10,
            tarpit_connections_max: 200,
            contact: String::new(),
        }
    }
}

/// Who is never banned: a network, or those that another section names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) enum Never {
    /// An address or a network.
    Network(Prefix),
    /// Those of `[sender_authentication]`.
    TrustedNetworks,
}

const TRUSTED_NETWORKS: &str = "trusted_networks";

impl TryFrom<String> for Never {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text == TRUSTED_NETWORKS {
            return Ok(Self::TrustedNetworks);
        }
        let flaw = |error: mail::PrefixFlaw| format!("{error}, or \"{TRUSTED_NETWORKS}\"");
        text.parse().map(Self::Network).map_err(flaw)
    }
}

impl From<Never> for String {
    fn from(never: Never) -> Self {
        never.to_string()
    }
}

impl fmt::Display for Never {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(prefix) => prefix.fmt(f),
            Self::TrustedNetworks => f.write_str(TRUSTED_NETWORKS),
        }
    }
}

impl Config {
    /// What is borne of clients, and who is never banned.
    pub(crate) fn abuse(&self) -> abuse::Settings {
        let section = &self.abuse;
        let named = section.never_banned.iter().flat_map(|never| match never {
            Never::Network(prefix) => vec![*prefix],
            Never::TrustedNetworks => self.sender_authentication.trusted_networks.clone(),
        });
        // A proxy is not its clients: these are known by what it tells.
        let proxies = self.security.proxy_protocol_from.iter().chain(&self.security.xclient_from);
        let never_banned = named.chain(proxies.map(|proxy| Prefix::address(*proxy))).collect();
        abuse::Settings {
            enabled: section.enabled,
            never_banned,
            connections: section.connections_per_minute_max,
            messages: section.messages_per_hour_max,
            unknown_recipients: section.unknown_recipients_per_hour_max,
            failed_logins: section.failed_logins_per_hour_max,
            bad_commands: section.bad_commands_per_hour_max,
            ban_at_multiple: section.ban_at_multiple,
            ban_for: section.ban_secs.iter().copied().map(Duration::from_secs).collect(),
            forgotten_after: Duration::from_secs(u64::from(section.ban_forgotten_days).saturating_mul(86_400)),
            tarpit_max: Duration::from_secs(section.tarpit_secs_max.into()),
            tarpit_held_max: usize::try_from(section.tarpit_connections_max).unwrap_or(usize::MAX),
            contact: if section.contact.is_empty() { postmaster(&self.hostname) } else { section.contact.clone() },
        }
    }
}

fn postmaster(hostname: &Domain) -> String {
    format!("postmaster@{hostname}")
}

/// Three numbers: of a place and of the two networks around it.
fn per_network<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PerNetwork, D::Error> {
    const MEANT: &str = "for an address, for its neighbours and for its wider network; 0 is none";
    let written = match toml::Value::deserialize(deserializer)? {
        toml::Value::Array(written) => written,
        toml::Value::Integer(one) => {
            let (some, more) = (one.saturating_mul(5), one.saturating_mul(20));
            return Err(D::Error::custom(format!("write three numbers, as [{one}, {some}, {more}]: {MEANT}")));
        }
        toml::Value::String(_)
        | toml::Value::Float(_)
        | toml::Value::Boolean(_)
        | toml::Value::Datetime(_)
        | toml::Value::Table(_) => {
            return Err(D::Error::custom(format!("write three numbers, as [20, 200, 1000]: {MEANT}")));
        }
    };
    let number = |one: &toml::Value| one.as_integer().and_then(|one| u32::try_from(one).ok());
    let numbers = written.iter().map(number).collect::<Option<Vec<u32>>>().ok_or_else(|| {
        D::Error::custom(format!("each of the three is a whole number from 0 to {}, without quotes or units", u32::MAX))
    })?;
    <[u32; 3]>::try_from(numbers).map(PerNetwork).map_err(|numbers| {
        D::Error::custom(format!("these are {} numbers; write three, as [20, 200, 1000]: {MEANT}", numbers.len()))
    })
}

/// How long bans last, from the first on.
fn spans<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u64>, D::Error> {
    let spans = Vec::<u64>::deserialize(deserializer)?;
    if spans.is_empty() || spans.contains(&0) || spans.iter().any(|secs| *secs > SPAN_SECS_MAX) {
        return Err(D::Error::custom("this needs at least one span of seconds, each from 1 to 31536000 (a year)"));
    }
    Ok(spans)
}

const SPAN_SECS_MAX: u64 = 365 * 86_400;

/// Where people can write to, or nothing. It stands in replies as it is, so it is short plain ASCII.
fn contact<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.len() > CONTACT_OCTETS_MAX || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        let message = format!(
            "\"{text}\" can't stand in a reply: write an address in {CONTACT_OCTETS_MAX} characters of ASCII at the most"
        );
        return Err(D::Error::custom(message));
    }
    Ok(text)
}

const CONTACT_OCTETS_MAX: usize = 100;

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::parse;

    #[test]
    fn who_is_never_banned_comes_from_several_places() {
        let never = |text: &str| {
            let settings = parse(text, Path::new("relais.toml")).unwrap().abuse();
            settings.never_banned.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(never(""), "127.0.0.0/8 ::1 127.0.0.0/8 ::1");
        assert_eq!(never("[abuse]\nnever_banned = []\n"), "");
        let text = "[abuse]\nnever_banned = [\"trusted_networks\", \"192.0.2.9/28\"]\n\
                    [sender_authentication]\ntrusted_networks = [\"198.51.100.0/24\"]\n\
                    [security]\nproxy_protocol_from = [\"203.0.113.1\"]\nxclient_from = [\"::1\"]\n";
        assert_eq!(never(text), "198.51.100.0/24 192.0.2.0/28 203.0.113.1 ::1");
    }

    #[test]
    fn settings_are_taken_over_and_mistakes_told() {
        let text = "hostname = \"mx.example\"\n[abuse]\nban_secs = [60, 120]\nfailed_logins_per_hour_max = [5, 0, 0]\ntarpit_secs_max = 0\n";
        let settings = parse(text, Path::new("relais.toml")).unwrap().abuse();
        assert_eq!(settings.contact, "postmaster@mx.example");
        assert_eq!((settings.ban_lasts(2).as_secs(), settings.tarpit_max.as_secs()), (120, 0));
        assert_eq!(settings.failed_logins, PerNetwork([5, 0, 0]));
        assert_eq!(Config::default().abuse().ban_for, abuse::Settings::default().ban_for);
        for (line, wrong) in [
            ("ban_secs = []", "at least one span"),
            ("ban_secs = [60, 0]", "at least one span"),
            ("connections_per_minute_max = 600", "write three numbers, as [600, 3000, 12000]: for an address"),
            ("connections_per_minute_max = \"600\"", "write three numbers, as [20, 200, 1000]"),
            ("connections_per_minute_max = [-1, 2, 3]", "each of the three is a whole number from 0"),
            ("messages_per_hour_max = [1, 2]", "these are 2 numbers; write three"),
            ("never_banned = [\"loopback\"]", "or \"trusted_networks\""),
            ("contact = \"the postmaster\"", "can't stand in a reply"),
        ] {
            let told = parse(&format!("[abuse]\n{line}\n"), Path::new("relais.toml")).unwrap_err().to_string();
            assert!(told.contains(wrong), "{told}");
        }
    }
}
