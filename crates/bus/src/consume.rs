//! The loop of a durable topic's consumer: at least once, in parallel, with back-off, parked at the end.

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use mail::{Timestamp, Topic};
use storage::rows::EventRow;
use storage::{StorageError, Store};
use tokio_util::sync::CancellationToken;
use world::BoxFuture;

use crate::Bus;
use crate::limits::{ATTEMPTS_MAX, CONCURRENCY_MAX, FIRST_RETRY, HELD_MAX, LONGEST_RETRY, PANIC_CHARACTERS_MAX};

/// Why an event was not taken.
#[derive(Clone, Debug, thiserror::Error)]
pub enum TakeError {
    /// Worth another try.
    #[error("{0}")]
    Temporary(String),
    /// No try will ever help: park it at once.
    #[error("{0}")]
    Permanent(String),
}

impl From<StorageError> for TakeError {
    fn from(error: StorageError) -> Self {
        // Unknown is temporary: the event stays either way, and an administrator sees it parked in the end.
        Self::Temporary(error.to_string())
    }
}

/// What a consumer does with an event.
pub trait Consumer: Sync {
    /// Stores the event's effect in one transaction, which also calls
    /// [`storage::Transaction::finish_event`] and does nothing when that says `false`.
    fn take<'a>(&'a self, event: &'a EventRow) -> BoxFuture<'a, Result<(), TakeError>>;
}

/// Hands a topic's events to its consumer until told to stop; what is under way then is finished first.
///
/// # Errors
/// When the store can't be read any more.
pub async fn consume(
    bus: &Bus,
    store: &Store,
    topic: Topic,
    consumer: &dyn Consumer,
    stop: CancellationToken,
) -> Result<(), StorageError> {
    let mut bell = bus.topic(topic);
    let mut events = Events { store, topic, loaded: 0, more: true, waiting: BTreeSet::new() };
    let mut running = FuturesUnordered::new();
    loop {
        events.load().await?;
        while running.len() < CONCURRENCY_MAX
            && let Some(number) = events.next_due(store.now())
        {
            running.push(take(store, topic, number, consumer));
        }
        bus.state(topic).set_backlog(events.waiting.len().saturating_add(running.len()));
        let wake = events.next_wake(store.now()).filter(|_| running.len() < CONCURRENCY_MAX);
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some(again) = running.next(), if !running.is_empty() => events.waiting.extend(again?),
            () = bell.rung() => events.more = true,
            () = sleep(store, wake) => {}
        }
    }
    while let Some(ended) = running.next().await {
        ended?;
    }
    Ok(())
}

/// The topic's events as far as they are held: numbers by the time when they are due.
struct Events<'a> {
    store: &'a Store,
    topic: Topic,
    loaded: u64,
    more: bool,
    waiting: BTreeSet<(Timestamp, u64)>,
}

impl Events<'_> {
    /// Reads what came behind the last number loaded. Numbers are given in the order of commits, so nothing appears
    /// before it.
    async fn load(&mut self) -> Result<(), StorageError> {
        while self.more && self.waiting.len() < HELD_MAX {
            let page = self.store.events_after(self.topic, self.loaded, 256).await?;
            self.more = page.len() == 256;
            for event in page {
                self.loaded = event.number;
                self.waiting.insert((event.due, event.number));
            }
        }
        Ok(())
    }

    fn next_due(&mut self, now: Timestamp) -> Option<u64> {
        let first = *self.waiting.first().filter(|(due, _)| *due <= now)?;
        self.waiting.remove(&first);
        Some(first.1)
    }

    fn next_wake(&self, now: Timestamp) -> Option<Duration> {
        self.waiting.first().map(|(due, _)| due.since(now))
    }
}

async fn sleep(store: &Store, span: Option<Duration>) {
    match span {
        Some(span) => store.world().clock.sleep(span).await,
        None => std::future::pending().await,
    }
}

