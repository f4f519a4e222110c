//! Notes of when a responder last answered somebody: readable. One of a responder that is gone is swept in time.

use super::pages::{Pages, ROWS};
use super::{Check, Flaw};
use crate::error::StorageError;
use crate::keys::{self, Key, Table};

impl Check<'_> {
    pub(super) async fn answered(&mut self) -> Result<(), StorageError> {
        let mut pages = Pages::new(self.store, Key::global(Table::Answered).range(), ROWS);
        loop {
            let page = pages.next().await?;
            if page.is_empty() {
                return Ok(());
            }
            for (key, value) in page {
                if let Err(detail) = self.contents.answered(key.get(keys::HEAD..).unwrap_or_default(), &value) {
                    self.find(Flaw::Answered, format!("a row of the answered senders, {key:02x?}"), detail);
                }
            }
        }
    }
}
