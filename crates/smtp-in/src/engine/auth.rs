//! `AUTH`: the client proves who it is.
//!
//! Command: RFC 4954 §4. Mechanisms: RFC 4616 (PLAIN), draft-murchison-sasl-login-00 (LOGIN), RFC 5802 and RFC 7677 (SCRAM, also
//! bound to TLS), RFC 4422 appendix A (EXTERNAL), RFC 7628 (OAUTHBEARER). Only on submission ports and only under TLS. Of SCRAM, EXTERNAL and tokens only the
//! octets are carried here; what they mean is the host's. Passwords live in `Secret` and are wiped. Dialogs:
//! `tests/transcripts/rfc4954/`.

use auth::{PlainFlaw, PlainLogin, login_name};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mail::{EnhancedCode, Reply};
use zeroize::Zeroizing;

use super::Action;
use super::request::Checked;
use super::session::Session;
use super::state::State;
use super::step::Step;
use crate::host::{AuthFailure, AuthStep};
use crate::misbehaviour::Misbehaviour;
use crate::secret::Secret;
use crate::session::Identity;

/// A way to prove who one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// RFC 4422, appendix A: TLS has told it.
    External,
    /// RFC 7677, bound to the TLS channel.
    ScramSha256Plus,
    /// RFC 5802, bound to the TLS channel.
    ScramSha1Plus,
    /// RFC 7677.
    ScramSha256,
    /// RFC 5802.
    ScramSha1,
    /// RFC 7628: a token of an issuer.
    OAuthBearer,
    /// Its forerunner.
    XOAuth2,
    /// RFC 4616.
    Plain,
    /// draft-murchison-sasl-login-00.
    Login,
}

impl Mechanism {
    /// The best first, as they are announced.
    const ALL: [Self; 9] = [
        Self::External,
        Self::ScramSha256Plus,
        Self::ScramSha1Plus,
        Self::ScramSha256,
        Self::ScramSha1,
        Self::OAuthBearer,
        Self::XOAuth2,
        Self::Plain,
        Self::Login,
    ];

    /// Its registered name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::External => "EXTERNAL",
            Self::ScramSha256Plus => "SCRAM-SHA-256-PLUS",
            Self::ScramSha1Plus => "SCRAM-SHA-1-PLUS",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha1 => "SCRAM-SHA-1",
            Self::OAuthBearer => "OAUTHBEARER",
            Self::XOAuth2 => "XOAUTH2",
            Self::Plain => "PLAIN",
            Self::Login => "LOGIN",
        }
    }

    /// Those that this session can have. The session has TLS.
    pub(super) fn offered(session: &Session) -> impl Iterator<Item = Self> {
        let channel = session.facts.tls.as_ref().map(|tls| &tls.channel);
        let certified = channel.is_some_and(|channel| !channel.certified.is_empty());
        let bindable = channel.is_some_and(|channel| !channel.bindings.is_empty());
        let (scram, tokens) = (session.policy.scram, session.policy.tokens);
        Self::ALL.into_iter().filter(move |mechanism| match mechanism {
            Self::External => certified,
            Self::ScramSha256Plus | Self::ScramSha1Plus => scram && bindable,
            Self::ScramSha256 | Self::ScramSha1 => scram,
            Self::OAuthBearer | Self::XOAuth2 => tokens,
            Self::Plain | Self::Login => true,
        })
    }
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
    /// One of several messages, the first or not, that the host works on.
    Carried { mechanism: Mechanism, begins: bool },
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
    let (Some(named), None) = (named, junk) else {
        return refuse(state, Misbehaviour::Syntax(FORM));
    };
    let Some(mechanism) = Mechanism::offered(session).find(|offered| offered.name().eq_ignore_ascii_case(named)) else {
        return refuse(state, Misbehaviour::UnknownMechanism);
    };
    let exchange = match mechanism {
        Mechanism::Plain => Exchange::Plain,
        Mechanism::Login => Exchange::Login,
        Mechanism::External
        | Mechanism::ScramSha256Plus
        | Mechanism::ScramSha1Plus
        | Mechanism::ScramSha256
        | Mechanism::ScramSha1
        | Mechanism::OAuthBearer
        | Mechanism::XOAuth2 => Exchange::Carried { mechanism, begins: true },
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
        Exchange::Plain | Exchange::Carried { .. } => "",
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
        Exchange::Plain => check(Mechanism::Plain, PlainLogin::of_message(&decoded)),
        Exchange::Login => match login_name(&decoded) {
            Ok(login) => challenge(Exchange::Password { login: login.to_owned() }),
            Err(flaw) => refused(flaw),
        },
        Exchange::Password { login } => check(Mechanism::Login, PlainLogin::new(login.as_bytes(), &decoded)),
        Exchange::Carried { mechanism, begins } => {
            let response = Secret::new(decoded.to_vec());
            Step::ask(State::AwaitAuth(mechanism), Action::Respond { mechanism, begins, response })
        }
    }
}

/// The host has worked on a response.
pub(super) fn responded(session: &mut Session, mechanism: Mechanism, outcome: Result<AuthStep, AuthFailure>) -> Step {
    match outcome {
        Ok(AuthStep::Challenge(octets)) => {
            let text = STANDARD.encode(octets);
            Step::reply(State::Auth(Exchange::Carried { mechanism, begins: false }), Reply::new(334, None, text))
        }
        Ok(AuthStep::Done(identity)) => authenticated(session, Ok(identity)),
        Err(failure) => authenticated(session, Err(failure)),
    }
}

/// Asks the host about a login, if it has the form of one.
fn check(mechanism: Mechanism, read: Result<PlainLogin<'_>, PlainFlaw>) -> Step {
    match read {
        Ok(PlainLogin { login, password }) => {
            let (login, password) = (login.to_owned(), Secret::new(password.to_vec()));
            Step::ask(State::AwaitAuth(mechanism), Action::Authenticate { mechanism, login, password })
        }
        Err(flaw) => refused(flaw),
    }
}

fn refused(flaw: PlainFlaw) -> Step {
    let misbehaviour = match flaw {
        PlainFlaw::Malformed => Misbehaviour::BadCredentials,
        PlainFlaw::OtherIdentity => Misbehaviour::AuthRefused,
    };
    Step::refuse(State::Ready, misbehaviour)
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
        Err(AuthFailure::Malformed) => Step::refuse(State::Ready, Misbehaviour::BadCredentials),
        Err(AuthFailure::Unavailable) => Step::reply(State::Ready, UNAVAILABLE),
    }
}

const FORM: &str = "AUTH mechanism [initial-response]";
const SUCCEEDED: Reply = Reply::fixed(235, EnhancedCode(2, 7, 0), "Authenticated");
const UNAVAILABLE: Reply = Reply::fixed(454, EnhancedCode(4, 7, 0), "Authentication is not possible now; try later");

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(step: &Step) -> Option<(&str, &[u8])> {
        match &step.action {
            Some(Action::Authenticate { login, password, .. }) => Some((login, password.expose())),
            _ => None,
        }
    }

    fn plain(message: &[u8]) -> Step {
        check(Mechanism::Plain, PlainLogin::of_message(message))
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
