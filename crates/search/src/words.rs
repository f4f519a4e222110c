//! From text to words: without case, without marks, in one form for what looks alike; the same for what is stored and
//! for what is looked for.
//!
//! A word is a run of letters and digits. Writing without spaces (Han, Kana) gives each two neighbours as one word, and
//! a character that stands alone as one. A long word is kept in overlapping pieces.
//!
//! **Invariant:** each character is folded by itself, so that a text that contains another still does when both are
//! folded; and what a case mapping or a decomposition makes of a character folds to what the character does.

use unicode_normalization::char::{decompose_compatible, is_combining_mark};

use crate::limits::{PIECE_STEP, WORD_CHARS_MAX};

/// What a run of characters is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Script {
    /// Letters and digits of a writing with spaces.
    Spaced,
    /// Characters of a writing without.
    Unspaced,
}

/// Which script a folded character belongs to; `None`: it parts words.
fn script(c: char) -> Option<Script> {
    let unspaced = matches!(c,
        '\u{3040}'..='\u{30FF}' | '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}'
        | '\u{20000}'..='\u{3FFFF}');
    match (unspaced, c.is_alphanumeric()) {
        (true, true) => Some(Script::Unspaced),
        (false, true) => Some(Script::Spaced),
        (_, false) => None,
    }
}

/// What a character is compared as. Marks fold to nothing.
fn fold(c: char, sink: &mut impl FnMut(char)) {
    if c.is_ascii() {
        sink(c.to_ascii_lowercase());
        return;
    }
    decompose_compatible(c, |part| {
        // A mark that has a capital is a letter: the iota below a Greek one.
        if is_combining_mark(part) && part != IOTA_BELOW {
            return;
        }
        // Small, capital, small: that brings together what has one capital and two small forms, or the other way round.
        for capital in part.to_lowercase().flat_map(char::to_uppercase) {
            decompose_compatible(capital, |part| {
                for small in part.to_lowercase() {
                    decompose_compatible(small, |small| match small {
                        small if is_combining_mark(small) => {}
                        // The one letter whose small form depends on what stands beside it.
                        'ς' => sink('σ'),
                        small => sink(small),
                    });
                }
            });
        }
    });
}

const IOTA_BELOW: char = '\u{345}';

/// A run of characters of one script.
struct Run<'t> {
    text: &'t str,
    chars: usize,
    script: Script,
    /// Nothing stands in front of it that would part it from what was there before.
    open_start: bool,
    /// Nothing stands behind it.
    open_end: bool,
    /// It stands in the text as it is but for the case of its letters, which are ASCII.
    exact: bool,
}

