use std::sync::Arc;

use mail::{Address, Domain, Timestamp};
use routing::objects::{AccountKind, Member, ResponderKind, Role, SeenState, Target};
use storage::{MemoryEngine, SilentDoorbell};
use world::simulated::SimulatedWorld;

use super::*;

async fn store() -> Store {
    let sim = SimulatedWorld::new(Timestamp(1_700_000_000_000), 1);
    Store::open(Arc::new(MemoryEngine::new(Arc::new(SilentDoorbell))), sim.world()).await.unwrap()
}

/// Sends a request through JSON both ways, as the socket does.
async fn ask(store: &Store, request: Request) -> Result<Response, AdminError> {
    let wire = serde_json::to_string(&request).unwrap();
    let request = serde_json::from_str(&wire).unwrap();
    let settings = Settings { password: PasswordParams::CHEAPEST };
    let answer = execute(store, settings, request).await;
    let wire = serde_json::to_string(&answer).unwrap();
    assert_eq!(serde_json::from_str::<Result<Response, AdminError>>(&wire).unwrap(), answer);
    answer
}

fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

fn name(text: &str) -> Domain {
    Domain::parse(text).unwrap()
}

fn target(text: &str) -> Target {
    Target::try_from(text.to_owned()).unwrap()
}

fn add_domain(text: &str) -> Request {
    let (catch_all, postmaster, subaddress_separators) = (None, None, None);
    Request::Domain(DomainRequest::Add { name: name(text), catch_all, postmaster, subaddress_separators })
}

fn add_account(text: &str) -> Request {
    Request::Account(AccountRequest::Add(NewAccount::new(address(text))))
}

fn add_alias(text: &str, targets: &[&str]) -> Request {
    let targets = targets.iter().copied().map(target).collect();
    Request::Alias(AliasRequest::Add { address: address(text), targets, note: None })
}

/// example.org with alice and bob.
async fn stage() -> Store {
    let store = store().await;
    for request in [add_domain("example.org"), add_account("alice@example.org"), add_account("bob@example.org")] {
        ask(&store, request).await.unwrap();
    }
    store
}

fn said(answer: Result<Response, AdminError>) -> String {
    match answer {
        Ok(response) => format!("{response:?}"),
        Err(error) => error.to_string(),
    }
}

#[tokio::test]
async fn a_generated_password_is_told_once_and_never_again() {
    let store = stage().await;
    let Ok(Response::Account(view)) = ask(&store, add_account("carol@example.org")).await else { panic!() };
    assert_eq!(view.generated_password.unwrap().expose().len(), 23);
    let show = Request::Account(AccountRequest::Show { address: address("CAROL@example.org") });
    let Ok(Response::Account(view)) = ask(&store, show).await else { panic!() };
    assert!(view.generated_password.is_none() && view.has_password);
    assert_eq!((view.messages, view.octets), (Some(0), Some(0)));
}

#[tokio::test]
async fn an_unknown_domain_is_refused_with_those_that_are_known() {
    let store = stage().await;
    assert_eq!(
        said(ask(&store, add_account("x@exmaple.org")).await),
        "there is no domain exmaple.org\n  did you mean example.org? known: example.org; \
         `relais domain add exmaple.org` adds it"
    );
    assert_eq!(
        said(ask(&store, add_alias("x@other.net", &["alice@example.org"])).await),
        "there is no domain other.net\n  known: example.org; `relais domain add other.net` adds it"
    );
}

#[tokio::test]
async fn what_is_there_is_not_added_again_and_what_is_not_has_a_neighbour() {
    let store = stage().await;
    let twice = ask(&store, add_account("Alice@Example.org")).await.unwrap_err();
    assert_eq!(twice.kind, ErrorKind::Exists);
    let twice = ask(&store, add_domain("example.org")).await.unwrap_err();
    assert_eq!(twice.kind, ErrorKind::Exists);
    let show = Request::Account(AccountRequest::Show { address: address("alcie@example.org") });
    assert_eq!(
        said(ask(&store, show).await),
        "there is no account alcie@example.org\n  did you mean alice@example.org?"
    );
}

