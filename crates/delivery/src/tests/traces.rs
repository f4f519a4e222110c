//! What a trace tells of a message, and what is signed.

use storage::signing_keys::{KeyState, SigningKeyRow};
use storage::trace::{Step, Term, TraceQuery};

use super::*;

async fn traces(f: &Fixture, term: Term) -> Vec<storage::trace::Trace> {
    f.store.traces(&TraceQuery { term: Some(term), since: None, until: None, limit: 10 }).await.unwrap()
}

fn steps(trace: &storage::trace::Trace) -> Vec<String> {
    trace.steps.iter().map(|taken| taken.step.to_string()).collect()
}

#[tokio::test]
async fn one_commit_holds_the_message_and_what_was_decided() {
    let f = fixture().await;
    f.alias("team@example.org", &["alice@example.org", "yan@far.example"]).await;
    let before = f.engine.commits();
    f.send(&["team@example.org"]).await.unwrap();
    assert_eq!(f.engine.commits(), before + 1);
    for term in [
        Term::Recipient(address("Team@example.org")),
        Term::Recipient(address("alice@example.org")),
        Term::Recipient(address("yan@far.example")),
    ] {
        let found = traces(&f, term.clone()).await;
        assert_eq!(found.len(), 1, "{term:?}");
        let told = steps(&found[0]);
        assert!(told[0].starts_with("received by this server"), "{told:?}");
        assert!(told.iter().any(|step| step.contains("alias team@example.org")), "{told:?}");
        assert!(told.iter().any(|step| step.starts_with("delivered to alice@example.org, mailbox INBOX")), "{told:?}");
        assert!(told.iter().any(|step| step.contains("for far.example: yan@far.example")), "{told:?}");
    }
    let row = &f.store.queue_entries(QueueId(0), 10).await.unwrap()[0];
    assert_eq!(row.trace, traces(&f, Term::Recipient(address("yan@far.example"))).await.first().map(|t| t.id));
}

#[tokio::test]
async fn what_is_dropped_for_a_thousand_recipients_leaves_a_small_trace() {
    let f = fixture().await;
    f.alias("hole@example.org", &[":blackhole:"]).await;
    let many: Vec<String> = (0..1_000).map(|n| format!("hole+{n}@example.org")).collect();
    f.send(&many.iter().map(String::as_str).collect::<Vec<_>>()).await.unwrap();
    let found = traces(&f, Term::Recipient(address("hole+0@example.org"))).await;
    assert_eq!(found.len(), 1);
    let told = steps(&found[0]);
    assert!(told.iter().any(|step| step.contains("the ways of 950 recipients more are not kept")), "{told:?}");
    assert!(traces(&f, Term::Recipient(address("hole+999@example.org"))).await.is_empty(), "not a row for each");
    let octets = serde_json::to_vec(&found[0]).unwrap().len();
    assert!(octets < 32 * 1024, "{octets} octets");
}

#[tokio::test]
async fn the_trace_says_why_a_subaddress_has_no_folder() {
    let f = fixture().await;
    let folders = routing::objects::SubaddressFolders::Create;
    let domain = DomainObject { subaddress_folders: folders, ..DomainObject::new("example.org".parse().unwrap()) };
    f.store.put_object(Object::Domain(domain), PutMode::Replace).await.unwrap();
    let account = f.store.directory().account(&address("alice@example.org")).unwrap().id;
    let there = f.store.mailboxes(account).await.unwrap().len();
    for n in there..storage::limits::SUBADDRESS_MAILBOXES_MAX {
        f.store.create_mailbox(account, &format!("f{n}"), None).await.unwrap();
    }
    for (detail, why) in [
        ("new", "kept in INBOX, not in \"new\": the account has 200 folders already"),
        ("shared", "kept in INBOX, not in \"shared\": such a folder is not made for a subaddress"),
        ("sent", "kept in INBOX, not in \"sent\": that folder has a special use"),
    ] {
        let to = format!("alice+{detail}@example.org");
        f.send(&[to.as_str()]).await.unwrap();
        let told = steps(&traces(&f, Term::Recipient(address(&to))).await[0]);
        assert!(told.iter().any(|step| step.contains(why)), "{told:?}");
        assert!(told.iter().any(|step| step.starts_with("delivered to alice@example.org, mailbox INBOX")), "{told:?}");
    }
}

#[tokio::test]
async fn nothing_is_traced_when_none_are_kept() {
    let f = fixture().await;
    let delivery = f.delivery.clone().without_traces();
    let prepared = delivery.prepare(envelope(&["alice@example.org"]), MESSAGE).await.unwrap();
    f.store.transact(move |tx| prepared.apply(tx)).await.unwrap();
    delivery.trace_refusal(vec![Step::Decided { text: "x".to_owned() }], vec![]).await;
    assert!(f.store.traces(&TraceQuery { limit: 10, ..TraceQuery::default() }).await.unwrap().is_empty());
}

