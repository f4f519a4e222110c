//! What all sessions share, and the loop that accepts them.

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use abuse::{AtOnce, Door, Entry, Gate};
use bus::Bus;
use dashmap::DashMap;
use imap_wire::response::{self, Code};
use mail::AccountId;
use storage::Store;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use world::{Stream, World};

use crate::auth::Authenticator;
use crate::connection::Connection;
use crate::orders::Orders;
use crate::session::Session;
use crate::settings::{Security, Settings};
use crate::tls::TlsHandle;
use crate::views::Views;

/// What all sessions share.
pub(crate) struct Server {
    pub(crate) store: Store,
    pub(crate) bus: Bus,
    pub(crate) authenticator: Arc<dyn Authenticator>,
    pub(crate) world: World,
    pub(crate) settings: parking_lot::RwLock<Arc<Settings>>,
    pub(crate) tls: Option<Arc<TlsHandle>>,
    pub(crate) views: Arc<Views>,
    pub(crate) orders: Orders,
    door: OnceLock<Door>,
    /// The connections of all listeners.
    gate: Gate,
    accounts: Arc<DashMap<AccountId, usize>>,
}

/// The IMAP service: one for all its listeners. Clones share it.
#[derive(Clone)]
pub struct Imap(pub(crate) Arc<Server>);

impl Imap {
    /// A service on a store. Without TLS there is neither STARTTLS nor, unless the settings allow it, any login.
    #[must_use]
    pub fn new(
        store: Store,
        bus: Bus,
        authenticator: Arc<dyn Authenticator>,
        settings: Settings,
        tls: Option<Arc<TlsHandle>>,
    ) -> Self {
        crate::metrics::describe();
        let world = store.world().clone();
        Self(Arc::new(Server {
            store,
            bus,
            authenticator,
            world,
            settings: parking_lot::RwLock::new(Arc::new(settings)),
            tls,
            views: Arc::default(),
            orders: Orders::default(),
            door: OnceLock::new(),
            gate: Gate::default(),
            accounts: Arc::default(),
        }))
    }

    /// Who keeps count of clients, and knows which are banned. To be said once, before anybody is served.
    #[must_use]
    pub fn behind(self, door: Door) -> Self {
        // There is one door; a second one would know nothing.
        self.0.door.set(door).ok();
        self
    }

    /// New settings, for sessions that begin from now on.
    pub fn reload(&self, settings: Settings) {
        *self.0.settings.write() = Arc::new(settings);
    }

    /// Serves a listener until told to stop: then idle sessions are told goodbye, and running commands get the settings'
    /// grace to end.
    pub async fn serve(&self, listener: TcpListener, security: Security, shutdown: CancellationToken) {
        let sessions = TaskTracker::new();
        let kill = CancellationToken::new();
        loop {
            let accepted = tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => {
                    // Answers are collected and sent whole; waiting for more would only add delay.
                    if stream.set_nodelay(true).is_err() {
                        continue;
                    }
                    // Boxed: what waits for a future holds it twice, and there are thousands of them.
                    let stream = Box::new(stream);
                    let session = Box::pin(self.clone().serve_stream(stream, peer.ip(), security, shutdown.clone()));
                    let kill = kill.clone();
                    sessions.spawn(async move { kill.run_until_cancelled(session).await });
                }
                Err(error) => {
                    // Out of file descriptors, most likely: give sessions time to end.
                    tracing::warn!(%error, "a connection could not be accepted");
                    self.0.world.clock.sleep(std::time::Duration::from_millis(200)).await;
                }
            }
        }
        drop(listener);
        sessions.close();
        let grace = self.0.settings.read().shutdown_grace;
        if self.0.world.timeout(grace, sessions.wait()).await.is_err() {
            tracing::warn!(sessions = sessions.len(), "sessions did not end within the grace");
            kill.cancel();
            sessions.wait().await;
        }
    }

    /// Serves one connection to its end, whatever it runs over.
    pub async fn serve_stream(
        self,
        mut stream: Box<dyn Stream>,
        peer: IpAddr,
        security: Security,
        shutdown: CancellationToken,
    ) {
        let server = self.0;
        let settings = Arc::clone(&server.settings.read());
        let most = AtOnce {
            all: settings.connections_max,
            place: settings.connections_per_address_max,
            networks: settings.connections_per_network_max,
        };
        let Some(_pass) = server.gate.enter(peer, &most) else {
            metrics::counter!("relais_imap_connections_refused_total").increment(1);
            if security == Security::StartTls {
                let mut bye = Vec::new();
                response::bye(&mut bye, Some(&Code::Unavailable), "Too many connections");
                let refuse = async { stream.write_all(&bye).await.ok() };
                server.world.timeout(crate::limits::HANDSHAKE_TIMEOUT, refuse).await.ok();
            }
            return;
        };
        if let Some(away) = server.turned_away(peer) {
            Box::pin(server.turn_away(stream, away, security, shutdown)).await;
            return;
        }
        let _counted = Counted::new();
        let connection = Connection::new(stream, server.world.clone(), shutdown);
        Box::new(Session::new(server, settings, connection, peer, security)).run().await;
    }
}

