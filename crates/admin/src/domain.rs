//! Domains.

use mail::{Address, Domain};
use routing::objects::{DomainObject, Object, ObjectKey, Role};
use routing::{Directory, check_domain};
use storage::objects::PutMode;
use storage::signing_keys::SigningKeyRow;
use storage::{Durability, Store, Transaction};

use crate::discovery::records::{dkim_record, mail_records, records};
use crate::dkim;
use crate::error::{AdminError, ErrorKind, number};
use crate::limits::OBJECTS_AT_ONCE;
use crate::pattern;
use crate::references::{self, Removal};
use crate::request::{DomainContent, DomainRequest};
use crate::response::{DomainView, Response};
use crate::settings::Settings;

pub(crate) async fn execute(
    store: &Store,
    settings: &Settings,
    request: DomainRequest,
) -> Result<Response, AdminError> {
    match request {
        DomainRequest::Add { name, catch_all, postmaster, subaddress_separators, content } => {
            if name.as_literal().is_some() {
                return Err(AdminError::invalid(format!("{name} is an IP address, not a domain")));
            }
            let mut domain = DomainObject {
                catch_all,
                postmaster,
                subaddress_separators: checked_separators(subaddress_separators.unwrap_or_else(|| "+".to_owned()))?,
                created_at: store.now(),
                ..DomainObject::new(name)
            };
            apply(&mut domain, *content);
            let keys = dkim::new_keys(store).await?;
            put(store, domain, PutMode::Add, keys).await
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
        DomainRequest::Set { name, catch_all, postmaster, subaddress_separators, enabled, content } => {
            let mut domain = find(&store.directory(), &name)?;
            catch_all.apply(&mut domain.catch_all);
            postmaster.apply(&mut domain.postmaster);
            if let Some(separators) = subaddress_separators {
                domain.subaddress_separators = checked_separators(separators)?;
            }
            domain.enabled = enabled.unwrap_or(domain.enabled);
            apply(&mut domain, *content);
            put(store, domain, PutMode::Replace, Vec::new()).await
        }
        DomainRequest::Records { name } => {
            let domain = find(&store.directory(), &name)?;
            let reports_to = settings.reports_to.as_ref();
            let mut view = mail_records(&settings.delivery.hostname, reports_to.is_some(), &domain.name);
            for key in dkim::views_of(store, &domain.name).await? {
                view.records.push(dkim_record(key));
            }
            let found = records(&settings.connection, reports_to, &domain.name);
            view.records.extend(found.records);
            view.notes.extend(found.notes);
            Ok(Response::Records(view))
        }
        DomainRequest::Dkim { name, request } => dkim::execute(store, name, request).await,
        DomainRequest::Pattern { name, request } => pattern::execute(store, &name, request).await,
        DomainRequest::Remove { name, force } => remove(store, name, force).await,
    }
}

fn apply(domain: &mut DomainObject, content: DomainContent) {
    content.alias_of.apply(&mut domain.alias_of);
    domain.time_zone = content.time_zone.unwrap_or_else(|| std::mem::take(&mut domain.time_zone));
    domain.language = content.language.unwrap_or_else(|| std::mem::take(&mut domain.language));
    domain.subaddress_folders = content.subaddress_folders.unwrap_or(domain.subaddress_folders);
    let policy = &mut domain.alias_policy;
    policy.makers = content.alias_makers.unwrap_or_else(|| std::mem::take(&mut policy.makers));
    policy.per_person_max = content.aliases_per_person_max.unwrap_or(policy.per_person_max);
    policy.forms = content.alias_forms.unwrap_or_else(|| std::mem::take(&mut policy.forms));
}

/// Writes a domain; a new one with the keys that sign its mail, in one transaction.
async fn put(
    store: &Store,
    domain: DomainObject,
    mode: PutMode,
    keys: Vec<SigningKeyRow>,
) -> Result<Response, AdminError> {
    check_domain(&store.directory(), &domain).map_err(|flaw| AdminError::invalid(flaw.to_string()))?;
    let before = store.directory().domain(&domain.name).cloned();
    let old = |field: fn(&DomainObject) -> &Option<Address>| before.as_ref().and_then(|domain| field(domain).clone());
    let named =
        [(&domain.catch_all, old(|domain| &domain.catch_all)), (&domain.postmaster, old(|domain| &domain.postmaster))];
    for (address, old) in named {
        let Some(address) = address.as_ref().filter(|address| old.as_ref() != Some(address)) else { continue };
        if address.domain() == &domain.name && before.is_some() {
            known_in_its_domain(&store.directory(), address)?;
        }
        // A new domain has no addresses yet: its own may come later.
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
    let objects = store.objects();
    let body = move |tx: &mut Transaction<'_>| {
        objects.put(tx, Object::Domain(domain.clone()), mode)?;
        keys.iter().try_for_each(|key| tx.put_signing_key(&domain.name, key))
    };
    let stored = store.transact(body).await;
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
    let (inside, removal) = {
        let directory = store.directory();
        find(&directory, &name)?;
        if let Some(other) = directory.domains().find(|other| other.alias_of.as_ref() == Some(&name)) {
            let error = AdminError::new(ErrorKind::InUse, format!("{} stands for {name}", other.name));
            return Err(error.hint(format!("`relais domain set {} --no-alias-of` ends that", other.name)));
        }
        (Inside::of(&directory, &name), Removal::of_domain(&directory, &name))
    };
    let told = if inside.is_empty() { ", which had no addresses".to_owned() } else { format!(" with {inside}") };
    if !force && (!inside.is_empty() || !removal.references.is_empty()) {
        return Err(in_use(&name, &inside, &removal));
    }
    // First of all, so that nothing begins to leave for it.
    removal.apply_before(store).await?;
    for id in &inside.externals {
        store.remove_external(*id).await?;
    }
    let responders = inside.responders.iter().map(|id| ObjectKey::Responder(*id));
    let aliases = inside.aliases.iter().map(|address| ObjectKey::Alias(address.clone()));
    remove_all(store, responders.chain(aliases).collect()).await?;
    for address in &inside.lists {
        store.remove_list(address).await?;
    }
    for address in &inside.groups {
        store.remove_group(address).await?;
    }
    for address in &inside.accounts {
        store.remove_account(address).await?;
    }
    forget(store, &name).await?;
    // What somebody added since is not removed unseen.
    if let Err(error) = store.remove_domain(&name).await {
        let late = matches!(error, storage::StorageError::NotAllowed(_));
        let error = AdminError::from(error);
        let again = format!("`relais domain remove {name}` again shows it");
        return Err(if late { AdminError { kind: ErrorKind::InUse, ..error.hint(again) } } else { error });
    }
    let more = references::told_all(&removal);
    let more = if more.is_empty() { more } else { format!("{more}; nothing is sent on to {name}") };
    Ok(Response::Done(format!("removed the domain {name}{told}{more}")))
}

fn in_use(name: &Domain, inside: &Inside, removal: &Removal) -> AdminError {
    let (mut reasons, mut hint) = (Vec::new(), Vec::new());
    if !inside.is_empty() {
        reasons.push(format!("still has {inside}"));
        let mail = if inside.accounts.is_empty() { "" } else { ", with all mail of the accounts" };
        hint.push(format!("deletes them too{mail}"));
    }
    if !removal.references.is_empty() {
        reasons.push(format!("is in use: {}", removal.told()));
        let consequences = removal.consequences();
        hint.push(format!("takes its addresses out of there, since mail would leave for it otherwise{consequences}"));
    }
    let message = format!("the domain {name} {}", reasons.join("; it "));
    AdminError::new(ErrorKind::InUse, message).hint(format!("--force {}", hint.join(", and ")))
}

/// Removes responders and aliases, some thousand in a transaction.
async fn remove_all(store: &Store, keys: Vec<ObjectKey>) -> Result<(), AdminError> {
    for some in keys.chunks(OBJECTS_AT_ONCE) {
        let (objects, some) = (store.objects(), some.to_vec());
        let body = move |tx: &mut Transaction<'_>| {
            for key in &some {
                if objects.get(tx, key)?.is_some() {
                    objects.remove(tx, key)?;
                }
            }
            Ok(())
        };
        store.transact_with(Durability::Freeing, body).await?;
    }
    Ok(())
}

