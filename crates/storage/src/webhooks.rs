//! Webhooks: addresses (URLs) that are told what becomes of messages, and the calls that wait for them.
//!
//! A call is an event of [`Topic::Webhook`], written by the transaction of what it tells; one for each hook, so that a hook that fails keeps
//! no other from being told. The secret that signs calls is in no listing and no call.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use mail::{Timestamp, Topic};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::engine::Order;
use crate::error::StorageError;
use crate::keys::{self, Key, Table};
use crate::limits::{WEBHOOK_CALLS_MAX, WEBHOOKS_MAX};
use crate::rows::{self, EventRow};
use crate::store::{Done, Store, counter};
use crate::transaction::Transaction;

/// What a hook is told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HookEvent {
    /// A message was accepted from a client.
    Accepted,
    /// A mailbox here keeps it, or another server has taken it.
    Delivered,
    /// Another server does not take it now; it is tried again.
    Deferred,
    /// It will not be delivered.
    Failed,
    /// Somebody wants to see whether the hook works.
    Test,
}

impl HookEvent {
    /// What a hook can ask for.
    pub const ALL: [Self; 4] = [Self::Accepted, Self::Delivered, Self::Deferred, Self::Failed];

    /// Its name, for people and programs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Delivered => "delivered",
            Self::Deferred => "deferred",
            Self::Failed => "failed",
            Self::Test => "test",
        }
    }
}

/// A hook.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookRow {
    /// Its number; 1 and up.
    pub id: u64,
    /// Where calls go.
    pub url: String,
    /// What it is told of.
    pub events: Vec<HookEvent>,
    /// What signs its calls.
    pub secret: String,
    /// Whether it is called.
    pub enabled: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// The last call that went well.
    pub succeeded_at: Option<Timestamp>,
    /// Since when none does.
    pub failing_since: Option<Timestamp>,
    /// Why the last one did not.
    pub last_error: Option<String>,
}

impl std::fmt::Debug for WebhookRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "WebhookRow({} {} {:?} enabled: {})", self.id, self.url, self.events, self.enabled)
    }
}

impl WebhookRow {
    pub(crate) fn decode(value: &[u8]) -> Result<Self, StorageError> {
        rows::decode(VERSION, "a webhook", value)
    }

    fn encode(&self) -> Result<Bytes, StorageError> {
        rows::encode(VERSION, self)
    }
}

const VERSION: u8 = 1;

/// A call that waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HookCall {
    /// For which hook.
    pub hook: u64,
    /// The number by which the hook knows it again; `None`: that of its event.
    #[serde(default)]
    pub id: Option<u64>,
    /// What it is about.
    pub event: HookEvent,
    /// When that happened.
    pub at: Timestamp,
    /// Attempts that failed.
    #[serde(default)]
    pub attempts: u32,
    /// What is told.
    pub told: Value,
}

impl HookCall {
    /// The payload of the event's row.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        // Strings and numbers only: JSON can't fail on them.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads a payload.
    ///
    /// # Errors
    /// When it is none of ours.
    pub fn decode(payload: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(payload)
    }
}

