//! What may be saved: each flaw says what to do about it.

use crate::condition::ConditionFlaw;
use crate::filter::{Filter, FilterSet};
use crate::limits::{
    CONDITIONS_MAX, CONDITIONS_OF_SET_MAX, COPIES_MAX, FILTERS_MAX, NAME_OCTETS_MAX, SET_OCTETS_MAX, TAGS_MAX,
};

/// Why a filter can't be saved.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilterFlaw {
    /// No name, too long a one, or one that does not print.
    #[error("the name of a filter has 1 to {NAME_OCTETS_MAX} octets, none of them a control character")]
    Name,
    /// Two of one name.
    #[error("there is a filter {0:?} already; give this one another name, or change that one")]
    SameName(String),
    /// It would match everything.
    #[error("a filter needs a condition; for every message say 'size larger 0'")]
    NoConditions,
    /// Too many conditions.
    #[error("a filter has at most {CONDITIONS_MAX} conditions; make two of it")]
    Conditions,
    /// A condition that can't be.
    #[error(transparent)]
    Condition(#[from] ConditionFlaw),
    /// It does nothing.
    #[error(
        "a filter does something: delete, move, copy, tag, mark as important or read, or skip the filters behind it"
    )]
    NoActions,
    /// Deleted and kept at once.
    #[error("what is deleted for good can't be moved, copied, tagged or marked as well; take one of the two out")]
    DiscardAndMore,
    /// Too many tags.
    #[error("a filter gives at most {TAGS_MAX} tags")]
    Tags,
    /// Too many copies.
    #[error("a filter copies to at most {COPIES_MAX} folders")]
    Copies,
    /// It looks at nothing.
    #[error("a filter looks at one of inbox, sent and spam at least, and at each once")]
    Places,
    /// Too many filters.
    #[error(
        "an account has at most {FILTERS_MAX} filters; remove one, or put the conditions of two into one with 'any'"
    )]
    Filters,
    /// Too many conditions in all.
    #[error(
        "the filters of an account have at most {CONDITIONS_OF_SET_MAX} conditions together; remove some, or ask for what they have in common"
    )]
    ConditionsOfSet,
    /// Too much text in all.
    #[error(
        "the names, conditions, folders and tags of all filters of an account have at most {SET_OCTETS_MAX} octets together; make them shorter or fewer"
    )]
    Octets,
}

/// Whether a filter may be saved. Names of folders are checked by who knows what a mailbox may be called.
///
/// # Errors
/// The first flaw.
pub fn check(filter: &Filter) -> Result<(), FilterFlaw> {
    let name = filter.name.trim();
    if name.is_empty() || filter.name.len() > NAME_OCTETS_MAX || filter.name.chars().any(char::is_control) {
        return Err(FilterFlaw::Name);
    }
    if filter.conditions.is_empty() {
        return Err(FilterFlaw::NoConditions);
    }
    if filter.conditions.len() > CONDITIONS_MAX {
        return Err(FilterFlaw::Conditions);
    }
    filter.conditions.iter().try_for_each(crate::Condition::check)?;
    let actions = &filter.actions;
    if actions.is_empty() && !filter.stop {
        return Err(FilterFlaw::NoActions);
    }
    if actions.discard && *actions != (crate::Actions { discard: true, ..crate::Actions::default() }) {
        return Err(FilterFlaw::DiscardAndMore);
    }
    if actions.tags.len() > TAGS_MAX {
        return Err(FilterFlaw::Tags);
    }
    if actions.copies.len() > COPIES_MAX {
        return Err(FilterFlaw::Copies);
    }
    let twice =
        filter.places.iter().enumerate().any(|(at, place)| filter.places.iter().skip(at + 1).any(|p| p == place));
    if filter.places.is_empty() || twice {
        return Err(FilterFlaw::Places);
    }
    Ok(())
}

