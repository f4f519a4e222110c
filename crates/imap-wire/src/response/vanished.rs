//! VANISHED (RFC 7162 §3.2.10).

use crate::sequence::NumberSet;

/// `* VANISHED (EARLIER) 1:3,5`: UIDs that were expunged; with `earlier` it answers UID FETCH or SELECT, and the client's
/// sequence numbers stay what they are. Nothing is written for no UIDs; many ranges make several responses.
pub fn vanished(out: &mut Vec<u8>, uids: &NumberSet, earlier: bool) {
    for ranges in uids.ranges().chunks(RANGES_PER_LINE) {
        let some = NumberSet::from_ranges(ranges.iter().cloned());
        let earlier = if earlier { " (EARLIER)" } else { "" };
        out.extend_from_slice(format!("* VANISHED{earlier} {some}\r\n").as_bytes());
    }
}

/// Some kilobytes at the most: RFC 7162 §4 asks clients for lines of 8,192 octets.
const RANGES_PER_LINE: usize = 350;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_written_compactly() {
        let mut out = Vec::new();
        vanished(&mut out, &NumberSet::from_ranges([1..=2, 4..=5, 9..=9]), true);
        vanished(&mut out, &NumberSet::from_numbers([7]), false);
        vanished(&mut out, &NumberSet::empty(), false);
        assert_eq!(out, b"* VANISHED (EARLIER) 1:2,4:5,9\r\n* VANISHED 7\r\n");
    }

    #[test]
    fn no_line_is_longer_than_a_client_must_take() {
        let mut out = Vec::new();
        let ends = (0..1_000).map(|n| u32::MAX - 4 * n..=u32::MAX - 4 * n + if n == 0 { 0 } else { 1 });
        vanished(&mut out, &NumberSet::from_ranges(ends), true);
        let lines: Vec<_> = out.split(|octet| *octet == b'\n').collect();
        assert_eq!(lines.len(), 4);
        assert!(lines.iter().all(|line| line.len() <= 8_192));
    }
}
