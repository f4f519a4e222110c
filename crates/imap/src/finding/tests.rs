//! With an index and without one the same is found, whatever is indexed, expunged and asked for.

use imap_wire::{CommandBody, CommandText, NameEncoding, SearchKey};
use mail::{Flags, InternalDate, Timestamp};
use message::{MessageRecord, Scanner};
use proptest::prelude::*;
use search::Indexer;
use storage::MemoryEngine;
use storage::messages::{ExpungeScope, NewMessage};
use world::simulated::SimulatedWorld;

use super::*;
use crate::engine::search::{Charset, Context};

const ALICE: AccountId = AccountId(1);

struct Stage {
    store: Store,
    mailbox: MailboxId,
}

async fn stage() -> Stage {
    let sim = SimulatedWorld::new(Timestamp(1_800_000_000_000), 1);
    let store = Store::open(Arc::new(MemoryEngine::default()), sim.world()).await.unwrap();
    let mailbox = store.create_mailbox(ALICE, "Archive", None).await.unwrap().value.id;
    Stage { store, mailbox }
}

impl Stage {
    async fn append(&self, content: &str) {
        let mut writer = self.store.blob_writer();
        writer.write(content.as_bytes()).await.unwrap();
        let staged = writer.finish();
        let mut scanner = Scanner::new();
        scanner.feed(content.as_bytes());
        let forms = imap_wire::precompute::forms(&scanner.finish());
        let mut scanner = Scanner::new();
        scanner.feed(content.as_bytes());
        let record = MessageRecord::new(&scanner.finish(), forms.envelope, forms.body, forms.body_structure).encode();
        let message = NewMessage {
            blob: staged.hash,
            octets: staged.octets,
            flags: Flags::default(),
            internal_date: InternalDate::from(self.store.now()),
            saved_at: self.store.now(),
            record: Some(record.into()),
        };
        let _done = self.store.append(ALICE, self.mailbox, staged, message).await.unwrap();
    }

    async fn find(&self, text: &str) -> Vec<u32> {
        let rows = self.store.messages(ALICE, self.mailbox, Uid(1), Uid(u32::MAX), 1_000).await.unwrap();
        let map: UidMap = rows.iter().map(|row| row.uid).collect();
        let saved = NumberSet::empty();
        let (charset, comparator) = (Charset::default(), Comparator::default());
        let context = Context { map: &map, saved: &saved, now: self.store.now(), charset, comparator };
        let query = Query::new(&key(text), &context).unwrap();
        let mut place = Place {
            key: (ALICE, self.mailbox),
            row: self.store.mailbox(ALICE, self.mailbox).await.unwrap().unwrap(),
            map: Arc::new(map),
            reading: None,
            recent: NumberSet::empty(),
            attachments: false,
            keeps_values: false,
            progress: Progress::default(),
        };
        place.find(&self.store, &query, comparator, false).await.unwrap().uids.iter().collect()
    }
}

fn key(text: &str) -> SearchKey {
    let text = CommandText::from(format!("a SEARCH {text}\r\n").as_bytes());
    let CommandBody::Search(search) = imap_wire::decode(&text, NameEncoding::default()).unwrap().body else {
        panic!("not a SEARCH");
    };
    search.key
}

#[derive(Clone, Debug)]
enum Step {
    Letter(String, String, String),
    Expunge(u32),
    Index(usize, usize),
}

/// Characters that comparators take apart after the case was mapped (RFC 5051 §2), and the letters that they become.
const TAKEN_APART: &str = "[№ﬁ㎏ǲ]{1,2}|[Nn][Oo]|[Ff]iller|k[gG]|Dz";

fn words() -> impl Strategy<Value = String> {
    let word = prop_oneof!["[ab]{1,3}", "inv[oi]{1,2}ces?", "[a-b]{30,50}", "Gr[üu]ß?e?", "[12]{1,4}", TAKEN_APART];
    let gap = prop_oneof![Just(" "), Just("."), Just("\r\n"), Just("-")];
    proptest::collection::vec((word, gap), 0..8)
        .prop_map(|words| words.into_iter().map(|(word, gap)| word + gap).collect())
}

fn step() -> impl Strategy<Value = Step> {
    let line = || words().prop_map(|text| text.replace("\r\n", " "));
    prop_oneof![
        8 => (line(), line(), words()).prop_map(|(from, subject, body)| Step::Letter(from, subject, body)),
        2 => (1_u32..20).prop_map(Step::Expunge),
        2 => (1_usize..4, 1_usize..6).prop_map(|(tail, batch)| Step::Index(tail, batch)),
    ]
}

