//! What a client can't do: fill memory, stay without logging in, pause for ever, have everything marked as read.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::support::stage::{Client, Watched, pipe};
use crate::support::{House, PASSWORD};
use relais_imap::limits::{COMMAND_PAUSE_MAX, HANDSHAKE_TIMEOUT, LOGIN_TIMEOUT, OUTPUT_OCTETS};
use relais_imap::{Security, Settings};
use tokio::io::DuplexStream;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

fn settings() -> Settings {
    Settings { plaintext_login_on_loopback: true, ..Settings::default() }
}

async fn house() -> House {
    House::new(settings(), false).await
}

fn serve(house: &House, stream: Watched, security: Security) -> JoinHandle<()> {
    let at = "127.0.0.1".parse().unwrap();
    tokio::spawn(house.imap.clone().serve_stream(Box::new(stream), at, security, CancellationToken::new()))
}

async fn login(client: &mut Client) {
    client.read_line().await.unwrap();
    let lines = client.command("l", &format!("LOGIN alice {PASSWORD}")).await.unwrap();
    assert!(lines.last().unwrap().starts_with("l OK"), "{lines:?}");
}

/// Lets sessions run until they wait.
async fn settle() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}

/// Moves time while sessions wait, and lets them see it.
async fn advance(house: &House, span: Duration) {
    settle().await;
    house.sim.clock.advance(span);
    settle().await;
}

fn watched(octets: usize) -> (DuplexStream, Watched, Arc<AtomicUsize>) {
    let (near, far) = tokio::io::duplex(octets);
    let most = Arc::new(AtomicUsize::new(0));
    (near, Watched(far, Arc::clone(&most)), most)
}

#[tokio::test]
async fn answers_to_pipelined_commands_are_not_collected() {
    let house = house().await;
    let alice = house.account("alice").id;
    house.fill("alice", 2_000).await;
    for n in 0..40 {
        let _done = house.store.set_subscription(alice, &format!("{n}{}", "x".repeat(100)), true).await.unwrap();
    }
    for command in
        ["LSUB \"\" *", "SEARCH ALL", "SEARCH RETURN (ALL) ALL", "STATUS INBOX (MESSAGES UNSEEN)", "CAPABILITY"]
    {
        let (near, far, most) = watched(64 * 1024);
        let session = serve(&house, far, Security::StartTls);
        let mut client = Client::new(Box::new(near));
        login(&mut client).await;
        client.command("s", "SELECT INBOX").await.unwrap();
        let one: usize = client.command("x", command).await.unwrap().iter().map(|line| line.len() + 2).sum();
        most.store(0, Ordering::Relaxed);
        client.send(format!("x {command}\r\n").repeat(1_000).as_bytes()).await.unwrap();
        settle().await;
        let most = most.load(Ordering::Relaxed);
        assert!(most > one, "{command}: the answers come ({most} octets)");
        assert!(most <= 2 * OUTPUT_OCTETS + one, "{command}: {most} octets were held");
        drop(client);
        session.await.unwrap();
    }
}

#[tokio::test]
async fn one_long_lsub_is_not_collected() {
    let house = house().await;
    let alice = house.account("alice").id;
    for n in 0..600 {
        let _done = house.store.set_subscription(alice, &format!("{n}{}", "x".repeat(400)), true).await.unwrap();
    }
    let (near, far, most) = watched(4_096);
    let session = serve(&house, far, Security::StartTls);
    let mut client = Client::new(Box::new(near));
    login(&mut client).await;
    client.send(b"x LSUB \"\" *\r\n").await.unwrap();
    settle().await;
    let most = most.load(Ordering::Relaxed);
    assert!((OUTPUT_OCTETS..2 * OUTPUT_OCTETS).contains(&most), "{most} octets were held");
    let names = house.store.subscriptions(alice).await.unwrap().len();
    assert_eq!(client.until("x").await.unwrap().len(), names + 1);
    drop(client);
    session.await.unwrap();
}

