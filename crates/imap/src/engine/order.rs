//! The order of SORT (RFC 5256): what is compared, kept in columns of numbers, and the comparing.
//!
//! A column holds one value for each message of a mailbox, in the order of UIDs. Texts are kept once each, sorted; a message
//! holds the place of its text among them, so that sorting compares numbers only. What comes later is merged in.

use std::cmp::Ordering;
use std::collections::HashMap;

use imap_wire::{SortCriterion, SortKey};

/// What is compared of each message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Column {
    /// Moments or octets.
    Numbers(Vec<i64>),
    /// Texts, folded by a comparator.
    Texts(Texts),
}

/// The texts of a column.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Texts {
    /// Each text once, ascending.
    distinct: Vec<Box<str>>,
    /// For each message, which one.
    places: Vec<u32>,
}

/// About how many octets a text on its way takes beside itself: its slot in a table, and how memory is given out.
const TEXT_OCTETS: usize = 48;

/// Values on their way into a column.
#[derive(Debug)]
pub(crate) enum Incoming {
    /// Moments or octets.
    Numbers(Vec<i64>),
    /// Texts: each once with its number, the number of each message, and about how many octets the texts take.
    Texts(HashMap<Box<str>, u32>, Vec<u32>, usize),
}

impl Incoming {
    /// For the values of a key.
    pub(crate) fn of(key: SortKey) -> Self {
        if is_text(key) { Self::Texts(HashMap::new(), Vec::new(), 0) } else { Self::Numbers(Vec::new()) }
    }

    /// The next message's number.
    pub(crate) fn number(&mut self, number: i64) {
        match self {
            Self::Numbers(numbers) => numbers.push(number),
            Self::Texts(..) => self.text(String::new()),
        }
    }

    /// The next message's text, folded.
    pub(crate) fn text(&mut self, text: String) {
        match self {
            Self::Numbers(numbers) => numbers.push(0),
            Self::Texts(known, places, octets) => {
                let next = u32::try_from(known.len()).unwrap_or(u32::MAX);
                let length = text.len();
                let place = *known.entry(text.into_boxed_str()).or_insert(next);
                if place == next {
                    *octets = octets.saturating_add(length).saturating_add(TEXT_OCTETS);
                }
                places.push(place);
            }
        }
    }

    /// About how many octets of memory it takes.
    pub(crate) fn octets(&self) -> usize {
        match self {
            Self::Numbers(numbers) => numbers.len().saturating_mul(8),
            Self::Texts(_, places, octets) => places.len().saturating_mul(4).saturating_add(*octets),
        }
    }
}

/// Whether a key's values are texts.
pub(crate) const fn is_text(key: SortKey) -> bool {
    match key {
        SortKey::Cc | SortKey::DisplayFrom | SortKey::DisplayTo | SortKey::From | SortKey::Subject | SortKey::To => {
            true
        }
        SortKey::Arrival | SortKey::Date | SortKey::Relevancy | SortKey::Size => false,
    }
}

impl Column {
    /// A column without messages.
    pub(crate) fn empty(key: SortKey) -> Self {
        if is_text(key) { Self::Texts(Texts::default()) } else { Self::Numbers(Vec::new()) }
    }

    /// Adds the values of the messages that follow.
    pub(crate) fn extend(&mut self, incoming: Incoming) {
        match (self, incoming) {
            (Self::Numbers(numbers), Incoming::Numbers(more)) => numbers.extend(more),
            (Self::Texts(texts), Incoming::Texts(known, places, _)) => texts.merge(known, &places),
            // Both are made for the same key.
            (Self::Numbers(_) | Self::Texts(_), Incoming::Numbers(_) | Incoming::Texts(..)) => {}
        }
    }

    /// What orders the message at an index.
    pub(crate) fn value(&self, index: u32) -> i64 {
        let at = usize::try_from(index).unwrap_or(usize::MAX);
        match self {
            Self::Numbers(numbers) => numbers.get(at).copied().unwrap_or_default(),
            Self::Texts(texts) => texts.places.get(at).copied().map_or(0, i64::from),
        }
    }

    /// The place of a text in a column of texts, if any message has it.
    pub(crate) fn place(&self, text: &str) -> Option<i64> {
        match self {
            Self::Numbers(_) => None,
            Self::Texts(texts) => {
                let at = texts.distinct.binary_search_by(|known| (**known).cmp(text)).ok()?;
                i64::try_from(at).ok()
            }
        }
    }

    /// About how many octets of memory it takes.
    pub(crate) fn octets(&self) -> usize {
        match self {
            Self::Numbers(numbers) => numbers.len().saturating_mul(8),
            Self::Texts(texts) => {
                let distinct: usize = texts.distinct.iter().map(|text| text.len().saturating_add(32)).sum();
                texts.places.len().saturating_mul(4).saturating_add(distinct)
            }
        }
    }
}

