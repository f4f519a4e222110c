//! `relais check`: what the store's own check found, in a form to print and to send.

use serde::{Deserialize, Serialize};
use storage::{StorageError, Store};

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Report {
    /// Every broken invariant, in words; none: the store is sound.
    pub(crate) problems: Vec<String>,
    /// How much was looked at, by name.
    pub(crate) counts: Vec<(String, u64)>,
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
