//! The mechanisms that carry a password: PLAIN (RFC 4616) and LOGIN (draft-murchison-sasl-login-00), for all protocols.

use std::fmt;

use crate::limits::LOGIN_OCTETS_MAX;

/// Who wants to be let in, and the proof.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PlainLogin<'a> {
    /// The login name: 1 to [`LOGIN_OCTETS_MAX`] octets without control characters.
    pub login: &'a str,
    /// The password, not empty.
    pub password: &'a [u8],
}

impl fmt::Debug for PlainLogin<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PlainLogin({})", self.login)
    }
}

/// Why an exchange failed before any password was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlainFlaw {
    /// The message has not the form of its mechanism.
    #[error("the message has not the form of its mechanism")]
    Malformed,
    /// The client wants to act for someone else, which is not supported.
    #[error("acting for someone else is not supported")]
    OtherIdentity,
}

impl<'a> PlainLogin<'a> {
    /// Reads the one message of PLAIN: `[authzid] NUL authcid NUL passwd` (RFC 4616 §2).
    ///
    /// # Errors
    /// See [`PlainFlaw`].
    pub fn of_message(message: &'a [u8]) -> Result<Self, PlainFlaw> {
        let mut fields = message.split(|octet| *octet == 0);
        let (Some(authzid), Some(authcid), Some(password), None) =
            (fields.next(), fields.next(), fields.next(), fields.next())
        else {
            return Err(PlainFlaw::Malformed);
        };
        let login = Self::new(authcid, password)?;
        if authzid.is_empty() || authzid.eq_ignore_ascii_case(authcid) {
            Ok(login)
        } else {
            Err(PlainFlaw::OtherIdentity)
        }
    }

    /// Name and password as LOGIN gives them, one after the other.
    ///
    /// # Errors
    /// [`PlainFlaw::Malformed`].
    pub fn new(login: &'a [u8], password: &'a [u8]) -> Result<Self, PlainFlaw> {
        let login = login_name(login)?;
        if password.is_empty() { Err(PlainFlaw::Malformed) } else { Ok(Self { login, password }) }
    }
}

/// A login name.
///
/// # Errors
/// [`PlainFlaw::Malformed`] for one that is empty, too long, no UTF-8 or has control characters.
pub fn login_name(octets: &[u8]) -> Result<&str, PlainFlaw> {
    let name = str::from_utf8(octets).map_err(|_| PlainFlaw::Malformed)?;
    let is_name = (1..=LOGIN_OCTETS_MAX).contains(&name.len()) && !name.chars().any(char::is_control);
    if is_name { Ok(name) } else { Err(PlainFlaw::Malformed) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_is_three_fields() {
        let read = |text: &'static [u8]| PlainLogin::of_message(text).map(|read| (read.login, read.password));
        assert_eq!(read(b"\0alice\0secret"), Ok(("alice", &b"secret"[..])));
        assert_eq!(read(b"Alice\0alice\0secret"), Ok(("alice", &b"secret"[..])));
        assert_eq!(read(b"bob\0alice\0secret"), Err(PlainFlaw::OtherIdentity));
        for bad in [
            &b""[..],
            b"alice\0secret",
            b"\0alice\0sec\0ret",
            b"\0\0secret",
            b"\0alice\0",
            b"\0\xff\0x",
            b"\0a\r\nb\0x",
        ] {
            assert_eq!(read(bad), Err(PlainFlaw::Malformed), "{bad:?}");
        }
    }

    #[test]
    fn login_names_are_bounded() {
        assert_eq!(login_name("z\u{f6}e@x".as_bytes()), Ok("z\u{f6}e@x"));
        assert!(login_name("a".repeat(LOGIN_OCTETS_MAX).as_bytes()).is_ok());
        assert_eq!(login_name("a".repeat(LOGIN_OCTETS_MAX + 1).as_bytes()), Err(PlainFlaw::Malformed));
        assert_eq!(PlainLogin::new(b"a", b""), Err(PlainFlaw::Malformed));
    }

    #[test]
    fn no_formatting_shows_a_password() {
        assert!(!format!("{:?}", PlainLogin::new(b"alice", b"hunter2").unwrap()).contains("hunter2"));
    }
}
