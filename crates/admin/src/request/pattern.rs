//! About the pattern aliases of a domain.

use mail::Address;
use serde::{Deserialize, Serialize};

/// About the pattern aliases of a domain. They are numbered from 1 in the order in which they are tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PatternRequest {
    /// Make one.
    Add {
        /// A regular expression over the whole local part.
        pattern: String,
        /// Where it leads, with `$1` for what the first group found.
        targets: Vec<String>,
        /// What it is for.
        #[serde(default)]
        note: Option<String>,
        /// Its place; `None`: the last.
        #[serde(default)]
        place: Option<usize>,
    },
    /// All, in order.
    List,
    /// Change the order.
    Move {
        /// Which.
        number: usize,
        /// Where to.
        place: usize,
    },
    /// Switch one on or off, or change its note.
    Set {
        /// Which.
        number: usize,
        /// Whether it is in force.
        #[serde(default)]
        enabled: Option<bool>,
        /// What it is for.
        #[serde(default)]
        note: Option<String>,
    },
    /// Delete one.
    Remove {
        /// Which.
        number: usize,
    },
    /// Which one fits an address, what its targets become, and where mail to the address goes in fact.
    Test {
        /// The address.
        address: Address,
        /// A pattern that is not saved, tried alone instead of the domain's.
        #[serde(default)]
        pattern: Option<String>,
        /// Where that one leads.
        #[serde(default)]
        targets: Vec<String>,
    },
}
