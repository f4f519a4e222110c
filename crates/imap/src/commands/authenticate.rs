//! LOGIN and AUTHENTICATE (RFC 3501 §6.2.2, §6.2.3; RFC 4959; RFC 4616 PLAIN, RFC 5802 and 7677
//! SCRAM, RFC 4422 EXTERNAL, RFC 7628 OAUTHBEARER).
//!
//! Invariant: a password is never logged, and never asked for where it would travel in clear (unless the settings say so).

use std::sync::Arc;

use auth::{Channel, PlainFlaw, PlainLogin, SaslError, SaslStep};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use imap_wire::Secret;
use imap_wire::response::{self, Code};
use routing::objects::{AccountObject, Service};

use crate::auth::AuthError;
use crate::connection::Event;
use crate::fault::{Answer, Fault};
use crate::limits::{LOGIN_FAILURE_DELAY, LOGIN_FAILURES_MAX, LOGIN_TIMEOUT};
use crate::session::{Session, User};

impl Session {
    pub(crate) async fn login(&mut self, username: &str, password: &Secret) -> Result<Answer, Fault> {
        if !self.safety().passwords {
            return Ok(privacy_required());
        }
        match PlainLogin::new(username.as_bytes(), password.reveal()) {
            Ok(login) => self.let_in(login).await,
            Err(_) => self.turn_away(AuthError::Refused).await,
        }
    }

    pub(crate) async fn authenticate(&mut self, mechanism: &str, initial: Option<Secret>) -> Result<Answer, Fault> {
        if !self.safety().passwords {
            return Ok(privacy_required());
        }
        match mechanism {
            "PLAIN" => {
                let message = match self.first_response(b"", initial).await? {
                    Ok(message) => message,
                    Err(answer) => return Ok(answer),
                };
                self.let_in_if(PlainLogin::of_message(message.reveal())).await
            }
            "LOGIN" => {
                let username = match self.first_response(b"Username:", initial).await? {
                    Ok(username) => username,
                    Err(answer) => return Ok(answer),
                };
                match self.challenge(b"Password:").await? {
                    Ok(password) => self.let_in_if(PlainLogin::new(username.reveal(), password.reveal())).await,
                    Err(answer) => Ok(answer),
                }
            }
            _ => self.exchange(mechanism, initial).await,
        }
    }

    /// A mechanism that takes several messages, or none with a password: octets to and fro.
    async fn exchange(&mut self, mechanism: &str, initial: Option<Secret>) -> Result<Answer, Fault> {
        let facts = self.connection.tls();
        let channel = Channel {
            remote: self.peer,
            service: Service::Imap,
            bindings: facts.map(|facts| facts.bindings.clone()).unwrap_or_default(),
            certified: facts.map(|facts| facts.certified.clone()).unwrap_or_default(),
        };
        let server = Arc::clone(&self.server);
        let Some(mut exchange) = server.authenticator.exchange(mechanism, channel) else {
            return Ok(Answer::no(Code::Cannot, "That mechanism is not offered"));
        };
        let mut response = match self.first_response(b"", initial).await? {
            Ok(response) => response,
            Err(answer) => return Ok(answer),
        };
        loop {
            match exchange.step(response.reveal()).await {
                Ok(SaslStep::Done(account)) => return Ok(self.welcome_in(account)),
                Ok(SaslStep::Challenge(challenge)) => {
                    response = match self.challenge(&challenge).await? {
                        Ok(response) => response,
                        Err(answer) => return Ok(answer),
                    };
                }
                Err(SaslError::Malformed) => return Ok(malformed()),
                Err(SaslError::OtherIdentity) => return Ok(other_identity()),
                Err(SaslError::Auth(error)) => return self.turn_away(error.into()).await,
            }
        }
    }

    /// The initial response (RFC 4959), or what the client says to the first challenge.
    async fn first_response(&mut self, data: &[u8], initial: Option<Secret>) -> Result<Result<Secret, Answer>, Fault> {
        match initial {
            Some(response) => Ok(Ok(response)),
            None => self.challenge(data).await,
        }
    }

