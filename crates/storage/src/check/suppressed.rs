//! The suppression list: rows that can be read, under their own address.

use super::pages::{Pages, ROWS};
use super::{Check, Flaw};
use crate::error::StorageError;
use crate::keys::{Key, Table};
use crate::suppressed::{Suppressed, address_of};

impl Check<'_> {
    pub(super) async fn suppressed(&mut self) -> Result<(), StorageError> {
        let mut pages = Pages::new(self.store, Key::global(Table::Suppressed).range(), ROWS);
        loop {
            let page = pages.next().await?;
            if page.is_empty() {
                return Ok(());
            }
            for (key, value) in page {
                match (Suppressed::decode(&value), address_of(&key)) {
                    (Ok(row), Some(address)) if row.address.canonical() == address => {}
                    (Ok(_) | Err(_), Some(_) | None) => {
                        self.find(Flaw::Undecodable, "a suppressed address", "it can't be read, or is another's");
                    }
                }
            }
        }
    }
}
