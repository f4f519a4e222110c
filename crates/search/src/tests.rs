//! The index beside a search without one: whatever is indexed, merged, expunged or damaged, nothing is missed.

use std::collections::BTreeSet;
use std::sync::Arc;

use base64::Engine as _;
use bus::Changed;
use mail::{AccountId, Flags, InternalDate, MailboxId, Timestamp, Uid};
use message::{MessageRecord, Scanner};
use proptest::prelude::*;
use storage::messages::{ExpungeScope, NewMessage};
use storage::{MemoryEngine, SilentDoorbell, StorageError, Store};
use tokio_util::sync::CancellationToken;
use world::simulated::SimulatedWorld;

use crate::attachments::ATTACHMENT_READER;
use crate::attachments::tests::{WORD, archive};
use crate::{Candidates, Indexer, Place, Wanted, candidates, fuzzy};

const ALICE: AccountId = AccountId(1);

struct Stage {
    sim: SimulatedWorld,
    engine: MemoryEngine,
    store: Store,
    mailbox: MailboxId,
}

async fn stage() -> Stage {
    stage_with(Arc::new(SilentDoorbell)).await
}

async fn stage_with(doorbell: Arc<dyn storage::Doorbell>) -> Stage {
    let sim = SimulatedWorld::new(Timestamp(1_800_000_000_000), 1);
    let engine = MemoryEngine::new(doorbell);
    let store = Store::open(Arc::new(engine.clone()), sim.world()).await.unwrap();
    let mailbox = store.create_mailbox(ALICE, "Archive", None).await.unwrap().value.id;
    Stage { sim, engine, store, mailbox }
}

impl Stage {
    async fn append(&self, content: &str) -> Uid {
        let mut writer = self.store.blob_writer();
        writer.write(content.as_bytes()).await.unwrap();
        let staged = writer.finish();
        let mut scanner = Scanner::new();
        scanner.feed(content.as_bytes());
        let record = MessageRecord::new(&scanner.finish(), vec![1], vec![], vec![]).encode();
        let message = NewMessage {
            blob: staged.hash,
            octets: staged.octets,
            flags: Flags::default(),
            internal_date: InternalDate::from(self.store.now()),
            saved_at: self.store.now(),
            record: Some(record.into()),
        };
        self.store.append(ALICE, self.mailbox, staged, message).await.unwrap().value.uid
    }

    async fn letter(&self, subject: &str, body: &str) -> Uid {
        self.append(&letter(subject, body)).await
    }

    async fn mailboxes(&self) -> BTreeSet<(AccountId, MailboxId)> {
        let mailboxes = self.store.mailboxes_after(None, 9).await.unwrap();
        mailboxes.into_iter().map(|(account, row)| (account, row.id)).collect()
    }

    async fn index(&self, tail: usize, batch: usize) {
        let indexer = Indexer::new(self.store.clone(), false).with_batches(tail, batch);
        indexer.index_mailbox(ALICE, self.mailbox, &|| false).await.unwrap();
    }

    async fn expunge(&self, uids: Vec<Uid>) {
        self.store.expunge(ALICE, self.mailbox, uids, ExpungeScope::All).await.unwrap();
    }

    async fn candidates(&self, wanted: &Wanted) -> Option<Candidates> {
        candidates(&self.store, ALICE, self.mailbox, false, wanted).await.unwrap()
    }

    async fn found(&self, place: Place, text: &str) -> Vec<u32> {
        self.candidates(&Wanted::Text(place, text.to_owned())).await.expect("it is indexed").uids
    }

    async fn fuzzy(&self, place: Place, text: &str) -> Vec<(u32, u8)> {
        let found = fuzzy(&self.store, ALICE, self.mailbox, false, &[(&place, text)]).await.unwrap().remove(0);
        found.iter().map(|found| (found.uid.0, found.relevancy)).collect()
    }

