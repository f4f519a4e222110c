//! The states of a session. Each carries what its commands may work on, so that a wrong order cannot be written.

use mail::{Envelope, EnvelopeRecipient, Reply, Timestamp};

use super::Action;
use super::auth::{Exchange, Mechanism};
use super::body::BodyReader;
use super::order::Phase;
use super::step::Step;
use crate::misbehaviour::Misbehaviour;
use crate::secret::Secret;

/// A message on its way in.
pub(super) struct Body {
    pub(super) envelope: Envelope,
    pub(super) reader: BodyReader,
    /// Octets of the message so far.
    pub(super) octets: u64,
    /// Why the message will be refused at its end; nothing is handed on any more.
    pub(super) refused: Option<Refusal>,
    pub(super) began: Timestamp,
}

impl Body {
    /// A message that is about to begin.
    pub(super) fn new(envelope: Envelope, reader: BodyReader, began: Timestamp) -> Self {
        Self { envelope, reader, octets: 0, refused: None, began }
    }

    /// Takes what the reader made of the input: it is handed on, or the message is given up.
    pub(super) fn take(&mut self, octets: Vec<u8>, octets_max: u64) -> Option<Action> {
        self.octets = self.octets.saturating_add(octets.len() as u64);
        if self.refused.is_some() {
            return None;
        }
        let too_large = (self.octets > octets_max).then_some(Misbehaviour::MessageTooLarge);
        if let Some(misbehaviour) = self.reader.flaw().cloned().or(too_large) {
            self.refused = Some(Refusal::Misbehaviour(misbehaviour));
            return Some(Action::AbandonBody);
        }
        (!octets.is_empty()).then_some(Action::Body(octets))
    }
}

/// Why a message is refused.
pub(super) enum Refusal {
    /// For what the client did.
    Misbehaviour(Misbehaviour),
    /// By the host, with its reply.
    Host(Reply),
}

impl Refusal {
    /// Tells the client, in the state given.
    pub(super) fn step(self, state: State) -> Step {
        match self {
            Self::Misbehaviour(misbehaviour) => Step::refuse(state, misbehaviour),
            Self::Host(reply) => Step::reply(state, reply),
        }
    }
}

/// One BDAT chunk on its way in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chunk {
    pub(super) octets: u64,
    pub(super) remaining: u64,
    pub(super) last: bool,
}

/// What follows a chunk that is thrown away.
pub(super) struct Swallowed {
    pub(super) refusal: Refusal,
    /// How often it is said.
    pub(super) replies: usize,
    pub(super) began: Timestamp,
    pub(super) next: State,
}

/// A URL that names a piece of the message. Its token is as good as a password.
pub(super) struct Link {
    pub(super) url: Secret,
    pub(super) last: bool,
}

/// How the octets of a message come.
pub(super) enum Transfer {
    /// By DATA.
    Data,
    /// By BDAT, beginning with this chunk.
    Chunks(Chunk),
    /// By BURL, beginning with what this names.
    Link(Link),
}

/// Where a session stands.
pub(super) enum State {
    /// Neither EHLO nor HELO was said.
    Start,
    /// No mail transaction.
    Ready,
    /// No mail transaction; the last one ended with a failed chunk.
    ChunkFailed,
    /// XCLIENT was said; whether that client may come in is asked.
    AwaitEntry,
    /// MAIL was said; the host is asked whether the transaction may begin.
    AwaitBegin(Envelope),
    /// A mail transaction, with or without recipients.
    Transaction(Envelope),
    /// RCPT was said; the host is asked about the forward-path.
    AwaitVerdict(Envelope, EnvelopeRecipient),
    /// DATA or the first BDAT was said; the host opens the message.
    AwaitOpen(Body, Transfer),
    /// Inside the message that DATA began; `true` once its end was read.
    Data(Body, bool),
    /// Between two chunks of a message.
    Chunks(Body),
    /// Inside a chunk.
    Chunk(Body, Chunk),
    /// BURL was said, with or without LAST; the host looks for what the URL names.
    AwaitLink(Body, bool),
    /// Between two pieces of what a URL names.
    Link(Body, Chunk),
    /// The host reads a piece of what a URL names.
    AwaitPiece(Body, Chunk),
    /// Inside a chunk that is thrown away; then comes the refusal, and the state behind it.
    SwallowChunk { remaining: u64, swallowed: Box<Swallowed> },
    /// The message is complete; the host keeps it, and is answered for so often.
    AwaitEnd(usize),
    /// AUTH was said; the next line is a response.
    Auth(Exchange),
    /// The host checks a response, or login and password.
    AwaitAuth(Mechanism),
    /// VRFY or EXPN was said, with or without SMTPUTF8; the host looks, and the session goes on where it was.
    AwaitLookup(Box<Self>, bool),
    /// The TLS handshake is next. Whatever comes before it is dropped.
    AwaitTls,
    /// The connection ends.
    Closed,
}

