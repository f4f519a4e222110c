//! External accounts (M8): mail that lies elsewhere is fetched by IMAP and POP3, in the background.
//!
//! # One look
//!
//! 1. Connect: TLS from the start or STARTTLS, with the certificate checked; plain text to this machine alone. Log in with
//!    the password that [`auth::Sealer`] opens for this one moment.
//! 2. Find what is new: UIDs above the last one of the folder (IMAP), names that are not remembered (POP3).
//! 3. Fetch one message at a time, its octets straight into the store. Nothing is written in front of it: a message that was
//!    delivered elsewhere keeps its trace fields and signatures as they are. Line ends become CRLF, no more.
//! 4. Some twenty messages share a transaction, which deposits them and remembers that they were fetched. So nothing comes
//!    twice and nothing is lost, wherever the power fails.
//! 5. Delete there what is to be deleted there; the memory of it goes when that is done.
//!
//! Fetched mail is no new mail: nobody answers it, no filter of addresses asks for it, no one is told of it but the
//! watchers of the mailbox. A content that was fetched into a mailbox once is not put there again, so a folder with new
//! numbers (UIDVALIDITY) brings no doubles, and neither does an account that fetches from itself.
//!
//! A server elsewhere may say anything: lines, literals, numbers of responses and times have bounds ([`limits`]).

mod batch;
mod body;
mod described;
mod dial;
mod error;
pub mod fuzzing;
mod imap;
pub mod limits;
mod look;
mod pop3;
mod schedule;
#[cfg(test)]
mod tests;
mod text;
mod trial;
mod wire;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use auth::{Password, Sealer};
use bus::Bus;
use delivery::Delivery;
use mail::Timestamp;
use routing::objects::ExternalAccountObject;
use storage::fetch::FetchStatus;
use storage::{StorageError, Store};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

pub use error::FetchError;

use crate::error::fit;
use crate::limits::{LETTER_AFTER, LOOK_TIME_MAX, SWEEP_INTERVAL};
use crate::look::Look;

/// What an administrator says of fetching.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// External accounts that are looked at at a time.
    pub at_once: usize,
    /// The shortest time between two looks at one.
    pub interval_min: Duration,
    /// How long a server elsewhere may be silent.
    pub timeout: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { at_once: 8, interval_min: Duration::from_secs(60), timeout: Duration::from_secs(60) }
    }
}

/// Fetches the mail of external accounts. Clones share everything.
#[derive(Clone)]
pub struct Fetch {
    delivery: Delivery,
    sealer: Sealer,
    settings: Settings,
}

/// A look that is running.
struct Running {
    external: Arc<ExternalAccountObject>,
    stop: CancellationToken,
}

/// Looks that broke off, and until when such an external account waits: whoever asked for a look has not been answered, and
/// would be answered in the same way at once.
#[derive(Default)]
struct Broken(HashMap<u64, (Arc<ExternalAccountObject>, Timestamp)>);

impl Broken {
    /// When one is looked at that is due at a time. One that was changed since may have been repaired.
    fn not_before(&self, external: &ExternalAccountObject, due: Timestamp) -> Timestamp {
        match self.0.get(&external.id) {
            Some((broken, until)) if **broken == *external => due.max(*until),
            _ => due,
        }
    }
}

impl Fetch {
    /// Over a delivery.
    ///
    /// # Errors
    /// When the key of the passwords can't be read or made.
    pub async fn new(delivery: Delivery, settings: Settings) -> Result<Self, StorageError> {
        let sealer = Sealer::for_external_accounts(delivery.store()).await?;
        Ok(Self { delivery, sealer, settings })
    }

    /// Looks at every external account when it is due, and forgets now and then what matters no more, until told to stop.
    ///
    /// # Errors
    /// When the store can't be read any more.
    pub async fn run(&self, bus: &Bus, stop: CancellationToken) -> Result<(), StorageError> {
        tokio::select! {
            ended = self.look_when_due(bus, stop) => ended,
            never = self.sweep_forever() => match never {},
        }
    }

    async fn sweep_forever(&self) -> std::convert::Infallible {
        loop {
            self.store().world().clock.sleep(SWEEP_INTERVAL).await;
            match self.sweep().await {
                Ok(swept) => tracing::debug!(swept, "contents fetched long ago forgotten"),
                Err(error) => tracing::warn!(%error, "forgetting what was fetched long ago failed"),
            }
        }
    }

