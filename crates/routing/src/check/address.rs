//! One address names one thing: a mailbox (with the alias and the responders beside it), an alias, a group or a list.

use std::fmt;

use mail::Address;

use super::{ObjectFlaw, check_rules};
use crate::directory::Directory;
use crate::objects::{AccountObject, ListRole, ObjectKey, Target};

/// An address that something else has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// The address.
    pub address: Address,
    /// What has it, as `the group board@example.org`.
    pub by: String,
}

impl std::error::Error for Taken {}

impl fmt::Display for Taken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} belongs to {} already", self.address, self.by)
    }
}

/// Whether an account may be saved: its addresses are free, its domains are there, its conditions can be read.
///
/// # Errors
/// The first flaw, in words for the person who edits.
pub fn check_account(directory: &Directory, account: &AccountObject) -> Result<(), ObjectFlaw> {
    let key = ObjectKey::Account(account.address.canonical());
    let before = directory.account(&account.address);
    for address in account.addresses() {
        check_free(directory, &key, &address)?;
        let had = before.is_some_and(|before| before.addresses().any(|own| own.same_mailbox(&address)));
        if !had {
            check_alias_beside(directory, &address)?;
        }
    }
    check_rules(&account.rules)
}

/// An alias beside a mailbox that comes to its address forwards its mail: that is for who administers to want, not for who
/// made it as a name of their own while the address was free; and none that refuses stands beside a mailbox.
fn check_alias_beside(directory: &Directory, address: &Address) -> Result<(), ObjectFlaw> {
    let Some(alias) = directory.alias(address) else { return Ok(()) };
    if alias.targets.iter().any(|target| matches!(target, Target::Fail(_))) {
        return Err(ObjectFlaw::MailboxBesideFail(alias.address.clone()));
    }
    match alias.made_by {
        Some(_) => Err(ObjectFlaw::PersonsAlias(alias.address.clone())),
        None => Ok(()),
    }
}

/// Whether an object may have an address: its domain is one of ours with objects of its own, and nothing else has it.
pub(super) fn check_free(directory: &Directory, own: &ObjectKey, address: &Address) -> Result<(), ObjectFlaw> {
    let Some(domain) = directory.domain(address.domain()) else {
        return Err(ObjectFlaw::NotLocal(address.domain().clone()));
    };
    if let Some(target) = &domain.alias_of {
        return Err(ObjectFlaw::DomainAlias { name: domain.name.clone(), target: target.clone() });
    }
    let (alias, account) = (matches!(own, ObjectKey::Alias(_)), matches!(own, ObjectKey::Account(_)));
    let taken = |by: String| Err(Taken { address: address.clone(), by }.into());
    if let Some(found) = directory.account_at(address)
        && !alias
        && *own != ObjectKey::Account(found.address.canonical())
    {
        return taken(format!("the account {}", found.address));
    }
    if let Some(found) = directory.alias(address)
        && !account
        && *own != ObjectKey::Alias(found.address.canonical())
    {
        return taken(format!("the alias {}", found.address));
    }
    if let Some(found) = directory.group(address)
        && *own != ObjectKey::Group(found.address.canonical())
    {
        return taken(format!("the group {}", found.address));
    }
    if let Some(found) = directory.list(address)
        && *own != ObjectKey::List(found.address.canonical())
    {
        return taken(format!("the list {}", found.address));
    }
    match directory.list_address(address) {
        Some((list, role)) if *own != ObjectKey::List(list.address.canonical()) => {
            taken(format!("the list {} ({role})", list.address))
        }
        _ => Ok(()),
    }
}

/// The addresses that a list has beside its own, without what may follow `-confirm` and `-bounces`.
pub(super) fn list_addresses(list: &Address) -> impl Iterator<Item = Address> {
    let roles =
        [ListRole::Request, ListRole::Owner, ListRole::Join, ListRole::Leave, ListRole::Confirm, ListRole::Bounces];
    let (local, domain) = (list.local().as_str().to_owned(), list.domain().clone());
    roles.into_iter().filter_map(move |role| Address::new(&format!("{local}-{role}"), domain.clone()).ok())
}

#[cfg(test)]
mod tests {
    use mail::{AccountId, Domain};

    use super::*;
    use crate::check::{check_alias, check_group, check_list};
    use crate::objects::{AliasObject, GroupObject, ListObject, Object, Target};
    use crate::testing::{account, account_object, address, alias, directory, domain};

