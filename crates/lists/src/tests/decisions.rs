//! Who decides on what waits, and what becomes of it when nobody does.

use mail::ForwardPath;

use super::*;

#[tokio::test]
async fn the_answer_of_who_moderates_no_more_does_nothing() {
    let mut f = fixture(ListObject { moderated: true, ..garden() }).await;
    f.set(|list| {
        list.moderators = vec![address("pat@far.example"), address("mod@example.org")];
        list.settings.joining = Joining::Approval;
    })
    .await;
    f.member("bob@far.example").await;
    f.mail("bob@far.example", "garden@example.org", "Tea", "x").await;
    let (old, still) = (reply_to(&f.last("pat@far.example").await), reply_to(&f.last("mod@example.org").await));
    assert_ne!(old, still, "each has an address of their own");
    f.mail("eve@far.example", "garden-join@example.org", "", "").await;
    f.mail("eve@far.example", &reply_to(&f.last("eve@far.example").await), "", "").await;
    let joins = reply_to(&f.last("pat@far.example").await);
    f.set(|list| list.moderators = vec![address("mod@example.org")]).await;
    for (token, from) in [(&old, "pat@far.example"), (&old, "mod@example.org"), (&joins, "pat@far.example")] {
        f.mail(from, token, "Re", "approve").await;
    }
    assert_eq!((f.received("bob@far.example").await.len(), f.in_mailbox("INBOX").await), (0, 1));
    assert_eq!(f.state_of("eve@far.example").await, Some(MemberState::Pending));
    f.mail("mod@example.org", &still, "Re", "approve").await;
    assert_eq!((f.received("bob@far.example").await.len(), f.in_mailbox("INBOX").await), (1, 0));
    let uid = f.store.waiting_after(f.list.id, Uid(0), 1).await.unwrap()[0].0;
    let decision = f.store.waiting(f.list.id, uid).await.unwrap().unwrap().decision.unwrap();
    assert_eq!(decision.by, "mod@example.org");
    f.sound().await;
}

#[tokio::test]
async fn what_waits_for_a_group_that_is_moderated_no_more_is_decided_on_or_expires() {
    let f = fixture(garden()).await;
    let group = GroupObject {
        members: vec![address("alice@example.org")],
        moderated: true,
        moderators: vec![address("mod@example.org")],
        ..GroupObject::new(address("board@example.org"))
    };
    let group = f.store.add_group(group).await.unwrap().value;
    let content = message("zoe@far.example", "board@example.org", "Offer", "Good");
    let hold = async || f.held(group.id, "<zoe@far.example>", "board@example.org", None, &content).await;
    hold().await;
    hold().await;
    f.take_all().await.unwrap();
    hold().await;
    let open = GroupObject { moderated: false, ..group.clone() };
    f.store.put_object(Object::Group(open), PutMode::Replace).await.unwrap();
    // What had not been looked at goes on.
    f.take_all().await.unwrap();
    assert_eq!((f.received("alice@example.org").await.len(), f.in_part(group.id, "INBOX").await), (1, 2));
    // Moderators can still answer, and be reached for that.
    let answer = address(&reply_to(&f.last("mod@example.org").await));
    let asking = routing::Asking::anyone(START);
    let found = routing::resolve(&f.store.directory(), &ForwardPath::Address(answer.clone()), &asking);
    assert_eq!(found.held.len(), 1, "{found:?}");
    let approve = message("mod@example.org", "x@y.example", "Re", "ok");
    f.held(group.id, "<mod@example.org>", &answer.to_string(), None, &approve).await;
    f.take_all().await.unwrap();
    assert_eq!((f.received("alice@example.org").await.len(), f.in_part(group.id, "INBOX").await), (2, 1));
    f.sim.clock.advance(Duration::from_secs(8 * 86_400));
    f.lists.sweep().await.unwrap();
    assert_eq!(f.in_part(group.id, "INBOX").await, 0);
    assert!(words(&f.last("zoe@far.example").await).contains("within 7 days"));
    f.sound().await;
}

