//! A remote SMTP server that says what it is told to, and remembers what it got.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use mail::Timestamp;
use parking_lot::Mutex;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio_rustls::TlsAcceptor;
use world::simulated::{SimulatedClock, SimulatedWorld};
use world::{Clock, Stream};

/// A message as it came over the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Got {
    pub(super) mail: String,
    pub(super) rcpts: Vec<String>,
    pub(super) content: Vec<u8>,
    pub(super) tls: bool,
    pub(super) at: Timestamp,
}

#[derive(Default)]
struct State {
    greeting: String,
    offers: Vec<String>,
    /// Replies by the beginning of the command; the last one repeats.
    replies: HashMap<String, Vec<String>>,
    commands: Vec<String>,
    got: Vec<Got>,
    sessions: usize,
    open: usize,
    open_max: usize,
    tls: Option<TlsAcceptor>,
    hold_data: bool,
    /// What is said between the reply to STARTTLS and the handshake, in a segment of its own.
    before_tls: String,
    /// After 354, nothing is read; this is said.
    deaf: Option<String>,
    /// The time between two octets of replies to commands that begin so.
    drips: HashMap<String, Duration>,
    /// The time before such replies.
    delays: HashMap<String, Duration>,
}

/// The server. Clones share it.
#[derive(Clone)]
pub(super) struct Remote(Arc<Mutex<State>>, Arc<SimulatedClock>);

/// In place of a reply: the connection is closed.
pub(super) const CLOSE: &str = "close";
/// In place of a reply: nothing is said, and nothing more is done.
pub(super) const SILENCE: &str = "silence";

const OFFERS: [&str; 4] = ["PIPELINING", "SIZE", "8BITMIME", "ENHANCEDSTATUSCODES"];

impl Remote {
    /// A server at an address.
    pub(super) fn at(world: &SimulatedWorld, address: &str) -> Self {
        let state = State {
            greeting: "220 remote ESMTP".to_owned(),
            offers: OFFERS.map(str::to_owned).to_vec(),
            ..State::default()
        };
        let remote = Self(Arc::new(Mutex::new(state)), world.clock.clone());
        remote.listen(world, address);
        remote
    }

    /// It answers at this address, too, or again.
    pub(super) fn listen(&self, world: &SimulatedWorld, address: &str) {
        let shared = self.clone();
        world.connector.listen(address.parse::<SocketAddr>().unwrap(), move |stream| {
            tokio::spawn(shared.clone().session(stream));
        });
    }

    /// It is an ordinary server again.
    pub(super) fn heal(&self) {
        let mut state = self.0.lock();
        "220 remote ESMTP".clone_into(&mut state.greeting);
        state.offers = OFFERS.map(str::to_owned).to_vec();
        state.replies.clear();
        state.before_tls.clear();
        state.deaf = None;
    }

    /// What it offers in EHLO.
    pub(super) fn offer(&self, offers: &[&str]) -> &Self {
        self.0.lock().offers = offers.iter().map(|&o| o.to_owned()).collect();
        self
    }

    /// Its replies to commands that begin so, one after the other; the last repeats.
    pub(super) fn reply(&self, command: &str, replies: &[&str]) -> &Self {
        let replies = replies.iter().rev().map(|&r| r.to_owned()).collect();
        self.0.lock().replies.insert(command.to_owned(), replies);
        self
    }

    pub(super) fn greet(&self, greeting: &str) -> &Self {
        self.0.lock().greeting = greeting.to_owned();
        self
    }

    pub(super) fn tls(&self, acceptor: TlsAcceptor) -> &Self {
        self.0.lock().tls = Some(acceptor);
        self
    }

    pub(super) fn before_tls(&self, text: &str) -> &Self {
        self.0.lock().before_tls = text.to_owned();
        self
    }

    /// It reads no content, and says this instead.
    pub(super) fn deaf(&self, words: &str) -> &Self {
        self.0.lock().deaf = Some(words.to_owned());
        self
    }

