//! The annotations of one place, as one row: names, values, and when each was changed.

use serde::{Deserialize, Serialize};

use crate::error::StorageError;
use crate::limits::{ANNOTATIONS_MAX, ANNOTATIONS_OCTETS_MAX, ANNOTATIONS_REMOVED_MAX};

/// One annotation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Annotation {
    /// The whole name in lower case, as `/shared/comment`.
    pub name: String,
    /// The value, of any octets.
    pub value: Vec<u8>,
    /// The number of the change that gave it this value; see [`crate::Store::annotation_number`].
    pub changed: u64,
}

/// The annotations of one place. Invariant: in order of name, each once; what was removed is not there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnnotationSet {
    pub(super) entries: Vec<Annotation>,
    /// Names that were removed, with the number of that change, the oldest first.
    pub(super) removed: Vec<(String, u64)>,
}

impl AnnotationSet {
    /// All of them, in order of name.
    pub fn iter(&self) -> impl Iterator<Item = &Annotation> {
        self.entries.iter()
    }

    /// The value of a name in lower case.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&[u8]> {
        self.place(name).ok().and_then(|at| self.entries.get(at)).map(|entry| entry.value.as_slice())
    }

    /// Names whose annotation was set or removed after a change, in order; without those of the changes in `except`.
    #[must_use]
    pub fn changed_since(&self, number: u64, except: &[u64]) -> Vec<&str> {
        let late = |at: u64| at > number && !except.contains(&at);
        let set = self.entries.iter().filter(|entry| late(entry.changed)).map(|entry| entry.name.as_str());
        let removed = self.removed.iter().filter(|(_, at)| late(*at)).map(|(name, _)| name.as_str());
        let mut names: Vec<&str> = set.chain(removed).collect();
        names.sort_unstable();
        names
    }

    /// The number of the last change that is known here.
    #[must_use]
    pub(crate) fn last_change(&self) -> u64 {
        let removed = self.removed.iter().map(|(_, at)| *at);
        self.entries.iter().map(|entry| entry.changed).chain(removed).max().unwrap_or(0)
    }

    /// Octets of names and values.
    #[must_use]
    pub fn octets(&self) -> u64 {
        self.entries.iter().map(|entry| entry.name.len().saturating_add(entry.value.len()) as u64).sum()
    }

    /// Whether no row is needed.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.removed.is_empty()
    }

    /// Whether names are as they must be.
    pub(crate) fn is_sound(&self) -> bool {
        let ascending = self.entries.windows(2).all(|pair| matches!(pair, [a, b] if a.name < b.name));
        let gone = |(name, _): &(String, u64)| self.place(name).is_err();
        let plain = |entry: &Annotation| entry.name.starts_with('/') && entry.name.to_ascii_lowercase() == entry.name;
        ascending && self.removed.iter().all(gone) && self.entries.iter().all(plain)
    }

    /// Sets a value, or takes it away with `None`.
    pub(super) fn change(&mut self, name: &str, value: Option<&[u8]>, number: u64) {
        match (self.place(name), value) {
            (Ok(at), Some(value)) => {
                if let Some(entry) = self.entries.get_mut(at) {
                    entry.value = value.to_vec();
                    entry.changed = number;
                }
            }
            (Err(at), Some(value)) => {
                let entry = Annotation { name: name.to_owned(), value: value.to_vec(), changed: number };
                self.removed.retain(|(removed, _)| removed != name);
                self.entries.insert(at, entry);
            }
            (Ok(at), None) => {
                let gone = self.entries.remove(at);
                self.removed.push((gone.name, number));
                let surplus = self.removed.len().saturating_sub(ANNOTATIONS_REMOVED_MAX);
                self.removed.drain(..surplus);
            }
            (Err(_), None) => {}
        }
    }

    /// # Errors
    /// [`StorageError::LimitReached`] when there are too many, or there is too much in them.
    pub(super) fn require_limits(&self) -> Result<(), StorageError> {
        if self.entries.len() > ANNOTATIONS_MAX || self.octets() > ANNOTATIONS_OCTETS_MAX as u64 {
            return Err(StorageError::LimitReached("annotations, or too much in them"));
        }
        Ok(())
    }

    fn place(&self, name: &str) -> Result<usize, usize> {
        self.entries.binary_search_by(|entry| entry.name.as_str().cmp(name))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_map_that_knows_what_changed(
            steps in prop::collection::vec(("[a-e]", prop::option::of("[x-z]{0,3}")), 0..60),
            since in 0u64..60,
        ) {
            let (mut set, mut model) = (AnnotationSet::default(), BTreeMap::new());
            let mut late = std::collections::BTreeSet::new();
            for (number, (name, value)) in (1..).zip(&steps) {
                let name = format!("/shared/{name}");
                let before = match value {
                    Some(value) => model.insert(name.clone(), value.clone()),
                    None => model.remove(&name),
                };
                if number > since && (value.is_some() || before.is_some()) {
                    late.insert(name.clone());
                }
                set.change(&name, value.as_deref().map(str::as_bytes), number);
                prop_assert!(set.is_sound(), "{set:?}");
            }
            let found: BTreeMap<String, String> =
                set.iter().map(|e| (e.name.clone(), String::from_utf8(e.value.clone()).unwrap())).collect();
            prop_assert_eq!(&found, &model);
            prop_assert_eq!(set.octets(), model.iter().map(|(n, v)| (n.len() + v.len()) as u64).sum::<u64>());
            let told: Vec<String> = set.changed_since(since, &[]).into_iter().map(str::to_owned).collect();
            prop_assert_eq!(told, late.into_iter().collect::<Vec<_>>());
        }
    }

    #[test]
    fn removals_are_remembered_up_to_a_bound() {
        let mut set = AnnotationSet::default();
        for n in 0..ANNOTATIONS_REMOVED_MAX + 5 {
            let name = format!("/shared/{n:04}");
            set.change(&name, Some(b"x"), n as u64);
            set.change(&name, None, n as u64);
        }
        assert_eq!(set.removed.len(), ANNOTATIONS_REMOVED_MAX);
        assert_eq!(set.removed.first().map(|(name, _)| name.as_str()), Some("/shared/0005"));
    }
}
