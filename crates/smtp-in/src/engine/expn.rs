//! `EXPN`: who is in a group or list (RFC 5321 §3.5.1)? Only who has logged in is told, and only what the host lets them see.

use super::Action;
use super::request::Checked;
use super::session::Session;
use super::state::State;
use super::step::Step;
use super::vrfy::says_smtputf8;
use crate::limits::LOOKUP_OCTETS_MAX;
use crate::misbehaviour::Misbehaviour;

/// Asks the host.
pub(super) fn expn(session: &Session, state: State, checked: Checked<'_>) -> Step {
    if !session.offers_submission() {
        return Step::refuse(state, Misbehaviour::NotImplemented);
    }
    if session.facts.identity.is_none() {
        return Step::refuse(state, Misbehaviour::AuthFirst);
    }
    if checked.argument.is_empty() || checked.argument.len() > LOOKUP_OCTETS_MAX {
        return Step::refuse(state, Misbehaviour::Syntax(FORM));
    }
    let text = checked.argument.to_owned();
    let smtputf8 = says_smtputf8(&text);
    Step::ask(State::AwaitLookup(Box::new(state), smtputf8), Action::Expand { text })
}

const FORM: &str = "EXPN list";
