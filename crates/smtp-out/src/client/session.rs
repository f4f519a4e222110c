//! A session with one host: connection, greeting, EHLO, STARTTLS, AUTH; then commands and replies.
//!
//! mail-send's client does EHLO, AUTH and single commands over our stream. Where it falls short stands ours: replies of
//! a pipelined group are kept when the connection breaks among them, each wait has its own time (`world`'s), and the
//! answer's octets are bounded ([`super::wire`]).

use std::time::Duration;

use mail::{Domain, EnhancedCode, Reply};
use mail_send::{Credentials, SmtpClient};
use rustls_pki_types::ServerName;
use smtp_proto::response::parser::ResponseReceiver;
use smtp_proto::{AUTH_LOGIN, AUTH_PLAIN, EXT_START_TLS, EhloResponse, Response};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsConnector;
use world::{Stream, World};

use crate::client::wire::Wire;
use crate::limits::{CONNECT_TIMEOUT, GREETING_TIMEOUT, LAST_WORDS_TIMEOUT, TLS_TIMEOUT};
use crate::route::Target;
use crate::settings::{Login, TlsMode};
use crate::tls::Connectors;

/// An open session, ready for a mail transaction.
pub(crate) struct Session {
    client: SmtpClient<Wire>,
    world: World,
    /// The host at the other end.
    pub(crate) target: Target,
    /// What it offers.
    pub(crate) ehlo: EhloResponse<String>,
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
            .connect(target.address, CONNECT_TIMEOUT)
            .await
            .map_err(|error| Broken::Lost(format!("no connection: {error}")))?;
        if tls == TlsMode::Implicit {
            stream = self.handshake(stream, &self.connectors.verified, target).await?;
        }
        let mut session = Session {
            client: client(stream),
            world: self.world.clone(),
            target: target.clone(),
            ehlo: EhloResponse::default(),
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

    /// RFC 3207 §4. What the host sent in clear behind its 220 is thrown away with the old buffers.
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
        let connector = if required { &self.connectors.verified } else { &self.connectors.unverified };
        let stream = session.client.stream.into_inner();
        session.client = client(self.handshake(stream, connector, &session.target).await?);
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
        let answer = self.world.timeout(GREETING_TIMEOUT, self.client.ehlo(hostname.as_str())).await;
        self.ehlo = match answer {
            Ok(Ok(ehlo)) => ehlo,
            Ok(Err(mail_send::Error::UnexpectedReply(response))) => {
                let reply = reply(response);
                if !reply.is_permanent() {
                    return Err(Broken::Refused(reply));
                }
                let reply = self.command(&format!("HELO {hostname}\r\n"), GREETING_TIMEOUT).await?;
                if !reply.is_positive() {
                    return Err(Broken::Refused(reply));
                }
                EhloResponse::default()
            }
            Ok(Err(error)) => return Err(lost(&error)),
            Err(timed_out) => return Err(Broken::Lost(format!("EHLO: {timed_out}"))),
        };
        Ok(())
    }

