//! What webhooks hear of real attempts.

use serde_json::{Value, json};
use storage::webhooks::{HookCall, HookEvent, WebhookRow};

use super::*;

/// The calls that wait, and forgets them.
async fn calls(stage: &Stage) -> Vec<(HookEvent, Value)> {
    let waiting = stage.store.events_after(mail::Topic::Webhook, 0, 99).await.unwrap();
    for event in &waiting {
        let number = event.number;
        stage.store.transact(move |tx| tx.finish_event(mail::Topic::Webhook, number)).await.unwrap();
    }
    let read = |event: &storage::rows::EventRow| HookCall::decode(&event.payload).unwrap();
    waiting.iter().map(read).map(|call| (call.event, call.told)).collect()
}

#[tokio::test]
async fn each_outcome_is_told_by_its_name_once_for_those_who_share_it() {
    let mut stage = Stage::new().await;
    let row = WebhookRow {
        id: 0,
        url: "https://hooks.example.net/x".to_owned(),
        events: HookEvent::ALL.to_vec(),
        secret: "s3cret".to_owned(),
        enabled: true,
        created_at: stage.store.now(),
        succeeded_at: None,
        failing_since: None,
        last_error: None,
    };
    stage.store.add_webhook(row).await.unwrap();
    stage.far.reply("RCPT TO:<no@", &["550 5.1.1 nobody"]);
    stage.far.reply("RCPT TO:<later", &["451 4.2.0 busy", "451 4.2.0 busy", "550 5.2.1 closed"]);
    stage.start();
    let to = ["ok@far.example", "no@far.example", "later1@far.example", "later2@far.example"];
    let mut intake = stage.delivery.intake(&ReversePath::parse("<a@origin.example>").unwrap(), b"").await.unwrap();
    intake.write(MESSAGE).await.unwrap();
    let prepared = intake.finish(envelope("<a@origin.example>", &to)).await.unwrap();
    let trace = prepared.trace();
    let id = stage.store.transact(move |tx| prepared.apply(tx)).await.unwrap().value.queued[0];
    stage.settle().await;
    let told = |recipients: &[&str], host: Value, said: &str, next: Value| {
        json!({
            "trace": trace, "message_id": "1@origin.example", "sender": "a@origin.example", "recipients": recipients,
            "recipients_count": recipients.len(), "queue_entry": id, "host": host, "said": said, "next_attempt_millis": next,
        })
    };
    let mx = json!("mx.far.example");
    let next = stage.queue().await[0].next_attempt.0;
    let first = calls(&stage).await;
    assert_eq!(first[0].0, HookEvent::Accepted);
    assert_eq!((&first[0].1["recipients_count"], &first[0].1["trace"]), (&json!(4), &json!(trace)));
    let attempted = [
        (HookEvent::Delivered, told(&to[..1], mx.clone(), "250 2.0.0 taken", Value::Null)),
        (HookEvent::Failed, told(&to[1..2], mx.clone(), "550 5.1.1 nobody", Value::Null)),
        (HookEvent::Deferred, told(&to[2..], mx.clone(), "451 4.2.0 busy", json!(next))),
    ];
    // Those behind it are of the failure notice, a message of its own.
    assert_eq!(&first[1..4], attempted);
    stage.minutes(2).await;
    let second: Vec<_> = calls(&stage).await.into_iter().filter(|(_, told)| told["trace"] == json!(trace)).collect();
    assert_eq!(second, [(HookEvent::Failed, told(&to[2..], mx, "550 5.2.1 closed", Value::Null))]);
}

/// Given up for its age: the last answer was a deferral, and it has failed all the same.
#[tokio::test]
async fn what_is_given_up_has_failed() {
    let mut stage = Stage::new().await;
    stage.settings.schedules.usual.age_max = Duration::from_secs(90);
    let row = WebhookRow {
        id: 0,
        url: "https://hooks.example.net/x".to_owned(),
        events: vec![HookEvent::Deferred, HookEvent::Failed],
        secret: "s3cret".to_owned(),
        enabled: true,
        created_at: stage.store.now(),
        succeeded_at: None,
        failing_since: None,
        last_error: None,
    };
    stage.store.add_webhook(row).await.unwrap();
    stage.far.reply("RCPT", &["451 4.2.0 busy"]);
    stage.start();
    stage.send(envelope("<>", &["x@far.example"]), MESSAGE).await;
    stage.minutes(10).await;
    assert!(stage.queue().await.is_empty());
    let told: Vec<HookEvent> = calls(&stage).await.into_iter().map(|(event, _)| event).collect();
    assert_eq!(told.last(), Some(&HookEvent::Failed));
    assert!(told.len() > 1 && told[..told.len() - 1].iter().all(|event| *event == HookEvent::Deferred), "{told:?}");
}
