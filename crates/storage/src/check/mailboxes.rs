//! Mailboxes: names, counters, UIDs, MODSEQs, keywords, change index, records.

use mail::{AccountId, BlobHash, MailboxId, Uid};

use super::pages::{LARGE_ROWS, Pages, ROWS};
use super::{Check, Flaw};
use crate::changes::{Change, change_key, changes_of, tells_of};
use crate::engine::{KeyRange, Row};
use crate::error::StorageError;
use crate::flag_blocks::FlagBlock;
use crate::forgotten::Forgotten;
use crate::keys::{self, Key, Table};
use crate::mailboxes::mailbox_id;
use crate::messages::uid_of;
use crate::rows::{MailboxRow, MessageRow, Sent};

/// Messages whose records are kept in mind: some 10 MB of memory.
const SCANNED_KEPT_MAX: usize = 100_000;

impl Check<'_> {
    pub(super) async fn mailboxes(&mut self) -> Result<(), StorageError> {
        let mut pages = Pages::new(self.store, KeyRange::prefix(vec![Table::Mailbox as u8]), ROWS);
        loop {
            let page = pages.next().await?;
            if page.is_empty() {
                break;
            }
            for (key, value) in page {
                let account = keys::middle(&key, 1).map(|id| AccountId(u64::from_be_bytes(id)));
                let mailbox = keys::middle(&key, keys::HEAD).map(|id| MailboxId(u32::from_be_bytes(id)));
                let (Some(account), Some(mailbox)) = (account, mailbox) else {
                    self.find(Flaw::Undecodable, "a mailbox's key", format!("{key:02x?}"));
                    continue;
                };
                self.checked.mailboxes = self.checked.mailboxes.saturating_add(1);
                let place = format!("account {account}, mailbox {mailbox}");
                if let Some(row) = self.decoded(&place, MailboxRow::decode(&value)) {
                    self.mailbox(account, mailbox, &row, &place).await?;
                }
            }
        }
        self.names().await
    }

    async fn mailbox(
        &mut self,
        account: AccountId,
        mailbox: MailboxId,
        row: &MailboxRow,
        place: &str,
    ) -> Result<(), StorageError> {
        if row.id != mailbox {
            self.find(Flaw::Undecodable, place, format!("it says that it is mailbox {}", row.id));
            return Ok(());
        }
        let name = self.store.engine.get(&keys::mailbox_name(account, &row.name)).await?;
        if name.as_deref() != Some(mailbox.0.to_be_bytes().as_slice()) {
            self.find(Flaw::MailboxName, place, format!("{} leads to {name:02x?}", row.name));
        }
        let mut counted = row.uncounted();
        let mut pages = Pages::new(self.store, Key::of(Table::Message, account).u32(mailbox.0).range(), ROWS);
        loop {
            let page = pages.next().await?;
            if page.is_empty() {
                break;
            }
            self.messages(account, row, place, &page, &mut counted).await?;
        }
        if counted != *row {
            let of = |row: &MailboxRow| {
                format!(
                    "{} messages, {} unseen, {} deleted, {} octets",
                    row.messages, row.unseen, row.deleted, row.octets
                )
            };
            self.find(Flaw::MailboxCounters, place, format!("{}; counted {}", of(row), of(&counted)));
        }
        if row.recent_from > row.uid_next {
            self.find(Flaw::UidNext, place, format!("recent from {}, UIDNEXT is {}", row.recent_from, row.uid_next));
        }
        self.flag_blocks(account, row, place).await?;
        self.changes(account, row, place).await?;
        self.records(account, mailbox, place).await
    }

    async fn messages(
        &mut self,
        account: AccountId,
        row: &MailboxRow,
        place: &str,
        page: &[Row],
        counted: &mut MailboxRow,
    ) -> Result<(), StorageError> {
        let mut messages = Vec::with_capacity(page.len());
        for (key, value) in page {
            self.checked.messages = self.checked.messages.saturating_add(1);
            let message = uid_of(key).and_then(|uid| MessageRow::decode(uid, value));
            messages.extend(self.decoded(place, message));
        }
        self.lay_flags_over(account, row, &mut messages).await?;
        let changes: Vec<Vec<u8>> = messages.iter().map(|message| change_key(account, row.id, message)).collect();
        let changes = self.store.engine.multi_get(&changes).await?;
        for (message, change) in messages.iter().zip(changes) {
            let place = format!("{place}, UID {}", message.uid);
            counted.count_in(message);
            if message.uid >= row.uid_next || message.uid == Uid(0) {
                self.find(Flaw::UidNext, &place, format!("UIDNEXT is {}", row.uid_next));
            }
            if message.modseq > row.highest_modseq {
                self.find(Flaw::HighestModSeq, &place, format!("{} over {}", message.modseq, row.highest_modseq));
            }
            let unknown = message.keyword_bits.checked_shr(u32::try_from(row.keywords.len()).unwrap_or(u32::MAX));
            if unknown.is_some_and(|bits| bits != 0) {
                self.find(Flaw::Keyword, &place, "");
            }
            if !change.is_some_and(|change| tells_of(&change, message)) {
                self.find(Flaw::ChangeIndex, &place, format!("no row for MODSEQ {}", message.modseq));
            }
        }
        Ok(())
    }

    /// Each row of the change index belongs to a message as it is now, or to one that is gone.
    async fn changes(&mut self, account: AccountId, row: &MailboxRow, place: &str) -> Result<(), StorageError> {
        // A row may tell of a thousand messages.
        let range = Key::of(Table::Change, account).u32(row.id.0).range();
        let mut pages = Pages::new(self.store, range, LARGE_ROWS);
        let mut forgotten = Forgotten::default();
        loop {
            let page = pages.next().await?;
            if page.is_empty() {
                return Ok(());
            }
            let mut changes = Vec::with_capacity(page.len());
            for (key, value) in &page {
                // The first row of the index.
                if **key == *Forgotten::key(account, row.id) {
                    forgotten = self.decoded(place, Forgotten::decode(Some(value))).unwrap_or_default();
                    if forgotten.modseq > row.highest_modseq {
                        let detail = format!("expunges are forgotten up to {}", forgotten.modseq);
                        self.find(Flaw::HighestModSeq, place, detail);
                    }
                    continue;
                }
                let told = self.decoded(place, changes_of(key, value)).unwrap_or_default();
                if let Some(change) = told.iter().find(|change| change.expunged)
                    && uid_of(key).is_ok_and(|named| forgotten.covers(change.modseq, named))
                {
                    let place = format!("{place}, UID {}", change.uid);
                    self.find(Flaw::ChangeIndex, &place, "it is remembered, and should be forgotten");
                }
                changes.extend(told);
            }
            for some in changes.chunks(ROWS) {
                self.changes_fit(account, row, place, some).await?;
            }
        }
    }

    async fn changes_fit(
        &mut self,
        account: AccountId,
        row: &MailboxRow,
        place: &str,
        changes: &[Change],
    ) -> Result<(), StorageError> {
        let messages: Vec<Vec<u8>> = changes.iter().map(|change| keys::message(account, row.id, change.uid)).collect();
        let messages = self.store.engine.multi_get(&messages).await?;
        let mut readable = Vec::with_capacity(messages.len());
        for (change, message) in changes.iter().zip(&messages) {
            // One that can't be read has been reported with the messages.
            readable.extend(message.as_ref().and_then(|value| MessageRow::decode(change.uid, value).ok()));
        }
        self.lay_flags_over(account, row, &mut readable).await?;
        let mut readable = readable.into_iter().peekable();
        for (change, message) in changes.iter().zip(messages) {
            let modseq = readable.next_if(|message| message.uid == change.uid).map(|message| message.modseq);
            let place = format!("{place}, UID {}", change.uid);
            if change.modseq > row.highest_modseq {
                self.find(Flaw::HighestModSeq, &place, format!("{} in the change index", change.modseq));
            }
            if change.uid >= row.uid_next {
                self.find(Flaw::UidNext, &place, "in the change index");
            }
            match (change.expunged, message) {
                (true, Some(_)) => self.find(Flaw::ChangeIndex, &place, "it is there and said to be expunged"),
                (false, None) => {
                    self.find(Flaw::ChangeIndex, &place, format!("a change at {} of no message", change.modseq));
                }
                (false, Some(_)) => {
                    if let Some(modseq) = modseq.filter(|modseq| *modseq != change.modseq) {
                        let detail = format!("a stale change at {}, its MODSEQ is {modseq}", change.modseq);
                        self.find(Flaw::ChangeIndex, &place, detail);
                    }
                }
                (true, None) => {}
            }
        }
        Ok(())
    }

    /// Lays blocks of flags over rows; those that can't be read are reported with the blocks.
    async fn lay_flags_over(
        &self,
        account: AccountId,
        row: &MailboxRow,
        messages: &mut [MessageRow],
    ) -> Result<(), StorageError> {
        // One by one: what can't be read is not to keep the others from being laid over their rows.
        for some in messages.chunk_by_mut(|a, b| FlagBlock::first_uid(a.uid) == FlagBlock::first_uid(b.uid)) {
            match self.store.lay_flags_over(account, row.id, some).await {
                Ok(_) | Err(StorageError::Corrupt(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Each block tells flags of messages that are there.
    async fn flag_blocks(&mut self, account: AccountId, row: &MailboxRow, place: &str) -> Result<(), StorageError> {
        let range = Key::of(Table::FlagBlock, account).u32(row.id.0).range();
        let mut pages = Pages::new(self.store, range, LARGE_ROWS);
        loop {
            let page = pages.next().await?;
            if page.is_empty() {
                return Ok(());
            }
            for (key, value) in page {
                let Some(first) = self.decoded(place, uid_of(&key)) else { continue };
                let place = format!("{place}, UIDs from {first}");
                if first != FlagBlock::first_uid(first) {
                    self.find(Flaw::FlagBlock, &place, "no block begins there");
                }
                let Some(block) = self.decoded(&place, FlagBlock::decode(&value)) else { continue };
                let entries = block.entries(first);
                let messages: Vec<Vec<u8>> =
                    entries.iter().map(|(uid, _)| keys::message(account, row.id, *uid)).collect();
                let messages = self.store.engine.multi_get(&messages).await?;
                for ((uid, flags), message) in entries.into_iter().zip(messages) {
                    let place = format!("{place}, UID {uid}");
                    // A MODSEQ is taken by one change, which writes a message's flags in one place.
                    match message.map(|value| MessageRow::decode(uid, &value)) {
                        None => self.find(Flaw::FlagBlock, &place, "there is no such message"),
                        Some(Ok(message)) if message.modseq == flags.modseq => {
                            self.find(Flaw::FlagBlock, &place, format!("it has {} by its own row", message.modseq));
                        }
                        Some(_) => {}
                    }
                }
            }
        }
    }

    async fn records(&mut self, account: AccountId, mailbox: MailboxId, place: &str) -> Result<(), StorageError> {
        let range = Key::of(Table::Record, account).u32(mailbox.0).range();
        let mut pages = Pages::new(self.store, range, LARGE_ROWS);
        loop {
            let page = pages.next().await?;
            if page.is_empty() {
                return Ok(());
            }
            let mut records = Vec::with_capacity(page.len());
            for (key, value) in page {
                records.extend(self.decoded(place, uid_of(&key)).map(|uid| (uid, value)));
            }
            let messages: Vec<Vec<u8>> = records.iter().map(|(uid, _)| keys::message(account, mailbox, *uid)).collect();
            let messages = self.store.engine.multi_get(&messages).await?;
            for ((uid, record), message) in records.iter().zip(messages) {
                let place = format!("{place}, UID {uid}");
                match message.map(|value| MessageRow::decode(*uid, &value)) {
                    None => self.find(Flaw::Record, place, ""),
                    Some(message) => self.record(record, message.ok(), place).await?,
                }
            }
        }
    }

    /// A record can be read, and is what its message gives today.
    async fn record(&mut self, record: &[u8], message: Option<MessageRow>, place: String) -> Result<(), StorageError> {
        if let Err(detail) = self.contents.record(record) {
            self.find(Flaw::RecordContent, place, detail);
            return Ok(());
        }
        let sent = Sent::of_record(record);
        let told = message.as_ref().map_or(Sent::Untold, |message| message.sent);
        if told != Sent::Untold && sent != Sent::Untold && told != sent {
            self.find(
                Flaw::RecordContent,
                &place,
                format!("the message's row tells another date: {told:?}, not {sent:?}"),
            );
        }
        let Some(message) = message.filter(|_| self.deep) else { return Ok(()) };
        let expected = match self.scanned.get(&message.blob) {
            Some(known) => *known,
            None => {
                let Some(scanned) = self.scan(&message.blob).await? else { return Ok(()) };
                if self.scanned.len() >= SCANNED_KEPT_MAX {
                    self.scanned.pop_first();
                }
                self.scanned.insert(message.blob, scanned);
                scanned
            }
        };
        if BlobHash(*blake3::hash(record).as_bytes()) != expected {
            self.find(Flaw::RecordContent, place, "the message gives another one");
        }
        Ok(())
    }

    /// The hash of the record that a message gives; `None` for a content that can't be read, which is reported as such.
    async fn scan(&mut self, blob: &BlobHash) -> Result<Option<BlobHash>, StorageError> {
        let Some(mut scan) = self.contents.scan() else { return Ok(None) };
        let mut at = 0;
        let mut reader = match self.store.blob(blob).await {
            Ok(Some(reader)) => reader,
            Ok(None) | Err(StorageError::Corrupt(_)) => return Ok(None),
            Err(error) => return Err(error),
        };
        loop {
            match reader.piece(at, u64::MAX).await {
                Ok(piece) if piece.is_empty() => break,
                Ok(piece) => {
                    scan.take(&piece);
                    at = at.saturating_add(piece.len() as u64);
                }
                Err(StorageError::Corrupt(_) | StorageError::Expunged) => return Ok(None),
                Err(error) => return Err(error),
            }
        }
        Ok(Some(BlobHash(*blake3::hash(&scan.record()).as_bytes())))
    }

    /// Each name leads to a mailbox that has it.
    async fn names(&mut self) -> Result<(), StorageError> {
        let mut pages = Pages::new(self.store, KeyRange::prefix(vec![Table::MailboxName as u8]), ROWS);
        loop {
            let page = pages.next().await?;
            if page.is_empty() {
                return Ok(());
            }
            for (key, value) in page {
                let account = keys::middle(&key, 1).map(|id| AccountId(u64::from_be_bytes(id)));
                let name = key.get(keys::HEAD..).and_then(|name| std::str::from_utf8(name).ok());
                let (Some(account), Some(name)) = (account, name) else {
                    self.find(Flaw::Undecodable, "a mailbox name's key", format!("{key:02x?}"));
                    continue;
                };
                let place = format!("account {account}, mailbox name {name}");
                let Some(id) = self.decoded(&place, mailbox_id(&value)) else { continue };
                let row = self.store.engine.get(&keys::mailbox(account, id)).await?;
                // One that has another name or can't be read has been reported with the mailboxes, unless it has both.
                match row.map(|value| MailboxRow::decode(&value)) {
                    None => self.find(Flaw::MailboxName, place, format!("there is no mailbox {id}")),
                    Some(Ok(row)) if row.name != name => {
                        self.find(Flaw::MailboxName, place, format!("mailbox {id} is {}", row.name));
                    }
                    Some(_) => {}
                }
            }
        }
    }
}
