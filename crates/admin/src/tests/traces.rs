//! Traces of one's own messages, and nobody else's.

use delivery::{Delivery, DeliverySettings};
use mail::{DsnNotify, Envelope, EnvelopeRecipient, ForwardPath, ReversePath};
use routing::objects::Object;
use storage::objects::PutMode;
use storage::trace::{Step, Trace};

use super::*;

const MESSAGE: &[u8] = b"From: alice@example.org\r\nMessage-ID: <1@example.org>\r\nSubject: Hello\r\n\r\nHello.\r\n";

fn actor(store: &Store, text: &str) -> Actor {
    Actor::Account { id: store.directory().account(&address(text)).unwrap().id, remote: None }
}

/// alice writes to bob, to carol in a blind copy, to team@ (which leads to dora and elsewhere), and to somebody elsewhere.
async fn written() -> Store {
    written_as("alice@example.org").await
}

/// The same, with another address as reverse-path.
async fn written_as(reverse_path: &str) -> Store {
    let store = stage().await;
    for who in ["carol@example.org", "dora@example.org", "root@example.org"] {
        ask(&store, add_account(who)).await.unwrap();
    }
    let mut root = (**store.directory().account(&address("root@example.org")).unwrap()).clone();
    root.role = Role::Administrator;
    store.put_object(Object::Account(root), PutMode::Replace).await.unwrap();
    ask(&store, add_alias("team@example.org", &["dora@example.org", "secret@elsewhere.example"])).await.unwrap();
    let settings = DeliverySettings { hostname: name("mx.example.org"), message_octets_max: 1 << 20 };
    let delivery = Delivery::new(store.clone(), settings);
    let from = address("alice@example.org");
    let mut intake = delivery.intake(&ReversePath::Address(from.clone()), b"").await.unwrap();
    intake.submitted_by(store.directory().account(&from).unwrap().id);
    intake.from_client("203.0.113.7 (laptop)".to_owned());
    intake.write(MESSAGE).await.unwrap();
    let mut envelope = Envelope::new(ReversePath::Address(address(reverse_path)));
    for to in ["bob@example.org", "carol@example.org", "team@example.org", "friend@far.example"] {
        let forward_path = ForwardPath::Address(address(to));
        envelope.recipients.push(EnvelopeRecipient { forward_path, notify: DsnNotify::default(), original: None });
    }
    let prepared = intake.finish(envelope).await.unwrap();
    store.transact(move |tx| prepared.apply(tx)).await.unwrap();
    store
}

async fn seen(store: &Store, who: &str, request: TraceRequest) -> Vec<Trace> {
    match ask_as(store, &settings(), &actor(store, who), Request::Trace(Box::new(request))).await {
        Ok(Response::Traces(traces)) => traces,
        other => panic!("{other:?}"),
    }
}

fn told(traces: &[Trace]) -> String {
    let steps = traces.iter().flat_map(|trace| &trace.steps);
    steps.map(|taken| format!("{}\n", taken.step)).collect()
}

#[tokio::test]
async fn a_sender_sees_whom_they_wrote_to_and_not_where_that_leads() {
    let store = written().await;
    let traces = seen(&store, "alice@example.org", TraceRequest::default()).await;
    let told = told(&traces);
    for wanted in [
        "203.0.113.7",
        "bob@example.org: accepted",
        "carol@example.org: accepted",
        "team@example.org: accepted",
        "for far.example: friend@far.example",
    ] {
        assert!(told.contains(wanted), "{wanted}:\n{told}");
    }
    assert!(!told.contains("dora@") && !told.contains("elsewhere.example") && !told.contains("UID"), "{told}");
    let to = |text: &str| TraceRequest { recipient: Some(address(text)), ..TraceRequest::default() };
    assert_eq!(seen(&store, "alice@example.org", to("friend@far.example")).await.len(), 1);
    assert_eq!(seen(&store, "alice@example.org", to("bob@example.org")).await.len(), 1);
    // Asking for what is not shown does not tell either.
    assert!(seen(&store, "alice@example.org", to("secret@elsewhere.example")).await.is_empty());
    assert!(seen(&store, "alice@example.org", to("dora@example.org")).await.is_empty());
}

