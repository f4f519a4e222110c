//! Keys that sign a domain's mail: made with the domain, shown with the record to publish, renewed with an overlap.
//!
//! A renewal has two steps, because others must find a key before it signs: `rotate` makes the next keys, which are to be
//! published; `activate`, some days later, lets them sign. The old ones stay published until they are removed.

use mail::{Domain, Timestamp};
use sender_auth::dkim::{Algorithm, generate, record};
use serde::{Deserialize, Serialize};
use storage::signing_keys::{KeyState, SigningKeyRow};
use storage::{Store, Transaction};

use crate::domain::find;
use crate::error::{AdminError, ErrorKind};
use crate::response::Response;

/// About the signing keys of a domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DkimRequest {
    /// The keys, with the records to publish.
    Show,
    /// Make the next keys.
    Rotate {
        /// They sign at once: for a domain that has none yet, or whose keys became known.
        #[serde(default)]
        now: bool,
    },
    /// The next keys sign from now on.
    Activate,
    /// Forget a key that signs no more.
    Remove {
        /// Its selector.
        selector: String,
    },
}

/// A signing key, without its private half.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SigningKeyView {
    /// The selector.
    pub selector: String,
    /// `rsa-sha256` or `ed25519-sha256`.
    pub algorithm: String,
    /// Where it is in its life.
    pub state: KeyState,
    /// When it was made.
    pub created_at: Timestamp,
    /// The name of the TXT record.
    pub record_name: String,
    /// Its text.
    pub record: String,
}

pub(crate) async fn execute(store: &Store, name: Domain, request: DkimRequest) -> Result<Response, AdminError> {
    find(&store.directory(), &name)?;
    match request {
        DkimRequest::Show => {}
        DkimRequest::Rotate { now } => {
            let keys = new_keys(store).await?;
            let domain = name.clone();
            let done = store.transact(move |tx| rotate(tx, &domain, &keys, now)).await?;
            if !done.value {
                let error = AdminError::new(ErrorKind::Exists, format!("the next keys of {name} are made already"));
                return Err(error.hint(format!("publish them, then `relais domain dkim activate {name}`")));
            }
        }
        DkimRequest::Activate => {
            let domain = name.clone();
            let done = store.transact(move |tx| activate(tx, &domain)).await?;
            if !done.value {
                let error = AdminError::new(ErrorKind::NotFound, format!("there are no next keys of {name}"));
                return Err(error.hint(format!("`relais domain dkim rotate {name}` makes them")));
            }
        }
        DkimRequest::Remove { selector } => remove(store, &name, selector).await?,
    }
    views(store, &name).await
}

/// One key of each kind, so that everybody finds one that they can check.
pub(crate) async fn new_keys(store: &Store) -> Result<Vec<SigningKeyRow>, AdminError> {
    let (now, number) = (store.now(), store.world().chance.number());
    let making = tokio::task::spawn_blocking(move || {
        // The day for people, the rest so that no selector is used twice.
        let stamp = format!("{}-{:06x}", now.as_secs().div_euclid(86_400), number & 0xFF_FFFF);
        [(Algorithm::Rsa2048, "r"), (Algorithm::Ed25519, "e")].map(|(algorithm, letter)| {
            generate(algorithm).map(|pkcs8| SigningKeyRow {
                selector: format!("relais-{stamp}{letter}"),
                algorithm: algorithm.name().to_owned(),
                pkcs8: pkcs8.to_vec(),
                state: KeyState::Active,
                created_at: now,
            })
        })
    });
    let made = making.await.map_err(|_| AdminError::new(ErrorKind::Unavailable, "making the keys was interrupted"))?;
    let keys: Result<Vec<_>, _> = made.into_iter().collect();
    keys.map_err(|error| AdminError::new(ErrorKind::Unavailable, error.to_string()).hint("try again"))
}

/// `false`: there are next keys already.
fn rotate(
    tx: &mut Transaction<'_>,
    domain: &Domain,
    keys: &[SigningKeyRow],
    now: bool,
) -> Result<bool, storage::StorageError> {
    let known = tx.signing_keys(domain)?;
    if known.iter().any(|key| key.state == KeyState::Next) {
        return Ok(false);
    }
    for key in keys {
        let state = if now { KeyState::Active } else { KeyState::Next };
        tx.put_signing_key(domain, &SigningKeyRow { state, ..key.clone() })?;
    }
    if now {
        retire(tx, domain, &known)?;
    }
    Ok(true)
}

/// `false`: there are no next keys.
fn activate(tx: &mut Transaction<'_>, domain: &Domain) -> Result<bool, storage::StorageError> {
    let (next, known): (Vec<_>, Vec<_>) =
        tx.signing_keys(domain)?.into_iter().partition(|key| key.state == KeyState::Next);
    if next.is_empty() {
        return Ok(false);
    }
    for key in next {
        tx.put_signing_key(domain, &SigningKeyRow { state: KeyState::Active, ..key })?;
    }
    retire(tx, domain, &known)?;
    Ok(true)
}

fn retire(tx: &mut Transaction<'_>, domain: &Domain, known: &[SigningKeyRow]) -> Result<(), storage::StorageError> {
    let active = known.iter().filter(|key| key.state == KeyState::Active);
    active
        .map(|key| SigningKeyRow { state: KeyState::Retired, ..key.clone() })
        .try_for_each(|key| tx.put_signing_key(domain, &key))
}

async fn remove(store: &Store, name: &Domain, selector: String) -> Result<(), AdminError> {
    let keys = store.signing_keys(name).await?;
    match keys.iter().find(|key| key.selector == selector) {
        None => {
            let known = keys.iter().map(|key| key.selector.clone());
            let error = AdminError::not_found("signing key", &selector, known);
            let near = error.hint.as_deref().is_some_and(|hint| hint.starts_with("did you mean"));
            Err(if near {
                error
            } else {
                error.hint(format!("`relais domain dkim show {name}` shows those there are"))
            })
        }
        Some(key) if key.state == KeyState::Active => {
            let error = AdminError::new(ErrorKind::InUse, format!("the key {selector} signs the mail of {name}"));
            Err(error.hint(format!("`relais domain dkim rotate {name}` makes the ones that take its place")))
        }
        Some(_) => {
            let domain = name.clone();
            store.transact(move |tx| tx.remove_signing_key(&domain, &selector)).await?;
            Ok(())
        }
    }
}

async fn views(store: &Store, name: &Domain) -> Result<Response, AdminError> {
    Ok(Response::SigningKeys(views_of(store, name).await?))
}

/// The keys of a domain with their records.
pub(crate) async fn views_of(store: &Store, name: &Domain) -> Result<Vec<SigningKeyView>, AdminError> {
    let mut views = Vec::new();
    for key in store.signing_keys(name).await? {
        let Some(algorithm) = Algorithm::named(&key.algorithm) else { continue };
        let text = record(algorithm, &key.pkcs8)
            .map_err(|error| AdminError::new(ErrorKind::Unavailable, format!("{}: {error}", key.selector)))?;
        views.push(SigningKeyView {
            record_name: format!("{}._domainkey.{name}", key.selector),
            record: text,
            selector: key.selector,
            algorithm: key.algorithm,
            state: key.state,
            created_at: key.created_at,
        });
    }
    Ok(views)
}
