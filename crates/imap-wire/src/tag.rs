//! The tag of a command (RFC 3501 §2.2.1), recovered whenever it can be read.

use std::fmt;

use crate::chars::is_tag_char;

/// The tag that a client put in front of a command and that the tagged response repeats.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Tag(Box<str>);

impl Tag {
    /// A tag, when the bytes may be one (RFC 3501 §9 `tag`).
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let valid = !bytes.is_empty() && bytes.len() <= TAG_MAX && bytes.iter().copied().all(is_tag_char);
        let text = valid.then(|| str::from_utf8(bytes).ok())??;
        Some(Self(text.into()))
    }

    /// The tag at the start of a command, when it can be read. It ends at the first space or at the end of the line.
    pub fn at_start(command: &[u8]) -> Option<Self> {
        let end = command.iter().position(|&b| b == b' ' || b == b'\r' || b == b'\n').unwrap_or(command.len());
        Self::new(command.get(..end)?)
    }

    /// The tag as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tag({})", self.0)
    }
}

/// No client needs a longer one; it would be sent back in every answer.
const TAG_MAX: usize = 255;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_read_where_they_are_readable() {
        assert_eq!(Tag::at_start(b"a1 NOOP\r\n").unwrap().as_str(), "a1");
        assert_eq!(Tag::at_start(b"a1").unwrap().as_str(), "a1");
        assert_eq!(Tag::at_start(b"a]b x").unwrap().as_str(), "a]b");
        for bad in [&b""[..], b" NOOP", b"+ NOOP", b"a+ x", b"(a x", b"\r\n", b"\xc3\xa9 x"] {
            assert_eq!(Tag::at_start(bad), None, "{bad:?}");
        }
    }
}
