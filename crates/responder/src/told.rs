//! What was decided, as a value: the one place through which every decision passes.

use delivery::taken;
use mail::{AccountId, Address, ReversePath, Timestamp, TraceId};
use routing::responders::Decision;
use storage::trace::Step;
use storage::{StorageError, Transaction};

/// One decision, with all that a trace of the message needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The responder.
    pub responder: u64,
    /// The account to which it belongs, who may see this.
    pub owner: Option<AccountId>,
    /// Where it stands.
    pub address: Address,
    /// The recipient that led to it.
    pub recipient: Address,
    /// Who wrote.
    pub sender: ReversePath,
    /// When the message was accepted.
    pub received_at: Timestamp,
    /// When this was decided.
    pub decided_at: Timestamp,
    /// Whether it answers, and why not.
    pub decision: Decision,
    /// The sender also got a failure notice (A6).
    pub failure_notice: bool,
    /// The answer's Message-ID, when one left.
    pub answer: Option<String>,
    /// The Message-ID of what was answered or not.
    pub message_id: Option<String>,
}

impl Told {
    /// Adds the decision to the trace of the message.
    pub(crate) fn trace(&self, tx: &mut Transaction<'_>, trace: Option<TraceId>) -> Result<(), StorageError> {
        let Some(trace) = trace else { return Ok(()) };
        let mut steps = vec![Step::Responder {
            responder: self.responder,
            address: self.address.clone(),
            answered: self.decision == Decision::Answer,
            decision: self.decision.to_string(),
        }];
        if self.failure_notice {
            steps.push(Step::Notice { kind: "failure notice".to_owned(), to: self.sender.address().cloned() });
        }
        let steps: Vec<_> = steps.into_iter().map(|step| taken(self.decided_at, step)).collect();
        tx.trace(trace, &steps)
    }
}

/// Tells of a decision that has been committed.
pub(crate) fn told(told: &Told) {
    tracing::info!(
        responder = told.responder,
        address = %told.address,
        recipient = %told.recipient,
        sender = %told.sender,
        message_id = told.message_id.as_deref().unwrap_or_default(),
        answer = told.answer.as_deref().unwrap_or_default(),
        failure_notice = told.failure_notice,
        decision = %told.decision,
        "responder decided"
    );
}
