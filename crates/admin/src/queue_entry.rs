//! The queue of outgoing mail: looking at entries, holding, resuming, trying again, deleting.

use mail::QueueId;
use storage::rows::{QueueRow, RecipientState};
use storage::{Durability, Store};

use crate::error::{AdminError, ErrorKind};
use crate::limits::QUEUE_ENTRIES_MAX;
use crate::request::{QueueRequest, QueueSelection};
use crate::response::{QueueEntryView, QueueRecipientView, Response};

pub(crate) async fn execute(store: &Store, request: QueueRequest) -> Result<Response, AdminError> {
    match request {
        QueueRequest::List { after, limit } => {
            let limit = limit.unwrap_or(QUEUE_ENTRIES_MAX).min(QUEUE_ENTRIES_MAX);
            let rows = store.queue_entries(after.unwrap_or(QueueId(0)), limit).await?;
            Ok(Response::QueueEntries(rows.iter().map(QueueEntryView::from).collect()))
        }
        QueueRequest::Show { id } => match store.queue_entry(id).await? {
            Some(row) => Ok(Response::QueueEntry(Box::new(QueueEntryView::from(&row)))),
            None => Err(missing(id)),
        },
        QueueRequest::Hold(which) => edit(store, which, "held", |row| !row.held, queue::hold).await,
        QueueRequest::Resume(which) => edit(store, which, "resumed", |row| row.held, queue::resume).await,
        QueueRequest::Retry(which) => {
            edit(store, which, "to be tried again now", |row| !row.held, queue::retry_now).await
        }
        QueueRequest::Remove(which) => {
            let now = store.now();
            let ids = select(store, which).await?;
            for id in &ids {
                let id = *id;
                store.transact_with(Durability::Freeing, move |tx| tx.remove_queue_entry(id, now)).await?;
            }
            Ok(Response::Done(counted(ids.len(), "removed; nobody is told")))
        }
    }
}

/// Changes those of a selection that the change concerns, and counts them.
async fn edit(
    store: &Store,
    which: QueueSelection,
    done: &str,
    concerns: fn(&QueueRow) -> bool,
    change: fn(&mut QueueRow),
) -> Result<Response, AdminError> {
    let ids = select(store, which).await?;
    let mut changed = 0_usize;
    for id in ids {
        // Holding and resuming take no room, and holding may be what a full disk asks for.
        let edited = store.transact_with(Durability::Freeing, move |tx| {
            // It may have been delivered in between: then there is nothing to do.
            let Some(mut row) = tx.queue_entry(id)?.filter(concerns) else { return Ok(false) };
            change(&mut row);
            tx.update_queue_entry(&row).map(|_| true)
        });
        changed = changed.saturating_add(usize::from(edited.await?.value));
    }
    Ok(Response::Done(counted(changed, done)))
}

/// The numbers of a selection; one that is named must be there.
async fn select(store: &Store, which: QueueSelection) -> Result<Vec<QueueId>, AdminError> {
    if let QueueSelection::Entries(ids) = which {
        for id in &ids {
            if store.queue_entry(*id).await?.is_none() {
                return Err(missing(*id));
            }
        }
        return Ok(ids);
    }
    let wanted = |row: &QueueRow| match &which {
        QueueSelection::Destination(domain) => &row.destination == domain,
        QueueSelection::Entries(_) | QueueSelection::All => true,
    };
    let (mut ids, mut after) = (Vec::new(), QueueId(0));
    loop {
        let rows = store.queue_entries(after, PAGE).await?;
        let Some(last) = rows.last() else { return Ok(ids) };
        after = last.id;
        ids.extend(rows.iter().filter(|row| wanted(row)).map(|row| row.id));
    }
}

fn missing(id: QueueId) -> AdminError {
    AdminError::new(ErrorKind::NotFound, format!("there is no queue entry {id}"))
        .hint("it may have been delivered meanwhile; `relais queue list` shows what waits")
}

fn counted(number: usize, done: &str) -> String {
    format!("{number} queue {} {done}", if number == 1 { "entry" } else { "entries" })
}

/// What was said last to a recipient, first of all to one who still waits: such a refusal is in the recipients alone.
fn refusal(row: &QueueRow) -> Option<String> {
    let refused = |waiting: bool| {
        let mut some = row.recipients.iter().rev().filter(|one| (one.state == RecipientState::Waiting) == waiting);
        some.find_map(|one| one.last_reply.as_ref().filter(|reply| !reply.is_positive()))
    };
    refused(true).or_else(|| refused(false)).map(ToString::to_string)
}

const PAGE: usize = 500;

impl From<&QueueRow> for QueueEntryView {
    fn from(row: &QueueRow) -> Self {
        let recipients = row.recipients.iter().map(|recipient| QueueRecipientView {
            address: recipient.address.clone(),
            state: match recipient.state {
                RecipientState::Waiting => "waiting",
                RecipientState::Delivered => "delivered",
                RecipientState::Failed => "failed",
            }
            .to_owned(),
            last_reply: recipient.last_reply.as_ref().map(ToString::to_string),
        });
        Self {
            id: row.id,
            destination: row.destination.clone(),
            reverse_path: row.reverse_path.to_string(),
            octets: row.octets,
            recipients: recipients.collect(),
            accepted_at: row.accepted_at,
            attempts: row.attempts,
            next_attempt: row.next_attempt,
            last_error: row.last_error.clone().or_else(|| refusal(row)),
            held: row.held,
        }
    }
}
