//! The message trace: what the server did with each message and why, kept for a number of days.
//!
//! A trace is the steps of one message ([`Step`]) under one [`TraceId`], which is ordered by time. The transaction that
//! accepts a message writes the first steps; whatever is decided later (responder, queue, lists) adds its own in the
//! transaction of its effect, so a trace tells what happened and nothing else. What was refused before there was a message
//! has a trace too, written without waiting for a sync.
//!
//! Found by Message-ID, sender, recipient or time: index rows beside the traces, which go with them. Nothing of a
//! message's content is kept, not even its subject.

mod step;

use std::collections::BTreeSet;

use mail::{Address, ReversePath, Timestamp, TraceId};
use routing::Resolution;

use crate::engine::{Durability, KeyRange, Order};
use crate::error::StorageError;
use crate::keys::{self, Key, Table};
use crate::limits::{TRACE_INDEXED_MAX, TRACE_NODES_MAX, TRACE_STEPS_MAX};
use crate::store::Store;
use crate::transaction::Transaction;

pub use step::{Outcome, Step, Taken};

/// What a trace is found by, beside the time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Term {
    /// A Message-ID, without brackets; its case counts.
    MessageId(String),
    /// The reverse-path of the envelope, in any case; the null one, too. Also the address of who had logged in, whatever identity they
    /// wrote under.
    Sender(ReversePath),
    /// A recipient, as the envelope had it or where it led, in any case.
    Recipient(Address),
}

/// A message's steps.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Trace {
    /// Which.
    pub id: TraceId,
    /// In the order in which they were taken.
    pub steps: Vec<Taken>,
}

/// Which traces are wanted, the latest first.
#[derive(Clone, Debug, Default)]
pub struct TraceQuery {
    /// Those with this; `None`: any.
    pub term: Option<Term>,
    /// Not before.
    pub since: Option<Timestamp>,
    /// Not after.
    pub until: Option<Timestamp>,
    /// At most so many.
    pub limit: usize,
}

impl Trace {
    /// Whether its envelope's reverse-path is this one, or the address of who had logged in.
    #[must_use]
    pub fn is_from(&self, sender: &ReversePath) -> bool {
        let is = |found: Option<&Address>| match (found, sender.address()) {
            (Some(found), Some(sender)) => found.same_mailbox(sender),
            (found, sender) => found.is_none() && sender.is_none(),
        };
        self.steps.iter().any(|taken| {
            let (Step::Received { reverse_path, login, .. } | Step::Offered { reverse_path, login, .. }) = &taken.step
            else {
                return false;
            };
            is(reverse_path.address()) || login.as_ref().is_some_and(|login| is(Some(login)))
        })
    }

    /// Whether a recipient is this one, as the envelope had it or where it led.
    #[must_use]
    pub fn names_recipient(&self, recipient: &Address) -> bool {
        self.steps.iter().any(|taken| match &taken.step {
            Step::Refused { recipient: Some(named), .. } => named.same_mailbox(recipient),
            Step::Routed { resolution } => resolution.written_to.same_mailbox(recipient),
            Step::Delivered { address, .. } | Step::Filtered { address, .. } => address.same_mailbox(recipient),
            Step::Queued { recipients, .. } => recipients.iter().any(|named| named.same_mailbox(recipient)),
            Step::Received { .. }
            | Step::Offered { .. }
            | Step::Refused { recipient: None, .. }
            | Step::Authenticated { .. }
            | Step::RoutedWidely { .. }
            | Step::Dropped { .. }
            | Step::Attempted { .. }
            | Step::Responder { .. }
            | Step::Notice { .. }
            | Step::Held { .. }
            | Step::Decided { .. } => false,
        })
    }
}

