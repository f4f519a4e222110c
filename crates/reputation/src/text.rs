//! Words of others inside of sentences of this server: bounded, printable ASCII.

/// A text as a reply and a header field can hold it: printable ASCII, no control characters, so many characters at the most.
#[must_use]
pub fn printable(text: &str, chars_max: usize) -> String {
    let printable = |c: char| if c.is_ascii_graphic() || c == ' ' { c } else { '?' };
    let cut: String = text.trim().chars().take(chars_max).map(printable).collect();
    cut.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_say_is_cleaned_and_bounded() {
        for (text, expected) in [
            ("https://list.example/q?ip=192.0.2.1", "https://list.example/q?ip=192.0.2.1"),
            (" a\r\n250 OK\u{e9}\u{0}", "a??250 OK??"),
            ("abcdefghijkl", "abcdefghij"),
            ("", ""),
        ] {
            assert_eq!(printable(text, if text.len() == 12 { 10 } else { 100 }), expected);
        }
    }
}
