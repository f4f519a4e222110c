//! Where messages of shared accounts are, by Message-ID: so that an answer sent in their name marks what it answers.
//!
//! Kept for accounts that are shared, or once were, from then on; people's own mail is not indexed. A message whose
//! record was too large to be stored is not in it.

use mail::{AccountId, Flags, Keyword, MailboxId, SystemFlags, Uid};

use crate::engine::{Durability, Order};
use crate::error::StorageError;
use crate::keys::{self, Key, Table};
use crate::limits::{ANSWERED_COPIES_MAX, TRANSACTION_ROWS_MAX};
use crate::messages::FlagChange;
use crate::store::Store;
use crate::transaction::Transaction;

impl Store {
    /// Forgets where an account's messages are, some at a time; none are added any more.
    pub(crate) async fn clear_message_ids(&self, account: AccountId) -> Result<(), StorageError> {
        loop {
            let done = self.transact_with(Durability::Freeing, move |tx| tx.clear_some_message_ids(account));
            if done.await?.value == 0 {
                return Ok(());
            }
        }
    }
}

impl Transaction<'_> {
    /// Forgets where some of an account's messages are; 0 when none is left. None are added any more.
    pub(crate) fn clear_some_message_ids(&mut self, account: AccountId) -> Result<usize, StorageError> {
        if self.get(&marker(account))?.is_some() {
            self.delete(marker(account));
        }
        let range = Key::of(Table::MessageId, account).range();
        let some = self.scan(&range, Order::Ascending, TRANSACTION_ROWS_MAX / 2)?;
        some.iter().for_each(|(key, _)| self.delete(key.to_vec()));
        Ok(some.len())
    }

    /// From now on the account's messages are found by their Message-ID.
    pub(crate) fn keep_message_ids(&mut self, account: AccountId) {
        self.put(marker(account), Vec::new());
    }

    /// Whether the account's messages are found by their Message-ID.
    pub(crate) fn keeps_message_ids(&self, account: AccountId) -> Result<bool, StorageError> {
        Ok(self.get(&marker(account))?.is_some())
    }

    /// For an account that [keeps](Self::keeps_message_ids) them.
    pub(crate) fn index_message_id(&mut self, account: AccountId, mailbox: MailboxId, uid: Uid, record: &[u8]) {
        if let Some(id) = message_id(record) {
            self.put(key(account, &id, mailbox, uid), Vec::new());
        }
    }

    /// For an account that [keeps](Self::keeps_message_ids) them; to be called before the record goes.
    pub(crate) fn unindex_message_id(
        &mut self,
        account: AccountId,
        mailbox: MailboxId,
        uid: Uid,
    ) -> Result<(), StorageError> {
        if let Some(record) = self.get(&keys::record(account, mailbox, uid))?
            && let Some(id) = message_id(&record)
        {
            self.delete(key(account, &id, mailbox, uid));
        }
        Ok(())
    }

    /// Where the messages with a Message-ID (without its angle brackets) are, at most [`ANSWERED_COPIES_MAX`].
    ///
    /// # Errors
    /// When reading fails.
    pub fn messages_with_id(&self, account: AccountId, id: &str) -> Result<Vec<(MailboxId, Uid)>, StorageError> {
        let range = Key::of(Table::MessageId, account).bytes(&hash(id)).range();
        let rows = self.scan(&range, Order::Ascending, ANSWERED_COPIES_MAX)?;
        rows.iter().map(|(key, _)| parse_key(key).map(|(_, _, mailbox, uid)| (mailbox, uid))).collect()
    }

    /// Marks the messages with these Message-IDs as answered, with a keyword that says by whom; where a mailbox has no
    /// room for a keyword more, `$Answered` instead, or `\Answered` alone. Returns how many were marked.
    ///
    /// # Errors
    /// When reading fails.
    pub fn mark_answered(
        &mut self,
        account: AccountId,
        ids: &[String],
        keyword: &Keyword,
    ) -> Result<usize, StorageError> {
        let mut marked = 0usize;
        for id in ids {
            for (mailbox, uid) in self.messages_with_id(account, id)? {
                let mut flags = Flags::system(SystemFlags::ANSWERED);
                let row = self.mailbox_row(account, mailbox)?;
                let fits = |keyword: &&Keyword| row.clone().keyword_bits([*keyword]).is_ok();
                let general = Keyword::parse("$Answered").ok();
                flags.keywords.extend([Some(keyword), general.as_ref()].into_iter().flatten().find(fits).cloned());
                let change = FlagChange::Add(flags);
                marked = marked.saturating_add(self.change_flags(account, mailbox, &[uid], &change, None)?.rows.len());
            }
        }
        Ok(marked)
    }
}

/// The Message-ID that a record holds.
pub(crate) fn message_id(record: &[u8]) -> Option<String> {
    message::RecordView::new(record).ok()?.sort_keys().ok()?.message_id
}

pub(crate) fn key(account: AccountId, id: &str, mailbox: MailboxId, uid: Uid) -> Vec<u8> {
    Key::of(Table::MessageId, account).bytes(&hash(id)).u32(mailbox.0).u32(uid.0).done()
}

/// Part, hash, mailbox and UID of a key.
pub(crate) fn parse_key(key: &[u8]) -> Result<(AccountId, [u8; 16], MailboxId, Uid), StorageError> {
    let parts = || {
        Some((
            AccountId(u64::from_be_bytes(keys::middle(key, 1)?)),
            keys::middle(key, keys::HEAD)?,
            MailboxId(u32::from_be_bytes(keys::middle(key, keys::HEAD + 16)?)),
            Uid(u32::from_be_bytes(keys::tail(key)?)),
        ))
    };
    parts().filter(|_| key.len() == keys::HEAD + 24).ok_or_else(|| StorageError::corrupt("a Message-ID's key"))
}

pub(crate) fn hash(id: &str) -> [u8; 16] {
    let mut short = [0; 16];
    short.copy_from_slice(blake3::hash(id.as_bytes()).as_bytes().split_at(16).0);
    short
}

fn marker(account: AccountId) -> Vec<u8> {
    Key::of(Table::Meta, account).bytes(b"message-ids").done()
}
