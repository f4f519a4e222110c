//! `may_send_as`: which addresses an account may send under (R6).
//!
//! Its own addresses, in further domains too (R5), and subaddresses of them; an alias of which it is a member, directly or
//! through other aliases and groups, or which it made for itself; a group of which it is a member; a shared mailbox in
//! which it has the right to post (`p` of RFC 4314 §4); the `-owner` address of a list that it owns. Nothing else, for
//! administrators as for everyone. Membership of an alias, a group or the owners of a list, and having made an alias, count within the
//! organisation of that address: mail can lead to people of another organisation on this server, as to anybody elsewhere, who then may no more than those. An address that has a mailbox is its owner's alone: a redirect beside a mailbox forwards
//! mail to someone, and makes nobody a member. A domain that stands for another adds the same addresses with its name.

use std::collections::HashSet;
use std::fmt;

use mail::{AccountId, Address};
use serde::{Deserialize, Serialize};

use crate::directory::Directory;
use crate::limits::NODES_MAX;
use crate::objects::{AccountKind, AccountObject, GroupObject, ListRole, Target};
use crate::organisation::belongs;
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
    /// The account made the alias for itself.
    OwnAlias,
    /// The account is a member of the group.
    GroupMember,
    /// The account has the right to post in the shared mailbox.
    SharedMailbox,
    /// The account owns the list, and this is the address of its owners.
    ListOwner,
    /// It is the address of another account.
    OtherAccount,
    /// The account is no member of the alias or group.
    NotMember,
    /// The account is a member, and of another organisation.
    OtherOrganisation,
    /// The account has no right to post in the shared mailbox.
    NoRightToPost,
    /// The address belongs to a list, which writes under it by itself.
    ListAddress,
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
    if let Some(target) = &domain.alias_of {
        let there = directory.domain(target).filter(|domain| domain.alias_of.is_none());
        let there = there.and_then(|domain| Address::new(address.local().as_str(), domain.name.clone()).ok());
        return there.map_or(SendAsReason::NoSuchAddress.refused(), |there| may_send_as(directory, account.id, &there));
    }
    if is_own(account, address) {
        return SendAsReason::OwnAddress.allowed();
    }
    if let Some(decision) = at_exact(directory, account, address) {
        return decision;
    }
    for (base, _) in subaddress_splits(domain, address) {
        if is_own(account, &base) {
            return SendAsReason::OwnSubaddress.allowed();
        }
        if let Some(decision) = at_exact(directory, account, &base) {
            return decision;
        }
    }
    SendAsReason::NoSuchAddress.refused()
}

fn is_own(account: &AccountObject, address: &Address) -> bool {
    account.address.same_mailbox(address) || account.addresses().skip(1).any(|own| own.same_mailbox(address))
}

/// The decision of whatever has this address; `None` when nothing has.
fn at_exact(directory: &Directory, account: &AccountObject, address: &Address) -> Option<SendAs> {
    use SendAsReason as R;
    let decided =
        |allowed: bool, yes: SendAsReason, no: SendAsReason| Some(if allowed { yes.allowed() } else { no.refused() });
    let member = |member: bool, yes: SendAsReason, no: SendAsReason| match member {
        true if !belongs(account, address.domain()) => Some(R::OtherOrganisation.refused()),
        _ => decided(member, yes, no),
    };
    if let Some(found) = directory.account_at(address) {
        return match found.kind {
            AccountKind::Person => Some(R::OtherAccount.refused()),
            AccountKind::Shared => decided(may_post(directory, account, found), R::SharedMailbox, R::NoRightToPost),
        };
    }
    if let Some(alias) = directory.alias(address).filter(|alias| alias.enabled) {
        if alias.made_by == Some(account.id) {
            return member(true, R::OwnAlias, R::NotMember);
        }
        return member(is_member(directory, account, address), R::Member, R::NotMember);
    }
    if let Some(group) = directory.group(address).filter(|group| group.enabled) {
        return member(is_among(directory, account, &group.members), R::GroupMember, R::NotMember);
    }
    if directory.list(address).is_some() {
        return Some(R::ListAddress.refused());
    }
    let (list, role) = directory.list_address(address)?;
    let owner = role == ListRole::Owner && list.enabled && is_among(directory, account, &list.owners);
    member(owner, R::ListOwner, R::ListAddress)
}

fn is_among(directory: &Directory, account: &AccountObject, addresses: &[Address]) -> bool {
    addresses.iter().any(|address| directory.account_at(address).is_some_and(|found| found.id == account.id))
}

/// Whether a person may post in a shared mailbox.
fn may_post(directory: &Directory, account: &AccountObject, shared: &AccountObject) -> bool {
    let members = shared.shared.iter().flat_map(|shared| &shared.members);
    members
        .filter(|member| member.rights.contains('p'))
        .any(|member| directory.account_at(&member.account).is_some_and(|found| found.id == account.id))
}

