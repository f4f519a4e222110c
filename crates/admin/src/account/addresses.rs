//! The addresses of accounts: further domains (R5) and aliases (M3).

use std::collections::BTreeSet;

use mail::{Address, Domain};
use routing::objects::{AccountObject, AliasObject, Object, ObjectKey, Target};
use routing::{Directory, check_alias};
use storage::objects::PutMode;
use storage::{Store, Transaction};

use crate::domain::must_be_local;
use crate::error::{AdminError, ErrorKind};
use crate::limits::{ALIASES_PER_REQUEST_MAX, FURTHER_DOMAINS_MAX, WARNED_ADDRESSES_MAX};
use crate::memberships;
use crate::references::Removal;
use crate::request::Edit;
use crate::response::Response;
use crate::warnings;

use super::find;
use super::set::{given_up, still_unnamed};

/// Whether an account may have its local part in these further domains.
pub(super) fn check_further(
    directory: &Directory,
    account: &AccountObject,
    domains: &[Domain],
) -> Result<(), AdminError> {
    let local = account.address.local().as_str();
    for name in domains {
        if name == account.address.domain() {
            return Err(AdminError::invalid(format!("{name} is the domain of {} itself", account.address)));
        }
        let further = Address::new(local, name.clone()).map_err(|flaw| AdminError::invalid(flaw.to_string()))?;
        must_be_local(directory, &further)?;
        if let Some(other) = directory.domain(name).and_then(|domain| domain.alias_of.clone()) {
            let error = AdminError::invalid(format!("every address of {name} is the one in {other} already"));
            return Err(error.hint(format!("give {other} instead")));
        }
        if let Some(taken) = taken(directory, account, &further) {
            let message = format!("{} can't have {further}: {taken}", account.address);
            return Err(AdminError::new(ErrorKind::Exists, message));
        }
    }
    Ok(())
}

/// What has an address already, if it is not the account itself.
fn taken(directory: &Directory, account: &AccountObject, address: &Address) -> Option<String> {
    if let Some(other) = directory.account_at(address).filter(|other| !other.address.same_mailbox(&account.address)) {
        return Some(if other.address.same_mailbox(address) {
            "an account has that address".to_owned()
        } else {
            format!("it is a further address of {}", other.address)
        });
    }
    let what = [
        (directory.alias(address).is_some(), "an alias has that address"),
        (directory.group(address).is_some(), "a group has that address"),
        (directory.list_address(address).is_some(), "a mailing list has that address"),
    ];
    what.into_iter().find(|(there, _)| *there).map(|(_, what)| what.to_owned())
}

/// Changes which aliases lead to an account, all in one transaction.
pub(super) async fn aliases(
    store: &Store,
    address: &Address,
    add: &[Address],
    remove: &[Address],
) -> Result<(), AdminError> {
    if add.len().saturating_add(remove.len()) > ALIASES_PER_REQUEST_MAX {
        return Err(AdminError::invalid(format!("one request changes at most {ALIASES_PER_REQUEST_MAX} aliases")));
    }
    let (puts, removes) = {
        let directory = store.directory();
        let account = find(&directory, address)?;
        plan_aliases(&directory, &account, add, remove, store.now())?
    };
    let objects = store.objects();
    store
        .transact(move |tx: &mut Transaction<'_>| {
            for (alias, mode) in &puts {
                objects.put(tx, Object::Alias(alias.clone()), *mode)?;
            }
            removes.iter().try_for_each(|key| objects.remove(tx, key))
        })
        .await?;
    Ok(())
}

type AliasChanges = (Vec<(AliasObject, PutMode)>, Vec<ObjectKey>);

fn plan_aliases(
    directory: &Directory,
    account: &AccountObject,
    add: &[Address],
    remove: &[Address],
    now: mail::Timestamp,
) -> Result<AliasChanges, AdminError> {
    let leads = |target: &Target| matches!(target, Target::Address(target) if account.addresses().any(|own| own.same_mailbox(target)));
    let (mut puts, mut removes): AliasChanges = (Vec::new(), Vec::new());
    for address in add {
        must_be_local(directory, address)?;
        if account.addresses().any(|own| own.same_mailbox(address)) {
            return Err(AdminError::invalid(format!("{address} is the account's own address, and needs no alias")));
        }
        if let Some(other) = directory.account_at(address) {
            let error = AdminError::new(ErrorKind::Exists, format!("{address} is the mailbox of {}", other.address));
            let redirect = format!("`relais alias add {address} --to {}` redirects its mail as well", account.address);
            return Err(error.hint(redirect));
        }
        if puts.iter().any(|(known, _)| known.address.same_mailbox(address)) {
            continue;
        }
        let there = directory.alias(address).map(|alias| (**alias).clone());
        let mode = if there.is_some() { PutMode::Replace } else { PutMode::Add };
        let mut alias =
            there.unwrap_or_else(|| AliasObject { created_at: now, ..AliasObject::new(address.clone(), Vec::new()) });
        if !alias.targets.iter().any(leads) {
            alias.targets.push(Target::Address(account.address.clone()));
            check_alias(directory, &alias).map_err(|flaw| AdminError::invalid(flaw.to_string()))?;
            puts.push((alias, mode));
        }
    }
    for address in remove {
        let named = directory.alias(address).filter(|alias| alias.targets.iter().any(leads));
        let Some(alias) = named else {
            let error =
                AdminError::new(ErrorKind::NotFound, format!("no alias {address} leads to {}", account.address));
            return Err(error.hint(format!("`relais account show {}` lists those that do", account.address)));
        };
        if add.iter().any(|added| added.same_mailbox(address)) {
            return Err(AdminError::invalid(format!("{address} is to be added and removed at once")));
        }
        let mut alias = (**alias).clone();
        alias.targets.retain(|target| !leads(target));
        if alias.targets.is_empty() {
            let key = ObjectKey::Alias(alias.address.canonical());
            let removal = Removal::of(directory, &key);
            if !removal.references.is_empty() {
                let message = format!("{address} would lead nowhere and be deleted, but {}", removal.told());
                let hint = format!("`relais alias remove {address} --force` takes it out of there as well");
                return Err(AdminError::new(ErrorKind::InUse, message).hint(hint));
            }
            removes.push(key);
        } else {
            puts.push((alias, PutMode::Replace));
        }
    }
    Ok((puts, removes))
}

