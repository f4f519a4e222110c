//! External accounts and how they stand.

use mail::{Address, Timestamp};
use routing::objects::{AfterFetch, ExternalFolder, ExternalProtocol, ExternalSecurity};
use serde::{Deserialize, Serialize};
use storage::fetch::FetchStatus;

/// An external account and how it stands. Of its password it is told only whether there is one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExternalView {
    /// Its number.
    pub id: u64,
    /// The account here that gets the mail.
    pub owner: Address,
    /// What its owner calls it.
    pub name: String,
    /// What the other server speaks.
    pub protocol: ExternalProtocol,
    /// The other server.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub security: ExternalSecurity,
    /// Whether certificates of its own are trusted, instead of the public ones.
    pub own_ca: bool,
    /// The login there.
    pub login: String,
    /// Whether there is a password.
    pub has_password: bool,
    /// Folders to fetch from; none: INBOX.
    pub folders: Vec<ExternalFolder>,
    /// The mailbox here.
    pub mailbox: String,
    /// Seconds from one look to the next.
    pub interval_secs: u64,
    /// What becomes of a message there.
    pub after_fetch: AfterFetch,
    /// Whether it is fetched.
    pub enabled: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// How far it is fetched, and what went wrong.
    pub status: FetchStatus,
}

/// What works with an external account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExternalTest {
    /// The steps that went well, in words.
    pub steps: Vec<String>,
    /// Why it went no further; `None`: all is well.
    pub failed: Option<String>,
}
