//! The trace of a message that is refused for what was found out about where it comes from.

use std::net::IpAddr;
use std::sync::Arc;

use delivery::{Delivery, Unwelcome};
use mail::{Envelope, ForwardPath};
use parking_lot::Mutex;
use storage::trace::{Step, Term};

use super::refusals::{Logged, Refusals, TRACED_PER_DAY_MAX};

/// What the trace of a message begins with that is refused for what was found out about it.
pub(super) struct UnwelcomeTrace {
    pub(super) offered: Step,
    pub(super) remote: IpAddr,
    pub(super) refusals: Arc<Mutex<Refusals>>,
}

impl UnwelcomeTrace {
    /// Writes it, when not too many are refused just now.
    pub(super) async fn write(self, delivery: &Delivery, envelope: &Envelope, unwelcome: Unwelcome) {
        let minute = delivery.store().now().as_secs().div_euclid(60);
        let traced = self.refusals.lock().traces(minute, self.remote);
        match traced {
            Logged::Not => return,
            Logged::Last => tracing::warn!(max = TRACED_PER_DAY_MAX, "further refusals of today are not traced"),
            Logged::One => {}
        }
        let refused = Step::Refused { recipient: None, reply: unwelcome.reply };
        let steps = std::iter::once(self.offered).chain(unwelcome.steps).chain([refused]).collect();
        let sender = Term::Sender(envelope.reverse_path.clone());
        let recipients = envelope.recipients.iter().filter_map(|recipient| match &recipient.forward_path {
            ForwardPath::Address(address) => Some(Term::Recipient(address.clone())),
            ForwardPath::Postmaster => None,
        });
        let recipients = recipients.take(delivery::limits::TRACE_ROUTED_MAX);
        let terms = std::iter::once(sender).chain(recipients).chain(unwelcome.terms).collect();
        delivery.trace_refusal(steps, terms).await;
    }
}