    #[test]
    fn one_address_names_one_thing() {
        let mut stands = domain("c.example");
        stands.alias_of = Some(Domain::parse("a.example").unwrap());
        let mut alice = account_object(1, "alice@a.example");
        alice.also_in = vec![Domain::parse("b.example").unwrap()];
        let group = GroupObject { id: AccountId(7), ..GroupObject::new(address("board@a.example")) };
        let list = ListObject {
            id: AccountId(8),
            owners: vec![address("alice@a.example")],
            ..ListObject::new(address("garden@a.example"))
        };
        let directory = directory(
            &["a.example", "b.example"],
            vec![
                Object::Domain(stands),
                Object::Account(alice.clone()),
                account(2, "bob@a.example"),
                alias("info@a.example", &["alice@a.example"]),
                Object::Group(group.clone()),
                Object::List(list.clone()),
            ],
        );
        let as_alias = |text: &str| check_alias(&directory, &AliasObject::new(address(text), vec![Target::Blackhole]));
        let as_group = |text: &str| check_group(&directory, &GroupObject::new(address(text)));
        let as_list = |text: &str| check_list(&directory, &ListObject { address: address(text), ..list.clone() });
        let as_account = |text: &str| check_account(&directory, &account_object(9, text));
        // Beside a mailbox an alias forwards.
        assert_eq!(as_alias("alice@a.example"), Ok(()));
        assert_eq!(as_account("info@a.example"), Ok(()));
        for text in [
            "board@a.example",
            "garden@a.example",
            "garden-owner@a.example",
            "Garden-bounces+x@a.example",
            "x@c.example",
        ] {
            assert!(as_alias(text).is_err(), "alias {text}");
            assert!(as_account(text).is_err(), "account {text}");
        }
        for text in ["alice@a.example", "alice@b.example", "info@a.example", "garden@a.example"] {
            assert!(as_group(text).is_err(), "group {text}");
        }
        for text in ["alice@a.example", "info@a.example", "board@a.example"] {
            assert!(as_list(text).is_err(), "list {text}");
        }
        assert_eq!(
            as_account("alice@b.example").unwrap_err().to_string(),
            "alice@b.example belongs to the account alice@a.example already"
        );
        // But neither one that somebody made as a name of their own, nor one that refuses.
        let own = AliasObject {
            made_by: Some(alice.id),
            ..AliasObject::new(address("own@a.example"), vec![Target::Address(alice.address.clone())])
        };
        let fails =
            AliasObject::new(address("gone@a.example"), vec![Target::try_from(":fail: gone".to_owned()).unwrap()]);
        let mut beside = directory.clone();
        beside.put(Object::Alias(own.clone()));
        beside.put(Object::Alias(fails));
        let comes_to = |there: &Directory, text: &str| check_account(there, &account_object(9, text));
        assert_eq!(comes_to(&beside, "own@a.example"), Err(ObjectFlaw::PersonsAlias(address("own@a.example"))));
        assert_eq!(comes_to(&beside, "gone@a.example"), Err(ObjectFlaw::MailboxBesideFail(address("gone@a.example"))));
        // Who has one beside their mailbox from before can still be edited.
        beside.put(Object::Account(account_object(9, "own@a.example")));
        assert_eq!(comes_to(&beside, "own@a.example"), Ok(()));
        // Itself is no other.
        assert_eq!(check_account(&directory, &alice), Ok(()));
        assert_eq!(check_group(&directory, &group), Ok(()));
        assert_eq!(check_list(&directory, &list), Ok(()));
        let mut bob = account_object(2, "bob@a.example");
        bob.also_in = vec![Domain::parse("z.example").unwrap()];
        assert!(matches!(check_account(&directory, &bob), Err(ObjectFlaw::NotLocal(_))));
        bob.also_in = vec![Domain::parse("c.example").unwrap()];
        assert!(matches!(check_account(&directory, &bob), Err(ObjectFlaw::DomainAlias { .. })));
    }

    #[test]
    fn a_new_list_takes_its_further_addresses_from_nobody() {
        let directory = directory(
            &["a.example"],
            vec![account(1, "alice@a.example"), alias("x-owner@a.example", &["alice@a.example"])],
        );
        let list = ListObject { owners: vec![address("alice@a.example")], ..ListObject::new(address("x@a.example")) };
        assert!(matches!(check_list(&directory, &list), Err(ObjectFlaw::Taken(_))));
    }
}
