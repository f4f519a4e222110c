//! Accounts: an INBOX each, usage the sum of the mailboxes, counters behind what is in use; deleted mailboxes gone.

use mail::{AccountId, MailboxId, Uid, UidValidity};

use super::pages::{Pages, ROWS};
use super::{Check, Flaw};
use crate::error::StorageError;
use crate::keys::{self, Key, Table};
use crate::mailboxes::subscription_count_key;
use crate::rows::{MailboxRow, UndoRow};
use crate::store::counted;
use crate::undo::undo_range;
use crate::usage::{Usage, mailbox_count_key, usage_key};

impl Check<'_> {
    pub(super) async fn accounts(&mut self) -> Result<(), StorageError> {
        self.owners().await?;
        self.doomed().await?;
        self.undo().await?;
        for account in self.accounts.clone() {
            self.account(account).await?;
        }
        Ok(())
    }

    async fn account(&mut self, account: AccountId) -> Result<(), StorageError> {
        let place = format!("account {account}");
        let (mut sum, mut mailboxes) = (Usage::default(), 0u64);
        let (mut last, mut validity) = (MailboxId(0), UidValidity(0));
        let mut pages = Pages::new(self.store, Key::of(Table::Mailbox, account).range(), ROWS);
        loop {
            let page = pages.next().await?;
            if page.is_empty() {
                break;
            }
            // Those that can't be read have been reported with the mailboxes.
            mailboxes = mailboxes.saturating_add(page.len() as u64);
            for row in page.iter().filter_map(|(_, value)| MailboxRow::decode(value).ok()) {
                sum = sum.plus(Usage::of(&row));
                last = last.max(row.id);
                validity = validity.max(row.uid_validity);
            }
        }
        let stored = self.store.engine.get(&usage_key(account)).await?;
        if let Some(stored) = self.decoded(&place, Usage::decode(stored.as_deref()))
            && stored != sum
        {
            self.find(Flaw::Usage, &place, format!("{stored:?}, the mailboxes have {sum:?}"));
        }
        self.count(&place, mailbox_count_key(account), mailboxes, "mailboxes").await?;
        let subscriptions = self.rows_of(Key::of(Table::Subscription, account)).await?;
        self.count(&place, subscription_count_key(account), subscriptions, "subscriptions").await?;
        if self.store.engine.get(&keys::mailbox_name(account, "INBOX")).await?.is_none() {
            self.find(Flaw::NoInbox, &place, "");
        }
        let numbers = Key::of(Table::Meta, account).bytes(b"mailbox").done();
        self.counter(&format!("mailbox of {place}"), numbers, u64::from(last.0)).await?;
        self.uid_validity(account, validity).await
    }

    /// Stores that were made before such things were counted have no row for them.
    async fn count(&mut self, place: &str, key: Vec<u8>, there: u64, what: &'static str) -> Result<(), StorageError> {
        if let Some(stored) = self.store.engine.get(&key).await?
            && let Some(stored) = self.decoded(place, counted(Some(&stored)))
            && stored != there
        {
            self.find(Flaw::Usage, place, format!("{stored} {what} are counted, there are {there}"));
        }
        Ok(())
    }

    async fn rows_of(&mut self, prefix: Key) -> Result<u64, StorageError> {
        let mut pages = Pages::new(self.store, prefix.range(), ROWS);
        let mut rows = 0u64;
        loop {
            let page = pages.next().await?;
            if page.is_empty() {
                return Ok(rows);
            }
            rows = rows.saturating_add(page.len() as u64);
        }
    }

    async fn uid_validity(&mut self, account: AccountId, used: UidValidity) -> Result<(), StorageError> {
        let stored = self.store.engine.get(&Key::of(Table::Meta, account).bytes(b"uidvalidity").done()).await?;
        let last = match stored.as_deref().map(<[u8; 4]>::try_from) {
            None => 0,
            Some(Ok(bytes)) => u32::from_be_bytes(bytes),
            Some(Err(_)) => {
                self.find(Flaw::Undecodable, format!("account {account}, UIDVALIDITY"), "");
                return Ok(());
            }
        };
        if last < used.0 {
            let detail = format!("it is at {last}, {used} is in use");
            self.find(Flaw::Counter, format!("account {account}, UIDVALIDITY"), detail);
        }
        Ok(())
    }

    /// Unfinished work names UIDs that were given, in mailboxes that are there or were deleted meanwhile.
    async fn undo(&mut self) -> Result<(), StorageError> {
        let mut pages = Pages::new(self.store, undo_range(), ROWS);
        loop {
            let page = pages.next().await?;
            if page.is_empty() {
                return Ok(());
            }
            for (key, value) in page {
                let place = format!("unfinished work {:02x?}", key.get(keys::HEAD..).unwrap_or_default());
                let Some(row) = self.decoded(&place, UndoRow::decode(&value)) else { continue };
                let (account, mailbox, behind) = match &row {
                    UndoRow::Copy { account, mailbox, copies } => {
                        if copies.iter().any(|(first, last)| first > last || *first == Uid(0)) {
                            self.find(Flaw::Undo, &place, format!("{copies:?}"));
                        }
                        let last = copies.iter().map(|(_, last)| *last).max().unwrap_or(Uid(0));
                        (*account, *mailbox, Uid(last.0.saturating_add(1)))
                    }
                    UndoRow::MoveAll { account, from, below, .. } => (*account, *from, *below),
                };
                let stored = self.store.engine.get(&keys::mailbox(account, mailbox)).await?;
                // One that can't be read has been reported with the mailboxes.
                let Some(Ok(mailbox)) = stored.map(|value| MailboxRow::decode(&value)) else { continue };
                if behind > mailbox.uid_next {
                    self.find(Flaw::Undo, place, format!("UIDs below {behind}, UIDNEXT is {}", mailbox.uid_next));
                }
            }
        }
    }

    async fn doomed(&mut self) -> Result<(), StorageError> {
        let mut pages = Pages::new(self.store, Key::global(Table::Doomed).range(), ROWS);
        loop {
            let page = pages.next().await?;
            if page.is_empty() {
                return Ok(());
            }
            for (key, _) in page {
                let account = keys::middle(&key, keys::HEAD).map(|id| AccountId(u64::from_be_bytes(id)));
                let mailbox = keys::middle(&key, keys::HEAD + 8).map(|id| MailboxId(u32::from_be_bytes(id)));
                let (Some(account), Some(mailbox)) = (account, mailbox) else {
                    self.find(Flaw::Undecodable, "a deleted mailbox", format!("{key:02x?}"));
                    continue;
                };
                if self.store.engine.get(&keys::mailbox(account, mailbox)).await?.is_some() {
                    self.find(Flaw::Doomed, format!("account {account}, mailbox {mailbox}"), "");
                }
            }
        }
    }
}
