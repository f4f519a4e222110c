//! Mailing lists and their members.

use super::addresses::{add_group, members};
use super::*;

fn list_request(request: ListRequest) -> Request {
    Request::List(Box::new(request))
}

fn owned(owner: &str) -> Box<ListContent> {
    Box::new(ListContent { owners: Some(vec![address(owner)]), ..ListContent::default() })
}

/// A list of Alice's.
async fn stage_with_a_list() -> (Store, Address) {
    let store = stage().await;
    let garden = address("garden@example.org");
    let add = ListRequest::Add { address: garden.clone(), content: owned("alice@example.org") };
    ask(&store, list_request(add)).await.unwrap();
    (store, garden)
}

fn member(text: &str) -> NewMember {
    NewMember { address: address(text), name: String::new(), language: None }
}

#[tokio::test]
async fn r08_lists_and_members_are_made_changed_and_removed() {
    let store = stage().await;
    let garden = address("garden@example.org");
    let add = |text: &str, content| list_request(ListRequest::Add { address: address(text), content });
    for (text, content, words) in [
        ("garden@example.org", Box::<ListContent>::default(), "needs an owner"),
        ("a-list-with-a-very-long-name-indeed@example.org", owned("alice@example.org"), "at most 30"),
        ("gärten@example.org", owned("alice@example.org"), "letters, digits"),
        ("garden@elsewhere.example", owned("alice@example.org"), "not a domain of this server"),
        ("alice@example.org", owned("alice@example.org"), "alice@example.org"),
    ] {
        let error = ask(&store, add(text, content)).await.unwrap_err();
        assert!(error.message.contains(words), "{text}: {error}");
    }
    let language = Box::new(ListContent { language: Some("de".to_owned()), ..*owned("alice@example.org") });
    assert!(ask(&store, add("garden@example.org", language)).await.unwrap_err().message.contains("fr or en"));
    ask(&store, add("garden@example.org", owned("alice@example.org"))).await.unwrap();
    assert_eq!(
        ask(&store, add("garden@example.org", owned("alice@example.org"))).await.unwrap_err().kind,
        ErrorKind::Exists
    );
    let member = |text: &str| NewMember { address: address(text), name: "Bob".to_owned(), language: None };
    let join =
        list_request(ListRequest::MemberAdd { list: garden.clone(), member: member("Bob@far.example"), quiet: true });
    ask(&store, join.clone()).await.unwrap();
    assert_eq!(ask(&store, join).await.unwrap_err().kind, ErrorKind::Exists);
    let members = (0..2_500).map(|n| member(&format!("m{n}@far.example"))).chain([member("bob@far.example")]).collect();
    let Response::MembersImported(report) =
        ask(&store, list_request(ListRequest::MemberImport { list: garden.clone(), members, welcome: false }))
            .await
            .unwrap()
    else {
        panic!("no report")
    };
    assert_eq!((report.added, report.present), (2_500, 1));
    let content = MemberContent { state: Some(MemberState::Suspended), ..MemberContent::default() };
    let set =
        |who: &str| ListRequest::MemberSet { list: garden.clone(), address: address(who), content: content.clone() };
    ask(&store, list_request(set("BOB@far.example"))).await.unwrap();
    assert_eq!(ask(&store, list_request(set("nobody@far.example"))).await.unwrap_err().kind, ErrorKind::NotFound);
    let Response::List(view) = ask(&store, list_request(ListRequest::Show { address: garden.clone() })).await.unwrap()
    else {
        panic!("no list")
    };
    assert_eq!((view.members, view.active, view.waiting), (2_501, 2_500, 0));
    let Response::Members(suspended) = ask(
        &store,
        list_request(ListRequest::MemberList { list: garden.clone(), state: Some(MemberState::Suspended) }),
    )
    .await
    .unwrap() else {
        panic!("no members")
    };
    assert_eq!(suspended.iter().map(|member| member.address.to_string()).collect::<Vec<_>>(), ["Bob@far.example"]);
    let decide = ListRequest::Decide { address: garden.clone(), message: 9, approved: true, reason: String::new() };
    assert_eq!(ask(&store, list_request(decide)).await.unwrap_err().kind, ErrorKind::NotFound);
    let remove = |force| list_request(ListRequest::Remove { address: garden.clone(), force });
    assert_eq!(ask(&store, remove(false)).await.unwrap_err().kind, ErrorKind::InUse);
    ask(&store, remove(true)).await.unwrap();
    assert_eq!(
        ask(&store, list_request(ListRequest::Show { address: garden })).await.unwrap_err().kind,
        ErrorKind::NotFound
    );
    let mut findings = Vec::new();
    storage::check::check(&store, false, &mut |finding| findings.push(finding.to_string())).await.unwrap();
    assert_eq!(findings, [""; 0]);
}

