//! How fast a mailbox is indexed, how large its index is, and how fast the index answers, on a store on disk:
//! `cargo run --release -p relais-search --example fulltext -- [MESSAGES]`. Printed as rows for `docs/performance.md`.
//!
//! Letters have words by Zipf's law from a vocabulary of 60,000, and the header fields that mail has today; the second
//! table is of letters with a DKIM signature, whose base64 is in no dictionary.

#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a program to measure with: it prints, and takes time"
)]

use std::error::Error;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};
use mail::{AccountId, Flags, InternalDate, MailboxId};
use message::{MessageRecord, Scanner};
use relais_search::{Indexer, Place, Wanted, candidates, fuzzy};
use storage::keys::Table;
use storage::messages::NewMessage;
use storage::{Engine, KeyRange, Order, SilentDoorbell, StorageError, Store};
use storage_rocksdb::{Options, RocksEngine};
use world::World;

const ALICE: AccountId = AccountId(1);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let messages: u32 = std::env::args().nth(1).map_or(Ok(100_000), |text| text.parse())?;
    for signed in [false, true] {
        measure(messages, signed).await?;
    }
    Ok(())
}

async fn measure(messages: u32, signed: bool) -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let engine = Arc::new(RocksEngine::open(folder.path(), Options::default(), Arc::new(SilentDoorbell))?);
    let store = Store::open(engine.clone(), World::system()?).await?;
    let mailbox = store.create_mailbox(ALICE, "Archive", None).await?.value.id;
    let vocabulary = Vocabulary::new();
    let mut text_octets = 0_u64;
    let letters = (0..messages).map(|number| vocabulary.letter(number, signed));
    let mut stored = stream::iter(letters)
        .map(|letter| {
            let octets = letter.len() as u64;
            let store = &store;
            async move { append(store, mailbox, &letter).await.map(|()| octets) }
        })
        .buffered(64);
    while let Some(octets) = stored.next().await {
        text_octets += octets?;
    }
    let began = Instant::now();
    let worked = Indexer::new(store.clone(), false).index_mailbox(ALICE, mailbox, &|| false).await?;
    let took = began.elapsed();
    println!(
        "\n{messages} letters{}: {} octets each",
        if signed { " with signatures" } else { "" },
        text_octets / u64::from(messages)
    );
    println!("\n| what | measured |\n|---|---|");
    println!("| indexed, messages/s | {:.0} |", worked.messages as f64 / took.as_secs_f64());
    let mut all = 0;
    for table in [Table::IndexWords, Table::IndexPostings, Table::IndexLengths] {
        let octets = octets_of(engine.as_ref(), table).await?;
        println!("| {table:?}, share of the text | {:.1} % |", octets as f64 * 100.0 / text_octets as f64);
        all += octets;
    }
    println!("| index, share of the text | {:.1} % |", all as f64 * 100.0 / text_octets as f64);
    println!("| segments | {} |", store.index_row(ALICE, mailbox).await?.segments.len());
    let (common, usual, rare) = (vocabulary.word(40), vocabulary.word(2_000), "planted77");
    for (what, place, text) in [
        ("TEXT, absent word", Place::Anywhere, "zzyzxq"),
        ("BODY, absent word", Place::Body, "zzyzxq"),
        ("TEXT, rare word", Place::Anywhere, rare),
        ("BODY, rare word", Place::Body, rare),
        ("BODY, part of many words", Place::Body, usual),
        ("BODY, common word", Place::Body, common),
        ("TEXT, two words side by side", Place::Anywhere, "of the planted77"),
        ("SUBJECT", Place::Field(b"Subject".to_vec()), usual),
        ("FROM", Place::Field(b"From".to_vec()), "sender4711@"),
    ] {
        let wanted = Wanted::Text(place, text.to_owned());
        let (took, found) = timed(async || {
            let found = candidates(&store, ALICE, mailbox, false, &wanted).await?;
            Ok(found.map_or(messages as usize, |found| found.uids.len() + (messages - found.indexed_to.0) as usize))
        })
        .await?;
        println!("| candidates for {what} | {took:.1?}, {found} of them |");
    }
    for (what, text) in
        [("a part of many words", usual), ("a common word", common), ("a rare and a common word", "planted77 the")]
    {
        let (took, found) =
            timed(async || Ok(fuzzy(&store, ALICE, mailbox, false, &[(&Place::Anywhere, text)]).await?.concat().len()))
                .await?;
        println!("| FUZZY TEXT, {what} | {took:.1?}, {found} found |");
    }
    store.close().await?;
    Ok(())
}

/// The median of five.
async fn timed(work: impl AsyncFn() -> Result<usize, StorageError>) -> Result<(Duration, usize), StorageError> {
    let (mut times, mut found) = (Vec::new(), 0);
    for _ in 0..5 {
        let began = Instant::now();
        found = work().await?;
        times.push(began.elapsed());
    }
    times.sort();
    Ok((times.get(2).copied().unwrap_or_default(), found))
}