impl Texts {
    fn merge(&mut self, known: HashMap<Box<str>, u32>, places: &[u32]) {
        let mut more: Vec<(Box<str>, u32)> = known.into_iter().collect();
        more.sort_unstable();
        let mut moved_new = vec![0u32; more.len()];
        let mut moved_old = Vec::with_capacity(self.distinct.len());
        let mut merged: Vec<Box<str>> = Vec::with_capacity(self.distinct.len().saturating_add(more.len()));
        let mut old = std::mem::take(&mut self.distinct).into_iter().peekable();
        let place = |merged: &Vec<Box<str>>| u32::try_from(merged.len()).unwrap_or(u32::MAX);
        for (text, number) in more {
            while let Some(before) = old.next_if(|known| **known < *text) {
                moved_old.push(place(&merged));
                merged.push(before);
            }
            if let Some(slot) = usize::try_from(number).ok().and_then(|at| moved_new.get_mut(at)) {
                *slot = place(&merged);
            }
            if old.next_if(|known| **known == *text).is_some() {
                moved_old.push(place(&merged));
            }
            merged.push(text);
        }
        for rest in old {
            moved_old.push(place(&merged));
            merged.push(rest);
        }
        self.distinct = merged;
        let moved =
            |by: &[u32], at: u32| usize::try_from(at).ok().and_then(|at| by.get(at)).copied().unwrap_or_default();
        for at in &mut self.places {
            *at = moved(&moved_old, *at);
        }
        self.places.extend(places.iter().map(|at| moved(&moved_new, *at)));
    }
}

/// A message that is being sorted: what the first criterion compares, and its index.
pub(crate) type Entry = (i64, u32);

/// A criterion with its column; none for scores, which `relevancy` gives.
pub(crate) struct Ordered<'a> {
    columns: Vec<(&'a Column, bool)>,
}

impl<'a> Ordered<'a> {
    /// Criteria and their columns, in the same order.
    pub(crate) fn new(criteria: &[SortCriterion], columns: Vec<&'a Column>) -> Self {
        Self { columns: columns.into_iter().zip(criteria.iter().map(|criterion| criterion.reverse)).collect() }
    }

    /// The entry of a message.
    pub(crate) fn entry(&self, index: u32) -> Entry {
        (self.columns.first().map_or(0, |(column, reverse)| directed(column.value(index), *reverse)), index)
    }

    /// Sorts entries; the index, which is the order of the mailbox, decides last (RFC 5256 BASE.6.4.SORT).
    pub(crate) fn sort(&self, entries: &mut [Entry]) {
        let further = self.columns.get(1..).unwrap_or_default();
        if further.is_empty() {
            entries.sort_unstable();
        } else {
            entries.sort_unstable_by(|a, b| compare(further, *a, *b));
        }
    }

    /// Sorts entries that are sorted in long runs: takes time that grows with the number of runs.
    pub(crate) fn merge(&self, entries: &mut [Entry]) {
        let further = self.columns.get(1..).unwrap_or_default();
        entries.sort_by(|a, b| compare(further, *a, *b));
    }
}

fn compare(further: &[(&Column, bool)], a: Entry, b: Entry) -> Ordering {
    let mut order = a.0.cmp(&b.0);
    for (column, reverse) in further {
        if order != Ordering::Equal {
            return order;
        }
        order = directed(column.value(a.1), *reverse).cmp(&directed(column.value(b.1), *reverse));
    }
    order.then(a.1.cmp(&b.1))
}

/// REVERSE: the complement turns the order of all numbers round.
const fn directed(value: i64, reverse: bool) -> i64 {
    if reverse { !value } else { value }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(pages: &[Vec<String>]) -> Column {
        let mut column = Column::empty(SortKey::Subject);
        for page in pages {
            let mut incoming = Incoming::of(SortKey::Subject);
            page.iter().for_each(|text| incoming.text(text.clone()));
            column.extend(incoming);
        }
        column
    }

    proptest! {
        /// However the messages came, their places are in the order of their texts.
        #[test]
        fn places_are_in_the_order_of_texts(
            pages in prop::collection::vec(prop::collection::vec("[a-c]{0,2}", 0..5), 0..6),
        ) {
            let column = texts(&pages);
            let all: Vec<String> = pages.concat();
            for (i, a) in (0..).zip(&all) {
                for (j, b) in (0..).zip(&all) {
                    prop_assert_eq!(column.value(i).cmp(&column.value(j)), a.cmp(b));
                }
                prop_assert_eq!(column.place(a), Some(column.value(i)));
            }
            prop_assert_eq!(column.place("zz"), None);
        }

        /// Against sorting the values themselves, with REVERSE turning one criterion round and the mailbox's order last.
        #[test]
        fn sorting_is_by_all_criteria(
            messages in prop::collection::vec((0i64..4, "[ab]{0,1}"), 0..30),
            reverse in any::<(bool, bool)>(),
            run in 1usize..9,
        ) {
            let mut numbers = Incoming::of(SortKey::Size);
            messages.iter().for_each(|(number, _)| numbers.number(*number));
            let mut sizes = Column::empty(SortKey::Size);
            sizes.extend(numbers);
            let subjects = texts(&[messages.iter().map(|(_, text)| text.clone()).collect()]);
            let criteria = [
                SortCriterion { key: SortKey::Size, reverse: reverse.0 },
                SortCriterion { key: SortKey::Subject, reverse: reverse.1 },
            ];
            let ordered = Ordered::new(&criteria, vec![&sizes, &subjects]);
            let mut entries: Vec<Entry> = (0..).zip(&messages).map(|(index, _)| ordered.entry(index)).collect();
            entries.chunks_mut(run).for_each(|run| ordered.sort(run));
            ordered.merge(&mut entries);
            let mut expected: Vec<u32> = (0..).zip(&messages).map(|(index, _)| index).collect();
            let turned = |order: Ordering, reverse: bool| if reverse { order.reverse() } else { order };
            expected.sort_by(|a, b| {
                let (a, b) = (&messages[*a as usize], &messages[*b as usize]);
                turned(a.0.cmp(&b.0), reverse.0).then(turned(a.1.cmp(&b.1), reverse.1))
            });
            prop_assert_eq!(entries.iter().map(|entry| entry.1).collect::<Vec<_>>(), expected);
        }
    }
}
