//! The words of texts, as the full-text index has them.

use search::fuzzing::words as cut_into_words;

/// A text that is a part of another has, but for its first and last word, no words that the other lacks: else SEARCH would
/// miss what is there.
pub(crate) fn words(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let all = cut_into_words(&text);
    for word in &all {
        assert!(!word.is_empty(), "a word is not nothing");
        assert_eq!(cut_into_words(word), std::slice::from_ref(word), "a word is its own word");
    }
    assert_eq!(search::has_words(&text), !all.is_empty());
    // Parted from its surroundings by spaces, a text keeps its words.
    let spaced = cut_into_words(&format!("before {text} behind"));
    assert!(all.iter().all(|word| spaced.contains(word)), "{text:?}");
}
