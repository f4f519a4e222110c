//! Writes what an attempt gave: the row's new state or its end, and the DSNs, in one transaction.
//!
//! Invariant: a recipient ends and its DSN leaves in the same commit, so each happens once.

use std::sync::Arc;

use delivery::{Prepared, ReportError, taken};
use mail::{Reply, Timestamp};
use queue::{Decision, Outcome, ReportKind, after_attempt};
use storage::rows::{QueueRow, RecipientState};
use storage::trace::{self, Step, Taken};
use storage::{Durability, StorageError, Transaction};

use crate::Context;
use crate::attempt::Attempt;
use crate::noted::Noted;

/// Why the result is not written yet. Trying again is right for each.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SettleError {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error("the DSN was not taken: {0}")]
    Dsn(Reply),
}

impl From<ReportError> for SettleError {
    fn from(error: ReportError) -> Self {
        match error {
            ReportError::Storage(error) => Self::Storage(error),
            ReportError::Dsn(reply) => Self::Dsn(reply),
        }
    }
}

/// What the transaction found.
enum Found {
    /// The row as it was claimed; the result is written.
    Written,
    /// No row: an administrator deleted it meanwhile. No DSN leaves for what nobody wants any more.
    Gone,
    /// Its recipients were changed meanwhile.
    Changed(Box<QueueRow>),
}

/// Writes the result of an attempt.
pub(crate) async fn settle(
    context: &Context,
    mut row: QueueRow,
    outcomes: &[Option<Outcome>],
    error: Option<&str>,
    secured: &[Option<String>],
) -> Result<(), SettleError> {
    loop {
        let now = context.world.clock.now();
        let chance = context.world.chance.number();
        let schedule = context.settings.schedules.of(row.class);
        let decision = after_attempt(&row, outcomes, error, now, schedule, chance);
        let until = schedule.expires_at(row.accepted_at);
        let dsns = context.delivery.reports(&row, &decision.reports, until).await?;
        let found = match write(context, &row, outcomes, (error, secured), &decision, &dsns).await {
            // The sender's mailbox does not take the DSN: that must not keep the entry from its end.
            Err(refused) if !dsns.is_empty() && is_of_the_mailbox(&refused) => {
                tracing::warn!(queue_id = %row.id, error = %refused, "a DSN was not taken, going on without");
                write(context, &row, outcomes, (error, secured), &decision, &[]).await?
            }
            other => other?,
        };
        match found {
            Found::Written => return Ok(()),
            Found::Gone => {
                tracing::info!(queue_id = %row.id, "the entry was deleted during its attempt");
                return Ok(());
            }
            Found::Changed(changed) => row = *changed,
        }
    }
}

/// Whether a mailbox refuses, as against a store that can't write at present.
fn is_of_the_mailbox(error: &StorageError) -> bool {
    *error == StorageError::OverQuota || !error.is_temporary()
}

async fn write(
    context: &Context,
    row: &QueueRow,
    outcomes: &[Option<Outcome>],
    (error, secured): (Option<&str>, &[Option<String>]),
    decision: &Decision,
    dsns: &[Prepared],
) -> Result<Found, StorageError> {
    let (claimed, now) = (row.clone(), context.world.clock.now());
    let (decision, dsns) = (decision.clone(), dsns.to_vec());
    let steps = steps(context, row, outcomes, (error, secured), &decision, now);
    let noted = Noted::of(context, row, outcomes).await;
    let body = move |tx: &mut Transaction<'_>| apply(tx, &claimed, &decision, &steps, &dsns, &noted, now);
    // What has happened is recorded even when the disk has room for nothing new: forgotten, it would be sent again.
    Ok(context.store.transact_with(Durability::Freeing, body).await?.value)
}

/// The part of a transaction that writes one result.
fn apply(
    tx: &mut Transaction<'_>,
    claimed: &QueueRow,
    decision: &Decision,
    steps: &[Taken],
    dsns: &[Prepared],
    noted: &Noted,
    now: Timestamp,
) -> Result<Found, StorageError> {
    let Some(current) = tx.queue_entry(claimed.id)? else { return Ok(Found::Gone) };
    if current.recipients != claimed.recipients {
        return Ok(Found::Changed(Box::new(current)));
    }
    match &decision.row {
        Some(next) => {
            let mut next = next.clone();
            if current.held {
                // Held during the attempt: stays so, where its administrator put it.
                (next.held, next.next_attempt) = (true, current.next_attempt);
            }
            // Sent another way during the attempt: that way holds, at once.
            if current.destination != claimed.destination || current.route != claimed.route {
                next.destination.clone_from(&current.destination);
                next.route.clone_from(&current.route);
                next.next_attempt = current.next_attempt;
            }
            tx.update_queue_entry(&next)?;
        }
        None => {
            tx.remove_queue_entry(claimed.id, now)?;
        }
    }
    noted.apply(tx, claimed, steps, now)?;
    if let Some(trace) = claimed.trace {
        tx.trace(trace, steps)?;
    }
    dsns.iter().try_for_each(|dsn| dsn.apply(tx).map(|_| ()))?;
    Ok(Found::Written)
}

