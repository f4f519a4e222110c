//! Framing: finds commands, lines and message literals in what a connection receives, with any cut (RFC 3501 §2.2, §4.3, RFC 7888).
//!
//! The caller keeps its read buffer and hands a slice to [`Framer::next`] until that gives `None`; message literals come out
//! as slices of that same buffer and are never collected. STARTTLS: whoever answers it throws its own buffer away, for
//! the framer holds nothing between commands ([`Framer::reset`] makes sure).
//!
//! Invariants:
//! - Only CRLF ends a line. What is wrong is answered once, and then skipped up to where the client's next command must begin.
//! - No octet of a literal is ever read as a command, no octet of a command as a literal; where that cannot be
//!   guaranteed within [`FrameLimits::swallow_max`] octets, the connection is to be closed.
//! - Between commands no memory is held.

mod announce;
mod frame;
mod skip;
#[cfg(test)]
mod tests;

pub use frame::{AfterRefusal, Announcement, CommandText, Frame, FrameLimits};

use announce::{Announced, Literal};
use memchr::{memchr, memchr3};

use crate::checks;
use crate::command::Ticket;
use crate::decode::verb;
use crate::flaw::{Refusal, printable};
use crate::grammar;
use crate::limits;
use crate::mailbox_name::NameEncoding;
use crate::response::{Code, Condition};
use crate::secret::Secret;
use crate::tag::Tag;

/// Cuts a connection's input into frames. See the module's documentation for the contract.
#[derive(Debug)]
pub struct Framer {
    limits: FrameLimits,
    encoding: NameEncoding,
    state: State,
    /// The command so far: lines with their CRLF, inline literals, tickets. Or, while discarding, the end of the line.
    text: CommandText,
    /// Where the current line begins in `text`.
    line_start: usize,
    /// The last octet read was a CR, not yet in `text`.
    after_cr: bool,
    /// The next frame is [`Frame::Continue`].
    continue_due: bool,
    /// Octets thrown away since the command was refused.
    swallowed: u64,
    swallowed_literals: u64,
    next_ticket: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// In a line of a command.
    Command,
    /// In a line that is no command: a SASL response, DONE.
    Line,
    /// In a literal that is kept.
    Inline { left: u64 },
    /// A message literal was announced; the caller has not answered yet.
    Undecided(Literal),
    /// In a message literal on its way to the caller.
    Message { left: u64, ticket: Ticket, binary: bool, nul: bool },
    /// In a line of a refused command; `text` holds the line's end only.
    Discard { truncated: bool },
    /// In a non-synchronising literal of a refused command.
    Swallow { left: u64 },
    /// Out of step for good.
    Dead,
}

impl Framer {
    /// A framer at the start of a connection.
    pub fn new(limits: FrameLimits) -> Self {
        Self {
            limits,
            encoding: NameEncoding::default(),
            state: State::Command,
            text: CommandText::default(),
            line_start: 0,
            after_cr: false,
            continue_due: false,
            swallowed: 0,
            swallowed_literals: 0,
            next_ticket: 0,
        }
    }

    /// Other limits from the next command on: [`FrameLimits::LOGGED_IN`] after a login.
    pub fn set_limits(&mut self, limits: FrameLimits) {
        self.limits = limits;
    }

    /// How mailbox names in announcements are to be read.
    pub fn set_encoding(&mut self, encoding: NameEncoding) {
        self.encoding = encoding;
    }

    /// The next line is not a command: a SASL response after AUTHENTICATE, DONE after IDLE. It comes as [`Frame::Line`];
    /// the one after it is a command again. Call it right after the command's frame, before the next `next`.
    pub fn expect_line(&mut self) {
        debug_assert!(self.state == State::Command && self.text.is_empty(), "only between commands");
        self.state = State::Line;
    }

    /// Forgets everything: for STARTTLS, where whatever was sent in clear behind the command must not count.
    pub fn reset(&mut self) {
        *self = Self { next_ticket: self.next_ticket, encoding: self.encoding, ..Self::new(self.limits) };
    }

    /// Whether the client is in the middle of something, so that a disconnect or timeout cuts it off.
    pub fn is_idle(&self) -> bool {
        matches!(self.state, State::Command | State::Line)
            && self.text.is_empty()
            && !self.after_cr
            && !self.continue_due
    }

    /// How many octets of memory it holds.
    pub fn memory(&self) -> usize {
        self.text.capacity()
    }

