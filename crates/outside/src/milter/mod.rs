//! Milters: the filter protocol of Sendmail, version 6 (versions 2 to 6 are spoken), as `libmilter/mfdef.h` and Postfix's MILTER_README
//! describe it.
//!
//! A packet is its length (4 octets, of what follows), an octet that names it, and data. [`codec`] has the packets and [`negotiation`] what is
//! agreed on first, both pure; `macros` what filters are told beside the commands; `client` is one filter's conversation about one message.

mod client;
pub mod codec;
mod macros;
pub mod negotiation;
mod place;

pub(crate) use client::ask;
pub use place::{Place, PlaceFlaw};

use std::time::Duration;

/// The refusal in the words of a filter (`550 5.7.1 No`), made harmless: one line, of ASCII unless the session takes UTF-8. `None`: it is none.
#[must_use]
pub fn refusal(words: &[u8], utf8: bool) -> Option<mail::Reply> {
    crate::text::reply(words, utf8, "Refused by a filter")
}

/// How a milter is spoken to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Milter {
    /// Where it listens.
    pub place: Place,
    /// How long it may take.
    pub patience: Patience,
    /// Octets of one packet's data that may be agreed on: 65,535, 262,143 or 1,048,575.
    pub packet_octets_max: usize,
}

/// How long a milter may take for each step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// For the connection.
    pub connect: Duration,
    /// To answer a command, and what is agreed on first.
    pub command: Duration,
    /// To answer a field or a piece of the body.
    pub content: Duration,
    /// At the end of the message: for each answer. A filter that says that it works on is waited for anew.
    pub end: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        let secs = Duration::from_secs;
        Self { connect: secs(10), command: secs(30), content: secs(60), end: secs(120) }
    }
}
