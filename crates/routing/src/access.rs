//! `may_log_in`: whether an account gets in by a service, and when a session that got in has to end (M6).

use std::fmt;
use std::sync::Arc;

use mail::Address;

use crate::directory::Directory;
use crate::objects::{AccountKind, AccountObject, GroupObject, Service};

/// Why an account does not get in. Told to the log only: to the outside all of them look like a wrong password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoAccess {
    /// An administrator has switched logging in off.
    Disabled,
    /// It has no password.
    NoPassword,
    /// It is a shared mailbox: people read it under their own login.
    SharedMailbox,
    /// The service is withdrawn from the account.
    Withdrawn(Service),
    /// The service is withdrawn from the members of a group.
    WithdrawnByGroup(Service, Address),
}

/// Why a session can't go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionEnd {
    /// The account is gone.
    Gone,
    /// The password it was opened with is no longer the account's.
    PasswordChanged,
    /// It would not get in any more.
    NoAccess(NoAccess),
}

/// Whether an account may log in by a service, its password aside.
///
/// # Errors
/// The first reason why not.
pub fn may_log_in(directory: &Directory, account: &AccountObject, service: Service) -> Result<(), NoAccess> {
    if account.kind == AccountKind::Shared {
        return Err(NoAccess::SharedMailbox);
    }
    if !account.enabled {
        return Err(NoAccess::Disabled);
    }
    if account.password_hash.is_none() {
        return Err(NoAccess::NoPassword);
    }
    if account.withdrawn.contains(&service) {
        return Err(NoAccess::Withdrawn(service));
    }
    let member = |group: &&Arc<GroupObject>| {
        group.enabled
            && group.withdrawn.contains(&service)
            && group.members.iter().any(|member| account.addresses().any(|own| own.same_mailbox(member)))
    };
    match directory.groups().find(member) {
        Some(group) => Err(NoAccess::WithdrawnByGroup(service, group.address.clone())),
        None => Ok(()),
    }
}

/// Why a session that an account opened must end, if it must: `opened` is the account as it was at the login.
#[must_use]
pub fn session_end(directory: &Directory, opened: &AccountObject, service: Service) -> Option<SessionEnd> {
    let Some(account) = directory.account_by_id(opened.id) else { return Some(SessionEnd::Gone) };
    if account.password_hash != opened.password_hash {
        return Some(SessionEnd::PasswordChanged);
    }
    // The password is as it was, so one that is missing was never needed.
    let reason = may_log_in(directory, account, service).err().filter(|reason| *reason != NoAccess::NoPassword);
    reason.map(SessionEnd::NoAccess)
}

impl fmt::Display for NoAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disabled => f.write_str("logging in is switched off for the account"),
            Self::NoPassword => f.write_str("the account has no password"),
            Self::SharedMailbox => f.write_str("it is a shared mailbox, which nobody logs in to"),
            Self::Withdrawn(service) => write!(f, "{service} is withdrawn from the account"),
            Self::WithdrawnByGroup(service, group) => write!(f, "{service} is withdrawn from the members of {group}"),
        }
    }
}

impl fmt::Display for SessionEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gone => f.write_str("the account is gone"),
            Self::PasswordChanged => f.write_str("the password was changed"),
            Self::NoAccess(reason) => write!(f, "{reason}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::Object;
    use crate::testing::{account_object, address, directory};

    fn person(id: u64, text: &str) -> AccountObject {
        AccountObject { password_hash: Some("hash".into()), ..account_object(id, text) }
    }

    #[test]
    fn m06_access_is_withdrawn_per_user_or_group_and_service() {
        let alice = AccountObject { withdrawn: vec![Service::Submission], ..person(1, "alice@a.example") };
        let bob = person(2, "bob@a.example");
        let off = AccountObject { enabled: false, ..person(3, "off@a.example") };
        let bare = AccountObject { password_hash: None, ..person(4, "bare@a.example") };
        let shared = AccountObject { kind: AccountKind::Shared, ..person(5, "team@a.example") };
        let group = |text: &str, enabled| GroupObject {
            members: vec![address("BOB@a.example")],
            withdrawn: vec![Service::Imap, Service::Web],
            enabled,
            ..GroupObject::new(address(text))
        };
        let objects = [&alice, &bob, &off, &bare, &shared].map(|account| Object::Account(account.clone()));
        let mut directory = directory(&["a.example"], objects.to_vec());
        directory.put(Object::Group(group("asleep@a.example", false)));
        assert_eq!(may_log_in(&directory, &bob, Service::Imap), Ok(()), "a disabled group withdraws nothing");
        directory.put(Object::Group(group("interns@a.example", true)));
        let interns = || address("interns@a.example");
        let table = [
            (&alice, Service::Imap, Ok(())),
            (&alice, Service::Submission, Err(NoAccess::Withdrawn(Service::Submission))),
            (&bob, Service::Imap, Err(NoAccess::WithdrawnByGroup(Service::Imap, interns()))),
            (&bob, Service::Web, Err(NoAccess::WithdrawnByGroup(Service::Web, interns()))),
            (&bob, Service::Submission, Ok(())),
            (&bob, Service::Pop3, Ok(())),
            (&off, Service::Imap, Err(NoAccess::Disabled)),
            (&bare, Service::Imap, Err(NoAccess::NoPassword)),
            (&shared, Service::Imap, Err(NoAccess::SharedMailbox)),
        ];
        for (account, service, expected) in table {
            assert_eq!(may_log_in(&directory, account, service), expected, "{} by {service}", account.address);
        }
    }

    #[test]
    fn m06_a_session_ends_with_what_let_it_in() {
        let opened = person(1, "alice@a.example");
        let with = |account: AccountObject| directory(&["a.example"], vec![Object::Account(account)]);
        let end = |account| session_end(&with(account), &opened, Service::Imap);
        assert_eq!(end(opened.clone()), None);
        assert_eq!(end(AccountObject { display_name: "Alice".into(), ..opened.clone() }), None);
        let changed = AccountObject { password_hash: Some("other".into()), ..opened.clone() };
        assert_eq!(end(changed), Some(SessionEnd::PasswordChanged));
        let off = AccountObject { enabled: false, ..opened.clone() };
        assert_eq!(end(off), Some(SessionEnd::NoAccess(NoAccess::Disabled)));
        assert_eq!(end(person(2, "alice@a.example")), Some(SessionEnd::Gone), "another account of the same name");
    }
}
