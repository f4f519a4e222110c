//! What people have submitted and can still take back: "undo send".

use mail::{Address, QueueId};
use storage::rows::QueueRow;
use storage::trace::{Step, Taken};
use storage::{Durability, Store};

use crate::account::find;
use crate::error::{AdminError, ErrorKind};
use crate::limits::QUEUE_ENTRIES_MAX;

/// Entries that are read at a time.
const PAGE: usize = 500;

/// What an account has submitted and what has not set out yet, in order of number.
pub(crate) async fn waiting(store: &Store, by: &Address) -> Result<Vec<QueueRow>, AdminError> {
    let account = find(&store.directory(), by)?.id;
    let (mut found, mut after) = (Vec::new(), QueueId(0));
    loop {
        let rows = store.queue_entries(after, PAGE).await?;
        let Some(last) = rows.last() else { return Ok(found) };
        after = last.id;
        let own = rows.into_iter().filter(|row| row.waiting.is_some_and(|waiting| waiting.account == account));
        found.extend(own.take(QUEUE_ENTRIES_MAX.saturating_sub(found.len())));
        if found.len() >= QUEUE_ENTRIES_MAX {
            return Ok(found);
        }
    }
}

/// Takes messages back: all of them, or none when one is not there any more. Gives how many.
pub(crate) async fn take_back(store: &Store, by: &Address, entries: Vec<QueueId>) -> Result<usize, AdminError> {
    let account = find(&store.directory(), by)?.id;
    let (now, taken) = (store.now(), entries.len());
    let who = by.clone();
    let gone = store.transact_with(Durability::Freeing, move |tx| {
        let mut rows = Vec::with_capacity(entries.len());
        for id in &entries {
            match tx.queue_entry(*id)?.filter(|row| row.waiting.is_some_and(|waiting| waiting.account == account)) {
                Some(row) => rows.push(row),
                None => return Ok(Some(*id)),
            }
        }
        for row in rows {
            tx.remove_queue_entry(row.id, now)?;
            if let Some(trace) = row.trace {
                let step = Step::Decided { text: format!("queue entry {}: taken back by {who}, its sender", row.id) };
                tx.trace(trace, &[Taken { at: now, step }])?;
            }
        }
        Ok(None)
    });
    match gone.await?.value {
        None => Ok(taken),
        Some(id) => {
            let error = AdminError::new(ErrorKind::NotFound, format!("{id} is no message of {by} that still waits"));
            Err(error
                .hint(format!("it may have set out already; `relais queue waiting {by}` shows what can be taken back")))
        }
    }
}
