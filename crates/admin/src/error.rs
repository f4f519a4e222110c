//! Why a request was not carried out.

use serde::{Deserialize, Serialize};
use storage::StorageError;

/// What sort of error it is, for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorKind {
    /// What was asked for breaks a rule.
    Invalid,
    /// It does not exist.
    NotFound,
    /// It exists already.
    Exists,
    /// Something hangs on it; `force` would take that along.
    InUse,
    /// The disk has less free space than is kept in reserve.
    DiskFull,
    /// A limit that an administrator has set is reached.
    Full,
    /// Who asks may not.
    Denied,
    /// The store could not do it now.
    Unavailable,
}

/// An error in words for the person who asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}{}", .hint.as_deref().map(|hint| format!("\n  {hint}")).unwrap_or_default())]
pub struct AdminError {
    /// What sort of error it is.
    pub kind: ErrorKind,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl AdminError {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None }
    }

    /// The same, with the reserve named when that is what is short.
    pub(crate) fn with_reserve(self, mebibytes: u64) -> Self {
        if self.kind != ErrorKind::DiskFull {
            return self;
        }
        let message = format!(
            "less free space than the reserve of {mebibytes} MiB ([storage] free_space_reserve_mib): nothing is stored"
        );
        Self::new(self.kind, message).hint("make room on the disk of the data folder, or lower the reserve and restart")
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, message)
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Something is not there; the nearest of what is there is named.
    pub(crate) fn not_found(what: &str, given: &str, known: impl IntoIterator<Item = String>) -> Self {
        let scored = known.into_iter().map(|name| (likeness(given, &name), name));
        let near = scored.filter(|(score, _)| *score > NEAR).max_by(|(a, _), (b, _)| a.total_cmp(b));
        let error = Self::new(ErrorKind::NotFound, format!("there is no {what} {given}"));
        match near {
            Some((_, name)) => error.hint(format!("did you mean {name}?")),
            None => error.hint(format!("`relais {what} list` shows those there are")),
        }
    }
}

impl From<StorageError> for AdminError {
    fn from(error: StorageError) -> Self {
        let kind = if matches!(error, StorageError::ObjectExists(_)) {
            ErrorKind::Exists
        } else if matches!(error, StorageError::NoSuchObject(_) | StorageError::NoSuchAccount) {
            ErrorKind::NotFound
        } else if matches!(error, StorageError::DiskFull) {
            ErrorKind::DiskFull
        } else if error.is_temporary() {
            ErrorKind::Unavailable
        } else {
            ErrorKind::Invalid
        };
        Self::new(kind, error.to_string())
    }
}

/// How alike two names are, 1 for the same. Addresses are as alike as the less alike of their halves: a common domain makes no two
/// names alike.
fn likeness(one: &str, other: &str) -> f64 {
    match (one.rsplit_once('@'), other.rsplit_once('@')) {
        (Some((name, domain)), Some((other, at))) => alike(name, other).min(alike(domain, at)),
        _ => alike(one, other),
    }
}

fn alike(one: &str, other: &str) -> f64 {
    // In a short name one slip of the fingers changes much.
    let slip = one.len().min(other.len()) >= 3 && strsim::osa_distance(one, other) == 1;
    if slip { SLIP } else { strsim::jaro_winkler(one, other) }
}

/// A number with its noun.
pub(crate) fn number<N: std::fmt::Display + PartialEq + From<u8>>(count: N, one: &str, more: &str) -> String {
    format!("{count} {}", if count == N::from(1) { one } else { more })
}

/// How alike names are that one slip parts.
const SLIP: f64 = 0.95;

/// From this similarity on a name is suggested.
const NEAR: f64 = 0.85;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_alike_is_suggested() {
        let known = ["bob@example.org", "alice@example.org", "nora@example.org"];
        let hint = |given: &str| AdminError::not_found("account", given, known.map(str::to_owned)).hint.unwrap();
        for (given, near) in
            [("bbo@example.org", "bob"), ("alcie@example.org", "alice"), ("alice@exmaple.org", "alice")]
        {
            assert_eq!(hint(given), format!("did you mean {near}@example.org?"));
        }
        for given in ["nobody@example.org", "postmaster@example.org", "alice@far.test"] {
            assert_eq!(hint(given), "`relais account list` shows those there are", "{given}");
        }
    }
}