/// Hands out one event; gives back when it is due again, if it is.
async fn take(
    store: &Store,
    topic: Topic,
    number: u64,
    consumer: &dyn Consumer,
) -> Result<Option<(Timestamp, u64)>, StorageError> {
    let Some(event) = store.event(topic, number).await? else { return Ok(None) };
    let Err(failure) = take_or_break(consumer, &event).await else { return Ok(None) };
    let attempts = event.attempts.saturating_add(1);
    let text = failure.to_string();
    let park = matches!(failure, TakeError::Permanent(_)) || attempts >= ATTEMPTS_MAX;
    let due = store.now().plus(retry_delay(attempts));
    tracing::warn!(?topic, number, attempts, park, error = text, "an event was not taken");
    let written = store
        .transact(move |tx| {
            if park { tx.park_event(topic, number, &text).map(drop) } else { tx.defer_event(topic, number, due, &text) }
        })
        .await;
    // A store that can't even note the failure (a full disk) leaves the row as it was: tried again all the same.
    Ok((!park || written.is_err()).then_some((due, number)))
}

/// Takes an event. A panic is an attempt that failed: the same event would bring it again after a restart of the consumer,
/// and nothing behind it would ever be taken.
async fn take_or_break(consumer: &dyn Consumer, event: &EventRow) -> Result<(), TakeError> {
    // The consumer's state is the store's, which a transaction that was not committed leaves as it was.
    let taking = AssertUnwindSafe(async { consumer.take(event).await });
    taking.catch_unwind().await.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
        let text: String = text.unwrap_or("no reason is known").chars().take(PANIC_CHARACTERS_MAX).collect();
        Err(TakeError::Temporary(format!("the consumer broke off: {text}")))
    })
}

