//! `[sender_authentication]`: whether and how it is checked where mail from other servers comes from.

use std::net::{Ipv4Addr, Ipv6Addr};

use mail::{Domain, Prefix};
use serde::{Deserialize, Deserializer, Serialize};

use super::values::at_least;

/// Where messages come from, and what follows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct SenderAuthentication {
    pub(crate) verify: bool,
    pub(crate) trusted_networks: Vec<Prefix>,
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
        let loopback = [Prefix::of(Ipv4Addr::LOCALHOST.into(), 8), Prefix::address(Ipv6Addr::LOCALHOST.into())];
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
