//! What is refused when an object is saved: addresses that are taken, targets that do not exist, circles, limits.
//!
//! Each function looks at an object in the place of the stored one of its key, and returns the first flaw in words for the
//! person who edits. What is off now is checked as if it were on: switching it on later asks nobody.

mod address;
mod domain;
mod group;
mod rules;

use std::fmt;

use mail::{Address, Domain};

use crate::asking::Asking;
use crate::directory::Directory;
use crate::limits::{ALIAS_TARGETS_MAX, GROUP_MEMBERS_MAX, SENDERS_MAX};
use crate::objects::{AliasObject, ObjectKey, Target};
use crate::pattern::PatternFlaw;
use crate::resolution::{Node, Reason, What};
use crate::resolve::{Instead, Walk};
use crate::responders::WindowFlaw;

pub use address::{Taken, check_account};
pub use domain::check_domain;
pub use group::{check_group, check_list};
pub use rules::check_rules;

/// Why an object can't be saved.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ObjectFlaw {
    /// The address's domain is not one of this server.
    #[error("{0} is not a domain of this server: add the domain first")]
    NotLocal(Domain),
    /// The address's domain stands for another.
    #[error("the addresses of {name} are those of {target}: make it there")]
    DomainAlias {
        /// The domain.
        name: Domain,
        /// The one that it stands for.
        target: Domain,
    },
    /// The address is another object's.
    #[error("{0}")]
    Taken(#[from] Taken),
    /// An alias that looks as if it stood for many addresses.
    #[error(
        "{0} would be one address with a * in it: `relais domain set {domain} --catch-all` takes every unknown address, \
         `relais domain pattern add {domain}` those of a form",
        domain = .0.domain()
    )]
    Wildcard(Address),
    /// No target at all.
    #[error("the alias has no target: give an address, \":blackhole:\", or \":all:\" for all users of the domain")]
    Empty,
    /// More targets than one alias takes.
    #[error("the alias has {found} targets, the limit is {ALIAS_TARGETS_MAX}")]
    TooManyTargets {
        /// How many.
        found: usize,
    },
    /// `:fail:` beside other targets.
    #[error("an alias that refuses with :fail: can't lead elsewhere as well")]
    FailNotAlone,
    /// `:fail:` beside a mailbox.
    #[error("{0} has a mailbox, which would go on receiving beside :fail:; disable or remove the account instead")]
    FailBesideMailbox(Address),
    /// A mailbox beside `:fail:`.
    #[error(
        "{0} is an alias that refuses with :fail:, beside which a mailbox would receive all the same: remove it first"
    )]
    MailboxBesideFail(Address),
    /// An alias that a person made for themselves where a mailbox is to be.
    #[error(
        "{0} is an alias that somebody made for themselves, and would go on leading the mail to them: remove it first"
    )]
    PersonsAlias(Address),
    /// A target of ours that does not exist.
    #[error("the target {0} does not exist on this server: add it first, or correct it")]
    UnknownTarget(Address),
    /// The alias would lead to itself.
    #[error("the redirects would lead in a circle: {0}")]
    Cycle(Circle),
    /// Followed to its end it would pass the limits of a resolution.
    #[error("the alias leads through too many others, or to too many addresses in all")]
    TooLarge,
    /// The expiry date is none.
    #[error("the expiry date: {0}")]
    Expiry(WindowFlaw),
    /// A size limit of nothing.
    #[error("a message has at least one octet: a size limit of 0 would refuse everything; disable the address instead")]
    NoSize,
    /// More senders than one address names.
    #[error("the address names {0} senders, the limit is {SENDERS_MAX}")]
    TooManySenders(usize),
    /// More members than a group has.
    #[error("the group has {0} members, the limit is {GROUP_MEMBERS_MAX}")]
    TooManyMembers(usize),
    /// A member that is no account.
    #[error(
        "{0} is no account of this server: members of a group are accounts; an alias or a list takes other addresses"
    )]
    UnknownMember(Address),
    /// Moderated by nobody.
    #[error("a moderated group needs a moderator")]
    NoModerator,
    /// A moderator or owner of ours that does not exist.
    #[error("{0} does not exist on this server, so it can't moderate or own anything")]
    UnknownPerson(Address),
    /// A moderator or owner that is a list.
    #[error("{0} leads to a mailing list: owners and moderators are people, or addresses that lead to people")]
    ListAsPerson(Address),
    /// A list that nobody answers for.
    #[error("a mailing list needs an owner")]
    NoOwner,
    /// A domain can't stand for this one.
    #[error("{name} can't stand for {target}: {why}")]
    BadDomainAlias {
        /// The domain.
        name: Domain,
        /// The one that it was to stand for.
        target: Domain,
        /// What is in the way.
        why: String,
    },
    /// A zone that nobody knows.
    #[error("\"{0}\" is no time zone: use an IANA name such as Europe/Paris")]
    TimeZone(String),
    /// A language that the server does not write.
    #[error("the language \"{0}\" is not known: use en or fr")]
    Language(String),
    /// A pattern alias.
    #[error("pattern {number}: {flaw}")]
    Pattern {
        /// Its place, from 1.
        number: usize,
        /// What is wrong.
        flaw: PatternFlaw,
    },
    /// Nobody could make an alias.
    #[error("the domain lets people make aliases, but allows no form, or none at all")]
    NoForms,
}

