//! What happens by itself after somebody has left: redirects end, administrators are told, accounts are deleted.
//!
//! Everything is decided from the stored objects and the clock: after a restart, what is due is done. An account is
//! deleted only when its date is over and administrators were told at least a day before.

use std::time::Duration;

use delivery::Prepared;
use mail::{AccountId, Address, Timestamp};
use routing::Directory;
use routing::objects::{AccountKind, AccountObject, Object, OffBoarding, Role};
use routing::responders::{Window, zone_named};
use storage::objects::PutMode;
use storage::{Store, Transaction};

use crate::error::{AdminError, ErrorKind};
use crate::letters;
use crate::references::{Reference, Removal};
use crate::settings::Settings;

use super::leaving::letter_to;
use super::remove::{delete_departed, departure};
use super::returning::without_redirect;
use super::{find, usage};

/// How often it is looked whether something is due. Dates are days; a minute is soon enough.
pub const LOOK_EVERY: Duration = Duration::from_secs(60);

/// What is due for an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    EndRedirect,
    Warn,
    Delete,
}

/// Does all that is due now, and tells how much. What fails is logged, and due again the next time.
pub async fn do_what_is_due(store: &Store, settings: &Settings) -> usize {
    let departed: Vec<Address> = {
        let directory = store.directory();
        directory.accounts().filter(|one| one.off_boarding.is_some()).map(|one| one.address.clone()).collect()
    };
    let mut done: usize = 0;
    for address in departed {
        loop {
            let _edit = settings.edits.hold().await;
            // As it is now: somebody may have undone it meanwhile.
            let Ok(account) = find(&store.directory(), &address) else { break };
            let Some(gone) = account.off_boarding.clone() else { break };
            let Some(due) = due(&account, &gone, settings.deletion_notice_days, store.now()) else { break };
            if let Err(error) = carry_out(store, settings, account, *gone, due).await {
                tracing::warn!(account = %address, ?due, %error, "not done now; it is tried again");
                break;
            }
            done = done.saturating_add(1);
        }
    }
    done
}

fn due(account: &AccountObject, gone: &OffBoarding, notice_days: u32, now: Timestamp) -> Option<Due> {
    let zone = zone_named(&account.time_zone);
    // A date that can't be read any more never comes.
    let over = |date: &Option<String>, at: Timestamp| {
        let window = date.as_deref().and_then(|date| Window::parse(None, Some(date)).ok());
        window.is_some_and(|window| window.over(at, &zone))
    };
    if gone.redirected && over(&gone.redirect_until, now) {
        return Some(Due::EndRedirect);
    }
    match gone.warned_at {
        None => over(&gone.delete_after, now.plus(DAY.saturating_mul(notice_days.max(1)))).then_some(Due::Warn),
        Some(warned) => (over(&gone.delete_after, now) && now >= warned.plus(DAY)).then_some(Due::Delete),
    }
}

async fn carry_out(
    store: &Store,
    settings: &Settings,
    account: AccountObject,
    gone: OffBoarding,
    due: Due,
) -> Result<(), AdminError> {
    match due {
        Due::EndRedirect => end_redirect(store, &account).await,
        Due::Warn => warn(store, settings, account, gone).await,
        Due::Delete => {
            let (messages, _) = usage(store, account.id).await?;
            let also = delete_departed(store, &account).await?;
            let (also, date) = (also.trim_start_matches([',', ';', ' ']), gone.delete_after.unwrap_or_default());
            tracing::warn!(account = %account.address, messages, date, also, "deleted, as decided when its person left");
            Ok(())
        }
    }
}

async fn end_redirect(store: &Store, account: &AccountObject) -> Result<(), AdminError> {
    let (after, ended) = without_redirect(&store.directory(), account);
    let objects = store.objects();
    store
        .transact(move |tx: &mut Transaction<'_>| {
            for (alias, key) in &ended {
                match alias {
                    Some(alias) => drop(objects.put(tx, Object::Alias(alias.clone()), PutMode::Replace)?),
                    None => objects.remove(tx, key)?,
                }
            }
            objects.put(tx, Object::Account(after.clone()), PutMode::Replace)?;
            Ok(())
        })
        .await?;
    tracing::info!(account = %account.address, "the successor gets no copies any more");
    Ok(())
}

