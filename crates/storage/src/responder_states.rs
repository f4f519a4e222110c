//! What each responder has done since it last began to act: how often it answered, and whether its end has been told.

use bytes::Bytes;
use mail::Timestamp;
use serde::{Deserialize, Serialize};

use crate::engine::Order;
use crate::error::StorageError;
use crate::keys::{Key, Table};
use crate::store::Store;
use crate::transaction::Transaction;

/// The state of a responder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResponderState {
    /// Its end has passed, and its owner has been told; or it was switched off.
    pub ended: bool,
    /// Its owner has been told that it acts.
    pub announced: bool,
    /// When it began to act.
    pub since: Timestamp,
    /// Answers given since.
    pub answered: u64,
}

impl ResponderState {
    /// One that begins now.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        Self { ended: false, announced: false, since: now, answered: 0 }
    }

    fn encode(self) -> Vec<u8> {
        let told = u8::from(self.ended) | (u8::from(self.announced) << 1);
        let head = [VERSION, told];
        [&head[..], &self.since.0.to_be_bytes(), &self.answered.to_be_bytes()].concat()
    }

    /// Reads a row.
    pub(crate) fn decode(value: &[u8]) -> Result<Self, StorageError> {
        let read = || {
            let rest = value.strip_prefix(&[VERSION])?;
            let (told, rest) = rest.split_first()?;
            let (since, rest) = rest.split_first_chunk()?;
            let answered = rest.try_into().ok()?;
            (*told <= 3).then_some(Self {
                ended: told & 1 != 0,
                announced: told & 2 != 0,
                since: Timestamp(i64::from_be_bytes(*since)),
                answered: u64::from_be_bytes(answered),
            })
        };
        read().ok_or_else(|| StorageError::corrupt("the state of a responder"))
    }
}

impl Transaction<'_> {
    /// The state of a responder; `None` before it has acted.
    ///
    /// # Errors
    /// When reading fails.
    pub fn responder_state(&self, id: u64) -> Result<Option<ResponderState>, StorageError> {
        self.get(&key(id))?.map(|row| ResponderState::decode(&row)).transpose()
    }

    /// Writes the state of a responder.
    pub fn put_responder_state(&mut self, id: u64, state: ResponderState) {
        self.put(key(id), Bytes::from(state.encode()));
    }

    /// Forgets the state of a responder.
    pub fn remove_responder_state(&mut self, id: u64) {
        self.delete(key(id));
    }

    /// The numbers and states of at most `limit` responders behind a number.
    ///
    /// # Errors
    /// When reading fails.
    pub fn responder_states_after(&self, id: u64, limit: usize) -> Result<Vec<(u64, ResponderState)>, StorageError> {
        let mut range = Key::global(Table::ResponderState).range();
        range.start = key(id.saturating_add(1));
        let rows = self.scan(&range, Order::Ascending, limit)?;
        rows.iter().map(|(key, value)| Ok((number(key)?, ResponderState::decode(value)?))).collect()
    }
}

impl Store {
    /// The state of a responder; `None` before it has acted.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn responder_state(&self, id: u64) -> Result<Option<ResponderState>, StorageError> {
        self.engine.get(&key(id)).await?.map(|row| ResponderState::decode(&row)).transpose()
    }
}

pub(crate) fn number(key: &[u8]) -> Result<u64, StorageError> {
    let bytes = key.get(crate::keys::HEAD..).and_then(|rest| rest.try_into().ok());
    bytes.map(u64::from_be_bytes).ok_or_else(|| StorageError::corrupt("the key of a responder's state"))
}

fn key(id: u64) -> Vec<u8> {
    Key::global(Table::ResponderState).u64(id).done()
}

const VERSION: u8 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_what_it_encoded_and_nothing_else() {
        for (ended, announced) in [(false, false), (false, true), (true, false), (true, true)] {
            let state = ResponderState { ended, announced, since: Timestamp(-7), answered: u64::MAX };
            let bytes = state.encode();
            assert_eq!(ResponderState::decode(&bytes), Ok(state));
            for cut in 0..bytes.len() {
                assert!(ResponderState::decode(&bytes[..cut]).is_err());
            }
        }
        assert_eq!(number(&key(9)), Ok(9));
    }
}
