//! When each responder last answered each sender: rows that the answering transaction writes.

use bytes::Bytes;
use mail::{Address, Timestamp};
use routing::responders::LastAnswer;

use crate::error::StorageError;
use crate::keys::{Key, Table};
use crate::transaction::Transaction;

const VERSION: u8 = 1;

impl Transaction<'_> {
    /// The last answer of a responder to a sender, by the address under which answers are counted (A5).
    ///
    /// # Errors
    /// When reading fails.
    pub fn last_answer(&self, responder: u64, sender: &Address) -> Result<Option<LastAnswer>, StorageError> {
        self.get(&key(responder, sender))?.map(|value| decode(&value)).transpose()
    }

    /// Notes an answer.
    pub fn note_answer(&mut self, responder: u64, sender: &Address, answer: LastAnswer) {
        self.put(key(responder, sender), Bytes::from(encode(answer)));
    }
}

fn key(responder: u64, sender: &Address) -> Vec<u8> {
    Key::global(Table::Answered).u64(responder).bytes(sender.canonical().to_string().as_bytes()).done()
}

/// The responder of a row's key.
#[must_use]
pub fn responder_of(key: &[u8]) -> Option<u64> {
    let head = Key::global(Table::Answered).done();
    key.strip_prefix(head.as_slice())?.first_chunk().copied().map(u64::from_be_bytes)
}

fn encode(answer: LastAnswer) -> Vec<u8> {
    let mut out = vec![VERSION];
    out.extend_from_slice(&answer.at.0.to_be_bytes());
    out.extend_from_slice(&answer.day_from.0.to_be_bytes());
    out.extend_from_slice(&answer.in_day.to_be_bytes());
    out
}

/// Reads the value of a row.
///
/// # Errors
/// When it is damaged.
pub fn decode(value: &[u8]) -> Result<LastAnswer, StorageError> {
    let read = || {
        let rest = value.strip_prefix(&[VERSION])?;
        let (at, rest) = rest.split_first_chunk()?;
        let (day_from, rest) = rest.split_first_chunk()?;
        let (in_day, rest) = rest.split_first_chunk()?;
        rest.is_empty().then_some(LastAnswer {
            at: Timestamp(i64::from_be_bytes(*at)),
            day_from: Timestamp(i64::from_be_bytes(*day_from)),
            in_day: u32::from_be_bytes(*in_day),
        })
    };
    read().ok_or_else(|| StorageError::corrupt("a row of the answered senders"))
}

/// For `relais check`: whether the key (behind table and part) and the value of a note can be read.
///
/// # Errors
/// What is wrong with it.
pub fn check_answered(key: &[u8], value: &[u8]) -> Result<(), String> {
    let sender = key.get(8..).and_then(|sender| std::str::from_utf8(sender).ok()).map(Address::parse);
    if !matches!(sender, Some(Ok(_))) {
        return Err("the sender is no address".to_owned());
    }
    decode(value).map(drop).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_what_it_encoded_and_nothing_else() {
        let answer = LastAnswer { at: Timestamp(-5), day_from: Timestamp(i64::MAX), in_day: 7 };
        let bytes = encode(answer);
        assert_eq!(decode(&bytes), Ok(answer));
        for cut in 0..bytes.len() {
            assert!(decode(&bytes[..cut]).is_err());
        }
        let row = key(9, &Address::parse("a@b.example").unwrap());
        let head = Key::global(Table::Answered).done().len();
        assert_eq!(check_answered(&row[head..], &bytes), Ok(()));
        assert!(check_answered(&row[head..row.len() - 9], &bytes).is_err());
        assert!(check_answered(&row[head..], b"?").is_err());
        assert_eq!(responder_of(&key(9, &Address::parse("a@b.example").unwrap())), Some(9));
    }
}
