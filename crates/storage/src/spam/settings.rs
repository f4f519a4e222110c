//! How an account wants its mail looked at.

use bytes::Bytes;
use mail::{AccountId, Address};
use serde::{Deserialize, Serialize};
use spam::Points;

use super::settings_key;
use crate::error::StorageError;
use crate::rows;
use crate::store::{Done, Store};
use crate::transaction::Transaction;

/// What an account has set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpamSettings {
    /// Whether spam goes to Spam by its content.
    pub enabled: bool,
    /// From how many points on; `None`: as the site has it.
    pub threshold: Option<Points>,
    /// Senders whose mail never goes there by its content: addresses, or domains.
    pub senders: Vec<String>,
}

impl Default for SpamSettings {
    fn default() -> Self {
        Self { enabled: true, threshold: None, senders: Vec::new() }
    }
}

impl SpamSettings {
    /// Whether a sender, who is surely who they say, is among those whose mail never goes to Spam.
    #[must_use]
    pub fn allows(&self, sender: &Address) -> bool {
        let sender = sender.canonical();
        let is = |known: &String| match Address::parse(known) {
            Ok(address) => address.canonical() == sender,
            Err(_) => known.eq_ignore_ascii_case(sender.domain().as_str()),
        };
        self.senders.iter().any(is)
    }

    pub(crate) fn decode(value: &[u8]) -> Result<Self, StorageError> {
        rows::decode(VERSION, "settings of the spam filter", value)
    }

    fn encode(&self) -> Result<Bytes, StorageError> {
        rows::encode(VERSION, self)
    }
}

const VERSION: u8 = 1;

impl Transaction<'_> {
    /// What an account has set.
    ///
    /// # Errors
    /// When reading fails.
    pub fn spam_settings(&self, account: AccountId) -> Result<SpamSettings, StorageError> {
        let value = self.get(&settings_key(account))?;
        Ok(value.map(|value| SpamSettings::decode(&value)).transpose()?.unwrap_or_default())
    }

    /// Sets it.
    ///
    /// # Errors
    /// [`StorageError::NoSuchAccount`], or when reading fails.
    pub fn put_spam_settings(&mut self, account: AccountId, settings: &SpamSettings) -> Result<(), StorageError> {
        if !self.has_account(account)? {
            return Err(StorageError::NoSuchAccount);
        }
        if *settings == SpamSettings::default() {
            self.delete(settings_key(account));
        } else {
            self.put(settings_key(account), settings.encode()?);
        }
        Ok(())
    }
}

impl Store {
    /// Changes what an account has set, and gives what it is then.
    ///
    /// # Errors
    /// Those of the change, [`StorageError::NoSuchAccount`], or the engine's.
    pub async fn change_spam_settings(
        &self,
        account: AccountId,
        change: impl Fn(&mut SpamSettings) -> Result<(), StorageError> + Send + 'static,
    ) -> Result<Done<SpamSettings>, StorageError> {
        self.transact(move |tx| {
            let mut settings = tx.spam_settings(account)?;
            change(&mut settings)?;
            tx.put_spam_settings(account, &settings)?;
            Ok(settings)
        })
        .await
    }
}
