//! The runner: claims due entries, spreads connections over destinations in turn, keeps sessions for reuse.
//!
//! State: what is claimed lives in memory alone; a crash forgets it, and the entries are due again. An entry that is
//! claimed is in exactly one place: a destination's `ready`, or a running job.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use mail::{QueueId, Timestamp, Topic};
use storage::rows::QueueRow;
use storage::{Durability, StorageError};
use tokio::task::{Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::attempt::{Attempt, Health, attempt};
use crate::client::session::Session;
use crate::destination::Destination;
use crate::limits::{
    CLAIMED_MAX, CLAIMED_PER_DESTINATION_MAX, DEEP_LOOK_EVERY, HELD_LOOK_EVERY, LOOK_EVERY, SCAN_MAX, SCAN_PAGE,
    STORE_RETRY,
};
use crate::release::release;
use crate::route::{Route, RouteKey};
use crate::settle::settle;
use crate::{Context, metrics};

/// Works until stopped.
pub(crate) async fn run(context: Arc<Context>, stop: CancellationToken) {
    let mut bell = context.bus.topic(Topic::Queue);
    let mut runner = Runner {
        stop: stop.clone(),
        claimed: HashSet::new(),
        destinations: HashMap::new(),
        turns: VecDeque::new(),
        jobs: JoinSet::new(),
        running: HashMap::new(),
        farewells: JoinSet::new(),
        counted_at: None,
        deep_look_at: None,
        context,
    };
    while !stop.is_cancelled() {
        let wake = runner.look().await;
        let span = wake.since(runner.context.world.clock.now()).min(LOOK_EVERY);
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            Some(ended) = runner.jobs.join_next_with_id() => runner.ended(ended),
            Some(_) = runner.farewells.join_next() => {}
            () = bell.rung() => {}
            () = runner.context.world.clock.sleep(span.max(std::time::Duration::from_millis(1))) => {}
        }
    }
    runner.finish().await;
}

struct Runner {
    context: Arc<Context>,
    stop: CancellationToken,
    claimed: HashSet<QueueId>,
    destinations: HashMap<RouteKey, Destination<Session>>,
    /// Destinations with something ready, in the order of their turns.
    turns: VecDeque<RouteKey>,
    jobs: JoinSet<JobEnd>,
    running: HashMap<Id, (QueueId, RouteKey)>,
    farewells: JoinSet<()>,
    counted_at: Option<Timestamp>,
    /// When a look may go behind a first page that gives nothing.
    deep_look_at: Option<Timestamp>,
}

/// What a job leaves.
struct JobEnd {
    session: Option<Session>,
    health: Health,
}

impl Runner {
    /// Claims what is due, starts what may start, closes what is idle. Gives the time to look again at the latest.
    async fn look(&mut self) -> Timestamp {
        let now = self.context.world.clock.now();
        let next_due = match self.claim(now).await {
            Ok(next) => next,
            Err(error) => {
                tracing::error!(%error, "the queue can't be read");
                Some(now.plus(STORE_RETRY))
            }
        };
        self.start(now);
        self.close_idle(now);
        self.count(now).await;
        self.destinations.retain(|_, destination| !destination.is_forgettable(now));
        let idle = self.destinations.values().map(Destination::idle).sum();
        metrics::holds(self.claimed.len(), self.running.len(), idle);
        let expiries = self.destinations.values().filter_map(Destination::next_expiry);
        expiries.chain(next_due).min().unwrap_or_else(|| now.plus(LOOK_EVERY))
    }

