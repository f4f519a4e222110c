//! When each responder last answered each sender: what stands for all responders, and the sweeping of rows.

use std::collections::HashMap;

use mail::Timestamp;
use storage::answered::{decode, responder_of};
use storage::keys::{Key, Table};
use storage::{Durability, KeyRange, Order, StorageError, Store, Transaction};

use crate::limits::SWEEP_ROWS;

/// Stands for all responders together: numbers of responders begin with 1.
pub(crate) const OF_ALL: u64 = 0;

/// Stands for all responders together where the sender is a whole domain, written as its postmaster.
pub(crate) const OF_DOMAIN: u64 = u64::MAX;

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
