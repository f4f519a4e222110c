//! Off-boarding, its end by date, and its undoing.

use std::time::Duration;

use routing::objects::{AccountKind, AccountObject, GroupObject, Member, Object, SharedMailbox};
use storage::objects::PutMode;

use super::accounts::inbox;
use super::*;
use crate::departures::do_what_is_due;

const DAY: Duration = Duration::from_secs(86_400);

struct Stage {
    sim: SimulatedWorld,
    store: Store,
}

/// alice, bob, and carol who leaves: in aliases, a group and a shared mailbox, with a redirect of her own. root administers.
async fn office() -> Stage {
    let sim = SimulatedWorld::new(Timestamp(1_700_000_000_000), 1);
    let store = Store::open(Arc::new(MemoryEngine::new(Arc::new(SilentDoorbell))), sim.world()).await.unwrap();
    ask(&store, add_domain("example.org")).await.unwrap();
    for name in ["alice", "bob", "carol", "root", "team"] {
        ask(&store, add_account(&format!("{name}@example.org"))).await.unwrap();
    }
    for request in [
        add_alias("info@example.org", &["carol@example.org", "alice@example.org"]),
        add_alias("sales@example.org", &["carol@example.org"]),
        add_alias("both@example.org", &["carol@example.org", "bob@example.org"]),
        add_alias("carol@example.org", &["carol@example.org", "carol@private.example"]),
    ] {
        ask(&store, request).await.unwrap();
    }
    let mut board = GroupObject::new(address("board@example.org"));
    board.members = vec![address("carol@example.org"), address("alice@example.org")];
    board.moderators = vec![address("carol@example.org")];
    store.add_group(board).await.unwrap();
    change(&store, "team@example.org", |team| {
        team.kind = AccountKind::Shared;
        let member = Member { account: address("carol@example.org"), rights: "lrs".into() };
        team.shared = Some(SharedMailbox { members: vec![member], ..SharedMailbox::default() });
    })
    .await;
    change(&store, "root@example.org", |root| root.role = Role::Administrator).await;
    change(&store, "carol@example.org", |carol| {
        carol.role = Role::DomainAdministrator;
        carol.display_name = "Carol Petit".into();
        carol.time_zone = "Europe/Paris".into();
    })
    .await;
    Stage { sim, store }
}

async fn change(store: &Store, text: &str, change: impl FnOnce(&mut AccountObject)) {
    let mut account = stored(store, text);
    change(&mut account);
    store.put_object(Object::Account(account), PutMode::Replace).await.unwrap();
}

fn stored(store: &Store, text: &str) -> AccountObject {
    (**store.directory().account(&address(text)).unwrap()).clone()
}

fn leave(change: impl FnOnce(&mut Leaving)) -> Request {
    let mut leaving = Leaving::new(address("carol@example.org"));
    change(&mut leaving);
    Request::Account(AccountRequest::OffBoard(leaving))
}

fn whole() -> Request {
    leave(|leaving| {
        leaving.successor = Some(address("bob@example.org"));
        leaving.redirect_until = Some("2023-12-01".into());
        leaving.responder_text = Some("Carol has left; write to bob@example.org.".into());
        leaving.delete_after = Some("2023-12-31".into());
    })
}

fn targets(store: &Store, text: &str) -> Option<Vec<String>> {
    let alias = store.directory().alias(&address(text)).cloned();
    alias.map(|alias| alias.targets.iter().cloned().map(String::from).collect())
}

