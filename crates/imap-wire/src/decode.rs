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
    let octets = text.as_bytes();
    let parsed = codec::decode(octets, encoding).unwrap_or_else(|| grammar::decode(octets, encoding));
    parsed.map_err(|flaw| explain(octets, flaw.moved(|at| text.sent_at(at))))
}

#[cfg(test)]
pub(crate) fn decode_bytes(text: &[u8], encoding: NameEncoding) -> Result<Command, Refusal> {
    decode(&CommandText::from(text), encoding)
}

fn explain(text: &[u8], flaw: Flaw) -> Refusal {
    let tag = Tag::at_start(text);
    let verb = if tag.is_some() { verb(text) } else { &[] };
    // An unknown verb is named by the flaw itself.
    let name = if grammar::knows(verb) { printable(&verb.to_ascii_uppercase()) } else { String::new() };
    match name.as_str() {
        "UID" => flaw.refusal(tag, &uid_name(text)),
        name => flaw.refusal(tag, name),
    }
}

/// `UID` and the command behind it, if there is one of that name.
fn uid_name(text: &[u8]) -> String {
    let behind = text.splitn(4, |&b| b == b' ').nth(2).unwrap_or_default();
    let name = format!("UID {}", printable(behind.trim_ascii_end()).to_ascii_uppercase());
    grammar::names().find(|known| *known == name).unwrap_or_else(|| "UID".to_owned())
}

/// The word after the tag.
pub(crate) fn verb(text: &[u8]) -> &[u8] {
    let after_tag = text.iter().position(|&b| b == b' ').and_then(|at| text.get(at + 1..)).unwrap_or_default();
    let end = after_tag.iter().position(|&b| matches!(b, b' ' | b'\r' | b'\n')).unwrap_or(after_tag.len());
    after_tag.get(..end).unwrap_or_default()
}
