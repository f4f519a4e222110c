//! What IMAP does with values that clients and messages chose: inflating, matching names, threading.

use imap::fuzzing;

use crate::cuts::cut;

/// The same text however it is cut, in bounded pieces.
pub(crate) fn inflate(input: &[u8]) {
    let (pieces, whole) = cut(input);
    let (text, failed) = fuzzing::inflate(&pieces);
    assert_eq!((text, failed), fuzzing::inflate(&[whole]), "cut");
    // What was deflated comes back.
    assert_eq!(fuzzing::inflate(&[&fuzzing::deflate(&pieces)]), (whole.to_vec(), false), "there and back");
}

/// A pattern matches what a slow reading of RFC 3501 §6.3.8 says.
pub(crate) fn list_pattern(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let mut halves = text.splitn(2, '\n');
    let (Some(pattern), Some(name)) = (halves.next(), halves.next()) else { return };
    let Some(matched) = fuzzing::list_pattern(pattern, name) else { return };
    if pattern.len() <= 64 && name.len() <= 64 && !name.starts_with("INBOX") {
        let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
        assert_eq!(matched, slowly(&pattern, &name), "{pattern:?} {name:?}");
    }
}

/// A table of which beginnings of the pattern match which beginnings of the name.
fn slowly(pattern: &[char], name: &[char]) -> bool {
    let mut row: Vec<bool> = std::iter::once(true).chain(name.iter().map(|_| false)).collect();
    for step in pattern {
        let mut next = Vec::with_capacity(row.len());
        next.push(matches!(step, '*' | '%') && row.first() == Some(&true));
        for (at, c) in name.iter().enumerate() {
            let (before, above) = (row.get(at) == Some(&true), row.get(at + 1) == Some(&true));
            let left = next.last() == Some(&true);
            next.push(match step {
                '*' => above || left,
                '%' => above || (left && *c != '/'),
                wanted => before && wanted == c,
            });
        }
        row = next;
    }
    row.last() == Some(&true)
}

/// Whatever refers to what, each message stands in the threads once.
pub(crate) fn thread(input: &[u8]) {
    // Messages of three octets and references: identifier, date, flags and how many references.
    let mut rest = input;
    let mut messages = Vec::new();
    while let [id, date, flags, behind @ ..] = rest {
        let (references, behind) = behind.split_at(usize::from(flags & 7).min(behind.len()));
        messages.push((*id, *date, *flags, references.to_vec()));
        rest = behind;
        if messages.len() == 500 {
            break;
        }
    }
    for answer in fuzzing::threads(&messages) {
        let text = String::from_utf8_lossy(&answer);
        let mut numbers: Vec<usize> =
            text.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse().ok()).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (1..=messages.len()).collect::<Vec<_>>(), "{text}");
        let depth = text.bytes().try_fold(0usize, |depth, b| match b {
            b'(' => depth.checked_add(1),
            b')' => depth.checked_sub(1),
            _ => Some(depth),
        });
        assert_eq!(depth, Some(0), "{text}");
    }
}
