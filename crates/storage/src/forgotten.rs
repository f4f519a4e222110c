//! What the change index forgets: of messages that were expunged it keeps the last [`EXPUNGES_REMEMBERED_MAX`] of a mailbox.
//!
//! Who comes back with a MODSEQ before [`Forgotten::modseq`] is told of every UID that is not there any more (RFC 7162 §3.2.5.1
//! lets a server do so: "may also report UIDs that the client already knows to be expunged"). How far it has been forgotten is a
//! row at the beginning of the mailbox's index, before MODSEQ 1. Invariant: no row of expunges is in the index before that place.

use bytes::Bytes;
use mail::{AccountId, MailboxId, ModSeq, Uid};

use crate::changes::{changes_of, without_first};
use crate::engine::{Durability, Order};
use crate::error::StorageError;
use crate::keys::{self, Key, Table};
use crate::limits::{EXPUNGES_REMEMBERED_MAX, TRANSACTION_ROWS_MAX};
use crate::messages::uid_of;
use crate::rows::MailboxRow;
use crate::store::Store;
use crate::transaction::Transaction;

/// How far the expunges of a mailbox are forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Forgotten {
    /// The MODSEQ of the last one, and of the row to go on with.
    pub(crate) modseq: ModSeq,
    /// The UID of that row: rows before it are dealt with.
    pub(crate) uid: Uid,
    /// How many.
    pub(crate) count: u32,
}

const VERSION: u8 = 1;

impl Default for Forgotten {
    /// Nothing.
    fn default() -> Self {
        Self { modseq: ModSeq(0), uid: Uid(0), count: 0 }
    }
}

impl Forgotten {
    /// Where it is kept.
    pub(crate) fn key(account: AccountId, mailbox: MailboxId) -> Vec<u8> {
        keys::change(account, mailbox, ModSeq(0), Uid(0))
    }

    fn encode(self) -> Bytes {
        let mut value = vec![VERSION];
        value.extend_from_slice(&self.modseq.0.to_be_bytes());
        value.extend_from_slice(&self.uid.0.to_be_bytes());
        value.extend_from_slice(&self.count.to_be_bytes());
        value.into()
    }

    /// Reads the row; nothing is forgotten where there is none.
    pub(crate) fn decode(value: Option<&[u8]>) -> Result<Self, StorageError> {
        let Some(value) = value else { return Ok(Self::default()) };
        let damaged = || StorageError::corrupt("how far expunges are forgotten");
        let [VERSION, rest @ ..] = value else { return Err(damaged()) };
        let (modseq, rest) = rest.split_first_chunk().ok_or_else(damaged)?;
        let (uid, rest) = rest.split_first_chunk().ok_or_else(damaged)?;
        let count: &[u8; 4] = rest.try_into().map_err(|_| damaged())?;
        Ok(Self {
            modseq: ModSeq(u64::from_be_bytes(*modseq)),
            uid: Uid(u32::from_be_bytes(*uid)),
            count: u32::from_be_bytes(*count),
        })
    }

    /// Whether a row of the change index, by its MODSEQ and UID, lies within what is forgotten.
    pub(crate) fn covers(&self, modseq: ModSeq, uid: Uid) -> bool {
        (modseq, uid) < (self.modseq, self.uid)
    }

    /// How many expunges are remembered, or a few more: UIDs that were given and taken back are counted too.
    fn remembered(&self, row: &MailboxRow) -> u32 {
        gone(row).saturating_sub(self.count)
    }
}

/// UIDs that were given and have no message any more.
fn gone(row: &MailboxRow) -> u32 {
    row.uid_next.0.saturating_sub(1).saturating_sub(row.messages)
}

