//! OAUTHBEARER (RFC 7628) and XOAUTH2, its forerunner: a token of an issuer instead of a password.
//!
//! Who is refused hears why as JSON in a challenge, answers with anything, and then is refused (RFC 7628 §3.2.3). A token that was good once and
//! has expired is no guess, and not counted as one: its client gets a new one and comes again.

use std::sync::Arc;

use routing::objects::AccountObject;
use world::BoxFuture;

use crate::AuthError;
use crate::directory::DirectoryAuthenticator;
use crate::exchange::{Channel, SaslError, SaslExchange, SaslStep};
use crate::issuer::Issuer;
use crate::jwt::{Token, TokenFlaw};
use crate::limits::TOKEN_OCTETS_MAX;

/// How the token is carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carrier {
    /// RFC 7628.
    OAuthBearer,
    /// As Google has it.
    XOAuth2,
}

pub(crate) struct Bearer<'a> {
    pub(crate) authenticator: &'a DirectoryAuthenticator,
    pub(crate) issuer: &'a Issuer,
    pub(crate) channel: Channel,
    pub(crate) carrier: Carrier,
    state: State,
}

enum State {
    Start,
    /// The client has been told why, and is refused with this when it has answered.
    Failed(SaslError),
    Over,
}

/// What a client says first.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Said<'m> {
    /// Whom it wants to be; empty: whoever the token names.
    pub(crate) identity: String,
    pub(crate) token: &'m str,
}

/// Why a token does not let in (RFC 6750 §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    InvalidToken,
    InsufficientScope,
}

impl<'a> Bearer<'a> {
    pub(crate) fn new(
        authenticator: &'a DirectoryAuthenticator,
        issuer: &'a Issuer,
        channel: Channel,
        carrier: Carrier,
    ) -> Self {
        Self { authenticator, issuer, channel, carrier, state: State::Start }
    }

    async fn first(&self, message: &[u8]) -> Result<Result<Arc<AccountObject>, (Status, SaslError)>, SaslError> {
        let said = match self.carrier {
            Carrier::OAuthBearer => oauthbearer(message),
            Carrier::XOAuth2 => xoauth2(message),
        };
        let said = said.ok_or(SaslError::Malformed)?;
        let refused = |status, error| Ok(Err((status, error)));
        let rules = &self.issuer.settings.rules;
        let token = Token::parse(said.token);
        // Whoever the token names is believed when it is verified; until then it says whose failures are counted.
        let claimed = token.as_ref().ok().and_then(|token| token.address(&rules.claim));
        let login = claimed.unwrap_or(&said.identity);
        let named = match self.authenticator.named(login, self.channel.remote, self.channel.service) {
            Ok(named) => named,
            Err(AuthError::Refused) => {
                tracing::warn!(remote = %self.channel.remote, "login refused: the token names nobody");
                return refused(Status::InvalidToken, SaslError::Auth(AuthError::Refused));
            }
            Err(error) => return Err(SaslError::Auth(error)),
        };
        let verified = match &token {
            Ok(token) => {
                let now = self.authenticator.now();
                let keys = self.issuer.keys(token.key_id(), now).await;
                let keys = keys.ok_or(SaslError::Auth(AuthError::Unavailable))?;
                token.verify(&keys, rules, now)
            }
            Err(flaw) => Err(*flaw),
        };
        let reason = match verified {
            Ok(()) if named.account.is_none() => named.reason.clone(),
            Ok(()) if !said.identity.is_empty() => {
                if self.authenticator.is_login_of(&said.identity, named.account.as_deref()) {
                    return Ok(Ok(self.authenticator.admit_proved(named, &self.channel).await?));
                }
                "the token is of another".to_owned()
            }
            Ok(()) => return Ok(Ok(self.authenticator.admit_proved(named, &self.channel).await?)),
            Err(flaw @ (TokenFlaw::Expired | TokenFlaw::NotYet)) => {
                tracing::info!(remote = %self.channel.remote, login = named.login, %flaw, "login refused");
                return refused(Status::InvalidToken, SaslError::Auth(AuthError::Refused));
            }
            Err(flaw) => flaw.to_string(),
        };
        let status = match verified {
            Err(TokenFlaw::Scope) => Status::InsufficientScope,
            Ok(()) | Err(_) => Status::InvalidToken,
        };
        let error = self.authenticator.refuse(&named, &self.channel, &reason).await;
        refused(status, SaslError::Auth(error))
    }

