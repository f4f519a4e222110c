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

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, message)
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Something is not there; the nearest of what is there is named.
    pub(crate) fn not_found(what: &str, given: &str, known: impl IntoIterator<Item = String>) -> Self {
        let scored = known.into_iter().map(|name| (strsim::jaro_winkler(given, &name), name));
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
        } else if error.is_temporary() {
            ErrorKind::Unavailable
        } else {
            ErrorKind::Invalid
        };
        Self::new(kind, error.to_string())
    }
}

/// From this similarity on a name is suggested.
const NEAR: f64 = 0.85;
