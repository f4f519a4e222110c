//! Who is not let in, and hears why: banned addresses, and those that come too often.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may")]

use std::time::Duration;

use crate::support::stage::{Client, pipe};
use crate::support::{House, PASSWORD, certificate};
use abuse::{Door, PerNetwork};
use relais_imap::{Security, Settings};
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;

fn settings() -> Settings {
    Settings { plaintext_login_on_loopback: true, ..Settings::default() }
}

/// A service behind a door, and the door.
async fn house(settings_of_door: abuse::Settings, tls: bool) -> (House, Door) {
    let door = Door::new(settings_of_door, || {});
    let mut house = House::new(settings(), tls).await;
    house.imap = house.imap.clone().behind(door.clone());
    (house, door)
}

/// RFC 3501 §7.1.5: `BYE` in the place of the greeting.
#[tokio::test]
async fn a_banned_client_hears_why_in_the_place_of_the_greeting() {
    let contact = "postmaster@mx.example".to_owned();
    let (house, door) = house(abuse::Settings { contact, ..abuse::Settings::default() }, true).await;
    let now = house.store.now();
    door.ban("127.0.0.1".parse().unwrap(), "spam wave", None, now).unwrap();
    let told = "Your address 127.0.0.1 is banned until an administrator lifts it: spam wave; \
                write to postmaster@mx.example from elsewhere";
    let mut client = pipe(&house, &CancellationToken::new());
    assert_eq!(client.read_line().await.unwrap().unwrap(), format!("* BYE [UNAVAILABLE] {told}"));
    assert_eq!(client.read_line().await.unwrap(), None);
    // Behind TLS, where the client expects it; not for who comes again and again.
    for n in 1..9 {
        let (near, far) = tokio::io::duplex(64 * 1024);
        let at = "127.0.0.1".parse().unwrap();
        let serve = house.imap.clone().serve_stream(Box::new(far), at, Security::ImplicitTls, CancellationToken::new());
        tokio::spawn(serve);
        let connector = TlsConnector::from(certificate().1.clone());
        let shaken = connector.connect("imap.example".try_into().unwrap(), near).await;
        assert_eq!(shaken.is_ok(), n < 6, "{n}");
        if let Ok(stream) = shaken {
            let line = Client::new(Box::new(stream)).read_line().await.unwrap().unwrap();
            assert_eq!(line, format!("* BYE [UNAVAILABLE] {told}"));
        }
    }
    door.lift(&"127.0.0.1".parse().unwrap());
    assert!(pipe(&house, &CancellationToken::new()).read_line().await.unwrap().unwrap().starts_with("* OK"));
}

/// An address is a /64 as elsewhere, and the networks around it have limits of their own.
#[tokio::test]
async fn connections_at_a_time_count_for_the_networks_around_a_client() {
    let limits = Settings { connections_per_address_max: 2, connections_per_network_max: [3, 4], ..settings() };
    let house = House::new(limits, false).await;
    let mut open = Vec::new();
    for (at, greeting) in [
        ("2001:db8:1:1::1", "* OK"),
        ("2001:db8:1:1::2", "* OK"),
        ("2001:db8:1:1::3", "* BYE"), // a third one of the /64
        ("2001:db8:1:2::1", "* OK"),
        ("2001:db8:1:3::1", "* BYE"), // a fourth one of the /48
        ("2001:db8:2::1", "* OK"),
        ("2001:db8:3::1", "* BYE"), // a fifth one of the /32
        ("198.51.100.1", "* OK"),
    ] {
        let (near, far) = tokio::io::duplex(64 * 1024);
        let stop = CancellationToken::new();
        tokio::spawn(house.imap.clone().serve_stream(Box::new(far), at.parse().unwrap(), Security::StartTls, stop));
        let mut client = Client::new(Box::new(near));
        let line = client.read_line().await.unwrap().unwrap();
        assert!(line.starts_with(greeting), "{at}: {line}");
        open.push(client);
    }
}

#[tokio::test]
async fn who_connects_too_often_is_asked_to_come_later() {
    let (house, _) =
        house(abuse::Settings { connections: PerNetwork([2, 0, 0]), ..abuse::Settings::default() }, false).await;
    for greeting in
        ["* OK", "* OK", "* BYE [UNAVAILABLE] Too many connections from 127.0.0.1: at most 2 in a minute are taken"]
    {
        let line = pipe(&house, &CancellationToken::new()).read_line().await.unwrap().unwrap();
        assert!(line.starts_with(greeting), "{line}");
    }
    house.sim.clock.advance(Duration::from_secs(60));
    assert!(pipe(&house, &CancellationToken::new()).read_line().await.unwrap().unwrap().starts_with("* OK"));
}

#[tokio::test]
async fn garbage_bans_strangers_and_not_who_has_logged_in() {
    let limits = abuse::Settings { bad_commands: PerNetwork([3, 0, 0]), ..abuse::Settings::default() };
    let (house, door) = house(limits, false).await;
    let mut client = pipe(&house, &CancellationToken::new());
    client.read_line().await.unwrap();
    client.command("l", &format!("LOGIN alice {PASSWORD}")).await.unwrap();
    for _ in 0..5 {
        assert!(client.command("x", "NONSENSE").await.unwrap().last().unwrap().starts_with("x BAD [CLIENTBUG] "));
    }
    assert!(door.in_force(house.store.now()).is_empty());
    let mut client = pipe(&house, &CancellationToken::new());
    client.read_line().await.unwrap();
    for _ in 0..2 {
        assert!(client.command("x", "NONSENSE").await.unwrap().last().unwrap().starts_with("x BAD [CLIENTBUG] "));
    }
    client.send(b"x NONSENSE\r\n").await.unwrap();
    assert!(client.read_line().await.unwrap().unwrap().starts_with("x BAD [CLIENTBUG] "));
    let line = client.read_line().await.unwrap().unwrap();
    assert!(line.starts_with("* BYE Your address 127.0.0.1 is banned until "), "{line}");
    assert!(line.contains(": 3 commands that make no sense in an hour; "), "{line}");
    assert_eq!(client.read_line().await.unwrap(), None);
}
