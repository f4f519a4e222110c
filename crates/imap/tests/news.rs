//! NOTIFY over many mailboxes (RFC 5465): a session looks at them now and then, and tells what has happened together.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may")]

use crate::support::stage::{Client, pipe};
use crate::support::{House, PASSWORD};
use relais_imap::Settings;
use relais_imap::limits::{MAILBOXES_PER_TURN, NOTIFY_PAUSE};
use tokio_util::sync::CancellationToken;

/// A house in which alice has some mailboxes, and wants to hear of their names.
async fn listening(mailboxes: usize) -> (House, Client) {
    let house = House::new(Settings { plaintext_login_on_loopback: true, ..Settings::default() }, false).await;
    let alice = house.account("alice").id;
    for n in 0..mailboxes {
        let _done = house.store.create_mailbox(alice, &format!("m{n}"), None).await.unwrap();
    }
    let mut client = pipe(&house, &CancellationToken::new());
    client.read_line().await.unwrap();
    client.command("l", &format!("LOGIN alice {PASSWORD}")).await.unwrap();
    let answer = client.command("n", "NOTIFY SET (personal (MailboxName))").await.unwrap();
    assert!(answer[0].starts_with("n OK"), "{answer:?}");
    (house, client)
}

/// Lets sessions run until they wait.
async fn settle() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}

/// What is told up to the answer of a NOOP.
async fn told(client: &mut Client) -> Vec<String> {
    settle().await;
    let mut lines = client.command("t", "NOOP").await.unwrap();
    assert!(lines.pop().unwrap().starts_with("t OK"));
    lines
}

#[tokio::test]
async fn a_session_rests_between_two_looks_at_many_mailboxes() {
    let (house, mut client) = listening(MAILBOXES_PER_TURN).await;
    let alice = house.account("alice").id;
    // The answer to NOTIFY was the first look.
    let _done = house.store.create_mailbox(alice, "x1", None).await.unwrap();
    assert_eq!(told(&mut client).await, [""; 0]);
    let _done = house.store.rename_mailbox(alice, "x1", "x2").await.unwrap();
    assert_eq!(told(&mut client).await, [""; 0]);
    settle().await;
    house.sim.clock.advance(NOTIFY_PAUSE);
    // Both together: the client never hears of the name in between.
    assert_eq!(told(&mut client).await, ["* LIST (\\HasNoChildren) \"/\" \"x2\""]);
    let _done = house.store.rename_mailbox(alice, "x2", "x3").await.unwrap();
    assert_eq!(told(&mut client).await, [""; 0]);
    // In IDLE it is no different.
    client.send(b"i IDLE\r\n").await.unwrap();
    assert_eq!(client.read_line().await.unwrap().unwrap(), "+ idling");
    let _done = house.store.rename_mailbox(alice, "x3", "x4").await.unwrap();
    settle().await;
    house.sim.clock.advance(NOTIFY_PAUSE);
    let news = client.read_line().await.unwrap().unwrap();
    assert_eq!(news, "* LIST (\\HasNoChildren) \"/\" \"x4\" (\"OLDNAME\" (\"x2\"))");
}

#[tokio::test]
async fn a_session_with_few_mailboxes_is_told_at_once() {
    let (house, mut client) = listening(10).await;
    let alice = house.account("alice").id;
    for name in ["x1", "x2"] {
        let _done = house.store.create_mailbox(alice, name, None).await.unwrap();
        assert_eq!(told(&mut client).await, [format!("* LIST (\\HasNoChildren) \"/\" \"{name}\"")]);
    }
}
