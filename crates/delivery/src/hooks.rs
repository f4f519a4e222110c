//! What webhooks are told of messages (see [`storage::webhooks`]). Nothing of a message's content, not even its subject.

use mail::{Address, ForwardPath, Reply, ReversePath, Timestamp, TraceId};
use serde_json::{Value, json};
use storage::rows::{QueueRow, RecipientState};
use storage::trace::{Outcome, Step, Taken};
use storage::webhooks::HookEvent;
use storage::{StorageError, Transaction};

use crate::Delivery;
use crate::limits::HOOK_RECIPIENTS_MAX;
use crate::prepared::{Applied, Prepared};

impl Prepared {
    /// Tells that the message was accepted, and which mailboxes keep it.
    pub(crate) fn call_webhooks(&self, tx: &mut Transaction<'_>, applied: &Applied) -> Result<(), StorageError> {
        let told = |recipients: Vec<String>, count: usize| {
            json!({
                "trace": self.beginning.id,
                "message_id": self.beginning.message_id,
                "sender": sender(&self.envelope.reverse_path),
                "recipients": recipients,
                "recipients_count": count,
                "octets": self.blob.octets,
                "by": self.beginning.source.by,
            })
        };
        let to = &self.envelope.recipients;
        // What the server writes itself it does not accept from anybody.
        if !self.own {
            let paths = to.iter().take(HOOK_RECIPIENTS_MAX).map(|recipient| match &recipient.forward_path {
                ForwardPath::Address(address) => address.to_string(),
                ForwardPath::Postmaster => "postmaster".to_owned(),
            });
            tx.call_webhooks(HookEvent::Accepted, self.now, &told(paths.collect(), to.len()))?;
        }
        if applied.deposits.is_empty() {
            return Ok(());
        }
        let kept = applied.deposits.iter().filter_map(|(account, ..)| self.beginning.addresses.get(account));
        let kept: Vec<String> = kept.take(HOOK_RECIPIENTS_MAX).map(Address::to_string).collect();
        tx.call_webhooks(HookEvent::Delivered, self.now, &told(kept, applied.deposits.len()))
    }
}

/// Tells what an attempt at a queue entry gave: once for recipients with the same outcome.
///
/// # Errors
/// When reading fails.
pub fn tell_attempt(
    tx: &mut Transaction<'_>,
    steps: &[Taken],
    trace: Option<TraceId>,
    message_id: Option<&str>,
    reverse_path: &ReversePath,
) -> Result<(), StorageError> {
    let mut groups: Vec<(&Taken, Vec<String>)> = Vec::new();
    for taken in steps {
        let Step::Attempted { recipient, host, outcome, said, .. } = &taken.step else { continue };
        let same = |(first, _): &&mut (&Taken, Vec<String>)| matches!(&first.step, Step::Attempted { host: h, outcome: o, said: s, .. } if (h, o, s) == (host, outcome, said));
        match groups.iter_mut().find(same) {
            Some((_, recipients)) => recipients.push(recipient.to_string()),
            None => groups.push((taken, vec![recipient.to_string()])),
        }
    }
    for (taken, recipients) in groups {
        let Step::Attempted { entry, host, outcome, said, next, .. } = &taken.step else { continue };
        let event = match outcome {
            Outcome::Delivered => HookEvent::Delivered,
            Outcome::Deferred => HookEvent::Deferred,
            Outcome::Failed => HookEvent::Failed,
        };
        let told: Value = json!({
            "trace": trace,
            "message_id": message_id,
            "sender": sender(reverse_path),
            "recipients_count": recipients.len(),
            "recipients": recipients,
            "queue_entry": entry,
            "host": host,
            "said": said,
            "next_attempt_millis": next.map(|next| next.0),
        });
        tx.call_webhooks(event, taken.at, &told)?;
    }
    Ok(())
}

/// Tells that an entry has ended without an attempt, for the reason that `said` gives: who waited in it gets it no more.
///
/// # Errors
/// When reading fails.
pub fn tell_given_up(
    tx: &mut Transaction<'_>,
    row: &QueueRow,
    said: &Reply,
    message_id: Option<&str>,
    now: Timestamp,
) -> Result<(), StorageError> {
    let waiting = row.recipients.iter().filter(|recipient| recipient.state == RecipientState::Waiting);
    let failed = waiting.map(|recipient| Taken {
        at: now,
        step: Step::Attempted {
            entry: row.id,
            recipient: recipient.address.clone(),
            host: None,
            outcome: Outcome::Failed,
            said: said.to_string(),
            secured: None,
            next: None,
        },
    });
    tell_attempt(tx, &failed.collect::<Vec<_>>(), row.trace, message_id, &row.reverse_path)
}

impl Delivery {
    /// The Message-ID of an entry's message, as its trace has it, for webhooks: `None` where there are none. A hook is told without it
    /// rather than not at all.
    pub async fn message_id_for_hooks(&self, row: &QueueRow) -> Option<String> {
        let trace = row.trace.filter(|_| self.store().has_webhooks())?;
        let trace = self.store().trace(trace).await.ok()??;
        let received =
            |taken: Taken| if let Step::Received { message_id, .. } = taken.step { message_id } else { None };
        trace.steps.into_iter().find_map(received)
    }
}

fn sender(reverse_path: &ReversePath) -> String {
    reverse_path.address().map(Address::to_string).unwrap_or_default()
}
