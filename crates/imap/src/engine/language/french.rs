//! The French of an English text: whole, or with words and numbers in their places.

use std::borrow::Cow;

use super::{answers, syntax};

/// The French of what is said: an answer, or what is wrong with a command (`SELECT: expected a space at octet 10`).
pub(super) fn of(english: &str) -> Option<Cow<'static, str>> {
    answer(english).or_else(|| flaw(english).map(Cow::Owned))
}

fn answer(english: &str) -> Option<Cow<'static, str>> {
    whole(english, answers::WHOLE)
        .map(Cow::Borrowed)
        .or_else(|| with(english, answers::WITH, in_answer).map(Cow::Owned))
}

/// A flaw has the command in front, and behind it where it was found.
fn flaw(english: &str) -> Option<String> {
    let is_command = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_uppercase() || b == b' ');
    let (command, rest) = english
        .split_once(": ")
        .filter(|(command, _)| is_command(command))
        .map_or((None, english), |(c, r)| (Some(c), r));
    let (what, octet) = rest
        .rsplit_once(" at octet ")
        .filter(|(_, octet)| is_number(octet))
        .map_or((rest, None), |(what, octet)| (what, Some(octet)));
    let what = whole(what, syntax::WHOLE).map(str::to_owned).or_else(|| with(what, syntax::WITH, in_flaw))?;
    let mut french = command.map(|command| format!("{command} : ")).unwrap_or_default();
    french.push_str(&what);
    if let Some(octet) = octet {
        french.push_str(&format!(" à l'octet {octet}"));
    }
    Some(french)
}

