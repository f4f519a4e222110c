//! External accounts: what is checked when one is saved (M8). They are fetched by the crate `fetch`.
//!
//! **Invariant:** the password leaves a request sealed, bound to the number of its external account, and is in no answer.

use auth::Sealer;
use mail::{Address, Domain, Notice};
use routing::Directory;
use routing::objects::{AfterFetch, ExternalAccountObject, ExternalProtocol, ExternalSecurity, Object, SealedPassword};
use storage::Store;
use storage::mailboxes::new_name;
use storage::objects::PutMode;

use crate::Settings;
use crate::error::{AdminError, ErrorKind};
use crate::limits::{CA_PEM_OCTETS_MAX, EXTERNAL_FOLDERS_MAX, NOTE_OCTETS_MAX};
use crate::request::{ExternalContent, ExternalRequest};
use crate::response::{ExternalTest, ExternalView, Response};

pub(crate) async fn execute(
    store: &Store,
    settings: &Settings,
    request: ExternalRequest,
) -> Result<Response, AdminError> {
    match request {
        ExternalRequest::Add { owner, protocol, content } => add(store, settings, owner, protocol, *content).await,
        ExternalRequest::List { owner } => {
            let all: Vec<ExternalAccountObject> = {
                let directory = store.directory();
                let wanted = owner.as_ref().map(|owner| account(&directory, owner)).transpose()?;
                let ours = |one: &ExternalAccountObject| {
                    wanted.as_ref().is_none_or(|owner| one.owner.canonical() == owner.canonical())
                };
                directory.externals().filter(|one| ours(one)).map(|one| (**one).clone()).collect()
            };
            let mut views = Vec::with_capacity(all.len());
            for one in all {
                views.push(view(store, one).await?);
            }
            Ok(Response::Externals(views))
        }
        ExternalRequest::Show { id } => {
            let external = find(&store.directory(), id)?;
            Ok(Response::External(Box::new(view(store, external).await?)))
        }
        ExternalRequest::Set { id, content } => {
            let external = find(&store.directory(), id)?;
            put(store, settings, external, *content, PutMode::Replace).await
        }
        ExternalRequest::FetchNow { id } => {
            let external = find(&store.directory(), id)?;
            if !external.enabled {
                let error = AdminError::invalid(format!("the external account {id} is switched off"));
                return Err(error.hint(format!("`relais external set {id} --enable` switches it on")));
            }
            ask(store, id).await?;
            let told = format!("`relais external show {id}` tells how it went");
            Ok(Response::Done(format!("the external account {id} is looked at now; {told}")))
        }
        ExternalRequest::Test { id } => {
            let external = find(&store.directory(), id)?;
            let Some(tester) = &settings.tester else {
                let text = "trying an external account needs the server itself";
                return Err(AdminError::new(ErrorKind::Unavailable, text).hint("start it with `relais serve`"));
            };
            let (steps, failed) = tester.test(&external).await;
            Ok(Response::ExternalTest(ExternalTest { steps, failed }))
        }
        ExternalRequest::Remove { id } => {
            let external = find(&store.directory(), id)?;
            store.remove_external(id).await?;
            let (login, host) = (external.login, external.host);
            Ok(Response::Done(format!("removed the external account {id} ({login} at {host}); what was fetched stays")))
        }
    }
}

async fn add(
    store: &Store,
    settings: &Settings,
    owner: Address,
    protocol: ExternalProtocol,
    content: ExternalContent,
) -> Result<Response, AdminError> {
    let owner = account(&store.directory(), &owner)?;
    let most = settings.externals_per_account_max;
    if store.directory().externals_of(&owner).count() >= most {
        let error = AdminError::invalid(format!("{owner} has {most} external accounts, which is the most"));
        return Err(error.hint("remove one, or raise `accounts_per_person_max` in [fetch]"));
    }
    let (Some(host), Some(login)) = (&content.host, &content.login) else {
        let error = AdminError::invalid("an external account needs a host and a login");
        return Err(error.hint("give --host and --login"));
    };
    if content.password.is_none() {
        let error = AdminError::invalid("an external account needs a password");
        return Err(error.hint("give --password-file FILE, or - to read it from the standard input"));
    }
    let mut external = ExternalAccountObject::new(owner, protocol, host_of(host)?, login.clone());
    external.created_at = store.now();
    // The password is bound to the number, so that comes first.
    external.id = store.next_external().await?;
    put(store, settings, external, content, PutMode::AddInDomain).await
}