    /// Forgets contents by which no double is known any more: those of mailboxes that are gone, and those that have been
    /// deleted there for long. Returns how many.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn sweep(&self) -> Result<usize, StorageError> {
        let externals: Vec<Arc<ExternalAccountObject>> = self.store().directory().externals().cloned().collect();
        let mut swept = 0_usize;
        for external in externals {
            let owner = self.store().directory().account(&external.owner).map(|owner| owner.id);
            let Some(owner) = owner else { continue };
            let before = schedule::forgotten_before(external.after_fetch, self.store().now());
            let forgotten = self.store().forget_fetched_contents(external.id, owner, before).await?;
            swept = swept.saturating_add(forgotten);
        }
        Ok(swept)
    }

    async fn look_when_due(&self, bus: &Bus, stop: CancellationToken) -> Result<(), StorageError> {
        let mut bell = bus.directory();
        let mut running: HashMap<u64, Running> = HashMap::new();
        let mut numbers: HashMap<tokio::task::Id, u64> = HashMap::new();
        let mut looks = JoinSet::new();
        let mut due: HashMap<u64, Timestamp> = HashMap::new();
        let mut broken = Broken::default();
        let mut reload = true;
        loop {
            if std::mem::take(&mut reload) {
                due.clear();
                for external in self.enabled() {
                    let at = self.due(&external).await?;
                    due.insert(external.id, broken.not_before(&external, at));
                }
                broken.0.retain(|id, _| due.contains_key(id));
                // One that was changed, switched off or removed is not looked at any further.
                for (id, look) in &running {
                    let now = self.store().directory().external(*id).cloned();
                    if now.as_deref() != Some(&*look.external) {
                        look.stop.cancel();
                    }
                }
            }
            let now = self.store().now();
            let mut waiting: Vec<(Timestamp, u64)> =
                due.iter().filter(|(id, _)| !running.contains_key(id)).map(|(id, at)| (*at, *id)).collect();
            waiting.sort_unstable();
            let mut next = now.plus(IDLE);
            for (at, id) in waiting {
                if at > now {
                    next = next.min(at);
                    break;
                }
                if running.len() >= self.settings.at_once.max(1) {
                    break;
                }
                let Some(external) = self.store().directory().external(id).cloned() else { continue };
                let (fetch, token) = (self.clone(), stop.child_token());
                running.insert(id, Running { external: external.clone(), stop: token.clone() });
                let task = looks.spawn(async move {
                    tokio::select! {
                        () = token.cancelled() => Ok(()),
                        done = fetch.look(&external) => done,
                    }
                });
                numbers.insert(task.id(), id);
            }
            tokio::select! {
                () = stop.cancelled() => break,
                () = bell.rung() => reload = true,
                () = self.store().world().clock.sleep(next.since(now)) => {}
                Some(ended) = looks.join_next_with_id(), if !looks.is_empty() => {
                    let (task, result) = match ended {
                        Ok((task, result)) => (task, result.map_err(|error| error.to_string())),
                        Err(panic) => (panic.id(), Err(panic.to_string())),
                    };
                    let Some(id) = numbers.remove(&task) else { continue };
                    match (result, running.remove(&id)) {
                        (Err(error), Some(look)) => {
                            tracing::error!(external = id, error, "a look at an external account broke off");
                            broken.0.insert(id, (look.external, self.store().now().plus(IDLE)));
                        }
                        _ => drop(broken.0.remove(&id)),
                    }
                    let external = self.store().directory().external(id).filter(|one| one.enabled).cloned();
                    match external {
                        // A look that left no trace, as a broken one, is not begun again at once.
                        Some(external) => {
                            let at = self.due(&external).await?;
                            let at = if at.0 > 0 || self.store().fetch_status(id).await?.asked { at } else { self.store().now().plus(IDLE) };
                            due.insert(id, broken.not_before(&external, at));
                        }
                        None => drop(due.remove(&id)),
                    }
                }
            }
        }
        // Each ends between two transactions.
        while looks.join_next().await.is_some() {}
        Ok(())
    }

    /// Looks at an external account now, and writes how that went.
    ///
    /// # Errors
    /// When the store can't be read or written.
    pub async fn look(&self, external: &ExternalAccountObject) -> Result<(), StorageError> {
        let before = self.store().fetch_status(external.id).await?;
        let result = self.try_look(external).await;
        let after = self.store().fetch_status(external.id).await?;
        let moved = after.fetched > before.fetched || after.skipped > before.skipped;
        let (result, again) = match result {
            // Time is over, and there is more.
            Err(FetchError::TooSlow) if moved => (Ok(()), true),
            // That message is passed over by now. The next look waits its time: a server that lies is not asked without end.
            Err(FetchError::TooLarge) if moved => (Ok(()), false),
            other => (other, false),
        };
        let error = result.err().filter(|error| *error != FetchError::Gone);
        let error = error.map(|error| self.told(external, error.to_string()));
        match &error {
            None => tracing::debug!(external = external.id, "an external account was fetched"),
            Some(error) => {
                tracing::info!(external = external.id, host = %external.host, error, "an external account could not be fetched")
            }
        }
        self.note(external, error, again).await
    }

    async fn try_look(&self, external: &ExternalAccountObject) -> Result<(), FetchError> {
        let password = self.password(external)?;
        let mut look = Look::new(self, external).await?;
        let world = self.store().world().clone();
        let looking = Box::pin(look.run(&password));
        match world.timeout(LOOK_TIME_MAX, looking).await {
            Ok(done) => done,
            Err(_) => Err(FetchError::TooSlow),
        }
    }

    /// Writes how a look went; after a day of failures, with a letter to the owner.
    async fn note(
        &self,
        external: &ExternalAccountObject,
        error: Option<String>,
        again: bool,
    ) -> Result<(), StorageError> {
        let (id, now) = (external.id, self.store().now());
        let status = self.store().fetch_status(id).await?;
        let overdue = status.failing_since.is_some_and(|since| now.since(since) >= LETTER_AFTER);
        let letter = match &error {
            Some(error) if overdue && !status.told => {
                let owner = self.store().directory().account(&external.owner).cloned();
                match owner.and_then(|owner| text::failing(&owner, external, error)) {
                    Some(letter) => self.delivery.prepare_letter(&letter).await.ok(),
                    None => None,
                }
            }
            _ => None,
        };
        let body = move |tx: &mut storage::Transaction<'_>| {
            if tx.external(id)?.is_none() {
                return Ok(());
            }
            let mut status = FetchStatus { asked: again, last_run: Some(now), progress: None, ..tx.fetch_status(id)? };
            match &error {
                None => {
                    status = FetchStatus {
                        last_success: Some(now),
                        failing_since: None,
                        failures: 0,
                        last_error: None,
                        told: false,
                        ..status
                    };
                }
                Some(error) => {
                    status.failing_since = status.failing_since.or(Some(now));
                    status.failures = status.failures.saturating_add(1);
                    status.last_error = Some(error.clone());
                    if let Some(letter) = &letter {
                        letter.apply(tx)?;
                        status.told = true;
                    }
                }
            }
            tx.put_fetch_status(id, &status)
        };
        // It takes no room worth speaking of: failures are noted on a full disk too.
        self.store().transact_with(storage::Durability::Freeing, body).await.map(drop)
    }

    fn enabled(&self) -> Vec<Arc<ExternalAccountObject>> {
        self.store().directory().externals().filter(|external| external.enabled).cloned().collect()
    }

    async fn due(&self, external: &ExternalAccountObject) -> Result<Timestamp, StorageError> {
        let status = self.store().fetch_status(external.id).await?;
        Ok(schedule::due(external, &status, self.settings.interval_min))
    }

    fn password(&self, external: &ExternalAccountObject) -> Result<Password, FetchError> {
        let sealed = external.password.as_ref().ok_or(FetchError::NoPassword)?;
        Ok(self.sealer.open(external.id, &sealed.0)?)
    }

    /// A text of which a server elsewhere may have said a part, fit to be shown.
    fn told(&self, external: &ExternalAccountObject, text: String) -> String {
        let (text, password) = (Zeroizing::new(text), self.password(external).ok());
        fit(&text, &external.login, password.as_ref().map(Password::expose))
    }

    fn store(&self) -> &Store {
        self.delivery.store()
    }

    fn delivery(&self) -> &Delivery {
        &self.delivery
    }

    fn octets_max(&self) -> u64 {
        self.delivery.settings().message_octets_max
    }

    fn timeout(&self) -> Duration {
        self.settings.timeout
    }
}

/// A look at the clock at least this often.
const IDLE: Duration = Duration::from_secs(60);
