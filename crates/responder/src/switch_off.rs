//! The link that switches an absence off (V4): in the letter that says that it is active.
//!
//! Its token names a responder, the moment at which it began to act, and whom it was written to, under a MAC keyed by a secret of
//! the store. So it is good for this one activation and ends with it, and whoever can't read the reader's mailbox can't make
//! one. A reader is the owner, or who administers the shared mailbox: once they do no more, their link is over. What it
//! does is the handler's; using it twice changes nothing more.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mail::{AccountId, Timestamp};
use routing::Directory;
use routing::objects::{AccountKind, ResponderObject};
use routing::responders::{Phase, owner, phase, zone_of};
use routing::sharing::administrators;
use storage::secret::SecretKey;
use storage::{StorageError, Store};
use subtle::ConstantTimeEq;

/// Makes and reads the links.
#[derive(Clone, Debug)]
pub struct SwitchOffLinks {
    key: SecretKey,
    /// Where the pages are reached from outside, without a final slash.
    url: Option<Arc<str>>,
}

/// What a link leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opened {
    /// A responder that is active, as it was when the link was made.
    Active(Arc<ResponderObject>),
    /// That has ended, or has been switched off.
    Over,
    /// It is no link of ours.
    Void,
}

impl SwitchOffLinks {
    /// Links of a store; `url` is where [`SwitchOffLinks::PATH`] is reached from outside, when it is.
    ///
    /// # Errors
    /// When the store can't be read or written: the key lives there.
    pub async fn new(store: &Store, url: Option<&str>) -> Result<Self, StorageError> {
        let key = store.secret("responders").await?;
        let url = url.map(|url| url.trim_end_matches('/')).filter(|url| !url.is_empty());
        Ok(Self { key, url: url.map(Arc::from) })
    }

    /// The path of the pages; the token follows.
    pub const PATH: &str = "/absence/";

    /// The link of a reader for a responder that began to act at a moment; `None` when no page is reached from outside.
    pub(crate) fn link(&self, responder: u64, since: Timestamp, reader: AccountId) -> Option<String> {
        let url = self.url.as_ref()?;
        Some(format!("{url}{}{}", Self::PATH, self.token(responder, since, reader)))
    }

    /// What the token of a link leads to now.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn opened(&self, store: &Store, token: &str) -> Result<Opened, StorageError> {
        let Some((id, since, reader)) = self.read(token) else { return Ok(Opened::Void) };
        let state = store.responder_state(id).await?.filter(|state| state.since == since && !state.ended);
        let directory = store.directory();
        let responder = directory.responder(id).filter(|one| state.is_some() && switches(&directory, one, reader));
        let active =
            responder.filter(|one| phase(one, store.now(), &zone_of(&directory, one)) == Phase::Active).cloned();
        Ok(active.map_or(Opened::Over, Opened::Active))
    }

    fn token(&self, responder: u64, since: Timestamp, reader: AccountId) -> String {
        let mut bytes = [responder.to_be_bytes(), since.0.to_be_bytes(), reader.0.to_be_bytes()].concat();
        let mac = self.mac(&bytes);
        bytes.extend_from_slice(&mac);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    fn read(&self, token: &str) -> Option<(u64, Timestamp, AccountId)> {
        if token.len() > TOKEN_OCTETS_MAX {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (said, mac) = bytes.split_at_checked(SAID)?;
        if !bool::from(self.mac(said).as_slice().ct_eq(mac)) {
            return None;
        }
        let (id, rest) = said.split_first_chunk()?;
        let (since, reader) = rest.split_first_chunk()?;
        let reader = AccountId(u64::from_be_bytes(reader.try_into().ok()?));
        Some((u64::from_be_bytes(*id), Timestamp(i64::from_be_bytes(*since)), reader))
    }

    fn mac(&self, said: &[u8]) -> Vec<u8> {
        let mut hasher = blake3::Hasher::new_keyed(&self.key.0);
        // Whatever else this key may be used for one day has another beginning.
        hasher.update(b"switch-off\0").update(said);
        hasher.finalize().as_bytes().get(..MAC).unwrap_or_default().to_vec()
    }
}

/// Whether somebody may switch a responder off: its owner, or who administers the shared mailbox.
fn switches(directory: &Directory, responder: &ResponderObject, reader: AccountId) -> bool {
    let Some(owner) = owner(directory, responder) else { return false };
    match owner.kind {
        AccountKind::Person => owner.id == reader,
        AccountKind::Shared => administrators(directory, owner).any(|one| one.id == reader),
    }
}

/// Octets of number, moment and reader.
const SAID: usize = 24;
/// Octets of the MAC.
const MAC: usize = 16;
/// Octets of a token in base64.
const TOKEN_OCTETS_MAX: usize = 54;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn links(seed: u8) -> SwitchOffLinks {
        SwitchOffLinks { key: SecretKey([seed; 32]), url: Some("https://mail.a.example".into()) }
    }

    #[test]
    fn a_token_is_for_one_responder_one_activation_and_one_server() {
        let (id, since, reader) = (7, Timestamp(1_790_000_000_123), AccountId(9));
        let token = links(1).token(id, since, reader);
        assert_eq!(token.len(), TOKEN_OCTETS_MAX);
        assert_eq!(links(1).read(&token), Some((id, since, reader)));
        assert_eq!(links(2).read(&token), None, "another server");
        assert_eq!(links(1).link(id, since, reader).unwrap(), format!("https://mail.a.example/absence/{token}"));
        assert_eq!(SwitchOffLinks { url: None, ..links(1) }.link(id, since, reader), None);
    }

    proptest! {
        #[test]
        fn no_changed_token_is_taken(at in 0..SAID + MAC, bit in 0..8_u32, text in ".{0,60}") {
            let mut raw = URL_SAFE_NO_PAD.decode(links(1).token(7, Timestamp(5), AccountId(9))).unwrap();
            raw[at] ^= 1 << bit;
            prop_assert_eq!(links(1).read(&URL_SAFE_NO_PAD.encode(&raw)), None);
            prop_assert_eq!(links(1).read(&URL_SAFE_NO_PAD.encode(&raw[..at])), None);
            prop_assert_eq!(links(1).read(&text), None);
        }
    }
}
