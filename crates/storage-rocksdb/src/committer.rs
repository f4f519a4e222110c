//! The committer: the one thread that writes.
//!
//! It takes a waiting request, then what else waits, runs each body on top of what those before it in the group have
//! written, writes the group as one batch with one sync, runs the after-effects in order, rings the bell, answers.
//! A body that fails or panics leaves nothing; it is answered with the group, because what it saw may rest on it.
//!
//! When writing fails, nobody can say what is on the disk. The store is reopened, which replays the log and writes it
//! to synced files, and the group's number that is found there says whether the group was kept. Until that succeeds
//! nothing is written.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use mail::Notice;
use storage::engine::{AfterCommit, Body, Row};
use storage::transaction::Writes;
use storage::{Committed, Durability, StorageError, Transaction};
use tokio::sync::{mpsc, oneshot};

use crate::database::Database;
use crate::engine::Shared;
use crate::health::Health;
use crate::space::free_octets;

/// Between attempts to reopen a store that failed.
const REOPEN_INTERVAL: Duration = Duration::from_secs(2);

/// What the committer is asked for.
pub(crate) enum Request {
    /// Run and commit a body.
    Transact(Job),
    /// Write rows that nothing names yet.
    Early(Vec<Row>, oneshot::Sender<Result<(), StorageError>>),
    /// Make everything durable and end.
    Close(oneshot::Sender<Result<(), StorageError>>),
}

/// Where a transaction is answered.
type Answer = oneshot::Sender<Result<Committed, StorageError>>;

/// A transaction that waits for its group.
pub(crate) struct Job {
    pub(crate) body: Body,
    pub(crate) durability: Durability,
    pub(crate) answer: Answer,
}

/// The thread's state.
pub(crate) struct Committer {
    shared: Arc<Shared>,
    requests: mpsc::Receiver<Request>,
    /// Number of the last group that was written or tried.
    group: u64,
    /// Whether something was written since the last sync.
    unsynced: bool,
    failure: Option<Failure>,
}

/// Writing failed and the store could not be reopened yet.
struct Failure {
    error: StorageError,
    tried_at: Instant,
    /// The effects of the group of which it is unknown whether it was kept.
    unsure: Effects,
}

/// What is to be done once a group is durable.
#[derive(Default)]
struct Effects {
    after_commit: Vec<AfterCommit>,
    notices: Vec<Notice>,
}

/// A group while it is collected.
#[derive(Default)]
struct Group {
    writes: Writes,
    octets: usize,
    synced: bool,
    effects: Effects,
    /// Those who wait, each with what its body said.
    answers: Vec<(Answer, Result<(), StorageError>)>,
}

impl Committer {
    pub(crate) fn new(shared: Arc<Shared>, requests: mpsc::Receiver<Request>, group: u64) -> Self {
        Self { shared, requests, group, unsynced: true, failure: None }
    }

    /// Works until the store is closed or the last handle is gone.
    pub(crate) fn run(mut self) {
        let mut next = None;
        let mut closed = None;
        while let Some(request) = next.take().or_else(|| self.requests.blocking_recv()) {
            match request {
                Request::Transact(job) => next = self.take_group(job),
                Request::Early(rows, answer) => send(answer, self.write_early(&rows)),
                Request::Close(answer) => {
                    closed = Some((answer, self.close()));
                    break;
                }
            }
        }
        // Whoever closed the store may open it again as soon as it is told.
        *self.shared.health.lock() = Health::Closed;
        let database = self.shared.database.write().take();
        drop(database);
        if let Some((answer, result)) = closed {
            send(answer, result);
        }
        self.requests.close();
        while let Some(request) = self.requests.blocking_recv() {
            match request {
                Request::Transact(job) => send(job.answer, Err(StorageError::Closed)),
                Request::Early(_, answer) => send(answer, Err(StorageError::Closed)),
                Request::Close(answer) => send(answer, Ok(())),
            }
        }
    }

    fn close(&mut self) -> Result<(), StorageError> {
        self.reopen_if_failed()?;
        self.with_database(Database::flush)
    }

