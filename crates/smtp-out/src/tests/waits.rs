//! Messages that wait as a whole: taken back, released at their time, and what is gone meanwhile.

use mail::AccountId;
use routing::objects::{AccountObject, DomainObject, Object, ObjectKey};
use storage::objects::PutMode;
use storage::rows::{Waiting, WaitsFor};

use super::*;

/// Who sends, on this server.
async fn house(stage: &Stage) -> AccountId {
    stage.store.put_object(Object::Domain(DomainObject::new(domain("us.example"))), PutMode::Add).await.unwrap();
    let account = |name: &str| AccountObject::new(address(&format!("{name}@us.example")));
    stage.store.add_account(account("bob")).await.unwrap();
    stage.store.add_account(account("alice")).await.unwrap();
    stage.store.directory().account(&address("alice@us.example")).unwrap().id
}

/// What alice submits waits for so long.
async fn submit(stage: &Stage, envelope: Envelope, secs: u64, why: WaitsFor) -> QueueId {
    let account = stage.store.directory().account(&address("alice@us.example")).unwrap().id;
    let mut intake = stage.delivery.intake(&envelope.reverse_path, b"Received: by us.example; now\r\n").await.unwrap();
    intake.submitted_by(account);
    intake.write(MESSAGE).await.unwrap();
    let until = stage.world.clock.now().plus(Duration::from_secs(secs));
    let prepared = stage.delivery.waiting(intake.finish(envelope).await.unwrap(), Waiting { account, until, why });
    stage.store.transact(move |tx| prepared.apply(tx)).await.unwrap().value.queued[0]
}

async fn inbox(stage: &Stage, name: &str) -> u32 {
    let account = stage.store.directory().account(&address(name)).unwrap().id;
    stage.store.inbox(account).await.unwrap().messages
}

#[tokio::test]
async fn nobody_has_it_before_its_time_and_then_everybody_once() {
    let mut stage = Stage::new().await;
    house(&stage).await;
    stage.start();
    let envelope = envelope("<alice@us.example>", &["bob@us.example", "x@far.example", "y@far.example"]);
    let id = submit(&stage, envelope, 30, WaitsFor::Undo).await;
    stage.pass(Duration::from_secs(29)).await;
    assert_eq!((inbox(&stage, "bob@us.example").await, stage.far.got().len()), (0, 0));
    let queue = stage.queue().await;
    assert_eq!((queue.len(), queue[0].recipients.len(), queue[0].id), (1, 3, id));
    stage.pass(Duration::from_secs(2)).await;
    assert_eq!(inbox(&stage, "bob@us.example").await, 1);
    let got = stage.far.got();
    assert_eq!(got.len(), 1);
    assert!(stage.queue().await.is_empty());
    // Signed or not, what travels is what was submitted, behind our Received.
    let text = String::from_utf8_lossy(&got[0].content).into_owned();
    assert!(text.starts_with("Received: by us.example; now\r\nFrom: a@origin.example\r\n"), "{text}");
    assert_eq!(text.matches("Received:").count(), 1);
    stage.minutes(10).await;
    assert_eq!((inbox(&stage, "bob@us.example").await, stage.far.got().len()), (1, 1));
}

#[tokio::test]
async fn what_is_removed_or_held_does_not_leave() {
    let mut stage = Stage::new().await;
    house(&stage).await;
    stage.start();
    let to = |to: &str| envelope("<alice@us.example>", &[to]);
    let taken = submit(&stage, to("bob@us.example"), 30, WaitsFor::Undo).await;
    let held = submit(&stage, to("x@far.example"), 3_600, WaitsFor::Release).await;
    let now = stage.world.clock.now();
    let edit = move |tx: &mut storage::Transaction<'_>| {
        tx.remove_queue_entry(taken, now)?;
        let mut row = tx.queue_entry(held)?.unwrap();
        queue::hold(&mut row);
        tx.update_queue_entry(&row)
    };
    stage.store.transact(edit).await.unwrap();
    stage.minutes(90).await;
    assert_eq!((inbox(&stage, "bob@us.example").await, stage.far.got().len()), (0, 0));
    let resume = move |tx: &mut storage::Transaction<'_>| {
        let mut row = tx.queue_entry(held)?.unwrap();
        queue::resume(&mut row);
        tx.update_queue_entry(&row)
    };
    stage.store.transact(resume).await.unwrap();
    stage.settle().await;
    assert_eq!(stage.far.got().len(), 1, "its time has passed");
    // Trying it now is sending it now.
    let hurried = submit(&stage, to("y@far.example"), 3_600, WaitsFor::Release).await;
    let now = move |tx: &mut storage::Transaction<'_>| {
        let mut row = tx.queue_entry(hurried)?.unwrap();
        queue::retry_now(&mut row);
        tx.update_queue_entry(&row)
    };
    stage.store.transact(now).await.unwrap();
    stage.settle().await;
    assert_eq!(stage.far.got().len(), 2);
}

#[tokio::test]
async fn a_recipient_who_is_gone_meanwhile_is_reported_and_the_others_get_it() {
    let mut stage = Stage::new().await;
    house(&stage).await;
    submit(&stage, envelope("<alice@us.example>", &["bob@us.example", "x@far.example"]), 60, WaitsFor::Release).await;
    stage.store.remove_object(ObjectKey::Account(address("bob@us.example"))).await.unwrap();
    stage.start();
    stage.minutes(2).await;
    assert_eq!(stage.far.got().len(), 1);
    assert_eq!(inbox(&stage, "alice@us.example").await, 1, "the failure notice");
    assert!(stage.queue().await.is_empty());
}

