//! Which way mail leaves: routes with names, fall-backs, several addresses, several recipients.

use std::net::IpAddr;

use queue::NamedRoute;
use storage::trace::Step;

use super::*;
use crate::{Login, NamedHost, Secret, SmartHost, TlsMode};

fn route(name: &str, host: &str) -> NamedHost {
    let shown = format!("{host}:2525");
    NamedHost {
        route: NamedRoute { name: name.into(), host: shown, ..NamedRoute::default() },
        host: Arc::new(SmartHost { host: domain(host), port: 2525, tls: TlsMode::Plain, login: None }),
        roots: None,
        connections_max: None,
        per_minute_max: None,
    }
}

/// A stage with a server at another port, to which routes lead.
async fn with_relay(change: impl FnOnce(&mut NamedHost)) -> (Stage, Remote) {
    let mut stage = Stage::new().await;
    let relay = Remote::at(&stage.world, "192.0.2.50:2525");
    stage.host("relay.example", &["192.0.2.50"]);
    let mut named = route("provider", "relay.example");
    change(&mut named);
    stage.settings.named.push(Arc::new(named));
    (stage, relay)
}

fn decided(steps: &[Step]) -> Vec<&str> {
    steps.iter().filter_map(|step| if let Step::Decided { text } = step { Some(text.as_str()) } else { None }).collect()
}

#[tokio::test]
async fn senders_and_recipients_have_ways_of_their_own() {
    let (mut stage, relay) = with_relay(|named| {
        named.route.sender_domains.push(domain("news.example"));
        let login = Login { name: "relais".into(), password: Secret::new("s3cret") };
        let host = SmartHost { login: Some(login), ..SmartHost::clone(&named.host) };
        named.host = Arc::new(host);
    })
    .await;
    relay.offer(&["AUTH PLAIN"]).reply("RCPT", &["451 4.2.0 later", "250 ok"]);
    let mut other = route("partner", "[192.0.2.50]");
    other.route.recipient_domains.push(domain("partner.example"));
    stage.settings.named.push(Arc::new(other));
    stage.start();
    let id = stage.send(envelope("<a@news.example>", &["x@far.example"]), MESSAGE).await[0];
    stage.send(envelope("<a@else.example>", &["y@far.example"]), MESSAGE).await;
    stage.settle().await;
    assert_eq!(stage.far.got()[0].rcpts, ["RCPT TO:<y@far.example>"]);
    assert_eq!((relay.sessions(), relay.count("AUTH PLAIN"), relay.got().len()), (1, 1, 0));
    let steps = stage.told(id).await;
    assert_eq!(
        decided(&steps),
        ["leaves by the route provider (to relay.example:2525): mail from senders at news.example goes there"]
    );
    stage.send(envelope("<a@else.example>", &["z@partner.example"]), MESSAGE).await;
    stage.minutes(3).await;
    let mut got: Vec<String> = relay.got().into_iter().flat_map(|got| got.rcpts).collect();
    got.sort();
    assert_eq!(got, ["RCPT TO:<x@far.example>", "RCPT TO:<z@partner.example>"]);
    // Same host and port, and not the same session: the one has logged in, the other has not.
    assert_eq!((relay.sessions(), relay.count("AUTH PLAIN")), (3, 2));
}

#[tokio::test]
async fn after_failures_the_fall_back_takes_it() {
    let (mut stage, relay) = with_relay(|named| named.route.after_failures = 2).await;
    stage.far.greet("421 4.3.2 not now");
    stage.start();
    let id = stage.send_to(&["x@far.example"]).await[0];
    stage.minutes(1).await;
    assert_eq!((stage.queue().await[0].attempts, relay.sessions()), (2, 0));
    assert!(decided(&stage.told(id).await).is_empty());
    relay.reply("RCPT", &["451 4.2.0 later", "250 ok"]);
    stage.minutes(5).await;
    assert_eq!(
        decided(&stage.told(id).await),
        ["leaves by the route provider (to relay.example:2525): it has failed 2 times"]
    );
    stage.minutes(16).await;
    assert_eq!((relay.got().len(), stage.far.got().len(), stage.queue().await.len()), (1, 0, 0));
}

#[tokio::test]
async fn an_administrator_sends_entries_by_a_route() {
    let (mut stage, relay) = with_relay(|_| ()).await;
    stage.far.reply("MAIL", &["451 4.3.2 not now"]);
    stage.start();
    let id = stage.send_to(&["x@far.example"]).await[0];
    stage.minutes(10).await;
    assert_eq!(
        (stage.queue().await.len(), relay.sessions()),
        (1, 0),
        "without conditions nothing goes there by itself"
    );
    let body = move |tx: &mut storage::Transaction<'_>| {
        let mut row = tx.queue_entry(id)?.unwrap();
        queue::reroute_by(&mut row, "provider");
        tx.update_queue_entry(&row)
    };
    stage.store.transact(body).await.unwrap();
    stage.settle().await;
    assert_eq!((relay.got().len(), stage.queue().await.len()), (1, 0));
}

#[tokio::test]
async fn an_entry_rerouted_during_its_attempt_goes_the_new_way_at_once() {
    let (mut stage, relay) = with_relay(|_| ()).await;
    stage.far.reply(".", &["451 4.3.0 later"]).hold_data(true);
    stage.start();
    let id = stage.send_to(&["x@far.example"]).await[0];
    stage.settle().await;
    let body = move |tx: &mut storage::Transaction<'_>| {
        let mut row = tx.queue_entry(id)?.unwrap();
        queue::reroute_by(&mut row, "provider");
        tx.update_queue_entry(&row)
    };
    stage.store.transact(body).await.unwrap();
    stage.far.hold_data(false);
    stage.settle().await;
    assert_eq!((relay.got().len(), stage.queue().await.len()), (1, 0));
}

