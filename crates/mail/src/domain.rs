//! `Domain`: the part behind the last `@`, normalised so that equality means "the same place".

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

/// A domain name (lower case, A-labels) or an address literal (RFC 5321 §4.1.2, §4.1.3).
///
/// `Café.Example` and `xn--caf-dma.example` are equal; an address literal keeps its brackets in print.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Domain(String);

/// Why a text is no domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DomainFlaw {
    /// No characters at all.
    #[error("the domain is empty")]
    Empty,
    /// Over 255 octets, or a label over 63 (RFC 5321 §4.5.3.1.2, RFC 1035 §2.3.4).
    #[error("the domain is too long")]
    TooLong,
    /// A character or a place of one that no domain has.
    #[error("the domain has a character that is not allowed there")]
    BadCharacter,
    /// The first character that no domain has.
    #[error("the character {0:?} is not allowed in the domain")]
    Character(char),
    /// A dot behind a dot.
    #[error("there are two dots in a row in the domain")]
    TwoDots,
    /// A dot at the beginning.
    #[error("the domain begins with a dot")]
    OuterDot,
    /// A hyphen at an end of a label.
    #[error("a part of the domain begins or ends with a hyphen")]
    OuterHyphen,
    /// Brackets around something that is no IP address.
    #[error("the address literal is no IP address")]
    BadLiteral,
}

impl Domain {
    /// Parses and normalises a domain or address literal. A final dot is dropped.
    ///
    /// # Errors
    /// Tells which rule of RFC 5321 §4.1.2 the text breaks.
    pub fn parse(text: &str) -> Result<Self, DomainFlaw> {
        if let Some(inner) = text.strip_prefix('[') {
            let inner = inner.strip_suffix(']').ok_or(DomainFlaw::BadLiteral)?;
            return Self::from_literal(inner);
        }
        let text = text.strip_suffix('.').unwrap_or(text);
        if text.is_empty() {
            return Err(DomainFlaw::Empty);
        }
        if text.len() > 1020 {
            return Err(DomainFlaw::TooLong);
        }
        let ascii = if text.is_ascii() {
            text.to_ascii_lowercase()
        } else {
            idna::domain_to_ascii_strict(text).map_err(|_| DomainFlaw::BadCharacter)?
        };
        if ascii.len() > 253 {
            return Err(DomainFlaw::TooLong);
        }
        for label in ascii.split('.') {
            if label.len() > 63 {
                return Err(DomainFlaw::TooLong);
            }
            let good = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
            if let Some(wrong) = label.chars().find(|c| !good(*c)) {
                return Err(DomainFlaw::Character(wrong));
            }
            if label.is_empty() {
                return Err(if ascii.contains("..") { DomainFlaw::TwoDots } else { DomainFlaw::OuterDot });
            }
            if label.starts_with('-') || label.ends_with('-') {
                return Err(DomainFlaw::OuterHyphen);
            }
        }
        Ok(Self(ascii))
    }

    fn from_literal(inner: &str) -> Result<Self, DomainFlaw> {
        let lower = inner.to_ascii_lowercase();
        let ip: IpAddr = match lower.strip_prefix("ipv6:") {
            Some(v6) => v6.parse::<Ipv6Addr>().map_err(|_| DomainFlaw::BadLiteral)?.into(),
            None => lower.parse::<Ipv4Addr>().map_err(|_| DomainFlaw::BadLiteral)?.into(),
        };
        Ok(Self::literal(ip))
    }

    /// The address literal of an IP address, as `[192.0.2.1]` or `[IPv6:2001:db8::1]`.
    #[must_use]
    pub fn literal(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(v4) => Self(format!("[{v4}]")),
            IpAddr::V6(v6) => Self(format!("[IPv6:{v6}]")),
        }
    }

    /// The IP address, when this is an address literal.
    #[must_use]
    pub fn as_literal(&self) -> Option<IpAddr> {
        let inner = self.0.strip_prefix('[')?.strip_suffix(']')?;
        match inner.strip_prefix("IPv6:") {
            Some(v6) => v6.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
            None => inner.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
        }
    }

    /// The normalised text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Domain({})", self.0)
    }
}

impl TryFrom<String> for Domain {
    type Error = DomainFlaw;

    fn try_from(text: String) -> Result<Self, DomainFlaw> {
        Self::parse(&text)
    }
}

impl From<Domain> for String {
    fn from(domain: Domain) -> Self {
        domain.0
    }
}

impl std::str::FromStr for Domain {
    type Err = DomainFlaw;

    fn from_str(text: &str) -> Result<Self, DomainFlaw> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_place_is_equal() {
        let same = |a: &str, b: &str| assert_eq!(Domain::parse(a), Domain::parse(b), "{a} {b}");
        same("Example.ORG", "example.org");
        same("example.org.", "example.org");
        same("Café.example", "xn--caf-dma.example");
        same("[ipv6:2001:DB8:0::1]", "[IPv6:2001:db8::1]");
    }

    #[test]
    fn literals_keep_their_address() {
        let ip: IpAddr = "192.0.2.7".parse().unwrap();
        assert_eq!(Domain::parse("[192.0.2.7]").unwrap().as_literal(), Some(ip));
        assert_eq!(Domain::parse("example.org").unwrap().as_literal(), None);
    }

    #[test]
    fn what_is_no_domain_is_refused() {
        for bad in ["", ".", "a..b", "-a.b", "a-.b", "a b.c", "[1.2.3]", "[1.2.3.4", "a\u{0}b", "a@b"] {
            assert!(Domain::parse(bad).is_err(), "{bad:?}");
        }
        assert_eq!(Domain::parse(&format!("{}.org", "a".repeat(64))), Err(DomainFlaw::TooLong));
    }
}
