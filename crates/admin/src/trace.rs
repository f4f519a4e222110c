//! Message traces: what the server did with a message, and why.

use mail::{Address, Timestamp, TraceId};
use serde::{Deserialize, Serialize};
use storage::Store;
use storage::trace::{Term, TraceQuery};

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
    /// From this sender of the envelope.
    pub sender: Option<Address>,
    /// To this recipient, as the envelope had it or where it led.
    pub recipient: Option<Address>,
    /// Not before.
    pub since: Option<Timestamp>,
    /// Not after.
    pub until: Option<Timestamp>,
    /// At most so many; `None`: 20.
    pub limit: Option<usize>,
}

pub(crate) async fn execute(store: &Store, request: TraceRequest) -> Result<Response, AdminError> {
    if let Some(id) = request.id {
        let trace = store.trace(id).await?.ok_or_else(|| {
            let error = AdminError::new(ErrorKind::NotFound, format!("there is no trace {id}"));
            error.hint(
                "traces are kept for `[trace] keep_days`; `relais trace --recipient alice@example.org` finds others",
            )
        })?;
        return Ok(Response::Traces(vec![trace]));
    }
    let limit = request.limit.unwrap_or(20).clamp(1, TRACES_MAX);
    let message_id = request.message_id.map(|id| id.trim().trim_matches(['<', '>']).to_owned());
    // One term finds, the others sift what it finds.
    let term = match (&message_id, &request.recipient, &request.sender) {
        (Some(id), ..) => Some(Term::MessageId(id.clone())),
        (None, Some(recipient), _) => Some(Term::Recipient(recipient.clone())),
        (None, None, Some(sender)) => Some(Term::Sender(sender.clone())),
        (None, None, None) => None,
    };
    let sifted = [message_id.is_some(), request.recipient.is_some(), request.sender.is_some()];
    let several = sifted.iter().filter(|given| **given).count() > 1;
    let query = TraceQuery {
        term,
        since: request.since,
        until: request.until,
        limit: if several { TRACES_MAX } else { limit },
    };
    let mut traces = store.traces(&query).await?;
    if several {
        let recipient = request.recipient.as_ref();
        let sender = request.sender.as_ref();
        traces.retain(|trace| {
            recipient.is_none_or(|recipient| trace.names_recipient(recipient))
                && sender.is_none_or(|sender| trace.is_from(sender))
        });
        traces.truncate(limit);
    }
    Ok(Response::Traces(traces))
}
