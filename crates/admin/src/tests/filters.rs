//! Filters: made, changed, moved and removed, by whom; tested against and applied to the messages that are there.

use delivery::{Delivery, DeliverySettings};
use filter::{Filter, Place};
use mail::{Envelope, EnvelopeRecipient, ForwardPath, ReversePath};
use routing::objects::{AccountKind, Member, Object, SeenState, SharedMailbox};
use storage::objects::PutMode;

use super::*;

fn content(json: serde_json::Value) -> Box<FilterContent> {
    Box::new(serde_json::from_value(json).unwrap())
}

fn conditions(texts: &[&str]) -> serde_json::Value {
    let parsed: Vec<filter::Condition> = texts.iter().map(|text| text.parse().unwrap()).collect();
    serde_json::to_value(parsed).unwrap()
}

fn moving(condition: &str, folder: &str) -> Box<FilterContent> {
    content(serde_json::json!({ "conditions": conditions(&[condition]), "folder": { "set": folder } }))
}

fn add(account: &str, name: &str, content: Box<FilterContent>) -> Request {
    Request::Filter(FilterRequest::Add { account: address(account), name: name.to_owned(), position: None, content })
}

fn set(account: &str, name: &str, json: serde_json::Value) -> Request {
    let (account, name, content) = (address(account), name.to_owned(), content(json));
    Request::Filter(FilterRequest::Set { account, name, content })
}

fn list(account: &str) -> Request {
    Request::Filter(FilterRequest::List { account: address(account) })
}

async fn names(store: &Store, account: &str) -> Vec<String> {
    let Response::Filters(all) = ask(store, list(account)).await.unwrap() else { panic!("filters") };
    all.iter().map(|one| format!("{} {}", one.position, one.filter.name)).collect()
}

const ALICE: &str = "alice@example.org";

#[tokio::test]
async fn i03_filters_are_added_listed_changed_moved_and_removed() {
    let store = stage().await;
    assert!(names(&store, ALICE).await.is_empty());
    for name in ["Shops", "Boss"] {
        ask(&store, add(ALICE, name, moving("from contains shop", "Shops"))).await.unwrap();
    }
    let first = FilterRequest::Add {
        account: address(ALICE),
        name: " Lists ".to_owned(),
        position: Some(1),
        content: moving("header:List-Id contains garden", "lists/Garden"),
    };
    let Response::Filter(made) = ask(&store, Request::Filter(first)).await.unwrap() else { panic!("a filter") };
    assert_eq!((made.position, made.filter.name.as_str()), (1, "Lists"));
    assert_eq!(made.condition_texts, ["header:List-Id contains garden"]);
    assert_eq!(names(&store, ALICE).await, ["1 Lists", "2 Shops", "3 Boss"]);
    let to = |name: &str, position| {
        Request::Filter(FilterRequest::Move { account: address(ALICE), name: name.to_owned(), position })
    };
    ask(&store, to("boss", 1)).await.unwrap();
    ask(&store, to("Lists", 99)).await.unwrap();
    assert!(said(ask(&store, to("Lists", 0)).await).contains("counted from 1"));
    let nowhere = FilterRequest::Add {
        account: address(ALICE),
        name: "x".to_owned(),
        position: Some(0),
        content: moving("from is a", "A"),
    };
    assert!(said(ask(&store, Request::Filter(nowhere)).await).contains("counted from 1"));
    assert_eq!(names(&store, ALICE).await, ["1 Boss", "2 Shops", "3 Lists"]);

    let changed = set(
        ALICE,
        "BOSS",
        serde_json::json!({
            "name": "The boss", "conditions": conditions(&["from is boss@example.org", "to is alice"]), "matching": "any",
            "folder": "clear", "tags": ["$Boss"], "important": true, "stop": true, "places": ["inbox", "spam"],
        }),
    );
    let Response::Filter(changed) = ask(&store, changed).await.unwrap() else { panic!("a filter") };
    let told = (changed.filter.actions.in_words(), changed.filter.stop, changed.filter.places.clone());
    let does = vec!["tags it $Boss".to_owned(), "marks it as important".to_owned()];
    assert_eq!(told, (does, true, vec![Place::Inbox, Place::Spam]));
    let show = |name: &str| Request::Filter(FilterRequest::Show { account: address(ALICE), name: name.to_owned() });
    assert_eq!(ask(&store, show("the BOSS")).await.unwrap(), Response::Filter(changed));

    let remove = |name: &str| Request::Filter(FilterRequest::Remove { account: address(ALICE), name: name.to_owned() });
    assert!(said(ask(&store, remove("Sops")).await).contains("did you mean Shops?"));
    for name in ["Shops", "the boss", "Lists"] {
        assert!(said(ask(&store, remove(name)).await).contains("removed the filter"));
    }
    assert!(store.directory().filters(mail::AccountId(1)).is_none(), "no row for no filter");
    assert!(said(ask(&store, show("Lists")).await).contains("`relais filter list alice@example.org`"));
}

