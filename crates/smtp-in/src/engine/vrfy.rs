//! `VRFY`: does an address exist? Who has logged in is told by the host; nobody else is (RFC 5321 §3.5.3, §7.3): 252 for whatever
//! is asked.

use mail::{EnhancedCode, Reply};

use super::Action;
use super::request::{self, Checked};
use super::session::Session;
use super::state::State;
use super::step::Step;
use crate::limits::LOOKUP_OCTETS_MAX;
use crate::misbehaviour::Misbehaviour;

/// Asks the host, or answers without saying anything about the address.
pub(super) fn vrfy(session: &Session, state: State, checked: Checked<'_>) -> Step {
    if checked.argument.is_empty() || checked.argument.len() > LOOKUP_OCTETS_MAX {
        return Step::refuse(state, Misbehaviour::Syntax(FORM));
    }
    if session.facts.identity.is_some() {
        let text = checked.argument.to_owned();
        let smtputf8 = says_smtputf8(&text);
        return Step::ask(State::AwaitLookup(Box::new(state), smtputf8), Action::Verify { text });
    }
    match request::parse(checked.line, FORM) {
        Ok(_) => Step::reply(state, UNTOLD),
        Err(misbehaviour) => Step::refuse(state, misbehaviour),
    }
}

/// Whether the reply to VRFY or EXPN may have more than ASCII (RFC 6531 §3.7.4.2).
pub(super) fn says_smtputf8(argument: &str) -> bool {
    argument.rsplit_once(' ').is_some_and(|(_, word)| word.eq_ignore_ascii_case("SMTPUTF8"))
}

const FORM: &str = "VRFY string";
const UNTOLD: Reply = Reply::fixed(252, EnhancedCode(2, 5, 2), "Addresses are not verified here; RCPT tells");
