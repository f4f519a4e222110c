//! `BDAT`: the message in chunks of announced size.
//!
//! Command: RFC 3030 §2. The octets of a chunk follow whatever the answer will be, so a refused chunk is read and thrown
//! away: the size, not the order of commands, says where the next command begins. Without BODY=BINARYMIME
//! lines end with CRLF here as well. Dialogs: `tests/transcripts/rfc3030/`.

use mail::{BodyType, EnhancedCode, Envelope, Reply, Timestamp};
use smtp_proto::Request;

use super::Action;
use super::body::BodyReader;
use super::request::{self, Checked};
use super::session::Session;
use super::state::{Body, Chunk, Refusal, State, Swallowed, Transfer};
use super::step::Step;
use super::verb::Verb;
use crate::limits::CHUNK_DIGITS_MAX;
use crate::misbehaviour::Misbehaviour;

/// Begins a chunk. `order` is what the table of command order says of it.
pub(super) fn bdat(
    session: &Session,
    state: State,
    checked: Checked<'_>,
    order: Result<(), Misbehaviour>,
    now: Timestamp,
) -> Step {
    let chunk = match chunk(checked) {
        Ok(chunk) => chunk,
        Err(misbehaviour) => return Step::refuse(state, misbehaviour),
    };
    let limits = session.limits();
    if chunk.octets > limits.read_octets_max() {
        return Step::refuse(state, Misbehaviour::MessageFarTooLarge);
    }
    if let Err(misbehaviour) = order {
        return swallowing(chunk, Refusal::Misbehaviour(misbehaviour), 1, now, state);
    }
    let too_large = Refusal::Misbehaviour(Misbehaviour::MessageTooLarge);
    if let State::Transaction(envelope) = state {
        if chunk.octets > limits.message_octets_max {
            let replies = replies(session, &envelope, chunk);
            return swallowing(chunk, too_large, replies, now, after_failure(chunk.last));
        }
        let reader = reader(session, &envelope);
        let body = Body::new(envelope, reader, now);
        return Step::ask(State::AwaitOpen(body, Transfer::Chunks(chunk)), Action::BeginBody);
    }
    if let State::Chunks(body) = state {
        if body.octets.saturating_add(chunk.octets) > limits.message_octets_max {
            let replies = replies(session, &body.envelope, chunk);
            let step = swallowing(chunk, too_large, replies, body.began, after_failure(chunk.last));
            return step.with(Action::AbandonBody);
        }
        return Step::to(State::Chunk(body, chunk));
    }
    // The table lets BDAT through in no other state.
    swallowing(chunk, Refusal::Misbehaviour(Misbehaviour::MailFirst), 1, now, state)
}

/// Whether it is a chunk without octets that is not the last: however many come, no message comes.
pub(super) fn brings_nothing(checked: &Checked<'_>) -> bool {
    checked.verb == Verb::Bdat && chunk(*checked).is_ok_and(|chunk| chunk.octets == 0 && !chunk.last)
}

/// Reads `chunk-size [LAST]`. Too many digits leave no way to tell where the chunk ends.
fn chunk(checked: Checked<'_>) -> Result<Chunk, Misbehaviour> {
    let mut words = checked.argument.split(' ').filter(|word| !word.is_empty());
    let (size, last, junk) = (words.next().unwrap_or_default(), words.next(), words.next());
    let last_is_good = last.is_none_or(|word| word.eq_ignore_ascii_case("LAST"));
    if size.is_empty() || !size.bytes().all(|b| b.is_ascii_digit()) || !last_is_good || junk.is_some() {
        return Err(Misbehaviour::Syntax(FORM));
    }
    if size.len() > CHUNK_DIGITS_MAX {
        return Err(Misbehaviour::ChunkSizeUnreadable);
    }
    let Request::Bdat { chunk_size, is_last } = request::parse(checked.line, FORM)? else {
        return Err(Misbehaviour::Syntax(FORM));
    };
    let octets = chunk_size as u64;
    if is_last == last.is_some() {
        Ok(Chunk { octets, remaining: octets, last: is_last })
    } else {
        Err(Misbehaviour::Syntax(FORM))
    }
}

fn swallowing(chunk: Chunk, refusal: Refusal, replies: usize, began: Timestamp, next: State) -> Step {
    let swallowed = Box::new(Swallowed { refusal, replies, began, next });
    Step::to(State::SwallowChunk { remaining: chunk.octets, swallowed })
}

/// How often a chunk of a message is answered: only the last for each recipient (RFC 2033 §4.2).
fn replies(session: &Session, envelope: &Envelope, chunk: Chunk) -> usize {
    if chunk.last { session.replies_to(envelope) } else { 1 }
}

