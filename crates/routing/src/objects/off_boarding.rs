//! What was done when a person left, so that it can be told, ended at its dates, and undone.

use mail::{Address, Domain, Timestamp};
use serde::{Deserialize, Serialize};

use super::{AccountKind, AliasObject, Member, Role, SharedMailbox};

/// An account whose person has left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OffBoarding {
    /// Since when.
    pub at: Timestamp,
    /// The primary address of who has taken over.
    #[serde(default)]
    pub successor: Option<Address>,
    /// Whether the successor gets a copy of what comes in.
    #[serde(default)]
    pub redirected: bool,
    /// Further addresses of the account of which the successor gets copies too, beside the primary one.
    #[serde(default)]
    pub redirected_at: Vec<Address>,
    /// Last moment of that, inclusive; civil time in the account's zone. `None`: as long as the account is there.
    #[serde(default)]
    pub redirect_until: Option<String>,
    /// The responder that tells senders.
    #[serde(default)]
    pub responder: Option<u64>,
    /// Last moment of the account, inclusive; civil time in its zone. `None`: it stays.
    #[serde(default)]
    pub delete_after: Option<String>,
    /// When administrators were told that it will be deleted.
    #[serde(default)]
    pub warned_at: Option<Timestamp>,
    /// What it was before.
    pub before: BeforeLeaving,
}

/// What an account was before its person left.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BeforeLeaving {
    /// Whether logging in was allowed.
    pub enabled: bool,
    /// What the person was allowed to do.
    pub role: Role,
    /// The domains that they administered.
    pub administers: Vec<Domain>,
    /// What the account was.
    pub kind: AccountKind,
    /// Who shared it.
    pub shared: Option<SharedMailbox>,
    /// The alias at the account's own address: redirects beside the mailbox.
    pub own_alias: Option<AliasObject>,
    /// Aliases at further addresses of it.
    pub further_aliases: Vec<AliasObject>,
    /// Responders at its addresses that were switched off.
    pub responders: Vec<u64>,
    /// External accounts that were switched off.
    pub externals: Vec<u64>,
    /// Aliases that led to it.
    pub aliases: Vec<LeftAlias>,
    /// Groups that it was a member or moderator of.
    pub groups: Vec<LeftGroup>,
    /// Shared mailboxes that it had a share in.
    pub shares: Vec<LeftShare>,
}

/// An alias that led to the account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftAlias {
    /// The alias.
    pub address: Address,
    /// Whether it was among the targets.
    #[serde(default)]
    pub target: bool,
    /// Whether the successor took the place, and was not there before.
    #[serde(default)]
    pub successor_added: bool,
    /// Whether it was the fall-back for when everybody is away.
    #[serde(default)]
    pub fallback: bool,
}

/// A group that the account was in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftGroup {
    /// The group.
    pub address: Address,
    /// As a member.
    pub member: bool,
    /// As a moderator.
    pub moderator: bool,
    /// As the fall-back for when everybody is away.
    #[serde(default)]
    pub fallback: bool,
    /// Whether the group was switched off, for it had no other moderator.
    #[serde(default)]
    pub disabled: bool,
}

/// A shared mailbox that the account had a share in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftShare {
    /// The shared mailbox.
    pub address: Address,
    /// With these rights.
    pub member: Member,
}
