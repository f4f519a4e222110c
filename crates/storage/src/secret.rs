//! Keys that the server makes for itself, once for each purpose; they live in the store and are never shown.

use std::fmt;

use crate::error::StorageError;
use crate::keys::{Key, Table};
use crate::store::Store;

/// 32 random octets. Does not print itself.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretKey(pub [u8; 32]);

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(..)")
    }
}

impl Store {
    /// The key of this name; the first one to ask makes it.
    ///
    /// # Errors
    /// When the store can't be read or written.
    pub async fn secret(&self, name: &'static str) -> Result<SecretKey, StorageError> {
        if let Some(value) = self.engine.get(&key(name)).await? {
            return decode(&value);
        }
        let mut fresh = [0; 32];
        self.world.chance.fill(&mut fresh);
        let done = self
            .transact(move |tx| match tx.get(&key(name))? {
                Some(value) => decode(&value),
                None => {
                    tx.put(key(name), encode(fresh));
                    Ok(SecretKey(fresh))
                }
            })
            .await?;
        Ok(done.value)
    }
}

fn key(name: &str) -> Vec<u8> {
    Key::global(Table::Secret).bytes(name.as_bytes()).done()
}

pub(crate) fn encode(key: [u8; 32]) -> Vec<u8> {
    [&[VERSION], key.as_slice()].concat()
}

pub(crate) fn decode(value: &[u8]) -> Result<SecretKey, StorageError> {
    let rest = value.strip_prefix(&[VERSION]).and_then(|rest| rest.try_into().ok());
    rest.map(SecretKey).ok_or_else(|| StorageError::corrupt("a secret"))
}

const VERSION: u8 = 1;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use mail::Timestamp;
    use world::simulated::SimulatedWorld;

    use super::*;
    use crate::MemoryEngine;

    #[tokio::test]
    async fn a_secret_is_made_once_and_does_not_print_itself() {
        let engine = MemoryEngine::default();
        let world = SimulatedWorld::new(Timestamp(0), 3).world();
        let store = Store::open(Arc::new(engine.clone()), world.clone()).await.unwrap();
        let first = store.secret("lists").await.unwrap();
        assert_eq!(store.secret("lists").await.unwrap(), first);
        assert_ne!(store.secret("other").await.unwrap(), first);
        assert_eq!(format!("{first:?}"), "SecretKey(..)");
        let again =
            Store::open(Arc::new(engine.after_power_cut(Arc::new(crate::SilentDoorbell))), world).await.unwrap();
        assert_eq!(again.secret("lists").await.unwrap(), first);
    }
}
