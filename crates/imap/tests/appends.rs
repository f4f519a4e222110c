//! APPEND of many messages (RFC 3502): one transaction, bounded memory, all or none.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may")]

use crate::support::stage::{Client, pipe};
use crate::support::{House, PASSWORD};
use mail::Uid;
use relais_imap::Settings;
use relais_imap::limits::CATENATED_URLS_MAX;
use storage::StorageError;
use storage::check::{Flaw, check};
use tokio_util::sync::CancellationToken;

async fn house() -> (House, Client) {
    let settings = Settings { plaintext_login_on_loopback: true, ..Settings::default() };
    let house = House::new(settings, false).await;
    let mut client = pipe(&house, &CancellationToken::new());
    client.read_line().await.unwrap();
    client.command("l", &format!("LOGIN alice {PASSWORD}")).await.unwrap();
    (house, client)
}

/// Text that does not compress.
fn message(seed: u32, octets: usize) -> Vec<u8> {
    let mut noise = seed;
    let mut next = || {
        noise ^= noise << 13;
        noise ^= noise >> 17;
        noise ^= noise << 5;
        b'!' + u8::try_from(noise % 90).unwrap()
    };
    let mut text = format!("Subject: {seed}\r\n\r\n").into_bytes();
    text.extend((0..octets).map(|_| next()));
    text
}

fn append(tag: &str, messages: &[Vec<u8>]) -> Vec<u8> {
    let mut command = format!("{tag} APPEND INBOX").into_bytes();
    for message in messages {
        command.extend_from_slice(format!(" {{{}+}}\r\n", message.len()).as_bytes());
        command.extend_from_slice(message);
    }
    command.extend_from_slice(b"\r\n");
    command
}

async fn is_sound(house: &House) {
    let mut findings = Vec::new();
    check(&house.store, true, &mut |finding| findings.push(finding)).await.unwrap();
    // The stage has accounts without a domain.
    findings.retain(|finding| finding.flaw != Flaw::NoDomain);
    assert!(findings.is_empty(), "{findings:?}");
}

#[tokio::test]
async fn more_than_memory_holds_comes_whole() {
    let (house, mut client) = house().await;
    // Some are longer than a chunk of a blob; together they are more than is held.
    let messages: Vec<Vec<u8>> = (1..=300).map(|n| message(n, if n % 50 == 0 { 150_000 } else { 5_000 })).collect();
    client.send(&append("a", &messages)).await.unwrap();
    let lines = client.until("a").await.unwrap();
    assert!(lines[0].starts_with("a OK [APPENDUID ") && lines[0].contains(" 1:300] "), "{lines:?}");
    let alice = house.account("alice").id;
    let inbox = house.store.inbox(alice).await.unwrap().id;
    let rows = house.store.messages(alice, inbox, Uid(1), Uid(1_000), 1_000).await.unwrap();
    assert_eq!(rows.len(), 300);
    for (row, message) in rows.iter().zip(&messages) {
        let mut reader = house.store.blob(&row.blob).await.unwrap().unwrap();
        assert!(reader.read(0, u64::MAX).await.unwrap() == *message, "{} is another", row.uid);
    }
    is_sound(&house).await;
}

#[tokio::test]
async fn what_fails_at_the_end_leaves_nothing() {
    let (house, mut client) = house().await;
    let messages: Vec<Vec<u8>> = (1..=300).map(|n| message(n, 5_000)).collect();
    let mut command = append("a", &messages);
    command.truncate(command.len() - 2);
    client.send(&command).await.unwrap();
    // All have come; what went to the store early is there, and nothing names it.
    house.engine.fail_after(0, StorageError::DiskFull);
    client.send(b"\r\n").await.unwrap();
    let lines = client.until("a").await.unwrap();
    assert!(lines[0].starts_with("a NO [UNAVAILABLE] "), "{lines:?}");
    house.engine.heal();
    let lines = client.command("b", "STATUS INBOX (MESSAGES UIDNEXT)").await.unwrap();
    assert_eq!(lines[0], "* STATUS INBOX (MESSAGES 0 UIDNEXT 1)");
    house.store.sweep().await.unwrap();
    is_sound(&house).await;
}

/// RFC 3516 §4.3: a part that is not held is decoded twice, and both times the same comes out.
#[tokio::test]
async fn a_long_part_is_decoded_as_it_is_read() {
    use base64::Engine;
    let (_house, mut client) = house().await;
    let content = message(7, 300_000).split_off(20);
    let body = base64::engine::general_purpose::STANDARD.encode(&content);
    let lines: Vec<&[u8]> = body.as_bytes().chunks(76).collect();
    let mail = [b"Content-Transfer-Encoding: base64\r\n\r\n", lines.join(&b"\r\n"[..]).as_slice()].concat();
    client.send(&append("a", &[mail])).await.unwrap();
    client.until("a").await.unwrap();
    client.command("b", "SELECT INBOX").await.unwrap();
    let text = String::from_utf8(content).unwrap();
    let size = text.len();
    let lines = client.command("c", "FETCH 1 (BINARY.SIZE[1] BINARY.PEEK[1])").await.unwrap();
    assert_eq!(lines[0], format!("* 1 FETCH (BINARY.SIZE[1] {size} BINARY[1] {{{size}}}"));
    assert!(lines[1] == format!("{text})"));
    let lines = client.command("d", "FETCH 1 BINARY.PEEK[1]<100001.150000>").await.unwrap();
    assert_eq!(lines[0], "* 1 FETCH (BINARY[1]<100001> {150000}");
    assert!(lines[1] == format!("{})", &text[100_001..250_001]));
    let lines = client.command("e", "FETCH 1 BINARY.PEEK[1]<200001.150000>").await.unwrap();
    assert!(lines[1] == format!("{})", &text[200_001..]));
}

