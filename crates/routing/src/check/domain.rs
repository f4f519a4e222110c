//! Domains: what they stand for, their catch-all and their patterns.

use mail::Address;

use super::{Circle, ObjectFlaw, looking_ahead, unknown_target};
use crate::directory::Directory;
use crate::limits::PATTERNS_MAX;
use crate::objects::{AliasMakers, DomainObject, Object, Target};
use crate::pattern::{PatternFlaw, check_pattern};
use crate::resolution::Reason;
use crate::resolve::{Instead, Walk};
use crate::responders::is_zone;

/// Whether a domain may be saved as it is.
///
/// # Errors
/// The first flaw, in words for the person who edits.
pub fn check_domain(directory: &Directory, domain: &DomainObject) -> Result<(), ObjectFlaw> {
    if !is_zone(&domain.time_zone) {
        return Err(ObjectFlaw::TimeZone(domain.time_zone.clone()));
    }
    if !["en", "fr"].contains(&domain.language.as_str()) {
        return Err(ObjectFlaw::Language(domain.language.clone()));
    }
    let policy = &domain.alias_policy;
    if policy.makers != AliasMakers::Nobody && (policy.forms.is_empty() || policy.per_person_max == 0) {
        return Err(ObjectFlaw::NoForms);
    }
    if let AliasMakers::Named(named) = &policy.makers
        && let Some(unknown) = named.iter().find(|address| directory.account_at(address).is_none())
    {
        return Err(ObjectFlaw::UnknownMember(unknown.clone()));
    }
    check_alias_of(directory, domain)?;
    if domain.patterns.len() > PATTERNS_MAX {
        return Err(ObjectFlaw::Pattern { number: domain.patterns.len(), flaw: PatternFlaw::TooMany });
    }
    for (at, pattern) in domain.patterns.iter().enumerate() {
        let number = at.saturating_add(1);
        check_pattern(pattern).map_err(|flaw| ObjectFlaw::Pattern { number, flaw })?;
    }
    check_targets(directory, domain)
}

/// A domain stands for one that stands for none, and has nothing of its own then.
fn check_alias_of(directory: &Directory, domain: &DomainObject) -> Result<(), ObjectFlaw> {
    let Some(target) = &domain.alias_of else { return Ok(()) };
    let bad = |why: String| Err(ObjectFlaw::BadDomainAlias { name: domain.name.clone(), target: target.clone(), why });
    if *target == domain.name {
        return bad("it is the same domain".to_owned());
    }
    match directory.domain(target) {
        None => return bad(format!("{target} is not a domain of this server")),
        Some(found) if found.alias_of.is_some() => return bad(format!("{target} stands for another domain itself")),
        Some(_) => {}
    }
    if let Some(other) = directory.domains().find(|other| other.alias_of.as_ref() == Some(&domain.name)) {
        return bad(format!("{} stands for {}", other.name, domain.name));
    }
    if domain.catch_all.is_some() || domain.postmaster.is_some() || !domain.patterns.is_empty() {
        return bad(format!(
            "{} has a catch-all, a postmaster or patterns of its own; take them away first",
            domain.name
        ));
    }
    match first_inside(directory, domain) {
        Some(inside) => bad(format!("{} still has {inside}; remove what is in it first", domain.name)),
        None => Ok(()),
    }
}

/// Something with an address in the domain.
fn first_inside(directory: &Directory, domain: &DomainObject) -> Option<String> {
    let here = |address: &Address| *address.domain() == domain.name;
    let account = directory.accounts().find(|account| account.addresses().any(|address| here(&address)));
    let account = account.map(|account| format!("the account {}", account.address));
    let alias = || directory.aliases().map(|alias| &alias.address).filter(|address| here(address)).min();
    let group = || directory.groups().find(|group| here(&group.address));
    let list = || directory.lists().find(|list| here(&list.address));
    let responder = || directory.responders().find(|responder| here(&responder.address));
    account
        .or_else(|| alias().map(|address| format!("the alias {address}")))
        .or_else(|| group().map(|group| format!("the group {}", group.address)))
        .or_else(|| list().map(|list| format!("the list {}", list.address)))
        .or_else(|| responder().map(|responder| format!("responder {}", responder.id)))
}

/// The fixed targets of patterns exist, and lead to no circle. Those with captures are only known when an address comes:
/// they are tried with some [`SAMPLES`], and what leads in a circle with one of them is refused; another circle is cut
/// when an address comes. The catch-all may be made before its address is.
fn check_targets(directory: &Directory, domain: &DomainObject) -> Result<(), ObjectFlaw> {
    let fixed = domain.patterns.iter().flat_map(|pattern| pattern.fixed_targets());
    let mut fixed = fixed.filter_map(|target| match target {
        Target::Address(address) => Some(address),
        Target::Blackhole | Target::Fail(_) | Target::AllUsers => None,
    });
    let samples = SAMPLES.iter().flat_map(|found| domain.patterns.iter().flat_map(|one| one.targets_with(found)));
    let mut tried = samples.filter_map(|target| match target {
        Target::Address(address) => Some(address),
        Target::Blackhole | Target::Fail(_) | Target::AllUsers => None,
    });
    let (first, first_tried) = (fixed.next(), tried.next());
    if first.is_none() && first_tried.is_none() {
        return Ok(());
    }
    let mut saved = directory.clone();
    saved.put(Object::Domain(domain.clone()));
    let asking = looking_ahead();
    for target in first_tried.into_iter().chain(tried) {
        let mut walk = Walk::looking_ahead(&saved, &asking, Instead::Nothing);
        walk.address(&target, Reason::Target);
        if let Some(circle) = walk.cycle.take() {
            return Err(ObjectFlaw::Cycle(Circle(circle)));
        }
    }
    for target in first.into_iter().chain(fixed) {
        let mut walk = Walk::looking_ahead(&saved, &asking, Instead::Nothing);
        let node = walk.address(&target, Reason::Target);
        if walk.limit_passed {
            return Err(ObjectFlaw::TooLarge);
        }
        if let Some(circle) = walk.cycle.take() {
            return Err(ObjectFlaw::Cycle(Circle(circle)));
        }
        if let Some(unknown) = unknown_target(&node) {
            return Err(ObjectFlaw::UnknownTarget(unknown));
        }
    }
    Ok(())
}

