//! The steps of the way, in their order.

use mail::{Address, Domain};

use super::postmaster::{instead_of_own_name, is_abuse, is_at_own_name};
use super::{Instead, Stop, Walk, is_postmaster, subaddress_splits};
use crate::limits::NODES_MAX;
use crate::objects::{
    AccountObject, AliasObject, DomainObject, GroupObject, ListObject, ListRole, SubaddressFolders, Target,
};
use crate::resolution::{Node, Reason, What};
use crate::responders::belongs;
use crate::verdict::RefuseReason;

/// A subaddress detail, and what its domain makes of it.
type Detail<'d> = Option<(&'d str, SubaddressFolders)>;

impl<'a> Walk<'a> {
    /// Resolves one address, of ours or not.
    pub(crate) fn address(&mut self, address: &Address, reason: Reason) -> Node {
        if !self.count() {
            return Node::leaf(What::NotFollowed { address: address.clone() }, Reason::LimitPassed);
        }
        let Some(domain) = self.directory.domain(address.domain()) else { return self.elsewhere(address, reason) };
        if !domain.enabled {
            return Node::leaf(What::Unknown { address: address.clone() }, Reason::DomainDisabled);
        }
        let canonical = address.canonical();
        match self.found(domain, address, &canonical) {
            Some(children) => Node { what: What::Address { address: address.clone() }, reason, children },
            None => {
                let reason = self.why_unknown(&canonical);
                Node::leaf(What::Unknown { address: address.clone() }, reason)
            }
        }
    }

    /// An address in no domain of ours: on another server, unless it is one that is read at this server's own name.
    fn elsewhere(&mut self, address: &Address, reason: Reason) -> Node {
        if !is_at_own_name(self.directory, address) {
            return self.remote(address);
        }
        match instead_of_own_name(self.directory, address) {
            Some(there) => {
                let child = self.address(&there, Reason::OwnName);
                Node { what: What::Address { address: address.clone() }, reason, children: vec![child] }
            }
            None => Node::leaf(What::Unknown { address: address.clone() }, Reason::NoSuchAddress),
        }
    }

    /// What an address of a domain of ours leads to. `None`: nothing has it.
    fn found(&mut self, domain: &'a DomainObject, address: &Address, canonical: &Address) -> Option<Vec<Node>> {
        let before = self.reached();
        if let Some(children) = self.exact(domain, canonical, None, Reason::Exact) {
            // RFC 5321 §4.5.1: postmaster must be read by someone, so a dead end there does not end the search.
            if !is_postmaster(address) || self.reached() > before || self.already_counted(&children) {
                return Some(children);
            }
        }
        if let Some(child) = self.list_address(domain, address, canonical) {
            return Some(vec![child]);
        }
        if let Some(target) = &domain.alias_of {
            return Some(vec![self.domain_alias(target, address, canonical)]);
        }
        for (base, detail) in subaddress_splits(domain, address) {
            let detail = Some((detail, domain.subaddress_folders));
            if let Some(children) = self.exact(domain, &base.canonical(), detail, Reason::Subaddress) {
                return Some(children);
            }
        }
        if is_postmaster(address)
            && let Some(child) = self.postmaster(domain)
        {
            return Some(vec![child]);
        }
        if let Some(child) = self.pattern(domain, canonical) {
            return Some(vec![child]);
        }
        let caught = self.catch_all(domain, address);
        caught.or_else(|| self.abuse(domain, address, canonical)).map(|child| vec![child])
    }

    /// RFC 2142 §4: somebody reads `abuse@` a domain; where nothing has that address, who reads `postmaster@`.
    fn abuse(&mut self, domain: &DomainObject, address: &Address, canonical: &Address) -> Option<Node> {
        // One that was switched off is switched off on purpose.
        if !is_abuse(address) || self.why_unknown(canonical) != Reason::NoSuchAddress {
            return None;
        }
        let postmaster = Address::new("postmaster", domain.name.clone()).ok()?;
        Some(self.address(&postmaster, Reason::AbuseToPostmaster)).filter(|node| !node.children.is_empty())
    }

