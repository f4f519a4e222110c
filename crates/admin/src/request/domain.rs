//! About domains.

use mail::{Address, Domain};
use routing::objects::{AliasForm, AliasMakers, SubaddressFolders};
use serde::{Deserialize, Serialize};

use super::{Edit, PatternRequest, keep};
use crate::dkim::DkimRequest;

/// About domains.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DomainRequest {
    /// Receive mail for a domain from now on.
    Add {
        /// Its name.
        name: Domain,
        /// Where mail for unknown addresses goes.
        #[serde(default)]
        catch_all: Option<Address>,
        /// Who reads `postmaster@`.
        #[serde(default)]
        postmaster: Option<Address>,
        /// Characters that part a subaddress; `None`: `+`.
        #[serde(default)]
        subaddress_separators: Option<String>,
        /// Everything else.
        #[serde(default)]
        content: Box<DomainContent>,
    },
    /// All of them.
    List,
    /// One.
    Show {
        /// Its name.
        name: Domain,
    },
    /// Change one.
    Set {
        /// Its name.
        name: Domain,
        /// Where mail for unknown addresses goes.
        #[serde(default = "keep")]
        catch_all: Edit<Address>,
        /// Who reads `postmaster@`.
        #[serde(default = "keep")]
        postmaster: Edit<Address>,
        /// Characters that part a subaddress.
        #[serde(default)]
        subaddress_separators: Option<String>,
        /// Whether mail is accepted.
        #[serde(default)]
        enabled: Option<bool>,
        /// Everything else.
        #[serde(default)]
        content: Box<DomainContent>,
    },
    /// About its pattern aliases.
    Pattern {
        /// Its name.
        name: Domain,
        /// What about them.
        request: PatternRequest,
    },
    /// The records of the DNS by which mail programs find the server.
    Records {
        /// Its name.
        name: Domain,
    },
    /// About the keys that sign its mail.
    Dkim {
        /// Its name.
        name: Domain,
        /// What.
        request: DkimRequest,
    },
    /// Give one up.
    Remove {
        /// Its name.
        name: Domain,
        /// With everything in it, and whatever leads to addresses in it.
        #[serde(default)]
        force: bool,
    },
}

/// What else a domain has; an absent field is left as it is, or at its default for a new one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DomainContent {
    /// The domain whose addresses it has.
    pub alias_of: Edit<Domain>,
    /// IANA name of the zone in which expiry dates are read.
    pub time_zone: Option<String>,
    /// `fr` or `en`.
    pub language: Option<String>,
    /// Whether a subaddress names a mailbox.
    pub subaddress_folders: Option<SubaddressFolders>,
    /// Who may make aliases for themselves.
    pub alias_makers: Option<AliasMakers>,
    /// How many one person may have.
    pub aliases_per_person_max: Option<u32>,
    /// Which forms are allowed.
    pub alias_forms: Option<Vec<AliasForm>>,
}
