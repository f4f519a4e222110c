//! A session with one host: connection, greeting, EHLO, STARTTLS, AUTH; then commands and replies.
//!
//! Every reply has one deadline (`world`'s time), however its octets come, and bounded octets ([`super::answer`]).
//! mail-send encodes the login; its client is not used, nor smtp-proto's reader of replies: docs/quirks.md says why.

use std::sync::Arc;
use std::time::Duration;

use mail::{Domain, EnhancedCode, Reply};
use mail_send::Credentials;
use rustls::ProtocolVersion;
use rustls_pki_types::ServerName;
use smtp_proto::{AUTH_LOGIN, AUTH_PLAIN, EXT_REQUIRE_TLS, EXT_START_TLS, EhloResponse};
use tokio_rustls::TlsConnector;
use world::{Stream, TimedOut, World};

use crate::client::answer::Answer;
use crate::client::offers::{OfferedLimits, offered_limits, offers};
use crate::client::wire::{Wire, WireError};
use crate::limits::{
    COMMAND_TIMEOUT, CONNECT_TIMEOUT, GREETING_TIMEOUT, GROUP_TIMEOUT, LAST_WORDS_TIMEOUT, TLS_TIMEOUT,
};
use crate::policy::Check;
use crate::route::Target;
use crate::settings::{Login, SmartHost, SmtpOutSettings, TlsMode};
use crate::tls::{Connectors, STARTTLS_NOT_SUPPORTED, Trial, VALIDATION_FAILURE, flaw_of};

/// An open session, ready for a mail transaction.
pub(crate) struct Session {
    wire: Wire,
    world: World,
    /// The host at the other end.
    pub(crate) target: Target,
    /// What it offers.
    pub(crate) ehlo: EhloResponse<String>,
    /// How TLS protects the session.
    pub(crate) secured: Option<Secured>,
    /// The host of the settings that it was opened to, as the settings want that; `None`: one that DNS names.
    given: Option<Arc<SmartHost>>,
    /// The check under which it was opened.
    check: Check,
    /// What is not as it should be with TLS, as TLS reports have it (RFC 8460 §4.3).
    pub(crate) flaw: Option<&'static str>,
    /// What it says of its bounds (RFC 9422).
    pub(crate) limits: OfferedLimits,
    /// Messages handed over so far.
    pub(crate) messages: u32,
}

/// How a session is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Secured {
    /// The version of TLS.
    version: &'static str,
    /// Who checked the certificate; `None`: nobody.
    by: Option<&'static str>,
    /// Whether the certificate was checked.
    checked: bool,
}

impl Secured {
    /// In words, for the trace.
    pub(crate) fn words(secured: Option<&Self>) -> String {
        match secured {
            None => "without TLS".to_owned(),
            Some(Self { version, by: Some(by), .. }) => format!("over {version}, certificate checked by {by}"),
            Some(Self { version, checked: true, .. }) => format!("over {version}, certificate checked"),
            Some(Self { version, .. }) => format!("over {version}, certificate not checked"),
        }
    }
}

/// What opening a session takes.
pub(crate) struct Dial<'a> {
    pub(crate) world: &'a World,
    pub(crate) hostname: &'a Domain,
    pub(crate) connectors: &'a Connectors,
    pub(crate) settings: &'a SmtpOutSettings,
    /// The host that the settings name: whether TLS must be, and who we are there; `None`: an MX host, where TLS is opportunistic
    /// and `check` says more.
    pub(crate) given: Option<&'a Arc<SmartHost>>,
    /// Whether the message asks for REQUIRETLS.
    pub(crate) require_tls: bool,
}

/// Why there is no TLS.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub(crate) struct Trouble {
    /// In words.
    pub(crate) why: String,
    /// As TLS reports have it (RFC 8460 §4.3).
    pub(crate) result: &'static str,
}

impl Trouble {
    pub(crate) fn new(why: impl Into<String>, result: &'static str) -> Self {
        Self { why: why.into(), result }
    }

    /// The same, with who demands TLS in front.
    fn of(self, by: &str) -> Self {
        Self { why: format!("{by}: {}", self.why), ..self }
    }
}

