//! Who may ask what: M6 and R11.

use proptest::prelude::*;
use routing::objects::{AccountObject, GroupObject, Object};
use storage::objects::PutMode;

use super::*;

/// a.example with an administrator of the server (root), of the domain (chief) and users (alice, bob); b.example with carol,
/// who is in a.example too, and dora. Aliases, a group and responders in both.
async fn two_houses() -> Store {
    let store = store().await;
    for domain in ["a.example", "b.example"] {
        ask(&store, add_domain(domain)).await.unwrap();
    }
    for text in
        ["root@a.example", "chief@a.example", "alice@a.example", "bob@a.example", "carol@b.example", "dora@b.example"]
    {
        ask(&store, add_account(text)).await.unwrap();
    }
    edit(&store, "root@a.example", |account| account.role = Role::Administrator).await;
    edit(&store, "chief@a.example", |account| account.role = Role::DomainAdministrator).await;
    edit(&store, "carol@b.example", |account| account.also_in = vec![name("a.example")]).await;
    for (alias, targets) in [
        ("info@a.example", vec!["alice@a.example", "bob@a.example"]),
        ("info@b.example", vec!["alice@a.example"]),
        ("mixed@a.example", vec!["dora@b.example"]),
    ] {
        ask(&store, add_alias(alias, &targets)).await.unwrap();
    }
    let mut group = GroupObject::new(address("board@b.example"));
    group.members = vec![address("bob@a.example"), address("dora@b.example")];
    store.add_group(group).await.unwrap();
    // Put there by the server's administrator.
    let mut group = GroupObject::new(address("mixed-group@a.example"));
    group.members = vec![address("bob@a.example"), address("dora@b.example")];
    store.add_group(group).await.unwrap();
    for at in ["alice@a.example", "dora@b.example", "carol@a.example"] {
        ask(&store, add_responder(at, content())).await.unwrap();
    }
    store
}

fn content() -> ResponderContent {
    ResponderContent { subject: Some("Away".into()), text: Edit::Set("Away.".into()), ..ResponderContent::default() }
}

async fn edit(store: &Store, text: &str, change: impl FnOnce(&mut AccountObject)) {
    let mut account = (**store.directory().account(&address(text)).unwrap()).clone();
    change(&mut account);
    store.put_object(Object::Account(account), PutMode::Replace).await.unwrap();
}

fn actor(store: &Store, text: &str) -> Actor {
    Actor::Account { id: store.directory().account(&address(text)).unwrap().id, remote: None }
}

fn account(json: serde_json::Value) -> Request {
    serde_json::from_value(serde_json::json!({ "account": json })).unwrap()
}

fn domain_set(name: &str, change: serde_json::Value) -> Request {
    let mut set = serde_json::json!({ "name": name });
    set.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    serde_json::from_value(serde_json::json!({ "domain": { "set": set } })).unwrap()
}

fn pattern(name: &str, request: serde_json::Value) -> Request {
    let pattern = serde_json::json!({ "name": name, "request": request });
    serde_json::from_value(serde_json::json!({ "domain": { "pattern": pattern } })).unwrap()
}

fn external(owner: &str, content: serde_json::Value) -> Request {
    let add = serde_json::json!({ "owner": owner, "protocol": "imap", "content": content });
    serde_json::from_value(serde_json::json!({ "external": { "add": add } })).unwrap()
}

