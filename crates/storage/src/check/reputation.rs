//! Standings of senders: rows under their own keys, each in its order, and as many as are counted.

use super::pages::{Pages, ROWS};
use super::{Check, Flaw};
use crate::error::StorageError;
use crate::keys::{Key, Table};
use crate::reputation::{Row, Totals, row};

impl Check<'_> {
    pub(super) async fn reputation(&mut self) -> Result<(), StorageError> {
        let (mut found, mut ordered, mut told) = (Totals::default(), Totals::default(), Totals::default());
        let add = |totals: &mut Totals, standing: bool| {
            let count = if standing { &mut totals.standings } else { &mut totals.notes };
            *count = count.saturating_add(1);
        };
        let mut pages = Pages::new(self.store, Key::global(Table::Reputation).range(), ROWS);
        loop {
            let page = pages.next().await?;
            if page.is_empty() {
                break;
            }
            let mut orders = Vec::new();
            for (key, value) in &page {
                match row(key, value) {
                    Ok(Row::Kept { standing, order }) => {
                        add(&mut found, standing);
                        orders.push(order);
                    }
                    Ok(Row::Order { standing }) => add(&mut ordered, standing),
                    Ok(Row::Totals(totals)) => told = totals,
                    Err(error) => self.find(Flaw::Undecodable, "a row of the standings", error.to_string()),
                }
            }
            let missing = self.store.engine.multi_get(&orders).await?.iter().filter(|one| one.is_none()).count();
            if missing > 0 {
                self.find(Flaw::Reputation, "standings", format!("{missing} rows are in no order of time"));
            }
        }
        if ordered != found {
            self.find(Flaw::Reputation, "standings", format!("{ordered:?} are in order, and {found:?} are there"));
        }
        if told != found {
            self.find(Flaw::Reputation, "standings", format!("{told:?} are counted, and {found:?} are there"));
        }
        Ok(())
    }
}
