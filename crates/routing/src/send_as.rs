//! `may_send_as`: which addresses an account may send under (R6).
//!
//! Its own address and the subaddresses of it; an alias of which it is a member, directly or through other aliases;
//! nothing else, for administrators as for everyone. An address that has a mailbox is its owner's alone: a redirect
//! beside a mailbox forwards mail to someone, and makes nobody a member.

use std::collections::HashSet;
use std::fmt;

use mail::{AccountId, Address};
use serde::{Deserialize, Serialize};

use crate::directory::Directory;
use crate::limits::NODES_MAX;
use crate::objects::Target;
use crate::resolve::subaddress_splits;

/// The decision, with its reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SendAs {
    /// Whether the account may.
    pub allowed: bool,
    /// Why, or why not.
    pub reason: SendAsReason,
}

/// Why an account may or may not send under an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SendAsReason {
    /// It is the account's address.
    OwnAddress,
    /// It is a subaddress of the account's address.
    OwnSubaddress,
    /// The account is a member of the alias.
    Member,
    /// It is the address of another account.
    OtherAccount,
    /// The account is no member of the alias.
    NotMember,
    /// Nothing has this address.
    NoSuchAddress,
    /// The domain is not one of this server, or disabled.
    NotLocal,
    /// There is no such account.
    NoSuchAccount,
}

impl SendAsReason {
    const fn allowed(self) -> SendAs {
        SendAs { allowed: true, reason: self }
    }

    const fn refused(self) -> SendAs {
        SendAs { allowed: false, reason: self }
    }
}

/// Whether an account may send under an address, as reverse-path and in From.
#[must_use]
pub fn may_send_as(directory: &Directory, account: AccountId, address: &Address) -> SendAs {
    let Some(account) = directory.account_by_id(account) else { return SendAsReason::NoSuchAccount.refused() };
    let Some(domain) = directory.domain(address.domain()).filter(|domain| domain.enabled) else {
        return SendAsReason::NotLocal.refused();
    };
    if account.address.same_mailbox(address) {
        return SendAsReason::OwnAddress.allowed();
    }
    if let Some(decision) = at_exact(directory, account.id, address) {
        return decision;
    }
    for (base, _) in subaddress_splits(domain, address) {
        if account.address.same_mailbox(&base) {
            return SendAsReason::OwnSubaddress.allowed();
        }
        if let Some(decision) = at_exact(directory, account.id, &base) {
            return decision;
        }
    }
    SendAsReason::NoSuchAddress.refused()
}

/// The decision of whatever has this address; `None` when nothing has.
fn at_exact(directory: &Directory, account: AccountId, address: &Address) -> Option<SendAs> {
    if directory.account(address).is_some() {
        return Some(SendAsReason::OtherAccount.refused());
    }
    directory.alias(address).filter(|alias| alias.enabled)?;
    Some(if is_member(directory, account, address) {
        SendAsReason::Member.allowed()
    } else {
        SendAsReason::NotMember.refused()
    })
}

/// Whether an alias leads to an account by aliases alone.
fn is_member(directory: &Directory, account: AccountId, alias: &Address) -> bool {
    let mut seen: HashSet<Address> = HashSet::from([alias.canonical()]);
    let mut open = vec![alias.canonical()];
    while let Some(address) = open.pop() {
        let Some(alias) = directory.alias(&address).filter(|alias| alias.enabled) else { continue };
        for target in &alias.targets {
            let named = match target {
                Target::Blackhole => continue,
                Target::AllUsers => {
                    if directory.account_by_id(account).is_some_and(|a| a.address.domain() == address.domain()) {
                        return true;
                    }
                    continue;
                }
                Target::Address(named) => named,
            };
            match exact_or_base(directory, named) {
                Some(Found::Account(found)) if found == account => return true,
                Some(Found::Alias(next)) if seen.len() < NODES_MAX && seen.insert(next.clone()) => open.push(next),
                _ => {}
            }
        }
    }
    false
}

enum Found {
    Account(AccountId),
    Alias(Address),
}

/// What an address names: the mailbox before the alias, the whole address before the one without its subaddress.
fn exact_or_base(directory: &Directory, address: &Address) -> Option<Found> {
    let domain = directory.domain(address.domain()).filter(|domain| domain.enabled)?;
    let at = |address: &Address| match directory.account(address) {
        Some(account) => Some(Found::Account(account.id)),
        None => directory.alias(address).map(|alias| Found::Alias(alias.address.canonical())),
    };
    at(address).or_else(|| subaddress_splits(domain, address).find_map(|(base, _)| at(&base)))
}

impl fmt::Display for SendAsReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OwnAddress => "it is the account's own address",
            Self::OwnSubaddress => "it is a subaddress of the account's own",
            Self::Member => "the account is a member of the alias",
            Self::OtherAccount => "it is the address of another account",
            Self::NotMember => "the account is not a member of the alias",
            Self::NoSuchAddress => "no such address exists here",
            Self::NotLocal => "the domain is not one of this server",
            Self::NoSuchAccount => "there is no such account",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::{Object, Role};
    use crate::testing::{account, account_object, address, alias, directory};

    #[test]
    fn r06_members_of_an_alias_may_and_nobody_else() {
        let mut admin = account_object(3, "admin@a.example");
        admin.role = Role::Administrator;
        let directory = directory(
            &["a.example", "b.example"],
            vec![
                account(1, "alice@a.example"),
                account(2, "bob@a.example"),
                Object::Account(admin),
                account(4, "dora@b.example"),
                alias("info@a.example", &["alice+info@a.example", "x@r.example"]),
                alias("all@a.example", &[""]),
                alias("outer@a.example", &["info@a.example", "outer@a.example"]),
                alias("bob@a.example", &["alice@a.example"]),
                alias("viabob@a.example", &["bob@a.example"]),
            ],
        );
        use SendAsReason as R;
        let table = [
            (1, "alice@a.example", R::OwnAddress),
            (1, "ALICE@A.example", R::OwnAddress),
            (1, "alice+shop@a.example", R::OwnSubaddress),
            (1, "info@a.example", R::Member),
            (1, "info+x@a.example", R::Member),
            (1, "outer@a.example", R::Member),
            (1, "all@a.example", R::Member),
            (1, "bob@a.example", R::OtherAccount),
            (1, "bob+x@a.example", R::OtherAccount),
            (1, "viabob@a.example", R::NotMember),
            (2, "viabob@a.example", R::Member),
            (2, "info@a.example", R::NotMember),
            (3, "info@a.example", R::NotMember),
            (3, "alice@a.example", R::OtherAccount),
            (3, "postmaster@a.example", R::NoSuchAddress),
            (4, "all@a.example", R::NotMember),
            (1, "alice@elsewhere.example", R::NotLocal),
            (1, "nobody@a.example", R::NoSuchAddress),
            (9, "alice@a.example", R::NoSuchAccount),
        ];
        for (id, text, reason) in table {
            let decision = may_send_as(&directory, AccountId(id), &address(text));
            assert_eq!(decision.reason, reason, "{id} as {text}");
            assert_eq!(decision.allowed, matches!(reason, R::OwnAddress | R::OwnSubaddress | R::Member));
        }
    }

    #[test]
    fn an_exact_object_comes_before_the_subaddress() {
        let objects = vec![account(1, "alice@a.example"), account(2, "alice+x@a.example")];
        let directory = directory(&["a.example"], objects);
        assert!(!may_send_as(&directory, AccountId(1), &address("alice+x@a.example")).allowed);
    }
}
