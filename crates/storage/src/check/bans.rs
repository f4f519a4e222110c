//! Bans: rows that can be read, under the address or network that they are about, and that do not end before they begin.

use super::pages::{Pages, ROWS};
use super::{Check, Flaw};
use crate::bans::{decode, prefix_of};
use crate::error::StorageError;
use crate::keys::{Key, Table};

impl Check<'_> {
    pub(super) async fn bans(&mut self) -> Result<(), StorageError> {
        let mut pages = Pages::new(self.store, Key::global(Table::Ban).range(), ROWS);
        loop {
            let page = pages.next().await?;
            if page.is_empty() {
                return Ok(());
            }
            for (key, value) in page {
                match (decode(&value), prefix_of(&key)) {
                    (Ok(ban), Some(prefix)) if ban.prefix == prefix => {
                        if ban.until.is_some_and(|until| until < ban.since) {
                            self.find(Flaw::Undecodable, format!("the ban of {prefix}"), "it ends before it begins");
                        }
                    }
                    (Ok(_) | Err(_), Some(_) | None) => {
                        self.find(Flaw::Undecodable, "a ban", "it can't be read, or is another's");
                    }
                }
            }
        }
    }
}
