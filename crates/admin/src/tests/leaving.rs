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
        ("bob@example.org", "lrswipkxtea")
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

#[tokio::test]
async fn leaving_is_undone_to_the_last_detail() {
    let Stage { store, .. } = office().await;
    let picture = |store: &Store| {
        let directory = store.directory();
        let mut aliases: Vec<_> = directory
            .aliases()
            .map(|alias| {
                let mut alias = (**alias).clone();
                alias.targets.sort();
                alias
            })
            .collect();
        aliases.sort_by(|a, b| a.address.cmp(&b.address));
        let groups: Vec<_> = directory
            .groups()
            .map(|group| {
                let mut group = (**group).clone();
                group.members.sort();
                group
            })
            .collect();
        let accounts: Vec<_> = directory.accounts().map(|account| (**account).clone()).collect();
        (aliases, groups, accounts, directory.responders().count())
    };
    let before = picture(&store);
    report(&store, whole()).await;
    assert_ne!(picture(&store), before);
    let undo = Request::Account(AccountRequest::OffBoardUndo { address: address("carol@example.org") });
    report(&store, undo.clone()).await;
    assert_eq!(picture(&store), before);
    assert_eq!(ask(&store, undo).await.unwrap_err().kind, ErrorKind::NotFound);
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
