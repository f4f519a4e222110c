//! Accounts: M1 to M5, M7, R5, and withdrawn access.

use mail::AccountId;
use routing::objects::{AccountObject, AliasObject, GroupObject, Object, Service};
use storage::objects::PutMode;

use super::*;

/// example.org and example.com, with alice and bob in the first.
async fn two_domains() -> Store {
    let store = stage().await;
    ask(&store, add_domain("example.com")).await.unwrap();
    store
}

fn account(request: AccountRequest) -> Request {
    Request::Account(request)
}

fn set(json: serde_json::Value) -> Request {
    serde_json::from_value(serde_json::json!({ "account": { "set": json } })).unwrap()
}

fn stored(store: &Store, text: &str) -> AccountObject {
    (**store.directory().account_at(&address(text)).unwrap()).clone()
}

async fn view(store: &Store, request: Request) -> AccountView {
    match ask(store, request).await {
        Ok(Response::Account(view)) => *view,
        other => panic!("{other:?}"),
    }
}

/// The messages in an account's INBOX, as text.
pub(super) async fn inbox(store: &Store, text: &str) -> Vec<String> {
    let id = stored(store, text).id;
    let row = store.inbox(id).await.unwrap();
    let mut found = Vec::new();
    for message in store.messages(id, row.id, mail::Uid(1), mail::Uid(u32::MAX), 100).await.unwrap() {
        let mut blob = store.blob(&message.blob).await.unwrap().unwrap();
        found.push(decoded(&blob.read(0, u64::MAX).await.unwrap()));
    }
    found
}

/// Header and decoded text of a plain message.
fn decoded(octets: &[u8]) -> String {
    let parsed = mail_parser::MessageParser::default().parse(octets).unwrap();
    let subject = parsed.subject().unwrap_or_default().to_owned();
    format!("{subject}\n{}", parsed.body_text(0).unwrap())
}

/// What waits to leave: recipient and text.
async fn queued(store: &Store) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for row in store.queue_entries(mail::QueueId(0), 100).await.unwrap() {
        let mut blob = store.blob(&row.blob).await.unwrap().unwrap();
        let text = decoded(&blob.read(0, u64::MAX).await.unwrap());
        found.push((row.recipients[0].address.to_string(), text));
    }
    found
}

#[tokio::test]
async fn m01_an_account_takes_owner_and_name_and_the_defaults_of_its_domain() {
    let store = stage().await;
    let mut domain = (**store.directory().domain(&name("example.org")).unwrap()).clone();
    (domain.language, domain.time_zone) = ("fr".to_owned(), "Europe/Paris".to_owned());
    store.put_object(Object::Domain(domain), PutMode::Replace).await.unwrap();
    let new = NewAccount {
        display_name: "Carol Petit".into(),
        owner: "carol@elsewhere.example".into(),
        ..NewAccount::new(address("carol@example.org"))
    };
    let made = view(&store, account(AccountRequest::Add(new.clone()))).await;
    assert_eq!((made.language.as_str(), made.time_zone.as_str()), ("fr", "Europe/Paris"));
    assert_eq!((made.owner.as_str(), made.display_name.as_str()), ("carol@elsewhere.example", "Carol Petit"));
    let english = NewAccount { language: Some("en".into()), address: address("carol.two@example.org"), ..new };
    assert_eq!(view(&store, account(AccountRequest::Add(english))).await.language, "en");
    let owner = Some("CAROL@Elsewhere.example".to_owned());
    let list = account(AccountRequest::List { domain: None, owner });
    assert!(matches!(ask(&store, list).await, Ok(Response::Accounts(found)) if found.len() == 2));
    let list = account(AccountRequest::List { domain: None, owner: Some("alice@example.org".into()) });
    assert!(matches!(ask(&store, list).await, Ok(Response::Accounts(found)) if found.len() == 1));
}

