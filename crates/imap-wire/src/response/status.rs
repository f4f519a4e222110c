//! Status responses, the greeting and continuation requests (RFC 3501 §7.1, §7.5).

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use imap_codec::GreetingCodec;
use imap_codec::encode::Encoder;
use imap_codec::imap_types::core::{Tag as CodecTag, Text};
use imap_codec::imap_types::response::{Bye, Greeting, GreetingKind, Response, Status, StatusBody, StatusKind, Tagged};

use super::{Code, encode};
use crate::tag::Tag;

/// How a command ended, or what an untagged status means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// Done.
    Ok,
    /// Understood, but not done.
    No,
    /// Not understood.
    Bad,
}

impl Condition {
    const fn to_codec(self) -> StatusKind {
        match self {
            Self::Ok => StatusKind::Ok,
            Self::No => StatusKind::No,
            Self::Bad => StatusKind::Bad,
        }
    }
}

/// The first line: `* OK [CAPABILITY …] text`.
pub fn greeting(out: &mut Vec<u8>, code: Option<&Code>, text: &str) {
    let greeting = Greeting { kind: GreetingKind::Ok, code: code.and_then(Code::to_codec), text: text_of(text) };
    out.extend_from_slice(&GreetingCodec::default().encode(&greeting).dump());
}

/// The last line of a command: `tag OK [code] text`.
pub fn tagged(out: &mut Vec<u8>, tag: &Tag, condition: Condition, code: Option<&Code>, text: &str) {
    // A tag was checked when it was read, by the same rules.
    let tag = CodecTag::unvalidated(tag.as_str());
    let body = StatusBody { kind: condition.to_codec(), code: code.and_then(Code::to_codec), text: text_of(text) };
    encode(out, &Response::Status(Status::Tagged(Tagged { tag, body })));
}

/// `* OK [code] text`
pub fn untagged(out: &mut Vec<u8>, condition: Condition, code: Option<&Code>, text: &str) {
    let body = StatusBody { kind: condition.to_codec(), code: code.and_then(Code::to_codec), text: text_of(text) };
    encode(out, &Response::Status(Status::Untagged(body)));
}

/// `* BYE [code] text`: the connection ends (also as a greeting, RFC 3501 §7.1.5).
pub fn bye(out: &mut Vec<u8>, code: Option<&Code>, text: &str) {
    let bye = Bye { code: code.and_then(Code::to_codec), text: text_of(text) };
    encode(out, &Response::Status(Status::Bye(bye)));
}

/// `+ text`: go on with the literal, or IDLE has begun.
pub fn continuation(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(b"+ ");
    out.extend_from_slice(text_of(text).as_ref().as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// `+ base64`: a SASL challenge, often empty (RFC 3501 §6.2.2).
pub fn challenge(out: &mut Vec<u8>, data: &[u8]) {
    out.extend_from_slice(b"+ ");
    out.extend_from_slice(STANDARD.encode(data).as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// `text` of RFC 3501 §9: not empty, ASCII, one line. What does not fit becomes `?`; a leading bracket would read as a code.
fn text_of(text: &str) -> Text<'_> {
    let plain = |c: char| matches!(c, ' '..='~');
    let text: Cow<'_, str> = match text {
        "" => Cow::Borrowed("."),
        text if text.chars().all(plain) => Cow::Borrowed(text),
        text => Cow::Owned(text.chars().map(|c| if plain(c) { c } else { '?' }).collect()),
    };
    let text = if text.starts_with('[') { Cow::Owned(format!("- {text}")) } else { text };
    Text::unvalidated(text)
}
