//! Tells webhooks what becomes of messages: the consumer of [`Topic::Webhook`].
//!
//! Each call is an event of its own, written by the transaction of what it tells (see [`storage::webhooks`]); it is signed ([`signature`])
//! and posted as JSON. A hook that fails is left alone for a while that grows ([`limits::DELAYS`]), and its calls wait; one that fails
//! for days is switched off, and administrators get a letter. At least once: a call whose answer is lost comes again with the same number.
//!
//! Which addresses may be called is decided by [`Settings::reach`]: a hook must not become a way into the server's own network.

mod letters;
pub mod limits;
mod sign;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bus::{Bus, Consumer, TakeError, consume};
use delivery::Delivery;
use mail::{Timestamp, Topic};
use parking_lot::Mutex;
use serde_json::json;
use storage::rows::EventRow;
use storage::webhooks::{HookCall, HookEvent, WebhookRow};
use storage::{StorageError, Store, Transaction};
use tokio_util::sync::CancellationToken;
use world::BoxFuture;
use world::https::{Https, Reach, Request, Url};

use limits::{ANSWER_OCTETS_MAX, CALL_AGE_MAX, CALL_TIME, DELAYS, ERROR_CHARS_MAX, FAILING_MAX, SUCCESS_NOTED_EVERY};

pub use sign::signature;

/// What an administrator decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Which addresses may be called. [`Reach::Anywhere`] also allows `http://`.
    pub reach: Reach,
}

/// The caller of one server's hooks.
#[derive(Clone)]
pub struct Hooks {
    store: Store,
    delivery: Delivery,
    https: Arc<dyn Https>,
    settings: Settings,
    resting: Arc<Mutex<HashMap<u64, Resting>>>,
}

/// A hook that failed.
#[derive(Clone, Copy)]
struct Resting {
    until: Timestamp,
    failures: usize,
}

/// Why a call did not go well.
struct Failure {
    said: String,
    /// It never will: the hook says that it is gone (410).
    gone: bool,
}

impl Hooks {
    /// A caller that writes letters by this delivery.
    #[must_use]
    pub fn new(delivery: Delivery, https: Arc<dyn Https>, settings: Settings) -> Self {
        Self { store: delivery.store().clone(), delivery, https, settings, resting: Arc::default() }
    }

    /// Calls until told to stop.
    ///
    /// # Errors
    /// When the store can't be read any more.
    pub async fn run(&self, bus: &Bus, stop: CancellationToken) -> Result<(), StorageError> {
        consume(bus, &self.store, Topic::Webhook, self, stop).await
    }

    async fn take_one(&self, event: &EventRow) -> Result<(), TakeError> {
        let call = HookCall::decode(&event.payload).map_err(|error| TakeError::Permanent(error.to_string()))?;
        let (now, number) = (self.store.now(), event.number);
        let hook = self.store.webhook(call.hook).await?;
        let test = call.event == HookEvent::Test;
        let Some(hook) = hook.filter(|hook| hook.enabled || test) else { return self.forget(number).await };
        if now.since(call.at) > CALL_AGE_MAX {
            tracing::warn!(hook = hook.id, event = call.event.name(), "a call is too old, and is not made any more");
            return self.forget(number).await;
        }
        let resting = self.resting.lock().get(&hook.id).copied().filter(|resting| resting.until > now && !test);
        if let Some(resting) = resting {
            return self.later(number, call, resting.until, None).await;
        }
        match self.call(&hook, &call, number).await {
            Ok(()) => self.went_well(&hook, number, test).await,
            Err(failure) => self.failed(&hook, call, number, failure).await,
        }
    }

    /// Makes a call.
    async fn call(&self, hook: &WebhookRow, call: &HookCall, number: u64) -> Result<(), Failure> {
        let failed = |said: String| Failure { said, gone: false };
        let url = match self.settings.reach {
            Reach::Public => Url::parse(&hook.url),
            Reach::Anywhere => Url::parse_even_plain(&hook.url),
        };
        let url = url.map_err(|flaw| failed(flaw.to_string()))?;
        let id = format!("{}-{}", hook.id, call.id.unwrap_or(number));
        let body = json!({ "id": id, "event": call.event, "at": call.at.to_rfc5322(), "at_millis": call.at.0, "told": call.told });
        let body = body.to_string().into_bytes();
        let signed = signature(&hook.secret, self.store.now().as_secs(), &body);
        let mut request = Request::post(url, "application/json", body);
        request.fields.push(("Relais-Event".to_owned(), call.event.name().to_owned()));
        request.fields.push(("Relais-Event-Id".to_owned(), id));
        request.fields.push(("Relais-Signature".to_owned(), signed));
        (request.within, request.octets_max, request.reach) = (CALL_TIME, ANSWER_OCTETS_MAX, self.settings.reach);
        let answer = self.https.exchange(request).await.map_err(|error| failed(error.to_string()))?;
        if answer.is_success() {
            return Ok(());
        }
        Err(Failure { said: format!("it answered with status {}", answer.status), gone: answer.status == 410 })
    }

