//! The real sessions as a stage for transcripts: over a pipe in memory, with or without TLS, or over TLS on a loopback socket.
//!
//! Where a transcript is played: everywhere, or as `@over pipe`, `@over tls` and `@whole` (it is not cut) say.
//!
//! Directives before the first line: `@plain` (no TLS, and no passwords without it), `@no-certificate`,
//! `@no-unauthenticate`, `@limit name=value`, `@slow` (what the store does can be held), `@scram-keys alice` (the authenticator
//! that ships is at the door and offers SCRAM, for which alice has keys), `@certificate alice@example.org` (the same
//! authenticator; the client of this connection shows a certificate with this address). At any time: `@login alice` (reads the
//! greeting, logs in, says nothing of it), `@deliver x.eml to alice [in Mailbox] [N times] [without record]`,
//! `@fill alice 600` (so many small messages into INBOX at once), `@advance 30s`
//! (somebody waits for it), `@pass 30s` (nobody does), `@fail disk.full`, `@heal`, `@tls`,
//! `@compress` (both sides do from now on), `@uncompress` (no more), `@garbage` (octets that are no DEFLATE),
//! `@hold commits` or `scans` (they wait), `@release scans 1` (so many go on) or `scans` (all do),
//! `@shutdown`, `@cut` (the client is gone).
//!
//! What a client of SCRAM computes is bound to names, which are for `C:` and `S:` lines: `@client-first n,,n=alice,r=x` binds
//! `{client_first}` to this message, and `@client-final SHA-256 secret` answers the line that came last: it binds
//! `{client_final}`, and `{server_final}` to what a server says that has the keys. The last message binds to the channel of its
//! connection, if the first has said so; `channel=2` takes that of another connection, `c=…` and `r=…` put something else there.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mail::Timestamp;
use miniz_oxide::deflate::core::{CompressorOxide, TDEFLFlush, compress_to_output};
use miniz_oxide::inflate::stream::InflateState;
use miniz_oxide::{DataFormat, MZFlush};
use relais_imap::{Imap, MessageLimit, Security, Settings};
use storage::StorageError;
use testkit::transcript::Stage;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;
use world::{Clock, Stream, SystemClock};

use super::authority::authority;
use super::scram::{Answer, ScramClient};
use super::slow::Gate;
use super::{House, PASSWORD, Plan, certificate, fixture, full};

/// Longer than anything takes.
const HANGS_AFTER: Duration = Duration::from_secs(120);

/// What the connections run over.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// A pipe in memory.
    Pipe,
    /// TLS on such a pipe: each piece that is sent comes for itself, which no socket promises.
    PipedTls,
    /// TLS on a socket.
    Tls,
}

pub struct ImapStage {
    over: Over,
    settings: Settings,
    plain: bool,
    certificate: bool,
    slow: bool,
    /// Who has keys for SCRAM.
    scram: Vec<String>,
    /// Whose certificate the client of a connection shows.
    shown: HashMap<u32, String>,
    runtime: Runtime,
    house: Option<House>,
    at: Option<SocketAddr>,
    shutdown: CancellationToken,
    clients: HashMap<u32, Client>,
    exchanges: HashMap<u32, ScramClient>,
    /// What the last directive has bound.
    names: Vec<(String, String)>,
}

pub struct Client {
    stream: Box<dyn Stream>,
    input: Vec<u8>,
    /// The line that came last.
    last: String,
    compression: Option<(Box<CompressorOxide>, Box<InflateState>)>,
    /// Since the handshake.
    pub bindings: Option<Bindings>,
}

/// What the client's side of TLS can be bound to.
pub struct Bindings {
    /// `tls-exporter` (RFC 9266).
    pub exporter: Vec<u8>,
    /// `tls-server-end-point` (RFC 5929 §4), of a certificate that was signed with SHA-256.
    pub server_end_point: Vec<u8>,
}

/// Fails instead of hanging. It is no measure of speed: machines that do much else are slow.
pub async fn soon<T>(work: impl Future<Output = T>) -> Result<T, String> {
    tokio::select! {
        biased;
        done = work => Ok(done),
        () = SystemClock.sleep(HANGS_AFTER) => Err(format!("nothing happened for {} seconds", HANGS_AFTER.as_secs())),
    }
}

impl Client {
    pub fn new(stream: Box<dyn Stream>) -> Self {
        Self { stream, input: Vec::new(), last: String::new(), compression: None, bindings: None }
    }

