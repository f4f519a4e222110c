//! What is wrong with a configuration file, and where.

use std::fmt;
use std::path::{Path, PathBuf};

/// Why a configuration was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ConfigError {
    /// The file can't be read.
    Unreadable { file: PathBuf, reason: String },
    /// The file says something that can't be.
    Wrong { file: PathBuf, line: usize, column: usize, message: String },
}

impl ConfigError {
    /// From what the TOML reader says, in words that help.
    pub(super) fn from_toml(file: &Path, text: &str, error: &toml::de::Error) -> Self {
        let at = error.span().map_or(0, |span| span.start);
        Self::at(file, text, at, helpful(error.message()))
    }

    /// A flaw at an offset of the text.
    pub(super) fn at(file: &Path, text: &str, offset: usize, message: String) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |start| start.chars().count()) + 1;
        Self::Wrong { file: file.to_owned(), line, column, message }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { file, reason } => write!(f, "{}: {reason}", file.display()),
            Self::Wrong { file, line, column, message } => {
                write!(f, "{}:{line}:{column}: {message}", file.display())
            }
        }
    }
}

impl std::error::Error for ConfigError {}

/// serde's text, turned into ours where it names what it wanted: unknown keys and unknown words get a suggestion.
fn helpful(message: &str) -> String {
    let mut names = message.split('`').skip(1).step_by(2);
    let (kind, rest) = if message.starts_with("unknown field ") {
        ("key", &mut names)
    } else if message.starts_with("unknown variant ") {
        ("value", &mut names)
    } else {
        return message.replace('\n', "; ");
    };
    let Some(given) = rest.next() else { return message.to_owned() };
    let known: Vec<&str> = rest.collect();
    match nearest(given, known.iter().copied()) {
        Some(near) => format!("unknown {kind} `{given}`; did you mean `{near}`?"),
        None => format!("unknown {kind} `{given}`; known here: {}", known.join(", ")),
    }
}

/// The known name most like the given one, when one is like it at all.
pub(crate) fn nearest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let scored = known.into_iter().map(|name| (strsim::jaro_winkler(given, name), name));
    scored.filter(|(score, _)| *score > 0.8).max_by(|(a, _), (b, _)| a.total_cmp(b)).map(|(_, name)| name)
}
