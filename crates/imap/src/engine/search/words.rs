//! Matching by words, for FUZZY (RFC 6203): a word is found where a word of the text is the same, has the same stem, or
//! begins with it. Case and accents don't matter.
//!
//! Stems are made by taking common endings of English, French, German and Dutch away: enough to find `meetings` by `meeting`,
//! not a study of language.

use message::casemap;

/// Words of one text to search for; more are not looked at.
pub(crate) const WORDS_MAX: usize = 16;

/// The score of a word that is there as it is.
pub(crate) const SAME: u8 = 100;

/// The score of a word with the same stem.
const STEM: u8 = 80;

/// The score of a word that begins with what is looked for.
const PREFIX: u8 = 60;

/// The shortest word that is found as a beginning, or by its stem, in characters.
const SHORT: usize = 3;

/// Endings, the longest first. What is left of a word has [`STEM_MIN`] characters at least.
const ENDINGS: [&str; 24] = [
    "EMENTS", "ATIONS", "EMENT", "ATION", "UNGEN", "ISSES", "INGS", "IONS", "UNG", "ING", "ION", "IES", "EUX", "ERN",
    "ENT", "EN", "ER", "ED", "ES", "EM", "Y", "E", "S", "N",
];

/// Characters that a stem has at least.
const STEM_MIN: usize = 3;

/// A word to look for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Word {
    text: String,
}

impl Word {
    /// How well a word of a text, folded as [`words`] gives it, matches; 0 when it does not.
    pub(crate) fn score(&self, word: &str) -> u8 {
        if self.text == word {
            return SAME;
        }
        if self.text.chars().nth(SHORT - 1).is_none() {
            return 0;
        }
        if word.starts_with(&self.text) {
            return PREFIX.max(if stem(&self.text) == stem(word) { STEM } else { 0 });
        }
        if stem(&self.text) == stem(word) { STEM } else { 0 }
    }
}

/// The words of a text that is looked for, each once.
pub(crate) fn wanted(text: &str) -> Vec<Word> {
    let mut wanted: Vec<Word> = Vec::new();
    words(text, |word| {
        if wanted.len() < WORDS_MAX && !wanted.iter().any(|known| known.text == word) {
            wanted.push(Word { text: word.to_owned() });
        }
        true
    });
    wanted
}

/// Gives each word of a text, folded, until `each` says no.
pub(crate) fn words(text: &str, mut each: impl FnMut(&str) -> bool) {
    let mut word = String::new();
    for character in casemap(text).chars().chain([' ']) {
        if character == 'ß' {
            word.push_str("SS");
        } else if character.is_alphanumeric() {
            word.push(character);
        } else if !is_mark(character) && !word.is_empty() {
            if !each(&word) {
                return;
            }
            word.clear();
        }
    }
}

/// A combining mark: what casemapping has split off a letter.
const fn is_mark(character: char) -> bool {
    matches!(character, '\u{300}'..='\u{36f}')
}

fn stem(word: &str) -> &str {
    let mut rest = word;
    // Twice: "meetings" loses its S with ING, "houses" its S and then its E.
    for _ in 0..2 {
        let shorter = ENDINGS
            .iter()
            .find_map(|ending| rest.strip_suffix(ending).filter(|left| left.chars().nth(STEM_MIN - 1).is_some()));
        match shorter {
            Some(shorter) => rest = shorter,
            None => break,
        }
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score(wanted_word: &str, word: &str) -> u8 {
        let mut best = 0;
        words(word, |word| {
            best = wanted(wanted_word)[0].score(word).max(best);
            true
        });
        best
    }

    #[test]
    fn words_are_found_by_stem_and_beginning() {
        for (looked_for, found) in
            [("meeting", "Meeting"), ("ecole", "École"), ("strasse", "Straße"), ("2026", "in 2026!")]
        {
            assert_eq!(score(looked_for, found), SAME, "{looked_for} {found}");
        }
        for (looked_for, found) in
            [("meetings", "meeting"), ("houses", "house"), ("réunion", "réunions"), ("Rechnungen", "Rechnung")]
        {
            assert_eq!(score(looked_for, found), STEM, "{looked_for} {found}");
        }
        assert_eq!(score("invoi", "invoices"), PREFIX);
        for (looked_for, not_found) in [("a", "ab"), ("meet", "team"), ("cat", "concatenate"), ("sing", "ring")] {
            assert_eq!(score(looked_for, not_found), 0, "{looked_for} {not_found}");
        }
    }

    #[test]
    fn a_text_has_each_word_once_and_not_too_many() {
        let all = wanted("one two, ONE! l'été");
        let all: Vec<&str> = all.iter().map(|word| word.text.as_str()).collect();
        assert_eq!(all, ["ONE", "TWO", "L", "ETE"]);
        let many: String = (0..100).map(|n| format!("w{n} ")).collect();
        assert_eq!(wanted(&many).len(), WORDS_MAX);
        assert!(wanted(" ?! ").is_empty());
    }
}
