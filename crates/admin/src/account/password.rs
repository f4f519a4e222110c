//! Passwords: rules, changes and the notice of a change (M4).

use std::net::{IpAddr, Ipv4Addr};

use auth::{
    AuthError, Password, PasswordFlaw, check_password, estimate, generate_password, hash_password, is_password_hash,
    scram_keys,
};
use delivery::MailboxLetter;
use mail::Address;
use routing::Directory;
use routing::objects::{AccountKind, AccountObject, Object, ScramKeys};
use storage::objects::PutMode;
use storage::{StorageError, Store};

use crate::actor::Actor;
use crate::asked::Asked;
use crate::error::{AdminError, ErrorKind};
use crate::letters;
use crate::request::NewAccount;
use crate::response::{AccountView, Response, StrengthView};
use crate::settings::Settings;

use super::find_at;

/// A password as it is stored, and in clear when it was generated.
pub(super) struct Hashed {
    pub(super) hash: String,
    /// The keys for SCRAM beside it.
    pub(super) scram: Option<ScramKeys>,
    pub(super) generated: Option<Password>,
}

/// Sets a new password, as its owner who knows the old one or as an administrator, and tells the person.
pub(super) async fn change(
    store: &Store,
    settings: &Settings,
    asked: &Asked<'_>,
    address: &Address,
    old: Option<Password>,
    new: Option<Password>,
) -> Result<Response, AdminError> {
    let actor = asked.actor;
    let account = with_a_password(&store.directory(), address)?;
    let confirmed = actor.is(&account) || old.is_some();
    if confirmed {
        confirm(settings, actor, &account, old).await?;
    }
    let before = account.password_hash.clone();
    let language = if actor.is(&account) { account.language.clone() } else { "en".to_owned() };
    let Hashed { hash, scram, generated } = hash(store, settings, &account, new, &language).await?;
    let _edit = asked.hold().await?;
    // As it is now: hashing took its time.
    let account = with_a_password(&store.directory(), address)?;
    if confirmed && account.password_hash != before {
        // Who knew the old one must not undo what somebody did because of that.
        let error = AdminError::new(ErrorKind::Denied, "the password was changed in the meantime");
        return Err(error.hint("try again with the one that is right now"));
    }
    let changed = with_password(store, account, hash, scram);
    let notice = Notice::prepare(store, settings, actor, &changed).await?;
    let (objects, stored) = (store.objects(), changed.clone());
    store
        .transact(move |tx| {
            objects.put(tx, Object::Account(stored.clone()), PutMode::Replace)?;
            notice.apply(tx, &stored)
        })
        .await?;
    Ok(Response::Account(Box::new(AccountView { generated_password: generated, ..AccountView::from(&changed) })))
}

/// The account of a person.
fn with_a_password(directory: &Directory, address: &Address) -> Result<AccountObject, AdminError> {
    let account = find_at(directory, address)?;
    if account.kind == AccountKind::Shared {
        let error = AdminError::invalid(format!("{} is a shared mailbox: it has no password", account.address));
        return Err(error.hint("people read it under their own login"));
    }
    Ok(account)
}

/// The account with a new password, from now on.
pub(super) fn with_password(
    store: &Store,
    account: AccountObject,
    hash: String,
    scram: Option<ScramKeys>,
) -> AccountObject {
    AccountObject { password_hash: Some(hash), scram, password_changed_at: Some(store.now()), ..account }
}

/// The letters that tell of a changed password: one in the mailbox, one to the recovery address.
pub(super) struct Notice {
    inside: MailboxLetter,
    outside: Option<delivery::Prepared>,
}

impl Notice {
    pub(super) async fn prepare(
        store: &Store,
        settings: &Settings,
        actor: &Actor,
        account: &AccountObject,
    ) -> Result<Self, AdminError> {
        let delivery = settings.letters(store);
        let letter = letters::password_changed(account, &from_where(store, actor, account), store.now());
        let inside = delivery.letter_for_mailbox(&letter).await.map_err(letters::refused)?;
        // A recovery address that leads nowhere any more must not keep a password from being changed.
        let outside = match &account.recovery {
            Some(to) => delivery.prepare_letter(&delivery::Letter { to: to.clone(), ..letter }).await.ok(),
            None => None,
        };
        Ok(Self { inside, outside })
    }

    pub(super) fn apply(&self, tx: &mut storage::Transaction<'_>, account: &AccountObject) -> Result<(), StorageError> {
        self.inside.deposit(tx, account.id)?;
        if let Some(outside) = &self.outside {
            outside.apply(tx)?;
        }
        Ok(())
    }
}

/// By whom and from where, as letters tell it.
fn from_where(store: &Store, actor: &Actor, account: &AccountObject) -> letters::By {
    let remote = match actor {
        Actor::System => None,
        Actor::Account { remote, .. } => *remote,
    };
    let by = actor.account(&store.directory()).map(|by| by.address.clone());
    match by {
        Some(_) if actor.is(account) => letters::By::Oneself(remote),
        by => letters::By::Administrator(by, remote),
    }
}