#[tokio::test]
async fn r08_who_is_added_is_to_be_told_unless_that_is_not_wanted() {
    let (store, garden) = stage_with_a_list().await;
    let add =
        |text: &str, quiet| list_request(ListRequest::MemberAdd { list: garden.clone(), member: member(text), quiet });
    let import = |texts: &[&str], welcome| {
        let members = texts.iter().map(|text| member(text)).collect();
        list_request(ListRequest::MemberImport { list: garden.clone(), members, welcome })
    };
    ask(&store, add("quiet@far.example", true)).await.unwrap();
    ask(&store, add("told@far.example", false)).await.unwrap();
    assert!(ask(&store, add("told@far.example", false)).await.is_err(), "a member already");
    ask(&store, import(&["silent@far.example"], false)).await.unwrap();
    ask(&store, import(&["told@far.example", "greeted@far.example"], true)).await.unwrap();
    let events = store.events_after(mail::Topic::MemberAdded, 0, 9).await.unwrap();
    let told: Vec<String> =
        events.iter().map(|row| delivery::MemberAdded::decode(&row.payload).unwrap().address.to_string()).collect();
    assert_eq!(told, ["told@far.example", "greeted@far.example"]);
}

#[tokio::test]
async fn addresses_beyond_ascii_are_saved_with_a_warning() {
    let (store, garden) = stage_with_a_list().await;
    let add =
        |text: &str| list_request(ListRequest::MemberAdd { list: garden.clone(), member: member(text), quiet: true });
    let Ok(Response::Member(view)) = ask(&store, add("bj\u{f8}rn@far.example")).await else { panic!() };
    assert!(view.warnings[0].contains("bj\u{f8}rn@far.example") && view.warnings[0].contains("SMTPUTF8"), "{view:?}");
    let Ok(Response::Member(view)) = ask(&store, add("bob@far.example")).await else { panic!() };
    assert_eq!(view.warnings, [""; 0]);
    let members = (0..9).map(|n| member(&format!("\u{e9}t\u{e9}{n}@far.example"))).collect();
    let import = ListRequest::MemberImport { list: garden.clone(), members, welcome: false };
    let Ok(Response::MembersImported(report)) = ask(&store, list_request(import)).await else { panic!() };
    assert!(report.warnings[0].contains("\u{e9}t\u{e9}4@far.example and 4 more"), "{report:?}");
    let Ok(Response::Alias(view)) = ask(&store, add_alias("cafe@example.org", &["caf\u{e9}@far.example"])).await else {
        panic!()
    };
    assert!(view.warnings[0].contains("SMTPUTF8"), "{view:?}");
    // Here, Relais itself takes them.
    ask(&store, add_account("caf\u{e9}@example.org")).await.unwrap();
    let Ok(Response::Alias(view)) = ask(&store, add_alias("bar@example.org", &["caf\u{e9}@example.org"])).await else {
        panic!()
    };
    assert_eq!(view.warnings, [""; 0]);
}

