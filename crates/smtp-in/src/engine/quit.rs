//! `QUIT`: the client goes (RFC 5321 §4.1.1.10). An open transaction is dropped.

use mail::{EnhancedCode, Reply};

use super::Action;
use super::state::State;
use super::step::Step;

/// Says good-bye and closes.
pub(super) fn quit() -> Step {
    Step::reply(State::Closed, GOOD_BYE).with(Action::Close)
}

const GOOD_BYE: Reply = Reply::fixed(221, EnhancedCode(2, 0, 0), "Good-bye");
