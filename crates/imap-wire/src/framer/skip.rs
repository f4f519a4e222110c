//! Refused input: how the framer gets from something wrong to where the client's next command must begin.
//!
//! Lines of the refused command are read to their end, their non-synchronising literals too; a synchronising one ends it, for
//! its client waits for an answer and has one. All of it is counted against [`super::FrameLimits::swallow_max`]
//! and [`super::FrameLimits::swallow_literals_max`].

use memchr::memchr;

use super::announce::{self, Announced, Literal};
use super::{CommandText, Frame, Framer, State, Step, rest, take};
use crate::flaw::Refusal;
use crate::response::{Code, Condition};

impl Framer {
    /// What is said must not depend on the cuts: takes what fits, then speaks.
    pub(super) fn too_long<'a>(&mut self, input: &mut &'a [u8], fits: usize, text: &'static str) -> Step<'a> {
        self.text.extend(input.get(..fits).unwrap_or(input));
        *input = rest(input, fits);
        self.wrong(b"", Code::Limit, text)
    }

    /// Something is wrong within a line: say so, then skip to the end of the command. The octet at fault stays part of the line.
    pub(super) fn wrong<'a>(&mut self, octet: &[u8], code: Code, text: &'static str) -> Step<'a> {
        // A line that is no command has no tag; its session knows that of the command which waits for it.
        let was_line = self.state == State::Line;
        let mut refusal = self.refusal(code, text.to_owned());
        refusal.tag = refusal.tag.filter(|_| !was_line);
        self.text.extend(octet);
        let line = self.text.as_bytes().get(self.line_start..).unwrap_or_default();
        let truncated = line.len() > announce::TAIL;
        let tail = CommandText::from(announce::tail(line));
        self.release();
        // The line's end is looked at for an announcement; the beginning no longer matters.
        self.text = tail;
        (self.swallowed, self.swallowed_literals) = (0, 0);
        self.state = State::Discard { truncated };
        if was_line {
            Step::Frame(Frame::BadLine(refusal))
        } else {
            Step::Frame(Frame::Misbehaviour { refusal, close: false })
        }
    }

    /// A refused literal: a client that waits for leave has ended its command (RFC 3501 §7.5); one that does not is sending already.
    /// False when that is more than is worth reading.
    pub(super) fn skip_refused(&mut self, literal: Literal) -> bool {
        self.release();
        if literal.sync {
            self.state = State::Command;
            return true;
        }
        self.state = State::Swallow { left: literal.size };
        self.swallowed_literals = self.swallowed_literals.saturating_add(literal.size);
        self.is_worth(self.swallowed_literals <= self.limits.swallow_literals_max)
    }

    /// False, and dead, when more was thrown away than is worth it.
    fn count_swallowed(&mut self, octets: u64) -> bool {
        self.swallowed = self.swallowed.saturating_add(octets);
        self.is_worth(self.swallowed <= self.limits.swallow_max)
    }

    fn is_worth(&mut self, is: bool) -> bool {
        if !is {
            self.release();
            self.state = State::Dead;
        }
        is
    }

    pub(super) fn discard_line<'a>(&mut self, input: &mut &'a [u8], mut truncated: bool) -> Step<'a> {
        if self.after_cr {
            let Some(&next) = input.first() else { return Step::NeedMore };
            self.after_cr = false;
            if next == b'\n' {
                *input = rest(input, 1);
                return self.end_of_discarded_line(truncated);
            }
            self.text.extend(b"\r");
        }
        let stop = memchr(b'\r', input);
        let line = input.get(..stop.unwrap_or(input.len())).unwrap_or_default();
        if !self.count_swallowed(line.len() as u64) {
            return self.gave_up();
        }
        self.text.extend(announce::tail(line));
        let excess = self.text.len().saturating_sub(announce::TAIL);
        if excess > 0 || line.len() > announce::TAIL {
            truncated = true;
            self.text.drop_front(excess);
        }
        self.state = State::Discard { truncated };
        *input = rest(input, line.len());
        if stop.is_none() {
            return Step::NeedMore;
        }
        *input = rest(input, 1);
        self.after_cr = true;
        Step::Again
    }

    fn end_of_discarded_line<'a>(&mut self, truncated: bool) -> Step<'a> {
        let announced = announce::at_end(self.text.as_bytes(), truncated);
        match announced {
            // A client that waits for leave has its answer already.
            Announced::Nothing | Announced::Absurd { sync: true } => {
                self.release();
                self.state = State::Command;
                Step::Again
            }
            Announced::Literal(literal) if self.skip_refused(literal) => Step::Again,
            Announced::Literal(_) => self.gave_up(),
            Announced::Absurd { sync: false } => {
                self.release();
                self.state = State::Dead;
                self.gave_up()
            }
        }
    }

    fn gave_up<'a>(&self) -> Step<'a> {
        let text = "too much follows a command that was refused".to_owned();
        let refusal = Refusal { tag: None, condition: Condition::Bad, code: Some(Code::Limit), text };
        Step::Frame(Frame::Misbehaviour { refusal, close: true })
    }

    pub(super) fn swallow<'a>(&mut self, input: &mut &'a [u8], left: u64) -> Step<'a> {
        let taken = take(input, left);
        let left = left - taken.len() as u64;
        if left > 0 {
            self.state = State::Swallow { left };
            return Step::NeedMore;
        }
        self.state = State::Discard { truncated: false };
        Step::Again
    }
}
