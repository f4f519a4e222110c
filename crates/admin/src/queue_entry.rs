//! The queue of outgoing mail: looking at entries, holding, resuming, trying again, sending another way, cancelling, deleting.

use std::collections::BTreeMap;

use mail::{Domain, QueueId, ReversePath, Timestamp};
use queue::{Choice, NamedRoute};
use storage::rows::{PaceRow, QueueRow, RecipientState, WaitsFor};
use storage::trace::{Step, Taken};
use storage::{Durability, Store, Transaction};

use crate::error::{AdminError, ErrorKind};
use crate::limits::QUEUE_ENTRIES_MAX;
use crate::queue_cancel::{cancel, waits};
use crate::queue_why::{last_host, why};
use crate::request::{QueueFilter, QueueRequest, QueueSelection};
use crate::response::{QueueEntryView, QueueRecipientView, QueueWaitsFor, Response};
use crate::settings::Settings;
use crate::taken_back;

pub(crate) async fn execute(store: &Store, settings: &Settings, request: QueueRequest) -> Result<Response, AdminError> {
    match request {
        QueueRequest::List { after, limit, filter } => {
            let limit = limit.unwrap_or(QUEUE_ENTRIES_MAX).min(QUEUE_ENTRIES_MAX);
            let after = after.unwrap_or(QueueId(0));
            let rows = match filter {
                Some(filter) => matching(store, &filter, after, limit).await?,
                None => store.queue_entries(after, limit).await?,
            };
            Ok(Response::QueueEntries(views(store, settings, &rows).await?))
        }
        QueueRequest::Show { id } => match store.queue_entry(id).await? {
            Some(row) => {
                let host = last_host(store, &row).await;
                let way = Ways::new(store, settings).of(&row).await?;
                Ok(Response::QueueEntry(Box::new(view(&row, host.as_deref(), &way, store.now()))))
            }
            None => Err(missing(id)),
        },
        QueueRequest::Hold(which) => {
            let told = Some("an administrator holds it".to_owned());
            edit(store, which, "held", told, |row| !row.held, queue::hold).await
        }
        QueueRequest::Resume(which) => {
            let told = Some("an administrator lets it go on".to_owned());
            edit(store, which, "resumed", told, |row| row.held, queue::resume).await
        }
        QueueRequest::Retry(which) => retry(store, which).await,
        QueueRequest::Reroute { which, to: Some(to), route: None } => {
            not_ours(store, &to)?;
            let done = format!("to be sent to {to} now");
            let told = format!("an administrator has sent it to the hosts of {to}");
            edit(store, which, &done, Some(told), sets_out, move |row| queue::reroute(row, &to)).await
        }
        QueueRequest::Reroute { which, to: None, route: Some(route) } => {
            let known = known_route(settings, &route)?;
            let done = format!("to be sent by the route {} (to {}) now", known.name, known.host);
            let told = format!("an administrator has sent it by the route {} (to {})", known.name, known.host);
            edit(store, which, &done, Some(told), sets_out, move |row| queue::reroute_by(row, &route)).await
        }
        QueueRequest::Reroute { .. } => {
            let error = AdminError::invalid("entries are sent either to a domain's hosts or by a route");
            Err(error.hint("say `to` or `route`, and not both"))
        }
        QueueRequest::Cancel(which) => {
            let delivery = settings.letters(store);
            let mut cancelled = 0_usize;
            for id in select(store, which).await? {
                cancelled = cancelled.saturating_add(usize::from(cancel(store, &delivery, id).await?));
            }
            Ok(Response::Done(counted(cancelled, "cancelled; senders who want to hear of it are told")))
        }
        QueueRequest::Waiting { by } => {
            let rows = taken_back::waiting(store, &by).await?;
            Ok(Response::QueueEntries(views(store, settings, &rows).await?))
        }
        QueueRequest::TakeBack { by, entries } => {
            let taken = taken_back::take_back(store, &by, entries).await?;
            Ok(Response::Done(counted(taken, "taken back; nobody is told")))
        }
        QueueRequest::Remove(which) => {
            let now = store.now();
            let ids = select(store, which).await?;
            let mut removed = 0_usize;
            for some in ids.chunks(EDITED_AT_ONCE) {
                let some = some.to_vec();
                let body = move |tx: &mut Transaction<'_>| {
                    let mut removed = 0_usize;
                    for id in &some {
                        // It may have been delivered in between.
                        let Some(row) = tx.queue_entry(*id)? else { continue };
                        removed = removed.saturating_add(usize::from(tx.remove_queue_entry(*id, now)?));
                        if let Some(trace) = row.trace {
                            let text = format!("queue entry {id}: an administrator has removed it; nobody is told");
                            tx.trace(trace, &[Taken { at: now, step: Step::Decided { text } }])?;
                        }
                    }
                    Ok(removed)
                };
                removed = removed.saturating_add(store.transact_with(Durability::Freeing, body).await?.value);
            }
            Ok(Response::Done(counted(removed, "removed; nobody is told")))
        }
    }
}