impl Transaction<'_> {
    /// All hooks, in order of number.
    ///
    /// # Errors
    /// When reading fails.
    pub fn webhooks(&self) -> Result<Vec<WebhookRow>, StorageError> {
        let rows = self.scan(&Key::global(Table::Webhook).range(), Order::Ascending, WEBHOOKS_MAX)?;
        rows.iter().map(|(_, value)| WebhookRow::decode(value)).collect()
    }

    /// Tells the hooks that want to hear of it. When [`WEBHOOK_CALLS_MAX`] calls wait, what is new is not told. To be called where
    /// [`Store::has_webhooks`] says so: it reads.
    ///
    /// # Errors
    /// When reading fails.
    pub fn call_webhooks(&mut self, event: HookEvent, now: Timestamp, told: &Value) -> Result<(), StorageError> {
        for hook in self.webhooks()? {
            if !hook.enabled || !hook.events.contains(&event) {
                continue;
            }
            if self.hook_calls_span()? >= WEBHOOK_CALLS_MAX {
                tracing::warn!(hook = hook.id, "too many calls of webhooks wait; what is new is not told");
                return Ok(());
            }
            let call = HookCall { hook: hook.id, id: None, event, at: now, attempts: 0, told: told.clone() };
            self.emit(Topic::Webhook, now, call.encode())?;
        }
        Ok(())
    }

    /// At least so many numbers lie between the first call that waits and the last; no more calls than that.
    fn hook_calls_span(&self) -> Result<u64, StorageError> {
        let range = keys::events_of(Topic::Webhook);
        let number = |order| -> Result<Option<u64>, StorageError> {
            let row = self.scan(&range, order, 1)?;
            row.first().map(|(_, value)| EventRow::decode(value).map(|row| row.number)).transpose()
        };
        let (first, last) = (number(Order::Ascending)?, number(Order::Descending)?);
        Ok(first.zip(last).map_or(0, |(first, last)| last.saturating_sub(first).saturating_add(1)))
    }

    /// A hook, as it is now.
    ///
    /// # Errors
    /// When reading fails.
    pub fn webhook(&self, id: u64) -> Result<Option<WebhookRow>, StorageError> {
        self.get(&key(id))?.map(|value| WebhookRow::decode(&value)).transpose()
    }

    /// Writes a hook that is there already.
    ///
    /// # Errors
    /// When reading or encoding fails.
    pub fn update_webhook(&mut self, row: &WebhookRow) -> Result<(), StorageError> {
        if self.get(&key(row.id))?.is_some() {
            self.put(key(row.id), row.encode()?);
        }
        Ok(())
    }
}

impl Store {
    /// Whether there is a hook at all. Known without reading, so that servers without any pay nothing.
    #[must_use]
    pub fn has_webhooks(&self) -> bool {
        self.webhooks.load(Ordering::Relaxed)
    }

    /// All hooks, in order of number.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn webhooks(&self) -> Result<Vec<WebhookRow>, StorageError> {
        let rows = self.engine.scan(Key::global(Table::Webhook).range(), Order::Ascending, WEBHOOKS_MAX).await?;
        rows.iter().map(|(_, value)| WebhookRow::decode(value)).collect()
    }

    /// One hook.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn webhook(&self, id: u64) -> Result<Option<WebhookRow>, StorageError> {
        self.engine.get(&key(id)).await?.map(|value| WebhookRow::decode(&value)).transpose()
    }

    /// Adds a hook under the next number.
    ///
    /// # Errors
    /// [`StorageError::LimitReached`] when there are [`WEBHOOKS_MAX`].
    pub async fn add_webhook(&self, row: WebhookRow) -> Result<Done<WebhookRow>, StorageError> {
        let add = move |tx: &mut Transaction<'_>| {
            if tx.webhooks()?.len() >= WEBHOOKS_MAX {
                return Err(StorageError::LimitReached("webhooks"));
            }
            let row = WebhookRow { id: tx.next_number(counter("webhook"))?, ..row.clone() };
            tx.put(key(row.id), row.encode()?);
            Ok(row)
        };
        let done = self.transact(add).await?;
        self.webhooks.store(true, Ordering::Relaxed);
        Ok(done)
    }

    /// Removes a hook; what waits for it is told to nobody. `false` when it is gone.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn remove_webhook(&self, id: u64) -> Result<bool, StorageError> {
        let remove = move |tx: &mut Transaction<'_>| {
            let there = tx.get(&key(id))?.is_some();
            tx.delete(key(id));
            Ok(there)
        };
        let there = self.transact(remove).await?.value;
        self.load_webhooks().await?;
        Ok(there)
    }

    /// Looks whether there are hooks.
    pub(crate) async fn load_webhooks(&self) -> Result<(), StorageError> {
        let any = self.engine.scan(Key::global(Table::Webhook).range(), Order::Ascending, 1).await?;
        self.webhooks.store(!any.is_empty(), Ordering::Relaxed);
        Ok(())
    }
}

fn key(id: u64) -> Vec<u8> {
    Key::global(Table::Webhook).u64(id).done()
}
