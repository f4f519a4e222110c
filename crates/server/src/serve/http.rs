//! Health and metrics over HTTP, and how every HTTP port takes its connections.
//!
//! `/health/live`: the process answers. `/health/ready`: mail is taken. `/metrics`: Prometheus' text format.
//!
//! **Invariant:** a connection that asks nothing, or asks slowly, ends soon; there are so many at most, of one address a part
//! of them, and none holds up the shutdown.

use std::fmt::Write;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use abuse::{AtOnce, Gate};
use axum::Router;
use axum::body::{self, Body};
use axum::extract::{self, Request};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bus::Bus;
use delivery::Clients;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use mail::Topic;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use storage::Store;
use storage_rocksdb::{Health, RocksEngine};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use world::World;

use crate::cli::Failure;

/// Starts counting.
pub(super) fn record_metrics() -> Result<PrometheusHandle, Failure> {
    let recorder = PrometheusBuilder::new().install_recorder();
    let recorder = recorder.map_err(|error| Failure::new(format!("metrics can't be recorded: {error}")))?;
    for (name, help) in COUNTERS {
        metrics::describe_counter!(*name, *help);
    }
    for (name, help) in GAUGES {
        metrics::describe_gauge!(*name, *help);
    }
    Ok(recorder)
}

/// What the counters of the crates below mean.
const COUNTERS: &[(&str, &str)] = &[
    ("relais_bans_total", "Bans of addresses and networks, by cause."),
    ("relais_greylist_answers_total", "Attempts of doubted clients, by what they were answered."),
    ("relais_http_refused_total", "Connections to HTTP ports that were closed because there were too many."),
    ("relais_reputation_list_answers_total", "Answers of lists in the DNS, by list and what they say."),
    ("relais_reputation_refused_total", "Recipients refused because of a list, or for using this server's name."),
    ("relais_outside_filter_answers_total", "What outside filters said of messages, by filter and answer."),
    ("relais_smtp_in_commands_total", "Commands, by name."),
    ("relais_smtp_in_connections_total", "Connections, by listener and whether they were taken."),
    ("relais_smtp_in_messages_total", "Messages at the end of their data, by outcome."),
    ("relais_smtp_in_misbehaviour_total", "What clients did wrong, by reason."),
    ("relais_smtp_in_octets_total", "Octets of message data."),
    ("relais_smtp_in_replies_total", "Replies, by code."),
    (
        "relais_smtp_in_turned_away_total",
        "Connections of banned addresses, and of those that come too often, by listener and reason.",
    ),
    ("relais_smtp_out_attempts_total", "Attempts to deliver, by class of destination."),
    ("relais_smtp_out_entries_read_total", "Queue entries that were read to claim them or to put them off."),
    ("relais_smtp_out_recipients_total", "Recipients of attempts, by class of destination and outcome."),
    ("relais_tarpit_total", "Answers to guessers that were to wait, by whether they did."),
    ("relais_worker_failures_total", "Workers that failed and were started again, by name."),
];

/// What the gauges of the crates below mean.
const GAUGES: &[(&str, &str)] = &[
    ("relais_bans_in_force", "Addresses and networks that are kept out."),
    ("relais_reputation_list_sound", "Whether a list in the DNS works and is used."),
    ("relais_queue_entries", "Entries of the queue of outgoing mail."),
    ("relais_smtp_in_connections", "Open connections, by listener."),
    ("relais_smtp_out_attempts_running", "Attempts under way."),
    ("relais_smtp_out_claimed", "Queue entries that the runner holds."),
    ("relais_smtp_out_connections_idle", "Connections kept for the next message."),
    ("relais_smtp_out_destinations", "Destinations of which the sending side remembers something."),
    ("relais_smtp_out_ready", "Of the queue entries that the runner holds, those that wait for their turns."),
    ("relais_smtp_out_waiting_for_room", "Queue entries that are due and wait for room at their destinations."),
];

/// What the answers are made from.
#[derive(Clone)]
pub(super) struct State {
    metrics: PrometheusHandle,
    engine: Arc<RocksEngine>,
    store: Store,
    bus: Bus,
    stop: CancellationToken,
    reserve_mib: u64,
    clients: Option<Clients>,
    outside: Option<Arc<outside::Filters>>,
}

impl State {
    pub(super) fn new(
        metrics: PrometheusHandle,
        engine: Arc<RocksEngine>,
        store: Store,
        bus: Bus,
        stop: CancellationToken,
        reserve_mib: u64,
    ) -> Self {
        Self { metrics, engine, store, bus, stop, reserve_mib, clients: None, outside: None }
    }

    /// The same, which tells of lists in the DNS that are not used.
    pub(super) fn noting(mut self, clients: Option<&Clients>) -> Self {
        self.clients = clients.cloned();
        self
    }

