//! Many entries: reuse, limits, fairness, an administrator's edits, shutdown.

use super::*;

/// Looks don't begin at the beginning of the schedule each time.
#[tokio::test]
async fn what_is_written_late_is_found_within_a_second() {
    let mut stage = Stage::new().await;
    stage.start();
    // Made ready, and written when the queue has been looked at since.
    let late = stage.delivery.prepare(envelope("<a@origin.example>", &["late@far.example"]), MESSAGE).await.unwrap();
    for n in 0..20 {
        stage.pass(Duration::from_millis(90)).await;
        stage.send_to(&[&format!("x{n}@far.example")]).await;
        stage.settle().await;
        assert_eq!(stage.far.got().len(), n + 1, "what comes now is found at once");
    }
    stage.store.transact(move |tx| late.apply(tx)).await.unwrap();
    stage.pass(Duration::from_secs(1)).await;
    assert_eq!((stage.far.got().len(), stage.queue().await.len()), (21, 0));
}

/// Trying again at once is written as a time in the past, in front of where looks begin.
#[tokio::test]
async fn what_is_moved_to_an_earlier_time_is_found_at_once() {
    let mut stage = Stage::new().await;
    stage.far.greet("421 4.3.2 later");
    stage.start();
    let id = stage.send_to(&["x@far.example"]).await[0];
    stage.pass(Duration::from_secs(2)).await;
    assert_eq!(stage.queue().await[0].attempts, 1);
    stage.far.greet("220 here");
    // Looked at since.
    stage.send_to(&["y@origin.example"]).await;
    stage.settle().await;
    let retry = move |tx: &mut storage::Transaction<'_>| {
        let mut row = tx.queue_entry(id)?.unwrap();
        queue::retry_now(&mut row);
        tx.update_queue_entry(&row)
    };
    stage.store.transact(retry).await.unwrap();
    stage.settle().await;
    assert_eq!((stage.far.got().len(), stage.queue().await.len()), (1, 0));
}

#[tokio::test]
async fn one_connection_carries_several_messages() {
    let mut stage = Stage::new().await;
    stage.settings.connections_per_destination_max = 1;
    stage.settings.messages_per_connection_max = 3;
    for n in 0..7 {
        stage.send_to(&[&format!("r{n}@far.example")]).await;
    }
    stage.start();
    stage.settle().await;
    assert_eq!(stage.far.got().len(), 7);
    assert_eq!(stage.far.sessions(), 3);
    // The last one is idle now, and closed after its time.
    assert_eq!(stage.far.open(), 1);
    stage.pass(Duration::from_secs(11)).await;
    assert_eq!(stage.far.open(), 0);
    assert_eq!(stage.far.count("QUIT"), 3);
}

#[tokio::test]
async fn an_idle_connection_that_died_is_replaced() {
    let mut stage = Stage::new().await;
    stage.far.reply("MAIL", &["250 ok", "421 4.4.2 idle too long", "250 ok"]);
    stage.start();
    stage.send_to(&["x@far.example"]).await;
    stage.settle().await;
    stage.send_to(&["y@far.example"]).await;
    stage.settle().await;
    assert_eq!(stage.far.got().len(), 2);
    assert_eq!(stage.far.sessions(), 2);
    assert!(stage.queue().await.is_empty());
}

#[tokio::test]
async fn limits_of_connections_hold() {
    let mut stage = Stage::new().await;
    stage.settings.connections_per_destination_max = 2;
    stage.settings.connections_max = 3;
    stage.far.hold_data(true);
    stage.origin.hold_data(true);
    for n in 0..6 {
        stage.send_to(&[&format!("r{n}@far.example")]).await;
        stage.send_to(&[&format!("r{n}@origin.example")]).await;
    }
    stage.start();
    stage.settle().await;
    assert_eq!((stage.far.open(), stage.origin.open()), (2, 1));
    stage.far.hold_data(false);
    stage.origin.hold_data(false);
    stage.settle().await;
    assert!(stage.queue().await.is_empty());
    assert!(stage.far.open_max() <= 2 && stage.origin.open_max() <= 2);
    assert_eq!(stage.far.got().len() + stage.origin.got().len(), 12);
}

#[tokio::test]
async fn a_silent_destination_holds_up_nobody() {
    let mut stage = Stage::new().await;
    stage.settings.connections_max = 4;
    stage.settings.connections_per_destination_max = 2;
    stage.far.hold_data(true);
    for n in 0..300 {
        stage.send_to(&[&format!("r{n}@far.example")]).await;
    }
    for n in 0..20 {
        stage.send_to(&[&format!("r{n}@origin.example")]).await;
    }
    stage.start();
    stage.settle().await;
    assert_eq!(stage.origin.got().len(), 20);
    stage.far.hold_data(false);
    for _ in 0..5 {
        stage.settle().await;
    }
    assert_eq!(stage.far.got().len(), 300);
}