    /// Of the segments: how many messages each has, and how many are loose.
    async fn segments(&self) -> (Vec<u32>, usize) {
        let row = self.store.index_row(ALICE, self.mailbox).await.unwrap();
        (row.segments.iter().map(|segment| segment.messages).collect(), row.loose.len())
    }
}

fn letter(subject: &str, body: &str) -> String {
    format!("From: Bob <bob@example.net>\r\nTo: alice@example.org\r\nSubject: {subject}\r\nX-Mark: blue\r\n\r\n{body}")
}

fn field(name: &str) -> Place {
    Place::Field(name.as_bytes().to_vec())
}

#[tokio::test]
async fn texts_are_found_where_they_stand() {
    let s = stage().await;
    s.letter("=?utf-8?Q?Gr=C3=BC=C3=9Fe?= from Lyon", "nothing here").await;
    s.letter("Re: invoice 2026-17", "Please find the\r\nattached invoice.").await;
    let html = "From: c@example.net\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\
        Content-Type: text/html; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\
        Content-Description: secret plan\r\n\r\n<p>d=E9j=E0 <b>v</b>u</p>\r\n--x--\r\n";
    s.append(html).await;
    s.index(1, 9).await;
    for (place, text, uids) in [
        (field("subject"), "GRÜẞE", vec![1]),
        (field("Subject"), "invoice", vec![2]),
        (field("Subject"), "nvoic", vec![2]),
        (field("Subject"), "lyon", vec![1]),
        (field("From"), "bob@ex", vec![1, 2]),
        (field("To"), "bob", vec![]),
        (field("X-Mark"), "lu", vec![1, 2]),
        (Place::Body, "nothing here", vec![1]),
        (Place::Body, "the attached", vec![2]),
        (Place::Body, "the atta", vec![2]),
        (Place::Body, "he attached inv", vec![2]),
        (Place::Body, "he tached", vec![]),
        (Place::Body, "déjà vu", vec![3]),
        (Place::Body, "description: secret", vec![3]),
        (Place::Body, "2026-17", vec![]),
        (Place::Anywhere, "2026-17", vec![2]),
        (Place::Anywhere, "subject: re", vec![2]),
        (Place::Anywhere, "invoice", vec![2]),
        (Place::Anywhere, "zebra", vec![]),
    ] {
        assert_eq!(s.found(place.clone(), text).await, uids, "{place:?} {text}");
    }
    let text = |text: &str| Wanted::Text(Place::Anywhere, text.to_owned());
    let any = Wanted::Any(vec![text("lyon"), text("secret")]);
    assert_eq!(s.candidates(&any).await.unwrap().uids, [1, 3]);
    let all = Wanted::All(vec![any.clone(), text("bob"), text("-")]);
    assert_eq!(s.candidates(&all).await.unwrap().uids, [1]);
    // What can't be said by words is not said at all.
    assert_eq!(s.candidates(&text("-")).await, None);
    assert_eq!(s.candidates(&Wanted::Any(vec![any, text("-")])).await, None);
}

/// A part with as many words as make it longer than several windows of the smallest size, and its text.
fn long_parts() -> Vec<(&'static str, String, String)> {
    let base64 = |octets: &[u8]| {
        let encoded = base64::engine::general_purpose::STANDARD.encode(octets);
        encoded.as_bytes().chunks(76).map(|line| str::from_utf8(line).unwrap()).collect::<Vec<_>>().join("\r\n")
    };
    let words = |from: usize, to: usize| (from..to).map(|n| format!("caf\u{e9}{n}")).collect::<Vec<_>>().join(" ");
    let picture: String = (0..60_000).map(|n| format!("data{n}")).collect();
    let html = format!(
        "<p>{}<img src=\"{picture}\"><!-- {} --><style>{}</style>{}</p>",
        words(0, 20_000),
        words(100_000, 110_000),
        words(200_000, 210_000),
        words(20_000, 40_000)
    );
    // The style sheet ends the line.
    let text = format!("{}\n{}", words(0, 20_000), words(20_000, 40_000));
    let lines = words(0, 40_000).replace("0 ", "0\r\n");
    let units = |text: &str| text.encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<u8>>();
    vec![
        ("text/html; charset=utf-8\r\nContent-Transfer-Encoding: base64", base64(html.as_bytes()), text.clone()),
        ("text/html\r\nContent-Transfer-Encoding: base64", base64(html.as_bytes()), text),
        ("text/plain\r\nContent-Transfer-Encoding: base64", base64(lines.as_bytes()), lines.clone()),
        ("text/plain; charset=utf-16be\r\nContent-Transfer-Encoding: base64", base64(&units(&lines)), lines.clone()),
        ("text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit", lines.clone(), lines),
    ]
}

