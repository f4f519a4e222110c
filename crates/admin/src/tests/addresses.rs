//! Groups, patterns, domain aliases, conditions and aliases that people make.

use mail::ReversePath;
use routing::objects::{AccountObject, AliasForm, AliasMakers, Posting};

use super::*;

pub(super) fn add_group(text: &str, content: GroupContent) -> Request {
    Request::Group(GroupRequest::Add { address: address(text), content: Box::new(content) })
}

pub(super) fn members(texts: &[&str]) -> GroupContent {
    GroupContent { members: Some(texts.iter().map(|text| address(text)).collect()), ..GroupContent::default() }
}

fn set_domain(text: &str, content: DomainContent) -> Request {
    Request::Domain(DomainRequest::Set {
        name: name(text),
        catch_all: Edit::Keep,
        postmaster: Edit::Keep,
        subaddress_separators: None,
        enabled: None,
        content: Box::new(content),
    })
}

fn explain(to: &str, account: Option<&str>, octets: Option<u64>) -> Request {
    let from = ReversePath::Address(address(account.unwrap_or("zoe@far.example")));
    Request::Explain {
        from,
        to: address(to),
        account: account.map(address),
        octets,
        message: SupposedMessage::default(),
    }
}

async fn told(store: &Store, request: Request) -> String {
    let Ok(Response::Explanation(told)) = ask(store, request).await else { panic!() };
    told.text
}

#[tokio::test]
async fn r09_a_group_is_made_changed_explained_and_removed() {
    let store = stage().await;
    ask(&store, add_group("board@example.org", members(&["alice@example.org", "ALICE@example.org"]))).await.unwrap();
    assert!(said(ask(&store, add_group("board@example.org", members(&[]))).await).contains("there already"));
    let set = |content| {
        Request::Group(GroupRequest::Set { address: address("Board@example.org"), content: Box::new(content) })
    };
    let more = GroupContent {
        add_members: vec![address("bob@example.org")],
        posting: Some(Posting::Members),
        ..GroupContent::default()
    };
    let Ok(Response::Group(group)) = ask(&store, set(more)).await else { panic!() };
    assert_eq!(group.group.members, [address("alice@example.org"), address("bob@example.org")]);
    let outside = told(&store, explain("board@example.org", None, None)).await;
    assert!(outside.contains("refused by board@example.org (only its members may write to it)"), "{outside}");
    let inside = told(&store, explain("board@example.org", Some("bob@example.org"), None)).await;
    assert!(inside.contains("mailbox alice@example.org") && inside.contains("\naccepted\n"), "{inside}");
    let bad = GroupContent { add_members: vec![address("nobody@example.org")], ..GroupContent::default() };
    assert!(said(ask(&store, set(bad)).await).contains("no account of this server"));
    let Ok(Response::Groups(all)) = ask(&store, Request::Group(GroupRequest::List { domain: None })).await else {
        panic!()
    };
    assert_eq!(all.len(), 1);
    // The address is nobody else's.
    assert!(
        said(ask(&store, add_alias("board@example.org", &["bob@example.org"])).await).contains("belongs to the group")
    );
    ask(&store, Request::Group(GroupRequest::Remove { address: address("board@example.org"), force: false }))
        .await
        .unwrap();
    ask(&store, add_alias("board@example.org", &["bob@example.org"])).await.unwrap();
}

#[tokio::test]
async fn r10_what_is_removed_leaves_the_groups() {
    let store = stage().await;
    ask(&store, add_domain("b.example")).await.unwrap();
    ask(&store, add_account("carol@b.example")).await.unwrap();
    let moderated = GroupContent {
        moderated: Some(true),
        moderators: Some(vec![address("carol@b.example")]),
        ..members(&["alice@example.org", "carol@b.example"])
    };
    ask(&store, add_group("team@example.org", moderated)).await.unwrap();
    ask(&store, add_group("own@b.example", members(&["carol@b.example"]))).await.unwrap();
    let away = Terms { when_away: Edit::Set(address("carol@b.example")), ..Terms::default() };
    let alias = AliasRequest::Add {
        address: address("desk@example.org"),
        targets: vec![target("bob@example.org")],
        note: None,
        terms: Box::new(away),
    };
    ask(&store, Request::Alias(alias)).await.unwrap();
    let remove_account =
        |force| Request::Account(AccountRequest::Remove { address: address("alice@example.org"), force });
    assert!(said(ask(&store, remove_account(false)).await).contains("the group team@example.org has it as a member"));
    ask(&store, remove_account(true)).await.unwrap();
    let remove = |force| Request::Domain(DomainRequest::Remove { name: name("b.example"), force });
    assert!(said(ask(&store, remove(false)).await).contains("still has 1 account, 1 group"));
    ask(&store, remove(true)).await.unwrap();
    let directory = store.directory();
    let team = directory.group(&address("team@example.org")).unwrap();
    assert!(team.members.is_empty() && team.moderators.is_empty());
    assert!(!team.enabled, "without moderators it is closed, not open");
    assert!(directory.group(&address("own@b.example")).is_none());
    assert_eq!(directory.alias(&address("desk@example.org")).unwrap().when_away, None);
}