/// Why there is no session, or no longer one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Broken {
    /// The host refuses, in its greeting or in its answer to EHLO; or it closes with 421.
    #[error("{0}")]
    Refused(Reply),
    /// There is no TLS, or its handshake failed; without TLS it may work.
    #[error("{0}")]
    Tls(Trouble),
    /// The host is not, or can't be shown to be, the one that DANE or MTA-STS says it is.
    #[error("{0}")]
    Distrusted(Trouble),
    /// The host does not give what the message demands, and never will.
    #[error("{0}")]
    Unfit(Reply),
    /// The host is there, and lacks an extension or the room that the message needs. Another one may have it.
    #[error("{0}")]
    Lacking(Reply),
    /// The connection failed, ran out of time, spoke no SMTP, or did not give what the settings demand.
    #[error("{0}")]
    Lost(String),
}

impl Broken {
    /// Whether it stays so. Refused in its greeting with 5xx is for good (RFC 7504).
    pub(crate) fn is_for_good(&self) -> bool {
        match self {
            Self::Refused(reply) | Self::Unfit(reply) | Self::Lacking(reply) => reply.is_permanent(),
            Self::Tls(_) | Self::Distrusted(_) | Self::Lost(_) => false,
        }
    }

    /// The reply that stands for it in a row and in a DSN.
    pub(crate) fn reply(&self, target: &Target) -> Reply {
        match self {
            Self::Refused(reply) | Self::Unfit(reply) | Self::Lacking(reply) => reply.clone(),
            // RFC 3463 §3.8: cryptographic failure.
            Self::Distrusted(why) => Reply::new(451, Some(EnhancedCode(4, 7, 5)), format!("{}: {why}", target.host)),
            Self::Tls(Trouble { why, .. }) | Self::Lost(why) => {
                Reply::new(451, Some(EnhancedCode(4, 4, 1)), format!("{}: {why}", at(target)))
            }
        }
    }
}

/// A host and its address, which is said once where the host has no other name.
fn at(Target { host, address, .. }: &Target) -> String {
    let ip = address.ip();
    if host.as_str().starts_with('[') || host.as_str() == ip.to_string() {
        return host.to_string();
    }
    format!("{host} [{ip}]")
}

