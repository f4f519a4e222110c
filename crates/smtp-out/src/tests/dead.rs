//! A queue full of mail for a host that is dead: others do not wait, and few attempts are made.

use super::*;
use crate::limits::CLAIMED_PER_DESTINATION_MAX;

const DEAD: usize = 12_000;

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
