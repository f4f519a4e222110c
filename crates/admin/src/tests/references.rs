//! Nothing that others lead to goes without a word, and nothing leads to what has gone.

use mail::AccountId;
use proptest::prelude::*;
use routing::objects::{
    AccountKind, AccountObject, AliasMakers, AliasObject, DomainObject, GroupObject, ListObject, Member, Object,
    PatternAlias, ResponderObject, SharedMailbox,
};
use routing::responders::Keeping;
use routing::{Directory, meant};
use storage::objects::PutMode;

use super::*;
use crate::references::{Holder, Named, names};

fn remove_alias(text: &str, force: bool) -> Request {
    Request::Alias(AliasRequest::Remove { address: address(text), targets: Vec::new(), by: None, force })
}

fn remove_account(text: &str, force: bool) -> Request {
    Request::Account(AccountRequest::Remove { address: address(text), force })
}

fn remove_group(text: &str, force: bool) -> Request {
    Request::Group(GroupRequest::Remove { address: address(text), force })
}

fn remove_list(text: &str, force: bool) -> Request {
    Request::List(Box::new(ListRequest::Remove { address: address(text), force }))
}

fn remove_domain(text: &str, force: bool) -> Request {
    Request::Domain(DomainRequest::Remove { name: name(text), force })
}

async fn put(store: &Store, object: impl Into<Stored>) {
    match object.into().0 {
        Object::Account(account) => drop(store.add_account(account).await.unwrap()),
        Object::Group(group) => drop(store.add_group(group).await.unwrap()),
        Object::List(list) => drop(store.add_list(list).await.unwrap()),
        object @ (Object::Domain(_)
        | Object::Alias(_)
        | Object::Responder(_)
        | Object::External(_)
        | Object::Filters(_)) => {
            drop(store.put_object(object, PutMode::Add).await.unwrap());
        }
    }
}

struct Stored(Object);

impl From<Object> for Stored {
    fn from(object: Object) -> Self {
        Self(object)
    }
}

fn alias(text: &str, targets: &[&str]) -> AliasObject {
    AliasObject::new(address(text), targets.iter().copied().map(target).collect())
}

fn responder(at: &str, change: impl FnOnce(&mut ResponderObject)) -> Object {
    let mut one = ResponderObject::new(address(at), ResponderKind::Autoresponder);
    (one.subject, one.text) = ("Away".into(), Some("Back soon.".into()));
    change(&mut one);
    Object::Responder(one)
}

fn group(change: impl FnOnce(&mut GroupObject)) -> Object {
    let mut group = GroupObject::new(address("team@b.example"));
    change(&mut group);
    Object::Group(group)
}

fn list(change: impl FnOnce(&mut ListObject)) -> Object {
    let mut list = ListObject::new(address("garden@b.example"));
    list.owners = vec![address("alice@a.example")];
    change(&mut list);
    Object::List(list)
}

fn account(text: &str, change: impl FnOnce(&mut AccountObject)) -> Object {
    let mut account = AccountObject::new(address(text));
    change(&mut account);
    Object::Account(account)
}

/// a.example and b.example, alice and it@a.example of the kind wanted, and what names it in b.example.
async fn world_with(what: &str, naming: Vec<Object>) -> Store {
    let store = store().await;
    for name in ["a.example", "b.example"] {
        let new = Object::Domain(DomainObject::new(super::name(name)));
        let naming = naming.iter().find(|object| object.key() == new.key());
        put(&store, naming.cloned().unwrap_or(new)).await;
    }
    put(&store, account("alice@a.example", |_| ())).await;
    match what {
        "account" => put(&store, account("it@a.example", |_| ())).await,
        "alias" => put(&store, Object::Alias(alias("it@a.example", &["alice@a.example"]))).await,
        "group" => put(&store, Object::Group(GroupObject::new(address("it@a.example")))).await,
        _ => {
            let mut one = ListObject::new(address("it@a.example"));
            one.owners = vec![address("alice@a.example")];
            put(&store, Object::List(one)).await;
        }
    }
    for object in naming.into_iter().filter(|object| !matches!(object, Object::Domain(_))) {
        put(&store, object).await;
    }
    store
}

