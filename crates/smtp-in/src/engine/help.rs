//! `HELP`: which commands there are (RFC 5321 §4.1.1.8). An argument is ignored.

use mail::{EnhancedCode, Reply};

use super::state::State;
use super::step::Step;

/// Lists the commands.
pub(super) fn help(state: State) -> Step {
    Step::reply(state, HELP)
}

const HELP: Reply = Reply::fixed(
    214,
    EnhancedCode(2, 0, 0),
    "EHLO HELO STARTTLS AUTH MAIL RCPT DATA BDAT\nRSET NOOP QUIT VRFY HELP\nRFC 5321 says what they do",
);
