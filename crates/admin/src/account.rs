//! Accounts.

use auth::{Password, PasswordParams, generate_password, hash_password, is_password_hash};
use futures_util::StreamExt;
use mail::{AccountId, Address};
use routing::Directory;
use routing::objects::{AccountObject, AliasObject, Object, ObjectKey, Target};
use storage::objects::PutMode;
use storage::{StorageError, Store};
use world::World;

use crate::Settings;
use crate::domain::must_be_local;
use crate::error::{AdminError, ErrorKind};
use crate::group;
use crate::limits::{IMPORT_ACCOUNTS_MAX, IMPORT_AT_ONCE, NOTE_OCTETS_MAX, PASSWORD_CHARACTERS_MIN};
use crate::request::{AccountRequest, NewAccount};
use crate::response::{AccountView, ImportReport, Response};

pub(crate) async fn execute(
    store: &Store,
    settings: Settings,
    request: AccountRequest,
) -> Result<Response, AdminError> {
    match request {
        AccountRequest::Add(new) => Ok(Response::Account(add(store, settings, new).await?)),
        AccountRequest::Import { accounts } => import(store, settings, accounts).await,
        AccountRequest::List { domain } => {
            let directory = store.directory();
            let views = match &domain {
                None => directory.accounts().map(|account| AccountView::from(&**account)).collect(),
                Some(name) => directory.accounts_of(name).map(|account| AccountView::from(&**account)).collect(),
            };
            Ok(Response::Accounts(views))
        }
        AccountRequest::Show { address } => {
            let account = find(&store.directory(), &address)?;
            let mut view = AccountView::from(&account);
            let (messages, octets) = usage(store, account.id).await?;
            (view.messages, view.octets) = (Some(messages), Some(octets));
            Ok(Response::Account(view))
        }
        AccountRequest::Set {
            address,
            display_name,
            password,
            generate_password,
            role,
            quota_octets,
            time_zone,
            language,
            enabled,
        } => {
            let mut account = find(&store.directory(), &address)?;
            let mut generated = None;
            if password.is_some() || generate_password {
                let (hash, told) = hash(store.world(), settings.password, password).await?;
                account.password_hash = Some(hash);
                generated = told;
            }
            account.display_name = display_name.unwrap_or(account.display_name);
            account.role = role.unwrap_or(account.role);
            quota_octets.apply(&mut account.quota_octets);
            account.time_zone = time_zone.unwrap_or(account.time_zone);
            account.language = language.unwrap_or(account.language);
            account.enabled = enabled.unwrap_or(account.enabled);
            check(&account)?;
            let mut view = AccountView::from(&account);
            store.put_object(Object::Account(account), PutMode::Replace).await?;
            view.generated_password = generated;
            Ok(Response::Account(view))
        }
        AccountRequest::Remove { address, force } => remove(store, &address, force).await,
    }
}

async fn add(store: &Store, settings: Settings, new: NewAccount) -> Result<AccountView, AdminError> {
    must_be_local(&store.directory(), &new.address)?;
    let exists = || {
        let error = AdminError::new(ErrorKind::Exists, format!("the account {} is there already", new.address));
        error.hint(format!("`relais account set {} …` changes it", new.address))
    };
    if store.directory().account(&new.address).is_some() {
        return Err(exists());
    }
    let mut account = AccountObject {
        display_name: new.display_name.clone(),
        role: new.role,
        quota_octets: new.quota_octets,
        time_zone: new.time_zone.clone().unwrap_or_else(|| "UTC".to_owned()),
        language: new.language.clone().unwrap_or_else(|| "en".to_owned()),
        created_at: store.now(),
        ..AccountObject::new(new.address.clone())
    };
    check(&account)?;
    let generated = match (&new.password, &new.password_hash) {
        (Some(_), Some(_)) => return Err(AdminError::invalid("give a password or its hash, not both")),
        (None, Some(hash)) if is_password_hash(hash) => {
            account.password_hash = Some(hash.clone());
            None
        }
        (None, Some(_)) => {
            let error = AdminError::invalid(format!("{}: the password hash is not Argon2id in PHC form", new.address));
            return Err(error.hint("it looks like $argon2id$v=19$m=19456,t=2,p=1$…$…"));
        }
        (password, None) => {
            let (hash, generated) = hash(store.world(), settings.password, password.clone()).await?;
            account.password_hash = Some(hash);
            generated
        }
    };
    match store.add_account_in_domain(account).await {
        Ok(done) => Ok(AccountView { generated_password: generated, ..AccountView::from(&done.value) }),
        Err(StorageError::ObjectExists(_)) => Err(exists()),
        Err(error) => Err(error.into()),
    }
}

/// Adds many at a time: they share syncs, and hashing uses every core.
async fn import(store: &Store, settings: Settings, accounts: Vec<NewAccount>) -> Result<Response, AdminError> {
    if accounts.len() > IMPORT_ACCOUNTS_MAX {
        return Err(AdminError::invalid(format!("one import takes at most {IMPORT_ACCOUNTS_MAX} accounts")));
    }
    for new in &accounts {
        must_be_local(&store.directory(), &new.address)?;
    }
    let mut report = ImportReport::default();
    let adding = accounts.into_iter().map(|new| add(store, settings, new));
    let mut results = futures_util::stream::iter(adding).buffer_unordered(IMPORT_AT_ONCE);
    while let Some(result) = results.next().await {
        match result {
            Ok(mut view) => {
                report.added += 1;
                report.generated_passwords.extend(view.generated_password.take().map(|told| (view.address, told)));
            }
            Err(error) if error.kind == ErrorKind::Exists => report.present += 1,
            Err(error) => return Err(error),
        }
    }
    report.generated_passwords.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(Response::Imported(report))
}