impl Store {
    /// Expunges up to this MODSEQ may be missing in what [`Store::changes`] gives; 0 when none is. To be read after the changes.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn expunges_forgotten(&self, account: AccountId, mailbox: MailboxId) -> Result<ModSeq, StorageError> {
        let value = self.engine.get(&Forgotten::key(account, mailbox)).await?;
        Ok(Forgotten::decode(value.as_deref())?.modseq)
    }

    /// Forgets all but the last `keep` expunges of a mailbox.
    ///
    /// # Errors
    /// [`StorageError::NoSuchMailbox`], or the engine's.
    pub async fn forget_expunges(&self, account: AccountId, mailbox: MailboxId, keep: u32) -> Result<(), StorageError> {
        loop {
            let forgetting = move |tx: &mut Transaction<'_>| {
                let row = tx.mailbox_row(account, mailbox)?;
                tx.forget_expunges(account, &row, keep, TRANSACTION_ROWS_MAX / 2)
            };
            if self.transact_with(Durability::Freeing, forgetting).await?.value {
                return Ok(());
            }
        }
    }
}

impl Transaction<'_> {
    /// After messages were expunged: forgets as many others, when there are enough.
    pub(crate) fn forget_some_expunges(
        &mut self,
        account: AccountId,
        row: &MailboxRow,
        expunged: usize,
    ) -> Result<(), StorageError> {
        // Twice as many rows as came, so that what is passed on the way is caught up with.
        let rows = expunged.saturating_mul(2).saturating_add(ROWS_BESIDE);
        self.forget_expunges(account, row, EXPUNGES_REMEMBERED_MAX, rows).map(drop)
    }

    /// Forgets expunges until `keep` are left, looking at so many rows at the most; whether that was enough.
    fn forget_expunges(
        &mut self,
        account: AccountId,
        row: &MailboxRow,
        keep: u32,
        rows: usize,
    ) -> Result<bool, StorageError> {
        if gone(row) <= keep {
            return Ok(true);
        }
        let key = Forgotten::key(account, row.id);
        let mut forgotten = Forgotten::decode(self.get(&key)?.as_deref())?;
        let mut surplus = forgotten.remembered(row).saturating_sub(keep);
        if surplus == 0 {
            return Ok(true);
        }
        let mut range = Key::of(Table::Change, account).u32(row.id.0).range();
        // Behind the row that is written here.
        range.start = keys::change(account, row.id, forgotten.modseq.max(ModSeq(1)), forgotten.uid);
        let page = self.scan(&range, Order::Ascending, rows)?;
        let whole = page.len() < rows;
        for (key, value) in page {
            if surplus == 0 {
                break;
            }
            let (told, named) = (changes_of(&key, &value)?, uid_of(&key)?);
            let Some(first) = told.first() else { continue };
            forgotten.modseq = first.modseq;
            if first.expunged {
                let gone = u32::try_from(told.len()).unwrap_or(u32::MAX).min(surplus);
                forgotten.count = forgotten.count.saturating_add(gone);
                surplus = surplus.saturating_sub(gone);
                // A row of several may stay for the rest of them.
                match without_first(&key, &value, gone as usize)? {
                    Some(left) => {
                        forgotten.uid = named;
                        self.put(key.to_vec(), left);
                        break;
                    }
                    None => self.delete(key.to_vec()),
                }
            }
            forgotten.uid = Uid(named.0.saturating_add(1));
        }
        // All is looked at, and fewer were there: some UIDs never had an expunge to be remembered.
        if whole && surplus > 0 {
            forgotten.count = forgotten.count.saturating_add(surplus);
            surplus = 0;
        }
        self.put(key, forgotten.encode());
        Ok(surplus == 0)
    }
}

/// Rows of other changes that are passed each time.
const ROWS_BESIDE: usize = 1_000;

#[cfg(test)]
mod tests {
    use mail::{Flags, SystemFlags, Timestamp};

    use super::*;
    use crate::changes::Change;
    use crate::memory::MemoryEngine;
    use crate::messages::{ExpungeScope, FlagChange};
    use crate::stage::{self, ALICE, INBOX};

    async fn house(messages: u32) -> (Store, AccountId, MailboxId) {
        let store = stage::house(&MemoryEngine::default()).await;
        for _ in 0..messages {
            let (staged, message) = stage::message(&store, b"a message").await;
            let _done = store.append(ALICE, INBOX, staged, message).await.unwrap();
        }
        (store, ALICE, INBOX)
    }

