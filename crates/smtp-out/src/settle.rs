//! Writes what an attempt gave: the row's new state or its end, and the DSNs, in one transaction.
//!
//! Invariant: a recipient ends and its DSN leaves in the same commit, so each happens once.

use delivery::{Asking, Delivery, Prepared, taken};
use mail::{Address, DsnReturn, ForwardPath, Reply, ReversePath, Timestamp};
use queue::dsn::{DsnFacts, Returned, build, header_of};
use queue::limits::{RETURNED_HEADER_OCTETS_MAX, RETURNED_MESSAGE_OCTETS_MAX};
use queue::{Decision, Outcome, Report, ReportKind, after_attempt};
use storage::rows::{QueueRow, RecipientState};
use storage::trace::{self, Step, Taken};
use storage::{Durability, StorageError, Transaction};

use crate::Context;
use crate::client::command::octets;

/// Why the result is not written yet. Trying again is right for each.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SettleError {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error("the DSN was not taken: {0}")]
    Dsn(Reply),
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
) -> Result<(), SettleError> {
    loop {
        let now = context.world.clock.now();
        let chance = context.world.chance.number();
        let decision = after_attempt(&row, outcomes, error, now, &context.settings.retry, chance);
        let dsns = prepare(context, &row, &decision.reports).await?;
        let found = match write(context, &row, outcomes, error, &decision, &dsns).await {
            // The sender's mailbox does not take the DSN: that must not keep the entry from its end.
            Err(refused) if !dsns.is_empty() && is_of_the_mailbox(&refused) => {
                tracing::warn!(queue_id = %row.id, error = %refused, "a DSN was not taken, going on without");
                write(context, &row, outcomes, error, &decision, &[]).await?
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
    error: Option<&str>,
    decision: &Decision,
    dsns: &[Prepared],
) -> Result<Found, StorageError> {
    let (claimed, now) = (row.clone(), context.world.clock.now());
    let (decision, dsns) = (decision.clone(), dsns.to_vec());
    let steps = steps(row, outcomes, error, &decision, now);
    let body = move |tx: &mut Transaction<'_>| {
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
                tx.update_queue_entry(&next)?;
            }
            None => {
                tx.remove_queue_entry(claimed.id, now)?;
            }
        }
        if let Some(trace) = claimed.trace {
            tx.trace(trace, &steps)?;
        }
        dsns.iter().try_for_each(|dsn| dsn.apply(tx).map(|_| ()))?;
        Ok(Found::Written)
    };
    // What has happened is recorded even when the disk has room for nothing new: forgotten, it would be sent again.
    Ok(context.store.transact_with(Durability::Freeing, body).await?.value)
}

/// What the message's trace says of the attempt.
fn steps(
    row: &QueueRow,
    outcomes: &[Option<Outcome>],
    error: Option<&str>,
    decision: &Decision,
    now: Timestamp,
) -> Vec<Taken> {
    let next = decision.row.as_ref().map(|row| row.next_attempt);
    let waiting =
        row.recipients.iter().zip(outcomes).filter(|(recipient, _)| recipient.state == RecipientState::Waiting);
    let attempted = waiting.map(|(recipient, outcome)| {
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
        taken(now, Step::Attempted { entry: row.id, recipient: recipient.address.clone(), host, outcome, said, next })
    });
    let reports = decision.reports.iter().map(|report| {
        let kind = match report.kind {
            ReportKind::Delayed => "notice of a delay",
            ReportKind::Failed => "failure notice",
            ReportKind::Relayed | ReportKind::Delivered => "notice of delivery",
        };
        let to = row.reverse_path.address().cloned();
        let kind = if to.is_some() { kind.to_owned() } else { format!("{kind}: the reverse-path is null") };
        taken(now, Step::Notice { kind, to })
    });
    attempted.chain(reports).collect()
}

/// Builds the DSNs and stages their bytes.
async fn prepare(context: &Context, row: &QueueRow, reports: &[Report]) -> Result<Vec<Prepared>, SettleError> {
    let ReversePath::Address(to) = &row.reverse_path else { return Ok(Vec::new()) };
    let mut prepared = Vec::with_capacity(reports.len());
    if reports.is_empty() {
        return Ok(prepared);
    }
    // A full mailbox takes its DSN all the same: it is small, and the news would be lost.
    if let Err(reply) = takes_mail(context, to).await
        && reply.is_permanent()
    {
        told_nobody(row, to, &reply);
        return Ok(prepared);
    }
    for report in reports {
        let returned = returned(context, row, report.kind).await?;
        let dsn = build(&DsnFacts {
            report,
            reporting_mta: &context.settings.hostname,
            from: &context.postmaster,
            to,
            now: context.world.clock.now(),
            arrived_at: row.accepted_at,
            retry_until: context.settings.retry.expires_at(row.accepted_at),
            envelope_id: row.envelope_id.as_deref(),
            smtputf8: row.sender_smtputf8,
            returned: match &returned {
                (bytes, true) => Returned::Message(bytes),
                (bytes, false) => Returned::Header(header_of(bytes)),
            },
            token: token(context),
        });
        match context.delivery.prepare(dsn.envelope, &dsn.content).await {
            Ok(one) => prepared.push(one),
            Err(refused) if refused.0.is_permanent() => told_nobody(row, to, &refused.0),
            Err(refused) => return Err(SettleError::Dsn(refused.0)),
        }
    }
    Ok(prepared)
}

/// Whether the address is one that a message of ours can go to.
async fn takes_mail(context: &Context, to: &Address) -> Result<(), Reply> {
    let asking = Asking::server(context.world.clock.now());
    context.delivery.decide(&asking, &ForwardPath::Address(to.clone())).await
}

/// The sender's address is none that takes mail: RFC 5321 §6.1 forbids to report that to anybody else.
fn told_nobody(row: &QueueRow, to: &Address, reply: &Reply) {
    tracing::warn!(queue_id = %row.id, %to, %reply, "a DSN has nowhere to go");
}

/// What of the message goes back, and whether that is all of it (RFC 3461 §4.3).
async fn returned(context: &Context, row: &QueueRow, kind: ReportKind) -> Result<(Vec<u8>, bool), StorageError> {
    let whole = kind == ReportKind::Failed
        && row.dsn_return == Some(DsnReturn::Full)
        && octets(row) <= RETURNED_MESSAGE_OCTETS_MAX;
    let start = u64::from(row.skip_octets);
    let end = if whole { u64::MAX } else { start.saturating_add(RETURNED_HEADER_OCTETS_MAX) };
    match context.store.blob(&row.blob).await? {
        Some(mut blob) => Ok((blob.read(start, end).await?, whole)),
        // A lost message must not keep its sender from hearing that it failed.
        None => Ok((Vec::new(), false)),
    }
}

fn token(context: &Context) -> [u8; 12] {
    let mut token = [0; 12];
    context.world.chance.fill(&mut token);
    token
}

/// Who answers for this server.
pub(crate) fn postmaster(delivery: &Delivery) -> Option<Address> {
    Address::new("postmaster", delivery.settings().hostname.clone()).ok()
}
