//! The sending side in a simulated world, against remote servers that follow a script.

mod backlog;
mod clock;
mod crash;
mod dead;
mod dsn;
mod flow;
mod hooks;
mod lacking;
mod pace;
mod policy;
mod relay;
mod remote;
mod replies;
mod reuse;
mod routes;
mod times;
mod tls;
mod troubles;
mod waits;
mod week;

use std::sync::Arc;
use std::time::Duration;

use bus::Bus;
use delivery::{Delivery, DeliverySettings};
use mail::{Address, Domain, DsnNotify, Envelope, EnvelopeRecipient, ForwardPath, QueueId, ReversePath, Timestamp};
use storage::rows::QueueRow;
use storage::{MemoryEngine, Store};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use world::simulated::SimulatedWorld;
use world::{MxRecord, ResolveError};

use self::remote::Remote;
use crate::{SmtpOut, SmtpOutSettings};

const MESSAGE: &[u8] =
    b"From: a@origin.example\r\nTo: x@far.example\r\nSubject: Hello\r\nMessage-ID: <1@origin.example>\r\n\r\n\
      Good morning.\r\n.\r\n..two dots\r\n";

/// A server with its world, and two remote domains: `far.example` (at 192.0.2.1) and `origin.example` (at 192.0.2.2),
/// where DSNs go.
struct Stage {
    world: SimulatedWorld,
    engine: MemoryEngine,
    bus: Bus,
    store: Store,
    delivery: Delivery,
    settings: SmtpOutSettings,
    far: Remote,
    origin: Remote,
    running: Option<(CancellationToken, JoinHandle<()>)>,
}

fn domain(text: &str) -> Domain {
    Domain::parse(text).unwrap()
}

fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

fn envelope(from: &str, to: &[&str]) -> Envelope {
    let mut envelope = Envelope::new(ReversePath::parse(from).unwrap());
    for to in to {
        envelope.recipients.push(EnvelopeRecipient {
            forward_path: ForwardPath::Address(address(to)),
            notify: DsnNotify::default(),
            original: None,
        });
    }
    envelope
}

impl Stage {
    async fn new() -> Self {
        let world = SimulatedWorld::new(Timestamp(1_800_000_000_000), 11);
        let far = Remote::at(&world, "192.0.2.1:25");
        let origin = Remote::at(&world, "192.0.2.2:25");
        let mut settings = SmtpOutSettings::new(domain("us.example"));
        settings.schedules.usual.jitter_percent = 0;
        let bus = Bus::new();
        let engine = MemoryEngine::new(Arc::new(bus.clone()));
        let (store, delivery) = open(&engine, &world).await;
        let stage = Self { world, engine, bus, store, delivery, settings, far, origin, running: None };
        stage.mx("far.example", &[(10, "mx.far.example")]);
        stage.host("mx.far.example", &["192.0.2.1"]);
        stage.mx("origin.example", &[(10, "mx.origin.example")]);
        stage.host("mx.origin.example", &["192.0.2.2"]);
        stage
    }

    fn mx(&self, name: &str, records: &[(u16, &str)]) {
        let record = |(preference, host): &(u16, &str)| MxRecord {
            preference: *preference,
            host: (!host.is_empty()).then(|| domain(host)),
        };
        self.world.resolver.set_mx(domain(name), Ok(records.iter().map(record).collect()));
    }

    fn host(&self, name: &str, addresses: &[&str]) {
        let addresses = addresses.iter().map(|a| a.parse().unwrap()).collect();
        self.world.resolver.set_addresses(domain(name), Ok(addresses));
    }

    fn no_dns(&self, name: &str) {
        self.world.resolver.set_mx(domain(name), Err(ResolveError::Temporary("no answer".into())));
    }

    /// Puts a message into the queue.
    async fn send(&self, envelope: Envelope, content: &[u8]) -> Vec<QueueId> {
        let prepared = self.delivery.prepare(envelope, content).await.unwrap();
        self.store.transact(move |tx| prepared.apply(tx)).await.unwrap().value.queued
    }

    async fn send_to(&self, to: &[&str]) -> Vec<QueueId> {
        self.send(envelope("<a@origin.example>", to), MESSAGE).await
    }

    /// Starts the runner.
    fn start(&mut self) {
        let out = SmtpOut::new(self.bus.clone(), self.delivery.clone(), self.settings.clone()).unwrap();
        let stop = CancellationToken::new();
        let token = stop.clone();
        self.running = Some((stop, tokio::spawn(async move { out.run(token).await })));
    }

    /// Lets everything that can happen without time passing happen.
    async fn settle(&self) {
        for _ in 0..3_000 {
            tokio::task::yield_now().await;
        }
    }

    /// Lets time pass, a step at a time.
    async fn pass(&self, span: Duration) {
        let end = self.world.clock.now().plus(span);
        loop {
            self.settle().await;
            let now = self.world.clock.now();
            let left = end.since(now);
            if left.is_zero() {
                return;
            }
            let step = self.world.clock.next_wake().map_or(left, |wake| wake.since(now).min(left));
            self.world.clock.advance(step.max(Duration::from_millis(1)));
        }
    }

    async fn minutes(&self, minutes: u64) {
        self.pass(Duration::from_secs(60 * minutes)).await;
    }

    async fn queue(&self) -> Vec<QueueRow> {
        self.store.queue_entries(QueueId(0), 1000).await.unwrap()
    }

    /// What the trace of a message says, by its first queue entry.
    async fn told(&self, id: QueueId) -> Vec<storage::trace::Step> {
        let row = self.store.queue_entry(id).await.unwrap().unwrap();
        let trace = self.store.trace(row.trace.unwrap()).await.unwrap().unwrap();
        trace.steps.into_iter().map(|taken| taken.step).collect()
    }

    /// Ends the runner at once, as a crash would, and cuts the power.
    async fn crash(&mut self) {
        if let Some((_, task)) = self.running.take() {
            task.abort();
            task.await.ok();
        }
        self.bus = Bus::new();
        self.engine = self.engine.after_power_cut(Arc::new(self.bus.clone()));
        (self.store, self.delivery) = open(&self.engine, &self.world).await;
    }
}

async fn open(engine: &MemoryEngine, world: &SimulatedWorld) -> (Store, Delivery) {
    let store = Store::open(Arc::new(engine.clone()), world.world()).await.unwrap();
    let settings = DeliverySettings { hostname: domain("us.example"), message_octets_max: 64 * 1024 * 1024 };
    (store.clone(), Delivery::new(store, settings))
}

use world::Clock;
