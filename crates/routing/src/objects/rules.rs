//! What an address demands of whoever writes to it.

use std::fmt;

use mail::{Address, Domain};
use serde::{Deserialize, Serialize};

/// Conditions of an address; the default demands nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AddressRules {
    /// Last moment at which it takes mail, inclusive; civil time in the domain's zone (`2026-12-31`, `2026-12-31T18:00`).
    pub expires: Option<String>,
    /// Only senders of the organisation: its people, logged in ([`crate::organisation`]).
    pub internal_only: bool,
    /// Octets of a message at the most; `None`: the server's own limit.
    pub message_octets_max: Option<u64>,
    /// Who may write to it; empty: everyone.
    pub senders: Vec<SenderPattern>,
}

/// Some senders: one address, or a whole domain.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum SenderPattern {
    /// `alice@example.org`
    Address(Address),
    /// `@example.org`
    Domain(Domain),
}

impl SenderPattern {
    /// Whether a sender is among them; the case of the address does not matter.
    #[must_use]
    pub fn matches(&self, sender: &Address) -> bool {
        match self {
            Self::Address(address) => address.same_mailbox(sender),
            Self::Domain(domain) => domain == sender.domain(),
        }
    }
}

impl TryFrom<String> for SenderPattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let text = text.trim();
        match text.strip_prefix('@') {
            Some(domain) => Domain::parse(domain).map(Self::Domain).map_err(|flaw| format!("\"{text}\": {flaw}")),
            None => Address::parse(text)
                .map(Self::Address)
                .map_err(|flaw| format!("\"{text}\": {flaw}; write alice@example.org, or @example.org for a domain")),
        }
    }
}

impl From<SenderPattern> for String {
    fn from(pattern: SenderPattern) -> Self {
        pattern.to_string()
    }
}

impl fmt::Display for SenderPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => write!(f, "{address}"),
            Self::Domain(domain) => write!(f, "@{domain}"),
        }
    }
}
