//! The objects that an administrator edits: domains, accounts, aliases, groups, lists, responders, external accounts,
//! filters.
//!
//! They are stored as JSON; a field added later has a `#[serde(default)]`, so that older stores still read. Each has a
//! `new` with every field at its default, so that code which makes one names only what differs.

mod account;
mod alias;
mod domain;
mod external;
mod fail;
mod group;
mod list;
mod list_settings;
mod off_boarding;
mod responder;
mod rules;
mod scram;
mod service;
mod shared;
mod submission;

use filter::FilterSet;
use mail::{AccountId, Address, Domain};
use serde::{Deserialize, Serialize};

pub use account::{AccountKind, AccountObject, Identity, QuotaLimits, Role, owner_key};
pub use alias::{AliasObject, Target};
pub use domain::{AliasForm, AliasMakers, AliasPolicy, DomainObject, PatternAlias, SubaddressFolders};
pub use external::{
    AfterFetch, ExternalAccountObject, ExternalFolder, ExternalProtocol, ExternalSecurity, SealedPassword,
};
pub use fail::FailText;
pub use group::{GroupObject, Posting};
pub use list::{ListObject, ListRole};
pub use list_settings::{ArchiveReaders, FromPolicy, Joining, ListSettings, NonMembers, ReplyTo};
pub use off_boarding::{BeforeLeaving, LeftAlias, LeftGroup, LeftShare, OffBoarding};
pub use responder::{Audience, Hours, HoursWhen, ResponderKind, ResponderObject, Wording};
pub use rules::{AddressRules, SenderPattern};
pub use scram::{ScramKey, ScramKeys};
pub use service::Service;
pub use shared::{Member, SeenState, SharedMailbox};
pub use submission::SubmissionLimits;

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
    /// A group.
    Group(GroupObject),
    /// A mailing list.
    List(ListObject),
    /// A responder.
    Responder(ResponderObject),
    /// A mailbox elsewhere whose mail is fetched.
    External(ExternalAccountObject),
    /// The filters of an account.
    Filters(FilterSet),
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
    /// A group, by canonical address.
    Group(Address),
    /// A mailing list, by canonical address.
    List(Address),
    /// A responder, by number.
    Responder(u64),
    /// An external account, by number.
    External(u64),
    /// The filters of an account, by the number of the account.
    Filters(AccountId),
}

impl Object {
    /// The key under which it is stored.
    #[must_use]
    pub fn key(&self) -> ObjectKey {
        match self {
            Self::Domain(domain) => ObjectKey::Domain(domain.name.clone()),
            Self::Account(account) => ObjectKey::Account(account.address.canonical()),
            Self::Alias(alias) => ObjectKey::Alias(alias.address.canonical()),
            Self::Group(group) => ObjectKey::Group(group.address.canonical()),
            Self::List(list) => ObjectKey::List(list.address.canonical()),
            Self::Responder(responder) => ObjectKey::Responder(responder.id),
            Self::External(external) => ObjectKey::External(external.id),
            Self::Filters(set) => ObjectKey::Filters(set.account),
        }
    }
}

fn yes() -> bool {
    true
}

fn utc() -> String {
    "UTC".to_owned()
}

fn english() -> String {
    "en".to_owned()
}
