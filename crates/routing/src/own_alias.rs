//! Aliases that people make for themselves: who may, how many, which forms; and random ones.

use std::fmt::Write as _;

use mail::{Address, Domain};

use crate::directory::Directory;
use crate::objects::{AccountKind, AccountObject, AliasForm, AliasMakers, DomainObject};

/// Why a person can't make an alias.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OwnAliasFlaw {
    /// Not a domain of ours.
    #[error("{0} is not a domain of this server")]
    NotLocal(Domain),
    /// The domain's policy names nobody, or others.
    #[error(
        "{account} may not make aliases in {domain}: the domain's policy does not allow it (an administrator sets it with `relais domain set {domain} --alias-makers`)"
    )]
    NotAllowed {
        /// Who asks.
        account: Address,
        /// Where.
        domain: Domain,
    },
    /// The person has as many as the policy allows.
    #[error(
        "{account} has {per_person_max} aliases of their own in {domain}, which is the most that its policy allows; delete one first"
    )]
    TooMany {
        /// Who asks.
        account: Address,
        /// Where.
        domain: Domain,
        /// The limit.
        per_person_max: u32,
    },
    /// The form is not among those that are allowed.
    #[error("{address} has a form that {domain} does not allow; allowed: {allowed}")]
    Form {
        /// What was asked for.
        address: Address,
        /// Where.
        domain: Domain,
        /// In words.
        allowed: String,
    },
    /// A local part with a meaning for everybody (RFC 2142).
    #[error("{0} is reserved for the administrators")]
    Reserved(Address),
}

/// Whether a person may make an alias: `address`, or a random one when it is `None`.
///
/// # Errors
/// The first reason against it, in words for the person.
pub fn may_make_alias(
    directory: &Directory,
    account: &AccountObject,
    domain: &Domain,
    address: Option<&Address>,
) -> Result<(), OwnAliasFlaw> {
    let Some(object) = directory.domain(domain) else { return Err(OwnAliasFlaw::NotLocal(domain.clone())) };
    let policy = &object.alias_policy;
    let named = match &policy.makers {
        AliasMakers::Nobody => false,
        AliasMakers::Everyone => true,
        AliasMakers::Named(named) => {
            named.iter().any(|one| directory.account_at(one).is_some_and(|found| found.id == account.id))
        }
    };
    let here = account.addresses().any(|own| own.domain() == domain);
    if !named || !here || account.kind != AccountKind::Person || !account.enabled {
        return Err(OwnAliasFlaw::NotAllowed { account: account.address.clone(), domain: domain.clone() });
    }
    let own = directory.aliases().filter(|alias| alias.made_by == Some(account.id) && alias.address.domain() == domain);
    if u32::try_from(own.count()).is_ok_and(|count| count >= policy.per_person_max) {
        let (account, domain, per_person_max) = (account.address.clone(), domain.clone(), policy.per_person_max);
        return Err(OwnAliasFlaw::TooMany { account, domain, per_person_max });
    }
    let Some(address) = address else {
        return if policy.forms.contains(&AliasForm::Random) {
            Ok(())
        } else {
            Err(not_allowed(account, object, None))
        };
    };
    if is_reserved(address) {
        return Err(OwnAliasFlaw::Reserved(address.clone()));
    }
    let allowed = policy.forms.iter().any(|form| match form {
        AliasForm::Any => true,
        AliasForm::OwnPrefix => has_own_prefix(account, address),
        AliasForm::Random => false,
    });
    if allowed { Ok(()) } else { Err(not_allowed(account, object, Some(address))) }
}

/// A local part that can be said on the telephone and not be guessed: two words of four syllables each, 50 bits.
#[must_use]
pub fn random_local_part(chance: [u8; 8]) -> String {
    const CONSONANTS: &[u8; 16] = b"bdfgjklmnprstvwz";
    const VOWELS: &[u8; 5] = b"aeiou";
    let mut number = u64::from_be_bytes(chance);
    let mut word = String::new();
    for syllable in 0..8 {
        if syllable == 4 {
            word.push('-');
        }
        for letters in [&CONSONANTS[..], &VOWELS[..]] {
            let of = letters.len() as u64;
            let at = usize::try_from(number % of).unwrap_or(0);
            number /= of;
            word.extend(letters.get(at).map(|letter| char::from(*letter)));
        }
    }
    word
}

fn has_own_prefix(account: &AccountObject, address: &Address) -> bool {
    let (own, local) = (account.address.local().canonical(), address.local().canonical());
    let rest = local.as_str().strip_prefix(own.as_str());
    rest.is_some_and(|rest| rest.len() > 1 && rest.starts_with(['.', '-', '_']))
}

