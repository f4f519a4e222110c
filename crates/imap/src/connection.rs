//! The socket: the only I/O of a session. Octets become frames here; what a session says leaves from here, with back-pressure.
//!
//! Between commands nothing is held but a small read: an idling client costs little (`docs/design.md` §7). Works over any
//! [`world::Stream`]; TLS is one more of them.

use std::sync::Arc;
use std::time::Duration;

use auth::TlsChannel;
use bytes::{Buf, Bytes, BytesMut};
use imap_wire::response;
use imap_wire::{Announcement, CommandText, Frame, FrameLimits, Framer, Refusal, Secret, Ticket};
use rustls::ServerConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::LazyConfigAcceptor;
use tokio_util::sync::CancellationToken;
use world::{BoxFuture, Stream, World};

use crate::engine::deflate::{Deflater, Inflater};
use crate::fault::Lost;
use crate::limits::{
    BUSY_READ_OCTETS, COMMAND_PAUSE_MAX, COMPRESSOR_KEEP, HANDSHAKE_TIMEOUT, IDLE_READ_OCTETS, LOGIN_TIMEOUT,
    LOOKED_AT_PER_PACKED, OUTPUT_OCTETS, WRITE_TIMEOUT,
};
use crate::turn::Turn;

/// A [`Frame`] that owns what it holds.
pub(crate) enum Event {
    Command(CommandText),
    Line(Secret),
    BadLine(Refusal),
    Announced(Announcement),
    Chunk(Bytes),
    MessageEnd { ticket: Ticket, nul: bool },
    Misbehaviour { refusal: Refusal, close: bool },
}

/// What stands between the octets of the stream and those of the protocol once COMPRESS was given.
struct Compression {
    inflater: Inflater,
    /// Received and not yet inflated.
    packed_input: Bytes,
    deflater: Deflater,
    /// Compressed and not yet sent.
    packed_output: Vec<u8>,
    turn: Turn,
}

/// One client's connection.
pub(crate) struct Connection {
    stream: Box<dyn Stream>,
    world: World,
    shutdown: CancellationToken,
    /// Cuts what is received; the session tells it what to expect.
    pub(crate) framer: Framer,
    /// Received and not yet cut.
    pending: Bytes,
    /// The last read filled its buffer: the next one gets a larger one.
    busy: bool,
    /// Said and not yet sent.
    output: Vec<u8>,
    /// How much of what is being sent has been sent.
    sent: usize,
    /// Since COMPRESS (RFC 4978).
    compression: Option<Box<Compression>>,
    /// Since the TLS handshake; until somebody has logged in, where that is for good.
    tls: Option<Box<TlsChannel>>,
    /// Runs out unless the client logs in before, whatever it says meanwhile.
    login_timer: Option<BoxFuture<'static, ()>>,
}

impl Connection {
    /// A connection that speaks in clear, or whatever the stream does.
    pub(crate) fn new(stream: Box<dyn Stream>, world: World, shutdown: CancellationToken) -> Self {
        let login_timer = Some(world.clock.sleep(LOGIN_TIMEOUT));
        Self {
            login_timer,
            stream,
            world,
            shutdown,
            framer: Framer::new(FrameLimits::BEFORE_LOGIN),
            pending: Bytes::new(),
            busy: false,
            output: Vec::new(),
            sent: 0,
            compression: None,
            tls: None,
        }
    }

    /// The client has logged in: it may stay. `for_good`: nobody logs in here again, so what TLS has told is of no use any more.
    pub(crate) fn logged_in(&mut self, for_good: bool) {
        self.login_timer = None;
        if for_good {
            self.tls = None;
        }
    }

    /// The client has logged out and may log in again. Compression ends: what the client has sent behind its command came without
    /// it (RFC 8437 §4.1).
    pub(crate) fn logged_out(&mut self) {
        self.login_timer = Some(self.world.clock.sleep(LOGIN_TIMEOUT));
        if let Some(compression) = self.compression.take() {
            let mut rest = compression.packed_input;
            // What ends the compressed octets (RFC 1951 §3.2.4: an empty block) may not have been looked at yet.
            if let Some(at) = rest.windows(4).take(2).position(|four| four == [0, 0, 0xff, 0xff]) {
                rest.advance(at.saturating_add(4));
            }
            self.pending = [std::mem::take(&mut self.pending), rest].concat().into();
        }
    }

    /// Where responses are appended.
    pub(crate) fn out(&mut self) -> &mut Vec<u8> {
        &mut self.output
    }

