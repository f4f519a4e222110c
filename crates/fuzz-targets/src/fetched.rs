//! What other servers say when mail is fetched from them: answers of IMAP and POP3, the octets of messages.

use fetch::fuzzing::{self, Read};

use crate::cuts::cut;

/// What is shown of an error is one line without control characters.
fn sound(read: &[Read]) {
    for error in read.iter().filter_map(|read| read.as_ref().err()) {
        let text = error.to_string();
        assert!(!text.contains(char::is_control), "{text:?}");
    }
}

/// Answers of an IMAP server: the same ones wherever they are cut.
pub(crate) fn imap(input: &[u8]) {
    let (pieces, whole) = cut(input);
    let read = fuzzing::imap(&[whole]);
    sound(&read);
    assert_eq!(fuzzing::imap(&pieces), read, "cut");
}

/// Answers of a POP3 server: the same ones wherever they are cut. A message ends with its dot, and every line of it with CRLF.
pub(crate) fn pop3(input: &[u8]) {
    let (pieces, whole) = cut(input);
    let read = fuzzing::pop3(&[whole]);
    sound(&read);
    assert_eq!(fuzzing::pop3(&pieces), read, "cut");

    let (kept, taken) = fuzzing::message(&[whole]);
    let (kept_cut, taken_cut) = fuzzing::message(&pieces);
    assert_eq!(taken_cut, taken, "cut");
    let Some(taken) = taken else { return };
    assert_eq!(kept_cut, kept, "cut");
    assert!(taken <= whole.len(), "no more is taken than was said");
    assert!(!kept.contains(&0), "a message holds no NUL (RFC 3501 §9)");
    let alone = |at: &usize| match kept.get(*at) {
        Some(b'\r') => kept.get(at + 1) != Some(&b'\n'),
        Some(b'\n') => at.checked_sub(1).and_then(|before| kept.get(before)) != Some(&b'\r'),
        _ => false,
    };
    assert_eq!((0..kept.len()).find(alone), None, "every line ends with CRLF");
}