#[tokio::test]
async fn r11_a_domain_administrator_edits_their_domain_and_nothing_else() {
    let store = two_houses().await;
    let chief = actor(&store, "chief@a.example");
    let own = |at: &str| account(serde_json::json!({"set": {"address": at, "display_name": "X"}}));
    let responder_of = |at: &str| store.directory().responders_at(&address(at)).next().unwrap().id;
    let remove_responder = |at: &str| Request::Responder(ResponderRequest::Remove { id: responder_of(at) });
    use Denial as D;
    let table: Vec<(Request, Option<Denial>)> = vec![
        (own("alice@a.example"), None),
        (own("dora@b.example"), Some(D::OtherDomain)),
        (own("carol@b.example"), Some(D::OtherDomain)),
        (own("root@a.example"), Some(D::MorePowerful)),
        (own("chief@a.example"), None),
        (domain_set("a.example", serde_json::json!({"catch_all": {"set": "alice@a.example"}})), None),
        (domain_set("b.example", serde_json::json!({"catch_all": {"set": "alice@a.example"}})), Some(D::OtherDomain)),
        (domain_set("a.example", serde_json::json!({"enabled": false})), Some(D::AdministratorsOnly)),
        (domain_set("a.example", serde_json::json!({"postmaster": "clear"})), Some(D::AdministratorsOnly)),
        (domain_set("a.example", serde_json::json!({"content": {"language": "fr"}})), Some(D::AdministratorsOnly)),
        (pattern("a.example", serde_json::json!({"add": {"pattern": "x-.*", "targets": ["alice@a.example"]}})), None),
        (pattern("a.example", serde_json::json!("list")), None),
        (
            pattern("b.example", serde_json::json!({"add": {"pattern": "x-.*", "targets": ["alice@a.example"]}})),
            Some(D::OtherDomain),
        ),
        (pattern("a.example", serde_json::json!({"test": {"address": "x@a.example"}})), Some(D::AdministratorsOnly)),
        (external("alice@a.example", serde_json::json!({"host": "imap.far.example"})), None),
        (external("dora@b.example", serde_json::json!({"host": "imap.far.example"})), Some(D::OtherDomain)),
        (external("root@a.example", serde_json::json!({"host": "imap.far.example"})), Some(D::MorePowerful)),
        (external("alice@a.example", serde_json::json!({"host": "127.0.0.1"})), Some(D::AdministratorsOnly)),
        (external("alice@a.example", serde_json::json!({"host": "[fd00::1]"})), Some(D::AdministratorsOnly)),
        (external("alice@a.example", serde_json::json!({"host": "LOCALHOST."})), Some(D::AdministratorsOnly)),
        (
            external("alice@a.example", serde_json::json!({"host": "imap.far.example", "security": "none"})),
            Some(D::AdministratorsOnly),
        ),
        (Request::External(Box::new(ExternalRequest::Show { id: 77 })), Some(D::OtherDomain)),
        (account(serde_json::json!({"set": {"address": "bob@a.example", "owner": "alice@a.example"}})), None),
        (account(serde_json::json!({"set": {"address": "bob@a.example", "owner": "The club"}})), None),
        (
            account(serde_json::json!({"set": {"address": "bob@a.example", "owner": "dora@b.example"}})),
            Some(D::OtherDomain),
        ),
        (
            account(serde_json::json!({"add": {"address": "new@a.example", "owner": "Dora@B.example"}})),
            Some(D::OtherDomain),
        ),
        (add_account("new@a.example"), None),
        (add_account("new@b.example"), Some(D::OtherDomain)),
        (account(serde_json::json!({"add": {"address": "new@a.example", "role": "administrator"}})), Some(D::Roles)),
        (
            account(serde_json::json!({"add": {"address": "new@a.example", "role": "domain-administrator"}})),
            Some(D::Roles),
        ),
        (
            account(serde_json::json!({"add": {"address": "new@a.example", "also_in": ["b.example"]}})),
            Some(D::OtherDomain),
        ),
        (
            account(
                serde_json::json!({"import": {"accounts": [{"address": "x@a.example"}, {"address": "x@b.example"}]}}),
            ),
            Some(D::OtherDomain),
        ),
        (account(serde_json::json!({"set": {"address": "alice@a.example", "role": "administrator"}})), Some(D::Roles)),
        (
            account(serde_json::json!({"set": {"address": "chief@a.example", "administers": ["b.example"]}})),
            Some(D::Roles),
        ),
        (
            account(serde_json::json!({"set": {"address": "alice@a.example", "add_domains": ["b.example"]}})),
            Some(D::OtherDomain),
        ),
        // What is set up at an address has power over its mail.
        (add_alias("root@a.example", &["alice@a.example"]), Some(D::MorePowerful)),
        (add_responder("root@a.example", content()), Some(D::MorePowerful)),
        (
            serde_json::from_value(serde_json::json!({"group": {"add": {"address": "g@a.example",
                "content": {"members": ["root@a.example"], "withdraw": ["imap"]}}}}))
            .unwrap(),
            Some(D::MorePowerful),
        ),
        (add_alias("alice@a.example", &["alice@a.example", "bob@a.example"]), None),
        (remove_alias("root@a.example", &["dora@b.example"]), Some(D::MorePowerful)),
        (remove_alias("root@a.example", &[]), Some(D::MorePowerful)),
        (remove_alias("alice@a.example", &["bob@a.example"]), None),
        (add_shared("new@a.example"), None),
        (add_shared("new@b.example"), Some(D::OtherDomain)),
        (add_shared("carol@a.example"), Some(D::OtherDomain)),
        (account(serde_json::json!({"password": {"address": "alice@a.example"}})), None),
        (account(serde_json::json!({"password": {"address": "root@a.example"}})), Some(D::MorePowerful)),
        (account(serde_json::json!({"password": {"address": "carol@a.example"}})), Some(D::OtherDomain)),
        (
            account(
                serde_json::json!({"identity": {"remove": {"account": "carol@a.example", "address": "x@a.example"}}}),
            ),
            Some(D::OtherDomain),
        ),
        (account(serde_json::json!({"show": {"address": "carol@a.example"}})), Some(D::OtherDomain)),
        (account(serde_json::json!({"show": {"address": "dora@b.example"}})), Some(D::OtherDomain)),
        (account(serde_json::json!({"aliases": {"address": "alice@a.example", "add": ["x@a.example"]}})), None),
        (
            account(serde_json::json!({"aliases": {"address": "alice@a.example", "add": ["x@b.example"]}})),
            Some(D::OtherDomain),
        ),
        (
            account(serde_json::json!({"aliases": {"address": "alice@a.example", "add": ["carol@a.example"]}})),
            Some(D::OtherDomain),
        ),
        (
            account(serde_json::json!({"remove": {"address": "alice@a.example", "force": true}})),
            Some(D::OthersLeadToIt),
        ),
        (account(serde_json::json!({"remove": {"address": "bob@a.example", "force": true}})), Some(D::OthersLeadToIt)),
        (account(serde_json::json!({"remove": {"address": "chief@a.example"}})), Some(D::Oneself)),
        (account(serde_json::json!({"off-board": {"address": "alice@a.example", "successor": "bob@a.example"}})), None),
        (
            account(serde_json::json!({"off-board": {"address": "alice@a.example", "successor": "dora@b.example"}})),
            Some(D::OtherDomain),
        ),
        (account(serde_json::json!({"off-board": {"address": "chief@a.example"}})), Some(D::Oneself)),
        (
            account(serde_json::json!({"users-of": {"domain": "a.example", "add_domains": ["b.example"]}})),
            Some(D::AdministratorsOnly),
        ),
        (add_alias("new@a.example", &["dora@b.example"]), None),
        (add_alias("new@b.example", &["alice@a.example"]), Some(D::OtherDomain)),
        (add_alias("carol@a.example", &["alice@a.example"]), Some(D::OtherDomain)),
        (add_responder("bob@a.example", content()), None),
        (add_responder("dora@b.example", content()), Some(D::OtherDomain)),
        (remove_responder("alice@a.example"), None),
        (remove_responder("dora@b.example"), Some(D::OtherDomain)),
        (remove_responder("carol@a.example"), Some(D::OtherDomain)),
        (Request::Responder(ResponderRequest::Remove { id: 999 }), Some(D::OtherDomain)),
        (add_domain("c.example"), Some(D::AdministratorsOnly)),
        (Request::Domain(DomainRequest::Remove { name: name("a.example"), force: true }), Some(D::AdministratorsOnly)),
        (Request::Domain(DomainRequest::Show { name: name("b.example") }), Some(D::OtherDomain)),
        (Request::Queue(QueueRequest::Remove(QueueSelection::All)), Some(D::AdministratorsOnly)),
        (explain("info@a.example"), None),
        (group("add", "new@a.example", serde_json::json!({"members": ["alice@a.example", "carol@a.example"]})), None),
        (
            group("add", "new@a.example", serde_json::json!({"members": ["alice@a.example", "dora@b.example"]})),
            Some(D::OtherDomain),
        ),
        (group("set", "mixed-group@a.example", serde_json::json!({"add_members": ["dora@b.example"]})), None),
        (
            group("set", "mixed-group@a.example", serde_json::json!({"add_members": ["nobody@b.example"]})),
            Some(D::OtherDomain),
        ),
        (
            group("add", "new@a.example", serde_json::json!({"members": ["dora@b.example"], "withdraw": ["imap"]})),
            Some(D::OtherDomain),
        ),
        (
            group("set", "board@b.example", serde_json::json!({"remove_members": ["bob@a.example"]})),
            Some(D::OtherDomain),
        ),
        (explain("info@b.example"), Some(D::OtherDomain)),
    ];
    for (request, denial) in table {
        let expected = denial.map_or(Permission::Allowed, Permission::Denied);
        assert_eq!(may(&store.directory(), &chief, &request), expected, "{request:?}");
    }
    // What an address of theirs leads through may be others'.
    let refused = ask_as(&store, &settings(), &chief, explain("mixed@a.example")).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Denied);
    ask_as(&store, &settings(), &chief, explain("info@a.example")).await.unwrap();
    let refused = ask_as(&store, &settings(), &chief, own("dora@b.example")).await.unwrap_err();
    assert_eq!(
        (refused.kind, refused.message.as_str()),
        (ErrorKind::Denied, "dora@b.example is not in a domain that you administer")
    );
}

