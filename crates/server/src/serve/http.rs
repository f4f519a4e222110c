//! Health and metrics over HTTP.
//!
//! `/health/live`: the process answers. `/health/ready`: mail is taken. `/metrics`: Prometheus' text format.

use std::fmt::Write;
use std::sync::Arc;

use axum::Router;
use axum::extract;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use bus::Bus;
use mail::Topic;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use storage_rocksdb::{Health, RocksEngine};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::cli::Failure;

/// Starts counting.
pub(super) fn record_metrics() -> Result<PrometheusHandle, Failure> {
    PrometheusBuilder::new()
        .install_recorder()
        .map_err(|error| Failure::new(format!("metrics can't be recorded: {error}")))
}

/// What the answers are made from.
#[derive(Clone)]
pub(super) struct State {
    metrics: PrometheusHandle,
    engine: Arc<RocksEngine>,
    bus: Bus,
    stop: CancellationToken,
}

impl State {
    pub(super) fn new(metrics: PrometheusHandle, engine: Arc<RocksEngine>, bus: Bus, stop: CancellationToken) -> Self {
        Self { metrics, engine, bus, stop }
    }

    /// Why no mail is taken, or nothing.
    fn unready(&self) -> Option<String> {
        if self.stop.is_cancelled() {
            return Some("shutting down".to_owned());
        }
        match self.engine.health() {
            Health::Ready => None,
            Health::DiskFull { free_octets } => Some(format!("disk full: {free_octets} octets free")),
            Health::Failed(reason) => Some(format!("the store can't be written: {reason}")),
            Health::Closed => Some("the store is closed".to_owned()),
        }
    }
}

/// Serves until told to stop.
pub(super) async fn serve(listener: TcpListener, state: State) {
    let stop = state.stop.clone();
    let router = Router::new()
        .route("/health/live", get(|| async { "live\n" }))
        .route("/health/ready", get(ready))
        .route("/metrics", get(metrics))
        .with_state(state);
    let serving = axum::serve(listener, router).with_graceful_shutdown(async move { stop.cancelled().await });
    if let Err(error) = serving.await {
        tracing::error!(%error, "the HTTP listener failed");
    }
}

/// Serves pages until told to stop.
pub(super) async fn serve_router(listener: TcpListener, router: Router, stop: CancellationToken) {
    let serving = axum::serve(listener, router).with_graceful_shutdown(async move { stop.cancelled().await });
    if let Err(error) = serving.await {
        tracing::error!(%error, "the web listener failed");
    }
}

async fn ready(extract::State(state): extract::State<State>) -> impl IntoResponse {
    match state.unready() {
        None => (StatusCode::OK, "ready\n".to_owned()),
        Some(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")),
    }
}

async fn metrics(extract::State(state): extract::State<State>) -> impl IntoResponse {
    state.metrics.run_upkeep();
    let mut text = state.metrics.render();
    let numbers = state.engine.statistics();
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
        ("relais_responder_backlog", "gauge", "Events that wait for the responder.", backlog(&state.bus)),
        ("relais_ready", "gauge", "Whether mail is taken.", u64::from(state.unready().is_none())),
    ] {
        // Writing to a String can't fail.
        write!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}\n").ok();
    }
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text)
}

fn backlog(bus: &Bus) -> u64 {
    u64::try_from(bus.backlog(Topic::MessageStored)).unwrap_or(u64::MAX)
}