#[tokio::test]
async fn r10_a_domain_stands_for_another_and_that_one_stays() {
    let store = stage().await;
    let content = Box::new(DomainContent { alias_of: Edit::Set(name("example.org")), ..DomainContent::default() });
    let add = DomainRequest::Add {
        name: name("b.example"),
        catch_all: None,
        postmaster: None,
        subaddress_separators: None,
        content,
    };
    ask(&store, Request::Domain(add)).await.unwrap();
    assert!(told(&store, explain("alice@b.example", None, None)).await.contains("mailbox alice@example.org"));
    for request in [add_account("dora@b.example"), add_alias("x@b.example", &["alice@example.org"])] {
        let error = ask(&store, request).await.unwrap_err();
        assert!(error.to_string().contains("b.example stands for example.org"), "{error}");
    }
    let remove = Request::Domain(DomainRequest::Remove { name: name("example.org"), force: true });
    assert!(said(ask(&store, remove).await).contains("b.example stands for example.org"));
    let back = DomainContent { alias_of: Edit::Clear, ..DomainContent::default() };
    ask(&store, set_domain("b.example", back)).await.unwrap();
    ask(&store, add_alias("x@b.example", &["alice@example.org"])).await.unwrap();
}

#[tokio::test]
async fn r01_conditions_are_set_shown_explained_and_checked() {
    let store = stage().await;
    let add = |terms| {
        Request::Alias(AliasRequest::Add {
            address: address("fair@example.org"),
            targets: vec![target("alice@example.org")],
            note: None,
            terms: Box::new(terms),
        })
    };
    let bad = Terms { expires: Edit::Set("31/12/2026".to_owned()), ..Terms::default() };
    assert!(said(ask(&store, add(bad)).await).contains("write 2026-07-01"));
    let terms = Terms {
        expires: Edit::Set("2026-12-31".to_owned()),
        message_octets_max: Edit::Set(1000),
        senders: Some(vec!["@far.example".to_owned().try_into().unwrap()]),
        ..Terms::default()
    };
    let Ok(Response::Alias(view)) = ask(&store, add(terms)).await else { panic!() };
    assert_eq!(view.alias.rules.expires.as_deref(), Some("2026-12-31"));
    assert!(told(&store, explain("fair@example.org", None, Some(1000))).await.ends_with("accepted\n"));
    let large = told(&store, explain("fair@example.org", None, Some(1001))).await;
    assert!(large.contains("552 5.2.3"), "{large}");
    let set = AliasRequest::Set {
        address: address("fair@example.org"),
        targets: None,
        note: None,
        enabled: None,
        terms: Box::new(Terms { expires: Edit::Set("2020-01-01".to_owned()), ..Terms::default() }),
        by: None,
    };
    let past = said(ask(&store, Request::Alias(set)).await);
    assert!(past.starts_with("2020-01-01 is over") && past.contains("a date to come"), "{past}");
    // What has expired since is not shown as on.
    let mut alias = store.directory().alias(&address("fair@example.org")).unwrap().as_ref().clone();
    alias.rules.expires = Some("2020-01-01".to_owned());
    store.put_object(routing::objects::Object::Alias(alias), storage::objects::PutMode::Replace).await.unwrap();
    let show = AliasRequest::Show { address: address("fair@example.org"), by: None };
    let Ok(Response::Alias(view)) = ask(&store, Request::Alias(show)).await else { panic!() };
    assert!(view.expired && view.alias.enabled);
    assert!(told(&store, explain("fair@example.org", None, None)).await.contains("550 5.2.1"));
}

