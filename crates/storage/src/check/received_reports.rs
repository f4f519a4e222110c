//! Reports of others: readable, and counted.

use std::collections::BTreeMap;

use super::pages::{LARGE_ROWS, Pages, ROWS};
use super::{Check, Flaw};
use crate::error::StorageError;
use crate::keys::{self, Key, Table};
use crate::received_reports::{ReceivedReport, Totals, domain_of};

impl Check<'_> {
    pub(super) async fn received_reports(&mut self) -> Result<(), StorageError> {
        // Kinds and domains; no more than there are rows of totals, in a sound store.
        let mut counted: BTreeMap<Vec<u8>, Totals> = BTreeMap::new();
        let mut pages = Pages::new(self.store, Key::global(Table::ReceivedReport).range(), LARGE_ROWS);
        loop {
            let page = pages.next().await?;
            if page.is_empty() {
                break;
            }
            for (key, value) in page {
                let name = domain_of(&key).map(|name| name.to_string()).unwrap_or_default();
                let place = format!("a report of others on {name}");
                let of = key.len().checked_sub(20).and_then(|end| key.get(keys::HEAD..end)).unwrap_or_default();
                let Some(row) = self.decoded(&place, ReceivedReport::decode(&value)) else { continue };
                counted.entry(of.to_vec()).or_default().add(&row, value.len());
            }
        }
        let mut pages = Pages::new(self.store, Key::global(Table::ReceivedReports).range(), ROWS);
        loop {
            let page = pages.next().await?;
            if page.is_empty() {
                break;
            }
            for (key, value) in page {
                let name = domain_of(&key).map(|name| name.to_string()).unwrap_or_default();
                let place = format!("reports of others on {name}");
                let found = counted.remove(key.get(keys::HEAD..).unwrap_or_default()).unwrap_or_default();
                let Some(told) = self.decoded(&place, Totals::decode(&value)) else { continue };
                if told != found {
                    self.find(Flaw::ReceivedReports, place, format!("{told:?}, and there are {found:?}"));
                }
            }
        }
        for (of, found) in counted {
            let place = format!("reports of others ({})", String::from_utf8_lossy(&of).trim_matches(char::is_control));
            self.find(Flaw::ReceivedReports, place, format!("not counted, and there are {found:?}"));
        }
        Ok(())
    }
}
