//! The words of a text for `relais-fuzz-targets`, which give it any text. For nobody else.

/// The words in their order.
#[must_use]
pub fn words(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    crate::words::words(text, |word, _| found.push(word.to_owned()));
    found
}
