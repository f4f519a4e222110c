//! Events of the bus: readable, of a known topic, numbers below their counters.

use mail::Topic;

use super::pages::{Pages, ROWS};
use super::{Check, Flaw};
use crate::engine::KeyRange;
use crate::error::StorageError;
use crate::events::event_counter;
use crate::keys::{self, Key, Table};
use crate::rows::EventRow;

impl Check<'_> {
    pub(super) async fn events(&mut self) -> Result<(), StorageError> {
        for topic in Topic::ALL {
            let waiting = self.events_in(topic, keys::events_of(topic), "event").await?;
            let before = self.checked.events;
            let parked = self.events_in(topic, keys::parked_of(topic), "parked event").await?;
            self.checked.parked_events = self.checked.parked_events.saturating_add(self.checked.events - before);
            self.counter(&format!("event of {topic:?}"), event_counter(topic), waiting.max(parked)).await?;
        }
        for table in [Table::Event, Table::Parked] {
            let mut pages = Pages::new(self.store, Key::global(table).range(), 1);
            while let Some((key, _)) = pages.next().await?.first() {
                let topic = key.get(keys::HEAD).copied().unwrap_or_default();
                let known = [keys::events_of, keys::parked_of]
                    .iter()
                    .any(|range| Topic::ALL.iter().any(|topic| key.starts_with(&range(*topic).start)));
                if !known {
                    self.find(Flaw::Undecodable, format!("events of topic {topic}"), "there is no such topic");
                }
                pages.skip(Key::global(table).u8(topic).done());
            }
        }
        Ok(())
    }

    async fn events_in(&mut self, topic: Topic, range: KeyRange, what: &str) -> Result<u64, StorageError> {
        let mut last = 0;
        let mut pages = Pages::new(self.store, range, ROWS);
        loop {
            let page = pages.next().await?;
            if page.is_empty() {
                return Ok(last);
            }
            for (key, value) in page {
                self.checked.events = self.checked.events.saturating_add(1);
                let number = keys::middle(&key, keys::HEAD + 1).map_or(0, u64::from_be_bytes);
                last = last.max(number);
                let place = format!("{what} {number} of {topic:?}");
                let Some(row) = self.decoded(&place, EventRow::decode(&value)) else { continue };
                if row.number != number {
                    self.find(Flaw::Undecodable, &place, format!("it says that it is {}", row.number));
                }
                if topic == Topic::HeldMessage {
                    match self.contents.held_message(&row.payload) {
                        Some(message) => self.held.extend([message]),
                        None => self.held_unknown = true,
                    }
                }
                if let Err(detail) = self.contents.event(topic, &row.payload) {
                    self.find(Flaw::EventContent, place, detail);
                }
            }
        }
    }
}
