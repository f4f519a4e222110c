//! The trace of a message that is refused once it has begun: for where it comes from, for its content, for what it says of its author.

use std::net::IpAddr;
use std::sync::Arc;

use delivery::{Delivery, Unwelcome};
use parking_lot::Mutex;
use storage::trace::{Step, Term};

use super::refusals::{Logged, Refusals, TRACED_PER_DAY_MAX};

/// What the trace of a message begins with that is refused, and what it is found by.
pub(super) struct UnwelcomeTrace {
    pub(super) offered: Step,
    pub(super) terms: Vec<Term>,
    pub(super) remote: IpAddr,
    pub(super) refusals: Arc<Mutex<Refusals>>,
}

impl UnwelcomeTrace {
    /// Writes it, when not too many are refused just now.
    pub(super) async fn write(&self, delivery: &Delivery, unwelcome: Unwelcome) {
        let minute = delivery.store().now().as_secs().div_euclid(60);
        let traced = self.refusals.lock().traces(minute, self.remote);
        match traced {
            Logged::Not => return,
            Logged::Last => tracing::warn!(max = TRACED_PER_DAY_MAX, "further refusals of today are not traced"),
            Logged::One => {}
        }
        let refused = Step::Refused { recipient: None, reply: unwelcome.reply };
        let steps = std::iter::once(self.offered.clone()).chain(unwelcome.steps).chain([refused]).collect();
        let terms = self.terms.iter().cloned().chain(unwelcome.terms).collect();
        delivery.trace_refusal(steps, terms).await;
    }
}
