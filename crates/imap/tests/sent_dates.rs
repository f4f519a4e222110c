//! SORT DATE and SENTSINCE where some rows tell the date that a message was sent and others, of the format before, do not.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may")]

use crate::support::stage::{Client, pipe};
use crate::support::{House, PASSWORD};
use bytes::Bytes;
use mail::{AccountId, Flags, InternalDate, MailboxId, Uid};
use relais_imap::Settings;
use storage::keys::{Key, Table};
use storage::messages::NewMessage;
use storage::rows::Sent;
use tokio_util::sync::CancellationToken;

const MESSAGES: u32 = 1_400;

/// How the store came to a message.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    /// Its row tells the date.
    Told,
    /// It has no date, and its row says so.
    Undated,
    /// It has a record, and its row is of the format before.
    Older,
    /// The same, and it has no date.
    OlderUndated,
    /// It has no record, so its row can't tell.
    Unrecorded,
}

/// Long runs of one kind, so that pages are all of it, and then all of them mixed.
fn kind(uid: u32) -> Kind {
    match uid {
        0..=330 => Kind::Older,
        331..=940 => Kind::Told,
        _ => [Kind::Told, Kind::Undated, Kind::Older, Kind::OlderUndated, Kind::Unrecorded][(uid * 7 % 5) as usize],
    }
}

/// Days since 1 January 2020, in another order than messages come.
fn day(uid: u32) -> u32 {
    uid * 611 % 1_409 % 1_000
}

/// Messages of all kinds in an INBOX.
async fn fill(house: &House) -> (AccountId, MailboxId) {
    let account = house.account("alice").id;
    let inbox = house.store.inbox(account).await.unwrap().id;
    for uid in 1..=MESSAGES {
        let (kind, secs) = (kind(uid), SINCE + i64::from(day(uid)) * 86_400 + 3_600);
        let date = match kind {
            Kind::Undated | Kind::OlderUndated => String::new(),
            Kind::Told | Kind::Older | Kind::Unrecorded => format!("Date: {}\r\n", written(day(uid))),
        };
        let content = format!("{date}From: a@b\r\nSubject: {uid}\r\n\r\n");
        let mut writer = house.store.blob_writer();
        writer.write(content.as_bytes()).await.unwrap();
        let blob = writer.finish();
        let record = imap_wire::precompute::record(&message::Scanner::scan(content.as_bytes())).unwrap();
        let record = Bytes::from(record.encode());
        let arrived = if date.is_empty() { secs } else { SINCE - 86_400 * i64::from(uid) };
        let message = NewMessage {
            blob: blob.hash,
            octets: blob.octets,
            flags: Flags::default(),
            internal_date: InternalDate { secs: arrived, offset_minutes: 0 },
            saved_at: house.store.now(),
            record: matches!(kind, Kind::Told | Kind::Undated).then(|| record.clone()),
        };
        let _done = house.store.append(account, inbox, blob, message).await.unwrap();
        if matches!(kind, Kind::Older | Kind::OlderUndated) {
            let key = Key::of(Table::Record, account).u32(inbox.0).u32(uid).done();
            let put = move |tx: &mut storage::Transaction<'_>| {
                tx.put(key.clone(), record.clone());
                Ok(())
            };
            let _done = house.store.transact(put).await.unwrap();
        }
    }
    (account, inbox)
}

/// 2020-01-01 00:00 UTC.
const SINCE: i64 = 1_577_836_800;

