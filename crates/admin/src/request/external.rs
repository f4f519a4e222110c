//! About external accounts.

use auth::Password;
use mail::Address;
use routing::objects::{AfterFetch, ExternalFolder, ExternalProtocol, ExternalSecurity};
use serde::{Deserialize, Serialize};

use super::Edit;

/// What an external account is; an absent field is left as it is, or at its default for a new one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ExternalContent {
    /// What its owner calls it.
    pub name: Option<String>,
    /// The other server: a name, or an IP address as text.
    pub host: Option<String>,
    /// Its port; the usual one follows protocol and security.
    pub port: Option<u16>,
    /// How the connection is protected.
    pub security: Option<ExternalSecurity>,
    /// Certificates in PEM that are trusted there; cleared, the public ones.
    pub ca_pem: Edit<String>,
    /// The login there.
    pub login: Option<String>,
    /// The password there.
    pub password: Option<Password>,
    /// Folders to fetch from (IMAP); an empty list is INBOX.
    pub folders: Option<Vec<ExternalFolder>>,
    /// The mailbox here.
    pub mailbox: Option<String>,
    /// Seconds from one look to the next.
    pub interval_secs: Option<u64>,
    /// What becomes of a message there.
    pub after_fetch: Option<AfterFetch>,
    /// Whether it is fetched.
    pub enabled: Option<bool>,
}

/// About external accounts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExternalRequest {
    /// Fetch from a mailbox elsewhere from now on.
    Add {
        /// The account here that gets the mail.
        owner: Address,
        /// What the other server speaks.
        protocol: ExternalProtocol,
        /// Everything else; host, login and password must be there.
        content: Box<ExternalContent>,
    },
    /// All of them, or those of one account.
    List {
        /// Only its.
        #[serde(default)]
        owner: Option<Address>,
    },
    /// One.
    Show {
        /// Its number.
        id: u64,
    },
    /// Change one.
    Set {
        /// Its number.
        id: u64,
        /// What changes.
        content: Box<ExternalContent>,
    },
    /// Look now.
    FetchNow {
        /// Its number.
        id: u64,
    },
    /// Try it, and tell what works.
    Test {
        /// Its number.
        id: u64,
    },
    /// Remove one; what was fetched stays.
    Remove {
        /// Its number.
        id: u64,
    },
}
