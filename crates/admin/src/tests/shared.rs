//! Shared mailboxes, their members, and the access lists of single mailboxes.

use routing::objects::{AccountKind, Member, SeenState};

use super::*;

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
        (
            Request::Shared(SharedRequest::Show { address: address("inf@example.org") }),
            "did you mean info@example.org?",
        ),
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

/// Nobody's mail, login or names go to a shared mailbox made at an address that they have.
#[tokio::test]
async fn r07_a_shared_mailbox_takes_an_address_from_nobody() {
    let store = stage().await;
    ask(&store, add_domain("example.com")).await.unwrap();
    let mut alice = (**store.directory().account(&address("alice@example.org")).unwrap()).clone();
    alice.also_in = vec![name("example.com")];
    store.put_object(routing::objects::Object::Account(alice), storage::objects::PutMode::Replace).await.unwrap();
    for (kind, at) in [("group", "board@example.org"), ("list", "garden@example.org")] {
        let person = if kind == "list" { "owners" } else { "members" };
        let content = serde_json::json!({ person: ["alice@example.org"] });
        let request = serde_json::json!({kind: {"add": {"address": at, "content": content}}});
        ask(&store, serde_json::from_value(request).unwrap()).await.unwrap();
    }
    let add = |at: &str| {
        serde_json::from_value::<Request>(serde_json::json!({"shared": {"add": {
            "address": at, "members": [{"account": "bob@example.org", "rights": "poster"}]}}}))
        .unwrap()
    };
    for (at, text) in [
        ("alice@example.org", "is there already"),
        ("alice@example.com", "is a further address of alice@example.org"),
        ("Alice@Example.com", "is a further address of alice@example.org"),
        ("board@example.org", "belongs to the group board@example.org already"),
        ("garden@example.org", "belongs to the list garden@example.org already"),
        ("garden-owner@example.org", "belongs to the list garden@example.org (owner) already"),
    ] {
        let told = said(ask(&store, add(at)).await);
        assert!(told.contains(text), "{at}: {told}");
    }
    let most = serde_json::json!({"account": {"users-of": {"domain": "example.org", "accounts_max": {"set": 3}}}});
    ask(&store, serde_json::from_value(most).unwrap()).await.unwrap();
    ask(&store, add("info@example.org")).await.unwrap();
    let full = ask(&store, add("more@example.org")).await.unwrap_err();
    assert_eq!(full.kind, ErrorKind::Full);
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
    let Response::Acl(list) =
        ask(&store, Request::Acl(AclRequest::Seen { address: owner, mailbox, seen })).await.unwrap()
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

#[tokio::test]
async fn r11_a_domain_administrator_shares_within_their_domains_only() {
    let store = stage().await;
    ask(&store, add_domain("other.example")).await.unwrap();
    ask(&store, add_account("carol@other.example")).await.unwrap();
    let mut alice = (**store.directory().account(&address("alice@example.org")).unwrap()).clone();
    alice.role = Role::DomainAdministrator;
    let id = alice.id;
    store.put_object(routing::objects::Object::Account(alice), storage::objects::PutMode::Replace).await.unwrap();
    let alice = Actor::Account { id, remote: None };
    let bob = Actor::Account { id: store.directory().account(&address("bob@example.org")).unwrap().id, remote: None };
    let acl = |whose: &str| Request::Acl(AclRequest::Show { address: address(whose), mailbox: "INBOX".to_owned() });
    let allowed = |answer: Result<Response, AdminError>| answer.map_err(|error| error.kind) != Err(ErrorKind::Denied);
    let settings = settings();
    assert!(!allowed(ask_as(&store, &settings, &bob, add_shared(&[])).await));
    assert!(!allowed(ask_as(&store, &settings, &alice, add_shared(&[("carol@other.example", "lr")])).await));
    assert!(allowed(ask_as(&store, &settings, &alice, add_shared(&[("bob@example.org", "lr")])).await));
    assert!(!allowed(ask_as(&store, &settings, &alice, put_member("carol@other.example", "lr", false)).await));
    assert!(allowed(ask_as(&store, &settings, &alice, acl("info@example.org")).await));
    assert!(!allowed(ask_as(&store, &settings, &alice, acl("carol@other.example")).await));
    assert!(!allowed(ask_as(&store, &settings, &bob, acl("bob@example.org")).await), "by IMAP, not by this way");
    let edit = |verb: &str, who: &str| -> Request {
        let json = serde_json::json!({ "acl": { verb: {
            "address": "bob@example.org", "mailbox": "INBOX", "identifier": who, "rights": "lr",
        } } });
        serde_json::from_value(json).unwrap()
    };
    for (who, expected) in [
        ("info@example.org", true),
        ("anyone", true),
        ("carol@other.example", false),
        ("-carol@other.example", false),
        ("CAROL@OTHER.EXAMPLE", false),
        ("nobody@other.example", false),
    ] {
        assert_eq!(allowed(ask_as(&store, &settings, &alice, edit("set", who)).await), expected, "{who}");
    }
    // The server's administrator crosses organisations; what is there may be taken away.
    ask(&store, edit("set", "carol@other.example")).await.unwrap();
    assert!(allowed(ask_as(&store, &settings, &alice, edit("remove", "carol@other.example")).await));
    let listed = Request::Shared(SharedRequest::List { domain: None });
    assert_eq!(ask_as(&store, &settings, &bob, listed).await.ok(), None);
}
