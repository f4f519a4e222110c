//! How many mailboxes there may be: in a domain, and of one person in it (M1).

use routing::Directory;
use routing::objects::AccountObject;

use crate::error::{AdminError, ErrorKind, number};
use crate::settings::Places;

/// Refuses an account for which there is no place; `coming` are those that the same act adds.
pub(super) fn check_place(
    directory: &Directory,
    places: Places,
    account: &AccountObject,
    coming: &[AccountObject],
) -> Result<(), AdminError> {
    let name = account.address.domain();
    let Some(domain) = directory.domain(name) else { return Ok(()) };
    let there = || {
        let stored = directory.accounts_of(name).map(|there| &**there);
        let others = stored.chain(coming.iter().filter(|there| there.address.domain() == name));
        others.filter(|there| !there.address.same_mailbox(&account.address))
    };
    let full = |max: u32, count: usize| max > 0 && count >= usize::try_from(max).unwrap_or(usize::MAX);
    let max = domain.accounts_max.unwrap_or(places.per_domain_max);
    if full(max, there().count()) {
        let error = AdminError::new(
            ErrorKind::Full,
            format!("the domain {name} has its {} already", number(max, "mailbox", "mailboxes")),
        );
        return Err(error.hint(format!("an administrator can allow more: `relais domain users {name} --max NUMBER`")));
    }
    let max = domain.accounts_per_owner_max.unwrap_or(places.per_owner_max);
    let owner = account.owner_key();
    if full(max, there().filter(|there| there.owner_key() == owner).count()) {
        let error = AdminError::new(
            ErrorKind::Full,
            format!("{owner} has {} in {name} already", number(max, "mailbox", "mailboxes")),
        );
        return Err(error.hint(format!(
            "`relais account list --owner {owner}` shows them; an administrator can allow more: \
             `relais domain users {name} --per-owner NUMBER`"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use mail::{Address, Domain};
    use routing::objects::{DomainObject, Object};

    use super::*;

    fn account(text: &str, owner: &str) -> AccountObject {
        let account = AccountObject::new(Address::parse(text).unwrap());
        AccountObject { id: mail::AccountId(text.len() as u64), owner: owner.to_owned(), ..account }
    }

    #[test]
    fn m01_mailboxes_are_limited_for_each_person_and_domain() {
        let mut directory = Directory::default();
        let domain = |name: &str, accounts_max, accounts_per_owner_max| {
            let domain = DomainObject::new(Domain::parse(name).unwrap());
            Object::Domain(DomainObject { accounts_max, accounts_per_owner_max, ..domain })
        };
        directory.put(domain("a.example", None, None));
        directory.put(domain("wide.example", Some(0), Some(0)));
        directory.put(domain("narrow.example", Some(1), None));
        for (address, owner) in [
            ("alice@a.example", ""),
            ("alice.work@a.example", "Alice@A.example"),
            ("bob@a.example", "Bob Durand"),
            ("one@wide.example", "x"),
            ("two@wide.example", "x"),
            ("one@narrow.example", "y"),
        ] {
            directory.put(Object::Account(account(address, owner)));
        }
        let places = Places { per_domain_max: 5, per_owner_max: 2 };
        let check = |address: &str, owner: &str, coming: &[AccountObject]| {
            check_place(&directory, places, &account(address, owner), coming).map_err(|error| error.message)
        };
        let table = [
            ("c@a.example", "", Ok(())),
            ("bob.two@a.example", "BOB DURAND", Ok(())),
            ("alice.home@a.example", "alice@a.example", Err("alice@a.example has 2 mailboxes in a.example already")),
            // The first of them may be stored again.
            ("alice@a.example", "", Ok(())),
            ("three@wide.example", "x", Ok(())),
            ("z@narrow.example", "z", Err("the domain narrow.example has its 1 mailbox already")),
        ];
        for (address, owner, expected) in table {
            assert_eq!(check(address, owner, &[]), expected.map_err(str::to_owned), "{address}");
        }
        let coming = [account("c@a.example", ""), account("bob.two@a.example", "bob durand")];
        let full = "the domain a.example has its 5 mailboxes already".to_owned();
        assert_eq!(check("d@a.example", "", &coming), Err(full), "what the same act adds counts");
        let again = "bob durand has 2 mailboxes in a.example already".to_owned();
        assert_eq!(check("bob.three@a.example", "Bob Durand", &coming[1..]), Err(again));
    }
}
