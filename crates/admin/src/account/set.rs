//! Editing an account field by field.

use mail::{Address, Domain};
use routing::objects::{AccountKind, AccountObject, Object, ObjectKey, Role, Service};
use routing::{Directory, check_account};
use storage::Store;
use storage::objects::PutMode;

use crate::asked::Asked;
use crate::domain::known_address;
use crate::error::AdminError;
use crate::limits::FURTHER_DOMAINS_MAX;
use crate::memberships;
use crate::references::Removal;
use crate::request::{AccountRequest, Edit};
use crate::response::{AccountView, Response};
use crate::settings::Settings;
use crate::terms::Terms;
use crate::warnings;

use super::addresses::check_further;
use super::password::{self, Hashed, Notice};
use super::places::check_place;
use super::{check, find};

/// `AccountRequest::Set`.
pub(super) async fn set(
    store: &Store,
    settings: &Settings,
    asked: &Asked<'_>,
    request: AccountRequest,
) -> Result<Response, AdminError> {
    let AccountRequest::Set {
        address,
        display_name,
        password,
        generate_password,
        role,
        quota_octets,
        submission,
        undo_send_secs,
        quota_messages,
        quota_mailboxes,
        time_zone,
        language,
        enabled,
        owner,
        recovery,
        note,
        administers,
        withdraw,
        restore,
        add_domains,
        remove_domains,
    } = request
    else {
        return Err(AdminError::invalid("this is no edit"));
    };
    let before = find(&store.directory(), &address)?;
    if asked.actor.is(&before) && (password.is_some() || generate_password) {
        // Whoever finds an administrator's session open must not be able to keep it.
        let error = AdminError::invalid("your own password is not set in this way: the old one is needed");
        return Err(error.hint("change it as your password, with the old one, as everybody does"));
    }
    let hashed = if password.is_some() || generate_password {
        Some(password::hash(store, settings, &before, password, "en").await?)
    } else {
        None
    };
    let _edit = asked.hold().await?;
    let before = find(&store.directory(), &address)?;
    let mut account = before.clone();
    account.display_name = display_name.unwrap_or(account.display_name);
    account.role = role.unwrap_or(account.role);
    quota_octets.apply(&mut account.quota_octets);
    let forget_today = submission.forget_today;
    submission.apply(&mut account.submission);
    if let Some(secs) = undo_send_secs {
        let most = settings.undo_send_secs_max;
        if secs > most {
            let error = AdminError::invalid(format!("what is sent may wait {most} seconds at the most"));
            return Err(error.hint("`limits.undo_send_secs_max` in the configuration is that limit"));
        }
        account.undo_send_secs = secs;
    }
    quota_messages.apply(&mut account.quota_messages);
    quota_mailboxes.apply(&mut account.quota_mailboxes);
    account.time_zone = time_zone.unwrap_or(account.time_zone);
    account.language = language.unwrap_or(account.language);
    account.enabled = enabled.unwrap_or(account.enabled);
    account.owner = owner.map_or(account.owner, |owner| owner.trim().to_owned());
    recovery.apply(&mut account.recovery);
    account.note = note.unwrap_or(account.note);
    account.administers = administers.unwrap_or(account.administers);
    services(&mut account.withdrawn, withdraw, &restore);
    account.also_in.retain(|domain| !remove_domains.contains(domain));
    still_unnamed(&store.directory(), &before, &account)?;
    let new_domains: Vec<Domain> = add_domains.into_iter().filter(|domain| !account.also_in.contains(domain)).collect();
    account.also_in.extend(new_domains.iter().cloned());
    let (generated, changed) = match hashed {
        Some(Hashed { hash, scram, generated }) => {
            account = password::with_password(store, account, hash, scram);
            (generated, true)
        }
        None => (None, false),
    };
    {
        let directory = store.directory();
        check(&account)?;
        check_roles(&account, &before)?;
        if account.also_in.len() > FURTHER_DOMAINS_MAX {
            return Err(AdminError::invalid(format!("an account has at most {FURTHER_DOMAINS_MAX} further domains")));
        }
        check_further(&directory, &account, &new_domains)?;
        check_account(&directory, &account).map_err(|flaw| AdminError::invalid(flaw.to_string()))?;
        if let Some(recovery) = account.recovery.as_ref().filter(|_| account.recovery != before.recovery)
            && directory.domain(recovery.domain()).is_some()
        {
            known_address(&directory, recovery)?;
        }
        if account.owner_key() != before.owner_key() {
            check_place(&directory, settings.places, &account, &[])?;
        }
        if let Some(gone) = administered_elsewhere(&directory, &account) {
            return Err(AdminError::invalid(format!("there is no domain {gone} to administer")));
        }
    }
    let notice = if changed { Some(Notice::prepare(store, settings, asked.actor, &account).await?) } else { None };
    let (leaving, mut warnings) = {
        let directory = store.directory();
        let leaving = memberships::given_up(&directory, given_up(&before, &account).into_iter());
        (leaving, warnings::what_is_left(&directory, &before, &account))
    };
    let lists = memberships::lists(&store.directory(), &leaving);
    let (objects, stored) = (store.objects(), account.clone());
    let done = store
        .transact(move |tx| {
            objects.put(tx, Object::Account(stored.clone()), PutMode::Replace)?;
            if forget_today {
                tx.forget_submitted(stored.id);
            }
            notice.as_ref().map_or(Ok(()), |notice| notice.apply(tx, &stored))?;
            memberships::end(tx, &lists, &leaving)
        })
        .await?;
    warnings.extend(memberships::ended(&done.value));
    let view = AccountView { generated_password: generated, warnings, ..AccountView::from(&account) };
    Ok(Response::Account(Box::new(view)))
}

