use std::sync::Arc;

use auth::{PasswordParams, PasswordRules};
use mail::{Address, Domain, Timestamp};
use routing::objects::{ListObject, ListRole, ResponderKind, Role, Target};
use storage::rows::{MemberState, RecipientState};
use storage::{MemoryEngine, SilentDoorbell};
use world::simulated::SimulatedWorld;

use super::*;

mod accounts;
mod addresses;
mod bans;
mod externals;
mod filters;
mod leaving;
mod lists;
mod queue;
mod references;
mod reputation;
mod responders;
mod roles;
mod sending;
mod shared;
mod spam;
mod traces;

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

fn add_responder(at: &str, content: ResponderContent) -> Request {
    Request::Responder(ResponderRequest::Add { address: address(at), content: Box::new(content) })
}

fn external(content: ExternalContent) -> Request {
    let owner = address("alice@example.org");
    Request::External(Box::new(ExternalRequest::Add {
        owner,
        protocol: routing::objects::ExternalProtocol::Imap,
        content: Box::new(content),
    }))
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
        "quota_messages": {"set": 20}, "quota_mailboxes": {"set": 7}, "time_zone": "Europe/Paris", "language": "fr"
    }}});
    let Ok(Response::Account(view)) = ask(&store, serde_json::from_value(edit).unwrap()).await else { panic!() };
    assert_eq!((view.role, view.quota_octets, view.language.as_str()), (Role::DomainAdministrator, Some(1000), "fr"));
    assert_eq!((view.quota_messages, view.quota_mailboxes), (Some(20), Some(7)));
    let edit = serde_json::json!({"account": {"set": {
        "address": "alice@example.org", "quota_octets": "clear", "quota_messages": "clear"
    }}});
    let Ok(Response::Account(view)) = ask(&store, serde_json::from_value(edit).unwrap()).await else { panic!() };
    assert_eq!((view.quota_messages, view.quota_mailboxes), (None, Some(7)));
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
    assert_eq!(refused.message, "the domain example.org still has 1 account, 1 alias");
    ask(&store, remove(true)).await.unwrap();
    let directory = store.directory();
    assert_eq!((directory.domains().count(), directory.accounts().count(), directory.aliases().count()), (0, 0, 0));
}

#[tokio::test]
async fn explain_tells_the_way_and_the_verdict() {
    let store = stage().await;
    ask(&store, add_alias("info@example.org", &["alice@example.org", ":blackhole:"])).await.unwrap();
    let explain = |to: &str| Request::Explain {
        from: mail::ReversePath::Null,
        to: address(to),
        account: None,
        octets: None,
        message: SupposedMessage::default(),
    };
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
    let Ok(Response::Explanation(told)) = ask(
        &store,
        Request::Explain {
            from,
            to: address("info@example.org"),
            account: None,
            octets: None,
            message: SupposedMessage::default(),
        },
    )
    .await
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
    let request = Request::Explain {
        from,
        to: address(to),
        account: login.map(address),
        octets,
        message: SupposedMessage::default(),
    };
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
        // What is relayed is followed by the way that it takes.
        let last = told.text.lines().rfind(|line| !line.starts_with("  leaves ")).unwrap();
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
    ask(&store, Request::List(Box::new(ListRequest::MemberAdd { list: garden(), member, quiet: true }))).await.unwrap();
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
