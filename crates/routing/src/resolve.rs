//! `resolve`: from a forward-path to mailboxes, remote addresses, lists and responders.
//!
//! Order: exact address (mailbox, alias, group, list and responders of one address add up; the addresses of a list) →
//! domain alias → subaddress stripped (RFC 5233) → `postmaster` (RFC 5321 §4.5.1) → pattern alias → catch-all → `abuse` is read by `postmaster` (RFC 2142 §4) →
//! unknown. At the server's own name, which need be no domain, there are these two alone.
//! Depth first, targets in order of their text, each alias followed once: the work is linear in what is reached, and the
//! order in which things were defined does not show.
//!
//! What an address demands (expiry, senders, size; [`crate::objects::AddressRules`]) holds wherever the address is met on
//! the way: a closed group stays closed behind an open alias. What refuses is cut off with its reason, and when nothing
//! is left, the first such reason is what RCPT hears.

mod absence;
mod conditions;
mod postmaster;
mod steps;

pub use conditions::has_expired;

use std::collections::HashSet;
use std::sync::Arc;

use mail::{AccountId, Address, Domain, ForwardPath};

use crate::asking::Asking;
use crate::directory::Directory;
use crate::limits::{DEPTH_MAX, DETAIL_OCTETS_MAX, NODES_MAX};
use crate::objects::{AliasObject, DomainObject, GroupObject, ListRole};
use crate::resolution::{Held, Node, Reason, Resolution, What};
use crate::responders::{active, zone_of};
use crate::verdict::{RefuseReason, Verdict};

pub(crate) use postmaster::is_postmaster;

/// Where a forward-path leads for the one who asks, and why.
#[must_use]
pub fn resolve(directory: &Directory, to: &ForwardPath, asking: &Asking) -> Resolution {
    let written_to = match to {
        ForwardPath::Address(address) => address.clone(),
        ForwardPath::Postmaster => match postmaster::bare_postmaster(directory) {
            Some(address) => address,
            None => return postmaster::nobody(),
        },
    };
    let mut walk = Walk::new(directory, asking, Instead::Nothing);
    let mut tree = walk.address(&written_to, Reason::Asked);
    if *to == ForwardPath::Postmaster {
        tree.reason = Reason::NamedPostmaster;
        tree = Node { what: What::Postmaster, reason: Reason::Asked, children: vec![tree] };
    }
    let verdict = walk.verdict(&written_to, &tree);
    let held =
        walk.held.into_iter().map(|(part, address, role)| Held { part, address, role, recipient: written_to.clone() });
    Resolution {
        to: to.clone(),
        verdict,
        mailboxes: walk.mailboxes.into_iter().map(|account| (account, written_to.clone())).collect(),
        remotes: walk.remotes,
        dropped: walk.dropped,
        held: held.collect(),
        alias: walk.written_alias,
        responders: walk.responders.into_iter().map(|id| (id, written_to.clone())).collect(),
        tree,
        written_to,
    }
}

/// The address and the detail when a subaddress is split off, longest address first (RFC 5233 §4: which characters
/// part them is the domain's affair).
pub(crate) fn subaddress_splits<'a>(
    domain: &'a DomainObject,
    address: &'a Address,
) -> impl Iterator<Item = (Address, &'a str)> {
    let local = address.local().as_str();
    local.char_indices().rev().filter_map(move |(at, c)| {
        if !domain.subaddress_separators.contains(c) {
            return None;
        }
        let detail = local.get(at..)?.get(c.len_utf8()..)?;
        let base = Address::new(local.get(..at)?, address.domain().clone()).ok()?;
        (detail.len() <= DETAIL_OCTETS_MAX).then_some((base, detail))
    })
}

/// What can be on the way only once. Addresses are canonical.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Stop {
    Alias(Address),
    Group(Address),
    Pattern(Address),
    DomainAlias(Address),
    CatchAll(Domain),
    Postmaster(Domain),
}

/// An object that stands in for the stored one of its address: how saving it looks ahead.
#[derive(Clone, Copy)]
pub(crate) enum Instead<'a> {
    Nothing,
    Alias(&'a AliasObject),
    Group(&'a GroupObject),
}

/// A resolution in the making.
pub(crate) struct Walk<'a> {
    directory: &'a Directory,
    asking: &'a Asking,
    instead: Instead<'a>,
    way: Vec<Stop>,
    followed: HashSet<Stop>,
    reached_mailboxes: HashSet<AccountId>,
    reached_remotes: HashSet<Address>,
    reached_responders: HashSet<u64>,
    /// Parts, with the canonical address that was reached there.
    reached_held: HashSet<(AccountId, Address)>,
    mailboxes: Vec<AccountId>,
    remotes: Vec<Address>,
    responders: Vec<u64>,
    held: Vec<(AccountId, Address, ListRole)>,
    dropped: bool,
    /// The first alias that was met with nothing but a domain alias before it.
    written_alias: Option<Address>,
    /// Why the first of what refuses does.
    refusal: Option<RefuseReason>,
    nodes: usize,
    /// Looks at who stands behind something, and at nobody's absence.
    behind_only: bool,
    /// Everybody counts as away, so that fall-backs are looked at too.
    assume_away: bool,
    /// Nodes of such looks.
    looked: usize,
    /// The first circle, from the alias that closes it to itself.
    pub(crate) cycle: Option<Vec<Address>>,
    pub(crate) limit_passed: bool,
}