    /// From now on both sides compress (RFC 4978).
    pub fn compress(&mut self) {
        let mut compressor = Box::<CompressorOxide>::default();
        compressor.set_format_and_level(DataFormat::Raw, 6);
        self.compression = Some((compressor, InflateState::new_boxed(DataFormat::Raw)));
    }

    pub async fn send(&mut self, octets: &[u8]) -> Result<(), String> {
        let packed = self.compression.as_mut().map(|(compressor, _)| {
            let mut packed = Vec::new();
            compress_to_output(compressor, octets, TDEFLFlush::Sync, |piece| {
                packed.extend_from_slice(piece);
                true
            });
            packed
        });
        self.send_as_it_is(packed.as_deref().unwrap_or(octets)).await
    }

    pub async fn send_as_it_is(&mut self, octets: &[u8]) -> Result<(), String> {
        soon(async {
            // The server may have closed already; its lines tell.
            self.stream.write_all(octets).await.ok();
            self.stream.flush().await.ok();
            for _ in 0..8 {
                tokio::task::yield_now().await;
            }
        })
        .await
    }

    pub async fn read_line(&mut self) -> Result<Option<String>, String> {
        loop {
            if let Some(end) = self.input.windows(2).position(|pair| pair == b"\r\n") {
                let line: Vec<u8> = self.input.drain(..end + 2).take(end).collect();
                self.last = String::from_utf8_lossy(&line).into_owned();
                return Ok(Some(self.last.clone()));
            }
            let mut buffer = [0; 4096];
            match soon(self.stream.read(&mut buffer)).await? {
                Ok(octets) if octets > 0 => self.take(&buffer[..octets]),
                _ => return Ok(None),
            }
        }
    }

    fn take(&mut self, mut octets: &[u8]) {
        let Some((_, inflater)) = &mut self.compression else { return self.input.extend(octets) };
        let mut buffer = [0; 4096];
        loop {
            let done = miniz_oxide::inflate::stream::inflate(inflater, octets, &mut buffer, MZFlush::None);
            octets = &octets[done.bytes_consumed..];
            self.input.extend(&buffer[..done.bytes_written]);
            if done.bytes_written == 0 {
                assert!(octets.is_empty(), "the server's octets are no DEFLATE: {:?}", done.status);
                return;
            }
        }
    }

    /// Sends a command and reads up to its tagged response; gives all lines.
    pub async fn command(&mut self, tag: &str, text: &str) -> Result<Vec<String>, String> {
        self.send(format!("{tag} {text}\r\n").as_bytes()).await?;
        self.until(tag).await
    }

    /// Reads up to the tagged response.
    pub async fn until(&mut self, tag: &str) -> Result<Vec<String>, String> {
        let mut lines = Vec::new();
        loop {
            let line = self.read_line().await?.ok_or("the connection has ended")?;
            let done = line.starts_with(&format!("{tag} "));
            lines.push(line);
            if done {
                return Ok(lines);
            }
        }
    }

    pub async fn handshake(&mut self, config: Arc<rustls::ClientConfig>) -> Result<(), String> {
        let plain = std::mem::replace(&mut self.stream, Box::new(tokio::io::empty()));
        let name = rustls::pki_types::ServerName::try_from("imap.example").unwrap();
        let connector = tokio_rustls::TlsConnector::from(config);
        let stream = soon(connector.connect(name, plain)).await?.map_err(|error| error.to_string())?;
        let (_, session) = stream.get_ref();
        let exporter = session.export_keying_material([0; 32], b"EXPORTER-Channel-Binding", Some(b""));
        let shown = session.peer_certificates().and_then(|chain| chain.first()).ok_or("no certificate was shown")?;
        self.bindings = Some(Bindings {
            exporter: exporter.map_err(|error| error.to_string())?.to_vec(),
            server_end_point: digest::digest(&digest::SHA256, shown).as_ref().to_vec(),
        });
        self.stream = Box::new(stream);
        Ok(())
    }
}

/// A pipe that notes the most that its writer held when it wrote.
pub struct Watched(pub DuplexStream, pub Arc<AtomicUsize>);

