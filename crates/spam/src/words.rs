//! The words of a text, in any script.
//!
//! A word is letters and digits in a row (Unicode), in lower case, with an apostrophe between two letters. Where words are not
//! set apart (Chinese, Japanese, Thai), two characters in a row are a word.

use std::mem::take;

use crate::limits::{WORD_CHARS_MAX, WORDS_MAX};
use crate::tokens::{Place, Tokens};

/// What there was beside the words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Oddities {
    /// Characters that nobody sees, between two letters.
    pub(crate) invisible: usize,
    /// Words of letters of two scripts that look alike.
    pub(crate) mixed: usize,
    /// Words that were looked at.
    pub(crate) words: usize,
}

/// Takes the words of texts one behind the other.
pub(crate) struct Words<'t> {
    tokens: &'t mut Tokens,
    pub(crate) odd: Oddities,
}

impl<'t> Words<'t> {
    pub(crate) fn new(tokens: &'t mut Tokens) -> Self {
        Self { tokens, odd: Oddities::default() }
    }

    /// Adds the words of a text, and each two in a row.
    pub(crate) fn add(&mut self, place: Place, text: &str) {
        let mut state = Line { place, word: String::new(), chars: 0, before: String::new(), dense: None };
        let mut hidden = 0_usize;
        for c in text.chars() {
            if self.odd.words >= WORDS_MAX {
                return;
            }
            if is_invisible(c) {
                hidden = hidden.saturating_add(1);
                continue;
            }
            if is_dense(c) {
                self.end_word(&mut state);
                self.dense(&mut state, c);
            } else if c.is_alphanumeric() || (matches!(c, '\'' | '\u{2019}') && state.chars > 0) {
                state.dense = None;
                if hidden > 0 && state.chars > 0 && c.is_alphanumeric() {
                    self.odd.invisible = self.odd.invisible.saturating_add(hidden);
                }
                state.chars = state.chars.saturating_add(1);
                if state.chars <= WORD_CHARS_MAX {
                    match c {
                        '\u{2019}' => state.word.push('\''),
                        c if c.is_ascii() => state.word.push(c.to_ascii_lowercase()),
                        c => state.word.extend(c.to_lowercase()),
                    }
                }
            } else {
                self.end_word(&mut state);
                state.dense = None;
                // A sentence ends: what comes next is no pair with what was.
                if matches!(c, '.' | '!' | '?' | ';' | ':' | '\n') {
                    state.before.clear();
                }
            }
            hidden = 0;
        }
        self.end_word(&mut state);
    }

    fn end_word(&mut self, state: &mut Line) {
        let chars = take(&mut state.chars);
        if chars == 0 {
            return;
        }
        let word = take(&mut state.word);
        let word = word.trim_end_matches('\'');
        if chars > WORD_CHARS_MAX || word.chars().all(char::is_numeric) && chars > 4 {
            state.before.clear();
            return;
        }
        self.odd.words = self.odd.words.saturating_add(1);
        self.odd.mixed = self.odd.mixed.saturating_add(usize::from(is_mixed(word)));
        if chars > 2 {
            self.tokens.add(state.place, word);
        }
        if !state.before.is_empty() && chars > 1 {
            self.tokens.add_pair(state.place, &state.before, word);
        }
        state.before.clear();
        if chars > 1 {
            state.before.push_str(word);
        }
    }

    fn dense(&mut self, state: &mut Line, c: char) {
        if let Some(before) = state.dense.replace(c) {
            self.odd.words = self.odd.words.saturating_add(1);
            let mut octets = String::with_capacity(8);
            octets.extend([before, c]);
            self.tokens.add(state.place, &octets);
        }
        state.before.clear();
    }
}

struct Line {
    place: Place,
    word: String,
    /// Of the word, also those that are too many.
    chars: usize,
    /// The word before, in the same sentence.
    before: String,
    /// The character before, in a script without gaps.
    dense: Option<char>,
}

/// Characters without a width that no language needs within a word. (U+200C and U+200D are needed, and a soft hyphen is honest.)
const fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200B}' | '\u{2060}' | '\u{FEFF}' | '\u{180E}')
}

/// Scripts that set no gaps between words.
const fn is_dense(c: char) -> bool {
    matches!(c, '\u{0E00}'..='\u{0E7F}' | '\u{3041}'..='\u{30FF}' | '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}' | '\u{20000}'..='\u{2FA1F}')
}

/// Latin letters and Cyrillic or Greek ones in one word: no language writes so.
fn is_mixed(word: &str) -> bool {
    if word.is_ascii() {
        return false;
    }
    let latin = word.chars().any(|c| c.is_ascii_lowercase());
    let other = word.chars().any(|c| matches!(c, '\u{0370}'..='\u{03FF}' | '\u{0400}'..='\u{04FF}'));
    latin && other
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> (Vec<String>, Oddities) {
        let mut tokens = Tokens::default();
        let mut words = Words::new(&mut tokens);
        words.add(Place::Body, text);
        let odd = words.odd;
        (tokens.finish().into_iter().map(|token| token.text).collect(), odd)
    }

    #[test]
    fn words_and_pairs_of_every_script() {
        for (text, expected) in [
            ("Free PILLS, now.", &["free", "pills", "free pills", "now", "pills now"][..]),
            ("One. Two", &["one", "two"]),
            ("it's l\u{2019}\u{e9}t\u{e9}", &["it's", "l'\u{e9}t\u{e9}", "it's l'\u{e9}t\u{e9}"]),
            (
                "\u{411}\u{415}\u{421}\u{41f}\u{41b}\u{410}\u{422}\u{41d}\u{41e}",
                &["\u{431}\u{435}\u{441}\u{43f}\u{43b}\u{430}\u{442}\u{43d}\u{43e}"],
            ),
            ("\u{7121}\u{6599}\u{3067}\u{3059}", &["\u{7121}\u{6599}", "\u{6599}\u{3067}", "\u{3067}\u{3059}"]),
            ("a an the", &["the", "an the"]),
            ("12345678 ab12", &["ab12"]),
            ("in 2026", &["2026", "in 2026"]),
        ] {
            assert_eq!(words(text).0, expected, "{text}");
        }
        assert!(words(&"x".repeat(WORD_CHARS_MAX + 1)).0.is_empty());
        assert_eq!(words(&"x".repeat(WORD_CHARS_MAX)).0.len(), 1);
    }

    #[test]
    fn what_hides_a_word_does_not_hide_it() {
        let (found, odd) = words("v\u{200B}ia\u{2060}gra");
        assert_eq!((found, odd.invisible), (vec!["viagra".to_owned()], 2));
        // The padding of newsletters stands between no letters.
        assert_eq!(words("hello \u{200B}\u{200B} world").1.invisible, 0);
        assert_eq!(words("p\u{430}ypal \u{43f}\u{440}\u{438}\u{432}\u{435}\u{442} paypal").1.mixed, 1);
    }

    #[test]
    fn so_many_words_and_no_more() {
        let text = (0..3 * WORDS_MAX).map(|n| format!("w{n}")).collect::<Vec<_>>().join(". ");
        assert_eq!(words(&text).1.words, WORDS_MAX);
    }
}
