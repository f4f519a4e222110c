//! Webhooks: rows that can be read, under their own number.

use super::pages::{Pages, ROWS};
use super::{Check, Flaw};
use crate::error::StorageError;
use crate::keys::{self, Key, Table};
use crate::webhooks::WebhookRow;

impl Check<'_> {
    pub(super) async fn webhooks(&mut self) -> Result<(), StorageError> {
        let mut pages = Pages::new(self.store, Key::global(Table::Webhook).range(), ROWS);
        loop {
            let page = pages.next().await?;
            if page.is_empty() {
                return Ok(());
            }
            for (key, value) in page {
                let number = keys::tail(&key).map(u64::from_be_bytes);
                // What it holds is not told: a secret is in it.
                if WebhookRow::decode(&value).ok().map(|row| row.id) != number {
                    self.find(Flaw::Undecodable, "a webhook", "");
                }
            }
        }
    }
}