#[tokio::test]
async fn m01_there_are_no_more_mailboxes_than_allowed() {
    let store = two_domains().await;
    let limits = |accounts_max, accounts_per_owner_max| {
        let (add_domains, remove_domains, domain) = (Vec::new(), Vec::new(), name("example.org"));
        account(AccountRequest::UsersOf { domain, add_domains, remove_domains, accounts_max, accounts_per_owner_max })
    };
    ask(&store, limits(Edit::Set(4), Edit::Set(2))).await.unwrap();
    let owned = |text: &str, owner: &str| {
        account(AccountRequest::Add(NewAccount { owner: owner.into(), ..NewAccount::new(address(text)) }))
    };
    ask(&store, owned("alice.two@example.org", "alice@example.org")).await.unwrap();
    let refused = ask(&store, owned("alice.three@example.org", "alice@example.org")).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Full);
    assert_eq!(refused.message, "alice@example.org has 2 mailboxes in example.org already");
    // Elsewhere she may; and an import is counted as a whole.
    ask(&store, owned("alice@example.com", "alice@example.org")).await.unwrap();
    let accounts = ["c@example.org", "d@example.org"].map(|text| NewAccount::new(address(text))).to_vec();
    let refused = ask(&store, account(AccountRequest::Import { accounts })).await.unwrap_err();
    assert_eq!(refused.message, "the domain example.org has its 4 mailboxes already");
    assert!(store.directory().account(&address("c@example.org")).is_none(), "all of it or nothing");
    let moved = ask(&store, set(serde_json::json!({"address": "bob@example.org", "owner": "alice@example.org"}))).await;
    assert_eq!(moved.unwrap_err().kind, ErrorKind::Full);
    // The configuration says so for all domains, unless one says otherwise.
    let strict = Settings { places: Places { per_domain_max: 1, per_owner_max: 0 }, ..settings() };
    let refused = ask_as(&store, &strict, &Actor::System, owned("b@example.com", "")).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Full);
    ask(&store, limits(Edit::Set(0), Edit::Clear)).await.unwrap();
    ask_as(&store, &strict, &Actor::System, owned("e@example.org", "")).await.unwrap();
}

#[tokio::test]
async fn m02_the_new_mailbox_and_an_outside_address_are_told_the_settings_and_no_password() {
    let store = stage().await;
    let new = NewAccount {
        language: Some("fr".into()),
        welcome: true,
        notify: Some(address("carol@elsewhere.example")),
        password: Some("a secret herons keep".into()),
        ..NewAccount::new(address("carol@example.org"))
    };
    ask(&store, account(AccountRequest::Add(new.clone()))).await.unwrap();
    let inside = inbox(&store, "carol@example.org").await;
    let outside = queued(&store).await;
    assert_eq!((inside.len(), outside.len()), (1, 1));
    assert_eq!(outside[0].0, "carol@elsewhere.example");
    for letter in [&inside[0], &outside[0].1] {
        assert!(letter.starts_with("Votre boîte carol@example.org"), "{letter}");
        assert!(letter.contains("993") && letter.contains("465") && letter.contains("localhost"), "{letter}");
        assert!(!letter.contains("herons"), "{letter}");
    }
    // A generated password is told to who asked, and to nobody else.
    let generated = NewAccount { password: None, address: address("dora@example.org"), ..new.clone() };
    let told = view(&store, account(AccountRequest::Add(generated))).await.generated_password.unwrap();
    for letter in
        inbox(&store, "dora@example.org").await.iter().chain(queued(&store).await.iter().map(|(_, text)| text))
    {
        assert!(!letter.contains(told.expose()), "{letter}");
    }
    // Nothing is made when the outside address can't be told.
    let wrong =
        NewAccount { notify: Some(address("nobody@example.org")), address: address("erik@example.org"), ..new.clone() };
    let refused = said(ask(&store, account(AccountRequest::Add(wrong))).await);
    assert!(refused.starts_with("nobody@example.org can't be told"), "{refused}");
    assert!(store.directory().account(&address("erik@example.org")).is_none());
    let silent = NewAccount { welcome: false, notify: None, address: address("frank@example.org"), ..new };
    ask(&store, account(AccountRequest::Add(silent))).await.unwrap();
    assert!(inbox(&store, "frank@example.org").await.is_empty());
}

#[tokio::test]
async fn m02_the_letter_is_in_the_transaction_of_the_account() {
    // The power is cut behind each commit in turn: there is never an account without its letters.
    let sim = SimulatedWorld::new(Timestamp(1_700_000_000_000), 1);
    let engine = MemoryEngine::new(Arc::new(SilentDoorbell));
    let store = Store::open(Arc::new(engine.clone()), sim.world()).await.unwrap();
    ask(&store, add_domain("example.org")).await.unwrap();
    let new = NewAccount {
        welcome: true,
        notify: Some(address("carol@elsewhere.example")),
        ..NewAccount::new(address("carol@example.org"))
    };
    ask(&store, account(AccountRequest::Add(new))).await.unwrap();
    let before = store.queue_entries(mail::QueueId(0), 10).await.unwrap();
    drop(store);
    let store = Store::open(Arc::new(engine), sim.world()).await.unwrap();
    assert_eq!(store.queue_entries(mail::QueueId(0), 10).await.unwrap(), before);
    assert_eq!(inbox(&store, "carol@example.org").await.len(), 1);
}