#[tokio::test]
async fn who_chats_without_logging_in_has_a_deadline() {
    let house = house().await;
    let mut client = pipe(&house, &CancellationToken::new());
    client.read_line().await.unwrap();
    for pause in [LOGIN_TIMEOUT / 2, LOGIN_TIMEOUT / 2 - Duration::from_secs(1)] {
        advance(&house, pause).await;
        assert!(client.command("a", "NOOP").await.unwrap()[0].starts_with("a OK"));
    }
    // In the middle of a command it is no different.
    client.send(b"b LOGIN {5}\r\n").await.unwrap();
    assert!(client.read_line().await.unwrap().unwrap().starts_with('+'));
    advance(&house, Duration::from_secs(1)).await;
    assert!(client.read_line().await.unwrap().unwrap().starts_with("* BYE Autologout"));
    assert_eq!(client.read_line().await.unwrap(), None);
}

#[tokio::test]
async fn who_has_logged_in_stays() {
    let house = house().await;
    let mut client = pipe(&house, &CancellationToken::new());
    login(&mut client).await;
    advance(&house, LOGIN_TIMEOUT + Duration::from_secs(1)).await;
    assert!(client.command("a", "NOOP").await.unwrap()[0].starts_with("a OK"));
}

#[tokio::test]
async fn a_pause_inside_a_command_is_bounded() {
    let house = house().await;
    let mut client = pipe(&house, &CancellationToken::new());
    login(&mut client).await;
    client.send(b"a SELECT {5}\r\n").await.unwrap();
    assert!(client.read_line().await.unwrap().unwrap().starts_with('+'));
    advance(&house, COMMAND_PAUSE_MAX - Duration::from_secs(1)).await;
    client.send(b"INBOX\r\n").await.unwrap();
    assert!(client.until("a").await.unwrap().last().unwrap().starts_with("a OK"));
    client.send(b"b SELECT {5}\r\n").await.unwrap();
    assert!(client.read_line().await.unwrap().unwrap().starts_with('+'));
    advance(&house, COMMAND_PAUSE_MAX).await;
    assert!(client.read_line().await.unwrap().unwrap().starts_with("* BYE Autologout"));
    assert_eq!(client.read_line().await.unwrap(), None);
}

#[tokio::test]
async fn a_handshake_that_never_comes_is_not_waited_for() {
    let house = House::new(settings(), true).await;
    let (near, far, _) = watched(1024);
    let session = serve(&house, far, Security::ImplicitTls);
    advance(&house, HANDSHAKE_TIMEOUT - Duration::from_secs(1)).await;
    assert!(!session.is_finished());
    advance(&house, Duration::from_secs(1)).await;
    assert!(session.is_finished());
    drop(near);
}

#[tokio::test]
async fn autologout_is_a_setting_that_new_sessions_take_up() {
    let house = house().await;
    for secs in [3_600, 7_200] {
        house.imap.reload(Settings { autologout: Duration::from_secs(secs), ..settings() });
        let mut client = pipe(&house, &CancellationToken::new());
        login(&mut client).await;
        advance(&house, Duration::from_secs(secs - 1)).await;
        assert!(client.command("a", "NOOP").await.unwrap()[0].starts_with("a OK"));
        advance(&house, Duration::from_secs(secs)).await;
        assert!(client.read_line().await.unwrap().unwrap().starts_with("* BYE Autologout"));
    }
}

/// A client that goes away in the middle of a FETCH finds most of what it did not get still unread.
#[tokio::test]
async fn messages_are_read_when_they_are_sent() {
    let house = house().await;
    let text = format!("Subject: large\r\n\r\n{}", "0123456789\r\n".repeat(2_000));
    for _ in 0..60 {
        house.deliver("alice", "INBOX", text.as_bytes(), true).await;
    }
    let (near, far, _) = watched(4_096);
    let session = serve(&house, far, Security::StartTls);
    let mut client = Client::new(Box::new(near));
    login(&mut client).await;
    client.command("s", "SELECT INBOX").await.unwrap();
    client.send(b"f FETCH 1:* BODY[]\r\n").await.unwrap();
    settle().await;
    drop(client);
    session.await.unwrap();
    let unseen = house.store.inbox(house.account("alice").id).await.unwrap().unseen;
    assert!((50..60).contains(&unseen), "{unseen} of 60 are unread");
    // Who reads on gets all, each with its flags.
    let mut client = pipe(&house, &CancellationToken::new());
    login(&mut client).await;
    client.command("s", "SELECT INBOX").await.unwrap();
    let lines = client.command("f", "FETCH 1:* BODY[TEXT]<0.2>").await.unwrap();
    assert_eq!(lines.iter().filter(|line| line.contains("\\Seen")).count(), usize::try_from(unseen).unwrap());
    assert_eq!(house.store.inbox(house.account("alice").id).await.unwrap().unseen, 0);
}

