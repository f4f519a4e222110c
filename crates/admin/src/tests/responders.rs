//! Responders: what one may be, what is said when one is saved, and what a preview tells.

use super::*;

#[tokio::test]
async fn a_responder_has_a_message_and_a_window_that_can_be() {
    let store = stage().await;
    let text = || ResponderContent {
        text: Edit::Set("Back soon.".into()),
        subject_prefix: Some("Away:".into()),
        ..ResponderContent::default()
    };
    let cases = [
        (add_responder("alice@example.org", ResponderContent::default()), "a responder needs a message"),
        (
            add_responder("alice@example.org", ResponderContent { subject_prefix: None, ..text() }),
            "a responder needs a subject, or a prefix",
        ),
        (add_responder("x@elsewhere.net", text()), "there is no domain elsewhere.net"),
        (
            add_responder("info@example.org", ResponderContent { kind: Some(ResponderKind::OutOfOffice), ..text() }),
            "info@example.org is no account",
        ),
        (
            add_responder("alice@example.org", ResponderContent { starts: Edit::Set("tomorrow".into()), ..text() }),
            "\"tomorrow\" is no date and time",
        ),
        (
            add_responder(
                "alice@example.org",
                ResponderContent {
                    starts: Edit::Set("2026-08-01".into()),
                    ends: Edit::Set("2026-07-01".into()),
                    ..text()
                },
            ),
            "the end (2026-07-01) is before the start (2026-08-01)",
        ),
        (
            add_responder(
                "alice@example.org",
                ResponderContent { copy_answers_to: Edit::Set(address("alice@example.org")), ..text() },
            ),
            "the copy address alice@example.org is the responder's own address",
        ),
        (
            add_responder("alice@example.org", ResponderContent { subject: Some("a\r\nBcc: b".into()), ..text() }),
            "subject and prefix must be one line without control characters",
        ),
    ];
    for (request, expected) in cases {
        let error = said(ask(&store, request).await);
        assert!(error.starts_with(expected), "{error}");
    }
}

#[tokio::test]
async fn a_responder_is_added_edited_listed_and_removed() {
    let store = stage().await;
    let content = ResponderContent {
        kind: Some(ResponderKind::OutOfOffice),
        subject_prefix: Some("Away:".into()),
        html: Edit::Set("<p>Back soon.</p>".into()),
        starts: Edit::Set("2026-07-01".into()),
        ends: Edit::Set("2026-07-14".into()),
        keep: Some(false),
        ..ResponderContent::default()
    };
    let Ok(Response::Responder(made)) = ask(&store, add_responder("alice@example.org", content)).await else {
        panic!()
    };
    assert_eq!((made.responder.id, made.responder.frequency_secs, made.responder.keep), (1, 86_400, false));
    assert_eq!(
        (made.responder.starts.as_deref(), made.responder.ends.as_deref()),
        (Some("2026-07-01"), Some("2026-07-14"))
    );
    let content = Box::new(ResponderContent { ends: Edit::Clear, enabled: Some(false), ..ResponderContent::default() });
    let Ok(Response::Responder(made)) =
        ask(&store, Request::Responder(ResponderRequest::Set { id: 1, address: None, content })).await
    else {
        panic!()
    };
    assert!(made.responder.ends.is_none() && !made.responder.enabled && made.responder.starts.is_some());
    let list = |at| Request::Responder(ResponderRequest::List { address: at });
    assert!(
        matches!(ask(&store, list(Some(address("ALICE@example.org")))).await, Ok(Response::Responders(r)) if r.len() == 1)
    );
    assert!(
        matches!(ask(&store, list(Some(address("bob@example.org")))).await, Ok(Response::Responders(r)) if r.is_empty())
    );
    ask(&store, Request::Responder(ResponderRequest::Remove { id: 1 })).await.unwrap();
    let gone = ask(&store, Request::Responder(ResponderRequest::Show { id: 1 })).await.unwrap_err();
    assert_eq!(gone.kind, ErrorKind::NotFound);
}

fn set_responder(id: u64, content: ResponderContent) -> Request {
    Request::Responder(ResponderRequest::Set { id, address: None, content: Box::new(content) })
}

fn away() -> ResponderContent {
    ResponderContent {
        kind: Some(ResponderKind::OutOfOffice),
        subject: Some("Away".into()),
        text: Edit::Set("I am away".into()),
        ..ResponderContent::default()
    }
}

