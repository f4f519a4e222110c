//! How a connection to an MX host is protected: by DANE (RFC 7672), else by MTA-STS (RFC 8461), else opportunistically
//! (RFC 7435); and what a message adds that asks for TLS, or says that it need not be (RFC 8689).
//!
//! [`decide`] is pure; [`known`] finds out what there is.

pub(crate) mod dane;
pub(crate) mod known;
pub(crate) mod sts;

use mail::{Domain, EnhancedCode, Reply};
use storage::mta_sts::{StsMode, StsPolicy};
use world::TlsaRecord;

use crate::client::session::{Broken, Trouble};
use crate::tls::VALIDATION_FAILURE;

/// What a message asks of its way (RFC 8689).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Nothing.
    Usual,
    /// REQUIRETLS: a checked certificate, and a host that passes the demand on.
    Required,
    /// `TLS-Required: No`: rather without TLS than not at all.
    Optional,
}

/// What there is about a host in the DNS that DNSSEC proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Tlsa {
    /// The way to it is not signed.
    Unsigned,
    /// Its name and address are proven; there is no TLSA record.
    Nothing,
    /// There are TLSA records at this name.
    Records(Domain, Vec<TlsaRecord>),
    /// The question was not answered, or the answer's signature is wrong.
    Failed(String),
}

/// What is known of a host.
pub(crate) struct Facts<'a> {
    /// Whose mail it takes.
    pub(crate) domain: &'a Domain,
    /// The host.
    pub(crate) host: &'a Domain,
    /// What DANE has to say.
    pub(crate) tlsa: &'a Tlsa,
    /// The policy of the domain, if it has one.
    pub(crate) sts: Option<&'a StsPolicy>,
    /// What the message asks for.
    pub(crate) wish: Wish,
}

/// How the certificate of a host is checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Check {
    /// By nothing; plain text will do.
    Opportunistic,
    /// By these TLSA records.
    Dane {
        /// Usable ones.
        records: Vec<TlsaRecord>,
        /// The names of which it may have one.
        names: Vec<Domain>,
    },
    /// The same, and for a report of how it would have gone: the policy of the domain is one in `testing`.
    Trial {
        /// Whether the policy names the host.
        named: bool,
    },
    /// By nothing, but TLS must be: there are TLSA records, and none can be used (RFC 7672 §2.2).
    EncryptedByDane,
    /// By the public authorities, for MTA-STS demands it.
    Sts,
    /// By the public authorities, for the message demands it; the host's name is proven by DNSSEC or MTA-STS.
    Message,
}

impl Check {
    /// Whether the host is known to be the right one when its certificate passes.
    pub(crate) const fn authenticates(&self) -> bool {
        match self {
            Self::Dane { .. } | Self::Sts | Self::Message => true,
            Self::Opportunistic | Self::Trial { .. } | Self::EncryptedByDane => false,
        }
    }

    /// Whether there must be TLS.
    pub(crate) const fn demands_tls(&self) -> bool {
        match self {
            Self::Dane { .. } | Self::Sts | Self::Message | Self::EncryptedByDane => true,
            Self::Opportunistic | Self::Trial { .. } => false,
        }
    }

    /// Whether what is known of an open connection is what this check would make known of a new one: for a connection that was
    /// opened under the check `held`, to the same host, and is `encrypted` or not. A message never goes over a connection that could
    /// not have been opened for it.
    pub(crate) fn is_met_by(&self, held: &Self, encrypted: bool) -> bool {
        match self {
            Self::Opportunistic | Self::Trial { .. } => true,
            Self::EncryptedByDane => encrypted,
            // One of the records that were held then fits the certificate. Which one is not known, so all of them must hold still.
            Self::Dane { records, names } => match held {
                Self::Dane { records: then, names: then_names } => {
                    let still = then.iter().all(|record| records.contains(record));
                    encrypted && still && then_names.iter().all(|name| names.contains(name))
                }
                Self::Opportunistic | Self::Trial { .. } | Self::EncryptedByDane | Self::Sts | Self::Message => false,
            },
            // Both are the public authorities' word for the host's name.
            Self::Sts | Self::Message => match held {
                Self::Sts | Self::Message => encrypted,
                Self::Opportunistic | Self::Trial { .. } | Self::EncryptedByDane | Self::Dane { .. } => false,
            },
        }
    }

