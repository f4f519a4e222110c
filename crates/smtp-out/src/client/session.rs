//! A session with one host: connection, greeting, EHLO, STARTTLS, AUTH; then commands and replies.
//!
//! Every reply has one deadline (`world`'s time), however its octets come, and bounded octets ([`super::answer`]).
//! mail-send encodes the login; its client is not used, nor smtp-proto's reader of replies: docs/quirks.md says why.

use std::time::Duration;

use mail::{Domain, EnhancedCode, Reply};
use mail_send::Credentials;
use rustls_pki_types::ServerName;
use smtp_proto::{AUTH_LOGIN, AUTH_PLAIN, EXT_START_TLS, EhloResponse};
use tokio_rustls::TlsConnector;
use world::{Stream, TimedOut, World};

use crate::client::answer::Answer;
use crate::client::offers::{OfferedLimits, offered_limits, offers};
use crate::client::wire::{Wire, WireError};
use crate::limits::{
    COMMAND_TIMEOUT, CONNECT_TIMEOUT, GREETING_TIMEOUT, GROUP_TIMEOUT, LAST_WORDS_TIMEOUT, TLS_TIMEOUT,
};
use crate::route::Target;
use crate::settings::{Login, SmtpOutSettings, TlsMode};
use crate::tls::Connectors;

/// An open session, ready for a mail transaction.
pub(crate) struct Session {
    wire: Wire,
    world: World,
    /// The host at the other end.
    pub(crate) target: Target,
    /// What it offers.
    pub(crate) ehlo: EhloResponse<String>,
    /// What it says of its bounds (RFC 9422).
    pub(crate) limits: OfferedLimits,
    /// Whether TLS protects the session.
    pub(crate) protected: bool,
    /// Messages handed over so far.
    pub(crate) messages: u32,
}

/// What opening a session takes.
pub(crate) struct Dial<'a> {
    pub(crate) world: &'a World,
    pub(crate) hostname: &'a Domain,
    pub(crate) connectors: &'a Connectors,
    pub(crate) settings: &'a SmtpOutSettings,
    pub(crate) tls: TlsMode,
    pub(crate) login: Option<&'a Login>,
}

/// Why there is no session, or no longer one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Broken {
    /// The host refuses, in its greeting or in its answer to EHLO; or it closes with 421.
    #[error("{0}")]
    Refused(Reply),
    /// The TLS handshake failed; without TLS it may work.
    #[error("{0}")]
    Tls(String),
    /// The connection failed, ran out of time, spoke no SMTP, or did not give what the settings demand.
    #[error("{0}")]
    Lost(String),
}

impl Broken {
    /// The reply that stands for it in a row and in a DSN.
    pub(crate) fn reply(&self, target: &Target) -> Reply {
        match self {
            Self::Refused(reply) => reply.clone(),
            Self::Tls(why) | Self::Lost(why) => Reply::new(
                451,
                Some(EnhancedCode(4, 4, 1)),
                format!("{} [{}]: {why}", target.host, target.address.ip()),
            ),
        }
    }
}

impl Dial<'_> {
    /// Opens a session; where TLS is opportunistic and its handshake fails, once more without.
    pub(crate) async fn open(&self, target: &Target) -> Result<Session, Broken> {
        match self.open_with(target, self.tls).await {
            Err(Broken::Tls(why)) if self.tls == TlsMode::Opportunistic => {
                tracing::info!(host = %target.host, %why, "TLS failed, going on without");
                if self.login.is_some() {
                    return Err(Broken::Lost(format!("TLS failed, and no password goes unprotected: {why}")));
                }
                self.open_with(target, TlsMode::Plain).await
            }
            other => other,
        }
    }

    async fn open_with(&self, target: &Target, tls: TlsMode) -> Result<Session, Broken> {
        let mut stream = self
            .world
            .connector
            .connect_from(self.settings.source_for(target.address.ip()), target.address, CONNECT_TIMEOUT)
            .await
            .map_err(|error| Broken::Lost(format!("no connection: {error}")))?;
        if tls == TlsMode::Implicit {
            stream = self.handshake(stream, &self.connectors.verified, target).await?;
        }
        let mut session = Session {
            wire: Wire::new(stream),
            world: self.world.clone(),
            target: target.clone(),
            ehlo: EhloResponse::default(),
            limits: OfferedLimits::default(),
            protected: tls == TlsMode::Implicit,
            messages: 0,
        };
        let greeting = session.reply(GREETING_TIMEOUT).await?;
        if !greeting.is_positive() {
            return Err(Broken::Refused(greeting));
        }
        session.say_ehlo(self.hostname).await?;
        if !session.protected && tls != TlsMode::Plain {
            session = self.start_tls(session, tls).await?;
        }
        if let Some(login) = self.login {
            session.log_in(login, self.tls == TlsMode::Plain).await?;
        }
        Ok(session)
    }

    /// RFC 3207 §4. What the host sent in clear behind its 220 is thrown away with the old [`Wire`].
    async fn start_tls(&self, mut session: Session, tls: TlsMode) -> Result<Session, Broken> {
        let required = tls == TlsMode::Required;
        let missing = |what: String| {
            if required { Err(Broken::Lost(format!("TLS is required, and {what}"))) } else { Ok(()) }
        };
        if !session.ehlo.has_capability(EXT_START_TLS) {
            missing("the host does not offer STARTTLS".to_owned())?;
            return Ok(session);
        }
        let reply = session.command("STARTTLS\r\n", GREETING_TIMEOUT).await?;
        if !reply.is_positive() {
            missing(format!("STARTTLS was refused: {reply}"))?;
            return Ok(session);
        }
        // A password goes to nobody whose certificate is not the host's (RFC 4954 §6, RFC 8314 §5.4).
        let verified = required || self.login.is_some();
        let connector = if verified { &self.connectors.verified } else { &self.connectors.unverified };
        session.wire = Wire::new(self.handshake(session.wire.into_stream(), connector, &session.target).await?);
        session.protected = true;
        // RFC 3207 §4.2: what was offered before is forgotten.
        session.say_ehlo(self.hostname).await?;
        Ok(session)
    }

    async fn handshake(
        &self,
        stream: Box<dyn Stream>,
        connector: &TlsConnector,
        target: &Target,
    ) -> Result<Box<dyn Stream>, Broken> {
        let name = match target.host.as_literal() {
            Some(ip) => ServerName::IpAddress(ip.into()),
            None => ServerName::try_from(target.host.as_str().to_owned())
                .map_err(|_| Broken::Tls(format!("{} is no name for a certificate", target.host)))?,
        };
        match self.world.timeout(TLS_TIMEOUT, connector.connect(name, stream)).await {
            Ok(Ok(stream)) => Ok(Box::new(stream)),
            Ok(Err(error)) => Err(Broken::Tls(format!("TLS handshake: {error}"))),
            Err(_) => Err(Broken::Tls("TLS handshake: timed out".to_owned())),
        }
    }
}

impl Session {
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
        if !self.protected && !even_in_clear {
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
