//! Off-boarding undone: everything as before, as far as it is still there and may still be so.

use routing::objects::{AccountObject, AliasObject, BeforeLeaving, Object, ObjectKey, OffBoarding, Target};
use routing::responders::check_responder;
use routing::{Directory, check_alias, check_group};
use storage::objects::PutMode;
use storage::{Store, Transaction};

use mail::{Address, Domain};

use crate::asked::Asked;
use crate::error::{AdminError, ErrorKind};
use crate::limits::MEMBERS_MAX;
use crate::may::reach;
use crate::response::{OffBoardingReport, Response};

use super::find;

/// Carries it out.
pub(super) async fn undo(store: &Store, asked: &Asked<'_>, address: &Address) -> Result<Response, AdminError> {
    let _edit = asked.hold().await?;
    let back = {
        let directory = store.directory();
        let account = find(&directory, address)?;
        let Some(gone) = account.off_boarding.clone() else {
            let message = format!("nobody has left the account {}", account.address);
            return Err(AdminError::new(ErrorKind::NotFound, message));
        };
        Back::new(&directory, account, *gone, reach(&directory, asked.actor))
    };
    let report = back.report.clone();
    let objects = store.objects();
    store
        .transact(move |tx: &mut Transaction<'_>| {
            for (object, mode) in &back.puts {
                objects.put(tx, object.clone(), *mode)?;
            }
            back.removes.iter().try_for_each(|key| objects.remove(tx, key))?;
            objects.put(tx, Object::Account(back.account.clone()), PutMode::Replace)?;
            Ok(())
        })
        .await?;
    tracing::info!(account = %report.account, done = report.done.join("; "), "off-boarding undone");
    Ok(Response::OffBoarded(report))
}

/// What ends the copies to the successor at one address: another alias in the place of the one there, or none.
pub(super) type Ended = (Option<AliasObject>, ObjectKey);

/// Takes the copies to the successor away, when their time is over.
pub(super) fn without_redirect(directory: &Directory, account: &AccountObject) -> (AccountObject, Vec<Ended>) {
    let mut after = account.clone();
    let Some(gone) = &mut after.off_boarding else { return (after, Vec::new()) };
    gone.redirected = false;
    let further = std::mem::take(&mut gone.redirected_at);
    let Some(successor) = gone.successor.clone() else { return (after, Vec::new()) };
    let ended = [account.address.clone()].into_iter().chain(further).filter_map(|address| {
        let mut alias = (**directory.alias(&address)?).clone();
        alias.targets.retain(|target| !is(target, &successor));
        let others = alias.targets.iter().any(|target| !is(target, &address));
        let key = ObjectKey::Alias(alias.address.canonical());
        Some((others.then_some(alias), key))
    });
    let ended = ended.collect();
    (after, ended)
}

fn is(target: &Target, address: &Address) -> bool {
    matches!(target, Target::Address(to) if to.same_mailbox(address))
}

/// The undoing in the making.
struct Back {
    /// As it will be: what comes back is checked against what came back before it.
    directory: Directory,
    account: AccountObject,
    puts: Vec<(Object, PutMode)>,
    removes: Vec<ObjectKey>,
    report: OffBoardingReport,
}

impl Back {
    fn new(directory: &Directory, account: AccountObject, gone: OffBoarding, reach: Option<Vec<Domain>>) -> Self {
        let before = gone.before.clone();
        let account = AccountObject {
            enabled: before.enabled,
            role: before.role,
            administers: before.administers.clone(),
            kind: before.kind,
            shared: before.shared.clone(),
            off_boarding: None,
            ..account
        };
        let report = OffBoardingReport { account: account.address.clone(), done: Vec::new(), left: Vec::new() };
        let mut directory = directory.clone();
        directory.put(Object::Account(account.clone()));
        let mut back = Self { directory, account, puts: Vec::new(), removes: Vec::new(), report };
        let reaches = |domain: &Domain| reach.as_ref().is_none_or(|reach| reach.contains(domain));
        back.own_aliases(&gone, &before, &reaches);
        back.aliases(&gone, &before, &reaches);
        back.groups(&before, &reaches);
        back.shares(&before, &reaches);
        let named = back.puts.len();
        back.ways(&before, &reaches);
        if let Some(id) = gone.responder.filter(|id| back.directory.responder(*id).is_some()) {
            back.removes.push(ObjectKey::Responder(id));
            back.report.done.push(format!("responder {id} is gone"));
        }
        back.report.done.push("logging in and what it administered are as before".to_owned());
        back.report.done.push(format!("it is back in {named} aliases, groups and shared mailboxes"));
        back
    }

    fn missed(&mut self, address: &Address) {
        self.report.left.push(format!("{address} is not there any more, or not yours"));
    }

    /// Puts something back, if it may be saved by now; whether it may.
    fn put(&mut self, object: Object, mode: PutMode) -> bool {
        let checked = match &object {
            Object::Alias(alias) => check_alias(&self.directory, alias).map_err(|flaw| flaw.to_string()),
            Object::Group(group) => check_group(&self.directory, group).map_err(|flaw| flaw.to_string()),
            Object::Responder(one) => check_responder(&self.directory, one).map_err(|flaw| flaw.to_string()),
            Object::Account(_) | Object::Domain(_) | Object::List(_) | Object::External(_) | Object::Filters(_) => {
                Ok(())
            }
        };
        match checked {
            Ok(()) => {
                self.directory.put(object.clone());
                self.puts.push((object, mode));
                true
            }
            Err(flaw) => {
                let text = format!("{} does not come back as it was: {flaw}", told(&object));
                self.report.left.push(text);
                false
            }
        }
    }