/// Has entries attempted now. What its sender holds back, to take it back or until a time, is let go by its number alone: who
/// tries all again means what could not be delivered.
async fn retry(store: &Store, which: QueueSelection) -> Result<Response, AdminError> {
    const DONE: &str = "to be tried again now";
    if let QueueSelection::Entries(ids) = which {
        let (mut set_out, mut held_back, mut held) = (Vec::new(), Vec::new(), Vec::new());
        for id in select(store, QueueSelection::Entries(ids)).await? {
            match store.queue_entry(id).await? {
                Some(row) if row.held => held.push(id),
                Some(row) if row.waiting.is_some() => held_back.push(id),
                Some(_) | None => set_out.push(id),
            }
        }
        let told = "an administrator lets it go before its time".to_owned();
        let early =
            edit_all(store, held_back, Some(told), |row| !row.held && row.waiting.is_some(), queue::retry_now).await?;
        // One that has set out in between is tried like the others.
        let tried = edit_all(store, set_out, None, |row| !row.held, queue::retry_now).await?;
        let done = counted(early.saturating_add(tried), DONE);
        return Ok(Response::Done(format!("{done}{}", left_held(held.len(), &held))));
    }
    let now = store.now();
    let ids = select(store, which.clone()).await?;
    let tried = edit_all(store, ids, None, |row| !row.held && row.waiting.is_none(), queue::retry_now).await?;
    let (mut left, mut held, mut first_held) = (0_usize, 0_usize, Vec::new());
    let mut after = QueueId(0);
    loop {
        let rows = store.queue_entries(after, PAGE).await?;
        let Some(last) = rows.last() else { break };
        after = last.id;
        for row in rows.iter().filter(|row| wanted(&which, row, now)) {
            if row.held {
                held = held.saturating_add(1);
                if first_held.len() < HELD_NAMED_MAX {
                    first_held.push(row.id);
                }
            } else if row.waiting.is_some() {
                left = left.saturating_add(1);
            }
        }
    }
    let mut done = counted(tried, DONE);
    match left {
        0 => {}
        1 => done.push_str("; 1 that its sender holds back is left (by its number it is sent now)"),
        left => done
            .push_str(&format!("; {left} that their senders hold back are left (by their numbers they are sent now)")),
    }
    done.push_str(&left_held(held, &first_held));
    Ok(Response::Done(done))
}

/// What is said of entries that an administrator holds, which are not tried for that; `first`: the first of them.
fn left_held(held: usize, first: &[QueueId]) -> String {
    let (are, them) = match held {
        0 => return String::new(),
        1 => ("1 is held and left".to_owned(), "it"),
        more => (format!("{more} are held and left"), "them"),
    };
    let named: Vec<String> = first.iter().take(HELD_NAMED_MAX).map(ToString::to_string).collect();
    let and_so_on = if held > named.len() { " and so on" } else { "" };
    format!("; {are} (`relais queue resume {}`{and_so_on} resumes {them})", named.join(" "))
}