    fn with_database<T>(&self, work: impl FnOnce(&Database) -> Result<T, StorageError>) -> Result<T, StorageError> {
        work(self.shared.database.read().as_ref().ok_or(StorageError::Closed)?)
    }

    /// Runs a job and those that wait behind it, and commits them. Returns a request that has to come after the group.
    fn take_group(&mut self, first: Job) -> Option<Request> {
        let mut group = Group::default();
        let mut left = None;
        let mut job = Some(first);
        while let Some(current) = job.take() {
            match self.ready(current.durability) {
                Ok(()) => self.run_body(current, &mut group),
                Err(error) => group.answers.push((current.answer, Err(error))),
            }
            if group.answers.len() >= self.shared.options.group_transactions_max
                || group.octets >= self.shared.options.group_octets_max
            {
                break;
            }
            match self.requests.try_recv() {
                Ok(Request::Transact(next)) => job = Some(next),
                Ok(other) => left = Some(other),
                Err(_) => {}
            }
        }
        self.commit(group);
        left
    }

    fn run_body(&self, mut job: Job, group: &mut Group) {
        let collected = self.with_database(|database| {
            let mut transaction = Transaction::new(database, &group.writes);
            match catch_unwind(AssertUnwindSafe(|| (job.body)(&mut transaction))) {
                Ok(result) => result.map(|()| transaction.collect()),
                Err(panic) => {
                    let text = panic_text(panic.as_ref());
                    tracing::error!(panic = text, "a transaction body panicked; nothing of it was written");
                    Err(StorageError::Io(format!("a transaction body panicked: {text}")))
                }
            }
        });
        let outcome = collected.map(|collected| {
            group.synced |= job.durability.is_synced();
            let octets = |(key, value): (&Vec<u8>, &Option<bytes::Bytes>)| {
                key.len().saturating_add(value.as_ref().map_or(0, bytes::Bytes::len))
            };
            group.octets = collected.writes.iter().map(octets).fold(group.octets, usize::saturating_add);
            if group.writes.is_empty() {
                group.writes = collected.writes;
            } else {
                group.writes.extend(collected.writes);
            }
            group.effects.after_commit.extend(collected.after_commit);
            for notice in collected.notices {
                if !group.effects.notices.contains(&notice) {
                    group.effects.notices.push(notice);
                }
            }
        });
        group.answers.push((job.answer, outcome));
    }

    fn commit(&mut self, group: Group) {
        let Group { writes, synced, effects, answers, .. } = group;
        let kept = match self.write(&writes, synced) {
            Ok(()) => Ok(effects),
            Err(error) => self.recover(error, effects),
        };
        let result = kept.map(|effects| self.take_effect(effects));
        let done = answers.iter().filter(|(_, outcome)| outcome.is_ok()).count() as u64;
        if result.is_ok() {
            self.shared.counters.transactions.fetch_add(done, Ordering::Relaxed);
        }
        for (answer, outcome) in answers {
            send(answer, result.clone().and(outcome).map(|()| Committed::attest()));
        }
    }

    /// Writes a group's rows. A group without any is as durable as what it has read.
    fn write(&mut self, writes: &Writes, synced: bool) -> Result<(), StorageError> {
        if writes.is_empty() && !(synced && self.unsynced) {
            return Ok(());
        }
        self.group = self.group.saturating_add(1);
        self.with_database(|database| database.write(writes, self.group, synced))?;
        self.unsynced = !synced;
        self.shared.counters.groups.fetch_add(1, Ordering::Relaxed);
        self.shared.counters.syncs.fetch_add(u64::from(synced), Ordering::Relaxed);
        Ok(())
    }

    fn write_early(&mut self, rows: &[Row]) -> Result<(), StorageError> {
        self.ready(Durability::Synced)?;
        self.unsynced = true;
        let result = self.with_database(|database| database.write_early(rows.iter()));
        match result {
            Ok(()) => Ok(()),
            // Whether the rows were kept is of no matter; whether the store can go on is.
            Err(error) => self.recover(error.clone(), Effects::default()).and(Err(error)),
        }
    }

