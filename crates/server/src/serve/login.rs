//! The one authenticator, as IMAP asks for it.

use std::net::IpAddr;
use std::sync::Arc;

use auth::{AuthError, Authenticator};
use routing::objects::{AccountObject, Service};
use world::BoxFuture;

/// Hands IMAP's logins to the authenticator.
pub(super) struct ImapLogin(pub(super) Arc<dyn Authenticator>);

impl imap::Authenticator for ImapLogin {
    fn authenticate<'a>(
        &'a self,
        login: &'a str,
        password: &'a str,
        remote: IpAddr,
    ) -> BoxFuture<'a, Result<Arc<AccountObject>, imap::AuthError>> {
        Box::pin(async move {
            self.0.authenticate(login, password, remote, Service::Imap).await.map_err(|error| match error {
                AuthError::Refused => imap::AuthError::Refused,
                AuthError::TooManyFailures { .. } => imap::AuthError::Banned,
                AuthError::Unavailable => imap::AuthError::Unavailable(error.to_string()),
            })
        })
    }
}
