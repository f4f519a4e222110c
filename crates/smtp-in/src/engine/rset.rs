//! `RSET`: drop the mail transaction (RFC 5321 §4.1.1.5). May come at any time.

use mail::{EnhancedCode, Reply};

use super::Action;
use super::state::State;
use super::step::Step;

/// Drops the transaction, and a message that was coming by BDAT.
pub(super) fn rset(state: &State) -> Step {
    let step = Step::reply(state.reset(), RESET);
    if matches!(state, State::Chunks(_)) { step.with(Action::AbandonBody) } else { step }
}

const RESET: Reply = Reply::fixed(250, EnhancedCode(2, 0, 0), "Nothing is open");
