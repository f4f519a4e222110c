//! First uses: readable, of an alias that is there.

use super::pages::{Pages, ROWS};
use super::{Check, Flaw};
use crate::error::StorageError;
use crate::first_use::FirstUse;
use crate::keys::{HEAD, Key, Table};

impl Check<'_> {
    pub(super) async fn first_uses(&mut self) -> Result<(), StorageError> {
        let mut pages = Pages::new(self.store, Key::global(Table::FirstUse).range(), ROWS);
        loop {
            let page = pages.next().await?;
            if page.is_empty() {
                return Ok(());
            }
            for (key, value) in page {
                let alias = key.get(HEAD..).unwrap_or_default();
                let place = format!("first use of {}", String::from_utf8_lossy(alias));
                self.decoded(&place, FirstUse::decode(&value));
                let object = Key::global(Table::Object).bytes(b"r").bytes(alias).done();
                if self.store.engine.get(&object).await?.is_none() {
                    self.find(Flaw::Orphans, &place, "there is no such alias");
                }
            }
        }
    }
}
