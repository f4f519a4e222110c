//! New accounts, one or many, with the letters that tell of them (M1, M2).

use std::collections::HashMap;

use delivery::{Letter, MailboxLetter, Prepared};
use futures_util::StreamExt;
use mail::{Address, Domain};
use routing::check_account;
use routing::objects::AccountObject;
use storage::objects::PutMode;
use storage::{StorageError, Store, Transaction};
use world::BoxFuture;

use crate::asked::Asked;
use crate::domain::must_be_local;
use crate::error::{AdminError, ErrorKind};
use crate::letters;
use crate::limits::{IMPORT_ACCOUNTS_MAX, IMPORT_AT_ONCE, IMPORT_HASHES_AT_ONCE};
use crate::request::NewAccount;
use crate::response::{AccountView, ImportReport, Response};
use crate::settings::Settings;

use super::addresses::check_further;
use super::password::{self, Hashed};
use super::places::check_place;

/// An account with everything that comes with it, ready to be written.
#[derive(Clone)]
struct Ready {
    account: AccountObject,
    letters: Letters,
}

#[derive(Clone, Default)]
struct Letters {
    inside: Option<MailboxLetter>,
    outside: Option<Box<Prepared>>,
}

/// Adds one.
pub(super) async fn add(
    store: &Store,
    settings: &Settings,
    asked: &Asked<'_>,
    new: NewAccount,
) -> Result<AccountView, AdminError> {
    let draft = draft(store, &new)?;
    if store.directory().account(&new.address).is_some() {
        return Err(exists(&new.address));
    }
    let Hashed { hash, scram, generated } = password::of_new(store, settings, &draft, &new).await?;
    let account = password::with_password(store, draft, hash, scram);
    let letters = letters_of(store, settings, &account, &new).await?;
    let _edit = asked.hold().await?;
    check_new(store, settings, &account, &[])?;
    let ready = Ready { account, letters };
    let added = write(store, vec![ready]).await?;
    let account = added.first().ok_or_else(|| AdminError::new(ErrorKind::Unavailable, "nothing was stored"))?;
    let redirects = super::redirects(&store.directory(), account);
    Ok(AccountView { generated_password: generated, redirects, ..AccountView::from(account) })
}

/// Adds many: hashing uses every core, and some hundred share a transaction.
pub(super) async fn import(
    store: &Store,
    settings: &Settings,
    asked: &Asked<'_>,
    accounts: Vec<NewAccount>,
) -> Result<Response, AdminError> {
    if accounts.len() > IMPORT_ACCOUNTS_MAX {
        return Err(AdminError::invalid(format!("one import takes at most {IMPORT_ACCOUNTS_MAX} accounts")));
    }
    for new in &accounts {
        must_be_local(&store.directory(), &new.address)?;
    }
    let mut report = ImportReport::default();
    for some in accounts.chunks(IMPORT_AT_ONCE) {
        let known = |new: &&NewAccount| store.directory().account(&new.address).is_some();
        let (present, missing): (Vec<_>, Vec<_>) = some.iter().partition(known);
        report.present += present.len();
        let boxed = |new| -> BoxFuture<'_, Result<Made, AdminError>> { Box::pin(make(store, settings, new)) };
        let making: Vec<BoxFuture<'_, Result<Made, AdminError>>> = missing.into_iter().map(boxed).collect();
        let mut made = futures_util::stream::iter(making).buffered(IMPORT_HASHES_AT_ONCE);
        let (mut ready, mut told): (Vec<Ready>, HashMap<Address, auth::Password>) = (Vec::new(), HashMap::new());
        while let Some(one) = made.next().await {
            let (one, generated) = one?;
            if ready.iter().any(|known| known.account.address.same_mailbox(&one.account.address)) {
                report.present += 1;
                continue;
            }
            told.extend(generated.map(|password| (one.account.address.clone(), password)));
            ready.push(one);
        }
        let _edit = asked.hold().await?;
        let mut coming: Vec<AccountObject> = Vec::with_capacity(ready.len());
        for one in &ready {
            check_new(store, settings, &one.account, &coming)?;
            coming.push(one.account.clone());
        }
        report.added += write(store, ready).await?.len();
        report.generated_passwords.extend(told);
    }
    report.generated_passwords.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(Response::Imported(report))
}

/// An account to be written, and its password when it was generated.
type Made = (Ready, Option<auth::Password>);

async fn make(store: &Store, settings: &Settings, new: &NewAccount) -> Result<Made, AdminError> {
    let draft = draft(store, new)?;
    let Hashed { hash, scram, generated } = password::of_new(store, settings, &draft, new).await?;
    let account = password::with_password(store, draft, hash, scram);
    let letters = letters_of(store, settings, &account, new).await?;
    Ok((Ready { account, letters }, generated))
}

