//! `AUTH`: the client proves who it is, by PLAIN or LOGIN.
//!
//! Command: RFC 4954 §4. Mechanisms: RFC 4616 (PLAIN), draft-murchison-sasl-login-00 (LOGIN). Only on submission
//! ports and only under TLS. Passwords live in `Secret` and are wiped. Dialogs: `tests/transcripts/rfc4954/`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mail::{EnhancedCode, Reply};
use smtp_proto::{AUTH_LOGIN, AUTH_PLAIN, Request};
use zeroize::Zeroizing;

use super::Action;
use super::request::{self, Checked};
use super::session::Session;
use super::state::State;
use super::step::Step;
use crate::host::AuthFailure;
use crate::misbehaviour::Misbehaviour;
use crate::secret::Secret;
use crate::session::Identity;

/// A mechanism that is offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// RFC 4616.
    Plain,
    /// draft-murchison-sasl-login-00.
    Login,
}

/// What the next response is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Exchange {
    /// All of PLAIN.
    Plain,
    /// The login name of LOGIN.
    Login,
    /// The password of LOGIN.
    Password { login: String },
}

/// Begins an exchange; the initial response, if there is one, is worked on at once (RFC 4954 §4).
pub(super) fn auth(session: &Session, state: State, checked: Checked<'_>) -> Step {
    let refuse = |state, misbehaviour| Step::refuse(state, misbehaviour);
    if !session.facts.kind.is_submission() {
        return refuse(state, Misbehaviour::NotImplemented);
    }
    if !session.offers_auth() {
        return refuse(state, Misbehaviour::TlsBeforeAuth);
    }
    if session.facts.identity.is_some() {
        return refuse(state, Misbehaviour::AlreadyAuthenticated);
    }
    if session.auth_failures >= session.limits().auth_failures_max {
        return refuse(state, Misbehaviour::TooManyAuthFailures);
    }
    let mut words = checked.argument.split(' ').filter(|word| !word.is_empty());
    let (named, initial, junk) = (words.next(), words.next(), words.next());
    if named.is_none() || junk.is_some() {
        return refuse(state, Misbehaviour::Syntax(FORM));
    }
    // The initial response is read here: smtp-proto would leave copies of it behind.
    let exchange = match request::parse(&format!("AUTH {}", named.unwrap_or_default()), FORM) {
        Ok(Request::Auth { mechanism: AUTH_PLAIN, .. }) => Exchange::Plain,
        Ok(Request::Auth { mechanism: AUTH_LOGIN, .. }) => Exchange::Login,
        Ok(_) => return refuse(state, Misbehaviour::UnknownMechanism),
        Err(misbehaviour) => return refuse(state, misbehaviour),
    };
    match initial {
        None => challenge(exchange),
        // RFC 4954 §4: an empty initial response is written "=".
        Some("=") => response(exchange, b""),
        Some(initial) => response(exchange, initial.as_bytes()),
    }
}

/// Asks for the response that the exchange awaits.
fn challenge(exchange: Exchange) -> Step {
    let text = match exchange {
        Exchange::Plain => "",
        // The words that deployed clients look for, in base64 (the draft's §2.2).
        Exchange::Login => "VXNlcm5hbWU6",
        Exchange::Password { .. } => "UGFzc3dvcmQ6",
    };
    Step::reply(State::Auth(exchange), Reply::plain(334, text))
}

/// Works on a response.
pub(super) fn response(exchange: Exchange, line: &[u8]) -> Step {
    if line == b"*" {
        return Step::refuse(State::Ready, Misbehaviour::AuthCancelled);
    }
    let Ok(decoded) = STANDARD.decode(line).map(Zeroizing::new) else {
        return Step::refuse(State::Ready, Misbehaviour::BadBase64);
    };
    match exchange {
        Exchange::Plain => plain(&decoded),
        Exchange::Login => match str::from_utf8(&decoded) {
            Ok(login) if is_login(login) => challenge(Exchange::Password { login: login.to_owned() }),
            Ok(_) | Err(_) => Step::refuse(State::Ready, Misbehaviour::BadCredentials),
        },
        Exchange::Password { login } => check(Mechanism::Login, login, &decoded),
    }
}

