//! Which names mailboxes have.

use crate::error::StorageError;
use crate::limits::{MAILBOX_DEPTH_MAX, MAILBOX_NAME_OCTETS_MAX};
use crate::mailboxes::DELIMITER;

/// The name in the form in which it is stored: INBOX in capitals, at the first level only (RFC 3501 §5.1).
///
/// # Errors
/// [`StorageError::BadMailboxName`] with the reason.
pub fn normalised_name(name: &str) -> Result<String, StorageError> {
    let bad = |reason| Err(StorageError::BadMailboxName(reason));
    if name.is_empty() {
        return bad("it is empty");
    }
    if name.len() > MAILBOX_NAME_OCTETS_MAX {
        return bad("it is too long");
    }
    if name.chars().any(char::is_control) {
        return bad("it has a control character");
    }
    if name.contains(['*', '%']) {
        return bad("it has a wildcard");
    }
    let levels: Vec<&str> = name.split(DELIMITER).collect();
    if levels.iter().any(|level| level.is_empty()) {
        return bad("it has an empty level");
    }
    if levels.len() > MAILBOX_DEPTH_MAX {
        return bad("it has too many levels");
    }
    match name.split_once(DELIMITER) {
        Some((first, rest)) if first.eq_ignore_ascii_case("INBOX") => Ok(format!("INBOX{DELIMITER}{rest}")),
        None if name.eq_ignore_ascii_case("INBOX") => Ok("INBOX".to_owned()),
        _ => Ok(name.to_owned()),
    }
}

/// As [`normalised_name`], for a name that is about to come into being. RFC 6855 §3 forbids the separators of lines and
/// paragraphs; noncharacters (Unicode §23.7) are not for interchange; and what turns the direction of writing (`Bidi_Control`)
/// makes one name look like another. A mailbox that has such a name from elsewhere can still be opened and renamed.
///
/// # Errors
/// [`StorageError::BadMailboxName`] with the reason.
pub fn new_name(name: &str) -> Result<String, StorageError> {
    let name = normalised_name(name)?;
    let bad = |reason| Err(StorageError::BadMailboxName(reason));
    if name.contains(['\u{2028}', '\u{2029}']) {
        return bad("it has a line or paragraph separator");
    }
    if name.contains(turns_direction) {
        return bad("it has a character that turns the direction of writing");
    }
    if name.contains(is_noncharacter) {
        return bad("it has a code point that is no character");
    }
    Ok(name)
}

/// `Bidi_Control` (Unicode Character Database, `PropList.txt`).
const fn turns_direction(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The last two code points of each plane, and thirty-two more.
const fn is_noncharacter(c: char) -> bool {
    matches!(c, '\u{fdd0}'..='\u{fdef}') || c as u32 & 0xfffe == 0xfffe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_names_are_stricter_than_those_that_are_there() {
        for name in
            ["a\u{2028}b", "\u{2029}", "a/\u{202e}b", "\u{61c}", "a\u{2066}", "\u{fdd0}", "x\u{fffe}", "\u{10ffff}"]
        {
            assert_eq!(normalised_name(name).unwrap(), name);
            assert!(matches!(new_name(name), Err(StorageError::BadMailboxName(_))), "{name:?}");
        }
        for name in ["Réf 2026", "\u{5d0}\u{5d1}", "\u{2027}\u{202f}", "\u{fffd}", "\u{1f4e7}", "INBOX/x"] {
            assert_eq!(new_name(name).unwrap(), name);
        }
        assert!(new_name("a\u{85}").is_err() && new_name("a//b").is_err());
    }
}
