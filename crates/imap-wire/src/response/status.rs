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
    tagged_in(out, tag, condition, code, text, TextCharset::Ascii);
}

/// As [`tagged`], with a say in what texts are made of.
pub fn tagged_in(
    out: &mut Vec<u8>,
    tag: &Tag,
    condition: Condition,
    code: Option<&Code>,
    text: &str,
    charset: TextCharset,
) {
    // A tag was checked when it was read, by the same rules.
    let tag = CodecTag::unvalidated(tag.as_str());
    let text = text_in(text, charset);
    let body = StatusBody { kind: condition.to_codec(), code: code.and_then(Code::to_codec), text };
    encode(out, &Response::Status(Status::Tagged(Tagged { tag, body })));
}

/// `* OK [code] text`
pub fn untagged(out: &mut Vec<u8>, condition: Condition, code: Option<&Code>, text: &str) {
    untagged_in(out, condition, code, text, TextCharset::Ascii);
}

/// As [`untagged`], with a say in what texts are made of.
pub fn untagged_in(out: &mut Vec<u8>, condition: Condition, code: Option<&Code>, text: &str, charset: TextCharset) {
    let text = text_in(text, charset);
    let body = StatusBody { kind: condition.to_codec(), code: code.and_then(Code::to_codec), text };
    encode(out, &Response::Status(Status::Untagged(body)));
}

/// `* BYE [code] text`: the connection ends (also as a greeting, RFC 3501 §7.1.5).
pub fn bye(out: &mut Vec<u8>, code: Option<&Code>, text: &str) {
    bye_in(out, code, text, TextCharset::Ascii);
}

/// As [`bye`], with a say in what texts are made of.
pub fn bye_in(out: &mut Vec<u8>, code: Option<&Code>, text: &str, charset: TextCharset) {
    let bye = Bye { code: code.and_then(Code::to_codec), text: text_in(text, charset) };
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

/// What texts for people are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextCharset {
    /// RFC 3501 §9.
    Ascii,
    /// RFC 5255 §3.2: for who has chosen a language.
    Utf8,
}

fn text_of(text: &str) -> Text<'_> {
    text_in(text, TextCharset::Ascii)
}

/// `text` of RFC 3501 §9: not empty, one line. What does not fit becomes `?`; a leading bracket would read as a code.
fn text_in(text: &str, charset: TextCharset) -> Text<'_> {
    let plain = |c: char| matches!(c, ' '..='~') || (charset == TextCharset::Utf8 && !c.is_control());
    let text: Cow<'_, str> = match text {
        "" => Cow::Borrowed("."),
        text if text.chars().all(plain) => Cow::Borrowed(text),
        text => Cow::Owned(text.chars().map(|c| if plain(c) { c } else { '?' }).collect()),
    };
    let text = if text.starts_with('[') { Cow::Owned(format!("- {text}")) } else { text };
    Text::unvalidated(text)
}