/// Windows of any size show what the whole shows, each a piece of it, and together all of it.
#[tokio::test]
async fn windows_show_what_the_whole_shows() {
    let s = stage().await;
    for (header, body, text) in long_parts() {
        let message = format!("MIME-Version: 1.0\r\nContent-Type: {header}\r\n\r\n{body}");
        let uid = s.append(&message).await;
        let row = s.store.message(ALICE, s.mailbox, uid).await.unwrap().unwrap();
        let parts = Scanner::scan(message.as_bytes()).part_table();
        for octets in [1, 100_000, 300_000, 10_000_000] {
            let mut reader = s.store.blob(&row.blob).await.unwrap().unwrap();
            let mut windows = crate::texts::TextWindows::of_octets(&parts.entries()[0], octets);
            let mut end = 0;
            while let Some(window) = windows.next(&mut reader).await.unwrap() {
                // No words are there twice.
                let at = text.find(&window).unwrap_or_else(|| panic!("{header}, {octets}: {:.100}", window));
                assert!(at <= end && at + window.len() > end, "{header}, {octets}: {at} {end}");
                assert!(at == 0 || end - at >= crate::limits::OVERLAP_OCTETS, "{header}, {octets}: {at} {end}");
                end = at + window.len();
            }
            assert_eq!(end, text.len(), "{header}, {octets}");
        }
    }
}

/// What is no text is not in the index either, be it longer than a window.
#[tokio::test]
async fn a_picture_that_is_longer_than_a_window_is_not_indexed() {
    let s = stage().await;
    let picture = "QUJD heliotrope ".repeat(100_000);
    assert!(picture.len() > crate::limits::WINDOW_OCTETS);
    let html = format!("<p>before<img src='data:{picture}'>behind</p>");
    s.append(&format!("MIME-Version: 1.0\r\nContent-Type: text/html\r\n\r\n{html}")).await;
    s.letter("none", "heliotrope").await;
    s.index(1, 9).await;
    for (text, uids) in [("heliotrope", vec![2]), ("before", vec![1]), ("behind", vec![1])] {
        assert_eq!(s.found(Place::Body, text).await, uids, "{text}");
    }
}