#[tokio::test]
async fn what_a_machine_wrote_expires_without_a_letter() {
    let f = fixture(ListObject { posting: Posting::Anyone, moderated: true, ..garden() }).await;
    for (from, field) in [("zoe@far.example", "X-Mailer: x"), ("bot@far.example", "Auto-Submitted: auto-generated")] {
        let content = format!("From: <{from}>\r\nSubject: Tea\r\n{field}\r\n\r\nx\r\n");
        f.held(f.list.id, &format!("<{from}>"), "garden@example.org", None, &content).await;
    }
    f.take_all().await.unwrap();
    assert_eq!(f.in_mailbox("INBOX").await, 2);
    f.sim.clock.advance(Duration::from_secs(8 * 86_400));
    f.lists.sweep().await.unwrap();
    assert_eq!(f.in_mailbox("INBOX").await, 0);
    assert_eq!((f.received("zoe@far.example").await.len(), f.received("bot@far.example").await.len()), (1, 0));
    f.sound().await;
}

#[tokio::test]
async fn decisions_are_kept_up_to_a_bound_and_the_oldest_go() {
    use delivery::limits::DECISIONS_MAX;
    use storage::rows::{ModerationDecision, WaitReason, WaitingRow};

    let f = fixture(ListObject { moderated: true, ..garden() }).await;
    f.member("bob@far.example").await;
    let (part, now) = (f.list.id, START);
    let decision = move |minute: usize| ModerationDecision {
        approved: false,
        by: "mod@example.org".to_owned(),
        at: now.plus(Duration::from_secs(60 * minute as u64)),
        reason: String::new(),
    };
    // Decided on and carried out: no message is there. Those with lower UIDs are the later ones.
    let old = move |tx: &mut storage::Transaction<'_>| {
        for n in 0..=DECISIONS_MAX {
            let row = WaitingRow {
                address: address("garden@example.org"),
                recipient: address("garden@example.org"),
                skip_octets: 0,
                reverse_path: ReversePath::Null,
                account: None,
                received_at: now,
                author: None,
                subject: String::new(),
                octets: 1,
                reason: WaitReason::Moderated,
                expires: now.plus(delivery::limits::DECISION_KEEP),
                decision: Some(decision(DECISIONS_MAX - n)),
                trace: None,
                automatic: false,
                require_tls: false,
            };
            tx.put_waiting(part, Uid(50_000 + u32::try_from(n).unwrap()), &row)?;
        }
        Ok(())
    };
    f.store.transact(old).await.unwrap();
    f.sim.clock.advance(Duration::from_secs(2 * 86_400));
    f.mail("bob@far.example", "garden@example.org", "Tea", "x").await;
    f.mail("bob@far.example", "garden@example.org", "Cake", "x").await;
    let decide = async |approved: bool| {
        let waiting = f.store.waiting_after(part, Uid(0), 9).await.unwrap();
        let uid = waiting.iter().find(|(_, row)| row.decision.is_none()).unwrap().0;
        let decision = ModerationDecision { approved, at: f.store.now(), ..decision(0) };
        let done = f.store.transact(move |tx| delivery::decide_waiting(tx, part, uid, decision.clone())).await.unwrap();
        assert_eq!(done.value, delivery::Outcome::Decided);
    };
    decide(true).await;
    let rows = f.store.waiting_after(part, Uid(0), 5_000).await.unwrap();
    let decided: Vec<Uid> = rows.iter().filter(|(_, row)| row.decision.is_some()).map(|(uid, _)| *uid).collect();
    assert_eq!(decided.len(), DECISIONS_MAX);
    let oldest = [1, 0].map(|n| Uid(50_000 + u32::try_from(DECISIONS_MAX - n).unwrap()));
    assert!(oldest.iter().all(|uid| !decided.contains(uid)), "the oldest went");
    assert!(decided.contains(&Uid(50_000)), "the latest of them stays");
    // The decision itself is there until it has been carried out, and what waits waits on.
    f.take_all().await.unwrap();
    assert_eq!((f.received("bob@far.example").await.len(), f.in_mailbox("INBOX").await), (1, 1));
    decide(false).await;
    f.take_all().await.unwrap();
    assert_eq!(f.in_mailbox("INBOX").await, 0);
}