#[tokio::test]
async fn patterns_are_added_moved_tried_and_removed() {
    let store = stage().await;
    let pattern = |request| Request::Domain(DomainRequest::Pattern { name: name("example.org"), request });
    let add = |text: &str, to: &str, place| PatternRequest::Add {
        pattern: text.to_owned(),
        targets: vec![to.to_owned()],
        note: None,
        place,
    };
    ask(&store, pattern(add("sales-(.+)", "$1@example.org", None))).await.unwrap();
    ask(&store, pattern(add("s.*", "bob@example.org", None))).await.unwrap();
    assert!(said(ask(&store, pattern(add("(", "bob@example.org", None))).await).contains("no regular expression"));
    assert!(said(ask(&store, pattern(add("z", "nobody@example.org", None))).await).contains("does not exist"));
    let test = |text: &str| pattern(PatternRequest::Test { address: address(text), pattern: None, targets: vec![] });
    let Ok(Response::PatternTest(found)) = ask(&store, test("Sales-Alice@example.org")).await else { panic!() };
    assert_eq!((found.number, found.targets.as_slice()), (Some(1), &["alice@example.org".to_owned()][..]));
    assert!(found.explanation.contains("mailbox alice@example.org"), "{}", found.explanation);
    ask(&store, pattern(PatternRequest::Move { number: 2, place: 1 })).await.unwrap();
    let Ok(Response::PatternTest(found)) = ask(&store, test("sales-alice@example.org")).await else { panic!() };
    assert_eq!(found.pattern.as_deref(), Some("s.*"));
    ask(&store, pattern(PatternRequest::Set { number: 1, enabled: Some(false), note: None })).await.unwrap();
    let Ok(Response::PatternTest(found)) = ask(&store, test("sales-alice@example.org")).await else { panic!() };
    assert_eq!(found.number, Some(2));
    let live = PatternRequest::Test {
        address: address("x9@example.org"),
        pattern: Some("x([0-9])".to_owned()),
        targets: vec!["n$1@far.example".to_owned()],
    };
    let Ok(Response::PatternTest(found)) = ask(&store, pattern(live)).await else { panic!() };
    assert_eq!(found.targets, ["n9@far.example"]);
    ask(&store, pattern(PatternRequest::Remove { number: 1 })).await.unwrap();
    assert!(said(ask(&store, pattern(PatternRequest::Remove { number: 7 })).await).contains("no number 7"));
    let Ok(Response::Patterns(all)) = ask(&store, pattern(PatternRequest::List)).await else { panic!() };
    assert_eq!(all.len(), 1);
}

#[tokio::test]
async fn r11_people_make_aliases_within_the_domains_policy_and_keep_to_their_own() {
    let store = stage().await;
    let make = |text: Option<&str>| {
        Request::Alias(AliasRequest::Make {
            account: address("alice@example.org"),
            address: text.map(address),
            domain: None,
            note: Some("shop".to_owned()),
        })
    };
    assert!(said(ask(&store, make(None)).await).contains("does not allow it"));
    let policy = DomainContent {
        alias_makers: Some(AliasMakers::Everyone),
        aliases_per_person_max: Some(2),
        alias_forms: Some(vec![AliasForm::OwnPrefix, AliasForm::Random]),
        ..DomainContent::default()
    };
    ask(&store, set_domain("example.org", policy)).await.unwrap();
    let Ok(Response::Alias(random)) = ask(&store, make(None)).await else { panic!() };
    assert_eq!((random.owner.clone(), random.alias.note.as_str()), (Some(address("alice@example.org")), "shop"));
    assert!(said(ask(&store, make(Some("bob.shop@example.org"))).await).contains("alice.something@example.org"));
    ask(&store, make(Some("alice.shop@example.org"))).await.unwrap();
    assert!(said(ask(&store, make(None)).await).contains("the most"));

    let own = |by: &str| AliasRequest::List { domain: None, made_by: Some(address(by)) };
    let Ok(Response::Aliases(all)) = ask(&store, Request::Alias(own("alice@example.org"))).await else { panic!() };
    assert_eq!(all.len(), 2);
    let Ok(Response::Aliases(none)) = ask(&store, Request::Alias(own("bob@example.org"))).await else { panic!() };
    assert!(none.is_empty());
    let set = |by: &str, targets: Option<Vec<Target>>| {
        Request::Alias(AliasRequest::Set {
            address: address("alice.shop@example.org"),
            targets,
            note: None,
            enabled: Some(false),
            terms: Box::default(),
            by: Some(address(by)),
        })
    };
    assert!(said(ask(&store, set("bob@example.org", None)).await).contains("no alias that bob@example.org made"));
    assert!(ask(&store, set("alice@example.org", Some(vec![target("x@far.example")]))).await.is_err());
    let Ok(Response::Alias(off)) = ask(&store, set("alice@example.org", None)).await else { panic!() };
    assert!(!off.alias.enabled);
    let remove = |by: &str| {
        Request::Alias(AliasRequest::Remove {
            address: address("alice.shop@example.org"),
            targets: vec![],
            by: Some(address(by)),
            force: false,
        })
    };
    assert!(ask(&store, remove("bob@example.org")).await.is_err());
    ask(&store, remove("alice@example.org")).await.unwrap();
    ask(&store, make(Some("alice.garden@example.org"))).await.unwrap();
}