#[tokio::test]
async fn a_part_of_a_word_that_stands_as_it_is_is_proven() {
    let s = stage().await;
    s.letter("Invoices", "an invoice").await;
    s.letter("none", "two Invoices, caf\u{e9}s").await;
    s.letter("none", "cafes").await;
    s.index(1, 9).await;
    let proven = async |place: Place, text: &str, attachments: bool| {
        let wanted = Wanted::Text(place.clone(), text.to_owned());
        let found = candidates(&s.store, ALICE, s.mailbox, attachments, &wanted).await.unwrap()?;
        Some((found.uids, found.proofs.into_iter().flat_map(|proof| proof.uids).collect::<Vec<u32>>()))
    };
    for (place, text, uids, proofs) in [
        (Place::Body, "INVOICE", vec![1, 2], vec![1, 2]),
        (Place::Anywhere, "VOICES", vec![1, 2], vec![1, 2]),
        (field("Subject"), "VOICE", vec![1], vec![1]),
        (field("From"), "BOB", vec![1, 2, 3], vec![1, 2, 3]),
        // A field that shares its zone with others, a text with a border in it, letters beyond ASCII.
        (field("X-Mark"), "BLUE", vec![1, 2, 3], vec![]),
        (field("To"), "ALICE", vec![1, 2, 3], vec![]),
        (Place::Body, "AN INVOICE", vec![1], vec![]),
        (Place::Body, "CAF\u{c9}S", vec![2, 3], vec![]),
        // Small letters in a folded text come from a character that is taken apart: "№" is "No", and "no" is not.
        (Place::Body, "INVOIcE", vec![1, 2], vec![]),
        // One message has the word only without its mark: then neither is proven.
        (Place::Body, "CAFES", vec![2, 3], vec![]),
    ] {
        assert_eq!(proven(place.clone(), text, false).await, Some((uids, proofs)), "{place:?} {text}");
    }
    s.index(1, 1).await;
    let letter = s.letter("none", "caffeine").await;
    s.index(1, 1).await;
    assert_eq!(proven(Place::Body, "CAF", false).await.unwrap().1, [letter.0], "each segment by itself");
}

#[tokio::test]
async fn words_of_attachments_prove_nothing_to_who_does_not_look_into_them() {
    let s = stage().await;
    s.letter("subject", "body").await;
    let indexer = Indexer::new(s.store.clone(), true).with_batches(1, 9);
    indexer.index_mailbox(ALICE, s.mailbox, &|| false).await.unwrap();
    for (attachments, place, proven) in
        [(true, Place::Body, 1), (false, Place::Body, 0), (false, Place::Anywhere, 0), (false, field("Subject"), 1)]
    {
        let text = if place == field("Subject") { "SUBJECT" } else { "BODY" };
        let wanted = Wanted::Text(place.clone(), text.to_owned());
        let found = candidates(&s.store, ALICE, s.mailbox, attachments, &wanted).await.unwrap().unwrap();
        assert_eq!(found.uids, [1]);
        let proofs: usize = found.proofs.iter().map(|proof| proof.uids.len()).sum();
        assert_eq!(proofs, proven, "{attachments} {place:?}");
    }
}

#[tokio::test]
async fn what_is_not_indexed_yet_is_told() {
    let s = stage().await;
    assert_eq!(s.candidates(&Wanted::Text(Place::Body, "text".into())).await, None);
    for n in 0..5 {
        s.letter("a", &format!("text {n}")).await;
    }
    s.index(3, 3).await;
    let found = s.candidates(&Wanted::Text(Place::Body, "text 1".into())).await.unwrap();
    assert_eq!((found.indexed_to, found.uids), (Uid(3), vec![2]));
}

