//! `STARTTLS`: TLS for the rest of the session.
//!
//! Command: RFC 3207 §4. What was pipelined behind it is dropped unread, and nothing said before counts afterwards
//! (§4.2), so that nobody can slip commands in ahead of the encryption. Dialogs: `tests/transcripts/rfc3207/`.

use mail::{EnhancedCode, Reply};

use super::Action;
use super::session::Session;
use super::state::State;
use super::step::Step;
use crate::misbehaviour::Misbehaviour;
use crate::session::TlsFacts;

/// Agrees to TLS. The state accepts no input until the handshake is over.
pub(super) fn starttls(session: &Session, state: State) -> Step {
    if session.facts.tls.is_some() {
        return Step::refuse(state, Misbehaviour::AlreadyTls);
    }
    if !session.offers_starttls() {
        return Step::refuse(state, Misbehaviour::TlsNotOffered);
    }
    Step::reply(State::AwaitTls, READY).with(Action::StartTls)
}

/// The handshake is over: the session begins anew (RFC 3207 §4.2).
pub(super) fn tls_started(session: &mut Session, tls: TlsFacts) -> Step {
    session.facts.tls = Some(tls);
    session.facts.helo = None;
    session.facts.esmtp = false;
    session.progress();
    Step::to(State::Start)
}

const READY: Reply = Reply::fixed(220, EnhancedCode(2, 0, 0), "Begin the TLS handshake");