    /// Replies to commands that begin so come octet by octet, with a pause before each.
    pub(super) fn drip(&self, command: &str, every: Duration) -> &Self {
        self.0.lock().drips.insert(command.to_owned(), every);
        self
    }

    /// Replies to commands that begin so come late.
    pub(super) fn delay(&self, command: &str, by: Duration) -> &Self {
        self.0.lock().delays.insert(command.to_owned(), by);
        self
    }

    /// Sends a reply as it was told to.
    async fn say<S: AsyncWriteExt + Unpin>(&self, stream: &mut S, command: &str, reply: &str) -> std::io::Result<()> {
        let find = |table: &HashMap<String, Duration>| {
            table.iter().find(|(key, _)| command.starts_with(key.as_str())).map(|(_, span)| *span)
        };
        let (delay, drip) = {
            let state = self.0.lock();
            (find(&state.delays), find(&state.drips))
        };
        if let Some(delay) = delay {
            self.1.sleep(delay).await;
        }
        let octets = format!("{reply}\r\n").into_bytes();
        let Some(every) = drip else { return stream.write_all(&octets).await };
        for octet in octets {
            if every.is_zero() {
                tokio::task::yield_now().await;
            } else {
                self.1.sleep(every).await;
            }
            stream.write_all(&[octet]).await?;
        }
        Ok(())
    }

    /// Whether it keeps the last reply of DATA to itself.
    pub(super) fn hold_data(&self, hold: bool) {
        self.0.lock().hold_data = hold;
    }

    pub(super) fn got(&self) -> Vec<Got> {
        self.0.lock().got.clone()
    }

    pub(super) fn sessions(&self) -> usize {
        self.0.lock().sessions
    }

    /// Sessions that were open at the same time, at the most.
    pub(super) fn open_max(&self) -> usize {
        self.0.lock().open_max
    }

    pub(super) fn open(&self) -> usize {
        self.0.lock().open
    }

    pub(super) fn commands(&self) -> Vec<String> {
        self.0.lock().commands.clone()
    }

    /// How many commands began so.
    pub(super) fn count(&self, command: &str) -> usize {
        self.commands().iter().filter(|c| c.starts_with(command)).count()
    }

    async fn session(self, stream: Box<dyn Stream>) {
        {
            let mut state = self.0.lock();
            state.sessions += 1;
            state.open += 1;
            state.open_max = state.open.max(state.open_max);
        }
        // However it ends, the client notices by itself.
        self.talk(stream).await.ok();
        self.0.lock().open -= 1;
    }

