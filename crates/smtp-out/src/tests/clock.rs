//! Clocks that somebody sets while mail waits.

use super::*;

const DAY: Duration = Duration::from_secs(86_400);

#[tokio::test]
async fn a_clock_set_back_delays_nothing_for_long() {
    let mut stage = Stage::new().await;
    stage.far.reply("RCPT", &["451 4.2.0 later", "451 4.2.0 later", "250 ok"]);
    stage.start();
    let held = stage.send_to(&["held@far.example"]).await[0];
    stage.send_to(&["x@far.example"]).await;
    let hold = move |tx: &mut storage::Transaction<'_>| {
        let mut row = tx.queue_entry(held)?.unwrap();
        queue::hold(&mut row);
        tx.update_queue_entry(&row)
    };
    stage.store.transact(hold).await.unwrap();
    stage.settle().await;
    let now = stage.world.clock.now();
    stage.world.clock.set(Timestamp(now.0 - 30 * 86_400_000));
    stage.minutes(10).await;
    let queue = stage.queue().await;
    assert_eq!((stage.far.got().len(), queue.len()), (1, 1));
    assert!(queue[0].held, "what is held stays so");
}

#[tokio::test]
async fn a_clock_that_was_ahead_before_a_restart_delays_nothing_either() {
    let mut stage = Stage::new().await;
    stage.far.reply("RCPT", &["451 4.2.0 later", "250 ok"]);
    stage.start();
    stage.send_to(&["x@far.example"]).await;
    stage.settle().await;
    stage.crash().await;
    let now = stage.world.clock.now();
    stage.world.clock.set(Timestamp(now.0 - 30 * 86_400_000));
    stage.start();
    stage.minutes(1).await;
    assert_eq!((stage.far.got().len(), stage.queue().await.len()), (1, 0));
}

#[tokio::test]
async fn a_clock_set_ahead_costs_no_message_that_can_be_delivered() {
    let mut stage = Stage::new().await;
    stage.far.reply("RCPT TO:<x@", &["451 4.2.0 later", "250 ok"]);
    stage.far.reply("RCPT TO:<y@", &["451 4.2.0 later"]);
    stage.start();
    stage.send_to(&["x@far.example"]).await;
    stage.send_to(&["y@far.example"]).await;
    stage.settle().await;
    let now = stage.world.clock.now();
    stage.world.clock.set(now.plus(10 * DAY));
    stage.minutes(2).await;
    assert_eq!(stage.far.got().len(), 1, "one more attempt is always made");
    assert!(stage.queue().await.is_empty());
    let dsn = String::from_utf8(stage.origin.got()[0].content.clone()).unwrap();
    assert!(dsn.contains("Final-Recipient: rfc822;y@far.example") && dsn.contains("Status: 4.4.7"), "{dsn}");
}

#[tokio::test]
async fn a_time_that_the_sender_chose_is_not_taken_for_a_mistake() {
    let mut stage = Stage::new().await;
    let id = stage.send_to(&["x@far.example"]).await[0];
    let later = stage.world.clock.now().plus(7 * DAY);
    let put_off = move |tx: &mut storage::Transaction<'_>| {
        let mut row = tx.queue_entry(id)?.unwrap();
        row.next_attempt = later;
        tx.update_queue_entry(&row)
    };
    stage.store.transact(put_off).await.unwrap();
    stage.start();
    stage.minutes(5).await;
    assert_eq!((stage.far.sessions(), stage.queue().await[0].next_attempt), (0, later));
}
