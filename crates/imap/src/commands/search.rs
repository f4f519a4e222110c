//! SEARCH (RFC 3501 §6.4.4) and its RETURN options (RFC 4731, 5182, 5267, 6203, 9394; RFC 7162 §3.1.5).

use std::sync::Arc;

use imap_wire::response::{self, Code, Condition, Correlator, EsearchData, Results};
use imap_wire::{NumberSet, Search, SearchKey, SearchReturn, SequenceSet, Tag};
use mail::Uid;

use crate::engine::message_limit::Limited;
use crate::engine::search::{CHARSETS, Charset, Context, Query, Unready};
use crate::engine::uid_map::UidMap;
use crate::fault::{Answer, Fault};
use crate::finding::{Found, Place};
use crate::progress::Progress;
use crate::session::Session;

/// A search that was made.
pub(crate) struct Made {
    pub(crate) place: Place,
    pub(crate) query: Query,
    pub(crate) found: Found,
    /// It looked at the messages with the highest UIDs alone (RFC 9738).
    pub(crate) limited: Option<Limited>,
}

impl Session {
    pub(crate) async fn search(&mut self, tag: &Tag, mut search: Search) -> Result<Answer, Fault> {
        if let Some(refusal) = self.expand_filters(&mut search).await? {
            return Ok(refusal);
        }
        if let Some(refusal) = self.refuse_charset(&search) {
            return Ok(refusal);
        }
        let search = &search;
        let limit = self.settings.message_limit.of_any();
        let made = match self.make_search(tag, search, false, limit).await? {
            Ok(made) => made,
            Err(answer) => return Ok(answer),
        };
        // RFC 9051 §6.4.4: who speaks IMAP4rev2 gets ESEARCH, whether RETURN was given or not.
        let Some(returns) = search.returns.or(self.enabled.rev2.then_some(SearchReturn::ALL)) else {
            let modseq = Some(made.found.highest_modseq).filter(|_| search.uses_modseq());
            let numbers = numbers_of(&made.found.uids, &made.place.map, search.uid);
            response::search(self.connection.out(), numbers.iter(), modseq);
            return self.searched(made.limited);
        };
        self.tell_results(tag, search, returns, &made, None).await?;
        let limited = made.limited;
        if returns.update {
            self.keep_updated(tag, search, made, None)?;
        }
        self.searched(limited)
    }

    /// RFC 6855 §3: with UTF-8 switched on, SEARCH names no charset; two for one text make no sense. SORT and THREAD always name
    /// one (RFC 5256 §3), which says how their texts are to be read as ever.
    pub(crate) fn refuse_charset(&self, search: &Search) -> Option<Answer> {
        let two = self.enabled.utf8 && search.charset.is_some();
        two.then(|| Answer::bad("No charset: everything is in UTF-8 since ENABLE UTF8=ACCEPT"))
    }

    /// How SEARCH and its kin end.
    pub(crate) fn searched(&mut self, limited: Option<Limited>) -> Result<Answer, Fault> {
        let answer = Answer::ok("Searched");
        let answer = if self.selected()?.view.has_gone() { answer.with(Code::ExpungeIssued) } else { answer };
        Ok(self.answer_limited(answer, limited))
    }

    /// SORT and THREAD: nothing is told of a part (RFC 9738 §3.3).
    pub(crate) async fn make_whole_search(
        &mut self,
        tag: &Tag,
        search: &Search,
        keeps_values: bool,
    ) -> Result<Result<Made, Answer>, Fault> {
        if let Some(limit) = self.settings.message_limit.of_any() {
            let map = Arc::clone(self.selected()?.view.map());
            let over = |query: &Query| searched_limit(query, &map, Some(limit)).is_some();
            if map.messages() > limit && self.ready(search, &map).is_ok_and(|query| over(&query)) {
                if search.returns.is_some_and(|returns| returns.save) {
                    self.selected()?.saved = NumberSet::empty();
                }
                let text = format!("So many messages are not put in order: {limit} at the most");
                return Ok(Err(Answer::no(Code::MessageLimit { limit, lowest: None }, text)));
            }
        }
        self.make_search(tag, search, keeps_values, None).await
    }