/// Whether an alias leads to an account by aliases, groups and shared mailboxes alone.
fn is_member(directory: &Directory, account: &AccountObject, alias: &Address) -> bool {
    let mut seen: HashSet<Address> = HashSet::from([alias.canonical()]);
    let mut open = vec![alias.canonical()];
    while let Some(address) = open.pop() {
        let Some(alias) = directory.alias(&address).filter(|alias| alias.enabled) else { continue };
        for target in &alias.targets {
            let named = match target {
                Target::Blackhole | Target::Fail(_) => continue,
                Target::AllUsers => {
                    let here = account.addresses().any(|own| own.domain() == address.domain());
                    if here && account.kind == AccountKind::Person {
                        return true;
                    }
                    continue;
                }
                Target::Address(named) => named,
            };
            match exact_or_base(directory, named) {
                Some(Found::Account(found)) if found.id == account.id || may_post(directory, account, found) => {
                    return true;
                }
                Some(Found::Group(group)) if is_among(directory, account, &group.members) => return true,
                Some(Found::Alias(next)) if seen.len() < NODES_MAX && seen.insert(next.clone()) => open.push(next),
                _ => {}
            }
        }
    }
    false
}

enum Found<'a> {
    Account(&'a AccountObject),
    Group(&'a GroupObject),
    Alias(Address),
}

/// What an address names: the mailbox before the alias and the group, the whole address before the one without its
/// subaddress.
fn exact_or_base<'a>(directory: &'a Directory, address: &Address) -> Option<Found<'a>> {
    let domain = directory.domain(address.domain()).filter(|domain| domain.enabled)?;
    if let Some(target) = &domain.alias_of {
        let domain = directory.domain(target).filter(|domain| domain.enabled && domain.alias_of.is_none())?;
        return exact_or_base(directory, &Address::new(address.local().as_str(), domain.name.clone()).ok()?);
    }
    let at = |address: &Address| match directory.account_at(address) {
        Some(account) => Some(Found::Account(account.as_ref())),
        None => match directory.alias(address) {
            Some(alias) => Some(Found::Alias(alias.address.canonical())),
            None => directory.group(address).filter(|group| group.enabled).map(|group| Found::Group(group.as_ref())),
        },
    };
    at(address).or_else(|| subaddress_splits(domain, address).find_map(|(base, _)| at(&base)))
}