/// See [`Dial::connector`].
type Connector = (TlsConnector, Option<&'static str>, Option<Arc<Trial>>);

impl Dial<'_> {
    fn tls(&self) -> TlsMode {
        self.given.map_or(TlsMode::Opportunistic, |host| host.tls)
    }

    fn login(&self) -> Option<&Login> {
        self.given?.login.as_ref()
    }

    /// Whether an open session will do where this would open one under a check: to the same host, as the settings want it, with no
    /// less known of it.
    pub(crate) fn takes(&self, open: &Session, check: &Check) -> bool {
        open.given.as_ref() == self.given
            && check.is_met_by(&open.check, open.secured.is_some())
            && (!self.require_tls || open.takes_require_tls())
    }

    /// Opens a session, with the check that the host's policy asks for; where TLS is opportunistic and its handshake
    /// fails, once more without.
    pub(crate) async fn open(&self, target: &Target, check: &Check) -> Result<Session, Broken> {
        let tls = match (self.tls(), check) {
            // RFC 8689: no plain text, and no unchecked certificate.
            (TlsMode::Opportunistic | TlsMode::Plain, _) if self.require_tls => TlsMode::Required,
            (TlsMode::Opportunistic, check) if !check.demands_tls() => TlsMode::Opportunistic,
            (TlsMode::Opportunistic, _) => TlsMode::Required,
            (tls, _) => tls,
        };
        let mut flaw = None;
        let mut session = match self.open_with(target, tls, check).await {
            Err(Broken::Tls(why)) if self.require_tls => {
                let text = format!("the message asks for REQUIRETLS: {}: {why}", target.host);
                return Err(Broken::Unfit(Reply::new(550, Some(EnhancedCode(5, 7, 10)), text)));
            }
            Err(Broken::Tls(why)) if check.demands_tls() => {
                return Err(Broken::Distrusted(why.of(check.demanded_by())));
            }
            Err(Broken::Tls(why)) if tls == TlsMode::Opportunistic => {
                tracing::info!(host = %target.host, %why, "TLS failed, going on without");
                if self.login().is_some() {
                    return Err(Broken::Lost(format!("TLS failed, and no password goes unprotected: {why}")));
                }
                flaw = Some(why.result);
                self.open_with(target, TlsMode::Plain, check).await?
            }
            other => other?,
        };
        session.flaw = session.flaw.or(flaw);
        if self.require_tls && !session.takes_require_tls() {
            session.quit().await;
            // RFC 8689 §4.2.1.
            let text = format!("the message asks for REQUIRETLS, which {} does not offer", target.host);
            return Err(Broken::Unfit(Reply::new(550, Some(EnhancedCode(5, 7, 30)), text)));
        }
        Ok(session)
    }

    async fn open_with(&self, target: &Target, tls: TlsMode, check: &Check) -> Result<Session, Broken> {
        let mut stream = self
            .world
            .connector
            .connect_from(self.settings.source_for(target.address.ip()), target.address, CONNECT_TIMEOUT)
            .await
            .map_err(|error| Broken::Lost(format!("no connection: {error}")))?;
        let mut secured = None;
        if tls == TlsMode::Implicit {
            let (inner, version) = self.handshake(stream, &self.connectors.verified, target).await?;
            (stream, secured) = (inner, Some(Secured { version, by: None, checked: true }));
        }
        let mut session = Session {
            wire: Wire::new(stream),
            world: self.world.clone(),
            target: target.clone(),
            ehlo: EhloResponse::default(),
            secured,
            given: self.given.cloned(),
            check: check.clone(),
            flaw: None,
            limits: OfferedLimits::default(),
            messages: 0,
        };
        let greeting = session.reply(GREETING_TIMEOUT).await?;
        if !greeting.is_positive() {
            return Err(Broken::Refused(greeting));
        }
        session.say_ehlo(self.hostname).await?;
        if session.secured.is_none() && tls != TlsMode::Plain {
            session = self.start_tls(session, tls, check).await?;
        }
        if let Some(login) = self.login() {
            session.log_in(login, self.tls() == TlsMode::Plain).await?;
        }
        Ok(session)
    }

    /// RFC 3207 §4. What the host sent in clear behind its 220 is thrown away with the old [`Wire`].
    async fn start_tls(&self, mut session: Session, tls: TlsMode, check: &Check) -> Result<Session, Broken> {
        let required = tls == TlsMode::Required;
        let missing = |what: String| {
            let trouble = || Trouble::new(format!("TLS is required, and {what}"), STARTTLS_NOT_SUPPORTED);
            if required { Err(Broken::Tls(trouble())) } else { Ok(()) }
        };
        if !session.ehlo.has_capability(EXT_START_TLS) {
            missing("the host does not offer STARTTLS".to_owned())?;
            session.flaw = Some(STARTTLS_NOT_SUPPORTED);
            return Ok(session);
        }
        let reply = session.command("STARTTLS\r\n", GREETING_TIMEOUT).await?;
        if !reply.is_positive() {
            missing(format!("STARTTLS was refused: {reply}"))?;
            session.flaw = Some(STARTTLS_NOT_SUPPORTED);
            return Ok(session);
        }
        let (connector, by, trial) = self.connector(check, required)?;
        let checked = check.authenticates() || required || self.login().is_some();
        let checked = checked && *check != Check::EncryptedByDane;
        let (stream, version) = self.handshake(session.wire.into_stream(), &connector, &session.target).await?;
        session.flaw = trial.and_then(|trial| trial.found());
        session.wire = Wire::new(stream);
        session.secured = Some(Secured { version, by, checked });
        // RFC 3207 §4.2: what was offered before is forgotten.
        session.say_ehlo(self.hostname).await?;
        Ok(session)
    }

    /// What checks the certificate, in whose name, and what only looks at it.
    fn connector(&self, check: &Check, required: bool) -> Result<Connector, Broken> {
        let broken = |error: rustls::Error| Broken::Lost(error.to_string());
        let connectors = self.connectors;
        Ok(match check {
            Check::Dane { records, names } => (connectors.dane(records, names).map_err(broken)?, Some("DANE"), None),
            Check::Sts => (connectors.public.clone(), Some("MTA-STS"), None),
            Check::Message => (connectors.public.clone(), Some("REQUIRETLS"), None),
            Check::EncryptedByDane => (connectors.unverified.clone(), None, None),
            // A password goes to nobody whose certificate is not the host's (RFC 4954 §6, RFC 8314 §5.4).
            Check::Opportunistic | Check::Trial { .. } if required || self.login().is_some() => {
                (connectors.verified.clone(), None, None)
            }
            Check::Trial { .. } => {
                let (connector, trial) = connectors.trial().map_err(broken)?;
                (connector, None, Some(trial))
            }
            Check::Opportunistic => (connectors.unverified.clone(), None, None),
        })
    }

    async fn handshake(
        &self,
        stream: Box<dyn Stream>,
        connector: &TlsConnector,
        target: &Target,
    ) -> Result<(Box<dyn Stream>, &'static str), Broken> {
        let name = match target.host.as_literal() {
            Some(ip) => ServerName::IpAddress(ip.into()),
            None => ServerName::try_from(target.host.as_str().to_owned()).map_err(|_| {
                Broken::Tls(Trouble::new(format!("{} is no name for a certificate", target.host), VALIDATION_FAILURE))
            })?,
        };
        match self.world.timeout(TLS_TIMEOUT, connector.connect(name, stream)).await {
            Ok(Ok(stream)) => {
                let newest = stream.get_ref().1.protocol_version() == Some(ProtocolVersion::TLSv1_3);
                Ok((Box::new(stream), if newest { "TLS 1.3" } else { "TLS 1.2" }))
            }
            Ok(Err(error)) => {
                let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
                let result = inner.map_or(VALIDATION_FAILURE, flaw_of);
                Err(Broken::Tls(Trouble::new(format!("TLS handshake: {error}"), result)))
            }
            Err(_) => Err(Broken::Tls(Trouble::new("TLS handshake: timed out", VALIDATION_FAILURE))),
        }
    }
}

