//! What transcripts can't show: random changes by several sessions, large messages, clients that stop reading.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    clippy::cast_possible_truncation,
    reason = "tests may"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::support::stage::{Client, Watched, pipe, soon};
use crate::support::{House, PASSWORD, fixture};
use miniz_oxide::DataFormat;
use miniz_oxide::deflate::core::{CompressorOxide, TDEFLFlush, compress_to_output};
use proptest::prelude::*;
use relais_imap::{Security, Settings};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio_util::sync::CancellationToken;
use world::Clock;

fn settings() -> Settings {
    Settings { plaintext_login_on_loopback: true, ..Settings::default() }
}

async fn login(house: &House) -> Client {
    let mut client = pipe(house, &CancellationToken::new());
    client.read_line().await.unwrap();
    client.command("l", &format!("LOGIN alice {PASSWORD}")).await.unwrap();
    client
}

/// Counts as RFC 3501 §7.3.1 and §7.4.1 tell a client to, and keeps the UIDs that it has asked for.
#[derive(Default)]
struct Model(Vec<Option<u32>>);

impl Model {
    fn hear(&mut self, lines: &[String]) {
        for line in lines {
            let words: Vec<&str> = line.split(' ').collect();
            match words.as_slice() {
                ["*", number, "EXPUNGE"] => {
                    self.0.remove(number.parse::<usize>().unwrap() - 1);
                }
                ["*", number, "EXISTS"] => {
                    let number: usize = number.parse().unwrap();
                    assert!(number >= self.0.len(), "EXISTS never shrinks: {line}");
                    self.0.resize(number, None);
                }
                ["*", number, "FETCH", "(UID", uid, ..] => {
                    let slot = &mut self.0[number.parse::<usize>().unwrap() - 1];
                    let uid = uid.trim_end_matches(')').parse().unwrap();
                    assert_eq!(*slot.get_or_insert(uid), uid, "a number changed its message: {line}");
                }
                _ => {}
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Two sessions work on one mailbox, a third one only listens now and then: all three count right to the end.
    #[test]
    fn sessions_that_change_one_mailbox_agree(steps in prop::collection::vec((0usize..3, 0u8..8, 1u32..12), 1..50)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let house = House::new(settings(), false).await;
            let mut clients = Vec::new();
            for _ in 0..3 {
                let mut client = login(&house).await;
                let mut model = Model::default();
                model.hear(&client.command("s", "SELECT INBOX").await.unwrap());
                clients.push((client, model));
            }
            let mail = fixture("simple.eml");
            for (who, what, number) in steps {
                let (client, model) = &mut clients[who];
                let exists = model.0.len() as u32;
                let number = number.min(exists.max(1));
                let command = match what {
                    0 | 1 => {
                        house.deliver("alice", "INBOX", &mail, true).await;
                        "NOOP".to_owned()
                    }
                    2 => format!("STORE {number} +FLAGS (\\Deleted)"),
                    3 => "EXPUNGE".to_owned(),
                    4 => format!("FETCH 1:{number} (UID FLAGS)"),
                    5 => format!("MOVE {number} Trash"),
                    6 => format!("COPY {number} INBOX"),
                    _ => "UID SEARCH ALL".to_owned(),
                };
                model.hear(&client.command("c", &command).await.unwrap());
            }
            let row = house.store.inbox(house.account("alice").id).await.unwrap();
            let stored = house
                .store
                .messages(house.account("alice").id, row.id, mail::Uid(1), mail::Uid(u32::MAX), 1_000)
                .await
                .unwrap();
            let stored: Vec<Option<u32>> = stored.iter().map(|row| Some(row.uid.0)).collect();
            for (client, model) in &mut clients {
                model.hear(&client.command("n", "NOOP").await.unwrap());
                if !model.0.is_empty() {
                    model.hear(&client.command("f", "FETCH 1:* UID").await.unwrap());
                }
                assert_eq!(model.0, stored);
            }
        });
    }
}

#[tokio::test]
async fn a_large_message_goes_in_and_out_unchanged() {
    let house = House::new(settings(), false).await;
    let mut client = login(&house).await;
    let line = format!("{}\r\n", "0123456789".repeat(7));
    let text = format!("Subject: large\r\n\r\n{}", line.repeat(60_000));
    client.send(format!("a APPEND INBOX {{{}}}\r\n", text.len()).as_bytes()).await.unwrap();
    assert!(client.read_line().await.unwrap().unwrap().starts_with('+'));
    for piece in text.as_bytes().chunks(50_000) {
        client.send(piece).await.unwrap();
    }
    client.send(b"\r\n").await.unwrap();
    assert!(client.until("a").await.unwrap().last().unwrap().starts_with("a OK [APPENDUID"));
    client.command("s", "SELECT INBOX").await.unwrap();
    let lines = client.command("f", "FETCH 1 BODY.PEEK[]").await.unwrap();
    assert_eq!(lines[0], format!("* 1 FETCH (BODY[] {{{}}}", text.len()));
    let body = lines[1..lines.len() - 2].join("\r\n");
    assert_eq!(body.len() + 2, text.len());
    assert!(text.starts_with(&body));
    // What stands at the end, far behind the first window, is found too.
    let lines = client.command("q", "SEARCH BODY 89\" 01\" NOT BODY 8901234567890123456789x").await.unwrap();
    assert!(lines.last().unwrap().starts_with("q BAD [CLIENTBUG] "));
    let lines = client.command("q", "SEARCH BODY \"789 0123\" NOT BODY 0123456789x").await.unwrap();
    assert_eq!(lines[0], "* SEARCH 1");
}

#[tokio::test]
async fn a_client_that_stops_reading_is_given_up() {
    let house = House::new(settings(), false).await;
    let text = format!("Subject: large\r\n\r\n{}", "0123456789\r\n".repeat(40_000));
    house.deliver("alice", "INBOX", text.as_bytes(), true).await;
    let (near, far) = tokio::io::duplex(1024);
    let session = tokio::spawn(house.imap.clone().serve_stream(
        Box::new(far),
        "127.0.0.1".parse().unwrap(),
        Security::StartTls,
        CancellationToken::new(),
    ));
    let mut client = Client::new(Box::new(near));
    client
        .send(format!("l LOGIN alice {PASSWORD}\r\ns SELECT INBOX\r\nf FETCH 1 BODY[]\r\n").as_bytes())
        .await
        .unwrap();
    soon(async {
        while !session.is_finished() {
            tokio::task::yield_now().await;
            house.sim.clock.advance(Duration::from_secs(60));
        }
    })
    .await
    .unwrap();
    assert!(house.sim.clock.now() > crate::support::START);
    drop(client);
}

#[tokio::test]
async fn thousands_of_messages_are_listed_in_order() {
    let house = House::new(settings(), false).await;
    let mail = fixture("simple.eml");
    for _ in 0..3_000 {
        house.deliver("alice", "INBOX", &mail, true).await;
    }
    let mut client = login(&house).await;
    client.command("s", "SELECT INBOX").await.unwrap();
    let lines = client.command("f", "UID FETCH 1:* (FLAGS ENVELOPE)").await.unwrap();
    assert_eq!(lines.len(), 3_001);
    assert!(lines[2_999].starts_with("* 3000 FETCH (UID 3000 FLAGS (\\Recent) ENVELOPE (\"Mon, 7 Feb"));
    let lines = client.command("q", "STORE 1:* +FLAGS.SILENT (\\Seen $Read)").await.unwrap();
    assert_eq!(lines.len(), 3, "keywords and the answer: {lines:?}");
    let lines = client.command("q", "SEARCH RETURN (COUNT) SEEN KEYWORD $read").await.unwrap();
    assert_eq!(lines[0], "* ESEARCH (TAG \"q\") COUNT 3000");
}

#[tokio::test]
async fn a_shutdown_ends_a_silent_upload_after_its_grace() {
    let house = House::new(settings(), false).await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let at = listener.local_addr().unwrap();
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    let shutdown = CancellationToken::new();
    let serving = {
        let (imap, shutdown) = (house.imap.clone(), shutdown.clone());
        tokio::spawn(async move { imap.serve(listener, Security::StartTls, shutdown).await })
    };
    let connect = || world::Connector::connect(&world::TcpConnector, at, Duration::from_secs(15));
    let (mut idle, mut busy) = (Client::new(connect().await.unwrap()), Client::new(connect().await.unwrap()));
    for client in [&mut idle, &mut busy] {
        client.read_line().await.unwrap();
        client.command("l", &format!("LOGIN alice {PASSWORD}")).await.unwrap();
    }
    busy.send(b"a APPEND INBOX {100}\r\n").await.unwrap();
    assert!(busy.read_line().await.unwrap().unwrap().starts_with('+'));
    shutdown.cancel();
    assert!(idle.read_line().await.unwrap().unwrap().starts_with("* BYE [UNAVAILABLE]"));
    assert_eq!(idle.read_line().await.unwrap(), None);
    soon(async {
        while !serving.is_finished() {
            tokio::task::yield_now().await;
            house.sim.clock.advance(Duration::from_secs(1));
        }
    })
    .await
    .unwrap();
    assert_eq!(busy.read_line().await.unwrap(), None);
}

#[tokio::test]
async fn an_append_that_ends_in_time_is_kept_through_a_shutdown() {
    let house = House::new(settings(), false).await;
    let shutdown = CancellationToken::new();
    let mut client = pipe(&house, &shutdown);
    client.read_line().await.unwrap();
    client.command("l", &format!("LOGIN alice {PASSWORD}")).await.unwrap();
    client.send(b"a APPEND INBOX {4}\r\n").await.unwrap();
    client.read_line().await.unwrap();
    shutdown.cancel();
    client.send(b"a: b\r\n").await.unwrap();
    assert!(client.read_line().await.unwrap().unwrap().starts_with("a OK [APPENDUID"));
    assert!(client.read_line().await.unwrap().unwrap().starts_with("* BYE"));
    assert_eq!(house.store.inbox(house.account("alice").id).await.unwrap().messages, 1);
}

#[tokio::test]
async fn header_fields_asked_for_many_times_are_not_collected() {
    let house = House::new(settings(), false).await;
    let text = format!("{}\r\nbody\r\n", "X-Field: 0123456789\r\n".repeat(10_000));
    house.deliver("alice", "INBOX", text.as_bytes(), true).await;
    let (near, far) = tokio::io::duplex(4096);
    let most = Arc::new(AtomicUsize::new(0));
    let session = house.imap.clone().serve_stream(
        Box::new(Watched(far, Arc::clone(&most))),
        "127.0.0.1".parse().unwrap(),
        Security::StartTls,
        CancellationToken::new(),
    );
    let session = tokio::spawn(session);
    let mut client = Client::new(Box::new(near));
    client.read_line().await.unwrap();
    client.command("l", &format!("LOGIN alice {PASSWORD}")).await.unwrap();
    client.command("s", "SELECT INBOX").await.unwrap();
    let items: Vec<String> = (0..50).map(|n| format!("BODY.PEEK[HEADER.FIELDS.NOT (A{n})]")).collect();
    client.send(format!("f FETCH 1 ({})\r\n", items.join(" ")).as_bytes()).await.unwrap();
    // The client does not read on; what the session holds is at most a header and what was collected before it.
    for _ in 0..2_000 {
        tokio::task::yield_now().await;
    }
    let most = most.load(Ordering::Relaxed);
    assert!(most > text.len() / 2 && most < text.len() * 2, "{most} octets were held");
    drop(client);
    session.await.unwrap();
}

/// RFC 8437 §4.1: what comes in clear right behind a compressed UNAUTHENTICATE is read, in one packet too.
#[tokio::test]
async fn clear_text_may_follow_unauthenticate_at_once() {
    async fn until(stream: &mut DuplexStream, end: &[u8]) -> Vec<u8> {
        let mut said = Vec::new();
        while !said.windows(end.len()).any(|some| some == end) {
            let mut some = [0; 4_096];
            let octets = soon(stream.read(&mut some)).await.unwrap().unwrap();
            assert!(octets > 0, "{}", String::from_utf8_lossy(&said));
            said.extend_from_slice(&some[..octets]);
        }
        said
    }
    let house = House::new(settings(), false).await;
    let (mut near, far) = tokio::io::duplex(64 * 1024);
    let at = "127.0.0.1".parse().unwrap();
    let session = house.imap.clone().serve_stream(Box::new(far), at, Security::StartTls, CancellationToken::new());
    tokio::spawn(session);
    near.write_all(format!("l LOGIN alice {PASSWORD}\r\nc COMPRESS DEFLATE\r\n").as_bytes()).await.unwrap();
    until(&mut near, b"\nc OK ").await;
    let mut compressor = CompressorOxide::default();
    compressor.set_format_and_level(DataFormat::Raw, 6);
    let mut wire = Vec::new();
    for command in [&b"n NOOP\r\n"[..], b"a UNAUTHENTICATE\r\n"] {
        compress_to_output(&mut compressor, command, TDEFLFlush::Sync, |piece| {
            wire.extend_from_slice(piece);
            true
        });
    }
    wire.extend_from_slice(b"b CAPABILITY\r\nd LOGIN alice ");
    wire.extend_from_slice(format!("{PASSWORD}\r\n").as_bytes());
    near.write_all(&wire).await.unwrap();
    let said = until(&mut near, b"\r\nd OK ").await;
    assert!(said.windows(7).any(|some| some == b"\r\nb OK "));
}
