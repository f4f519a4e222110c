//! Domains.

use mail::{Address, Domain, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Target, english, utc, yes};

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
    /// Whether `alice+bills@` goes into alice's mailbox `bills`.
    #[serde(default)]
    pub subaddress_folders: SubaddressFolders,
    /// Redirects by pattern, for addresses that nothing else has; the first that fits is followed.
    #[serde(default)]
    pub patterns: Vec<PatternAlias>,
    /// Which aliases people may make for themselves.
    #[serde(default)]
    pub alias_policy: AliasPolicy,
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

/// What a subaddress (RFC 5233) says about the mailbox that keeps the message. Names are compared without case, and one
/// that can't be a mailbox at the first level, or has a special use, means INBOX.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SubaddressFolders {
    /// Nothing: INBOX.
    #[default]
    Off,
    /// The mailbox of that name when there is one, else INBOX.
    Existing,
    /// The mailbox of that name; it is made when there is none.
    Create,
}

/// A redirect of every address that fits a pattern.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PatternAlias {
    /// A regular expression over the whole local part, without regard to case.
    pub pattern: String,
    /// Where it leads: targets of an alias, with `$1` or `${name}` before the `@` for what a group of the pattern found.
    pub targets: Vec<String>,
    /// A disabled one is passed over.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// What it is for.
    #[serde(default)]
    pub note: String,
}

impl PatternAlias {
    /// A pattern in force.
    #[must_use]
    pub fn new(pattern: impl Into<String>, targets: Vec<String>) -> Self {
        Self { pattern: pattern.into(), targets, enabled: true, note: String::new() }
    }

    /// The targets that name no group of the pattern.
    pub fn fixed_targets(&self) -> impl Iterator<Item = Target> {
        self.targets.iter().filter(|text| !text.contains('$')).filter_map(|text| Target::try_from(text.clone()).ok())
    }

    /// What the other targets become when every group has found the same text.
    pub(crate) fn targets_with<'a>(&'a self, found: &'a str) -> impl Iterator<Item = Target> + 'a {
        let with_captures =
            self.targets.iter().filter(|text| text.contains('$') && !text.trim_start().starts_with(':'));
        with_captures.filter_map(move |text| Target::try_from(crate::pattern::filled(text, found)).ok())
    }
}

/// Which aliases the people of a domain may make for themselves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AliasPolicy {
    /// Who may.
    pub makers: AliasMakers,
    /// How many one person may have at a time.
    pub per_person_max: u32,
    /// Which local parts are allowed.
    pub forms: Vec<AliasForm>,
}

impl Default for AliasPolicy {
    fn default() -> Self {
        Self { makers: AliasMakers::Nobody, per_person_max: 20, forms: vec![AliasForm::OwnPrefix, AliasForm::Random] }
    }
}

/// Who may make aliases.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AliasMakers {
    /// Administrators alone.
    #[default]
    Nobody,
    /// Every person with an address in the domain.
    Everyone,
    /// These accounts.
    Named(Vec<Address>),
}

/// A form of local parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AliasForm {
    /// Whatever is free and not reserved.
    Any,
    /// The person's own local part, `.`, `-` or `_`, and something: `alice.shop@`.
    OwnPrefix,
    /// Made by the server: readable, and not to be guessed.
    Random,
}

impl DomainObject {
    /// A domain with every field at its default: enabled, `+` for subaddresses, nothing for unknown addresses.
    #[must_use]
    pub fn new(name: Domain) -> Self {
        Self {
            name,
            catch_all: None,
            subaddress_separators: plus(),
            subaddress_folders: SubaddressFolders::Off,
            patterns: Vec::new(),
            alias_policy: AliasPolicy::default(),
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