#[tokio::test]
async fn m03_the_responders_of_an_account_go_with_it() {
    let store = stage().await;
    for at in ["alice@example.org", "bob@example.org", "fair@example.org"] {
        let text = Edit::Set("x".into());
        let content = ResponderContent { subject: Some("Away".into()), text, ..ResponderContent::default() };
        ask(&store, add_responder(at, content)).await.unwrap();
    }
    let remove = |force| account(AccountRequest::Remove { address: address("alice@example.org"), force });
    let refused = said(ask(&store, remove(false)).await);
    assert!(refused.contains("responder 1 answers at it"), "{refused}");
    ask(&store, remove(true)).await.unwrap();
    let left: Vec<_> = store.directory().responders().map(|one| one.address.to_string()).collect();
    assert_eq!(left, ["bob@example.org", "fair@example.org"]);
}

#[tokio::test]
async fn m03_aliases_of_a_mailbox_are_edited_and_shown() {
    let store = stage().await;
    ask(&store, add_alias("team@example.org", &["bob@example.org"])).await.unwrap();
    ask(&store, add_alias("all@example.org", &[""])).await.unwrap();
    let change = |add: &[&str], remove: &[&str]| {
        let addresses = |texts: &[&str]| texts.iter().map(|text| address(text)).collect();
        let address = address("alice@example.org");
        account(AccountRequest::Aliases { address, add: addresses(add), remove: addresses(remove) })
    };
    let shown = view(&store, change(&["contact@example.org", "team@example.org"], &[])).await;
    ask(&store, add_alias("outer@example.org", &["contact@example.org"])).await.unwrap();
    let leading =
        |view: &AccountView| view.leading.iter().map(|one| (one.address.to_string(), one.direct)).collect::<Vec<_>>();
    let expected =
        |texts: &[(&str, bool)]| texts.iter().map(|(text, direct)| ((*text).to_owned(), *direct)).collect::<Vec<_>>();
    assert_eq!(
        leading(&shown),
        expected(&[("all@example.org", true), ("contact@example.org", true), ("team@example.org", true)])
    );
    let show = || account(AccountRequest::Show { address: address("ALICE@example.org") });
    assert!(leading(&view(&store, show()).await).contains(&("outer@example.org".to_owned(), false)));
    // One that leads elsewhere too goes on doing so; one that would lead nowhere goes.
    ask(&store, change(&[], &["team@example.org"])).await.unwrap();
    let team = store.directory().alias(&address("team@example.org")).cloned().unwrap();
    assert_eq!(team.targets, [target("bob@example.org")]);
    for (add, remove, reason) in [
        (
            &[][..],
            &["contact@example.org"][..],
            "contact@example.org would lead nowhere and be deleted, but the alias outer@example.org leads to it",
        ),
        (&["bob@example.org"], &[], "bob@example.org is the mailbox of bob@example.org"),
        (&["alice@example.org"], &[], "alice@example.org is the account's own address"),
        (&["x@other.example"], &[], "there is no domain other.example"),
        (&[], &["team@example.org"], "no alias team@example.org leads to alice@example.org"),
        (&["good@example.org", "bob@example.org"], &[], "bob@example.org is the mailbox"),
    ] {
        let refused = said(ask(&store, change(add, remove)).await);
        assert!(refused.starts_with(reason), "{refused}");
    }
    assert!(store.directory().alias(&address("good@example.org")).is_none(), "all or nothing");
}

