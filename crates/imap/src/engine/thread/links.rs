//! Message identifiers as numbers: which message has which, and which ones each message names.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use super::NONE;

/// Identifiers that the messages of one mailbox may name in all. Beyond it, each further message is known by its first
/// reference and its last one.
const REFERENCES_ALL_MAX: usize = 2_000_000;

/// The identifiers of a mailbox, message by message.
#[derive(Debug, Default)]
pub(crate) struct Links {
    /// Keyed by chance, so that nobody can make two identifiers meet.
    hasher: RandomState,
    known: HashMap<u64, u32>,
    /// Each message's own identifier; [`NONE`] without one.
    own: Vec<u32>,
    /// Where the references of each message end in `references`.
    ends: Vec<u32>,
    references: Vec<u32>,
    replies: Vec<bool>,
}

impl Links {
    /// The next message: its identifier, what it refers to (oldest first), and whether its subject says that it is a reply or
    /// a forward.
    pub(crate) fn push(&mut self, message_id: Option<&str>, references: &[&str], reply: bool) {
        let own = message_id.map_or(NONE, |id| self.number(id));
        self.own.push(own);
        if self.references.len().saturating_add(references.len()) <= REFERENCES_ALL_MAX {
            for reference in references {
                let number = self.number(reference);
                self.references.push(number);
            }
        } else {
            let ends = [references.first(), references.last().filter(|_| references.len() > 1)];
            for reference in ends.into_iter().flatten() {
                let number = self.number(reference);
                self.references.push(number);
            }
        }
        self.ends.push(u32::try_from(self.references.len()).unwrap_or(NONE));
        self.replies.push(reply);
    }

    fn number(&mut self, id: &str) -> u32 {
        let next = u32::try_from(self.known.len()).unwrap_or(NONE);
        *self.known.entry(self.hasher.hash_one(id)).or_insert(next)
    }

    /// How many messages there are.
    #[cfg(test)]
    pub(crate) fn messages(&self) -> usize {
        self.own.len()
    }

    /// How many different identifiers there are.
    pub(crate) fn identifiers(&self) -> usize {
        self.known.len()
    }

    /// The identifier of the message at an index; [`NONE`] without one.
    pub(crate) fn own(&self, index: u32) -> u32 {
        super::at(&self.own, index)
    }

    /// What the message at an index refers to, oldest first.
    pub(crate) fn references(&self, index: u32) -> &[u32] {
        let end = usize::try_from(super::at(&self.ends, index)).unwrap_or(usize::MAX);
        let begin = index.checked_sub(1).map_or(0, |before| super::at(&self.ends, before));
        self.references.get(usize::try_from(begin).unwrap_or(usize::MAX)..end).unwrap_or_default()
    }

    /// Whether the message at an index is a reply or a forward.
    pub(crate) fn is_reply(&self, index: u32) -> bool {
        usize::try_from(index).ok().and_then(|at| self.replies.get(at)).copied().unwrap_or_default()
    }

    /// About how many octets of memory it takes.
    pub(crate) fn octets(&self) -> usize {
        let slots = self.own.len().saturating_mul(9).saturating_add(self.references.len().saturating_mul(4));
        self.known.capacity().saturating_mul(17).saturating_add(slots)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_numbered_once() {
        let mut links = Links::default();
        links.push(Some("a"), &[], false);
        links.push(None, &["a", "b"], true);
        links.push(Some("b"), &["c", "a"], false);
        assert_eq!((links.messages(), links.identifiers()), (3, 3));
        assert_eq!((links.own(0), links.own(1), links.own(2)), (0, NONE, 1));
        assert_eq!(links.references(0), [0u32; 0]);
        assert_eq!(links.references(1), [0, 1]);
        assert_eq!(links.references(2), [2, 0]);
        assert!(links.is_reply(1) && !links.is_reply(2));
        assert!(links.references(3).is_empty());
    }

    #[test]
    fn references_without_end_are_cut() {
        let mut links = Links::default();
        let ids: Vec<String> = (0..1_000).map(|id| id.to_string()).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        for _ in 0..2_002 {
            links.push(None, &ids, false);
        }
        assert_eq!(links.references(1_999).len(), 1_000);
        assert_eq!(links.references(2_001), [0, 999]);
    }
}
