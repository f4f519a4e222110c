//! A domain and what is in it.

use routing::objects::DomainObject;
use serde::{Deserialize, Serialize};

/// A domain and what is in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainView {
    /// The domain.
    #[serde(flatten)]
    pub domain: DomainObject,
    /// What has the address `postmaster@` itself, and so gets its mail whomever the domain names.
    #[serde(default)]
    pub postmaster_object: Option<String>,
    /// Accounts in it.
    pub accounts: usize,
    /// Aliases in it.
    pub aliases: usize,
    /// Groups in it.
    #[serde(default)]
    pub groups: usize,
    /// Mailing lists in it.
    #[serde(default)]
    pub lists: usize,
}
