//! Contacts and states of responders: readable, of accounts that there are, the time index and the count in step.

use mail::AccountId;

use super::pages::{Pages, ROWS};
use super::{Check, Flaw};
use crate::contacts::{self, ContactOrigin};
use crate::engine::KeyRange;
use crate::error::StorageError;
use crate::keys::{self, Key, Table};
use crate::responder_states::{ResponderState, number};
use crate::store::counted;
use crate::submitted::Submitted;

impl Check<'_> {
    pub(super) async fn contacts(&mut self) -> Result<(), StorageError> {
        let mut pages = Pages::new(self.store, KeyRange::prefix(vec![Table::Contact as u8]), 1);
        let mut owners = Vec::new();
        while let Some((key, _)) = pages.next().await?.first() {
            let Some(account) = keys::middle(key, 1).map(|part| AccountId(u64::from_be_bytes(part))) else {
                self.find(Flaw::Undecodable, "a key of a contact", format!("{key:02x?}"));
                continue;
            };
            owners.push(account);
            pages.skip(Key::of(Table::Contact, account).done());
        }
        for account in owners {
            if !self.accounts.contains(&account) {
                self.find(Flaw::Orphans, format!("account {account}"), "contacts");
            }
            self.contacts_of(account).await?;
        }
        self.submitted().await?;
        self.responder_states().await
    }

    /// What accounts have submitted can be read; that they are there is looked at with the other tables.
    async fn submitted(&mut self) -> Result<(), StorageError> {
        let mut pages = Pages::new(self.store, KeyRange::prefix(vec![Table::Submitted as u8]), ROWS);
        loop {
            let page = pages.next().await?;
            if page.is_empty() {
                return Ok(());
            }
            for (_, value) in page {
                self.decoded("what an account has submitted", Submitted::decode(&value));
            }
        }
    }

    async fn contacts_of(&mut self, account: AccountId) -> Result<(), StorageError> {
        let place = format!("contacts of account {account}");
        let (mut count, mut automatic, mut listed) = (0_u64, 0_u64, 0_u64);
        let mut pages = Pages::new(self.store, contacts::rows(account), ROWS);
        loop {
            let page = pages.next().await?;
            if page.is_empty() {
                break;
            }
            for (key, value) in page {
                count = count.saturating_add(1);
                let Some(contact) = self.decoded(&place, contacts::contact(&key, &value)) else { continue };
                if contact.origin == ContactOrigin::WrittenTo {
                    automatic = automatic.saturating_add(1);
                    let time = contacts::time_key(account, contact.at, &contact.address);
                    if self.store.engine.get(&time).await?.is_none() {
                        self.find(Flaw::Contacts, &place, format!("{} is not in the order of time", contact.address));
                    }
                }
            }
        }
        let mut pages = Pages::new(self.store, contacts::times(account), ROWS);
        loop {
            let page = pages.next().await?;
            if page.is_empty() {
                break;
            }
            listed = listed.saturating_add(page.len() as u64);
        }
        if listed != automatic {
            self.find(Flaw::Contacts, &place, format!("{listed} in the order of time, there are {automatic}"));
        }
        let stored = self.store.engine.get(&contacts::count_key(account)).await?;
        let Some(stored) = self.decoded(&place, counted(stored.as_deref())) else { return Ok(()) };
        if stored != count {
            self.find(Flaw::Contacts, place, format!("{stored} counted, there are {count}"));
        }
        Ok(())
    }

    async fn responder_states(&mut self) -> Result<(), StorageError> {
        let mut pages = Pages::new(self.store, Key::global(Table::ResponderState).range(), ROWS);
        loop {
            let page = pages.next().await?;
            if page.is_empty() {
                return Ok(());
            }
            // One of a responder that is gone is no flaw: the responder's sweep removes it.
            for (key, value) in page {
                let Some(id) = self.decoded("the state of a responder", number(&key)) else { continue };
                self.decoded(&format!("the state of responder {id}"), ResponderState::decode(&value));
            }
        }
    }
}
