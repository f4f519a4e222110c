//! The runner's dealings with the store that are not about single attempts: what was learnt of destinations is kept over a restart, and
//! a schedule that a clock has spoilt is set right.

use mail::{Domain, Timestamp};
use queue::{Pace, Way};
use storage::rows::{PaceRow, QueueRow};
use storage::{Durability, StorageError};

use crate::Context;
use crate::destination::Destination;
use crate::limits::SCAN_MAX;
use crate::route::Route;
use crate::settings::SmartHost;

/// The destinations of which something is known. Routes that the settings no longer name are left out.
pub(crate) async fn remembered<S>(context: &Context) -> Result<Vec<(String, Destination<S>)>, StorageError> {
    let mut destinations = Vec::new();
    for (key, row) in context.store.paces().await? {
        let Some(route) = route_of(context, &key) else { continue };
        destinations.push((key, Destination::new(route, Pace::from(row))));
    }
    Ok(destinations)
}

/// The route that has a key ([`queue::Choice::key`]).
fn route_of(context: &Context, key: &str) -> Option<Route> {
    let settings = &context.settings;
    if let Some(name) = key.strip_prefix("route ") {
        let named = settings.named.iter().find(|named| named.route.name == name)?;
        return Some(Route::Named(std::sync::Arc::clone(named)));
    }
    let is = |host: &SmartHost, key: &str| format!("{}:{}", host.host, host.port) == key;
    if let Some(key) = key.strip_prefix("destination ") {
        let host = settings.overrides.values().find(|host| is(host, key))?;
        return Some(Route::Host(std::sync::Arc::clone(host)));
    }
    if let Some(host) = settings.smart_host.as_ref().filter(|host| is(host, key)) {
        return Some(Route::Host(std::sync::Arc::clone(host)));
    }
    let domain = Domain::parse(key).ok()?;
    // What DNS led to may have a host of its own by now.
    (context.routes.choose(None, &domain, 0).way == Way::Mx).then_some(Route::Mx(domain))
}

/// Writes the paces of some routes; `None`: as usual again. Whether they are written.
pub(crate) async fn write_paces(context: &Context, rows: Vec<(String, Option<PaceRow>)>) -> bool {
    let body =
        move |tx: &mut storage::Transaction<'_>| rows.iter().try_for_each(|(key, row)| tx.set_pace(key, row.as_ref()));
    match context.store.transact_with(Durability::Freeing, body).await {
        Ok(_) => true,
        Err(error) => {
            tracing::warn!(%error, "what was learnt of destinations can't be written");
            false
        }
    }
}

/// Makes entries due that wait for longer than any schedule has them wait: their time was reckoned by a clock that was ahead, and has
/// been set back. Held ones stay, and so do those that wait for a time of their sender's choice.
pub(crate) async fn pull_in(context: &Context, now: Timestamp) -> Result<(), StorageError> {
    let mut after = now.plus(context.settings.schedules.longest_wait());
    loop {
        let rows = context.store.queue_entries_due_after(after, SCAN_MAX).await?;
        let Some(last) = rows.last().map(|row| row.next_attempt) else { return Ok(()) };
        let full = rows.len() >= SCAN_MAX;
        let late: Vec<QueueRow> = rows.into_iter().filter(is_misled).collect();
        let found = !late.is_empty();
        if found {
            tracing::warn!(entries = late.len(), "the clock was set back: entries that wait too long are due now");
            let body = move |tx: &mut storage::Transaction<'_>| {
                for row in &late {
                    if let Some(mut current) = tx.queue_entry(row.id)?.filter(|current| current == row) {
                        current.next_attempt = now;
                        tx.update_queue_entry(&current)?;
                    }
                }
                Ok(())
            };
            context.store.transact_with(Durability::Freeing, body).await?;
        }
        if !full {
            return Ok(());
        }
        // Those that were found are gone from here; else the rest lies behind.
        after = if found { after } else { last };
    }
}

/// Before the first attempt only the time of acceptance is a time that nobody chose.
fn is_misled(row: &QueueRow) -> bool {
    !row.held && row.waiting.is_none() && (row.attempts > 0 || row.next_attempt == row.accepted_at)
}
