//! Message traces: what the server did with a message, and why.

mod own;

use std::collections::BTreeMap;

use mail::{Address, ReversePath, Timestamp, TraceId};
use serde::{Deserialize, Serialize};
use storage::Store;
use storage::trace::{Term, Trace, TraceQuery};

use self::own::Own;
use crate::actor::Actor;
use crate::error::{AdminError, ErrorKind};
use crate::limits::TRACES_MAX;
use crate::response::Response;

/// Which traces are wanted; what is given must all fit. The latest come first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TraceRequest {
    /// This one.
    pub id: Option<TraceId>,
    /// Of the message with this Message-ID, with or without brackets.
    pub message_id: Option<String>,
    /// With this reverse-path of the envelope.
    pub sender: Option<ReversePath>,
    /// To this recipient, as the envelope had it or where it led.
    pub recipient: Option<Address>,
    /// Not before.
    pub since: Option<Timestamp>,
    /// Not after.
    pub until: Option<Timestamp>,
    /// At most so many; `None`: 20.
    pub limit: Option<usize>,
}

impl TraceRequest {
    fn query(&self, term: Option<Term>, limit: usize) -> TraceQuery {
        TraceQuery { term, since: self.since, until: self.until, limit }
    }

    /// Whether a trace has what was found by nothing but being among many.
    fn fits(&self, trace: &Trace) -> bool {
        self.recipient.as_ref().is_none_or(|recipient| trace.names_recipient(recipient))
            && self.sender.as_ref().is_none_or(|sender| trace.is_from(sender))
    }

    fn term_of_message(&self) -> Option<Term> {
        self.message_id.as_ref().map(|id| Term::MessageId(id.trim().trim_matches(['<', '>']).to_owned()))
    }
}

/// The traces that are wanted; administrators see all of them, others what is their own of their own.
pub(crate) async fn execute(store: &Store, actor: &Actor, request: TraceRequest) -> Result<Response, AdminError> {
    let limit = request.limit.unwrap_or(20).clamp(1, TRACES_MAX);
    if actor.is_administrator(&store.directory()) {
        return all(store, &request, limit).await;
    }
    if let Some(id) = request.id {
        // That there is one of somebody else is not told.
        let found: Vec<Trace> = store.trace(id).await?.into_iter().collect();
        let views = own_views(store, actor, &TraceRequest::default(), &found);
        return if views.is_empty() { Err(none(id)) } else { Ok(Response::Traces(views)) };
    }
    let mut found = BTreeMap::new();
    for term in own_terms(store, actor, &request) {
        let traces = store.traces(&request.query(Some(term), TRACES_MAX)).await?;
        found.extend(own_views(store, actor, &request, &traces).into_iter().map(|view| (view.id, view)));
    }
    Ok(Response::Traces(found.into_values().rev().take(limit).collect()))
}

/// What a person's traces are looked for by.
fn own_terms(store: &Store, actor: &Actor, request: &TraceRequest) -> Vec<Term> {
    let directory = store.directory();
    // Who is gone meanwhile sees nothing.
    let Some(account) = actor.account(&directory) else { return Vec::new() };
    if let Some(term) = request.term_of_message() {
        return vec![term];
    }
    let own = Own::new(&directory, account);
    let fits = |asked: Option<&Address>, address: &Address| {
        asked.is_none_or(|asked| !own.owns(asked) || asked.same_mailbox(address))
    };
    let mut terms = own.terms();
    terms.retain(|term| match term {
        Term::MessageId(_) => true,
        Term::Sender(path) => {
            path.address().is_none_or(|address| fits(request.sender.as_ref().and_then(ReversePath::address), address))
        }
        Term::Recipient(address) => fits(request.recipient.as_ref(), address),
    });
    terms
}

/// Those of some traces that are the person's own, as they see them.
fn own_views(store: &Store, actor: &Actor, request: &TraceRequest, traces: &[Trace]) -> Vec<Trace> {
    let directory = store.directory();
    let Some(account) = actor.account(&directory) else { return Vec::new() };
    let own = Own::new(&directory, account);
    let named =
        |trace: &&Trace| request.recipient.as_ref().is_none_or(|recipient| own.names_recipient(trace, recipient));
    // Who had logged in is in the view of nobody else: asked for, it must not tell either.
    let sent = |view: &Trace| request.sender.as_ref().is_none_or(|sender| view.is_from(sender));
    traces.iter().filter(named).filter_map(|trace| own.view(trace)).filter(sent).collect()
}

async fn all(store: &Store, request: &TraceRequest, limit: usize) -> Result<Response, AdminError> {
    if let Some(id) = request.id {
        let trace = store.trace(id).await?.ok_or_else(|| none(id))?;
        return Ok(Response::Traces(vec![trace]));
    }
    // One term finds, the others sift what it finds.
    let term = request.term_of_message().or_else(|| match (&request.recipient, &request.sender) {
        (Some(recipient), _) => Some(Term::Recipient(recipient.clone())),
        (None, Some(sender)) => Some(Term::Sender(sender.clone())),
        (None, None) => None,
    });
    let sifted = [request.message_id.is_some(), request.recipient.is_some(), request.sender.is_some()];
    let several = sifted.iter().filter(|given| **given).count() > 1;
    let mut traces = store.traces(&request.query(term, if several { TRACES_MAX } else { limit })).await?;
    if several {
        traces.retain(|trace| request.fits(trace));
        traces.truncate(limit);
    }
    Ok(Response::Traces(traces))
}

fn none(id: TraceId) -> AdminError {
    let error = AdminError::new(ErrorKind::NotFound, format!("there is no trace {id}"));
    error.hint("traces are kept for `[trace] keep_days`; `relais trace --recipient alice@example.org` finds others")
}
