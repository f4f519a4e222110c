//! Accounts.

mod add;
mod addresses;
pub mod departures;
mod identity;
mod leaving;
mod password;
mod places;
mod remove;
mod returning;
mod set;
mod ways_out;

use std::collections::HashSet;
use std::sync::Arc;

use mail::{AccountId, Address};
use routing::Directory;
use routing::objects::{AccountKind, AccountObject, AliasObject, Target, owner_key};
use routing::responders::is_zone;
use storage::Store;

use crate::asked::Asked;
use crate::error::AdminError;
use crate::letters;
use crate::limits::NOTE_OCTETS_MAX;
use crate::request::AccountRequest;
use crate::response::{AccountView, Leading, Redirect, Response, SubmittedView};
use crate::settings::Settings;

pub(crate) use add::check_new;

pub(crate) async fn execute(
    store: &Store,
    settings: &Settings,
    asked: &Asked<'_>,
    request: AccountRequest,
) -> Result<Response, AdminError> {
    match request {
        AccountRequest::Add(new) => Ok(Response::Account(Box::new(add::add(store, settings, asked, new).await?))),
        AccountRequest::Import { accounts } => add::import(store, settings, asked, accounts).await,
        AccountRequest::List { domain, owner } => {
            let directory = store.directory();
            // An owner is compared as accounts are.
            let owner = owner.map(|owner| owner_key(&owner));
            let theirs = |account: &&Arc<AccountObject>| {
                domain.as_ref().is_none_or(|name| account.address.domain() == name)
                    && owner.as_ref().is_none_or(|owner| account.owner_key() == *owner)
            };
            Ok(Response::Accounts(directory.accounts().filter(theirs).map(|one| AccountView::from(&**one)).collect()))
        }
        AccountRequest::Show { address } => show(store, &address).await,
        AccountRequest::Settings { address, language } => {
            let account = find_at(&store.directory(), &address)?;
            let language = letters::language(language.as_deref().unwrap_or(&account.language));
            Ok(Response::Connection(Box::new(letters::connection(&settings.connection, &account, language))))
        }
        AccountRequest::Password { address, old, new } => {
            password::change(store, settings, asked, &address, old, new).await
        }
        AccountRequest::Strength { address, password, language } => {
            password::strength(store, settings, address, password, language).await
        }
        AccountRequest::Rules { address, terms } => set::rules(store, asked, &address, *terms).await,
        set @ AccountRequest::Set { .. } => set::set(store, settings, asked, set).await,
        AccountRequest::Aliases { address, add, remove } => {
            {
                let _edit = asked.hold().await?;
                addresses::aliases(store, &address, &add, &remove).await?;
            }
            show(store, &address).await
        }
        AccountRequest::Identity(request) => identity::execute(store, asked, request).await,
        AccountRequest::UsersOf { domain, add_domains, remove_domains, accounts_max, accounts_per_owner_max } => {
            let _edit = asked.hold().await?;
            let change = addresses::UsersChange { add_domains, remove_domains, accounts_max, accounts_per_owner_max };
            addresses::users_of(store, &domain, change).await
        }
        AccountRequest::Remove { address, force } => {
            let _edit = asked.hold().await?;
            remove::remove(store, &address, force).await
        }
        AccountRequest::OffBoard(request) => leaving::leave(store, settings, asked, request).await,
        AccountRequest::OffBoardUndo { address } => returning::undo(store, asked, &address).await,
    }
}

async fn show(store: &Store, address: &Address) -> Result<Response, AdminError> {
    let (account, leading, redirects) = {
        let directory = store.directory();
        let account = find_at(&directory, address)?;
        let leading = leading(&directory, &account);
        let redirects = redirects(&directory, &account);
        (account, leading, redirects)
    };
    let mut view = AccountView::from(&account);
    let (messages, octets) = usage(store, account.id).await?;
    (view.messages, view.octets) = (Some(messages), Some(octets));
    view.mailboxes = Some(store.mailboxes(account.id).await?.len() as u64);
    (view.leading, view.redirects) = (leading, redirects);
    view.submitted = Some(SubmittedView::of(&account.submission, &store.submitted(account.id).await?));
    Ok(Response::Account(Box::new(view)))
}

