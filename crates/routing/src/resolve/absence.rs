//! Whether every person behind an alias or group is away, so that its fall-back gets the message as well.

use mail::{Address, Timestamp};

use super::{Instead, Walk};
use crate::directory::Directory;
use crate::limits::NODES_MAX;
use crate::objects::{AccountKind, AccountObject, ResponderKind};
use crate::resolution::Reason;
use crate::responders::{active, zone_of};

impl<'a> Walk<'a> {
    /// Whether an alias or group leads to at least one person, to nothing but persons, and all of them are away. It is
    /// looked at from scratch, so that what other branches reached before makes no difference.
    pub(super) fn everyone_is_away(&mut self, from: Instead<'a>) -> bool {
        if self.assume_away {
            return true;
        }
        if self.behind_only || self.limit_passed || self.looked > NODES_MAX {
            return false;
        }
        let mut behind = Walk::new(self.directory, self.asking, self.instead);
        behind.behind_only = true;
        match from {
            Instead::Alias(alias) => behind.follow_alias(alias, Reason::Asked),
            Instead::Group(group) => behind.follow_group(group, Reason::Asked),
            Instead::Nothing => return false,
        };
        self.looked = self.looked.saturating_add(behind.nodes);
        // Somebody elsewhere, or the members of a list, may read it: nothing is known of their absence.
        let persons_only = behind.remotes.is_empty() && behind.held.is_empty() && !behind.limit_passed;
        let mut accounts = behind.mailboxes.iter().filter_map(|id| self.directory.account_by_id(*id)).peekable();
        persons_only
            && accounts.peek().is_some()
            && accounts.all(|account| unread(self.directory, account, self.asking.now))
    }
}

/// Whether nobody reads a mailbox now: its person is away, or everyone who shares it is.
fn unread(directory: &Directory, account: &AccountObject, now: Timestamp) -> bool {
    match account.kind {
        AccountKind::Person => is_away(directory, account, now),
        AccountKind::Shared => {
            let members = account.shared.iter().flat_map(|shared| &shared.members);
            let mut persons = members.filter_map(|member| directory.account_at(&member.account)).peekable();
            persons.peek().is_some() && persons.all(|person| is_away(directory, person, now))
        }
    }
}

/// Whether a person is away: an out-of-office message of theirs is active, or they can't log in any more.
#[must_use]
pub(crate) fn is_away(directory: &Directory, account: &AccountObject, now: Timestamp) -> bool {
    let away_at = |address: &Address| {
        directory.responders_at(address).any(|responder| {
            responder.kind == ResponderKind::OutOfOffice && active(responder, now, &zone_of(directory, responder))
        })
    };
    !account.enabled || account.addresses().any(|address| away_at(&address))
}
