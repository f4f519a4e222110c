use std::sync::Arc;

use auth::{PasswordParams, PasswordRules};
use mail::{Address, Domain, Timestamp};
use routing::objects::{ListObject, ListRole, ResponderKind, Role, Target};
use storage::rows::{MemberState, RecipientState};
use storage::{MemoryEngine, SilentDoorbell};
use world::simulated::SimulatedWorld;

use super::*;

mod accounts;
mod leaving;
mod roles;

async fn store() -> Store {
    let sim = SimulatedWorld::new(Timestamp(1_700_000_000_000), 1);
    Store::open(Arc::new(MemoryEngine::new(Arc::new(SilentDoorbell))), sim.world()).await.unwrap()
}

/// Sends a request through JSON both ways, as the socket does.
async fn ask(store: &Store, request: Request) -> Result<Response, AdminError> {
    let wire = serde_json::to_string(&request).unwrap();
    let request: Request = serde_json::from_str(&wire).unwrap();
    ask_as(store, &settings(), &Actor::System, request).await
}

/// Cheap passwords of any strength.
fn settings() -> Settings {
    let rules = PasswordRules { strength_min: 0, ..PasswordRules::default() };
    Settings { password: PasswordParams::CHEAPEST, rules, ..Settings::default() }
}

/// The same, on somebody's behalf.
async fn ask_as(store: &Store, settings: &Settings, actor: &Actor, request: Request) -> Result<Response, AdminError> {
    let answer = execute(store, settings, actor, request).await;
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
    Request::Domain(DomainRequest::Add {
        name: name(text),
        catch_all,
        postmaster,
        subaddress_separators,
        content: Box::default(),
    })
}

fn add_account(text: &str) -> Request {
    Request::Account(AccountRequest::Add(NewAccount::new(address(text))))
}

fn add_alias(text: &str, targets: &[&str]) -> Request {
    let targets = targets.iter().copied().map(target).collect();
    Request::Alias(AliasRequest::Add { address: address(text), targets, note: None, terms: Box::default() })
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
    let targets: Vec<String> = alias.alias.targets.into_iter().map(String::from).collect();
    assert_eq!(targets, ["alice@example.org", "bob@example.org", ""]);
    let remove = |targets: &[&str]| {
        let targets = targets.iter().copied().map(target).collect();
        Request::Alias(AliasRequest::Remove { address: address("info@example.org"), targets, by: None, force: false })
    };
    let Ok(Response::Alias(alias)) = ask(&store, remove(&["", "bob@example.org"])).await else { panic!() };
    assert_eq!(alias.alias.targets, [target("alice@example.org")]);
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
    assert!(
        refused.message.ends_with("the alias info@example.org leads to it; the alias only@example.org leads to it"),
        "{refused}"
    );
    ask(&store, remove(true)).await.unwrap();
    let info = store.directory().alias(&address("info@example.org")).cloned().unwrap();
    assert_eq!(info.targets, [target("bob@example.org")]);
    assert!(store.directory().alias(&address("only@example.org")).is_none());

    let remove = |force| Request::Domain(DomainRequest::Remove { name: name("example.org"), force });
    let refused = ask(&store, remove(false)).await.unwrap_err();
    assert_eq!(refused.message, "the domain example.org still has 1 account, 1 alias, 0 responders");
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
    // One that an alias leads to is told by where it stands.
    ask(&store, add_alias("desk@example.org", &["info@example.org"])).await.unwrap();
    let told = explained(&store, "customer@elsewhere.example", "desk@example.org", None, None).await;
    assert!(told.responders[0].starts_with("responder 1 (autoresponder at info@example.org)"), "{:?}", told.responders);
}