/// A circle of aliases; the first stands at the end again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Circle(pub Vec<Address>);

impl fmt::Display for Circle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, address) in self.0.iter().enumerate() {
            if n > 0 {
                f.write_str(" → ")?;
            }
            write!(f, "{address}")?;
        }
        Ok(())
    }
}

/// Whether an alias may be saved as it is, in the place of the stored one of its address.
///
/// An alias that names itself is allowed where a mailbox has the same address: "keep a copy" is said so elsewhere.
///
/// # Errors
/// The first flaw, in words for the person who edits.
pub fn check_alias(directory: &Directory, alias: &AliasObject) -> Result<(), ObjectFlaw> {
    address::check_free(directory, &ObjectKey::Alias(alias.address.canonical()), &alias.address)?;
    check_rules(&alias.rules)?;
    if alias.address.local().as_str().contains('*') {
        return Err(ObjectFlaw::Wildcard(alias.address.clone()));
    }
    if alias.targets.is_empty() {
        return Err(ObjectFlaw::Empty);
    }
    if alias.targets.len() > ALIAS_TARGETS_MAX {
        return Err(ObjectFlaw::TooManyTargets { found: alias.targets.len() });
    }
    if alias.targets.iter().any(|target| matches!(target, Target::Fail(_))) {
        if alias.targets.len() > 1 || alias.when_away.is_some() {
            return Err(ObjectFlaw::FailNotAlone);
        }
        if directory.account_at(&alias.address).is_some() {
            return Err(ObjectFlaw::FailBesideMailbox(alias.address.clone()));
        }
    }
    let enabled = AliasObject { enabled: true, ..alias.clone() };
    let asking = looking_ahead();
    let mut walk = Walk::looking_ahead(directory, &asking, Instead::Alias(&enabled));
    let tree = walk.follow_from(&enabled);
    judge(&walk, &tree)
}

/// Whoever asks when an object is saved: nothing is closed to them, and nothing has expired.
fn looking_ahead() -> Asking {
    Asking::server(mail::Timestamp(i64::MIN))
}

/// What a walk from an object came to.
fn judge(walk: &Walk<'_>, tree: &Node) -> Result<(), ObjectFlaw> {
    if walk.limit_passed {
        return Err(ObjectFlaw::TooLarge);
    }
    if let Some(circle) = &walk.cycle {
        return Err(ObjectFlaw::Cycle(Circle(circle.clone())));
    }
    match tree.children.iter().find_map(unknown_target) {
        Some(address) => Err(ObjectFlaw::UnknownTarget(address)),
        None => Ok(()),
    }
}