fn holders(directory: &Directory) -> Vec<Holder<'_>> {
    let mut all: Vec<Holder<'_>> = directory.aliases().map(|one| Holder::Alias(one)).collect();
    all.extend(directory.groups().map(|one| Holder::Group(one)));
    all.extend(directory.lists().map(|one| Holder::List(one)));
    all.extend(directory.domains().map(|one| Holder::Domain(one)));
    all.extend(directory.accounts().map(|one| Holder::Account(one)));
    all.extend(directory.responders().map(|one| Holder::Responder(one)));
    all
}

/// Everything that is named, with who names it.
fn all_names(directory: &Directory) -> Vec<(String, Named)> {
    let named = holders(directory).into_iter().flat_map(|holder| {
        let key = format!("{:?}", holder.key());
        names(holder).into_iter().map(move |(kind, named)| (format!("{key} {kind:?}"), named))
    });
    let mut named: Vec<_> = named.collect();
    named.sort_by_key(|(who, named)| (who.clone(), format!("{named:?}")));
    named
}

fn in_b(change: impl FnOnce(&mut DomainObject)) -> Object {
    let mut domain = DomainObject::new(name("b.example"));
    change(&mut domain);
    Object::Domain(domain)
}

fn member(text: &str) -> Member {
    Member { account: address(text), rights: "lrs".into() }
}

