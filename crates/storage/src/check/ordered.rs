//! Tables of rows of two kinds, bounded in number: each under its own key, with its place in an order of time, and as many as are counted.

use super::pages::{Pages, ROWS};
use super::{Check, Flaw};
use crate::error::StorageError;
use crate::keys::{Key, Table};

/// What a row of such a table is, by its key and value.
pub(crate) enum OrderedRow {
    /// What is kept, of one of two kinds, and its key in the order.
    Kept { kind: usize, order: Vec<u8> },
    /// A place in the order of a kind.
    Order { kind: usize },
    /// How many there are of each kind.
    Totals([u32; 2]),
}

impl Check<'_> {
    pub(super) async fn greylist(&mut self) -> Result<(), StorageError> {
        self.ordered(Table::Greylist, Flaw::Greylist, "the greylist", crate::greylist::row).await
    }

    pub(super) async fn reputation(&mut self) -> Result<(), StorageError> {
        self.ordered(Table::Reputation, Flaw::Reputation, "standings", crate::reputation::row).await
    }

    async fn ordered(
        &mut self,
        table: Table,
        flaw: Flaw,
        what: &str,
        read: fn(&[u8], &[u8]) -> Result<OrderedRow, StorageError>,
    ) -> Result<(), StorageError> {
        let (mut found, mut ordered, mut told) = ([0_u32; 2], [0_u32; 2], [0_u32; 2]);
        let add = |counts: &mut [u32; 2], kind: usize| {
            if let Some(count) = counts.get_mut(kind) {
                *count = count.saturating_add(1);
            }
        };
        let mut pages = Pages::new(self.store, Key::global(table).range(), ROWS);
        loop {
            let page = pages.next().await?;
            if page.is_empty() {
                break;
            }
            let mut orders = Vec::new();
            for (key, value) in &page {
                match read(key, value) {
                    Ok(OrderedRow::Kept { kind, order }) => {
                        add(&mut found, kind);
                        orders.push(order);
                    }
                    Ok(OrderedRow::Order { kind }) => add(&mut ordered, kind),
                    Ok(OrderedRow::Totals(totals)) => told = totals,
                    Err(error) => self.find(Flaw::Undecodable, format!("a row of {what}"), error.to_string()),
                }
            }
            let missing = self.store.engine.multi_get(&orders).await?.iter().filter(|one| one.is_none()).count();
            if missing > 0 {
                self.find(flaw, what, format!("{missing} rows are in no order of time, and never forgotten"));
            }
        }
        if ordered != found {
            self.find(flaw, what, format!("{ordered:?} rows are in order, and {found:?} are there"));
        }
        if told != found {
            self.find(flaw, what, format!("{told:?} rows are counted, and {found:?} are there"));
        }
        Ok(())
    }
}