/// Changes those of a selection that the change concerns, and counts them. `told` goes into the trace.
async fn edit(
    store: &Store,
    which: QueueSelection,
    done: &str,
    told: Option<String>,
    concerns: fn(&QueueRow) -> bool,
    change: impl Fn(&mut QueueRow) + Clone + Send + Sync + 'static,
) -> Result<Response, AdminError> {
    let ids = select(store, which).await?;
    let changed = edit_all(store, ids, told, concerns, change).await?;
    Ok(Response::Done(counted(changed, done)))
}

/// Changes those of some entries that the change concerns, many in a transaction; gives how many it changed.
async fn edit_all(
    store: &Store,
    ids: Vec<QueueId>,
    told: Option<String>,
    concerns: fn(&QueueRow) -> bool,
    change: impl Fn(&mut QueueRow) + Clone + Send + Sync + 'static,
) -> Result<usize, AdminError> {
    let mut changed = 0_usize;
    for some in ids.chunks(EDITED_AT_ONCE) {
        let (some, told, change, at) = (some.to_vec(), told.clone(), change.clone(), store.now());
        let body = move |tx: &mut Transaction<'_>| {
            let mut changed = 0_usize;
            for id in &some {
                // It may have been delivered in between: then there is nothing to do.
                let Some(mut row) = tx.queue_entry(*id)?.filter(concerns) else { continue };
                change(&mut row);
                if let (Some(trace), Some(told)) = (row.trace, &told) {
                    let step = Step::Decided { text: format!("queue entry {id}: {told}") };
                    tx.trace(trace, &[Taken { at, step }])?;
                }
                changed = changed.saturating_add(usize::from(tx.update_queue_entry(&row)?));
            }
            Ok(changed)
        };
        // Holding and resuming take no room, and holding may be what a full disk asks for.
        changed = changed.saturating_add(store.transact_with(Durability::Freeing, body).await?.value);
    }
    Ok(changed)
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
    let now = store.now();
    let (mut ids, mut after) = (Vec::new(), QueueId(0));
    loop {
        let rows = store.queue_entries(after, PAGE).await?;
        let Some(last) = rows.last() else { return Ok(ids) };
        after = last.id;
        ids.extend(rows.iter().filter(|row| wanted(&which, row, now)).map(|row| row.id));
    }
}

/// Whether a selection that names no numbers means an entry.
fn wanted(which: &QueueSelection, row: &QueueRow, now: Timestamp) -> bool {
    match which {
        QueueSelection::Destination(domain) => &row.destination == domain,
        QueueSelection::Matching(filter) => matches(filter, row, now),
        QueueSelection::Entries(_) | QueueSelection::All => true,
    }
}

/// Entries behind `after` that have what a filter asks for.
async fn matching(
    store: &Store,
    filter: &QueueFilter,
    mut after: QueueId,
    limit: usize,
) -> Result<Vec<QueueRow>, AdminError> {
    let (mut found, now) = (Vec::new(), store.now());
    loop {
        let rows = store.queue_entries(after, PAGE).await?;
        let Some(last) = rows.last() else { return Ok(found) };
        after = last.id;
        found.extend(rows.into_iter().filter(|row| matches(filter, row, now)).take(limit.saturating_sub(found.len())));
        if found.len() >= limit {
            return Ok(found);
        }
    }
}

fn matches(filter: &QueueFilter, row: &QueueRow, now: Timestamp) -> bool {
    let waiting = || row.recipients.iter().filter(|recipient| recipient.state == RecipientState::Waiting);
    let age = || now.since(row.accepted_at).as_secs();
    filter.destination.as_ref().is_none_or(|domain| row.destination == *domain)
        && filter
            .sender
            .as_ref()
            .is_none_or(|sender| row.reverse_path.address().is_some_and(|path| sender.matches(path)))
        && (!filter.null_sender || row.reverse_path == ReversePath::Null)
        && filter.recipient.as_ref().is_none_or(|to| waiting().any(|one| one.address.same_mailbox(to)))
        && filter.recipient_domain.as_ref().is_none_or(|domain| waiting().any(|one| one.address.domain() == domain))
        && filter.older_than_secs.is_none_or(|secs| age() >= secs)
}

