//! The other mail servers of the world: takes every message for `elsewhere.example`, except as its addresses say.
//!
//! `gone@` is refused for good, `later@` is refused once with 451 and then taken.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::Trouble;

/// A message that has arrived there.
#[derive(Clone, Debug, Default)]
pub(crate) struct Arrived {
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
    pub(crate) text: String,
}

impl Arrived {
    /// The first value of a header field, unfolded.
    pub(crate) fn header(&self, name: &str) -> String {
        crate::imap::Message { text: self.text.clone(), facts: String::new() }.header(name)
    }
}

#[derive(Default)]
struct State {
    arrived: Vec<Arrived>,
    deferred: Vec<String>,
}

/// The listener.
pub(crate) struct Sink {
    pub(crate) port: u16,
    state: Arc<Mutex<State>>,
}

impl Sink {
    /// Starts listening on a free port.
    pub(crate) async fn start() -> Result<Self, Trouble> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let port = listener.local_addr()?.port();
        let state = Arc::<Mutex<State>>::default();
        let shared = state.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let state = shared.clone();
                tokio::spawn(async move {
                    // A connection that breaks here is the server's to handle.
                    serve(stream, &state).await.ok();
                });
            }
        });
        Ok(Self { port, state })
    }

    /// What has arrived for an address.
    pub(crate) fn arrived_for(&self, address: &str) -> Vec<Arrived> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.arrived.iter().filter(|message| message.to.iter().any(|to| to == address)).cloned().collect()
    }
}

async fn serve(stream: TcpStream, state: &Mutex<State>) -> Result<(), Trouble> {
    let mut stream = BufReader::new(stream);
    let mut message = Arrived::default();
    stream.write_all(b"220 mail.elsewhere.example\r\n").await?;
    loop {
        let line = line(&mut stream).await?;
        let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
        let reply = match verb.as_str() {
            "EHLO" => "250-mail.elsewhere.example\r\n250 8BITMIME".to_owned(),
            "MAIL" => {
                message = Arrived { from: path(&line), ..Arrived::default() };
                "250 2.1.0 ok".to_owned()
            }
            "RCPT" => {
                let to = path(&line);
                let reply = verdict(&to, state);
                if reply.starts_with('2') {
                    message.to.push(to);
                }
                reply
            }
            "DATA" => {
                stream.write_all(b"354 go ahead\r\n").await?;
                message.text = body(&mut stream).await?;
                state.lock().unwrap_or_else(PoisonError::into_inner).arrived.push(std::mem::take(&mut message));
                "250 2.0.0 taken".to_owned()
            }
            "QUIT" => {
                stream.write_all(b"221 2.0.0 bye\r\n").await?;
                return Ok(());
            }
            _ => "250 2.0.0 ok".to_owned(),
        };
        stream.write_all(format!("{reply}\r\n").as_bytes()).await?;
    }
}

fn verdict(to: &str, state: &Mutex<State>) -> String {
    let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
    if to.starts_with("gone@") {
        return "550 5.1.1 gone@ does not work here any more".to_owned();
    }
    if to.starts_with("later@") && !state.deferred.iter().any(|known| known == to) {
        state.deferred.push(to.to_owned());
        return "451 4.3.2 busy, come back later".to_owned();
    }
    "250 2.1.5 ok".to_owned()
}

async fn body(stream: &mut BufReader<TcpStream>) -> Result<String, Trouble> {
    let mut text = String::new();
    loop {
        let line = line(stream).await?;
        if line == "." {
            return Ok(text);
        }
        text.push_str(line.strip_prefix('.').unwrap_or(&line));
        text.push_str("\r\n");
    }
}

async fn line(stream: &mut BufReader<TcpStream>) -> Result<String, Trouble> {
    let mut line = Vec::new();
    if stream.read_until(b'\n', &mut line).await? == 0 {
        return Err("closed".into());
    }
    Ok(String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned())
}

/// What stands in the angle brackets.
fn path(line: &str) -> String {
    let inside = line.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
    inside.map(|(inside, _)| inside.to_ascii_lowercase()).unwrap_or_default()
}
