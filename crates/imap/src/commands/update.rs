//! Searches whose results are kept up to date: UPDATE and CANCELUPDATE (RFC 5267 §4.3).
//!
//! The result is held as UIDs. What is new to the mailbox, or has changed, is looked at once more; what is gone is told before
//! its EXPUNGE, so that sequence numbers are right.

use std::collections::HashMap;

use imap_wire::response::{self, Code, Condition, Results, Update};
use imap_wire::{FetchItem, NumberSet, Search, SortCriterion, SortKey, Tag};
use mail::{AccountId, MailboxId, ModSeq, Uid};
use storage::{StorageError, Store};

use crate::commands::search::{Made, numbers_of, sorted_numbers};
use crate::commands::sort::in_order;
use crate::engine::comparator::Comparator;
use crate::engine::search::Query;
use crate::engine::uid_map::UidMap;
use crate::fault::{Answer, Fault};
use crate::finding::Found;
use crate::limits::{CHANGES_PER_PAGE, ROWS_PER_PAGE, UPDATED_SORT_MAX, UPDATES_MAX};
use crate::session::Session;

/// A search whose result is kept up to date.
#[derive(Debug)]
pub(crate) struct Updated {
    tag: Tag,
    /// Told in UIDs.
    uid: bool,
    query: Query,
    /// How its texts are compared: as when it was made (RFC 5255 §4).
    comparator: Comparator,
    /// The UIDs that the client knows of.
    results: NumberSet,
    /// The same in their order, for SORT.
    sorted: Option<(Vec<SortCriterion>, Vec<u32>)>,
    /// Changes up to it are in the result.
    modseq: ModSeq,
    /// Data items that are told of messages that are new to the mailbox (RFC 5465 §7).
    fetch: Vec<FetchItem>,
    /// Messages beyond this UID are new to the mailbox.
    max_uid: u32,
}

impl Session {
    /// Whether the tag is that of a search that is kept up to date.
    pub(crate) fn is_updated(&mut self, tag: &Tag) -> Result<bool, Fault> {
        Ok(self.selected()?.updates.iter().any(|updated| updated.tag == *tag))
    }

    /// Keeps a result up to date from now on, or says why not (RFC 5267 §4.3.1).
    pub(crate) fn keep_updated(
        &mut self,
        tag: &Tag,
        search: &Search,
        made: Made,
        sorted: Option<(Vec<SortCriterion>, Vec<u32>)>,
    ) -> Result<(), Fault> {
        let refusal = match &sorted {
            _ if self.selected()?.updates.len() >= UPDATES_MAX => Some("Too many results are kept up to date"),
            Some((_, order)) if order.len() > UPDATED_SORT_MAX => Some("The sorted result is too long"),
            Some((criteria, _)) if criteria.iter().any(|criterion| criterion.key == SortKey::Relevancy) => {
                Some("An order by relevancy is not kept up to date")
            }
            Some(_) | None => None,
        };
        if let Some(text) = refusal {
            let code = Code::NoUpdate(tag.clone());
            self.say(Condition::No, Some(&code), text);
            return Ok(());
        }
        let updated = Updated {
            tag: tag.clone(),
            uid: search.uid,
            query: made.query,
            comparator: self.comparator,
            results: made.found.uids,
            sorted,
            modseq: made.place.row.highest_modseq,
            fetch: search.update_fetch.clone(),
            max_uid: made.place.map.max_uid(),
        };
        self.selected()?.updates.push(updated);
        Ok(())
    }

    /// CANCELUPDATE (RFC 5267 §4.3.5). A tag that is not known is no error: its updates have ceased.
    pub(crate) fn cancel_update(&mut self, tags: &[Vec<u8>]) -> Result<Answer, Fault> {
        let named = |updated: &Updated| tags.iter().any(|tag| tag == updated.tag.as_str().as_bytes());
        self.selected()?.updates.retain(|updated| !named(updated));
        Ok(Answer::ok("No further updates"))
    }

    /// REMOVEFROM for messages that are gone, before their EXPUNGE (RFC 5267 §4.3.4).
    pub(crate) fn tell_gone_from_results(&mut self) -> Result<(), Fault> {
        let selected = self.selected()?;
        if selected.updates.is_empty() || !selected.view.has_gone() {
            return Ok(());
        }
        let (map, gone) = (selected.view.map().clone(), selected.view.gone().clone());
        let mut updates = std::mem::take(&mut selected.updates);
        for updated in &mut updates {
            let removed = updated.results.intersection(&gone);
            updated.remove(&removed, &map, self.connection.out());
        }
        self.selected()?.updates = updates;
        Ok(())
    }

