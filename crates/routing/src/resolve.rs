//! `resolve`: from a forward-path to mailboxes, remote addresses and responders.
//!
//! Order: exact address (mailbox and alias of one address add up) → subaddress stripped (RFC 5233) → `postmaster`
//! (RFC 5321 §4.5.1) → catch-all → unknown. Depth first, targets in order of their text, each alias followed once:
//! the work is linear in what is reached, and the order in which things were defined does not show.

use std::collections::HashSet;
use std::sync::Arc;

use mail::{AccountId, Address, Domain, ForwardPath};

use crate::directory::Directory;
use crate::limits::{DEPTH_MAX, DETAIL_OCTETS_MAX, NODES_MAX};
use crate::objects::{AccountObject, AliasObject, DomainObject, Role, Target};
use crate::resolution::{Node, Reason, Resolution, What};
use crate::verdict::{RefuseReason, Verdict};

/// Where a forward-path leads, and why.
#[must_use]
pub fn resolve(directory: &Directory, to: &ForwardPath) -> Resolution {
    let written_to = match to {
        ForwardPath::Address(address) => address.clone(),
        ForwardPath::Postmaster => match bare_postmaster(directory) {
            Some(address) => address,
            None => return nobody(),
        },
    };
    let mut walk = Walk::new(directory, None);
    let mut tree = walk.address(&written_to, Reason::Asked);
    if *to == ForwardPath::Postmaster {
        tree.reason = Reason::NamedPostmaster;
        tree = Node { what: What::Postmaster, reason: Reason::Asked, children: vec![tree] };
    }
    let verdict = walk.verdict(&written_to, &tree);
    Resolution {
        to: to.clone(),
        verdict,
        mailboxes: walk.mailboxes.into_iter().map(|account| (account, written_to.clone())).collect(),
        remotes: walk.remotes,
        dropped: walk.dropped,
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

/// Whether this is `postmaster`, in any case (RFC 5321 §4.5.1).
pub(crate) fn is_postmaster(address: &Address) -> bool {
    address.local().as_str().eq_ignore_ascii_case("postmaster")
}

/// The `postmaster` of the first enabled domain that has one by an object or by name; else of the first enabled one.
fn bare_postmaster(directory: &Directory) -> Option<Address> {
    let enabled = || directory.domains().filter(|domain| domain.enabled);
    let of = |domain: &Arc<DomainObject>| Address::new("postmaster", domain.name.clone()).ok();
    let has_own = |domain: &&Arc<DomainObject>| {
        let object = |address| directory.account(&address).is_some() || directory.alias(&address).is_some();
        domain.postmaster.is_some() || of(domain).is_some_and(object)
    };
    enabled().find(has_own).or_else(|| enabled().next()).and_then(of)
}

/// Nothing to stand in for a bare `postmaster`: not one enabled domain.
fn nobody() -> Resolution {
    let literal = Domain::literal(std::net::Ipv4Addr::LOCALHOST.into());
    #[expect(clippy::expect_used, reason = "a fixed text that is an address")]
    let written_to = Address::new("postmaster", literal).expect("postmaster is a local part");
    Resolution {
        to: ForwardPath::Postmaster,
        verdict: Verdict::Refuse(RefuseReason::NoPostmaster),
        mailboxes: Vec::new(),
        remotes: Vec::new(),
        dropped: false,
        responders: Vec::new(),
        tree: Node::leaf(What::Postmaster, Reason::NoSuchAddress),
        written_to,
    }
}

/// What can be on the way only once.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Stop {
    Alias(Address),
    CatchAll(Domain),
    Postmaster(Domain),
}

/// A resolution in the making.
pub(crate) struct Walk<'a> {
    directory: &'a Directory,
    /// An alias that stands in for the stored one of its address: how [`crate::check_alias`] looks ahead.
    instead: Option<&'a AliasObject>,
    way: Vec<Stop>,
    followed: HashSet<Stop>,
    reached_mailboxes: HashSet<AccountId>,
    reached_remotes: HashSet<Address>,
    reached_responders: HashSet<u64>,
    mailboxes: Vec<AccountId>,
    remotes: Vec<Address>,
    responders: Vec<u64>,
    dropped: bool,
    nodes: usize,
    /// The first circle, from the alias that closes it to itself.
    pub(crate) cycle: Option<Vec<Address>>,
    pub(crate) limit_passed: bool,
}

impl<'a> Walk<'a> {
    pub(crate) fn new(directory: &'a Directory, instead: Option<&'a AliasObject>) -> Self {
        Self {
            directory,
            instead,
            way: Vec::new(),
            followed: HashSet::new(),
            reached_mailboxes: HashSet::new(),
            reached_remotes: HashSet::new(),
            reached_responders: HashSet::new(),
            mailboxes: Vec::new(),
            remotes: Vec::new(),
            responders: Vec::new(),
            dropped: false,
            nodes: 0,
            cycle: None,
            limit_passed: false,
        }
    }