fn not_allowed(account: &AccountObject, domain: &DomainObject, address: Option<&Address>) -> OwnAliasFlaw {
    let mut allowed = String::new();
    for form in &domain.alias_policy.forms {
        let comma = if allowed.is_empty() { "" } else { ", " };
        // Writing to a String can't fail.
        match form {
            AliasForm::Any => write!(allowed, "{comma}any address"),
            AliasForm::OwnPrefix => write!(allowed, "{comma}{}.something@{}", account.address.local(), domain.name),
            AliasForm::Random => write!(allowed, "{comma}random ones"),
        }
        .ok();
    }
    let address = address.cloned().unwrap_or_else(|| account.address.clone());
    OwnAliasFlaw::Form { address, domain: domain.name.clone(), allowed }
}

/// RFC 2142 and what else speaks for the whole domain.
fn is_reserved(address: &Address) -> bool {
    let local = address.local().canonical();
    RESERVED.contains(&local.as_str())
}

const RESERVED: [&str; 24] = [
    "abuse",
    "admin",
    "administrator",
    "contact",
    "hostmaster",
    "info",
    "mailer-daemon",
    "marketing",
    "news",
    "no-reply",
    "noc",
    "noreply",
    "postmaster",
    "root",
    "sales",
    "security",
    "ssl-admin",
    "support",
    "usenet",
    "uucp",
    "webmaster",
    "www",
    "autoconfig",
    "autodiscover",
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use mail::AccountId;

    use super::*;
    use crate::objects::{AliasObject, AliasPolicy, Object, Target};
    use crate::testing::{account_object, address, directory, domain};

    fn stage(makers: AliasMakers, forms: Vec<AliasForm>, own: u64) -> Directory {
        let mut object = domain("a.example");
        object.alias_policy = AliasPolicy { makers, per_person_max: 2, forms };
        let mut objects = vec![Object::Domain(object), Object::Account(account_object(1, "alice@a.example"))];
        for n in 0..own {
            let alias = AliasObject::new(
                address(&format!("own{n}@a.example")),
                vec![Target::Address(address("alice@a.example"))],
            );
            objects.push(Object::Alias(AliasObject { made_by: Some(AccountId(1)), ..alias }));
        }
        directory(&["b.example"], objects)
    }

    fn made(directory: &Directory, text: Option<&str>) -> Result<(), String> {
        let account = account_object(1, "alice@a.example");
        let asked = text.map(address);
        let domain = asked.as_ref().map_or_else(|| domain("a.example").name, |asked| asked.domain().clone());
        may_make_alias(directory, &account, &domain, asked.as_ref()).map_err(|flaw| flaw.to_string())
    }

    #[test]
    fn r11_the_policy_says_who_how_many_and_which() {
        use AliasForm as F;
        let everyone = |forms, own| stage(AliasMakers::Everyone, forms, own);
        let table: [(Directory, Option<&str>, &str); 12] = [
            (
                stage(AliasMakers::Nobody, vec![F::Any], 0),
                Some("x@a.example"),
                "does not allow it (an administrator sets it with `relais domain set a.example --alias-makers`)",
            ),
            (
                stage(AliasMakers::Named(vec![address("bob@a.example")]), vec![F::Any], 0),
                Some("x@a.example"),
                "does not allow it",
            ),
            (stage(AliasMakers::Named(vec![address("Alice@a.example")]), vec![F::Any], 0), Some("x@a.example"), ""),
            (everyone(vec![F::Any], 1), Some("x@a.example"), ""),
            (everyone(vec![F::Any], 2), Some("x@a.example"), "the most"),
            (everyone(vec![F::Any], 0), Some("Postmaster@a.example"), "reserved"),
            (everyone(vec![F::Any], 0), Some("x@b.example"), "does not allow it"),
            (everyone(vec![F::Any], 0), Some("x@z.example"), "not a domain"),
            (everyone(vec![F::OwnPrefix], 0), Some("ALICE.shop@a.example"), ""),
            (everyone(vec![F::OwnPrefix], 0), Some("alice-@a.example"), "alice.something@a.example"),
            (everyone(vec![F::OwnPrefix], 0), None, "alice.something@a.example"),
            (everyone(vec![F::Random], 0), None, ""),
        ];
        for (directory, text, said) in table {
            match made(&directory, text) {
                Ok(()) => assert_eq!(said, "", "{text:?}"),
                Err(flaw) => assert!(!said.is_empty() && flaw.contains(said), "{text:?}: {flaw}"),
            }
        }
    }

    #[test]
    fn random_local_parts_are_readable_and_differ() {
        let made: BTreeSet<String> =
            (0..1000_u64).map(|n| random_local_part((n.wrapping_mul(0x9E37_79B9_7F4A_7C15)).to_be_bytes())).collect();
        assert!(made.len() > 990);
        for local in made {
            assert_eq!(local.len(), 17, "{local}");
            assert!(local.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{local}");
        }
        assert_eq!(random_local_part([0; 8]), "babababa-babababa");
    }
}