/// What changes for all users of a domain.
pub(super) struct UsersChange {
    pub(super) add_domains: Vec<Domain>,
    pub(super) remove_domains: Vec<Domain>,
    pub(super) accounts_max: Edit<u32>,
    pub(super) accounts_per_owner_max: Edit<u32>,
}

/// R5 for a whole domain, M1: the domain remembers it for accounts to come, and those that are there follow, some
/// thousand in a transaction. Every conflict is found before anything is written.
pub(super) async fn users_of(store: &Store, name: &Domain, change: UsersChange) -> Result<Response, AdminError> {
    let (domain, accounts, leaving, warned) = {
        let directory = store.directory();
        let (mut leaving, mut warned) = (Vec::new(), Vec::new());
        let Some(domain) = directory.domain(name) else {
            let known = directory.domains().map(|domain| domain.name.to_string());
            return Err(AdminError::not_found("domain", name.as_str(), known));
        };
        let mut domain = (**domain).clone();
        domain.users_also_in.retain(|further| !change.remove_domains.contains(further));
        for further in &change.add_domains {
            if !domain.users_also_in.contains(further) {
                domain.users_also_in.push(further.clone());
            }
        }
        if domain.users_also_in.len() > FURTHER_DOMAINS_MAX {
            return Err(AdminError::invalid(format!(
                "the users of a domain have at most {FURTHER_DOMAINS_MAX} further domains"
            )));
        }
        change.accounts_max.apply(&mut domain.accounts_max);
        change.accounts_per_owner_max.apply(&mut domain.accounts_per_owner_max);
        let mut accounts = Vec::new();
        for account in directory.accounts_of(name) {
            let mut changed = (**account).clone();
            changed.also_in.retain(|further| !change.remove_domains.contains(further));
            still_unnamed(&directory, account, &changed)?;
            leaving.extend(memberships::given_up(&directory, given_up(account, &changed).into_iter()));
            warned.extend(warnings::what_is_left(&directory, account, &changed));
            let missing: Vec<Domain> =
                change.add_domains.iter().filter(|further| !changed.also_in.contains(further)).cloned().collect();
            check_further(&directory, account, &missing)?;
            changed.also_in.extend(missing);
            if changed.also_in != account.also_in {
                accounts.push(changed);
            }
        }
        // A domain without accounts must not remember what can't be either.
        for further in &change.add_domains {
            if further == name || directory.domain(further).is_none_or(|domain| domain.alias_of.is_some()) {
                return Err(AdminError::invalid(format!(
                    "the users of {name} can't have their login in {further} too"
                ))
                .hint("give another domain of this server, which is not an alias of one"));
            }
        }
        (domain, accounts, leaving, warned)
    };
    let mut text = told(&domain, accounts.len());
    let objects = store.objects();
    store.put_object(Object::Domain(domain), PutMode::Replace).await?;
    for some in accounts.chunks(ACCOUNTS_AT_ONCE) {
        let (objects, some) = (objects.clone(), some.to_vec());
        store
            .transact(move |tx: &mut Transaction<'_>| {
                for account in &some {
                    objects.put(tx, Object::Account(account.clone()), PutMode::Replace)?;
                }
                Ok(())
            })
            .await?;
    }
    let lists = memberships::lists(&store.directory(), &leaving);
    let mut left = BTreeSet::new();
    for some in leaving.chunks(LEAVING_AT_ONCE) {
        let (lists, some) = (lists.clone(), some.to_vec());
        left.extend(store.transact(move |tx: &mut Transaction<'_>| memberships::end(tx, &lists, &some)).await?.value);
    }
    text.push_str(&memberships::told(&left.into_iter().collect::<Vec<_>>()));
    let more = warned.len().saturating_sub(WARNED_ADDRESSES_MAX);
    warned.iter().take(WARNED_ADDRESSES_MAX).for_each(|one| text.push_str(&format!("\n{one}")));
    if more > 0 {
        text.push_str(&format!("\nand the same for {more} more accounts"));
    }
    Ok(Response::Done(text))
}

fn told(domain: &routing::objects::DomainObject, changed: usize) -> String {
    let name = &domain.name;
    let limit = |max: Option<u32>| match max {
        None => "as configured".to_owned(),
        Some(0) => "no limit".to_owned(),
        Some(max) => max.to_string(),
    };
    let further = match domain.users_also_in.as_slice() {
        [] => "no further domain".to_owned(),
        names => names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    };
    format!(
        "users of {name} are also in: {further} ({changed} accounts changed); mailboxes at most: {}; of one person: {}",
        limit(domain.accounts_max),
        limit(domain.accounts_per_owner_max),
    )
}

const ACCOUNTS_AT_ONCE: usize = 2_000;

/// Addresses whose memberships one transaction ends: each is looked for in every list.
const LEAVING_AT_ONCE: usize = 50;