#[tokio::test]
async fn small_segments_become_one_and_what_is_expunged_goes() {
    let s = stage().await;
    for n in 0..8 {
        s.letter("a", &format!("common text{n}")).await;
        s.index(1, 1).await;
    }
    // Eight of one size have become one.
    assert_eq!(s.segments().await, (vec![8], 0));
    assert_eq!(s.found(Place::Body, "common").await, [1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!(s.found(Place::Body, "text5").await, [6]);
    s.expunge((1..=5).map(Uid).collect()).await;
    s.index(9, 9).await;
    assert_eq!(s.segments().await, (vec![3], 0));
    assert_eq!(s.found(Place::Body, "common").await, [6, 7, 8]);
    s.expunge((6..=8).map(Uid).collect()).await;
    s.index(9, 9).await;
    assert_eq!(s.segments().await, (vec![], 0));
    assert_eq!(s.store.index_row(ALICE, s.mailbox).await.unwrap().indexed_to, 8);
}

#[tokio::test]
async fn a_damaged_message_is_always_a_candidate() {
    let s = stage().await;
    s.letter("a", "one").await;
    s.letter("b", "two").await;
    s.letter("c", "three").await;
    let rows = s.engine.rows();
    // The chunk with the second letter's content.
    let chunk = |key: &&Vec<u8>| key.first() == Some(&(storage::keys::Table::Chunk as u8));
    let chunk = rows.keys().filter(chunk).find(|key| String::from_utf8_lossy(&rows[*key]).contains("two"));
    s.engine.damage(chunk.expect("it is stored").clone(), Some("\u{9}?".into()));
    s.index(1, 9).await;
    assert_eq!(s.found(Place::Body, "three").await, [2, 3]);
    s.index(9, 9).await;
    assert_eq!(s.found(Place::Body, "zebra").await, [2]);
}

#[tokio::test]
async fn a_mailbox_that_fails_does_not_keep_others_from_the_index() {
    let s = stage().await;
    let second = s.store.create_mailbox(ALICE, "Second", None).await.unwrap().value.id;
    s.letter("a", "one").await;
    let s = Stage { mailbox: second, ..s };
    s.letter("b", "two").await;
    let row = s.engine.rows().into_keys().find(|key| key[0] == storage::keys::Table::Message as u8).unwrap();
    s.engine.damage(row, Some("?".into()));
    let indexer = Indexer::new(s.store.clone(), false).with_batches(1, 9);
    for changed in [Changed::TooMany, Changed::These(s.mailboxes().await)] {
        let outcome = indexer.look_at(changed, &|| false).await;
        assert!(matches!(outcome, Err(StorageError::Corrupt(_))), "{outcome:?}");
        assert_eq!(s.found(Place::Body, "two").await, [1]);
        s.store.forget_index(ALICE, second).await.unwrap();
    }
}

#[tokio::test]
async fn a_damaged_index_is_not_used_and_built_anew() {
    let s = stage().await;
    s.letter("a", "one").await;
    s.index(1, 9).await;
    let words = s.engine.rows().into_keys().find(|key| key[0] == storage::keys::Table::IndexWords as u8).unwrap();
    s.engine.damage(words, Some("?".into()));
    let wanted = Wanted::Text(Place::Body, "one".into());
    assert_eq!(s.candidates(&wanted).await, None);
    assert_eq!(s.fuzzy(Place::Body, "one").await, [(1, 100)]);
    let index = s.engine.rows().into_keys().find(|key| key[0] == storage::keys::Table::Index as u8).unwrap();
    s.engine.damage(index, Some("?".into()));
    assert_eq!(s.candidates(&wanted).await, None);
    s.index(1, 9).await;
    assert_eq!(s.candidates(&wanted).await.unwrap().uids, [1]);
    assert_eq!(s.segments().await, (vec![1], 0));
}

#[tokio::test]
async fn a_full_disk_stops_the_indexer_and_nothing_is_left_behind() {
    let s = stage().await;
    for n in 0..3 {
        s.letter("a", &format!("text {n}")).await;
    }
    let indexer = Indexer::new(s.store.clone(), false).with_batches(1, 9);
    s.engine.set_low_on_space(true);
    let full = indexer.index_mailbox(ALICE, s.mailbox, &|| false).await;
    assert_eq!(full, Err(StorageError::DiskFull));
    s.engine.set_low_on_space(false);
    // Cut at every commit: what was begun goes at the next look, and the result is the same.
    for commits in 0.. {
        s.engine.fail_after(commits, StorageError::DiskFull);
        let outcome = indexer.index_mailbox(ALICE, s.mailbox, &|| false).await;
        s.engine.heal();
        if outcome.is_ok() {
            break;
        }
    }
    s.index(1, 9).await;
    assert_eq!(s.segments().await, (vec![3], 0));
    assert_eq!(s.found(Place::Body, "text").await, [1, 2, 3]);
    let row = s.store.index_row(ALICE, s.mailbox).await.unwrap();
    let [segment] = row.segments.as_slice() else { panic!("one segment") };
    let blocks = s.engine.rows().into_keys().filter(|key| (0x91..=0x93).contains(&key[0]));
    let blocks: Vec<_> = blocks.collect();
    assert!(!blocks.is_empty());
    for key in blocks {
        assert_eq!(key[13..17], segment.number.to_be_bytes(), "rows of a segment that never was");
    }
}

#[tokio::test]
async fn words_are_found_in_every_form_and_the_best_come_first() {
    let s = stage().await;
    s.letter("Invoices of June", "They are attached. The rest of this letter is about something else altogether.")
        .await;
    s.letter("Hello", "One invoice among a good many other words that stand here to make it long.").await;
    s.letter("Hello", "No such thing.").await;
    s.letter("Rechnungen", "Die Häuser in Köln.").await;
    s.letter("Hello", "invoicing").await;
    for indexed in [false, true] {
        if indexed {
            s.index(1, 3).await;
        }
        let found = s.fuzzy(Place::Anywhere, "invoice").await;
        assert_eq!(found.iter().map(|(uid, _)| *uid).collect::<Vec<_>>(), [1, 2, 5]);
        let best = found.iter().max_by_key(|(_, relevancy)| *relevancy).unwrap();
        assert_eq!(*best, (1, 100), "the subject counts most: {found:?}");
        assert_eq!(s.fuzzy(Place::Body, "HAUS").await, [(4, 100)]);
        assert_eq!(s.fuzzy(field("Subject"), "rechnung").await, [(4, 100)]);
        assert_eq!(s.fuzzy(Place::Body, "koln die").await, [(4, 100)]);
        assert_eq!(s.fuzzy(Place::Body, "Häuser Paris").await, []);
        assert_eq!(s.fuzzy(Place::Body, "attac").await, [(1, 100)]);
        assert_eq!(s.fuzzy(Place::Body, " - ").await, []);
    }
}

#[tokio::test]
async fn the_indexer_takes_what_is_there_and_what_comes() {
    let bus = bus::Bus::new();
    let s = stage_with(Arc::new(bus.clone())).await;
    s.letter("a", "early").await;
    let stop = CancellationToken::new();
    let (indexer, token) = (Indexer::new(s.store.clone(), false).with_batches(1, 9), stop.clone());
    let task = tokio::spawn(async move { indexer.run(&bus, token).await });
    let indexed_to = async |uid: u32| {
        while s.store.index_row(ALICE, s.mailbox).await.unwrap().indexed_to < uid {
            if s.sim.clock.next_wake().is_some() {
                s.sim.clock.advance(crate::limits::GATHER);
            }
            tokio::task::yield_now().await;
        }
    };
    indexed_to(1).await;
    s.letter("b", "late").await;
    indexed_to(2).await;
    assert_eq!(s.found(Place::Body, "late").await, [2]);
    s.store.forget_index(ALICE, s.mailbox).await.unwrap();
    indexed_to(2).await;
    stop.cancel();
    task.await.unwrap().unwrap();
}

#[tokio::test]
async fn documents_are_looked_into_when_that_is_asked_for() {
    let s = stage().await;
    let docx = archive(&[("word/document.xml", WORD.as_bytes(), true)]);
    let docx = base64::engine::general_purpose::STANDARD.encode(&docx);
    let message = format!(
        "From: c@example.net\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\
         Content-Type: application/octet-stream; name=a.docx\r\nContent-Transfer-Encoding: base64\r\n\r\n{docx}\r\n--x--\r\n"
    );
    s.append(&message).await;
    let wanted = Wanted::Text(Place::Body, "terly report & b".into());
    let found = async |attachments| candidates(&s.store, ALICE, s.mailbox, attachments, &wanted).await.unwrap();
    s.index(1, 9).await;
    assert_eq!(found(false).await.unwrap().uids, Vec::<u32>::new());
    assert_eq!(found(true).await, None, "the index is without attachments");
    // The switch makes the index be built anew.
    let indexer = Indexer::new(s.store.clone(), true).with_batches(1, 9);
    s.letter("a", "b").await;
    indexer.index_mailbox(ALICE, s.mailbox, &|| false).await.unwrap();
    assert_eq!(found(true).await.unwrap().uids, [1]);
    assert_eq!(found(false).await.unwrap().uids, [1]);
    // One that an older version has made, which read fewer of them, is built anew as well.
    let reader = async || s.store.index_row(ALICE, s.mailbox).await.unwrap().attachments;
    s.store.begin_index(ALICE, s.mailbox, Some(1)).await.unwrap();
    assert_eq!((reader().await, found(true).await), (1, None));
    s.letter("a", "b").await;
    indexer.index_mailbox(ALICE, s.mailbox, &|| false).await.unwrap();
    assert_eq!(reader().await, ATTACHMENT_READER);
    assert_eq!(found(true).await.unwrap().uids, [1]);
    let fuzzy =
        fuzzy(&s.store, ALICE, s.mailbox, true, &[(&Place::Body, "quarterly reports")]).await.unwrap().remove(0);
    assert_eq!(fuzzy.len(), 1);
}

/// What happens to a mailbox.
#[derive(Clone, Debug)]
enum Step {
    Letter(String, String),
    Expunge(u32),
    Index(usize, usize),
}

fn text() -> impl Strategy<Value = String> {
    let word = prop_oneof!["[a-c]{1,4}", "[ab]{20,60}", "[A-Cßé]{1,5}", "[東京都]{1,4}", "[0-9]{1,6}"];
    let gap = prop_oneof![Just(" ".to_owned()), Just("\r\n".to_owned()), Just("-".to_owned()), Just(", ".to_owned())];
    proptest::collection::vec((word, gap), 0..12)
        .prop_map(|words| words.into_iter().map(|(word, gap)| word + &gap).collect())
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (text(), text()).prop_map(|(subject, body)| Step::Letter(subject.replace("\r\n", " "), body)),
        2 => (1_u32..20).prop_map(Step::Expunge),
        2 => (1_usize..4, 1_usize..6).prop_map(|(tail, batch)| Step::Index(tail, batch)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]
    #[test]
    fn nothing_is_missed(
        steps in proptest::collection::vec(step(), 1..40),
        needles in proptest::collection::vec((0_usize..40, 0_usize..200, 0_usize..40), 20),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        runtime.block_on(async {
            let s = stage().await;
            let mut letters: Vec<(Uid, String, String)> = Vec::new();
            for step in steps {
                match step {
                    Step::Letter(subject, body) => {
                        let uid = s.append(&letter(&subject, &body)).await;
                        letters.push((uid, subject, body));
                    }
                    Step::Expunge(uid) => {
                        s.expunge(vec![Uid(uid)]).await;
                        letters.retain(|(of, ..)| of.0 != uid);
                    }
                    Step::Index(tail, batch) => s.index(tail, batch).await,
                }
            }
            for (which, start, length) in needles {
                let Some((_, subject, body)) = letters.get(which % letters.len().max(1)) else { continue };
                for (text, place) in [(subject, field("Subject")), (body, Place::Body), (body, Place::Anywhere)] {
                    let chars: Vec<char> = text.chars().collect();
                    let start = start.min(chars.len());
                    let needle: String = chars[start..(start + length).min(chars.len())].iter().collect();
                    let small = needle.to_lowercase();
                    let wanted = Wanted::Text(place.clone(), small.clone());
                    let Some(found) = s.candidates(&wanted).await else { continue };
                    for (uid, subject, body) in &letters {
                        let there = match place {
                            Place::Field(_) => subject.to_lowercase().contains(&small),
                            Place::Body => body.to_lowercase().contains(&small),
                            Place::Anywhere => [subject, body].iter().any(|text| text.to_lowercase().contains(&small)),
                        };
                        let may = uid.0 > found.indexed_to.0 || found.uids.contains(&uid.0);
                        prop_assert!(may || !there, "{place:?} {needle:?} is missing from {uid}");
                    }
                }
            }
            Ok(())
        })?;
    }
}