    fn verdict(&self, written_to: &Address, tree: &Node) -> Verdict {
        let reached = !self.mailboxes.is_empty() || !self.remotes.is_empty() || self.dropped;
        if self.directory.domain(written_to.domain()).is_none() {
            Verdict::NotLocal
        } else if self.limit_passed {
            Verdict::Refuse(RefuseReason::TooManyTargets)
        } else if reached || !self.responders.is_empty() {
            Verdict::Accept
        } else if self.cycle.is_some() {
            Verdict::Refuse(RefuseReason::Loop)
        } else if is_postmaster(written_to) && tree.reason != Reason::DomainDisabled {
            Verdict::Refuse(RefuseReason::NoPostmaster)
        } else if matches!(tree.what, What::Unknown { .. }) {
            Verdict::Refuse(RefuseReason::NoSuchMailbox)
        } else {
            Verdict::Refuse(RefuseReason::LeadsNowhere)
        }
    }

    fn reached(&self) -> usize {
        self.mailboxes.len() + self.remotes.len() + self.responders.len() + usize::from(self.dropped)
    }

    /// Resolves one address, of ours or not.
    pub(crate) fn address(&mut self, address: &Address, reason: Reason) -> Node {
        let here = || What::Address { address: address.clone() };
        if !self.count() {
            return Node::leaf(What::NotFollowed { address: address.clone() }, Reason::LimitPassed);
        }
        let directory = self.directory;
        let Some(domain) = directory.domain(address.domain()) else { return self.remote(address) };
        if !domain.enabled {
            return Node::leaf(What::Unknown { address: address.clone() }, Reason::DomainDisabled);
        }
        let before = self.reached();
        if let Some(children) = self.exact(address, None, Reason::Exact) {
            // RFC 5321 §4.5.1: postmaster must be read by someone, so a dead end there does not end the search.
            if !is_postmaster(address) || self.reached() > before || self.already_counted(&children) {
                return Node { what: here(), reason, children };
            }
        }
        for (base, detail) in subaddress_splits(domain, address) {
            if let Some(children) = self.exact(&base, Some(detail), Reason::Subaddress) {
                return Node { what: here(), reason, children };
            }
        }
        if is_postmaster(address)
            && let Some(child) = self.postmaster(domain)
        {
            return Node { what: here(), reason, children: vec![child] };
        }
        if let Some(child) = self.catch_all(domain, address) {
            return Node { what: here(), reason, children: vec![child] };
        }
        let disabled = self.alias(address).is_some_and(|alias| !alias.enabled);
        let reason = if disabled { Reason::AliasDisabled } else { Reason::NoSuchAddress };
        Node::leaf(What::Unknown { address: address.clone() }, reason)
    }

    /// What has exactly this address: mailbox, alias and responders add up. `None` when nothing has.
    fn exact(&mut self, address: &Address, detail: Option<&str>, reason: Reason) -> Option<Vec<Node>> {
        let directory = self.directory;
        let mut children = Vec::new();
        if let Some(account) = directory.account(address) {
            children.push(self.mailbox(account, detail, reason));
        }
        if let Some(alias) = self.alias(address).filter(|alias| alias.enabled) {
            children.push(self.follow_alias(alias, reason));
        }
        for responder in directory.responders_at(address).filter(|responder| responder.enabled) {
            let first = self.reached_responders.insert(responder.id);
            if first {
                self.responders.push(responder.id);
            }
            let reason = if first { reason } else { Reason::AlreadyReached };
            children.push(Node::leaf(What::Responder { id: responder.id }, reason));
        }
        (!children.is_empty()).then_some(children)
    }

    fn mailbox(&mut self, account: &AccountObject, detail: Option<&str>, reason: Reason) -> Node {
        let first = self.reached_mailboxes.insert(account.id);
        if first {
            self.mailboxes.push(account.id);
        }
        let what = What::Mailbox {
            account: account.id,
            address: account.address.clone(),
            detail: detail.filter(|detail| !detail.is_empty()).map(str::to_owned),
        };
        Node::leaf(what, if first { reason } else { Reason::AlreadyReached })
    }

    fn remote(&mut self, address: &Address) -> Node {
        let first = self.reached_remotes.insert(address.clone());
        if first {
            self.remotes.push(address.clone());
        }
        let reason = if first { Reason::NotLocal } else { Reason::AlreadyReached };
        Node::leaf(What::Remote { address: address.clone() }, reason)
    }

    fn follow_alias(&mut self, alias: &AliasObject, reason: Reason) -> Node {
        let stop = Stop::Alias(alias.address.canonical());
        if let Some(refused) = self.enter(&stop) {
            return Node::leaf(What::NotFollowed { address: alias.address.clone() }, refused);
        }
        let mut targets: Vec<&Target> = alias.targets.iter().collect();
        targets.sort_unstable();
        targets.dedup();
        let mut children = Vec::with_capacity(targets.len().min(NODES_MAX));
        for target in targets {
            children.push(match target {
                Target::Address(address) => self.address(address, Reason::Target),
                Target::Blackhole => {
                    self.dropped = true;
                    Node::leaf(What::Dropped, Reason::Blackhole)
                }
                Target::AllUsers => self.all_users(alias.address.domain()),
            });
            if self.limit_passed {
                break;
            }
        }
        self.way.pop();
        Node { what: What::Alias { address: alias.address.clone() }, reason, children }
    }