impl Step {
    /// The step of a routing decision; a tree that would take too much room is counted instead of kept.
    #[must_use]
    pub fn routed(resolution: Resolution) -> Self {
        let mut nodes = 0_usize;
        let too_many = resolution.tree.find_map(&mut |_| {
            nodes = nodes.saturating_add(1);
            (nodes > TRACE_NODES_MAX).then_some(())
        });
        if too_many.is_none() {
            return Self::Routed { resolution: Box::new(resolution) };
        }
        Self::RoutedWidely {
            recipient: resolution.written_to.to_string(),
            mailboxes: resolution.mailboxes.len(),
            remotes: resolution.remotes.len(),
        }
    }
}

impl Transaction<'_> {
    /// Adds steps to a trace. Beyond [`TRACE_STEPS_MAX`] rows of one trace nothing more is kept.
    ///
    /// # Errors
    /// When reading fails.
    pub fn trace(&mut self, id: TraceId, steps: &[Taken]) -> Result<(), StorageError> {
        if steps.is_empty() {
            return Ok(());
        }
        let last = self.scan(&steps_of(id), Order::Descending, 1)?;
        let next = match last.first() {
            None => 0,
            Some((key, _)) => {
                let last = keys::tail(key).map(u32::from_be_bytes);
                last.ok_or_else(|| StorageError::corrupt("a key of the trace"))?.saturating_add(1)
            }
        };
        if next >= TRACE_STEPS_MAX {
            return Ok(());
        }
        let json = serde_json::to_vec(steps).map_err(|error| StorageError::corrupt(error.to_string()))?;
        let mut row = vec![VERSION];
        row.extend_from_slice(&json);
        self.put(step_key(id, next), row);
        Ok(())
    }

    /// Makes a trace findable. At most [`TRACE_INDEXED_MAX`] terms are taken; the same term again changes nothing.
    pub fn index_trace(&mut self, id: TraceId, terms: impl IntoIterator<Item = Term>) {
        let terms: BTreeSet<Term> = terms.into_iter().take(TRACE_INDEXED_MAX).collect();
        for term in terms {
            self.put(index_key(&term, id), Vec::new());
            self.put(indexed_key(id, &term), Vec::new());
        }
    }
}

impl Store {
    /// One trace; `None` when there is none, or it is too old to be kept.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn trace(&self, id: TraceId) -> Result<Option<Trace>, StorageError> {
        let rows = self.engine.scan(steps_of(id), Order::Ascending, TRACE_STEPS_MAX as usize).await?;
        let mut steps = Vec::new();
        for (_, value) in &rows {
            steps.extend(decode(value)?);
        }
        Ok((!rows.is_empty()).then_some(Trace { id, steps }))
    }

    /// The traces that a query wants, the latest first.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn traces(&self, query: &TraceQuery) -> Result<Vec<Trace>, StorageError> {
        let first = TraceId::first_at(query.since.unwrap_or(Timestamp(0)));
        let last = TraceId::last_at(query.until.unwrap_or(Timestamp(i64::MAX)));
        let mut traces = Vec::new();
        match &query.term {
            Some(term) => {
                let range =
                    KeyRange { start: index_key(term, first), end: [index_key(term, last).as_slice(), &[0]].concat() };
                for (key, _) in self.engine.scan(range, Order::Descending, query.limit).await? {
                    let id = keys::tail(&key).map(TraceId).ok_or_else(|| StorageError::corrupt("a trace's index"))?;
                    traces.extend(self.trace(id).await?);
                }
            }
            None => {
                let mut range = KeyRange { start: steps_of(first).start, end: steps_of(last).end };
                while traces.len() < query.limit {
                    let row = self.engine.scan(range.clone(), Order::Descending, 1).await?;
                    let Some(id) = row.first().and_then(|(key, _)| keys::middle(key, keys::HEAD)).map(TraceId) else {
                        break;
                    };
                    traces.extend(self.trace(id).await?);
                    range.end = steps_of(id).start;
                }
            }
        }
        Ok(traces)
    }

    /// Writes a trace of something that has no transaction of its own (a refusal). A power cut may lose it.
    ///
    /// # Errors
    /// When the store takes nothing.
    pub async fn trace_lightly(&self, id: TraceId, steps: Vec<Taken>, terms: Vec<Term>) -> Result<(), StorageError> {
        let write = move |tx: &mut Transaction<'_>| {
            tx.index_trace(id, terms.iter().cloned());
            tx.trace(id, &steps)
        };
        self.transact_with(Durability::Relaxed, write).await.map(drop)
    }

    /// Removes the traces of before a time, with their index. Returns how many rows of steps went.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn sweep_traces(&self, before: Timestamp) -> Result<usize, StorageError> {
        let mut swept = 0_usize;
        loop {
            let done = self.transact_with(Durability::Relaxed, move |tx| sweep_page(tx, before)).await?;
            swept = swept.saturating_add(done.value);
            if done.value < SWEEP_ROWS {
                return Ok(swept);
            }
        }
    }
}

