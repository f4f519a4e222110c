//! Keys that sign what leaves (DKIM), by domain and selector. The private half is in no object of the directory, so that
//! no listing and no export shows it.

use mail::{Domain, Timestamp};
use serde::{Deserialize, Serialize};

use crate::engine::Order;
use crate::error::StorageError;
use crate::keys::{Key, Table};
use crate::limits::SIGNING_KEYS_MAX;
use crate::store::Store;
use crate::transaction::Transaction;

/// Where a key is in its life: published first, so that others find it when it begins to sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyState {
    /// To be published; signs nothing yet.
    Next,
    /// Signs.
    Active,
    /// Signs no more; stays published while what it signed is on its way.
    Retired,
}

/// A stored key.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SigningKeyRow {
    /// The selector (RFC 6376 §3.1).
    pub selector: String,
    /// `rsa-sha256` or `ed25519-sha256`.
    pub algorithm: String,
    /// The private key, PKCS #8.
    pub pkcs8: Vec<u8>,
    /// Where it is in its life.
    pub state: KeyState,
    /// When it was made.
    pub created_at: Timestamp,
}

impl std::fmt::Debug for SigningKeyRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKeyRow({} {} {:?})", self.selector, self.algorithm, self.state)
    }
}

const VERSION: u8 = 1;

impl SigningKeyRow {
    pub(crate) fn decode(value: &[u8]) -> Result<Self, StorageError> {
        crate::rows::decode(VERSION, "signing key", value)
    }
}

impl Store {
    /// The keys of a domain, in order of selector.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn signing_keys(&self, domain: &Domain) -> Result<Vec<SigningKeyRow>, StorageError> {
        let rows = self.engine.scan(of_domain(domain).range(), Order::Ascending, SIGNING_KEYS_MAX).await?;
        rows.iter().map(|(_, value)| SigningKeyRow::decode(value)).collect()
    }
}

impl Transaction<'_> {
    /// The keys of a domain, in order of selector.
    ///
    /// # Errors
    /// When reading fails.
    pub fn signing_keys(&self, domain: &Domain) -> Result<Vec<SigningKeyRow>, StorageError> {
        let rows = self.scan(&of_domain(domain).range(), Order::Ascending, SIGNING_KEYS_MAX)?;
        rows.iter().map(|(_, value)| SigningKeyRow::decode(value)).collect()
    }

    /// Stores a key, in the place of the same one in another state.
    ///
    /// # Errors
    /// [`StorageError::LimitReached`] when the domain has [`SIGNING_KEYS_MAX`].
    pub fn put_signing_key(&mut self, domain: &Domain, key: &SigningKeyRow) -> Result<(), StorageError> {
        let known = self.signing_keys(domain)?;
        if known.len() >= SIGNING_KEYS_MAX && !known.iter().any(|other| other.selector == key.selector) {
            return Err(StorageError::LimitReached("signing keys of one domain"));
        }
        let row = crate::rows::encode(VERSION, key)?;
        self.put(of_domain(domain).bytes(key.selector.as_bytes()).done(), row);
        Ok(())
    }

    /// Removes a key. `false` when there is none of that selector.
    ///
    /// # Errors
    /// When reading fails.
    pub fn remove_signing_key(&mut self, domain: &Domain, selector: &str) -> Result<bool, StorageError> {
        let key = of_domain(domain).bytes(selector.as_bytes()).done();
        let there = self.get(&key)?.is_some();
        self.delete(key);
        Ok(there)
    }
}

/// The keys of one domain: its name ends with a byte that no name has.
fn of_domain(domain: &Domain) -> Key {
    Key::global(Table::SigningKey).bytes(domain.as_str().as_bytes()).u8(0)
}

/// The name of the domain that a key belongs to.
pub(crate) fn domain_of(key: &[u8]) -> Option<Domain> {
    let rest = key.get(crate::keys::HEAD..)?;
    let end = rest.iter().position(|byte| *byte == 0)?;
    Domain::parse(std::str::from_utf8(rest.get(..end)?).ok()?).ok()
}
