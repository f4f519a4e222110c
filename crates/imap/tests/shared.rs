//! Several people in one mailbox where each has a `\Seen` of their own: whatever they do, each hears of what concerns
//! them, and of nothing else.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "tests may")]

use std::collections::BTreeSet;

use crate::support::stage::{Client, pipe};
use crate::support::{House, PASSWORD, fixture};
use mail::Address;
use proptest::prelude::*;
use relais_imap::Settings;
use routing::objects::{ArchiveReaders, ListObject, Object};
use storage::objects::PutMode;
use tokio_util::sync::CancellationToken;

const MAILBOX: &str = "Shared/info@example.org";

async fn house(seen: &str) -> House {
    let settings = Settings { plaintext_login_on_loopback: true, ..Settings::default() };
    let house = House::new(settings, false).await;
    house.share(&format!("shared info alice=lrswite bob=lrswite{seen}")).await.unwrap().unwrap();
    house
}

async fn open(house: &House, user: &str) -> (Client, Vec<String>) {
    let mut client = pipe(house, &CancellationToken::new());
    client.read_line().await.unwrap();
    client.command("l", &format!("LOGIN {user} {PASSWORD}")).await.unwrap();
    let lines = client.command("s", &format!("SELECT {MAILBOX} (CONDSTORE)")).await.unwrap();
    assert!(lines.last().unwrap().starts_with("s OK"), "{lines:?}");
    (client, lines)
}

/// What a client believes of each message: its flags, without `\Recent`, as far as it was told; and the highest MODSEQ.
#[derive(Default)]
struct Picture {
    messages: Vec<Option<BTreeSet<String>>>,
    modseq: u64,
}

impl Picture {
    fn hear(&mut self, lines: &[String]) -> usize {
        let mut fetches = 0;
        let mut whole: Vec<String> = Vec::new();
        for line in lines {
            match whole.last_mut().filter(|last| last.ends_with('}')) {
                Some(last) => last.push_str(line),
                None => whole.push(line.clone()),
            }
        }
        for line in &whole {
            let words: Vec<&str> = line.splitn(4, ' ').collect();
            match words.as_slice() {
                ["*", number, "EXISTS"] => self.messages.resize(number.parse().unwrap(), None),
                ["*", number, "EXPUNGE"] => {
                    self.messages.remove(number.parse::<usize>().unwrap() - 1);
                }
                ["*", number, "FETCH", rest] => {
                    fetches += 1;
                    let flags = rest.split_once("FLAGS (").map(|(_, rest)| rest.split(')').next().unwrap());
                    if let Some(flags) = flags {
                        let flags = flags.split(' ').filter(|flag| !flag.is_empty() && *flag != "\\Recent");
                        let at = number.parse::<usize>().unwrap() - 1;
                        self.messages[at] = Some(flags.map(str::to_owned).collect());
                    }
                    if let Some((_, modseq)) = rest.split_once("MODSEQ (") {
                        self.modseq = self.modseq.max(modseq.split(')').next().unwrap().parse().unwrap());
                    }
                }
                _ => {}
            }
        }
        fetches
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Two sessions of alice and one of bob; after the last NOOP each believes what FETCH says, and what a client that
    /// comes back with its MODSEQ is told makes its old picture right too.
    #[test]
    fn everyone_hears_of_what_concerns_them(
        per_person in any::<bool>(),
        steps in prop::collection::vec((0usize..3, 0u8..9, 1usize..6), 1..40),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let house = house(if per_person { " per-person" } else { "" }).await;
            let mail = fixture("simple.eml");
            for _ in 0..3 {
                house.deliver("info", "INBOX", &mail, true).await;
            }
            let mut people = Vec::new();
            for user in ["alice", "alice", "bob"] {
                let (mut client, lines) = open(&house, user).await;
                let mut picture = Picture::default();
                picture.hear(&lines);
                picture.hear(&client.command("f", "FETCH 1:* (FLAGS MODSEQ)").await.unwrap());
                people.push((client, picture));
            }
            // What alice's second device knew when it was switched off.
            let mut away = Picture { messages: people[1].1.messages.clone(), modseq: people[1].1.modseq };
            for (who, what, number) in steps {
                let (client, picture) = &mut people[who];
                let number = number.min(picture.messages.len().max(1));
                let command = match what {
                    0 => {
                        house.deliver("info", "INBOX", &mail, true).await;
                        "NOOP".to_owned()
                    }
                    1 | 2 => format!("STORE {number} +FLAGS (\\Seen)"),
                    3 => format!("STORE {number} -FLAGS (\\Seen)"),
                    4 => format!("STORE {number} FLAGS (\\Flagged)"),
                    5 => format!("STORE {number} +FLAGS (\\Seen \\Answered)"),
                    6 => format!("FETCH {number} BODY[TEXT]<0.1>"),
                    7 => format!("STORE 1:{number} +FLAGS.SILENT (\\Seen)"),
                    _ => "NOOP".to_owned(),
                };
                let lines = client.command("c", &command).await.unwrap();
                picture.hear(&lines);
                if what == 7 {
                    // Silent: the client draws its own conclusion.
                    picture.hear(&client.command("f", "FETCH 1:* FLAGS").await.unwrap());
                }
            }
            for (client, picture) in &mut people {
                picture.hear(&client.command("n", "NOOP").await.unwrap());
                let mut truth = Picture::default();
                truth.messages.resize(picture.messages.len(), None);
                truth.hear(&client.command("f", "FETCH 1:* FLAGS").await.unwrap());
                for (believed, is) in picture.messages.iter().zip(&truth.messages) {
                    assert!(believed.is_none() || believed == is, "{:?} {:?}", picture.messages, truth.messages);
                }
            }
            let (client, picture) = &mut people[0];
            let since = away.modseq;
            away.messages.resize(picture.messages.len(), None);
            away.hear(&client.command("r", &format!("FETCH 1:* FLAGS (CHANGEDSINCE {since})")).await.unwrap());
            let mut truth = Picture::default();
            truth.messages.resize(picture.messages.len(), None);
            truth.hear(&client.command("f", "FETCH 1:* FLAGS").await.unwrap());
            assert_eq!(away.messages, truth.messages);
            let mut flaws = Vec::new();
            storage::check::check(&house.store, false, &mut |finding| flaws.push(finding)).await.unwrap();
            // The house has accounts and no domain for them.
            flaws.retain(|finding: &storage::check::Finding| finding.flaw != storage::check::Flaw::NoDomain);
            assert_eq!(flaws, vec![]);
        });
    }
}