impl Session {
    /// Whether a message that asks for REQUIRETLS may go this way (RFC 8689 §4.2.1).
    pub(crate) fn takes_require_tls(&self) -> bool {
        self.secured.is_some_and(|secured| secured.checked) && self.ehlo.has_capability(EXT_REQUIRE_TLS)
    }

    /// EHLO, or HELO for a host that knows no extensions (RFC 5321 §3.2).
    async fn say_ehlo(&mut self, hostname: &Domain) -> Result<(), Broken> {
        let answer = self.ask(format!("EHLO {hostname}\r\n").as_bytes(), GREETING_TIMEOUT).await?;
        let reply = answer.reply();
        if reply.is_positive() {
            self.ehlo = offers(&answer.lines);
            self.limits = offered_limits(&answer.lines);
            return Ok(());
        }
        if !reply.is_permanent() {
            return Err(Broken::Refused(reply));
        }
        let reply = self.command(&format!("HELO {hostname}\r\n"), GREETING_TIMEOUT).await?;
        if !reply.is_positive() {
            return Err(Broken::Refused(reply));
        }
        self.ehlo = EhloResponse::default();
        self.limits = OfferedLimits::default();
        Ok(())
    }

    /// AUTH PLAIN or LOGIN. A refused login is an error of our settings, so it is temporary for the mail.
    async fn log_in(&mut self, login: &Login, even_in_clear: bool) -> Result<(), Broken> {
        if self.secured.is_none() && !even_in_clear {
            return Err(Broken::Lost("no TLS, and no password goes unprotected".to_owned()));
        }
        let credentials = Credentials::Plain { username: login.name.as_str(), secret: login.password.reveal() };
        let said = |mechanism, challenge| {
            credentials.encode(mechanism, challenge).map_err(|error| Broken::Lost(error.to_string()))
        };
        let (first, further) = if self.ehlo.auth_mechanisms & AUTH_PLAIN != 0 {
            let response = said(AUTH_PLAIN, "")?;
            // Asked for again by a host that takes no initial response.
            (format!("AUTH PLAIN {response}\r\n"), vec![response])
        } else if self.ehlo.auth_mechanisms & AUTH_LOGIN != 0 {
            // Whatever its two questions are: the name comes first, then the password.
            ("AUTH LOGIN\r\n".to_owned(), vec![said(AUTH_LOGIN, "VXNlcm5hbWU6")?, said(AUTH_LOGIN, "UGFzc3dvcmQ6")?])
        } else {
            return Err(Broken::Lost("the host offers no login by PLAIN or LOGIN".to_owned()));
        };
        let mut reply = self.command(&first, GREETING_TIMEOUT).await?;
        for response in further {
            if reply.code == 334 {
                reply = self.command(&format!("{response}\r\n"), GREETING_TIMEOUT).await?;
            }
        }
        if reply.is_positive() {
            return Ok(());
        }
        Err(Broken::Lost(format!("the login {} was refused: {reply}", login.name)))
    }