/// `[authzid] NUL authcid NUL passwd` (RFC 4616 §2). Acting for somebody else is not supported.
fn plain(message: &[u8]) -> Step {
    let mut fields = message.split(|octet| *octet == 0);
    let (Some(authzid), Some(authcid), Some(password), None) =
        (fields.next(), fields.next(), fields.next(), fields.next())
    else {
        return Step::refuse(State::Ready, Misbehaviour::BadCredentials);
    };
    let Ok(login) = str::from_utf8(authcid) else {
        return Step::refuse(State::Ready, Misbehaviour::BadCredentials);
    };
    if !is_login(login) || password.is_empty() {
        return Step::refuse(State::Ready, Misbehaviour::BadCredentials);
    }
    if !authzid.is_empty() && authzid != authcid {
        return Step::refuse(State::Ready, Misbehaviour::AuthRefused);
    }
    check(Mechanism::Plain, login.to_owned(), password)
}

fn is_login(login: &str) -> bool {
    (1..=LOGIN_OCTETS_MAX).contains(&login.len()) && !login.chars().any(char::is_control)
}

fn check(mechanism: Mechanism, login: String, password: &[u8]) -> Step {
    let password = Secret::new(password.to_vec());
    Step::ask(State::AwaitAuth, Action::Authenticate { mechanism, login, password })
}

/// The host has checked.
pub(super) fn authenticated(session: &mut Session, outcome: Result<Identity, AuthFailure>) -> Step {
    match outcome {
        Ok(identity) => {
            session.facts.identity = Some(identity);
            session.progress();
            Step::reply(State::Ready, SUCCEEDED)
        }
        Err(AuthFailure::Refused) => Step::refuse(State::Ready, Misbehaviour::AuthRefused),
        Err(AuthFailure::Unavailable) => Step::reply(State::Ready, UNAVAILABLE),
    }
}

const FORM: &str = "AUTH mechanism [initial-response]";
const SUCCEEDED: Reply = Reply::fixed(235, EnhancedCode(2, 7, 0), "Authenticated");
const UNAVAILABLE: Reply = Reply::fixed(454, EnhancedCode(4, 7, 0), "Authentication is not possible now; try later");
/// An address at its longest (RFC 5321 §4.5.3.1.3).
const LOGIN_OCTETS_MAX: usize = 320;

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(step: &Step) -> Option<(&str, &[u8])> {
        match &step.action {
            Some(Action::Authenticate { login, password, .. }) => Some((login, password.expose())),
            _ => None,
        }
    }

    #[test]
    fn plain_takes_an_authzid_only_when_it_is_the_same() {
        assert_eq!(asked(&plain(b"\0tim\0secret")), Some(("tim", &b"secret"[..])));
        assert_eq!(asked(&plain(b"tim\0tim\0secret")), Some(("tim", &b"secret"[..])));
        assert_eq!(plain(b"bob\0tim\0secret").misbehaviour, Some(Misbehaviour::AuthRefused));
    }

    #[test]
    fn what_is_no_plain_message_is_told_apart() {
        for wrong in [&b""[..], b"tim", b"\0tim", b"\0\0secret", b"\0tim\0", b"\0tim\0a\0b", b"\0\xff\0x", b"\0a\rb\0x"]
        {
            assert_eq!(plain(wrong).misbehaviour, Some(Misbehaviour::BadCredentials), "{wrong:?}");
        }
    }

    #[test]
    fn base64_is_strict() {
        for wrong in [&b"dGlt="[..], b"dGlt\xff", b"dGl", b"dG lt", b"dGln====", b"dGn="] {
            assert_eq!(response(Exchange::Login, wrong).misbehaviour, Some(Misbehaviour::BadBase64), "{wrong:?}");
        }
        assert_eq!(response(Exchange::Login, b"*").misbehaviour, Some(Misbehaviour::AuthCancelled));
    }

    #[test]
    fn login_takes_any_password() {
        let step = response(Exchange::Password { login: "tim".into() }, b"/wCA");
        assert_eq!(asked(&step), Some(("tim", &b"\xff\x00\x80"[..])));
    }
}
