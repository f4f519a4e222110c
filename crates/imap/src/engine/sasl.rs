//! SASL PLAIN (RFC 4616) and LOGIN (draft-murchison-sasl-login): bytes in, credentials out.

use std::fmt;

use imap_wire::Secret;

/// A mechanism that we offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mechanism {
    /// RFC 4616
    Plain,
    /// The old one that some clients still prefer.
    Login,
}

impl Mechanism {
    /// By its name in capitals.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "PLAIN" => Some(Self::Plain),
            "LOGIN" => Some(Self::Login),
            _ => None,
        }
    }
}

/// Who wants to be let in, and the proof.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Credentials {
    /// The login name.
    pub(crate) username: String,
    /// The password.
    pub(crate) password: Secret,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({})", self.username)
    }
}

/// Why an exchange failed before any password was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SaslFlaw {
    /// The message has not the form of its mechanism.
    Malformed,
    /// The client wants to act for someone else.
    OtherIdentity,
}

/// Reads the one message of PLAIN: `[authzid] NUL authcid NUL passwd`.
pub(crate) fn plain(message: &Secret) -> Result<Credentials, SaslFlaw> {
    let mut fields = message.reveal().split(|byte| *byte == 0);
    let (Some(authzid), Some(authcid), Some(password), None) =
        (fields.next(), fields.next(), fields.next(), fields.next())
    else {
        return Err(SaslFlaw::Malformed);
    };
    let credentials = credentials(authcid, password)?;
    if authzid.is_empty() || authzid.eq_ignore_ascii_case(authcid) {
        Ok(credentials)
    } else {
        Err(SaslFlaw::OtherIdentity)
    }
}

/// Name and password, as both mechanisms and LOGIN give them.
pub(crate) fn credentials(username: &[u8], password: &[u8]) -> Result<Credentials, SaslFlaw> {
    let username = str::from_utf8(username).map_err(|_| SaslFlaw::Malformed)?;
    if username.is_empty() || password.is_empty() {
        return Err(SaslFlaw::Malformed);
    }
    Ok(Credentials { username: username.to_owned(), password: Secret::new(password) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_is_three_fields() {
        let read = |text: &[u8]| plain(&Secret::new(text)).map(|c| (c.username, c.password.reveal().to_vec()));
        assert_eq!(read(b"\0alice\0secret"), Ok(("alice".to_owned(), b"secret".to_vec())));
        assert_eq!(read(b"Alice\0alice\0secret"), Ok(("alice".to_owned(), b"secret".to_vec())));
        assert_eq!(read(b"bob\0alice\0secret"), Err(SaslFlaw::OtherIdentity));
        for bad in [&b""[..], b"alice\0secret", b"\0alice\0sec\0ret", b"\0\0secret", b"\0alice\0", b"\0\xff\0x"] {
            assert_eq!(read(bad), Err(SaslFlaw::Malformed), "{bad:?}");
        }
    }

    #[test]
    fn no_formatting_shows_a_password() {
        let credentials = credentials(b"alice", b"hunter2").unwrap();
        assert!(!format!("{credentials:?}").contains("hunter2"));
    }
}
