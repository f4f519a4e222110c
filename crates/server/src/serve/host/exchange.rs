//! Logins of several messages (SCRAM, EXTERNAL) as SMTP sessions ask for them: the authenticator's exchanges, with the answers that
//! SMTP has.

use auth::{AuthError, Authenticator, Channel, SaslError, SaslExchange, SaslStep};
use routing::objects::{AccountObject, Service};
use smtp_in::{AuthExchange, AuthFailure, AuthStep, Identity, Mechanism, Secret, SessionFacts};
use world::BoxFuture;

use super::password_mark;

/// Begins one, if it can be had over this session.
pub(super) fn begin<'a>(
    authenticator: &'a dyn Authenticator,
    facts: &SessionFacts,
    mechanism: Mechanism,
) -> Option<Box<dyn AuthExchange + 'a>> {
    let tls = facts.tls.as_ref().map(|tls| tls.channel.clone()).unwrap_or_default();
    let channel = Channel {
        remote: facts.remote.ip(),
        service: Service::Submission,
        bindings: tls.bindings,
        certified: tls.certified,
    };
    let exchange = authenticator.exchange(mechanism.name(), channel)?;
    Some(Box::new(Exchange(exchange)))
}

struct Exchange<'a>(Box<dyn SaslExchange + 'a>);

impl AuthExchange for Exchange<'_> {
    fn step<'a>(&'a mut self, response: &'a Secret) -> BoxFuture<'a, Result<AuthStep, AuthFailure>> {
        Box::pin(async move {
            match self.0.step(response.expose()).await {
                Ok(SaslStep::Challenge(octets)) => Ok(AuthStep::Challenge(octets)),
                Ok(SaslStep::Done(account)) => Ok(AuthStep::Done(identity(&account))),
                Err(SaslError::Malformed) => Err(AuthFailure::Malformed),
                Err(SaslError::OtherIdentity) => Err(AuthFailure::Refused),
                Err(SaslError::Auth(error)) => Err(failure(error)),
            }
        })
    }
}

/// Who an account is to a session.
pub(super) fn identity(account: &AccountObject) -> Identity {
    Identity { account: account.id, login: account.address.to_string(), mark: password_mark(account) }
}

/// Why somebody is not let in, as far as SMTP tells.
pub(super) fn failure(error: AuthError) -> AuthFailure {
    match error {
        AuthError::Refused => AuthFailure::Refused,
        AuthError::TooManyFailures { .. } | AuthError::Unavailable => AuthFailure::Unavailable,
    }
}
