//! What is meant by a word or an option that is not there: clap's own suggestions, without those that only share some letters with it, and
//! the names that other programs have for the same.

use clap::Command;
use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, Error, ErrorKind};

/// The same error with better tips.
pub(super) fn better(mut error: Error, command: &Command, arguments: &[std::ffi::OsString]) -> Error {
    if error.kind() == ErrorKind::InvalidSubcommand {
        subcommand(&mut error, command, arguments);
    } else if error.kind() == ErrorKind::UnknownArgument {
        option(&mut error);
    }
    error
}

fn subcommand(error: &mut Error, command: &Command, arguments: &[std::ffi::OsString]) {
    let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidSubcommand) else { return };
    let word = word.clone();
    // No command takes a word that begins like an option, or is one of its names, for a value.
    error.remove(ContextKind::Suggested);
    let (path, here) = reached(command, arguments, &word);
    if word == "help" {
        error.remove(ContextKind::SuggestedSubcommand);
        let tip = StyledStr::from(format!("'{path} --help' lists what there is"));
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip]));
        return;
    }
    let mut names: Vec<&str> = here.get_subcommands().map(Command::get_name).collect();
    names.sort_unstable();
    let mut near: Vec<&str> = called_otherwise(&word).filter(|name| names.contains(name)).collect();
    if near.is_empty() {
        let least = names.iter().map(|name| slips(&word, name)).min().unwrap_or(usize::MAX);
        near.extend(names.iter().filter(|name| is_near(&word, name) && slips(&word, name) == least));
    }
    if near.is_empty() {
        error.remove(ContextKind::SuggestedSubcommand);
        let tip = StyledStr::from(format!("there are: {}", names.join(", ")));
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip]));
    } else {
        let near = near.into_iter().map(str::to_owned).collect();
        error.insert(ContextKind::SuggestedSubcommand, ContextValue::Strings(near));
    }
}

fn option(error: &mut Error) {
    // "to pass '--x' as a value, use '-- --x'": no address begins so.
    error.remove(ContextKind::Suggested);
    let said = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(said)) => said.clone(),
        _ => return,
    };
    if let Some(ContextValue::String(near)) = error.get(ContextKind::SuggestedArg)
        && !is_near(said.trim_start_matches('-'), near.trim_start_matches('-'))
    {
        error.remove(ContextKind::SuggestedArg);
    }
}

/// The command in front of a word, and how it is typed.
fn reached<'a>(command: &'a Command, arguments: &[std::ffi::OsString], word: &str) -> (String, &'a Command) {
    let (mut path, mut here) = (command.get_name().to_owned(), command);
    for argument in arguments.iter().skip(1).filter_map(|argument| argument.to_str()) {
        match here.find_subcommand(argument) {
            Some(below) => {
                path = format!("{path} {argument}");
                here = below;
            }
            None if argument == word => break,
            None => {}
        }
    }
    (path, here)
}

/// What others call by this word is called here.
fn called_otherwise(word: &str) -> impl Iterator<Item = &'static str> {
    OTHER_NAMES.iter().filter(move |(_, words)| words.contains(&word)).map(|(name, _)| *name)
}

const OTHER_NAMES: [(&str, &[&str]); 16] = [
    ("account", &["user", "users", "mailbox", "mailboxes", "person", "people"]),
    ("alias", &["forward", "forwards", "redirect", "redirects"]),
    ("responder", &["autoreply", "autoresponder", "vacation", "absence", "ooo"]),
    ("queue", &["mailq", "spool"]),
    ("trace", &["log", "logs", "history"]),
    ("explain", &["test", "try", "why", "route"]),
    ("ban", &["block", "blacklist", "blocklist"]),
    ("suppression", &["blacklist", "blocklist"]),
    ("serve", &["start", "run", "server", "daemon"]),
    ("init", &["setup", "install"]),
    ("check", &["fsck", "verify"]),
    ("add", &["create", "new", "insert"]),
    ("remove", &["delete", "del", "rm", "destroy", "drop", "unset"]),
    ("set", &["edit", "modify", "change", "update", "configure", "enable", "disable"]),
    ("list", &["ls", "all"]),
    ("show", &["get", "info", "view", "status", "describe"]),
];

