//! A queue full of mail for a host that is dead: others do not wait, few attempts are made, and little is in memory.

use parking_lot::Mutex;

use super::*;
use crate::limits::{BACKLOG_MAX, CLAIMED_MAX, CLAIMED_PER_DESTINATION_MAX};
use crate::runner::{Held, run_watched};

/// More than one look reads.
const DEAD: usize = 9_000;

#[tokio::test]
async fn many_messages_to_a_dead_host_hold_up_nobody() {
    let mut stage = Stage::new().await;
    stage.host("mx.far.example", &["192.0.2.66"]);
    let ids = stage.send_to(&["x@far.example"]).await;
    let model = stage.store.queue_entry(ids[0]).await.unwrap().unwrap();
    // The same message again and again, each with its entry.
    for _ in 0..DEAD / 1_000 {
        let row = model.clone();
        let body = move |tx: &mut storage::Transaction<'_>| {
            (0..1_000).try_for_each(|_| tx.enqueue(QueueRow { trace: None, ..row.clone() }).map(|_| ()))
        };
        stage.store.transact(body).await.unwrap();
    }
    // Last of all, behind all of them.
    stage.send_to(&["y@origin.example"]).await;
    stage.start();
    stage.pass(Duration::from_secs(5)).await;
    assert_eq!(stage.origin.got().len(), 1, "it is not held up");
    let tried =
        || stage.world.connector.attempted().iter().filter(|(_, to)| to.ip().to_string() == "192.0.2.66").count();
    assert!(tried() <= 2 * CLAIMED_PER_DESTINATION_MAX, "{} attempts for {DEAD} messages", tried());
    let first = tried();
    stage.minutes(10).await;
    // One connection at a time, and a pause that doubles.
    assert!(tried() - first <= 20, "{} attempts", tried() - first);
    let queue = stage.store.queue_entries(QueueId(0), DEAD + 10).await.unwrap();
    assert_eq!(queue.len(), DEAD + 1, "none is lost");
    assert!(queue.iter().all(|row| (1..=4).contains(&row.attempts)), "each is put off on its schedule");
    stage.far.listen(&stage.world, "192.0.2.66:25");
    stage.send_to(&["z@origin.example"]).await;
    stage.settle().await;
    assert_eq!(stage.origin.got().len(), 2);
}

/// A long queue for `far.example`, whose host is at an address where nobody is.
async fn long_queue(entries: usize) -> Stage {
    let stage = Stage::new().await;
    stage.host("mx.far.example", &["192.0.2.66"]);
    let ids = stage.send_to(&["x@far.example"]).await;
    let model = stage.store.queue_entry(ids[0]).await.unwrap().unwrap();
    for first in (1..entries).step_by(1_000) {
        let (row, some) = (model.clone(), 1_000.min(entries - first));
        let body = move |tx: &mut storage::Transaction<'_>| {
            (0..some).try_for_each(|_| tx.enqueue(QueueRow { trace: None, ..row.clone() }).map(|_| ()))
        };
        stage.store.transact(body).await.unwrap();
    }
    stage
}

/// What the runner held at the most, and how often it looked.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) held: Held,
    pub(super) looks: usize,
}

/// Starts the runner with somebody who counts.
pub(super) fn start_watched(stage: &mut Stage) -> Arc<Mutex<Seen>> {
    let out = SmtpOut::new(stage.bus.clone(), stage.delivery.clone(), stage.settings.clone()).unwrap();
    let (stop, seen) = (CancellationToken::new(), Arc::<Mutex<Seen>>::default());
    let (token, noting) = (stop.clone(), Arc::clone(&seen));
    let task = tokio::spawn(async move {
        let watch = move |runner: &crate::runner::Runner| {
            let (now, mut seen) = (runner.held(), noting.lock());
            seen.looks += 1;
            let most = &mut seen.held;
            most.claimed = most.claimed.max(now.claimed);
            most.ready = most.ready.max(now.ready);
            most.running = most.running.max(now.running);
            most.waiting = most.waiting.max(now.waiting);
            most.destinations = most.destinations.max(now.destinations);
            most.idle = most.idle.max(now.idle);
            most.read = now.read;
        };
        run_watched(Arc::clone(&out.0), token, watch).await;
    });
    stage.running = Some((stop, task));
    seen
}

/// Sends a message elsewhere; how long it takes until it is there, in simulated seconds.
async fn seconds_to_origin(stage: &Stage) -> u64 {
    let before = stage.origin.got().len();
    stage.send_to(&["y@origin.example"]).await;
    for seconds in 0..600 {
        stage.settle().await;
        if stage.origin.got().len() > before {
            return seconds;
        }
        stage.pass(Duration::from_secs(1)).await;
    }
    panic!("it never came");
}

/// Many messages to a dead host. What is in memory does not grow with them, and another destination gets its mail within so many
/// seconds: before anything is known of the dead host, and when all of its mail is due once more.
async fn long_queue_slows_nobody(silent: bool, entries: usize, seconds_between: u64, seconds_max: u64) {
    let mut stage = long_queue(entries).await;
    if silent {
        stage.world.connector.swallow("192.0.2.66:25".parse().unwrap(), stage.world.clock.clone());
    }
    let seen = start_watched(&mut stage);
    // Last of all, behind all of them.
    let first = seconds_to_origin(&stage).await;
    assert!(first <= seconds_max, "{first} s");
    stage.pass(Duration::from_secs(seconds_between)).await;
    let later = seconds_to_origin(&stage).await;
    assert!(later <= seconds_max, "{later} s");
    let Seen { held, looks } = std::mem::take(&mut *seen.lock());
    let Held { claimed, ready, running, waiting, destinations, idle, read } = held;
    // Of the dead one's no more than its share; beside it one message, and its notice.
    assert!(claimed <= CLAIMED_MAX && ready <= CLAIMED_PER_DESTINATION_MAX + 2, "{held:?}");
    assert!(running <= 2 * stage.settings.connections_per_destination_max, "{held:?}");
    assert!(destinations <= 2 && idle <= 2, "{held:?}");
    assert!(waiting <= BACKLOG_MAX, "{held:?}");
    assert!(looks < 5_000, "{looks} looks");
    // Once when they come and once to put them off, each of the three times at the most that they are due.
    assert!(read <= 6 * entries as u64, "{read} entries were read for {entries}");
    // None is lost, and none is tried out of its turn.
    let rows = stage.store.queue_entries(QueueId(0), entries + 10).await.unwrap();
    assert_eq!(rows.len(), entries);
    assert!(rows.iter().all(|row| (1..=3).contains(&row.attempts)), "each is put off on its schedule");
    let tried = stage.world.connector.attempted().iter().filter(|(_, to)| to.ip().to_string() == "192.0.2.66").count();
    assert!(tried <= 2 * CLAIMED_PER_DESTINATION_MAX, "{tried} connections for {entries} messages");
}

#[tokio::test]
async fn a_hundred_thousand_messages_to_who_refuses_cost_little_and_slow_nobody() {
    long_queue_slows_nobody(false, 100_000, 75, 2).await;
}

/// It takes half a minute to know that nobody is there; meanwhile looks read 8,192 entries further each second.
#[tokio::test]
async fn twenty_thousand_messages_to_who_never_answers_cost_little_and_slow_nobody() {
    long_queue_slows_nobody(true, 20_000, 45, 5).await;
}