#[tokio::test]
async fn m04_a_password_is_changed_with_the_old_one_and_told_without_it() {
    let store = stage().await;
    let edit = serde_json::json!({"address": "alice@example.org", "recovery": {"set": "alice@elsewhere.example"},
        "password": "first herons fly", "language": "fr"});
    ask(&store, set(edit)).await.unwrap();
    let alice = stored(&store, "alice@example.org");
    let remote = Some("192.0.2.7".parse().unwrap());
    let herself = Actor::Account { id: alice.id, remote };
    let change = |old: Option<&str>, new: Option<&str>| {
        let (old, new) = (old.map(Into::into), new.map(Into::into));
        account(AccountRequest::Password { address: address("alice@example.org"), old, new })
    };
    let strict = Settings { rules: PasswordRules::default(), ..settings() };
    let by_herself = async |old, new| ask_as(&store, &strict, &herself, change(old, new)).await;
    let missing = by_herself(None, Some("other cranes sing")).await.unwrap_err();
    assert_eq!(missing.message, "your old password is needed to set a new one");
    let wrong = by_herself(Some("wrong"), Some("other cranes sing")).await.unwrap_err();
    assert_eq!((wrong.kind, wrong.message.as_str()), (ErrorKind::Denied, "the old password is wrong"));
    let weak = by_herself(Some("first herons fly"), Some("alice2024")).await.unwrap_err();
    assert!(weak.message.contains("trop facile à deviner") && weak.hint.unwrap().contains("mot"), "{}", weak.message);
    assert_eq!(stored(&store, "alice@example.org").password_hash, alice.password_hash, "nothing is changed");

    by_herself(Some("first herons fly"), Some("other cranes sing")).await.unwrap();
    let after = stored(&store, "alice@example.org");
    assert!(auth::verify("other cranes sing", after.password_hash.as_deref().unwrap()));
    assert_eq!(after.password_changed_at, Some(store.now()));
    let inside = inbox(&store, "alice@example.org").await;
    let notice = inside.last().unwrap();
    assert!(notice.contains("depuis l'adresse 192.0.2.7") && notice.contains("2023-11-14 22:13 (UTC)"), "{notice}");
    let outside = queued(&store).await;
    assert!(outside.iter().all(|(to, _)| to == "alice@elsewhere.example"));
    assert_eq!((inside.len(), outside.len()), (2, 2), "the administrator's change, and her own");
    for text in inside.iter().chain(outside.iter().map(|(_, text)| text)) {
        assert!(!text.contains("herons") && !text.contains("cranes"), "{text}");
    }
    // An administrator needs no old one; a generated one is told.
    let Ok(Response::Account(told)) = ask(&store, change(None, None)).await else { panic!() };
    assert!(auth::verify(
        told.generated_password.unwrap().expose(),
        stored(&store, "alice@example.org").password_hash.as_deref().unwrap()
    ));
    assert!(inbox(&store, "alice@example.org").await.last().unwrap().contains("par un administrateur"));
}

#[tokio::test]
async fn m04_strength_is_told_without_changing_anything() {
    let store = stage().await;
    let strict = Settings { rules: PasswordRules::default(), ..settings() };
    let ask_strength = async |password: &str, language: Option<&str>| {
        let (address, language) = (Some(address("alice@example.org")), language.map(str::to_owned));
        let request = account(AccountRequest::Strength { address, password: password.into(), language });
        match ask_as(&store, &strict, &Actor::System, request).await {
            Ok(Response::Strength(view)) => view,
            other => panic!("{other:?}"),
        }
    };
    let weak = ask_strength("alice@example.org", Some("fr")).await;
    assert!(
        !weak.taken && weak.score < 3 && weak.reason.contains("trop facile") && !weak.advice.is_empty(),
        "{weak:?}"
    );
    let strong = ask_strength("a quiet pond, 3 herons", None).await;
    assert!(
        strong.taken && strong.score == 4 && strong.reason.is_empty() && strong.words == "very strong",
        "{strong:?}"
    );
    // Administrators read their own language, whoever's password it would be.
    ask(&store, set(serde_json::json!({"address": "alice@example.org", "language": "fr"}))).await.unwrap();
    let weak = ask_strength("alice@example.org", None).await;
    assert!(weak.reason.contains("too easy") && weak.advice.iter().all(|one| one.is_ascii()), "{weak:?}");
    let alice = Actor::Account { id: stored(&store, "alice@example.org").id, remote: None };
    let (of, password) = (Some(address("alice@example.org")), "alice@example.org".into());
    let request = account(AccountRequest::Strength { address: of, password, language: None });
    let Ok(Response::Strength(weak)) = ask_as(&store, &strict, &alice, request).await else { panic!() };
    assert!(weak.reason.contains("trop facile"), "{weak:?}");
}

