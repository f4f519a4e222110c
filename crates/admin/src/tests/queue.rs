//! The queue, and events that failed too often.

use super::*;

#[tokio::test]
async fn the_queue_is_held_resumed_and_emptied() {
    let store = stage().await;
    let ids = enqueue(&store, 3).await;
    let list = || Request::Queue(QueueRequest::List { after: None, limit: None, filter: None });
    let entries = |answer| match answer {
        Ok(Response::QueueEntries(entries)) => entries,
        other => panic!("{other:?}"),
    };
    assert_eq!(entries(ask(&store, list()).await).len(), 3);
    let hold = Request::Queue(QueueRequest::Hold(QueueSelection::Entries(vec![ids[0]])));
    assert_eq!(ask(&store, hold).await, Ok(Response::Done("1 queue entry held".into())));
    assert_eq!(entries(ask(&store, list()).await).iter().filter(|entry| entry.held).count(), 1);
    let resume = Request::Queue(QueueRequest::Resume(QueueSelection::Destination(name("remote.example"))));
    let before = entries(ask(&store, list()).await);
    assert_eq!(ask(&store, resume).await, Ok(Response::Done("1 queue entry resumed".into())));
    let after = entries(ask(&store, list()).await);
    assert!(after.iter().all(|entry| !entry.held));
    assert_eq!(after[1..], before[1..], "those that were not held keep their schedule");
    let resume = Request::Queue(QueueRequest::Resume(QueueSelection::All));
    assert_eq!(ask(&store, resume).await, Ok(Response::Done("0 queue entries resumed".into())));
    assert_eq!(entries(ask(&store, list()).await), after);
    let missing = Request::Queue(QueueRequest::Retry(QueueSelection::Entries(vec![mail::QueueId(99)])));
    assert_eq!(ask(&store, missing).await.unwrap_err().kind, ErrorKind::NotFound);
    let all = Request::Queue(QueueRequest::Remove(QueueSelection::All));
    assert_eq!(ask(&store, all).await, Ok(Response::Done("3 queue entries removed; nobody is told".into())));
    assert!(entries(ask(&store, list()).await).is_empty());
}

#[tokio::test]
async fn the_last_refusal_of_a_recipient_is_the_last_error_of_its_entry() {
    let store = stage().await;
    let id = enqueue(&store, 1).await[0];
    let recipient = |state, last_reply| storage::rows::QueueRecipient {
        address: address("x@remote.example"),
        notify: mail::DsnNotify { said: true, success: false, failure: true, delay: false },
        original: None,
        state,
        last_reply: Some(last_reply),
    };
    let reply = |code, enhanced| mail::Reply::fixed(code, enhanced, "so it is");
    let recipients = vec![
        recipient(RecipientState::Waiting, reply(450, mail::EnhancedCode(4, 2, 0))),
        recipient(RecipientState::Failed, reply(550, mail::EnhancedCode(5, 1, 1))),
        recipient(RecipientState::Delivered, reply(250, mail::EnhancedCode(2, 0, 0))),
    ];
    let mut row = store.queue_entry(id).await.unwrap().unwrap();
    row.recipients = recipients;
    let mut of_all = row.clone();
    of_all.last_error = Some("connection refused".into());
    for (row, expected) in [(row, "450 4.2.0 so it is"), (of_all, "connection refused")] {
        store.transact(move |tx| tx.update_queue_entry(&row).map(|_| ())).await.unwrap();
        let Ok(Response::QueueEntry(one)) = ask(&store, Request::Queue(QueueRequest::Show { id })).await else {
            panic!()
        };
        assert_eq!(one.last_error.as_deref(), Some(expected));
    }
}

/// A message of Zoe to two people, of whom one has it already.
async fn of_zoe(store: &Store) -> mail::QueueId {
    let id = enqueue(store, 1).await[0];
    let recipient = |to: &str, state| storage::rows::QueueRecipient {
        address: address(to),
        notify: mail::DsnNotify::default(),
        original: None,
        state,
        last_reply: Some(mail::Reply::fixed(450, mail::EnhancedCode(4, 2, 0), "Busy")),
    };
    let mut row = store.queue_entry(id).await.unwrap().unwrap();
    row.reverse_path = mail::ReversePath::Address(address("zoe@example.org"));
    row.recipients = vec![
        recipient("has@remote.example", RecipientState::Delivered),
        recipient("waits@remote.example", RecipientState::Waiting),
    ];
    row.attempts = 2;
    store.transact(move |tx| tx.update_queue_entry(&row)).await.unwrap();
    id
}