impl State {
    /// The phase for the table of command order; `None` where no command is awaited.
    pub(super) fn phase(&self) -> Option<Phase> {
        match self {
            Self::Start => Some(Phase::Start),
            Self::Ready => Some(Phase::Ready),
            Self::ChunkFailed => Some(Phase::ChunkFailed),
            Self::Transaction(envelope) if envelope.recipients.is_empty() => Some(Phase::Mail),
            Self::Transaction(_) => Some(Phase::Rcpt),
            Self::Chunks(_) => Some(Phase::Chunks),
            Self::AwaitEntry
            | Self::AwaitBegin(_)
            | Self::AwaitVerdict(..)
            | Self::AwaitOpen(..)
            | Self::Data(..)
            | Self::Chunk(..)
            | Self::AwaitLink(..)
            | Self::Link(..)
            | Self::AwaitPiece(..)
            | Self::SwallowChunk { .. }
            | Self::AwaitEnd(_)
            | Self::Auth(_)
            | Self::AwaitAuth(_)
            | Self::AwaitLookup(..)
            | Self::AwaitTls
            | Self::Closed => None,
        }
    }

    /// The envelope of the open mail transaction.
    pub(super) fn envelope(&self) -> Option<&Envelope> {
        match self {
            Self::AwaitBegin(envelope) | Self::Transaction(envelope) | Self::AwaitVerdict(envelope, _) => {
                Some(envelope)
            }
            Self::AwaitOpen(body, _)
            | Self::Data(body, _)
            | Self::Chunks(body)
            | Self::Chunk(body, _)
            | Self::AwaitLink(body, _)
            | Self::Link(body, _)
            | Self::AwaitPiece(body, _) => Some(&body.envelope),
            Self::SwallowChunk { swallowed, .. } => swallowed.next.envelope(),
            Self::AwaitLookup(state, _) => state.envelope(),
            Self::Start
            | Self::Ready
            | Self::ChunkFailed
            | Self::AwaitEntry
            | Self::AwaitEnd(_)
            | Self::Auth(_)
            | Self::AwaitAuth(_)
            | Self::AwaitTls
            | Self::Closed => None,
        }
    }

    /// The state once the open transaction, if any, is dropped: RSET, EHLO (RFC 5321 §4.1.1.5, §4.1.4).
    pub(super) fn reset(&self) -> Self {
        if matches!(self, Self::Start) { Self::Start } else { Self::Ready }
    }

    /// Since when a message's octets come in, if they do.
    pub(super) fn body_began(&self) -> Option<Timestamp> {
        match self {
            Self::Data(body, _)
            | Self::Chunk(body, _)
            | Self::Chunks(body)
            | Self::AwaitLink(body, _)
            | Self::Link(body, _)
            | Self::AwaitPiece(body, _) => Some(body.began),
            Self::SwallowChunk { swallowed, .. } => Some(swallowed.began),
            Self::Start
            | Self::Ready
            | Self::ChunkFailed
            | Self::AwaitEntry
            | Self::AwaitBegin(_)
            | Self::Transaction(_)
            | Self::AwaitVerdict(..)
            | Self::AwaitOpen(..)
            | Self::AwaitEnd(_)
            | Self::Auth(_)
            | Self::AwaitAuth(_)
            | Self::AwaitLookup(..)
            | Self::AwaitTls
            | Self::Closed => None,
        }
    }

    /// Whether a command line, or a response of AUTH, is awaited.
    pub(super) fn awaits_line(&self) -> bool {
        self.phase().is_some() || matches!(self, Self::Auth(_))
    }

    /// Whether nothing can be read now because somebody has to answer first, or all is over.
    pub(super) fn waits(&self) -> bool {
        match self {
            Self::AwaitEntry
            | Self::AwaitBegin(_)
            | Self::AwaitVerdict(..)
            | Self::AwaitOpen(..)
            | Self::AwaitLink(..)
            | Self::AwaitPiece(..)
            | Self::AwaitEnd(_)
            | Self::AwaitAuth(_)
            | Self::AwaitLookup(..)
            | Self::AwaitTls
            | Self::Closed => true,
            Self::Start
            | Self::Ready
            | Self::ChunkFailed
            | Self::Transaction(_)
            | Self::Data(..)
            | Self::Chunks(_)
            | Self::Chunk(..)
            | Self::Link(..)
            | Self::SwallowChunk { .. }
            | Self::Auth(_) => false,
        }
    }
}
