//! The queue: entries readable, each scheduled exactly once, numbers below the counter.

use mail::{QueueId, Timestamp};

use super::pages::{Pages, ROWS};
use super::{Check, Flaw};
use crate::error::StorageError;
use crate::keys::{self, Key, Table};
use crate::pace::route_of;
use crate::rows::{PaceRow, QueueRow};
use crate::store::counter;

impl Check<'_> {
    pub(super) async fn queue(&mut self) -> Result<(), StorageError> {
        let mut last = QueueId(0);
        let mut pages = Pages::new(self.store, Key::global(Table::Queue).range(), ROWS);
        loop {
            let page = pages.next().await?;
            if page.is_empty() {
                break;
            }
            for (key, value) in page {
                self.checked.queue_entries = self.checked.queue_entries.saturating_add(1);
                let id = keys::middle(&key, keys::HEAD).map(|id| QueueId(u64::from_be_bytes(id)));
                let place = format!("queue entry {}", id.unwrap_or(QueueId(0)));
                last = last.max(id.unwrap_or(last));
                let Some(row) = self.decoded(&place, QueueRow::decode(&value)) else { continue };
                if Some(row.id) != id {
                    self.find(Flaw::Undecodable, &place, format!("it says that it is {}", row.id));
                }
                if self.store.engine.get(&keys::queue_due(row.next_attempt, row.id)).await?.is_none() {
                    self.find(Flaw::QueueDue, &place, "it is not scheduled");
                }
            }
        }
        self.counter("queue", counter("queue"), last.0).await?;
        self.schedule().await?;
        self.paces().await
    }

    /// What was learnt of destinations: readable, and of a route.
    async fn paces(&mut self) -> Result<(), StorageError> {
        let mut pages = Pages::new(self.store, Key::global(Table::Pace).range(), ROWS);
        loop {
            let page = pages.next().await?;
            if page.is_empty() {
                return Ok(());
            }
            for (key, value) in page {
                match route_of(&key) {
                    Some(route) => {
                        self.decoded(&format!("pace of {route}"), PaceRow::decode(&value));
                    }
                    None => self.find(Flaw::Undecodable, "the key of a pace", format!("{key:02x?}")),
                }
            }
        }
    }

    async fn schedule(&mut self) -> Result<(), StorageError> {
        let mut pages = Pages::new(self.store, Key::global(Table::QueueDue).range(), ROWS);
        loop {
            let page = pages.next().await?;
            if page.is_empty() {
                return Ok(());
            }
            for (key, _) in page {
                let at = keys::middle(&key, keys::HEAD).map(u64::from_be_bytes).and_then(|at| i64::try_from(at).ok());
                let id = keys::middle(&key, keys::HEAD + 8).map(|id| QueueId(u64::from_be_bytes(id)));
                let (Some(at), Some(id)) = (at.map(Timestamp), id) else {
                    self.find(Flaw::Undecodable, "a key of the queue's schedule", format!("{key:02x?}"));
                    continue;
                };
                let row = self.store.engine.get(&keys::queue(id)).await?;
                match row.map(|value| QueueRow::decode(&value)) {
                    None => self.find(Flaw::QueueDue, format!("queue entry {id}"), "scheduled, but not there"),
                    // A time before 1970 is scheduled as 1970.
                    Some(Ok(row)) if row.next_attempt.0.max(0) != at.0 => {
                        self.find(Flaw::QueueDue, format!("queue entry {id}"), "scheduled more than once");
                    }
                    Some(_) => {}
                }
            }
        }
    }
}