#[tokio::test]
async fn a_route_has_its_own_bounds() {
    let (mut stage, relay) = with_relay(|named| {
        named.route.senders.push(ReversePath::parse("<a@origin.example>").unwrap());
        (named.connections_max, named.per_minute_max) = (Some(1), Some(6));
    })
    .await;
    stage.start();
    for n in 0..4 {
        stage.send_to(&[&format!("r{n}@far.example")]).await;
    }
    stage.settle().await;
    assert_eq!(relay.got().len(), 1);
    stage.pass(Duration::from_secs(21)).await;
    assert_eq!(relay.got().len(), 3);
    stage.pass(Duration::from_secs(10)).await;
    assert_eq!((relay.got().len(), relay.open_max()), (4, 1));
    let at: Vec<i64> = relay.got().iter().map(|got| got.at.0 - relay.got()[0].at.0).collect();
    assert_eq!(at, [0, 10_000, 20_000, 30_000]);
}

#[tokio::test]
async fn connections_come_from_the_address_that_is_set() {
    let mut stage = Stage::new().await;
    stage.settings.source_addresses = vec!["198.51.100.1".parse().unwrap(), "2001:db8::100".parse().unwrap()];
    stage.host("mx.far.example", &["2001:db8::1", "192.0.2.1"]);
    stage.start();
    stage.send_to(&["x@far.example"]).await;
    stage.settle().await;
    let from: Vec<Option<IpAddr>> = stage.world.connector.attempted().into_iter().map(|(from, _)| from).collect();
    assert_eq!(from, stage.settings.source_addresses.iter().rev().copied().map(Some).collect::<Vec<_>>());
    assert_eq!(stage.far.got().len(), 1, "IPv6 was refused, IPv4 was not");
}

#[tokio::test]
async fn an_address_that_never_answers_costs_a_bounded_time() {
    let mut stage = Stage::new().await;
    stage.host("mx.far.example", &["192.0.2.1", "2001:db8::1", "2001:db8::2"]);
    for dead in ["[2001:db8::1]:25", "[2001:db8::2]:25"] {
        stage.world.connector.swallow(dead.parse().unwrap(), stage.world.clock.clone());
    }
    stage.start();
    stage.send_to(&["x@far.example"]).await;
    stage.pass(crate::limits::CONNECT_TIMEOUT - Duration::from_secs(1)).await;
    assert!(stage.far.got().is_empty());
    stage.pass(Duration::from_secs(1)).await;
    // IPv4 comes before the second IPv6 address.
    assert_eq!((stage.far.got().len(), stage.queue().await.len()), (1, 0));
}

/// RFC 5321 §4.5.3.1.10: the rest of the recipients follows in further transactions, at once.
#[tokio::test]
async fn recipients_beyond_what_a_host_takes_follow_at_once() {
    for offers in [&["PIPELINING"][..], &[]] {
        let mut stage = Stage::new().await;
        let replies = ["250 ok", "250 ok", "452 4.5.3 too many", "552 too many", "250 ok", "550 5.1.1 nobody"];
        stage.far.offer(offers).reply("RCPT", &replies);
        stage.start();
        let to = ["a", "b", "c", "d"].map(|who| format!("{who}@far.example"));
        stage.send_to(&to.iter().map(String::as_str).collect::<Vec<_>>()).await;
        stage.settle().await;
        let got: Vec<Vec<String>> = stage.far.got().into_iter().map(|got| got.rcpts).collect();
        let rcpt = |who: &str| format!("RCPT TO:<{who}@far.example>");
        assert_eq!(got, [vec![rcpt("a"), rcpt("b")], vec![rcpt("c")]]);
        assert_eq!((stage.far.sessions(), stage.queue().await.len()), (1, 0));
        let dsn = String::from_utf8(stage.origin.got()[0].content.clone()).unwrap();
        assert!(dsn.contains("Final-Recipient: rfc822;d@far.example") && dsn.matches("Final-Recipient").count() == 1);
    }
}

#[tokio::test]
async fn a_host_that_takes_nobody_for_lack_of_room_is_tried_later() {
    let mut stage = Stage::new().await;
    stage.far.reply("RCPT", &["452 4.5.3 too many"]);
    stage.start();
    stage.send_to(&["a@far.example", "b@far.example"]).await;
    stage.settle().await;
    assert_eq!((stage.far.count("MAIL"), stage.queue().await[0].attempts), (1, 1));
}

/// RFC 9422 §4: what a host offers as its bounds is kept to.
#[tokio::test]
async fn offered_limits_are_kept() {
    let mut stage = Stage::new().await;
    stage.settings.connections_per_destination_max = 1;
    stage.far.offer(&["PIPELINING", "LIMITS RCPTMAX=2 MAILMAX=2"]);
    stage.start();
    let to: Vec<String> = (0..5).map(|n| format!("r{n}@far.example")).collect();
    stage.send_to(&to.iter().map(String::as_str).collect::<Vec<_>>()).await;
    stage.settle().await;
    let got: Vec<usize> = stage.far.got().into_iter().map(|got| got.rcpts.len()).collect();
    assert_eq!((got, stage.far.sessions(), stage.queue().await.len()), (vec![2, 2, 1], 2, 0));
    stage.send_to(&["x@far.example"]).await;
    stage.send_to(&["y@far.example"]).await;
    stage.settle().await;
    assert_eq!((stage.far.got().len(), stage.far.sessions()), (5, 3));
}