fn sweep_page(tx: &mut Transaction<'_>, before: Timestamp) -> Result<usize, StorageError> {
    let table = |table| Key::global(table).done();
    let end = |table| Key::global(table).bytes(&TraceId::first_at(before).0).done();
    let range = KeyRange { start: table(Table::Trace), end: end(Table::Trace) };
    let rows = tx.scan(&range, Order::Ascending, SWEEP_ROWS)?;
    for (key, _) in &rows {
        tx.delete(key.to_vec());
    }
    let range = KeyRange { start: table(Table::TraceTerms), end: end(Table::TraceTerms) };
    let terms = tx.scan(&range, Order::Ascending, SWEEP_ROWS)?;
    for (key, _) in &terms {
        let (Some(id), Some(term)) = (keys::middle::<16>(key, keys::HEAD), keys::tail::<TERM>(key)) else {
            return Err(StorageError::corrupt("the terms of a trace"));
        };
        tx.delete(Key::global(Table::TraceIndex).bytes(&term).bytes(&id).done());
        tx.delete(key.to_vec());
    }
    Ok(rows.len().max(terms.len()))
}

/// Octets of a term in a key: its kind, and the beginning of a hash.
pub(crate) const TERM: usize = 17;

fn term_bytes(term: &Term) -> [u8; TERM] {
    let (kind, text) = match term {
        Term::MessageId(id) => (b'm', id.clone()),
        Term::Sender(ReversePath::Address(address)) => (b's', address.canonical().to_string()),
        Term::Sender(ReversePath::Null) => (b's', ReversePath::Null.to_string()),
        Term::Recipient(address) => (b'r', address.canonical().to_string()),
    };
    let hash = blake3::hash(text.as_bytes());
    let mut bytes = [kind; TERM];
    for (to, from) in bytes.iter_mut().skip(1).zip(hash.as_bytes()) {
        *to = *from;
    }
    bytes
}

fn index_key(term: &Term, id: TraceId) -> Vec<u8> {
    Key::global(Table::TraceIndex).bytes(&term_bytes(term)).bytes(&id.0).done()
}

fn indexed_key(id: TraceId, term: &Term) -> Vec<u8> {
    Key::global(Table::TraceTerms).bytes(&id.0).bytes(&term_bytes(term)).done()
}

fn step_key(id: TraceId, number: u32) -> Vec<u8> {
    Key::global(Table::Trace).bytes(&id.0).u32(number).done()
}

fn steps_of(id: TraceId) -> KeyRange {
    Key::global(Table::Trace).bytes(&id.0).range()
}

pub(crate) fn decode(value: &[u8]) -> Result<Vec<Taken>, StorageError> {
    let json = value.strip_prefix(&[VERSION]).ok_or_else(|| StorageError::corrupt("a trace's layout"))?;
    serde_json::from_slice(json).map_err(|error| StorageError::corrupt(format!("a trace: {error}")))
}

const VERSION: u8 = 1;
const SWEEP_ROWS: usize = 2_000;

#[cfg(test)]
mod tests;