    /// The next frame. `silence_max` bounds the wait between commands; none when the client may be silent for ever (IDLE).
    /// Everything said so far is sent before waiting. May be dropped while it waits for input, when nothing is left to send.
    pub(crate) async fn next(&mut self, silence_max: Option<Duration>) -> Result<Event, Lost> {
        loop {
            let mut rest: &[u8] = &self.pending;
            let frame = self.framer.next(&mut rest);
            let left = rest.len();
            let event = match frame {
                None => None,
                Some(Frame::Continue) => {
                    response::continuation(&mut self.output, "OK");
                    self.consume(left);
                    self.flush_some().await?;
                    continue;
                }
                Some(Frame::Command(text)) => Some(Event::Command(text)),
                Some(Frame::Line(line)) => Some(Event::Line(line)),
                Some(Frame::BadLine(refusal)) => Some(Event::BadLine(refusal)),
                Some(Frame::Announced(announcement)) => Some(Event::Announced(announcement)),
                Some(Frame::Chunk(chunk)) => Some(Event::Chunk(self.pending.slice_ref(chunk))),
                Some(Frame::MessageEnd { ticket, nul }) => Some(Event::MessageEnd { ticket, nul }),
                Some(Frame::Misbehaviour { refusal, close }) => Some(Event::Misbehaviour { refusal, close }),
            };
            self.consume(left);
            match event {
                Some(event) => return Ok(event),
                None => {
                    self.flush().await?;
                    self.fill(silence_max).await?;
                }
            }
        }
    }

    fn consume(&mut self, left: usize) {
        self.pending.advance(self.pending.len().saturating_sub(left));
        if self.pending.is_empty() {
            self.pending = Bytes::new();
        }
    }

    /// Waits for octets that say something.
    async fn fill(&mut self, silence_max: Option<Duration>) -> Result<(), Lost> {
        let between = self.framer.is_idle();
        if between && self.output.capacity() > IDLE_READ_OCTETS {
            self.output = Vec::new();
        }
        if let Some(compression) = self.compression.as_mut().filter(|_| between) {
            compression.packed_output.shrink_to(IDLE_READ_OCTETS);
        }
        let pause = if between { silence_max } else { Some(COMMAND_PAUSE_MAX) };
        let clock = Arc::clone(&self.world.clock);
        let mut silence = std::pin::pin!(async move {
            match pause {
                Some(pause) => clock.sleep(pause).await,
                None => std::future::pending().await,
            }
        });
        // Compressed octets may say nothing yet; the pause is that between those that do.
        while !self.inflate()? {
            let octets = if self.busy || !between { BUSY_READ_OCTETS } else { IDLE_READ_OCTETS };
            let mut buffer = BytesMut::with_capacity(octets);
            let compressor = self.compression.as_ref().is_some_and(|compression| compression.deflater.remembers());
            let tidy = between && compressor;
            let kept = async { self.world.clock.sleep(COMPRESSOR_KEEP).await };
            let read = tokio::select! {
                biased;
                read = self.stream.read_buf(&mut buffer) => read.map_err(|_| Lost::Closed)?,
                () = self.shutdown.cancelled(), if between => return Err(Lost::Shutdown),
                () = &mut silence => return Err(Lost::TimedOut),
                () = run_out(&mut self.login_timer) => return Err(Lost::TimedOut),
                () = kept, if tidy => {
                    if let Some(compression) = &mut self.compression {
                        compression.deflater.forget();
                    }
                    continue;
                }
            };
            if read == 0 {
                return Err(Lost::Closed);
            }
            self.busy = read == octets;
            match &mut self.compression {
                None => {
                    self.pending = buffer.freeze();
                    return Ok(());
                }
                Some(compression) => compression.packed_input = buffer.freeze(),
            }
        }
        Ok(())
    }

    /// Whether compressed octets that are here already say something, which is pending then.
    fn inflate(&mut self) -> Result<bool, Lost> {
        let Some(compression) = &mut self.compression else { return Ok(false) };
        let mut rest: &[u8] = &compression.packed_input;
        let piece = compression.inflater.next(&mut rest).map_err(|_| Lost::Garbled)?;
        let left = rest.len();
        compression.packed_input.advance(compression.packed_input.len().saturating_sub(left));
        if compression.packed_input.is_empty() {
            compression.packed_input = Bytes::new();
        }
        self.pending = Bytes::from(piece);
        Ok(!self.pending.is_empty())
    }