    /// The same, which tells of outside filters without which messages are refused.
    pub(super) fn asking(mut self, filters: Option<&Arc<outside::Filters>>) -> Self {
        self.outside = filters.cloned();
        self
    }

    /// What an administrator should know while mail is taken, a line each.
    fn notes(&self) -> String {
        let mut notes = self.clients.as_ref().map(Clients::notes).unwrap_or_default();
        notes.extend(self.outside.iter().flat_map(|filters| filters.notes()));
        notes.iter().map(|note| format!("note: {note}\n")).collect()
    }

    /// Why no mail is taken, or nothing.
    fn unready(&self) -> Option<String> {
        if self.stop.is_cancelled() {
            return Some("shutting down".to_owned());
        }
        match self.engine.health() {
            Health::Ready => None,
            Health::DiskFull { free_octets } => Some(too_little_space(free_octets, self.reserve_mib)),
            Health::Failed(reason) => Some(format!("the store can't be written: {reason}")),
            Health::Closed => Some("the store is closed".to_owned()),
        }
    }
}

fn too_little_space(free_octets: u64, reserve_mib: u64) -> String {
    let free = free_octets >> 20;
    format!(
        "less free space ({free} MiB) than the reserve of {reserve_mib} MiB ([storage] free_space_reserve_mib): make room \
         on the disk of the data folder, or lower the reserve and restart"
    )
}

/// Serves health and metrics until told to stop, so many connections at a time.
pub(super) async fn serve(listener: TcpListener, state: State, connections_max: usize) {
    let (stop, world) = (state.stop.clone(), state.store.world().clone());
    let router = Router::new()
        .route("/health/live", get(|| async { "live\n" }))
        .route("/health/ready", get(ready))
        .route("/metrics", get(metrics))
        .with_state(state);
    serve_router(listener, router, world, stop, connections_max).await;
}

/// Serves pages until told to stop, so many connections at a time.
///
/// One address (IPv4, or IPv6 /64) gets half of them at most, and a network three quarters, so that whoever holds its connections open leaves
/// places for others; a proxy in front is one address, and half of the places is far more than answers of milliseconds need.
pub(super) async fn serve_router(
    listener: TcpListener,
    router: Router,
    world: World,
    stop: CancellationToken,
    connections_max: usize,
) {
    let router = router.layer(middleware::from_fn_with_state(world.clone(), whole));
    let places = Arc::new(Semaphore::new(connections_max));
    let gate = Gate::default();
    let network = connections_max.saturating_mul(3).div_ceil(4);
    let most = AtOnce { all: connections_max, place: connections_max.div_ceil(2), networks: [network; 2] };
    let mut connections = JoinSet::new();
    loop {
        let accepted = async {
            let place = places.clone().acquire_owned().await.ok();
            listener.accept().await.map(|(stream, remote)| (stream, remote, place))
        };
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some(_) = connections.join_next() => {}
            accepted = accepted => match accepted {
                Ok((stream, remote, place)) => {
                    let Some(pass) = gate.enter(remote.ip(), &most) else {
                        // Closed unheard: an answer would keep the place that is for others.
                        metrics::counter!("relais_http_refused_total").increment(1);
                        continue;
                    };
                    let (router, stop, world) = (router.clone(), stop.clone(), world.clone());
                    connections.spawn(async move {
                        let _kept = (pass, place);
                        let most = CONNECTION_TIME_MAX.saturating_add(REQUEST_TIME_MAX);
                        world.timeout(most, connection(stream, router, &world, stop)).await.ok();
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection to the HTTP port failed");
                    world.clock.sleep(Duration::from_millis(100)).await;
                }
            },
        }
    }
    drop(listener);
    // An answer takes milliseconds: whoever has none by now is not asking.
    let ending = async { while connections.join_next().await.is_some() {} };
    if world.timeout(SHUTDOWN_GRACE, ending).await.is_err() {
        connections.shutdown().await;
    }
}

/// Answers on one connection until it ends, the server does, or it has lasted long enough.
async fn connection(stream: TcpStream, router: Router, world: &World, stop: CancellationToken) {
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEADER_TIME_MAX).max_buf_size(BUFFER_OCTETS_MAX);
    let serving = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut serving = pin!(serving);
    let ended = tokio::select! {
        ended = serving.as_mut() => ended,
        () = async { tokio::select! { () = stop.cancelled() => {} () = world.clock.sleep(CONNECTION_TIME_MAX) => {} } } => {
            // What is asked already is answered.
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "an HTTP connection ended early");
    }
}

