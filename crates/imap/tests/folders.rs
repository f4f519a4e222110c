//! An account with 20,000 folders (which some people have): LIST tells them all, holds little, and others get their turn.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may")]

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::stage::{Client, Watched, pipe};
use crate::support::{House, PASSWORD};
use relais_imap::{Security, Settings, limits::OUTPUT_OCTETS};
use tokio_util::sync::CancellationToken;

const FOLDERS: usize = 20_000;

async fn house() -> House {
    let settings = Settings { plaintext_login_on_loopback: true, ..Settings::default() };
    let house = House::new(settings, false).await;
    let alice = house.account("alice").id;
    for n in 0..FOLDERS {
        // 200 at the first level, 100 below each but for the first of them.
        let name = if n < 200 { format!("a{n:03}") } else { format!("a{:03}/b{:03}", n % 200, n / 200) };
        let _done = house.store.create_mailbox(alice, &name, None).await.unwrap();
        if n % 2 == 0 {
            let _done = house.store.set_subscription(alice, &name, true).await.unwrap();
        }
    }
    house
}

#[tokio::test]
async fn all_are_listed_and_little_is_held() {
    let house = house().await;
    let (near, far) = tokio::io::duplex(4_096);
    let most = Arc::new(AtomicUsize::new(0));
    let far = Watched(far, Arc::clone(&most));
    let local = IpAddr::V4(Ipv4Addr::LOCALHOST);
    tokio::spawn(house.imap.clone().serve_stream(Box::new(far), local, Security::StartTls, CancellationToken::new()));
    let mut client = Client::new(Box::new(near));
    client.read_line().await.unwrap();
    client.command("l", &format!("LOGIN alice {PASSWORD}")).await.unwrap();
    for (command, lines) in [
        ("LIST \"\" *", FOLDERS + 6),
        ("LIST \"\" %", 206),
        ("LIST \"\" a%/b%", FOLDERS - 200),
        ("LIST \"\" %/%9", 10 * 200),
        ("LIST \"\" *a*b*0*9", 10 * 200),
        ("LSUB \"\" *", FOLDERS / 2 + 6),
        ("LIST (SUBSCRIBED) \"\" % RETURN (CHILDREN)", 106),
        ("LIST (SUBSCRIBED RECURSIVEMATCH) \"\" %", 106),
        ("LIST \"\" a0% RETURN (STATUS (MESSAGES UNSEEN) MYRIGHTS)", 300),
    ] {
        let answer = client.command("t", command).await.unwrap();
        assert!(answer.last().unwrap().starts_with("t OK"), "{command}: {:?}", answer.last());
        assert_eq!(answer.len() - 1, lines, "{command}");
    }
    let most = most.load(Ordering::Relaxed);
    assert!(most < 2 * OUTPUT_OCTETS, "{most} octets were held");
    // While somebody asks for a pattern that costs much, others are served.
    client.send(format!("t LIST \"\" {}\r\n", "*a*b".repeat(15)).as_bytes()).await.unwrap();
    let mut other = pipe(&house, &CancellationToken::new());
    other.read_line().await.unwrap();
    assert!(other.command("n", "NOOP").await.unwrap()[0].starts_with("n OK"));
    assert!(client.until("t").await.unwrap().last().unwrap().starts_with("t OK"));
}
