//! MESSAGELIMIT= and SAVELIMIT= (RFC 9738): one command works on so many messages, those with the highest UIDs.

use imap_wire::NumberSet;
use imap_wire::response::Code;
use mail::Uid;

use super::uid_map::UidMap;

/// How many messages one command works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageLimit {
    /// As many as it names.
    Unlimited,
    /// COPY and APPEND alone are limited: SAVELIMIT=.
    Saves(u32),
    /// SEARCH, FETCH, STORE, COPY, MOVE, APPEND and UID EXPUNGE are: MESSAGELIMIT=.
    Every(u32),
}

impl MessageLimit {
    /// As it is announced: one of the two, never both (RFC 9738 §3).
    pub(crate) fn capability(self) -> Option<String> {
        match self {
            Self::Unlimited => None,
            Self::Saves(limit) => Some(format!("SAVELIMIT={limit}")),
            Self::Every(limit) => Some(format!("MESSAGELIMIT={limit}")),
        }
    }

    /// For COPY and APPEND, which do all or nothing.
    pub(crate) const fn of_saves(self) -> Option<u32> {
        match self {
            Self::Unlimited => None,
            Self::Saves(limit) | Self::Every(limit) => Some(limit),
        }
    }

    /// For the commands that may do a part.
    pub(crate) const fn of_any(self) -> Option<u32> {
        match self {
            Self::Unlimited | Self::Saves(_) => None,
            Self::Every(limit) => Some(limit),
        }
    }
}

/// A command that named more messages than it may work on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limited {
    limit: u32,
    /// The lowest UID of those with the highest ones.
    pub(crate) lowest: Uid,
}

impl Limited {
    /// Whether `wanted` names more messages than `limit`.
    pub(crate) fn of(map: &UidMap, wanted: &NumberSet, limit: Option<u32>) -> Option<Self> {
        let limit = limit.filter(|limit| map.messages() > *limit)?;
        let count = map.existing(wanted).count();
        let over = count.checked_sub(usize::try_from(limit).ok()?).filter(|over| *over > 0)?;
        Some(Self { limit, lowest: map.existing(wanted).nth(over)? })
    }

    /// Those among ascending `uids` that are worked on, the highest.
    pub(crate) fn among(uids: &[Uid], limit: Option<u32>) -> Option<(Self, &[Uid])> {
        let limit = limit?;
        let over = uids.len().checked_sub(usize::try_from(limit).ok()?).filter(|over| *over > 0)?;
        let some = uids.get(over..)?;
        Some((Self { limit, lowest: *some.first()? }, some))
    }

    /// Those of `wanted` that are worked on.
    pub(crate) fn clip(self, wanted: &NumberSet) -> NumberSet {
        wanted.clip(self.lowest.0..=u32::MAX)
    }

    /// What tells the client where to go on: below that UID.
    pub(crate) const fn code(self) -> Code {
        Code::MessageLimit { limit: self.limit, lowest: Some(self.lowest.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_uids_are_worked_on() {
        let map: UidMap = [2, 3, 5, 8, 13].map(Uid).into_iter().collect();
        let all = NumberSet::from_ranges([1..=20]);
        let limited = Limited::of(&map, &all, Some(3)).unwrap();
        assert_eq!((limited.lowest, limited.clip(&all).to_string().as_str()), (Uid(5), "5:20"));
        assert_eq!(limited.code(), Code::MessageLimit { limit: 3, lowest: Some(5) });
        // What no message has does not count.
        assert_eq!(Limited::of(&map, &NumberSet::from_ranges([4..=20]), Some(3)), None);
        assert_eq!(Limited::of(&map, &all, Some(5)), None);
        assert_eq!(Limited::of(&map, &all, None), None);
    }

    #[test]
    fn a_list_loses_its_lowest() {
        let uids = [2, 3, 5].map(Uid);
        assert_eq!(Limited::among(&uids, Some(3)), None);
        let (limited, some) = Limited::among(&uids, Some(2)).unwrap();
        assert_eq!((limited.lowest, some), (Uid(3), &uids[1..]));
    }

    #[test]
    fn one_of_the_two_is_announced() {
        assert_eq!(MessageLimit::Every(7).capability().as_deref(), Some("MESSAGELIMIT=7"));
        assert_eq!(MessageLimit::Saves(7).capability().as_deref(), Some("SAVELIMIT=7"));
        assert_eq!(MessageLimit::Unlimited.capability(), None);
        assert_eq!((MessageLimit::Saves(7).of_any(), MessageLimit::Saves(7).of_saves()), (None, Some(7)));
    }
}
