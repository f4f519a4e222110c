//! What was learnt of spam: readable, of accounts that there are, counted as it is.

use mail::{AccountId, BlobHash};

use super::pages::{Pages, ROWS};
use super::{Check, Flaw};
use crate::engine::KeyRange;
use crate::error::StorageError;
use crate::keys::{self, Key, Table};
use crate::spam::{Note, SITE, SpamSettings, Totals, decode_counts, notes, time_key, times, totals_key};

impl Check<'_> {
    pub(super) async fn spam(&mut self) -> Result<(), StorageError> {
        let mut parts = std::collections::BTreeSet::new();
        for table in [Table::SpamToken, Table::SpamLearnt, Table::SpamTotals, Table::SpamSettings] {
            let mut pages = Pages::new(self.store, KeyRange::prefix(vec![table as u8]), 1);
            while let Some((key, _)) = pages.next().await?.first() {
                let Some(part) = keys::middle(key, 1).map(|part| AccountId(u64::from_be_bytes(part))) else {
                    self.find(Flaw::Undecodable, format!("a key of {table:?}"), format!("{key:02x?}"));
                    break;
                };
                parts.insert(part);
                pages.skip(Key::of(table, part).done());
            }
        }
        for part in parts {
            if part != SITE && !self.accounts.contains(&part) {
                self.find(Flaw::Orphans, format!("account {part}"), "what was learnt of spam");
            }
            self.spam_of(part).await?;
        }
        Ok(())
    }

    async fn spam_of(&mut self, part: AccountId) -> Result<(), StorageError> {
        let place = format!("what account {part} has learnt of spam");
        let mut tokens = 0_u32;
        let mut pages = Pages::new(self.store, Key::of(Table::SpamToken, part).range(), ROWS);
        loop {
            let page = pages.next().await?;
            if page.is_empty() {
                break;
            }
            for (_, value) in page {
                tokens = tokens.saturating_add(1);
                self.decoded(&place, decode_counts(&value));
            }
        }
        let (mut learnt, mut listed) = (0_u32, 0_u32);
        let mut pages = Pages::new(self.store, notes(part).range(), ROWS);
        loop {
            let page = pages.next().await?;
            if page.is_empty() {
                break;
            }
            for (key, value) in page {
                learnt = learnt.saturating_add(1);
                let (Some(note), Some(blob)) = (self.decoded(&place, Note::decode(&value)), keys::tail(&key)) else {
                    continue;
                };
                if self.store.engine.get(&time_key(part, note.number, &BlobHash(blob))).await?.is_none() {
                    self.find(Flaw::Spam, &place, "a message is not in the order of time");
                }
            }
        }
        let mut pages = Pages::new(self.store, times(part).range(), ROWS);
        loop {
            let page = pages.next().await?;
            if page.is_empty() {
                break;
            }
            listed = listed.saturating_add(u32::try_from(page.len()).unwrap_or(u32::MAX));
        }
        if listed != learnt {
            self.find(Flaw::Spam, &place, format!("{listed} in the order of time, there are {learnt}"));
        }
        let settings = self.store.engine.get(&crate::spam::settings_key(part)).await?;
        if let Some(value) = settings {
            self.decoded(&place, SpamSettings::decode(&value));
        }
        let stored = self.store.engine.get(&totals_key(part)).await?;
        let totals = stored.map_or(Ok(Totals::default()), |value| Totals::decode(&value));
        let Some(totals) = self.decoded(&place, totals) else { return Ok(()) };
        if totals.tokens != tokens {
            self.find(Flaw::Spam, &place, format!("{} tokens counted, there are {tokens}", totals.tokens));
        }
        if totals.notes != learnt {
            self.find(Flaw::Spam, &place, format!("{} messages counted, there are {learnt}", totals.notes));
        }
        Ok(())
    }
}
