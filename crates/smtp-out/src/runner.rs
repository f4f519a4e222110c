//! The runner: claims due entries, spreads connections over destinations in turn, keeps sessions for reuse.
//!
//! State: what is claimed lives in memory alone; a crash forgets it, and the entries are due again. An entry that is
//! claimed is in exactly one place: a destination's `ready`, or a running job. What is due and has no room waits in a backlog.

mod claim;

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use mail::{QueueId, Reply, Timestamp, Topic};
use queue::Health;
use tokio::task::{Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use self::claim::Looks;
use crate::attempt::{Attempt, attempt};
use crate::backlog::Backlog;
use crate::client::session::Session;
use crate::destination::Destination;
use crate::limits::{
    BACKLOG_MAX, CLOCK_SET_BACK, DESTINATIONS_MAX, LOOK_EVERY, PACES_WRITTEN_AT_ONCE, PACES_WRITTEN_EVERY, STORE_RETRY,
    TIDY_EVERY,
};
use crate::release::release;
use crate::route::Route;
use crate::settle::settle;
use crate::{Context, metrics, schedule};

/// Works until stopped.
pub(crate) async fn run(context: Arc<Context>, stop: CancellationToken) {
    run_watched(context, stop, |_| ()).await;
}

/// The same, under the eyes of `watch` after each look.
pub(crate) async fn run_watched(context: Arc<Context>, stop: CancellationToken, mut watch: impl FnMut(&Runner)) {
    let mut bell = context.bus.topic(Topic::Queue);
    let mut runner = Runner {
        stop: stop.clone(),
        claimed: HashSet::new(),
        destinations: HashMap::new(),
        turns: VecDeque::new(),
        jobs: JoinSet::new(),
        running: HashMap::new(),
        farewells: JoinSet::new(),
        backlog: Backlog::new(BACKLOG_MAX),
        looks: Looks::default(),
        counted_at: None,
        paces_changed: BTreeSet::new(),
        paces_written_at: None,
        idle: 0,
        tidied_at: None,
        looked_at: None,
        context,
    };
    runner.remember().await;
    while !stop.is_cancelled() {
        let wake = runner.look().await;
        watch(&runner);
        let span = wake.since(runner.context.world.clock.now()).min(LOOK_EVERY);
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            Some(ended) = runner.jobs.join_next_with_id() => {
                runner.ended(ended);
                // A look may take a while: no connection waits for several of them.
                while let Some(ended) = runner.jobs.try_join_next_with_id() {
                    runner.ended(ended);
                }
            }
            Some(_) = runner.farewells.join_next() => {}
            () = bell.rung() => {}
            () = runner.context.world.clock.sleep(span.max(std::time::Duration::from_millis(1))) => {}
        }
    }
    runner.finish().await;
}

/// See the module.
pub(crate) struct Runner {
    context: Arc<Context>,
    stop: CancellationToken,
    claimed: HashSet<QueueId>,
    /// By what tells routes apart ([`queue::Choice::key`]).
    destinations: HashMap<String, Destination<Session>>,
    /// Destinations with something ready, in the order of their turns.
    turns: VecDeque<String>,
    jobs: JoinSet<JobEnd>,
    running: HashMap<Id, (QueueId, String)>,
    farewells: JoinSet<()>,
    /// What is due and could not be claimed.
    backlog: Backlog,
    looks: Looks,
    counted_at: Option<Timestamp>,
    /// Destinations whose pace is another than its row says.
    paces_changed: BTreeSet<String>,
    paces_written_at: Option<Timestamp>,
    /// Idle connections of all destinations.
    idle: usize,
    tidied_at: Option<Timestamp>,
    /// When the queue was looked at last, by a clock that somebody may have set since.
    looked_at: Option<Timestamp>,
}

/// What the runner holds in memory, and has read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Held {
    /// Entries that are claimed, by their numbers alone.
    pub(crate) claimed: usize,
    /// Of these, those that wait for their turns.
    pub(crate) ready: usize,
    /// Of these, those that are attempted.
    pub(crate) running: usize,
    /// Entries that wait for room, by their numbers alone.
    pub(crate) waiting: usize,
    /// Destinations that are remembered.
    pub(crate) destinations: usize,
    /// Idle connections.
    pub(crate) idle: usize,
    /// Entries that looks at the queue have read since the start, to claim them or to put them off.
    pub(crate) read: u64,
}

/// What a job leaves.
struct JobEnd {
    session: Option<Session>,
    health: Health,
}

impl Runner {
    /// What is held now.
    pub(crate) fn held(&self) -> Held {
        Held {
            claimed: self.claimed.len(),
            ready: self.destinations.values().map(|destination| destination.ready.len()).sum(),
            running: self.running.len(),
            waiting: self.backlog.len(),
            destinations: self.destinations.len(),
            idle: self.destinations.values().map(Destination::idle).sum(),
            read: self.looks.read,
        }
    }