#[tokio::test]
async fn m05_connection_settings_are_for_whoever_asks() {
    let store = stage().await;
    let request =
        account(AccountRequest::Settings { address: address("alice@example.org"), language: Some("fr".into()) });
    let Ok(Response::Connection(view)) = ask(&store, request).await else { panic!() };
    assert_eq!(view.login, address("alice@example.org"));
    assert_eq!(view.incoming.iter().map(|at| at.port).collect::<Vec<_>>(), [993, 143]);
    assert_eq!(view.outgoing.iter().map(|at| at.port).collect::<Vec<_>>(), [465, 587]);
    assert!(view.text.contains("Courrier entrant"), "{}", view.text);
}

#[tokio::test]
async fn m06_services_are_withdrawn_and_given_back() {
    let store = stage().await;
    let edit = |json: serde_json::Value| view(&store, set(json));
    let withdrawn =
        edit(serde_json::json!({"address": "bob@example.org", "withdraw": ["submission", "imap", "imap"]})).await;
    assert_eq!(withdrawn.withdrawn, [Service::Imap, Service::Submission]);
    let restored = edit(serde_json::json!({"address": "bob@example.org", "restore": ["imap"]})).await;
    assert_eq!(restored.withdrawn, [Service::Submission]);
}

#[tokio::test]
async fn m07_each_identity_has_its_signature_and_is_one_that_may_be_used() {
    let store = stage().await;
    ask(&store, add_alias("info@example.org", &["alice@example.org"])).await.unwrap();
    let put = |at: &str, replace, text: Option<&str>| {
        account(AccountRequest::Identity(IdentityRequest::Put {
            account: address("alice@example.org"),
            address: address(at),
            replace,
            display_name: Some("Alice, information".into()),
            signature_text: text.map(str::to_owned),
            signature_html: None,
        }))
    };
    let identities = |answer| match answer {
        Ok(Response::Identities(found)) => found,
        other => panic!("{other:?}"),
    };
    identities(ask(&store, put("info@example.org", false, Some("Alice\nExample"))).await);
    let found = identities(ask(&store, put("INFO@example.org", true, None)).await);
    assert_eq!((found.len(), found[0].signature_text.as_str()), (1, "Alice\nExample"));
    let long = "x".repeat(limits::SIGNATURE_TEXT_OCTETS_MAX + 1);
    for (at, replace, text, reason) in [
        (
            "bob@example.org",
            false,
            None,
            "alice@example.org may not write as bob@example.org: it is the address of another",
        ),
        ("info@example.org", false, None, "alice@example.org writes as info@example.org already"),
        ("alice@example.org", true, None, "alice@example.org has no signature and name for alice@example.org"),
        ("alice@example.org", false, Some(long.as_str()), "the signature as text is longer than"),
        ("alice@example.org", false, Some("bell\u{7}"), "the signature as text has a control character"),
    ] {
        let refused = said(ask(&store, put(at, replace, text)).await);
        assert!(refused.starts_with(reason), "{refused}");
    }
    let (account_address, at) = (address("alice@example.org"), address("info@example.org"));
    let remove = account(AccountRequest::Identity(IdentityRequest::Remove { account: account_address, address: at }));
    assert!(identities(ask(&store, remove).await).is_empty());
}

#[tokio::test]
async fn r05_a_user_has_their_login_in_further_domains() {
    let store = two_domains().await;
    let domains = |address: &str, add: &[&str], remove: &[&str]| {
        set(serde_json::json!({"address": address, "add_domains": add, "remove_domains": remove}))
    };
    let shown = view(&store, domains("alice@example.org", &["example.com"], &[])).await;
    let addresses: Vec<String> = shown.addresses.iter().map(ToString::to_string).collect();
    assert_eq!(addresses, ["alice@example.org", "alice@example.com"]);
    assert_eq!(stored(&store, "alice@example.com").id, stored(&store, "alice@example.org").id);
    // What is somebody's is nobody else's.
    let taken = ask(&store, add_account("Alice@example.com")).await.unwrap_err();
    assert_eq!(taken.message, "Alice@example.com is a further address of alice@example.org");
    ask(&store, add_alias("bob@example.com", &["alice@example.org"])).await.unwrap();
    ask(&store, add_account("carol@example.com")).await.unwrap();
    ask(&store, add_account("carol@example.org")).await.unwrap();
    store.add_group(GroupObject::new(address("dora@example.com"))).await.unwrap();
    ask(&store, add_account("dora@example.org")).await.unwrap();
    for (who, domain, reason) in [
        ("bob@example.org", "example.com", "bob@example.org can't have bob@example.com: an alias has that address"),
        (
            "carol@example.org",
            "example.com",
            "carol@example.org can't have carol@example.com: an account has that address",
        ),
        ("dora@example.org", "example.com", "dora@example.org can't have dora@example.com: a group has that address"),
        ("bob@example.org", "example.org", "example.org is the domain of bob@example.org itself"),
        ("bob@example.org", "other.example", "there is no domain other.example"),
    ] {
        let refused = said(ask(&store, domains(who, &[domain], &[])).await);
        assert!(refused.starts_with(reason), "{refused}");
    }
    view(&store, domains("alice@example.org", &[], &["example.com"])).await;
    assert!(store.directory().account_at(&address("alice@example.com")).is_none());
    ask(&store, add_account("alice@example.com")).await.unwrap();
}

