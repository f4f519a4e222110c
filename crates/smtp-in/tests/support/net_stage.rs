//! The real server on a loopback socket, talked to over TLS, as a stage for transcripts.
//!
//! A transcript that does not do STARTTLS itself has it done before its first line; it then reads the greeting.

use std::sync::Arc;
use std::time::Duration;

use mail::Timestamp;
use relais_smtp_in::{ListenerKind, run};
use testkit::transcript::Stage;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;
use world::simulated::SimulatedWorld;
use world::{BoxFuture, Clock, SystemClock};

use super::host::FakeHost;
use super::{Setup, span, tls};

pub(crate) struct NetStage {
    setup: Setup,
    host: FakeHost,
    world: SimulatedWorld,
    runtime: Runtime,
    shutdown: CancellationToken,
    plain: bool,
    client: Option<Client>,
}

pub(crate) struct Client {
    pub(crate) stream: Box<dyn world::Stream>,
    pub(crate) input: Vec<u8>,
}

impl Default for NetStage {
    fn default() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        Self {
            setup: Setup::default(),
            host: FakeHost::default(),
            world: SimulatedWorld::new(Timestamp(0), 1),
            runtime,
            shutdown: CancellationToken::new(),
            plain: false,
            client: None,
        }
    }
}

/// Longer than anything takes.
const HANGS_AFTER: Duration = Duration::from_secs(120);

/// Fails instead of hanging. It is no measure of speed: machines that do much else are slow.
pub(crate) async fn soon<T>(work: impl Future<Output = T>) -> T {
    tokio::select! {
        done = work => done,
        () = SystemClock.sleep(HANGS_AFTER) => panic!("nothing happened for {} seconds", HANGS_AFTER.as_secs()),
    }
}

impl Client {
    pub(crate) async fn connect(to: std::net::SocketAddr) -> Self {
        let connected: BoxFuture<'_, _> = world::Connector::connect(&world::TcpConnector, to, HANGS_AFTER);
        Self { stream: connected.await.unwrap(), input: Vec::new() }
    }

    pub(crate) async fn send(&mut self, octets: &[u8]) {
        soon(async {
            self.stream.write_all(octets).await?;
            self.stream.flush().await
        })
        .await
        // The server may have closed already; the replies tell.
        .ok();
    }

    pub(crate) async fn read_line(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.input.windows(2).position(|pair| pair == b"\r\n") {
                let line: Vec<u8> = self.input.drain(..end + 2).take(end).collect();
                return Some(String::from_utf8(line).unwrap());
            }
            let mut buffer = [0; 4096];
            match soon(self.stream.read(&mut buffer)).await {
                Ok(octets) if octets > 0 => self.input.extend(&buffer[..octets]),
                _ => return None,
            }
        }
    }

    /// Reads a whole reply, and gives its last line.
    pub(crate) async fn reply(&mut self) -> String {
        loop {
            let line = self.read_line().await.expect("a reply");
            if line.as_bytes().get(3) == Some(&b' ') {
                return line;
            }
        }
    }

    pub(crate) async fn handshake(&mut self) -> Result<(), String> {
        let plain = std::mem::replace(&mut self.stream, Box::new(tokio::io::empty()));
        let name = rustls::pki_types::ServerName::try_from("mx.example").unwrap();
        let connector = tokio_rustls::TlsConnector::from(tls().1.clone());
        let stream = soon(connector.connect(name, plain)).await.map_err(|e| e.to_string())?;
        self.stream = Box::new(stream);
        Ok(())
    }
}

/// A listener on a free port of the loopback interface.
pub(crate) fn listener() -> (tokio::net::TcpListener, std::net::SocketAddr) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let at = listener.local_addr().unwrap();
    (tokio::net::TcpListener::from_std(listener).unwrap(), at)
}

impl NetStage {
    fn client(&mut self) -> Result<(&Runtime, &mut Client), String> {
        let client = self.client.as_mut().ok_or_else(|| "nobody has connected yet".to_owned())?;
        Ok((&self.runtime, client))
    }
}

impl Stage for NetStage {
    fn connect(&mut self, _: u32) -> Result<(), String> {
        let settings = Arc::new(self.setup.settings());
        let kind = self.setup.kind;
        let implicit = kind == ListenerKind::Submissions;
        let before = kind == ListenerKind::Mx && !self.plain && self.setup.certificate;
        let (host, world, shutdown) = (Arc::new(self.host.clone()), self.world.world(), self.shutdown.clone());
        let client = self.runtime.block_on(async move {
            let (listener, at) = listener();
            tokio::spawn(run(listener, settings, host, world, shutdown));
            let mut client = Client::connect(at).await;
            if implicit {
                client.handshake().await?;
            }
            if before {
                let greeting = client.reply().await;
                client.send(b"EHLO before.example\r\n").await;
                client.reply().await;
                client.send(b"STARTTLS\r\n").await;
                client.reply().await;
                client.handshake().await?;
                client.input = format!("{greeting}\r\n").into_bytes();
            }
            Ok::<_, String>(client)
        })?;
        self.client = Some(client);
        Ok(())
    }

    fn send(&mut self, _: u32, octets: &[u8]) -> Result<(), String> {
        let (runtime, client) = self.client()?;
        runtime.block_on(client.send(octets));
        Ok(())
    }

    fn read_line(&mut self, _: u32) -> Result<Option<String>, String> {
        let (runtime, client) = self.client()?;
        Ok(runtime.block_on(client.read_line()))
    }

    fn directive(&mut self, _: u32, directive: &str) -> Result<(), String> {
        if self.setup.directive(directive)? || self.host.directive(directive)? {
            return Ok(());
        }
        match directive.split_once(' ').unwrap_or((directive, "")) {
            ("plain", "") => self.plain = true,
            ("tls", "") => {
                let (runtime, client) = self.client()?;
                runtime.block_on(client.handshake())?;
            }
            ("advance", text) => self.world.clock.advance(span(text)?),
            ("shutdown", "") => self.shutdown.cancel(),
            ("cut", "") => self.client = None,
            _ => return Err(format!("no such directive: {directive}")),
        }
        Ok(())
    }

    fn is_untagged(&self, line: &str) -> bool {
        line.as_bytes().get(3) == Some(&b'-')
    }

    fn finish(&mut self) -> Result<(), String> {
        let Ok((runtime, client)) = self.client() else { return Ok(()) };
        runtime.block_on(async {
            // A half-closed client still gets every reply; the server may have closed already.
            client.stream.shutdown().await.ok();
            match client.read_line().await {
                Some(line) => Err(format!("not mentioned: {line:?}")),
                None => Ok(()),
            }
        })
    }
}