#[tokio::test]
async fn a06_it_is_said_when_nobody_receives() {
    let store = stage().await;
    ask(&store, add_alias("info@example.org", &[":blackhole:"])).await.unwrap();
    let copied = || Edit::Set(address("bob@example.org"));
    for (at, copy_received_to, nobody) in [
        ("alice@example.org", Edit::default(), false),
        ("info@example.org", Edit::default(), false),
        ("fair@example.org", copied(), false),
        ("moved@example.org", Edit::default(), true),
    ] {
        let content = ResponderContent { kind: None, copy_received_to, ..away() };
        let Ok(Response::Responder(made)) = ask(&store, add_responder(at, content)).await else { panic!() };
        assert_eq!(made.keeping == routing::responders::Keeping::FailureNotice, nobody, "{at}");
    }
}

#[tokio::test]
async fn a09_deletion_is_said_each_time_it_begins_or_changes() {
    let store = stage().await;
    // 2023-11-14 is today.
    let content = ResponderContent { keep: Some(false), ends: Edit::Set("2023-11-20".into()), ..away() };
    let Ok(Response::Responder(made)) = ask(&store, add_responder("alice@example.org", content)).await else {
        panic!()
    };
    assert_eq!(
        made.deletes.unwrap(),
        "EVERY message that comes to alice@example.org from 2023-11-14 until 2023-11-20 is DELETED for good, \
         whether it is answered or not"
    );
    let later = || ResponderContent { ends: Edit::Set("2023-12-24".into()), ..ResponderContent::default() };
    let refused = ask(&store, set_responder(1, later())).await.unwrap_err();
    assert!(refused.message.contains("deletes what is received") && refused.hint.unwrap().contains("--drop"));
    // Other words need no second confirmation; a longer window does, and so does switching it on again.
    let words = ResponderContent { text: Edit::Set("Still away".into()), ..ResponderContent::default() };
    ask(&store, set_responder(1, words)).await.unwrap();
    ask(&store, set_responder(1, ResponderContent { keep: Some(false), ..later() })).await.unwrap();
    let switch = |on| ResponderContent { enabled: Some(on), ..ResponderContent::default() };
    ask(&store, set_responder(1, switch(false))).await.unwrap();
    assert_eq!(ask(&store, set_responder(1, switch(true))).await.unwrap_err().kind, ErrorKind::Invalid);
    let kept = ResponderContent { keep: Some(true), ..switch(true) };
    let Ok(Response::Responder(made)) = ask(&store, set_responder(1, kept)).await else { panic!() };
    assert!(made.deletes.is_none() && made.responder.keep);
    // What leaves keep out keeps.
    let Ok(Response::Responder(made)) = ask(&store, add_responder("bob@example.org", away())).await else { panic!() };
    assert!(made.responder.keep);
    // At an alias nothing is deleted, and it says so.
    ask(&store, add_alias("info@example.org", &["bob@example.org"])).await.unwrap();
    let content = ResponderContent { kind: None, keep: Some(false), ..away() };
    let Ok(Response::Responder(made)) = ask(&store, add_responder("info@example.org", content)).await else { panic!() };
    assert!(made.deletes.unwrap().starts_with("nothing is deleted"));
}

#[tokio::test]
async fn v02_an_absence_begins_today_in_the_zone_of_its_owner() {
    let store = stage().await;
    // 2023-11-14T22:13:20Z: in Auckland it is the fifteenth.
    let edit =
        serde_json::json!({"account": {"set": {"address": "alice@example.org", "time_zone": "Pacific/Auckland"}}});
    ask(&store, serde_json::from_value(edit).unwrap()).await.unwrap();
    let starts = async |content| match ask(&store, add_responder("alice@example.org", content)).await {
        Ok(Response::Responder(made)) => (made.responder.starts.clone(), made.zone.clone()),
        other => panic!("{other:?}"),
    };
    assert_eq!(starts(away()).await, (Some("2023-11-15".to_owned()), "Pacific/Auckland".to_owned()));
    assert_eq!(starts(ResponderContent { starts: Edit::Clear, ..away() }).await.0, None);
    let robot = ResponderContent { kind: None, ..away() };
    assert_eq!(starts(robot).await.0, None, "a robot is permanent unless something else is said (A8)");
}

