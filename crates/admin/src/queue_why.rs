//! Why an entry waits, in a sentence.

use mail::Timestamp;
use storage::Store;
use storage::rows::{PaceRow, QueueRow, Waiting, WaitsFor};
use storage::trace::Step;

/// The host that was tried last for an entry, as the message's trace has it.
pub(crate) async fn last_host(store: &Store, row: &QueueRow) -> Option<String> {
    // It only explains: without it the sentence is shorter.
    let trace = store.trace(row.trace?).await.ok()??;
    trace.steps.iter().rev().find_map(|taken| {
        let Step::Attempted { entry, host, .. } = &taken.step else { return None };
        host.clone().filter(|_| *entry == row.id)
    })
}

/// Why it waits: what was tried, what was said and by whom, and when it goes on.
pub(crate) fn why(
    row: &QueueRow,
    said: Option<&str>,
    host: Option<&str>,
    pace: Option<&PaceRow>,
    now: Timestamp,
) -> String {
    if let Some(waiting) = row.waiting {
        return not_set_out(row, waiting, now);
    }
    let tried = match row.attempts {
        0 => "it has not been tried yet".to_owned(),
        1 => "it was tried once".to_owned(),
        more => format!("it was tried {more} times"),
    };
    let last = match (said.filter(|_| row.attempts > 0), host) {
        (Some(said), Some(host)) => format!("; {host} said: {said}"),
        (Some(said), None) => format!("; the last time: {said}"),
        (None, _) => String::new(),
    };
    let next = if row.held {
        "an administrator holds it until it is resumed".to_owned()
    } else if row.next_attempt <= now {
        "it is tried as soon as a connection is free".to_owned()
    } else {
        format!("it is tried again {}", row.next_attempt.for_people())
    };
    let pace = pace.filter(|_| !row.held).and_then(|pace| queue::pace::told(pace, now));
    let pace = pace.map(|told| format!("; {told}")).unwrap_or_default();
    format!("{tried}{last}; {next}{pace}")
}

/// Why a message has not set out yet, local recipients included.
fn not_set_out(row: &QueueRow, waiting: Waiting, now: Timestamp) -> String {
    let until = waiting.until.for_people();
    let why = match waiting.why {
        WaitsFor::Undo => format!("its sender may take it back until {until}"),
        WaitsFor::Release => format!("its sender wants it to leave at {until}"),
    };
    let next = match (&row.last_error, row.held) {
        (_, true) => "; an administrator holds it until it is resumed".to_owned(),
        (Some(error), false) => {
            format!("; it could not go its way: {error}; it is tried again {}", row.next_attempt.for_people())
        }
        (None, false) if row.next_attempt <= now => "; it is about to go its way".to_owned(),
        (None, false) => String::new(),
    };
    format!("it has not set out: {why}{next}")
}
