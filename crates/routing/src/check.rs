//! `check_alias`: what is refused when an alias is saved.

use std::fmt;

use mail::Address;

use crate::directory::Directory;
use crate::limits::ALIAS_TARGETS_MAX;
use crate::objects::AliasObject;
use crate::resolution::{Node, Reason, What};
use crate::resolve::Walk;

/// Why an alias can't be saved.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AliasFlaw {
    /// The alias's domain is not one of this server.
    #[error("{0} is not a domain of this server: add the domain first")]
    NotLocal(mail::Domain),
    /// No target at all.
    #[error("the alias has no target: give an address, \":blackhole:\", or \":all:\" for all users of the domain")]
    Empty,
    /// More targets than one alias takes.
    #[error("the alias has {found} targets, the limit is {ALIAS_TARGETS_MAX}")]
    TooManyTargets {
        /// How many.
        found: usize,
    },
    /// A target of ours that does not exist.
    #[error("the target {0} does not exist on this server: add it first, or correct it")]
    UnknownTarget(Address),
    /// The alias would lead to itself.
    #[error("the redirects would lead in a circle: {0}")]
    Cycle(Circle),
    /// Followed to its end it would pass the limits of a resolution.
    #[error("the alias leads through too many others, or to too many addresses in all")]
    TooLarge,
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
pub fn check_alias(directory: &Directory, alias: &AliasObject) -> Result<(), AliasFlaw> {
    if directory.domain(alias.address.domain()).is_none() {
        return Err(AliasFlaw::NotLocal(alias.address.domain().clone()));
    }
    if alias.targets.is_empty() {
        return Err(AliasFlaw::Empty);
    }
    if alias.targets.len() > ALIAS_TARGETS_MAX {
        return Err(AliasFlaw::TooManyTargets { found: alias.targets.len() });
    }
    // A disabled alias is checked as if it were on: switching it on later asks nobody.
    let enabled = AliasObject { enabled: true, ..alias.clone() };
    let mut walk = Walk::new(directory, Some(&enabled));
    let tree = walk.follow_from(&enabled);
    if walk.limit_passed {
        return Err(AliasFlaw::TooLarge);
    }
    if let Some(circle) = walk.cycle {
        return Err(AliasFlaw::Cycle(Circle(circle)));
    }
    match tree.children.iter().find_map(unknown_target) {
        Some(address) => Err(AliasFlaw::UnknownTarget(address)),
        None => Ok(()),
    }
}

/// The address of a direct target that does not exist. One in a disabled domain, or with a disabled alias, exists.
fn unknown_target(node: &Node) -> Option<Address> {
    match (&node.what, node.reason) {
        (What::Unknown { address }, Reason::NoSuchAddress | Reason::CatchAllMissing) => Some(address.clone()),
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
        assert_eq!(flaw("x@a.example", &[]), AliasFlaw::Empty);
        assert_eq!(flaw("y@a.example", &["nobody@a.example"]), AliasFlaw::UnknownTarget(address("nobody@a.example")));
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
        assert_eq!(flaw("x@a.example", &many), AliasFlaw::TooManyTargets { found: ALIAS_TARGETS_MAX + 1 });
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
        assert_eq!(check_alias(&directory, &new("x@a.example", &[&top])), Err(AliasFlaw::TooLarge));
        assert_eq!(check_alias(&directory, &new("x@a.example", &["l47@a.example"])), Ok(()));
    }

    #[test]
    fn a_disabled_alias_is_checked_all_the_same() {
        let directory = directory(&["a.example"], vec![]);
        let off = AliasObject { enabled: false, ..new("x@a.example", &["x@a.example"]) };
        assert!(matches!(check_alias(&directory, &off), Err(AliasFlaw::Cycle(_))));
    }

    fn new(address: &str, targets: &[&str]) -> AliasObject {
        let crate::objects::Object::Alias(alias) = alias(address, targets) else { unreachable!() };
        alias
    }
}
