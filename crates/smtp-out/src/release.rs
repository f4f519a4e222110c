//! The end of a wait: a submitted message whose sender could take it back, or wanted it to leave later, goes its way
//! ([`delivery::Delivery::release`]).

use delivery::ReleaseError;
use queue::Outcome;
use storage::rows::QueueRow;
use storage::{Durability, StorageError, Transaction};

use crate::Context;
use crate::limits::{RELEASE_RETRY, STORE_RETRY};
use crate::settle::settle;

/// Sends it on. What can't be done now is tried again; what is refused for good goes back to its sender.
pub(crate) async fn release(context: &Context, row: &QueueRow) {
    let error = match context.delivery.release(row).await {
        Ok(()) => return,
        Err(error) => error,
    };
    tracing::warn!(queue_id = %row.id, %error, "a message that waited can't go its way");
    let done = match &error {
        ReleaseError::Refused(reply) if reply.is_permanent() => {
            let failed = Some(Outcome::PermanentFailure { host: None, reply: reply.clone() });
            let outcomes: Vec<_> = row.recipients.iter().map(|_| failed.clone()).collect();
            let secured = vec![None; outcomes.len()];
            settle(context, row.clone(), &outcomes, None, &secured).await.map_err(|error| error.to_string())
        }
        ReleaseError::Refused(_) | ReleaseError::Storage(_) => {
            put_off(context, row, error.to_string()).await.map_err(|error| error.to_string())
        }
    };
    if let Err(error) = done {
        tracing::error!(queue_id = %row.id, error, "its queue entry can't be written");
        context.world.clock.sleep(STORE_RETRY).await;
    }
}

async fn put_off(context: &Context, row: &QueueRow, error: String) -> Result<(), StorageError> {
    let (claimed, next) = (row.clone(), context.world.clock.now().plus(RELEASE_RETRY));
    let body = move |tx: &mut Transaction<'_>| match tx.queue_entry(claimed.id)? {
        Some(mut current) if current == claimed => {
            current.attempts = current.attempts.saturating_add(1);
            (current.next_attempt, current.last_error) = (next, Some(error.clone()));
            tx.update_queue_entry(&current)
        }
        _ => Ok(false),
    };
    context.store.transact_with(Durability::Freeing, body).await.map(|_| ())
}