#[tokio::test]
async fn r05_all_users_of_a_domain_are_in_another_too_and_so_are_those_to_come() {
    let store = two_domains().await;
    let users = |add: &[&str], remove: &[&str]| {
        let names = |texts: &[&str]| texts.iter().map(|text| name(text)).collect();
        account(AccountRequest::UsersOf {
            domain: name("example.org"),
            add_domains: names(add),
            remove_domains: names(remove),
            accounts_max: Edit::Keep,
            accounts_per_owner_max: Edit::Keep,
        })
    };
    ask(&store, add_alias("bob@example.com", &["alice@example.org"])).await.unwrap();
    let refused = said(ask(&store, users(&["example.com"], &[])).await);
    assert!(refused.starts_with("bob@example.org can't have bob@example.com: an alias"), "{refused}");
    assert!(store.directory().account_at(&address("alice@example.com")).is_none(), "nothing is changed");
    let (address_of_alias, targets) = (address("bob@example.com"), Vec::new());
    ask(&store, Request::Alias(AliasRequest::Remove { address: address_of_alias, targets, by: None, force: false }))
        .await
        .unwrap();
    ask(&store, users(&["example.com"], &[])).await.unwrap();
    ask(&store, add_account("carol@example.org")).await.unwrap();
    for local in ["alice", "bob", "carol"] {
        let further = format!("{local}@example.com");
        assert_eq!(stored(&store, &further).address, address(&format!("{local}@example.org")));
    }
    ask(&store, users(&[], &["example.com"])).await.unwrap();
    ask(&store, add_account("dora@example.org")).await.unwrap();
    for local in ["alice", "bob", "carol", "dora"] {
        assert!(store.directory().account_at(&address(&format!("{local}@example.com"))).is_none(), "{local}");
    }
    assert!(said(ask(&store, users(&["example.org"], &[])).await).contains("example.org"));
}

#[tokio::test]
async fn an_import_takes_the_new_fields_line_by_line() {
    let store = two_domains().await;
    let line = r#"{"address": "carol@example.org", "password": "long enough", "owner": "Carol", "welcome": true,
        "also_in": ["example.com"], "recovery": "carol@elsewhere.example", "note": "temporary"}"#;
    let old = r#"{"address": "dora@example.org", "password": "long enough", "language": "fr"}"#;
    let accounts = [line, old].map(|text| serde_json::from_str(text).unwrap()).to_vec();
    ask(&store, account(AccountRequest::Import { accounts })).await.unwrap();
    let carol = stored(&store, "carol@example.com");
    assert_eq!((carol.owner.as_str(), carol.note.as_str()), ("Carol", "temporary"));
    assert_eq!(inbox(&store, "carol@example.org").await.len(), 1);
    assert_eq!(queued(&store).await.len(), 1);
    assert!(inbox(&store, "dora@example.org").await.is_empty());
    // Two lines that claim one address.
    let accounts: Vec<NewAccount> = [
        r#"{"address": "eve@example.org", "password": "long enough", "also_in": ["example.com"]}"#,
        r#"{"address": "eve@example.com", "password": "long enough"}"#,
    ]
    .map(|text| serde_json::from_str(text).unwrap())
    .to_vec();
    let refused = ask(&store, account(AccountRequest::Import { accounts })).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Exists);
    assert_eq!(stored(&store, "alice@example.org").id, AccountId(1));
}

