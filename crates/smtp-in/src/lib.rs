//! SMTP in: what comes from other servers (port 25), from users (ports 587 and 465), and from servers of ours by LMTP.
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
//! `relais_smtp_in_turned_away_total{listener,reason}`, `relais_smtp_in_octets_total`.

mod connection;
mod door;
mod engine;
#[doc(hidden)]
pub mod fuzzing;
mod host;
mod limits;
mod listener;
mod misbehaviour;
mod proxy;
mod secret;
mod session;
mod settings;
mod trace;

use std::sync::Arc;
use std::time::Duration;

use abuse::{Gate, Pass};
use tokio::io::AsyncWriteExt;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use world::World;

use crate::door::TurnedAway;
use crate::limits::PROXY_HEADER_PATIENCE;
use crate::listener::Accepted;
use crate::proxy::Proxied;
use crate::settings::names;

pub use engine::{Action, Answer, Engine, Mechanism, Policy};
pub use host::{Acknowledgement, AuthExchange, AuthFailure, AuthStep, Host, LinkedContent, MessageSink, Verdict};
pub use limits::Limits;
pub use listener::Listener;
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
    listener: impl Into<Listener>,
    settings: Arc<Settings>,
    host: Arc<dyn Host>,
    world: World,
    shutdown: CancellationToken,
) {
    let listener = listener.into();
    let gate = Gate::default();
    let mut sessions = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            Some(ended) = sessions.join_next(), if !sessions.is_empty() => report(ended),
            accepted = listener.accept() => match accepted {
                Ok(client) => {
                    if let Some(pass) = admit(&client, &gate, &settings) {
                        let (settings, host) = (settings.clone(), host.clone());
                        sessions.spawn(session(client, pass, settings, host, world.clone(), shutdown.clone()));
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
fn admit(client: &Accepted, gate: &Gate, settings: &Settings) -> Option<Pass> {
    let limits = settings.limits.get();
    let ip = client.remote().ip();
    let many = matches!(client, Accepted::Unix(_)) || names(&settings.proxies, ip) || names(&settings.xclient_from, ip);
    let most = limits.at_once();
    let pass = if many { gate.enter_for_others(&most) } else { gate.enter(ip, &most) };
    let outcome = if pass.is_some() { "accepted" } else { "refused" };
    metrics::counter!("relais_smtp_in_connections_total", "listener" => settings.kind.name(), "outcome" => outcome)
        .increment(1);
    if pass.is_none() {
        count(&Misbehaviour::TooManyConnections);
        if settings.kind != ListenerKind::Submissions {
            client.say_at_once(&octets_of(&Misbehaviour::TooManyConnections));
        }
    }
    pass
}

fn count(misbehaviour: &Misbehaviour) {
    metrics::counter!("relais_smtp_in_misbehaviour_total", "reason" => misbehaviour.counter()).increment(1);
}

fn octets_of(misbehaviour: &Misbehaviour) -> Vec<u8> {
    let mut octets = Vec::new();
    misbehaviour.reply().write_to(&mut octets);
    octets
}

/// One session from its first octet to its last.
async fn session(
    client: Accepted,
    mut pass: Pass,
    settings: Arc<Settings>,
    host: Arc<dyn Host>,
    world: World,
    shutdown: CancellationToken,
) {
    let peer = client.remote();
    let proxied = matches!(client, Accepted::Tcp(..)) && names(&settings.proxies, peer.ip());
    let Some((mut stream, local)) = client.open() else { return };
    let mut ends = Proxied { remote: peer, local };
    if proxied {
        let header = world.timeout(PROXY_HEADER_PATIENCE, proxy::read(&mut stream));
        match header.await {
            Ok(Ok(None)) => {}
            Ok(Ok(Some(told))) => {
                ends = told;
                if !pass.move_to(told.remote.ip(), &settings.limits.get().at_once()) {
                    count(&Misbehaviour::TooManyConnections);
                    if settings.kind != ListenerKind::Submissions {
                        let reply = octets_of(&Misbehaviour::TooManyConnections);
                        // A new connection takes so little at once, and who does not is not waited for.
                        world.timeout(PROXY_HEADER_PATIENCE, stream.write_all(&reply)).await.ok();
                    }
                    return;
                }
            }
            // Without the header nobody knows whose connection it is.
            Ok(Err(error)) => {
                tracing::warn!(%peer, %error, "a connection of a proxy was closed");
                return;
            }
            Err(_) => {
                tracing::warn!(%peer, "a proxy sent no PROXY header");
                return;
            }
        }
    }
    let Proxied { remote, local } = ends;
    let turned_away = door::turned_away(&settings, remote.ip(), world.clock.now());
    if let Some(TurnedAway { reply, explain: false }) = &turned_away {
        if settings.kind != ListenerKind::Submissions {
            let mut octets = Vec::new();
            reply.write_to(&mut octets);
            world.timeout(PROXY_HEADER_PATIENCE, stream.write_all(&octets)).await.ok();
        }
        return;
    }
    let id = SessionId(world.chance.number());
    let listener = settings.kind.name();
    tracing::debug!(session = %id, %remote, listener, "connected");
    let open = metrics::gauge!("relais_smtp_in_connections", "listener" => listener);
    open.increment(1.0);
    let _closed = Closed(open);
    let facts = SessionFacts::new(id, settings.kind, remote, local);
    let turned_away = turned_away.map(|away| away.reply);
    let (end, tally) = connection::serve(stream, facts, turned_away, &settings, &*host, &world, &shutdown).await;
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