#[tokio::test]
async fn r03_every_field_that_leads_to_something_is_named_before_it_goes() {
    let it = || address("it@a.example");
    let cases: Vec<(&str, Object)> = vec![
        (
            "the alias x@b.example leads to {it}",
            Object::Alias(alias("x@b.example", &["it@a.example", "alice@a.example"])),
        ),
        (
            "the alias x@b.example leads to {it}",
            Object::Alias(alias("x@b.example", &["IT+tag@a.example", ":blackhole:"])),
        ),
        (
            "the alias x@b.example falls back to {it}",
            Object::Alias(AliasObject { when_away: Some(it()), ..alias("x@b.example", &["alice@a.example"]) }),
        ),
        ("the group team@b.example has {it} as a member", group(|group| group.members = vec![it()])),
        ("{it} moderates the group team@b.example", group(|group| group.moderators = vec![it()])),
        ("the group team@b.example falls back to {it}", group(|group| group.when_away = Some(it()))),
        ("{it} owns the list garden@b.example", list(|list| list.owners.push(it()))),
        ("{it} moderates the list garden@b.example", list(|list| list.moderators = vec![it()])),
        ("the catch-all of b.example is {it}", in_b(|domain| domain.catch_all = Some(it()))),
        ("the postmaster of b.example is {it}", in_b(|domain| domain.postmaster = Some(it()))),
        (
            "pattern 2 of b.example leads to {it}",
            in_b(|domain| {
                let targets = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
                domain.patterns = vec![
                    PatternAlias::new("y.*", targets(&["alice@a.example"])),
                    PatternAlias::new("z.*", targets(&["it@a.example"])),
                ];
            }),
        ),
        (
            "the domain b.example lets {it} make aliases",
            in_b(|domain| domain.alias_policy.makers = AliasMakers::Named(vec![it()])),
        ),
        (
            "{it} shares the mailbox info@b.example",
            account("info@b.example", |info| {
                info.kind = AccountKind::Shared;
                info.shared = Some(SharedMailbox { members: vec![member("it@a.example")], ..SharedMailbox::default() });
            }),
        ),
        ("{it} is the recovery address of bob@b.example", account("bob@b.example", |bob| bob.recovery = Some(it()))),
        ("responder 1 answers at {it}", responder("it@a.example", |_| ())),
        (
            "responder 1 at z@b.example names {it} as the deputy",
            responder("z@b.example", |one| one.deputy = Some(it())),
        ),
        (
            "responder 1 at z@b.example copies received messages to {it}",
            responder("z@b.example", |one| one.copy_received_to = Some(it())),
        ),
        (
            "responder 1 at z@b.example copies its answers to {it}",
            responder("z@b.example", |one| one.copy_answers_to = Some(it())),
        ),
    ];
    type Remove = fn(&str, bool) -> Request;
    let removals: [(&str, Remove); 4] =
        [("account", remove_account), ("alias", remove_alias), ("group", remove_group), ("list", remove_list)];
    for (what, remove) in removals {
        for (reason, naming) in &cases {
            let store = world_with(what, vec![naming.clone()]).await;
            let before = all_names(&store.directory());
            let refused = ask(&store, remove("it@a.example", false)).await.unwrap_err();
            assert_eq!(refused.kind, ErrorKind::InUse, "{what}: {reason}");
            assert!(refused.message.contains(&reason.replace("{it}", "it")), "{what}: {refused}");
            assert!(refused.hint.as_ref().unwrap().contains("--force"), "{what}: {refused}");
            assert_eq!(all_names(&store.directory()), before, "nothing is changed");
            ask(&store, remove("it@a.example", true)).await.unwrap();
            let left = all_names(&store.directory());
            let leads = left.iter().filter(|(_, named)| format!("{named:?}").to_lowercase().contains("\"it"));
            assert_eq!(leads.count(), 0, "{what}: {reason}: {left:?}");
        }
        // What nothing leads to goes at once.
        let store = world_with(what, Vec::new()).await;
        let done = said(ask(&store, remove("it@a.example", false)).await);
        assert!(done.contains(&format!("removed the {what} it@a.example")), "{done}");
        assert!(!done.contains("took it out"), "{done}");
    }
    // A domain: the same fields, by the address that they name. What is in it goes with it.
    for (reason, naming) in cases.iter().filter(|(reason, _)| !reason.contains("answers at")) {
        let store = world_with("alias", vec![naming.clone()]).await;
        let refused = said(ask(&store, remove_domain("a.example", false)).await).replace("IT+tag@", "it@");
        assert!(refused.contains(&reason.replace("{it}", "it@a.example")), "{reason}: {refused}");
        ask(&store, remove_domain("a.example", true)).await.unwrap();
        let left = all_names(&store.directory());
        assert!(!format!("{left:?}").contains("a.example"), "{left:?}");
    }
}

#[tokio::test]
async fn r01_what_would_lead_nowhere_goes_with_all_that_leads_there() {
    let store = stage().await;
    for (at, to) in [
        ("a@example.org", &["bob@example.org"][..]),
        ("b@example.org", &["a@example.org"]),
        ("c@example.org", &["B+x@example.org", "alice@example.org"]),
        ("bob@example.org", &["bob@example.org", "a@example.org"]),
    ] {
        put(&store, Object::Alias(alias(at, to))).await;
    }
    put(&store, responder("b@example.org", |_| ())).await;
    let refused = said(ask(&store, remove_alias("a@example.org", false)).await);
    for words in [
        "the alias b@example.org leads to it; ",
        "the alias bob@example.org leads to it",
        "the alias c@example.org leads to B+x@example.org",
        "responder 1 answers at b@example.org",
        "--force deletes it and takes it out of there; then the alias b@example.org goes too, as it leads nowhere else",
    ] {
        assert!(refused.contains(words), "{words}: {refused}");
    }
    let done = said(ask(&store, remove_alias("a@example.org", true)).await);
    assert!(done.contains("took it out of the alias bob@example.org, the alias c@example.org; the alias b@"), "{done}");
    let directory = store.directory();
    let targets = |at: &str| directory.alias(&address(at)).map(|alias| alias.targets.clone());
    assert_eq!(targets("b@example.org"), None);
    assert_eq!(targets("c@example.org"), Some(vec![target("alice@example.org")]));
    assert_eq!(targets("bob@example.org"), Some(vec![target("bob@example.org")]));
    assert_eq!(directory.responders().count(), 0);
}