/// Owners and moderators of lists and groups, whatever their role.
#[tokio::test]
async fn r08_whoever_runs_a_list_may_what_its_letters_say() {
    let store = two_houses().await;
    let list = |verb: &str, fields: serde_json::Value| -> Request {
        serde_json::from_value(serde_json::json!({ "list": { verb: fields } })).unwrap()
    };
    let content =
        serde_json::json!({"owners": ["alice@a.example"], "moderators": ["bob@a.example", "zoe@far.example"]});
    ask(&store, list("add", serde_json::json!({"address": "garden@a.example", "content": content}))).await.unwrap();
    let mut team = GroupObject::new(address("team@a.example"));
    (team.members, team.moderators, team.moderated) =
        (vec![address("alice@a.example")], vec![address("dora@b.example")], true);
    store.add_group(team).await.unwrap();
    let garden = || serde_json::json!({"list": "garden@a.example", "address": "zoe@far.example"});
    let at = |text: &str| serde_json::json!({ "address": text });
    let decide = |text: &str| serde_json::json!({"address": text, "message": 1, "approved": true});
    let member = serde_json::json!({"list": "garden@a.example", "member": {"address": "zoe@far.example"}});
    let every = "alice dora bob carol";
    for (request, who) in [
        (list("waiting", at("garden@a.example")), "alice bob"),
        (list("decide", decide("garden@a.example")), "alice bob"),
        (list("waiting", at("team@a.example")), "dora"),
        (list("decide", decide("team@a.example")), "dora"),
        (list("show", at("garden@a.example")), "alice"),
        (list("member-list", serde_json::json!({"list": "garden@a.example"})), "alice"),
        (list("member-add", member), "alice"),
        (list("member-remove", garden()), "alice"),
        (list("set", serde_json::json!({"address": "garden@a.example", "content": {"owners": ["bob@a.example"]}})), ""),
        (list("remove", at("garden@a.example")), ""),
        (list("waiting", at("board@b.example")), ""),
    ] {
        for name in every.split(' ') {
            let domain = if ["dora", "carol"].contains(&name) { "b.example" } else { "a.example" };
            let answer = may(&store.directory(), &actor(&store, &format!("{name}@{domain}")), &request);
            let expected = who.split(' ').any(|one| one == name);
            assert_eq!(answer == Permission::Allowed, expected, "{name}: {request:?}");
        }
    }
}