#[tokio::test]
async fn r02_an_account_demands_what_an_alias_may() {
    let store = stage().await;
    let rules = |terms| {
        Request::Account(AccountRequest::Rules { address: address("alice@example.org"), terms: Box::new(terms) })
    };
    let inside = Terms { internal_only: Some(true), message_octets_max: Edit::Set(1000), ..Terms::default() };
    let Ok(Response::Account(view)) = ask(&store, rules(inside)).await else { panic!() };
    assert!(view.rules.internal_only);
    assert!(told(&store, explain("alice@example.org", None, None)).await.contains("550 5.7.1"));
    let large = explain("alice@example.org", Some("bob@example.org"), Some(1001));
    assert!(told(&store, large).await.contains("552 5.2.3"));
    let own = Request::Explain {
        from: ReversePath::Address(address("bob@example.org")),
        to: address("alice@example.org"),
        account: Some(address("bob@example.org")),
        octets: None,
        message: SupposedMessage::default(),
    };
    assert!(told(&store, own).await.ends_with("accepted\n"));
    let forged = Request::Explain {
        from: ReversePath::Address(address("zoe@far.example")),
        to: address("alice@example.org"),
        account: Some(address("bob@example.org")),
        octets: None,
        message: SupposedMessage::default(),
    };
    let forged = told(&store, forged).await;
    assert!(forged.contains("may not send as zoe@far.example"), "{forged}");
    let bad = Terms { expires: Edit::Set("soon".to_owned()), ..Terms::default() };
    assert!(ask(&store, rules(bad)).await.is_err());
    let away = Terms { when_away: Edit::Set(address("bob@example.org")), ..Terms::default() };
    assert!(said(ask(&store, rules(away)).await).contains("no fall-back"));
}

#[tokio::test]
async fn an_address_of_a_forward_is_explained_with_where_its_bounces_go() {
    let store = stage().await;
    let (sender, day) = (address("zoe@far.example"), u32::try_from(store.now().as_secs() / 86_400).unwrap());
    let period = sender_auth::srs::key_period(day);
    let storage::secret::SecretKey(key) = store.transact(move |tx| tx.srs_key(period, [7; 32])).await.unwrap().value;
    let made = sender_auth::srs::rewrite(&sender, &"example.org".parse().unwrap(), &key, day).unwrap().address;
    let from = |text: &str| Request::Explain {
        from: ReversePath::parse(text).unwrap(),
        to: made.clone(),
        account: None,
        octets: None,
        message: SupposedMessage::default(),
    };
    let report = told(&store, from("<>")).await;
    assert!(
        report.starts_with(&format!(
            "{made} was made here for a message that was forwarded: a report goes to its sender zoe@far.example\n"
        )) && report.contains("accepted: relayed to zoe@far.example\n"),
        "{report}"
    );
    // Anybody else can't write through it, and nobody can make one up.
    assert!(
        told(&store, from("<eve@far.example>"))
            .await
            .contains("refused: 550 5.7.1 This address takes delivery reports only")
    );
    let forged = made.to_string().replace("=zoe@", "=eve@");
    assert!(told(&store, explain(&forged, None, None)).await.contains("550 5.1.1"));
}

#[tokio::test]
async fn explain_tells_of_full_mailboxes_as_rcpt_does() {
    let store = stage().await;
    let alice = store.directory().account(&address("alice@example.org")).unwrap().as_ref().clone();
    let full = AccountObject { quota_octets: Some(0), ..alice };
    store.put_object(routing::objects::Object::Account(full), storage::objects::PutMode::Replace).await.unwrap();
    let alone = told(&store, explain("alice@example.org", None, Some(30 << 20))).await;
    assert!(alone.ends_with("refused: 452 4.2.2 Mailbox full, try again later\n"), "{alone}");
    let targets = vec![Target::Address(address("alice@example.org")), Target::Address(address("bob@example.org"))];
    let team = routing::objects::AliasObject::new(address("team@example.org"), targets);
    store.put_object(routing::objects::Object::Alias(team), storage::objects::PutMode::Add).await.unwrap();
    let among = told(&store, explain("team@example.org", None, None)).await;
    assert!(
        among.ends_with("accepted\nmailbox alice@example.org is full: it gets the message beyond its quota, since others get it too\n"),
        "{among}"
    );
}

