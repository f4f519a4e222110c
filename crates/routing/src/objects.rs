//! The objects that an administrator edits: domains, accounts, aliases, responders.
//!
//! They are stored as JSON; a field added later has a `#[serde(default)]`, so that older stores still read.

use mail::{AccountId, Address, Domain, Timestamp};
use serde::{Deserialize, Serialize};

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
    /// When it was made.
    #[serde(default)]
    pub created_at: Timestamp,
}

/// What a person may do on this server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Reads and sends mail.
    #[default]
    User,
    /// Edits the addresses of their own domain.
    DomainAdministrator,
    /// Edits everything.
    Administrator,
}

/// A person (or a machine) with a mailbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountObject {
    /// Its number in the store.
    pub id: AccountId,
    /// The primary address, also the login.
    pub address: Address,
    /// The sender name, as `Alice Martin`.
    #[serde(default)]
    pub display_name: String,
    /// Argon2id, in PHC form. `None`: nobody can log in.
    #[serde(default)]
    pub password_hash: Option<String>,
    /// Whether logging in is allowed; mail is received all the same.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// What the person may do.
    #[serde(default)]
    pub role: Role,
    /// Octets of mail that fit, `None` for no limit.
    #[serde(default)]
    pub quota_octets: Option<u64>,
    /// IANA name of the person's time zone, as `Europe/Paris`.
    #[serde(default = "utc")]
    pub time_zone: String,
    /// `fr` or `en`: the language of what the server writes to the person.
    #[serde(default = "english")]
    pub language: String,
    /// When it was made.
    #[serde(default)]
    pub created_at: Timestamp,
}

/// Where one redirect of an alias leads.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Target {
    /// An address, local or remote.
    Address(Address),
    /// `:blackhole:`: accepted and dropped (R4).
    Blackhole,
    /// Every account of the alias's domain (R3); written as the empty text.
    AllUsers,
}

impl TryFrom<String> for Target {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.trim() {
            "" | ":all:" => Ok(Self::AllUsers),
            ":blackhole:" => Ok(Self::Blackhole),
            address => Address::parse(address).map(Self::Address).map_err(|flaw| format!("\"{address}\": {flaw}")),
        }
    }
}

impl From<Target> for String {
    fn from(target: Target) -> Self {
        match target {
            Target::Address(address) => address.to_string(),
            Target::Blackhole => ":blackhole:".to_owned(),
            Target::AllUsers => Self::new(),
        }
    }
}

/// An address that leads to others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AliasObject {
    /// The alias itself.
    pub address: Address,
    /// All redirects together; they add up (R3).
    pub targets: Vec<Target>,
    /// A disabled alias is unknown to senders.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// What it is for.
    #[serde(default)]
    pub note: String,
    /// When it was made.
    #[serde(default)]
    pub created_at: Timestamp,
}

/// Which rules a responder follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ResponderKind {
    /// A robot at an address: answers whatever comes (A1).
    Autoresponder,
    /// A person is away: also demands to be addressed by name (V5).
    OutOfOffice,
}

/// A responder: an answer that an address gives by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResponderObject {
    /// Its number, 1 and up, never used again.
    pub id: u64,
    /// The address that answers: a mailbox, an alias, or neither (A6, A7).
    pub address: Address,
    /// Which rules it follows.
    pub kind: ResponderKind,
    /// Switched on.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Subject of the answer; empty: the original subject behind the prefix (A2).
    #[serde(default)]
    pub subject: String,
    /// Put before the original subject, as `Re:` or `Away:`.
    #[serde(default)]
    pub subject_prefix: String,
    /// Plain text of the answer.
    #[serde(default)]
    pub text: Option<String>,
    /// HTML of the answer; a text alternative is made from it when `text` is absent (A3).
    #[serde(default)]
    pub html: Option<String>,
    /// First moment, civil time in the owner's zone (`2026-07-01T00:00`); `None`: from always (A8).
    #[serde(default)]
    pub starts: Option<String>,
    /// Last moment, inclusive, like `starts`; `None`: until switched off.
    #[serde(default)]
    pub ends: Option<String>,
    /// Minimum seconds between two answers to one sender (A5); 86,400 is the suggested value.
    #[serde(default = "one_day")]
    pub frequency_secs: u64,
    /// Whether received messages stay (A9); `false` drops them while the responder is active.
    #[serde(default = "yes")]
    pub keep: bool,
    /// Every answer that leaves is copied to it (A4).
    #[serde(default)]
    pub copy_answers_to: Option<Address>,
    /// Received messages are copied to it (A10).
    #[serde(default)]
    pub copy_received_to: Option<Address>,
    /// Whether answers are filed in the owner's Sent mailbox (A14).
    #[serde(default = "yes")]
    pub file_in_sent: bool,
    /// When it was made.
    #[serde(default)]
    pub created_at: Timestamp,
}

impl ResponderObject {
    /// A responder at an address, with every field at its default: enabled, without subject or message (so it does not
    /// act yet), once a day, keeping what comes. The store gives the number.
    #[must_use]
    pub fn new(address: Address, kind: ResponderKind) -> Self {
        Self {
            id: 0,
            address,
            kind,
            enabled: true,
            subject: String::new(),
            subject_prefix: String::new(),
            text: None,
            html: None,
            starts: None,
            ends: None,
            frequency_secs: one_day(),
            keep: true,
            copy_answers_to: None,
            copy_received_to: None,
            file_in_sent: true,
            created_at: Timestamp(0),
        }
    }
}

/// Any object, as the store keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "object", rename_all = "kebab-case")]
pub enum Object {
    /// A domain.
    Domain(DomainObject),
    /// An account.
    Account(AccountObject),
    /// An alias.
    Alias(AliasObject),
    /// A responder.
    Responder(ResponderObject),
}

/// What names an object in the store: one object per key.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ObjectKey {
    /// A domain, by name.
    Domain(Domain),
    /// An account, by canonical address.
    Account(Address),
    /// An alias, by canonical address.
    Alias(Address),
    /// A responder, by number.
    Responder(u64),
}

impl Object {
    /// The key under which it is stored.
    #[must_use]
    pub fn key(&self) -> ObjectKey {
        match self {
            Self::Domain(domain) => ObjectKey::Domain(domain.name.clone()),
            Self::Account(account) => ObjectKey::Account(account.address.canonical()),
            Self::Alias(alias) => ObjectKey::Alias(alias.address.canonical()),
            Self::Responder(responder) => ObjectKey::Responder(responder.id),
        }
    }
}

fn yes() -> bool {
    true
}

fn plus() -> String {
    "+".to_owned()
}

fn utc() -> String {
    "UTC".to_owned()
}

fn english() -> String {
    "en".to_owned()
}

fn one_day() -> u64 {
    86_400
}