/// Takes a domain that goes out of what others have in it: further addresses (R5), and whom it is administered by.
async fn forget(store: &Store, name: &Domain) -> Result<(), AdminError> {
    let changed: Vec<Object> = {
        let directory = store.directory();
        let accounts = directory.accounts().filter_map(|account| {
            let mut without = (**account).clone();
            without.also_in.retain(|further| further != name);
            without.administers.retain(|administered| administered != name);
            // Who administered nothing else administers nothing: an empty list would mean the domain of their address.
            if without.administers.is_empty() && !account.administers.is_empty() {
                without.role = Role::User;
            }
            (without != **account).then_some(Object::Account(without))
        });
        let domains = directory.domains().filter(|other| other.users_also_in.contains(name)).map(|other| {
            let mut without = (**other).clone();
            without.users_also_in.retain(|further| further != name);
            Object::Domain(without)
        });
        accounts.chain(domains).collect()
    };
    for some in changed.chunks(OBJECTS_AT_ONCE) {
        let (objects, some) = (store.objects(), some.to_vec());
        let body = move |tx: &mut Transaction<'_>| {
            some.iter().try_for_each(|object| objects.put(tx, object.clone(), PutMode::Replace).map(drop))
        };
        store.transact_with(Durability::Freeing, body).await?;
    }
    Ok(())
}