    /// Claims what is due, starts what may start, closes what is idle. Gives the time to look again at the latest.
    async fn look(&mut self) -> Timestamp {
        let now = self.context.world.clock.now();
        self.mind_the_clock(now).await;
        let next_due = match self.claim(now).await {
            Ok(next) => next,
            Err(error) => {
                tracing::error!(%error, "the queue can't be read");
                Some(now.plus(STORE_RETRY))
            }
        };
        let next_begin = self.start(now);
        let next_tidy = self.tidy(now).await;
        let next_write = self.write_paces(now).await;
        let times = next_due.into_iter().chain(next_begin).chain(next_write).chain(next_tidy);
        times.min().unwrap_or_else(|| now.plus(LOOK_EVERY))
    }

    /// Starts jobs: each destination in its turn, as long as it and the whole have room. Gives the time at which one may begin that
    /// may not now, for its destination's gap.
    fn start(&mut self, now: Timestamp) -> Option<Timestamp> {
        let mut next_begin: Option<Timestamp> = None;
        let mut passed_over = 0;
        let settings = &self.context.settings;
        while self.running.len() < settings.connections_max && passed_over < self.turns.len() {
            let Some(key) = self.turns.pop_front() else { break };
            let Some(destination) = self.destinations.get_mut(&key) else { continue };
            // The last quarter of all: one for each destination, so that those that are slow leave some to the others.
            let busy = self.running.len() >= settings.connections_max.saturating_sub(settings.connections_max / 4);
            let usual = destination.pace.at_a_time(destination.route.connections_max(settings));
            let room = if busy { usual.min(1) } else { usual };
            let begin = destination.pace.next_begin(destination.route.gap_least(settings), now);
            if destination.running >= room || begin > now {
                if destination.running < room {
                    next_begin = Some(next_begin.map_or(begin, |known| known.min(begin)));
                }
                self.turns.push_back(key);
                passed_over += 1;
                continue;
            }
            let Some((id, _)) = destination.ready.pop_front() else { continue };
            passed_over = 0;
            destination.running += 1;
            destination.pace.begin(now);
            let down = destination.pace.left_alone(now);
            let job = Job {
                context: Arc::clone(&self.context),
                stop: self.stop.clone(),
                key: key.clone(),
                id,
                idle: destination.take_idle(),
                down,
            };
            self.idle = self.idle.saturating_sub(usize::from(job.idle.is_some()));
            if !destination.ready.is_empty() {
                self.turns.push_back(key.clone());
            }
            let task = self.jobs.spawn(job.run());
            self.running.insert(task.id(), (id, key));
        }
        next_begin
    }

