//! What is wrong with a command, where, and how the client is told.

use std::borrow::Cow;
use std::fmt;

use crate::limits::QUOTED_BACK_MAX;
use crate::response::{Code, Condition};
use crate::tag::Tag;

/// A flaw found by a parser, before the command's tag and name are known to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Flaw {
    /// The octet of the command at which parsing stopped, from 0.
    at: Option<usize>,
    text: Cow<'static, str>,
    answer: Answer,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Bad,
    BadLimit,
    NoUseAttr,
    NoCannot,
}

impl Flaw {
    /// Something else was expected at that octet.
    pub(crate) fn at(at: usize, text: impl Into<Cow<'static, str>>) -> Self {
        Self { at: Some(at), text: text.into(), answer: Answer::Bad }
    }

    /// The syntax is right, the meaning is not.
    pub(crate) fn of(text: impl Into<Cow<'static, str>>) -> Self {
        Self { at: None, text: text.into(), answer: Answer::Bad }
    }

    /// More than the server takes.
    pub(crate) fn limit(text: impl Into<Cow<'static, str>>) -> Self {
        Self { at: None, text: text.into(), answer: Answer::BadLimit }
    }

    /// RFC 6154 §3: a special use that the server does not have is a NO with its own code.
    pub(crate) fn use_attr(text: impl Into<Cow<'static, str>>) -> Self {
        Self { at: None, text: text.into(), answer: Answer::NoUseAttr }
    }

    /// Understood, and nothing that this server can do.
    pub(crate) fn cannot(text: impl Into<Cow<'static, str>>) -> Self {
        Self { at: None, text: text.into(), answer: Answer::NoCannot }
    }

    /// The same flaw at another place.
    pub(crate) fn moved(self, to: impl Fn(usize) -> usize) -> Self {
        Self { at: self.at.map(to), ..self }
    }

    /// The answer to the client.
    pub(crate) fn refusal(self, tag: Option<Tag>, verb: &str) -> Refusal {
        let mut text = String::new();
        if !verb.is_empty() {
            text.push_str(verb);
            text.push_str(": ");
        }
        text.push_str(&self.text);
        if let Some(at) = self.at {
            // People count from 1.
            text.push_str(&format!(" at octet {}", at.saturating_add(1)));
        }
        let (condition, code) = match self.answer {
            Answer::Bad => (Condition::Bad, Some(Code::ClientBug)),
            Answer::BadLimit => (Condition::Bad, Some(Code::Limit)),
            Answer::NoCannot => (Condition::No, Some(Code::Cannot)),
            Answer::NoUseAttr => (Condition::No, Some(Code::UseAttr)),
        };
        Refusal { tag, condition, code, text }
    }
}

/// A command that was not understood: the answer is `tag BAD [code] text`, or `* BAD [code] text` when there is no tag to be
/// read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The command's tag, when it can be read.
    pub tag: Option<Tag>,
    /// Nearly always BAD.
    pub condition: Condition,
    /// A response code: CLIENTBUG, or LIMIT where a bound of the server was met (RFC 5530 §3), unless another RFC gives its own.
    pub code: Option<Code>,
    /// What is wrong and where, in English, in ASCII on one line.
    pub text: String,
}

impl Refusal {
    /// Appends the answer.
    pub fn write(&self, out: &mut Vec<u8>) {
        match &self.tag {
            Some(tag) => crate::response::tagged(out, tag, self.condition, self.code.as_ref(), &self.text),
            None => crate::response::untagged(out, self.condition, self.code.as_ref(), &self.text),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// What a client sent, fit to be repeated in an answer or a log: short, printable ASCII.
pub(crate) fn printable(bytes: &[u8]) -> String {
    let mut text: String = bytes
        .iter()
        .take(QUOTED_BACK_MAX)
        .map(|&b| if matches!(b, b'!'..=b'~') && b != b'"' { char::from(b) } else { '?' })
        .collect();
    if bytes.len() > QUOTED_BACK_MAX {
        text.push_str("...");
    }
    text
}