/// The old password has to be right, and guessing it is bounded as guessing at a login is.
async fn confirm(
    settings: &Settings,
    actor: &Actor,
    account: &AccountObject,
    old: Option<Password>,
) -> Result<(), AdminError> {
    let Some(old) = old else {
        let error = AdminError::invalid("your old password is needed to set a new one");
        return Err(error.hint("whoever finds your session open must not be able to lock you out"));
    };
    let remote = match actor {
        Actor::Account { remote: Some(remote), .. } => *remote,
        Actor::System | Actor::Account { remote: None, .. } => COMMAND_LINE,
    };
    let confirmed = match (&settings.authenticator, &account.password_hash) {
        (Some(authenticator), _) => authenticator.confirm(account, old.expose(), remote).await,
        (None, Some(hash)) => {
            let hash = hash.clone();
            let check = tokio::task::spawn_blocking(move || auth::verify(old.expose(), &hash));
            match check.await {
                Ok(true) => Ok(()),
                Ok(false) => Err(AuthError::Refused),
                Err(_) => Err(AuthError::Unavailable),
            }
        }
        (None, None) => Err(AuthError::Refused),
    };
    confirmed.map_err(|error| match error {
        AuthError::Refused => AdminError::new(ErrorKind::Denied, "the old password is wrong"),
        AuthError::TooManyFailures { .. } | AuthError::Unavailable => {
            AdminError::new(ErrorKind::Unavailable, error.to_string())
        }
    })
}

/// Checks and hashes a password, or a generated one, which is told.
pub(super) async fn hash(
    store: &Store,
    settings: &Settings,
    account: &AccountObject,
    password: Option<Password>,
    language: &str,
) -> Result<Hashed, AdminError> {
    let chance = store.world().chance.clone();
    let generated = password.is_none().then(|| generate_password(&*chance));
    let given = password.is_some();
    let password = password.or_else(|| generated.clone()).unwrap_or_else(|| Password::from(""));
    let (called, rules, params) = (called(settings, account), settings.rules, settings.password);
    let work = tokio::task::spawn_blocking(move || {
        if given {
            check_password(password.expose(), &called, rules)?;
        }
        Ok(hash_password(password.expose(), params, &*chance).map(|hash| {
            let scram = scram_keys(password.expose(), &hash, params.scram_iterations, &*chance);
            (hash, scram)
        }))
    });
    let worked = work.await.map_err(|_| AdminError::new(ErrorKind::Unavailable, "hashing was interrupted"))?;
    let hash = worked.map_err(|flaw| refusal(&flaw, language))?;
    let (hash, scram) = hash.map_err(|error| AdminError::invalid(error.to_string()))?;
    Ok(Hashed { hash, scram, generated })
}

/// The password of an account to be made: given, given as a hash, or generated.
pub(super) async fn of_new(
    store: &Store,
    settings: &Settings,
    account: &AccountObject,
    new: &NewAccount,
) -> Result<Hashed, AdminError> {
    match (&new.password, &new.password_hash) {
        (Some(_), Some(_)) => Err(AdminError::invalid("give a password or its hash, not both")),
        (None, Some(hash)) if is_password_hash(hash) => Ok(Hashed { hash: hash.clone(), scram: None, generated: None }),
        (None, Some(_)) => {
            let error = AdminError::invalid(format!("{}: the password hash is not Argon2id in PHC form", new.address));
            Err(error.hint("it looks like $argon2id$v=19$m=19456,t=2,p=1$…$…"))
        }
        (password, None) => hash(store, settings, account, password.clone(), "en").await,
    }
}

fn refusal(flaw: &PasswordFlaw, language: &str) -> AdminError {
    AdminError::invalid(flaw.reason(language)).hint(flaw.advice(language))
}

/// What the person and their server are called: what guessing begins with.
fn called(settings: &Settings, account: &AccountObject) -> Vec<String> {
    let addresses = account.addresses().flat_map(|address| [address.local().as_str().to_owned(), address.to_string()]);
    let mut called: Vec<String> = addresses.collect();
    called.extend([account.display_name.clone(), account.owner.clone(), account.address.domain().to_string()]);
    called.extend([settings.delivery.hostname.to_string(), "relais".to_owned()]);
    called.retain(|text| !text.is_empty());
    called
}

/// How strong a password would be: in the language of who asks, as a refusal of it would be told.
pub(super) async fn strength(
    store: &Store,
    settings: &Settings,
    actor: &Actor,
    address: Option<Address>,
    password: Password,
    language: Option<String>,
) -> Result<Response, AdminError> {
    let account = address.map(|address| find_at(&store.directory(), &address)).transpose()?;
    let own = account.as_ref().filter(|account| actor.is(account)).map(|account| account.language.clone());
    let language = language.or(own);
    let language = letters::language(language.as_deref().unwrap_or("en"));
    let called = account.as_ref().map(|account| called(settings, account)).unwrap_or_default();
    let rules = settings.rules;
    let work = tokio::task::spawn_blocking(move || {
        (estimate(password.expose(), &called), check_password(password.expose(), &called, rules))
    });
    let (strength, checked) =
        work.await.map_err(|_| AdminError::new(ErrorKind::Unavailable, "the estimate was interrupted"))?;
    Ok(Response::Strength(StrengthView {
        language: language.to_owned(),
        score: strength.score,
        score_min: rules.strength_min,
        words: strength.in_words(language).to_owned(),
        taken: checked.is_ok(),
        reason: checked.err().map(|flaw| flaw.reason(language)).unwrap_or_default(),
        advice: strength.advice(language).into_iter().map(str::to_owned).collect(),
    }))
}

/// Stands for the machine's own command line in the guard against guessing: no address that a client can have.
const COMMAND_LINE: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
