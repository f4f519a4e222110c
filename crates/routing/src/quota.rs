//! `may_set_quota`: who sets how much an account may have (RFC 9208 §4.1.3).

use mail::AccountId;

use crate::directory::Directory;
use crate::objects::Role;

/// Whether somebody may set the quota of an account: administrators that of every account, domain administrators that of
/// accounts of their domains that can do no more than they can. Nobody else, the account's owner neither.
#[must_use]
pub fn may_set_quota(directory: &Directory, who: AccountId, account: AccountId) -> bool {
    let (Some(who), Some(account)) = (directory.account_by_id(who), directory.account_by_id(account)) else {
        return false;
    };
    if !who.enabled {
        return false;
    }
    match who.role {
        Role::User => false,
        Role::Administrator => true,
        Role::DomainAdministrator => {
            let domains = who.administered();
            let weaker = match account.role {
                Role::User => true,
                Role::DomainAdministrator => account.administered().iter().all(|domain| domains.contains(domain)),
                Role::Administrator => false,
            };
            domains.contains(account.address.domain()) && weaker
        }
    }
}

/// Whether somebody may set the quota of any account at all.
#[must_use]
pub fn may_set_quotas(directory: &Directory, who: AccountId) -> bool {
    directory.account_by_id(who).is_some_and(|who| {
        who.enabled
            && match who.role {
                Role::User => false,
                Role::Administrator => true,
                Role::DomainAdministrator => !who.administered().is_empty(),
            }
    })
}

#[cfg(test)]
mod tests {
    use mail::Domain;

    use super::*;
    use crate::objects::Object;
    use crate::testing::{account_object, directory};

    #[test]
    fn quotas_are_for_administrators() {
        let with = |id, address: &str, role, administers: &[&str]| {
            let mut account = account_object(id, address);
            account.role = role;
            account.administers = administers.iter().map(|name| Domain::parse(name).unwrap()).collect();
            Object::Account(account)
        };
        let mut off = account_object(7, "off@a.example");
        (off.role, off.enabled) = (Role::Administrator, false);
        let objects = vec![
            with(1, "root@b.example", Role::Administrator, &[]),
            with(2, "chief@a.example", Role::DomainAdministrator, &[]),
            with(3, "alice@a.example", Role::User, &[]),
            with(4, "bob@b.example", Role::User, &[]),
            with(5, "both@a.example", Role::DomainAdministrator, &["a.example", "b.example"]),
            with(6, "admin@a.example", Role::Administrator, &[]),
            Object::Account(off),
        ];
        let directory = directory(&["a.example", "b.example"], objects);
        for (who, account, may) in [
            (1, 3, true),
            (1, 4, true),
            (1, 1, true),
            (2, 3, true),
            (2, 2, true),
            (2, 4, false),
            (2, 5, false),
            (2, 6, false),
            (5, 2, true),
            (5, 4, true),
            (3, 3, false),
            (3, 4, false),
            (7, 3, false),
            (1, 77, false),
            (77, 3, false),
        ] {
            assert_eq!(may_set_quota(&directory, AccountId(who), AccountId(account)), may, "{who} {account}");
        }
        for (who, may) in [(1, true), (2, true), (3, false), (5, true), (7, false), (77, false)] {
            assert_eq!(may_set_quotas(&directory, AccountId(who)), may, "{who}");
        }
    }
}