fn remove_alias(at: &str, targets: &[&str]) -> Request {
    let targets = targets.iter().copied().map(target).collect();
    Request::Alias(AliasRequest::Remove { address: address(at), targets, by: None, force: false })
}

fn add_shared(at: &str) -> Request {
    serde_json::from_value(serde_json::json!({"shared": {"add": {"address": at}}})).unwrap()
}

/// While a request waits, for a password to be hashed or for somebody else's edit, what it rests on may go.
#[tokio::test]
async fn r11_what_is_allowed_is_decided_when_it_is_written() {
    let [chief, alice] = ["chief@a.example", "alice@a.example"];
    let table: Vec<(Request, &str, Role)> = vec![
        // Whom it is about gets a role.
        (account(serde_json::json!({"password": {"address": alice}})), alice, Role::Administrator),
        (
            account(serde_json::json!({"set": {"address": alice, "generate_password": true}})),
            alice,
            Role::Administrator,
        ),
        (account(serde_json::json!({"remove": {"address": "x@a.example"}})), "x@a.example", Role::Administrator),
        (account(serde_json::json!({"off-board": {"address": alice}})), alice, Role::Administrator),
        (account(serde_json::json!({"rules": {"address": alice, "terms": {}}})), alice, Role::Administrator),
        (
            account(serde_json::json!({"aliases": {"address": alice, "add": ["y@a.example"]}})),
            alice,
            Role::Administrator,
        ),
        (
            account(serde_json::json!({"identity": {"put": {"account": alice, "address": alice, "replace": false}}})),
            alice,
            Role::Administrator,
        ),
        (add_alias(alice, &[alice, "bob@a.example"]), alice, Role::Administrator),
        (add_responder("bob@a.example", content()), "bob@a.example", Role::Administrator),
        (
            serde_json::from_value(
                serde_json::json!({"contact": {"add": {"account": alice, "address": "z@z.example"}}}),
            )
            .unwrap(),
            alice,
            Role::Administrator,
        ),
        (
            serde_json::from_value(serde_json::json!({"acl": {"set": {
                "address": alice, "mailbox": "INBOX", "identifier": "anyone", "rights": "lr"}}}))
            .unwrap(),
            alice,
            Role::Administrator,
        ),
        // Who asks loses theirs.
        (add_account("new@a.example"), chief, Role::User),
        (account(serde_json::json!({"import": {"accounts": [{"address": "new@a.example"}]}})), chief, Role::User),
        (add_shared("new@a.example"), chief, Role::User),
        (group("add", "new@a.example", serde_json::json!({"members": [alice]})), chief, Role::User),
        (
            serde_json::from_value(serde_json::json!({"list": {"add": {
                "address": "new@a.example", "content": {"owners": [alice]}}}}))
            .unwrap(),
            chief,
            Role::User,
        ),
    ];
    for (request, whose, role) in table {
        let store = two_houses().await;
        ask(&store, add_account("x@a.example")).await.unwrap();
        let (settings, by) = (settings(), actor(&store, chief));
        let editing = settings.edits.hold().await;
        let mut asking = std::pin::pin!(ask_as(&store, &settings, &by, request.clone()));
        // It is looked at, and allowed so far.
        assert!(futures_util::poll!(asking.as_mut()).is_pending(), "{request:?}");
        edit(&store, whose, |account| account.role = role).await;
        drop(editing);
        let refused = asking.await.unwrap_err();
        assert_eq!(refused.kind, ErrorKind::Denied, "{request:?}: {refused}");
    }
}