async fn remove(store: &Store, address: &Address, force: bool) -> Result<Response, AdminError> {
    let account = find(&store.directory(), address)?;
    let (messages, _) = usage(store, account.id).await?;
    let aliases = aliases_naming(&store.directory(), &account.address);
    let groups = group::groups_naming(&store.directory(), &account.address);
    if !force && (messages > 0 || !aliases.is_empty() || !groups.is_empty()) {
        let names: Vec<String> = aliases.iter().map(|alias| alias.address.to_string()).collect();
        let mut reasons = Vec::new();
        if messages > 0 {
            reasons.push(format!("it holds {messages} messages"));
        }
        if !names.is_empty() {
            reasons.push(format!("aliases lead to it: {}", names.join(", ")));
        }
        if !groups.is_empty() {
            let names: Vec<String> = groups.iter().map(|group| group.address.to_string()).collect();
            reasons.push(format!("groups name it: {}", names.join(", ")));
        }
        let message = format!("the account {} is in use: {}", account.address, reasons.join("; "));
        let hint = "--force deletes the account with its mail, and takes it out of those aliases and groups";
        return Err(AdminError::new(ErrorKind::InUse, message).hint(hint));
    }
    let mut undone = 0;
    for mut alias in aliases {
        alias.targets.retain(|target| !names_account(target, &account.address));
        undone += 1;
        if alias.targets.is_empty() {
            store.remove_object(ObjectKey::Alias(alias.address.canonical())).await?;
        } else {
            store.put_object(Object::Alias(alias), PutMode::Replace).await?;
        }
    }
    let left = group::take_out(store, groups, &account.address).await?;
    group::take_out_of_fallbacks(store, &account.address).await?;
    store.remove_account(&account.address).await?;
    let mut more = if undone > 0 { format!(", and took it out of {undone} aliases") } else { String::new() };
    if left > 0 {
        more.push_str(&format!(", and took it out of {left} groups"));
    }
    Ok(Response::Done(format!("removed the account {} with {messages} messages{more}", account.address)))
}

/// The aliases that lead to an address by name.
fn aliases_naming(directory: &Directory, address: &Address) -> Vec<AliasObject> {
    let naming = directory.aliases().filter(|alias| alias.targets.iter().any(|target| names_account(target, address)));
    let mut naming: Vec<AliasObject> = naming.map(|alias| (**alias).clone()).collect();
    naming.sort_by(|a, b| a.address.cmp(&b.address));
    naming
}

fn names_account(target: &Target, address: &Address) -> bool {
    matches!(target, Target::Address(target) if target.same_mailbox(address))
}

/// The account of that address.
pub(crate) fn find(directory: &Directory, address: &Address) -> Result<AccountObject, AdminError> {
    match directory.account(address) {
        Some(account) => Ok((**account).clone()),
        None => {
            let known = directory.accounts().map(|account| account.address.canonical().to_string());
            Err(AdminError::not_found("account", &address.canonical().to_string(), known))
        }
    }
}

async fn usage(store: &Store, account: AccountId) -> Result<(u64, u64), AdminError> {
    let mailboxes = store.mailboxes(account).await?;
    let messages = mailboxes.iter().map(|mailbox| u64::from(mailbox.messages)).sum();
    Ok((messages, mailboxes.iter().map(|mailbox| mailbox.octets).fold(0, u64::saturating_add)))
}

/// What no account may be.
fn check(account: &AccountObject) -> Result<(), AdminError> {
    if account.display_name.len() > NOTE_OCTETS_MAX || account.display_name.chars().any(char::is_control) {
        return Err(AdminError::invalid("the name is too long or has a control character"));
    }
    if !["en", "fr"].contains(&account.language.as_str()) {
        return Err(AdminError::invalid(format!("the language \"{}\" is not known; use en or fr", account.language)));
    }
    if jiff::tz::TimeZone::get(&account.time_zone).is_err() {
        let error = AdminError::invalid(format!("\"{}\" is no time zone", account.time_zone));
        return Err(error.hint("use an IANA name such as Europe/Paris or UTC"));
    }
    Ok(())
}

/// Checks and hashes a password, or a generated one, which is told.
async fn hash(
    world: &World,
    params: PasswordParams,
    password: Option<Password>,
) -> Result<(String, Option<Password>), AdminError> {
    let generated = password.is_none().then(|| generate_password(&*world.chance));
    let password = match password {
        Some(password) => password,
        None => generated.clone().unwrap_or_else(|| Password::from("")),
    };
    if password.expose().chars().count() < PASSWORD_CHARACTERS_MIN {
        let error = AdminError::invalid(format!("a password needs at least {PASSWORD_CHARACTERS_MIN} characters"));
        return Err(error.hint("without one, Relais generates a good one and shows it"));
    }
    if password.expose().chars().any(char::is_control) {
        return Err(AdminError::invalid("a password can't have control characters: mail programs could not send it"));
    }
    let chance = world.chance.clone();
    let hashing = tokio::task::spawn_blocking(move || hash_password(password.expose(), params, &*chance));
    let hash = hashing.await.map_err(|_| AdminError::new(ErrorKind::Unavailable, "hashing was interrupted"))?;
    Ok((hash.map_err(|error| AdminError::invalid(error.to_string()))?, generated))
}
