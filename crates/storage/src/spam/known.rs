//! What is read when a message is looked at.

use mail::{AccountId, Address, BlobHash, SystemFlags, Uid};
use spam::limits::SAMPLE_OCTETS_MAX;
use spam::{Content, Counts, Known, Token};

use super::{SpamSettings, Totals, decode_counts, note_key, settings_key, token_key, totals_key};
use crate::contacts;
use crate::error::StorageError;
use crate::limits::INBOX_LOOKED_AT_MAX;
use crate::store::Store;

impl Store {
    /// What an account has set.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn spam_settings(&self, account: AccountId) -> Result<SpamSettings, StorageError> {
        let value = self.engine.get(&settings_key(account)).await?;
        Ok(value.map(|value| SpamSettings::decode(&value)).transpose()?.unwrap_or_default())
    }

    /// How much a part has learnt.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn spam_totals(&self, part: AccountId) -> Result<Totals, StorageError> {
        let value = self.engine.get(&totals_key(part)).await?;
        Ok(value.map(|value| Totals::decode(&value)).transpose()?.unwrap_or_default())
    }

    /// What a part knows of tokens. As long as it has learnt too little to have a say, they are not looked up.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn spam_known(&self, part: AccountId, tokens: &[Token]) -> Result<Known, StorageError> {
        let learnt = self.spam_totals(part).await?.learnt();
        if !learnt.is_enough() {
            return Ok(Known { learnt, with: Vec::new() });
        }
        let keys: Vec<Vec<u8>> = tokens.iter().map(|token| token_key(part, token.id)).collect();
        let found = self.engine.multi_get(&keys).await?;
        let counts = found.iter().map(|value| value.as_deref().map_or(Ok(Counts::default()), decode_counts));
        Ok(Known { learnt, with: counts.collect::<Result<_, _>>()? })
    }

    /// The beginning of a stored message, read for its tokens; `None` when it is gone.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn spam_content(&self, blob: &BlobHash) -> Result<Option<Content>, StorageError> {
        let Some(mut reader) = self.blob(blob).await? else { return Ok(None) };
        let sample = reader.read(0, SAMPLE_OCTETS_MAX as u64).await?;
        Ok(Some(Content::read(&sample)))
    }

    /// Whether an address is among the contacts of an account.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn is_contact(&self, account: AccountId, address: &Address) -> Result<bool, StorageError> {
        Ok(self.engine.get(&contacts::row_key(account, &address.canonical())).await?.is_some())
    }

    /// A message of INBOX that its owner has read and left there, and that was not learnt yet: the newest of the last
    /// [`INBOX_LOOKED_AT_MAX`]. That is how ham looks.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn spam_ham_at_hand(&self, account: AccountId) -> Result<Option<BlobHash>, StorageError> {
        let Some(inbox) = self.mailbox_by_name(account, "INBOX").await? else { return Ok(None) };
        let (first, last) = (Uid(1), Uid(u32::MAX));
        for message in self.messages_descending(account, inbox.id, first, last, INBOX_LOOKED_AT_MAX).await? {
            let flags = inbox.flags_of(&message);
            let read = flags.system.contains(SystemFlags::SEEN) && !flags.system.contains(SystemFlags::DELETED);
            let marked = flags.keywords.iter().any(|keyword| keyword.as_str().to_ascii_lowercase().ends_with("junk"));
            if read && !marked && self.engine.get(&note_key(account, &message.blob)).await?.is_none() {
                return Ok(Some(message.blob));
            }
        }
        Ok(None)
    }
}
