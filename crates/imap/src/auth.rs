//! Who may come in: the question that a session asks; the server's crate answers it.

use std::net::IpAddr;
use std::sync::Arc;

use auth::{Channel, SaslExchange};
use routing::objects::AccountObject;
use world::BoxFuture;

/// Checks names and passwords.
pub trait Authenticator: Send + Sync {
    /// The account that the login name and the password open.
    fn authenticate<'a>(
        &'a self,
        login: &'a str,
        password: &'a str,
        remote: IpAddr,
    ) -> BoxFuture<'a, Result<Arc<AccountObject>, AuthError>>;

    /// Whether the mechanisms of SCRAM can be had.
    fn offers_scram(&self) -> bool {
        false
    }

    /// Whether tokens of an issuer let in (RFC 7628).
    fn offers_tokens(&self) -> bool {
        false
    }

    /// Begins a login by SCRAM, by the client's certificate or by a token; see [`auth::Authenticator::exchange`].
    fn exchange<'a>(&'a self, mechanism: &str, channel: Channel) -> Option<Box<dyn SaslExchange + 'a>> {
        let _ = (mechanism, channel);
        None
    }
}

impl From<auth::AuthError> for AuthError {
    fn from(error: auth::AuthError) -> Self {
        match error {
            auth::AuthError::Refused => Self::Refused,
            auth::AuthError::TooManyFailures { .. } => Self::Banned,
            auth::AuthError::Unavailable => Self::Unavailable(error.to_string()),
        }
    }
}

/// Why nobody was let in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// Wrong name or password, or an account that may not log in; which of them is not told.
    #[error("wrong name or password")]
    Refused,
    /// Too many failures from this address or for this account: not even tried.
    #[error("too many failed logins")]
    Banned,
    /// It could not be checked.
    #[error("logins can't be checked: {0}")]
    Unavailable(String),
}
