//! Bans: seen, set and lifted, with a server and without.

use abuse::{Cause, Door};

use super::*;

fn add(prefix: &str, secs: Option<u64>, why: &str) -> Request {
    Request::Ban(BanRequest::Add { prefix: prefix.parse().unwrap(), secs, why: why.to_owned(), force: false })
}

fn force(prefix: &str, secs: Option<u64>, why: &str) -> Request {
    Request::Ban(BanRequest::Add { prefix: prefix.parse().unwrap(), secs, why: why.to_owned(), force: true })
}

fn remove(prefix: &str) -> Request {
    Request::Ban(BanRequest::Remove { prefix: prefix.parse().unwrap() })
}

fn show(address: &str) -> Request {
    Request::Ban(BanRequest::Show { address: address.parse().unwrap() })
}

async fn listed(store: &Store, settings: &Settings) -> Vec<String> {
    let Ok(Response::Bans(all)) = ask_as(store, settings, &Actor::System, Request::Ban(BanRequest::List)).await else {
        panic!()
    };
    all.iter().map(|ban| format!("{} {}", ban.prefix, ban.why)).collect()
}

#[tokio::test]
async fn bans_are_set_seen_and_lifted_without_a_server() {
    let store = stage().await;
    assert!(listed(&store, &settings()).await.is_empty());
    let told = said(ask(&store, add("192.0.2.7", Some(7_200), " spam wave ")).await);
    assert!(told.contains("192.0.2.7 is banned until 2023-11-15 00:13:20 UTC: spam wave"), "{told}");
    // One IPv6 address is one of very many that a customer has.
    ask(&store, add("2001:db8::1", None, "probes")).await.unwrap();
    assert_eq!(listed(&store, &settings()).await, ["192.0.2.7 spam wave", "2001:db8::/64 probes"]);
    let rows = store.bans().await.unwrap();
    assert!(rows.len() == 2 && rows.iter().all(|ban| ban.cause == Cause::Administrator));
    let Ok(Response::Visitor(seen)) = ask(&store, show("2001:db8::5")).await else { panic!() };
    assert!(!seen.counted && seen.visitor.told.as_ref().unwrap().contains("until an administrator lifts it: probes"));
    // What lies inside of a ban is not one of its own.
    let error = ask(&store, remove("192.0.2.8")).await.unwrap_err();
    assert_eq!((error.kind, error.hint.as_deref()), (ErrorKind::NotFound, Some("`relais ban list` shows who is")));
    ask(&store, add("198.51.100.0/24", None, "all of them")).await.unwrap();
    let error = ask(&store, remove("198.51.100.9")).await.unwrap_err();
    assert_eq!(error.hint.as_deref(), Some("198.51.100.0/24 is: `relais ban remove 198.51.100.0/24`"));
    for prefix in ["198.51.100.0/24", "192.0.2.7", "2001:db8::1"] {
        assert!(said(ask(&store, remove(prefix)).await).contains("is not banned any more"));
    }
    assert!(store.bans().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_running_server_knows_at_once() {
    let store = stage().await;
    let door = Door::new(abuse::Settings::default(), || {});
    let settings = Settings { door: Some(door.clone()), ..settings() };
    let ask = async |request| ask_as(&store, &settings, &Actor::System, request).await;
    let (seven, now) = ("192.0.2.7".parse().unwrap(), store.now());
    ask(add("192.0.2.7", None, "no")).await.unwrap();
    assert!(door.banned(seven, now).is_some() && store.bans().await.unwrap().len() == 1);
    ask(remove("192.0.2.7")).await.unwrap();
    assert!(door.banned(seven, now).is_none() && store.bans().await.unwrap().is_empty());
    let _done = door.knock(seven, now);
    let Ok(Response::Visitor(seen)) = ask(show("192.0.2.7")).await else { panic!() };
    assert_eq!((seen.counted, seen.visitor.counts.len(), seen.visitor.told), (true, 3, None));
}

#[tokio::test]
async fn what_is_wrong_with_a_ban_is_told() {
    let store = stage().await;
    let never_banned = vec!["127.0.0.0/8".parse().unwrap()];
    let settings = Settings { abuse: abuse::Settings { never_banned, ..abuse::Settings::default() }, ..settings() };
    for (request, wrong) in [
        (add("192.0.2.7", None, "  "), "a ban needs a reason"),
        (add("192.0.2.7", None, "two\r\nlines"), "the reason is in several lines"),
        (add("192.0.2.7", None, &"\u{f6}".repeat(201)), "the reason is longer than 200 characters"),
        (add("192.0.2.7", Some(0), "no"), "lasts at least a second"),
        (add("0.0.0.0/0", None, "no"), "0.0.0.0/0 is wider than a /8"),
        (add("127.0.0.1", None, "no"), "127.0.0.1 is this machine itself"),
        // No force reaches whom the configuration names.
        (force("127.0.0.1", None, "no"), "127.0.0.1 is never banned: 127.0.0.0/8 is among"),
    ] {
        let error = ask_as(&store, &settings, &Actor::System, request).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Invalid);
        assert!(error.message.contains(wrong), "{error}");
    }
    // A network in which some are never banned may be.
    ask_as(&store, &settings, &Actor::System, force("126.0.0.0/7", Some(u64::MAX), "no")).await.unwrap();
    let bob = Actor::Account { id: store.directory().account(&address("bob@example.org")).unwrap().id, remote: None };
    for request in
        [Request::Ban(BanRequest::List), show("192.0.2.7"), add("192.0.2.7", None, "no"), remove("192.0.2.7")]
    {
        assert_eq!(ask_as(&store, &settings, &bob, request).await.unwrap_err().kind, ErrorKind::Denied);
    }
}