/// A text as a client writes it.
fn text() -> impl Strategy<Value = String> {
    // "us" is in "Grüße" as the index folds it, and not as comparators do.
    let text = prop_oneof![
        "[ab]{1,3}",
        "[ab1][ .-][ab1]",
        "NVO",
        "inv",
        "gr[uü]s{0,2}",
        "us{1,2}e?",
        "ß",
        "",
        "[12]{2}",
        "[ab]{26,30}",
        TAKEN_APART,
        "[№ﬁ㎏ǲ]"
    ];
    text.prop_map(|text| format!("{{{}+}}\r\n{text}", text.len()))
}

fn query() -> impl Strategy<Value = String> {
    let place = prop_oneof![
        Just("BODY "),
        Just("TEXT "),
        Just("SUBJECT "),
        Just("FROM "),
        Just("TO "),
        Just("HEADER X-Mark "),
        Just("FUZZY BODY "),
        Just("FUZZY TEXT "),
    ];
    let leaf = prop_oneof![
        8 => (place, text()).prop_map(|(place, text)| place.to_owned() + &text),
        1 => (1_u32..9, 1_u32..9).prop_map(|(a, b)| format!("UID {a}:{b}")),
    ];
    leaf.prop_recursive(3, 8, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} {b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("OR {a} {b}")),
            inner.prop_map(|one| format!("NOT {one}")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]
    #[test]
    fn the_index_changes_nothing(
        steps in proptest::collection::vec(step(), 1..30),
        queries in proptest::collection::vec(query(), 12),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        runtime.block_on(async {
            let s = stage().await;
            for step in steps {
                match step {
                    Step::Letter(from, subject, body) => {
                        let mark = subject.len() % 3;
                        s.append(&format!("From: {from}\r\nSubject: {subject}\r\nX-Mark: {mark}\r\n\r\n{body}")).await;
                    }
                    Step::Expunge(uid) => {
                        let gone = s.store.expunge(ALICE, s.mailbox, vec![Uid(uid)], ExpungeScope::All);
                        let _done = gone.await.unwrap();
                    }
                    Step::Index(tail, batch) => {
                        let indexer = Indexer::new(s.store.clone(), false).with_batches(tail, batch);
                        indexer.index_mailbox(ALICE, s.mailbox, &|| false).await.unwrap();
                    }
                }
            }
            let mut with = Vec::new();
            for query in &queries {
                with.push(s.find(query).await);
            }
            let _done = s.store.forget_index(ALICE, s.mailbox).await.unwrap();
            for (query, with) in queries.iter().zip(with) {
                prop_assert_eq!(s.find(query).await, with, "{}", query);
            }
            Ok(())
        })?;
    }
}

#[tokio::test]
async fn what_comparators_take_apart_is_not_found_in_its_letters() {
    let s = stage().await;
    s.append("Subject: Filler\r\n\r\nno No 5 kg dz").await;
    s.append("Subject: \u{fb01}ller\r\n\r\n\u{2116} 5 \u{338f} \u{1f2}").await;
    for indexed in [false, true] {
        if indexed {
            let indexer = Indexer::new(s.store.clone(), false).with_batches(1, 9);
            indexer.index_mailbox(ALICE, s.mailbox, &|| false).await.unwrap();
        }
        for (place, text, found) in [
            ("BODY", "\u{2116}", vec![2]),
            ("BODY", "\u{338f}", vec![2]),
            ("BODY", "\u{1f2}", vec![2]),
            ("SUBJECT", "\u{fb01}", vec![2]),
            ("BODY", "no", vec![1]),
            ("SUBJECT", "filler", vec![1]),
        ] {
            let query = format!("{place} {{{}+}}\r\n{text}", text.len());
            assert_eq!(s.find(&query).await, found, "{query}, indexed: {indexed}");
        }
    }
}

/// A search of very many keys is work for each message: others go on with each of them, whatever decides it.
#[tokio::test]
async fn others_go_on_while_very_many_texts_are_looked_for() {
    let s = stage().await;
    for n in 0..100 {
        s.append(&format!("From: Alice <alice@example.org>\r\nSubject: letter {n}\r\n\r\ntext")).await;
    }
    let keys = |place: &str| (0..900).map(|n| format!("NOT {place} \"q{n}\"")).collect::<Vec<_>>().join(" ");
    for place in ["SUBJECT", "HEADER SUBJECT", "TEXT"] {
        let went_on = std::cell::Cell::new(0);
        let others = async {
            loop {
                went_on.set(went_on.get() + 1);
                tokio::task::yield_now().await;
            }
        };
        let query = keys(place);
        let found = tokio::select! {
            biased;
            found = s.find(&query) => found,
            () = others => unreachable!("it never ends"),
        };
        assert_eq!(found.len(), 100, "{place}");
        assert!(went_on.get() >= 100, "{place}: others went on {} times", went_on.get());
    }
}

#[test]
fn ranges_that_are_close_are_read_as_one() {
    let scope = NumberSet::from_ranges([1..=3, 10..=12, 40..=40]);
    assert_eq!(joined(&scope), [1..=12, 40..=40]);
    assert!(joined(&NumberSet::empty()).is_empty());
}