    fn why_unknown(&self, canonical: &Address) -> Reason {
        let found = self.directory.exact(canonical);
        if self.alias(canonical, found.alias).is_some_and(|alias| !alias.enabled) {
            Reason::AliasDisabled
        } else if found.group.is_some() || found.list.is_some() {
            Reason::Disabled
        } else {
            Reason::NoSuchAddress
        }
    }

    /// What has exactly this address: everything adds up. `None` when nothing has.
    fn exact(
        &mut self,
        domain: &'a DomainObject,
        canonical: &Address,
        detail: Detail<'_>,
        reason: Reason,
    ) -> Option<Vec<Node>> {
        let directory = self.directory;
        let found = directory.exact(canonical);
        let mut children = Vec::new();
        if let Some(account) = found.account {
            let reason = if found.further && reason == Reason::Exact { Reason::FurtherDomain } else { reason };
            children.push(match self.bar(&account.rules, domain) {
                Some(refusal) => self.refused(&account.address, refusal),
                None => self.mailbox(account, detail, reason),
            });
        }
        let alias = self.alias(canonical, found.alias).filter(|alias| alias.enabled);
        if let Some(alias) = alias {
            children.push(match self.bar(&alias.rules, domain) {
                Some(refusal) => self.refused(&alias.address, refusal),
                None => self.follow_alias(alias, reason),
            });
        }
        if let Some(group) = self.group_at(canonical, found.group).filter(|group| group.enabled) {
            children.push(self.group(domain, group, reason));
        }
        if let Some(list) = found.list.filter(|list| list.enabled) {
            children.push(self.list(domain, list, ListRole::Post, &list.address, reason));
        }
        // What takes no mail from somebody does not answer them either.
        let closed = !children.is_empty() && children.iter().all(|node| matches!(node.what, What::Refused { .. }));
        if closed || alias.is_some_and(fails) {
            return Some(children);
        }
        if let Some(ids) = found.responders {
            children.extend(ids.iter().filter_map(|id| self.responder(*id, reason)));
        }
        if let Some(account) = found.account.filter(|_| found.further) {
            let own = directory.responders_at(&account.address).map(|responder| responder.id);
            children.extend(own.filter_map(|id| self.responder(id, reason)).collect::<Vec<_>>());
        }
        (!children.is_empty()).then_some(children)
    }

    fn responder(&mut self, id: u64, reason: Reason) -> Option<Node> {
        let found = self.directory.responder(id)?;
        if !found.enabled || !belongs(self.directory, found) {
            return None;
        }
        let first = self.reached_responders.insert(id);
        if first {
            self.responders.push(id);
        }
        Some(Node::leaf(What::Responder { id }, if first { reason } else { Reason::AlreadyReached }))
    }