/// The address of a direct target that does not exist. One in a disabled domain, or with a disabled alias, exists.
fn unknown_target(node: &Node) -> Option<Address> {
    match (&node.what, node.reason) {
        (What::Unknown { address }, Reason::NoSuchAddress | Reason::CatchAllMissing | Reason::DomainAliasMissing) => {
            Some(address.clone())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{account, address, alias, directory};

    #[test]
    fn a_good_alias_passes() {
        let directory =
            directory(&["a.example"], vec![account(1, "alice@a.example"), alias("b@a.example", &["x@r.example"])]);
        for targets in [
            vec!["alice@a.example"],
            vec!["alice+tag@a.example", "someone@elsewhere.example"],
            vec![":blackhole:"],
            vec![""],
            vec!["b@a.example", "postmaster@a.example"],
        ] {
            assert_eq!(check_alias(&directory, &new("info@a.example", &targets)), Ok(()), "{targets:?}");
        }
    }

    #[test]
    fn each_flaw_is_told() {
        let directory = directory(
            &["a.example"],
            vec![
                account(1, "alice@a.example"),
                alias("b@a.example", &["c@a.example"]),
                alias("c@a.example", &["x@a.example"]),
            ],
        );
        let flaw = |address: &str, targets: &[&str]| check_alias(&directory, &new(address, targets)).unwrap_err();
        assert_eq!(
            flaw("x@b.example", &["alice@a.example"]).to_string(),
            "b.example is not a domain of this server: add the domain first"
        );
        assert_eq!(flaw("x@a.example", &[]), ObjectFlaw::Empty);
        for wildcard in ["*@a.example", "sales-*@a.example"] {
            let told = flaw(wildcard, &["alice@a.example"]).to_string();
            assert!(told.contains("domain set a.example --catch-all") && told.contains("pattern add"), "{told}");
        }
        assert_eq!(flaw("y@a.example", &["nobody@a.example"]), ObjectFlaw::UnknownTarget(address("nobody@a.example")));
        assert_eq!(
            flaw("x@a.example", &["b@a.example"]).to_string(),
            "the redirects would lead in a circle: x@a.example → b@a.example → c@a.example → x@a.example"
        );
        assert_eq!(
            flaw("x@a.example", &["x@a.example"]).to_string(),
            "the redirects would lead in a circle: x@a.example → x@a.example"
        );
        let many: Vec<String> = (0..=ALIAS_TARGETS_MAX).map(|n| format!("u{n}@r.example")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(flaw("x@a.example", &many), ObjectFlaw::TooManyTargets { found: ALIAS_TARGETS_MAX + 1 });
        assert_eq!(check_alias(&directory, &new("x@a.example", &many[1..])), Ok(()));
    }

    #[test]
    fn naming_itself_beside_a_mailbox_keeps_a_copy() {
        let directory = directory(&["a.example"], vec![account(1, "alice@a.example")]);
        assert_eq!(check_alias(&directory, &new("alice@a.example", &["alice@a.example", "alice@r.example"])), Ok(()));
    }

    #[test]
    fn a_chain_beyond_the_depth_is_refused() {
        let mut objects = vec![account(1, "alice@a.example"), alias("l0@a.example", &["alice@a.example"])];
        for n in 1..crate::limits::DEPTH_MAX {
            objects.push(alias(&format!("l{n}@a.example"), &[&format!("l{}@a.example", n - 1)]));
        }
        let directory = directory(&["a.example"], objects);
        let top = format!("l{}@a.example", crate::limits::DEPTH_MAX - 1);
        assert_eq!(check_alias(&directory, &new("x@a.example", &[&top])), Err(ObjectFlaw::TooLarge));
        assert_eq!(check_alias(&directory, &new("x@a.example", &["l47@a.example"])), Ok(()));
    }

    #[test]
    fn fail_stands_alone_and_a_fall_back_is_a_target_too() {
        let directory =
            directory(&["a.example"], vec![account(1, "alice@a.example"), alias("b@a.example", &["x@a.example"])]);
        assert_eq!(check_alias(&directory, &new("x@a.example", &[":fail: gone"])), Ok(()));
        let both = new("x@a.example", &[":fail: gone", "alice@a.example"]);
        assert_eq!(check_alias(&directory, &both), Err(ObjectFlaw::FailNotAlone));
        let beside = new("alice@a.example", &[":fail: gone"]);
        assert_eq!(check_alias(&directory, &beside), Err(ObjectFlaw::FailBesideMailbox(address("alice@a.example"))));
        let away = |to: &str| AliasObject { when_away: Some(address(to)), ..new("x@a.example", &["alice@a.example"]) };
        assert_eq!(check_alias(&directory, &away("boss@r.example")), Ok(()));
        assert_eq!(
            check_alias(&directory, &away("nobody@a.example")),
            Err(ObjectFlaw::UnknownTarget(address("nobody@a.example")))
        );
        assert!(matches!(check_alias(&directory, &away("b@a.example")), Err(ObjectFlaw::Cycle(_))));
    }

    #[test]
    fn a_disabled_alias_is_checked_all_the_same() {
        let directory = directory(&["a.example"], vec![]);
        let off = AliasObject { enabled: false, ..new("x@a.example", &["x@a.example"]) };
        assert!(matches!(check_alias(&directory, &off), Err(ObjectFlaw::Cycle(_))));
    }

    fn new(address: &str, targets: &[&str]) -> AliasObject {
        let crate::objects::Object::Alias(alias) = alias(address, targets) else { unreachable!() };
        alias
    }
}