fn runs(text: &str, mut sink: impl FnMut(Run<'_>)) {
    let mut current = String::new();
    let (mut chars, mut of, mut parted, mut exact) = (0_usize, None, false, true);
    let mut end = |current: &mut String, chars: &mut usize, of: Option<Script>, parted: bool, exact: bool, open_end| {
        if let Some(script) = of.filter(|_| !current.is_empty()) {
            sink(Run { text: current, chars: *chars, script, open_start: !parted, open_end, exact });
        }
        current.clear();
        *chars = 0;
    };
    for c in text.chars() {
        exact = exact && c.is_ascii();
        let ascii = c.is_ascii();
        fold(c, &mut |c| {
            let script = script(c);
            if script != of {
                if of.is_some() {
                    end(&mut current, &mut chars, of, parted, exact, false);
                }
                // Whatever comes next is behind a border, unless this is the first character of all.
                parted = parted || of.is_some();
                of = script;
                exact = ascii;
            }
            parted = parted || script.is_none();
            if script.is_some() {
                current.push(c);
                chars = chars.saturating_add(1);
            }
        });
    }
    end(&mut current, &mut chars, of, parted, exact, true);
}

/// Gives each word of a text, as it is stored, in order; one that comes twice is given twice. With each, whether it stands
/// there as it is but for the case of its letters: whoever looks for a part of such a word finds it in the text.
pub(crate) fn words(text: &str, mut sink: impl FnMut(&str, bool)) {
    runs(text, |run| {
        let mut sink = |word: &str| sink(word, run.exact);
        match run.script {
            Script::Spaced if run.chars <= WORD_CHARS_MAX => sink(run.text),
            Script::Spaced => pieces(run.text, &mut sink),
            Script::Unspaced => neighbours(run.text, &mut sink),
        }
    });
}

/// Whether a text has a word at all.
#[must_use]
pub fn has_words(text: &str) -> bool {
    let mut any = false;
    words(text, |_, _| any = true);
    any
}

/// The overlapping pieces of a long word; the last one ends with it.
fn pieces(word: &str, sink: &mut impl FnMut(&str)) {
    let bounds: Vec<usize> = word.char_indices().map(|(at, _)| at).chain([word.len()]).collect();
    let chars = bounds.len().saturating_sub(1);
    for start in (0..chars).step_by(PIECE_STEP) {
        let end = start.saturating_add(WORD_CHARS_MAX).min(chars);
        if let (Some(from), Some(to)) = (bounds.get(start), bounds.get(end)) {
            sink(word.get(*from..*to).unwrap_or_default());
        }
        if end == chars {
            break;
        }
    }
}

/// Each two characters that stand side by side; one that has no neighbour.
fn neighbours(run: &str, sink: &mut impl FnMut(&str)) {
    let mut pairs = run.char_indices().zip(run.char_indices().skip(1)).peekable();
    if pairs.peek().is_none() {
        sink(run);
    }
    for ((start, _), (second, c)) in pairs {
        sink(run.get(start..second.saturating_add(c.len_utf8())).unwrap_or_default());
    }
}

/// What a text that contains the needle has among its words.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum WordTest {
    /// This word.
    Is(String),
    /// One that begins so.
    Begins(String),
    /// One that ends so.
    Ends(String),
    /// One that contains this.
    Contains(String),
}

/// The tests that every text with the needle in it passes, the telling ones first.
pub(crate) fn tests(needle: &str) -> Vec<WordTest> {
    let mut tests = Vec::new();
    runs(needle, |run| match run.script {
        // It may be the end of one piece and the start of the next; its first half is within one of them.
        Script::Spaced if run.chars > PIECE_STEP => {
            let end = run.text.char_indices().nth(PIECE_STEP).map_or(run.text.len(), |(at, _)| at);
            tests.push(WordTest::Contains(run.text.get(..end).unwrap_or_default().to_owned()));
        }
        Script::Spaced => {
            let text = run.text.to_owned();
            tests.push(match (run.open_start, run.open_end) {
                (false, false) => WordTest::Is(text),
                (false, true) => WordTest::Begins(text),
                (true, false) => WordTest::Ends(text),
                (true, true) => WordTest::Contains(text),
            });
        }
        Script::Unspaced if run.chars == 1 => tests.push(WordTest::Contains(run.text.to_owned())),
        Script::Unspaced => neighbours(run.text, &mut |pair| tests.push(WordTest::Is(pair.to_owned()))),
    });
    // One that is not cheap to look up and says next to nothing is left to the message itself.
    tests.retain(|test| test.chars() > 1 || !test.reads_all() || test.is_unspaced());
    tests.sort_by_key(|test| (test.reads_all(), std::cmp::Reverse(test.chars())));
    tests.dedup();
    tests
}

/// Whether a text has the needle for sure, without regard to case, when a word that stands in it as it is passes all
/// [`tests`]. The needle is folded, as `i;unicode-casemap` does it: what is small in it came from a character that is taken
/// apart after its case was mapped ("№" is "No", "ﬁ" is "fi"; RFC 5051 §2), and a text has it by such a character only.
pub(crate) fn is_part_of_a_word(needle: &str) -> bool {
    needle.len() <= PIECE_STEP && needle.bytes().all(|octet| octet.is_ascii_digit() || octet.is_ascii_uppercase())
}

