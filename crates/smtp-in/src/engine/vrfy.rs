//! `VRFY`: does an address exist? Nobody is told (RFC 5321 §3.5.3, §7.3): 252 for whatever is asked.

use mail::{EnhancedCode, Reply};

use super::request::{self, Checked};
use super::state::State;
use super::step::Step;
use crate::misbehaviour::Misbehaviour;

/// Answers without saying anything about the address.
pub(super) fn vrfy(state: State, checked: Checked<'_>) -> Step {
    if checked.argument.is_empty() {
        return Step::refuse(state, Misbehaviour::Syntax(FORM));
    }
    match request::parse(checked.line, FORM) {
        Ok(_) => Step::reply(state, UNTOLD),
        Err(misbehaviour) => Step::refuse(state, misbehaviour),
    }
}

const FORM: &str = "VRFY string";
const UNTOLD: Reply = Reply::fixed(252, EnhancedCode(2, 5, 2), "Addresses are not verified here; RCPT tells");
