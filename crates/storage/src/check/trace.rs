//! Traces: steps readable, index and terms lead to each other.
//!
//! A term may be there without steps: the sweep takes both from their beginnings, a page of each at a time.

use mail::TraceId;

use super::pages::{Pages, ROWS};
use super::{Check, Flaw};
use crate::error::StorageError;
use crate::keys::{self, Key, Table};
use crate::trace::{TERM, decode};

impl Check<'_> {
    pub(super) async fn traces(&mut self) -> Result<(), StorageError> {
        let mut pages = Pages::new(self.store, Key::global(Table::Trace).range(), ROWS);
        loop {
            let page = pages.next().await?;
            if page.is_empty() {
                break;
            }
            for (key, value) in page {
                let id = keys::middle(&key, keys::HEAD).map(TraceId);
                let place = id.map_or_else(|| "a trace".to_owned(), |id| format!("trace {id}"));
                self.decoded(&place, decode(&value));
            }
        }
        // Each side names the other; the one has term and trace in the other order.
        self.turned(Table::TraceIndex, TERM, Table::TraceTerms).await?;
        self.turned(Table::TraceTerms, 16, Table::TraceIndex).await
    }

    /// Each key of a table, its two parts turned round, is in the other table.
    async fn turned(&mut self, table: Table, first_octets: usize, other: Table) -> Result<(), StorageError> {
        let mut pages = Pages::new(self.store, Key::global(table).range(), ROWS);
        loop {
            let page = pages.next().await?;
            if page.is_empty() {
                return Ok(());
            }
            let turned = |key: &[u8]| {
                let (first, second) = key.get(keys::HEAD..)?.split_at_checked(first_octets)?;
                Some(Key::global(other).bytes(second).bytes(first).done())
            };
            let keys: Vec<Vec<u8>> = page.iter().map(|(key, _)| turned(key).unwrap_or_default()).collect();
            let found = self.store.engine.multi_get(&keys).await?;
            for ((key, _), found) in page.iter().zip(found) {
                if found.is_none() {
                    self.find(Flaw::TraceIndex, format!("{table:?} {:02x?}", key.get(keys::HEAD..)), "");
                }
            }
        }
    }
}