/// Whether a word may be a slip for a name: a letter of three at the most is wrong.
fn is_near(word: &str, name: &str) -> bool {
    slips(word, name) <= (name.chars().count() / 3).max(1)
}

/// Letters that are wrong, missing, too many, or in the order of their neighbours (the restricted distance of Damerau and Levenshtein).
fn slips(word: &str, name: &str) -> usize {
    let (word, name): (Vec<char>, Vec<char>) = (word.chars().take(WORD_CHARS_MAX).collect(), name.chars().collect());
    let at = |row: &[usize], place: usize| row.get(place).copied().unwrap_or(usize::MAX / 2);
    let (mut before, mut last): (Vec<usize>, Vec<usize>) = (Vec::new(), (0..=name.len()).collect());
    for (i, letter) in word.iter().enumerate() {
        let mut row = vec![i.saturating_add(1)];
        for (j, other) in name.iter().enumerate() {
            let changed = at(&last, j).saturating_add(usize::from(letter != other));
            let shorter = at(&last, j.saturating_add(1)).saturating_add(1);
            let longer = at(&row, j).saturating_add(1);
            let turned = i > 0
                && j > 0
                && word.get(i.saturating_sub(1)) == Some(other)
                && name.get(j.saturating_sub(1)) == Some(letter);
            let turned = if turned { at(&before, j.saturating_sub(1)).saturating_add(1) } else { usize::MAX };
            row.push(changed.min(shorter).min(longer).min(turned));
        }
        before = std::mem::replace(&mut last, row);
    }
    at(&last, name.len())
}

/// Longer words are no slips.
const WORD_CHARS_MAX: usize = 40;

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::Cli;

    fn told(line: &str) -> String {
        let (command, arguments): (Command, Vec<_>) = (Cli::command(), line.split(' ').map(Into::into).collect());
        let error = command.clone().try_get_matches_from(&arguments).map(drop).unwrap_err();
        better(error, &command, &arguments).to_string()
    }

    #[test]
    fn a_slip_is_put_right() {
        assert_eq!([("domian", "domain"), ("", "set"), ("acount", "account")].map(|(a, b)| slips(a, b)), [1, 3, 1]);
        for (line, tip) in [
            ("relais domian list", "tip: a similar subcommand exists: 'domain'"),
            ("relais accounts", "tip: a similar subcommand exists: 'account'"),
            ("relais account lst", "tip: a similar subcommand exists: 'list'"),
            ("relais account shwo alice@example.org", "tip: a similar subcommand exists: 'show'"),
            ("relais account list --domian example.org", "tip: a similar argument exists: '--domain'"),
            ("relais alias add info@example.org --too bob@example.org", "tip: a similar argument exists: '--to'"),
        ] {
            assert!(told(line).contains(tip), "{line}: {}", told(line));
        }
    }

    #[test]
    fn other_programs_words_are_understood() {
        for (line, name) in [
            ("relais user add alice@example.org", "account"),
            ("relais mailq", "queue"),
            ("relais start", "serve"),
            ("relais alias delete info@example.org", "remove"),
            ("relais account create alice@example.org", "add"),
            ("relais --json group update board@example.org", "set"),
        ] {
            let tip = format!("tip: a similar subcommand exists: '{name}'");
            assert!(told(line).contains(&tip), "{line}: {}", told(line));
        }
    }

    #[test]
    fn nothing_is_suggested_that_only_looks_alike() {
        let help = told("relais help account");
        assert!(help.contains("tip: 'relais --help' lists what there is") && !help.contains("'health'"), "{help}");
        assert!(told("relais account help").contains("tip: 'relais account --help' lists"));
        let none = told("relais ban frobnicate");
        assert!(none.contains("tip: there are: add, list, remove, show") && !none.contains("similar"), "{none}");
        for line in ["relais account add alice@example.org --frobnicate", "relais health --verbose"] {
            assert!(!told(line).contains("tip:"), "{line}: {}", told(line));
        }
    }
}
