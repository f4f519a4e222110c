//! Counters and gauges of the sending side.

use queue::Outcome;
use storage::rows::{QueueRow, RecipientState};

use crate::route::Route;
use crate::runner::Held;

/// Counts an attempt's outcomes and logs them, one line for each recipient.
pub(crate) fn attempted(route: &Route, row: &QueueRow, outcomes: &[Option<Outcome>]) {
    let class = route.class();
    metrics::counter!("relais_smtp_out_attempts_total", "class" => class).increment(1);
    for (recipient, outcome) in row.recipients.iter().zip(outcomes) {
        if recipient.state != RecipientState::Waiting {
            continue;
        }
        let Some(outcome) = outcome else { continue };
        let (word, host, reply) = match outcome {
            Outcome::Delivered { host, reply, .. } => ("delivered", Some(host), reply),
            Outcome::TemporaryFailure { host, reply } => ("deferred", host.as_ref(), reply),
            Outcome::PermanentFailure { host, reply } => ("failed", host.as_ref(), reply),
        };
        metrics::counter!("relais_smtp_out_recipients_total", "class" => class, "outcome" => word).increment(1);
        let host = host.map_or("", String::as_str);
        tracing::info!(queue_id = %row.id, recipient = %recipient.address, outcome = word, host, %reply, "attempt");
    }
}

/// What the runner holds at this moment.
pub(crate) fn holds(held: &Held) {
    metrics::gauge!("relais_smtp_out_claimed").set(gauge(held.claimed));
    metrics::gauge!("relais_smtp_out_ready").set(gauge(held.ready));
    metrics::gauge!("relais_smtp_out_waiting_for_room").set(gauge(held.waiting));
    metrics::gauge!("relais_smtp_out_attempts_running").set(gauge(held.running));
    metrics::gauge!("relais_smtp_out_connections_idle").set(gauge(held.idle));
    metrics::counter!("relais_smtp_out_entries_read_total").absolute(held.read);
    metrics::gauge!("relais_smtp_out_destinations").set(gauge(held.destinations));
}

/// How many entries the queue has.
pub(crate) fn queue_entries(entries: usize) {
    metrics::gauge!("relais_queue_entries").set(gauge(entries));
}

fn gauge(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}
