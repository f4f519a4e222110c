//! Aliases. Whether one can be is `routing::check_alias`'s decision.

use mail::Address;
use routing::objects::{AliasObject, Object, ObjectKey, Target};
use routing::{Directory, check_alias};
use storage::Store;
use storage::objects::PutMode;

use crate::domain::must_be_local;
use crate::error::{AdminError, ErrorKind};
use crate::limits::NOTE_OCTETS_MAX;
use crate::request::AliasRequest;
use crate::response::Response;

pub(crate) async fn execute(store: &Store, request: AliasRequest) -> Result<Response, AdminError> {
    match request {
        AliasRequest::Add { address, targets, note } => {
            let there = store.directory().alias(&address).map(|alias| (**alias).clone());
            let mode = if there.is_some() { PutMode::Replace } else { PutMode::AddInDomain };
            let created_at = store.now();
            let mut alias =
                there.unwrap_or_else(|| AliasObject { created_at, ..AliasObject::new(address, Vec::new()) });
            add_up(&mut alias.targets, targets);
            alias.note = note.unwrap_or(alias.note);
            put(store, alias, mode).await
        }
        AliasRequest::List { domain } => {
            let directory = store.directory();
            let of_domain = |alias: &AliasObject| domain.as_ref().is_none_or(|name| alias.address.domain() == name);
            let mut aliases: Vec<AliasObject> =
                directory.aliases().filter(|alias| of_domain(alias)).map(|alias| (**alias).clone()).collect();
            aliases.sort_by(|a, b| (a.address.domain(), &a.address).cmp(&(b.address.domain(), &b.address)));
            Ok(Response::Aliases(aliases))
        }
        AliasRequest::Show { address } => Ok(Response::Alias(find(&store.directory(), &address)?)),
        AliasRequest::Set { address, targets, note, enabled } => {
            let mut alias = find(&store.directory(), &address)?;
            if let Some(targets) = targets {
                alias.targets.clear();
                add_up(&mut alias.targets, targets);
            }
            alias.note = note.unwrap_or(alias.note);
            alias.enabled = enabled.unwrap_or(alias.enabled);
            put(store, alias, PutMode::Replace).await
        }
        AliasRequest::Remove { address, targets } => remove(store, &address, &targets).await,
    }
}

/// R3: redirects add up, each once.
fn add_up(targets: &mut Vec<Target>, more: Vec<Target>) {
    for target in more {
        if !targets.iter().any(|known| same(known, &target)) {
            targets.push(target);
        }
    }
}

fn same(a: &Target, b: &Target) -> bool {
    match (a, b) {
        (Target::Address(a), Target::Address(b)) => a.same_mailbox(b),
        (a, b) => a == b,
    }
}

async fn put(store: &Store, alias: AliasObject, mode: PutMode) -> Result<Response, AdminError> {
    if alias.note.len() > NOTE_OCTETS_MAX {
        return Err(AdminError::invalid(format!("the note is longer than {NOTE_OCTETS_MAX} octets")));
    }
    {
        let directory = store.directory();
        must_be_local(&directory, &alias.address)?;
        check_alias(&directory, &alias).map_err(|flaw| AdminError::invalid(flaw.to_string()))?;
    }
    store.put_object(Object::Alias(alias.clone()), mode).await?;
    Ok(Response::Alias(alias))
}

async fn remove(store: &Store, address: &Address, targets: &[Target]) -> Result<Response, AdminError> {
    let mut alias = find(&store.directory(), address)?;
    if targets.is_empty() {
        store.remove_object(ObjectKey::Alias(alias.address.canonical())).await?;
        return Ok(Response::Done(format!("removed the alias {}", alias.address)));
    }
    for target in targets {
        let Some(place) = alias.targets.iter().position(|known| same(known, target)) else {
            let named = String::from(target.clone());
            let error = AdminError::new(ErrorKind::NotFound, format!("{} does not lead to \"{named}\"", alias.address));
            return Err(error.hint(format!("`relais alias show {}` lists where it leads", alias.address)));
        };
        alias.targets.remove(place);
    }
    if alias.targets.is_empty() {
        let error = AdminError::invalid(format!("{} would lead nowhere", alias.address));
        return Err(error.hint(format!("`relais alias remove {}` deletes the whole alias", alias.address)));
    }
    store.put_object(Object::Alias(alias.clone()), PutMode::Replace).await?;
    Ok(Response::Alias(alias))
}

fn find(directory: &Directory, address: &Address) -> Result<AliasObject, AdminError> {
    match directory.alias(address) {
        Some(alias) => Ok((**alias).clone()),
        None => {
            let known = directory.aliases().map(|alias| alias.address.canonical().to_string());
            Err(AdminError::not_found("alias", &address.canonical().to_string(), known))
        }
    }
}