async fn explained(store: &Store, from: &str, to: &str, login: Option<&str>, octets: Option<u64>) -> Explanation {
    let from = mail::ReversePath::parse(&format!("<{from}>")).unwrap();
    let request = Request::Explain { from, to: address(to), account: login.map(address), octets };
    match ask(store, request).await {
        Ok(Response::Explanation(told)) => *told,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn explain_tells_what_a_sender_hears_with_and_without_login() {
    let store = stage().await;
    let (alice, bob, far) = ("alice@example.org", "bob@example.org", "x@elsewhere.example");
    let large = settings().delivery.message_octets_max;
    for (from, to, login, octets, code, verdict) in [
        (alice, far, None, None, Some(550), "refused: 550 5.7.1 Relaying denied"),
        (alice, far, Some(alice), None, None, "accepted: relayed to x@elsewhere.example"),
        (bob, far, Some(alice), None, Some(550), "refused: 550 5.7.1 You may not send as bob@example.org"),
        (bob, alice, Some(alice), None, Some(550), "refused: 550 5.7.1 You may not send as bob@example.org"),
        (far, alice, None, Some(large), None, "accepted"),
        (far, alice, None, Some(large + 1), Some(552), "refused: 552 5.3.4 "),
        (far, "nobody@example.org", None, None, Some(550), "refused, "),
    ] {
        let told = explained(&store, from, to, login, octets).await;
        let last = told.text.lines().last().unwrap();
        assert!(last.starts_with(verdict), "{from} {to} {login:?}: {}", told.text);
        assert_eq!(told.reply.map(|reply| reply.code), code, "{from} {to} {login:?}");
    }
}

#[tokio::test]
async fn explain_tells_what_a_list_does_with_a_post() {
    let store = stage().await;
    let garden = || address("garden@example.org");
    let content = |content| Request::List(Box::new(ListRequest::Set { address: garden(), content: Box::new(content) }));
    let owners = ListContent { owners: Some(vec![address("alice@example.org")]), ..ListContent::default() };
    let add = ListRequest::Add { address: garden(), content: Box::new(owners) };
    ask(&store, Request::List(Box::new(add))).await.unwrap();
    let member = NewMember { address: address("zoe@far.example"), name: String::new(), language: None };
    ask(&store, Request::List(Box::new(ListRequest::MemberAdd { list: garden(), member }))).await.unwrap();
    let (zoe, far, alice) = ("zoe@far.example", "x@elsewhere.example", "alice@example.org");
    let policy = |non_members| ListContent { non_members: Some(non_members), ..ListContent::default() };
    let hold = || policy(routing::objects::NonMembers::Hold);
    let moderated = ListContent { moderated: Some(true), ..hold() };
    for (set, from, login, fate) in [
        (hold(), far, None, "waits for a moderator: the sender is not a member"),
        (hold(), zoe, None, "sent to the members"),
        (policy(routing::objects::NonMembers::Refuse), far, None, "refused with a letter: the sender is not a member"),
        (policy(routing::objects::NonMembers::Accept), far, None, "sent to the members"),
        (moderated, zoe, None, "waits for a moderator: the list is moderated"),
        (hold(), alice, Some(alice), "sends it to its members: an owner or a moderator writes"),
    ] {
        ask(&store, content(set)).await.unwrap();
        let told = explained(&store, from, "garden@example.org", login, None).await;
        assert!(told.text.ends_with(&format!("list garden@example.org: {fate}\n")), "{from}: {}", told.text);
    }
}

#[tokio::test]
async fn too_little_space_names_the_reserve() {
    let sim = SimulatedWorld::new(Timestamp(1_700_000_000_000), 1);
    let engine = Arc::new(MemoryEngine::new(Arc::new(SilentDoorbell)));
    let store = Store::open(engine.clone(), sim.world()).await.unwrap();
    engine.fail_after(0, storage::StorageError::DiskFull);
    let settings = Settings { free_space_reserve_mib: 77, ..settings() };
    let error = ask_as(&store, &settings, &Actor::System, add_domain("example.org")).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::DiskFull);
    assert!(error.message.contains("the reserve of 77 MiB ([storage] free_space_reserve_mib)"), "{error}");
    assert!(error.hint.unwrap().contains("make room"));
}

#[tokio::test]
async fn a_postmaster_must_exist_and_an_object_goes_before_it() {
    let store = stage().await;
    let set = |postmaster: &str, catch_all: Edit<Address>| {
        Request::Domain(DomainRequest::Set {
            name: name("example.org"),
            catch_all,
            postmaster: Edit::Set(address(postmaster)),
            subaddress_separators: None,
            enabled: None,
            content: Box::default(),
        })
    };
    let view = |answer| match answer {
        Ok(Response::Domain(view)) => view,
        other => panic!("{other:?}"),
    };
    assert!(said(ask(&store, set("ghost@example.org", Edit::Keep)).await).contains("ghost@example.org can't be used"));
    let bob = || Edit::Set(address("bob@example.org"));
    assert_eq!(view(ask(&store, set("alice@example.org", bob())).await).postmaster_object, None);
    // Every address leads to the catch-all now; this one is still nobody's.
    assert!(said(ask(&store, set("ghost@example.org", Edit::Keep)).await).contains("nothing has this address"));
    ask(&store, add_account("postmaster@example.org")).await.unwrap();
    assert!(said(ask(&store, set("ghost@example.org", Edit::Keep)).await).contains("nothing has this address"));
    let object = view(ask(&store, set("bob@example.org", Edit::Keep)).await).postmaster_object;
    assert_eq!(object.as_deref(), Some("account postmaster@example.org"));
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

mod addresses;
mod lists;
mod references;

fn external(content: ExternalContent) -> Request {
    let owner = address("alice@example.org");
    Request::External(Box::new(ExternalRequest::Add {
        owner,
        protocol: routing::objects::ExternalProtocol::Imap,
        content: Box::new(content),
    }))
}

fn elsewhere() -> ExternalContent {
    ExternalContent {
        host: Some("imap.b.example".into()),
        login: Some("far".into()),
        password: Some("nur für drüben".into()),
        ..ExternalContent::default()
    }
}

#[tokio::test]
async fn m08_an_external_account_is_made_changed_and_removed_and_its_password_is_in_no_answer() {
    let store = stage().await;
    let show = Request::External(Box::new(ExternalRequest::Show { id: 1 }));
    let list = Request::External(Box::new(ExternalRequest::List { owner: Some(address("ALICE@example.org")) }));
    let set = |content: ExternalContent| {
        Request::External(Box::new(ExternalRequest::Set { id: 1, content: Box::new(content) }))
    };
    let off = ExternalContent { enabled: Some(false), ..ExternalContent::default() };
    for request in [external(elsewhere()), show.clone(), list, set(off)] {
        let answer = ask(&store, request).await;
        let json = serde_json::to_string(&answer).unwrap();
        let sealed = store.directory().external(1).unwrap().password.clone().unwrap().0;
        assert!(answer.is_ok() && !json.contains("drüben") && !json.contains(&sealed), "{json}");
        assert!(json.contains("\"has_password\":true") && json.contains("\"port\":993"), "{json}");
    }
    // Another server would be told the password: it must be said again.
    let host = ExternalContent { host: Some("evil.example".into()), ..ExternalContent::default() };
    assert!(said(ask(&store, set(host)).await).contains("password must be given again"));
    let sealer = auth::Sealer::for_external_accounts(&store).await.unwrap();
    let sealed = store.directory().external(1).unwrap().password.clone().unwrap().0;
    assert_eq!(sealer.open(1, &sealed).unwrap().expose(), "nur für drüben");
    let now = Request::External(Box::new(ExternalRequest::FetchNow { id: 1 }));
    assert!(said(ask(&store, now).await).contains("switched off"));
    ask(&store, Request::External(Box::new(ExternalRequest::Remove { id: 1 }))).await.unwrap();
    assert!(said(ask(&store, show).await).contains("no external account 1"));
}

#[tokio::test]
async fn m08_external_accounts_that_can_not_work_are_refused_with_what_to_do() {
    use routing::objects::{AfterFetch, ExternalFolder, ExternalSecurity};
    let store = stage().await;
    let folder = |remote: &str| ExternalFolder { remote: remote.into(), local: None };
    let wrong = [
        (ExternalContent { password: None, ..elsewhere() }, "needs a password"),
        (ExternalContent { host: None, ..elsewhere() }, "needs a host"),
        (ExternalContent { security: Some(ExternalSecurity::None), ..elsewhere() }, "unprotected"),
        (ExternalContent { interval_secs: Some(5), ..elsewhere() }, "shortest interval"),
        (ExternalContent { port: Some(0), ..elsewhere() }, "no port"),
        (ExternalContent { login: Some("a\r\nb".into()), ..elsewhere() }, "no login"),
        (ExternalContent { folders: Some(vec![folder("A"), folder("A")]), ..elsewhere() }, "named twice"),
        (ExternalContent { mailbox: Some("a//b".into()), ..elsewhere() }, "mailbox name"),
        (ExternalContent { after_fetch: Some(AfterFetch::DeleteAfterDays(0)), ..elsewhere() }, "at once"),
        (ExternalContent { ca_pem: Edit::Set("x".into()), ..elsewhere() }, "PEM"),
        (ExternalContent { password: Some("x".repeat(2_000).into()), ..elsewhere() }, "longer"),
    ];
    for (content, reason) in wrong {
        let told = said(ask(&store, external(content)).await);
        assert!(told.contains(reason), "{reason}: {told}");
    }
    assert_eq!(store.directory().externals().count(), 0);
    for n in 0..11 {
        let answer = ask(&store, external(elsewhere())).await;
        assert_eq!(answer.is_ok(), n < 10, "{n}");
    }
    // They go with their owner.
    let remove = Request::Account(AccountRequest::Remove { address: address("alice@example.org"), force: true });
    ask(&store, remove).await.unwrap();
    assert_eq!(store.directory().externals().count(), 0);
    let mut found = Vec::new();
    storage::check::check(&store, true, &mut |finding| found.push(finding.to_string())).await.unwrap();
    assert!(found.is_empty(), "{found:?}");
}

mod shared;

#[tokio::test]
async fn an_account_goes_with_more_contacts_than_one_transaction_removes() {
    let store = stage().await;
    let alice = store.directory().account(&address("alice@example.org")).unwrap().id;
    for page in 0..30 {
        let known: Vec<Address> = (0..100).map(|n| address(&format!("u{page}x{n}@r.example"))).collect();
        let now = store.now();
        let learned = store.transact(move |tx| tx.learn_contacts(alice, &known, now)).await;
        assert!(learned.is_ok());
    }
    let remove = serde_json::json!({"account": {"remove": {"address": "alice@example.org", "force": true}}});
    ask(&store, serde_json::from_value(remove).unwrap()).await.unwrap();
    assert!(store.contacts(alice, None, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn indexes_are_built_anew_for_one_account_or_for_all() {
    let store = store().await;
    ask(&store, add_domain("example.org")).await.unwrap();
    for who in ["alice", "bob"] {
        let new = NewAccount::new(address(&format!("{who}@example.org")));
        ask(&store, Request::Account(AccountRequest::Add(new))).await.unwrap();
    }
    let id = store.directory().account_at(&address("alice@example.org")).unwrap().id;
    let inbox = store.mailbox_by_name(id, "INBOX").await.unwrap().unwrap().id;
    let place = store.begin_index_segment(id, inbox).await.unwrap().value;
    let segment = storage::rows::IndexSegment {
        number: place.segment,
        first: mail::Uid(1),
        last: mail::Uid(1),
        messages: 1,
        partial: false,
    };
    let segment = Some((segment, Vec::new().into()));
    store.finish_index_segment(place, segment, Vec::new(), mail::Uid(1)).await.unwrap();
    let reindex = async |account: Option<&str>| ask(&store, Request::Reindex { account: account.map(address) }).await;
    let Ok(Response::Done(_)) = reindex(Some("bob@example.org")).await else { panic!("not done") };
    assert_eq!(store.index_row(id, inbox).await.unwrap().indexed_to, 1);
    let Ok(Response::Done(_)) = reindex(None).await else { panic!("not done") };
    assert_eq!(store.index_row(id, inbox).await.unwrap().indexed_to, 0);
    assert_eq!(reindex(Some("carol@example.org")).await.unwrap_err().kind, ErrorKind::NotFound);
    // What everyone has is an administrator's.
    let actor = Actor::Account { id, remote: None };
    let request = Request::Reindex { account: Some(address("alice@example.org")) };
    let denied = ask_as(&store, &settings(), &actor, request).await.unwrap_err();
    assert_eq!(denied.kind, ErrorKind::Denied);
}