async fn with_key(f: &Fixture, state: KeyState) {
    let pkcs8 = sender_auth::dkim::generate(sender_auth::dkim::Algorithm::Ed25519).unwrap().to_vec();
    let algorithm = "ed25519-sha256".to_owned();
    let key = SigningKeyRow { selector: "s1".to_owned(), algorithm, pkcs8, state, created_at: Timestamp(0) };
    let domain: mail::Domain = "example.org".parse().unwrap();
    f.store.transact(move |tx| tx.put_signing_key(&domain, &key)).await.unwrap();
}

async fn prefix_of(f: &Fixture, content: &str, account: Option<&str>) -> String {
    let mut intake = f.delivery.intake(&ReversePath::Null, b"Received: x\r\n").await.unwrap();
    if let Some(account) = account {
        intake.submitted_by(f.store.directory().account(&address(account)).unwrap().id);
    }
    intake.write(content.as_bytes()).await.unwrap();
    let prepared = intake.finish(envelope(&["yan@far.example"])).await;
    let prepared = match prepared {
        Ok(prepared) => prepared,
        Err(refused) => panic!("{refused}"),
    };
    f.store.transact(move |tx| prepared.apply(tx)).await.unwrap();
    f.store.queue_entries(QueueId(0), 100).await.unwrap().pop().unwrap().prefix
}

#[tokio::test]
async fn what_somebody_submits_is_signed_for_the_domain_of_from() {
    let f = fixture().await;
    let own = "From: alice@example.org\r\nSubject: x\r\n\r\nbody\r\n";
    assert_eq!(prefix_of(&f, own, Some("alice@example.org")).await, "", "no key yet");
    with_key(&f, KeyState::Next).await;
    assert_eq!(prefix_of(&f, own, Some("alice@example.org")).await, "", "it signs nothing yet");
    with_key(&f, KeyState::Active).await;
    let signed = prefix_of(&f, own, Some("alice@example.org")).await;
    assert!(
        signed.starts_with("DKIM-Signature: v=1; a=ed25519-sha256;") && signed.contains("d=example.org;"),
        "{signed}"
    );
    assert!(signed.ends_with("\r\n") && !signed.contains("\r\n\r\n"));
    // What another server hands over is not ours to sign, whatever its From says.
    let f = fixture().await;
    with_key(&f, KeyState::Active).await;
    f.alias("out@example.org", &["yan@far.example"]).await;
    let mut intake = f.delivery.intake(&ReversePath::Null, b"Received: x\r\n").await.unwrap();
    intake.write(own.as_bytes()).await.unwrap();
    let prepared = intake.finish(envelope(&["out@example.org"])).await.unwrap();
    f.store.transact(move |tx| prepared.apply(tx)).await.unwrap();
    let prefix = f.store.queue_entries(QueueId(0), 10).await.unwrap()[0].prefix.clone();
    assert_eq!(prefix, "Delivered-To: out@example.org\r\n", "no signature");
    // An answer of the server's own is.
    let answer = f.delivery.prepare(envelope(&["yan@far.example"]), own.as_bytes()).await.unwrap();
    f.store.transact(move |tx| answer.apply(tx)).await.unwrap();
    assert!(f.store.queue_entries(QueueId(0), 10).await.unwrap()[1].prefix.starts_with("DKIM-Signature:"));
}

#[tokio::test]
async fn the_trace_says_who_gets_a_message_beyond_the_quota() {
    let f = fixture().await;
    f.alias("team@example.org", &["alice@example.org", "bob@example.org"]).await;
    let alice = f.store.directory().account(&address("alice@example.org")).unwrap().as_ref().clone();
    f.store
        .put_object(Object::Account(AccountObject { quota_messages: Some(1), ..alice }), PutMode::Replace)
        .await
        .unwrap();
    let beyond =
        |told: &[String]| told.iter().filter(|step| step.contains("beyond its quota")).cloned().collect::<Vec<_>>();
    f.send(&["team@example.org"]).await.unwrap();
    f.send(&["team@example.org"]).await.unwrap();
    let found = traces(&f, Term::Recipient(address("team@example.org"))).await;
    // The latest first.
    assert_eq!(
        beyond(&steps(&found[0])),
        ["alice@example.org: beyond its quota with this message, which it gets all the same: 2 of 1 messages"]
    );
    assert!(beyond(&steps(&found[1])).is_empty());
    assert_eq!((f.count("alice@example.org").await, f.count("bob@example.org").await), (2, 2));
}

#[tokio::test]
async fn a_message_has_the_number_that_its_client_was_told() {
    let f = fixture().await;
    let id = f.delivery.new_trace();
    let mut intake = f.delivery.intake(&ReversePath::Null, b"Received: x\r\n").await.unwrap();
    intake.traced_as(id);
    intake.write(MESSAGE).await.unwrap();
    let prepared = intake.finish(envelope(&["alice@example.org"])).await.unwrap();
    f.store.transact(move |tx| prepared.apply(tx)).await.unwrap();
    assert!(f.store.trace(id.unwrap()).await.unwrap().is_some());
}