/// Whether the filters of an account may be saved together.
///
/// # Errors
/// The first flaw.
pub fn check_set(set: &FilterSet) -> Result<(), FilterFlaw> {
    if set.filters.len() > FILTERS_MAX {
        return Err(FilterFlaw::Filters);
    }
    for (at, filter) in set.filters.iter().enumerate() {
        check(filter)?;
        if set.filters.iter().skip(at.saturating_add(1)).any(|other| other.is_named(&filter.name)) {
            return Err(FilterFlaw::SameName(filter.name.clone()));
        }
    }
    let conditions = set.filters.iter().map(|filter| filter.conditions.len());
    if conditions.fold(0, usize::saturating_add) > CONDITIONS_OF_SET_MAX {
        return Err(FilterFlaw::ConditionsOfSet);
    }
    let of = |filter: &Filter| {
        let tags = filter.actions.tags.iter().map(|tag| tag.as_str().len());
        let folders = filter.actions.folder.iter().chain(&filter.actions.copies).map(String::len);
        let conditions = filter.conditions.iter().map(crate::Condition::octets);
        folders.chain(tags).chain(conditions).fold(filter.name.len(), usize::saturating_add)
    };
    if set.filters.iter().map(of).fold(0, usize::saturating_add) > SET_OCTETS_MAX {
        return Err(FilterFlaw::Octets);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use mail::{AccountId, Keyword};

    use super::*;
    use crate::{Actions, Condition, Place};

    fn good(name: &str) -> Filter {
        let actions = Actions { folder: Some("Bills".to_owned()), ..Actions::default() };
        let conditions = vec!["from contains shop".parse().unwrap()];
        Filter { conditions, actions, ..Filter::new(name) }
    }

    #[test]
    fn i03_what_cannot_work_is_not_saved() {
        assert_eq!(check(&good("Bills")), Ok(()));
        let tag = |n: usize| Keyword::parse(&format!("t{n}")).unwrap();
        let with = |actions: Actions| Filter { actions, ..good("x") };
        let discard = Actions { discard: true, ..Actions::default() };
        for (filter, flaw) in [
            (good(" "), FilterFlaw::Name),
            (good(&"x".repeat(NAME_OCTETS_MAX + 1)), FilterFlaw::Name),
            (good("a\nb"), FilterFlaw::Name),
            (Filter { conditions: vec![], ..good("x") }, FilterFlaw::NoConditions),
            (
                Filter { conditions: vec![Condition::Attachment { present: true }; CONDITIONS_MAX + 1], ..good("x") },
                FilterFlaw::Conditions,
            ),
            (with(Actions::default()), FilterFlaw::NoActions),
            (with(Actions { read: true, ..discard.clone() }), FilterFlaw::DiscardAndMore),
            (with(Actions { folder: Some("A".to_owned()), ..discard.clone() }), FilterFlaw::DiscardAndMore),
            (
                with(Actions { tags: (0..=TAGS_MAX).map(tag).collect::<BTreeSet<_>>(), ..Actions::default() }),
                FilterFlaw::Tags,
            ),
            (with(Actions { copies: vec![String::new(); COPIES_MAX + 1], ..Actions::default() }), FilterFlaw::Copies),
            (Filter { places: vec![], ..good("x") }, FilterFlaw::Places),
            (Filter { places: vec![Place::Spam, Place::Spam], ..good("x") }, FilterFlaw::Places),
        ] {
            assert_eq!(check(&filter), Err(flaw), "{filter:?}");
        }
        assert_eq!(check(&Filter { stop: true, ..with(Actions::default()) }), Ok(()), "skipping the others is enough");
        assert_eq!(check(&with(discard)), Ok(()));
        let bad = Condition::Text { field: crate::Field::From, test: crate::TextTest::Is, value: "".into() };
        let flaw = check(&Filter { conditions: vec![bad], ..good("x") });
        assert!(matches!(flaw, Err(FilterFlaw::Condition(ConditionFlaw::NoValue(_)))), "{flaw:?}");
    }

    #[test]
    fn i03_an_account_has_so_many_filters_and_each_name_once() {
        let set = |filters| FilterSet { account: AccountId(1), filters };
        assert_eq!(check_set(&set(vec![good("a"), good("b")])), Ok(()));
        let twice = check_set(&set(vec![good("Été"), good("b"), good("ÉTÉ ")]));
        assert_eq!(twice, Err(FilterFlaw::SameName("Été".to_owned())));
        let many = (0..=FILTERS_MAX).map(|n| good(&n.to_string())).collect();
        assert_eq!(check_set(&set(many)), Err(FilterFlaw::Filters));
        let long: Condition = format!("subject is {}", "x".repeat(450)).parse().unwrap();
        let large = |n: usize| Filter { conditions: vec![long.clone(); CONDITIONS_MAX], ..good(&n.to_string()) };
        assert_eq!(check_set(&set((0..2).map(large).collect())), Ok(()));
        assert_eq!(check_set(&set((0..3).map(large).collect())), Err(FilterFlaw::Octets));
        let short: Condition = "size larger 1".parse().unwrap();
        let many = |n: usize| Filter { conditions: vec![short.clone(); CONDITIONS_MAX], ..good(&n.to_string()) };
        let full = CONDITIONS_OF_SET_MAX / CONDITIONS_MAX;
        assert_eq!(check_set(&set((0..full).map(many).collect())), Ok(()));
        assert_eq!(check_set(&set((0..=full).map(many).collect())), Err(FilterFlaw::ConditionsOfSet));
    }

    #[test]
    fn i03_tags_and_what_texts_become_when_they_are_compared_count() {
        let set = |filters| FilterSet { account: AccountId(1), filters };
        let tagged = |n: usize| {
            let tags =
                (0..TAGS_MAX).map(|k| Keyword::parse(&format!("{n:03}{k:02}{}", "t".repeat(55))).unwrap()).collect();
            Filter { actions: Actions { tags, ..Actions::default() }, ..good(&n.to_string()) }
        };
        assert_eq!(check_set(&set((0..100).map(tagged).collect())), Ok(()));
        assert_eq!(check_set(&set((0..150).map(tagged).collect())), Err(FilterFlaw::Octets));
        // U+FDFA is 3 octets, and 33 when it is compared.
        let long: Condition = format!("subject is {}", "\u{FDFA}".repeat(160)).parse().unwrap();
        let large = |n: usize| Filter { conditions: vec![long.clone()], ..good(&n.to_string()) };
        assert_eq!(check_set(&set((0..10).map(large).collect())), Ok(()));
        assert_eq!(check_set(&set((0..20).map(large).collect())), Err(FilterFlaw::Octets));
    }
}