async fn octets_of(engine: &RocksEngine, table: Table) -> Result<u64, StorageError> {
    let mut range = KeyRange::prefix(vec![table as u8]);
    let mut octets = 0;
    loop {
        let rows = engine.scan(range.clone(), Order::Ascending, 256).await?;
        let Some((last, _)) = rows.last() else { return Ok(octets) };
        range.start = [last.as_ref(), &[0]].concat();
        octets += rows.iter().map(|(key, value)| (key.len() + value.len()) as u64).sum::<u64>();
    }
}

async fn append(store: &Store, mailbox: MailboxId, letter: &str) -> Result<(), StorageError> {
    let mut writer = store.blob_writer();
    writer.write(letter.as_bytes()).await?;
    let staged = writer.finish();
    let mut scanner = Scanner::new();
    scanner.feed(letter.as_bytes());
    let record = MessageRecord::new(&scanner.finish(), vec![1], vec![], vec![]).encode();
    let message = NewMessage {
        blob: staged.hash,
        octets: staged.octets,
        flags: Flags::default(),
        internal_date: InternalDate::from(store.now()),
        saved_at: store.now(),
        record: Some(record.into()),
    };
    store.append(ALICE, mailbox, staged, message).await.map(drop)
}

/// Numbers without order, the same in each run.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}

/// Words, the most frequent first.
struct Vocabulary {
    words: Vec<String>,
    /// How often a word or one before it comes, of all.
    shares: Vec<f64>,
}

impl Vocabulary {
    fn new() -> Self {
        let mut chance = Chance(7);
        let syllables = [
            "ba", "con", "de", "er", "fi", "gra", "ho", "in", "ka", "lo", "men", "no", "os", "pre", "qua", "ri", "sta",
            "ten", "un", "ver", "wa", "zo",
        ];
        let mut words: Vec<String> =
            ["the", "of", "and", "to", "a", "in", "is", "you", "that", "it"].map(str::to_owned).into();
        while words.len() < 60_000 {
            let parts = 1 + chance.below(2) + u64::from(words.len() > 500) + u64::from(words.len() > 20_000);
            let word: String = (0..parts).map(|_| syllables[chance.below(syllables.len() as u64) as usize]).collect();
            let word =
                if chance.below(3) == 0 { word + ["s", "ing", "ed", "en"][chance.below(4) as usize] } else { word };
            words.push(word);
        }
        let (mut sum, mut shares) = (0.0, Vec::with_capacity(words.len()));
        for rank in 0..words.len() {
            sum += 1.0 / (rank as f64 + 2.7);
            shares.push(sum);
        }
        shares.iter_mut().for_each(|share| *share /= sum);
        Self { words, shares }
    }

    fn word(&self, rank: usize) -> &str {
        self.words.get(rank).map(String::as_str).unwrap_or_default()
    }

    fn any(&self, chance: &mut Chance) -> &str {
        let at = chance.below(1 << 52) as f64 / (1_u64 << 52) as f64;
        self.word(self.shares.partition_point(|share| *share < at))
    }

    fn words(&self, chance: &mut Chance, count: u64, out: &mut String) {
        for n in 0..count {
            out.push_str(self.any(chance));
            out.push_str(if n % 12 == 11 { "\r\n" } else { " " });
        }
    }

    fn letter(&self, number: u32, signed: bool) -> String {
        let mut chance = Chance(u64::from(number) << 20);
        let id = |chance: &mut Chance| format!("{:016x}", chance.next());
        let mut letter = String::new();
        let from = chance.below(5_000);
        for _ in 0..2 {
            let (queue, minute) = (id(&mut chance), chance.below(60));
            let _ok = write!(
                letter,
                "Received: from mx{}.example.net (mx.example.net [192.0.2.{}])\r\n\tby mail.example.org with ESMTPS id {queue};\r\n\tMon, {} Mar 2026 {:02}:{minute:02}:11 +0100\r\n",
                chance.below(9),
                chance.below(255),
                1 + number % 28,
                number % 24
            );
        }
        if signed {
            let _ok = write!(
                letter,
                "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.net; s=s1;\r\n\th=from:to:subject:date:message-id; bh={}\r\n\tb={}\r\n",
                base64(&mut chance, 44),
                base64(&mut chance, 344)
            );
        }
        let _ok = write!(
            letter,
            "From: Sender {from} <sender{from}@example.net>\r\nTo: Alice <alice@example.org>\r\nMessage-ID: <{}.{number}@example.net>\r\nDate: Mon, {} Mar 2026 {:02}:{:02}:05 +0100\r\nSubject: ",
            id(&mut chance),
            1 + number % 28,
            number % 24,
            chance.below(60)
        );
        let count = 3 + chance.below(5);
        let mut subject = String::new();
        self.words(&mut chance, count, &mut subject);
        let _ok = write!(
            letter,
            "{}\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n",
            subject.trim()
        );
        let count = 40 + chance.below(700);
        self.words(&mut chance, count, &mut letter);
        if number % 5_000 == 77 {
            letter.push_str("of the planted77 word");
        }
        letter
    }
}

fn base64(chance: &mut Chance, length: usize) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    (0..length).map(|_| char::from(DIGITS[chance.below(64) as usize])).collect()
}
