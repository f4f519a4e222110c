//! Off-boarding undone: everything as before, as far as it is still there.

use routing::Directory;
use routing::objects::{AccountObject, AliasObject, Object, ObjectKey, OffBoarding, Target};
use storage::objects::PutMode;
use storage::{Store, Transaction};

use mail::{Address, Domain};

use crate::asked::Asked;
use crate::error::{AdminError, ErrorKind};
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

/// Takes the copies to the successor away, when their time is over. `None`: there is nothing to take away.
pub(super) fn without_redirect(
    directory: &Directory,
    account: &AccountObject,
) -> (AccountObject, Option<(Option<AliasObject>, ObjectKey)>) {
    let mut after = account.clone();
    let successor = after.off_boarding.as_mut().and_then(|gone| {
        gone.redirected = false;
        gone.successor.clone()
    });
    let change = directory.alias(&account.address).zip(successor).map(|(alias, successor)| {
        let key = ObjectKey::Alias(alias.address.canonical());
        let mut alias = (**alias).clone();
        let is = |target: &Target, address: &Address| matches!(target, Target::Address(to) if to.same_mailbox(address));
        alias.targets.retain(|target| !is(target, &successor));
        let others = alias.targets.iter().any(|target| !is(target, &account.address));
        (others.then_some(alias), key)
    });
    (after, change)
}

struct Back {
    account: AccountObject,
    puts: Vec<(Object, PutMode)>,
    removes: Vec<ObjectKey>,
    report: OffBoardingReport,
}

impl Back {
    fn new(directory: &Directory, account: AccountObject, gone: OffBoarding, reach: Option<Vec<Domain>>) -> Self {
        let mut report = OffBoardingReport { account: account.address.clone(), done: Vec::new(), left: Vec::new() };
        let (mut puts, mut removes) = (Vec::new(), Vec::new());
        let before = &gone.before;
        let reaches = |domain: &Domain| reach.as_ref().is_none_or(|reach| reach.contains(domain));
        let mut missed = |address: &Address| report.left.push(format!("{address} is not there any more, or not yours"));

        let own_now = directory.alias(&account.address).is_some();
        match (&before.own_alias, own_now) {
            (Some(alias), now) => {
                let mode = if now { PutMode::Replace } else { PutMode::Add };
                puts.push((Object::Alias(alias.clone()), mode));
            }
            (None, true) if gone.redirected => removes.push(ObjectKey::Alias(account.address.canonical())),
            (None, _) => {}
        }
        let is = |target: &Target, address: &Address| matches!(target, Target::Address(to) if to.same_mailbox(address));
        for left in &before.aliases {
            match directory.alias(&left.address).filter(|alias| reaches(alias.address.domain())) {
                None => missed(&left.address),
                Some(alias) => {
                    let mut alias = (**alias).clone();
                    if let Some(successor) = gone.successor.as_ref().filter(|_| left.successor_added) {
                        alias.targets.retain(|target| !is(target, successor));
                    }
                    if left.target && !alias.targets.iter().any(|target| is(target, &account.address)) {
                        alias.targets.push(Target::Address(account.address.clone()));
                    }
                    if left.fallback {
                        alias.when_away = Some(account.address.clone());
                    }
                    puts.push((Object::Alias(alias), PutMode::Replace));
                }
            }
        }
        for left in &before.groups {
            match directory.group(&left.address).filter(|group| reaches(group.address.domain())) {
                None => missed(&left.address),
                Some(group) => {
                    let mut group = (**group).clone();
                    for (was, among) in [(left.member, &mut group.members), (left.moderator, &mut group.moderators)] {
                        if was && !among.iter().any(|person| person.same_mailbox(&account.address)) {
                            among.push(account.address.clone());
                        }
                    }
                    if left.fallback {
                        group.when_away = Some(account.address.clone());
                    }
                    group.enabled |= left.disabled;
                    puts.push((Object::Group(group), PutMode::Replace));
                }
            }
        }
        for left in &before.shares {
            let other = directory.account(&left.address).filter(|other| reaches(other.address.domain()));
            match other.filter(|other| other.shared.is_some()) {
                None => missed(&left.address),
                Some(other) => {
                    let mut other = (**other).clone();
                    if let Some(shared) = &mut other.shared
                        && !shared.members.iter().any(|member| member.account.same_mailbox(&account.address))
                    {
                        shared.members.push(left.member.clone());
                    }
                    puts.push((Object::Account(other), PutMode::Replace));
                }
            }
        }
        if let Some(id) = gone.responder.filter(|id| directory.responder(*id).is_some()) {
            removes.push(ObjectKey::Responder(id));
            report.done.push(format!("responder {id} is gone"));
        }
        report.done.push("logging in and what it administered are as before".to_owned());
        report.done.push(format!("it is back in {} aliases, groups and shared mailboxes", puts.len()));
        let before = gone.before;
        let account = AccountObject {
            enabled: before.enabled,
            role: before.role,
            administers: before.administers,
            kind: before.kind,
            shared: before.shared,
            off_boarding: None,
            ..account
        };
        Self { account, puts, removes, report }
    }
}