    /// Claims due entries. Gives the time to look again.
    async fn claim(&mut self, now: Timestamp) -> Result<Option<Timestamp>, StorageError> {
        let mut limit = self.claimed.len().saturating_add(SCAN_PAGE);
        let mut deep = false;
        loop {
            // In the order of their times, so that the first one that is not due yet ends the due ones.
            let rows = self.context.store.due_queue_entries(Timestamp(i64::MAX), limit).await?;
            let full = rows.len() >= limit;
            let mut claimed = 0;
            for row in rows {
                if row.next_attempt > now {
                    return Ok(Some(row.next_attempt));
                }
                if row.held {
                    put_aside(&self.context, row, now).await?;
                } else if self.claim_one(&row) {
                    claimed += 1;
                }
            }
            if !full {
                return Ok(None);
            }
            if self.claimed.len() >= CLAIMED_MAX || limit >= SCAN_MAX {
                return Ok(Some(now.plus(DEEP_LOOK_EVERY)));
            }
            if claimed == 0 && !deep {
                // The page is full of what can't be taken now. Others wait behind it, but reading so far has its price.
                match self.deep_look_at {
                    Some(at) if at > now => return Ok(Some(at)),
                    _ => self.deep_look_at = Some(now.plus(DEEP_LOOK_EVERY)),
                }
                deep = true;
            }
            limit = limit.saturating_mul(2).min(SCAN_MAX);
        }
    }

    fn claim_one(&mut self, row: &QueueRow) -> bool {
        if self.claimed.contains(&row.id) || self.claimed.len() >= CLAIMED_MAX {
            return false;
        }
        let route = Route::new(&self.context.settings, &row.destination);
        let key = route.key();
        let destination = self.destinations.entry(key.clone()).or_insert_with(|| Destination::new(route));
        if destination.ready.len() >= CLAIMED_PER_DESTINATION_MAX {
            return false;
        }
        if destination.ready.is_empty() {
            self.turns.push_back(key);
        }
        destination.add(row.id, row.priority);
        self.claimed.insert(row.id)
    }

    /// Starts jobs: each destination in its turn, as long as it and the whole have room.
    fn start(&mut self, now: Timestamp) {
        let mut passed_over = 0;
        while self.running.len() < self.context.settings.connections_max && passed_over < self.turns.len() {
            let Some(key) = self.turns.pop_front() else { return };
            let Some(destination) = self.destinations.get_mut(&key) else { continue };
            let room = destination.connections_max(self.context.settings.connections_per_destination_max);
            if destination.running >= room {
                self.turns.push_back(key);
                passed_over += 1;
                continue;
            }
            let Some((id, _)) = destination.ready.pop_front() else { continue };
            passed_over = 0;
            destination.running += 1;
            let down = destination.down(now);
            let job = Job {
                context: Arc::clone(&self.context),
                stop: self.stop.clone(),
                route: destination.route.clone(),
                id,
                idle: destination.take_idle(),
                down,
            };
            if !destination.ready.is_empty() {
                self.turns.push_back(key.clone());
            }
            let task = self.jobs.spawn(job.run());
            self.running.insert(task.id(), (id, key));
        }
    }

    /// A job came to its end, or panicked.
    fn ended(&mut self, ended: Result<(Id, JobEnd), JoinError>) {
        let now = self.context.world.clock.now();
        let (task, end) = match ended {
            Ok((task, end)) => (task, end),
            Err(error) => {
                tracing::error!(%error, "an attempt broke off");
                let reply = mail::Reply::plain(451, "this server failed");
                (error.id(), JobEnd { session: None, health: Health::Down(reply) })
            }
        };
        let Some((id, key)) = self.running.remove(&task) else { return };
        self.claimed.remove(&id);
        let idle: usize = self.destinations.values().map(Destination::idle).sum();
        let Some(destination) = self.destinations.get_mut(&key) else { return };
        destination.running = destination.running.saturating_sub(1);
        destination.learn(&end.health, now);
        if let Some(session) = end.session {
            let settings = &self.context.settings;
            if session.messages < settings.messages_per_connection_max && idle < settings.connections_max {
                destination.keep(session, now.plus(self.context.settings.idle_max));
            } else {
                self.farewells.spawn(session.quit());
            }
        }
    }

    fn close_idle(&mut self, now: Timestamp) {
        for destination in self.destinations.values_mut() {
            for session in destination.expired(now) {
                self.farewells.spawn(session.quit());
            }
        }
    }