#[tokio::test]
async fn m04_who_knew_the_old_password_does_not_undo_its_change() {
    let store = two_houses().await;
    let ours = account(serde_json::json!({"set": {"address": "bob@a.example", "password": "what bob knows"}}));
    ask(&store, ours).await.unwrap();
    let (settings, bob) = (settings(), actor(&store, "bob@a.example"));
    let editing = settings.edits.hold().await;
    let mine = account(serde_json::json!({"password": {
        "address": "bob@a.example", "old": "what bob knows", "new": "what a thief knows"}}));
    let mut asking = std::pin::pin!(ask_as(&store, &settings, &bob, mine));
    assert!(futures_util::poll!(asking.as_mut()).is_pending());
    edit(&store, "bob@a.example", |account| account.password_hash = Some("another".to_owned())).await;
    drop(editing);
    let refused = asking.await.unwrap_err();
    assert_eq!(
        (refused.kind, refused.message.as_str()),
        (ErrorKind::Denied, "the password was changed in the meantime")
    );
}

#[tokio::test]
async fn m04_nobody_sets_their_own_password_without_the_old_one() {
    let store = two_houses().await;
    for who in ["root@a.example", "chief@a.example"] {
        for how in [serde_json::json!({"password": "long enough"}), serde_json::json!({"generate_password": true})] {
            let mut set = how;
            set["address"] = who.into();
            let request = account(serde_json::json!({ "set": set }));
            let refused = ask_as(&store, &settings(), &actor(&store, who), request).await.unwrap_err();
            assert!(refused.message.contains("the old one is needed"), "{refused}");
        }
        let request = account(serde_json::json!({"password": {"address": who, "new": "long enough"}}));
        assert!(ask_as(&store, &settings(), &actor(&store, who), request).await.is_err());
    }
}

fn group(verb: &str, at: &str, content: serde_json::Value) -> Request {
    serde_json::from_value(serde_json::json!({"group": {verb: {"address": at, "content": content}}})).unwrap()
}

fn explain(to: &str) -> Request {
    Request::Explain {
        from: mail::ReversePath::Null,
        to: address(to),
        account: None,
        octets: None,
        message: SupposedMessage::default(),
    }
}