async fn put(
    store: &Store,
    settings: &Settings,
    mut external: ExternalAccountObject,
    content: ExternalContent,
    mode: PutMode,
) -> Result<Response, AdminError> {
    let password = content.password.clone();
    let before = (external.host.clone(), external.security, external.port);
    merge(&mut external, content)?;
    let elsewhere = before != (external.host.clone(), external.security, external.port);
    if elsewhere && mode == PutMode::Replace && password.is_none() {
        // Whoever may edit must not have a password sent to a server of their choice.
        let error = AdminError::invalid("with another host, port or protection the password must be given again");
        return Err(error.hint("give --password-file FILE, or - to read it from the standard input"));
    }
    check(settings, &external)?;
    if external.enabled {
        must_be_here(&store.directory(), &external.owner)?;
    }
    if let Some(password) = password {
        let sealer = Sealer::for_external_accounts(store).await?;
        let sealed = sealer.seal(external.id, &password).map_err(|error| AdminError::invalid(error.to_string()))?;
        external.password = Some(SealedPassword(sealed));
    }
    let id = external.id;
    store.put_object(Object::External(external), mode).await?;
    // What was wrong may be right now: no waiting until the next look is due.
    ask(store, id).await?;
    let external = find(&store.directory(), id)?;
    Ok(Response::External(Box::new(view(store, external).await?)))
}

fn merge(external: &mut ExternalAccountObject, content: ExternalContent) -> Result<(), AdminError> {
    fn set<T>(field: &mut T, value: Option<T>) {
        if let Some(value) = value {
            *field = value;
        }
    }
    let usual = external.protocol.port(external.security) == external.port;
    set(&mut external.name, content.name);
    if let Some(host) = content.host {
        external.host = host_of(&host)?;
    }
    set(&mut external.security, content.security);
    match content.port {
        Some(port) => external.port = port,
        None if usual => external.port = external.protocol.port(external.security),
        None => {}
    }
    content.ca_pem.apply(&mut external.ca_pem);
    set(&mut external.login, content.login);
    set(&mut external.folders, content.folders);
    set(&mut external.mailbox, content.mailbox);
    set(&mut external.interval_secs, content.interval_secs);
    set(&mut external.after_fetch, content.after_fetch);
    set(&mut external.enabled, content.enabled);
    Ok(())
}

