//! `relais check`: what the store's own check found, in a form to print.

use serde::Serialize;
use storage::{StorageError, Store};

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Report {
    /// Every broken invariant, in words; none: the store is sound.
    pub(crate) problems: Vec<String>,
    /// How much was looked at, by name.
    pub(crate) counts: Vec<(&'static str, u64)>,
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
    let checked = storage::check::check(store, deep, &mut report).await?;
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
    ];
    Ok(Report { problems, counts })
}

/// Damage can be everywhere; a person reads the first ones.
const PROBLEMS_TOLD_MAX: usize = 10_000;