#[tokio::test]
async fn r02_an_alias_beside_a_mailbox_leaves_the_address_behind() {
    let store = stage().await;
    put(&store, Object::Alias(alias("bob@example.org", &["bob@example.org", "x@far.example"]))).await;
    put(&store, Object::Alias(alias("info@example.org", &["bob@example.org"]))).await;
    put(&store, responder("bob@example.org", |_| ())).await;
    ask(&store, remove_alias("bob@example.org", false)).await.unwrap();
    let directory = store.directory();
    assert_eq!((directory.aliases().count(), directory.responders().count()), (1, 1));
}

#[tokio::test]
async fn r10_mail_does_not_begin_to_leave_for_a_domain_that_is_given_up() {
    let store = stage().await;
    ask(&store, add_domain("b.example")).await.unwrap();
    put(&store, Object::Alias(alias("info@b.example", &["alice@example.org"]))).await;
    put(&store, Object::Alias(alias("partner@example.org", &["info@b.example"]))).await;
    put(&store, Object::Alias(alias("sales@example.org", &["nobody@b.example", "bob@example.org"]))).await;
    let mut domain = DomainObject::new(name("c.example"));
    domain.patterns = vec![PatternAlias::new("(.*)-b", vec!["$1@b.example".to_owned(), "bob@example.org".to_owned()])];
    put(&store, Object::Domain(domain)).await;
    let refused = said(ask(&store, remove_domain("b.example", false)).await);
    for words in [
        "the domain b.example still has 1 alias; it is in use: ",
        "the alias partner@example.org leads to info@b.example",
        "the alias sales@example.org leads to nobody@b.example",
        "pattern 1 of c.example leads to $1@b.example",
        "mail would leave for it otherwise; then the alias partner@example.org goes too",
    ] {
        assert!(refused.contains(words), "{words}: {refused}");
    }
    let done = said(ask(&store, remove_domain("b.example", true)).await);
    assert!(done.contains("nothing is sent on to b.example"), "{done}");
    let directory = store.directory();
    assert!(directory.alias(&address("partner@example.org")).is_none());
    assert_eq!(directory.alias(&address("sales@example.org")).unwrap().targets, [target("bob@example.org")]);
    assert_eq!(directory.domain(&name("c.example")).unwrap().patterns[0].targets, ["bob@example.org"]);
}

#[tokio::test]
async fn r10_an_empty_domain_is_not_given_up_while_others_lead_there() {
    let store = stage().await;
    ask(&store, add_domain("b.example")).await.unwrap();
    put(&store, Object::Alias(alias("x@example.org", &["old@b.example"]))).await;
    let refused = ask(&store, remove_domain("b.example", false)).await.unwrap_err();
    assert_eq!(refused.message, "the domain b.example is in use: the alias x@example.org leads to old@b.example");
    ask(&store, remove_domain("b.example", true)).await.unwrap();
    assert_eq!(store.directory().aliases().count(), 0);
}

#[tokio::test]
async fn a09_nothing_is_deleted_because_a_copy_ends() {
    let store = stage().await;
    put(
        &store,
        responder("alice@example.org", |one| {
            (one.keep, one.copy_to_deputy, one.deputy) = (false, true, Some(address("bob@example.org")));
            one.text = Some("Ask {deputy}.".into());
        }),
    )
    .await;
    put(&store, responder("fair@example.org", |one| one.copy_received_to = Some(address("bob@example.org")))).await;
    let refused = said(ask(&store, remove_account("bob@example.org", false)).await);
    for words in [
        "responder 1 at alice@example.org names it as the deputy",
        "responder 2 at fair@example.org copies received messages to it",
        "the words of responder 1 at alice@example.org name a {deputy}, and there is none",
        "responder 1 keeps what alice@example.org receives",
        "who writes to fair@example.org gets a failure notice beside the answer of responder 2",
    ] {
        assert!(refused.contains(words), "{words}: {refused}");
    }
    ask(&store, remove_account("bob@example.org", true)).await.unwrap();
    let directory = store.directory();
    let one = directory.responder(1).unwrap();
    assert_eq!((one.keep, one.copy_to_deputy, one.deputy.as_ref()), (true, false, None));
}

