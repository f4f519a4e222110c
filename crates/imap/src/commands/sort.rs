//! SORT (RFC 5256, RFC 5957) and extended SORT (RFC 5267 §3).

use std::sync::Arc;

use imap_wire::response;
use imap_wire::{NumberSet, Sort, SortCriterion, SortKey, Tag};
use mail::{AccountId, MailboxId};
use storage::StorageError;

use crate::commands::search::sorted_numbers;
use crate::engine::comparator::Comparator;
use crate::engine::uid_map::UidMap;
use crate::fault::{Answer, Fault};
use crate::finding::Found;
use crate::limits::SORT_FEW_OF;
use crate::orders::{MailboxKeys, Source, is_in_row};
use crate::progress::Progress;
use crate::server::Server;
use crate::session::Session;

impl Session {
    pub(crate) async fn sort(&mut self, tag: &Tag, mut sort: Sort) -> Result<Answer, Fault> {
        if let Some(refusal) = self.expand_filters(&mut sort.search).await? {
            return Ok(refusal);
        }
        let search = &sort.search;
        let by_rows = sort.criteria.iter().all(|criterion| is_in_row(criterion.key));
        let made = match self.make_whole_search(tag, search, by_rows).await? {
            Ok(made) => made,
            Err(answer) => return Ok(answer),
        };
        // RFC 6203 §4: RELEVANCY is for searches with FUZZY.
        if sort.criteria.iter().any(|criterion| criterion.key == SortKey::Relevancy) && !made.query.is_fuzzy() {
            return Ok(Answer::bad("RELEVANCY is for searches with FUZZY"));
        }
        let key = made.place.key;
        let (server, comparator) = (Arc::clone(&self.server), self.comparator);
        let work = in_order(&server, key, &made.place.map, &made.found, &sort.criteria, comparator);
        let sorted = self.amid(tag, &Progress::default(), work).await??;
        let Some(returns) = search.returns else {
            let modseq = Some(made.found.highest_modseq).filter(|_| search.uses_modseq());
            let numbers = sorted_numbers(&sorted, &made.place.map, search.uid);
            response::sort(self.connection.out(), numbers, modseq);
            return self.searched(None);
        };
        self.tell_results(tag, search, returns, &made, Some(&sorted)).await?;
        if returns.update {
            self.keep_updated(tag, search, made, Some((sort.criteria.clone(), sorted)))?;
        }
        self.searched(None)
    }
}

/// UIDs of what was found, in the order asked for.
pub(crate) async fn in_order(
    server: &Server,
    key: (AccountId, MailboxId),
    map: &UidMap,
    found: &Found,
    criteria: &[SortCriterion],
    comparator: Comparator,
) -> Result<Vec<u32>, StorageError> {
    let source = Source { store: &server.store, key, octets_max: server.settings.read().sort_octets_max };
    let mut wanted: Vec<SortKey> = criteria.iter().map(|criterion| criterion.key).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let relevancy_aside: Vec<SortKey> = wanted.into_iter().filter(|key| *key != SortKey::Relevancy).collect();
    // The search has read what they are sorted by.
    let in_values = |key: &SortKey| is_in_row(*key) && (*key != SortKey::Date || !found.lacks_dates);
    if found.values.len() as u64 == found.uids.count() && relevancy_aside.iter().all(in_values) {
        let mut own = MailboxKeys::of_rows(found, &relevancy_aside, comparator);
        return Ok(own.sorted(&found.uids, &found.scores, criteria, comparator).await);
    }
    let shared = server.orders.of(key, server.store.now());
    let mut held = shared.lock().await;
    let count = found.uids.count();
    let few = count.saturating_mul(SORT_FEW_OF) < u64::from(map.messages());
    if few && !held.has(&relevancy_aside, comparator, false) {
        drop(held);
        let mut own = MailboxKeys::default();
        let _turn = server.orders.turn(key.0, count).await;
        own.learn(source, &found.uids, &relevancy_aside, comparator, false).await?;
        return Ok(own.sorted(&found.uids, &found.scores, criteria, comparator).await);
    }
    let all = NumberSet::from_ranges(map.uid_ranges());
    let unread = held.unread(&all, &relevancy_aside, comparator, false);
    let _turn = server.orders.turn(key.0, unread).await;
    held.learn(source, &all, &relevancy_aside, comparator, false).await?;
    let sorted = held.sorted(&found.uids, &found.scores, criteria, comparator).await;
    let octets = held.octets();
    drop(held);
    server.orders.settle(key, octets, server.store.now());
    Ok(sorted)
}