    /// ADDTO and REMOVEFROM for messages that are new or have changed; after their EXISTS.
    pub(crate) async fn tell_changed_results(&mut self) -> Result<(), Fault> {
        let selected = self.selected()?;
        if selected.updates.is_empty() {
            return Ok(());
        }
        let highest = selected.view.modseq();
        let mut updates = std::mem::take(&mut selected.updates);
        let mut told = Ok(());
        for updated in updates.iter_mut().filter(|updated| updated.modseq < highest) {
            told = self.tell_changed_result(updated, highest).await;
            if told.is_err() {
                break;
            }
        }
        self.selected()?.updates = updates;
        told
    }

    async fn tell_changed_result(&mut self, updated: &mut Updated, highest: ModSeq) -> Result<(), Fault> {
        let mut place = self.selected_place().await?;
        let map = place.map.clone();
        let Some(changed) = self.changed_uids(updated.modseq).await? else { return Ok(()) };
        let changed = NumberSet::from_numbers(map.existing(&changed).map(|uid| uid.0));
        let (server, comparator) = (self.server.clone(), updated.comparator);
        let found = place.find_within(&server.store, &updated.query, comparator, &changed).await?;
        let unmatched = changed.minus(&found.uids);
        let removed = updated.results.intersection(&unmatched);
        let added = found.uids.minus(&updated.results);
        updated.remove(&removed, &map, self.connection.out());
        if !added.is_empty() {
            // RFC 5465 §7: between EXISTS and ESEARCH, and not of what flags have brought in.
            let news = match updated.max_uid.checked_add(1) {
                Some(first) => added.clip(first..=u32::MAX).minus(&self.selected()?.own_arrivals),
                None => NumberSet::empty(),
            };
            if !updated.fetch.is_empty() && !news.is_empty() {
                self.fetch_news(&news, &updated.fetch).await?;
            }
            let results = updated.results.union(&added);
            let order = match &updated.sorted {
                Some((criteria, known)) => {
                    let all = Found { uids: results.clone(), ..Found::default() };
                    let order = in_order(&server, place.key, &map, &all, criteria, comparator).await?;
                    Some(match is_as_told(known, &order, &added) {
                        true => order,
                        false => merged(known, &order, &added, &there(&server.store, place.key, &results).await?),
                    })
                }
                None => None,
            };
            updated.add(&added, order, &map, self.connection.out());
            updated.results = results;
        }
        updated.modseq = highest;
        updated.max_uid = map.max_uid();
        Ok(())
    }

    /// Messages that are new or have changed after a MODSEQ, for all or for the reader alone.
    async fn changed_uids(&mut self, since: ModSeq) -> Result<Option<NumberSet>, Fault> {
        let key = self.key()?;
        let max = self.selected()?.view.map().max_uid();
        let Some(own) = self.own_changes_since(since)? else {
            return Ok(Some(NumberSet::from_ranges([1..=max])));
        };
        let mut changed: Vec<u32> = own.into_iter().map(|uid: Uid| uid.0).collect();
        let mut last = None;
        loop {
            let page = self.server.store.changes(key.0, key.1, since, last, CHANGES_PER_PAGE).await?;
            changed.extend(page.iter().filter(|change| !change.expunged).map(|change| change.uid.0));
            if page.len() < CHANGES_PER_PAGE {
                return Ok((!changed.is_empty()).then(|| NumberSet::from_numbers(changed)));
            }
            last = page.last().copied();
        }
    }
}

/// Whether an order has the messages that the client knows in the order in which it knows them.
fn is_as_told(known: &[u32], order: &[u32], added: &NumberSet) -> bool {
    order.iter().filter(|uid| !added.contains(**uid)).eq(known)
}

/// Which of some messages are there at this moment.
async fn there(store: &Store, key: (AccountId, MailboxId), uids: &NumberSet) -> Result<NumberSet, StorageError> {
    let uids: Vec<Uid> = uids.iter().map(Uid).collect();
    let mut found = Vec::with_capacity(uids.len());
    for some in uids.chunks(ROWS_PER_PAGE) {
        found.extend(store.messages_of(key.0, key.1, some).await?.iter().map(|row| row.uid.0));
    }
    Ok(NumberSet::from_numbers(found))
}

/// The order that the client knows, with what is added to it. In `order`, where all of them are put anew, a message that another session
/// expunged stands anywhere, for nothing is known of it any more; the client still has it at its old place until the EXPUNGE is
/// told (RFC 5267 §4.3.4). So what is added goes in front of the next one that is `there`.
fn merged(known: &[u32], order: &[u32], added: &NumberSet, there: &NumberSet) -> Vec<u32> {
    let mut behind: HashMap<u32, Vec<u32>> = HashMap::new();
    let mut waiting = Vec::new();
    for uid in order {
        if added.contains(*uid) {
            waiting.push(*uid);
        } else if there.contains(*uid) && !waiting.is_empty() {
            behind.insert(*uid, std::mem::take(&mut waiting));
        }
    }
    let mut merged = Vec::with_capacity(order.len());
    for uid in known {
        merged.extend(behind.remove(uid).unwrap_or_default());
        merged.push(*uid);
    }
    merged.append(&mut waiting);
    merged
}