#[tokio::test]
async fn r08_a_list_without_an_owner_and_a_group_without_a_moderator_are_off() {
    let store = stage().await;
    let mut garden = ListObject::new(address("garden@example.org"));
    garden.owners = vec![address("bob@example.org")];
    store.add_list(garden).await.unwrap();
    let mut board = GroupObject::new(address("board@example.org"));
    (board.moderated, board.moderators) = (true, vec![address("bob@example.org")]);
    store.add_group(board).await.unwrap();
    let done = said(ask(&store, remove_account("bob@example.org", true)).await);
    assert!(done.contains("the list garden@example.org is off, as it has no owner left"), "{done}");
    assert!(done.contains("the group board@example.org is off"), "{done}");
    let directory = store.directory();
    assert!(!directory.list(&address("garden@example.org")).unwrap().enabled);
    assert!(!directory.group(&address("board@example.org")).unwrap().enabled);
}

#[tokio::test]
async fn r11_a_maker_removes_what_only_their_own_leads_to() {
    let store = stage().await;
    let id = |text: &str| store.directory().account(&address(text)).unwrap().id;
    let made = |text: &str, to: &str| {
        Object::Alias(AliasObject { made_by: Some(id("alice@example.org")), ..alias(text, &[to]) })
    };
    let (shop, second) =
        (made("shop@example.org", "alice@example.org"), made("second@example.org", "shop@example.org"));
    put(&store, shop).await;
    put(&store, second).await;
    put(&store, responder("alice@example.org", |one| one.deputy = Some(address("shop@example.org")))).await;
    let remove = |force| {
        let (address, by) = (address("shop@example.org"), Some(address("alice@example.org")));
        Request::Alias(AliasRequest::Remove { address, targets: Vec::new(), by, force })
    };
    put(&store, Object::Alias(alias("secret@example.org", &["shop@example.org", "bob@example.org"]))).await;
    for force in [false, true] {
        let refused = said(ask(&store, remove(force)).await);
        assert!(refused.starts_with("others' addresses lead to shop@example.org"), "{refused}");
        assert!(!refused.contains("secret"), "{refused}");
    }
    ask(&store, remove_alias("secret@example.org", false)).await.unwrap();
    let refused = said(ask(&store, remove(false)).await);
    assert!(refused.contains("the alias second@example.org leads to it"), "{refused}");
    ask(&store, remove(true)).await.unwrap();
    assert_eq!(store.directory().aliases().count(), 0);
    assert_eq!(store.directory().responder(1).unwrap().deputy, None);
}

#[tokio::test]
async fn r11_a_domain_administrator_takes_nothing_out_of_other_domains() {
    for (reason_free, naming) in [
        (false, Object::Alias(alias("x@b.example", &["it@a.example", "alice@a.example"]))),
        (false, responder("z@b.example", |one| one.deputy = Some(address("it@a.example")))),
        (false, in_b(|domain| domain.catch_all = Some(address("it@a.example")))),
        (true, Object::Alias(alias("x@a.example", &["it@a.example", "alice@a.example"]))),
    ] {
        for (what, request) in
            [("alias", remove_alias("it@a.example", true)), ("group", remove_group("it@a.example", true))]
        {
            let store = world_with(what, vec![naming.clone()]).await;
            put(&store, account("chief@a.example", |chief| chief.role = Role::DomainAdministrator)).await;
            let id: AccountId = store.directory().account(&address("chief@a.example")).unwrap().id;
            let chief = Actor::Account { id, remote: None };
            let permission = may(&store.directory(), &chief, &request);
            let denied = Permission::Denied(Denial::OthersLeadToIt);
            assert_eq!(permission, if reason_free { Permission::Allowed } else { denied }, "{what}");
        }
    }
}