fn whole(english: &str, table: &[(&str, &'static str)]) -> Option<&'static str> {
    table.iter().find(|(known, _)| *known == english).map(|(_, french)| *french)
}

/// With something in between.
fn with(english: &str, table: &[(&str, &str)], between: for<'a> fn(&'a str) -> Option<Cow<'a, str>>) -> Option<String> {
    table.iter().find_map(|(known, french)| {
        let (before, behind) = known.split_once("{}")?;
        let between = between(english.strip_prefix(before)?.strip_suffix(behind)?)?;
        Some(french.replace("{}", &between))
    })
}

/// Words that are known, a number, or a flaw.
fn in_answer(english: &str) -> Option<Cow<'_, str>> {
    match whole(english, answers::WORDS) {
        Some(known) => Some(Cow::Borrowed(known)),
        None if is_number(english) => Some(Cow::Borrowed(english)),
        None => flaw(english).map(Cow::Owned),
    }
}

/// Words that are known, all of them more than one; or a number or a word of the client's, as it was given back.
fn in_flaw(english: &str) -> Option<Cow<'_, str>> {
    let one_word = !english.is_empty() && english.bytes().all(|b| b.is_ascii_graphic());
    if one_word { Some(Cow::Borrowed(english)) } else { whole(english, syntax::WORDS).map(Cow::Borrowed) }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn say(english: &str) -> String {
        of(english).map_or_else(|| english.to_owned(), Cow::into_owned)
    }

    #[test]
    fn french_is_looked_up_and_what_is_missing_stays_english() {
        for (english, french) in [
            ("There is no such mailbox", "Ce dossier n'existe pas"),
            ("A message may have 77 octets at the most", "Un message peut avoir au plus 77 octets"),
            ("Too many mailboxes", "Trop de dossiers"),
            ("Too many subscriptions", "Trop d'abonnements"),
            ("Too many flying saucers", "Too many flying saucers"),
            ("SELECT: expected a space at octet 10", "SELECT : il faut un espace à l'octet 10"),
            ("expected a tag at octet 1", "il faut une étiquette à l'octet 1"),
            ("unknown command FOO:BAR", "commande inconnue : FOO:BAR"),
            (
                "UID FETCH: expected the end of the command at octet 20",
                "UID FETCH : la commande devrait finir à l'octet 20",
            ),
            ("UID: unknown UID command FOO", "UID : commande UID inconnue : FOO"),
            ("unknown command flags", "commande inconnue : flags"),
            ("SELECT: the parameter rights is not supported", "SELECT : le paramètre rights n'est pas pris en charge"),
            ("FETCH: unknown data item at? at octet 9", "FETCH : donnée à lire inconnue : at? à l'octet 9"),
            (
                "SETACL: rights are lowercase letters, Q is not",
                "SETACL : les droits sont des lettres minuscules, ce que Q n'est pas",
            ),
            (
                "FETCH: a message number is too large; it begins at octet 9",
                "FETCH : valeur trop grande pour un numéro de message ; elle commence à l'octet 9",
            ),
            (
                "That is no search: expected a search key at octet 1",
                "Ce n'est pas une recherche : il faut un critère de recherche à l'octet 1",
            ),
            ("Something: that nobody knows at octet 7", "Something: that nobody knows at octet 7"),
        ] {
            assert_eq!(say(english), french);
        }
    }

    #[test]
    fn texts_stand_once_and_on_one_line() {
        for table in [answers::WITH, answers::WORDS, answers::WHOLE, syntax::WITH, syntax::WORDS, syntax::WHOLE] {
            for (at, (english, french)) in table.iter().enumerate() {
                assert!(!french.contains(['\r', '\n']), "{french}");
                assert_eq!(english.matches("{}").count(), french.matches("{}").count(), "{english}");
                assert!(table.iter().skip(at + 1).all(|(other, _)| other != english), "{english}");
            }
        }
    }

    /// A word that stands alone may be the client's.
    #[test]
    fn what_can_be_expected_has_more_than_one_word() {
        let alone = |(english, _): &&(&str, &str)| !english.contains(' ');
        assert_eq!(syntax::WORDS.iter().find(alone), None);
    }

    /// The string literals of a source, as far as its own tests; octet strings and comments are none.
    fn literals(source: &str) -> Vec<String> {
        let source = source.split("#[cfg(test)]\nmod tests {").next().unwrap().as_bytes();
        let (mut found, mut at) = (Vec::new(), 0);
        while at < source.len() {
            let rest = &source[at..];
            if rest.starts_with(b"//") {
                at += rest.iter().position(|&b| b == b'\n').unwrap_or(rest.len());
            } else if rest.starts_with(b"'\"'") || rest.starts_with(b"'\\''") {
                at += 3;
            } else if rest[0] == b'"' {
                let mut end = 1;
                while rest[end] != b'"' {
                    end += if rest[end] == b'\\' { 2 } else { 1 };
                }
                if at == 0 || source[at - 1] != b'b' {
                    let text = String::from_utf8(rest[1..end].to_vec()).unwrap();
                    found.push(text.replace("\\\"", "\"").replace("\\\\", "\\"));
                }
                at += end + 1;
            } else {
                at += 1;
            }
        }
        found
    }

    /// The literals of a file, or of all files below a folder, with `{}` where something is put in; tests are left out.
    fn literals_of(path: &Path, found: &mut Vec<String>) {
        if ["tests.rs", "language"].contains(&path.file_name().unwrap().to_str().unwrap()) {
            return;
        }
        if path.is_dir() {
            for entry in std::fs::read_dir(path).unwrap() {
                literals_of(&entry.unwrap().path(), found);
            }
        } else {
            found.extend(literals(&std::fs::read_to_string(path).unwrap()).iter().map(|text| with_holes(text)));
        }
    }

    fn with_holes(text: &str) -> String {
        let mut parts = text.split('{');
        let mut whole = parts.next().unwrap().to_owned();
        for part in parts {
            let after = part.split_once('}').map_or(part, |(_, after)| after);
            whole.push_str("{}");
            whole.push_str(after);
        }
        whole
    }

    /// `LimitReached("x")` is answered by `Too many x`.
    fn limits_in(path: &Path, found: &mut Vec<String>) {
        if path.is_dir() {
            for entry in std::fs::read_dir(path).unwrap() {
                limits_in(&entry.unwrap().path(), found);
            }
        } else {
            let source = std::fs::read_to_string(path).unwrap();
            let named = source.split("LimitReached(\"").skip(1);
            found.extend(named.filter_map(|rest| rest.split('"').next()).map(str::to_owned));
        }
    }

    fn is_known(text: &str, tables: &[&[(&str, &str)]]) -> bool {
        tables.iter().any(|table| table.iter().any(|(known, _)| *known == text))
    }

    #[test]
    fn no_answer_is_without_its_french() {
        let mut found = Vec::new();
        literals_of(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
        // What is said to people begins with a capital and has words; what metrics are and what logs say is for administrators.
        let is_said = |text: &String| {
            text.starts_with(char::is_uppercase)
                && text.contains(' ')
                && text.contains(char::is_lowercase)
                && !text.ends_with('.')
                && !["SETACL: {}", "TLS handshake failed"].contains(&text.as_str())
        };
        found.retain(is_said);
        // `OK Expunged`: a word alone.
        let done = |source: &str| -> Vec<String> {
            let calls = source.split("Answer::ok(\"").skip(1);
            calls.filter_map(|call| call.split('"').next()).map(str::to_owned).collect()
        };
        for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/commands")).unwrap() {
            found.extend(done(&std::fs::read_to_string(entry.unwrap().path()).unwrap()));
        }
        let mut reasons = Vec::new();
        literals_of(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../storage/src/mailbox_name.rs"), &mut reasons);
        found.extend(reasons.into_iter().filter(|text| text.starts_with("it ")));
        let mut bounds = Vec::new();
        limits_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../storage/src"), &mut bounds);
        found.extend(bounds);
        assert!(found.len() > 100, "the sources are read: {found:?}");
        found.retain(|text| !is_known(text, &[answers::WHOLE, answers::WITH, answers::WORDS]));
        assert!(found.is_empty(), "{found:#?}");
    }

    /// `SELECT: expected a space` is put together from literals of the parsers.
    #[test]
    fn no_flaw_is_without_its_french() {
        let wire = Path::new(env!("CARGO_MANIFEST_DIR")).join("../imap-wire/src");
        let mut found = Vec::new();
        let parsers =
            ["grammar", "codec", "framer", "grammar.rs", "codec.rs", "framer.rs", "checks.rs", "mailbox_name.rs"];
        for path in parsers.into_iter().chain(["command/metadata.rs"]) {
            literals_of(&wire.join(path), &mut found);
        }
        let is_said = |text: &String| {
            text.contains(' ')
                && text.contains(char::is_lowercase)
                && !["the connection may have to be closed", "only between commands", "CommandText({} {}, {} octets)"]
                    .contains(&text.as_str())
        };
        found.retain(is_said);
        assert!(found.len() > 150, "the sources are read: {found:?}");
        found.retain(|text| {
            !is_known(text, &[syntax::WHOLE, syntax::WITH, syntax::WORDS])
                && !text.strip_prefix("expected ").is_some_and(|what| is_known(what, &[syntax::WORDS]))
        });
        assert!(found.is_empty(), "{found:#?}");
    }
}
