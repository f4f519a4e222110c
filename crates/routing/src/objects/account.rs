//! Accounts: people's mailboxes and shared ones.

use mail::{AccountId, Address, Domain, Timestamp};
use serde::{Deserialize, Serialize};

use super::{AddressRules, OffBoarding, ScramKeys, Service, SharedMailbox, SubmissionLimits, english, utc, yes};

/// What a person may do on this server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Reads and sends mail.
    #[default]
    User,
    /// Edits the addresses of their own domain, or of [`AccountObject::administers`].
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
    /// What SCRAM logins are checked with, once it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scram: Option<ScramKeys>,
    /// Whether logging in is allowed; mail is received all the same.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// What the person may do.
    #[serde(default)]
    pub role: Role,
    /// Octets of mail that fit, `None` for no limit.
    #[serde(default)]
    pub quota_octets: Option<u64>,
    /// Messages that fit, `None` for no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota_messages: Option<u64>,
    /// Mailboxes that the account may have, `None` for no limit of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota_mailboxes: Option<u64>,
    /// How much the account may send in a day.
    #[serde(default, skip_serializing_if = "SubmissionLimits::is_default")]
    pub submission: SubmissionLimits,
    /// Seconds that what the person submits waits, so that they can take it back; 0: it goes at once.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub undo_send_secs: u32,
    /// IANA name of the person's time zone, as `Europe/Paris`.
    #[serde(default = "utc")]
    pub time_zone: String,
    /// `fr` or `en`: the language of what the server writes to the person.
    #[serde(default = "english")]
    pub language: String,
    /// A person's mailbox, or one that several people share.
    #[serde(default)]
    pub kind: AccountKind,
    /// Who shares it and how, for [`AccountKind::Shared`].
    #[serde(default)]
    pub shared: Option<SharedMailbox>,
    /// Further domains in which the same local part is this account too (R5: `login@domain` in every domain of theirs).
    #[serde(default)]
    pub also_in: Vec<Domain>,
    /// Under which names and with which signatures the person writes (M7).
    #[serde(default)]
    pub identities: Vec<Identity>,
    /// What its address demands of who writes to it.
    #[serde(default)]
    pub rules: AddressRules,
    /// What it is for.
    #[serde(default)]
    pub note: String,
    /// The person whom it belongs to (M1): an address or any other name, the same for all mailboxes of that person.
    /// Empty: named by the account's own address; see [`AccountObject::owner_key`].
    #[serde(default)]
    pub owner: String,
    /// An address elsewhere that hears of changes of the password (M4).
    #[serde(default)]
    pub recovery: Option<Address>,
    /// When the password was set.
    #[serde(default)]
    pub password_changed_at: Option<Timestamp>,
    /// The domains that a domain administrator edits; empty: the one of the primary address (R11).
    #[serde(default)]
    pub administers: Vec<Domain>,
    /// Ways in that are withdrawn (M6).
    #[serde(default)]
    pub withdrawn: Vec<Service>,
    /// Set when the person has left.
    #[serde(default)]
    pub off_boarding: Option<Box<OffBoarding>>,
    /// When it was made.
    #[serde(default)]
    pub created_at: Timestamp,
}

/// How much an account may have (RFC 9208); `None` for no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QuotaLimits {
    /// Octets of all messages.
    pub octets: Option<u64>,
    /// Messages.
    pub messages: Option<u64>,
    /// Mailboxes.
    pub mailboxes: Option<u64>,
}

impl QuotaLimits {
    /// Whether so much is within the limits.
    #[must_use]
    pub fn hold(self, octets: u64, messages: u64) -> bool {
        self.octets.is_none_or(|limit| octets <= limit) && self.messages.is_none_or(|limit| messages <= limit)
    }
}

/// What an account is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AccountKind {
    /// Somebody's, who logs in.
    #[default]
    Person,
    /// Read by several people under their own logins (R7); nobody logs in to it.
    Shared,
}

/// A name to write under (M7).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The address; one that [`crate::may_send_as`] allows.
    pub address: Address,
    /// The sender name, as `Alice Martin`.
    #[serde(default)]
    pub display_name: String,
    /// What stands below what is written, as plain text; empty for none.
    #[serde(default)]
    pub signature_text: String,
    /// The same as HTML; empty: made from the text.
    #[serde(default)]
    pub signature_html: String,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// The form in which owners are compared: addresses as addresses, other names without regard to case.
#[must_use]
pub fn owner_key(owner: &str) -> String {
    let owner = owner.trim();
    Address::parse(owner).map_or_else(|_| owner.to_lowercase(), |address| address.canonical().to_string())
}

impl AccountObject {
    /// A person's account with every field at its default: enabled, without password. The store gives the number.
    #[must_use]
    pub fn new(address: Address) -> Self {
        Self {
            id: AccountId(0),
            address,
            display_name: String::new(),
            password_hash: None,
            scram: None,
            enabled: true,
            role: Role::User,
            quota_octets: None,
            quota_messages: None,
            quota_mailboxes: None,
            submission: SubmissionLimits::default(),
            undo_send_secs: 0,
            time_zone: utc(),
            language: english(),
            kind: AccountKind::Person,
            shared: None,
            also_in: Vec::new(),
            identities: Vec::new(),
            rules: AddressRules::default(),
            note: String::new(),
            owner: String::new(),
            recovery: None,
            password_changed_at: None,
            administers: Vec::new(),
            withdrawn: Vec::new(),
            off_boarding: None,
            created_at: Timestamp(0),
        }
    }

    /// How much the account may have.
    #[must_use]
    pub const fn quota(&self) -> QuotaLimits {
        QuotaLimits { octets: self.quota_octets, messages: self.quota_messages, mailboxes: self.quota_mailboxes }
    }

    /// Every address of the account: the primary one, and the same local part in the further domains.
    pub fn addresses(&self) -> impl Iterator<Item = Address> {
        let local = self.address.local().as_str();
        let further = self.also_in.iter().filter_map(move |domain| Address::new(local, domain.clone()).ok());
        std::iter::once(self.address.clone()).chain(further)
    }
    /// What is the same for all mailboxes of one person, whatever the case in which an owner's address was typed.
    #[must_use]
    pub fn owner_key(&self) -> String {
        if self.owner.trim().is_empty() { self.address.canonical().to_string() } else { owner_key(&self.owner) }
    }

    /// The domains whose objects the account edits as a domain administrator (R11); none for who is not one.
    #[must_use]
    pub fn administered(&self) -> Vec<Domain> {
        match self.role {
            Role::User | Role::Administrator => Vec::new(),
            Role::DomainAdministrator if self.administers.is_empty() => vec![self.address.domain().clone()],
            Role::DomainAdministrator => self.administers.clone(),
        }
    }
}
