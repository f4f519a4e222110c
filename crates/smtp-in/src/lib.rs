//! SMTP in: what comes from other servers (port 25) and from users (ports 587 and 465).
//!
//! Three parts: [`Engine`], pure, knows the protocol (RFC 5321 and the extensions that EHLO announces); the connection
//! does the I/O; [`run`] accepts connections. Decisions are the [`Host`]'s: who may send, which recipients there are,
//! and the keeping of a message.
//!
//! What is promised:
//! - `250` for a message is made from an [`Acknowledgement`], which only a synced commit can give.
//! - Only CRLF ends a line, only CRLF.CRLF a message; bare CR and LF are refused or converted.
//! - What pipelined input, message size or a slow client can make grow is bounded ([`Limits`]).
//! - Passwords are taken only under TLS, wiped after use, and never logged.
//!
//! Metrics: `relais_smtp_in_connections` (gauge), `relais_smtp_in_connections_total{listener,outcome}`,
//! `relais_smtp_in_commands_total{command}`, `relais_smtp_in_replies_total{code}`,
//! `relais_smtp_in_misbehaviour_total{reason}`, `relais_smtp_in_messages_total{outcome}`,
//! `relais_smtp_in_octets_total`.

mod connection;
mod engine;
mod gate;
mod host;
mod limits;
mod misbehaviour;
mod secret;
mod session;
mod settings;
mod trace;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use world::World;

pub use engine::{Action, Answer, Engine, Mechanism, Policy};
pub use gate::{Gate, Pass};
pub use host::{Acknowledgement, AuthFailure, Host, MessageSink, Verdict};
pub use limits::Limits;
pub use misbehaviour::Misbehaviour;
pub use secret::Secret;
pub use session::{Identity, SessionFacts, SessionId, TlsFacts};
pub use settings::{BareNewlines, ListenerKind, Live, Settings};
pub use trace::trace_header;

/// Accepts connections until the shutdown, then lets sessions end.
///
/// At the shutdown no connection is accepted any more, idle sessions are told `421 4.3.2`, and a message in progress
/// may still be finished within `Limits::shutdown_grace`; what is left then is cut off.
pub async fn run(
    listener: TcpListener,
    settings: Arc<Settings>,
    host: Arc<dyn Host>,
    world: World,
    shutdown: CancellationToken,
) {
    let gate = Gate::default();
    let mut sessions = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            Some(ended) = sessions.join_next(), if !sessions.is_empty() => report(ended),
            accepted = listener.accept() => match accepted {
                Ok((stream, remote)) => {
                    if let Some(pass) = admit(&stream, remote, &gate, &settings) {
                        let (settings, host) = (settings.clone(), host.clone());
                        sessions.spawn(session(stream, remote, pass, settings, host, world.clone(), shutdown.clone()));
                    }
                }
                Err(error) => {
                    // Out of file descriptors, most likely: accepting again at once would only burn time.
                    tracing::warn!(%error, "a connection could not be accepted");
                    world.clock.sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    let grace = settings.limits.get().shutdown_grace;
    let ending = async {
        while let Some(ended) = sessions.join_next().await {
            report(ended);
        }
    };
    if world.timeout(grace, ending).await.is_err() {
        tracing::warn!(listener = settings.kind.name(), "sessions were cut off at the shutdown");
        sessions.shutdown().await;
    }
}

/// Lets a connection in, or tells it that there are too many.
fn admit(stream: &TcpStream, remote: SocketAddr, gate: &Gate, settings: &Settings) -> Option<Pass> {
    let limits = settings.limits.get();
    let pass = gate.enter(remote.ip(), limits.connections_max, limits.connections_per_address_max);
    let outcome = if pass.is_some() { "accepted" } else { "refused" };
    metrics::counter!("relais_smtp_in_connections_total", "listener" => settings.kind.name(), "outcome" => outcome)
        .increment(1);
    if pass.is_none() {
        let misbehaviour = Misbehaviour::TooManyConnections;
        metrics::counter!("relais_smtp_in_misbehaviour_total", "reason" => misbehaviour.counter()).increment(1);
        if settings.kind != ListenerKind::Submissions {
            let mut reply = Vec::new();
            misbehaviour.reply().write_to(&mut reply);
            // The buffer of a new connection is empty, so this goes out at once; if not, nobody waits for it.
            stream.try_write(&reply).ok();
        }
    }
    pass
}

/// One session from its first octet to its last.
async fn session(
    stream: TcpStream,
    remote: SocketAddr,
    pass: Pass,
    settings: Arc<Settings>,
    host: Arc<dyn Host>,
    world: World,
    shutdown: CancellationToken,
) {
    let (Ok(local), Ok(())) = (stream.local_addr(), stream.set_nodelay(true)) else {
        // The client has gone already.
        return;
    };
    let id = SessionId(world.chance.number());
    let listener = settings.kind.name();
    tracing::debug!(session = %id, %remote, listener, "connected");
    let open = metrics::gauge!("relais_smtp_in_connections", "listener" => listener);
    open.increment(1.0);
    let _closed = Closed(open);
    let facts = SessionFacts::new(id, settings.kind, remote, local);
    let (end, tally) = connection::serve(Box::new(stream), facts, &settings, &*host, &world, &shutdown).await;
    tracing::info!(session = %id, %remote, listener, kept = tally.kept, refused = tally.refused, %end, "session ended");
    drop(pass);
}

/// Lowers the gauge even when a session panics.
struct Closed(metrics::Gauge);

impl Drop for Closed {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}

/// A session that panicked has ended alone; somebody should look at it.
fn report(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a session failed");
    }
}

const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