    /// Follows an alias as if its address had been asked for.
    pub(crate) fn follow_from(&mut self, alias: &AliasObject) -> Node {
        self.follow_alias(alias, Reason::Asked)
    }

    fn all_users(&mut self, domain: &Domain) -> Node {
        let mut children = Vec::new();
        for account in self.directory.accounts_of(domain) {
            children.push(self.address(&account.address, Reason::User));
            if self.limit_passed {
                break;
            }
        }
        Node { what: What::AllUsers { domain: domain.clone() }, reason: Reason::Target, children }
    }

    fn catch_all(&mut self, domain: &DomainObject, address: &Address) -> Option<Node> {
        let target = domain.catch_all.as_ref()?;
        let stop = Stop::CatchAll(domain.name.clone());
        if self.way.contains(&stop) {
            return Some(Node::leaf(What::Unknown { address: address.clone() }, Reason::CatchAllMissing));
        }
        if let Some(refused) = self.enter(&stop) {
            return Some(Node::leaf(What::NotFollowed { address: address.clone() }, refused));
        }
        let child = self.address(target, Reason::CatchAll);
        self.way.pop();
        Some(Node {
            what: What::CatchAll { domain: domain.name.clone() },
            reason: Reason::CatchAll,
            children: vec![child],
        })
    }

    /// Who reads `postmaster@` of a domain without an object of that address: the one whom the domain names, else an
    /// administrator of the domain or of the server, else nobody here (then the catch-all, then the first account).
    fn postmaster(&mut self, domain: &DomainObject) -> Option<Node> {
        let stop = Stop::Postmaster(domain.name.clone());
        if self.way.contains(&stop) || self.enter(&stop).is_some() {
            return None;
        }
        let mut found = None;
        if let Some(named) = &domain.postmaster {
            let before = self.reached();
            let node = self.address(named, Reason::NamedPostmaster);
            if self.reached() > before || self.already_counted(std::slice::from_ref(&node)) {
                found = Some(node);
            }
        }
        if found.is_none() {
            found = stand_in(self.directory, domain)
                .map(|(account, reason)| Node { reason, ..self.mailbox(account, None, reason) });
        }
        self.way.pop();
        found
    }

    /// Whether a subtree holds something that is delivered, though another branch reached it first.
    fn already_counted(&self, nodes: &[Node]) -> bool {
        let mut look = |node: &Node| {
            let counted = matches!(node.what, What::Mailbox { .. } | What::Remote { .. } | What::Dropped)
                || node.reason == Reason::AlreadyFollowed;
            counted.then_some(())
        };
        nodes.iter().any(|node| node.find_map(&mut look).is_some())
    }

    fn alias(&self, address: &Address) -> Option<&'a AliasObject> {
        match self.instead {
            Some(instead) if instead.address.same_mailbox(address) => Some(instead),
            _ => self.directory.alias(address).map(Arc::as_ref),
        }
    }

    /// Steps onto something that may be on the way once, or tells why not.
    fn enter(&mut self, stop: &Stop) -> Option<Reason> {
        if let Some(at) = self.way.iter().position(|passed| passed == stop) {
            if self.cycle.is_none() && !self.keeps_a_copy(at, stop) {
                let circle = self.way.iter().skip(at).chain([stop]).filter_map(|stop| match stop {
                    Stop::Alias(address) => Some(address.clone()),
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
        itself && matches!(stop, Stop::Alias(address) if self.directory.account(address).is_some())
    }

    fn count(&mut self) -> bool {
        self.nodes = self.nodes.saturating_add(1);
        if self.nodes > NODES_MAX {
            self.limit_passed = true;
        }
        !self.limit_passed
    }
}

/// The account that reads `postmaster@` when nobody is named: the first administrator with an address in the domain,
/// then its first domain administrator, then the first administrator anywhere, then the first account of the domain,
/// then the first of all. First means the lowest number.
fn stand_in<'a>(directory: &'a Directory, domain: &DomainObject) -> Option<(&'a AccountObject, Reason)> {
    let lowest = |role: Option<Role>, here: bool| {
        let fits = |account: &&Arc<AccountObject>| {
            role.is_none_or(|role| account.role == role) && (!here || *account.address.domain() == domain.name)
        };
        directory.accounts().filter(fits).min_by_key(|account| account.id).map(Arc::as_ref)
    };
    let administrator = lowest(Some(Role::Administrator), true)
        .or_else(|| lowest(Some(Role::DomainAdministrator), true))
        .or_else(|| lowest(Some(Role::Administrator), false));
    if let Some(account) = administrator {
        return Some((account, Reason::AdministratorAsPostmaster));
    }
    if domain.catch_all.is_some() {
        return None;
    }
    let first = lowest(None, true).or_else(|| lowest(None, false));
    first.map(|account| (account, Reason::FirstAccountAsPostmaster))
}

#[cfg(test)]
mod tests;