/// What has an address in a domain.
struct Inside {
    accounts: Vec<Address>,
    aliases: Vec<Address>,
    groups: Vec<Address>,
    lists: Vec<Address>,
    responders: Vec<u64>,
    /// They go with their accounts, and with those that are gone already.
    externals: Vec<u64>,
}

impl Inside {
    fn of(directory: &Directory, name: &Domain) -> Self {
        let here = |address: &Address| address.domain() == name;
        let aliases = directory.aliases().map(|alias| alias.address.canonical());
        let groups = directory.groups().map(|group| group.address.clone());
        let lists = directory.lists().map(|list| list.address.clone());
        let externals = directory.externals().filter(|external| here(&external.owner));
        let responders = directory.responders().filter(|responder| here(&responder.address));
        Self {
            accounts: directory.accounts_of(name).map(|account| account.address.clone()).collect(),
            aliases: aliases.filter(here).collect(),
            groups: groups.filter(here).collect(),
            lists: lists.filter(here).collect(),
            responders: responders.map(|responder| responder.id).collect(),
            externals: externals.map(|external| external.id).collect(),
        }
    }

    fn is_empty(&self) -> bool {
        self.accounts.is_empty()
            && self.aliases.is_empty()
            && self.groups.is_empty()
            && self.lists.is_empty()
            && self.responders.is_empty()
            && self.externals.is_empty()
    }
}

impl std::fmt::Display for Inside {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let counts = [
            (self.accounts.len(), "account", "accounts"),
            (self.aliases.len(), "alias", "aliases"),
            (self.groups.len(), "group", "groups"),
            (self.lists.len(), "list", "lists"),
            (self.responders.len(), "responder", "responders"),
            (self.externals.len(), "external account", "external accounts"),
        ];
        let there = counts.into_iter().filter(|(count, ..)| *count > 0);
        let there: Vec<String> = there.map(|(count, one, more)| number(count, one, more)).collect();
        f.write_str(&there.join(", "))
    }
}

/// The domain of that name.
pub(crate) fn find(directory: &Directory, name: &Domain) -> Result<DomainObject, AdminError> {
    match directory.domain(name) {
        Some(domain) => Ok((**domain).clone()),
        None => Err(AdminError::not_found("domain", name.as_str(), directory.domains().map(|d| d.name.to_string()))),
    }
}

/// Refuses an address whose domain is not one of ours, with the list of those that are.
pub(crate) fn must_be_local(directory: &Directory, address: &Address) -> Result<(), AdminError> {
    if let Some(domain) = directory.domain(address.domain()) {
        let Some(target) = &domain.alias_of else { return Ok(()) };
        let error = AdminError::invalid(format!("{} stands for {target} and has no addresses of its own", domain.name));
        return Err(error.hint(format!("make it in {target}: it is there under both names")));
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

/// Refuses an address that is there by the catch-all alone, or by nothing.
fn known_in_its_domain(directory: &Directory, address: &Address) -> Result<(), AdminError> {
    known_address(directory, address)?;
    let asking = routing::Asking::server(mail::Timestamp(0));
    let resolution = routing::resolve(directory, &mail::ForwardPath::Address(address.clone()), &asking);
    let caught = |node: &routing::Node| matches!(node.what, routing::What::CatchAll { .. }).then_some(());
    match resolution.tree.find_map(&mut |node| caught(node)) {
        None => Ok(()),
        Some(()) => {
            let error = AdminError::invalid(format!("{address} can't be used: nothing has this address"));
            Err(error.hint("make the account, alias, group or list first"))
        }
    }
}

/// What has the address `postmaster@` of a domain, and so gets its mail whomever the domain names.
fn postmaster_object(directory: &Directory, domain: &Domain) -> Option<String> {
    let address = Address::new("postmaster", domain.clone()).ok()?;
    let what = if directory.account_at(&address).is_some() {
        "account"
    } else if directory.alias(&address).is_some() {
        "alias"
    } else if directory.group(&address).is_some() {
        "group"
    } else {
        directory.list(&address).map(|_| "list")?
    };
    Some(format!("{what} {address}"))
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
        postmaster_object: postmaster_object(directory, &domain.name),
        accounts: directory.accounts_of(&domain.name).count(),
        aliases: directory.aliases().filter(|alias| alias.address.domain() == &domain.name).count(),
        groups: directory.groups().filter(|group| group.address.domain() == &domain.name).count(),
        lists: directory.lists().filter(|list| list.address.domain() == &domain.name).count(),
    }
}