#[tokio::test]
async fn the_power_may_go_at_any_commit_of_a_release() {
    let mut stage = Stage::new().await;
    house(&stage).await;
    submit(&stage, envelope("<alice@us.example>", &["bob@us.example", "x@far.example"]), 60, WaitsFor::Undo).await;
    stage.crash().await;
    stage.start();
    stage.minutes(2).await;
    stage.crash().await;
    assert_eq!(inbox(&stage, "bob@us.example").await, 1);
    stage.start();
    stage.minutes(2).await;
    assert_eq!((inbox(&stage, "bob@us.example").await, stage.far.got().len()), (1, 1));
}

#[tokio::test]
async fn what_is_wanted_back_is_not_sent_too_late() {
    let mut stage = Stage::new().await;
    stage.far.greet("421 4.3.2 closed");
    let mut urgent = envelope("<a@origin.example>", &["x@far.example"]);
    let by = stage.world.clock.now().plus(Duration::from_secs(600));
    urgent.deliver_by = Some(mail::DeliverBy { by, mode: mail::DeliverByMode::Return, trace: false });
    stage.send(urgent, MESSAGE).await;
    stage.start();
    stage.minutes(9).await;
    assert_eq!((stage.queue().await.len(), stage.origin.got().len()), (1, 0));
    stage.minutes(2).await;
    assert!(stage.queue().await.is_empty());
    let dsn = String::from_utf8_lossy(&stage.origin.got()[0].content).into_owned();
    assert!(dsn.contains("Status: 5.4.7"), "{dsn}");
}

/// RFC 2852 §4.2: also when it has waited until then, held or with the server away; nobody gets it late, mailboxes here included.
#[tokio::test]
async fn what_is_wanted_back_and_has_waited_too_long_is_not_released() {
    for (secs, in_time) in [(20, true), (40, false)] {
        let mut stage = Stage::new().await;
        house(&stage).await;
        stage.far.offer(&["DELIVERBY"]);
        let mut urgent = envelope("<alice@us.example>", &["bob@us.example", "x@far.example"]);
        let by = stage.world.clock.now().plus(Duration::from_secs(30));
        urgent.deliver_by = Some(mail::DeliverBy { by, mode: mail::DeliverByMode::Return, trace: false });
        submit(&stage, urgent, secs, WaitsFor::Undo).await;
        stage.start();
        stage.minutes(2).await;
        let expected = (u32::from(in_time), usize::from(in_time), u32::from(!in_time));
        let (bob, alice) = (inbox(&stage, "bob@us.example").await, inbox(&stage, "alice@us.example").await);
        assert_eq!((bob, stage.far.got().len(), alice), expected, "{secs}");
        assert!(stage.queue().await.is_empty());
    }
}

#[tokio::test]
async fn who_wants_to_know_is_told_in_time_and_it_is_tried_on() {
    let mut stage = Stage::new().await;
    stage.far.greet("421 4.3.2 closed");
    let mut urgent = envelope("<a@origin.example>", &["x@far.example"]);
    let by = stage.world.clock.now().plus(Duration::from_secs(600));
    urgent.deliver_by = Some(mail::DeliverBy { by, mode: mail::DeliverByMode::Notify, trace: false });
    stage.send(urgent, MESSAGE).await;
    stage.start();
    stage.minutes(9).await;
    assert_eq!(stage.origin.got().len(), 0);
    stage.minutes(2).await;
    assert_eq!((stage.queue().await.len(), stage.origin.got().len()), (1, 1));
    let dsn = String::from_utf8_lossy(&stage.origin.got()[0].content).into_owned();
    assert!(dsn.contains("Action: delayed"), "{dsn}");
}

#[tokio::test]
async fn the_higher_priority_is_sent_first() {
    let mut stage = Stage::new().await;
    stage.settings.connections_per_destination_max = 1;
    for (to, priority) in [("low@far.example", -4), ("usual@far.example", 0), ("high@far.example", 6)] {
        let mut one = envelope("<a@origin.example>", &[to]);
        one.priority = priority;
        stage.send(one, MESSAGE).await;
    }
    stage.start();
    stage.settle().await;
    let order: Vec<String> = stage.far.got().iter().map(|one| one.rcpts.concat()).collect();
    assert_eq!(order.len(), 3);
    for (line, name) in order.iter().zip(["high", "usual", "low"]) {
        assert!(line.contains(&format!("<{name}@far.example>")), "{order:?}");
    }
}

/// RFC 2852 §4.1.4.2: who wanted to hear of a delay hears that the next server does not watch the time.
#[tokio::test]
async fn a_server_that_does_not_know_the_time_is_told_of() {
    let mut stage = Stage::new().await;
    let by = stage.world.clock.now().plus(Duration::from_secs(600));
    let mut timed = envelope("<a@origin.example>", &["x@far.example"]);
    timed.deliver_by = Some(mail::DeliverBy { by, mode: mail::DeliverByMode::Notify, trace: false });
    stage.send(timed.clone(), MESSAGE).await;
    stage.start();
    stage.settle().await;
    assert_eq!(stage.far.got().len(), 1);
    let told = stage.origin.got();
    assert_eq!(told.len(), 1);
    let dsn = String::from_utf8_lossy(&told[0].content).into_owned();
    for wanted in ["Action: relayed", "Status: 2.", "Final-Recipient: rfc822;x@far.example"] {
        assert!(dsn.contains(wanted), "{wanted} in {dsn}");
    }
    assert!(dsn.contains(&format!("Deliver-By-Date: {}", by.to_rfc5322())), "{dsn}");
    // Where it is known, nothing is said.
    let mut stage = Stage::new().await;
    stage.far.offer(&["PIPELINING", "DELIVERBY"]);
    stage.send(timed, MESSAGE).await;
    stage.start();
    stage.settle().await;
    assert_eq!((stage.far.got().len(), stage.origin.got().len()), (1, 0));
}
