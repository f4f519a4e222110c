//! What an address means: the address of the object of ours that mail to it reaches first.

use mail::Address;

use crate::directory::Directory;
use crate::resolve::subaddress_splits;

/// The canonical address of the object that an address is, is a further address of, or is a subaddress of: the way of
/// [`crate::resolve`] up to patterns and the catch-all, whatever is switched off. An address that nothing has, or elsewhere,
/// means itself.
#[must_use]
pub fn meant(directory: &Directory, address: &Address) -> Address {
    let canonical = address.canonical();
    let Some(domain) = directory.domain(address.domain()) else { return canonical };
    if is_there(directory, &canonical) {
        return canonical;
    }
    if let Some((list, _)) = directory.list_address(&canonical) {
        return list.address.canonical();
    }
    if let Some(target) = &domain.alias_of {
        // A domain stands for one that stands for none.
        return match Address::new(address.local().as_str(), target.clone()) {
            Ok(there) if directory.domain(target).is_some_and(|target| target.alias_of.is_none()) => {
                meant(directory, &there)
            }
            Ok(_) | Err(_) => canonical,
        };
    }
    let bases = subaddress_splits(domain, address).map(|(base, _)| base.canonical());
    bases.into_iter().find(|base| is_there(directory, base)).unwrap_or(canonical)
}

fn is_there(directory: &Directory, canonical: &Address) -> bool {
    let found = directory.exact(canonical);
    found.account.is_some()
        || found.alias.is_some()
        || found.group.is_some()
        || found.list.is_some()
        || found.responders.is_some()
}

#[cfg(test)]
mod tests {
    use mail::{AccountId, Domain};

    use super::*;
    use crate::objects::{ListObject, Object};
    use crate::testing::{account, account_object, address, alias, directory, domain, responder_object};

    #[test]
    fn every_spelling_means_the_object_that_it_reaches() {
        let mut stands = domain("c.example");
        stands.alias_of = Some(Domain::parse("a.example").unwrap());
        let mut bob = account_object(2, "bob@a.example");
        bob.also_in = vec![Domain::parse("b.example").unwrap()];
        let list = ListObject { id: AccountId(8), ..ListObject::new(address("garden@a.example")) };
        let directory = directory(
            &["a.example", "b.example"],
            vec![
                Object::Domain(stands),
                account(1, "alice@a.example"),
                Object::Account(bob),
                alias("info@a.example", &["alice@a.example"]),
                alias("info+press@a.example", &["bob@a.example"]),
                Object::List(list),
                Object::Responder(responder_object(1, "prices@a.example")),
            ],
        );
        for (text, expected) in [
            ("alice@a.example", "alice@a.example"),
            ("ALICE+tag@a.example", "alice@a.example"),
            ("alice@c.example", "alice@a.example"),
            ("alice+tag@c.example", "alice@a.example"),
            // A further address is one of its own: it goes with its domain alone.
            ("bob@b.example", "bob@b.example"),
            ("bob+x@b.example", "bob@b.example"),
            ("info+news@a.example", "info@a.example"),
            ("info+press@a.example", "info+press@a.example"),
            ("info+press+x@a.example", "info+press@a.example"),
            ("garden-owner@a.example", "garden@a.example"),
            ("garden-bounces+3@c.example", "garden@a.example"),
            ("prices+y@a.example", "prices@a.example"),
            ("nobody+x@a.example", "nobody+x@a.example"),
            ("alice+x@far.example", "alice+x@far.example"),
        ] {
            assert_eq!(meant(&directory, &address(text)).to_string(), expected, "{text}");
        }
    }
}
