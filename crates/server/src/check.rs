//! `relais check`: what the store's own check found, in a form to print.

use mail::Topic;
use serde::Serialize;
use storage::check::{Contents, Scan};
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
        let counts: Vec<String> = self.counts.iter().map(|(name, number)| format!("{number} {name}")).collect();
        let verdict = match self.problems.len() {
            0 => "sound".to_owned(),
            1 => "1 problem".to_owned(),
            many => format!("{many} problems"),
        };
        format!("{verdict}: {}", counts.join(", "))
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
            // Its bell rings without events.
            Topic::Queue => Ok(()),
        }
    }

    fn answered(&self, key: &[u8], value: &[u8]) -> Result<(), String> {
        responder::check_answered(key, value)
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
