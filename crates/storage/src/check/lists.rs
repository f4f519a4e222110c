//! Rows of lists and moderated groups: readable, members under their own addresses, cursors and waiting messages with the
//! messages that they are about. Messages there: each with what deals with it. Secrets: readable.

use std::collections::BTreeSet;

use mail::{AccountId, MailboxId, Uid};

use super::pages::{Pages, ROWS};
use super::{Check, Flaw};
use crate::error::StorageError;
use crate::keys::{self, Key, Table};
use crate::lists::{ListRow, OUTGOING, member_key, read};
use crate::mailboxes::mailbox_id;
use crate::{engine::KeyRange, secret};

/// Messages that rows of lists name, so that they are not stranded.
#[derive(Default)]
struct Named {
    /// Undecided ones in an INBOX.
    waiting: BTreeSet<(AccountId, Uid)>,
    /// Posts that go out.
    outgoing: BTreeSet<(AccountId, MailboxId, Uid)>,
}

impl Check<'_> {
    pub(super) async fn lists(&mut self) -> Result<(), StorageError> {
        let mut named = Named::default();
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
                self.list_row(part, &row.0, read, place, &mut named).await?;
            }
        }
        self.stranded(&named).await?;
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

    async fn list_row(
        &mut self,
        part: AccountId,
        key: &[u8],
        row: ListRow,
        place: String,
        named: &mut Named,
    ) -> Result<(), StorageError> {
        match row {
            ListRow::Member(member) if member_key(part, &member.address) != key => {
                self.find(Flaw::ListRow, place, format!("{} is under another address", member.address));
            }
            ListRow::Cursor(uid, row) => {
                if !self.in_inbox(part, uid).await? {
                    self.find(Flaw::ListRow, &place, format!("a cursor of message {uid}, which is gone"));
                }
                let post = keys::message(part, row.mailbox, row.uid);
                if self.store.engine.get(&post).await?.is_none() {
                    self.find(Flaw::ListRow, place, format!("the post that message {uid} goes out as is gone"));
                }
                named.outgoing.insert((part, row.mailbox, row.uid));
            }
            ListRow::Waiting(uid, row) if row.decision.is_none() => {
                if !self.in_inbox(part, uid).await? {
                    self.find(Flaw::ListRow, place, format!("message {uid} waits and is gone"));
                }
                named.waiting.insert((part, uid));
            }
            ListRow::Member(_) | ListRow::Request | ListRow::Waiting(..) | ListRow::Letters => {}
        }
        Ok(())
    }

    async fn in_inbox(&self, part: AccountId, uid: Uid) -> Result<bool, StorageError> {
        match self.list_mailbox(part, "INBOX").await? {
            Some(inbox) => Ok(self.store.engine.get(&keys::message(part, inbox, uid)).await?.is_some()),
            None => Ok(false),
        }
    }

    async fn list_mailbox(&self, part: AccountId, name: &str) -> Result<Option<MailboxId>, StorageError> {
        let id = self.store.engine.get(&keys::mailbox_name(part, name)).await?;
        id.map(|id| mailbox_id(&id)).transpose()
    }

    /// Messages of lists and groups that no event, no waiting row and no cursor leads to: they stay for ever, unsent.
    async fn stranded(&mut self, named: &Named) -> Result<(), StorageError> {
        for part in self.parts.clone() {
            for name in ["INBOX", OUTGOING] {
                let Some(mailbox) = self.list_mailbox(part, name).await? else { continue };
                let mut pages = Pages::new(self.store, Key::of(Table::Message, part).u32(mailbox.0).range(), ROWS);
                loop {
                    let page = pages.next().await?;
                    if page.is_empty() {
                        break;
                    }
                    for uid in
                        page.iter().filter_map(|(key, _)| keys::tail(key)).map(|uid| Uid(u32::from_be_bytes(uid)))
                    {
                        let message = (part, mailbox, uid);
                        let known = if name == OUTGOING {
                            named.outgoing.contains(&message)
                        } else {
                            // Events of which nobody here knows what they are about may be about any message.
                            self.held_unknown || named.waiting.contains(&(part, uid)) || self.held.contains(&message)
                        };
                        if !known {
                            let place = format!("part {part}, mailbox {name}, UID {uid}");
                            self.find(Flaw::Stranded, place, "");
                        }
                    }
                }
            }
        }
        Ok(())
    }
}
