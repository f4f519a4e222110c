//! Destinations that ask for patience: fewer at a time, later, and never forgotten by a restart.

use storage::rows::PaceRow;

use super::*;

async fn pace(stage: &Stage) -> Option<PaceRow> {
    stage.store.pace("far.example").await.unwrap()
}

#[tokio::test]
async fn who_defers_gets_less_until_it_takes_again() {
    let mut stage = Stage::new().await;
    stage.settings.connections_per_destination_max = 4;
    stage.far.reply("MAIL", &["451 4.7.1 slow down"]);
    stage.start();
    for n in 0..8 {
        stage.send_to(&[&format!("r{n}@far.example")]).await;
    }
    stage.pass(Duration::from_secs(2)).await;
    let row = pace(&stage).await.unwrap();
    assert!(row.at_a_time_max.is_some_and(|max| max <= 2) && row.gap_millis >= 1_000, "{row:?}");
    assert_eq!((row.failures, row.left_alone_until), (0, None), "it can be reached");
    assert_eq!(row.said.unwrap().to_string(), "451 4.7.1 slow down");
    stage.far.heal();
    let before = stage.far.open_max();
    stage.minutes(30).await;
    assert_eq!((stage.far.got().len(), stage.queue().await.len()), (8, 0));
    assert!(before <= 4);
    for n in 0..40 {
        stage.send_to(&[&format!("s{n}@far.example")]).await;
    }
    stage.minutes(5).await;
    assert_eq!(stage.far.got().len(), 48);
    assert_eq!(pace(&stage).await, None, "as usual again");
}

#[tokio::test]
async fn a_deferred_recipient_slows_nobody() {
    let mut stage = Stage::new().await;
    stage.far.reply("RCPT TO:<grey@", &["450 4.7.1 greylisted"]);
    stage.start();
    stage.send_to(&["grey@far.example"]).await;
    stage.settle().await;
    stage.pass(Duration::from_secs(2)).await;
    assert_eq!(pace(&stage).await, None);
    stage.far.reply("RCPT TO:<grey@", &["450 4.2.1 receiving mail at a rate that prevents delivery"]);
    stage.minutes(2).await;
    assert!(pace(&stage).await.unwrap().gap_millis > 0, "a word about the rate is a word to us");
}

#[tokio::test]
async fn what_was_learnt_survives_a_crash() {
    let mut stage = Stage::new().await;
    stage.far.greet("421 4.3.2 not now");
    stage.start();
    stage.send_to(&["x@far.example"]).await;
    stage.pass(Duration::from_secs(2)).await;
    assert!(pace(&stage).await.unwrap().left_alone_until.is_some());
    let sessions = stage.far.sessions();
    stage.crash().await;
    stage.start();
    stage.send_to(&["y@far.example"]).await;
    stage.pass(Duration::from_secs(20)).await;
    assert_eq!(stage.far.sessions(), sessions, "left alone still");
    let said = stage.queue().await[1].recipients[0].last_reply.clone().unwrap();
    assert_eq!(said.to_string(), "421 4.3.2 not now");
    stage.far.heal();
    stage.minutes(7).await;
    assert_eq!((stage.far.got().len(), stage.queue().await.len()), (2, 0));
    stage.pass(Duration::from_secs(2)).await;
    assert_eq!(pace(&stage).await, None);
}

#[tokio::test]
async fn a_rate_of_the_settings_is_kept() {
    let mut stage = Stage::new().await;
    stage.settings.per_minute_max = Some(4);
    stage.start();
    for n in 0..3 {
        stage.send_to(&[&format!("r{n}@far.example")]).await;
    }
    stage.send_to(&["x@origin.example"]).await;
    stage.settle().await;
    assert_eq!((stage.far.got().len(), stage.origin.got().len()), (1, 1));
    stage.minutes(1).await;
    let at: Vec<i64> = stage.far.got().iter().map(|got| (got.at.0 - stage.far.got()[0].at.0) / 1_000).collect();
    assert_eq!(at, [0, 15, 30]);
}
