//! `NOOP`: nothing, and an answer (RFC 5321 §4.1.1.9). An argument is ignored.

use mail::{EnhancedCode, Reply};

use super::state::State;
use super::step::Step;

/// Answers.
pub(super) fn noop(state: State) -> Step {
    Step::reply(state, HERE)
}

const HERE: Reply = Reply::fixed(250, EnhancedCode(2, 0, 0), "Here");