    /// Looks in the selected mailbox; the inner error answers a search that can't be made. `keeps_values`: what rows say of the
    /// found messages is all that they are going to be sorted by. `limit`: of more messages, it looks at those with the highest
    /// UIDs.
    pub(crate) async fn make_search(
        &mut self,
        tag: &Tag,
        search: &Search,
        keeps_values: bool,
        limit: Option<u32>,
    ) -> Result<Result<Made, Answer>, Fault> {
        let saves = search.returns.is_some_and(|returns| returns.save);
        // RFC 5267 §4.3: one tag, one context.
        if search.returns.is_some_and(|returns| returns.update) && self.is_updated(tag)? {
            return Ok(Err(Answer::bad("The tag is that of a search whose results are kept up to date")));
        }
        if search.uses_modseq() {
            self.know_modseqs();
        }
        let place = self.selected_place().await?;
        let query = match self.ready(search, &place.map) {
            Ok(query) => query,
            Err(answer) => {
                // RFC 5182 §2.1: a NO leaves an empty result, a BAD leaves what was there.
                if saves && answer.condition == Condition::No {
                    self.selected()?.saved = NumberSet::empty();
                }
                return Ok(Err(answer));
            }
        };
        let limited = searched_limit(&query, &place.map, limit);
        let query = match limited {
            Some(some) => query.not_below(some.lowest),
            None => query,
        };
        let mut place = Place { keeps_values, ..place };
        let store = self.server.store.clone();
        let (comparator, progress) = (self.comparator, place.progress.clone());
        let work = place.find(&store, &query, comparator, search.uses_modseq());
        let found = self.amid(tag, &progress, work).await??;
        Ok(Ok(Made { place, query, found, limited }))
    }

    /// The selected mailbox, to be searched.
    pub(crate) async fn selected_place(&mut self) -> Result<Place, Fault> {
        self.refresh_row().await?;
        let (key, attachments) = (self.key()?, self.settings.search_attachments);
        let selected = self.selected()?;
        Ok(Place {
            key,
            map: Arc::clone(selected.view.map()),
            row: selected.row.clone(),
            reading: selected.reading.clone(),
            recent: selected.recent.clone(),
            attachments,
            keeps_values: false,
            progress: Progress::towards(selected.view.map().messages()),
        })
    }

    /// A search made ready for a mailbox.
    pub(crate) fn ready(&self, search: &Search, map: &UidMap) -> Result<Query, Answer> {
        let query = self.ready_key(&search.key, search.charset.as_deref(), map)?;
        // RFC 6203 §4: without FUZZY there are no scores.
        if search.returns.is_some_and(|returns| returns.relevancy) && !query.is_fuzzy() {
            return Err(Answer::bad("RELEVANCY is for searches with FUZZY"));
        }
        Ok(query)
    }

    fn ready_key(&self, key: &SearchKey, charset: Option<&str>, map: &UidMap) -> Result<Query, Answer> {
        // RFC 3501 §6.4.4: a charset that is not known gets the known ones told.
        let Some(charset) = Charset::named(charset) else {
            let code = Code::BadCharset(&CHARSETS);
            return Err(Answer { condition: Condition::No, code: Some(code), text: "Unknown charset".into() });
        };
        let nothing = NumberSet::empty();
        let saved = self.selected.as_deref().map_or(&nothing, |selected| &selected.saved);
        let now = self.server.store.now();
        let context = Context { map, saved, now, charset, comparator: self.comparator };
        Query::new(key, &context).map_err(|unready| match unready {
            Unready::BadText => Answer::bad("A text is not in the charset that it claims to be in"),
            Unready::TooManyFuzzy => Answer::no(Code::Limit, "Too many texts are looked for by FUZZY at once"),
            Unready::UndefinedFilter(name) => Answer::no(Code::UndefinedFilter(name), "There is no such filter"),
        })
    }

