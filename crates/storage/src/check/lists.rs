//! Rows of lists and moderated groups: readable, members under their own addresses, cursors with their events, waiting
//! messages in the INBOX. Secrets: readable.

use mail::AccountId;

use super::pages::{Pages, ROWS};
use super::{Check, Flaw};
use crate::error::StorageError;
use crate::keys::{self, Key, Table};
use crate::lists::{CURSOR_TOPIC, ListRow, member_key, read};
use crate::mailboxes::mailbox_id;
use crate::{engine::KeyRange, secret};

impl Check<'_> {
    pub(super) async fn lists(&mut self) -> Result<(), StorageError> {
        let mut pages = Pages::new(self.store, KeyRange::prefix(vec![Table::ListMember as u8]), ROWS);
        loop {
            let page = pages.next().await?;
            if page.is_empty() {
                break;
            }
            for row in &page {
                let part = keys::middle(&row.0, 1).map_or(AccountId(0), |part| AccountId(u64::from_be_bytes(part)));
                let place = format!("list in part {part}");
                let Some(read) = self.decoded(&place, read(row)) else { continue };
                self.list_row(part, &row.0, read, place).await?;
            }
        }
        let mut pages = Pages::new(self.store, Key::global(Table::Secret).range(), ROWS);
        loop {
            let page = pages.next().await?;
            if page.is_empty() {
                return Ok(());
            }
            for (_, value) in page {
                self.decoded("a secret", secret::decode(&value));
            }
        }
    }

    async fn list_row(&mut self, part: AccountId, key: &[u8], row: ListRow, place: String) -> Result<(), StorageError> {
        match row {
            ListRow::Member(member) if member_key(part, &member.address) != key => {
                self.find(Flaw::ListRow, place, format!("{} is under another address", member.address));
            }
            ListRow::Cursor(event) => {
                let events = [keys::event(CURSOR_TOPIC, event), keys::parked(CURSOR_TOPIC, event)];
                if self.store.engine.multi_get(&events).await?.iter().all(Option::is_none) {
                    self.find(Flaw::ListRow, place, format!("a cursor of event {event}, which is gone"));
                }
            }
            ListRow::Waiting(uid, row) if row.decision.is_none() => {
                let inbox = self.store.engine.get(&keys::mailbox_name(part, "INBOX")).await?;
                let there = match inbox.map(|id| mailbox_id(&id)).transpose()? {
                    Some(inbox) => self.store.engine.get(&keys::message(part, inbox, uid)).await?.is_some(),
                    None => false,
                };
                if !there {
                    self.find(Flaw::ListRow, place, format!("message {uid} waits and is gone"));
                }
            }
            ListRow::Member(_) | ListRow::Request | ListRow::Waiting(..) | ListRow::Letters => {}
        }
        Ok(())
    }
}