    /// Counts the queue for the metrics, now and then.
    async fn count(&mut self, now: Timestamp) {
        if self.counted_at.is_some_and(|at| now.since(at) < LOOK_EVERY) {
            return;
        }
        self.counted_at = Some(now);
        let (mut entries, mut after) = (0, QueueId(0));
        while let Ok(page) = self.context.store.queue_entries(after, COUNT_PAGE).await {
            entries += page.len();
            match page.last() {
                Some(last) if page.len() == COUNT_PAGE && entries < COUNT_MAX => after = last.id,
                _ => return metrics::queue_entries(entries),
            }
        }
    }

    /// Shutdown: what is on its way may arrive, for as long as the settings grant; then everything is let go.
    async fn finish(mut self) {
        for destination in self.destinations.values_mut() {
            while let Some(session) = destination.take_idle() {
                self.farewells.spawn(session.quit());
            }
        }
        let world = self.context.world.clone();
        let drain = async {
            while let Some(ended) = self.jobs.join_next().await {
                if let Ok(JobEnd { session: Some(session), .. }) = ended {
                    self.farewells.spawn(session.quit());
                }
            }
            while self.farewells.join_next().await.is_some() {}
        };
        if world.timeout(self.context.settings.shutdown_grace, drain).await.is_err() {
            tracing::warn!(
                attempts = self.jobs.len(),
                "attempts were cut off by the shutdown; their entries stay queued"
            );
        }
        self.jobs.shutdown().await;
        self.farewells.shutdown().await;
    }
}

/// A held entry that was left in its place among the due ones makes room for them.
async fn put_aside(context: &Context, row: QueueRow, now: Timestamp) -> Result<(), StorageError> {
    let body = move |tx: &mut storage::Transaction<'_>| match tx.queue_entry(row.id)? {
        Some(mut current) if current.held && current.next_attempt == row.next_attempt => {
            current.next_attempt = now.plus(HELD_LOOK_EVERY);
            tx.update_queue_entry(&current)
        }
        _ => Ok(false),
    };
    context.store.transact_with(Durability::Freeing, body).await.map(|_| ())
}

/// One entry's attempt, from its row to the row that follows.
struct Job {
    context: Arc<Context>,
    stop: CancellationToken,
    route: Route,
    id: QueueId,
    idle: Option<Session>,
    down: Option<mail::Reply>,
}

impl Job {
    async fn run(self) -> JobEnd {
        let Self { context, stop, route, id, idle, down } = self;
        let row = match context.store.queue_entry(id).await {
            // Taken back, held or put off since it was claimed.
            Ok(Some(row)) if row.held || row.next_attempt > context.world.clock.now() => None,
            Ok(row) => row,
            Err(error) => {
                tracing::error!(queue_id = %id, %error, "a queue entry can't be read");
                context.world.clock.sleep(STORE_RETRY).await;
                None
            }
        };
        let Some(row) = row else { return JobEnd { session: idle, health: Health::Unknown } };
        if row.waiting.is_some() {
            release(&context, &row).await;
            return JobEnd { session: idle, health: Health::Unknown };
        }
        let late = queue::is_out_of_time(&row, context.world.clock.now()).then_some(OUT_OF_TIME);
        let spared = late.or(down.filter(|_| !queue::is_wanted_at_once(&row)));
        let made = match spared {
            Some(reply) => Some(Attempt { session: idle, ..Attempt::spared(&row, &reply) }),
            None => attempt(&context, &route, &row, idle, &stop).await,
        };
        let Some(made) = made else { return JobEnd { session: None, health: Health::Unknown } };
        metrics::attempted(&route, &row, &made.outcomes);
        // What has happened is kept in memory until it is written: forgetting it would send the message twice.
        while let Err(error) = settle(&context, row.clone(), &made.outcomes, made.error.as_deref()).await {
            tracing::error!(queue_id = %id, %error, "an attempt's result can't be written yet");
            context.world.clock.sleep(STORE_RETRY).await;
        }
        JobEnd { session: made.session, health: made.health }
    }
}

const OUT_OF_TIME: mail::Reply = mail::Reply::fixed(
    451,
    mail::EnhancedCode(4, 4, 7),
    "The time within which the sender wanted the message delivered has passed",
);
const COUNT_PAGE: usize = 500;
const COUNT_MAX: usize = 100_000;