impl WordTest {
    /// What is looked for.
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Is(text) | Self::Begins(text) | Self::Ends(text) | Self::Contains(text) => text,
        }
    }

    /// Whether the words that pass can be anywhere in the order of words.
    pub(crate) fn reads_all(&self) -> bool {
        match self {
            Self::Is(_) | Self::Begins(_) => false,
            Self::Ends(_) | Self::Contains(_) => true,
        }
    }

    fn chars(&self) -> usize {
        self.text().chars().count()
    }

    fn is_unspaced(&self) -> bool {
        self.text().chars().next().and_then(script) == Some(Script::Unspaced)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(text: &str) -> Vec<String> {
        let mut found = Vec::new();
        words(text, |word, _| found.push(word.to_owned()));
        found
    }

    fn passes(words: &[String], test: &WordTest) -> bool {
        words.iter().any(|word| match test {
            WordTest::Is(text) => word == text,
            WordTest::Begins(text) => word.starts_with(text.as_str()),
            WordTest::Ends(text) => word.ends_with(text.as_str()),
            WordTest::Contains(text) => word.contains(text.as_str()),
        })
    }

    #[test]
    fn words_are_runs_of_letters_and_digits_without_case_and_marks() {
        assert_eq!(all("Das Mädchen, 12× groß:\r\nEN-Route"), ["das", "madchen", "12", "gross", "en", "route"]);
        assert_eq!(all("ΟΔΟΣ ﬁn １２"), ["οδοσ", "fin", "12"]);
        assert_eq!(all("a1東京都b 京"), ["a1", "東京", "京都", "b", "京"]);
        assert_eq!(all(" --\u{301} "), Vec::<String>::new());
    }

    #[test]
    fn a_long_word_is_kept_in_pieces() {
        let long = "abcdefghij".repeat(10);
        let pieces = all(&long);
        assert_eq!(pieces.iter().map(String::len).collect::<Vec<_>>(), [48, 48, 48, 28]);
        assert_eq!(tests(&long), [WordTest::Contains(long[..PIECE_STEP].to_owned())]);
    }

    #[test]
    fn what_is_ascii_as_it_stands_is_exact() {
        let mut found = Vec::new();
        let text = "Plain caf\u{e9} cafe\u{301}s cafe\u{301} naive\u{2026}x \u{ff11}2 \u{bd} \u{301}A1 \u{6771}a";
        words(text, |word, exact| found.push((word.to_owned(), exact)));
        let found: Vec<(&str, bool)> = found.iter().map(|(word, exact)| (word.as_str(), *exact)).collect();
        // A mark or an ellipsis right behind a word makes it doubtful, which costs a look at the message.
        let plain = [("plain", true), ("a1", true), ("a", true), ("x", true)];
        assert!(plain.iter().all(|pair| found.contains(pair)), "{found:?}");
        assert_eq!(found.iter().filter(|(_, exact)| *exact).count(), plain.len(), "{found:?}");
        assert!(is_part_of_a_word("CAF3") && !is_part_of_a_word("CA FE") && !is_part_of_a_word("CAF\u{c9}"));
        for apart in ["\u{2116}", "\u{fb01}", "\u{338f}", "\u{1f2}", "a\u{fb01}b"] {
            assert!(!is_part_of_a_word(&message::casemap(apart)), "{apart}");
        }
        assert!(!is_part_of_a_word(&"a".repeat(PIECE_STEP + 1)));
    }

    #[test]
    fn a_needle_says_where_its_words_begin_and_end() {
        let word = |text: &str| text.to_owned();
        assert_eq!(tests("voice"), [WordTest::Contains(word("voice"))]);
        assert_eq!(tests(" voice"), [WordTest::Begins(word("voice"))]);
        assert_eq!(tests("voice."), [WordTest::Ends(word("voice"))]);
        let three = [WordTest::Is(word("the")), WordTest::Begins(word("co")), WordTest::Ends(word("of"))];
        assert_eq!(tests("of the co"), three);
        assert_eq!(tests("a"), []);
        assert_eq!(tests("京"), [WordTest::Contains(word("京"))]);
        assert_eq!(tests("x東京"), [WordTest::Is(word("東京"))]);
        assert_eq!(tests("東京都"), [WordTest::Is(word("東京")), WordTest::Is(word("京都"))]);
    }

    fn folded(text: &str) -> String {
        let mut folded = String::new();
        text.chars().for_each(|c| fold(c, &mut |c| folded.push(c)));
        folded
    }

    #[test]
    fn every_form_of_a_character_folds_alike() {
        for c in '\u{80}'..=char::MAX {
            let once = folded(&c.to_string());
            assert_eq!(folded(&c.to_lowercase().to_string()), once, "small {c:?} {:04x}", c as u32);
            assert_eq!(folded(&once), once, "again {c:?} {:04x}", c as u32);
            // What IMAP compares by default (RFC 5051).
            assert_eq!(folded(&message::casemap(&c.to_string())), once, "casemap {c:?} {:04x}", c as u32);
        }
    }

    proptest! {
        /// The heart of it: no text that contains the needle fails a test, also when both were put in small letters.
        #[test]
        fn what_contains_the_needle_passes(
            text in "[a-cA-C1 .ßÄéΣσςİı東京ー\u{301}\r\n-]{0,120}",
            start in 0_usize..120,
            length in 0_usize..60,
        ) {
            let chars: Vec<char> = text.chars().collect();
            let start = start.min(chars.len());
            let needle: String = chars[start..(start + length).min(chars.len())].iter().collect();
            let casemapped = (message::casemap(&text), message::casemap(&needle));
            for (text, needle) in [(text.clone(), needle.clone()), (text.to_lowercase(), needle.to_lowercase()), casemapped] {
                let words = all(&text);
                for test in tests(&needle) {
                    prop_assert!(passes(&words, &test), "{text:?} has {needle:?}, not {test:?}");
                }
            }
        }

        /// What the index says of a text without reading it: who passes by a word that stands there as it is has the needle,
        /// however texts are compared without case.
        #[test]
        fn what_passes_by_an_exact_word_contains_the_needle(
            text in "[a-cA-C1nofikgdz .\u{2116}\u{338f}\u{1f2}\u{df}\u{c4}\u{e9}\u{3a3}\u{3c3}\u{130}\u{131}\u{6771}\u{301}\u{fb01}\u{bd}\u{2026}\r\n-]{0,60}",
            needle in "[a-cA-C1]{2,4}|[NFo]{0,1}[\u{2116}\u{fb01}\u{338f}\u{1f2}a1]{1,2}",
        ) {
            let needle = message::casemap(&needle);
            let tests = tests(&needle);
            prop_assume!(is_part_of_a_word(&needle) && tests.len() == 1);
            let mut exact = Vec::new();
            words(&text, |word, is| if is { exact.push(word.to_owned()) });
            if tests.iter().all(|test| passes(&exact, test)) {
                prop_assert!(message::casemap(&text).contains(&needle), "{text:?} {needle:?}");
                prop_assert!(text.to_ascii_uppercase().contains(&needle), "{text:?} {needle:?}");
            }
        }

        #[test]
        fn long_words_too(text in "[ab1]{0,200}", start in 0_usize..200, length in 0_usize..70) {
            let needle = &text[start.min(text.len())..(start + length).min(text.len())];
            let needles = [needle.to_owned(), format!(" {needle}"), format!("{needle} ")];
            let texts = [text.clone(), format!("- {needle}{text}"), format!("{text}{needle} -")];
            for (text, needle) in texts.iter().zip(needles) {
                for test in tests(&needle) {
                    prop_assert!(passes(&all(text), &test), "{text:?} has {needle:?}, not {test:?}");
                }
            }
        }
    }
}