impl AsyncRead for Watched {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        self.1.fetch_max(octets.len(), Ordering::Relaxed);
        Pin::new(&mut self.0).poll_write(cx, octets)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// A connection to a house over a pipe. Without TLS; passwords are allowed when the settings say so.
pub fn pipe(house: &House, shutdown: &CancellationToken) -> Client {
    piped(&house.imap, Security::StartTls, shutdown)
}

/// A connection to a service over a pipe; a handshake is not made yet.
pub fn piped(imap: &Imap, security: Security, shutdown: &CancellationToken) -> Client {
    let (near, far) = tokio::io::duplex(64 * 1024);
    let at = IpAddr::V4(Ipv4Addr::LOCALHOST);
    tokio::spawn(imap.clone().serve_stream(Box::new(far), at, security, shutdown.clone()));
    Client::new(Box::new(near))
}

impl ImapStage {
    pub fn new(over: Over) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let settings =
            Settings { hostname: "imap.example".to_owned(), plaintext_login_on_loopback: true, ..Settings::default() };
        Self {
            over,
            settings,
            plain: false,
            certificate: true,
            slow: false,
            scram: Vec::new(),
            shown: HashMap::new(),
            runtime,
            house: None,
            at: None,
            shutdown: CancellationToken::new(),
            clients: HashMap::new(),
            exchanges: HashMap::new(),
            names: Vec::new(),
        }
    }

    fn open_house(&mut self) -> &House {
        if self.house.is_none() {
            let settings = Settings { plaintext_login_on_loopback: !self.plain, ..self.settings.clone() };
            let asks = !self.shown.is_empty();
            let config = if asks { &authority().server } else { &certificate().0 };
            let plan = Plan {
                tls: self.certificate.then(|| Arc::clone(config)),
                shipped: asks || !self.scram.is_empty(),
                scram: self.scram.clone(),
                slow: self.slow,
            };
            self.house = Some(self.runtime.block_on(House::built(settings, plan)));
        }
        self.house.as_ref().unwrap()
    }

    /// For what decides how the house is built.
    fn before_the_first_line(&self) -> Result<(), String> {
        if self.house.is_some() { Err("too late: the server is there".to_owned()) } else { Ok(()) }
    }

    fn client_config(&self, connection: u32) -> Arc<rustls::ClientConfig> {
        match self.shown.is_empty() {
            true => Arc::clone(&certificate().1),
            false => authority().client(self.shown.get(&connection).map(String::as_str)),
        }
    }

    fn gate(&mut self, name: &str) -> Result<Gate, String> {
        let gates = self.open_house().gates.clone().ok_or("@slow first")?;
        match name {
            "commits" => Ok(gates.commits),
            "scans" => Ok(gates.scans),
            other => Err(format!("nothing holds {other}")),
        }
    }

    /// Answers the challenge that came last.
    fn client_final(&mut self, connection: u32, text: &str) -> Result<(), String> {
        let answer: Answer<'_> = text.try_into()?;
        let scram = self.exchanges.get(&connection).ok_or("@client-first comes first")?;
        let channel = self.clients.get(&answer.channel.unwrap_or(connection));
        let line = &self.clients.get(&connection).ok_or("nobody has connected yet")?.last;
        let message = line.strip_prefix("+ ").and_then(|challenge| STANDARD.decode(challenge).ok());
        let message = message.and_then(|message| String::from_utf8(message).ok());
        let challenge = scram.challenge(&message.ok_or_else(|| format!("{line:?} is no challenge"))?)?;
        let finals = answer.finals(scram, &challenge, channel.and_then(|client| client.bindings.as_ref()));
        self.bind("client_final", &finals.client);
        self.bind("server_final", &finals.server);
        Ok(())
    }

    /// Binds a name to a message as it travels.
    fn bind(&mut self, name: &str, message: &str) {
        self.names.push((name.to_owned(), STANDARD.encode(message)));
    }

    fn client(&mut self, connection: u32) -> Result<(&Runtime, &mut Client), String> {
        let client = self.clients.get_mut(&connection).ok_or("nobody has connected yet")?;
        Ok((&self.runtime, client))
    }

    fn setting(&mut self, name: &str, value: u64) -> Result<(), String> {
        let count = usize::try_from(value).map_err(|_| "too large")?;
        let messages = || u32::try_from(value).map_err(|_| "too large");
        match name {
            "append_octets_all_max" => self.settings.append_octets_all_max = value,
            "append_octets_max" => self.settings.append_octets_max = value,
            "messages_per_command_max" => self.settings.message_limit = MessageLimit::Every(messages()?),
            "messages_per_save_max" => self.settings.message_limit = MessageLimit::Saves(messages()?),
            "sort_octets_max" => self.settings.sort_octets_max = count,
            "notify_mailboxes_max" => self.settings.notify_mailboxes_max = count,
            "connections_per_address_max" => self.settings.connections_per_address_max = count,
            "connections_per_account_max" => self.settings.connections_per_account_max = count,
            other => return Err(format!("no limit is called {other}")),
        }
        Ok(())
    }