#[tokio::test]
async fn i03_what_cannot_be_is_refused_with_what_to_do() {
    let store = stage().await;
    ask(&store, add(ALICE, "Shops", moving("from contains shop", "Shops"))).await.unwrap();
    let json = |text: &str, more: serde_json::Value| {
        let mut all = serde_json::json!({ "conditions": conditions(&[text]) });
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        content(all)
    };
    for (request, expected) in [
        (add("nobody@example.org", "x", moving("from is a", "A")), "there is no account nobody@example.org"),
        (add(ALICE, "SHOPS", moving("from is a", "A")), "there is a filter \"Shops\" already"),
        (add(ALICE, " ", moving("from is a", "A")), "the name of a filter has 1 to"),
        (add(ALICE, "x", content(serde_json::json!({ "discard": true }))), "a filter needs a condition"),
        (add(ALICE, "x", json("from is a", serde_json::json!({}))), "a filter does something"),
        (
            add(ALICE, "x", json("from is a", serde_json::json!({ "discard": true, "read": true }))),
            "what is deleted for good can't be moved",
        ),
        (add(ALICE, "x", moving("from is a", "A*")), "there can be no folder \"A*\": it has a wildcard"),
        (add(ALICE, "x", moving("from is a", "a//b")), "levels are parted by /"),
        (add(ALICE, "x", moving("from is a", "Shared/info@example.org")), "is a folder of somebody else"),
        (add(ALICE, "x", moving("from is a", "inbox")), "goes to INBOX anyway"),
        (set(ALICE, "Shops", serde_json::json!({ "folder": "clear" })), "a filter does something"),
        (set(ALICE, "Shops", serde_json::json!({ "places": [] })), "one of inbox, sent and spam"),
    ] {
        let told = said(ask(&store, request).await);
        assert!(told.contains(expected), "{told}");
    }
    assert_eq!(names(&store, ALICE).await, ["1 Shops"], "nothing of it is kept");
    let spam =
        serde_json::json!({ "conditions": conditions(&["from is a"]), "folder": {"set": "inbox"}, "places": ["spam"] });
    let Response::Filter(rescued) = ask(&store, add(ALICE, "x", content(spam))).await.unwrap() else {
        panic!("a filter")
    };
    assert_eq!(rescued.filter.actions.folder.as_deref(), Some("INBOX"));
}

/// info@example.org, shared: alice administers it, bob reads.
async fn with_shared(seen: SeenState) -> Store {
    let store = stage().await;
    let member = |who: &str, rights: &str| Member { account: address(who), rights: rights.to_owned() };
    let members = vec![member(ALICE, "lrswipkxtean"), member("bob@example.org", "lrs")];
    let info = routing::objects::AccountObject {
        kind: AccountKind::Shared,
        shared: Some(SharedMailbox { members, seen, ..SharedMailbox::default() }),
        ..routing::objects::AccountObject::new(address("info@example.org"))
    };
    store.add_account(info).await.unwrap();
    store
}

fn actor(store: &Store, text: &str) -> Actor {
    Actor::Account { id: store.directory().account(&address(text)).unwrap().id, remote: None }
}