impl fmt::Display for SendAsReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OwnAddress => "it is the account's own address",
            Self::OwnSubaddress => "it is a subaddress of the account's own",
            Self::Member => "the account is a member of the alias",
            Self::OwnAlias => "the account made the alias for itself",
            Self::GroupMember => "the account is a member of the group",
            Self::SharedMailbox => "the account may post in the shared mailbox",
            Self::ListOwner => "the account owns the list",
            Self::OtherAccount => "it is the address of another account",
            Self::OtherOrganisation => "mail for it reaches the account, which belongs to another organisation",
            Self::NotMember => "the account is not a member of the alias or group",
            Self::NoRightToPost => "the account has no right to post in the shared mailbox",
            Self::ListAddress => "the address belongs to a mailing list",
            Self::NoSuchAddress => "no such address exists here",
            Self::NotLocal => "the domain is not one of this server",
            Self::NoSuchAccount => "there is no such account",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mail::Domain;

    use crate::objects::{AliasObject, GroupObject, ListObject, Member, Object, Role, SharedMailbox};
    use crate::testing::{account, account_object, address, alias, directory, domain};

    /// An alias that somebody made for themselves.
    fn made(text: &str, by: u64) -> Object {
        let made_by = Some(AccountId(by));
        Object::Alias(AliasObject { made_by, ..AliasObject::new(address(text), vec![Target::Blackhole]) })
    }

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
                alias("beyond@a.example", &["dora@b.example", "erin@b.example"]),
                Object::Account(AccountObject {
                    also_in: vec![Domain::parse("a.example").unwrap()],
                    ..account_object(5, "erin@b.example")
                }),
                Object::Group(GroupObject {
                    members: vec![address("dora@b.example"), address("erin@b.example")],
                    ..GroupObject::new(address("board@a.example"))
                }),
                Object::List(ListObject {
                    owners: vec![address("dora@b.example"), address("erin@b.example")],
                    ..ListObject::new(address("garden@a.example"))
                }),
                // Made when dora, too, had an address in the domain: she has left the organisation since.
                made("kiwi@a.example", 4),
                made("lemon@a.example", 5),
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
            // Of another organisation on this server: mail leads there, as to anybody elsewhere, and nothing comes of it.
            (4, "beyond@a.example", R::OtherOrganisation),
            (4, "board@a.example", R::OtherOrganisation),
            (4, "garden-owner@a.example", R::OtherOrganisation),
            (4, "kiwi@a.example", R::OtherOrganisation),
            (4, "kiwi+x@a.example", R::OtherOrganisation),
            (5, "kiwi@a.example", R::NotMember),
            (5, "lemon@a.example", R::OwnAlias),
            (5, "beyond@a.example", R::Member),
            (5, "board@a.example", R::GroupMember),
            (5, "garden-owner@a.example", R::ListOwner),
            (1, "alice@elsewhere.example", R::NotLocal),
            (1, "nobody@a.example", R::NoSuchAddress),
            (9, "alice@a.example", R::NoSuchAccount),
        ];
        for (id, text, reason) in table {
            let decision = may_send_as(&directory, AccountId(id), &address(text));
            assert_eq!(decision.reason, reason, "{id} as {text}");
            let allowed = [R::OwnAddress, R::OwnSubaddress, R::OwnAlias, R::Member, R::GroupMember, R::ListOwner];
            assert_eq!(decision.allowed, allowed.contains(&reason));
        }
    }

    #[test]
    fn r05_r06_r07_r09_further_domains_groups_shared_mailboxes_and_lists() {
        let mut alice = account_object(1, "alice@a.example");
        alice.also_in = vec![Domain::parse("b.example").unwrap()];
        let mut stands = domain("c.example");
        stands.alias_of = Some(Domain::parse("a.example").unwrap());
        let mut support = account_object(5, "support@a.example");
        support.kind = AccountKind::Shared;
        let member = |text: &str, rights: &str| Member { account: address(text), rights: rights.to_owned() };
        support.shared = Some(SharedMailbox {
            members: vec![member("alice@b.example", "lrswip"), member("bob@a.example", "lrs")],
            ..SharedMailbox::default()
        });
        let group =
            GroupObject { members: vec![address("alice@a.example")], ..GroupObject::new(address("board@a.example")) };
        let list =
            ListObject { owners: vec![address("alice@a.example")], ..ListObject::new(address("garden@a.example")) };
        let directory = directory(
            &["a.example", "b.example"],
            vec![
                Object::Domain(stands),
                Object::Account(alice),
                account(2, "bob@a.example"),
                Object::Account(support),
                Object::Group(group),
                Object::List(list),
                made("kiwi@a.example", 1),
                alias("desk@a.example", &["support@a.example"]),
                alias("chair@a.example", &["board@a.example"]),
                alias("all@b.example", &[""]),
                alias("no@a.example", &[":fail: gone"]),
            ],
        );
        use SendAsReason as R;
        let table = [
            (1, "alice@b.example", true, R::OwnAddress),
            (1, "alice+x@b.example", true, R::OwnSubaddress),
            (1, "Alice@c.example", true, R::OwnAddress),
            (1, "alice+x@c.example", true, R::OwnSubaddress),
            (2, "alice@b.example", false, R::OtherAccount),
            (2, "alice@c.example", false, R::OtherAccount),
            (1, "board@a.example", true, R::GroupMember),
            (1, "board@c.example", true, R::GroupMember),
            (2, "board@a.example", false, R::NotMember),
            (1, "support@a.example", true, R::SharedMailbox),
            (2, "support@a.example", false, R::NoRightToPost),
            (1, "desk@a.example", true, R::Member),
            (2, "desk@a.example", false, R::NotMember),
            (1, "chair@a.example", true, R::Member),
            (2, "chair@a.example", false, R::NotMember),
            (1, "garden@a.example", false, R::ListAddress),
            (1, "garden-owner@a.example", true, R::ListOwner),
            (2, "garden-owner@a.example", false, R::ListAddress),
            (1, "garden-bounces+x@a.example", false, R::ListAddress),
            (1, "kiwi@a.example", true, R::OwnAlias),
            (2, "kiwi@a.example", false, R::NotMember),
            (1, "all@b.example", true, R::Member),
            (2, "all@b.example", false, R::NotMember),
            (1, "no@a.example", false, R::NotMember),
        ];
        for (id, text, allowed, reason) in table {
            let decision = may_send_as(&directory, AccountId(id), &address(text));
            assert_eq!(decision, SendAs { allowed, reason }, "{id} as {text}");
        }
    }

    #[test]
    fn an_exact_object_comes_before_the_subaddress() {
        let objects = vec![account(1, "alice@a.example"), account(2, "alice+x@a.example")];
        let directory = directory(&["a.example"], objects);
        assert!(!may_send_as(&directory, AccountId(1), &address("alice+x@a.example")).allowed);
    }
}
