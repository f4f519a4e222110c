//! More is due for one host than is claimed at a time: what waits is not read all the time, keeps its order, and follows what is said of it.

use super::dead::start_watched;
use super::*;
use crate::limits::CLAIMED_PER_DESTINATION_MAX;

/// Puts a message into the queue so often.
async fn send_often(stage: &Stage, entries: usize) -> Vec<QueueId> {
    let ids = stage.send_to(&["x@far.example"]).await;
    let model = stage.store.queue_entry(ids[0]).await.unwrap().unwrap();
    let body = move |tx: &mut storage::Transaction<'_>| {
        (1..entries).map(|_| tx.enqueue(QueueRow { trace: None, ..model.clone() })).collect::<Result<Vec<_>, _>>()
    };
    [ids, stage.store.transact(body).await.unwrap().value].concat()
}

/// Lets time pass until all is sent; gives how long that took, in simulated seconds.
async fn all_sent(stage: &Stage, seconds_max: u64) -> u64 {
    for seconds in 0..seconds_max {
        stage.settle().await;
        if stage.queue().await.is_empty() {
            return seconds;
        }
        stage.pass(Duration::from_secs(1)).await;
    }
    panic!("{} are left after {seconds_max} s", stage.queue().await.len());
}

#[tokio::test]
async fn what_waits_for_one_host_is_not_read_again_and_again() {
    const ENTRIES: usize = 2_000;
    let mut stage = Stage::new().await;
    // Slow enough for many looks at what waits.
    stage.far.delay("DATA", Duration::from_millis(100));
    send_often(&stage, ENTRIES).await;
    let seen = start_watched(&mut stage);
    let seconds = all_sent(&stage, 120).await;
    assert_eq!(stage.far.got().len(), ENTRIES);
    assert!(seconds >= 10, "{seconds} s: that was no backlog");
    let seen = seen.lock();
    assert!(seen.held.waiting >= ENTRIES - 2 * CLAIMED_PER_DESTINATION_MAX, "{:?}", seen.held);
    assert!(seen.held.ready <= CLAIMED_PER_DESTINATION_MAX, "{:?}", seen.held);
    assert!(
        seen.held.read <= 2 * ENTRIES as u64,
        "{}: each is read when it comes, and when there is room",
        seen.held.read
    );
}

#[tokio::test]
async fn what_is_urgent_overtakes_what_waits() {
    let mut stage = Stage::new().await;
    stage.far.delay("DATA", Duration::from_millis(100));
    let ids = send_often(&stage, 1_000).await;
    let mut urgent = stage.store.queue_entry(ids[0]).await.unwrap().unwrap();
    (urgent.priority, urgent.trace) = (6, None);
    urgent.recipients[0].address = address("urgent@far.example");
    stage.store.transact(move |tx| tx.enqueue(urgent.clone())).await.unwrap();
    stage.start();
    all_sent(&stage, 60).await;
    let place = stage.far.got().iter().position(|got| got.rcpts.concat().contains("urgent")).unwrap();
    assert!(place <= 2 * CLAIMED_PER_DESTINATION_MAX, "{place}");
}

#[tokio::test]
async fn what_waits_follows_when_it_is_sent_another_way() {
    const ENTRIES: usize = 500;
    let mut stage = Stage::new().await;
    stage.far.reply("EHLO", &[remote::SILENCE]);
    let ids = send_often(&stage, ENTRIES).await;
    stage.start();
    stage.pass(Duration::from_secs(1)).await;
    let body = move |tx: &mut storage::Transaction<'_>| {
        for id in &ids {
            let mut row = tx.queue_entry(*id)?.unwrap();
            queue::reroute(&mut row, &domain("origin.example"));
            tx.update_queue_entry(&row)?;
        }
        Ok(())
    };
    stage.store.transact(body).await.unwrap();
    stage.pass(Duration::from_secs(5)).await;
    let attempted = stage.settings.connections_per_destination_max;
    let got = stage.origin.got().len();
    assert!(got >= ENTRIES - attempted, "{got}: all but those that are being attempted");
}

/// One after the other is asked for, which brings nobody to read the others again.
#[tokio::test]
async fn what_is_asked_for_goes_first_and_costs_no_more() {
    const ENTRIES: usize = 1_000;
    let mut stage = Stage::new().await;
    stage.far.delay("DATA", Duration::from_secs(1));
    let ids = send_often(&stage, ENTRIES).await;
    let seen = start_watched(&mut stage);
    stage.pass(Duration::from_secs(1)).await;
    for id in ids.iter().rev().take(20).copied() {
        let body = move |tx: &mut storage::Transaction<'_>| {
            let mut row = tx.queue_entry(id)?.unwrap();
            row.attempts = 1;
            row.recipients[0].address = address("asked@far.example");
            queue::retry_now(&mut row);
            row.next_attempt = Timestamp(row.accepted_at.0 - 1);
            tx.update_queue_entry(&row)
        };
        stage.store.transact(body).await.unwrap();
        stage.pass(Duration::from_millis(300)).await;
    }
    stage.pass(Duration::from_secs(10)).await;
    let got = stage.far.got();
    let asked = got.iter().filter(|got| got.rcpts.concat().contains("asked")).count();
    assert!(asked >= 15 && got.len() < 300, "{asked} of {}", got.len());
    let read = seen.lock().held.read;
    assert!(read <= (ENTRIES + 2 * got.len() + 100) as u64, "{read}");
}