    /// Says what RETURN asks for, and saves what SAVE asks for. `sorted` holds the UIDs as SORT put them.
    pub(crate) async fn tell_results(
        &mut self,
        tag: &Tag,
        search: &Search,
        returns: SearchReturn,
        made: &Made,
        sorted: Option<&[u32]>,
    ) -> Result<(), Fault> {
        let answer = Returned::new(returns, &made.found, sorted);
        let modseq = if search.uses_modseq() { self.modseq_of(&answer, made).await? } else { None };
        if returns.save {
            self.selected()?.saved = answer.saved(&made.found.uids);
        }
        if !returns.only_saves() {
            answer.write(self.connection.out(), &Correlator::Tag(tag), search.uid, &made.place.map, modseq);
        }
        Ok(())
    }

    /// RFC 4731 §3.2: the largest MODSEQ of what is returned.
    pub(crate) async fn modseq_of(&mut self, answer: &Returned<'_>, made: &Made) -> Result<Option<u64>, Fault> {
        let modseq = match answer.only_some() {
            Some(some) => {
                let store = self.server.store.clone();
                made.place.highest_modseq(&store, &some).await?
            }
            None => made.found.highest_modseq,
        };
        Ok(Some(modseq).filter(|modseq| *modseq > 0))
    }

    /// The UIDs that a set means, `$` included; sequence numbers that no message has mean nothing.
    pub(crate) fn uids_meant(&mut self, set: &SequenceSet, uid: bool) -> Result<NumberSet, Fault> {
        let selected = self.selected()?;
        let map = selected.view.map();
        let meant = if uid {
            set.resolve(map.max_uid()).clip(1..=map.max_uid())
        } else {
            map.uids_of(&set.resolve(map.messages()))
        };
        Ok(if set.has_saved() { meant.union(&selected.saved) } else { meant })
    }
}

/// Whether more messages are to be looked at than one command may (RFC 9738 §3.1): those that the keys name by number or UID, or
/// all. What is found does not count.
fn searched_limit(query: &Query, map: &UidMap, limit: Option<u32>) -> Option<Limited> {
    let limit = limit.filter(|limit| map.messages() > *limit)?;
    let all = || NumberSet::from_ranges([1..=map.max_uid()]);
    Limited::of(map, &query.named().unwrap_or_else(all), Some(limit))
}

/// Sequence numbers, or the UIDs themselves.
pub(crate) fn numbers_of(uids: &NumberSet, map: &UidMap, uid: bool) -> NumberSet {
    if uid {
        return uids.clone();
    }
    NumberSet::from_numbers(map.existing(uids).filter_map(|uid| map.sequence_of(uid)).map(|number| number.0))
}

/// Sequence numbers of UIDs in any order, or the UIDs themselves.
pub(crate) fn sorted_numbers(uids: &[u32], map: &UidMap, uid: bool) -> Vec<u32> {
    if uid {
        return uids.to_vec();
    }
    uids.iter().filter_map(|uid| map.sequence_of(Uid(*uid))).map(|number| number.0).collect()
}

/// What of a result is returned, in UIDs.
pub(crate) struct Returned<'a> {
    returns: SearchReturn,
    found: &'a NumberSet,
    sorted: Option<&'a [u32]>,
    scores: &'a [u8],
    min: Option<u32>,
    max: Option<u32>,
    partial: Option<Vec<u32>>,
    partial_scores: Vec<u8>,
}

