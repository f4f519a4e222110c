//! When each responder last answered each sender: rows that the answering transaction writes, and their sweeping.

use std::collections::HashMap;

use mail::{Address, Timestamp};
use routing::responders::LastAnswer;
use storage::keys::{Key, Table};
use storage::{Durability, KeyRange, Order, StorageError, Store, Transaction};

use crate::limits::SWEEP_ROWS;

const VERSION: u8 = 1;

/// Stands for all responders together: numbers of responders begin with 1.
pub(crate) const OF_ALL: u64 = 0;

/// Stands for all responders together where the sender is a whole domain, written as its postmaster.
pub(crate) const OF_DOMAIN: u64 = u64::MAX;

/// The last answer to a sender, by the address under which answers are counted (A5), of a responder or of all.
pub(crate) fn last_answer(
    tx: &Transaction<'_>,
    responder: u64,
    sender: &Address,
) -> Result<Option<LastAnswer>, StorageError> {
    tx.get(&key(responder, sender))?.map(|value| decode(&value)).transpose()
}

/// Notes an answer.
pub(crate) fn note_answer(tx: &mut Transaction<'_>, responder: u64, sender: &Address, answer: LastAnswer) {
    tx.put(key(responder, sender), encode(answer));
}

/// Removes rows on which nothing depends any more: of responders that are gone, and those older than a day and than
/// the frequency. Returns how many went.
pub(crate) async fn sweep(store: &Store) -> Result<usize, StorageError> {
    let mut frequencies: HashMap<u64, u64> =
        store.directory().responders().map(|responder| (responder.id, responder.frequency_secs)).collect();
    frequencies.extend([(OF_ALL, 0), (OF_DOMAIN, 0)]);
    let now = store.now();
    let mut range = Key::global(Table::Answered).range();
    let mut swept = 0;
    loop {
        let (page, frequencies) = (range.clone(), frequencies.clone());
        // Losing a deletion to a power cut only leaves the row to the next sweep.
        let done = store.transact_with(Durability::Relaxed, move |tx| sweep_page(tx, &page, &frequencies, now)).await?;
        swept += done.value.0;
        match done.value.1 {
            Some(last) => range.start = [last.as_slice(), &[0]].concat(),
            None => return Ok(swept),
        }
    }
}

/// Sweeps one page; gives the number of rows that went, and the last key when there may be more.
fn sweep_page(
    tx: &mut Transaction<'_>,
    range: &KeyRange,
    frequencies: &HashMap<u64, u64>,
    now: Timestamp,
) -> Result<(usize, Option<Vec<u8>>), StorageError> {
    let rows = tx.scan(range, Order::Ascending, SWEEP_ROWS)?;
    let last = rows.last().filter(|_| rows.len() == SWEEP_ROWS).map(|(key, _)| key.to_vec());
    let mut swept = 0_usize;
    for (key, value) in rows {
        let frequency = responder_of(&key).and_then(|id| frequencies.get(&id));
        if frequency.is_none_or(|frequency| decode(&value).is_ok_and(|answer| answer.is_stale(*frequency, now))) {
            tx.delete(key.to_vec());
            swept = swept.saturating_add(1);
        }
    }
    Ok((swept, last))
}

fn key(responder: u64, sender: &Address) -> Vec<u8> {
    Key::global(Table::Answered).u64(responder).bytes(sender.canonical().to_string().as_bytes()).done()
}

fn responder_of(key: &[u8]) -> Option<u64> {
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

fn decode(value: &[u8]) -> Result<LastAnswer, StorageError> {
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
    read().ok_or_else(|| StorageError::Corrupt("a row of the answered senders".to_owned()))
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
