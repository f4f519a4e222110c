//! CONTEXT (RFC 5267): a client that applies every ADDTO and REMOVEFROM has what a new search would find, in its order.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may")]

use crate::support::stage::{Client, pipe};
use crate::support::{House, PASSWORD, fixture};
use proptest::prelude::*;
use relais_imap::Settings;
use tokio_util::sync::CancellationToken;

/// A result as the client keeps it.
struct Kept {
    tag: &'static str,
    /// Numbers; a place is an index and one.
    results: Vec<u32>,
    /// In sequence numbers, which EXPUNGE moves.
    by_number: bool,
}

fn set(text: &str) -> Vec<u32> {
    let number = |text: &str| text.parse::<u32>().unwrap();
    let range = |range: &str| match range.split_once(':') {
        Some((first, last)) => (number(first)..=number(last)).collect::<Vec<_>>(),
        None => vec![number(range)],
    };
    text.split(',').flat_map(range).collect()
}

impl Kept {
    /// Takes one line of the server.
    fn hear(&mut self, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        if let ["*", number, "EXPUNGE"] = words[..] {
            let number: u32 = number.parse().unwrap();
            if self.by_number {
                assert!(!self.results.contains(&number), "what is gone is told before its EXPUNGE");
                self.results.iter_mut().filter(|result| **result > number).for_each(|result| *result -= 1);
            }
            return;
        }
        let Some(rest) = line.strip_prefix(&format!("* ESEARCH (TAG \"{}\")", self.tag)) else { return };
        let rest = rest.trim_start_matches(" UID");
        let Some((what, pairs)) = rest.trim().split_once(" (") else { return };
        let pairs: Vec<&str> = pairs.trim_end_matches(')').split(' ').collect();
        for pair in pairs.chunks(2) {
            let (place, numbers) = (pair[0].parse::<usize>().unwrap(), set(pair[1]));
            match (what, place) {
                ("ADDTO", 0) => {
                    self.results.extend(numbers);
                    self.results.sort_unstable();
                }
                ("ADDTO", place) => {
                    self.results.splice(place - 1..place - 1, numbers);
                }
                ("REMOVEFROM", 0) => {
                    for number in numbers {
                        let before = self.results.len();
                        self.results.retain(|result| *result != number);
                        assert_eq!(self.results.len() + 1, before, "only what is there is removed");
                    }
                }
                ("REMOVEFROM", place) => {
                    let removed: Vec<u32> = self.results.drain(place - 1..place - 1 + numbers.len()).collect();
                    assert_eq!(removed, numbers, "what is removed is at its place");
                }
                (other, _) => panic!("{other}"),
            }
        }
    }
}

async fn open(house: &House) -> Client {
    let mut client = pipe(house, &CancellationToken::new());
    client.read_line().await.unwrap();
    client.command("l", &format!("LOGIN alice {PASSWORD}")).await.unwrap();
    client.command("s", "SELECT INBOX").await.unwrap();
    client
}

/// Says something and lets the kept results hear the answers; gives the line that begins so.
async fn say(client: &mut Client, kept: &mut [Kept], command: &str, begin: &str) -> Option<Vec<u32>> {
    let lines = client.command("x", command).await.unwrap();
    for line in &lines {
        kept.iter_mut().for_each(|kept| kept.hear(line));
    }
    let line = lines.iter().find(|line| line.starts_with(begin))?;
    Some(line[begin.len()..].split_whitespace().map(|number| number.parse().unwrap()).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(30))]

    #[test]
    fn updates_lead_to_what_a_search_finds(
        steps in prop::collection::vec((0u8..8, 1u32..12, any::<bool>()), 1..40),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let settings = Settings { plaintext_login_on_loopback: true, ..Settings::default() };
            let house = House::new(settings, false).await;
            for n in 1..=5 {
                house.deliver("alice", "INBOX", &fixture(&format!("order-{n}.eml")), true).await;
            }
            let (mut one, mut other) = (open(&house).await, open(&house).await);
            one.command("u", "UID SEARCH RETURN (UPDATE) UNDELETED").await.unwrap();
            one.command("o", "UID SORT RETURN (UPDATE) (DATE) UTF-8 UNDELETED").await.unwrap();
            one.command("n", "SEARCH RETURN (UPDATE) FLAGGED").await.unwrap();
            let mut kept = [
                Kept { tag: "u", results: vec![1, 2, 3, 4, 5], by_number: false },
                Kept { tag: "o", results: vec![4, 3, 2, 1, 5], by_number: false },
                Kept { tag: "n", results: vec![], by_number: true },
            ];
            for (what, uid, own) in steps {
                let command = match what {
                    0 => {
                        let content = fixture(&format!("order-{}.eml", uid % 5 + 1));
                        house.deliver("alice", "INBOX", &content, true).await;
                        "NOOP".to_owned()
                    }
                    1 | 2 => format!("UID STORE {uid} +FLAGS.SILENT (\\Deleted)"),
                    3 => format!("UID STORE {uid} -FLAGS.SILENT (\\Deleted)"),
                    4 => format!("UID STORE {uid}:* +FLAGS (\\Flagged)"),
                    5 => format!("UID STORE {uid} -FLAGS (\\Flagged)"),
                    6 => "EXPUNGE".to_owned(),
                    _ => "NOOP".to_owned(),
                };
                if own {
                    say(&mut one, &mut kept, &command, "* nothing").await;
                } else {
                    other.command("y", &command).await.unwrap();
                    // Expunges must wait here: what is gone is told all the same.
                    say(&mut one, &mut kept, "FETCH 1:* UID", "* nothing").await;
                }
                say(&mut one, &mut kept, "NOOP", "* nothing").await;
                let found = say(&mut one, &mut kept, "UID SEARCH UNDELETED", "* SEARCH").await;
                assert_eq!(Some(&kept[0].results), found.as_ref());
                let found = say(&mut one, &mut kept, "UID SORT (DATE) UTF-8 UNDELETED", "* SORT").await;
                assert_eq!(Some(&kept[1].results), found.as_ref());
                let found = say(&mut one, &mut kept, "SEARCH FLAGGED", "* SEARCH").await;
                assert_eq!(Some(&kept[2].results), found.as_ref());
            }
        });
    }
}