    /// Whether the host takes a further message in this session (RFC 9422 §4.1).
    pub(crate) fn takes_more(&self) -> bool {
        self.limits.mails_max.is_none_or(|max| self.messages < max)
    }

    /// One command and its reply.
    pub(crate) async fn command(&mut self, line: &str, within: Duration) -> Result<Reply, Broken> {
        Ok(self.ask(line.as_bytes(), within).await?.reply())
    }

    async fn ask(&mut self, line: &[u8], within: Duration) -> Result<Answer, Broken> {
        self.heard_nothing_unasked()?;
        let wire = &mut self.wire;
        let asking = async {
            wire.send(line).await?;
            wire.answer().await
        };
        in_time(self.world.timeout(within, asking).await)
    }

    /// One more reply, as the greeting and the last one of DATA.
    pub(crate) async fn reply(&mut self, within: Duration) -> Result<Reply, Broken> {
        Ok(in_time(self.world.timeout(within, self.wire.answer()).await)?.reply())
    }

    /// Several commands at once (RFC 2920), no more than `GROUP_OCTETS_MAX` of them. The replies that came, and what
    /// broke the connection before the last.
    pub(crate) async fn pipeline(&mut self, lines: &[String]) -> (Vec<Reply>, Option<Broken>) {
        let mut replies = Vec::with_capacity(lines.len());
        if let Err(broken) = self.heard_nothing_unasked() {
            return (replies, Some(broken));
        }
        let (world, wire) = (&self.world, &mut self.wire);
        let group = async {
            wire.send(lines.concat().as_bytes()).await?;
            while replies.len() < lines.len() {
                let answer = world.timeout(COMMAND_TIMEOUT, wire.answer()).await;
                replies.push(answer.map_err(|timed_out| WireError::Io(std::io::Error::other(timed_out)))??.reply());
            }
            Ok(())
        };
        let broken = in_time(world.timeout(GROUP_TIMEOUT, group).await).err();
        (replies, broken)
    }

    /// An answer that is here before its question would be taken for that of the next command; behind the message it
    /// could make a loss look like a delivery.
    pub(crate) fn heard_nothing_unasked(&self) -> Result<(), Broken> {
        match self.wire.unasked() {
            None => Ok(()),
            Some(Ok(answer)) if answer.code == 421 => Err(Broken::Refused(answer.reply())),
            Some(_) => Err(Broken::Lost("the host answered what it was not asked".to_owned())),
        }
    }

    /// Writes octets, all of them.
    pub(crate) async fn write(&mut self, octets: &[u8], within: Duration) -> Result<(), Broken> {
        let written = self.world.timeout(within, self.wire.send(octets)).await;
        in_time(written.map(|done| done.map_err(WireError::Io)))
    }

    /// Ends the session politely (RFC 5321 §4.1.1.10); how it answers does not matter.
    pub(crate) async fn quit(mut self) {
        let quit = async {
            self.wire.send(b"QUIT\r\n").await.ok();
            self.wire.answer().await.ok();
            self.wire.close().await.ok();
        };
        self.world.timeout(LAST_WORDS_TIMEOUT, quit).await.ok();
    }
}

fn in_time<T>(outcome: Result<Result<T, WireError>, TimedOut>) -> Result<T, Broken> {
    match outcome {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(Broken::Lost(error.to_string())),
        Err(timed_out) => Err(Broken::Lost(timed_out.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_is_its_own_name_is_said_once() {
        for (host, address, said) in [
            ("mx.b.example", "192.0.2.7:25", "mx.b.example [192.0.2.7]"),
            ("[192.0.2.7]", "192.0.2.7:25", "[192.0.2.7]"),
            ("[IPv6:2001:db8::7]", "[2001:db8::7]:25", "[IPv6:2001:db8::7]"),
        ] {
            let (host, address) = (Domain::parse(host).unwrap(), address.parse().unwrap());
            let target = Target { host, address, preference: 0, proven: None };
            let reply = Broken::Lost("no connection: refused".to_owned()).reply(&target);
            assert_eq!(reply.to_string(), format!("451 4.4.1 {said}: no connection: refused"));
        }
    }
}
