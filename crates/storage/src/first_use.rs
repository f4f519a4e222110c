//! Who wrote to an alias first: a person who gave an address to one shop sees who else has it.

use bytes::Bytes;
use mail::{Address, ReversePath, Timestamp};
use routing::objects::ObjectKey;
use serde::{Deserialize, Serialize};

use crate::error::StorageError;
use crate::keys;
use crate::objects::row_key;
use crate::rows;
use crate::store::Store;
use crate::transaction::Transaction;

/// The first message to an alias.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FirstUse {
    /// Its reverse-path.
    pub reverse_path: ReversePath,
    /// When it was accepted.
    pub at: Timestamp,
}

const VERSION: u8 = 1;

impl FirstUse {
    pub(crate) fn decode(value: &[u8]) -> Result<Self, StorageError> {
        rows::decode(VERSION, "first use of an alias", value)
    }

    fn encode(&self) -> Result<Bytes, StorageError> {
        rows::encode(VERSION, self)
    }
}

impl Transaction<'_> {
    /// Remembers a message as the first to an alias, unless there was one before or the alias is gone.
    ///
    /// # Errors
    /// When reading fails.
    pub fn note_first_use(
        &mut self,
        alias: &Address,
        reverse_path: &ReversePath,
        at: Timestamp,
    ) -> Result<(), StorageError> {
        let alias = alias.canonical();
        let key = keys::first_use(&alias);
        if self.get(&key)?.is_some() || self.get(&row_key(&ObjectKey::Alias(alias)))?.is_none() {
            return Ok(());
        }
        let row = FirstUse { reverse_path: reverse_path.clone(), at };
        self.put(key, row.encode()?);
        Ok(())
    }
}

impl Store {
    /// The first message to an alias; `None`: there was none yet.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn first_use(&self, alias: &Address) -> Result<Option<FirstUse>, StorageError> {
        let value = self.engine.get(&keys::first_use(&alias.canonical())).await?;
        value.map(|value| FirstUse::decode(&value)).transpose()
    }
}
