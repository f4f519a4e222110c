//! What is wrong with a configuration file, and where.

use std::fmt;
use std::path::{Path, PathBuf};

use super::Config;

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
        let span = error.span().unwrap_or(0..0);
        let written = text.get(span.clone()).unwrap_or_default();
        Self::at(file, text, span.start, helpful(error.message(), written))
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

/// serde's text, turned into ours where it names what it wanted: unknown keys and unknown words get a suggestion, wrong
/// types are told how to be written. `written` is what stands there.
fn helpful(message: &str, written: &str) -> String {
    if message.starts_with("duplicate key") {
        let key = written.trim_matches(|c: char| "[]\"' ".contains(c));
        return format!("the key `{key}` is here a second time; take one of them out");
    }
    if let Some((_, wanted)) = message.split_once(", expected ") {
        let wanted = wanted.lines().next().unwrap_or_default();
        if let Some(how) = written_like(wanted, message, written) {
            return how;
        }
    }
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
    if let Some(place) = (kind == "key").then(|| place_of(given)).flatten() {
        return place;
    }
    match nearest(given, known.iter().copied()) {
        Some(near) => format!("unknown {kind} `{given}`; did you mean `{near}`?"),
        None => format!("unknown {kind} `{given}`; known here: {}", known.join(", ")),
    }
}

/// How a value of the wanted type is written.
fn written_like(wanted: &str, message: &str, written: &str) -> Option<String> {
    Some(match wanted {
        "a sequence" if written.contains('\n') || written.starts_with('{') => {
            "this is a list: write it in brackets, as [\"…\"]".to_owned()
        }
        "a sequence" => format!("this is a list: write [{written}]"),
        "u8" | "u16" | "u32" | "u64" => whole_number(message, 0),
        "a boolean" => "write true or false here, without quotes".to_owned(),
        "a string" | "path string" => format!("this is a text: write it in quotes, as \"{written}\""),
        _ => return None,
    })
}

/// What a number has to be, when one of the type that serde names was not found.
pub(super) fn whole_number(message: &str, least: u32) -> String {
    if message.starts_with("invalid value: integer `") && !message.starts_with("invalid value: integer `-") {
        return "this number is too large".to_owned();
    }
    format!("this must be a whole number, at least {least}, without quotes or units")
}

/// Where a key belongs that stands in a wrong section.
fn place_of(key: &str) -> Option<String> {
    let all = toml::Table::try_from(Config::default()).ok()?;
    if all.get(key).is_some_and(|value| !value.is_table()) {
        return Some(format!("the key `{key}` belongs at the top of the file, before the first section"));
    }
    let mut places = Vec::new();
    places_of(key, &all, "", &mut places);
    (!places.is_empty()).then(|| format!("the key `{key}` belongs in {}", places.join(" or ")))
}

fn places_of(key: &str, table: &toml::Table, above: &str, places: &mut Vec<String>) {
    for (name, value) in table {
        let Some(inner) = value.as_table() else { continue };
        let path = format!("{above}{name}");
        match inner.get(key) {
            Some(value) if value.is_table() => places.push(format!("[{path}]: write [{path}.{key}]")),
            Some(_) => places.push(format!("[{path}]")),
            None => {}
        }
        places_of(key, inner, &format!("{path}."), places);
    }
}

/// The known name most like the given one, when one is like it at all.
pub(crate) fn nearest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let scored = known.into_iter().map(|name| (strsim::jaro_winkler(given, name), name));
    scored.filter(|(score, _)| *score > 0.8).max_by(|(a, _), (b, _)| a.total_cmp(b)).map(|(_, name)| name)
}