/// Behind a failed chunk or URL others may be on their way, unless it was the last.
pub(super) fn after_failure(last: bool) -> State {
    if last { State::Ready } else { State::ChunkFailed }
}

/// Reads what comes without dots.
pub(super) fn reader(session: &Session, envelope: &Envelope) -> BodyReader {
    match envelope.body {
        BodyType::BinaryMime => BodyReader::binary(),
        BodyType::SevenBit | BodyType::EightBitMime => BodyReader::chunks(session.policy.bare_newlines),
    }
}

/// The host has opened the message, or refused to.
pub(super) fn opened(session: &Session, body: Body, chunk: Chunk, outcome: Result<(), Reply>) -> Step {
    match outcome {
        Ok(()) => Step::to(State::Chunk(body, chunk)),
        Err(reply) => {
            let replies = replies(session, &body.envelope, chunk);
            swallowing(chunk, Refusal::Host(reply), replies, body.began, after_failure(chunk.last))
        }
    }
}

/// Throws octets of a refused chunk away; returns how many were used.
pub(super) fn swallow(remaining: u64, swallowed: Box<Swallowed>, input: &[u8]) -> (Step, usize) {
    let used = within(remaining, input).len();
    let remaining = remaining.saturating_sub(used as u64);
    let step = if remaining == 0 {
        let Swallowed { refusal, replies, next, .. } = *swallowed;
        refusal.step(next).times(replies)
    } else {
        Step::to(State::SwallowChunk { remaining, swallowed })
    };
    (step, used)
}

/// Reads on inside a chunk; returns how many octets of the input were used.
pub(super) fn piece(session: &Session, mut body: Body, mut chunk: Chunk, input: &[u8]) -> (Step, usize) {
    let input = within(chunk.remaining, input);
    let mut octets = Vec::with_capacity(input.len());
    let (used, _) = body.reader.read(input, &mut octets);
    chunk.remaining = chunk.remaining.saturating_sub(used as u64);
    let action = body.take(octets, session.limits().message_octets_max);
    (Step { action, ..Step::to(State::Chunk(body, chunk)) }, used)
}

/// The chunk is complete.
pub(super) fn end(session: &Session, mut body: Body, chunk: Chunk) -> Step {
    if chunk.last && body.refused.is_none() {
        let mut octets = Vec::new();
        body.reader.finish(&mut octets);
        if let Some(action) = body.take(octets, session.limits().message_octets_max) {
            // A bare CR at the very end: the message is given up, or a converted line end is handed on first.
            return Step::ask(State::Chunk(body, chunk), action);
        }
    }
    let replies = replies(session, &body.envelope, chunk);
    match body.refused {
        Some(refusal) => refusal.step(after_failure(chunk.last)).times(replies),
        None if chunk.last => Step::ask(State::AwaitEnd(replies), Action::EndBody { envelope: body.envelope }),
        None => {
            let text = format!("{} octets received", chunk.octets);
            Step::reply(State::Chunks(body), Reply::new(250, Some(EnhancedCode(2, 0, 0)), text))
        }
    }
}

fn within(remaining: u64, input: &[u8]) -> &[u8] {
    let octets = usize::try_from(remaining).unwrap_or(usize::MAX).min(input.len());
    input.get(..octets).unwrap_or_default()
}

const FORM: &str = "BDAT chunk-size [LAST]";

#[cfg(test)]
mod tests {
    use super::*;

    fn read(argument: &str) -> Result<Chunk, Misbehaviour> {
        chunk(request::check(format!("BDAT {argument}").as_bytes()).unwrap())
    }

    #[test]
    fn a_chunk_has_a_size_and_may_be_the_last() {
        assert_eq!(read("86"), Ok(Chunk { octets: 86, remaining: 86, last: false }));
        assert_eq!(read("0 last"), Ok(Chunk { octets: 0, remaining: 0, last: true }));
    }

    #[test]
    fn trap_a_chunk_size_of_too_many_digits_is_never_cut() {
        assert_eq!(read("99999999999999999999999"), Err(Misbehaviour::ChunkSizeUnreadable));
        let largest = 9_999_999_999_999_999_999;
        assert_eq!(read("9999999999999999999"), Ok(Chunk { octets: largest, remaining: largest, last: false }));
    }

    #[test]
    fn what_is_no_chunk_is_refused() {
        for wrong in ["", "x", "-1", "1x", "1 FIRST", "1 LAST x", "LAST", "0x10"] {
            assert_eq!(read(wrong), Err(Misbehaviour::Syntax(FORM)), "{wrong}");
        }
    }
}