/// What groups of patterns are taken to have found when targets are tried.
const SAMPLES: [&str; 3] = ["a", "1", "a-a"];

#[cfg(test)]
mod tests {
    use mail::Domain;

    use super::*;
    use crate::objects::{AliasForm, AliasPolicy, PatternAlias};
    use crate::testing::{account, alias, directory, domain};

    #[test]
    fn r10_a_domain_stands_for_one_that_stands_for_none() {
        let stands =
            |name: &str, target: &str| DomainObject { alias_of: Some(Domain::parse(target).unwrap()), ..domain(name) };
        let directory = directory(
            &["a.example", "empty.example"],
            vec![account(1, "alice@a.example"), Object::Domain(stands("b.example", "a.example"))],
        );
        assert_eq!(check_domain(&directory, &stands("empty.example", "a.example")), Ok(()));
        for (name, target, said) in [
            ("empty.example", "empty.example", "same domain"),
            ("empty.example", "far.example", "not a domain of this server"),
            ("empty.example", "b.example", "stands for another"),
            ("a.example", "empty.example", "stands for a.example"),
        ] {
            let flaw = check_domain(&directory, &stands(name, target)).unwrap_err().to_string();
            assert!(flaw.contains(said), "{flaw}");
        }
        let full =
            crate::testing::directory(&["a.example", "full.example"], vec![alias("x@full.example", &[":blackhole:"])]);
        let flaw = check_domain(&full, &stands("full.example", "a.example")).unwrap_err().to_string();
        assert!(flaw.contains("still has the alias x@full.example"), "{flaw}");
    }

    #[test]
    fn patterns_lead_to_what_exists_and_not_in_circles() {
        let directory = directory(
            &["a.example"],
            vec![account(1, "alice@a.example"), alias("in@a.example", &["fixed-1@a.example"])],
        );
        let with = |pattern: &str, target: &str| DomainObject {
            patterns: vec![PatternAlias::new(pattern, vec![target.to_owned()])],
            ..domain("a.example")
        };
        assert_eq!(check_domain(&directory, &with("sales-.*", "alice@a.example")), Ok(()));
        assert_eq!(check_domain(&directory, &with("sales-(.*)", "$1@a.example")), Ok(()));
        assert!(matches!(
            check_domain(&directory, &with("sales-.*", "nobody@a.example")),
            Err(ObjectFlaw::UnknownTarget(_))
        ));
        assert!(matches!(check_domain(&directory, &with("fixed-.*", "in@a.example")), Err(ObjectFlaw::Cycle(_))));
        assert!(matches!(
            check_domain(&directory, &with("(", "in@a.example")),
            Err(ObjectFlaw::Pattern { number: 1, .. })
        ));
    }

    #[test]
    fn circles_through_captures_are_refused_where_they_can_be_shown() {
        let directory = directory(&["a.example", "b.example"], vec![account(1, "alice@a.example")]);
        let with = |patterns: &[(&str, &str)]| DomainObject {
            patterns: patterns
                .iter()
                .map(|(pattern, target)| PatternAlias::new(*pattern, vec![(*target).to_owned()]))
                .collect(),
            ..domain("a.example")
        };
        let circle =
            |patterns: &[(&str, &str)]| matches!(check_domain(&directory, &with(patterns)), Err(ObjectFlaw::Cycle(_)));
        for (patterns, expected) in [
            (vec![("(.+)", "$1@a.example")], true),
            (vec![("(?P<who>.+)", "${who}@a.example")], true),
            (vec![("a-(.+)", "b-$1@a.example"), ("b-(.+)", "a-$1@a.example")], true),
            (vec![("a-(\\d+)", "b-$1@a.example"), ("b-(\\d+)", "a-$1@a.example")], true),
            (vec![("a-(.+)", "b-$1@a.example"), ("b-(.+)", "$1@a.example")], false),
            (vec![("sales-(.+)", "$1@a.example")], false),
            (vec![("(.+)", "$1@b.example")], false),
            (vec![("x-(\\d+)", "y-$1@a.example"), ("y-([a-z]+)", "x-$1@a.example")], false),
        ] {
            assert_eq!(circle(&patterns), expected, "{patterns:?}");
        }
    }

    #[test]
    fn zone_language_and_policy_are_checked() {
        let directory = directory(&["a.example"], vec![]);
        let zone = DomainObject { time_zone: "Mars/Base".to_owned(), ..domain("a.example") };
        assert!(matches!(check_domain(&directory, &zone), Err(ObjectFlaw::TimeZone(_))));
        let language = DomainObject { language: "tlh".to_owned(), ..domain("a.example") };
        assert!(matches!(check_domain(&directory, &language), Err(ObjectFlaw::Language(_))));
        let policy = |makers, forms: Vec<AliasForm>| DomainObject {
            alias_policy: AliasPolicy { makers, forms, ..AliasPolicy::default() },
            ..domain("a.example")
        };
        assert_eq!(check_domain(&directory, &policy(AliasMakers::Everyone, vec![])), Err(ObjectFlaw::NoForms));
        assert_eq!(check_domain(&directory, &policy(AliasMakers::Everyone, vec![AliasForm::Random])), Ok(()));
    }
}