#[tokio::test]
async fn v04_a_list_tells_which_are_active() {
    let store = stage().await;
    for (starts, ends, week) in [
        (None, None, None),
        (Some("2023-12-01"), None, None),
        (Some("2023-11-01"), Some("2023-11-10"), None),
        (None, None, Some("mon-fri 09:00-17:00")),
    ] {
        let edit = |text: Option<&str>| text.map_or(Edit::Clear, |text| Edit::Set(text.to_owned()));
        let when = routing::objects::HoursWhen::Inside;
        let hours = week.map(|week| routing::objects::Hours { week: week.to_owned(), when });
        let hours = hours.map_or(Edit::default(), Edit::Set);
        let content = ResponderContent { starts: edit(starts), ends: edit(ends), hours, ..away() };
        // One that is over already can only be added switched off.
        let past = ResponderContent { enabled: Some(false), ..content.clone() };
        if let Err(error) = ask(&store, add_responder("alice@example.org", content)).await {
            assert!(error.message.starts_with("the end, 2023-11-10, is over (UTC)"), "{error}");
            ask(&store, add_responder("alice@example.org", past)).await.unwrap();
            ask(&store, set_responder(3, ResponderContent { enabled: Some(true), ..ResponderContent::default() }))
                .await
                .unwrap();
        }
    }
    let list = Request::Responder(ResponderRequest::List { address: None });
    let Ok(Response::Responders(all)) = ask(&store, list).await else { panic!() };
    use routing::responders::Phase;
    let told: Vec<_> = all.iter().map(|view| (view.phase, view.acts_now)).collect();
    assert_eq!(told, [(Phase::Active, true), (Phase::Waiting, false), (Phase::Over, false), (Phase::Active, false)]);
}

#[tokio::test]
async fn a_preview_tells_whether_and_what_it_would_answer() {
    let store = stage().await;
    let content = ResponderContent {
        subject: Some("{subject}: away until {until}".into()),
        text: Edit::Set("{sender_name}, ask {deputy}".into()),
        ends: Edit::Set("2023-11-20".into()),
        deputy: Edit::Set(address("bob@example.org")),
        inside_text: Edit::Set("Colleague {sender}".into()),
        audience: Some(routing::objects::Audience::Contacts),
        ..away()
    };
    ask(&store, add_responder("alice@example.org", content)).await.unwrap();
    let preview = async |from: &str| {
        let of =
            PreviewRequest { from: address(from), to: None, name: Some("Carol".into()), subject: Some("Order".into()) };
        match ask(&store, Request::Responder(ResponderRequest::Preview { id: 1, of })).await {
            Ok(Response::Preview(preview)) => *preview,
            other => panic!("{other:?}"),
        }
    };
    let stranger = preview("carol@r.example").await;
    assert!(!stranger.answers && stranger.decision.contains("contacts"), "{}", stranger.decision);
    let contact = |verb: fn(Address, Address) -> ContactRequest| {
        Request::Contact(verb(address("alice@example.org"), address("carol@r.example")))
    };
    ask(&store, contact(|account, address| ContactRequest::Add { account, address })).await.unwrap();
    let known = preview("carol@r.example").await;
    assert!(known.answers);
    assert_eq!(known.subject, "Order: away until 20 November 2023");
    assert_eq!(known.text.as_deref(), Some("Carol, ask bob@example.org"));
    assert_eq!(preview("bob@example.org").await.text.as_deref(), Some("Colleague bob@example.org"));
    // Who was answered within the frequency is not answered again yet, and when is told.
    let last = routing::responders::LastAnswer::after(None, store.now());
    store
        .transact(move |tx| {
            tx.note_answer(1, &address("carol@r.example"), last);
            Ok(())
        })
        .await
        .unwrap();
    let lately = preview("Carol@r.example").await;
    assert!(!lately.answers && lately.decision.contains("answered already"), "{}", lately.decision);
    let day = std::time::Duration::from_secs(86_400);
    assert_eq!((lately.answered_at, lately.next_answer_at), (Some(store.now()), Some(store.now().plus(day))));
    let list = Request::Contact(ContactRequest::List { account: address("alice@example.org"), after: None });
    let Ok(Response::Contacts(all)) = ask(&store, list).await else { panic!() };
    assert_eq!(all.len(), 1);
    ask(&store, contact(|account, address| ContactRequest::Remove { account, address })).await.unwrap();
    let again = ask(&store, contact(|account, address| ContactRequest::Remove { account, address })).await;
    assert_eq!(again.unwrap_err().kind, ErrorKind::NotFound);
}

#[tokio::test]
async fn a_placeholder_that_is_none_is_refused_with_the_nearest_name() {
    let store = stage().await;
    let content = ResponderContent { text: Edit::Set("Back {untill}".into()), ..away() };
    let refused = said(ask(&store, add_responder("alice@example.org", content)).await);
    assert!(refused.contains("{untill}") && refused.contains("did you mean {until}"), "{refused}");
}