fn check(settings: &Settings, external: &ExternalAccountObject) -> Result<(), AdminError> {
    if external.security == ExternalSecurity::None && !external.is_loopback() {
        let error = AdminError::invalid(format!("no password goes to {} unprotected", external.host));
        return Err(error.hint("say --security tls or --security starttls; none is for this machine itself alone"));
    }
    if external.port == 0 {
        return Err(AdminError::invalid("0 is no port"));
    }
    let least = settings.external_interval_secs_min;
    if external.interval_secs < least {
        return Err(AdminError::invalid(format!(
            "the shortest interval is {least} s (`interval_secs_min` in [fetch])"
        )));
    }
    let bad = |text: &str| text.len() > NOTE_OCTETS_MAX || text.chars().any(char::is_control);
    if external.login.is_empty() || bad(&external.login) {
        return Err(AdminError::invalid("that is no login: it is empty, too long, or has control characters"));
    }
    if bad(&external.name) {
        return Err(AdminError::invalid("that is no name: it is too long, or has control characters"));
    }
    if external.folders.len() > EXTERNAL_FOLDERS_MAX {
        return Err(AdminError::invalid(format!("at most {EXTERNAL_FOLDERS_MAX} folders are fetched")));
    }
    if external.protocol == ExternalProtocol::Pop3 && !external.folders.is_empty() {
        return Err(AdminError::invalid("POP3 has no folders").hint("leave --folder out, or use IMAP"));
    }
    for (remote, local) in external.folder_pairs() {
        if remote.is_empty() || bad(&remote) {
            return Err(AdminError::invalid(format!("\"{}\" is no name of a folder", remote.escape_debug())));
        }
        new_name(&local)?;
    }
    let mut remotes: Vec<&str> = external.folders.iter().map(|folder| folder.remote.as_str()).collect();
    remotes.sort_unstable();
    if remotes.windows(2).any(|pair| pair.first() == pair.last()) {
        return Err(AdminError::invalid("a folder is named twice"));
    }
    if let AfterFetch::DeleteAfterDays(0) = external.after_fetch {
        return Err(AdminError::invalid("0 days is at once").hint("say --delete"));
    }
    if let Some(pem) = &external.ca_pem
        && (pem.len() > CA_PEM_OCTETS_MAX || !pem.contains("-----BEGIN CERTIFICATE-----"))
    {
        return Err(AdminError::invalid("that is no file of certificates in PEM, or it is too large"));
    }
    Ok(())
}

/// For a person who has left, nothing is fetched: their mail elsewhere is not for their successor.
fn must_be_here(directory: &Directory, owner: &Address) -> Result<(), AdminError> {
    if directory.account(owner).is_none_or(|account| account.off_boarding.is_none()) {
        return Ok(());
    }
    let error = AdminError::invalid(format!("the person of {owner} has left: nothing is fetched for them any more"));
    Err(error.hint(format!("`relais account offboard {owner} --undo` when they are back")))
}

/// Has it looked at as soon as the server can.
async fn ask(store: &Store, id: u64) -> Result<(), AdminError> {
    store
        .transact(move |tx| {
            let mut status = tx.fetch_status(id)?;
            status.asked = true;
            tx.put_fetch_status(id, &status)?;
            tx.notify(Notice::Directory);
            Ok(())
        })
        .await?;
    Ok(())
}

fn host_of(text: &str) -> Result<Domain, AdminError> {
    match text.trim_start_matches('[').trim_end_matches(']').parse() {
        Ok(ip) => Ok(Domain::literal(ip)),
        Err(_) => Domain::parse(text).map_err(|flaw| AdminError::invalid(format!("\"{text}\" is no host: {flaw}"))),
    }
}

/// The primary address of an account.
fn account(directory: &Directory, address: &Address) -> Result<Address, AdminError> {
    match directory.account_at(address) {
        Some(account) => Ok(account.address.clone()),
        None => {
            let known = directory.accounts().map(|account| account.address.to_string());
            Err(AdminError::not_found("account", &address.to_string(), known))
        }
    }
}

fn find(directory: &Directory, id: u64) -> Result<ExternalAccountObject, AdminError> {
    match directory.external(id) {
        Some(external) => Ok((**external).clone()),
        None => {
            let error = AdminError::new(ErrorKind::NotFound, format!("there is no external account {id}"));
            Err(error.hint("`relais external list` shows those there are"))
        }
    }
}

async fn view(store: &Store, external: ExternalAccountObject) -> Result<ExternalView, AdminError> {
    let status = store.fetch_status(external.id).await?;
    Ok(ExternalView {
        id: external.id,
        owner: external.owner,
        name: external.name,
        protocol: external.protocol,
        host: external.host.as_literal().map_or_else(|| external.host.to_string(), |ip| ip.to_string()),
        port: external.port,
        security: external.security,
        own_ca: external.ca_pem.is_some(),
        login: external.login,
        has_password: external.password.is_some(),
        folders: external.folders,
        mailbox: external.mailbox,
        interval_secs: external.interval_secs,
        after_fetch: external.after_fetch,
        enabled: external.enabled,
        created_at: external.created_at,
        status,
    })
}
