//! Domains.

use mail::{Address, Domain};
use routing::Directory;
use routing::objects::{DomainObject, Object, ObjectKey};
use storage::Store;
use storage::objects::PutMode;

use crate::error::{AdminError, ErrorKind};
use crate::request::DomainRequest;
use crate::response::{DomainView, Response};

pub(crate) async fn execute(store: &Store, request: DomainRequest) -> Result<Response, AdminError> {
    match request {
        DomainRequest::Add { name, catch_all, postmaster, subaddress_separators } => {
            if name.as_literal().is_some() {
                return Err(AdminError::invalid(format!("{name} is an IP address, not a domain")));
            }
            let domain = DomainObject {
                catch_all,
                postmaster,
                subaddress_separators: checked_separators(subaddress_separators.unwrap_or_else(|| "+".to_owned()))?,
                created_at: store.now(),
                ..DomainObject::new(name)
            };
            put(store, domain, PutMode::Add).await
        }
        DomainRequest::List => {
            let directory = store.directory();
            Ok(Response::Domains(directory.domains().map(|domain| view(&directory, domain)).collect()))
        }
        DomainRequest::Show { name } => {
            let directory = store.directory();
            let domain = find(&directory, &name)?;
            Ok(Response::Domain(view(&directory, &domain)))
        }
        DomainRequest::Set { name, catch_all, postmaster, subaddress_separators, enabled } => {
            let mut domain = find(&store.directory(), &name)?;
            catch_all.apply(&mut domain.catch_all);
            postmaster.apply(&mut domain.postmaster);
            if let Some(separators) = subaddress_separators {
                domain.subaddress_separators = checked_separators(separators)?;
            }
            domain.enabled = enabled.unwrap_or(domain.enabled);
            put(store, domain, PutMode::Replace).await
        }
        DomainRequest::Remove { name, force } => remove(store, name, force).await,
    }
}

async fn put(store: &Store, domain: DomainObject, mode: PutMode) -> Result<Response, AdminError> {
    for address in [&domain.catch_all, &domain.postmaster].into_iter().flatten() {
        if address.domain() == &domain.name {
            continue;
        }
        // Elsewhere is allowed; in another domain of ours the address must exist, or mail would be lost in a typing error.
        let directory = store.directory();
        if directory.domain(address.domain()).is_some() {
            known_address(&directory, address)?;
        }
    }
    let name = domain.name.clone();
    let stored = store.put_object(Object::Domain(domain), mode).await;
    match stored {
        Ok(_) => {
            let directory = store.directory();
            let domain = find(&directory, &name)?;
            Ok(Response::Domain(view(&directory, &domain)))
        }
        Err(storage::StorageError::ObjectExists(_)) => {
            let error = AdminError::new(ErrorKind::Exists, format!("the domain {name} is there already"));
            Err(error.hint(format!("`relais domain set {name} …` changes it")))
        }
        Err(error) => Err(error.into()),
    }
}

async fn remove(store: &Store, name: Domain, force: bool) -> Result<Response, AdminError> {
    let (accounts, aliases, responders) = {
        let directory = store.directory();
        find(&directory, &name)?;
        let accounts: Vec<Address> = directory.accounts_of(&name).map(|account| account.address.clone()).collect();
        let aliases = directory.aliases().map(|alias| alias.address.canonical());
        let aliases: Vec<Address> = aliases.filter(|address| address.domain() == &name).collect();
        let responders = directory.responders().filter(|responder| responder.address.domain() == &name);
        let responders: Vec<u64> = responders.map(|responder| responder.id).collect();
        (accounts, aliases, responders)
    };
    let inside = format!("{} accounts, {} aliases, {} responders", accounts.len(), aliases.len(), responders.len());
    let empty = accounts.is_empty() && aliases.is_empty() && responders.is_empty();
    if !empty && !force {
        let error = AdminError::new(ErrorKind::InUse, format!("the domain {name} still has {inside}"));
        return Err(error.hint("--force deletes them too, with all mail of those accounts"));
    }
    for id in responders {
        store.remove_object(ObjectKey::Responder(id)).await?;
    }
    for address in aliases {
        store.remove_object(ObjectKey::Alias(address)).await?;
    }
    for address in accounts {
        store.remove_account(&address).await?;
    }
    // What somebody added since is not removed unseen.
    if let Err(error) = store.remove_domain(&name).await {
        let late = matches!(error, storage::StorageError::NotAllowed(_));
        let error = AdminError::from(error);
        let again = format!("`relais domain remove {name}` again shows it");
        return Err(if late { AdminError { kind: ErrorKind::InUse, ..error.hint(again) } } else { error });
    }
    Ok(Response::Done(format!("removed the domain {name} with {inside}")))
}

/// The domain of that name.
fn find(directory: &Directory, name: &Domain) -> Result<DomainObject, AdminError> {
    match directory.domain(name) {
        Some(domain) => Ok((**domain).clone()),
        None => Err(AdminError::not_found("domain", name.as_str(), directory.domains().map(|d| d.name.to_string()))),
    }
}

/// Refuses an address whose domain is not one of ours, with the list of those that are.
pub(crate) fn must_be_local(directory: &Directory, address: &Address) -> Result<(), AdminError> {
    if directory.domain(address.domain()).is_some() {
        return Ok(());
    }
    let name = address.domain();
    let known: Vec<String> = directory.domains().map(|domain| domain.name.to_string()).collect();
    let error = AdminError::not_found("domain", name.as_str(), known.iter().cloned());
    let near = error.hint.filter(|hint| hint.starts_with("did you mean"));
    let there =
        if known.is_empty() { "there is no domain yet".to_owned() } else { format!("known: {}", known.join(", ")) };
    let add = format!("{there}; `relais domain add {name}` adds it");
    Err(AdminError::new(ErrorKind::NotFound, error.message)
        .hint(near.map_or(add.clone(), |near| format!("{near} {add}"))))
}

/// Refuses an address of ours that leads nowhere.
pub(crate) fn known_address(directory: &Directory, address: &Address) -> Result<(), AdminError> {
    // Whether it is there at all, whatever the hour and its conditions.
    let asking = routing::Asking::server(mail::Timestamp(0));
    let resolution = routing::resolve(directory, &mail::ForwardPath::Address(address.clone()), &asking);
    match resolution.verdict {
        routing::Verdict::Refuse(reason) if resolution.responders.is_empty() => {
            Err(AdminError::invalid(format!("{address} can't be used: {reason}")))
        }
        routing::Verdict::Refuse(_) | routing::Verdict::Accept | routing::Verdict::NotLocal => Ok(()),
    }
}

fn checked_separators(text: String) -> Result<String, AdminError> {
    if text.chars().all(|c| c.is_ascii_punctuation() && !"@.\"\\<>(),:;[]".contains(c)) {
        return Ok(text);
    }
    Err(AdminError::invalid(format!("\"{text}\" can't part subaddresses")).hint("use punctuation such as + or - or _"))
}

fn view(directory: &Directory, domain: &DomainObject) -> DomainView {
    DomainView {
        domain: domain.clone(),
        accounts: directory.accounts_of(&domain.name).count(),
        aliases: directory.aliases().filter(|alias| alias.address.domain() == &domain.name).count(),
    }
}