#[tokio::test]
async fn m06_a_user_has_their_own_password_identities_and_responders() {
    let store = two_houses().await;
    let carol = actor(&store, "carol@b.example");
    let responder_of = |at: &str| store.directory().responders_at(&address(at)).next().unwrap().id;
    let table: Vec<(Request, bool)> = vec![
        (account(serde_json::json!({"show": {"address": "carol@b.example"}})), true),
        (account(serde_json::json!({"show": {"address": "carol@a.example"}})), true),
        (account(serde_json::json!({"show": {"address": "dora@b.example"}})), false),
        (account(serde_json::json!({"settings": {"address": "carol@b.example"}})), true),
        (account(serde_json::json!({"password": {"address": "carol@b.example"}})), true),
        (account(serde_json::json!({"password": {"address": "dora@b.example"}})), false),
        (account(serde_json::json!({"set": {"address": "carol@b.example", "role": "administrator"}})), false),
        (account(serde_json::json!({"set": {"address": "carol@b.example", "quota_octets": "clear"}})), false),
        (
            account(
                serde_json::json!({"set": {"address": "carol@a.example", "display_name": "Carol", "language": "fr"}}),
            ),
            true,
        ),
        (account(serde_json::json!({"set": {"address": "carol@b.example", "time_zone": "Europe/Paris"}})), true),
        (account(serde_json::json!({"set": {"address": "dora@b.example", "time_zone": "Europe/Paris"}})), false),
        (account(serde_json::json!({"set": {"address": "carol@b.example", "language": "fr", "enabled": true}})), false),
        (account(serde_json::json!({"set": {"address": "carol@b.example", "recovery": "clear"}})), false),
        (account(serde_json::json!({"set": {"address": "carol@b.example", "add_domains": ["a.example"]}})), false),
        (account(serde_json::json!({"set": {"address": "carol@b.example", "restore": ["imap"]}})), false),
        (account(serde_json::json!({"set": {"address": "carol@b.example", "generate_password": true}})), false),
        (account(serde_json::json!({"identity": {"list": {"account": "carol@b.example"}}})), true),
        (account(serde_json::json!({"identity": {"list": {"account": "dora@b.example"}}})), false),
        (account(serde_json::json!({"list": {}})), false),
        (add_account("x@b.example"), false),
        (add_alias("x@b.example", &["carol@b.example"]), false),
        (add_responder("carol@b.example", content()), true),
        (add_responder("carol@a.example", content()), true),
        (add_responder("dora@b.example", content()), false),
        (Request::Responder(ResponderRequest::Remove { id: responder_of("carol@a.example") }), true),
        (Request::Responder(ResponderRequest::Remove { id: responder_of("dora@b.example") }), false),
        (explain("carol@b.example"), true),
        (explain("dora@b.example"), false),
        (Request::Domain(DomainRequest::List), false),
        (Request::Queue(QueueRequest::List { after: None, limit: None, filter: None }), false),
    ];
    for (request, allowed) in table {
        let permission = may(&store.directory(), &carol, &request);
        assert_eq!(permission == Permission::Allowed, allowed, "{request:?}: {permission:?}");
    }
    // Who is switched off may nothing at all, whatever the role.
    let root = actor(&store, "root@a.example");
    assert_eq!(may(&store.directory(), &root, &add_domain("c.example")), Permission::Allowed);
    edit(&store, "root@a.example", |account| account.enabled = false).await;
    assert_eq!(may(&store.directory(), &root, &add_domain("c.example")), Permission::Denied(Denial::NoSuchActor));
    let nobody = Actor::Account { id: mail::AccountId(999), remote: None };
    assert_eq!(may(&store.directory(), &nobody, &explain("alice@a.example")), Permission::Denied(Denial::NoSuchActor));
}

#[tokio::test]
async fn r11_listings_show_what_is_theirs() {
    let store = two_houses().await;
    let chief = actor(&store, "chief@a.example");
    let asked = async |request| ask_as(&store, &settings(), &chief, request).await;
    let Ok(Response::Domains(domains)) = asked(Request::Domain(DomainRequest::List)).await else { panic!() };
    assert_eq!(domains.iter().map(|view| view.domain.name.as_str()).collect::<Vec<_>>(), ["a.example"]);
    let Ok(Response::Accounts(accounts)) = asked(account(serde_json::json!({"list": {}}))).await else { panic!() };
    assert!(accounts.len() == 4 && accounts.iter().all(|view| view.address.domain() == &name("a.example")));
    let Ok(Response::Aliases(aliases)) =
        asked(Request::Alias(AliasRequest::List { domain: None, made_by: None })).await
    else {
        panic!()
    };
    assert!(aliases.len() == 2 && aliases.iter().all(|alias| alias.alias.address.domain() == &name("a.example")));
    let list = Request::Responder(ResponderRequest::List { address: None });
    let Ok(Response::Responders(responders)) = asked(list.clone()).await else { panic!() };
    assert_eq!(responders.iter().map(|one| one.responder.address.to_string()).collect::<Vec<_>>(), ["alice@a.example"]);
    let Ok(Response::Responders(own)) = ask_as(&store, &settings(), &actor(&store, "carol@b.example"), list).await
    else {
        panic!()
    };
    assert_eq!(own.iter().map(|one| one.responder.address.to_string()).collect::<Vec<_>>(), ["carol@a.example"]);
    let show = account(serde_json::json!({"show": {"address": "alice@a.example"}}));
    let Ok(Response::Account(view)) = asked(show).await else { panic!() };
    assert!(view.leading.iter().all(|one| one.address.domain() == &name("a.example")), "{:?}", view.leading);
}

