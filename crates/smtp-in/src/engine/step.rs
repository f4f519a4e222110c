//! `Step`: what a command function returns: the next state, a reply, and something for the connection to do.

use mail::Reply;

use super::Action;
use super::state::State;
use crate::misbehaviour::Misbehaviour;

/// The outcome of a command, an answer, or a piece of a message.
pub(super) struct Step {
    pub(super) state: State,
    pub(super) reply: Option<Reply>,
    pub(super) action: Option<Action>,
    pub(super) misbehaviour: Option<Misbehaviour>,
    /// How often the reply is said: once, or to LMTP once for each recipient (RFC 2033 §4.2).
    pub(super) replies: usize,
    /// Whether the reply may have more than ASCII: only VRFY and EXPN can say so (RFC 6531 §3.7.4.2).
    pub(super) smtputf8: bool,
}

impl Step {
    /// Goes to a state and says nothing.
    pub(super) fn to(state: State) -> Self {
        Self { state, reply: None, action: None, misbehaviour: None, replies: 1, smtputf8: false }
    }

    /// Goes to a state and replies.
    pub(super) fn reply(state: State, reply: Reply) -> Self {
        Self { reply: Some(reply), ..Self::to(state) }
    }

    /// Goes to a state and gives the connection something to do, or to ask.
    pub(super) fn ask(state: State, action: Action) -> Self {
        Self { action: Some(action), ..Self::to(state) }
    }

    /// Goes to a state and tells the client what it did wrong.
    pub(super) fn refuse(state: State, misbehaviour: Misbehaviour) -> Self {
        Self { misbehaviour: Some(misbehaviour), ..Self::to(state) }
    }

    /// The same, said so often.
    pub(super) fn times(self, replies: usize) -> Self {
        Self { replies, ..self }
    }

    /// The same, whose reply may have more than ASCII if the command said so.
    pub(super) fn in_utf8(self, smtputf8: bool) -> Self {
        Self { smtputf8, ..self }
    }

    /// The same, with something for the connection to do.
    pub(super) fn with(self, action: Action) -> Self {
        Self { action: Some(action), ..self }
    }
}
