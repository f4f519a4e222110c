//! Sharing: lists name accounts that there are, and lead to their readers' rows and back; what people have seen is there;
//! Message-IDs lead to messages that have them; members are accounts.

use mail::{AccountId, MailboxId};
use routing::Identifier;

use super::pages::{LARGE_ROWS, Pages, ROWS};
use super::{Check, Flaw};
use crate::engine::KeyRange;
use crate::error::StorageError;
use crate::keys::{self, Table};
use crate::limits::ACL_ENTRIES_MAX;
use crate::sharing::{acl, message_ids, person_seen};

impl Check<'_> {
    pub(super) async fn sharing(&mut self) -> Result<(), StorageError> {
        self.members();
        self.access_lists().await?;
        self.seen_by_people().await?;
        self.message_ids().await
    }

    fn members(&mut self) {
        for (account, member) in std::mem::take(&mut self.members) {
            if !self.people.contains(&member.canonical()) {
                self.find(Flaw::UnknownIdentifier, format!("account {account}"), format!("its member {member}"));
            }
        }
    }

    async fn access_lists(&mut self) -> Result<(), StorageError> {
        let mut pages = Pages::new(self.store, KeyRange::prefix(vec![Table::Acl as u8]), ROWS);
        loop {
            let page = pages.next().await?;
            if page.is_empty() {
                return Ok(());
            }
            for (key, value) in page {
                match self.decoded("an access list", acl::parse_key(&key)) {
                    None => {}
                    Some((owner, acl::Row::List(mailbox))) => self.access_list(owner, mailbox, &value).await?,
                    Some((part, acl::Row::Named { owner, mailbox })) => {
                        let list = self.store.engine.get(&acl::list_key(owner, mailbox)).await?;
                        let place = format!("account {owner}, mailbox {mailbox}");
                        let Some(list) = self.decoded(&place, acl::decode(list.as_deref())) else { continue };
                        let who = if part == AccountId(0) { Identifier::Anyone } else { Identifier::Account(part) };
                        if !list.entries.iter().any(|entry| entry.identifier == who) {
                            self.find(Flaw::AccessList, place, format!("it does not name {who:?}, who thinks so"));
                        }
                    }
                }
            }
        }
    }

    async fn access_list(&mut self, owner: AccountId, mailbox: MailboxId, value: &[u8]) -> Result<(), StorageError> {
        let place = format!("account {owner}, mailbox {mailbox}");
        if self.store.engine.get(&keys::mailbox(owner, mailbox)).await?.is_none() {
            self.find(Flaw::Orphans, &place, "its access list");
        }
        let Some(list) = self.decoded(&place, acl::decode(Some(value))) else { return Ok(()) };
        if list.is_empty() || list.entries.len() > ACL_ENTRIES_MAX {
            self.find(Flaw::AccessList, &place, format!("{} lines", list.entries.len()));
        }
        for entry in &list.entries {
            if let Identifier::Account(who) = entry.identifier
                && !self.accounts.contains(&who)
            {
                self.find(Flaw::UnknownIdentifier, &place, format!("account {who}"));
            }
            let named = acl::named_key(entry.identifier, owner, mailbox);
            if self.store.engine.get(&named).await?.is_none() {
                self.find(Flaw::AccessList, &place, format!("{:?} does not know", entry.identifier));
            }
        }
        Ok(())
    }

    async fn seen_by_people(&mut self) -> Result<(), StorageError> {
        let mut pages = Pages::new(self.store, KeyRange::prefix(vec![Table::PersonSeen as u8]), LARGE_ROWS);
        loop {
            let page = pages.next().await?;
            if page.is_empty() {
                return Ok(());
            }
            for (key, value) in page {
                match self.decoded("what somebody has seen", person_seen::parse_key(&key)) {
                    None => {}
                    Some((owner, person_seen::Row::State { mailbox, reader })) => {
                        self.seen_by(owner, mailbox, reader, &value).await?;
                    }
                    Some((reader, person_seen::Row::Reads { owner, mailbox })) => {
                        let state = person_seen::state_key(owner, mailbox, reader);
                        if self.store.engine.get(&state).await?.is_none() {
                            let place = format!("account {owner}, mailbox {mailbox}");
                            self.find(Flaw::PersonSeen, place, format!("nothing is known of its reader {reader}"));
                        }
                    }
                }
            }
        }
    }

    async fn seen_by(
        &mut self,
        owner: AccountId,
        mailbox: MailboxId,
        reader: AccountId,
        value: &[u8],
    ) -> Result<(), StorageError> {
        let place = format!("account {owner}, mailbox {mailbox}, reader {reader}");
        let Some(state) = self.decoded(&place, person_seen::decode(Some(value))) else { return Ok(()) };
        if !self.accounts.contains(&reader) {
            self.find(Flaw::UnknownIdentifier, &place, "");
        }
        if self.store.engine.get(&person_seen::reads_key(reader, owner, mailbox)).await?.is_none() {
            self.find(Flaw::PersonSeen, &place, "the reader does not know");
        }
        let Some(row) = self.store.mailbox(owner, mailbox).await.ok().flatten() else {
            self.find(Flaw::Orphans, &place, "");
            return Ok(());
        };
        let in_order = state.changes.windows(2).all(|pair| matches!(pair, [(a, _), (b, _)] if a <= b));
        if !state.seen.is_sound() || !in_order || state.highest().max(state.floor) > row.highest_modseq {
            self.find(Flaw::PersonSeen, &place, format!("{:?} changes up to {}", state.changes.len(), state.highest()));
            return Ok(());
        }
        let uids: Vec<mail::Uid> = state.seen.iter().take(row.uid_next.0 as usize).collect();
        for some in uids.chunks(ROWS) {
            let messages: Vec<Vec<u8>> = some.iter().map(|uid| keys::message(owner, mailbox, *uid)).collect();
            let messages = self.store.engine.multi_get(&messages).await?;
            for (uid, _) in some.iter().zip(messages).filter(|(_, message)| message.is_none()) {
                self.find(Flaw::PersonSeen, &place, format!("UID {uid} is not there"));
            }
        }
        Ok(())
    }

    async fn message_ids(&mut self) -> Result<(), StorageError> {
        let mut pages = Pages::new(self.store, KeyRange::prefix(vec![Table::MessageId as u8]), LARGE_ROWS);
        loop {
            let page = pages.next().await?;
            if page.is_empty() {
                return Ok(());
            }
            for (key, _) in page {
                let Some((account, hash, mailbox, uid)) = self.decoded("a Message-ID", message_ids::parse_key(&key))
                else {
                    continue;
                };
                let record = self.store.engine.get(&keys::record(account, mailbox, uid)).await?;
                let id = record.as_deref().and_then(message_ids::message_id);
                if id.is_none_or(|id| message_ids::hash(&id) != hash) {
                    self.find(Flaw::MessageId, format!("account {account}, mailbox {mailbox}, UID {uid}"), "");
                }
            }
        }
    }
}