/// Reads the whole body, which is a small form or document, before anything is done: within a time, and up to a size.
async fn whole(extract::State(world): extract::State<World>, request: Request, next: Next) -> Response {
    let (head, body) = request.into_parts();
    let close = [(header::CONNECTION, "close")];
    match world.timeout(BODY_TIME_MAX, body::to_bytes(body, BODY_OCTETS_MAX)).await {
        Ok(Ok(octets)) => {
            match world.timeout(REQUEST_TIME_MAX, next.run(Request::from_parts(head, Body::from(octets)))).await {
                Ok(response) => response,
                Err(_) => (StatusCode::SERVICE_UNAVAILABLE, close, "not now\n").into_response(),
            }
        }
        Ok(Err(_)) => (StatusCode::PAYLOAD_TOO_LARGE, close, "the body is too large, or broken off\n").into_response(),
        Err(_) => (StatusCode::REQUEST_TIMEOUT, close, "the body came too slowly\n").into_response(),
    }
}

/// For a request's header, and between two requests.
const HEADER_TIME_MAX: Duration = Duration::from_secs(10);
/// For a request's body.
const BODY_TIME_MAX: Duration = Duration::from_secs(10);
/// Every body is a form of some fields, or a document with an address in it.
const BODY_OCTETS_MAX: usize = 64 * 1024;
/// For making an answer, which may wait for the store, and for the request during which a connection's time ends.
const REQUEST_TIME_MAX: Duration = Duration::from_secs(30);
/// However busy a connection is: who reads no answers must not keep a place.
const CONNECTION_TIME_MAX: Duration = Duration::from_secs(60);
const SHUTDOWN_GRACE: Duration = Duration::from_secs(1);
const BUFFER_OCTETS_MAX: usize = 16 * 1024;

async fn ready(extract::State(state): extract::State<State>) -> impl IntoResponse {
    match state.unready() {
        None => (StatusCode::OK, format!("ready\n{}", state.notes())),
        Some(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")),
    }
}

async fn metrics(extract::State(state): extract::State<State>) -> impl IntoResponse {
    state.metrics.run_upkeep();
    let mut text = state.metrics.render();
    let numbers = state.engine.statistics();
    let parked = parked(&state.store).await;
    let stored = waiting(&state, Topic::MessageStored).await;
    let held = waiting(&state, Topic::HeldMessage).await.saturating_add(waiting(&state, Topic::MemberAdded).await);
    for (name, kind, help, value) in [
        ("relais_store_transactions_total", "counter", "Transactions committed.", numbers.transactions),
        ("relais_store_groups_total", "counter", "Groups of transactions written together.", numbers.groups),
        ("relais_store_syncs_total", "counter", "Syncs waited for.", numbers.syncs),
        ("relais_store_waiting", "gauge", "Transactions that wait for their group.", numbers.waiting),
        ("relais_store_sorted_octets", "gauge", "Octets of sorted files.", numbers.sorted_octets),
        ("relais_store_blob_octets", "gauge", "Octets of message contents.", numbers.blob_octets),
        ("relais_store_write_buffer_octets", "gauge", "Octets not in files yet.", numbers.write_buffer_octets),
        ("relais_store_block_cache_octets", "gauge", "Octets of the cache in use.", numbers.block_cache_octets),
        ("relais_store_free_octets", "gauge", "Octets free on the disk.", numbers.free_octets),
        ("relais_responder_backlog", "gauge", "Events that wait for the responder.", stored),
        ("relais_lists_backlog", "gauge", "Events that wait for the lists.", held),
        ("relais_parked_events", "gauge", "Events that failed too often; see `relais event list`.", parked),
        ("relais_ready", "gauge", "Whether mail is taken.", u64::from(state.unready().is_none())),
    ] {
        // Writing to a String can't fail.
        write!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}\n").ok();
    }
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text)
}

/// Parked events, counted up to a bound.
async fn parked(store: &Store) -> u64 {
    let mut number = 0_u64;
    for topic in Topic::ALL {
        let parked = store.parked_events(topic, PARKED_COUNTED_MAX).await.map_or(0, |events| events.len());
        number = number.saturating_add(u64::try_from(parked).unwrap_or(0));
    }
    number
}

/// Whether it is a thousand or more, somebody has to look.
const PARKED_COUNTED_MAX: usize = 1_000;

/// Events of a topic whose effect is not stored. The consumer counts many, but hears of new ones a moment later; the store knows.
async fn waiting(state: &State, topic: Topic) -> u64 {
    let few = state.store.events_after(topic, 0, WAITING_COUNTED_MAX).await.map_or(0, |events| events.len());
    u64::try_from(state.bus.backlog(topic).max(few)).unwrap_or(u64::MAX)
}

/// More than these are told as the consumer counts them.
const WAITING_COUNTED_MAX: usize = 1_000;
