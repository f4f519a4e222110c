//! Power cuts and failing disks at every step: each recipient is delivered or queued, and nobody hears a thing twice.

use storage::StorageError;

use super::remote::CLOSE;
use super::*;

/// Runs a mixed message with a crash after so many turns of the executor. Gives whether all was over by then.
async fn crash_after(turns: usize) -> bool {
    let mut stage = Stage::new().await;
    stage.far.reply("RCPT TO:<no@", &["550 5.1.1 no"]);
    stage.far.reply("RCPT TO:<later@", &["450 4.2.0 later", "250 ok"]);
    stage.start();
    stage.send_to(&["ok@far.example", "no@far.example", "later@far.example"]).await;
    for _ in 0..turns {
        tokio::task::yield_now().await;
    }
    let over = stage.queue().await.is_empty();
    stage.crash().await;
    stage.start();
    stage.minutes(10).await;
    let arrived = |who: &str| {
        let rcpt = format!("RCPT TO:<{who}@far.example>");
        stage.far.got().iter().filter(|got| got.rcpts.contains(&rcpt)).count()
    };
    // A crash between the reply to the dot and our commit makes a second copy (RFC 1047); nothing else does.
    assert!((1..=2).contains(&arrived("ok")), "after {turns} turns: {}", arrived("ok"));
    assert!((1..=2).contains(&arrived("later")), "after {turns} turns");
    assert_eq!(arrived("no"), 0);
    let dsns = stage.origin.got();
    assert!((1..=2).contains(&dsns.len()), "after {turns} turns: {} DSNs", dsns.len());
    let mut ids: Vec<_> = dsns.iter().map(|dsn| message_id(&dsn.content)).collect();
    ids.dedup();
    assert_eq!(ids.len(), 1, "one DSN was made, however often its last hop was repeated");
    assert!(stage.queue().await.is_empty(), "after {turns} turns");
    over
}

fn message_id(content: &[u8]) -> String {
    let text = String::from_utf8_lossy(content).into_owned();
    text.lines().find(|line| line.starts_with("Message-ID:")).unwrap().to_owned()
}

#[tokio::test]
async fn a_crash_at_any_step_loses_nobody() {
    for turns in 0..150 {
        crash_after(turns).await;
    }
    for turns in (150..3_000).step_by(250) {
        crash_after(turns).await;
    }
}

#[tokio::test]
async fn a_result_that_can_not_be_written_is_kept_until_it_can() {
    let mut stage = Stage::new().await;
    stage.far.reply("RCPT TO:<no@", &["550 5.1.1 no"]);
    stage.far.hold_data(true);
    stage.start();
    stage.send_to(&["ok@far.example", "no@far.example"]).await;
    stage.settle().await;
    stage.engine.fail_after(0, StorageError::DiskFull);
    stage.far.hold_data(false);
    stage.minutes(30).await;
    assert_eq!(stage.far.got().len(), 1, "it is not sent again");
    assert_eq!(stage.queue().await.len(), 1);
    assert!(stage.origin.got().is_empty());
    stage.engine.heal();
    stage.minutes(1).await;
    assert!(stage.queue().await.is_empty());
    assert_eq!((stage.far.got().len(), stage.origin.got().len()), (1, 1));
}

#[tokio::test]
async fn a_message_that_was_taken_without_a_word_may_come_twice() {
    let mut stage = Stage::new().await;
    stage.far.reply(".", &["take and close", "250 ok"]);
    stage.start();
    stage.send_to(&["x@far.example"]).await;
    stage.minutes(2).await;
    assert_eq!(stage.far.got().len(), 2);
    assert!(stage.queue().await.is_empty());
    // A connection that closes instead of the greeting is only tried again later.
    stage.far.greet(CLOSE);
    stage.pass(Duration::from_secs(30)).await;
    stage.send_to(&["y@far.example"]).await;
    stage.settle().await;
    assert_eq!(stage.queue().await[0].attempts, 1);
}
