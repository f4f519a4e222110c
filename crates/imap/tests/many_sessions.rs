//! Many sessions of one account on one mailbox, as several devices have them: all hear of everything, each `\Recent` goes to one
//! of them, and who does not read is told together what happened meanwhile.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::stage::{Client, Watched, pipe};
use crate::support::{House, PASSWORD, fixture};
use relais_imap::limits::OUTPUT_OCTETS;
use relais_imap::{Security, Settings};
use tokio_util::sync::CancellationToken;

const SESSIONS: usize = 50;

async fn house() -> House {
    House::new(Settings { plaintext_login_on_loopback: true, ..Settings::default() }, false).await
}

async fn login(client: &mut Client) {
    client.read_line().await.unwrap();
    let lines = client.command("l", &format!("LOGIN alice {PASSWORD}")).await.unwrap();
    assert!(lines.last().unwrap().starts_with("l OK"), "{lines:?}");
}

/// The number of `* n NAME`.
fn told(line: &str, name: &str) -> Option<usize> {
    line.strip_prefix("* ")?.strip_suffix(name)?.trim_end().parse().ok()
}

/// Reads until so many messages are there; gives the last RECENT that was told.
async fn hears_of(client: &mut Client, messages: usize) -> usize {
    let mut recent = 0;
    let mut exists = 0;
    while exists < messages {
        let line = client.read_line().await.unwrap().unwrap();
        exists = told(&line, "EXISTS").unwrap_or(exists);
        recent = told(&line, "RECENT").unwrap_or(recent);
    }
    // RECENT comes with EXISTS (RFC 3501 §7.3.2).
    let line = client.read_line().await.unwrap().unwrap();
    told(&line, "RECENT").unwrap_or(recent)
}

#[tokio::test]
async fn fifty_sessions_of_one_account_hear_of_everything() {
    let house = house().await;
    let mail = fixture("simple.eml");
    let mut clients = Vec::new();
    for _ in 0..SESSIONS {
        let mut client = pipe(&house, &CancellationToken::new());
        login(&mut client).await;
        client.command("s", "SELECT INBOX").await.unwrap();
        client.send(b"i IDLE\r\n").await.unwrap();
        assert!(client.read_line().await.unwrap().unwrap().starts_with('+'));
        clients.push(client);
    }
    let mut recents = vec![0; SESSIONS];
    for messages in 1..=8 {
        house.deliver("alice", "INBOX", &mail, true).await;
        for (client, recent) in clients.iter_mut().zip(&mut recents) {
            *recent = hears_of(client, messages).await;
        }
        // RFC 3501 §2.3.2: each message is recent to one session, and to one alone.
        assert_eq!(recents.iter().sum::<usize>(), messages, "{recents:?}");
    }
    // One of them removes two; the others hear of it in the same order.
    let (first, others) = clients.split_first_mut().unwrap();
    first.send(b"DONE\r\n").await.unwrap();
    first.until("i").await.unwrap();
    first.command("d", "STORE 2,7 +FLAGS (\\Deleted)").await.unwrap();
    let expunged = first.command("e", "EXPUNGE").await.unwrap();
    assert_eq!(expunged[..2], ["* 7 EXPUNGE", "* 2 EXPUNGE"]);
    for client in others {
        let mut lines = Vec::new();
        while lines.len() < 2 {
            let line = client.read_line().await.unwrap().unwrap();
            if line.ends_with("EXPUNGE") {
                lines.push(line);
            } else {
                assert!(line.contains("FETCH (FLAGS (") && line.contains("\\Deleted"), "{line}");
            }
        }
        assert_eq!(lines, ["* 7 EXPUNGE", "* 2 EXPUNGE"]);
        client.send(b"DONE\r\n").await.unwrap();
        assert!(client.until("i").await.unwrap().last().unwrap().starts_with("i OK"));
        let lines = client.command("f", "FETCH 1:* UID").await.unwrap();
        assert_eq!(lines.len(), 7, "{lines:?}");
        assert_eq!(lines[1], "* 2 FETCH (UID 3)");
    }
}

#[tokio::test]
async fn who_does_not_read_is_told_together() {
    let house = house().await;
    let mail = fixture("simple.eml");
    let (near, far) = tokio::io::duplex(512);
    let most = Arc::new(AtomicUsize::new(0));
    let at = "127.0.0.1".parse().unwrap();
    let stream = Box::new(Watched(far, Arc::clone(&most)));
    let session = house.imap.clone().serve_stream(stream, at, Security::StartTls, CancellationToken::new());
    let session = tokio::spawn(session);
    let mut client = Client::new(Box::new(near));
    login(&mut client).await;
    client.command("s", "SELECT INBOX").await.unwrap();
    client.send(b"i IDLE\r\n").await.unwrap();
    assert!(client.read_line().await.unwrap().unwrap().starts_with('+'));
    most.store(0, Ordering::Relaxed);
    for _ in 0..1_500 {
        house.deliver("alice", "INBOX", &mail, true).await;
        tokio::task::yield_now().await;
    }
    let most = most.load(Ordering::Relaxed);
    assert!((1..=OUTPUT_OCTETS).contains(&most), "{most} octets waited");
    let mut lines = 0;
    loop {
        let line = client.read_line().await.unwrap().unwrap();
        lines += 1;
        if told(&line, "EXISTS") == Some(1_500) {
            break;
        }
    }
    // What fits into the pipe was told one by one; the rest is one change.
    assert!(lines < 100, "{lines} lines");
    drop(client);
    session.await.unwrap();
}