#[tokio::test]
async fn r11_off_boarding_by_a_domain_administrator_leaves_other_domains_alone() {
    let store = two_houses().await;
    let chief = actor(&store, "chief@a.example");
    let before = foreign(&store);
    let leave = account(serde_json::json!({"off-board": {"address": "bob@a.example", "successor": "alice@a.example"}}));
    let Ok(Response::OffBoarded(report)) = ask_as(&store, &settings(), &chief, leave).await else { panic!() };
    assert!(report.left.iter().any(|left| left.starts_with("board@b.example still names it")), "{report:?}");
    assert_eq!(foreign(&store), before);
    // What an administrator of the server took from somebody with a role is not given back by less.
    let root = Actor::System;
    edit(&store, "alice@a.example", |account| account.role = Role::DomainAdministrator).await;
    ask_as(&store, &settings(), &root, account(serde_json::json!({"off-board": {"address": "alice@a.example"}})))
        .await
        .unwrap();
    let undo = account(serde_json::json!({"off-board-undo": {"address": "alice@a.example"}}));
    assert_eq!(may(&store.directory(), &chief, &undo), Permission::Denied(Denial::Roles));
    assert_eq!(may(&store.directory(), &root, &undo), Permission::Allowed);
}

/// Everything that no domain administrator of a.example may change.
fn foreign(store: &Store) -> Vec<Object> {
    let directory = store.directory();
    let other = |address: &Address| address.domain() != &name("a.example");
    // Of one's own domain, catch-all and patterns are one's own.
    let domains = directory.domains().map(|domain| {
        let mut domain = (**domain).clone();
        if domain.name == name("a.example") {
            (domain.catch_all, domain.patterns) = (None, Vec::new());
        }
        Object::Domain(domain)
    });
    let mut all: Vec<Object> = domains.collect();
    let powerful = |account: &AccountObject| account.role == Role::Administrator;
    let accounts = directory.accounts().filter(|account| other(&account.address) || powerful(account));
    all.extend(accounts.map(|account| Object::Account((**account).clone())));
    let mut aliases: Vec<_> = directory.aliases().filter(|alias| other(&alias.address)).collect();
    aliases.sort_by(|a, b| a.address.cmp(&b.address));
    all.extend(aliases.into_iter().map(|alias| Object::Alias((**alias).clone())));
    all.extend(directory.groups().filter(|group| other(&group.address)).map(|group| Object::Group((**group).clone())));
    all.extend(directory.lists().filter(|list| other(&list.address)).map(|list| Object::List((**list).clone())));
    // A responder at the further address of somebody in another domain is theirs too.
    let theirs = |at: &Address| directory.account_at(at).is_some_and(|account| other(&account.address)) || other(at);
    let responders = directory.responders().filter(|responder| theirs(&responder.address));
    all.extend(responders.map(|responder| Object::Responder((**responder).clone())));
    all
}

fn any_address() -> impl Strategy<Value = String> {
    let locals = ["root", "chief", "alice", "bob", "carol", "dora", "info", "mixed", "board", "x"];
    (prop::sample::select(locals.to_vec()), prop::sample::select(vec!["a.example", "b.example"]))
        .prop_map(|(local, domain)| format!("{local}@{domain}"))
}