/// The account as it is asked for, with the domain's defaults.
fn draft(store: &Store, new: &NewAccount) -> Result<AccountObject, AdminError> {
    let directory = store.directory();
    must_be_local(&directory, &new.address)?;
    let domain = directory.domain(new.address.domain());
    let of_domain = |given: &Option<String>, default: fn(&routing::objects::DomainObject) -> &String| {
        given.clone().or_else(|| domain.map(|domain| default(domain).clone())).unwrap_or_default()
    };
    let also_in: Vec<Domain> = match (&new.also_in, domain) {
        (Some(given), _) => given.clone(),
        (None, Some(domain)) => domain.users_also_in.clone(),
        (None, None) => Vec::new(),
    };
    let account = AccountObject {
        display_name: new.display_name.clone(),
        role: new.role,
        quota_octets: new.quota_octets,
        quota_messages: new.quota_messages,
        quota_mailboxes: new.quota_mailboxes,
        time_zone: of_domain(&new.time_zone, |domain| &domain.time_zone),
        language: of_domain(&new.language, |domain| &domain.language),
        owner: new.owner.trim().to_owned(),
        recovery: new.recovery.clone(),
        also_in,
        note: new.note.clone(),
        created_at: store.now(),
        ..AccountObject::new(new.address.clone())
    };
    super::check(&account)?;
    Ok(account)
}

/// What can only be said when nobody else edits: whether there is a place, and whether the addresses are free.
pub(crate) fn check_new(
    store: &Store,
    settings: &Settings,
    account: &AccountObject,
    coming: &[AccountObject],
) -> Result<(), AdminError> {
    let directory = store.directory();
    must_be_local(&directory, &account.address)?;
    if directory.account(&account.address).is_some() {
        return Err(exists(&account.address));
    }
    if let Some(other) = directory.account_at(&account.address) {
        let message = format!("{} is a further address of {}", account.address, other.address);
        let error = AdminError::new(ErrorKind::Exists, message);
        let name = account.address.domain();
        return Err(error.hint(format!("`relais account set {} --not-in {name}` frees it", other.address)));
    }
    check_further(&directory, account, &account.also_in)?;
    check_account(&directory, account).map_err(|flaw| AdminError::invalid(flaw.to_string()))?;
    let claimed: Vec<Address> = account.addresses().collect();
    let taken = coming
        .iter()
        .find(|other| other.addresses().any(|address| claimed.iter().any(|claim| claim.same_mailbox(&address))));
    if let Some(other) = taken {
        return Err(AdminError::new(
            ErrorKind::Exists,
            format!("{} and {} would have the same address", account.address, other.address),
        ));
    }
    check_place(&directory, settings.places, account, coming)
}

async fn letters_of(
    store: &Store,
    settings: &Settings,
    account: &AccountObject,
    new: &NewAccount,
) -> Result<Letters, AdminError> {
    if !new.welcome {
        if new.notify.is_some() {
            let error = AdminError::invalid("an address to notify was given, but nobody is to be told");
            return Err(error.hint("ask for the letters (`welcome`), or leave the address out"));
        }
        return Ok(Letters::default());
    }
    let delivery = settings.letters(store);
    let letter = letters::welcome(&settings.connection, account);
    let inside = Some(delivery.letter_for_mailbox(&letter).await.map_err(letters::refused)?);
    let outside = match new.notify.as_ref().or(new.recovery.as_ref()) {
        None => None,
        Some(to) => {
            let letter = Letter { to: to.clone(), ..letter };
            let prepared = delivery.prepare_letter(&letter).await.map_err(|refused| {
                let error = AdminError::invalid(format!("{to} can't be told of the mailbox: {refused}"));
                error.hint("correct the address given with --notify or --recovery")
            });
            Some(Box::new(prepared?))
        }
    };
    Ok(Letters { inside, outside })
}

/// Writes accounts and letters in one transaction.
async fn write(store: &Store, ready: Vec<Ready>) -> Result<Vec<AccountObject>, AdminError> {
    let (objects, now) = (store.objects(), store.now());
    let first = ready.first().map(|one| one.account.address.clone());
    let written = store
        .transact(move |tx: &mut Transaction<'_>| {
            let mut added = Vec::with_capacity(ready.len());
            for one in &ready {
                let account = objects.add_account(tx, one.account.clone(), PutMode::AddInDomain, now)?;
                if let Some(letter) = &one.letters.inside {
                    letter.deposit(tx, account.id)?;
                }
                if let Some(letter) = &one.letters.outside {
                    letter.apply(tx)?;
                }
                added.push(account);
            }
            Ok(added)
        })
        .await;
    match (written, first) {
        (Ok(done), _) => Ok(done.value),
        (Err(StorageError::ObjectExists(_)), Some(address)) => Err(exists(&address)),
        (Err(error), _) => Err(error.into()),
    }
}

fn exists(address: &Address) -> AdminError {
    let error = AdminError::new(ErrorKind::Exists, format!("the account {address} is there already"));
    error.hint(format!("`relais account set {address} …` changes it"))
}