#[tokio::test]
async fn explain_knows_the_suppression_list_as_delivery_does() {
    let store = stage().await;
    let (listed, alice) = ("dead@far.example", "alice@example.org");
    let content = ResponderContent {
        subject: Some("Prices".into()),
        text: Edit::Set("1 EUR".into()),
        ..ResponderContent::default()
    };
    ask(&store, add_responder(alice, content)).await.unwrap();
    ask(&store, add_alias("away@example.org", &[listed])).await.unwrap();
    let from = |from: &str, to: &str, login: Option<&str>| Request::Explain {
        from: ReversePath::Address(address(from)),
        to: address(to),
        account: login.map(address),
        octets: None,
        message: SupposedMessage::default(),
    };
    let Ok(Response::Explanation(told)) = ask(&store, from(listed, alice, None)).await else { panic!() };
    assert!(told.responders[0].contains("answers dead@far.example"), "{:?}", told.responders);
    let note = SuppressionRequest::Add { address: address(listed), note: "asked by phone".into(), days: None };
    ask(&store, Request::Suppression(note)).await.unwrap();
    let Ok(Response::Explanation(told)) = ask(&store, from(listed, alice, None)).await else { panic!() };
    assert!(
        told.responders[0].contains("does not answer: the sender is on the suppression list"),
        "{:?}",
        told.responders
    );
    // What a person writes, or an alias passes on, leaves all the same.
    for request in [from(alice, listed, Some(alice)), from("zoe@far.example", "away@example.org", None)] {
        let told = told_of(&store, &settings(), request).await;
        let said = "dead@far.example is on the suppression list: an administrator entered it (asked by phone); it is sent all the same\n";
        assert!(told.ends_with(said), "{told}");
    }
    let all = delivery::SuppressionSettings { blocks: delivery::Blocks::All, ..Default::default() };
    let refusing = Settings { suppression: all, ..settings() };
    let told = told_of(&store, &refusing, from(alice, listed, Some(alice))).await;
    let said = "refused: 550 5.7.1 dead@far.example is on the suppression list of this server: asked by phone\n";
    assert!(told.ends_with(said), "{told}");
}

async fn told_of(store: &Store, settings: &Settings, request: Request) -> String {
    let Ok(Response::Explanation(told)) = ask_as(store, settings, &Actor::System, request).await else { panic!() };
    told.text
}

#[tokio::test]
async fn r09_a_group_without_members_says_what_becomes_of_mail() {
    let store = stage().await;
    let Ok(Response::Group(view)) = ask(&store, add_group("board@example.org", members(&[]))).await else { panic!() };
    assert_eq!(
        view.warnings,
        [
            "it has no members: mail to it is refused until there are some; `relais group set board@example.org --add-member \
          PERSON@example.org` adds one"
        ]
    );
    let refused = told(&store, explain("board@example.org", None, None)).await;
    assert!(refused.contains("group board@example.org (it has no members)"), "{refused}");
    assert!(refused.ends_with("550 5.2.4 This address leads to a group without members\n"), "{refused}");
    let one = GroupContent { add_members: vec![address("alice@example.org")], ..GroupContent::default() };
    let set = Request::Group(GroupRequest::Set { address: address("board@example.org"), content: Box::new(one) });
    let Ok(Response::Group(view)) = ask(&store, set).await else { panic!() };
    assert!(view.warnings.is_empty());
}

#[tokio::test]
async fn the_records_of_a_domain_have_those_of_mail() {
    let store = stage().await;
    let mut settings = settings();
    settings.delivery.hostname = name("mail.example.org");
    let request = Request::Domain(DomainRequest::Records { name: name("example.org") });
    let Ok(Response::Records(view)) = ask_as(&store, &settings, &Actor::System, request).await else { panic!() };
    let told: Vec<String> = view.records.iter().map(|one| format!("{} {} {}", one.name, one.kind, one.value)).collect();
    assert_eq!(
        told[..3],
        [
            "example.org MX 10 mail.example.org.",
            "example.org TXT \"v=spf1 mx -all\"",
            "_dmarc.example.org TXT \"v=DMARC1; p=none\"",
        ]
    );
    let keys: Vec<_> = told.iter().filter(|one| one.contains("._domainkey.example.org TXT \"v=DKIM1")).collect();
    assert_eq!(keys.len(), 2, "{told:?}");
    // No string is longer than the DNS takes.
    let strings = keys.iter().flat_map(|one| one.split('"').skip(1).step_by(2));
    assert!(strings.map(str::len).all(|octets| octets <= 255));
}
