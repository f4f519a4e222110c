//! `relais check`: what the store's own check found, in a form to print.

use mail::{AccountId, MailboxId, Topic, Uid};
use serde::Serialize;
use storage::check::{Contents, Scan};
use storage::webhooks::HookCall;
use storage::{StorageError, Store};

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Report {
    /// Every broken invariant, in words; none: the store is sound.
    pub(crate) problems: Vec<String>,
    /// How much was looked at, by name.
    pub(crate) counts: Vec<(&'static str, u64)>,
    /// What is no damage, and should be known all the same.
    pub(crate) notes: Vec<String>,
}

impl Report {
    pub(crate) fn is_sound(&self) -> bool {
        self.problems.is_empty()
    }

    /// One line for people.
    pub(crate) fn summary(&self) -> String {
        let counts: Vec<String> = self.counts.iter().map(|(name, number)| counted(*number, name)).collect();
        let verdict = match self.problems.len() {
            0 => "sound".to_owned(),
            1 => "1 problem".to_owned(),
            many => format!("{many} problems"),
        };
        format!("{verdict}: {}", counts.join(", "))
    }
}

/// A number with its noun, which stands here in the plural.
pub(crate) fn counted(number: u64, name: &str) -> String {
    match (number, name.strip_suffix("ies"), name.strip_suffix("xes")) {
        (1, Some(stem), _) => format!("1 {stem}y"),
        (1, None, Some(stem)) => format!("1 {stem}x"),
        (1, None, None) => format!("1 {}", name.strip_suffix('s').unwrap_or(name)),
        _ => format!("{number} {name}"),
    }
}

/// Verifies a store that nothing else writes to.
pub(crate) async fn check(store: &Store, deep: bool) -> Result<Report, StorageError> {
    let mut problems = Vec::new();
    let mut more = 0_u64;
    let mut report = |finding: storage::check::Finding| {
        if problems.len() < PROBLEMS_TOLD_MAX {
            problems.push(finding.to_string());
        } else {
            more = more.saturating_add(1);
        }
    };
    let checked = storage::check::check_with(store, deep, &Known, &mut report).await?;
    if more > 0 {
        problems.push(format!("and {more} more"));
    }
    let counts = vec![
        ("accounts", checked.accounts),
        ("groups", checked.groups),
        ("lists", checked.lists),
        ("mailboxes", checked.mailboxes),
        ("messages", checked.messages),
        ("contents", checked.blobs),
        ("queue entries", checked.queue_entries),
        ("events", checked.events),
        ("parked events", checked.parked_events),
    ];
    let mut notes = Vec::new();
    if checked.parked_events > 0 {
        let number = checked.parked_events;
        notes.push(format!("{number} of the events failed too often and are parked: `relais event list` shows them"));
    }
    Ok(Report { problems, counts, notes })
}

/// What the crates above the store know of what it keeps for them.
struct Known;

/// A message that is read anew.
struct Reread(message::Scanner);

impl Contents for Known {
    fn record(&self, record: &[u8]) -> Result<(), String> {
        message::MessageRecord::decode(record).map(drop).map_err(|error| error.to_string())
    }

    fn scan(&self) -> Option<Box<dyn Scan>> {
        Some(Box::new(Reread(message::Scanner::new())))
    }

    fn event(&self, topic: Topic, payload: &[u8]) -> Result<(), String> {
        match topic {
            Topic::MessageStored => {
                delivery::MessageStored::decode(payload).map(drop).map_err(|error| error.to_string())
            }
            Topic::HeldMessage => delivery::HeldMessage::decode(payload).map(drop).map_err(|error| error.to_string()),
            Topic::MemberAdded => delivery::MemberAdded::decode(payload).map(drop).map_err(|error| error.to_string()),
            Topic::Webhook => HookCall::decode(payload).map(drop).map_err(|error| error.to_string()),
            Topic::MessageJudged => storage::spam::Judged::decode(payload).map(drop).map_err(|error| error.to_string()),
            Topic::ReportReceived => {
                delivery::ReportReceived::decode(payload).map(drop).map_err(|error| error.to_string())
            }
            // Its bell rings without events.
            Topic::Queue => Ok(()),
        }
    }

    fn held_message(&self, payload: &[u8]) -> Option<(AccountId, MailboxId, Uid)> {
        delivery::HeldMessage::decode(payload).ok().map(|held| (held.part, held.mailbox, held.uid))
    }

    fn answered(&self, key: &[u8], value: &[u8]) -> Result<(), String> {
        storage::answered::check_answered(key, value)
    }

    fn index_block(&self, first: &[u8], words: &[u8], postings: &[u8], span: u32) -> Result<(), String> {
        search::check_block(first, words, postings, span)
    }

    fn index_lengths(&self, lengths: &[u8], span: u32) -> Result<(), String> {
        search::check_lengths(lengths, span)
    }
}

impl Scan for Reread {
    fn take(&mut self, octets: &[u8]) {
        self.0.feed(octets);
    }

    fn record(self: Box<Self>) -> Vec<u8> {
        delivery::record_of(&self.0.finish()).encode()
    }
}

/// Damage can be everywhere; a person reads the first ones.
const PROBLEMS_TOLD_MAX: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thing_is_told_in_the_singular() {
        let names = ["accounts", "mailboxes", "messages", "contents", "queue entries", "events", "parked events"];
        let told = |number| names.map(|name| counted(number, name)).join(", ");
        assert_eq!(told(1), "1 account, 1 mailbox, 1 message, 1 content, 1 queue entry, 1 event, 1 parked event");
        assert!(told(0).starts_with("0 accounts, 0 mailboxes") && told(2).contains("2 queue entries"));
    }
}