    /// AUTH PLAIN or LOGIN. A refused login is an error of our settings, so it is temporary for the mail.
    async fn log_in(&mut self, login: &Login, even_in_clear: bool) -> Result<(), Broken> {
        if !self.protected && !even_in_clear {
            return Err(Broken::Lost("no TLS, and no password goes unprotected".to_owned()));
        }
        // The others that mail-send knows are not built in.
        self.ehlo.auth_mechanisms &= AUTH_PLAIN | AUTH_LOGIN;
        let credentials =
            Credentials::Plain { username: login.name.clone(), secret: login.password.reveal().to_owned() };
        let offered = Offered(&self.ehlo);
        match self.world.timeout(GREETING_TIMEOUT, self.client.authenticate(&credentials, &offered)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(mail_send::Error::AuthenticationFailed(response))) => {
                Err(Broken::Lost(format!("the login {} was refused: {}", login.name, reply(response))))
            }
            Ok(Err(error)) => Err(lost(&error)),
            Err(timed_out) => Err(Broken::Lost(format!("AUTH: {timed_out}"))),
        }
    }

    /// One command and its reply.
    pub(crate) async fn command(&mut self, line: &str, within: Duration) -> Result<Reply, Broken> {
        match self.world.timeout(within, self.client.cmd(line)).await {
            Ok(Ok(response)) => Ok(reply(response)),
            Ok(Err(error)) => Err(lost(&error)),
            Err(timed_out) => Err(Broken::Lost(timed_out.to_string())),
        }
    }

    /// One more reply, as the greeting and the last one of DATA.
    pub(crate) async fn reply(&mut self, within: Duration) -> Result<Reply, Broken> {
        match self.world.timeout(within, self.client.read()).await {
            Ok(Ok(response)) => Ok(reply(response)),
            Ok(Err(error)) => Err(lost(&error)),
            Err(timed_out) => Err(Broken::Lost(timed_out.to_string())),
        }
    }

    /// Several commands at once (RFC 2920). The replies that came, and what broke the connection before the last.
    pub(crate) async fn pipeline(&mut self, lines: &[String], within: Duration) -> (Vec<Reply>, Option<Broken>) {
        let mut replies = Vec::with_capacity(lines.len());
        if let Err(broken) = self.write(lines.concat().as_bytes(), within).await {
            return (replies, Some(broken));
        }
        let mut receiver = ResponseReceiver::default();
        let mut buffer = vec![0; 4096];
        while replies.len() < lines.len() {
            let read = match self.world.timeout(within, self.client.stream.read(&mut buffer)).await {
                Ok(Ok(0)) => return (replies, Some(closed())),
                Ok(Ok(read)) => read,
                Ok(Err(error)) => return (replies, Some(Broken::Lost(error.to_string()))),
                Err(timed_out) => return (replies, Some(Broken::Lost(timed_out.to_string()))),
            };
            let mut octets = buffer.get(..read).unwrap_or_default().iter();
            while replies.len() < lines.len() {
                match receiver.parse(&mut octets) {
                    Ok(response) => {
                        replies.push(reply(response));
                        receiver.reset();
                    }
                    Err(smtp_proto::Error::NeedsMoreData { .. }) => break,
                    Err(_) => return (replies, Some(Broken::Lost("the host's answer is no SMTP".to_owned()))),
                }
            }
        }
        (replies, None)
    }

    /// Writes octets, all of them.
    pub(crate) async fn write(&mut self, octets: &[u8], within: Duration) -> Result<(), Broken> {
        let stream = &mut self.client.stream;
        let write = async {
            stream.write_all(octets).await?;
            stream.flush().await
        };
        match self.world.timeout(within, write).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(Broken::Lost(error.to_string())),
            Err(timed_out) => Err(Broken::Lost(timed_out.to_string())),
        }
    }

    /// Ends the session politely (RFC 5321 §4.1.1.10); how it answers does not matter.
    pub(crate) async fn quit(mut self) {
        let world = self.world.clone();
        let quit = async {
            self.client.cmd("QUIT\r\n").await.ok();
            self.client.stream.shutdown().await.ok();
        };
        world.timeout(LAST_WORDS_TIMEOUT, quit).await.ok();
    }
}

/// mail-send wants its arguments behind `AsRef`.
struct Offered<'a>(&'a EhloResponse<String>);

impl AsRef<EhloResponse<String>> for Offered<'_> {
    fn as_ref(&self) -> &EhloResponse<String> {
        self.0
    }
}

fn client(stream: Box<dyn Stream>) -> SmtpClient<Wire> {
    // mail-send measures its one time by the real clock; ours is measured outside, by `world`.
    SmtpClient { stream: Wire::new(stream), timeout: Duration::from_secs(86_400) }
}

fn lost(error: &mail_send::Error) -> Broken {
    // What mail-send says of a closed connection as well.
    if matches!(error, mail_send::Error::UnparseableReply) {
        return closed();
    }
    Broken::Lost(error.to_string())
}

fn closed() -> Broken {
    Broken::Lost("the host closed the connection or spoke no SMTP".to_owned())
}

/// A reply in our words. A code outside 200 to 599 is none of RFC 5321 §4.2.1 and counts as temporary.
fn reply(response: Response<String>) -> Reply {
    let [class, subject, detail] = response.esc;
    let enhanced = (class != 0).then(|| EnhancedCode(class, u16::from(subject), u16::from(detail)));
    let code = if (200..600).contains(&response.code) { response.code } else { 451 };
    Reply::new(code, enhanced, response.message.trim())
}