/// The aliases and groups that lead to an account, by whatever way, in order of address.
fn leading(directory: &Directory, account: &AccountObject) -> Vec<Leading> {
    let mut reached: HashSet<Address> = account.addresses().map(|address| address.canonical()).collect();
    let own = reached.clone();
    let in_domain = |name: &mail::Domain| {
        account.kind == AccountKind::Person && account.addresses().any(|address| address.domain() == name)
    };
    let mut found: Vec<Leading> = Vec::new();
    loop {
        let before = found.len();
        for alias in directory.aliases() {
            let address = alias.address.canonical();
            if found.iter().any(|known| known.address.same_mailbox(&address)) {
                continue;
            }
            let names = |among: &HashSet<Address>| {
                alias.targets.iter().any(|target| match target {
                    Target::Address(target) => among.contains(&target.canonical()),
                    Target::AllUsers => in_domain(address.domain()),
                    Target::Blackhole | Target::Fail(_) => false,
                })
            };
            if names(&reached) {
                found.push(Leading { address: alias.address.clone(), what: "alias".to_owned(), direct: names(&own) });
                reached.insert(address);
            }
        }
        if found.len() == before {
            break;
        }
    }
    let member = |members: &[Address]| members.iter().any(|member| own.contains(&member.canonical()));
    for group in directory.groups().filter(|group| member(&group.members)) {
        found.push(Leading { address: group.address.clone(), what: "group".to_owned(), direct: true });
    }
    found.sort_by(|a, b| a.address.cmp(&b.address));
    found
}

/// Where the aliases at an account's own addresses lead.
fn redirects(directory: &Directory, account: &AccountObject) -> Vec<Redirect> {
    let beside = account.addresses().filter_map(|address| directory.alias(&address).cloned());
    let of = |alias: Arc<AliasObject>| {
        let at = alias.address.clone();
        alias.targets.clone().into_iter().map(move |to| Redirect { address: at.clone(), to })
    };
    beside.flat_map(of).collect()
}

/// The account with this primary address.
pub(crate) fn find(directory: &Directory, address: &Address) -> Result<AccountObject, AdminError> {
    match directory.account(address) {
        Some(account) => Ok((**account).clone()),
        None => {
            let known = directory.accounts().map(|account| account.address.canonical().to_string());
            let error = AdminError::not_found("account", &address.canonical().to_string(), known);
            Err(match directory.account_at(address) {
                Some(account) => error.hint(format!("it is a further address of {}", account.address)),
                None => error,
            })
        }
    }
}

/// The account with this address, primary or further: for those who only look, or speak of their own.
pub(crate) fn find_at(directory: &Directory, address: &Address) -> Result<AccountObject, AdminError> {
    directory.account_at(address).map_or_else(|| find(directory, address), |account| Ok((**account).clone()))
}

pub(crate) async fn usage(store: &Store, account: AccountId) -> Result<(u64, u64), AdminError> {
    let mailboxes = store.mailboxes(account).await?;
    let messages = mailboxes.iter().map(|mailbox| u64::from(mailbox.messages)).sum();
    Ok((messages, mailboxes.iter().map(|mailbox| mailbox.octets).fold(0, u64::saturating_add)))
}

/// What no account may be.
fn check(account: &AccountObject) -> Result<(), AdminError> {
    for text in [&account.display_name, &account.owner] {
        if text.len() > NOTE_OCTETS_MAX || text.chars().any(char::is_control) {
            return Err(AdminError::invalid("the name is too long or has a control character"));
        }
    }
    if account.note.len() > NOTE_OCTETS_MAX {
        return Err(AdminError::invalid(format!("the note is longer than {NOTE_OCTETS_MAX} octets")));
    }
    if !["en", "fr"].contains(&account.language.as_str()) {
        return Err(AdminError::invalid(format!("the language \"{}\" is not known; use en or fr", account.language)));
    }
    if !is_zone(&account.time_zone) {
        let error = AdminError::invalid(format!("\"{}\" is no time zone", account.time_zone));
        return Err(error.hint("use an IANA name such as Europe/Paris or UTC"));
    }
    if account.recovery.as_ref().is_some_and(|recovery| account.addresses().any(|own| own.same_mailbox(recovery))) {
        let error = AdminError::invalid("the recovery address is the account's own: it would not help");
        return Err(error.hint("give an address that the person reads elsewhere"));
    }
    Ok(())
}