#[tokio::test]
async fn i03_a_denial_names_the_right_that_is_missing() {
    let store = with_shared(SeenState::Shared).await;
    ask(&store, add_account("carol@example.org")).await.unwrap();
    let list = || Request::Filter(FilterRequest::List { account: address("info@example.org") });
    for (who, names) in [("bob@example.org", true), ("carol@example.org", false)] {
        let denied = ask_as(&store, &settings(), &actor(&store, who), list()).await.unwrap_err();
        assert_eq!(denied.kind, ErrorKind::Denied);
        assert_eq!(denied.message.contains("members with the right `a`"), names, "{who}: {denied}");
    }
}

#[tokio::test]
async fn i03_who_may_edit_whose_filters() {
    let store = with_shared(SeenState::Shared).await;
    ask(&store, add_domain("b.example")).await.unwrap();
    for text in ["chief@example.org", "dora@b.example", "far@b.example"] {
        ask(&store, add_account(text)).await.unwrap();
    }
    for (text, role) in [("chief@example.org", Role::DomainAdministrator), ("far@b.example", Role::DomainAdministrator)]
    {
        let mut account = (**store.directory().account(&address(text)).unwrap()).clone();
        account.role = role;
        store.put_object(Object::Account(account), PutMode::Replace).await.unwrap();
    }
    let requests = |account: &str| {
        let (account, name, folder) = (address(account), "x".to_owned(), "INBOX".to_owned());
        [
            FilterRequest::Add {
                account: account.clone(),
                name: name.clone(),
                position: None,
                content: moving("from is a", "A"),
            },
            FilterRequest::List { account: account.clone() },
            FilterRequest::Show { account: account.clone(), name: name.clone() },
            FilterRequest::Set { account: account.clone(), name: name.clone(), content: Box::default() },
            FilterRequest::Move { account: account.clone(), name: name.clone(), position: 1 },
            FilterRequest::Test { account: account.clone(), name: None, folder: folder.clone(), show: 1 },
            FilterRequest::Apply { account: account.clone(), name: None, folder },
            FilterRequest::Remove { account, name },
        ]
        .map(Request::Filter)
    };
    for (who, whose, may) in [
        (ALICE, ALICE, true),
        (ALICE, "bob@example.org", false),
        ("bob@example.org", ALICE, false),
        (ALICE, "info@example.org", true),
        ("bob@example.org", "info@example.org", false),
        ("dora@b.example", "info@example.org", false),
        ("chief@example.org", ALICE, true),
        ("chief@example.org", "info@example.org", true),
        ("far@b.example", ALICE, false),
        ("far@b.example", "info@example.org", false),
        ("far@b.example", "dora@b.example", true),
    ] {
        for request in requests(whose) {
            let answer = ask_as(&store, &settings(), &actor(&store, who), request.clone()).await;
            let denied = answer.as_ref().is_err_and(|error| error.kind == ErrorKind::Denied);
            assert_eq!(!denied, may, "{who} {request:?}: {answer:?}");
            assert!(!may || answer.is_ok(), "{who} {request:?}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn i03_nobody_reads_for_all_members() {
    let store = with_shared(SeenState::PerPerson).await;
    let read = || content(serde_json::json!({ "conditions": conditions(&["from is a"]), "read": true }));
    let told = said(ask(&store, add("info@example.org", "x", read())).await);
    assert!(told.contains("can't mark it as read for all"), "{told}");
    ask(&store, add(ALICE, "x", read())).await.unwrap();
    let store = with_shared(SeenState::Shared).await;
    ask(&store, add("info@example.org", "x", read())).await.unwrap();
}

/// Puts messages into alice's INBOX, each with its subject, from zoe.
async fn deliver(store: &Store, subjects: &[String]) {
    let hostname = name("mx.example.org");
    let delivery = Delivery::new(store.clone(), DeliverySettings { hostname, message_octets_max: 100_000 });
    for subject in subjects {
        let mut envelope = Envelope::new(ReversePath::Address(address("zoe@far.example")));
        envelope.recipients.push(EnvelopeRecipient {
            forward_path: ForwardPath::Address(address(ALICE)),
            notify: mail::DsnNotify::default(),
            original: None,
        });
        let text = format!("From: Zoe <zoe@far.example>\r\nTo: {ALICE}\r\nSubject: {subject}\r\n\r\nHello\r\n");
        let prepared = delivery.prepare(envelope, text.as_bytes()).await.unwrap();
        store.transact(move |tx| prepared.apply(tx)).await.unwrap();
    }
}

async fn count(store: &Store, mailbox: &str) -> Option<u32> {
    store.mailbox_by_name(mail::AccountId(1), mailbox).await.unwrap().map(|row| row.messages)
}

fn test(name: Option<&str>, folder: &str, show: usize) -> Request {
    let (account, name, folder) = (address(ALICE), name.map(str::to_owned), folder.to_owned());
    Request::Filter(FilterRequest::Test { account, name, folder, show })
}

fn apply(name: Option<&str>, folder: &str) -> Request {
    let (account, name, folder) = (address(ALICE), name.map(str::to_owned), folder.to_owned());
    Request::Filter(FilterRequest::Apply { account, name, folder })
}

#[tokio::test]
async fn i04_a_filter_is_tested_against_what_is_there_and_then_applied() {
    let store = stage().await;
    let subjects: Vec<String> = (0..450).map(|n| format!("{} {n}", ["invoice", "hello", "order"][n % 3])).collect();
    deliver(&store, &subjects).await;
    // Made afterwards, so that nothing has been filtered yet.
    let mut off = *moving("subject contains invoice", "Bills");
    off.enabled = Some(false);
    ask(&store, add(ALICE, "Bills", Box::new(off))).await.unwrap();
    let stop =
        serde_json::json!({ "conditions": conditions(&["subject contains order"]), "tags": ["Order"], "stop": true });
    ask(&store, add(ALICE, "Orders", content(stop))).await.unwrap();
    let rest = serde_json::json!({ "conditions": conditions(&["from is zo"]), "discard": true });
    ask(&store, add(ALICE, "Rest", content(rest))).await.unwrap();

    let Response::FilterTest(told) = ask(&store, test(Some("bills"), "inbox", 2)).await.unwrap() else {
        panic!("a test")
    };
    assert_eq!((told.messages, told.filters.len(), told.filters[0].matches), (450, 1, 150));
    let newest: Vec<&str> = told.filters[0].newest.iter().map(|message| message.subject.as_str()).collect();
    assert_eq!(newest, ["invoice 444", "invoice 447"]);
    assert_eq!(told.filters[0].newest[0].from, "Zoe <zoe@far.example>");
    assert_eq!(told.filters[0].does, ["moves it to Bills"]);
    let Response::FilterTest(told) = ask(&store, test(None, "INBOX", 0)).await.unwrap() else { panic!("a test") };
    let matches: Vec<usize> = told.filters.iter().map(|one| one.matches).collect();
    assert_eq!(matches, [0, 150, 0], "what is switched off does not act, and zo is no whole name");
    assert!(told.filters.iter().all(|one| one.newest.is_empty()));
    let passed_over: Vec<Option<&str>> = told.filters.iter().map(|one| one.passed_over.as_deref()).collect();
    assert_eq!(passed_over, [Some("is switched off"), None, None]);
    let Response::FilterTest(sent) = ask(&store, test(None, "Sent", 0)).await.unwrap() else { panic!("a test") };
    assert_eq!(sent.filters[2].passed_over.as_deref(), Some("does not look at what goes to Sent"));
    let Response::FilterTest(one) = ask(&store, test(Some("Bills"), "Sent", 0)).await.unwrap() else {
        panic!("a test")
    };
    assert_eq!(one.filters[0].passed_over, None, "it is tried all the same");
    assert_eq!((count(&store, "INBOX").await, count(&store, "Bills").await), (Some(450), None), "nothing has changed");

    let Response::FiltersApplied(done) = ask(&store, apply(Some("Bills"), "INBOX")).await.unwrap() else {
        panic!("done")
    };
    assert_eq!((done.messages, done.filed, done.filters), (450, 150, vec![("Bills".to_owned(), 150)]));
    assert_eq!((count(&store, "INBOX").await, count(&store, "Bills").await), (Some(300), Some(150)));
    let from = serde_json::json!({ "conditions": conditions(&["from contains zoe"]) });
    ask(&store, set(ALICE, "Rest", from)).await.unwrap();
    let Response::FiltersApplied(done) = ask(&store, apply(None, "INBOX")).await.unwrap() else { panic!("done") };
    assert_eq!(done.filed, 300);
    let asked: Vec<&str> = done.filters.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(asked, ["Orders", "Rest"], "not what is switched off");
    assert_eq!(count(&store, "INBOX").await, Some(150), "orders stay, since the filter behind is skipped for them");
    // Where there is nothing, nothing is done.
    let Response::FiltersApplied(done) = ask(&store, apply(None, "Archive")).await.unwrap() else { panic!("done") };
    assert_eq!((done.messages, done.filed), (0, 0));
    assert!(said(ask(&store, test(None, "Archve", 1)).await).contains("did you mean Archive?"));
    assert!(said(ask(&store, test(Some("x"), "INBOX", 1)).await).contains("there is no filter"));
    let mut findings = Vec::new();
    storage::check::check(&store, true, &mut |finding| findings.push(finding.to_string())).await.unwrap();
    assert!(findings.is_empty(), "{findings:?}");
}

#[tokio::test]
async fn i03_explain_tells_what_each_filter_would_do() {
    let store = with_shared(SeenState::Shared).await;
    ask(&store, add(ALICE, "Bills", moving("subject contains invoice", "Bills"))).await.unwrap();
    let file =
        serde_json::json!({ "conditions": conditions(&["attachment present", "size larger 1K"]), "important": true });
    ask(&store, add(ALICE, "Files", content(file))).await.unwrap();
    ask(&store, add("bob@example.org", "All", moving("from contains far", "Far"))).await.unwrap();
    ask(&store, add_alias("team@example.org", &[ALICE, "bob@example.org"])).await.unwrap();
    let explain = |to: &str, fields: &[&str]| Request::Explain {
        from: ReversePath::Address(address("zoe@far.example")),
        to: address(to),
        account: None,
        octets: Some(2_000),
        message: SupposedMessage { fields: fields.iter().map(|field| (*field).to_owned()).collect(), attachment: true },
    };
    let told = |answer: Result<Response, AdminError>| match answer {
        Ok(Response::Explanation(told)) => told
            .filters
            .iter()
            .flat_map(|of| of.verdicts.iter().map(|verdict| format!("{}: {verdict}", of.account)))
            .collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    let mine = [
        "alice@example.org: filter \"Bills\" moves it to Bills",
        "alice@example.org: filter \"Files\" marks it as important",
    ];
    let all = told(ask(&store, explain("team@example.org", &["Subject: Your invoice"])).await);
    assert_eq!(all, [mine[0], mine[1], "bob@example.org: filter \"All\" moves it to Far"]);
    let other = told(ask(&store, explain(ALICE, &["From: Max <max@near.example>"])).await);
    assert_eq!(other[0], "alice@example.org: filter \"Bills\" does not match: not so: subject contains invoice");
    assert!(said(ask(&store, explain(ALICE, &["no field"])).await).contains("is no header field"));
    assert!(said(ask(&store, explain(ALICE, &["A: b\r\nSubject: invoice"])).await).contains("is no header field"));

    // An alias beside her mailbox leads to bob, too: what his filters are is none of her business.
    ask(&store, add_alias(ALICE, &["bob@example.org"])).await.unwrap();
    let alice = actor(&store, ALICE);
    let seen = told(ask_as(&store, &settings(), &alice, explain(ALICE, &["Subject: Your invoice"])).await);
    assert_eq!(seen, mine);
}

#[test]
fn i03_a_filter_view_is_a_filter() {
    let filter = Filter { conditions: vec!["from is a".parse().unwrap()], stop: true, ..Filter::new("x") };
    let view = FilterView {
        account: address(ALICE),
        position: 1,
        condition_texts: vec!["from is a".to_owned()],
        filter: filter.clone(),
        rests: false,
    };
    let json = serde_json::to_value(&view).unwrap();
    assert_eq!(serde_json::from_value::<Filter>(json).unwrap(), filter);
}
