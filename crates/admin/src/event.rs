//! Events of the bus that failed too often and were parked: looking at them, handing them out again, forgetting them.

use delivery::HeldMessage;
use mail::Topic;
use storage::rows::EventRow;
use storage::{Durability, Store, Transaction};

use crate::error::{AdminError, ErrorKind};
use crate::limits::EVENTS_MAX;
use crate::request::{EventId, EventRequest, EventSelection};
use crate::response::{EventView, Response};

pub(crate) async fn execute(store: &Store, request: EventRequest) -> Result<Response, AdminError> {
    match request {
        EventRequest::List { limit } => {
            let limit = limit.unwrap_or(EVENTS_MAX).min(EVENTS_MAX);
            let mut views = Vec::new();
            for topic in Topic::ALL {
                let parked = store.parked_events(topic, limit).await?;
                views.extend(parked.iter().map(|row| view(EventId { topic, number: row.number }, row)));
            }
            Ok(Response::Events(views))
        }
        EventRequest::Show { id } => match store.parked_event(id.topic, id.number).await? {
            Some(row) => {
                // What is no JSON is shown as text: this is where an administrator looks for what is wrong with it.
                let text = || serde_json::Value::from(String::from_utf8_lossy(&row.payload));
                let content = serde_json::from_slice(&row.payload).unwrap_or_else(|_| text());
                Ok(Response::Event(Box::new(EventView { content: Some(content), ..view(id, &row) })))
            }
            None => Err(missing(id)),
        },
        EventRequest::Retry(which) => {
            let number = each(store, which, true).await?;
            Ok(Response::Done(counted(number, "handed out again; `relais event list` shows those that fail again")))
        }
        EventRequest::Remove(which) => {
            let number = each(store, which, false).await?;
            Ok(Response::Done(counted(number, "removed; what they asked for is not done")))
        }
    }
}

/// Retries or removes; gives the number of events. Each is a transaction of its own.
async fn each(store: &Store, which: EventSelection, retry: bool) -> Result<usize, AdminError> {
    let ids = match which {
        EventSelection::Events(ids) => {
            for id in &ids {
                if store.parked_event(id.topic, id.number).await?.is_none() {
                    return Err(missing(*id));
                }
            }
            ids
        }
        EventSelection::All => {
            let mut ids = Vec::new();
            for topic in Topic::ALL {
                let parked = store.parked_events(topic, EVENTS_MAX).await?;
                ids.extend(parked.iter().map(|row| EventId { topic, number: row.number }));
            }
            ids
        }
    };
    let mut done = 0_usize;
    for id in ids {
        done = done.saturating_add(usize::from(one(store, id, retry).await?));
    }
    Ok(done)
}

async fn one(store: &Store, id: EventId, retry: bool) -> Result<bool, AdminError> {
    let (EventId { topic, number }, now) = (id, store.now());
    let done = if retry {
        store.transact(move |tx| tx.retry_parked_event(topic, number, now)).await?
    } else {
        // Whoever asks that a list's event be forgotten means the message too: nothing else will ever deal with it.
        let parked = store.parked_event(topic, number).await?.filter(|_| topic == Topic::HeldMessage);
        let held = parked.and_then(|row| HeldMessage::decode(&row.payload).ok());
        let forget = move |tx: &mut Transaction<'_>| {
            let there = tx.remove_parked_event(topic, number)?;
            match &held {
                Some(held) if there => held.forget(tx, now).map(|()| there),
                Some(_) | None => Ok(there),
            }
        };
        store.transact_with(Durability::Freeing, forget).await?
    };
    Ok(done.value)
}

fn view(id: EventId, row: &EventRow) -> EventView {
    let (created_at, attempts) = (row.created_at, row.attempts);
    EventView { id, created_at, attempts, last_error: row.last_error.clone(), content: None }
}

fn missing(id: EventId) -> AdminError {
    AdminError::new(ErrorKind::NotFound, format!("there is no parked event {id}"))
        .hint("`relais event list` shows those there are")
}

fn counted(number: usize, done: &str) -> String {
    format!("{number} {} {done}", if number == 1 { "event" } else { "events" })
}