async fn report(store: &Store, request: Request) -> OffBoardingReport {
    match ask(store, request).await {
        Ok(Response::OffBoarded(report)) => report,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn m06_whoever_leaves_is_followed_in_one_act() {
    let Stage { store, .. } = office().await;
    let told = report(&store, whole()).await;
    let carol = stored(&store, "carol@example.org");
    assert!(!carol.enabled && carol.role == Role::User);
    assert_eq!(carol.kind, AccountKind::Shared);
    let members = carol.shared.unwrap().members;
    assert_eq!(
        (members[0].account.to_string().as_str(), members[0].rights.as_str()),
        ("bob@example.org", "lrswipkxtean")
    );
    assert!(
        routing::session_end(&store.directory(), &stored(&store, "carol@example.org"), routing::objects::Service::Imap)
            .is_some()
    );
    // Her private redirect ends; the successor is in her place everywhere, each once.
    assert_eq!(targets(&store, "carol@example.org").unwrap(), ["carol@example.org", "bob@example.org"]);
    assert_eq!(targets(&store, "info@example.org").unwrap(), ["alice@example.org", "bob@example.org"]);
    assert_eq!(targets(&store, "sales@example.org").unwrap(), ["bob@example.org"]);
    assert_eq!(targets(&store, "both@example.org").unwrap(), ["bob@example.org"]);
    let board = store.directory().group(&address("board@example.org")).cloned().unwrap();
    assert_eq!((board.members.as_slice(), board.moderators.as_slice()), (&[address("alice@example.org")][..], &[][..]));
    assert!(stored(&store, "team@example.org").shared.unwrap().members.is_empty());
    let responder = store.directory().responders_at(&address("carol@example.org")).next().cloned().unwrap();
    assert_eq!(responder.subject, "Carol Petit is no longer at this address");
    assert_eq!(stored(&store, "carol@example.org").off_boarding.unwrap().responder, Some(responder.id));
    let letter = inbox(&store, "bob@example.org").await.pop().unwrap();
    for fact in ["Carol Petit", "2023-12-01", "2023-12-31", "sales@example.org"] {
        assert!(letter.contains(fact), "{letter}");
    }
    for fact in ["logs in", "bob@example.org gets a copy", "group board@example.org", "deleted", "answered"] {
        assert!(told.done.iter().any(|done| done.contains(fact)), "{fact} in {:?}", told.done);
    }
}

/// Everything that leaving may change, in an order.
fn picture(store: &Store) -> Vec<Object> {
    let directory = store.directory();
    let mut all: Vec<Object> = Vec::new();
    all.extend(directory.accounts().map(|account| Object::Account((**account).clone())));
    all.extend(directory.responders().map(|one| Object::Responder((**one).clone())));
    all.extend(directory.externals().map(|one| Object::External((**one).clone())));
    all.extend(directory.aliases().map(|alias| {
        let mut alias = (**alias).clone();
        alias.targets.sort();
        Object::Alias(alias)
    }));
    all.extend(directory.groups().map(|group| {
        let mut group = (**group).clone();
        group.members.sort();
        Object::Group(group)
    }));
    all.sort_by_key(|object| format!("{:?}", object.key()));
    all
}

fn undo() -> Request {
    Request::Account(AccountRequest::OffBoardUndo { address: address("carol@example.org") })
}

#[tokio::test]
async fn leaving_is_undone_to_the_last_detail() {
    let Stage { store, .. } = office().await;
    let before = picture(&store);
    report(&store, whole()).await;
    assert_ne!(picture(&store), before);
    report(&store, undo()).await;
    assert_eq!(picture(&store), before);
    assert_eq!(ask(&store, undo()).await.unwrap_err().kind, ErrorKind::NotFound);
}

/// carol is in example.com too, with a redirect of her own there, responders that copy and that do not, and mail elsewhere.
async fn with_ways_out() -> Stage {
    let stage = office().await;
    let store = &stage.store;
    ask(store, add_domain("example.com")).await.unwrap();
    change(store, "carol@example.org", |carol| carol.also_in = vec![name("example.com")]).await;
    ask(store, add_alias("carol@example.com", &["carol@example.com", "carol@private.example"])).await.unwrap();
    let copying = |to: Option<&str>| ResponderContent {
        subject: Some("Away".into()),
        text: Edit::Set("Away.".into()),
        copy_received_to: to.map_or(Edit::Keep, |to| Edit::Set(address(to))),
        ..ResponderContent::default()
    };
    for (at, to) in [
        ("carol@example.com", Some("carol@private.example")),
        ("carol@example.com", None),
        ("carol@example.org", Some("carol@private.example")),
    ] {
        ask(store, add_responder(at, copying(to))).await.unwrap();
    }
    let external = serde_json::json!({"external": {"add": {"owner": "carol@example.org", "protocol": "imap", "content": {
        "host": "imap.private.example", "login": "carol", "password": "hers"}}}});
    ask(store, serde_json::from_value(external).unwrap()).await.unwrap();
    stage
}

#[tokio::test]
async fn m06_whoever_leaves_takes_no_mail_along_by_any_address() {
    let Stage { sim, store } = with_ways_out().await;
    let before = picture(&store);
    let told = report(&store, whole()).await;
    assert_eq!(targets(&store, "carol@example.com").unwrap(), ["carol@example.com", "bob@example.org"]);
    let enabled = |id: u64| store.directory().responder(id).unwrap().enabled;
    assert_eq!([1, 2, 3].map(enabled), [false, true, false]);
    assert!(!store.directory().external(1).unwrap().enabled);
    for fact in [
        "the redirects at carol@example.com end",
        "bob@example.org gets a copy of what comes in at carol@example.com until",
        "responder 1 at carol@example.com is off: it copied what came in to carol@private.example",
        "responder 3 at carol@example.org is off",
        "external account 1 (carol at imap.private.example) is off",
    ] {
        assert!(told.done.iter().any(|done| done.starts_with(fact)), "{fact} in {:?}", told.done);
    }
    assert!(told.left.iter().any(|left| left.starts_with("responder 2 at carol@example.com goes on")), "{told:?}");
    // Nothing of hers leads to her private address.
    let directory = store.directory().clone();
    for at in ["carol@example.org", "carol@example.com"] {
        let asking = routing::Asking::anyone(store.now());
        let resolution = routing::resolve(&directory, &mail::ForwardPath::Address(address(at)), &asking);
        let plan = routing::responders::at_acceptance(&directory, &resolution, store.now());
        assert!(resolution.remotes.is_empty() && plan.remote_copies.is_empty(), "{at}");
    }
    // Undone, and once more with the end of the copies.
    let undone = report(&store, undo()).await;
    assert_eq!(picture(&store), before);
    assert!(undone.left.is_empty(), "{undone:?}");
    report(&store, whole()).await;
    sim.clock.advance(DAY.saturating_mul(20));
    assert_eq!(do_what_is_due(&store, &settings()).await, 1);
    assert_eq!((targets(&store, "carol@example.org"), targets(&store, "carol@example.com")), (None, None));
    report(&store, undo()).await;
    assert_eq!(picture(&store), before);
}

/// What can't be as before by now is told, and the rest comes back.
#[tokio::test]
async fn m06_an_undoing_brings_back_only_what_may_be_saved() {
    let Stage { store, .. } = with_ways_out().await;
    ask(&store, add_alias("ring@example.org", &["carol@example.org", "alice@example.org"])).await.unwrap();
    report(&store, whole()).await;
    // Meanwhile: her redirect would lead in a circle, and the board has lost its moderators.
    let mut carol = stored(&store, "carol@example.org");
    let gone = carol.off_boarding.as_mut().unwrap();
    gone.before.own_alias.as_mut().unwrap().targets = vec![target("ring@example.org")];
    gone.before.groups.iter_mut().for_each(|left| left.moderator = false);
    store.put_object(Object::Account(carol), PutMode::Replace).await.unwrap();
    let mut board = (**store.directory().group(&address("board@example.org")).unwrap()).clone();
    (board.moderated, board.moderators) = (true, vec![address("nobody@example.org")]);
    store.put_object(Object::Group(board.clone()), PutMode::Replace).await.unwrap();
    let undone = report(&store, undo()).await;
    for fact in [
        "the group board@example.org does not come back as it was: nobody@example.org does not exist",
        "the alias ring@example.org does not come back as it was: the redirects would lead in a circle",
    ] {
        assert!(undone.left.iter().any(|left| left.starts_with(fact)), "{fact} in {:?}", undone.left);
    }
    assert_eq!(**store.directory().group(&address("board@example.org")).unwrap(), board);
    assert_eq!(targets(&store, "ring@example.org").unwrap(), ["alice@example.org", "bob@example.org"]);
    assert_eq!(targets(&store, "carol@example.org").unwrap(), ["ring@example.org"]);
    assert!(stored(&store, "carol@example.org").enabled);
}

#[tokio::test]
async fn without_a_successor_mail_for_nobody_else_stays() {
    let Stage { store, .. } = office().await;
    let told = report(&store, leave(|_| ())).await;
    assert_eq!(targets(&store, "sales@example.org").unwrap(), ["carol@example.org"]);
    assert!(told.left.iter().any(|left| left.starts_with("sales@example.org leads to it and to nobody else")));
    assert_eq!(targets(&store, "info@example.org").unwrap(), ["alice@example.org"]);
    assert_eq!(targets(&store, "carol@example.org"), None, "her private redirect ends");
    assert_eq!(stored(&store, "carol@example.org").kind, AccountKind::Person);
}

#[tokio::test]
async fn what_can_not_be_is_refused_and_nothing_is_done() {
    let Stage { store, .. } = office().await;
    type Change = fn(&mut Leaving);
    let cases: [(Change, &str); 8] = [
        (|leaving| leaving.redirect = true, "a redirect needs somebody"),
        (|leaving| leaving.successor = Some(address("carol@example.org")), "nobody succeeds to themselves"),
        (|leaving| leaving.successor = Some(address("team@example.org")), "team@example.org can't take over"),
        (|leaving| leaving.successor = Some(address("bbo@example.org")), "there is no account bbo@example.org"),
        (|leaving| leaving.delete_after = Some("2023-01-01".into()), "2023-01-01 is over"),
        (|leaving| leaving.delete_after = Some("soon".into()), "\"soon\" is no date"),
        (
            |leaving| {
                leaving.successor = Some(address("bob@example.org"));
                leaving.redirect_until = Some("2024-02-01".into());
                leaving.delete_after = Some("2024-01-01".into());
            },
            "the account would be gone (2024-01-01) before the redirect ends (2024-02-01)",
        ),
        (|leaving| leaving.responder_text = Some(" ".into()), "the text of the answer is empty"),
    ];
    for (change, reason) in cases {
        let refused = said(ask(&store, leave(change)).await);
        assert!(refused.starts_with(reason), "{refused}");
    }
    assert!(stored(&store, "carol@example.org").enabled);
    report(&store, whole()).await;
    assert_eq!(ask(&store, whole()).await.unwrap_err().kind, ErrorKind::Exists);
    let enable = serde_json::json!({"account": {"set": {"address": "carol@example.org", "enabled": true}}});
    let refused = said(ask(&store, serde_json::from_value(enable).unwrap()).await);
    assert!(refused.starts_with("the person of carol@example.org has left"), "{refused}");
}

#[tokio::test]
async fn m06_absences_of_who_leaves_end_and_nothing_is_fetched_for_them() {
    let Stage { store, .. } = office().await;
    let content = |kind| ResponderContent {
        kind,
        subject: Some("Away".into()),
        text: Edit::Set("Back soon.".into()),
        ..ResponderContent::default()
    };
    ask(&store, add_responder("carol@example.org", content(Some(ResponderKind::OutOfOffice)))).await.unwrap();
    ask(&store, add_responder("carol@example.org", content(None))).await.unwrap();
    let told = report(&store, whole()).await;
    let on = |id: u64| store.directory().responder(id).unwrap().enabled;
    assert_eq!((on(1), on(2)), (false, true), "an absence ends, a robot goes on");
    assert!(told.done.iter().any(|line| line.starts_with("responder 1 at carol@example.org is off")), "{told:?}");
    assert!(told.left.iter().any(|line| line.starts_with("responder 2 at carol@example.org goes on")), "{told:?}");
    let content = ExternalContent {
        host: Some("imap.far.example".into()),
        login: Some("far".into()),
        password: Some("x y z".into()),
        ..ExternalContent::default()
    };
    let add = || {
        let (owner, content) = (address("carol@example.org"), Box::new(content.clone()));
        let protocol = routing::objects::ExternalProtocol::Imap;
        Request::External(Box::new(ExternalRequest::Add { owner, protocol, content }))
    };
    assert!(said(ask(&store, add()).await).contains("has left: nothing is fetched"));
    report(&store, Request::Account(AccountRequest::OffBoardUndo { address: address("carol@example.org") })).await;
    assert_eq!((on(1), on(2)), (true, true));
    ask(&store, add()).await.unwrap();
}

#[tokio::test]
async fn redirect_warning_and_deletion_come_at_their_dates_and_survive_a_restart() {
    let Stage { sim, store } = office().await;
    report(&store, whole()).await;
    assert_eq!(do_what_is_due(&store, &settings()).await, 0, "14 November");
    let to = |text: &str| {
        let target: jiff::Timestamp = text.parse().unwrap();
        let now = jiff::Timestamp::from_millisecond(sim.world().clock.now().0).unwrap();
        let span = target.duration_since(now);
        sim.clock.advance(Duration::try_from(span).unwrap());
    };
    // Inclusive, in her zone: 1 December ends at 23:00 UTC.
    to("2023-12-01T22:59:00Z");
    assert_eq!(do_what_is_due(&store, &settings()).await, 0);
    to("2023-12-01T23:00:01Z");
    assert_eq!(do_what_is_due(&store, &settings()).await, 1);
    assert_eq!(targets(&store, "carol@example.org"), None, "only the mailbox is left");
    assert_eq!(do_what_is_due(&store, &settings()).await, 0, "once");

    let warnings = async || {
        let letters = inbox(&store, "root@example.org").await;
        letters.iter().filter(|letter| letter.contains("will be deleted after 2023-12-31")).count()
    };
    to("2023-12-24T22:59:00Z");
    do_what_is_due(&store, &settings()).await;
    assert_eq!(warnings().await, 0);
    to("2023-12-24T23:00:01Z");
    do_what_is_due(&store, &settings()).await;
    do_what_is_due(&store, &settings()).await;
    assert_eq!(warnings().await, 1, "a week before, once");
    assert!(inbox(&store, "alice@example.org").await.is_empty(), "users are not told");
    to("2023-12-31T22:59:00Z");
    assert_eq!(do_what_is_due(&store, &settings()).await, 0);
    to("2023-12-31T23:00:01Z");
    assert_eq!(do_what_is_due(&store, &settings()).await, 1);
    let directory = store.directory();
    assert!(directory.account(&address("carol@example.org")).is_none());
    assert_eq!(directory.responders().count(), 0);
}

#[tokio::test]
async fn nothing_is_deleted_that_nobody_was_told_of() {
    let Stage { sim, store } = office().await;
    report(&store, leave(|leaving| leaving.delete_after = Some("2023-12-31".into()))).await;
    // The server was down over the whole time.
    sim.clock.advance(DAY.saturating_mul(100));
    assert_eq!(do_what_is_due(&store, &settings()).await, 1, "the warning");
    assert!(store.directory().account(&address("carol@example.org")).is_some());
    sim.clock.advance(DAY);
    // Another date calls it off, and brings another warning.
    report(&store, leave(|leaving| leaving.delete_after = Some("2025-01-01".into()))).await;
    assert_eq!(do_what_is_due(&store, &settings()).await, 0);
    sim.clock.advance(DAY.saturating_mul(400));
    assert_eq!(do_what_is_due(&store, &settings()).await, 1);
    sim.clock.advance(DAY);
    assert_eq!(do_what_is_due(&store, &settings()).await, 1);
    assert!(store.directory().account(&address("carol@example.org")).is_none());
}

/// No administrator is left: postmaster@ is told, and while nobody reads that either the account stays.
#[tokio::test]
async fn m06_without_an_administrator_the_postmaster_is_told_or_nothing_is_deleted() {
    let Stage { sim, store } = office().await;
    change(&store, "root@example.org", |root| root.role = Role::User).await;
    for others in ["alice@example.org", "bob@example.org", "root@example.org", "team@example.org"] {
        change(&store, others, |account| {
            (account.enabled, account.kind, account.shared) = (false, AccountKind::Person, None);
        })
        .await;
    }
    report(&store, leave(|leaving| leaving.delete_after = Some("2023-12-31".into()))).await;
    sim.clock.advance(DAY.saturating_mul(100));
    for _ in 0..3 {
        assert_eq!(do_what_is_due(&store, &settings()).await, 0);
        sim.clock.advance(DAY.saturating_mul(2));
    }
    assert_eq!(stored(&store, "carol@example.org").off_boarding.unwrap().warned_at, None);
    // Mail for postmaster@ goes to the first account: somebody reads it by now.
    change(&store, "alice@example.org", |alice| alice.enabled = true).await;
    assert_eq!(do_what_is_due(&store, &settings()).await, 1, "the warning");
    assert_eq!(do_what_is_due(&store, &settings()).await, 0);
    let letters = inbox(&store, "alice@example.org").await;
    assert!(letters.len() == 1 && letters[0].contains("will be deleted after 2023-12-31"), "{letters:?}");
    sim.clock.advance(DAY);
    assert_eq!(do_what_is_due(&store, &settings()).await, 1);
    assert!(store.directory().account(&address("carol@example.org")).is_none());
}

#[tokio::test]
async fn m06_what_leads_to_a_deleted_account_is_told_before_and_taken_out() {
    let Stage { sim, store } = office().await;
    report(&store, leave(|leaving| leaving.delete_after = Some("2023-12-31".into()))).await;
    let content = ResponderContent {
        subject: Some("Away".into()),
        text: Edit::Set("Ask {deputy}.".into()),
        deputy: Edit::Set(address("carol@example.org")),
        ..ResponderContent::default()
    };
    ask(&store, add_responder("bob@example.org", content)).await.unwrap();
    sim.clock.advance(DAY.saturating_mul(60));
    assert_eq!(do_what_is_due(&store, &settings()).await, 1, "the warning");
    let letters = inbox(&store, "root@example.org").await;
    let letter = letters.iter().find(|letter| letter.contains("will be deleted")).unwrap();
    assert!(letter.contains("taken out of what leads there"), "{letter}");
    for holder in ["the alias sales@example.org", "responder 1"] {
        assert!(letter.replace("=\r\n", "").replace("\r\n", " ").contains(holder), "{holder}: {letter}");
    }
    sim.clock.advance(DAY);
    assert_eq!(do_what_is_due(&store, &settings()).await, 1);
    let directory = store.directory();
    assert!(directory.account(&address("carol@example.org")).is_none());
    assert!(directory.alias(&address("sales@example.org")).is_none(), "it led to nobody else");
    assert_eq!(directory.responder(1).unwrap().deputy, None);
}