/// Tells those who can still keep the account, in the transaction that remembers that they were told; where there are none,
/// `postmaster@` of its domain. While nobody can be told, nothing is remembered.
async fn warn(store: &Store, settings: &Settings, account: AccountObject, gone: OffBoarding) -> Result<(), AdminError> {
    let (messages, _) = usage(store, account.id).await?;
    let removal = departure(&store.directory(), &account);
    let readers: Vec<AccountObject> = {
        let directory = store.directory();
        let in_charge = |reader: &&std::sync::Arc<AccountObject>| {
            reader.enabled
                && (reader.role == Role::Administrator || reader.administered().contains(account.address.domain()))
        };
        directory.accounts().filter(in_charge).map(|reader| (**reader).clone()).collect()
    };
    let letters_to = async |readers: &[AccountObject]| {
        let mut prepared = Vec::with_capacity(readers.len());
        for reader in readers {
            let seen = seen_by(reader, &removal);
            let letter = letters::deletion_ahead(&account, &gone, reader, messages, &seen, &settings.command);
            match letter_to(store, settings, &letter).await {
                Ok(letter) if is_read(&store.directory(), &letter, account.id) => prepared.push(letter),
                Ok(_) => tracing::warn!(reader = %reader.address, "nobody reads what would tell of a deletion"),
                Err(error) => tracing::warn!(reader = %reader.address, %error, "an administrator could not be told"),
            }
        }
        prepared
    };
    let mut prepared = letters_to(&readers).await;
    if prepared.is_empty() {
        prepared = letters_to(postmaster(store, &account).as_slice()).await;
    }
    if prepared.is_empty() {
        let text = format!("nobody can be told that {} will be deleted, so it stays", account.address);
        let error = AdminError::new(ErrorKind::Unavailable, text);
        return Err(error.hint("make somebody an administrator who can log in, or name a postmaster for the domain"));
    }
    let date = gone.delete_after.clone().unwrap_or_default();
    tracing::warn!(account = %account.address, messages, date, told = prepared.len(), "will be deleted: administrators are told");
    let gone = OffBoarding { warned_at: Some(store.now()), ..gone };
    let after = AccountObject { off_boarding: Some(Box::new(gone)), ..account };
    let objects = store.objects();
    store
        .transact(move |tx: &mut Transaction<'_>| {
            for letter in &prepared {
                letter.apply(tx)?;
            }
            objects.put(tx, Object::Account(after.clone()), PutMode::Replace)?;
            Ok(())
        })
        .await?;
    Ok(())
}

/// Stands for the administrators who are not there.
fn postmaster(store: &Store, account: &AccountObject) -> Option<AccountObject> {
    let directory = store.directory();
    let domain = directory.domain(account.address.domain())?;
    let address = Address::new("postmaster", domain.name.clone()).ok()?;
    Some(AccountObject { language: domain.language.clone(), ..AccountObject::new(address) })
}

/// Whether somebody reads a letter: elsewhere, as a list or group, or in a mailbox that is in use, and not in the very one that
/// it speaks of.
fn is_read(directory: &Directory, letter: &Prepared, account: AccountId) -> bool {
    let plan = letter.plan();
    let in_use = |id: &AccountId| {
        let there = directory.account_by_id(*id).filter(|there| there.id != account);
        there.is_some_and(|there| there.enabled || there.kind == AccountKind::Shared)
    };
    !plan.relays.is_empty() || !plan.held.is_empty() || plan.mailboxes.iter().any(in_use)
}

/// What leads to the account, as far as a reader may know of it.
fn seen_by<'a>(reader: &AccountObject, removal: &'a Removal) -> Vec<&'a Reference> {
    let administered = reader.administered();
    let sees = |one: &&Reference| {
        reader.role == Role::Administrator || one.domain().is_some_and(|domain| administered.contains(domain))
    };
    removal.references.iter().filter(sees).collect()
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
