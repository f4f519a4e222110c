//! The subject of an answer (A2).

use crate::limits::ANSWER_SUBJECT_CHARS_MAX as SUBJECT_CHARS_MAX;

/// The responder's own subject; without one, its prefix and the decoded subject of the message, the prefix not twice.
/// One line, whatever the message had.
#[must_use]
pub(super) fn answer_subject(own: &str, prefix: &str, original: &str) -> String {
    let own = one_line(own);
    if !own.is_empty() {
        return cut(own, SUBJECT_CHARS_MAX);
    }
    let (prefix, original) = (one_line(prefix), one_line(original));
    if prefix.is_empty() || begins_with(&original, &prefix) {
        return cut(original, SUBJECT_CHARS_MAX);
    }
    if original.is_empty() {
        return cut(prefix, SUBJECT_CHARS_MAX);
    }
    cut(format!("{prefix} {original}"), SUBJECT_CHARS_MAX)
}

/// Every control character a space, no space twice, none at the ends.
#[must_use]
pub fn one_line(text: &str) -> String {
    let spaced = text.split(|c: char| c.is_control() || c.is_whitespace());
    spaced.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// The first so many characters of a text.
#[must_use]
pub fn cut(text: String, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        Some((at, _)) => text.get(..at).unwrap_or(&text).trim_end().to_owned(),
        None => text,
    }
}

/// Whether a text begins with another, in any case.
fn begins_with(text: &str, start: &str) -> bool {
    text.to_lowercase().starts_with(&start.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn subject(own: &str, prefix: &str, original: &str) -> String {
        answer_subject(own, prefix, original)
    }

    #[test]
    fn a02_the_prefix_stands_before_the_original_subject() {
        for (own, prefix, original, expected) in [
            ("", "Re:", "Hello", "Re: Hello"),
            ("", "Re:", "RE: Hello", "RE: Hello"),
            ("", " Absence : ", "Été", "Absence : Été"),
            ("", "Absence", "ABSENCE Été", "ABSENCE Été"),
            ("", "Re:", "", "Re:"),
            ("", "", "Hello", "Hello"),
            ("On holiday", "Re:", "Hello", "On holiday"),
            ("  ", "Re:", "a\r\nBcc: evil@x.example", "Re: a Bcc: evil@x.example"),
            ("a\nb\u{0}c", "", "x", "a b c"),
        ] {
            assert_eq!(subject(own, prefix, original), expected);
        }
        assert_eq!(subject("", "Re:", &"é".repeat(1000)).chars().count(), SUBJECT_CHARS_MAX);
    }

    proptest! {
        #[test]
        fn a_subject_is_one_bounded_line(own in "\\PC{0,3}", prefix: String, original: String) {
            let made = subject(&own, &prefix, &original);
            prop_assert!(!made.chars().any(char::is_control));
            prop_assert!(made.chars().count() <= SUBJECT_CHARS_MAX);
        }
    }
}