impl<'a> Returned<'a> {
    pub(crate) fn new(returns: SearchReturn, found: &'a Found, sorted: Option<&'a [u32]>) -> Self {
        let uids = &found.uids;
        let (first, last) = match sorted {
            // RFC 5267 §3.1: MIN and MAX are the ends of the order.
            Some(sorted) => (sorted.first().copied(), sorted.last().copied()),
            None => (uids.min(), uids.max()),
        };
        let (mut partial, mut partial_scores) = (None, Vec::new());
        if let Some(range) = returns.partial {
            let some = match sorted {
                Some(sorted) => sorted.get(range.of(sorted.len())).unwrap_or_default().to_vec(),
                None => {
                    let places = range.of(usize::try_from(uids.count()).unwrap_or(usize::MAX));
                    partial_scores = found.scores.get(places.clone()).unwrap_or_default().to_vec();
                    uids.iter().skip(places.start).take(places.len()).collect()
                }
            };
            partial = Some(some);
        }
        let min = first.filter(|_| returns.min);
        let max = last.filter(|_| returns.max);
        Self { returns, found: uids, sorted, scores: &found.scores, min, max, partial, partial_scores }
    }

    /// The messages that are returned, when these are not all that were found.
    pub(crate) fn only_some(&self) -> Option<NumberSet> {
        let SearchReturn { min, max, all, count, .. } = self.returns;
        if all || count || !(min || max || self.partial.is_some()) {
            return None;
        }
        let partial = self.partial.iter().flatten().copied();
        Some(NumberSet::from_numbers(partial.chain(self.min).chain(self.max)))
    }

    /// What `$` becomes (RFC 5182 §2.4, RFC 9394 §3.2).
    pub(crate) fn saved(&self, found: &NumberSet) -> NumberSet {
        self.only_some().unwrap_or_else(|| found.clone())
    }

    /// Scores in the order of the results that are returned.
    fn relevancy(&self) -> Vec<u8> {
        if self.partial.is_some() && self.sorted.is_none() {
            return self.partial_scores.clone();
        }
        let returned = match (&self.partial, self.sorted) {
            (Some(partial), _) => partial.as_slice(),
            (None, Some(sorted)) => sorted,
            (None, None) => return self.scores.to_vec(),
        };
        // By UID, the scores are in the order of what was found.
        let all: std::collections::HashMap<u32, u8> = self.found.iter().zip(self.scores.iter().copied()).collect();
        returned.iter().map(|uid| all.get(uid).copied().unwrap_or(1)).collect()
    }

    pub(crate) fn write(
        &self,
        out: &mut Vec<u8>,
        correlator: &Correlator<'_>,
        uid: bool,
        map: &UidMap,
        modseq: Option<u64>,
    ) {
        let number = |found: u32| if uid { Some(found) } else { map.sequence_of(Uid(found)).map(|number| number.0) };
        let set = numbers_of(self.found, map, uid);
        let sorted = self.sorted.map(|sorted| sorted_numbers(sorted, map, uid));
        let partial = self.partial.as_ref().map(|partial| sorted_numbers(partial, map, uid));
        let partial_set = partial.as_ref().map(|partial| NumberSet::from_numbers(partial.iter().copied()));
        // RFC 6203 §4: "only when the results are given", in their order.
        let scored = self.returns.relevancy && !self.scores.is_empty() && (self.returns.all || partial.is_some());
        let relevancy = scored.then(|| self.relevancy());
        let in_order = |all: bool| match (&sorted, &partial, &partial_set) {
            (Some(sorted), _, _) if all => Results::Sorted(sorted),
            (None, _, _) if all => Results::Set(&set),
            (Some(_), Some(partial), _) => Results::Sorted(partial),
            (_, _, Some(partial)) => Results::Set(partial),
            (_, _, None) => Results::Sorted(&[]),
        };
        let data = EsearchData {
            min: self.min.and_then(number),
            max: self.max.and_then(number),
            all: self.returns.all.then(|| in_order(true)),
            count: self.returns.count.then(|| self.found.count()),
            partial: self.returns.partial.map(|range| (range, in_order(false))),
            relevancy: relevancy.as_deref(),
            modseq,
        };
        response::esearch(out, correlator, uid, &data);
    }
}
