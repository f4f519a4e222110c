//! Mailbox access keys (RFC 4467 §2): one for each mailbox of which an authorised URL was made. Without its key every URL of a
//! mailbox is void.

use mail::{AccountId, MailboxId};

use crate::engine::Order;
use crate::error::StorageError;
use crate::keys::{Key, Table};
use crate::limits::MAILBOXES_MAX;
use crate::secret::{SecretKey, decode, encode};
use crate::store::Store;

impl Store {
    /// The key of a mailbox; `None` when no URL of it was authorised since the last reset.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn url_key(&self, account: AccountId, mailbox: MailboxId) -> Result<Option<SecretKey>, StorageError> {
        self.engine.get(&key(account, mailbox)).await?.map(|value| decode(&value)).transpose()
    }

    /// The key of a mailbox; the first one to ask makes it.
    ///
    /// # Errors
    /// [`StorageError::NoSuchMailbox`], or the engine's.
    pub async fn url_key_or_new(&self, account: AccountId, mailbox: MailboxId) -> Result<SecretKey, StorageError> {
        if let Some(key) = self.url_key(account, mailbox).await? {
            return Ok(key);
        }
        let mut fresh = [0; 32];
        self.world.chance.fill(&mut fresh);
        let made = self.transact(move |tx| {
            tx.mailbox_row(account, mailbox)?;
            match tx.get(&key(account, mailbox))? {
                Some(value) => decode(&value),
                None => {
                    tx.put(key(account, mailbox), encode(fresh));
                    Ok(SecretKey(fresh))
                }
            }
        });
        Ok(made.await?.value)
    }

    /// Forgets the key of a mailbox, or of all mailboxes of an account: every URL made with them is void (RFC 4467 §7).
    ///
    /// # Errors
    /// The engine's.
    pub async fn reset_url_keys(&self, account: AccountId, mailbox: Option<MailboxId>) -> Result<(), StorageError> {
        self.transact(move |tx| {
            match mailbox {
                Some(mailbox) => tx.delete(key(account, mailbox)),
                None => {
                    let range = Key::of(Table::UrlKey, account).range();
                    let rows = tx.scan(&range, Order::Ascending, MAILBOXES_MAX)?;
                    rows.into_iter().for_each(|(key, _)| tx.delete(key.to_vec()));
                }
            }
            Ok(())
        })
        .await
        .map(drop)
    }
}

pub(crate) fn key(account: AccountId, mailbox: MailboxId) -> Vec<u8> {
    Key::of(Table::UrlKey, account).u32(mailbox.0).done()
}