    async fn talk(&self, stream: Box<dyn Stream>) -> std::io::Result<()> {
        let mut stream = BufReader::new(stream);
        let (mut mail, mut rcpts, mut tls) = (String::new(), Vec::new(), false);
        let greeting = self.0.lock().greeting.clone();
        if greeting == CLOSE {
            return Ok(());
        }
        if greeting == SILENCE {
            std::future::pending::<()>().await;
        }
        self.say(&mut stream, "greeting", &greeting).await?;
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await? == 0 {
                return Ok(());
            }
            let line = line.trim_end().to_owned();
            self.0.lock().commands.push(line.clone());
            // Strict about the order of commands, and an envelope stays until its message is taken or it is reset.
            let nested = (line.starts_with("MAIL") && !mail.is_empty()).then(|| "503 5.5.1 nested MAIL".to_owned());
            let reply = nested.or_else(|| self.scripted(&line)).unwrap_or_else(|| self.usual(&line));
            if reply == SILENCE {
                std::future::pending::<()>().await;
            }
            if reply == CLOSE {
                return Ok(());
            }
            self.say(&mut stream, &line, &reply).await?;
            let good = reply.starts_with(['2', '3']);
            match line.get(..4).unwrap_or_default() {
                "MAIL" if good => mail = line,
                "RCPT" if good => rcpts.push(line),
                "STAR" if good => {
                    let before = self.0.lock().before_tls.clone();
                    if before == SILENCE {
                        std::future::pending::<()>().await;
                    }
                    if !before.is_empty() {
                        for _ in 0..20 {
                            tokio::task::yield_now().await;
                        }
                        stream.write_all(before.as_bytes()).await?;
                    }
                    let acceptor = self.0.lock().tls.clone();
                    let Some(acceptor) = acceptor else {
                        // Broken TLS: nonsense in place of a handshake.
                        stream.write_all(b"this is no handshake\r\n").await?;
                        return Ok(());
                    };
                    let inner: Box<dyn Stream> = Box::new(acceptor.accept(stream.into_inner()).await?);
                    stream = BufReader::new(inner);
                    tls = true;
                }
                "DATA" if good => {
                    let deaf = self.0.lock().deaf.clone();
                    if let Some(words) = deaf {
                        for _ in 0..20 {
                            tokio::task::yield_now().await;
                        }
                        stream.write_all(words.as_bytes()).await?;
                        std::future::pending::<()>().await;
                    }
                    let content = read_data(&mut stream).await?;
                    let last = self.scripted(".").unwrap_or_else(|| "250 2.0.0 taken".to_owned());
                    while self.0.lock().hold_data {
                        tokio::task::yield_now().await;
                    }
                    if last.starts_with('2') || last == "take and close" {
                        let (mail, rcpts) = (std::mem::take(&mut mail), std::mem::take(&mut rcpts));
                        self.0.lock().got.push(Got { mail, rcpts, content, tls, at: self.1.now() });
                    }
                    if last == SILENCE {
                        std::future::pending::<()>().await;
                    }
                    if last == CLOSE || last == "take and close" {
                        return Ok(());
                    }
                    self.say(&mut stream, ".", &last).await?;
                }
                "RSET" if good => {
                    mail.clear();
                    rcpts.clear();
                }
                "QUIT" => return Ok(()),
                _ => {}
            }
        }
    }

    fn scripted(&self, line: &str) -> Option<String> {
        let mut state = self.0.lock();
        let key = state.replies.keys().filter(|key| line.starts_with(key.as_str())).max_by_key(|key| key.len())?;
        let key = key.clone();
        let replies = state.replies.get_mut(&key)?;
        if replies.len() > 1 { replies.pop() } else { replies.last().cloned() }
    }

    fn usual(&self, line: &str) -> String {
        match line.get(..4).unwrap_or_default() {
            "EHLO" => {
                let mut lines = vec!["remote".to_owned()];
                lines.extend(self.0.lock().offers.clone());
                let last = lines.len() - 1;
                let show = |(n, line): (usize, String)| format!("250{}{line}", if n == last { ' ' } else { '-' });
                lines.into_iter().enumerate().map(show).collect::<Vec<_>>().join("\r\n")
            }
            "DATA" => "354 go".to_owned(),
            "STAR" => "220 2.0.0 go".to_owned(),
            "AUTH" => "235 2.7.0 welcome".to_owned(),
            "QUIT" => "221 2.0.0 bye".to_owned(),
            _ => "250 2.0.0 ok".to_owned(),
        }
    }
}

/// Reads up to the final dot, strictly, and takes the stuffing away.
async fn read_data(stream: &mut BufReader<Box<dyn Stream>>) -> std::io::Result<Vec<u8>> {
    let mut wire = b"\r\n".to_vec();
    let mut octet = [0; 4096];
    while !wire.ends_with(b"\r\n.\r\n") {
        let read = stream.read(&mut octet).await?;
        if read == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        wire.extend_from_slice(&octet[..read]);
    }
    let wire = &wire[2..wire.len() - 3];
    let mut content = Vec::with_capacity(wire.len());
    let mut line_start = true;
    for (n, &octet) in wire.iter().enumerate() {
        if !(octet == b'.' && line_start) {
            content.push(octet);
        }
        line_start = octet == b'\n' && n > 0 && wire[n - 1] == b'\r';
    }
    Ok(content)
}
