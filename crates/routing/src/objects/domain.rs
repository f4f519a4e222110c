//! Domains.

use mail::{Address, Domain, Timestamp};
use serde::{Deserialize, Serialize};

use super::{english, utc, yes};

/// A domain that this server receives mail for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainObject {
    /// Its name.
    pub name: Domain,
    /// Where mail for unknown addresses goes, when not refused.
    #[serde(default)]
    pub catch_all: Option<Address>,
    /// Characters that part a subaddress from the address (RFC 5233), usually `+`. Empty: no subaddresses.
    #[serde(default = "plus")]
    pub subaddress_separators: String,
    /// Who reads `postmaster@` when no such address exists (RFC 5321 §4.5.1).
    #[serde(default)]
    pub postmaster: Option<Address>,
    /// Whether mail is accepted for it.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Every address of this domain is the one of the same local part there (a domain alias); it has no objects of its own
    /// then.
    #[serde(default)]
    pub alias_of: Option<Domain>,
    /// IANA name of the zone in which the expiry dates of its addresses are read.
    #[serde(default = "utc")]
    pub time_zone: String,
    /// `fr` or `en`: the language of what the server writes on the domain's behalf to people it does not know.
    #[serde(default = "english")]
    pub language: String,
    /// Further domains in which every user of this one has the same local part too (R5). New accounts take them over.
    #[serde(default)]
    pub users_also_in: Vec<Domain>,
    /// Mailboxes in it at the most (M1); `None`: what the server's configuration says, 0: no limit.
    #[serde(default)]
    pub accounts_max: Option<u32>,
    /// Mailboxes in it of one person at the most (M1); `None`: what the server's configuration says, 0: no limit.
    #[serde(default)]
    pub accounts_per_owner_max: Option<u32>,
    /// When it was made.
    #[serde(default)]
    pub created_at: Timestamp,
}

impl DomainObject {
    /// A domain with every field at its default: enabled, `+` for subaddresses, nothing for unknown addresses.
    #[must_use]
    pub fn new(name: Domain) -> Self {
        Self {
            name,
            catch_all: None,
            subaddress_separators: plus(),
            postmaster: None,
            enabled: true,
            alias_of: None,
            time_zone: utc(),
            language: english(),
            users_also_in: Vec::new(),
            accounts_max: None,
            accounts_per_owner_max: None,
            created_at: Timestamp(0),
        }
    }
}

fn plus() -> String {
    "+".to_owned()
}