    /// From now on everything is compressed, both ways (RFC 4978 §3). What the client has sent behind its command is too.
    pub(crate) fn compress(&mut self) {
        self.compression = Some(Box::new(Compression {
            inflater: Inflater::new(),
            packed_input: std::mem::take(&mut self.pending),
            deflater: Deflater::default(),
            packed_output: Vec::new(),
            turn: Turn::default(),
        }));
    }

    /// Whether COMPRESS was given.
    pub(crate) const fn is_compressed(&self) -> bool {
        self.compression.is_some()
    }

    /// Sends what is collected when that is a good deal.
    pub(crate) async fn flush_some(&mut self) -> Result<(), Lost> {
        if self.output.len() >= OUTPUT_OCTETS { self.flush().await } else { Ok(()) }
    }

    /// Sends everything that was said. A client that does not take it in time is given up.
    pub(crate) async fn flush(&mut self) -> Result<(), Lost> {
        if let Some(compression) = &mut self.compression {
            compression.deflater.flush(&self.output, &mut compression.packed_output);
            // What is packed to nearly nothing never waits for the client, so others must get their turn here.
            let worked = self.output.len().saturating_mul(LOOKED_AT_PER_PACKED);
            self.output.clear();
            compression.turn.worked(worked).await;
        }
        let octets = self.compression.as_mut().map_or(&mut self.output, |compression| &mut compression.packed_output);
        while self.sent < octets.len() {
            let rest = octets.get(self.sent..).unwrap_or_default();
            let written = tokio::select! {
                biased;
                written = self.world.timeout(WRITE_TIMEOUT, self.stream.write(rest)) => written,
                () = run_out(&mut self.login_timer) => return Err(Lost::TimedOut),
            };
            match written {
                Ok(Ok(octets)) if octets > 0 => self.sent += octets,
                Ok(_) => return Err(Lost::Closed),
                Err(_) => return Err(Lost::TimedOut),
            }
        }
        octets.clear();
        self.sent = 0;
        match self.world.timeout(WRITE_TIMEOUT, self.stream.flush()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Lost::Closed),
            Err(_) => Err(Lost::TimedOut),
        }
    }

    /// Goes on under TLS. What the client sent in clear behind its STARTTLS does not count (RFC 3501 §6.2.1).
    pub(crate) async fn start_tls(&mut self, config: Arc<ServerConfig>) -> Result<(), Lost> {
        self.pending = Bytes::new();
        self.framer.reset();
        let clear = std::mem::replace(&mut self.stream, Box::new(tokio::io::empty()));
        let handshake = handshake(config, clear);
        match self.world.timeout(HANDSHAKE_TIMEOUT, handshake).await {
            Ok(Ok((stream, facts))) => {
                self.stream = Box::new(stream);
                self.tls = Some(Box::new(facts));
                Ok(())
            }
            Ok(Err(error)) => {
                tracing::debug!(%error, "TLS handshake failed");
                Err(Lost::Closed)
            }
            Err(_) => Err(Lost::TimedOut),
        }
    }

    /// What TLS has told for logins; nothing once somebody has logged in for good. UNAUTHENTICATE leaves it (RFC 8437 §4.2).
    pub(crate) fn tls(&self) -> Option<&TlsChannel> {
        self.tls.as_deref()
    }

    /// Ends the connection in an orderly way, as far as the client plays along.
    pub(crate) async fn close(&mut self) {
        if self.flush().await.is_ok() {
            self.world.timeout(HANDSHAKE_TIMEOUT, self.stream.shutdown()).await.ok();
        }
    }
}

type Handshaken = (tokio_rustls::server::TlsStream<Box<dyn Stream>>, TlsChannel);

async fn handshake(config: Arc<ServerConfig>, clear: Box<dyn Stream>) -> std::io::Result<Handshaken> {
    let start = LazyConfigAcceptor::new(rustls::server::Acceptor::default(), clear).await?;
    // The certificate that is about to be shown: rustls does not tell it afterwards.
    let shown = config.cert_resolver.resolve(start.client_hello());
    let stream = start.into_stream(config).await?;
    let channel = TlsChannel::of(stream.get_ref().1, shown.as_deref());
    Ok((stream, channel))
}

/// Ends when the timer does, and takes it away: what is said afterwards is not bounded by it.
async fn run_out(timer: &mut Option<BoxFuture<'static, ()>>) {
    match timer {
        Some(running) => running.await,
        None => std::future::pending().await,
    }
    *timer = None;
}
