//! Reverse-path and forward-path, as MAIL and RCPT carry them (RFC 5321 §4.1.1.2, §4.1.1.3).

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::address::{Address, AddressFlaw};

/// Where a DSN goes: an address, or nowhere (`<>`, RFC 5321 §4.5.5).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ReversePath {
    /// `<>`: nobody may answer this message.
    Null,
    /// The address that DSNs go to.
    Address(Address),
}

/// Where a message goes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ForwardPath {
    /// `<postmaster>` without a domain (RFC 5321 §4.1.1.3): this server's own.
    Postmaster,
    /// An address.
    Address(Address),
}

/// Why a path is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathFlaw {
    /// No angle brackets around it.
    #[error("the address must stand in angle brackets, as <user@domain>")]
    NoBrackets,
    /// `<>` where an address is needed.
    #[error("a recipient can't be empty")]
    NullForward,
    /// Over 256 octets (RFC 5321 §4.5.3.1.3).
    #[error("the path is too long")]
    TooLong,
    /// The address inside is wrong.
    #[error(transparent)]
    Address(#[from] AddressFlaw),
}

impl ReversePath {
    /// Parses `<>`, `<address>` or `<@a,@b:address>`; a source route is dropped (RFC 5321 §4.1.2, Appendix C).
    ///
    /// # Errors
    /// Tells what is wrong with the path.
    pub fn parse(text: &str) -> Result<Self, PathFlaw> {
        match inner(text)? {
            "" => Ok(Self::Null),
            address => Ok(Self::Address(Address::parse(without_route(address)?)?)),
        }
    }

    /// The address, unless this is the null reverse-path.
    #[must_use]
    pub fn address(&self) -> Option<&Address> {
        match self {
            Self::Null => None,
            Self::Address(address) => Some(address),
        }
    }

    /// Whether this is `<>`.
    #[must_use]
    pub fn is_null(&self) -> bool {
        *self == Self::Null
    }
}

impl ForwardPath {
    /// Parses `<address>`, `<@a,@b:address>` or `<postmaster>` in any case.
    ///
    /// # Errors
    /// Tells what is wrong with the path.
    pub fn parse(text: &str) -> Result<Self, PathFlaw> {
        match inner(text)? {
            "" => Err(PathFlaw::NullForward),
            name if name.eq_ignore_ascii_case("postmaster") => Ok(Self::Postmaster),
            address => Ok(Self::Address(Address::parse(without_route(address)?)?)),
        }
    }
}

fn inner(text: &str) -> Result<&str, PathFlaw> {
    if text.len() > PATH_OCTETS_MAX {
        return Err(PathFlaw::TooLong);
    }
    text.strip_prefix('<').and_then(|t| t.strip_suffix('>')).ok_or(PathFlaw::NoBrackets)
}

fn without_route(text: &str) -> Result<&str, PathFlaw> {
    if !text.starts_with('@') {
        return Ok(text);
    }
    let (route, address) = text.split_once(':').ok_or(PathFlaw::Address(AddressFlaw::NoLocalPart))?;
    for hop in route.split(',') {
        let domain = hop.strip_prefix('@').ok_or(PathFlaw::Address(AddressFlaw::NoDomain))?;
        crate::Domain::parse(domain).map_err(AddressFlaw::Domain)?;
    }
    Ok(address)
}

impl fmt::Display for ReversePath {
    /// With its angle brackets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("<>"),
            Self::Address(address) => write!(f, "<{address}>"),
        }
    }
}

impl fmt::Display for ForwardPath {
    /// With its angle brackets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Postmaster => f.write_str("<postmaster>"),
            Self::Address(address) => write!(f, "<{address}>"),
        }
    }
}

/// RFC 5321 §4.5.3.1.3 says 256 with brackets; a longer path with a source route still fits here (§4.1.1.2 line limit).
const PATH_OCTETS_MAX: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_null_path_is_only_a_reverse_path() {
        assert_eq!(ReversePath::parse("<>"), Ok(ReversePath::Null));
        assert_eq!(ForwardPath::parse("<>"), Err(PathFlaw::NullForward));
    }

    #[test]
    fn postmaster_needs_no_domain() {
        assert_eq!(ForwardPath::parse("<PostMaster>"), Ok(ForwardPath::Postmaster));
        assert!(ReversePath::parse("<postmaster>").is_err());
    }

    #[test]
    fn a_source_route_is_dropped() {
        let path = ForwardPath::parse("<@a.example,@b.example:c@d.example>").unwrap();
        assert_eq!(path.to_string(), "<c@d.example>");
        assert!(ForwardPath::parse("<@a.example>").is_err());
        assert!(ForwardPath::parse("<@a b:c@d.example>").is_err());
    }

    #[test]
    fn brackets_are_required() {
        assert_eq!(ReversePath::parse("a@b.example"), Err(PathFlaw::NoBrackets));
        assert_eq!(ForwardPath::parse("<a@b.example"), Err(PathFlaw::NoBrackets));
    }
}
