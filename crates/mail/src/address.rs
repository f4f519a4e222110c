//! `Address`: a mailbox address, local part and domain, as the envelope carries it.

use std::fmt;

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

use crate::domain::{Domain, DomainFlaw};

/// The part before the last `@`, unquoted and as written (RFC 5321 §4.1.2, RFC 6531 §3.3).
///
/// Case is kept for relaying (RFC 5321 §2.4); `canonical` is what local look-ups compare.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LocalPart(String);

impl LocalPart {
    /// The unquoted text, as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Lower case and Unicode NFC: how a local part of ours is compared and stored.
    #[must_use]
    pub fn canonical(&self) -> Self {
        Self(self.0.nfc().collect::<String>().to_lowercase())
    }

    fn is_dot_string(&self) -> bool {
        !self.0.is_empty() && self.0.split('.').all(|atom| !atom.is_empty() && atom.chars().all(is_atext))
    }
}

impl fmt::Display for LocalPart {
    /// Quoted where the grammar demands it, and only there.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_dot_string() {
            return f.write_str(&self.0);
        }
        f.write_str("\"")?;
        for c in self.0.chars() {
            if c == '"' || c == '\\' {
                f.write_str("\\")?;
            }
            write!(f, "{c}")?;
        }
        f.write_str("\"")
    }
}

/// A mailbox address (`Mailbox`, RFC 5321 §4.1.2). Prints in the form that MAIL and RCPT take.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Address {
    local: LocalPart,
    domain: Domain,
}

/// Why a text is no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressFlaw {
    /// No `@` outside quotes.
    #[error("the address has no @ and domain")]
    NoDomain,
    /// Nothing, or empty quotes, before the `@`.
    #[error("the address has nothing before the @")]
    NoLocalPart,
    /// A quoted text before the `@` that is none.
    #[error("the quoted text before the @ is not closed, or has a control character")]
    BadLocalPart,
    /// A character that needs quotes or is not allowed at all.
    #[error("the character {0:?} is not allowed before the @")]
    Character(char),
    /// A dot behind a dot.
    #[error("there are two dots in a row before the @")]
    TwoDots,
    /// A dot at the beginning or at the end of the local part.
    #[error("the part before the @ begins or ends with a dot")]
    OuterDot,
    /// A second `@` outside quotes.
    #[error("there are two @ in the address")]
    TwoAts,
    /// Local part over 64 octets, address over 254 (RFC 5321 §4.5.3.1.1, §4.5.3.1.3).
    #[error("the address is too long")]
    TooLong,
    /// The domain is wrong.
    #[error(transparent)]
    Domain(#[from] DomainFlaw),
}

impl Address {
    /// Parses `local@domain`, quoted local parts and address literals included; no angle brackets.
    ///
    /// # Errors
    /// Tells which rule of RFC 5321 §4.1.2 the text breaks.
    pub fn parse(text: &str) -> Result<Self, AddressFlaw> {
        let (local, rest) = match text.strip_prefix('"') {
            Some(quoted) => quoted_local(quoted)?,
            None => {
                let (local, rest) = text.split_once('@').ok_or(AddressFlaw::NoDomain)?;
                let local = LocalPart(local.to_owned());
                if local.0.is_empty() {
                    return Err(AddressFlaw::NoLocalPart);
                }
                if let Some(flaw) = dot_string_flaw(&local.0) {
                    return Err(flaw);
                }
                if rest.contains('@') {
                    return Err(AddressFlaw::TwoAts);
                }
                (local, rest)
            }
        };
        Self::from_parts(local, Domain::parse(rest)?)
    }

    fn from_parts(local: LocalPart, domain: Domain) -> Result<Self, AddressFlaw> {
        if local.0.is_empty() {
            return Err(AddressFlaw::NoLocalPart);
        }
        if local.0.len() > LOCAL_PART_OCTETS_MAX {
            return Err(AddressFlaw::TooLong);
        }
        Ok(Self { local, domain })
    }

    /// An address from an unquoted local part and a domain.
    ///
    /// # Errors
    /// When the local part is empty, too long, or has a control character.
    pub fn new(local: &str, domain: Domain) -> Result<Self, AddressFlaw> {
        if let Some(control) = local.chars().find(|c| c.is_control()) {
            return Err(AddressFlaw::Character(control));
        }
        Self::from_parts(LocalPart(local.to_owned()), domain)
    }

    /// The part before the `@`.
    #[must_use]
    pub fn local(&self) -> &LocalPart {
        &self.local
    }

    /// The part behind the `@`.
    #[must_use]
    pub fn domain(&self) -> &Domain {
        &self.domain
    }

    /// The form that look-ups compare: canonical local part, normalised domain.
    #[must_use]
    pub fn canonical(&self) -> Self {
        Self { local: self.local.canonical(), domain: self.domain.clone() }
    }

    /// Whether both name the same mailbox as far as this server can tell.
    #[must_use]
    pub fn same_mailbox(&self, other: &Self) -> bool {
        self.domain == other.domain && self.local.canonical() == other.local.canonical()
    }

