//! SMTP replies: code, enhanced code, text (RFC 5321 §4.2, RFC 3463, RFC 2034).

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

/// An enhanced status code, `class.subject.detail` (RFC 3463 §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct EnhancedCode(pub u8, pub u16, pub u16);

impl fmt::Display for EnhancedCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

/// One reply. The text may have several lines (separated by `\n`); it is public and stable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// The three-digit code, 200 to 599.
    pub code: u16,
    /// The enhanced code, where the reply has one (not in greetings, EHLO, 3xx).
    pub enhanced: Option<EnhancedCode>,
    /// What a person reads; `\n` starts a further line.
    pub text: Cow<'static, str>,
}

impl Reply {
    /// A reply with an enhanced code and a fixed text.
    #[must_use]
    pub const fn fixed(code: u16, enhanced: EnhancedCode, text: &'static str) -> Self {
        Self { code, enhanced: Some(enhanced), text: Cow::Borrowed(text) }
    }

    /// A reply without an enhanced code.
    #[must_use]
    pub const fn plain(code: u16, text: &'static str) -> Self {
        Self { code, enhanced: None, text: Cow::Borrowed(text) }
    }

    /// A reply whose text is made at run time. CR and stray controls in it become spaces.
    #[must_use]
    pub fn new(code: u16, enhanced: Option<EnhancedCode>, text: impl Into<String>) -> Self {
        let mut text: String = text.into();
        if text.chars().any(|c| c.is_control() && c != '\n') {
            text = text.chars().map(|c| if c.is_control() && c != '\n' { ' ' } else { c }).collect();
        }
        Self { code, enhanced, text: Cow::Owned(text) }
    }

    /// The same as RFC 6531 §3.7.4.2 wants it where a client has not asked for more than ASCII: what is not becomes `\x{E9}`, the form
    /// that RFC 6533 §3 has for it in addresses.
    #[must_use]
    pub fn in_ascii(&self) -> Cow<'_, Self> {
        if self.text.is_ascii() {
            return Cow::Borrowed(self);
        }
        let mut text = String::with_capacity(self.text.len().saturating_mul(3));
        for c in self.text.chars() {
            if c.is_ascii() {
                text.push(c);
            } else {
                text.push_str(&format!("\\x{{{:02X}}}", u32::from(c)));
            }
        }
        Cow::Owned(Self { text: text.into(), ..*self })
    }

    /// 2xx.
    #[must_use]
    pub fn is_positive(&self) -> bool {
        (200..300).contains(&self.code)
    }

    /// 4xx: try again later.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        (400..500).contains(&self.code)
    }

    /// 5xx: never try again.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        self.code >= 500
    }

    /// Appends the reply as it goes over the wire, each line with code, enhanced code and CRLF (RFC 5321 §4.2.1).
    pub fn write_to(&self, out: &mut Vec<u8>) {
        let last = self.text.split('\n').count() - 1;
        for (n, line) in self.text.split('\n').enumerate() {
            let separator = if n == last { ' ' } else { '-' };
            out.extend_from_slice(format!("{}{separator}", self.code).as_bytes());
            if let Some(enhanced) = self.enhanced {
                out.extend_from_slice(format!("{enhanced} ").as_bytes());
            }
            out.extend_from_slice(line.as_bytes());
            out.extend_from_slice(b"\r\n");
        }
    }
}

impl fmt::Display for Reply {
    /// On one line, as a DSN or a log shows it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.code)?;
        if let Some(enhanced) = self.enhanced {
            write!(f, "{enhanced} ")?;
        }
        f.write_str(&self.text.replace('\n', " "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_carries_the_codes() {
        let reply = Reply::new(550, Some(EnhancedCode(5, 1, 1)), "No such mailbox\nhere");
        let mut wire = Vec::new();
        reply.write_to(&mut wire);
        assert_eq!(wire, b"550-5.1.1 No such mailbox\r\n550 5.1.1 here\r\n");
    }

    #[test]
    fn what_is_not_ascii_has_a_form_in_ascii() {
        let reply = Reply::new(550, Some(EnhancedCode(5, 7, 1)), "jos\u{e9}@e.example\n\u{1f600} no");
        assert_eq!(reply.in_ascii().to_string(), "550 5.7.1 jos\\x{E9}@e.example \\x{1F600} no");
        let plain = Reply::plain(250, "a\\x{E9}");
        assert!(matches!(plain.in_ascii(), Cow::Borrowed(same) if *same == plain));
    }

    #[test]
    fn a_control_character_cannot_add_a_line() {
        let reply = Reply::new(550, None, "a\r\nb\tc");
        let mut wire = Vec::new();
        reply.write_to(&mut wire);
        assert_eq!(wire, b"550-a \r\n550 b c\r\n");
    }
}