impl Updated {
    /// Takes messages out of the result and tells of it.
    fn remove(&mut self, removed: &NumberSet, map: &UidMap, out: &mut Vec<u8>) {
        if removed.is_empty() {
            return;
        }
        let Some((_, order)) = &mut self.sorted else {
            let numbers = numbers_of(removed, map, self.uid);
            response::update(out, &self.tag, self.uid, Update::RemoveFrom, &[(0, Results::Set(&numbers))]);
            self.results = self.results.minus(removed);
            return;
        };
        // Neighbours go together: the first is at its place, and each further one follows to the same place.
        let mut runs: Vec<(u32, Vec<u32>)> = Vec::new();
        let mut place = 1u32;
        let mut open = false;
        for uid in order.iter() {
            match (removed.contains(*uid), runs.last_mut()) {
                (true, Some((_, run))) if open => run.push(*uid),
                (true, _) => runs.push((place, vec![*uid])),
                (false, _) => place = place.saturating_add(1),
            }
            open = removed.contains(*uid);
        }
        order.retain(|uid| !removed.contains(*uid));
        write_runs(out, &self.tag, self.uid, Update::RemoveFrom, &runs, map);
        self.results = self.results.minus(removed);
    }

    /// Tells of messages that have come in; `order` is all of the result as it is sorted now.
    fn add(&mut self, added: &NumberSet, order: Option<Vec<u32>>, map: &UidMap, out: &mut Vec<u8>) {
        let (Some((_, known)), Some(order)) = (&mut self.sorted, order) else {
            let numbers = numbers_of(added, map, self.uid);
            response::update(out, &self.tag, self.uid, Update::AddTo, &[(0, Results::Set(&numbers))]);
            return;
        };
        // In the order of places, so that each is put where it will be.
        let mut runs: Vec<(u32, Vec<u32>)> = Vec::new();
        let mut open = false;
        for (place, uid) in (1..).zip(&order) {
            let new = added.contains(*uid);
            match (new, runs.last_mut()) {
                (true, Some((_, run))) if open => run.push(*uid),
                (true, _) => runs.push((place, vec![*uid])),
                (false, _) => {}
            }
            open = new;
        }
        *known = order;
        write_runs(out, &self.tag, self.uid, Update::AddTo, &runs, map);
    }
}

fn write_runs(out: &mut Vec<u8>, tag: &Tag, uid: bool, update: Update, runs: &[(u32, Vec<u32>)], map: &UidMap) {
    let numbers: Vec<(u32, Vec<u32>)> =
        runs.iter().map(|(place, run)| (*place, sorted_numbers(run, map, uid))).collect();
    let pairs: Vec<(u32, Results<'_>)> = numbers.iter().map(|(place, run)| (*place, Results::Sorted(run))).collect();
    response::update(out, tag, uid, update, &pairs);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Messages are numbers that are their own keys; those that are gone stand anywhere.
        #[test]
        fn what_is_gone_keeps_its_place(
            known in prop::collection::btree_set(1u32..60, 0..40),
            added in prop::collection::btree_set(1u32..60, 1..10),
            gone in prop::collection::btree_set(1u32..60, 0..10),
            anywhere in prop::collection::vec(0usize..100, 10),
        ) {
            let added: BTreeSet<u32> = added.difference(&known).copied().collect();
            let gone: BTreeSet<u32> = gone.intersection(&known).copied().collect();
            let all: BTreeSet<u32> = known.union(&added).copied().collect();
            let mut order: Vec<u32> = all.difference(&gone).copied().collect();
            for (uid, place) in gone.iter().zip(&anywhere) {
                order.insert(place % (order.len() + 1), *uid);
            }
            let known: Vec<u32> = known.into_iter().collect();
            let set = NumberSet::from_numbers(added.iter().copied());
            let there = NumberSet::from_numbers(all.difference(&gone).copied());
            let merged = match is_as_told(&known, &order, &set) {
                true => order,
                false => merged(&known, &order, &set, &there),
            };
            prop_assert!(merged.iter().filter(|uid| !added.contains(uid)).eq(&known), "{:?}", merged);
            let present: Vec<u32> = merged.iter().copied().filter(|uid| !gone.contains(uid)).collect();
            prop_assert!(present.is_sorted(), "{:?}", present);
            prop_assert_eq!(merged.len(), all.len());
        }
    }
}
