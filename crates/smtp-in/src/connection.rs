//! One connection: the only place of this crate that does I/O.
//!
//! It carries octets between the client and the engine, and questions between the engine and the host. While a
//! question is open nothing is read, so the client waits; while the store takes octets nothing is read either. A
//! client that does not read its replies is given up. Invariant: memory does not grow with the message: at most
//! one read of input and one piece of a message are held besides what the engine holds.

use std::io;
use std::sync::Arc;

use auth::TlsChannel;
use mail::{Envelope, Reply};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::LazyConfigAcceptor;
use tokio_util::sync::CancellationToken;
use world::{Stream, TimedOut, World};
use zeroize::Zeroize;

use crate::door;
use crate::engine::{Action, Answer, Engine, Mechanism, Policy};
use crate::host::{AuthExchange, AuthFailure, AuthStep, Host, LinkedContent, MessageSink};
use crate::limits::{BODY_READ_OCTETS, COMMAND_READ_OCTETS, LINGER, Limits};
use crate::secret::Secret;
use crate::session::{SessionFacts, TlsFacts};
use crate::settings::{ListenerKind, Settings};

/// How a connection ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum End {
    /// After QUIT, or when the patience was over.
    #[error("closed after the last reply")]
    ByUs,
    /// The client has closed its side, and had its replies.
    #[error("the client has closed the connection")]
    ByClient,
    /// The client does not read its replies.
    #[error("the client does not read")]
    NotRead,
    /// The TLS handshake failed or took too long.
    #[error("the TLS handshake failed: {0}")]
    Handshake(io::Error),
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Broken(#[from] io::Error),
}

/// What a connection did, for the log.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    /// Messages kept.
    pub(crate) kept: u32,
    /// Messages begun and not kept.
    pub(crate) refused: u32,
}

/// Runs a session to its end. One that is turned away has this reply in the place of the greeting, and is over.
pub(crate) async fn serve(
    stream: Box<dyn Stream>,
    facts: SessionFacts,
    turned_away: Option<Reply>,
    settings: &Settings,
    host: &dyn Host,
    world: &World,
    shutdown: &CancellationToken,
) -> (End, Tally) {
    let limits = settings.limits.get();
    let implicit_tls = facts.kind == ListenerKind::Submissions;
    let (policy, now) = (Policy::of(settings), world.clock.now());
    let engine = match turned_away {
        None => {
            host.connected(&facts);
            Engine::new(policy, facts, now)
        }
        Some(reply) => Engine::turning_away(policy, facts, reply, now),
    };
    let mut connection = Connection {
        stream,
        engine,
        sink: None,
        linked: None,
        exchange: None,
        tally: Tally::default(),
        settings,
        limits,
        host,
        world,
    };
    let end = match connection.run(implicit_tls, shutdown).await {
        Ok(never) => match never {},
        Err(end) => end,
    };
    // With the last of its commands the engine may have closed by itself.
    connection.is_banned_now();
    if connection.sink.is_some() {
        connection.count_refused();
    }
    (end, connection.tally)
}

/// What a URL names, and how many octets of it have not been read.
struct Linked {
    content: Box<dyn LinkedContent>,
    remaining: u64,
}

struct Connection<'a> {
    stream: Box<dyn Stream>,
    engine: Engine,
    sink: Option<Box<dyn MessageSink>>,
    /// What a URL names, while it is read.
    linked: Option<Linked>,
    /// The login that is going on, if it takes several messages.
    exchange: Option<Box<dyn AuthExchange + 'a>>,
    tally: Tally,
    settings: &'a Settings,
    limits: Arc<Limits>,
    host: &'a dyn Host,
    world: &'a World,
}