    /// Whether the address needs SMTPUTF8 to travel (RFC 6531 §3.3).
    #[must_use]
    pub fn needs_smtputf8(&self) -> bool {
        !self.local.0.is_ascii()
    }
}

/// Reads a quoted local part behind its opening quote, up to and with `"@`.
fn quoted_local(text: &str) -> Result<(LocalPart, &str), AddressFlaw> {
    let mut local = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some((_, escaped)) if !escaped.is_control() => local.push(escaped),
                _ => return Err(AddressFlaw::BadLocalPart),
            },
            '"' => {
                let rest = text.get(at + 1..).and_then(|rest| rest.strip_prefix('@'));
                return Ok((LocalPart(local), rest.ok_or(AddressFlaw::NoDomain)?));
            }
            c if c.is_control() => return Err(AddressFlaw::BadLocalPart),
            c => local.push(c),
        }
    }
    Err(AddressFlaw::BadLocalPart)
}

/// What keeps a text from being a `Dot-string` of RFC 5321 §4.1.2; it is not empty.
fn dot_string_flaw(text: &str) -> Option<AddressFlaw> {
    if let Some(wrong) = text.chars().find(|c| *c != '.' && !is_atext(*c)) {
        return Some(AddressFlaw::Character(wrong));
    }
    if text.contains("..") {
        return Some(AddressFlaw::TwoDots);
    }
    (text.starts_with('.') || text.ends_with('.')).then_some(AddressFlaw::OuterDot)
}

/// `atext` of RFC 5322 §3.2.3, with UTF-8 as RFC 6531 §3.3 adds it.
fn is_atext(c: char) -> bool {
    c.is_ascii_alphanumeric()
        || "!#$%&'*+-/=?^_`{|}~".contains(c)
        || (!c.is_ascii() && !c.is_control() && !c.is_whitespace())
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.local, self.domain)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{self}>")
    }
}

impl fmt::Debug for LocalPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LocalPart({self})")
    }
}

impl std::str::FromStr for Address {
    type Err = AddressFlaw;

    fn from_str(text: &str) -> Result<Self, AddressFlaw> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Address {
    type Error = AddressFlaw;

    fn try_from(text: String) -> Result<Self, AddressFlaw> {
        Self::parse(&text)
    }
}

impl From<Address> for String {
    fn from(address: Address) -> Self {
        address.to_string()
    }
}

const LOCAL_PART_OCTETS_MAX: usize = 64; // RFC 5321 §4.5.3.1.1

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_what_it_parsed() {
        for text in [
            "alice@example.org",
            "a.b+c@example.org",
            "\"a@b\"@c.example",
            "\"a b\"@c.example",
            "\"a\\\"b\\\\\"@c.example",
            "x@[192.0.2.1]",
            "x@[IPv6:2001:db8::1]",
            "josé@example.org",
        ] {
            assert_eq!(Address::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Address::parse("\"alice\"@example.org").unwrap().to_string(), "alice@example.org");
    }

    #[test]
    fn quoted_at_stays_in_the_local_part() {
        let address = Address::parse("\"a@b\"@c.example").unwrap();
        assert_eq!(address.local().as_str(), "a@b");
        assert_eq!(address.domain().as_str(), "c.example");
    }

    #[test]
    fn canonical_folds_case_and_composition() {
        let a = Address::parse("Jose\u{301}@Example.org").unwrap();
        let b = Address::parse("JOSÉ@example.ORG").unwrap();
        assert!(a.same_mailbox(&b));
        assert_ne!(a, b);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, expected) in [
            ("a b@c.example", "the character ' ' is not allowed before the @"),
            ("a,b@c.example", "the character ',' is not allowed before the @"),
            ("a..b@c.example", "there are two dots in a row before the @"),
            (".a@c.example", "the part before the @ begins or ends with a dot"),
            ("a@b@c.example", "there are two @ in the address"),
            ("a@c..example", "there are two dots in a row in the domain"),
            ("a@c d.example", "the character ' ' is not allowed in the domain"),
            ("a@.example", "the domain begins with a dot"),
            ("a@-c.example", "a part of the domain begins or ends with a hyphen"),
            ("\"a@c.example", "the quoted text before the @ is not closed, or has a control character"),
        ] {
            assert_eq!(Address::parse(text).unwrap_err().to_string(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for bad in [
            "",
            "a",
            "@b",
            "a@",
            "a b@c",
            "a..b@c",
            ".a@c",
            "a.@c",
            "\"\"@c",
            "\"a@c",
            "\"a\"b@c",
            "a\r\n@c",
            "\"a\r\"@c",
            "a@b@c",
            "<a@b>",
        ] {
            assert!(Address::parse(bad).is_err(), "{bad:?}");
        }
        assert_eq!(Address::parse(&format!("{}@c", "a".repeat(65))), Err(AddressFlaw::TooLong));
    }
}