#[tokio::test]
async fn a06_a_responder_tells_what_becomes_of_the_messages_and_of_its_answers() {
    let store = stage().await;
    ask(&store, add_alias("info@example.org", &["alice@example.org"])).await.unwrap();
    let content = || ResponderContent {
        text: Edit::Set("Back soon.".into()),
        subject: Some("Away".into()),
        ..ResponderContent::default()
    };
    let copied = ResponderContent { copy_received_to: Edit::Set(address("bob@example.org")), ..content() };
    let unfiled = ResponderContent { file_in_sent: Some(false), ..content() };
    for (at, content, keeping, received, filed) in [
        ("alice@example.org", content(), Keeping::Kept, "are kept", "filed"),
        ("bob@example.org", unfiled, Keeping::Kept, "are kept", "not filed"),
        (
            "info@example.org",
            content(),
            Keeping::Redirected,
            "go to where info@example.org leads",
            "in nobody's: info@",
        ),
        (
            "fair@example.org",
            content(),
            Keeping::FailureNotice,
            "go to nobody: senders get a failure notice",
            "in nobody's",
        ),
        ("copy@example.org", copied, Keeping::CopiesOnly, "are kept nowhere but in the copies", "in nobody's"),
    ] {
        let Ok(Response::Responder(view)) = ask(&store, add_responder(at, content)).await else { panic!("{at}") };
        assert_eq!(view.keeping, keeping, "{at}");
        assert!(view.received.starts_with(received) && view.filed.starts_with(filed), "{view:?}");
        let show = Request::Responder(ResponderRequest::Show { id: view.responder.id });
        assert_eq!(ask(&store, show).await, Ok(Response::Responder(view)), "show tells the same");
    }
}

/// What one random object is, where, and what it names.
type Recipe = (u8, u8, u8, Vec<u8>);

/// A spelling of some address.
fn spelled(n: u8) -> String {
    let local = n % 6;
    match n / 6 % 6 {
        0 | 1 => format!("n{local}@a.example"),
        2 => format!("N{local}+x@a.example"),
        3 => format!("n{local}@c.example"),
        4 => format!("n{local}@b.example"),
        _ => format!("n{local}-owner@a.example"),
    }
}

fn made(recipe: &Recipe, directory: &Directory) -> Option<Object> {
    let (kind, local, domain, named) = recipe;
    let at = address(&format!("n{}@{}.example", local % 6, if domain % 3 == 0 { "b" } else { "a" }));
    let named: Vec<Address> = named.iter().map(|n| address(&spelled(*n))).collect();
    let first = named.first().cloned();
    let taken = directory.group(&at).is_some() || directory.list(&at).is_some() || directory.alias(&at).is_some();
    let account_there = directory.account_at(&at).is_some();
    let free = !taken && !account_there;
    Some(match kind % 6 {
        0 if !account_there && directory.group(&at).is_none() && directory.list(&at).is_none() => {
            let mut account = AccountObject { recovery: first, ..AccountObject::new(at.clone()) };
            let other = Address::new(at.local().as_str(), name("b.example")).unwrap();
            if domain % 3 == 1 && directory.account_at(&other).is_none() && directory.alias(&other).is_none() {
                account.also_in = vec![name("b.example")];
            }
            if domain % 2 == 0 {
                account.kind = AccountKind::Shared;
                let person =
                    |one: &&Address| directory.account(one).is_some_and(|account| account.kind == AccountKind::Person);
                let members =
                    named.iter().filter(person).map(|member| Member { account: member.clone(), rights: "lrs".into() });
                account.shared = Some(SharedMailbox { members: members.collect(), ..SharedMailbox::default() });
            }
            Object::Account(account)
        }
        1 | 2 if !taken && !named.is_empty() => {
            let targets = named.iter().cloned().map(Target::Address).collect();
            Object::Alias(AliasObject { when_away: first, ..AliasObject::new(at, targets) })
        }
        3 if free => Object::Group(GroupObject { members: named, when_away: first, ..GroupObject::new(at) }),
        4 if free => {
            Object::List(ListObject { owners: named, moderators: first.into_iter().collect(), ..ListObject::new(at) })
        }
        5 => Object::Responder(ResponderObject {
            deputy: first,
            copy_received_to: named.get(1).cloned(),
            copy_answers_to: named.get(2).cloned(),
            subject: "x".into(),
            ..ResponderObject::new(at, ResponderKind::Autoresponder)
        }),
        _ => return None,
    })
}

