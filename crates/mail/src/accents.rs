//! Text of people for places that take ASCII alone, as the replies of SMTP do (RFC 5321 §4.2).

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

/// A text in printable ASCII: letters lose their accents, other characters become `?`, white space and controls a space.
#[must_use]
pub fn without_accents(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.nfkd().filter(|c| !is_combining_mark(*c)) {
        match c {
            ' '..='~' => out.push(c),
            '\u{2018}' | '\u{2019}' | '\u{2bc}' => out.push('\''),
            '\u{201c}' | '\u{201d}' | '«' | '»' => out.push('"'),
            '\u{2010}'..='\u{2015}' => out.push('-'),
            'œ' => out.push_str("oe"),
            'Œ' => out.push_str("OE"),
            'æ' => out.push_str("ae"),
            'Æ' => out.push_str("AE"),
            'ß' => out.push_str("ss"),
            c if c.is_whitespace() || c.is_control() => out.push(' '),
            _ => out.push('?'),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accents_go_and_nothing_is_left_beyond_ascii() {
        for (text, expected) in [
            ("vague de spam du 3 mai, à l\u{2019}été", "vague de spam du 3 mai, a l'ete"),
            ("« cœur »\r\n250 OK", "\" coeur \"  250 OK"),
            ("Stra\u{df}e – 日本", "Strasse - ??"),
            ("e\u{301}", "e"),
        ] {
            let ascii = without_accents(text);
            assert_eq!(ascii, expected);
            assert!(ascii.bytes().all(|octet| (b' '..=b'~').contains(&octet)));
        }
    }
}