/// What who is not let in hears.
struct TurnedAway {
    why: String,
    /// Whether it is worth a TLS handshake.
    explain: bool,
}

impl Server {
    /// Whether a client may not come in: its address is banned, or comes too often.
    fn turned_away(&self, peer: IpAddr) -> Option<TurnedAway> {
        let (reason, why, explain) = match self.door.get()?.knock(peer, self.world.clock.now()) {
            Entry::Welcome => return None,
            Entry::Banned { why, explain, .. } => ("banned", why, explain),
            Entry::TooMany { why, explain } => ("rate", why, explain),
        };
        metrics::counter!("relais_imap_turned_away_total", "reason" => reason).increment(1);
        tracing::debug!(%peer, reason, "turned away");
        Some(TurnedAway { why, explain })
    }

    /// `* BYE` in the place of the greeting (RFC 3501 §7.1.5), so that a person can read why; behind TLS where the client expects it.
    async fn turn_away(
        &self,
        stream: Box<dyn Stream>,
        away: TurnedAway,
        security: Security,
        shutdown: CancellationToken,
    ) {
        let mut connection = Connection::new(stream, self.world.clone(), shutdown);
        if security == Security::ImplicitTls {
            let tls = self.tls.as_ref().filter(|_| away.explain).map(|tls| tls.current());
            let Some(tls) = tls else { return };
            if connection.start_tls(tls).await.is_err() {
                return;
            }
        }
        response::bye(connection.out(), Some(&Code::Unavailable), &away.why);
        connection.close().await;
    }

    /// A command of somebody who has not logged in made no sense. Why the session ends, when the address is banned now.
    pub(crate) fn bad_command(&self, peer: IpAddr) -> Option<String> {
        self.door.get()?.bad_commands(peer, 1, self.world.clock.now())
    }

    /// A place for one more session of an account, or `None` when it has enough.
    pub(crate) fn account_slot(&self, account: AccountId, max: usize) -> Option<Slot<AccountId>> {
        Slot::take(&self.accounts, account, max)
    }
}

/// A connection in the metrics, also when its task panics.
struct Counted;

impl Counted {
    fn new() -> Self {
        metrics::gauge!("relais_imap_connections").increment(1);
        Self
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        metrics::gauge!("relais_imap_connections").decrement(1);
    }
}

/// Counts one of something for as long as it lives.
pub(crate) struct Slot<K: std::hash::Hash + Eq + Clone> {
    counts: Arc<DashMap<K, usize>>,
    key: K,
}

impl<K: std::hash::Hash + Eq + Clone> Slot<K> {
    fn take(counts: &Arc<DashMap<K, usize>>, key: K, max: usize) -> Option<Self> {
        let mut count = counts.entry(key.clone()).or_insert(0);
        if *count >= max {
            return None;
        }
        *count += 1;
        drop(count);
        Some(Self { counts: Arc::clone(counts), key })
    }
}

impl<K: std::hash::Hash + Eq + Clone> Drop for Slot<K> {
    fn drop(&mut self) {
        if let Some(mut count) = self.counts.get_mut(&self.key) {
            *count = count.saturating_sub(1);
        }
        self.counts.remove_if(&self.key, |_, count| *count == 0);
    }
}