#[tokio::test]
async fn what_no_account_can_be_is_told() {
    let store = stage().await;
    type Change = fn(&mut NewAccount);
    let cases: [(Change, &str); 6] = [
        (|new| new.password = Some("short".into()), "a password needs at least 8 characters"),
        (|new| new.password = Some("line\nbreaks".into()), "a password can't have control characters"),
        (|new| new.password_hash = Some("plain".into()), "x@example.org: the password hash is not Argon2id"),
        (|new| new.language = Some("de".into()), "the language \"de\" is not known"),
        (|new| new.time_zone = Some("Europe/Pairs".into()), "\"Europe/Pairs\" is no time zone"),
        (|new| new.display_name = "A\nB".into(), "the name is too long or has a control character"),
    ];
    for (change, expected) in cases {
        let mut new = NewAccount::new(address("x@example.org"));
        change(&mut new);
        let error = said(ask(&store, Request::Account(AccountRequest::Add(new))).await);
        assert!(error.starts_with(expected), "{error}");
    }
}

#[tokio::test]
async fn an_account_is_edited_field_by_field() {
    let store = stage().await;
    let edit = serde_json::json!({"account": {"set": {
        "address": "alice@example.org", "role": "domain-administrator", "quota_octets": {"set": 1000},
        "time_zone": "Europe/Paris", "language": "fr"
    }}});
    let Ok(Response::Account(view)) = ask(&store, serde_json::from_value(edit).unwrap()).await else { panic!() };
    assert_eq!((view.role, view.quota_octets, view.language.as_str()), (Role::DomainAdministrator, Some(1000), "fr"));
    let edit = serde_json::json!({"account": {"set": {"address": "alice@example.org", "quota_octets": "clear"}}});
    let Ok(Response::Account(view)) = ask(&store, serde_json::from_value(edit).unwrap()).await else { panic!() };
    assert_eq!((view.quota_octets, view.time_zone.as_str()), (None, "Europe/Paris"));
}

#[tokio::test]
async fn an_import_adds_what_is_missing() {
    let store = stage().await;
    let mut accounts: Vec<NewAccount> =
        (0..200).map(|n| NewAccount::new(address(&format!("user{n}@example.org")))).collect();
    for new in &mut accounts {
        new.password = Some("long enough".into());
    }
    accounts.push(NewAccount::new(address("alice@example.org")));
    accounts.push(NewAccount::new(address("zoe@example.org")));
    let Ok(Response::Imported(report)) = ask(&store, Request::Account(AccountRequest::Import { accounts })).await
    else {
        panic!()
    };
    assert_eq!((report.added, report.present), (201, 1));
    let told: Vec<String> = report.generated_passwords.iter().map(|(address, _)| address.to_string()).collect();
    assert_eq!(told, ["zoe@example.org"]);
    assert_eq!(store.directory().accounts().count(), 203);
}

#[tokio::test]
async fn r03_redirects_of_an_alias_add_up() {
    let store = stage().await;
    ask(&store, add_alias("info@example.org", &["alice@example.org"])).await.unwrap();
    let added = ask(&store, add_alias("INFO@example.org", &["bob@example.org", "ALICE@example.org", ""])).await;
    let Ok(Response::Alias(alias)) = added else { panic!("{added:?}") };
    let targets: Vec<String> = alias.targets.into_iter().map(String::from).collect();
    assert_eq!(targets, ["alice@example.org", "bob@example.org", ""]);
    let remove = |targets: &[&str]| {
        let targets = targets.iter().copied().map(target).collect();
        Request::Alias(AliasRequest::Remove { address: address("info@example.org"), targets })
    };
    let Ok(Response::Alias(alias)) = ask(&store, remove(&["", "bob@example.org"])).await else { panic!() };
    assert_eq!(alias.targets, [target("alice@example.org")]);
    assert_eq!(
        said(ask(&store, remove(&["alice@example.org"])).await),
        "info@example.org would lead nowhere\n  `relais alias remove info@example.org` deletes the whole alias"
    );
    assert!(said(ask(&store, remove(&[":blackhole:"])).await).starts_with("info@example.org does not lead to"));
    ask(&store, remove(&[])).await.unwrap();
    assert_eq!(store.directory().aliases().count(), 0);
}