    fn take_effect(&self, effects: Effects) {
        for effect in effects.after_commit {
            guarded("an after-effect of a transaction", effect);
        }
        if !effects.notices.is_empty() {
            guarded("the doorbell", || self.shared.doorbell.ring(&effects.notices));
        }
    }

    /// Whether work can be taken now: the store is open and there is space.
    fn ready(&mut self, durability: Durability) -> Result<(), StorageError> {
        self.reopen_if_failed()?;
        let Some(free_octets) = free_octets(&self.shared.path) else { return Ok(()) };
        // What frees space must work while there is little of it, but not until there is none: the log needs some.
        let reserve = self.shared.options.free_octets_min;
        let least = if durability.may_use_reserve() { reserve / 2 } else { reserve };
        let full = free_octets < least;
        let mut health = self.shared.health.lock();
        if full {
            if !matches!(*health, Health::DiskFull { .. }) {
                tracing::error!(free_octets, least, "too little free space: refusing to store");
            }
            *health = Health::DiskFull { free_octets };
            return Err(StorageError::DiskFull);
        }
        if free_octets >= self.shared.options.free_octets_min && *health != Health::Ready {
            tracing::info!("the store takes writes");
            *health = Health::Ready;
        }
        Ok(())
    }

    /// After a failed write: reopens the store. Gives the effects back when the group was kept after all, else the
    /// error.
    fn recover(&mut self, error: StorageError, unsure: Effects) -> Result<Effects, StorageError> {
        tracing::error!(%error, "writing to the store failed; reopening it");
        *self.shared.health.lock() = Health::Failed(error.to_string());
        self.failure = Some(Failure { error: error.clone(), tried_at: Instant::now(), unsure });
        match self.reopen() {
            Ok(Some(effects)) => Ok(effects),
            Ok(None) | Err(_) => Err(error),
        }
    }

    fn reopen_if_failed(&mut self) -> Result<(), StorageError> {
        let Some(failure) = &mut self.failure else { return Ok(()) };
        if failure.tried_at.elapsed() < REOPEN_INTERVAL {
            return Err(failure.error.clone());
        }
        failure.tried_at = Instant::now();
        if let Some(effects) = self.reopen()? {
            self.take_effect(effects);
        }
        Ok(())
    }

    /// Closes and opens the store. `Some` when the group in doubt was kept: then its effects are due.
    fn reopen(&mut self) -> Result<Option<Effects>, StorageError> {
        // Readers are told of the failure while the store is closed; they do not wait.
        let old = self.shared.database.write().take();
        drop(old);
        let opened = Database::open(&self.shared.path, &self.shared.options).and_then(|database| {
            let last = database.last_group()?;
            // What was replayed from a log whose sync failed is durable only once it is in synced files.
            database.flush()?;
            Ok((database, last))
        });
        match opened {
            Ok((database, last)) => {
                *self.shared.database.write() = Some(database);
                *self.shared.health.lock() = Health::Ready;
                let kept = last >= self.group;
                tracing::warn!(kept, "the store is open again");
                self.group = self.group.max(last);
                self.unsynced = false;
                Ok(self.failure.take().filter(|_| kept).map(|failure| failure.unsure))
            }
            Err(error) => {
                tracing::error!(%error, "the store could not be reopened");
                *self.shared.health.lock() = Health::Failed(error.to_string());
                if let Some(failure) = &mut self.failure {
                    failure.error = error.clone();
                }
                Err(error)
            }
        }
    }
}

fn send<T>(answer: oneshot::Sender<T>, result: T) {
    // Whoever asked may have gone away; the work is done all the same.
    drop(answer.send(result));
}

/// Runs what is not ours, so that its panic does not end the thread.
fn guarded(what: &str, work: impl FnOnce()) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(work)) {
        tracing::error!(panic = panic_text(panic.as_ref()), "{what} panicked");
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a text")
}