    /// Sends a challenge and reads the response; the inner error is the answer to a client that cancels or stammers.
    async fn challenge(&mut self, data: &[u8]) -> Result<Result<Secret, Answer>, Fault> {
        self.connection.framer.expect_line();
        response::challenge(self.connection.out(), data);
        match self.connection.next(Some(LOGIN_TIMEOUT)).await? {
            // RFC 3501 §6.2.2: a line with a single asterisk cancels.
            Event::Line(line) if line.reveal() == b"*" => Ok(Err(cancelled())),
            Event::Line(line) => match STANDARD.decode(line.reveal()) {
                Ok(bytes) => Ok(Ok(Secret::new(bytes))),
                Err(_) => Ok(Err(Answer::bad("The response is not in base64"))),
            },
            Event::BadLine(refusal) => Ok(Err(refusal.into())),
            Event::Command(_)
            | Event::Announced(_)
            | Event::Chunk(_)
            | Event::MessageEnd { .. }
            | Event::Misbehaviour { .. } => Ok(Err(Answer::bad("A response was expected"))),
        }
    }

    async fn let_in_if(&mut self, login: Result<PlainLogin<'_>, PlainFlaw>) -> Result<Answer, Fault> {
        match login {
            Ok(login) => self.let_in(login).await,
            Err(PlainFlaw::Malformed) => Ok(malformed()),
            Err(PlainFlaw::OtherIdentity) => Ok(other_identity()),
        }
    }

    async fn let_in(&mut self, PlainLogin { login, password }: PlainLogin<'_>) -> Result<Answer, Fault> {
        let Ok(password) = str::from_utf8(password) else {
            return self.turn_away(AuthError::Refused).await;
        };
        let server = Arc::clone(&self.server);
        let account = match server.authenticator.authenticate(login, password, self.peer).await {
            Ok(account) => account,
            Err(error) => return self.turn_away(error).await,
        };
        Ok(self.welcome_in(account))
    }

    /// Who has proved who they are is let in, if there is room.
    fn welcome_in(&mut self, account: Arc<AccountObject>) -> Answer {
        let Some(slot) = self.server.account_slot(account.id, self.settings.connections_per_account_max) else {
            return Answer::no(Code::Limit, "Too many connections of this account");
        };
        metrics::counter!("relais_imap_logins_total", "result" => "ok").increment(1);
        tracing::info!(peer = %self.peer, account = %account.address, tls = self.tls, "logged in");
        self.user = Some(User { account, _slot: slot, annotations: None });
        self.welcome();
        Answer::ok("Welcome").with(Code::Capability(self.capabilities()))
    }

    /// Delays and counts a failed login.
    async fn turn_away(&mut self, error: AuthError) -> Result<Answer, Fault> {
        metrics::counter!("relais_imap_logins_total", "result" => "refused").increment(1);
        tracing::info!(peer = %self.peer, %error, "login refused");
        if let AuthError::Unavailable(_) = error {
            return Ok(Answer::no(Code::Unavailable, "Logins can't be checked now; try again later"));
        }
        self.login_failures = self.login_failures.saturating_add(1);
        self.server.world.clock.sleep(LOGIN_FAILURE_DELAY.saturating_mul(self.login_failures)).await;
        if self.login_failures >= LOGIN_FAILURES_MAX {
            self.ending = Some("Too many failed logins".into());
        }
        Ok(Answer::no(Code::AuthenticationFailed, "Wrong name or password"))
    }
}

/// The client may do that: it has no fault to mend.
fn cancelled() -> Answer {
    Answer { code: None, ..Answer::bad("Cancelled") }
}

fn malformed() -> Answer {
    Answer::bad("The response has not the form of its mechanism")
}

fn other_identity() -> Answer {
    Answer::no(Code::AuthorizationFailed, "You can only log in as yourself")
}

fn privacy_required() -> Answer {
    Answer::no(Code::PrivacyRequired, "Use TLS first: a password would travel in clear")
}