    /// Who demands TLS, for people.
    pub(crate) const fn demanded_by(&self) -> &'static str {
        match self {
            Self::Opportunistic | Self::Trial { .. } => "nobody",
            Self::Dane { .. } | Self::EncryptedByDane => "DANE",
            Self::Sts => "MTA-STS",
            Self::Message => "REQUIRETLS",
        }
    }
}

/// How to connect to a host, or why not to.
pub(crate) fn decide(facts: &Facts<'_>) -> Result<Check, Broken> {
    let Facts { domain, host, tlsa, sts, wish } = facts;
    if *wish == Wish::Optional {
        return Ok(Check::Opportunistic);
    }
    let policy = sts.filter(|policy| policy.mode != StsMode::None);
    let named = policy.is_some_and(|policy| sts::names(policy, host));
    match tlsa {
        // RFC 7672 §2.1: without the answer the host must not be used.
        Tlsa::Failed(why) => return Err(Broken::Distrusted(Trouble::new(format!("DANE: {why}"), "dnssec-invalid"))),
        Tlsa::Records(base, records) => {
            let records = dane::usable(records);
            if !records.is_empty() {
                let mut names = vec![base.clone(), (*host).clone(), (*domain).clone()];
                names.dedup();
                return Ok(Check::Dane { records, names });
            }
            if *wish != Wish::Required {
                return Ok(Check::EncryptedByDane);
            }
        }
        Tlsa::Unsigned | Tlsa::Nothing => {}
    }
    // RFC 8461 §4.1, §5: a host that an enforced policy does not name gets nothing.
    if policy.is_some_and(|policy| policy.mode == StsMode::Enforce) {
        return if named {
            Ok(Check::Sts)
        } else {
            let why = format!("MTA-STS: the policy of {domain} does not name this host");
            Err(Broken::Distrusted(Trouble::new(why, VALIDATION_FAILURE)))
        };
    }
    if *wish == Wish::Required {
        // RFC 8689 §4.2.1: somebody must vouch for the name of the host.
        return if named || **tlsa != Tlsa::Unsigned {
            Ok(Check::Message)
        } else {
            let text = "the message asks for REQUIRETLS, and neither DNSSEC nor MTA-STS vouches for the next server";
            Err(Broken::Unfit(Reply::fixed(550, EnhancedCode(5, 7, 10), text)))
        };
    }
    Ok(if policy.is_some() { Check::Trial { named } } else { Check::Opportunistic })
}

/// Whether the header of a message has `TLS-Required: No` (RFC 8689 §5). `head` is its beginning.
pub(crate) fn says_tls_optional(head: &[u8]) -> bool {
    let mut value: Option<Vec<u8>> = None;
    let mut found = false;
    for line in head.split(|octet| *octet == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            break;
        }
        if line.starts_with(b" ") || line.starts_with(b"\t") {
            if let Some(value) = &mut value {
                value.extend_from_slice(line);
            }
            continue;
        }
        if let Some(value) = value.take() {
            found |= is_no(&value);
        }
        let Some(colon) = line.iter().position(|octet| *octet == b':') else { continue };
        let (name, rest) = line.split_at(colon);
        if name.trim_ascii().eq_ignore_ascii_case(b"TLS-Required") {
            value = Some(rest.get(1..).unwrap_or_default().to_vec());
        }
    }
    found || value.is_some_and(|value| is_no(&value))
}

fn is_no(value: &[u8]) -> bool {
    value.trim_ascii().eq_ignore_ascii_case(b"No")
}

#[cfg(test)]
mod tests;
