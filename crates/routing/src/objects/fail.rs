//! `:fail: text`: a refusal in an administrator's own words.

use std::fmt;

use mail::{EnhancedCode, Reply};
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

use crate::limits::FAIL_TEXT_OCTETS_MAX;

/// The text of a refusal, and the codes before it when there are some: `We have moved`, `5.1.6 We have moved`,
/// `551 5.1.6 We have moved`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FailText(String);

impl FailText {
    /// Checks a text.
    ///
    /// # Errors
    /// When it is too long, has more than one line, or begins with a code that is no permanent refusal.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.len() > FAIL_TEXT_OCTETS_MAX {
            return Err(format!("the text behind :fail: is longer than {FAIL_TEXT_OCTETS_MAX} octets"));
        }
        if text.chars().any(char::is_control) {
            return Err("the text behind :fail: must be one line without control characters".to_owned());
        }
        let parsed = Self(text.to_owned());
        let (code, enhanced, _) = parsed.parts();
        if !(550..=554).contains(&code) || enhanced.0 != 5 {
            return Err("a code behind :fail: must be one of 550 to 554, or an enhanced code such as 5.1.6".to_owned());
        }
        Ok(parsed)
    }

    /// The reply. SMTP carries ASCII (RFC 5321 §2.4): accents are dropped, what has no plain form becomes `?`.
    #[must_use]
    pub fn reply(&self) -> Reply {
        let (code, enhanced, text) = self.parts();
        let plain = text.nfd().filter(|c| !unicode_normalization::char::is_combining_mark(*c));
        let plain: String = plain.map(|c| if c == ' ' || c.is_ascii_graphic() { c } else { plain_quote(c) }).collect();
        let text = if plain.is_empty() { DEFAULT.to_owned() } else { plain };
        Reply::new(code, Some(enhanced), text)
    }

    fn parts(&self) -> (u16, EnhancedCode, &str) {
        let (code, rest) = match self.0.split_once(' ').unwrap_or((&self.0, "")) {
            (word, rest) if word.len() == 3 && word.bytes().all(|b| b.is_ascii_digit()) => {
                (word.parse().unwrap_or(0), rest.trim_start())
            }
            _ => (550, self.0.as_str()),
        };
        let word = rest.split(' ').next().unwrap_or_default();
        match enhanced(word) {
            Some(found) => (code, found, rest.get(word.len()..).unwrap_or_default().trim_start()),
            None => (code, EnhancedCode(5, 7, 1), rest),
        }
    }
}

/// `5.1.6` (RFC 3463 §2).
fn enhanced(word: &str) -> Option<EnhancedCode> {
    let mut numbers = word.split('.');
    let mut next = || numbers.next().filter(|part| (1..=3).contains(&part.len()))?.parse::<u16>().ok();
    let code = EnhancedCode(u8::try_from(next()?).ok()?, next()?, next()?);
    numbers.next().is_none().then_some(code)
}

fn plain_quote(c: char) -> char {
    match c {
        '\u{2018}' | '\u{2019}' => '\'',
        '\u{ab}' | '\u{bb}' | '\u{201c}' | '\u{201d}' => '"',
        '\u{2013}' | '\u{2014}' => '-',
        '\u{a0}' | '\u{202f}' => ' ',
        _ => '?',
    }
}

const DEFAULT: &str = "This address takes no mail";

impl TryFrom<String> for FailText {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl From<FailText> for String {
    fn from(text: FailText) -> Self {
        text.0
    }
}

impl fmt::Display for FailText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_in_front_are_taken_and_the_text_is_plain() {
        for (text, reply) in [
            ("We have moved", "550 5.7.1 We have moved"),
            ("5.1.6 We have moved", "550 5.1.6 We have moved"),
            ("551 5.1.6 We have moved", "551 5.1.6 We have moved"),
            ("553 Moved", "553 5.7.1 Moved"),
            ("", "550 5.7.1 This address takes no mail"),
            ("5.2.1", "550 5.2.1 This address takes no mail"),
            ("Fermé : écrire à l’accueil", "550 5.7.1 Ferme : ecrire a l'accueil"),
            ("24 rue du Port", "550 5.7.1 24 rue du Port"),
            ("1.2.3.4 is no code", "550 5.7.1 1.2.3.4 is no code"),
        ] {
            assert_eq!(FailText::parse(text).unwrap().reply().to_string(), reply, "{text}");
        }
    }

    #[test]
    fn what_would_not_be_a_refusal_is_refused() {
        for bad in ["250 2.0.0 fine", "450 4.2.0 later", "4.2.0 later", "550 2.0.0 x", "two\r\nlines", &"x".repeat(513)]
        {
            assert!(FailText::parse(bad).is_err(), "{bad}");
        }
    }
}