fn any_request() -> impl Strategy<Value = serde_json::Value> {
    let domain = || prop::sample::select(vec!["a.example", "b.example", "c.example"]);
    let domains = move || prop::collection::vec(domain(), 0..2);
    let role = || prop::sample::select(vec!["user", "domain-administrator", "administrator"]);
    let addresses = || prop::collection::vec(any_address(), 0..3);
    let id = || 0u64..6;
    use serde_json::json;
    prop_oneof![
        (any_address(), role(), domains()).prop_map(|(address, role, also_in)| json!({"account": {"add": {
            "address": address, "role": role, "also_in": also_in, "password": "long enough"}}})),
        addresses().prop_map(|all| {
            let accounts: Vec<_> =
                all.iter().map(|address| json!({"address": address, "password": "long enough"})).collect();
            json!({"account": {"import": {"accounts": accounts}}})
        }),
        (any_address(), prop::option::of(role()), domains(), domains(), any::<bool>()).prop_map(
            |(address, role, add, remove, enabled)| json!({"account": {"set": {"address": address, "role": role,
                "add_domains": add, "remove_domains": remove, "enabled": enabled, "administers": null}}})
        ),
        (any_address(), domains()).prop_map(|(address, administers)| json!({"account": {"set": {
            "address": address, "administers": administers}}})),
        any_address().prop_map(|address| json!({"account": {"password": {"address": address, "new": "long enough"}}})),
        (any_address(), addresses(), addresses()).prop_map(|(address, add, remove)| json!({"account": {"aliases": {
            "address": address, "add": add, "remove": remove}}})),
        (any_address(), any_address()).prop_map(|(account, address)| json!({"account": {"identity": {"put": {
            "account": account, "address": address, "replace": false}}}})),
        (domain(), domains(), domains()).prop_map(|(domain, add, remove)| json!({"account": {"users-of": {
            "domain": domain, "add_domains": add, "remove_domains": remove, "accounts_max": {"set": 1}}}})),
        (any_address(), any::<bool>()).prop_map(|(address, force)| json!({"account": {"remove": {
            "address": address, "force": force}}})),
        (any_address(), prop::option::of(any_address()), any::<bool>()).prop_map(
            |(address, successor, redirect)| json!({
            "account": {"off-board": {"address": address, "successor": successor, "redirect": redirect,
            "responder_text": "Gone."}}})
        ),
        any_address().prop_map(|address| json!({"account": {"off-board-undo": {"address": address}}})),
        (any_address(), addresses()).prop_map(|(address, targets)| json!({"alias": {"add": {
            "address": address, "targets": targets}}})),
        (any_address(), addresses()).prop_map(|(address, targets)| json!({"alias": {"set": {
            "address": address, "targets": targets}}})),
        any_address().prop_map(|address| json!({"alias": {"remove": {"address": address}}})),
        (any_address(), any_address()).prop_map(|(account, address)| json!({"alias": {"make": {
            "account": account, "address": address}}})),
        (any_address(), any_address(), any::<bool>()).prop_map(|(address, by, enabled)| json!({"alias": {"set": {
            "address": address, "by": by, "enabled": enabled}}})),
        (any_address(), addresses(), any::<bool>()).prop_map(|(address, members, set)| {
            let verb = if set { "set" } else { "add" };
            json!({"group": {verb: {"address": address, "content": {"members": members, "withdraw": ["imap"],
                "moderators": members}}}})
        }),
        any_address().prop_map(|address| json!({"group": {"remove": {"address": address}}})),
        (any_address(), addresses(), any::<bool>()).prop_map(|(address, owners, set)| {
            let verb = if set { "set" } else { "add" };
            json!({"list": {verb: {"address": address, "content": {"owners": owners}}}})
        }),
        (any_address(), any_address()).prop_map(|(list, address)| json!({"list": {"member-add": {"list": list,
            "member": {"address": address}}}})),
        any_address().prop_map(|address| json!({"list": {"remove": {"address": address, "force": true}}})),
        (any_address(), any_address()).prop_map(|(account, address)| json!({"contact": {"add": {"account": account,
            "address": address}}})),
        (domain(), addresses()).prop_map(|(name, targets)| json!({"domain": {"pattern": {"name": name,
            "request": {"add": {"pattern": "x.*", "targets": targets}}}}})),
        any_address().prop_map(|address| json!({"responder": {"add": {"address": address,
            "content": {"subject": "s", "text": {"set": "t"}}}}})),
        (id(), prop::option::of(any_address())).prop_map(|(id, address)| json!({"responder": {"set": {"id": id,
            "address": address, "content": {"enabled": false}}}})),
        id().prop_map(|id| json!({"responder": {"remove": {"id": id}}})),
        any_address().prop_map(|address| json!({"shared": {"add": {"address": address}}})),
        domain().prop_map(|name| json!({"domain": {"add": {"name": name}}})),
        (domain(), any_address())
            .prop_map(|(name, to)| json!({"domain": {"set": {"name": name, "catch_all": {"set": to}}}})),
        domain().prop_map(|name| json!({"domain": {"remove": {"name": name, "force": true}}})),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// R11: whatever a domain administrator asks, nothing of another domain changes, and nobody gets more power.
    #[test]
    fn r11_no_request_of_a_domain_administrator_changes_another_domain(requests in prop::collection::vec(any_request(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let store = two_houses().await;
            let chief = actor(&store, "chief@a.example");
            let before = foreign(&store);
            for json in requests {
                let request: Request = serde_json::from_value(json.clone()).unwrap();
                let answer = ask_as(&store, &settings(), &chief, request).await;
                let powerful = {
                    let directory = store.directory();
                    directory.accounts().filter(|one| one.role != Role::User).map(|one| one.address.to_string()).collect::<Vec<_>>()
                };
                assert_eq!(powerful, ["chief@a.example", "root@a.example"], "{json}: {answer:?}");
                assert!(foreign(&store) == before, "another domain is changed by {json}");
            }
        });
    }
}
