//! The greylist: rows under their own keys, each with its end in the order, and as many as are counted.

use super::pages::{Pages, ROWS};
use super::{Check, Flaw};
use crate::error::StorageError;
use crate::greylist::{Row, Totals, row};
use crate::keys::{Key, Table};

impl Check<'_> {
    pub(super) async fn greylist(&mut self) -> Result<(), StorageError> {
        let (mut found, mut ordered, mut told) = (Totals::default(), 0_u32, Totals::default());
        let mut pages = Pages::new(self.store, Key::global(Table::Greylist).range(), ROWS);
        loop {
            let page = pages.next().await?;
            if page.is_empty() {
                break;
            }
            let mut orders = Vec::new();
            for (key, value) in &page {
                match row(key, value) {
                    Ok(Row::Ends { waiting, order }) => {
                        let count = if waiting { &mut found.waiting } else { &mut found.passed };
                        *count = count.saturating_add(1);
                        orders.push(order);
                    }
                    Ok(Row::Order) => ordered = ordered.saturating_add(1),
                    Ok(Row::Totals(totals)) => told = totals,
                    Err(error) => self.find(Flaw::Undecodable, "a row of the greylist", error.to_string()),
                }
            }
            let missing = self.store.engine.multi_get(&orders).await?.iter().filter(|one| one.is_none()).count();
            if missing > 0 {
                self.find(Flaw::Greylist, "the greylist", format!("{missing} rows are never forgotten"));
            }
        }
        if ordered != found.waiting.saturating_add(found.passed) {
            self.find(
                Flaw::Greylist,
                "the greylist",
                format!("{ordered} rows are in the order, and {found:?} are there"),
            );
        }
        if told != found {
            self.find(Flaw::Greylist, "the greylist", format!("{told:?} are counted, and {found:?} are there"));
        }
        Ok(())
    }
}
