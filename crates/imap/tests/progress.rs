//! RFC 9585: a client hears that a long command goes on, as long as it does.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may")]

use std::time::Duration;

use crate::support::slow::Gates;
use crate::support::stage::{Client, pipe, soon};
use crate::support::{House, PASSWORD, Plan};
use mail::{Flags, Keyword, SystemFlags, Uid};
use relais_imap::Settings;
use storage::messages::FlagChange;
use tokio_util::sync::CancellationToken;

struct Stage {
    house: House,
    gates: Gates,
    client: Client,
}

async fn stage(messages: usize) -> Stage {
    let settings = Settings { plaintext_login_on_loopback: true, ..Settings::default() };
    let house = House::built(settings, Plan { slow: true, ..Plan::default() }).await;
    house.fill("alice", messages).await;
    let mut client = pipe(&house, &CancellationToken::new());
    client.read_line().await.unwrap();
    client.command("l", &format!("LOGIN alice {PASSWORD}")).await.unwrap();
    client.command("s", "SELECT INBOX").await.unwrap();
    Stage { gates: house.gates.clone().unwrap(), house, client }
}

/// Moves time on until the session that works has been waiting long enough to say so.
async fn ten_seconds(house: &House) {
    soon(async {
        for _ in 0..200 {
            tokio::task::yield_now().await;
        }
        house.sim.clock.advance(Duration::from_secs(10));
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_long_move_says_how_far_it_is() {
    let Stage { house, gates: Gates { commits, .. }, mut client } = stage(4_500).await;
    commits.hold();
    client.send(b"m MOVE 1:* Trash\r\n").await.unwrap();
    ten_seconds(&house).await;
    assert_eq!(client.read_line().await.unwrap().unwrap(), "* OK [INPROGRESS (\"m\" 0 4500)] Still at it");
    ten_seconds(&house).await;
    assert_eq!(client.read_line().await.unwrap().unwrap(), "* OK [INPROGRESS (\"m\" 0 4500)] Still at it");
    commits.let_through(1);
    ten_seconds(&house).await;
    assert_eq!(client.read_line().await.unwrap().unwrap(), "* OK [INPROGRESS (\"m\" 2500 4500)] Still at it");
    commits.release();
    let lines = client.until("m").await.unwrap();
    assert!(lines[0].starts_with("* OK [COPYUID ") && lines.last().unwrap().starts_with("m OK"), "{}", lines[0]);
}

#[tokio::test]
async fn a_long_search_and_a_long_copy_say_that_they_go_on() {
    let Stage { house, gates: Gates { commits, scans }, mut client } = stage(2_000).await;
    scans.hold();
    client.send(b"q SEARCH FLAGGED\r\n").await.unwrap();
    scans.let_through(1);
    ten_seconds(&house).await;
    let line = client.read_line().await.unwrap().unwrap();
    assert_eq!(line, "* OK [INPROGRESS (\"q\" 500 2000)] Still at it");
    scans.release();
    assert_eq!(client.until("q").await.unwrap(), ["* SEARCH", "q OK Searched"]);
    commits.hold();
    client.send(b"c] COPY 1:* Trash\r\n").await.unwrap();
    ten_seconds(&house).await;
    let line = client.read_line().await.unwrap().unwrap();
    // RFC 9585 §4: a tag with "]" is not told.
    assert_eq!(line, "* OK [INPROGRESS (NIL NIL NIL)] Still at it");
    commits.release();
    assert!(client.until("c]").await.unwrap().last().unwrap().starts_with("c] OK [COPYUID"));
}

#[tokio::test]
async fn a_long_sort_a_long_thread_and_a_long_esearch_say_that_they_go_on() {
    let Stage { house, gates: Gates { scans, .. }, mut client } = stage(2_000).await;
    for (command, begins, progress) in [
        // What is sorted and threaded has to be found first.
        ("a SORT (SUBJECT) UTF-8 FLAGGED", "* SORT", "\"a\" 500 2000"),
        ("b THREAD REFERENCES UTF-8 FLAGGED", "* THREAD", "\"b\" 500 2000"),
        ("c ESEARCH IN (selected) RETURN (COUNT) FLAGGED", "c OK", "\"c\" 500 2000"),
    ] {
        scans.hold();
        client.send(format!("{command}\r\n").as_bytes()).await.unwrap();
        scans.let_through(1);
        ten_seconds(&house).await;
        let line = client.read_line().await.unwrap().unwrap();
        assert_eq!(line, format!("* OK [INPROGRESS ({progress})] Still at it"), "{command}");
        scans.release();
        let lines = client.until(&command[..1]).await.unwrap();
        assert!(lines[0].starts_with(begins) && lines.last().unwrap().contains(" OK "), "{lines:?}");
    }
    // Sorting itself can't be counted.
    scans.hold();
    client.send(b"d SORT (SUBJECT) UTF-8 ALL\r\n").await.unwrap();
    ten_seconds(&house).await;
    let line = client.read_line().await.unwrap().unwrap();
    assert!(line.starts_with("* OK [INPROGRESS ("), "{line}");
    scans.release();
    assert!(client.until("d").await.unwrap().last().unwrap().starts_with("d OK"));
    // Nothing of it is kept from before: the mailboxes that are named are read.
    scans.hold();
    client.send(b"e ESEARCH IN (mailboxes INBOX) RETURN (COUNT) FLAGGED\r\n").await.unwrap();
    ten_seconds(&house).await;
    scans.release();
    assert!(client.until("e").await.unwrap().last().unwrap().starts_with("e OK"));
}

/// RFC 7162 §3.1: who is told a MODSEQ is told all flags of it, also a keyword that was made while the rows were waited for.
#[tokio::test]
async fn a_keyword_that_is_made_meanwhile_is_told() {
    let Stage { house, gates: Gates { scans, .. }, mut client } = stage(100).await;
    client.command("e", "ENABLE CONDSTORE").await.unwrap();
    let account = house.account("alice").id;
    let inbox = house.store.inbox(account).await.unwrap().id;
    let set = async |flags: Flags| {
        let uids = (1..=100).map(Uid).collect();
        house.store.change_flags(account, inbox, uids, FlagChange::Add(flags), None).await.unwrap()
    };
    let _done = set(Flags::system(SystemFlags::FLAGGED)).await;
    scans.hold();
    client.send(b"n NOOP\r\n").await.unwrap();
    // What has changed is known, its rows are not.
    scans.let_through(1);
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
    let fresh = Flags { keywords: [Keyword::parse("fresh").unwrap()].into(), ..Flags::default() };
    let modseq = set(fresh).await.value.rows[0].modseq.0;
    scans.release();
    let lines = client.until("n").await.unwrap();
    let told: Vec<&String> = lines.iter().filter(|line| line.contains(" FETCH (")).collect();
    assert_eq!(told.len(), 100, "{lines:?}");
    assert!(
        told.iter().all(|line| line.contains("fresh") && line.contains(&format!("MODSEQ ({modseq})"))),
        "{}",
        told[0]
    );
    let first = lines.iter().position(|line| line.contains(" FETCH (")).unwrap();
    assert!(lines[..first].iter().any(|line| line.starts_with("* FLAGS (") && line.contains("fresh")), "{lines:?}");
}
