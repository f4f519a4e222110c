//! A map with a bound: what was used least lately goes.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

/// Holds so many entries at the most.
#[derive(Debug)]
pub(crate) struct Bounded<K, V> {
    entries: HashMap<K, Entry<V>>,
    /// Keys by when they were used, the least lately first.
    by_use: BTreeMap<u64, K>,
    uses: u64,
    most: usize,
}

#[derive(Debug)]
struct Entry<V> {
    used: u64,
    value: V,
}

impl<K: Hash + Eq + Copy, V: Default> Bounded<K, V> {
    pub(crate) fn new(most: usize) -> Self {
        Self { entries: HashMap::new(), by_use: BTreeMap::new(), uses: 0, most }
    }

    /// What is there, without using it.
    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        self.entries.get(key).map(|entry| &entry.value)
    }

    /// Uses an entry, a new one if need be; then what was used least lately may have to go.
    pub(crate) fn using(&mut self, key: K) -> &mut V {
        if !self.entries.contains_key(&key)
            && self.entries.len() >= self.most
            && let Some((_, oldest)) = self.by_use.pop_first()
        {
            self.entries.remove(&oldest);
        }
        self.uses = self.uses.saturating_add(1);
        let entry = self.entries.entry(key).or_insert_with(|| Entry { used: 0, value: V::default() });
        self.by_use.remove(&entry.used);
        entry.used = self.uses;
        self.by_use.insert(self.uses, key);
        &mut entry.value
    }

    /// An entry, if it is there, without using it.
    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.entries.get_mut(key).map(|entry| &mut entry.value)
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }
}
