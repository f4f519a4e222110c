//! The one authenticator, as IMAP asks for it.

use std::net::IpAddr;
use std::sync::Arc;

use auth::{Authenticator, Channel, SaslExchange};
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
        Box::pin(async move { Ok(self.0.authenticate(login, password, remote, Service::Imap).await?) })
    }

    fn offers_scram(&self) -> bool {
        self.0.offers_scram()
    }

    fn offers_tokens(&self) -> bool {
        self.0.offers_tokens()
    }

    fn exchange<'a>(&'a self, mechanism: &str, channel: Channel) -> Option<Box<dyn SaslExchange + 'a>> {
        self.0.exchange(mechanism, channel)
    }
}