/// A destination that is written to once a minute: what is removed while it waits takes no turn of what stays.
#[tokio::test]
async fn what_is_removed_takes_nobodys_turn() {
    let mut stage = Stage::new().await;
    stage.settings.per_minute_max = Some(1);
    let mut ids = send_often(&stage, 300).await;
    stage.start();
    stage.pass(Duration::from_secs(1)).await;
    let last = ids.pop().unwrap();
    let now = stage.store.now();
    let body = move |tx: &mut storage::Transaction<'_>| {
        ids.iter().try_for_each(|id| tx.remove_queue_entry(*id, now).map(|_| ()))
    };
    stage.store.transact(body).await.unwrap();
    stage.minutes(2 * CLAIMED_PER_DESTINATION_MAX as u64).await;
    assert!(stage.store.queue_entry(last).await.unwrap().is_none(), "it has gone its way");
}

/// The time of all is over while their host is dead: each gets its report, and is read no oftener for it.
#[tokio::test]
async fn what_ends_while_it_waits_is_read_once_to_put_it_off() {
    const ENTRIES: usize = 400;
    let mut stage = Stage::new().await;
    stage.host("mx.far.example", &["192.0.2.66"]);
    let ids = send_often(&stage, ENTRIES).await;
    let age = stage.settings.schedules.usual.age_max;
    let body = move |tx: &mut storage::Transaction<'_>| {
        for id in &ids {
            let mut row = tx.queue_entry(*id)?.unwrap();
            (row.accepted_at, row.attempts) = (row.accepted_at.minus(age), 3);
            tx.update_queue_entry(&row)?;
        }
        Ok(())
    };
    stage.store.transact(body).await.unwrap();
    let seen = start_watched(&mut stage);
    for _ in 0..60 {
        stage.pass(Duration::from_secs(1)).await;
    }
    assert!(stage.queue().await.iter().all(|row| row.destination.as_str() != "far.example"), "all have ended");
    assert_eq!(stage.origin.got().len(), ENTRIES, "a report for each");
    let read = seen.lock().held.read;
    // Their own, and those of the reports.
    assert!(read <= 4 * ENTRIES as u64, "{read} entries were read for {ENTRIES}");
}

/// Slow hosts, with more mail for each than it gets connections, leave some to the others.
#[tokio::test]
async fn many_slow_destinations_hold_up_no_other() {
    let mut stage = Stage::new().await;
    for slow in 1..=25 {
        let (name, host, ip) =
            (format!("slow{slow}.example"), format!("mx.slow{slow}.example"), format!("198.51.100.{slow}"));
        stage.mx(&name, &[(10, &host)]);
        stage.host(&host, &[&ip]);
        stage.world.connector.swallow(format!("{ip}:25").parse().unwrap(), stage.world.clock.clone());
        let id = stage.send_to(&[&format!("x@{name}")]).await[0];
        let model = stage.store.queue_entry(id).await.unwrap().unwrap();
        let body = move |tx: &mut storage::Transaction<'_>| {
            (1..200).try_for_each(|_| tx.enqueue(QueueRow { trace: None, ..model.clone() }).map(|_| ()))
        };
        stage.store.transact(body).await.unwrap();
    }
    let seen = start_watched(&mut stage);
    stage.pass(Duration::from_secs(2)).await;
    assert!(seen.lock().held.running >= stage.settings.connections_max / 2, "{:?}", seen.lock().held);
    stage.send_to(&["y@origin.example"]).await;
    stage.settle().await;
    assert_eq!(stage.origin.got().len(), 1, "it goes at once");
}

/// More than is remembered of one destination; another one's mail behind it goes all the same, and in the end all has gone.
#[tokio::test]
async fn more_than_can_be_remembered_is_read_later() {
    let mut stage = Stage::new().await;
    let entries = crate::limits::BACKLOG_MAX / 2 + 9_000;
    for _ in 0..entries / 1_000 {
        send_often(&stage, 1_000).await;
    }
    // Its host says nothing for a while; then it is given up, and all is put off.
    stage.far.delay("EHLO", Duration::from_secs(20));
    let seen = start_watched(&mut stage);
    stage.pass(Duration::from_secs(3)).await;
    stage.send_to(&["y@origin.example"]).await;
    stage.pass(Duration::from_secs(1)).await;
    assert_eq!(stage.origin.got().len(), 1, "it is not held up");
    let held = seen.lock().held;
    assert!(held.waiting <= crate::limits::BACKLOG_MAX / 2 + 1, "{held:?}");
}
