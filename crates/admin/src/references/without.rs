//! An object without what it names of something that goes.

use routing::objects::{
    AccountObject, AliasMakers, AliasObject, BeforeLeaving, DomainObject, GroupObject, ListObject, Object,
    ResponderObject, SharedMailbox, Target,
};
use routing::responders::{Form, Placeholder, owner, placeholders};
use routing::{Asking, Directory, resolve};

use super::names::in_pattern;
use super::{Effect, Gone};

/// The object without it. `None`: it goes as well.
pub(super) fn without(object: Object, gone: &Gone) -> Option<Object> {
    match object {
        Object::Domain(domain) => Some(Object::Domain(domain_without(domain, gone))),
        Object::Account(account) => Some(Object::Account(account_without(account, gone))),
        Object::Alias(alias) => alias_without(alias, gone).map(Object::Alias),
        Object::Group(group) => Some(Object::Group(group_without(group, gone))),
        Object::List(list) => Some(Object::List(list_without(list, gone))),
        Object::Responder(responder) => responder_without(responder, gone).map(Object::Responder),
        // It names its owner alone, with whom it goes.
        Object::External(external) => Some(Object::External(external)),
        // They name nobody, and go with their account.
        Object::Filters(set) => Some(Object::Filters(set)),
    }
}

fn alias_without(mut alias: AliasObject, gone: &Gone) -> Option<AliasObject> {
    alias.targets.retain(|target| !matches!(target, Target::Address(to) if gone.is(to)));
    alias.when_away = alias.when_away.filter(|to| !gone.is(to));
    (!alias.targets.is_empty()).then_some(alias)
}

/// A moderated group that would have no moderator left is closed rather than open.
fn group_without(mut group: GroupObject, gone: &Gone) -> GroupObject {
    group.members.retain(|member| !gone.is(member));
    group.moderators.retain(|moderator| !gone.is(moderator));
    group.when_away = group.when_away.filter(|to| !gone.is(to));
    group.enabled &= !group.moderated || !group.moderators.is_empty();
    group
}

/// A list that nobody would own is closed: what waits there would wait for nobody.
fn list_without(mut list: ListObject, gone: &Gone) -> ListObject {
    list.owners.retain(|owner| !gone.is(owner));
    list.moderators.retain(|moderator| !gone.is(moderator));
    list.enabled &= !list.owners.is_empty();
    list
}

fn domain_without(mut domain: DomainObject, gone: &Gone) -> DomainObject {
    domain.catch_all = domain.catch_all.filter(|to| !gone.is(to));
    domain.postmaster = domain.postmaster.filter(|to| !gone.is(to));
    let leads = |target: &String| in_pattern(target).is_some_and(|named| gone.is_named(&named));
    domain.patterns.retain_mut(|pattern| {
        let before = pattern.targets.len();
        pattern.targets.retain(|target| !leads(target));
        before == pattern.targets.len() || !pattern.targets.is_empty()
    });
    if let AliasMakers::Named(makers) = &mut domain.alias_policy.makers {
        makers.retain(|maker| !gone.is(maker));
        if makers.is_empty() {
            domain.alias_policy.makers = AliasMakers::Nobody;
        }
    }
    domain
}

fn account_without(mut account: AccountObject, gone: &Gone) -> AccountObject {
    if let Some(shared) = &mut account.shared {
        share_without(shared, gone);
    }
    account.recovery = account.recovery.filter(|address| !gone.is(address));
    if let Some(left) = &mut account.off_boarding {
        if left.successor.as_ref().is_some_and(|successor| gone.is(successor)) {
            (left.successor, left.redirected, left.redirect_until) = (None, false, None);
            left.redirected_at.clear();
        }
        memory_without(&mut left.before, gone);
    }
    account
}

