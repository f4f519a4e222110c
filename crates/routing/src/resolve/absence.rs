//! Whether every person behind an alias or group is away, so that its fall-back gets the message as well.

use std::collections::BTreeSet;

use mail::{Address, Timestamp};

use super::{Instead, Walk};
use crate::directory::Directory;
use crate::limits::NODES_MAX;
use crate::objects::{AccountKind, AccountObject, ResponderKind};
use crate::resolution::{Node, Reason};
use crate::responders::{active, zone_of};

/// Everyone is away; whom they name as deputies, each once.
pub(super) struct Absent(BTreeSet<Address>);

impl<'a> Walk<'a> {
    /// Whether an alias or group leads to at least one person, to nothing but persons, and all of them are away. It is
    /// looked at from scratch, so that what other branches reached before makes no difference.
    pub(super) fn everyone_is_away(&mut self, from: Instead<'a>) -> Option<Absent> {
        if self.assume_away {
            return Some(Absent(BTreeSet::new()));
        }
        if self.behind_only || self.limit_passed || self.looked > NODES_MAX {
            return None;
        }
        let mut behind = Walk::new(self.directory, self.asking, self.instead);
        behind.behind_only = true;
        match from {
            Instead::Alias(alias) => behind.follow_alias(alias, Reason::Asked),
            Instead::Group(group) => behind.follow_group(group, Reason::Asked),
            Instead::Nothing => return None,
        };
        self.looked = self.looked.saturating_add(behind.nodes);
        // Somebody elsewhere, or the members of a list, may read it: nothing is known of their absence.
        if !behind.remotes.is_empty() || !behind.held.is_empty() || behind.limit_passed || behind.mailboxes.is_empty() {
            return None;
        }
        let mut deputies = BTreeSet::new();
        for account in behind.mailboxes.iter().filter_map(|id| self.directory.account_by_id(*id)) {
            if !unread(self.directory, account, self.asking.now, &mut deputies) {
                return None;
            }
        }
        Some(Absent(deputies))
    }

    /// Follows the fall-back, and the deputies when they are wanted.
    pub(super) fn fall_back(
        &mut self,
        absent: Option<Absent>,
        fallback: Option<&Address>,
        to_deputies: bool,
        children: &mut Vec<Node>,
    ) {
        let Some(Absent(deputies)) = absent else { return };
        children.extend(fallback.map(|fallback| self.address(fallback, Reason::WhenAway)));
        if to_deputies {
            children.extend(deputies.iter().map(|deputy| self.address(deputy, Reason::Deputy)));
        }
    }
}

/// Whether nobody reads a mailbox now: its person is away, or everyone who shares it is.
fn unread(directory: &Directory, account: &AccountObject, now: Timestamp, deputies: &mut BTreeSet<Address>) -> bool {
    match account.kind {
        AccountKind::Person => is_away(directory, account, now, deputies),
        AccountKind::Shared => {
            let members = account.shared.iter().flat_map(|shared| &shared.members);
            let mut persons = members.filter_map(|member| directory.account_at(&member.account)).peekable();
            persons.peek().is_some() && persons.all(|person| is_away(directory, person, now, deputies))
        }
    }
}

/// Whether a person is away: an out-of-office message of theirs is active, or they can't log in any more.
fn is_away(directory: &Directory, account: &AccountObject, now: Timestamp, deputies: &mut BTreeSet<Address>) -> bool {
    let mut away = !account.enabled;
    for address in account.addresses() {
        for responder in directory.responders_at(&address) {
            if responder.kind == ResponderKind::OutOfOffice && active(responder, now, &zone_of(directory, responder)) {
                away = true;
                deputies.extend(responder.deputy.as_ref().map(Address::canonical));
            }
        }
    }
    away
}