    pub(super) fn mailbox(&mut self, account: &AccountObject, detail: Detail<'_>, reason: Reason) -> Node {
        let first = self.reached_mailboxes.insert(account.id);
        if first {
            self.mailboxes.push(account.id);
        }
        let detail = detail.filter(|(detail, _)| !detail.is_empty());
        let what = What::Mailbox {
            account: account.id,
            address: account.address.clone(),
            detail: detail.map(|(detail, _)| detail.to_owned()),
            folders: detail.map_or(SubaddressFolders::Off, |(_, folders)| folders),
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

    pub(super) fn follow_alias(&mut self, alias: &'a AliasObject, reason: Reason) -> Node {
        let stop = Stop::Alias(alias.address.canonical());
        if let Some(refused) = self.enter(&stop) {
            return Node::leaf(What::NotFollowed { address: alias.address.clone() }, refused);
        }
        let written_to = self.way.iter().rev().skip(1).all(|passed| matches!(passed, Stop::DomainAlias(_)));
        if written_to && self.written_alias.is_none() {
            self.written_alias = Some(alias.address.clone());
        }
        let mut targets: Vec<&Target> = alias.targets.iter().collect();
        targets.sort_unstable();
        targets.dedup();
        let mut children = Vec::with_capacity(targets.len().min(NODES_MAX));
        for target in targets {
            children.push(self.target(target, alias.address.domain()));
            if self.limit_passed {
                break;
            }
        }
        if alias.when_away.is_some() || alias.deputies_when_away {
            let absent = self.everyone_is_away(Instead::Alias(alias));
            self.fall_back(absent, alias.when_away.as_ref(), alias.deputies_when_away, &mut children);
        }
        self.way.pop();
        Node { what: What::Alias { address: alias.address.clone() }, reason, children }
    }

    /// Follows an alias as if its address had been asked for.
    pub(crate) fn follow_from(&mut self, alias: &'a AliasObject) -> Node {
        self.follow_alias(alias, Reason::Asked)
    }

    fn target(&mut self, target: &Target, domain: &Domain) -> Node {
        match target {
            Target::Address(address) => self.address(address, Reason::Target),
            Target::Blackhole => {
                self.dropped = true;
                Node::leaf(What::Dropped, Reason::Blackhole)
            }
            Target::Fail(text) => {
                self.refusal.get_or_insert_with(|| RefuseReason::Fail(text.clone()));
                Node::leaf(What::Fail { text: text.clone() }, Reason::Fail)
            }
            Target::AllUsers => self.all_users(domain),
        }
    }

    fn all_users(&mut self, domain: &Domain) -> Node {
        let mut children = Vec::new();
        for person in self.directory.people_of(domain) {
            children.push(self.address(&person.address, Reason::User));
            if self.limit_passed {
                break;
            }
        }
        Node { what: What::AllUsers { domain: domain.clone() }, reason: Reason::Target, children }
    }

    /// A group: its members' mailboxes, or its moderators first.
    pub(super) fn group(&mut self, domain: &'a DomainObject, group: &'a GroupObject, reason: Reason) -> Node {
        let refusal = self.bar(&group.rules, domain).or_else(|| self.may_not_post(group));
        if let Some(refusal) = refusal {
            return self.refused(&group.address, refusal);
        }
        let mut reason = reason;
        if group.moderated && !self.asking.own {
            if !self.asking.is_among(self.directory, &group.moderators) {
                return self.hold(group.id, &group.address, ListRole::Post, Reason::Moderated, |address| {
                    What::Moderated { id: group.id, address }
                });
            }
            reason = Reason::Moderator;
        }
        self.follow_group(group, reason)
    }

    /// Follows a group as if whoever asks might write to it.
    pub(crate) fn follow_group(&mut self, group: &'a GroupObject, reason: Reason) -> Node {
        if let Some(refused) = self.enter(&Stop::Group(group.address.canonical())) {
            return Node::leaf(What::NotFollowed { address: group.address.clone() }, refused);
        }
        let mut members: Vec<Address> = group.members.iter().map(Address::canonical).collect();
        members.sort_unstable();
        members.dedup();
        let mut children = Vec::with_capacity(members.len());
        for member in &members {
            // A former member's address is not looked up further: the catch-all is no member.
            children.push(match self.directory.account_at(member) {
                Some(account) => self.address(&account.address, Reason::Member),
                None => Node::leaf(What::Unknown { address: member.clone() }, Reason::NoSuchAddress),
            });
            if self.limit_passed {
                break;
            }
        }
        if group.when_away.is_some() || group.deputies_when_away {
            let absent = self.everyone_is_away(Instead::Group(group));
            self.fall_back(absent, group.when_away.as_ref(), group.deputies_when_away, &mut children);
        }
        self.way.pop();
        let reason = if children.is_empty() {
            self.refusal.get_or_insert(RefuseReason::GroupWithoutMembers);
            Reason::NoMembers
        } else {
            reason
        };
        Node { what: What::Group { address: group.address.clone() }, reason, children }
    }

    /// An address that belongs to a list beside its own: `garden-request@`.
    fn list_address(&mut self, domain: &'a DomainObject, address: &Address, canonical: &Address) -> Option<Node> {
        let directory = self.directory;
        if directory.has_lists()
            && let Some((list, role)) = directory.list_address(canonical)
        {
            return self.list_role(domain, list, role, address);
        }
        let group = directory.moderators_address(canonical)?;
        // Answers of moderators come from anywhere, with a token.
        Some(self.hold(group.id, address, ListRole::Confirm, Reason::ListAddress, |address| What::Moderated {
            id: group.id,
            address,
        }))
    }

    fn list_role(
        &mut self,
        domain: &'a DomainObject,
        list: &ListObject,
        role: ListRole,
        address: &Address,
    ) -> Option<Node> {
        list.enabled.then(|| self.list(domain, list, role, address, Reason::ListAddress))
    }

    fn list(
        &mut self,
        domain: &DomainObject,
        list: &ListObject,
        role: ListRole,
        address: &Address,
        reason: Reason,
    ) -> Node {
        // Orders, confirmations and DSNs come from anywhere.
        let refusal = if role == ListRole::Post {
            self.bar(&list.rules, domain).or_else(|| self.posting(&list.posting, list.address.domain(), None))
        } else {
            self.expired(&list.rules, domain)
        };
        if let Some(refusal) = refusal {
            return self.refused(&list.address, refusal);
        }
        let leaf = |_| What::List { id: list.id, address: list.address.clone(), role };
        self.hold(list.id, address, role, reason, leaf)
    }

    fn hold(
        &mut self,
        part: mail::AccountId,
        address: &Address,
        role: ListRole,
        reason: Reason,
        what: impl FnOnce(Address) -> What,
    ) -> Node {
        let first = self.reached_held.insert((part, address.canonical()));
        if first {
            self.held.push((part, address.clone(), role));
        }
        Node::leaf(what(address.clone()), if first { reason } else { Reason::AlreadyReached })
    }

    /// An address of a domain that stands for another. The other may not stand for a third.
    fn domain_alias(&mut self, target: &Domain, address: &Address, canonical: &Address) -> Node {
        let there = self.directory.domain(target).filter(|domain| domain.alias_of.is_none());
        let there = there.and_then(|domain| Address::new(address.local().as_str(), domain.name.clone()).ok());
        let Some(there) = there else {
            return Node::leaf(What::Unknown { address: address.clone() }, Reason::DomainAliasMissing);
        };
        if let Some(refused) = self.enter(&Stop::DomainAlias(canonical.clone())) {
            return Node::leaf(What::NotFollowed { address: address.clone() }, refused);
        }
        let child = self.address(&there, Reason::DomainAlias);
        self.way.pop();
        child
    }

    fn pattern(&mut self, domain: &'a DomainObject, canonical: &Address) -> Option<Node> {
        let found = self.directory.patterns(&domain.name)?.first(canonical.local().as_str())?;
        if let Some(refused) = self.enter(&Stop::Pattern(canonical.clone())) {
            return Some(Node::leaf(What::NotFollowed { address: canonical.clone() }, refused));
        }
        let mut children = Vec::with_capacity(found.targets.len());
        for target in &found.targets {
            children.push(match target {
                Ok(target) => self.target(target, &domain.name),
                Err(_) => Node::leaf(What::Unknown { address: canonical.clone() }, Reason::BadExpansion),
            });
        }
        self.way.pop();
        let what = What::Pattern { domain: domain.name.clone(), number: found.number, pattern: found.pattern };
        Some(Node { what, reason: Reason::Pattern, children })
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

    /// Whether a subtree holds something that is delivered, though another branch reached it first.
    pub(super) fn already_counted(&self, nodes: &[Node]) -> bool {
        let mut look = |node: &Node| {
            let counted = matches!(
                node.what,
                What::Mailbox { .. } | What::Remote { .. } | What::Dropped | What::List { .. } | What::Moderated { .. }
            ) || node.reason == Reason::AlreadyFollowed;
            counted.then_some(())
        };
        nodes.iter().any(|node| node.find_map(&mut look).is_some())
    }
}

fn fails(alias: &AliasObject) -> bool {
    alias.targets.iter().any(|target| matches!(target, Target::Fail(_)))
}