/// Addresses in further domains that an account gives up: nothing may lead there any more.
pub(super) fn still_unnamed(
    directory: &Directory,
    before: &AccountObject,
    after: &AccountObject,
) -> Result<(), AdminError> {
    let given_up = given_up(before, after);
    let Some(first) = given_up.first().cloned() else { return Ok(()) };
    let key = ObjectKey::Account(before.address.canonical());
    Removal::of_addresses(directory, &key, given_up).must_be_empty(&first.to_string())
}

/// The addresses that an account had and has no longer.
pub(super) fn given_up(before: &AccountObject, after: &AccountObject) -> Vec<Address> {
    let kept: Vec<Address> = after.addresses().collect();
    before.addresses().filter(|address| !kept.contains(address)).collect()
}

fn services(withdrawn: &mut Vec<Service>, withdraw: Vec<Service>, restore: &[Service]) {
    withdrawn.extend(withdraw);
    withdrawn.retain(|service| !restore.contains(service));
    withdrawn.sort_unstable();
    withdrawn.dedup();
}

fn check_roles(account: &AccountObject, before: &AccountObject) -> Result<(), AdminError> {
    if !account.administers.is_empty() && account.role != Role::DomainAdministrator {
        let error = AdminError::invalid("only a domain administrator administers domains");
        return Err(error.hint("add --role domain-administrator, or take the domains away with --administers-own"));
    }
    if account.kind == AccountKind::Shared && account.password_hash != before.password_hash {
        let error = AdminError::invalid(format!("{} is a shared mailbox: it has no password", account.address));
        return Err(error.hint("people read it under their own login"));
    }
    if account.off_boarding.is_some() && account.enabled && !before.enabled {
        let error = AdminError::invalid(format!("the person of {} has left", account.address));
        return Err(error.hint(format!("`relais account offboard {} --undo` takes that back", account.address)));
    }
    Ok(())
}

fn administered_elsewhere(directory: &Directory, account: &AccountObject) -> Option<Domain> {
    account.administers.iter().find(|domain| directory.domain(domain).is_none()).cloned()
}

/// `AccountRequest::Rules`.
pub(super) async fn rules(
    store: &Store,
    asked: &Asked<'_>,
    address: &Address,
    terms: Terms,
) -> Result<Response, AdminError> {
    if terms.when_away != Edit::Keep || terms.deputies_when_away.is_some() {
        let error = AdminError::invalid("an account has no fall-back for absence");
        return Err(error.hint("its out-of-office message can copy what comes to a deputy"));
    }
    let _edit = asked.hold().await?;
    let mut account = find(&store.directory(), address)?;
    terms.must_be_to_come(&store.directory(), account.address.domain(), store.now())?;
    terms.apply(&mut account.rules).apply(&mut None);
    check_account(&store.directory(), &account).map_err(|flaw| AdminError::invalid(flaw.to_string()))?;
    store.put_object(Object::Account(account.clone()), PutMode::Replace).await?;
    Ok(Response::Account(Box::new(AccountView::from(&account))))
}