#[tokio::test]
async fn a_recipient_sees_their_own_copy_and_nobody_beside() {
    let store = written().await;
    let id = TraceRequest { message_id: Some("<1@example.org>".into()), ..TraceRequest::default() };
    for (who, others) in [("bob@example.org", ["carol@", "dora@"]), ("dora@example.org", ["bob@", "carol@"])] {
        let traces = seen(&store, who, id.clone()).await;
        let told = told(&traces);
        assert!(told.contains(&format!("delivered to {who}, mailbox INBOX")), "{told}");
        for hidden in others.into_iter().chain(["203.0.113.7", "far.example", "elsewhere.example"]) {
            assert!(!told.contains(hidden), "{hidden}:\n{told}");
        }
        let one = TraceRequest { id: Some(traces[0].id), ..TraceRequest::default() };
        assert_eq!(seen(&store, who, one).await, traces);
    }
    // Administrators see everything.
    let all = told(&seen(&store, "root@example.org", id).await);
    assert!(all.contains("secret@elsewhere.example") && all.contains("203.0.113.7"), "{all}");
}

/// What somebody writes under another address is found as theirs, by themselves and by administrators; a recipient who asks whether it was
/// they hears nothing.
#[tokio::test]
async fn who_had_logged_in_is_told_to_themselves_alone() {
    let store = written_as("team@example.org").await;
    let from =
        |text: &str| TraceRequest { sender: Some(ReversePath::Address(address(text))), ..TraceRequest::default() };
    for (who, asked, found) in [
        ("alice@example.org", "alice@example.org", 1),
        ("alice@example.org", "team@example.org", 1),
        ("root@example.org", "alice@example.org", 1),
        ("root@example.org", "team@example.org", 1),
        ("bob@example.org", "team@example.org", 1),
        ("bob@example.org", "alice@example.org", 0),
        ("bob@example.org", "dora@example.org", 0),
    ] {
        assert_eq!(seen(&store, who, from(asked)).await.len(), found, "{who} asks for {asked}");
        let id = TraceRequest { message_id: Some("1@example.org".into()), ..from(asked) };
        assert_eq!(seen(&store, who, id).await.len(), found, "{who} asks for {asked} by Message-ID");
    }
}

#[tokio::test]
async fn others_messages_are_not_there_whatever_is_asked() {
    let store = written().await;
    ask(&store, add_account("eve@example.org")).await.unwrap();
    let number = seen(&store, "root@example.org", TraceRequest::default()).await[0].id;
    for request in [
        TraceRequest::default(),
        TraceRequest { message_id: Some("1@example.org".into()), ..TraceRequest::default() },
        TraceRequest { sender: Some(ReversePath::Address(address("alice@example.org"))), ..TraceRequest::default() },
        TraceRequest { recipient: Some(address("bob@example.org")), ..TraceRequest::default() },
    ] {
        assert!(seen(&store, "eve@example.org", request).await.is_empty());
    }
    let one = TraceRequest { id: Some(number), ..TraceRequest::default() };
    let denied = ask_as(&store, &settings(), &actor(&store, "eve@example.org"), Request::Trace(Box::new(one))).await;
    assert_eq!(denied.unwrap_err().kind, ErrorKind::NotFound);
}

#[tokio::test]
async fn who_gets_an_address_anew_does_not_see_the_traces_of_who_had_it() {
    let store = written().await;
    let mut bob = (**store.directory().account(&address("bob@example.org")).unwrap()).clone();
    bob.created_at = store.now().plus(std::time::Duration::from_secs(60));
    store.put_object(Object::Account(bob), PutMode::Replace).await.unwrap();
    assert!(seen(&store, "bob@example.org", TraceRequest::default()).await.is_empty());
}

#[tokio::test]
async fn what_a_check_decided_is_told_to_the_recipient() {
    let store = stage().await;
    let bob = store.directory().account(&address("bob@example.org")).unwrap().id;
    let at = store.now();
    let id = mail::TraceId::new(at, [1; 10]);
    let steps = vec![
        Step::Received {
            by: "smtp".into(),
            client: Some("192.0.2.1 (mx)".into()),
            login: None,
            reverse_path: ReversePath::Null,
            message_id: None,
            octets: 9,
        },
        Step::Authenticated { results: "SPF failed".into() },
        Step::Decided { text: "goes to Spam: DMARC failed".into() },
        Step::Delivered {
            account: bob,
            address: address("bob@example.org"),
            mailbox: mail::MailboxId(2),
            name: "Spam".into(),
            uid: mail::Uid(1),
        },
        Step::Decided { text: "forwarded to elsewhere.example".into() },
    ];
    let steps: Vec<_> = steps.into_iter().map(|step| storage::trace::Taken { at, step }).collect();
    let terms = vec![storage::trace::Term::Recipient(address("bob@example.org"))];
    store.trace_lightly(id, steps, terms).await.unwrap();
    let told = told(&seen(&store, "bob@example.org", TraceRequest::default()).await);
    assert!(told.contains("192.0.2.1") && told.contains("goes to Spam") && !told.contains("elsewhere"), "{told}");
}