/// What undoing would bring back does not bring back what has gone.
fn memory_without(before: &mut BeforeLeaving, gone: &Gone) {
    before.own_alias = before.own_alias.take().and_then(|alias| alias_without(alias, gone));
    let further = std::mem::take(&mut before.further_aliases);
    before.further_aliases = further.into_iter().filter_map(|alias| alias_without(alias, gone)).collect();
    if let Some(shared) = &mut before.shared {
        share_without(shared, gone);
    }
    before.aliases.retain(|left| !gone.is(&left.address));
    before.groups.retain(|left| !gone.is(&left.address));
    before.shares.retain(|left| !gone.is(&left.address));
}

fn share_without(shared: &mut SharedMailbox, gone: &Gone) {
    shared.members.retain(|member| !gone.is(&member.account));
}

/// A responder at an address that goes goes too: the next owner of the address shall not inherit what it answers, or deletes.
fn responder_without(mut one: ResponderObject, gone: &Gone) -> Option<ResponderObject> {
    if gone.is(&one.address) {
        return None;
    }
    let copied = one.copies_of_received().next().is_some();
    one.deputy = one.deputy.filter(|deputy| !gone.is(deputy));
    one.copy_to_deputy &= one.deputy.is_some();
    one.copy_answers_to = one.copy_answers_to.filter(|to| !gone.is(to));
    one.copy_received_to = one.copy_received_to.filter(|to| !gone.is(to));
    // Nobody asked that messages be deleted without a copy.
    one.keep |= copied && one.copies_of_received().next().is_none();
    Some(one)
}

/// What a person should know beside the references themselves.
pub(super) fn effects(directory: &Directory, before: &Object, after: Option<&Object>) -> Vec<Effect> {
    let mut effects = Vec::new();
    match (before, after) {
        (Object::Alias(alias), None) => effects.push(Effect::AliasGoes(alias.address.clone())),
        (Object::Responder(one), None) => {
            effects.push(Effect::ResponderGoes { id: one.id, at: one.address.clone() });
        }
        (Object::Group(before), Some(Object::Group(after))) if before.enabled && !after.enabled => {
            effects.push(Effect::GroupOff(after.address.clone()));
        }
        (Object::List(before), Some(Object::List(after))) if before.enabled && !after.enabled => {
            effects.push(Effect::ListOff(after.address.clone()));
        }
        (Object::Domain(before), Some(Object::Domain(after))) => {
            let stays = |pattern: &str| after.patterns.iter().any(|left| left.pattern == pattern);
            let lost = before.patterns.iter().map(|lost| &lost.pattern).filter(|pattern| !stays(pattern));
            effects.extend(
                lost.map(|pattern| Effect::PatternGoes { domain: after.name.clone(), pattern: pattern.clone() }),
            );
        }
        (Object::Responder(before), Some(Object::Responder(after))) => {
            let (id, at) = (after.id, after.address.clone());
            if before.deputy.is_some() && after.deputy.is_none() && tells_deputy(after) {
                effects.push(Effect::NoDeputy { id, at: at.clone() });
            }
            let ends = before.copies_of_received().next().is_some() && after.copies_of_received().next().is_none();
            if ends && owner(directory, after).is_some() && !before.keep {
                effects.push(Effect::ResponderKeeps { id, at });
            } else if ends && reaches_nobody(directory, after) {
                effects.push(Effect::FailureNotices { id, at });
            }
        }
        _ => {}
    }
    effects
}

fn tells_deputy(one: &ResponderObject) -> bool {
    [one.wording(false), one.wording(true)].iter().any(|words| {
        let plain = [Some(&words.subject), Some(&words.subject_prefix), words.text.as_ref()];
        let plain = plain.into_iter().flatten().map(|text| placeholders(text, Form::Plain));
        let html = words.html.iter().map(|text| placeholders(text, Form::Html));
        plain.chain(html).any(|found| found.is_ok_and(|found| found.contains(&Placeholder::Deputy)))
    })
}

fn reaches_nobody(directory: &Directory, one: &ResponderObject) -> bool {
    let to = mail::ForwardPath::Address(one.address.clone());
    resolve(directory, &to, &Asking::server(mail::Timestamp(0))).responder_only()
}
