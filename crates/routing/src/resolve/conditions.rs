//! What an address demands of who writes to it, and who may write to a group or list.

use mail::{Address, Domain, Timestamp};

use super::Walk;
use crate::directory::Directory;
use crate::objects::{AddressRules, DomainObject, GroupObject, Posting};
use crate::resolution::{Node, Reason, What};
use crate::responders::{Window, zone_named};
use crate::verdict::RefuseReason;

/// Whether what an address of a domain demands says that its time is over. The last moment belongs to it, as the wall clocks of
/// the domain's zone show it. A date that can't be read is none.
#[must_use]
pub fn has_expired(directory: &Directory, rules: &AddressRules, domain: &Domain, now: Timestamp) -> bool {
    let Some(window) = rules.expires.as_deref().and_then(|ends| Window::parse(None, Some(ends)).ok()) else {
        return false;
    };
    let zone = directory.domain(domain).map_or("", |domain| domain.time_zone.as_str());
    window.over(now, &zone_named(zone))
}

impl Walk<'_> {
    /// Why the conditions of an address keep this message out.
    pub(super) fn bar(&self, rules: &AddressRules, domain: &DomainObject) -> Option<RefuseReason> {
        if let Some(expired) = self.expired(rules, domain) {
            return Some(expired);
        }
        if self.asking.own {
            return None;
        }
        if rules.internal_only && !self.asking.is_inside(self.directory, &domain.name) {
            return Some(RefuseReason::InternalOnly);
        }
        if !rules.senders.is_empty() && !self.asking.is_named(self.directory, &rules.senders) {
            return Some(RefuseReason::SenderNotAllowed);
        }
        let too_large = rules.message_octets_max.zip(self.asking.octets).is_some_and(|(most, octets)| octets > most);
        too_large.then_some(RefuseReason::TooLarge)
    }

    /// As [`has_expired`].
    pub(super) fn expired(&self, rules: &AddressRules, domain: &DomainObject) -> Option<RefuseReason> {
        has_expired(self.directory, rules, &domain.name, self.asking.now).then_some(RefuseReason::Expired)
    }

    /// Why a sender may not write to a group. Its moderators may.
    pub(super) fn may_not_post(&self, group: &GroupObject) -> Option<RefuseReason> {
        let refusal = self.posting(&group.posting, group.address.domain(), Some(&group.members))?;
        (!self.asking.is_among(self.directory, &group.moderators)).then_some(refusal)
    }

    /// Why a sender may not write to a group or list of a domain. Members that are not known here are for their list to judge.
    pub(super) fn posting(
        &self,
        posting: &Posting,
        domain: &Domain,
        members: Option<&[Address]>,
    ) -> Option<RefuseReason> {
        if self.asking.own {
            return None;
        }
        let (allowed, refusal) = match posting {
            Posting::Anyone => (true, RefuseReason::SenderNotAllowed),
            Posting::Organisation => (self.asking.is_inside(self.directory, domain), RefuseReason::InternalOnly),
            Posting::Members => {
                let member = members.is_none_or(|members| self.asking.is_among(self.directory, members));
                (member, RefuseReason::MembersOnly)
            }
            Posting::Named(named) => (self.asking.is_named(self.directory, named), RefuseReason::SenderNotAllowed),
        };
        (!allowed).then_some(refusal)
    }

    /// The leaf for something that does not take this message.
    pub(super) fn refused(&mut self, address: &Address, refusal: RefuseReason) -> Node {
        let reason = match refusal {
            RefuseReason::Expired => Reason::Expired,
            RefuseReason::InternalOnly => Reason::InternalOnly,
            RefuseReason::MembersOnly => Reason::MembersOnly,
            RefuseReason::TooLarge => Reason::TooLarge,
            RefuseReason::Fail(_) => Reason::Fail,
            RefuseReason::NoSuchMailbox
            | RefuseReason::LeadsNowhere
            | RefuseReason::GroupWithoutMembers
            | RefuseReason::Loop
            | RefuseReason::TooManyTargets
            | RefuseReason::NoPostmaster
            | RefuseReason::DomainDisabled
            | RefuseReason::SenderNotAllowed => Reason::SenderNotAllowed,
        };
        self.refusal.get_or_insert(refusal);
        Node::leaf(What::Refused { address: address.clone() }, reason)
    }
}
