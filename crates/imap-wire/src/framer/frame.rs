//! What the framer hands out.

use std::fmt;

use zeroize::Zeroizing;

use crate::command::Ticket;
use crate::decode::verb;
use crate::flaw::{Refusal, printable};
use crate::limits;
use crate::mailbox_name::MailboxName;
use crate::secret::Secret;
use crate::tag::Tag;

/// A piece of a client's input.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// A whole command for [`crate::decode`]; short literals are in it, a message is named by its ticket.
    Command(CommandText),
    /// The line that [`super::Framer::expect_line`] announced, without its CRLF.
    Line(Secret),
    /// That line was no line (bare CR or LF, NUL, too long): the command that waits for it fails with this text.
    BadLine(Refusal),
    /// The client waits for leave to send a literal: write a continuation request.
    Continue,
    /// A message is announced: answer with [`super::Framer::accept`] or [`super::Framer::refuse`] before the next `next`.
    Announced(Announcement),
    /// Octets of the message that was accepted last.
    Chunk(&'a [u8]),
    /// The message is complete; the rest of its command follows.
    MessageEnd {
        /// Which one.
        ticket: Ticket,
        /// A NUL was in it although it was announced as a literal, which may not hold one (RFC 3501 §9 `CHAR8`).
        nul: bool,
    },
    /// Not a command: write the refusal; then close the connection if so told, else go on.
    Misbehaviour {
        /// The answer.
        refusal: Refusal,
        /// Step with the client is lost; `next` will give nothing more.
        close: bool,
    },
}

/// A message literal that the client wants to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    /// Of the command, to refuse it by.
    pub tag: Option<Tag>,
    /// The command's name in capitals: `APPEND`.
    pub verb: String,
    /// The target mailbox, when its name can be read: so that TRYCREATE can be said before the message is sent.
    pub mailbox: Option<MailboxName>,
    /// How many octets.
    pub size: u64,
    /// The client waits for leave; otherwise it is sending already.
    pub sync: bool,
    /// `~{n}`, a literal8.
    pub binary: bool,
}

/// What is to be done after a message was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "the connection may have to be closed"]
pub enum AfterRefusal {
    /// The framer skips what the client sends of it.
    GoOn,
    /// The client is sending more than is worth skipping: say BYE and close.
    Close,
}

/// Bounds of a framer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameLimits {
    /// The longest line, without its CRLF.
    pub line_max: usize,
    /// The longest command with its inline literals, not counting messages.
    pub command_max: usize,
    /// The longest inline literal.
    pub inline_literal_max: u64,
    /// How much of the lines of a refused command is skipped.
    pub swallow_max: u64,
    /// How much of its literals is.
    pub swallow_literals_max: u64,
}

impl FrameLimits {
    /// For clients that nobody knows yet.
    pub const BEFORE_LOGIN: Self = Self {
        line_max: limits::LINE_MAX_BEFORE_LOGIN,
        command_max: limits::COMMAND_MAX_BEFORE_LOGIN,
        inline_literal_max: limits::INLINE_LITERAL_MAX_BEFORE_LOGIN,
        swallow_max: limits::SWALLOW_MAX,
        swallow_literals_max: limits::SWALLOW_LITERALS_MAX_BEFORE_LOGIN,
    };

    /// For users.
    pub const LOGGED_IN: Self = Self {
        line_max: limits::LINE_MAX,
        command_max: limits::COMMAND_MAX,
        inline_literal_max: limits::INLINE_LITERAL_MAX,
        swallow_max: limits::SWALLOW_MAX,
        swallow_literals_max: limits::SWALLOW_LITERALS_MAX,
    };
}

/// The text of a whole command, its CRLF included. It may hold a password: its `Debug` shows tag and verb only, and it is wiped when dropped.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct CommandText {
    octets: Zeroizing<Vec<u8>>,
    /// Where a ticket ends, and how much more the client sent than stands there.
    streamed: Vec<(usize, i64)>,
}

impl CommandText {
    /// The octets.
    pub fn as_bytes(&self) -> &[u8] {
        &self.octets
    }

    /// The octet of what the client sent that stands at a place of this text, both from 0: messages are counted as they came.
    pub(crate) fn sent_at(&self, at: usize) -> usize {
        let before = self.streamed.iter().take_while(|(end, _)| *end <= at);
        before.fold(at, |sent, (_, more)| sent.saturating_add_signed(isize::try_from(*more).unwrap_or(isize::MAX)))
    }

    /// Octets came that are not kept: `more` than stand here.
    pub(super) fn streamed(&mut self, more: i64) {
        self.streamed.push((self.octets.len(), more));
    }

    /// How many octets.
    pub fn len(&self) -> usize {
        self.octets.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.octets.is_empty()
    }

    pub(super) fn capacity(&self) -> usize {
        self.octets.capacity()
    }

    pub(super) fn extend(&mut self, bytes: &[u8]) {
        self.octets.extend_from_slice(bytes);
    }

    pub(super) fn truncate(&mut self, length: usize) {
        self.octets.truncate(length);
    }

    pub(super) fn drop_front(&mut self, n: usize) {
        let n = n.min(self.octets.len());
        self.octets.drain(..n);
    }

    pub(super) fn into_bytes(mut self) -> Vec<u8> {
        std::mem::take(&mut *self.octets)
    }
}

impl From<&[u8]> for CommandText {
    fn from(bytes: &[u8]) -> Self {
        Self { octets: Zeroizing::new(bytes.to_vec()), streamed: Vec::new() }
    }
}

impl fmt::Debug for CommandText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tag = Tag::at_start(&self.octets);
        let tag = tag.as_ref().map_or("?", Tag::as_str);
        write!(f, "CommandText({tag} {}, {} octets)", printable(verb(&self.octets)), self.octets.len())
    }
}