fn is_there(directory: &Directory, at: &Address) -> bool {
    directory.account_at(at).is_some()
        || directory.alias(at).is_some()
        || directory.group(at).is_some()
        || directory.list(at).is_some()
        || directory.responders_at(at).next().is_some()
}

async fn property(recipes: Vec<Recipe>, catch_all: u8, pick: usize) {
    let store = store().await;
    for text in ["a.example", "b.example"] {
        let mut domain = DomainObject::new(name(text));
        domain.catch_all = Some(address(&spelled(catch_all)));
        domain.patterns = vec![PatternAlias::new("p.*", vec![spelled(catch_all / 2), "$0@b.example".to_owned()])];
        put(&store, Object::Domain(domain)).await;
    }
    let stands = DomainObject { alias_of: Some(name("a.example")), ..DomainObject::new(name("c.example")) };
    put(&store, Object::Domain(stands)).await;
    for recipe in &recipes {
        let made = made(recipe, &store.directory());
        if let Some(object) = made {
            put(&store, object).await;
        }
    }
    let before = store.directory().clone();
    let mut removals: Vec<(String, Request, Request)> = Vec::new();
    let mut offer = |what: &str, at: &Address, request: fn(&str, bool) -> Request| {
        let text = at.to_string();
        removals.push((format!("{what} {text}"), request(&text, false), request(&text, true)));
    };
    let mut aliases: Vec<_> = before.aliases().map(|one| one.address.clone()).collect();
    aliases.sort();
    aliases.iter().for_each(|at| offer("alias", at, remove_alias));
    before.accounts().for_each(|one| offer("account", &one.address, remove_account));
    before.groups().for_each(|one| offer("group", &one.address, remove_group));
    before.lists().for_each(|one| offer("list", &one.address, remove_list));
    removals.push(("b.example".into(), remove_domain("b.example", false), remove_domain("b.example", true)));
    let (what, asked, forced) = removals.swap_remove(pick % removals.len());

    let names_before = all_names(&before);
    let gently = ask(&store, asked).await;
    match &gently {
        Err(error) => {
            assert_eq!(error.kind, ErrorKind::InUse, "{what}: {error}");
            assert_eq!(all_names(&store.directory()), names_before, "{what}: nothing is changed");
            ask(&store, forced).await.unwrap();
        }
        // Nothing led there: apart from what was its own, all is as before.
        Ok(_) => {
            let after = all_names(&store.directory());
            assert!(after.iter().all(|one| names_before.contains(one)), "{what}");
        }
    }
    let after = store.directory().clone();
    for (who, named) in all_names(&after) {
        match &named {
            Named::Text { domain, .. } => assert!(after.domain(domain).is_some(), "{what}: {who} names {named:?}"),
            Named::Address(address) => {
                assert!(after.domain(address.domain()).is_some(), "{what}: {who} names {address}");
                let meant_before = meant(&before, address);
                let dangles = is_there(&before, &meant_before) && !is_there(&after, &meant_before);
                assert!(!dangles, "{what}: {who} still names {address}");
            }
        }
    }
    assert!(after.aliases().all(|alias| !alias.targets.is_empty()), "{what}: an alias that leads nowhere");
    let mut findings = Vec::new();
    storage::check::check(&store, false, &mut |finding| findings.push(finding.to_string())).await.unwrap();
    assert_eq!(findings, [""; 0], "{what}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn after_a_forced_removal_nothing_names_what_has_gone(
        recipes in proptest::collection::vec((any::<u8>(), any::<u8>(), any::<u8>(), proptest::collection::vec(any::<u8>(), 0..4)), 1..24),
        catch_all in any::<u8>(),
        pick in any::<usize>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(property(recipes, catch_all, pick));
    }
}