    /// The redirects beside the mailbox, in the place of the successor's.
    fn own_aliases(&mut self, gone: &OffBoarding, before: &BeforeLeaving, reaches: &impl Fn(&Domain) -> bool) {
        for address in self.account.addresses().collect::<Vec<_>>() {
            let primary = address.same_mailbox(&self.account.address);
            let mut were = before.own_alias.iter().chain(&before.further_aliases);
            let was = were.find(|alias| alias.address.same_mailbox(&address)).cloned();
            let redirected = if primary {
                gone.redirected
            } else {
                gone.redirected_at.iter().any(|further| further.same_mailbox(&address))
            };
            if was.is_none() && !redirected {
                continue;
            }
            if !reaches(address.domain()) {
                self.missed(&address);
                continue;
            }
            let now = self.directory.alias(&address).is_some();
            let mode = if now { PutMode::Replace } else { PutMode::Add };
            let back = was.is_some_and(|alias| self.put(Object::Alias(alias), mode));
            if !back && now && redirected {
                let key = ObjectKey::Alias(address.canonical());
                self.directory.remove(&key);
                self.removes.push(key);
            }
        }
    }

    fn aliases(&mut self, gone: &OffBoarding, before: &BeforeLeaving, reaches: &impl Fn(&Domain) -> bool) {
        for left in &before.aliases {
            let there = self.directory.alias(&left.address).filter(|alias| reaches(alias.address.domain()));
            let Some(mut alias) = there.map(|alias| (**alias).clone()) else {
                self.missed(&left.address);
                continue;
            };
            if let Some(successor) = gone.successor.as_ref().filter(|_| left.successor_added) {
                alias.targets.retain(|target| !is(target, successor));
            }
            if left.target && !alias.targets.iter().any(|target| is(target, &self.account.address)) {
                alias.targets.push(Target::Address(self.account.address.clone()));
            }
            if left.fallback {
                alias.when_away = Some(self.account.address.clone());
            }
            self.put(Object::Alias(alias), PutMode::Replace);
        }
    }

    fn groups(&mut self, before: &BeforeLeaving, reaches: &impl Fn(&Domain) -> bool) {
        for left in &before.groups {
            let there = self.directory.group(&left.address).filter(|group| reaches(group.address.domain()));
            let Some(mut group) = there.map(|group| (**group).clone()) else {
                self.missed(&left.address);
                continue;
            };
            for (was, among) in [(left.member, &mut group.members), (left.moderator, &mut group.moderators)] {
                if was && !among.iter().any(|person| person.same_mailbox(&self.account.address)) {
                    among.push(self.account.address.clone());
                }
            }
            if left.fallback {
                group.when_away = Some(self.account.address.clone());
            }
            group.enabled |= left.disabled;
            self.put(Object::Group(group), PutMode::Replace);
        }
    }

    fn shares(&mut self, before: &BeforeLeaving, reaches: &impl Fn(&Domain) -> bool) {
        for left in &before.shares {
            let there = self.directory.account(&left.address).filter(|other| reaches(other.address.domain()));
            let Some(mut other) = there.map(|other| (**other).clone()) else {
                self.missed(&left.address);
                continue;
            };
            let Some(shared) = &mut other.shared else {
                self.missed(&left.address);
                continue;
            };
            if !shared.members.iter().any(|member| member.account.same_mailbox(&self.account.address)) {
                shared.members.push(left.member.clone());
            }
            if shared.members.len() > MEMBERS_MAX {
                let text = format!("{} has {MEMBERS_MAX} members already", left.address);
                self.report.left.push(text);
                continue;
            }
            self.put(Object::Account(other), PutMode::Replace);
        }
    }

    /// Responders and external accounts that were switched off, as far as they are still its own.
    fn ways(&mut self, before: &BeforeLeaving, reaches: &impl Fn(&Domain) -> bool) {
        for id in &before.responders {
            let own = |at: &Address| self.account.addresses().any(|own| own.same_mailbox(at)) && reaches(at.domain());
            let there = self.directory.responder(*id).filter(|one| own(&one.address));
            let Some(mut one) = there.map(|one| (**one).clone()) else {
                self.report.left.push(format!("responder {id} is not there any more, or not yours"));
                continue;
            };
            one.enabled = true;
            if self.put(Object::Responder(one), PutMode::Replace) {
                self.report.done.push(format!("responder {id} is on"));
            }
        }
        for id in &before.externals {
            let own = |owner: &Address| owner.same_mailbox(&self.account.address);
            let there = self.directory.external(*id).filter(|one| own(&one.owner));
            let Some(mut one) = there.map(|one| (**one).clone()) else {
                self.report.left.push(format!("external account {id} is not there any more"));
                continue;
            };
            one.enabled = true;
            self.put(Object::External(one), PutMode::Replace);
            self.report.done.push(format!("external account {id} is on"));
        }
    }
}

fn told(object: &Object) -> String {
    match object {
        Object::Alias(alias) => format!("the alias {}", alias.address),
        Object::Group(group) => format!("the group {}", group.address),
        Object::Account(account) => account.address.to_string(),
        Object::Domain(domain) => domain.name.to_string(),
        Object::List(list) => format!("the list {}", list.address),
        Object::Responder(one) => format!("responder {}", one.id),
        Object::External(one) => format!("external account {}", one.id),
        Object::Filters(set) => format!("the filters of account {}", set.account),
    }
}
