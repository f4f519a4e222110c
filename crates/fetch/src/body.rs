//! Octets of a message on their way into the store: line ends made CRLF, dots unstuffed. Pure, and one message at a time.

use delivery::{Alone, Delivery, Intake, Refused};

use crate::error::FetchError;

/// Makes every line end CRLF: clients of IMAP and servers of SMTP know no other. NUL, which a message can't hold
/// (RFC 3501 §9), becomes 0x80 as other servers have it. Everything else passes.
#[derive(Debug, Default)]
pub(crate) struct Newlines {
    after_cr: bool,
}

impl Newlines {
    pub(crate) fn feed(&mut self, octets: &[u8], out: &mut Vec<u8>) {
        for &octet in octets {
            match (std::mem::take(&mut self.after_cr), octet) {
                (true, b'\n') => out.extend_from_slice(b"\r\n"),
                (true, b'\r') => {
                    out.extend_from_slice(b"\r\n");
                    self.after_cr = true;
                }
                (true, other) => {
                    out.extend_from_slice(b"\r\n");
                    out.push(clean(other));
                }
                (false, b'\r') => self.after_cr = true,
                (false, b'\n') => out.extend_from_slice(b"\r\n"),
                (false, other) => out.push(clean(other)),
            }
        }
    }

    pub(crate) fn end(&mut self, out: &mut Vec<u8>) {
        if std::mem::take(&mut self.after_cr) {
            out.extend_from_slice(b"\r\n");
        }
    }
}

fn clean(octet: u8) -> u8 {
    if octet == 0 { 0x80 } else { octet }
}

/// Reads a multi-line answer of POP3 (RFC 1939 §3): removes stuffed dots, finds the line with the dot alone.
#[derive(Debug, Default)]
pub(crate) struct Undot {
    state: DotState,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum DotState {
    #[default]
    LineStart,
    Dot,
    DotCr,
    Line,
}

impl Undot {
    /// Takes octets; with the end, tells how many of them were taken.
    pub(crate) fn feed(&mut self, octets: &[u8], out: &mut Vec<u8>) -> Option<usize> {
        for (at, &octet) in octets.iter().enumerate() {
            self.state = match (self.state, octet) {
                (DotState::LineStart, b'.') => DotState::Dot,
                (DotState::Dot, b'\r') => DotState::DotCr,
                (DotState::Dot | DotState::DotCr, b'\n') => return Some(at.saturating_add(1)),
                (before, octet) => {
                    if before == DotState::DotCr {
                        out.push(b'\r');
                    }
                    out.push(octet);
                    if octet == b'\n' { DotState::LineStart } else { DotState::Line }
                }
            };
        }
        None
    }
}

/// A message on its way in.
pub(crate) struct Body {
    intake: Option<Intake>,
    newlines: Newlines,
    max: u64,
    octets: u64,
}

/// What came of a message.
pub(crate) enum Came {
    /// It is staged.
    Whole(Alone),
    /// It is not taken, for this reason.
    Refused(&'static str),
}

impl Body {
    pub(crate) fn new(delivery: &Delivery) -> Self {
        let max = delivery.settings().message_octets_max;
        Self { intake: Some(delivery.fetched_intake()), newlines: Newlines::default(), max, octets: 0 }
    }

    pub(crate) fn max(&self) -> u64 {
        self.max
    }

    /// Takes octets. Too many of them are an error: the server had said less.
    pub(crate) async fn write(&mut self, octets: &[u8]) -> Result<(), FetchError> {
        let mut out = Vec::with_capacity(octets.len().saturating_add(64));
        self.newlines.feed(octets, &mut out);
        self.push(&out).await
    }

    async fn push(&mut self, octets: &[u8]) -> Result<(), FetchError> {
        self.octets = self.octets.saturating_add(octets.len() as u64);
        if self.octets > self.max {
            self.intake = None;
            return Err(FetchError::TooLarge);
        }
        match &mut self.intake {
            Some(intake) => Ok(intake.write(octets).await?),
            None => Err(FetchError::TooLarge),
        }
    }

    pub(crate) async fn finish(mut self) -> Result<Came, FetchError> {
        let mut out = Vec::new();
        self.newlines.end(&mut out);
        self.push(&out).await?;
        let Some(intake) = self.intake.filter(|_| self.octets > 0) else { return Ok(Came::Refused("it is empty")) };
        match intake.finish_alone().await {
            Ok(alone) => Ok(Came::Whole(alone)),
            // The store will take it another time.
            Err(Refused(reply)) if !reply.is_permanent() => Err(Refused(reply).into()),
            Err(_) => Ok(Came::Refused("it has passed too many servers: a loop")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_ends_become_crlf_however_they_are_cut() {
        let given = b"a\r\nb\nc\rd\r\r\ne\0\r";
        for cut in 0..=given.len() {
            let (mut newlines, mut out) = (Newlines::default(), Vec::new());
            newlines.feed(&given[..cut], &mut out);
            newlines.feed(&given[cut..], &mut out);
            newlines.end(&mut out);
            assert_eq!(out, b"a\r\nb\r\nc\r\nd\r\n\r\ne\x80\r\n", "cut at {cut}");
        }
    }

    #[test]
    fn dots_are_unstuffed_however_they_are_cut() {
        let given = b"a\r\n..b\r\n.\rc\r\n.d\r\n\r\n...\r\n.\r\n+OK next";
        let end = given.len() - b"+OK next".len();
        for cut in 0..=given.len() {
            let (mut undot, mut out) = (Undot::default(), Vec::new());
            let taken = match undot.feed(&given[..cut], &mut out) {
                Some(taken) => taken,
                None => cut + undot.feed(&given[cut..], &mut out).unwrap(),
            };
            assert_eq!((taken, out.as_slice()), (end, &b"a\r\n.b\r\n\rc\r\nd\r\n\r\n..\r\n"[..]), "cut at {cut}");
        }
    }
}