/// An entry that is put off without an attempt, and its result.
struct PutOff {
    row: QueueRow,
    decision: Decision,
    steps: Vec<Taken>,
}

/// Puts entries off whose destination is left alone, as if they had been attempted, all in one transaction: a queue full of mail for
/// a dead host must not keep others waiting. Those whose result has a DSN, or which end, are not for this: they are given back.
pub(crate) async fn put_off(context: &Context, entries: Vec<(QueueRow, Reply)>) -> Result<Vec<QueueRow>, StorageError> {
    let now = context.world.clock.now();
    let (mut all, mut left) = (Vec::with_capacity(entries.len()), Vec::new());
    for (row, reply) in entries {
        let Attempt { outcomes, error, secured, .. } = Attempt::spared(&row, &reply);
        let schedule = context.settings.schedules.of(row.class);
        let chance = context.world.chance.number();
        let decision = after_attempt(&row, &outcomes, error.as_deref(), now, schedule, chance);
        if decision.row.is_none() || !decision.reports.is_empty() {
            left.push(row);
            continue;
        }
        let steps = steps(context, &row, &outcomes, (error.as_deref(), &secured), &decision, now);
        all.push(PutOff { row, decision, steps });
    }
    if all.is_empty() {
        return Ok(left);
    }
    let count = all.len();
    let all = Arc::new(all);
    let body = move |tx: &mut Transaction<'_>| {
        for PutOff { row, decision, steps } in &*all {
            // What is no longer as it was is looked at again: it is still due, or not for us any more.
            if tx.queue_entry(row.id)?.is_some_and(|current| current == *row) {
                // Nothing was attempted: nothing was heard, and no webhook is told.
                apply(tx, row, decision, steps, &[], &Noted::default(), now)?;
            }
        }
        Ok(())
    };
    context.store.transact_with(Durability::Freeing, body).await?;
    tracing::info!(entries = count, "put off: their destinations are left alone");
    Ok(left)
}

/// What the message's trace says of the attempt.
fn steps(
    context: &Context,
    row: &QueueRow,
    outcomes: &[Option<Outcome>],
    (error, secured): (Option<&str>, &[Option<String>]),
    decision: &Decision,
    now: Timestamp,
) -> Vec<Taken> {
    let next = decision.row.as_ref().map(|row| row.next_attempt);
    let all = row.recipients.iter().zip(outcomes.iter().zip(secured));
    let waiting = all.filter(|(recipient, _)| recipient.state == RecipientState::Waiting);
    let attempted = waiting.map(|(recipient, (outcome, secured))| {
        let (outcome, host, said) = match outcome {
            Some(Outcome::Delivered { host, reply, .. }) => {
                (trace::Outcome::Delivered, Some(host.clone()), reply.to_string())
            }
            Some(Outcome::TemporaryFailure { host, reply }) => {
                (trace::Outcome::Deferred, host.clone(), reply.to_string())
            }
            Some(Outcome::PermanentFailure { host, reply }) => {
                (trace::Outcome::Failed, host.clone(), reply.to_string())
            }
            None => (trace::Outcome::Deferred, None, error.unwrap_or("no host was reached").to_owned()),
        };
        // Too old to be tried again.
        let outcome =
            if outcome == trace::Outcome::Deferred && next.is_none() { trace::Outcome::Failed } else { outcome };
        let next = next.filter(|_| outcome == trace::Outcome::Deferred);
        let (secured, recipient) = (secured.clone(), recipient.address.clone());
        taken(now, Step::Attempted { entry: row.id, recipient, host, outcome, said, secured, next })
    });
    let reports = decision.reports.iter().map(|report| {
        let kind = match report.kind {
            ReportKind::Delayed => "notice of a delay",
            ReportKind::Failed => "failure notice",
            ReportKind::Relayed
            | ReportKind::Unwatched
            | ReportKind::Traced
            | ReportKind::Delivered
            | ReportKind::Expanded => "notice of delivery",
        };
        let to = row.reverse_path.address().cloned();
        let kind = if to.is_some() { kind.to_owned() } else { format!("{kind}: the reverse-path is null") };
        taken(now, Step::Notice { kind, to })
    });
    let way = context.routes.news(row).map(|text| taken(now, Step::Decided { text }));
    way.into_iter().chain(attempted).chain(reports).collect()
}
