//! What a client that comes back need not be told (RFC 7162 §3.2.5.2).

use imap_wire::{NumberSet, SequenceSet};
use mail::SequenceNumber;

use super::uid_map::UidMap;

/// The largest UID up to which a client knows of every expunge: it has the same UID for some sequence number as the mailbox,
/// so that none is missing before it. 0 when no pair is right. Costs what was written, not what it spans.
pub(crate) fn known_up_to(map: &UidMap, numbers: &SequenceSet, uids: &SequenceSet) -> u32 {
    let mut known = 0;
    let numbers = numbers.resolve(u32::MAX);
    let uids = uids.resolve(u32::MAX);
    let (mut numbers, mut uids) = (numbers.ranges().iter().cloned(), uids.ranges().iter().cloned());
    let (mut number, mut uid) = (numbers.next(), uids.next());
    while let (Some(n), Some(u)) = (number.take(), uid.take()) {
        // The ranges side by side, as far as both go.
        let pairs = (n.end() - n.start()).min(u.end() - u.start());
        known = known.max(last_match(map, *n.start(), *u.start(), pairs));
        let (n_end, u_end) = (n.start() + pairs, u.start() + pairs);
        number = if n_end == *n.end() { numbers.next() } else { Some(n_end + 1..=*n.end()) };
        uid = if u_end == *u.end() { uids.next() } else { Some(u_end + 1..=*u.end()) };
    }
    known
}

/// The last UID that is right among the pairs (number, uid), (number + 1, uid + 1), … up to (number + more, uid + more).
///
/// The mailbox's UIDs grow at least as fast as the client's, so the pairs of which its UID is the smaller come first, then those
/// that are right, then the others.
fn last_match(map: &UidMap, number: u32, uid: u32, more: u32) -> u32 {
    let not_beyond = |at: u32| {
        let there = number.checked_add(at).and_then(|number| map.uid_of(SequenceNumber(number)));
        there.is_some_and(|there| there.0 <= uid.saturating_add(at))
    };
    let (mut low, mut high) = (0u32, u64::from(more) + 1);
    while u64::from(low) < high {
        let middle = low + u32::try_from((high - u64::from(low)) / 2).unwrap_or(u32::MAX);
        if not_beyond(middle) {
            match middle.checked_add(1) {
                Some(next) => low = next,
                None => break,
            }
        } else {
            high = u64::from(middle);
        }
    }
    let Some(last) = low.checked_sub(1) else { return 0 };
    let there = number.checked_add(last).and_then(|number| map.uid_of(SequenceNumber(number)));
    there.filter(|there| Some(there.0) == uid.checked_add(last)).map_or(0, |there| there.0)
}

/// Of the UIDs that a client asks about, those that it can't know to be gone: behind what the sequence numbers show.
pub(crate) fn unknown(asked: &NumberSet, known_up_to: u32) -> NumberSet {
    match known_up_to.checked_add(1) {
        Some(first) => asked.clip(first..=u32::MAX),
        None => NumberSet::empty(),
    }
}

#[cfg(test)]
mod tests {
    use mail::Uid;
    use proptest::prelude::*;

    use super::*;

    fn set(text: &str) -> SequenceSet {
        let bound = |text: &str| imap_wire::SequenceBound::Number(text.parse().unwrap());
        let range = |text: &str| match text.split_once(':') {
            Some((first, last)) => (bound(first), bound(last)),
            None => (bound(text), bound(text)),
        };
        SequenceSet::new(text.split(',').map(range).collect()).unwrap()
    }

    #[test]
    fn the_example_of_the_rfc() {
        // RFC 7162 §3.2.5.2: only UIDs that three divides.
        let map: UidMap = (1..=10_003).map(|n| Uid(3 * n)).collect();
        let numbers = set("5000,7500,9000,9990:9999");
        let uids = set("15000,22500,27000,29970,29973,29976,29979,29982,29985,29988,29991,29994,29997");
        assert_eq!(known_up_to(&map, &numbers, &uids), 29_997);
        assert!(unknown(&NumberSet::from_ranges([1..=29_997]), 29_997).is_empty());
        assert_eq!(known_up_to(&map, &set("4"), &set("13")), 0);
        // "If the (N+1)th message in the mailbox has UID 25, the lowest UID in VANISHED would be 9."
        let map: UidMap = [1, 2, 3, 8, 9, 10, 11, 12, 13, 14, 15, 25].map(Uid).into_iter().collect();
        let known = known_up_to(&map, &set("4,12"), &set("8,24"));
        assert_eq!(unknown(&NumberSet::from_ranges([1..=24]), known).to_string(), "9:24");
    }

    #[test]
    fn billions_of_pairs_cost_nothing() {
        let map: UidMap = (1..=50).map(Uid).collect();
        assert_eq!(known_up_to(&map, &set("1:4294967295"), &set("1:4294967295")), 50);
        assert_eq!(known_up_to(&map, &set("4294967295"), &set("1")), 0);
    }

    proptest! {
        /// Against looking at each pair.
        #[test]
        fn the_last_right_pair_is_found(
            there in prop::collection::btree_set(1u32..60, 0..40),
            numbers in prop::collection::btree_set(1u32..50, 1..12),
            uids in prop::collection::btree_set(1u32..60, 1..12),
        ) {
            let map: UidMap = there.iter().copied().map(Uid).collect();
            let list: Vec<u32> = there.iter().copied().collect();
            let right = numbers.iter().zip(&uids).filter(|(n, uid)| list.get(**n as usize - 1) == Some(uid));
            let expected = right.map(|(_, uid)| *uid).max().unwrap_or(0);
            let text = |all: &std::collections::BTreeSet<u32>| {
                let all: Vec<String> = all.iter().map(ToString::to_string).collect();
                set(&all.join(","))
            };
            prop_assert_eq!(known_up_to(&map, &text(&numbers), &text(&uids)), expected);
        }
    }
}