    /// `x.eml to alice [in Mailbox] [N times] [without record]`
    fn deliver(&mut self, text: &str) -> Result<(), String> {
        let mut words = text.split(' ');
        let (Some(file), Some("to"), Some(user)) = (words.next(), words.next(), words.next()) else {
            return Err("@deliver FILE to USER".to_owned());
        };
        let (mut mailbox, mut times, mut record) = ("INBOX".to_owned(), 1, true);
        while let Some(word) = words.next() {
            let next = words.next().unwrap_or_default();
            match (word, next) {
                ("in", name) => mailbox = name.to_owned(),
                ("without", "record") => record = false,
                (number, "times") => times = number.parse().map_err(|_| "N times")?,
                _ => return Err(format!("@deliver: {word}?")),
            }
        }
        self.open_house();
        let house = self.house.as_ref().unwrap();
        let content = fixture(file);
        self.runtime.block_on(async {
            for _ in 0..times {
                house.deliver(user, &mailbox, &content, record).await;
            }
        });
        Ok(())
    }

    /// Moves time, and nobody has waited for just that.
    fn pass(&mut self, text: &str) -> Result<(), String> {
        let span = span(text)?;
        self.open_house().sim.clock.advance(span);
        Ok(())
    }

    /// Moves time once somebody waits for it.
    fn advance(&mut self, text: &str) -> Result<(), String> {
        let span = span(text)?;
        let clock = self.open_house().sim.clock.clone();
        let wanted = Timestamp(clock.now().0 + i64::try_from(span.as_millis()).unwrap());
        self.runtime.block_on(soon(async {
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            while clock.next_wake().is_none_or(|at| at > wanted) {
                tokio::task::yield_now().await;
            }
            // What has begun meanwhile comes to where it waits.
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            clock.advance(span);
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
        }))
    }
}

/// `30s`, `2m`
fn span(text: &str) -> Result<Duration, String> {
    let (number, unit) = text.split_at(text.len() - 1);
    let number = number.parse::<u64>().map_err(|_| format!("{text} is no span"))?;
    Ok(Duration::from_secs(number * if unit == "m" { 60 } else { 1 }))
}

impl Stage for ImapStage {
    fn connect(&mut self, connection: u32) -> Result<(), String> {
        self.open_house();
        if self.clients.contains_key(&connection) {
            return Ok(());
        }
        let (over, plain, shutdown) = (self.over, self.plain, self.shutdown.clone());
        let config = self.client_config(connection);
        let house = self.house.as_ref().unwrap();
        let at = &mut self.at;
        let client = self.runtime.block_on(async {
            if over == Over::Pipe || plain {
                return Ok(pipe(house, &shutdown));
            }
            if over == Over::PipedTls {
                let mut client = piped(&house.imap, Security::ImplicitTls, &shutdown);
                client.handshake(config).await?;
                return Ok(client);
            }
            let to = match *at {
                Some(at) => at,
                None => {
                    let listener = std::net::TcpListener::bind("127.0.0.1:0").map_err(|error| error.to_string())?;
                    listener.set_nonblocking(true).map_err(|error| error.to_string())?;
                    let to = listener.local_addr().map_err(|error| error.to_string())?;
                    let listener = tokio::net::TcpListener::from_std(listener).map_err(|error| error.to_string())?;
                    let imap = house.imap.clone();
                    tokio::spawn(async move { imap.serve(listener, Security::ImplicitTls, shutdown).await });
                    *at = Some(to);
                    to
                }
            };
            let connected = world::Connector::connect(&world::TcpConnector, to, Duration::from_secs(15));
            let mut client = Client::new(connected.await.map_err(|error| error.to_string())?);
            client.handshake(config).await?;
            Ok::<_, String>(client)
        })?;
        self.clients.insert(connection, client);
        Ok(())
    }

    fn send(&mut self, connection: u32, octets: &[u8]) -> Result<(), String> {
        let (runtime, client) = self.client(connection)?;
        runtime.block_on(client.send(octets))
    }

    fn read_line(&mut self, connection: u32) -> Result<Option<String>, String> {
        let (runtime, client) = self.client(connection)?;
        runtime.block_on(client.read_line())
    }