    /// Takes octets from the front of `input` up to the end of the next frame. `None`: all is taken, more is needed; or an
    /// announcement waits for [`Framer::accept`] or [`Framer::refuse`], or the connection is to be closed, and nothing is taken.
    pub fn next<'a>(&mut self, input: &mut &'a [u8]) -> Option<Frame<'a>> {
        if std::mem::take(&mut self.continue_due) {
            return Some(Frame::Continue);
        }
        loop {
            let step = match self.state {
                State::Undecided(_) | State::Dead => return None,
                State::Command | State::Line => self.read_line(input),
                State::Inline { left } => self.read_inline(input, left),
                State::Message { left, ticket, binary, nul } => {
                    return self.read_message(input, left, ticket, binary, nul);
                }
                State::Discard { truncated } => self.discard_line(input, truncated),
                State::Swallow { left } => self.swallow(input, left),
            };
            match step {
                Step::Frame(frame) => return Some(frame),
                Step::Again => {}
                Step::NeedMore => return None,
            }
        }
    }

    /// The announced message is welcome: the next frame asks the client to go on, if it waits; then the chunks come.
    /// Returns the ticket under which the command will name it.
    pub fn accept(&mut self) -> Option<Ticket> {
        let State::Undecided(literal) = self.state else { return None };
        let ticket = Ticket::new(self.next_ticket);
        self.next_ticket = self.next_ticket.wrapping_add(1);
        // In the text the ticket takes the place of the message: `~{8}`, CRLF, eight octets.
        let announced = self.text.len().saturating_sub(self.line_start.saturating_add(literal.line_prefix));
        self.text.truncate(self.line_start.saturating_add(literal.line_prefix));
        self.text.extend(b"~{8}\r\n");
        self.text.extend(&ticket.to_bytes());
        // The announcement, its CRLF and the message came; fourteen octets stand there.
        let more = i64::try_from(literal.size).unwrap_or(i64::MAX).saturating_add(announced as i64).saturating_sub(12);
        self.text.streamed(more);
        self.line_start = self.text.len();
        self.continue_due = literal.sync;
        self.state = State::Message { left: literal.size, ticket, binary: literal.binary, nul: false };
        Some(ticket)
    }

    /// The announced message is not wanted; the caller has answered or will answer the command with NO or BAD.
    pub fn refuse(&mut self) -> AfterRefusal {
        let State::Undecided(literal) = self.state else { return AfterRefusal::GoOn };
        (self.swallowed, self.swallowed_literals) = (0, 0);
        if self.skip_refused(literal) { AfterRefusal::GoOn } else { AfterRefusal::Close }
    }

    fn release(&mut self) {
        self.text = CommandText::default();
        self.line_start = 0;
        self.after_cr = false;
    }

    fn read_line<'a>(&mut self, input: &mut &'a [u8]) -> Step<'a> {
        if self.after_cr {
            let Some(&next) = input.first() else { return Step::NeedMore };
            self.after_cr = false;
            if next != b'\n' {
                return self.wrong(b"\r", Code::ClientBug, "a bare CR is in the line; only CRLF ends it");
            }
            *input = rest(input, 1);
            return self.end_of_line();
        }
        let stop = memchr3(b'\r', b'\n', 0, input);
        let (line, after) = input.split_at_checked(stop.unwrap_or(input.len())).unwrap_or((input, &[]));
        // The bound that is met first speaks, however much comes at once.
        let line_room = self.limits.line_max.saturating_sub(self.text.len() - self.line_start);
        let command_room = self.limits.command_max.saturating_sub(self.text.len());
        if line.len() > line_room.min(command_room) {
            let text = if line_room <= command_room { "the line is too long" } else { "the command is too long" };
            return self.too_long(input, line_room.min(command_room), text);
        }
        self.text.extend(line);
        *input = after;
        match input.first() {
            None => Step::NeedMore,
            Some(b'\r') => {
                *input = rest(input, 1);
                self.after_cr = true;
                Step::Again
            }
            Some(b'\n') => {
                *input = rest(input, 1);
                self.wrong(b"\n", Code::ClientBug, "a bare LF is in the line; only CRLF ends it")
            }
            Some(_) => {
                *input = rest(input, 1);
                self.wrong(b"\0", Code::ClientBug, "a NUL is in the line")
            }
        }
    }

    fn end_of_line<'a>(&mut self) -> Step<'a> {
        if self.state == State::Line {
            let line = std::mem::take(&mut self.text).into_bytes();
            self.release();
            self.state = State::Command;
            return Step::Frame(Frame::Line(Secret::new(line)));
        }
        let announced = announce::at_end(self.text.as_bytes().get(self.line_start..).unwrap_or_default(), false);
        match announced {
            Announced::Nothing => {
                self.text.extend(b"\r\n");
                let text = std::mem::take(&mut self.text);
                self.release();
                Step::Frame(Frame::Command(text))
            }
            Announced::Absurd { sync } => self.absurd(sync),
            Announced::Literal(literal) => self.literal(literal),
        }
    }

    fn literal<'a>(&mut self, literal: Literal) -> Step<'a> {
        if self.is_message(literal) {
            self.state = State::Undecided(literal);
            return Step::Frame(Frame::Announced(self.announcement(literal)));
        }
        let room = self.limits.command_max.saturating_sub(self.text.len());
        if literal.size > self.limits.inline_literal_max || literal.size > room as u64 {
            let text = format!("a literal of {} octets is too long here", literal.size);
            let mut refusal = self.refusal(Code::TooBig, text);
            if verb(self.text.as_bytes()).eq_ignore_ascii_case(b"SETMETADATA") {
                // RFC 5464 §4.3: too large a value is a NO with its own code.
                refusal.condition = Condition::No;
                refusal.code = Some(Code::MetadataMaxSize(limits::ENTRY_VALUE_MAX));
            }
            (self.swallowed, self.swallowed_literals) = (0, 0);
            let close = !self.skip_refused(literal);
            return Step::Frame(Frame::Misbehaviour { refusal, close });
        }
        self.text.extend(b"\r\n");
        self.state = State::Inline { left: literal.size };
        if literal.sync { Step::Frame(Frame::Continue) } else { Step::Again }
    }

    /// Whether the literal that ends the current line is a message or a part of one: in APPEND and REPLACE, everything after the
    /// mailbox's name but URLs.
    fn is_message(&self, literal: Literal) -> bool {
        let text = self.text.as_bytes();
        let before = text.get(..self.line_start.saturating_add(literal.line_prefix)).unwrap_or_default();
        grammar::append_target(before).is_some() && !grammar::is_url(before)
    }

    fn announcement(&self, literal: Literal) -> Announcement {
        let mailbox =
            grammar::append_target(self.text.as_bytes()).and_then(|wire| checks::mailbox(&wire, self.encoding).ok());
        Announcement {
            tag: Tag::at_start(self.text.as_bytes()),
            verb: printable(&verb(self.text.as_bytes()).to_ascii_uppercase()),
            mailbox,
            size: literal.size,
            sync: literal.sync,
            binary: literal.binary,
        }
    }

    fn absurd<'a>(&mut self, sync: bool) -> Step<'a> {
        let refusal = self.refusal(Code::ClientBug, "the literal's length is not a number of 63 bits".to_owned());
        self.release();
        self.state = if sync { State::Command } else { State::Dead };
        Step::Frame(Frame::Misbehaviour { refusal, close: !sync })
    }

    fn refusal(&self, code: Code, text: String) -> Refusal {
        Refusal { tag: Tag::at_start(self.text.as_bytes()), condition: Condition::Bad, code: Some(code), text }
    }

    fn read_inline<'a>(&mut self, input: &mut &'a [u8], left: u64) -> Step<'a> {
        let taken = take(input, left);
        // A NUL in a plain literal is refused by the parsers, which can say where it is.
        self.text.extend(taken);
        let left = left - taken.len() as u64;
        if left > 0 {
            self.state = State::Inline { left };
            return Step::NeedMore;
        }
        self.line_start = self.text.len();
        self.state = State::Command;
        Step::Again
    }

    fn read_message<'a>(
        &mut self,
        input: &mut &'a [u8],
        left: u64,
        ticket: Ticket,
        binary: bool,
        nul: bool,
    ) -> Option<Frame<'a>> {
        if left == 0 {
            self.state = State::Command;
            return Some(Frame::MessageEnd { ticket, nul });
        }
        let chunk = take(input, left);
        if chunk.is_empty() {
            return None;
        }
        let nul = nul || (!binary && memchr(0, chunk).is_some());
        self.state = State::Message { left: left - chunk.len() as u64, ticket, binary, nul };
        Some(Frame::Chunk(chunk))
    }
}

enum Step<'a> {
    Frame(Frame<'a>),
    Again,
    NeedMore,
}

/// All but the first `n` octets.
fn rest(input: &[u8], n: usize) -> &[u8] {
    input.get(n..).unwrap_or_default()
}

/// Takes up to `left` octets from the front.
fn take<'a>(input: &mut &'a [u8], left: u64) -> &'a [u8] {
    let n = usize::try_from(left).map_or(input.len(), |left| left.min(input.len()));
    let (taken, after) = input.split_at_checked(n).unwrap_or((input, &[]));
    *input = after;
    taken
}