impl<'a> Walk<'a> {
    pub(crate) fn new(directory: &'a Directory, asking: &'a Asking, instead: Instead<'a>) -> Self {
        Self {
            directory,
            asking,
            instead,
            way: Vec::new(),
            followed: HashSet::new(),
            reached_mailboxes: HashSet::new(),
            reached_remotes: HashSet::new(),
            reached_responders: HashSet::new(),
            reached_held: HashSet::new(),
            mailboxes: Vec::new(),
            remotes: Vec::new(),
            responders: Vec::new(),
            held: Vec::new(),
            dropped: false,
            written_alias: None,
            refusal: None,
            nodes: 0,
            behind_only: false,
            assume_away: false,
            looked: 0,
            cycle: None,
            limit_passed: false,
        }
    }

    /// The walk of a check: fall-backs for absence are followed whether anybody is away or not.
    pub(crate) fn looking_ahead(directory: &'a Directory, asking: &'a Asking, instead: Instead<'a>) -> Self {
        Self { assume_away: true, ..Self::new(directory, asking, instead) }
    }

    fn verdict(&mut self, written_to: &Address, tree: &Node) -> Verdict {
        let reached = self.mailboxes.len() + self.remotes.len() + self.held.len() + usize::from(self.dropped) > 0;
        let own_name = postmaster::is_at_own_name(self.directory, written_to);
        if self.directory.domain(written_to.domain()).is_none() && !own_name {
            Verdict::NotLocal
        } else if self.limit_passed {
            Verdict::Refuse(RefuseReason::TooManyTargets)
        } else if reached || self.is_answered() {
            Verdict::Accept
        } else if let Some(refusal) = self.refusal.take() {
            Verdict::Refuse(refusal)
        } else if tree.reason == Reason::DomainDisabled {
            Verdict::Refuse(RefuseReason::DomainDisabled)
        } else if self.cycle.is_some() {
            Verdict::Refuse(RefuseReason::Loop)
        } else if is_postmaster(written_to) || own_name {
            Verdict::Refuse(RefuseReason::NoPostmaster)
        } else if matches!(tree.what, What::Unknown { .. }) || !self.responders.is_empty() {
            Verdict::Refuse(RefuseReason::NoSuchMailbox)
        } else {
            Verdict::Refuse(RefuseReason::LeadsNowhere)
        }
    }

    /// Whether a responder acts now: an address with nothing else is there only while one does.
    fn is_answered(&self) -> bool {
        let responders = self.responders.iter().filter_map(|id| self.directory.responder(*id));
        let mut acting =
            responders.filter(|responder| active(responder, self.asking.now, &zone_of(self.directory, responder)));
        acting.next().is_some()
    }

    fn reached(&self) -> usize {
        self.mailboxes.len() + self.remotes.len() + self.held.len() + self.responders.len() + usize::from(self.dropped)
    }

    fn alias(&self, address: &Address, stored: Option<&'a Arc<AliasObject>>) -> Option<&'a AliasObject> {
        if let Instead::Alias(instead) = self.instead
            && instead.address.same_mailbox(address)
        {
            return Some(instead);
        }
        stored.map(Arc::as_ref)
    }

    fn group_at(&self, address: &Address, stored: Option<&'a Arc<GroupObject>>) -> Option<&'a GroupObject> {
        if let Instead::Group(instead) = self.instead
            && instead.address.same_mailbox(address)
        {
            return Some(instead);
        }
        stored.map(Arc::as_ref)
    }

    /// Steps onto something that may be on the way once, or tells why not.
    fn enter(&mut self, stop: &Stop) -> Option<Reason> {
        if let Some(at) = self.way.iter().position(|passed| passed == stop) {
            if self.keeps_a_copy(at, stop) {
                return Some(Reason::KeepsACopy);
            }
            if self.cycle.is_none() {
                let circle = self.way.iter().skip(at).chain([stop]).filter_map(|stop| match stop {
                    Stop::Alias(address)
                    | Stop::Group(address)
                    | Stop::Pattern(address)
                    | Stop::DomainAlias(address) => Some(address.clone()),
                    Stop::CatchAll(_) | Stop::Postmaster(_) => None,
                });
                self.cycle = Some(circle.collect());
            }
            return Some(Reason::Cycle);
        }
        if self.way.len() >= DEPTH_MAX {
            self.limit_passed = true;
            return Some(Reason::LimitPassed);
        }
        if !self.followed.insert(stop.clone()) {
            return Some(Reason::AlreadyFollowed);
        }
        self.way.push(stop.clone());
        None
    }

    /// Whether an alias names itself beside a mailbox of its address: "keep a copy", and no circle.
    fn keeps_a_copy(&self, at: usize, stop: &Stop) -> bool {
        let itself = at.checked_add(1) == Some(self.way.len());
        itself && matches!(stop, Stop::Alias(address) if self.directory.account_at(address).is_some())
    }

    fn count(&mut self) -> bool {
        self.nodes = self.nodes.saturating_add(1);
        if self.nodes > NODES_MAX {
            self.limit_passed = true;
        }
        !self.limit_passed
    }
}

#[cfg(test)]
mod rows;
#[cfg(test)]
mod tests;
