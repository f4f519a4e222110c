//! From the text of a whole command to a [`Command`]: imap-codec first, our grammar for what it does not know.
//!
//! Invariant: pure and total; whatever the text, the result is a command or a refusal that says what is wrong.

#[cfg(test)]
mod tests;

use crate::codec;
use crate::command::Command;
use crate::flaw::{Flaw, Refusal, printable};
use crate::framer::CommandText;
use crate::grammar;
use crate::mailbox_name::NameEncoding;
use crate::tag::Tag;

/// Parses one whole command as the framer delivered it.
pub fn decode(text: &CommandText, encoding: NameEncoding) -> Result<Command, Refusal> {
    decode_bytes(text.as_bytes(), encoding)
}

pub(crate) fn decode_bytes(text: &[u8], encoding: NameEncoding) -> Result<Command, Refusal> {
    let parsed = codec::decode(text, encoding).unwrap_or_else(|| grammar::decode(text, encoding));
    parsed.map_err(|flaw| explain(text, flaw))
}

fn explain(text: &[u8], flaw: Flaw) -> Refusal {
    let tag = Tag::at_start(text);
    let verb = if tag.is_some() { verb(text) } else { &[] };
    // An unknown verb is named by the flaw itself.
    let name = if grammar::knows(verb) { printable(&verb.to_ascii_uppercase()) } else { String::new() };
    flaw.refusal(tag, &name)
}

/// The word after the tag.
pub(crate) fn verb(text: &[u8]) -> &[u8] {
    let after_tag = text.iter().position(|&b| b == b' ').and_then(|at| text.get(at + 1..)).unwrap_or_default();
    let end = after_tag.iter().position(|&b| matches!(b, b' ' | b'\r' | b'\n')).unwrap_or(after_tag.len());
    after_tag.get(..end).unwrap_or_default()
}
