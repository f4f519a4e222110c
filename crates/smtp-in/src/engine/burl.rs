//! `BURL`: a piece of the message that a URL names (RFC 4468).
//!
//! Command: §3.2, §3.5. Only on submission, for who has logged in, and mixed with BDAT at will. What a URL gives, and to whom, is
//! the host's to say; its octets are read a piece at a time and go the way of a chunk's. A URL that gives nothing, or can't be read,
//! ends the message: what comes behind it must not be taken for all of it. Dialogs: `tests/transcripts/rfc4468/`.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "BURL goes on with a message that has begun, and is refused in every other state"
)]

use mail::{Reply, Timestamp};

use super::Action;
use super::bdat::{self, after_failure};
use super::request::Checked;
use super::session::Session;
use super::state::{Body, Chunk, Link, State, Transfer};
use super::step::Step;
use crate::misbehaviour::Misbehaviour;
use crate::secret::Secret;

/// Begins a message with what a URL names, or goes on with it.
pub(super) fn burl(session: &Session, state: State, checked: Checked<'_>, now: Timestamp) -> Step {
    let link = match link(checked.argument) {
        Ok(link) => link,
        Err(misbehaviour) => return unreadable(state, misbehaviour),
    };
    match state {
        State::Transaction(envelope) => {
            let reader = bdat::reader(session, &envelope);
            let body = Body::new(envelope, reader, now);
            Step::ask(State::AwaitOpen(body, Transfer::Link(link)), Action::BeginBody)
        }
        State::Chunks(body) => opened(body, link),
        // The table lets BURL through in no other state.
        state => Step::refuse(state, Misbehaviour::MailFirst),
    }
}

/// A command that could not be read. The message that it belongs to is over, even if its client sends on.
pub(super) fn unreadable(state: State, misbehaviour: Misbehaviour) -> Step {
    match state {
        State::Transaction(envelope) if !envelope.recipients.is_empty() => {
            Step::refuse(State::ChunkFailed, misbehaviour)
        }
        State::Chunks(_) => Step::refuse(State::ChunkFailed, misbehaviour).with(Action::AbandonBody),
        state => Step::refuse(state, misbehaviour),
    }
}

/// Reads `absolute-URI [LAST]`.
fn link(argument: &str) -> Result<Link, Misbehaviour> {
    let mut words = argument.split(' ').filter(|word| !word.is_empty());
    let (url, last, junk) = (words.next().unwrap_or_default(), words.next(), words.next());
    let last_is_good = last.is_none_or(|word| word.eq_ignore_ascii_case("LAST"));
    let (scheme, rest) = url.split_once(':').ok_or(Misbehaviour::Syntax(FORM))?;
    let scheme_is_good = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    if !last_is_good || junk.is_some() || rest.is_empty() || !scheme_is_good || !url.is_ascii() {
        return Err(Misbehaviour::Syntax(FORM));
    }
    if !scheme.eq_ignore_ascii_case("imap") {
        return Err(Misbehaviour::UnknownUrl);
    }
    Ok(Link { url: Secret::new(url.as_bytes().to_vec()), last: last.is_some() })
}

/// The message is open: the host looks for what the URL names.
pub(super) fn opened(body: Body, link: Link) -> Step {
    Step::ask(State::AwaitLink(body, link.last), Action::FindUrl { url: link.url })
}

/// The host knows how much there is, or why there is nothing.
pub(super) fn found(session: &mut Session, body: Body, last: bool, outcome: Result<u64, Reply>) -> Step {
    let octets = match outcome {
        Ok(octets) => octets,
        Err(reply) => return Step::reply(after_failure(last), reply).with(Action::AbandonBody),
    };
    if body.octets.saturating_add(octets) > session.limits().message_octets_max {
        return Step::refuse(after_failure(last), Misbehaviour::MessageTooLarge).with(Action::AbandonBody);
    }
    if octets == 0 && !last {
        // However many come, no message comes.
        session.idle_commands = session.idle_commands.saturating_add(1);
        if session.idle_commands > session.limits().idle_commands_max {
            return Step::refuse(State::ChunkFailed, Misbehaviour::TooManyIdleCommands).with(Action::AbandonBody);
        }
    }
    Step::to(State::Link(body, Chunk { octets, remaining: octets, last }))
}

/// Asks for the next piece, until there is none or the message is refused.
pub(super) fn next(session: &Session, body: Body, chunk: Chunk) -> Step {
    if chunk.remaining == 0 || body.refused.is_some() {
        return bdat::end(session, body, Chunk { remaining: 0, ..chunk });
    }
    Step::ask(State::AwaitPiece(body, chunk), Action::ReadUrl)
}

/// A piece has been read; it is never empty, nor longer than what is left.
pub(super) fn piece(session: &Session, mut body: Body, mut chunk: Chunk, outcome: Result<Vec<u8>, Reply>) -> Step {
    let piece = match outcome {
        Ok(piece) => piece,
        Err(reply) => return Step::reply(after_failure(chunk.last), reply).with(Action::AbandonBody),
    };
    let octets = piece.len() as u64;
    assert!((1..=chunk.remaining).contains(&octets), "the host reads what it has promised, and no more");
    let mut read = Vec::with_capacity(piece.len());
    body.reader.read(&piece, &mut read);
    chunk.remaining = chunk.remaining.saturating_sub(octets);
    let action = body.take(read, session.limits().message_octets_max);
    Step { action, ..Step::to(State::Link(body, chunk)) }
}

const FORM: &str = "BURL url [LAST]";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::request;

    fn read(argument: &str) -> Result<(String, bool), Misbehaviour> {
        let line = format!("BURL {argument}");
        let link = link(request::check(line.as_bytes())?.argument)?;
        Ok((String::from_utf8(link.url.expose().to_vec()).unwrap(), link.last))
    }

    #[test]
    fn a_url_may_be_the_last() {
        let url = "imap://alice@mx.example/Drafts/;UID=7;URLAUTH=submit+alice:internal:00";
        assert_eq!(read(url), Ok((url.to_owned(), false)));
        assert_eq!(read(&format!("{url}  last")), Ok((url.to_owned(), true)));
        assert_eq!(read("IMAP:x LAST"), Ok(("IMAP:x".to_owned(), true)));
    }

    #[test]
    fn what_is_no_url_is_refused() {
        for wrong in ["", "LAST", "imap:", ":x", "1map:x", "im_ap:x", "imap:x FIRST", "imap:x LAST x", "imap:\u{e9}"] {
            assert_eq!(read(wrong), Err(Misbehaviour::Syntax(FORM)), "{wrong}");
        }
        for other in ["https://mx.example/x", "imaps://mx.example/x LAST", "file:/etc/passwd"] {
            assert_eq!(read(other), Err(Misbehaviour::UnknownUrl), "{other}");
        }
    }
}