impl Connection<'_> {
    async fn run(&mut self, implicit_tls: bool, shutdown: &CancellationToken) -> Result<std::convert::Infallible, End> {
        if implicit_tls {
            let tls = self.handshake().await?;
            self.engine.tls_from_the_start(tls);
        }
        let mut told = false;
        loop {
            while let Some(action) = self.engine.next(self.world.clock.now()) {
                self.act(action).await?;
            }
            if shutdown.is_cancelled() && !told {
                told = true;
                self.engine.shut_down();
                continue;
            }
            if self.is_banned_now() {
                continue;
            }
            // Not left to the wait below, which octets that keep coming would cut short every time.
            if self.engine.tick(self.world.clock.now()) {
                continue;
            }
            self.hear(shutdown, told).await?;
        }
    }

    /// Tells the door of commands that made no sense; true when the session ends for it. Who has logged in may err.
    fn is_banned_now(&mut self) -> bool {
        let bad = self.engine.take_bad_commands();
        let facts = self.engine.facts();
        if bad == 0 || facts.identity.is_some() {
            return false;
        }
        let told = door::after_bad_commands(self.settings, facts.remote.ip(), bad, self.world.clock.now());
        told.is_some_and(|reply| self.engine.turn_away(reply))
    }

    /// Waits for input, the deadline or the shutdown, whichever comes first.
    async fn hear(&mut self, shutdown: &CancellationToken, told: bool) -> Result<(), End> {
        // An idle connection holds the small array only; inside a message a larger one pays.
        let mut small = [0; COMMAND_READ_OCTETS];
        let in_body = self.engine.in_body();
        let mut large = if in_body { vec![0; BODY_READ_OCTETS] } else { Vec::new() };
        let buffer: &mut [u8] = if large.is_empty() { &mut small } else { &mut large };
        let octets_max = buffer.len().min(self.engine.room());
        let buffer = buffer.get_mut(..octets_max).unwrap_or_default();
        assert!(!buffer.is_empty(), "an engine that awaits input has room for it, or no input would look like its end");
        let now = self.world.clock.now();
        // A clock that was set back must not make the wait longer than the limit.
        let wait = self.engine.deadline().map_or(self.limits.idle, |at| at.since(now).min(self.limits.idle));
        tokio::select! {
            biased;
            () = shutdown.cancelled(), if !told => {}
            read = self.stream.read(buffer) => {
                let octets = match read {
                    // A TLS client that closes without saying so.
                    Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => 0,
                    read => read?,
                };
                if octets == 0 {
                    // Every complete command has been answered already: a half-closed client loses nothing.
                    self.say_good_bye().await;
                    return Err(End::ByClient);
                }
                let heard = buffer.get_mut(..octets).unwrap_or_default();
                metrics::counter!("relais_smtp_in_octets_total").increment(octets as u64);
                self.engine.receive(heard, self.world.clock.now());
                if !in_body {
                    // A password may have been in it.
                    heard.zeroize();
                }
            }
            // What is due then is done by `run`.
            () = self.world.clock.sleep(wait) => {}
        }
        Ok(())
    }

    async fn act(&mut self, action: Action) -> Result<(), End> {
        let answer = match action {
            Action::Send(octets) => return self.write(&octets).await,
            Action::Enter => {
                let remote = self.engine.facts().remote.ip();
                let turned_away = door::turned_away(self.settings, remote, self.world.clock.now());
                Answer::Entered(turned_away.map(|away| away.reply))
            }
            Action::MayBegin => Answer::Begin(self.host.may_begin(self.engine.facts(), self.envelope()).await),
            Action::AskRecipient { path } => {
                Answer::Recipient(self.host.recipient(self.engine.facts(), self.envelope(), &path).await)
            }
            Action::Authenticate { mechanism, login, password } => {
                let outcome = self.host.authenticate(self.engine.facts(), &login, &password).await;
                let session = self.engine.facts().id;
                match &outcome {
                    Ok(_) => tracing::info!(%session, ?mechanism, login, "authentication"),
                    // Without the name: people type their password there.
                    Err(why) => tracing::info!(%session, ?mechanism, %why, "authentication failed"),
                }
                Answer::Authenticated(outcome)
            }
            Action::Respond { mechanism, begins, response } => {
                Answer::Responded(self.respond(mechanism, begins, &response).await)
            }
            Action::Verify { text } => Answer::LookedUp(self.host.verify(self.engine.facts(), &text).await),
            Action::Expand { text } => Answer::LookedUp(self.host.expand(self.engine.facts(), &text).await),
            Action::BeginBody => match self.host.open(self.engine.facts(), self.envelope()).await {
                Ok(sink) => {
                    self.sink = Some(sink);
                    Answer::Opened(Ok(()))
                }
                Err(reply) => {
                    self.count_refused();
                    Answer::Opened(Err(reply))
                }
            },
            Action::FindUrl { url } => Answer::UrlFound(self.find(&url).await),
            Action::ReadUrl => Answer::UrlRead(self.read_linked().await),
            Action::Body(octets) => {
                if let Some(sink) = &mut self.sink
                    && let Err(reply) = sink.write(&octets).await
                {
                    (self.sink, self.linked) = (None, None);
                    self.count_refused();
                    self.engine.body_failed(reply);
                }
                return Ok(());
            }
            Action::AbandonBody => {
                (self.sink, self.linked) = (None, None);
                self.count_refused();
                return Ok(());
            }
            Action::EndBody { envelope } => Answer::Kept(self.keep(envelope).await),
            Action::StartTls => Answer::TlsStarted(self.handshake().await?),
            Action::Close => {
                self.say_good_bye().await;
                return Err(End::ByUs);
            }
        };
        self.engine.answer(answer, self.world.clock.now());
        Ok(())
    }

    /// Asks for what a URL names.
    async fn find(&mut self, url: &Secret) -> Result<u64, Reply> {
        match self.host.linked(self.engine.facts(), url).await {
            Ok(content) => {
                let remaining = content.octets();
                self.linked = (remaining > 0).then_some(Linked { content, remaining });
                Ok(remaining)
            }
            Err(reply) => {
                // Without the URL: it has a token, and names people's mailboxes.
                tracing::info!(session = %self.engine.facts().id, %reply, "a URL gave nothing");
                Err(reply)
            }
        }
    }

    /// Reads a piece of it, and lets go of what has been read to its end.
    async fn read_linked(&mut self) -> Result<Vec<u8>, Reply> {
        let Some(linked) = &mut self.linked else {
            unreachable!("the engine reads only what was found, as far as it goes")
        };
        let piece = linked.content.piece().await?;
        linked.remaining = linked.remaining.saturating_sub(piece.len() as u64);
        if linked.remaining == 0 {
            self.linked = None;
        }
        Ok(piece)
    }

    /// Hands a response on to the exchange that is going on, or that begins with it.
    async fn respond(
        &mut self,
        mechanism: Mechanism,
        begins: bool,
        response: &Secret,
    ) -> Result<AuthStep, AuthFailure> {
        let exchange = if begins { self.host.exchange(self.engine.facts(), mechanism) } else { self.exchange.take() };
        // What was announced and is not there any more will be back, or will not be announced again.
        let mut exchange = exchange.ok_or(AuthFailure::Unavailable)?;
        let outcome = exchange.step(response).await;
        let session = self.engine.facts().id;
        match &outcome {
            Ok(AuthStep::Challenge(_)) => self.exchange = Some(exchange),
            Ok(AuthStep::Done(identity)) => {
                tracing::info!(%session, ?mechanism, login = identity.login, "authentication");
            }
            Err(why) => tracing::info!(%session, ?mechanism, %why, "authentication failed"),
        }
        outcome
    }

    fn envelope(&self) -> &Envelope {
        match self.engine.envelope() {
            Some(envelope) => envelope,
            None => unreachable!("the engine asks about a mail transaction only inside one"),
        }
    }

    async fn keep(&mut self, envelope: Envelope) -> Result<crate::host::Acknowledgement, Reply> {
        let Some(sink) = self.sink.take() else {
            unreachable!("the engine ends only a message that was opened and not given up")
        };
        let outcome = sink.finish(envelope).await;
        match &outcome {
            Ok(_) => {
                self.tally.kept = self.tally.kept.saturating_add(1);
                metrics::counter!("relais_smtp_in_messages_total", "outcome" => "kept").increment(1);
            }
            Err(_) => self.count_refused(),
        }
        outcome
    }

    fn count_refused(&mut self) {
        self.tally.refused = self.tally.refused.saturating_add(1);
        metrics::counter!("relais_smtp_in_messages_total", "outcome" => "refused").increment(1);
    }

    async fn write(&mut self, octets: &[u8]) -> Result<(), End> {
        let stream = &mut self.stream;
        let written = self.world.timeout(self.limits.write, async {
            stream.write_all(octets).await?;
            stream.flush().await
        });
        match written.await {
            Ok(done) => Ok(done?),
            Err(TimedOut) => Err(End::NotRead),
        }
    }

    /// Does the server's side of a TLS handshake; the stream is the encrypted one afterwards.
    async fn handshake(&mut self) -> Result<TlsFacts, End> {
        let Some(config) = self.settings.tls.as_ref() else {
            return Err(End::Handshake(io::Error::other("there is no certificate")));
        };
        let plain = std::mem::replace(&mut self.stream, Box::new(tokio::io::empty()));
        let config = config.get();
        let handshake = async {
            let start = LazyConfigAcceptor::new(rustls::server::Acceptor::default(), plain).await?;
            // The certificate that is about to be shown: rustls does not tell it afterwards.
            let shown = config.cert_resolver.resolve(start.client_hello());
            io::Result::Ok((start.into_stream(Arc::clone(&config)).await?, shown))
        };
        let (stream, shown) = match self.world.timeout(self.limits.tls_handshake, handshake).await {
            Ok(done) => done.map_err(End::Handshake)?,
            Err(TimedOut) => return Err(End::Handshake(io::Error::from(io::ErrorKind::TimedOut))),
        };
        let session = stream.get_ref().1;
        let facts = TlsFacts { channel: TlsChannel::of(session, shown.as_deref()), ..tls_facts(session) };
        self.stream = Box::new(stream);
        Ok(facts)
    }

    /// Closes our side, and reads on for a moment: closing at once with input unread would have the system throw the
    /// last reply away. A client in full flow notices only once it has sent what it has, so time is the only bound.
    async fn say_good_bye(&mut self) {
        let (stream, clock) = (&mut self.stream, &self.world.clock);
        let end = clock.now().plus(LINGER);
        let linger = self.world.timeout(LINGER, async {
            stream.shutdown().await?;
            let mut buffer = vec![0; BODY_READ_OCTETS];
            // Looked at each time, for a stream that always has octets lets no timer run.
            while clock.now() < end && stream.read(&mut buffer).await? > 0 {}
            io::Result::Ok(())
        });
        // Whatever happens now, the session is over.
        linger.await.ok();
    }
}

fn tls_facts(connection: &rustls::ServerConnection) -> TlsFacts {
    let version = connection.protocol_version().map_or_else(|| "TLS".to_owned(), |version| format!("{version:?}"));
    let cipher = connection.negotiated_cipher_suite().map_or_else(String::new, |suite| format!("{:?}", suite.suite()));
    // rustls writes TLSv1_3 and TLS13_AES_…; the registered names are TLSv1.3 and TLS_AES_….
    TlsFacts { version: version.replace('_', "."), cipher: cipher.replace("TLS13_", "TLS_"), ..TlsFacts::default() }
}

#[cfg(test)]
mod tests;
