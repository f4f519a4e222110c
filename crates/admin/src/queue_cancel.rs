//! Taking an entry out of the queue with a word to its sender.

use delivery::{Delivery, ReportError, tell_given_up};
use mail::QueueId;
use queue::dsn::CANCELLED;
use queue::{Outcome, RetryPolicy, after_attempt};
use storage::rows::RecipientState;
use storage::trace::{Step, Taken};
use storage::{Durability, Store};

use crate::error::{AdminError, ErrorKind};

/// Ends the entry; who waits in it has failed: its sender gets the DSN that they asked for, and webhooks are told. In one transaction:
/// either all of it, or nothing. `false` when it was gone, delivered meanwhile.
pub(crate) async fn cancel(store: &Store, delivery: &Delivery, id: QueueId) -> Result<bool, AdminError> {
    loop {
        let Some(row) = store.queue_entry(id).await? else { return Ok(false) };
        let now = store.now();
        let failed = Outcome::PermanentFailure { host: None, reply: CANCELLED };
        let outcomes: Vec<_> = row.recipients.iter().map(|_| Some(failed.clone())).collect();
        let decision = after_attempt(&row, &outcomes, None, now, &RetryPolicy::default(), 0);
        let dsns = delivery.reports(&row, &decision.reports, now).await.map_err(not_told)?;
        let to = row.reverse_path.address().cloned();
        let cancelled = Step::Decided { text: format!("queue entry {id}: cancelled by an administrator") };
        let notice = Step::Notice { kind: "failure notice".to_owned(), to };
        let steps = std::iter::once(cancelled).chain((!dsns.is_empty()).then_some(notice));
        let steps: Vec<Taken> = steps.map(|step| Taken { at: now, step }).collect();
        let hooks = store.has_webhooks();
        let message_id = delivery.message_id_for_hooks(&row).await;
        let claimed = row.clone();
        let done = store.transact_with(Durability::Freeing, move |tx| {
            let Some(current) = tx.queue_entry(id)? else { return Ok(Some(false)) };
            if current.recipients != claimed.recipients {
                return Ok(None);
            }
            tx.remove_queue_entry(id, now)?;
            if let Some(trace) = claimed.trace {
                tx.trace(trace, &steps)?;
            }
            if hooks {
                tell_given_up(tx, &claimed, &CANCELLED, message_id.as_deref(), now)?;
            }
            dsns.iter().try_for_each(|dsn| dsn.apply(tx).map(|_| ()))?;
            Ok(Some(true))
        });
        // An attempt has changed it in between: those that it delivered to have not failed.
        if let Some(cancelled) = done.await?.value {
            return Ok(cancelled);
        }
    }
}

fn not_told(error: ReportError) -> AdminError {
    match error {
        ReportError::Storage(error) => error.into(),
        ReportError::Dsn(reply) => {
            AdminError::new(ErrorKind::Unavailable, format!("the sender can't be told now: {reply}"))
                .hint("try again, or use `relais queue remove`, which tells nobody")
        }
    }
}

/// Whether somebody still waits in an entry; one where nobody does is being ended.
pub(crate) fn waits(row: &storage::rows::QueueRow) -> bool {
    row.recipients.iter().any(|recipient| recipient.state == RecipientState::Waiting)
}
