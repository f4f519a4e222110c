//! Aliases. Whether one can be is `routing::check_alias`'s decision; whether a person may make it for themselves,
//! `routing::may_make_alias`'s.

use mail::{Address, Domain};
use routing::objects::{AccountObject, AliasObject, Object, ObjectKey, Target};
use routing::{Directory, check_alias, has_expired, may_make_alias, random_local_part};
use storage::objects::PutMode;
use storage::{StorageError, Store};

use crate::account;
use crate::domain::must_be_local;
use crate::error::{AdminError, ErrorKind};
use crate::limits::NOTE_OCTETS_MAX;
use crate::references::{self, Reference, Removal};
use crate::request::AliasRequest;
use crate::response::{AliasView, FirstUseView, Response};
use crate::warnings;

pub(crate) async fn execute(store: &Store, request: AliasRequest) -> Result<Response, AdminError> {
    match request {
        AliasRequest::Add { address, targets, note, terms } => {
            let there = store.directory().alias(&address).map(|alias| (**alias).clone());
            terms.must_be_to_come(&store.directory(), address.domain(), store.now())?;
            let mode = if there.is_some() { PutMode::Replace } else { PutMode::AddInDomain };
            let created_at = store.now();
            let mut alias =
                there.unwrap_or_else(|| AliasObject { created_at, ..AliasObject::new(address, Vec::new()) });
            add_up(&mut alias.targets, targets);
            alias.note = note.unwrap_or(alias.note);
            alias.deputies_when_away = terms.deputies_when_away.unwrap_or(alias.deputies_when_away);
            terms.apply(&mut alias.rules).apply(&mut alias.when_away);
            put(store, alias, mode).await
        }
        AliasRequest::Make { account, address, domain, note } => make(store, &account, address, domain, note).await,
        AliasRequest::List { domain, made_by } => list(store, domain.as_ref(), made_by.as_ref()).await,
        AliasRequest::Show { address, by } => {
            let alias = find(&store.directory(), &address)?;
            must_be_own(store, &alias, by.as_ref())?;
            view(store, alias).await
        }
        AliasRequest::Set { address, targets, note, enabled, terms, by } => {
            let mut alias = find(&store.directory(), &address)?;
            must_be_own(store, &alias, by.as_ref())?;
            terms.must_be_to_come(&store.directory(), address.domain(), store.now())?;
            if by.is_some() && (targets.is_some() || *terms != crate::Terms::default()) {
                return Err(AdminError::invalid(
                    "of their own aliases people change the note, and switch them on and off",
                ));
            }
            if let Some(targets) = targets {
                alias.targets.clear();
                add_up(&mut alias.targets, targets);
            }
            alias.note = note.unwrap_or(alias.note);
            alias.enabled = enabled.unwrap_or(alias.enabled);
            alias.deputies_when_away = terms.deputies_when_away.unwrap_or(alias.deputies_when_away);
            terms.apply(&mut alias.rules).apply(&mut alias.when_away);
            put(store, alias, PutMode::Replace).await
        }
        AliasRequest::Remove { address, targets, by, force } => {
            let alias = find(&store.directory(), &address)?;
            must_be_own(store, &alias, by.as_ref())?;
            if targets.is_empty() {
                return remove(store, &alias, by.as_ref(), force).await;
            }
            remove_targets(store, alias, &targets).await
        }
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
    checked(&store.directory(), &alias)?;
    store.put_object(Object::Alias(alias.clone()), mode).await?;
    let targets = alias.targets.iter().filter_map(|target| match target {
        Target::Address(address) => Some(address),
        Target::Blackhole | Target::Fail(_) | Target::AllUsers => None,
    });
    let mut warnings = warnings::beyond_ascii(&store.directory(), targets.chain(&alias.when_away));
    warnings.extend(warnings::everybody_by_anybody(&alias));
    let view = with_first_use(store, alias).await?;
    Ok(Response::Alias(Box::new(AliasView { warnings, ..view })))
}

fn checked(directory: &Directory, alias: &AliasObject) -> Result<(), AdminError> {
    if alias.note.len() > NOTE_OCTETS_MAX {
        return Err(AdminError::invalid(format!("the note is longer than {NOTE_OCTETS_MAX} octets")));
    }
    must_be_local(directory, &alias.address)?;
    check_alias(directory, alias).map_err(|flaw| AdminError::invalid(flaw.to_string()))
}

async fn view(store: &Store, alias: AliasObject) -> Result<Response, AdminError> {
    Ok(Response::Alias(Box::new(with_first_use(store, alias).await?)))
}

async fn with_first_use(store: &Store, alias: AliasObject) -> Result<AliasView, AdminError> {
    let first = store.first_use(&alias.address).await?;
    let owner = alias.made_by.and_then(|id| store.directory().account_by_id(id).map(|account| account.address.clone()));
    let first_use = first.map(|first| FirstUseView { from: first.reverse_path.to_string(), at: first.at });
    let expired = has_expired(&store.directory(), &alias.rules, alias.address.domain(), store.now());
    Ok(AliasView { alias, expired, owner, first_use, warnings: Vec::new() })
}

async fn list(store: &Store, domain: Option<&Domain>, made_by: Option<&Address>) -> Result<Response, AdminError> {
    let mut aliases: Vec<AliasObject> = {
        let directory = store.directory();
        let maker = made_by.map(|login| account::find(&directory, login)).transpose()?.map(|account| account.id);
        let wanted = |alias: &AliasObject| {
            domain.is_none_or(|name| alias.address.domain() == name) && (maker.is_none() || alias.made_by == maker)
        };
        directory.aliases().filter(|alias| wanted(alias)).map(|alias| (**alias).clone()).collect()
    };
    aliases.sort_by(|a, b| (a.address.domain(), &a.address).cmp(&(b.address.domain(), &b.address)));
    let mut views = Vec::with_capacity(aliases.len());
    for alias in aliases {
        views.push(with_first_use(store, alias).await?);
    }
    Ok(Response::Aliases(views))
}

/// Makes an alias on behalf of a person: the one named, or a random one.
async fn make(
    store: &Store,
    login: &Address,
    address: Option<Address>,
    domain: Option<Domain>,
    note: Option<String>,
) -> Result<Response, AdminError> {
    let account = account::find(&store.directory(), login)?;
    let named = address.as_ref().map(|address| address.domain().clone());
    let domain = named.or(domain).unwrap_or_else(|| account.address.domain().clone());
    may_make_alias(&store.directory(), &account, &domain, address.as_ref())
        .map_err(|flaw| AdminError::invalid(flaw.to_string()))?;
    let wanted = |address| AliasObject {
        note: note.clone().unwrap_or_default(),
        made_by: Some(account.id),
        created_at: store.now(),
        ..AliasObject::new(address, vec![Target::Address(account.address.clone())])
    };
    if let Some(address) = address {
        return add_new(store, wanted(address), &account).await;
    }
    for _ in 0..RANDOM_TRIES {
        let mut chance = [0; 8];
        store.world().chance.fill(&mut chance);
        let local = random_local_part(chance);
        let address = Address::new(&local, domain.clone()).map_err(|flaw| AdminError::invalid(flaw.to_string()))?;
        match add_new(store, wanted(address), &account).await {
            Err(error) if error.kind == ErrorKind::Exists => {}
            done => return done,
        }
    }
    Err(AdminError::new(ErrorKind::Unavailable, "no free random address was found, try again"))
}

/// A person's alias is new, and leads to their mailbox: never beside or over something there is.
async fn add_new(store: &Store, alias: AliasObject, account: &AccountObject) -> Result<Response, AdminError> {
    let taken = {
        let directory = store.directory();
        directory.alias(&alias.address).is_some()
            || directory.account_at(&alias.address).is_some()
            || directory.responders_at(&alias.address).next().is_some()
    };
    let exists = || {
        AdminError::new(
            ErrorKind::Exists,
            format!("{} is taken; choose another for {}", alias.address, account.address),
        )
    };
    if taken {
        return Err(exists());
    }
    checked(&store.directory(), &alias)?;
    match store.put_object(Object::Alias(alias.clone()), PutMode::AddInDomain).await {
        Ok(_) => view(store, alias).await,
        Err(StorageError::ObjectExists(_)) => Err(exists()),
        Err(error) => Err(error.into()),
    }
}

/// On a person's behalf only what they made is shown or changed.
fn must_be_own(store: &Store, alias: &AliasObject, by: Option<&Address>) -> Result<(), AdminError> {
    let Some(login) = by else { return Ok(()) };
    let account = account::find(&store.directory(), login)?;
    if alias.made_by == Some(account.id) {
        return Ok(());
    }
    let error =
        AdminError::new(ErrorKind::NotFound, format!("{} is no alias that {} made", alias.address, account.address));
    Err(error.hint(format!("`relais alias list --made-by {}` lists those", account.address)))
}

/// Deletes an alias, with what leads to it when that is wanted.
async fn remove(store: &Store, alias: &AliasObject, by: Option<&Address>, force: bool) -> Result<Response, AdminError> {
    let key = ObjectKey::Alias(alias.address.canonical());
    let removal = {
        let directory = store.directory();
        let removal = Removal::of(&directory, &key);
        if let Some(login) = by {
            must_be_theirs(&account::find(&directory, login)?, alias, &removal)?;
        }
        removal
    };
    if !force && !removal.references.is_empty() {
        let message = format!("the alias {} is in use: {}", alias.address, removal.told());
        let hint = format!("--force deletes it and takes it out of there{}", removal.consequences());
        return Err(AdminError::new(ErrorKind::InUse, message).hint(hint));
    }
    let told = references::told_all(&removal);
    references::remove_object(store, key, removal).await?;
    Ok(Response::Done(format!("removed the alias {}{told}", alias.address)))
}

/// On a person's behalf nothing is changed that is not theirs, nor named.
fn must_be_theirs(account: &AccountObject, alias: &AliasObject, removal: &Removal) -> Result<(), AdminError> {
    let own = |at: &Address| account.addresses().any(|own| own.same_mailbox(at));
    let theirs = |one: &Reference| match &one.holder {
        ObjectKey::Alias(_) => one.made_by == Some(account.id),
        ObjectKey::Account(_) | ObjectKey::Responder(_) => one.at.as_ref().is_some_and(own),
        ObjectKey::Domain(_)
        | ObjectKey::Group(_)
        | ObjectKey::List(_)
        | ObjectKey::External(_)
        | ObjectKey::Filters(_) => false,
    };
    if removal.all(theirs) {
        return Ok(());
    }
    let message = format!("others' addresses lead to {}", alias.address);
    let hint = "an administrator can remove it; you can switch it off with `relais alias set`";
    Err(AdminError::new(ErrorKind::InUse, message).hint(hint))
}

async fn remove_targets(store: &Store, mut alias: AliasObject, targets: &[Target]) -> Result<Response, AdminError> {
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
    view(store, alias).await
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

const RANDOM_TRIES: usize = 8;