/// A route of the configuration.
fn known_route<'a>(settings: &'a Settings, name: &str) -> Result<&'a NamedRoute, AdminError> {
    settings.routes.named(name).ok_or_else(|| {
        let names: Vec<&str> = settings.routes.named.iter().map(|route| route.name.as_str()).collect();
        let error = AdminError::new(ErrorKind::NotFound, format!("the configuration has no route \"{name}\""));
        match names.as_slice() {
            [] => error.hint("routes are the [[queue.route]] blocks of the configuration, and it has none"),
            _ => error.hint(format!("it has: {}", names.join(", "))),
        }
    })
}

/// The ways of entries, and what is known of where they lead; each is read once.
struct Ways<'a> {
    store: &'a Store,
    settings: &'a Settings,
    paces: BTreeMap<String, Option<PaceRow>>,
}

/// One of them.
struct Leaving {
    choice: Choice,
    pace: Option<PaceRow>,
}

impl<'a> Ways<'a> {
    const fn new(store: &'a Store, settings: &'a Settings) -> Self {
        Self { store, settings, paces: BTreeMap::new() }
    }

    async fn of(&mut self, row: &QueueRow) -> Result<Leaving, AdminError> {
        let choice = self.settings.routes.of(row);
        let pace = match self.paces.get(&choice.key) {
            Some(known) => known.clone(),
            None => {
                let read = self.store.pace(&choice.key).await?;
                self.paces.insert(choice.key.clone(), read.clone());
                read
            }
        };
        Ok(Leaving { choice, pace })
    }
}

/// Whether somebody waits in an entry that has a way: what has not set out yet has none.
fn sets_out(row: &QueueRow) -> bool {
    waits(row) && row.waiting.is_none()
}

/// A way that leads back here is none.
fn not_ours(store: &Store, to: &Domain) -> Result<(), AdminError> {
    if store.directory().domain(to).is_none() {
        return Ok(());
    }
    let error = AdminError::invalid(format!("{to} is a domain of this server: its mail would come back"));
    Err(error.hint("name another domain, or a host by its address, as [192.0.2.1]"))
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

/// Held entries that are named to who wanted them tried.
const HELD_NAMED_MAX: usize = 5;

/// Entries that one transaction changes: enough that thousands are quick, and so few that mail does not wait.
const EDITED_AT_ONCE: usize = 250;

async fn views(store: &Store, settings: &Settings, rows: &[QueueRow]) -> Result<Vec<QueueEntryView>, AdminError> {
    let mut ways = Ways::new(store, settings);
    let mut views = Vec::with_capacity(rows.len());
    for row in rows {
        views.push(view(row, None, &ways.of(row).await?, store.now()));
    }
    Ok(views)
}

fn view(row: &QueueRow, host: Option<&str>, way: &Leaving, now: Timestamp) -> QueueEntryView {
    {
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
        let last_error = row.last_error.clone().or_else(|| refusal(row));
        QueueEntryView {
            why: why(row, last_error.as_deref(), host, way.pace.as_ref(), now),
            class: row.class.name().to_owned(),
            way: match row.waiting {
                Some(_) => "decided when it sets out".to_owned(),
                None => format!("leaves {}", way.choice.why),
            },
            id: row.id,
            destination: row.destination.clone(),
            reverse_path: row.reverse_path.to_string(),
            octets: row.octets,
            recipients: recipients.collect(),
            accepted_at: row.accepted_at,
            attempts: row.attempts,
            next_attempt: row.next_attempt,
            last_error,
            held: row.held,
            waits_until: row.waiting.map(|waiting| waiting.until),
            waits_for: row.waiting.map(|waiting| match waiting.why {
                WaitsFor::Undo => QueueWaitsFor::Undo,
                WaitsFor::Release => QueueWaitsFor::Release,
            }),
            priority: row.priority,
            deliver_by: row.deliver_by.map(|by| by.by),
        }
    }
}