#[tokio::test]
async fn moderation_that_ends_tells_how_many_wait_and_what_becomes_of_them() {
    use storage::rows::{WaitReason, WaitingRow};

    let store = stage().await;
    let garden = address("garden@example.org");
    let content = Box::new(ListContent { moderated: Some(true), ..*owned("alice@example.org") });
    ask(&store, list_request(ListRequest::Add { address: garden.clone(), content })).await.unwrap();
    let content = GroupContent {
        moderated: Some(true),
        moderators: Some(vec![address("alice@example.org")]),
        ..members(&["bob@example.org"])
    };
    ask(&store, add_group("board@example.org", content)).await.unwrap();
    let parts = {
        let directory = store.directory();
        let board = address("board@example.org");
        [directory.list(&garden).unwrap().id, directory.group(&board).unwrap().id]
    };
    for (number, part) in [(1, parts[0]), (1, parts[1]), (2, parts[1])] {
        let row = WaitingRow {
            address: garden.clone(),
            recipient: garden.clone(),
            skip_octets: 0,
            reverse_path: mail::ReversePath::Null,
            account: None,
            received_at: store.now(),
            author: None,
            subject: String::new(),
            octets: 1,
            reason: WaitReason::Moderated,
            expires: store.now(),
            decision: None,
            trace: None,
            automatic: false,
            require_tls: false,
        };
        store.transact(move |tx| tx.put_waiting(part, mail::Uid(number), &row)).await.unwrap();
    }
    let open = || Box::new(ListContent { moderated: Some(false), ..ListContent::default() });
    let set = || list_request(ListRequest::Set { address: garden.clone(), content: open() });
    let Ok(Response::List(view)) = ask(&store, set()).await else { panic!() };
    assert!(view.warnings[0].starts_with("1 message waits still") && view.warnings[0].contains("7 days"), "{view:?}");
    let Ok(Response::List(view)) = ask(&store, set()).await else { panic!() };
    assert_eq!(view.warnings, [""; 0], "nothing has changed this time");
    let content = Box::new(GroupContent { moderated: Some(false), ..GroupContent::default() });
    let set = Request::Group(GroupRequest::Set { address: address("board@example.org"), content });
    let Ok(Response::Group(view)) = ask(&store, set).await else { panic!() };
    assert_eq!(view.waiting, 2);
    let told = &view.warnings[0];
    assert!(
        told.starts_with("2 messages wait still") && told.contains("relais list waiting board@example.org"),
        "{told}"
    );
}

#[tokio::test]
async fn an_access_list_for_an_archive_names_the_setting_instead() {
    let (store, garden) = stage_with_a_list().await;
    let show = Request::Acl(AclRequest::Show { address: garden, mailbox: "Archive".to_owned() });
    let error = ask(&store, show).await.unwrap_err();
    assert!(error.message.contains("is a mailing list"), "{error}");
    assert!(error.hint.unwrap().contains("relais list set garden@example.org --archive-readers"));
}

#[tokio::test]
async fn r08_a_member_is_called_by_a_line_of_text() {
    let (store, garden) = stage_with_a_list().await;
    let member = |text: &str, name: &str| NewMember { address: address(text), name: name.to_owned(), language: None };
    let (bad, good) = ("Bob\u{1b}[2J\nX", "Bj\u{f8}rn");
    let import = |members| ListRequest::MemberImport { list: garden.clone(), members, welcome: false };
    let both = vec![member("a@far.example", good), member("b@far.example", bad)];
    let told = said(ask(&store, list_request(import(both))).await);
    assert!(told.contains("the name of b@far.example can't be taken") && told.contains("control characters"), "{told}");
    let part = store.directory().list(&garden).unwrap().id;
    assert_eq!(store.members_after(part, None, 9).await.unwrap(), [], "all or nothing");
    ask(&store, list_request(import(vec![member("a@far.example", good)]))).await.unwrap();
    for request in [
        ListRequest::MemberAdd { list: garden.clone(), member: member("b@far.example", bad), quiet: true },
        ListRequest::MemberSet {
            list: garden.clone(),
            address: address("a@far.example"),
            content: MemberContent { name: Some(bad.to_owned()), ..MemberContent::default() },
        },
    ] {
        let told = said(ask(&store, list_request(request)).await);
        assert!(told.contains("control characters"), "{told}");
    }
}

/// Owners without a role make a list write to so many people a day, and no more.
#[tokio::test]
async fn r08_letters_to_whom_an_owner_adds_are_bounded_and_those_of_administrators_are_not() {
    let (store, garden) = stage_with_a_list().await;
    let mut bob = (**store.directory().account(&address("bob@example.org")).unwrap()).clone();
    bob.role = Role::DomainAdministrator;
    store.put_object(routing::objects::Object::Account(bob), storage::objects::PutMode::Replace).await.unwrap();
    let person = |text: &str| {
        let id = store.directory().account(&address(text)).unwrap().id;
        Actor::Account { id, remote: None }
    };
    for (actor, who) in [
        (Actor::System, "a@far.example"),
        (person("alice@example.org"), "b@far.example"),
        (person("bob@example.org"), "c@far.example"),
    ] {
        let member = NewMember { address: address(who), name: String::new(), language: None };
        let request = list_request(ListRequest::MemberAdd { list: garden.clone(), member, quiet: false });
        ask_as(&store, &settings(), &actor, request).await.unwrap();
    }
    let events = store.events_after(mail::Topic::MemberAdded, 0, 9).await.unwrap();
    let bounded: Vec<bool> =
        events.iter().map(|row| delivery::MemberAdded::decode(&row.payload).unwrap().bounded).collect();
    assert_eq!(bounded, [false, true, false]);
}