#[tokio::test]
async fn r07_a_shared_mailbox_forgets_a_member_and_all_else_of_them_at_once() {
    let store = stage().await;
    let info = account("info@example.org", |info| {
        info.kind = AccountKind::Shared;
        info.shared = Some(SharedMailbox { members: vec![member("bob@example.org")], ..SharedMailbox::default() });
        info.recovery = Some(address("bob@example.org"));
    });
    put(&store, info).await;
    ask(&store, remove_account("bob@example.org", true)).await.unwrap();
    let info = store.directory().account(&address("info@example.org")).cloned().unwrap();
    assert_eq!((info.recovery.as_ref(), info.shared.as_ref().unwrap().members.len()), (None, 0));
}

#[tokio::test]
async fn what_can_not_be_forced_is_refused_while_something_leads_there() {
    let store = store().await;
    for domain in ["a.example", "b.example"] {
        ask(&store, add_domain(domain)).await.unwrap();
    }
    for text in ["alice@a.example", "bob@a.example"] {
        ask(&store, add_account(text)).await.unwrap();
    }
    let set = |change: serde_json::Value| -> Request {
        let mut set = serde_json::json!({ "address": "alice@a.example" });
        set.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        serde_json::from_value(serde_json::json!({ "account": { "set": set } })).unwrap()
    };
    let users = |change: serde_json::Value| -> Request {
        let mut users = serde_json::json!({ "domain": "a.example" });
        users.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        serde_json::from_value(serde_json::json!({ "account": { "users-of": users } })).unwrap()
    };
    ask(&store, set(serde_json::json!({ "add_domains": ["b.example"] }))).await.unwrap();
    put(&store, Object::Alias(alias("info@b.example", &["alice@b.example"]))).await;
    for request in [
        set(serde_json::json!({ "remove_domains": ["b.example"] })),
        users(serde_json::json!({ "remove_domains": ["b.example"] })),
    ] {
        let told = said(ask(&store, request).await);
        assert!(told.contains("alice@b.example is in use: the alias info@b.example leads to"), "{told}");
    }
    let account = store.directory().account(&address("alice@a.example")).cloned().unwrap();
    assert_eq!(account.also_in, [name("b.example")], "nothing has changed");
    ask(&store, remove_alias("info@b.example", false)).await.unwrap();
    ask(&store, set(serde_json::json!({ "remove_domains": ["b.example"] }))).await.unwrap();

    // The last responder at an address that is nothing else; beside a mailbox it is no destination.
    put(&store, responder("fair@a.example", |_| ())).await;
    put(&store, responder("bob@a.example", |_| ())).await;
    let number = |at: &str| store.directory().responders_at(&address(at)).next().unwrap().id;
    let remove = |id| Request::Responder(ResponderRequest::Remove { id });
    put(&store, Object::Alias(alias("expo@a.example", &["fair@a.example"]))).await;
    put(&store, Object::Alias(alias("clerk@a.example", &["bob@a.example"]))).await;
    let told = said(ask(&store, remove(number("fair@a.example"))).await);
    assert!(told.contains("at fair@a.example is in use: the alias expo@a.example leads to"), "{told}");
    ask(&store, remove(number("bob@a.example"))).await.unwrap();
    put(&store, responder("fair@a.example", |_| ())).await;
    ask(&store, remove(number("fair@a.example"))).await.unwrap();
    let last = number("fair@a.example");
    assert!(said(ask(&store, remove(last)).await).contains("is in use"));
    ask(&store, remove_alias("expo@a.example", false)).await.unwrap();
    ask(&store, remove(last)).await.unwrap();
}