    /// RFC 7628 §3.2.2; XOAUTH2 has the status of HTTP.
    fn told(&self, status: Status) -> Vec<u8> {
        let settings = &self.issuer.settings;
        let mut told = serde_json::Map::new();
        let mut say = |name: &str, value: &str| {
            if !value.is_empty() {
                told.insert(name.to_owned(), value.into());
            }
        };
        match (self.carrier, status) {
            (Carrier::OAuthBearer, Status::InvalidToken) => say("status", "invalid_token"),
            (Carrier::OAuthBearer, Status::InsufficientScope) => say("status", "insufficient_scope"),
            (Carrier::XOAuth2, Status::InvalidToken) => {
                say("status", "401");
                say("schemes", "bearer");
            }
            (Carrier::XOAuth2, Status::InsufficientScope) => {
                say("status", "403");
                say("schemes", "bearer");
            }
        }
        say("scope", &settings.rules.scope);
        if self.carrier == Carrier::OAuthBearer {
            say("openid-configuration", &settings.configuration_url);
        }
        serde_json::Value::Object(told).to_string().into_bytes()
    }
}

impl SaslExchange for Bearer<'_> {
    fn step<'a>(&'a mut self, response: &'a [u8]) -> BoxFuture<'a, Result<SaslStep, SaslError>> {
        Box::pin(async move {
            match std::mem::replace(&mut self.state, State::Over) {
                State::Start => match self.first(response).await? {
                    Ok(account) => Ok(SaslStep::Done(account)),
                    Err((status, error)) => {
                        self.state = State::Failed(error);
                        Ok(SaslStep::Challenge(self.told(status)))
                    }
                },
                // RFC 7628 §3.2.3: the client says %x01, or nothing; whatever it is, this is the end.
                State::Failed(error) => Err(error),
                State::Over => Err(SaslError::Malformed),
            }
        })
    }
}

/// RFC 7628 §3.1: `gs2-header kvsep *kvpair kvsep`.
pub(crate) fn oauthbearer(message: &[u8]) -> Option<Said<'_>> {
    let message = str::from_utf8(message).ok()?;
    let (header, pairs) = message.split_once(SEPARATOR)?;
    // There is nothing to bind to: `p=` can't be meant (§3.1), `y` and `n` are the same.
    let identity = header.strip_prefix("n,").or_else(|| header.strip_prefix("y,"))?.strip_suffix(',')?;
    let identity = if identity.is_empty() { String::new() } else { saslname(identity.strip_prefix("a=")?)? };
    Some(Said { identity, token: token_in(pairs)? })
}

/// `user=` first, then as OAUTHBEARER.
pub(crate) fn xoauth2(message: &[u8]) -> Option<Said<'_>> {
    let message = str::from_utf8(message).ok()?;
    let (user, pairs) = message.split_once(SEPARATOR)?;
    let identity = user.strip_prefix("user=").filter(|user| !user.is_empty())?.to_owned();
    Some(Said { identity, token: token_in(pairs)? })
}

const SEPARATOR: char = '\u{1}';

/// RFC 5801 §4: `=2C` for a comma, `=3D` for an equals sign, and no other.
fn saslname(text: &str) -> Option<String> {
    let mut name = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('=') {
        name.push_str(before);
        name.push(match after.get(..2)? {
            "2C" => ',',
            "3D" => '=',
            _ => return None,
        });
        rest = after.get(2..)?;
    }
    name.push_str(rest);
    (!name.is_empty() && !name.contains('\0')).then_some(name)
}

/// The token in `key=value` pairs, each with a separator behind it, and one more at the end. `host` and `port` are not looked at: TLS has
/// told the client where it is.
fn token_in(pairs: &str) -> Option<&str> {
    let pairs = pairs.strip_suffix(SEPARATOR)?.strip_suffix(SEPARATOR)?;
    let mut token = None;
    for pair in pairs.split(SEPARATOR) {
        let (key, value) = pair.split_once('=')?;
        if key.is_empty() || !key.bytes().all(|octet| octet.is_ascii_alphabetic()) {
            return None;
        }
        if key == "auth" {
            // Twice would be two tokens.
            if token.replace(value).is_some() {
                return None;
            }
        }
    }
    // RFC 6750 §2.1; an empty value asks what is wanted (RFC 7628 §4.3).
    let value = token?;
    if value.is_empty() {
        return Some(value);
    }
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim_start_matches(' ');
    (scheme.eq_ignore_ascii_case("bearer") && token.len() <= TOKEN_OCTETS_MAX).then_some(token)
}

#[cfg(test)]
mod tests;