#[tokio::test]
async fn there_are_no_more_than_one_transaction_holds() {
    let (house, mut client) = house().await;
    let small: Vec<Vec<u8>> = (1..=2_500).map(|n| format!("n: {n}\r\n").into_bytes()).collect();
    client.send(&append("a", &small)).await.unwrap();
    let lines = client.until("a").await.unwrap();
    assert!(lines[0].contains(" 1:2500] "), "{lines:?}");
    let more: Vec<Vec<u8>> = (1..=2_501).map(|n| format!("n: {n}\r\n").into_bytes()).collect();
    client.send(&append("b", &more)).await.unwrap();
    let lines = client.until("b").await.unwrap();
    assert!(lines[0].starts_with("b NO [MESSAGELIMIT 2500] "), "{lines:?}");
    let lines = client.command("c", "STATUS INBOX (MESSAGES)").await.unwrap();
    assert_eq!(lines[0], "* STATUS INBOX (MESSAGES 2500)");
    is_sound(&house).await;
}

/// A house whose INBOX of alice has one message of so many octets, and its size.
async fn house_with(octets: usize, record: bool) -> (House, Client, u64) {
    let (house, client) = house().await;
    let content = message(1, octets);
    house.deliver("alice", "INBOX", &content, record).await;
    (house, client, u64::try_from(content.len()).unwrap())
}

/// RFC 4469: what URLs name is within the quota, or is not copied at all.
#[tokio::test]
async fn urls_are_weighed_before_they_are_copied() {
    let (house, mut client, octets) = house_with(200_000, true).await;
    // Room for two more.
    house.share(&format!("quota alice octets={}", 3 * octets + 1_000)).await.unwrap().unwrap();
    let one = "URL /INBOX/;UID=1";
    for three in [format!("CATENATE ({one} {one} {one})"), format!("CATENATE ({one}) CATENATE ({one} {one})")] {
        // Two are copied, of which three full chunks each are written, before the third turns out to be too much.
        house.engine.fail_after(6, StorageError::DiskFull);
        let lines = client.command("a", &format!("APPEND INBOX {three}")).await.unwrap();
        assert!(lines[0].starts_with("a NO [OVERQUOTA] "), "{lines:?}");
        house.engine.heal();
    }
    house.share(&format!("quota alice octets={}", 2 * octets - 1)).await.unwrap().unwrap();
    house.engine.fail_after(0, StorageError::DiskFull);
    let lines = client.command("b", &format!("APPEND INBOX CATENATE ({one})")).await.unwrap();
    assert!(lines[0].starts_with("b NO [OVERQUOTA] "), "nothing is written: {lines:?}");
    house.engine.heal();
    house.share(&format!("quota alice octets={}", 3 * octets)).await.unwrap().unwrap();
    let lines = client.command("c", &format!("APPEND INBOX CATENATE ({one}) CATENATE ({one})")).await.unwrap();
    assert!(lines[0].starts_with("c OK [APPENDUID "), "{lines:?}");
    house.store.sweep().await.unwrap();
    is_sound(&house).await;
}

/// RFC 4469 with RFC 3502: of many messages put together only some octets wait in memory, the others in the store.
#[tokio::test]
async fn what_is_put_together_does_not_wait_in_memory() {
    let (house, mut client, _) = house_with(50_000, true).await;
    let many = "CATENATE (URL /INBOX/;UID=1) ".repeat(100);
    let lines = client.command("a", &format!("APPEND INBOX {many}CATENATE (URL /INBOX/;UID=2)")).await.unwrap();
    assert!(lines[0].starts_with("a NO [BADURL /INBOX/;UID=2] "), "{lines:?}");
    let swept = house.store.sweep().await.unwrap();
    assert!((70..100).contains(&swept), "{swept} had gone to the store");
    let lines = client.command("b", &format!("APPEND INBOX {}", many.trim_end())).await.unwrap();
    assert!(lines[0].starts_with("b OK [APPENDUID ") && lines[0].contains(" 2:101] "), "{lines:?}");
    is_sound(&house).await;
}

#[tokio::test]
async fn urls_of_one_append_are_counted() {
    let (house, mut client, _) = house_with(100, true).await;
    let url = " URL /INBOX/;UID=1".repeat(CATENATED_URLS_MAX / 2);
    let half = format!("CATENATE ({})", url.trim_start());
    let lines = client.command("a", &format!("APPEND INBOX {half} {half}")).await.unwrap();
    assert!(lines[0].starts_with("a OK "), "{lines:?}");
    house.engine.fail_after(0, StorageError::DiskFull);
    let more = format!("APPEND INBOX {half} {half} CATENATE (URL /INBOX/;UID=1)");
    let lines = client.command("b", &more).await.unwrap();
    assert!(lines[0].starts_with("b NO [LIMIT] "), "{lines:?}");
}

/// A message whose record does not tell where its parts are is not read through for every URL.
#[tokio::test]
async fn urls_of_one_message_look_into_it_once() {
    let (house, mut client, _) = house_with(3_000_000, false).await;
    for section in ["", "/;SECTION=TEXT"] {
        let url = format!(" URL /INBOX/;UID=1{section}/;PARTIAL=0.1").repeat(40);
        // Some for each URL, and those of the message once: it has about 46 chunks.
        house.engine.fail_reads_after(600, StorageError::Io("that is often enough".into()));
        let lines = client.command("a", &format!("APPEND INBOX CATENATE ({})", url.trim_start())).await.unwrap();
        house.engine.heal();
        assert!(lines[0].starts_with("a OK "), "{section}: {lines:?}");
    }
}
