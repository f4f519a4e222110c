//! `DATA`: the message, up to CRLF.CRLF.
//!
//! Command: RFC 5321 §4.1.1.4. The host opens the message before 354 is said. What is refused on the way is still read
//! to its real end, so that the connection stays usable. Dialogs: `tests/transcripts/rfc5321/4.1.1.4-*.txt`.

use mail::{BodyType, EnhancedCode, Envelope, Reply, Timestamp};

use super::Action;
use super::bdat;
use super::body::BodyReader;
use super::burl;
use super::session::Session;
use super::state::{Body, State, Transfer};
use super::step::Step;
use crate::host::Acknowledgement;
use crate::misbehaviour::Misbehaviour;

/// Asks the host to open a message.
pub(super) fn data(session: &Session, envelope: Envelope, now: Timestamp) -> Step {
    if envelope.body == BodyType::BinaryMime {
        // RFC 3030 §3: such a message has no lines that a dot could stand on.
        return Step::refuse(State::Transaction(envelope), Misbehaviour::BinaryNeedsChunks);
    }
    let body = Body::new(envelope, BodyReader::data(session.policy.bare_newlines), now);
    Step::ask(State::AwaitOpen(body, Transfer::Data), Action::BeginBody)
}

/// The host has opened the message, or refused to.
pub(super) fn opened(
    session: &Session,
    body: Body,
    transfer: Transfer,
    outcome: Result<(), Reply>,
    now: Timestamp,
) -> Step {
    match (transfer, outcome) {
        (Transfer::Data, Ok(())) => Step::reply(State::Data(Body { began: now, ..body }, false), GO_AHEAD),
        (Transfer::Data, Err(reply)) => Step::reply(State::Ready, reply),
        (Transfer::Chunks(chunk), outcome) => bdat::opened(session, Body { began: now, ..body }, chunk, outcome),
        (Transfer::Link(link), Ok(())) => burl::opened(Body { began: now, ..body }, link),
        (Transfer::Link(link), Err(reply)) => Step::reply(bdat::after_failure(link.last), reply),
    }
}

/// Reads on; returns how many octets of the input were used.
pub(super) fn piece(session: &Session, mut body: Body, input: &[u8]) -> (Step, usize) {
    let mut octets = Vec::with_capacity(input.len());
    let (used, ended) = body.reader.read(input, &mut octets);
    let action = body.take(octets, session.limits().message_octets_max);
    if body.octets > session.limits().read_octets_max() {
        let replies = session.replies_to(&body.envelope);
        return (Step::refuse(State::Ready, Misbehaviour::MessageFarTooLarge).times(replies), used);
    }
    let step = Step { action, ..Step::to(State::Data(body, ended)) };
    (step, used)
}

/// The end was read: the host keeps the message, or the client learns why not.
pub(super) fn end(session: &Session, body: Body) -> Step {
    let replies = session.replies_to(&body.envelope);
    match body.refused {
        Some(refusal) => refusal.step(State::Ready).times(replies),
        None => Step::ask(State::AwaitEnd(replies), Action::EndBody { envelope: body.envelope }),
    }
}

/// The host has kept the message, or has not. Only here is a message answered with 250, and only an
/// acknowledgement of a synced commit leads here.
pub(super) fn kept(session: &mut Session, outcome: Result<Acknowledgement, Reply>) -> Step {
    match outcome {
        Ok(Acknowledgement { committed: _, text }) => {
            session.progress();
            Step::reply(State::Ready, Reply::new(250, Some(EnhancedCode(2, 0, 0)), format!("Message kept as {text}")))
        }
        Err(reply) => Step::reply(State::Ready, reply),
    }
}

const GO_AHEAD: Reply = Reply::plain(354, "Send the message; end it with a dot on a line of its own");
