//! Mailing lists and their members.

use super::*;

fn list_request(request: ListRequest) -> Request {
    Request::List(Box::new(request))
}

fn owned(owner: &str) -> Box<ListContent> {
    Box::new(ListContent { owners: Some(vec![address(owner)]), ..ListContent::default() })
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
    let join = list_request(ListRequest::MemberAdd { list: garden.clone(), member: member("Bob@far.example") });
    ask(&store, join.clone()).await.unwrap();
    assert_eq!(ask(&store, join).await.unwrap_err().kind, ErrorKind::Exists);
    let members = (0..2_500).map(|n| member(&format!("m{n}@far.example"))).chain([member("bob@far.example")]).collect();
    let Response::MembersImported(report) =
        ask(&store, list_request(ListRequest::MemberImport { list: garden.clone(), members })).await.unwrap()
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