#[tokio::test]
async fn an_alias_is_checked_by_routing() {
    let store = stage().await;
    ask(&store, add_alias("a@example.org", &["alice@example.org"])).await.unwrap();
    ask(&store, add_alias("b@example.org", &["a@example.org"])).await.unwrap();
    assert_eq!(
        said(ask(&store, add_alias("a@example.org", &["b@example.org"])).await),
        "the redirects would lead in a circle: a@example.org → b@example.org → a@example.org"
    );
    let error = said(ask(&store, add_alias("c@example.org", &["nobody@example.org"])).await);
    assert!(error.starts_with("the target nobody@example.org does not exist"), "{error}");
}

#[tokio::test]
async fn nothing_is_removed_from_under_what_hangs_on_it() {
    let store = stage().await;
    ask(&store, add_alias("info@example.org", &["alice@example.org", "bob@example.org"])).await.unwrap();
    ask(&store, add_alias("only@example.org", &["alice@example.org"])).await.unwrap();
    let remove = |force| Request::Account(AccountRequest::Remove { address: address("alice@example.org"), force });
    let refused = ask(&store, remove(false)).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::InUse);
    assert!(refused.message.ends_with("aliases lead to it: info@example.org, only@example.org"), "{refused}");
    ask(&store, remove(true)).await.unwrap();
    let info = store.directory().alias(&address("info@example.org")).cloned().unwrap();
    assert_eq!(info.targets, [target("bob@example.org")]);
    assert!(store.directory().alias(&address("only@example.org")).is_none());

    let remove = |force| Request::Domain(DomainRequest::Remove { name: name("example.org"), force });
    let refused = ask(&store, remove(false)).await.unwrap_err();
    assert_eq!(refused.message, "the domain example.org still has 1 accounts, 1 aliases, 0 responders");
    ask(&store, remove(true)).await.unwrap();
    let directory = store.directory();
    assert_eq!((directory.domains().count(), directory.accounts().count(), directory.aliases().count()), (0, 0, 0));
}

fn add_responder(at: &str, content: ResponderContent) -> Request {
    Request::Responder(ResponderRequest::Add { address: address(at), content: Box::new(content) })
}

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
    assert_eq!((made.id, made.frequency_secs, made.keep), (1, 86_400, false));
    assert_eq!((made.starts.as_deref(), made.ends.as_deref()), (Some("2026-07-01"), Some("2026-07-14")));
    let content = Box::new(ResponderContent { ends: Edit::Clear, enabled: Some(false), ..ResponderContent::default() });
    let Ok(Response::Responder(made)) =
        ask(&store, Request::Responder(ResponderRequest::Set { id: 1, address: None, content })).await
    else {
        panic!()
    };
    assert!(made.ends.is_none() && !made.enabled && made.starts.is_some());
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

#[tokio::test]
async fn the_queue_is_held_resumed_and_emptied() {
    let store = stage().await;
    let ids = enqueue(&store, 3).await;
    let list = || Request::Queue(QueueRequest::List { after: None, limit: None });
    let entries = |answer| match answer {
        Ok(Response::QueueEntries(entries)) => entries,
        other => panic!("{other:?}"),
    };
    assert_eq!(entries(ask(&store, list()).await).len(), 3);
    let hold = Request::Queue(QueueRequest::Hold(QueueSelection::Entries(vec![ids[0]])));
    assert_eq!(ask(&store, hold).await, Ok(Response::Done("1 queue entry held".into())));
    assert_eq!(entries(ask(&store, list()).await).iter().filter(|entry| entry.held).count(), 1);
    let resume = Request::Queue(QueueRequest::Resume(QueueSelection::Destination(name("remote.example"))));
    ask(&store, resume).await.unwrap();
    assert!(entries(ask(&store, list()).await).iter().all(|entry| !entry.held));
    let missing = Request::Queue(QueueRequest::Retry(QueueSelection::Entries(vec![mail::QueueId(99)])));
    assert_eq!(ask(&store, missing).await.unwrap_err().kind, ErrorKind::NotFound);
    let all = Request::Queue(QueueRequest::Remove(QueueSelection::All));
    assert_eq!(ask(&store, all).await, Ok(Response::Done("3 queue entries removed; nobody is told".into())));
    assert!(entries(ask(&store, list()).await).is_empty());
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
            body: mail::BodyType::SevenBit,
            blob: blob.hash,
            skip_octets: 0,
            octets: 16,
            recipients: vec![],
            accepted_at: now,
            attempts: 0,
            next_attempt: now,
            last_error: None,
            delay_notified: false,
            held: false,
        };
        (0..number).map(|_| tx.enqueue(row.clone())).collect::<Result<Vec<_>, _>>()
    });
    done.await.unwrap().value
}