/// A set of thousands of ranges is one set: each message once, in order (RFC 3501 §9 `sequence-set`).
#[tokio::test]
async fn thousands_of_ranges_are_one_set() {
    let house = house().await;
    house.fill("alice", 3_000).await;
    let mut client = pipe(&house, &CancellationToken::new());
    login(&mut client).await;
    client.command("s", "SELECT INBOX").await.unwrap();
    let odd: Vec<String> = (1..=3_000).step_by(2).map(|number| number.to_string()).collect();
    let lines = client.command("a", &format!("FETCH {} UID", odd.join(","))).await.unwrap();
    assert_eq!(lines.len(), 1_501);
    assert_eq!(lines[1_499], "* 2999 FETCH (UID 2999)");
    // Backwards, and each with its neighbour.
    let backwards: Vec<String> = (1..3_000).rev().map(|number| format!("{}:{number}", number + 1)).collect();
    let lines = client.command("b", &format!("UID FETCH {} UID", backwards.join(","))).await.unwrap();
    assert_eq!(lines.len(), 3_001);
    assert_eq!(lines[0], "* 1 FETCH (UID 1)");
    // All of them again and again cost no more than once.
    let again = ["1:*"; 5_000].join(",");
    let lines = client.command("c", &format!("STORE {again} +FLAGS.SILENT (\\Flagged)")).await.unwrap();
    assert_eq!(lines.len(), 1, "{lines:?}");
    let lines = client.command("d", &format!("SEARCH RETURN (COUNT) {again} FLAGGED")).await.unwrap();
    assert_eq!(lines[0], "* ESEARCH (TAG \"d\") COUNT 3000");
    let lines = client.command("e", &format!("UID COPY {} Trash", odd.join(","))).await.unwrap();
    assert!(lines[0].starts_with("e OK [COPYUID") && lines[0].contains("1:1500"), "{lines:?}");
    // More than a line may have is no set but a line that is too long.
    let lines = client.command("f", &format!("FETCH {} UID", ["1:*"; 20_000].join(","))).await.unwrap();
    assert!(lines[0].starts_with("f BAD ["), "{lines:?}");
    assert!(client.command("g", "NOOP").await.unwrap()[0].starts_with("g OK"));
}

/// Little that becomes a lot (RFC 4978 §5): a line that is too long, whichever way it came.
#[tokio::test]
async fn what_inflates_to_an_endless_line_is_one() {
    let house = house().await;
    for (octets, ends) in [(500_000, false), (64 << 20, true)] {
        let mut client = pipe(&house, &CancellationToken::new());
        login(&mut client).await;
        assert!(client.command("c", "COMPRESS DEFLATE").await.unwrap()[0].starts_with("c OK"));
        client.compress();
        let mut line = vec![b'x'; octets];
        line.extend_from_slice(b"\r\nb NOOP\r\n");
        client.send(&line).await.unwrap();
        let answer = client.read_line().await.unwrap().unwrap();
        assert!(answer.contains(" BAD [") || answer.contains("BYE"), "{answer}");
        let mut said = Vec::new();
        while let Some(line) = client.read_line().await.unwrap() {
            said.push(line);
            if said.last().unwrap().starts_with("b OK") {
                break;
            }
        }
        let goes_on = said.last().is_some_and(|line| line.starts_with("b OK"));
        assert_eq!(goes_on, !ends, "{octets} octets: {answer} {said:?}");
    }
}