    async fn forget(&self, number: u64) -> Result<(), TakeError> {
        self.store.transact(move |tx| tx.finish_event(Topic::Webhook, number)).await?;
        Ok(())
    }

    async fn went_well(&self, hook: &WebhookRow, number: u64, test: bool) -> Result<(), TakeError> {
        self.resting.lock().remove(&hook.id);
        let (id, now) = (hook.id, self.store.now());
        let write = move |tx: &mut Transaction<'_>| {
            if !tx.finish_event(Topic::Webhook, number)? {
                return Ok(());
            }
            let Some(row) = tx.webhook(id)? else { return Ok(()) };
            let lately = row.succeeded_at.is_some_and(|at| now.since(at) < SUCCESS_NOTED_EVERY);
            if lately && row.failing_since.is_none() && !test {
                return Ok(());
            }
            tx.update_webhook(&WebhookRow { succeeded_at: Some(now), failing_since: None, last_error: None, ..row })
        };
        self.store.transact(write).await?;
        Ok(())
    }

    async fn failed(&self, hook: &WebhookRow, call: HookCall, number: u64, why: Failure) -> Result<(), TakeError> {
        let (id, now) = (hook.id, self.store.now());
        let said: String = why.said.chars().take(ERROR_CHARS_MAX).collect();
        let until = self.rest(id, now);
        let since = hook.failing_since.unwrap_or(now);
        tracing::info!(hook = id, event = call.event.name(), error = said, "a webhook was not told");
        let off = hook.enabled && (why.gone || now.since(since) >= FAILING_MAX);
        let letters = if off { self.letters(hook, &said).await } else { Vec::new() };
        let note = move |tx: &mut Transaction<'_>| {
            let Some(row) = tx.webhook(id)? else { return Ok(()) };
            if off && row.enabled {
                letters.iter().try_for_each(|letter| letter.apply(tx).map(drop))?;
            }
            let enabled = row.enabled && !off;
            let failing_since = Some(row.failing_since.unwrap_or(now));
            tx.update_webhook(&WebhookRow { enabled, failing_since, last_error: Some(said.clone()), ..row })
        };
        self.store.transact(note).await?;
        if off || call.event == HookEvent::Test {
            return self.forget(number).await;
        }
        self.later(number, call, until, Some(())).await
    }

    /// Leaves a hook alone for a while. Calls that were under way together are one failure.
    fn rest(&self, hook: u64, now: Timestamp) -> Timestamp {
        let mut resting = self.resting.lock();
        let before = resting.get(&hook).copied();
        if let Some(before) = before.filter(|before| before.until > now) {
            return before.until;
        }
        let failures = before.map_or(0, |before| before.failures);
        let delay = DELAYS.get(failures).or(DELAYS.last()).copied().unwrap_or(Duration::from_secs(60));
        let until = now.plus(delay);
        resting.insert(hook, Resting { until, failures: failures.saturating_add(1) });
        until
    }

    /// Puts a call off: its event ends, and another one takes its place under a new number, with the old one to be known by.
    async fn later(&self, number: u64, call: HookCall, due: Timestamp, tried: Option<()>) -> Result<(), TakeError> {
        let now = self.store.now();
        let attempts = call.attempts.saturating_add(u32::from(tried.is_some()));
        let again = HookCall { id: Some(call.id.unwrap_or(number)), attempts, ..call };
        let put_off = move |tx: &mut Transaction<'_>| {
            if tx.finish_event(Topic::Webhook, number)? {
                tx.emit_due(Topic::Webhook, now, due, again.encode())?;
            }
            Ok(())
        };
        self.store.transact(put_off).await?;
        Ok(())
    }
}

impl Consumer for Hooks {
    fn take<'a>(&'a self, event: &'a EventRow) -> BoxFuture<'a, Result<(), TakeError>> {
        Box::pin(self.take_one(event))
    }
}
