//! Rows of the durable bus: events that wait for their consumer.

use mail::{Notice, Timestamp, Topic};

use crate::engine::{Order, Row};
use crate::error::StorageError;
use crate::keys;
use crate::rows::EventRow;
use crate::store::{Store, counter};
use crate::transaction::Transaction;

impl Transaction<'_> {
    /// Writes an event of a topic; its consumer hears of it once this is durable.
    ///
    /// # Errors
    /// When reading fails.
    pub fn emit(&mut self, topic: Topic, now: Timestamp, payload: Vec<u8>) -> Result<u64, StorageError> {
        self.emit_due(topic, now, now, payload)
    }

    /// The same, not to be handed out before a time.
    ///
    /// # Errors
    /// When reading fails.
    pub fn emit_due(
        &mut self,
        topic: Topic,
        now: Timestamp,
        due: Timestamp,
        payload: Vec<u8>,
    ) -> Result<u64, StorageError> {
        let number = self.next_number(event_counter(topic))?;
        let row = EventRow { number, created_at: now, due, attempts: 0, last_error: None, payload };
        self.put(keys::event(topic, number), row.encode()?);
        self.notify(Notice::Topic(topic));
        Ok(number)
    }

    /// Takes an event away: its effect is in this transaction. `false` when it is gone already, and with it the effect.
    ///
    /// # Errors
    /// When reading fails.
    pub fn finish_event(&mut self, topic: Topic, number: u64) -> Result<bool, StorageError> {
        let key = keys::event(topic, number);
        let there = self.get(&key)?.is_some();
        self.delete(key);
        Ok(there)
    }

    /// Puts an event off after a failure.
    ///
    /// # Errors
    /// When reading fails.
    pub fn defer_event(&mut self, topic: Topic, number: u64, due: Timestamp, error: &str) -> Result<(), StorageError> {
        let key = keys::event(topic, number);
        let Some(value) = self.get(&key)? else { return Ok(()) };
        let mut row = EventRow::decode(&value)?;
        row.attempts = row.attempts.saturating_add(1);
        row.due = due;
        row.last_error = Some(error.to_owned());
        self.put(key, row.encode()?);
        Ok(())
    }

    /// Parks an event that failed too often, where an administrator sees it. `false` when it is gone already.
    ///
    /// # Errors
    /// When reading fails.
    pub fn park_event(&mut self, topic: Topic, number: u64, error: &str) -> Result<bool, StorageError> {
        let key = keys::event(topic, number);
        let Some(value) = self.get(&key)? else { return Ok(false) };
        let mut row = EventRow::decode(&value)?;
        row.last_error = Some(error.to_owned());
        self.delete(key);
        self.put(keys::parked(topic, number), row.encode()?);
        Ok(true)
    }

    /// Hands a parked event out again, under a new number: consumers look behind the last one that they know. `false`
    /// when it is gone.
    ///
    /// # Errors
    /// When reading fails.
    pub fn retry_parked_event(&mut self, topic: Topic, number: u64, now: Timestamp) -> Result<bool, StorageError> {
        let key = keys::parked(topic, number);
        let Some(value) = self.get(&key)? else { return Ok(false) };
        let row = EventRow::decode(&value)?;
        self.delete(key);
        self.emit(topic, now, row.payload)?;
        Ok(true)
    }

    /// Forgets a parked event: what it asked for is never done. `false` when it is gone.
    ///
    /// # Errors
    /// When reading fails.
    pub fn remove_parked_event(&mut self, topic: Topic, number: u64) -> Result<bool, StorageError> {
        let key = keys::parked(topic, number);
        let there = self.get(&key)?.is_some();
        self.delete(key);
        Ok(there)
    }
}

impl Store {
    /// A page of a topic's events behind number `after`, in order of number, due or not.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn events_after(&self, topic: Topic, after: u64, limit: usize) -> Result<Vec<EventRow>, StorageError> {
        let mut range = keys::events_of(topic);
        range.start = keys::event(topic, after.saturating_add(1));
        decode(self.engine.scan(range, Order::Ascending, limit).await?)
    }

    /// One event, unless its effect is done.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn event(&self, topic: Topic, number: u64) -> Result<Option<EventRow>, StorageError> {
        self.engine.get(&keys::event(topic, number)).await?.map(|value| EventRow::decode(&value)).transpose()
    }

    /// A parked event, unless it is gone.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn parked_event(&self, topic: Topic, number: u64) -> Result<Option<EventRow>, StorageError> {
        self.engine.get(&keys::parked(topic, number)).await?.map(|value| EventRow::decode(&value)).transpose()
    }

    /// The parked events of a topic, at most `limit`.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn parked_events(&self, topic: Topic, limit: usize) -> Result<Vec<EventRow>, StorageError> {
        decode(self.engine.scan(keys::parked_of(topic), Order::Ascending, limit).await?)
    }
}

/// The key of the counter of a topic's events.
pub(crate) fn event_counter(topic: Topic) -> Vec<u8> {
    counter(match topic {
        Topic::MessageStored => "event:message-stored",
        Topic::Queue => "event:queue",
        Topic::HeldMessage => "event:held-message",
        Topic::MemberAdded => "event:member-added",
        Topic::Webhook => "event:webhook",
        Topic::MessageJudged => "event:message-judged",
        Topic::ReportReceived => "event:report-received",
    })
}

fn decode(rows: Vec<Row>) -> Result<Vec<EventRow>, StorageError> {
    rows.iter().map(|(_, value)| EventRow::decode(value)).collect()
}