#[tokio::test]
async fn explain_tells_the_way_and_the_verdict() {
    let store = stage().await;
    ask(&store, add_alias("info@example.org", &["alice@example.org", ":blackhole:"])).await.unwrap();
    let explain =
        |to: &str| Request::Explain { from: mail::ReversePath::Null, to: address(to), account: None, octets: None };
    let Ok(Response::Explanation(told)) = ask(&store, explain("info@example.org")).await else { panic!() };
    assert!(
        told.text.contains("alias info@example.org") && told.text.contains("mailbox alice@example.org"),
        "{}",
        told.text
    );
    let Ok(Response::Explanation(told)) = ask(&store, explain("nobody@example.org")).await else { panic!() };
    assert!(told.text.contains("refused"), "{}", told.text);
    let content = ResponderContent {
        subject: Some("Prices".into()),
        text: Edit::Set("1 EUR".into()),
        ..ResponderContent::default()
    };
    ask(&store, add_responder("info@example.org", content)).await.unwrap();
    let Ok(Response::Explanation(told)) = ask(&store, explain("info@example.org")).await else { panic!() };
    assert_eq!(
        told.responders,
        ["responder 1 (autoresponder at info@example.org) does not answer: the message has a null reverse-path"]
    );
    let from = mail::ReversePath::parse("<customer@elsewhere.example>").unwrap();
    let Ok(Response::Explanation(told)) =
        ask(&store, Request::Explain { from, to: address("info@example.org"), account: None, octets: None }).await
    else {
        panic!()
    };
    assert!(told.responders[0].contains("answers customer@elsewhere.example"), "{:?}", told.responders);
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
    drop(parked.await.unwrap());
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

#[tokio::test]
async fn an_account_can_not_come_into_a_domain_that_goes() {
    let store = stage().await;
    let remove = |force| Request::Domain(DomainRequest::Remove { name: name("example.org"), force });
    // Adding hashes a password first; the domain goes in that time.
    let (removed, added) = tokio::join!(ask(&store, remove(true)), ask(&store, add_account("late@example.org")));
    let account = store.directory().account(&address("late@example.org")).is_some();
    let domain = store.directory().domain(&name("example.org")).is_some();
    assert_eq!((removed.is_ok(), added.is_ok()), (!domain, account), "{removed:?} {added:?}");
    assert!(domain || !account, "an account without a domain");
}

fn add_shared(members: &[(&str, &str)]) -> Request {
    let members = members.iter().map(|(who, rights)| Member { account: address(who), rights: (*rights).to_owned() });
    Request::Shared(SharedRequest::Add(NewShared {
        address: address("info@example.org"),
        display_name: "Info".to_owned(),
        quota_octets: None,
        seen: SeenState::Shared,
        members: members.collect(),
        note: String::new(),
    }))
}

fn put_member(person: &str, rights: &str, already: bool) -> Request {
    let (address, person) = (address("info@example.org"), address(person));
    Request::Shared(SharedRequest::PutMember { address, person, rights: rights.to_owned(), already })
}

#[tokio::test]
async fn r07_a_shared_mailbox_has_members_with_roles_and_nobody_logs_in_to_it() {
    let store = stage().await;
    let Response::Shared(made) = ask(&store, add_shared(&[("alice@example.org", "poster")])).await.unwrap() else {
        panic!("a shared mailbox")
    };
    assert_eq!((made.shared.members[0].rights.as_str(), made.shared.file_sent), ("lrswipte", true));
    let account = store.directory().account(&address("info@example.org")).cloned().unwrap();
    assert_eq!((account.kind, account.password_hash.as_ref()), (AccountKind::Shared, None));
    ask(&store, put_member("bob@example.org", "lr", false)).await.unwrap();
    ask(&store, put_member("BOB@example.org", "writer", true)).await.unwrap();
    let shown = Request::Shared(SharedRequest::Show { address: address("info@example.org") });
    let Response::Shared(shown) = ask(&store, shown).await.unwrap() else { panic!("a shared mailbox") };
    assert_eq!(shown.shared.members[1].rights, "lrswite");
    assert_eq!((shown.messages, shown.octets), (Some(0), Some(0)));
    for (request, text) in [
        (add_shared(&[]), "is there already"),
        (put_member("bob@example.org", "lr", false), "is a member of info@example.org already"),
        (put_member("nobody@example.org", "lr", false), "there is no account nobody@example.org"),
        (put_member("info@example.org", "lr", false), "not a person"),
        (put_member("bob@example.org", "chief", true), "there is no right"),
        (put_member("bob@example.org", "Lr", true), "rights are lowercase letters"),
        (Request::Shared(SharedRequest::Show { address: address("bob@example.org") }), "is a person's account"),
        (Request::Shared(SharedRequest::Show { address: address("inf@example.org") }), "did you mean info@example.org?"),
    ] {
        let told = said(ask(&store, request).await);
        assert!(told.contains(text), "{told}");
    }
    let remove = |person| {
        Request::Shared(SharedRequest::RemoveMember { address: address("info@example.org"), person: address(person) })
    };
    ask(&store, remove("bob@example.org")).await.unwrap();
    assert!(said(ask(&store, remove("bob@example.org")).await).contains("is no member of info@example.org"));
    let removed = Request::Shared(SharedRequest::Remove { address: address("info@example.org"), force: false });
    assert!(said(ask(&store, removed).await).contains("removed"));
}

#[tokio::test]
async fn r07_single_mailboxes_have_lists_and_seen_states_of_their_own() {
    let store = stage().await;
    ask(&store, add_shared(&[("alice@example.org", "writer")])).await.unwrap();
    let at = |mailbox: &str| (address("info@example.org"), mailbox.to_owned());
    let set = |identifier: &str, rights: &str| {
        let (address, mailbox) = at("Sent");
        Request::Acl(AclRequest::Set { address, mailbox, identifier: identifier.to_owned(), rights: rights.to_owned() })
    };
    for (identifier, rights) in [("bob@example.org", "reader"), ("anyone", "l"), ("-alice@example.org", "te")] {
        ask(&store, set(identifier, rights)).await.unwrap();
    }
    let (owner, mailbox) = at("Sent");
    let seen = Edit::Set(SeenState::PerPerson);
    let Response::Acl(list) = ask(&store, Request::Acl(AclRequest::Seen { address: owner, mailbox, seen })).await.unwrap()
    else {
        panic!("a list")
    };
    let lines: Vec<(String, String)> =
        list.lines.iter().map(|line| (line.identifier.clone(), line.rights.to_string())).collect();
    let lines: Vec<(&str, &str)> = lines.iter().map(|(who, rights)| (who.as_str(), rights.as_str())).collect();
    let expected =
        [("alice@example.org", "lrswite"), ("bob@example.org", "lrs"), ("anyone", "l"), ("-alice@example.org", "te")];
    assert_eq!((lines.as_slice(), list.seen), (expected.as_slice(), Some(SeenState::PerPerson)));
    for (request, text) in [
        (set("bob", "lr"), "is nobody's address here"),
        (set("info@example.org", "lr"), "is nobody's address here"),
        (set("bob@example.org", "lrz"), "there is no right"),
        (
            Request::Acl(AclRequest::Show { address: address("info@example.org"), mailbox: "Nowhere".to_owned() }),
            "it has Archive, Drafts, INBOX, Junk, Sent, Trash",
        ),
        (
            Request::Acl(AclRequest::Set {
                address: address("alice@example.org"),
                mailbox: "INBOX".to_owned(),
                identifier: "alice@example.org".to_owned(),
                rights: "lr".to_owned(),
            }),
            "has all rights and keeps them",
        ),
    ] {
        let told = said(ask(&store, request).await);
        assert!(told.contains(text), "{told}");
    }
    let (address, mailbox) = at("Sent");
    let request = AclRequest::Remove { address, mailbox, identifier: "-alice@example.org".to_owned() };
    let Response::Acl(list) = ask(&store, Request::Acl(request)).await.unwrap() else { panic!("a list") };
    assert_eq!(list.lines.len(), 3);
}