/// A day as a Date field has it, at one o'clock.
fn written(day: u32) -> String {
    let (mut year, mut left) = (2020, day);
    loop {
        let leap = u32::from(year % 4 == 0);
        if left < 365 + leap {
            let months = [31, 28 + leap, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
            let names = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
            let mut month = 0;
            while left >= months[month] {
                left -= months[month];
                month += 1;
            }
            return format!("{} {} {year} 01:00:00 +0000", left + 1, names[month]);
        }
        left -= 365 + leap;
        year += 1;
    }
}

async fn open(house: &House) -> Client {
    let mut client = pipe(house, &CancellationToken::new());
    client.read_line().await.unwrap();
    client.command("l", &format!("LOGIN alice {PASSWORD}")).await.unwrap();
    client.command("s", "SELECT INBOX").await.unwrap();
    client
}

async fn ask(client: &mut Client, command: &str) -> Vec<u32> {
    let lines = client.command("x", command).await.unwrap();
    let line = lines.iter().find(|line| line.starts_with("* SORT") || line.starts_with("* SEARCH")).unwrap();
    line.split(' ').skip(2).map(|number| number.parse().unwrap()).collect()
}

/// What is asked for all the same, whoever tells the dates.
async fn answers(client: &mut Client, left: &[u32]) {
    let mut by_date = left.to_vec();
    by_date.sort_by_key(|uid| (day(*uid), *uid));
    let since = |first: u32| left.iter().copied().filter(|uid| day(*uid) >= first).collect::<Vec<u32>>();
    assert_eq!(ask(client, "UID SORT (DATE) UTF-8 UNDRAFT").await, by_date, "sorted by what the search reads");
    assert_eq!(ask(client, "UID SORT (DATE) UTF-8 ALL").await, by_date);
    assert_eq!(ask(client, "UID SORT (DATE) UTF-8 ALL").await, by_date, "asked again");
    assert_eq!(ask(client, "UID SEARCH SENTSINCE 1-Jan-2022").await, since(731));
    assert_eq!(ask(client, "UID SEARCH NOT SENTBEFORE 1-Jan-2021 UNDRAFT").await, since(366));
    let few: Vec<u32> = by_date.iter().copied().filter(|uid| (900..960).contains(uid)).collect();
    assert_eq!(ask(client, "UID SORT (DATE) UTF-8 UID 900:959").await, few);
}

#[tokio::test]
async fn rows_and_records_tell_the_same_dates() {
    let settings = Settings { plaintext_login_on_loopback: true, ..Settings::default() };
    let house = House::new(settings, false).await;
    let (account, inbox) = fill(&house).await;
    let all: Vec<u32> = (1..=MESSAGES).collect();
    answers(&mut open(&house).await, &all).await;
    // Keys that only records have are read with the dates, and the other way round.
    let mut client = open(&house).await;
    let by_subject = ask(&mut client, "UID SORT (SUBJECT DATE) UTF-8 ALL").await;
    let mut expected = all.clone();
    expected.sort_by_key(u32::to_string);
    assert_eq!(by_subject, expected);

    // A copy's row tells what the record of the copied message does.
    let archive = house.store.create_mailbox(account, "Copies", None).await.unwrap().value.id;
    let uids = (1..=MESSAGES).map(Uid).collect();
    let _done = house.store.copy((account, inbox), uids, (account, archive)).await.unwrap();
    let rows = house.store.messages(account, archive, Uid(1), Uid(u32::MAX), 2_000).await.unwrap();
    for row in rows {
        let expected = match kind(row.uid.0) {
            Kind::Told | Kind::Older => matches!(row.sent, Sent::At(_)),
            Kind::Undated | Kind::OlderUndated => row.sent == Sent::Undated,
            Kind::Unrecorded => row.sent == Sent::Untold,
        };
        assert!(expected, "UID {}: {:?}", row.uid, row.sent);
    }
    client.command("s", "SELECT Copies").await.unwrap();
    answers(&mut client, &all).await;
    client.command("d", "UID STORE 1:400,500,950:1010 +FLAGS.SILENT (\\Deleted)").await.unwrap();
    client.command("e", "EXPUNGE").await.unwrap();
    let left: Vec<u32> = all.into_iter().filter(|uid| !matches!(*uid, 1..=400 | 500 | 950..=1_010)).collect();
    answers(&mut client, &left).await;
    answers(&mut open_copies(&house).await, &left).await;
}

async fn open_copies(house: &House) -> Client {
    let mut client = open(house).await;
    client.command("s", "SELECT Copies").await.unwrap();
    client
}