/// 1 s, 2 s, 4 s … up to ten minutes.
fn retry_delay(attempts: u32) -> Duration {
    FIRST_RETRY.saturating_mul(1_u32.checked_shl(attempts.saturating_sub(1)).unwrap_or(u32::MAX)).min(LONGEST_RETRY)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use storage::MemoryEngine;
    use tokio::sync::Notify;
    use world::simulated::SimulatedWorld;

    use super::*;

    const TOPIC: Topic = Topic::MessageStored;

    /// Fails the first `failures` attempts, then finishes events.
    struct Counting {
        store: Store,
        failures: AtomicUsize,
        permanent: bool,
        taken: AtomicUsize,
        attempted: Notify,
    }

    impl Consumer for Counting {
        fn take<'a>(&'a self, event: &'a EventRow) -> BoxFuture<'a, Result<(), TakeError>> {
            Box::pin(async move {
                let failing =
                    self.failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
                let number = event.number;
                let result = if failing && self.permanent {
                    Err(TakeError::Permanent("never".to_owned()))
                } else if failing {
                    Err(TakeError::Temporary("not yet".to_owned()))
                } else {
                    self.store.transact(move |tx| tx.finish_event(TOPIC, number)).await?;
                    self.taken.fetch_add(1, Ordering::SeqCst);
                    Ok(())
                };
                self.attempted.notify_one();
                result
            })
        }
    }

    struct Fixture {
        sim: SimulatedWorld,
        bus: Bus,
        engine: MemoryEngine,
        store: Store,
    }

    async fn fixture() -> Fixture {
        let sim = SimulatedWorld::new(Timestamp(1_000_000), 1);
        let bus = Bus::new();
        let engine = MemoryEngine::new(Arc::new(bus.clone()));
        let store = Store::open(Arc::new(engine.clone()), sim.world()).await.unwrap();
        Fixture { sim, bus, engine, store }
    }

    fn counting(store: &Store, failures: usize, permanent: bool) -> Arc<Counting> {
        Arc::new(Counting {
            store: store.clone(),
            failures: AtomicUsize::new(failures),
            permanent,
            taken: AtomicUsize::new(0),
            attempted: Notify::new(),
        })
    }

    fn start(bus: &Bus, consumer: &Arc<Counting>) -> (CancellationToken, tokio::task::JoinHandle<()>) {
        let stop = CancellationToken::new();
        let (bus, consumer, token) = (bus.clone(), Arc::clone(consumer), stop.clone());
        let task = tokio::spawn(async move {
            consume(&bus, &consumer.store, TOPIC, consumer.as_ref(), token).await.unwrap();
        });
        (stop, task)
    }

    async fn emit(store: &Store, count: usize) {
        let now = store.now();
        for _ in 0..count {
            store.transact(move |tx| tx.emit(TOPIC, now, b"payload".to_vec())).await.unwrap();
        }
    }

    async fn until(mut condition: impl AsyncFnMut() -> bool) {
        while !condition().await {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn events_from_before_and_after_the_start_are_taken_once() {
        let f = fixture().await;
        emit(&f.store, 300).await;
        let consumer = counting(&f.store, 0, false);
        let (stop, task) = start(&f.bus, &consumer);
        until(async || consumer.taken.load(Ordering::SeqCst) == 300).await;
        emit(&f.store, 5).await;
        until(async || consumer.taken.load(Ordering::SeqCst) == 305).await;
        stop.cancel();
        task.await.unwrap();
        assert_eq!(f.store.events_after(TOPIC, 0, 10).await.unwrap(), []);
        assert_eq!(consumer.taken.load(Ordering::SeqCst), 305);
    }

    #[tokio::test]
    async fn a_failure_is_tried_again_after_its_delay() {
        let f = fixture().await;
        emit(&f.store, 1).await;
        let consumer = counting(&f.store, 2, false);
        let (stop, task) = start(&f.bus, &consumer);
        for delay in [1, 2] {
            consumer.attempted.notified().await;
            until(async || f.sim.clock.next_wake().is_some()).await;
            assert_eq!(consumer.taken.load(Ordering::SeqCst), 0);
            f.sim.clock.advance(Duration::from_secs(delay));
        }
        until(async || consumer.taken.load(Ordering::SeqCst) == 1).await;
        stop.cancel();
        task.await.unwrap();
    }

    #[tokio::test]
    async fn what_can_never_work_is_parked_and_does_not_hold_up_others() {
        let f = fixture().await;
        emit(&f.store, 2).await;
        let consumer = counting(&f.store, 1, true);
        let (stop, task) = start(&f.bus, &consumer);
        until(async || {
            consumer.taken.load(Ordering::SeqCst) == 1 && f.store.parked_events(TOPIC, 9).await.unwrap().len() == 1
        })
        .await;
        stop.cancel();
        task.await.unwrap();
        let parked = f.store.parked_events(TOPIC, 9).await.unwrap();
        assert_eq!(parked[0].last_error.as_deref(), Some("never"));
        assert_eq!(f.store.events_after(TOPIC, 0, 10).await.unwrap(), []);
    }

    /// Panics at the first event, always; finishes the others.
    struct Breaking(Store);

    impl Consumer for Breaking {
        fn take<'a>(&'a self, event: &'a EventRow) -> BoxFuture<'a, Result<(), TakeError>> {
            Box::pin(async move {
                let number = event.number;
                assert!(number > 1, "on purpose");
                self.0.transact(move |tx| tx.finish_event(TOPIC, number)).await?;
                Ok(())
            })
        }
    }

    #[tokio::test]
    async fn a_panic_counts_as_a_failure_and_holds_up_nothing() {
        let f = fixture().await;
        emit(&f.store, 2).await;
        let (stop, bus, store) = (CancellationToken::new(), f.bus.clone(), f.store.clone());
        let token = stop.clone();
        let task = tokio::spawn(async move {
            consume(&bus, &store, TOPIC, &Breaking(store.clone()), token).await.unwrap();
        });
        until(async || {
            assert!(!task.is_finished(), "the consumer goes on");
            if f.sim.clock.next_wake().is_some() {
                f.sim.clock.advance(LONGEST_RETRY);
            }
            f.store.parked_events(TOPIC, 9).await.unwrap().len() == 1
        })
        .await;
        let parked = f.store.parked_events(TOPIC, 9).await.unwrap();
        assert_eq!(parked[0].last_error.as_deref(), Some("the consumer broke off: on purpose"));
        stop.cancel();
        task.await.unwrap();
    }

    #[tokio::test]
    async fn events_survive_a_power_cut() {
        let f = fixture().await;
        emit(&f.store, 3).await;
        let bus = Bus::new();
        let engine = f.engine.after_power_cut(Arc::new(bus.clone()));
        let store = Store::open(Arc::new(engine), f.sim.world()).await.unwrap();
        let consumer = counting(&store, 0, false);
        let (stop, task) = start(&bus, &consumer);
        until(async || consumer.taken.load(Ordering::SeqCst) == 3).await;
        stop.cancel();
        task.await.unwrap();
    }

    #[test]
    fn delays_double_and_end_at_ten_minutes() {
        assert_eq!(retry_delay(1), Duration::from_secs(1));
        assert_eq!(retry_delay(4), Duration::from_secs(8));
        assert_eq!(retry_delay(30), LONGEST_RETRY);
        assert_eq!(retry_delay(u32::MAX), LONGEST_RETRY);
    }
}
