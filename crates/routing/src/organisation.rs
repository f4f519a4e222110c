//! Who belongs to the organisation of a domain: the one meaning of *inside* (`--internal-only`, posting, responders, and
//! `anyone` in an access list).
//!
//! An organisation is the people of a domain: the accounts that have an address in it, their primary one or a further
//! one (R5). A domain that stands for another has none of its own. Several organisations may share this server, so
//! having an account here makes nobody a colleague; somebody of another domain becomes one with an address in this one.

use mail::Domain;

use crate::objects::AccountObject;

/// Whether an account belongs to the organisation of a domain.
#[must_use]
pub fn belongs(account: &AccountObject, domain: &Domain) -> bool {
    domains(account).any(|own| own == domain)
}

/// Whether two accounts are of one organisation.
#[must_use]
pub fn colleagues(one: &AccountObject, other: &AccountObject) -> bool {
    domains(one).any(|domain| belongs(other, domain))
}

fn domains(account: &AccountObject) -> impl Iterator<Item = &Domain> {
    std::iter::once(account.address.domain()).chain(&account.also_in)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::account_object;

    #[test]
    fn an_organisation_is_the_people_of_a_domain() {
        let name = |text: &str| Domain::parse(text).unwrap();
        let alice = account_object(1, "alice@a.example");
        let bob = AccountObject { also_in: vec![name("a.example")], ..account_object(2, "bob@b.example") };
        let carol = account_object(3, "carol@b.example");
        for (account, of, expected) in [
            (&alice, "A.example", true),
            (&alice, "b.example", false),
            (&bob, "a.example", true),
            (&bob, "b.example", true),
            (&carol, "a.example", false),
            (&carol, "sub.b.example", false),
        ] {
            assert_eq!(belongs(account, &name(of)), expected, "{} of {of}", account.address);
        }
        for (one, other, expected) in [(&alice, &bob, true), (&bob, &carol, true), (&alice, &carol, false)] {
            assert_eq!(colleagues(one, other), expected, "{} and {}", one.address, other.address);
            assert_eq!(colleagues(other, one), expected, "{} and {}", other.address, one.address);
        }
    }
}