#[tokio::test]
async fn reading_by_one_is_nothing_to_another() {
    let house = house(" per-person").await;
    let mail = fixture("simple.eml");
    for _ in 0..3 {
        house.deliver("info", "INBOX", &mail, true).await;
    }
    let (mut alice, _) = open(&house, "alice").await;
    let (mut again, _) = open(&house, "alice").await;
    let (mut bob, _) = open(&house, "bob").await;
    alice.command("a", "STORE 1:3 +FLAGS.SILENT (\\Seen)").await.unwrap();
    assert_eq!(Picture { messages: vec![None; 3], modseq: 0 }.hear(&again.command("n", "NOOP").await.unwrap()), 3);
    assert_eq!(bob.command("n", "NOOP").await.unwrap().len(), 1, "not a word");
    assert_eq!(again.command("n", "NOOP").await.unwrap().len(), 1, "and nothing twice");
}

#[tokio::test]
async fn more_changes_than_are_remembered_are_told_all_the_same() {
    let house = house(" per-person").await;
    let mail = fixture("simple.eml");
    let count = storage::limits::PERSON_CHANGES_MAX + 30;
    for _ in 0..count {
        house.deliver("info", "INBOX", &mail, true).await;
    }
    let (mut alice, _) = open(&house, "alice").await;
    let (mut again, _) = open(&house, "alice").await;
    let (mut bob, _) = open(&house, "bob").await;
    alice.command("a", "STORE 1:* +FLAGS.SILENT (\\Seen)").await.unwrap();
    let mut picture = Picture { messages: vec![None; count], modseq: 0 };
    picture.hear(&again.command("n", "NOOP").await.unwrap());
    assert!(picture.messages.iter().all(|flags| flags.as_ref().is_some_and(|flags| flags.contains("\\Seen"))));
    assert_eq!(bob.command("n", "NOOP").await.unwrap().len(), 1);
    // Who comes now is not told of all that again.
    let (mut late, _) = open(&house, "alice").await;
    assert_eq!(late.command("n", "NOOP").await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_persons_own_mailbox_costs_no_look_at_lists() {
    let house = house("").await;
    let (mut alice, _) = open(&house, "alice").await;
    alice.command("s", "SELECT INBOX").await.unwrap();
    house.deliver("alice", "INBOX", &fixture("simple.eml"), true).await;
    // Even a list that takes everything from everyone binds no owner.
    let lines = house.share("acl alice INBOX -anyone=lrswipkxtea anyone=l").await.unwrap();
    lines.unwrap();
    for command in ["NOOP", "STORE 1 +FLAGS (\\Seen)", "FETCH 1 FLAGS", "EXPUNGE", "MYRIGHTS INBOX"] {
        let lines = alice.command("c", command).await.unwrap();
        assert!(lines.last().unwrap().starts_with("c OK"), "{command}: {lines:?}");
    }
}

/// Who reads the archive of a list annotates it for themselves alone, as nothing is changed there.
#[tokio::test]
async fn an_archive_is_annotated_by_each_for_themselves() {
    let house = house("").await;
    let mut list = ListObject::new(Address::parse("garden@example.org").unwrap());
    list.owners = vec![Address::parse("alice@example.org").unwrap()];
    (list.settings.archive, list.settings.archive_readers) = (true, ArchiveReaders::Organisation);
    let stored = house.store.put_object(Object::List(list), PutMode::Add).await.unwrap().value;
    let Object::List(list) = stored else { panic!("a list") };
    house.store.create_mailbox(list.id, "Archive", None).await.unwrap();
    let archive = "\"Shared/garden@example.org/Archive\"";
    for user in ["bob", "alice"] {
        let (mut client, _) = open(&house, user).await;
        for (command, expected) in [
            (format!("SETMETADATA {archive} (/shared/comment \"x\")"), "m NO [NOPERM]"),
            (format!("SETMETADATA {archive} (/private/comment \"x\" /shared/comment NIL)"), "m NO [NOPERM]"),
            (format!("SETMETADATA {archive} (/private/comment \"mine\")"), "m OK"),
            (format!("GETMETADATA {archive} (/private/comment /shared/comment)"), "m OK"),
        ] {
            let lines = client.command("m", &command).await.unwrap();
            assert!(lines.last().unwrap().starts_with(expected), "{user}: {command}: {lines:?}");
            if command.starts_with("GET") {
                let told = lines.concat();
                assert!(told.contains("/private/comment \"mine\"") && told.contains("/shared/comment NIL"), "{told}");
            }
        }
    }
}