    /// What `check` finds.
    async fn flaws(store: &Store) -> Vec<String> {
        let mut found = Vec::new();
        crate::check::check(store, false, &mut |finding| found.push(finding.to_string())).await.unwrap();
        found
    }

    async fn expunged(store: &Store, account: AccountId, inbox: MailboxId) -> Vec<u32> {
        let changes = store.changes(account, inbox, ModSeq(0), None, 1_000).await.unwrap();
        changes.iter().filter(|change: &&Change| change.expunged).map(|change| change.uid.0).collect()
    }

    #[tokio::test]
    async fn the_oldest_expunges_are_forgotten() {
        let (store, account, inbox) = house(10).await;
        for uid in [5, 2, 7, 1] {
            store.expunge(account, inbox, vec![Uid(uid)], ExpungeScope::All).await.unwrap();
        }
        assert_eq!(store.expunges_forgotten(account, inbox).await.unwrap(), ModSeq(0));
        assert_eq!(expunged(&store, account, inbox).await, [5, 2, 7, 1]);
        store.forget_expunges(account, inbox, 2).await.unwrap();
        // MODSEQ 1 is the new mailbox's, 2 to 11 are the arrivals'.
        assert_eq!(store.expunges_forgotten(account, inbox).await.unwrap(), ModSeq(13));
        assert_eq!(expunged(&store, account, inbox).await, [7, 1]);
        assert_eq!(flaws(&store).await, [] as [&str; 0]);
        // Once more: there is nothing to forget.
        store.forget_expunges(account, inbox, 2).await.unwrap();
        assert_eq!(store.expunges_forgotten(account, inbox).await.unwrap(), ModSeq(13));
        // A change of what is there stays known.
        let flagged = FlagChange::Add(Flags::system(SystemFlags::FLAGGED));
        store.change_flags(account, inbox, vec![Uid(3)], flagged, None).await.unwrap();
        store.forget_expunges(account, inbox, 0).await.unwrap();
        assert_eq!(expunged(&store, account, inbox).await, [] as [u32; 0]);
        let changes = store.changes(account, inbox, ModSeq(15), None, 10).await.unwrap();
        assert_eq!(changes.iter().map(|change| change.uid).collect::<Vec<_>>(), [Uid(3)]);
    }

    /// Each expunge beyond the bound makes an older one go, also one of the same MODSEQ.
    #[tokio::test]
    async fn a_bound_holds_by_itself() {
        let (store, account, inbox) = house(30).await;
        let keep = 3;
        for first in [1, 11, 21] {
            let uids: Vec<Uid> = (first..first + 5).map(Uid).collect();
            store
                .transact(move |tx| {
                    tx.expunge(account, inbox, &uids, ExpungeScope::All, Timestamp(0))?;
                    let row = tx.mailbox_row(account, inbox)?;
                    tx.forget_expunges(account, &row, keep, 1_000)
                })
                .await
                .unwrap();
            assert_eq!(expunged(&store, account, inbox).await, [first + 2, first + 3, first + 4]);
        }
        // In small steps it comes to the same.
        let store_again = store.clone();
        while !store_again
            .transact(move |tx| {
                let row = tx.mailbox_row(account, inbox)?;
                tx.forget_expunges(account, &row, 1, 2)
            })
            .await
            .unwrap()
            .value
        {}
        assert_eq!(expunged(&store, account, inbox).await, [25]);
    }

    #[test]
    fn the_row_is_read_as_it_was_written() {
        let forgotten = Forgotten { modseq: ModSeq(7), uid: Uid(8), count: 9 };
        assert_eq!(Forgotten::decode(Some(&forgotten.encode())).unwrap(), forgotten);
        assert_eq!(Forgotten::decode(None).unwrap(), Forgotten::default());
        assert!(Forgotten::decode(Some(&[])).is_err() && Forgotten::decode(Some(&[1, 2])).is_err());
        assert!(Forgotten::decode(Some(&[&forgotten.encode()[..], &[0]].concat())).is_err());
        assert!(forgotten.covers(ModSeq(7), Uid(7)) && !forgotten.covers(ModSeq(7), Uid(8)));
    }
}
