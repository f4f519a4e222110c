//! UIDs that part a mailbox into batches of one size (draft-ietf-mailmaint-imap-uidbatches), the newest messages first.

use std::ops::RangeInclusive;

use mail::SequenceNumber;

use super::uid_map::UidMap;

/// The batches with numbers from `first` to `last` (from 1), each from its largest UID to its smallest; the last one of the mailbox
/// may have fewer messages than the others, and goes down to UID 1 whether that exists or not (§3.1.4): nothing is below it.
pub(crate) fn batches(
    map: &UidMap,
    size: u32,
    (first, last): (u32, u32),
) -> impl Iterator<Item = RangeInclusive<u32>> + '_ {
    let size = size.max(1);
    let all = map.messages().div_ceil(size);
    let last = last.min(all);
    (first.max(1)..=last).filter_map(move |batch| {
        let newest = map.messages().checked_sub((batch - 1).checked_mul(size)?)?;
        let oldest = newest.saturating_sub(size).saturating_add(1);
        let lowest = if batch == all { 1 } else { map.uid_of(SequenceNumber(oldest))?.0 };
        Some(lowest..=map.uid_of(SequenceNumber(newest))?.0)
    })
}

#[cfg(test)]
mod tests {
    use mail::Uid;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn batches_part_the_mailbox(uids in prop::collection::btree_set(1u32..500, 0..60), size in 1u32..20) {
            let map: UidMap = uids.iter().copied().map(Uid).collect();
            let all: Vec<_> = batches(&map, size, (1, u32::MAX)).collect();
            let mut left: Vec<u32> = uids.iter().copied().collect();
            for (at, batch) in all.iter().enumerate() {
                let from = left.len().saturating_sub(size as usize);
                let newest = left.split_off(from);
                let lowest = if from == 0 { Some(&1) } else { newest.first() };
                prop_assert_eq!((Some(batch.start()), Some(batch.end())), (lowest, newest.last()));
                let number = u32::try_from(at).unwrap() + 1;
                let one: Vec<_> = batches(&map, size, (number, number)).collect();
                prop_assert_eq!(&one[..], std::slice::from_ref(batch));
            }
            prop_assert!(left.is_empty());
            prop_assert_eq!(batches(&map, size, (u32::try_from(all.len()).unwrap() + 1, u32::MAX)).count(), 0);
        }
    }
}