    /// A job came to its end, or panicked.
    fn ended(&mut self, ended: Result<(Id, JobEnd), JoinError>) {
        let now = self.context.world.clock.now();
        let (task, end) = match ended {
            Ok((task, end)) => (task, end),
            Err(error) => {
                tracing::error!(%error, "an attempt broke off");
                let reply = Reply::plain(451, "this server failed");
                (error.id(), JobEnd { session: None, health: Health::Down(reply) })
            }
        };
        let Some((id, key)) = self.running.remove(&task) else { return };
        self.claimed.remove(&id);
        // Should it be due as before, a look from the beginning finds it.
        self.looks.expect_one_before();
        let Some(destination) = self.destinations.get_mut(&key) else { return };
        destination.running = destination.running.saturating_sub(1);
        let settings = &self.context.settings;
        let usual = destination.route.connections_max(settings);
        if destination.pace.learn(&end.health, destination.running, usual, now) {
            self.paces_changed.insert(key);
        }
        if let Some(session) = end.session {
            let takes_more = session.messages < settings.messages_per_connection_max && session.takes_more();
            if takes_more && self.idle < settings.connections_max {
                self.idle = self.idle.saturating_add(1);
                destination.keep(session, now.plus(settings.idle_max));
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

    /// What was learnt before a restart holds on.
    async fn remember(&mut self) {
        match schedule::remembered(&self.context).await {
            Ok(destinations) => self.destinations.extend(destinations),
            Err(error) => tracing::error!(%error, "what was learnt of destinations can't be read"),
        }
    }

    /// What need not be done with every look: closes idle connections, forgets destinations, counts. Gives the time of the next
    /// time, when there is something to close.
    async fn tidy(&mut self, now: Timestamp) -> Option<Timestamp> {
        if let Some(next) = self.tidied_at.map(|at| at.plus(TIDY_EVERY))
            && next > now
            && next.since(now) <= TIDY_EVERY
        {
            return (self.idle > 0).then_some(next);
        }
        self.tidied_at = Some(now);
        self.close_idle(now);
        self.count(now).await;
        self.forget(now);
        let held = self.held();
        self.idle = held.idle;
        metrics::holds(&held);
        self.destinations.values().filter_map(Destination::next_expiry).min()
    }

    fn forget(&mut self, now: Timestamp) {
        let changed = &mut self.paces_changed;
        self.destinations.retain(|key, destination| {
            let goes = destination.is_forgettable(now) && !self.backlog.has(key);
            if goes && destination.pace.row().is_some() {
                changed.insert(key.clone());
            }
            !goes
        });
        let beyond = self.destinations.len().saturating_sub(DESTINATIONS_MAX);
        if beyond > 0 {
            // Of those where nothing happens, what was learnt longest ago.
            let at_rest = |key: &str, known: &Destination<_>| known.is_at_rest() && !self.backlog.has(key);
            let idle = self.destinations.iter().filter(|(key, destination)| at_rest(key, destination));
            let mut idle: Vec<_> = idle.map(|(key, destination)| (destination.pace.learnt_at(), key.clone())).collect();
            idle.sort_unstable();
            for (_, key) in idle.into_iter().take(beyond) {
                self.destinations.remove(&key);
                self.paces_changed.insert(key);
            }
        }
    }

    /// Keeps what was learnt, now and then. Gives the time of the next writing, when there is something to write.
    async fn write_paces(&mut self, now: Timestamp) -> Option<Timestamp> {
        if self.paces_changed.is_empty() {
            return None;
        }
        let next = self.paces_written_at.map(|at| at.plus(PACES_WRITTEN_EVERY));
        if let Some(next) = next.filter(|next| *next > now && next.since(now) <= PACES_WRITTEN_EVERY) {
            return Some(next);
        }
        self.paces_written_at = Some(now);
        let keys: Vec<String> = self.paces_changed.iter().take(PACES_WRITTEN_AT_ONCE).cloned().collect();
        let rows = {
            let row = |key: &String| self.destinations.get(key).and_then(|known| known.pace.row()).cloned();
            keys.iter().map(|key| (key.clone(), row(key))).collect()
        };
        if schedule::write_paces(&self.context, rows).await {
            keys.iter().for_each(|key| {
                self.paces_changed.remove(key);
            });
        }
        (!self.paces_changed.is_empty()).then(|| now.plus(PACES_WRITTEN_EVERY))
    }

    /// Somebody may have set the clock back, before the start too: what was put off by the old time is due by the new one.
    async fn mind_the_clock(&mut self, now: Timestamp) {
        let went_back = self.looked_at.is_none_or(|before| before > now && before.since(now) > CLOCK_SET_BACK);
        if went_back && let Err(error) = schedule::pull_in(&self.context, now).await {
            tracing::error!(%error, "the schedule of the queue can't be set right");
            return;
        }
        self.looked_at = Some(now);
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

/// One entry's attempt, from its row to the row that follows.
struct Job {
    context: Arc<Context>,
    stop: CancellationToken,
    /// Of its destination ([`queue::Choice::key`]).
    key: String,
    id: QueueId,
    idle: Option<Session>,
    down: Option<Reply>,
}

impl Job {
    async fn run(self) -> JobEnd {
        let Self { context, stop, key, id, idle, down } = self;
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
        // Destinations of one host share its connections and pace, and each has its own demands on the way there.
        let choice = context.routes.of(&row);
        if choice.key != key {
            // Sent another way since it was claimed: it is due there.
            return JobEnd { session: idle, health: Health::Unknown };
        }
        let route = Route::new(&context.settings, &row.destination, &choice.way);
        let late = queue::is_out_of_time(&row, context.world.clock.now()).then_some(OUT_OF_TIME);
        if row.waiting.is_some() && late.is_none() {
            release(&context, &row).await;
            return JobEnd { session: idle, health: Health::Unknown };
        }
        let spared = late.or(down.filter(|_| !queue::is_wanted_at_once(&row)));
        let made = match spared {
            Some(reply) => {
                let mut spared = Attempt::spared(&row, &reply);
                spared.session = idle;
                Some(spared)
            }
            None => attempt(&context, &route, &row, idle, &stop).await,
        };
        let Some(made) = made else { return JobEnd { session: None, health: Health::Unknown } };
        metrics::attempted(&route, &row, &made.outcomes);
        // What has happened is kept in memory until it is written: forgetting it would send the message twice.
        while let Err(error) = settle(&context, row.clone(), &made.outcomes, made.error.as_deref(), &made.secured).await
        {
            tracing::error!(queue_id = %id, %error, "an attempt's result can't be written yet");
            context.world.clock.sleep(STORE_RETRY).await;
        }
        JobEnd { session: made.session, health: made.health }
    }
}

const OUT_OF_TIME: Reply = Reply::fixed(
    451,
    mail::EnhancedCode(4, 4, 7),
    "The time within which the sender wanted the message delivered has passed",
);
const COUNT_PAGE: usize = 500;
const COUNT_MAX: usize = 100_000;