async fn told(store: &Store, request: QueueRequest) -> String {
    match ask(store, Request::Queue(request)).await {
        Ok(Response::Done(text)) => text,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn who_waits_in_a_cancelled_entry_is_reported_to_its_sender_in_one_commit() {
    let store = stage().await;
    let id = of_zoe(&store).await;
    store.add_account(routing::objects::AccountObject::new(address("zoe@example.org"))).await.unwrap();
    let cancel = |id| QueueRequest::Cancel(QueueSelection::Entries(vec![id]));
    assert_eq!(told(&store, cancel(id)).await, "1 queue entry cancelled; senders who want to hear of it are told");
    assert_eq!(store.queue_entry(id).await.unwrap(), None);
    let letters = accounts::inbox(&store, "zoe@example.org").await;
    assert_eq!(letters.len(), 1);
    for part in ["waits@remote.example", "(5.3.0)"] {
        assert!(letters[0].contains(part), "{}", letters[0]);
    }
    assert!(!letters[0].contains("has@remote.example"), "{}", letters[0]);
    // Nobody hears of a message from nobody.
    let null = enqueue(&store, 1).await[0];
    told(&store, cancel(null)).await;
    assert_eq!(accounts::inbox(&store, "zoe@example.org").await.len(), 1);
    assert!(store.queue_entries(mail::QueueId(0), 9).await.unwrap().is_empty());
}

/// Webhooks hear of it as of any other failure: who still waited, and what stands for a server's answer.
#[tokio::test]
async fn webhooks_are_told_of_who_waits_in_a_cancelled_entry() {
    use storage::webhooks::{HookCall, HookEvent};
    let store = stage().await;
    let add = WebhookRequest::Add { url: "https://hooks.example.net/x".into(), events: vec![] };
    ask(&store, Request::Webhook(add)).await.unwrap();
    let id = of_zoe(&store).await;
    told(&store, QueueRequest::Cancel(QueueSelection::Entries(vec![id]))).await;
    let calls = store.events_after(mail::Topic::Webhook, 0, 9).await.unwrap();
    let failed: Vec<HookCall> = calls.iter().map(|call| HookCall::decode(&call.payload).unwrap()).collect();
    let failed: Vec<&HookCall> = failed.iter().filter(|call| call.event == HookEvent::Failed).collect();
    let [call] = failed.as_slice() else { panic!("{failed:?}") };
    assert_eq!(call.told["recipients"], serde_json::json!(["waits@remote.example"]));
    assert_eq!((&call.told["queue_entry"], &call.told["host"]), (&serde_json::json!(id), &serde_json::Value::Null));
    assert_eq!((&call.told["sender"], &call.told["recipients_count"]), (&"zoe@example.org".into(), &1.into()));
    assert!(call.told["said"].as_str().unwrap().starts_with("554 5.3.0 An administrator"), "{call:?}");
    // Taken out without a word: nobody is told.
    let id = of_zoe(&store).await;
    told(&store, QueueRequest::Remove(QueueSelection::Entries(vec![id]))).await;
    assert_eq!(store.events_after(mail::Topic::Webhook, 0, 9).await.unwrap().len(), calls.len());
}

#[tokio::test]
async fn entries_are_sent_another_way_to_the_same_people() {
    let store = stage().await;
    let id = of_zoe(&store).await;
    let reroute =
        |to: &str| QueueRequest::Reroute { which: QueueSelection::Entries(vec![id]), to: Some(name(to)), route: None };
    assert_eq!(told(&store, reroute("backup.example")).await, "1 queue entry to be sent to backup.example now");
    let row = store.queue_entry(id).await.unwrap().unwrap();
    assert_eq!((row.destination, row.recipients.len()), (name("backup.example"), 2));
    assert!(row.next_attempt <= store.now());
    let back = ask(&store, Request::Queue(reroute("example.org"))).await.unwrap_err();
    assert_eq!(back.kind, ErrorKind::Invalid);
}

#[tokio::test]
async fn a_filter_asks_for_all_that_it_says() {
    let store = stage().await;
    let null = enqueue(&store, 1).await[0];
    let zoe = of_zoe(&store).await;
    let found = async |filter: QueueFilter| {
        let list = QueueRequest::List { after: None, limit: None, filter: Some(Box::new(filter)) };
        match ask(&store, Request::Queue(list)).await {
            Ok(Response::QueueEntries(entries)) => entries.iter().map(|entry| entry.id).collect::<Vec<_>>(),
            other => panic!("{other:?}"),
        }
    };
    let any = QueueFilter::default;
    let from = |sender: &str| QueueFilter { sender: Some(sender.to_owned().try_into().unwrap()), ..any() };
    assert_eq!(found(any()).await, [null, zoe]);
    assert_eq!(found(from("Zoe@example.org")).await, [zoe]);
    assert_eq!(found(from("@example.org")).await, [zoe]);
    assert_eq!(found(from("@remote.example")).await, []);
    assert_eq!(found(QueueFilter { null_sender: true, ..any() }).await, [null]);
    assert_eq!(found(QueueFilter { recipient: Some(address("waits@remote.example")), ..any() }).await, [zoe]);
    assert_eq!(found(QueueFilter { recipient: Some(address("has@remote.example")), ..any() }).await, []);
    assert_eq!(found(QueueFilter { recipient_domain: Some(name("remote.example")), ..any() }).await, [zoe]);
    assert_eq!(found(QueueFilter { destination: Some(name("other.example")), ..from("@example.org") }).await, []);
    assert_eq!(found(QueueFilter { older_than_secs: Some(60), ..any() }).await, []);
    assert_eq!(found(QueueFilter { older_than_secs: Some(0), ..any() }).await, [null, zoe]);
    let only = QueueSelection::Matching(Box::new(from("zoe@example.org")));
    assert_eq!(told(&store, QueueRequest::Hold(only)).await, "1 queue entry held");
    assert!(!store.queue_entry(null).await.unwrap().unwrap().held);
}

#[tokio::test]
async fn an_entry_says_why_it_waits() {
    let store = stage().await;
    let id = of_zoe(&store).await;
    let why = async |store: &Store| match ask(store, Request::Queue(QueueRequest::Show { id })).await {
        Ok(Response::QueueEntry(one)) => one.why,
        other => panic!("{other:?}"),
    };
    let said = why(&store).await;
    assert!(
        said.starts_with("it was tried 2 times; the last time: 450 4.2.0 Busy; it is tried again 2023-11-14 "),
        "{said}"
    );
    // The message's trace knows the host.
    let mut row = store.queue_entry(id).await.unwrap().unwrap();
    let (trace, now) = (mail::TraceId::new(store.now(), [7; 10]), store.now());
    (row.trace, row.held) = (Some(trace), true);
    let step = storage::trace::Step::Attempted {
        entry: id,
        recipient: address("waits@remote.example"),
        host: Some("mx.remote.example".to_owned()),
        outcome: storage::trace::Outcome::Deferred,
        said: "450 4.2.0 Busy".to_owned(),
        secured: None,
        next: None,
    };
    let put = store.transact(move |tx| {
        tx.update_queue_entry(&row)?;
        tx.trace(trace, &[storage::trace::Taken { at: now, step: step.clone() }])
    });
    put.await.unwrap();
    assert_eq!(
        why(&store).await,
        "it was tried 2 times; mx.remote.example said: 450 4.2.0 Busy; an administrator holds it until it is resumed"
    );
    let fresh = enqueue(&store, 1).await[0];
    let Ok(Response::QueueEntry(one)) = ask(&store, Request::Queue(QueueRequest::Show { id: fresh })).await else {
        panic!()
    };
    assert!(one.why.starts_with("it has not been tried yet; it is tried again "), "{}", one.why);
}

#[tokio::test]
async fn what_still_waits_is_taken_back_by_its_sender_alone() {
    use storage::rows::{Waiting, WaitsFor};
    let store = stage().await;
    let id_of = |name: &str| store.directory().account(&address(name)).unwrap().id;
    let (alice, bob) = (id_of("alice@example.org"), id_of("bob@example.org"));
    let ids = enqueue(&store, 3).await;
    let until = store.now().plus(std::time::Duration::from_secs(600));
    for (id, account) in [(ids[0], alice), (ids[1], bob)] {
        let mut row = store.queue_entry(id).await.unwrap().unwrap();
        row.waiting = Some(Waiting { account, until, why: WaitsFor::Undo });
        store.transact(move |tx| tx.update_queue_entry(&row).map(|_| ())).await.unwrap();
    }
    let actor = |id| Actor::Account { id, remote: None };
    let execute = async |who, request| execute(&store, &settings(), &actor(who), Request::Queue(request)).await;
    let waiting = |by: &str| QueueRequest::Waiting { by: address(by) };
    let take = |by: &str, entries| QueueRequest::TakeBack { by: address(by), entries };
    let Ok(Response::QueueEntries(seen)) = execute(alice, waiting("alice@example.org")).await else { panic!() };
    assert_eq!(seen.iter().map(|one| one.id).collect::<Vec<_>>(), [ids[0]]);
    assert!(seen[0].why.starts_with("it has not set out: its sender may take it back until "), "{}", seen[0].why);
    assert_eq!(seen[0].waits_until, Some(until));
    assert_eq!(execute(alice, waiting("bob@example.org")).await.unwrap_err().kind, ErrorKind::Denied);
    assert_eq!(execute(alice, take("bob@example.org", vec![ids[1]])).await.unwrap_err().kind, ErrorKind::Denied);
    // Neither what is another's nor what has set out, and then nothing at all.
    for other in [ids[1], ids[2]] {
        let refused = execute(alice, take("alice@example.org", vec![ids[0], other])).await.unwrap_err();
        assert_eq!(refused.kind, ErrorKind::NotFound);
    }
    assert_eq!(store.queue_entries(mail::QueueId(0), 9).await.unwrap().len(), 3);
    let done = execute(alice, take("alice@example.org", vec![ids[0]])).await;
    assert_eq!(done, Ok(Response::Done("1 queue entry taken back; nobody is told".into())));
    assert_eq!(store.queue_entries(mail::QueueId(0), 9).await.unwrap().len(), 2);
    // What has not set out has no way that could be another.
    let reroute = QueueRequest::Reroute {
        which: QueueSelection::Entries(vec![ids[1]]),
        to: Some(name("other.example")),
        route: None,
    };
    assert_eq!(told(&store, reroute).await, "0 queue entries to be sent to other.example now");
}

#[tokio::test]
async fn what_senders_hold_back_is_tried_by_its_number_alone() {
    use storage::rows::{Waiting, WaitsFor};

    let store = stage().await;
    let alice = store.directory().account(&address("alice@example.org")).unwrap().id;
    let ids = enqueue(&store, 4).await;
    let until = store.now().plus(std::time::Duration::from_secs(600));
    for (id, why) in [(ids[0], WaitsFor::Undo), (ids[1], WaitsFor::Release)] {
        let mut row = store.queue_entry(id).await.unwrap().unwrap();
        (row.waiting, row.next_attempt) = (Some(Waiting { account: alice, until, why }), until);
        row.trace = Some(mail::TraceId::new(store.now(), [u8::try_from(id.0).unwrap(); 10]));
        store.transact(move |tx| tx.update_queue_entry(&row).map(|_| ())).await.unwrap();
    }
    let next = async |id| store.queue_entry(id).await.unwrap().unwrap().next_attempt;
    let filter = QueueFilter { older_than_secs: Some(0), ..QueueFilter::default() };
    for which in [QueueSelection::All, QueueSelection::Matching(Box::new(filter))] {
        assert_eq!(
            told(&store, QueueRequest::Retry(which)).await,
            "2 queue entries to be tried again now; 2 that their senders hold back are left (by their numbers they are sent now)"
        );
    }
    assert_eq!([next(ids[0]).await, next(ids[1]).await], [until; 2]);
    let both = QueueSelection::Entries(vec![ids[0], ids[2]]);
    assert_eq!(told(&store, QueueRequest::Retry(both)).await, "2 queue entries to be tried again now");
    assert!(next(ids[0]).await < until);
    let row = store.queue_entry(ids[0]).await.unwrap().unwrap();
    let steps = store.trace(row.trace.unwrap()).await.unwrap().unwrap().steps;
    assert!(
        steps.last().unwrap().step.to_string().contains("an administrator lets it go before its time"),
        "{steps:?}"
    );
    assert_eq!(next(ids[1]).await, until);
    assert_eq!(
        told(&store, QueueRequest::Retry(QueueSelection::Destination(name("remote.example")))).await,
        "2 queue entries to be tried again now; 2 that their senders hold back are left (by their numbers they are sent now)"
    );
}

#[tokio::test]
async fn what_is_held_is_not_tried_and_who_asks_is_told_how_to_resume_it() {
    let store = stage().await;
    let ids = enqueue(&store, 8).await;
    let hold = |ids: &[mail::QueueId]| QueueRequest::Hold(QueueSelection::Entries(ids.to_vec()));
    told(&store, hold(&ids[..1])).await;
    let (first, second) = (ids[0], ids[1]);
    for (which, expected) in [
        (QueueSelection::Entries(vec![first]), "0 queue entries to be tried again now; 1 is held and left"),
        (QueueSelection::Entries(vec![first, second]), "1 queue entry to be tried again now; 1 is held and left"),
        (QueueSelection::All, "7 queue entries to be tried again now; 1 is held and left"),
    ] {
        let expected = format!("{expected} (`relais queue resume {first}` resumes it)");
        assert_eq!(told(&store, QueueRequest::Retry(which)).await, expected);
    }
    told(&store, hold(&ids[1..2])).await;
    assert_eq!(
        told(&store, QueueRequest::Retry(QueueSelection::Destination(name("remote.example")))).await,
        format!(
            "6 queue entries to be tried again now; 2 are held and left (`relais queue resume {first} {second}` resumes them)"
        )
    );
    told(&store, hold(&ids)).await;
    let all = told(&store, QueueRequest::Retry(QueueSelection::All)).await;
    let five = ids[..5].iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    assert!(
        all.ends_with(&format!("8 are held and left (`relais queue resume {five}` and so on resumes them)")),
        "{all}"
    );
}

#[tokio::test]
async fn people_set_how_long_what_they_send_waits() {
    let store = stage().await;
    let alice = store.directory().account(&address("alice@example.org")).unwrap().id;
    let set = |secs: u32| -> Request {
        let request = serde_json::json!({"account": {"set": {"address": "alice@example.org", "undo_send_secs": secs}}});
        serde_json::from_value(request).unwrap()
    };
    let actor = Actor::Account { id: alice, remote: None };
    assert!(execute(&store, &settings(), &actor, set(20)).await.is_ok());
    assert_eq!(store.directory().account(&address("alice@example.org")).unwrap().undo_send_secs, 20);
    let refused = execute(&store, &settings(), &actor, set(601)).await.unwrap_err();
    assert!(refused.to_string().contains("600 seconds at the most"), "{refused}");
}

async fn enqueue(store: &Store, number: usize) -> Vec<mail::QueueId> {
    let mut writer = store.blob_writer();
    writer.write(b"Subject: x\r\n\r\nx\r\n").await.unwrap();
    let blob = writer.finish();
    let now = store.now();
    let done = store.transact(move |tx| {
        tx.store_blob(&blob)?;
        let row = storage::rows::QueueRow {
            id: mail::QueueId(0),
            destination: name("remote.example"),
            reverse_path: mail::ReversePath::Null,
            dsn_return: None,
            envelope_id: None,
            smtputf8: false,
            sender_smtputf8: false,
            body: mail::BodyType::SevenBit,
            blob: blob.hash,
            skip_octets: 0,
            octets: 16,
            prefix: String::new(),
            trace: None,
            recipients: vec![],
            accepted_at: now,
            attempts: 0,
            next_attempt: now.plus(std::time::Duration::from_secs(600)),
            last_error: None,
            delay_notified: false,
            held: false,
            require_tls: false,
            priority: 0,
            deliver_by: None,
            held_until: None,
            solicits: Vec::new(),
            waiting: None,
            class: storage::rows::MailClass::Report,
            route: None,
        };
        (0..number).map(|_| tx.enqueue(row.clone())).collect::<Result<Vec<_>, _>>()
    });
    done.await.unwrap().value
}

#[tokio::test]
async fn parked_events_are_seen_handed_out_again_and_forgotten() {
    let store = stage().await;
    let now = store.now();
    let parked = store.transact(move |tx| {
        for payload in [&b"{\"responder\":7}"[..], b"\xffno JSON"] {
            let number = tx.emit(mail::Topic::MessageStored, now, payload.to_vec())?;
            tx.park_event(mail::Topic::MessageStored, number, "the event can't be read")?;
        }
        Ok(())
    });
    let _done = parked.await.unwrap();
    let event = |request| Request::Event(request);
    let Ok(Response::Events(listed)) = ask(&store, event(EventRequest::List { limit: None })).await else { panic!() };
    let ids: Vec<String> = listed.iter().map(|one| one.id.to_string()).collect();
    assert_eq!(ids, ["message-stored:1", "message-stored:2"]);
    assert_eq!(listed[0].last_error.as_deref(), Some("the event can't be read"));
    for (one, content) in listed.iter().zip(["{\"responder\":7}", "\"\u{fffd}no JSON\""]) {
        let Ok(Response::Event(shown)) = ask(&store, event(EventRequest::Show { id: one.id })).await else { panic!() };
        assert_eq!(shown.content.unwrap().to_string(), content);
    }

    let these = |number: usize| EventSelection::Events(vec![listed[number].id]);
    let told = said(ask(&store, event(EventRequest::Retry(these(0)))).await);
    assert!(told.contains("1 event handed out again"), "{told}");
    let waiting = store.events_after(mail::Topic::MessageStored, 2, 9).await.unwrap();
    assert_eq!(waiting.iter().map(|row| (row.number, row.attempts)).collect::<Vec<_>>(), [(3, 0)]);
    let told = said(ask(&store, event(EventRequest::Retry(these(0)))).await);
    assert!(told.starts_with("there is no parked event message-stored:1\n"), "{told}");
    let told = said(ask(&store, event(EventRequest::Remove(EventSelection::All))).await);
    assert!(told.contains("1 event removed"), "{told}");
    assert_eq!(store.parked_events(mail::Topic::MessageStored, 9).await.unwrap(), []);
}

/// Nothing else would ever deal with the message.
#[tokio::test]
async fn who_forgets_the_event_of_a_list_forgets_its_message() {
    let store = stage().await;
    let garden = address("garden@example.org");
    let owners = vec![address("alice@example.org")];
    let list = store.add_list(ListObject { owners, ..ListObject::new(garden.clone()) }).await.unwrap().value;
    let inbox = store.inbox(list.id).await.unwrap().id;
    let mut writer = store.blob_writer();
    writer.write(b"Subject: Tea\r\n\r\n").await.unwrap();
    let (staged, now) = (writer.finish(), store.now());
    let (blob, octets, flags) = (staged.hash, staged.octets, mail::Flags::default());
    let internal_date = mail::InternalDate::from(now);
    let message = storage::messages::NewMessage { blob, octets, flags, internal_date, saved_at: now, record: None };
    let uid = store.append(list.id, inbox, staged, message).await.unwrap().value.uid;
    let event = delivery::HeldMessage {
        part: list.id,
        mailbox: inbox,
        uid,
        blob,
        skip_octets: 0,
        octets,
        address: garden.clone(),
        role: ListRole::Post,
        recipient: garden,
        reverse_path: mail::ReversePath::Null,
        account: None,
        received_at: now,
        trace: None,
        verified: None,
        spam: false,
        require_tls: false,
    };
    let parked = store.transact(move |tx| {
        let number = tx.emit(mail::Topic::HeldMessage, now, event.encode())?;
        tx.park_event(mail::Topic::HeldMessage, number, "too often")
    });
    assert!(parked.await.unwrap().value);
    ask(&store, Request::Event(EventRequest::Remove(EventSelection::All))).await.unwrap();
    assert_eq!(store.inbox(list.id).await.unwrap().messages, 0);
    assert_eq!(store.parked_events(mail::Topic::HeldMessage, 9).await.unwrap(), []);
    let mut findings = Vec::new();
    storage::check::check(&store, false, &mut |finding| findings.push(finding.to_string())).await.unwrap();
    assert_eq!(findings, [""; 0]);
}

fn with_a_route() -> Settings {
    let provider = ::queue::NamedRoute {
        name: "provider".into(),
        host: "smtp.provider.example:587".into(),
        sender_domains: vec![name("news.example")],
        ..::queue::NamedRoute::default()
    };
    let routes = ::queue::Routes { named: vec![provider], ..::queue::Routes::default() };
    Settings { routes: Arc::new(routes), ..settings() }
}

#[tokio::test]
async fn entries_are_sent_by_a_route_that_the_configuration_names() {
    let (store, settings) = (stage().await, with_a_route());
    let id = of_zoe(&store).await;
    let which = || QueueSelection::Entries(vec![id]);
    let ask = async |request: QueueRequest| execute(&store, &settings, &Actor::System, Request::Queue(request)).await;
    let by = |route: &str| QueueRequest::Reroute { which: which(), to: None, route: Some(route.into()) };
    let shown = async || match ask(QueueRequest::Show { id }).await {
        Ok(Response::QueueEntry(one)) => one,
        other => panic!("{other:?}"),
    };
    assert_eq!(shown().await.way, "leaves to the hosts that DNS names for remote.example");
    let unknown = ask(by("nowhere")).await.unwrap_err();
    assert_eq!(unknown.kind, ErrorKind::NotFound);
    assert!(unknown.to_string().contains("nowhere"), "{unknown}");
    let both = QueueRequest::Reroute { which: which(), to: Some(name("b.example")), route: Some("provider".into()) };
    assert_eq!(ask(both).await.unwrap_err().kind, ErrorKind::Invalid);
    assert!(ask(QueueRequest::Reroute { which: which(), to: None, route: None }).await.is_err());
    let Ok(Response::Done(told)) = ask(by("provider")).await else { panic!() };
    assert_eq!(told, "1 queue entry to be sent by the route provider (to smtp.provider.example:587) now");
    let told = "queue entry 1: an administrator has sent it by the route provider (to smtp.provider.example:587)";
    if let Some(trace) = store.queue_entry(id).await.unwrap().unwrap().trace {
        let steps = store.trace(trace).await.unwrap().unwrap().steps;
        assert!(steps.iter().any(|taken| taken.step.to_string() == told), "{steps:?}");
    }
    let one = shown().await;
    assert!(one.way.starts_with("leaves by the route provider"), "{}", one.way);
    assert_eq!(store.queue_entry(id).await.unwrap().unwrap().route.as_deref(), Some("provider"));
}

#[tokio::test]
async fn why_it_waits_tells_what_was_learnt_of_its_destination() {
    let store = stage().await;
    let id = of_zoe(&store).await;
    let pace = storage::rows::PaceRow {
        at_a_time_max: Some(1),
        gap_millis: 2_000,
        said: Some(mail::Reply::plain(421, "too many from you")),
        ..storage::rows::PaceRow::default()
    };
    store.transact(move |tx| tx.set_pace("remote.example", Some(&pace))).await.unwrap();
    let Ok(Response::QueueEntries(all)) =
        ask(&store, Request::Queue(QueueRequest::List { after: None, limit: None, filter: None })).await
    else {
        panic!()
    };
    let one = all.iter().find(|one| one.id == id).unwrap();
    assert!(
        one.why.ends_with("; its destination asked for patience (421 too many from you) and gets one delivery at a time, one every 2 s"),
        "{}",
        one.why
    );
}