#[tokio::test]
async fn an_account_of_a_domain_that_goes_meanwhile_is_not_added() {
    let store = stage().await;
    let (left, right) = tokio::join!(
        ask(&store, add_account("late@example.org")),
        ask(&store, Request::Domain(DomainRequest::Remove { name: name("example.org"), force: true })),
    );
    let orphan = store.directory().account(&address("late@example.org")).is_some();
    let domain = store.directory().domain(&name("example.org")).is_some();
    assert!(domain || !orphan, "{left:?} {right:?}");
}

/// An address that an account gives up has joined nothing for whoever gets it next; what is left in the organisation is told.
#[tokio::test]
async fn r05_r08_memberships_end_with_the_address_and_what_is_left_is_told() {
    let store = two_domains().await;
    let alice = stored(&store, "alice@example.org");
    ask(&store, set(serde_json::json!({"address": "alice@example.org", "add_domains": ["example.com"]})))
        .await
        .unwrap();
    let mut garden = ListObject::new(address("garden@example.com"));
    garden.owners = vec![address("alice@example.org")];
    let part = store.put_object(Object::List(garden), PutMode::Add).await.unwrap().value;
    let Object::List(garden) = part else { panic!() };
    let made = |text: &str| {
        let targets = vec![target("alice@example.org")];
        Object::Alias(AliasObject { made_by: Some(alice.id), ..AliasObject::new(address(text), targets) })
    };
    for text in ["kiwi@example.com", "lemon@example.org"] {
        store.put_object(made(text), PutMode::Add).await.unwrap();
    }
    let join = async |text: &str| {
        let row = storage::rows::MemberRow::new(address(text), store.now());
        store.transact(move |tx| tx.put_member(garden.id, &row)).await.unwrap();
    };
    let members = async || -> Vec<String> {
        let rows = store.members_after(garden.id, None, 9).await.unwrap();
        rows.iter().map(|row| row.address.to_string()).collect()
    };
    for text in ["alice@example.com", "alice@example.org", "bob@far.example"] {
        join(text).await;
    }
    let request = serde_json::json!({"address": "alice@example.org", "remove_domains": ["example.com"]});
    let Ok(Response::Account(view)) = ask(&store, set(request)).await else { panic!() };
    let told = view.warnings.join("; ");
    assert!(told.contains("kiwi@example.com: made by this account") && !told.contains("lemon"), "{told}");
    assert!(told.contains("garden@example.com: the account still owns"), "{told}");
    assert!(told.contains("no longer a member of garden@example.com"), "{told}");
    assert_eq!(members().await, ["alice@example.org", "bob@far.example"]);
    let kiwi = routing::may_send_as(&store.directory(), alice.id, &address("kiwi@example.com"));
    assert!(!kiwi.allowed, "{kiwi:?}");
    // The same for all users of a domain.
    let users = |add: &[&str], remove: &[&str]| {
        let (add_domains, remove_domains) =
            (add.iter().map(|one| name(one)).collect(), remove.iter().map(|one| name(one)).collect());
        account(AccountRequest::UsersOf {
            domain: name("example.org"),
            add_domains,
            remove_domains,
            accounts_max: Edit::Keep,
            accounts_per_owner_max: Edit::Keep,
        })
    };
    ask(&store, users(&["example.com"], &[])).await.unwrap();
    join("alice@example.com").await;
    let told = said(ask(&store, users(&[], &["example.com"])).await);
    assert!(told.contains("no longer a member of garden@example.com") && told.contains("kiwi@example.com"), "{told}");
    // And when the account goes, unless something else has the address.
    let content = Box::new(ListContent { owners: Some(vec![address("zoe@far.example")]), ..ListContent::default() });
    let request = ListRequest::Set { address: address("garden@example.com"), content };
    ask(&store, Request::List(Box::new(request))).await.unwrap();
    let remove = |text: &str| account(AccountRequest::Remove { address: address(text), force: true });
    let told = said(ask(&store, remove("alice@example.org")).await);
    assert!(told.contains("no longer a member of garden@example.com"), "{told}");
    ask(&store, add_account("alice@example.org")).await.unwrap();
    assert_eq!(members().await, ["bob@far.example"]);
    join("bob@example.org").await;
    ask(&store, add_alias("bob@example.org", &["bob@far.example"])).await.unwrap();
    let told = said(ask(&store, remove("bob@example.org")).await);
    assert!(told.contains("removed the account") && !told.contains("no longer a member"), "{told}");
    assert_eq!(members().await, ["bob@example.org", "bob@far.example"]);
}