#[tokio::test]
async fn a_dead_destination_is_not_asked_for_each_message() {
    let mut stage = Stage::new().await;
    stage.far.greet("421 4.3.2 closed");
    for n in 0..20 {
        stage.send_to(&[&format!("r{n}@far.example")]).await;
    }
    stage.start();
    stage.settle().await;
    assert!(stage.far.sessions() <= 10, "{}", stage.far.sessions());
    let queue = stage.queue().await;
    assert_eq!(queue.len(), 20);
    assert!(queue.iter().all(|row| row.attempts == 1));
    let before = stage.far.sessions();
    stage.far.greet("220 back");
    stage.minutes(8).await;
    assert_eq!(stage.far.got().len(), 20);
    assert!(stage.far.sessions() > before);
    assert!(stage.queue().await.is_empty());
}

#[tokio::test]
async fn an_administrator_holds_resumes_retries_and_deletes() {
    let mut stage = Stage::new().await;
    stage.far.reply("RCPT", &["450 4.2.0 later"]);
    stage.start();
    let ids = [stage.send_to(&["held@far.example"]).await[0], stage.send_to(&["gone@far.example"]).await[0]];
    stage.settle().await;
    edit(&stage, ids[0], queue::hold).await;
    let now = stage.store.now();
    stage.store.transact(move |tx| tx.remove_queue_entry(ids[1], now)).await.unwrap();
    stage.far.reply("RCPT", &["250 ok"]);
    stage.minutes(600).await;
    assert!(stage.far.got().is_empty());
    edit(&stage, ids[0], queue::resume).await;
    stage.settle().await;
    assert_eq!(stage.far.got()[0].rcpts, ["RCPT TO:<held@far.example>"]);
    assert!(stage.queue().await.is_empty());
}

#[tokio::test]
async fn a_row_marked_held_and_nothing_else_waits_too() {
    let mut stage = Stage::new().await;
    let id = stage.send_to(&["x@far.example"]).await[0];
    edit(&stage, id, |row| row.held = true).await;
    stage.start();
    stage.minutes(300).await;
    assert!(stage.far.got().is_empty());
    edit(&stage, id, |row| row.held = false).await;
    stage.minutes(61).await;
    assert_eq!(stage.far.got().len(), 1);
}

#[tokio::test]
async fn retry_now_asks_a_destination_that_is_left_alone() {
    let mut stage = Stage::new().await;
    stage.far.greet("421 4.3.2 closed");
    stage.start();
    let id = stage.send_to(&["x@far.example"]).await[0];
    stage.settle().await;
    stage.far.greet("220 back");
    edit(&stage, id, queue::retry_now).await;
    stage.settle().await;
    assert_eq!(stage.far.got().len(), 1);
}

async fn edit(stage: &Stage, id: QueueId, change: fn(&mut QueueRow)) {
    let body = move |tx: &mut storage::Transaction<'_>| {
        let mut row = tx.queue_entry(id)?.unwrap();
        change(&mut row);
        tx.update_queue_entry(&row)
    };
    stage.store.transact(body).await.unwrap();
}

#[tokio::test]
async fn an_entry_deleted_during_its_attempt_reports_nothing() {
    let mut stage = Stage::new().await;
    stage.far.hold_data(true);
    stage.far.reply(".", &["554 5.7.1 spam"]);
    stage.start();
    let id = stage.send_to(&["x@far.example"]).await[0];
    stage.settle().await;
    let now = stage.store.now();
    stage.store.transact(move |tx| tx.remove_queue_entry(id, now)).await.unwrap();
    stage.far.hold_data(false);
    stage.settle().await;
    assert!(stage.queue().await.is_empty() && stage.origin.got().is_empty());
}

#[tokio::test]
async fn shutdown_lets_data_arrive_and_keeps_the_rest() {
    let mut stage = Stage::new().await;
    stage.settings.connections_per_destination_max = 1;
    stage.far.hold_data(true);
    stage.start();
    stage.send_to(&["x@far.example"]).await;
    stage.send_to(&["y@far.example"]).await;
    stage.settle().await;
    let (stop, task) = stage.running.take().unwrap();
    stop.cancel();
    stage.settle().await;
    assert!(!task.is_finished());
    stage.far.hold_data(false);
    stage.settle().await;
    assert!(task.is_finished());
    assert_eq!(stage.far.got().len(), 1);
    assert_eq!(stage.queue().await.len(), 1);
}

#[tokio::test]
async fn shutdown_does_not_wait_beyond_its_grace() {
    let mut stage = Stage::new().await;
    stage.far.hold_data(true);
    stage.start();
    stage.send_to(&["x@far.example"]).await;
    stage.settle().await;
    let (stop, task) = stage.running.take().unwrap();
    stop.cancel();
    stage.pass(Duration::from_secs(21)).await;
    assert!(task.is_finished());
    assert_eq!(stage.queue().await.len(), 1);
}

#[tokio::test]
async fn a_destination_with_a_full_page_is_looked_behind() {
    let mut stage = Stage::new().await;
    stage.settings.connections_max = 4;
    stage.settings.connections_per_destination_max = 1;
    stage.far.hold_data(true);
    stage.start();
    for n in 0..600 {
        stage.send_to(&[&format!("r{n}@far.example")]).await;
    }
    stage.settle().await;
    // Arrives while more entries of the silent destination are due than it may claim.
    stage.send_to(&["x@origin.example"]).await;
    stage.pass(Duration::from_secs(2)).await;
    assert_eq!(stage.origin.got().len(), 1);
    assert_eq!(stage.far.open(), 1);
}