    fn names(&mut self) -> Vec<(String, String)> {
        std::mem::take(&mut self.names)
    }

    fn directive(&mut self, connection: u32, directive: &str) -> Result<(), String> {
        match directive.split_once(' ').unwrap_or((directive, "")) {
            // For whoever plays transcripts: not to be cut, and where.
            ("whole", "") => {}
            ("over", "pipe") if self.over == Over::Pipe => {}
            ("over", "tls") if self.over != Over::Pipe => {}
            ("slow", "") => {
                self.before_the_first_line()?;
                self.slow = true;
            }
            ("scram-keys", name) => {
                self.before_the_first_line()?;
                self.scram.push(name.to_owned());
            }
            ("certificate", address) => {
                self.before_the_first_line()?;
                self.shown.insert(connection, address.to_owned());
            }
            ("client-first", message) => {
                self.exchanges.insert(connection, ScramClient::new(message));
                self.bind("client_first", message);
            }
            ("client-final", text) => self.client_final(connection, text)?,
            ("hold", what) => self.gate(what)?.hold(),
            ("release", text) => match text.split_once(' ') {
                None => self.gate(text)?.release(),
                Some((what, many)) => self.gate(what)?.let_through(many.parse().map_err(|_| "a number")?),
            },
            ("fill", text) => {
                let (user, many) = text.split_once(' ').ok_or("@fill USER N")?;
                let many = many.parse().map_err(|_| "a number")?;
                self.open_house();
                self.runtime.block_on(self.house.as_ref().unwrap().fill(user, many));
            }
            ("plain", "") => self.plain = true,
            ("tokens", "") => self.open_house().tokens.store(true, Ordering::Relaxed),
            ("no-certificate", "") => self.certificate = false,
            ("no-unauthenticate", "") => self.settings.unauthenticate = false,
            ("submission-server", user) => {
                let address = mail::Address::parse(&format!("{user}@example.org")).map_err(|_| "a user's name")?;
                self.settings.submission_servers.push(address);
            }
            // `alice INBOX 1`: all but the last expunge are forgotten.
            ("forget-expunges", rest) => {
                let [user, mailbox, keep] = rest.split(' ').collect::<Vec<_>>()[..] else {
                    return Err("@forget-expunges USER MAILBOX N".to_owned());
                };
                let keep = keep.parse().map_err(|_| "a number")?;
                self.open_house();
                let house = self.house.as_ref().unwrap();
                self.runtime.block_on(async {
                    let account = house.account(user).id;
                    let row = house.store.mailbox_by_name(account, mailbox).await.unwrap().unwrap();
                    house.store.forget_expunges(account, row.id, keep).await.unwrap();
                });
            }
            ("limit", rest) => {
                let (name, value) = rest.split_once('=').ok_or("@limit name=value")?;
                self.setting(name, value.parse().map_err(|_| "a limit is a number")?)?;
            }
            ("login", user) => {
                self.connect(connection)?;
                let (runtime, client) = self.client(connection)?;
                let line = format!("login LOGIN {} {PASSWORD}", full(user));
                runtime.block_on(async {
                    client.read_line().await?;
                    client.send(format!("{line}\r\n").as_bytes()).await?;
                    client.until("login").await
                })?;
            }
            ("deliver", text) => self.deliver(text)?,
            ("advance", text) => self.advance(text)?,
            ("pass", text) => self.pass(text)?,
            ("fail", "disk.full") => self.open_house().engine.fail_after(0, StorageError::DiskFull),
            ("heal", "") => self.open_house().engine.heal(),
            ("tls", "") => {
                let config = self.client_config(connection);
                let (runtime, client) = self.client(connection)?;
                runtime.block_on(client.handshake(config))?;
            }
            ("uncompress", "") => {
                let (_, client) = self.client(connection)?;
                client.compression = None;
            }
            ("compress", "") => {
                let (_, client) = self.client(connection)?;
                client.compress();
            }
            ("garbage", "") => {
                let (runtime, client) = self.client(connection)?;
                runtime.block_on(client.send_as_it_is(b"\xff\xff\xff\xff"))?;
            }
            ("shutdown", "") => self.shutdown.cancel(),
            ("cut", "") => {
                self.clients.remove(&connection);
            }
            _ => {
                self.open_house();
                let house = self.house.as_ref().unwrap();
                let shared = self.runtime.block_on(house.share(directive));
                return shared.unwrap_or_else(|| Err(format!("no such directive: {directive}")));
            }
        }
        Ok(())
    }
}
