//! What SORT and THREAD compare, kept in memory for the mailboxes that were sorted lately.
//!
//! The keys of a message never change, so that only arrivals have to be read, and flags don't matter. Expunged messages keep
//! their places until they are half of all. Invariant: every column has one value for each of [`MailboxKeys::uids`].
//! What all mailboxes take together is bounded; the ones used least lately go first, and what nobody used for a while goes.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use imap_wire::{NumberSet, SortCriterion, SortKey, ThreadAlgorithm};
use mail::{AccountId, MailboxId, Timestamp, Uid};
use message::{RecordView, SortKeysView};
use parking_lot::Mutex;
use storage::rows::{MessageRow, Sent};
use storage::{StorageError, Store};
use tokio::sync::{OwnedMutexGuard, OwnedSemaphorePermit, Semaphore};

use crate::engine::comparator::Comparator;
use crate::engine::order::{Column, Entry, Incoming, Ordered};
use crate::engine::thread::{Facts, Links, References, Threads};
use crate::finding::{Found, RowValues};
use crate::limits::{
    ORDERS_KEPT, ORDERS_OCTETS_MAX, ORDERS_READ_AT_ONCE, ORDERS_UNUSED_MAX, RECORDS_PER_PAGE, ROWS_PER_PAGE,
    SORT_MESSAGES_PER_TURN,
};
use crate::records::{complete, damaged};

type Key = (AccountId, MailboxId);

/// The keys of the mailboxes that were sorted lately.
#[derive(Debug)]
pub(crate) struct Orders {
    held: Mutex<HashMap<Key, Held>>,
    /// Who may read many keys now.
    readers: Arc<Semaphore>,
    /// Owners of whose mailboxes keys are read, or shall be.
    owners: Mutex<HashMap<AccountId, Arc<tokio::sync::Mutex<()>>>>,
}

impl Default for Orders {
    fn default() -> Self {
        Self {
            held: Mutex::default(),
            readers: Arc::new(Semaphore::new(ORDERS_READ_AT_ONCE)),
            owners: Mutex::default(),
        }
    }
}

/// The turn of somebody who reads many keys; to be kept until they are let go, or settled.
#[derive(Debug)]
pub(crate) struct Turn {
    _owner: OwnedMutexGuard<()>,
    _reader: Option<OwnedSemaphorePermit>,
}

#[derive(Debug)]
struct Held {
    keys: Arc<tokio::sync::Mutex<MailboxKeys>>,
    octets: usize,
    used: Timestamp,
}

impl Orders {
    /// The keys of a mailbox, perhaps none yet. Who holds them reads for all that wait.
    pub(crate) fn of(&self, key: Key, now: Timestamp) -> Arc<tokio::sync::Mutex<MailboxKeys>> {
        let mut held = self.held.lock();
        let entry = held.entry(key).or_insert_with(|| Held { keys: Arc::default(), octets: 0, used: now });
        entry.used = now;
        Arc::clone(&entry.keys)
    }

    /// Waits for the turn to read the keys of so many messages; nobody waits who reads no more than a page. One owner's
    /// mailboxes are read one after the other, so that nobody has to wait for all of them.
    ///
    /// Who has a turn waits for no [`Orders::of`], so that who waits for a turn may hold one.
    pub(crate) async fn turn(&self, owner: AccountId, messages: u64) -> Option<Turn> {
        if messages <= RECORDS_PER_PAGE as u64 {
            return None;
        }
        let gate = {
            let mut owners = self.owners.lock();
            owners.retain(|_, gate| Arc::strong_count(gate) > 1);
            Arc::clone(owners.entry(owner).or_default())
        };
        let owner = gate.lock_owned().await;
        // It is never closed.
        let reader = Arc::clone(&self.readers).acquire_owned().await.ok();
        Some(Turn { _owner: owner, _reader: reader })
    }

    /// Notes what a mailbox's keys take now, and lets go of what is too much.
    pub(crate) fn settle(&self, key: Key, octets: usize, now: Timestamp) {
        let mut held = self.held.lock();
        if let Some(entry) = held.get_mut(&key) {
            entry.octets = octets;
            entry.used = now;
        }
        Self::forget_unused(&mut held, now);
        while held.values().map(|entry| entry.octets).sum::<usize>() > ORDERS_OCTETS_MAX {
            let Some(oldest) = held.iter().min_by_key(|(_, entry)| entry.used).map(|(key, _)| *key) else { break };
            held.remove(&oldest);
        }
    }

    /// Lets go of what nobody has used for a while.
    pub(crate) fn age(&self, now: Timestamp) {
        Self::forget_unused(&mut self.held.lock(), now);
    }

    fn forget_unused(held: &mut HashMap<Key, Held>, now: Timestamp) {
        let limit = now.minus(ORDERS_UNUSED_MAX);
        held.retain(|_, entry| entry.used >= limit);
    }

    /// How many mailboxes' keys are held.
    #[cfg(test)]
    pub(crate) fn mailboxes(&self) -> usize {
        self.held.lock().len()
    }
}

/// An order that was asked for.
type Asked = (Vec<SortCriterion>, Comparator);

/// The keys of one mailbox, message by message.
#[derive(Debug, Default)]
pub(crate) struct MailboxKeys {
    /// Ascending.
    uids: Vec<u32>,
    columns: HashMap<(SortKey, Comparator), Column>,
    links: Option<Links>,
    /// Orders of all messages, the latest at the end: UIDs.
    orders: VecDeque<(Asked, Arc<[u32]>)>,
    /// Threads of some messages, the latest at the end.
    threads: VecDeque<((ThreadAlgorithm, Comparator), NumberSet, Arc<Threads>)>,
}

/// What is read of messages on their way.
struct Gathering<'a> {
    columns: Vec<((SortKey, Comparator), Incoming)>,
    links: Option<&'a mut Links>,
    uids: Vec<u32>,
}

impl Gathering<'_> {
    fn needs_records(&self) -> bool {
        self.links.is_some() || self.columns.iter().any(|((key, _), _)| !is_in_row(*key))
    }

    /// About how many octets of memory it takes.
    fn octets(&self) -> usize {
        let columns: usize = self.columns.iter().map(|(_, incoming)| incoming.octets()).sum();
        let links = self.links.as_ref().map_or(0, |links| links.octets());
        columns.saturating_add(links).saturating_add(self.uids.len().saturating_mul(4))
    }

    /// Records tell the date as well.
    fn needs_rows(&self) -> bool {
        let by_records = self.needs_records();
        self.columns.iter().any(|((key, _), _)| is_in_row(*key) && !(by_records && *key == SortKey::Date))
    }

    fn needs_dates(&self) -> bool {
        self.columns.iter().any(|((key, _), _)| *key == SortKey::Date)
    }

    /// INTERNALDATE stands for a date that is missing (RFC 5256 §2.2).
    fn needs_row_for(&self, view: &SortKeysView<'_>) -> bool {
        view.sent.is_none() && self.needs_dates()
    }

    fn take(&mut self, uid: u32, row: Option<&MessageRow>, view: Option<&SortKeysView<'_>>) {
        self.uids.push(uid);
        let arrived = row.map_or(0, |row| row.internal_date.secs);
        for ((key, comparator), incoming) in &mut self.columns {
            let mut text = |text: for<'v> fn(&SortKeysView<'v>) -> &'v str| {
                incoming.text(comparator.fold(view.map(text).unwrap_or_default()));
            };
            match key {
                SortKey::Cc => text(|view| view.cc.0),
                SortKey::From => text(|view| view.from.0),
                SortKey::To => text(|view| view.to.0),
                SortKey::DisplayFrom => text(|view| view.from.1),
                SortKey::DisplayTo => text(|view| view.to.1),
                SortKey::Subject => text(|view| view.base_subject),
                SortKey::Arrival => incoming.number(arrived),
                SortKey::Size => incoming.number(row.map_or(0, |row| RowValues::of(row).octets)),
                SortKey::Date => {
                    let told = view.map(|view| view.sent).or_else(|| row.and_then(|row| row.sent.told()));
                    incoming.number(told.flatten().map_or(arrived, |sent| sent.unix_secs));
                }
                SortKey::Relevancy => incoming.number(0),
            }
        }
        if let Some(links) = &mut self.links {
            match view {
                Some(view) => links.push(view.message_id, &view.references(), view.is_reply_or_forward),
                None => links.push(None, &[], false),
            }
        }
    }
}

/// Whether a message's row has what this key compares; the date is in all but those of an older format.
pub(crate) const fn is_in_row(key: SortKey) -> bool {
    matches!(key, SortKey::Arrival | SortKey::Size | SortKey::Date)
}

/// Where keys are read from.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    pub(crate) store: &'a Store,
    pub(crate) key: Key,
    /// Octets of keys that are read.
    pub(crate) octets_max: usize,
}

impl Source<'_> {
    /// Reads the keys of the messages with these UIDs, which ascend. One that is gone gets values that nobody looks at.
    /// Rows are read only where they are needed: records say nearly all. And where rows say all, records are read only for
    /// those that don't tell the date yet.
    async fn read(self, uids: &[u32], gathering: &mut Gathering<'_>) -> Result<(), StorageError> {
        let (with_rows, with_records) = (gathering.needs_rows(), gathering.needs_records());
        let octets_before = gathering.octets();
        let mut left = uids;
        let mut page = if with_records { RECORDS_PER_PAGE } else { ROWS_PER_PAGE };
        // Whether pages are of a size for records.
        let mut for_records = with_records;
        while !left.is_empty() {
            let (some, rest) = left.split_at(near(left, page));
            let (Some(first), Some(last)) = (some.first(), some.last()) else { break };
            let limit = usize::try_from(last.saturating_sub(*first)).unwrap_or(usize::MAX).saturating_add(1);
            let (first, last) = (Uid(*first), Uid(*last));
            let mut rows = Vec::new();
            if with_rows {
                rows = self.store.messages(self.key.0, self.key.1, first, last, limit).await?;
            }
            let untold = |row: &MessageRow| row.sent == Sent::Untold;
            let lacks_dates = !with_records && gathering.needs_dates() && rows.iter().any(untold);
            if lacks_dates && !for_records {
                (page, for_records) = (RECORDS_PER_PAGE, true);
                continue;
            }
            left = rest;
            let mut records = Vec::new();
            if with_records || lacks_dates {
                records = self.store.records(self.key.0, self.key.1, first, last, limit).await?;
                let octets: usize = records.iter().map(|(_, record)| record.len()).sum();
                let each = octets / records.len().max(1);
                page = (KEYS_PAGE_OCTETS / each.max(1)).clamp(RECORDS_PER_PAGE, ROWS_PER_PAGE);
            }
            let (mut rows, mut records) = (rows.into_iter().peekable(), records.into_iter().peekable());
            for uid in some {
                while rows.next_if(|row| row.uid.0 < *uid).is_some() {}
                while records.next_if(|(known, _)| known.0 < *uid).is_some() {}
                let row = rows.next_if(|row| row.uid.0 == *uid);
                let record = records.next_if(|(known, _)| known.0 == *uid).map(|(_, record)| record);
                let needs_record = with_records || lacks_dates && row.as_ref().is_some_and(untold);
                self.take(*uid, row, record, needs_record, gathering).await?;
            }
            if !with_records && !lacks_dates {
                (page, for_records) = (ROWS_PER_PAGE, false);
            }
            if gathering.octets().saturating_sub(octets_before) > self.octets_max {
                return Err(StorageError::LimitReached("messages to sort at once"));
            }
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    async fn take(
        self,
        uid: u32,
        row: Option<MessageRow>,
        record: Option<Bytes>,
        needs_record: bool,
        gathering: &mut Gathering<'_>,
    ) -> Result<(), StorageError> {
        let readable = record.as_ref().and_then(|record| RecordView::new(record).ok()?.sort_keys_view().ok());
        if !needs_record || readable.as_ref().is_some_and(|view| row.is_some() || !gathering.needs_row_for(view)) {
            gathering.take(uid, row.as_ref(), readable.as_ref());
            return Ok(());
        }
        let row = match row {
            Some(row) => Some(row),
            None => self.store.message(self.key.0, self.key.1, Uid(uid)).await?,
        };
        if readable.is_some() || row.is_none() {
            gathering.take(uid, row.as_ref(), readable.as_ref());
            return Ok(());
        }
        let Some(row) = row else { return Ok(()) };
        match complete(self.store, &row, None, false).await {
            Ok(record) => {
                let view = RecordView::new(&record).map_err(damaged)?;
                gathering.take(uid, Some(&row), Some(&view.sort_keys_view().map_err(damaged)?));
            }
            // Expunged while it was looked at.
            Err(StorageError::Expunged) => gathering.take(uid, Some(&row), None),
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

/// How many of the first UIDs lie so near to each other that reading all between them costs no more than asking again.
fn near(uids: &[u32], page: usize) -> usize {
    let pairs = uids.windows(2).take(page.saturating_sub(1));
    1 + pairs.take_while(|pair| matches!(pair, [a, b] if b.saturating_sub(*a) <= KEYS_GAP_MAX)).count()
}

/// Octets of records read at once, about.
const KEYS_PAGE_OCTETS: usize = 1024 * 1024;

/// UIDs that two messages may lie apart and still be read at once.
const KEYS_GAP_MAX: u32 = 4;

/// What an algorithm of THREAD looks at beside identifiers.
pub(crate) const fn thread_keys(algorithm: ThreadAlgorithm) -> &'static [SortKey] {
    match algorithm {
        ThreadAlgorithm::OrderedSubject | ThreadAlgorithm::References => &[SortKey::Date, SortKey::Subject],
        ThreadAlgorithm::Refs => &[SortKey::Date, SortKey::Arrival],
    }
}

/// Whether an algorithm of THREAD looks at identifiers.
pub(crate) fn needs_links(algorithm: ThreadAlgorithm) -> bool {
    algorithm != ThreadAlgorithm::OrderedSubject
}

impl MailboxKeys {
    /// The keys of what was found, from what a search has kept of the rows; for keys that are there.
    pub(crate) fn of_rows(found: &Found, keys: &[SortKey], comparator: Comparator) -> Self {
        let values = |key: &SortKey| {
            let (size, date) = (*key == SortKey::Size, *key == SortKey::Date);
            let value = |values: &RowValues| match (size, date) {
                (true, _) => values.octets,
                (_, true) => values.sent_secs,
                (false, false) => values.arrived_secs,
            };
            Column::Numbers(found.values.iter().map(value).collect())
        };
        let columns = keys.iter().map(|key| ((*key, comparator), values(key))).collect();
        Self { uids: found.uids.iter().collect(), columns, ..Self::default() }
    }

    /// Whether these keys are known, so that nothing but arrivals has to be read.
    pub(crate) fn has(&self, keys: &[SortKey], comparator: Comparator, links: bool) -> bool {
        (!links || self.links.is_some()) && keys.iter().all(|key| self.columns.contains_key(&(*key, comparator)))
    }

    /// Of how many messages keys have to be read to know these.
    pub(crate) fn unread(&self, uids: &NumberSet, keys: &[SortKey], comparator: Comparator, links: bool) -> u64 {
        if self.is_stale(uids) || !self.has(keys, comparator, links) {
            return uids.count();
        }
        uids.clip(self.behind()..=u32::MAX).count()
    }

    /// Expunged messages keep their places until they are half of all.
    fn is_stale(&self, uids: &NumberSet) -> bool {
        self.uids.len() / 2 > usize::try_from(uids.count()).unwrap_or(usize::MAX)
    }

    /// The first UID that arrivals may have.
    fn behind(&self) -> u32 {
        self.uids.last().map_or(1, |last| last.saturating_add(1))
    }

    /// About how many octets of memory it takes.
    pub(crate) fn octets(&self) -> usize {
        let columns: usize = self.columns.values().map(Column::octets).sum();
        let orders: usize = self.orders.iter().map(|(_, order)| order.len().saturating_mul(4)).sum();
        let threads: usize =
            self.threads.iter().map(|(_, set, threads)| threads.octets() + set.ranges().len() * 12).sum();
        let links = self.links.as_ref().map_or(0, Links::octets);
        columns + orders + threads + links + self.uids.len().saturating_mul(4)
    }

    /// Makes keys of messages known: of all that the mailbox has, given as the exact UIDs, or of all that there will be.
    ///
    /// # Errors
    /// [`StorageError::LimitReached`] when they would take more than [`Source::octets_max`], or the engine's. What was known
    /// stays known, or is read again.
    pub(crate) async fn learn(
        &mut self,
        source: Source<'_>,
        uids: &NumberSet,
        keys: &[SortKey],
        comparator: Comparator,
        links: bool,
    ) -> Result<(), StorageError> {
        let known = !self.uids.is_empty();
        let mut learned = self.learn_more(source, uids, keys, comparator, links).await;
        if known && matches!(learned, Err(StorageError::LimitReached(_))) {
            // What others asked for may be what is too much.
            *self = Self::default();
            learned = self.learn_more(source, uids, keys, comparator, links).await;
        }
        if learned.is_err() && self.uids.is_empty() {
            // Columns that were never filled, which the next one need not read.
            *self = Self::default();
        }
        learned
    }

    async fn learn_more(
        &mut self,
        source: Source<'_>,
        uids: &NumberSet,
        keys: &[SortKey],
        comparator: Comparator,
        links: bool,
    ) -> Result<(), StorageError> {
        if self.is_stale(uids) {
            *self = Self::default();
        }
        if self.uids.is_empty() {
            for key in keys {
                self.columns.entry((*key, comparator)).or_insert_with(|| Column::empty(*key));
            }
            if links && self.links.is_none() {
                self.links = Some(Links::default());
            }
        }
        let read = self.learn_arrivals(source, uids).await?;
        let source = Source { octets_max: source.octets_max.saturating_sub(read), ..source };
        self.learn_columns(source, keys, comparator, links).await
    }

    /// Messages behind all that are known; gives about how many octets were read.
    async fn learn_arrivals(&mut self, source: Source<'_>, uids: &NumberSet) -> Result<usize, StorageError> {
        let more: Vec<u32> = uids.clip(self.behind()..=u32::MAX).iter().collect();
        if more.is_empty() {
            return Ok(0);
        }
        // Should reading fail half-way, the links would not fit the columns: they are read anew then.
        let mut links = self.links.take();
        let columns = self.columns.keys().map(|of| (*of, Incoming::of(of.0))).collect();
        let mut gathering = Gathering { columns, links: links.as_mut(), uids: Vec::new() };
        let octets_before = gathering.octets();
        source.read(&more, &mut gathering).await?;
        let read = gathering.octets().saturating_sub(octets_before);
        let Gathering { columns, uids, .. } = gathering;
        for (of, incoming) in columns {
            if let Some(column) = self.columns.get_mut(&of) {
                column.extend(incoming);
            }
        }
        self.links = links;
        self.uids.extend(uids);
        self.orders.clear();
        Ok(read)
    }

    /// Keys that nobody has asked for before, of all messages that are known.
    async fn learn_columns(
        &mut self,
        source: Source<'_>,
        keys: &[SortKey],
        comparator: Comparator,
        links: bool,
    ) -> Result<(), StorageError> {
        let missing = keys.iter().map(|key| (*key, comparator)).filter(|of| !self.columns.contains_key(of));
        let columns: Vec<_> = missing.map(|of| (of, Incoming::of(of.0))).collect();
        let mut fresh = (links && self.links.is_none()).then(Links::default);
        if columns.is_empty() && fresh.is_none() {
            return Ok(());
        }
        let mut gathering = Gathering { columns, links: fresh.as_mut(), uids: Vec::new() };
        source.read(&self.uids, &mut gathering).await?;
        for (of, incoming) in gathering.columns {
            let mut column = Column::empty(of.0);
            column.extend(incoming);
            self.columns.insert(of, column);
        }
        if fresh.is_some() {
            self.links = fresh;
        }
        Ok(())
    }

    /// The found messages in the order asked for; their keys are known. `scores` are those of the found, in order of UID.
    pub(crate) async fn sorted(
        &mut self,
        found: &NumberSet,
        scores: &[u8],
        criteria: &[SortCriterion],
        comparator: Comparator,
    ) -> Vec<u32> {
        let asked = (criteria.to_vec(), comparator);
        let by_score = criteria.iter().any(|criterion| criterion.key == SortKey::Relevancy);
        if let Some((_, order)) = self.orders.iter().find(|(known, _)| *known == asked) {
            return order.iter().copied().filter(|uid| found.contains(*uid)).collect();
        }
        let indexes: Vec<usize> = found.positions_in(&self.uids, |uid| *uid).collect();
        let relevancy = by_score.then(|| self.relevancy(&indexes, scores));
        let columns: Vec<&Column> = criteria
            .iter()
            .filter_map(|criterion| {
                let kept = self.columns.get(&(criterion.key, comparator));
                if criterion.key == SortKey::Relevancy { relevancy.as_ref() } else { kept }
            })
            .collect();
        let ordered = Ordered::new(criteria, columns);
        let all = !by_score && indexes.len() >= self.uids.len() / 2;
        let mut entries: Vec<Entry> = if all {
            (0..).zip(&self.uids).map(|(index, _)| ordered.entry(index)).collect()
        } else {
            indexes.iter().filter_map(|index| u32::try_from(*index).ok()).map(|index| ordered.entry(index)).collect()
        };
        for some in entries.chunks_mut(SORT_MESSAGES_PER_TURN) {
            ordered.sort(some);
            tokio::task::yield_now().await;
        }
        if entries.len() > SORT_MESSAGES_PER_TURN {
            ordered.merge(&mut entries);
        }
        let uid = |index: u32| usize::try_from(index).ok().and_then(|at| self.uids.get(at)).copied();
        let order: Vec<u32> = entries.into_iter().filter_map(|(_, index)| uid(index)).collect();
        if !all {
            return order;
        }
        if self.orders.len() >= ORDERS_KEPT {
            self.orders.pop_front();
        }
        let sorted = order.iter().copied().filter(|uid| found.contains(*uid)).collect();
        self.orders.push_back((asked, order.into()));
        sorted
    }

    /// RFC 6203 §4: the best first, so that the column holds what is missing to the best.
    fn relevancy(&self, indexes: &[usize], scores: &[u8]) -> Column {
        let mut column = vec![0; self.uids.len()];
        for (index, score) in indexes.iter().zip(scores) {
            if let Some(slot) = column.get_mut(*index) {
                *slot = 100 - i64::from(*score);
            }
        }
        Column::Numbers(column)
    }

    /// The found messages in threads, and their UIDs: nodes of the threads are places among these. Their keys are known.
    pub(crate) async fn threaded(
        &mut self,
        found: &NumberSet,
        algorithm: ThreadAlgorithm,
        comparator: Comparator,
    ) -> (Arc<Threads>, Vec<u32>) {
        let asked = (algorithm, comparator);
        let uid = |index: usize| self.uids.get(index).copied();
        let uids = found.positions_in(&self.uids, |uid| *uid).filter_map(uid).collect();
        if let Some((.., threads)) = self.threads.iter().find(|(known, set, _)| *known == asked && set == found) {
            return (Arc::clone(threads), uids);
        }
        let threads = Arc::new(self.make_threads(found, algorithm, comparator).await);
        self.threads.retain(|(known, ..)| *known != asked);
        if self.threads.len() >= ORDERS_KEPT {
            self.threads.pop_front();
        }
        self.threads.push_back((asked, found.clone(), Arc::clone(&threads)));
        (threads, uids)
    }

    async fn make_threads(&self, found: &NumberSet, algorithm: ThreadAlgorithm, comparator: Comparator) -> Threads {
        let indexes: Vec<u32> =
            found.positions_in(&self.uids, |uid| *uid).filter_map(|index| u32::try_from(index).ok()).collect();
        let column = |key: SortKey| self.columns.get(&(key, comparator));
        let (sent, arrived, subjects) = (column(SortKey::Date), column(SortKey::Arrival), column(SortKey::Subject));
        let value = |column: Option<&Column>, index: u32| column.map_or(0, |column| column.value(index));
        let empty = subjects.and_then(|column| column.place(""));
        let mut facts = Vec::with_capacity(indexes.len());
        for some in indexes.chunks(SORT_MESSAGES_PER_TURN) {
            facts.extend(some.iter().map(|index| {
                let subject = value(subjects, *index);
                Facts {
                    sent: value(sent, *index),
                    arrived: value(arrived, *index),
                    subject,
                    no_subject: Some(subject) == empty,
                    reply: self.links.as_ref().is_some_and(|links| links.is_reply(*index)),
                }
            }));
            tokio::task::yield_now().await;
        }
        let by_subject = algorithm == ThreadAlgorithm::OrderedSubject;
        let mut order: Vec<(i64, i64, u32)> = (0..)
            .zip(&facts)
            .map(|(message, facts)| (if by_subject { facts.subject } else { 0 }, facts.sent, message))
            .collect();
        for some in order.chunks_mut(SORT_MESSAGES_PER_TURN) {
            some.sort_unstable();
            tokio::task::yield_now().await;
        }
        order.sort();
        let order: Vec<u32> = order.into_iter().map(|(.., message)| message).collect();
        tokio::task::yield_now().await;
        let Some(links) = self.links.as_ref().filter(|_| !by_subject) else {
            return Threads::ordered_subject(&facts, &order);
        };
        let mut threading = References::new(links, &indexes);
        while threading.link_some(SORT_MESSAGES_PER_TURN) {
            tokio::task::yield_now().await;
        }
        tokio::task::yield_now().await;
        if algorithm == ThreadAlgorithm::Refs {
            threading.refs(&facts, &order)
        } else {
            threading.references(&facts, &order)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Whether somebody's turn has come.
    async fn turn(orders: &Orders, owner: u64, messages: u64) -> Result<Option<Turn>, ()> {
        tokio::select! {
            biased;
            turn = orders.turn(AccountId(owner), messages) => Ok(turn),
            () = std::future::ready(()) => Err(()),
        }
    }

    #[tokio::test]
    async fn only_some_read_many_keys_at_once() {
        let orders = Orders::default();
        let many = 1 + RECORDS_PER_PAGE as u64;
        let first = turn(&orders, 1, many).await.unwrap().unwrap();
        assert!(turn(&orders, 1, many).await.is_err(), "one of an owner at a time");
        let mut others = Vec::new();
        for owner in 2..=ORDERS_READ_AT_ONCE as u64 {
            others.push(turn(&orders, owner, many).await.unwrap().unwrap());
        }
        assert!(turn(&orders, 100, many).await.is_err());
        assert!(turn(&orders, 100, many - 1).await.unwrap().is_none(), "few to read do not wait");
        drop(first);
        assert!(turn(&orders, 100, many).await.is_ok());
        drop(others);
        drop(turn(&orders, 101, many).await.unwrap());
        assert_eq!(orders.owners.lock().len(), 1, "who waits no more is forgotten");
    }

    #[test]
    fn what_is_too_much_or_unused_is_let_go() {
        let orders = Orders::default();
        let key = |mailbox| (AccountId(1), MailboxId(mailbox));
        let at = |secs| Timestamp::from_secs(secs);
        for mailbox in 1..=3 {
            let _keys = orders.of(key(mailbox), at(i64::from(mailbox)));
            orders.settle(key(mailbox), ORDERS_OCTETS_MAX / 2, at(i64::from(mailbox)));
        }
        assert_eq!(orders.mailboxes(), 2, "the oldest had to go");
        assert!(!orders.held.lock().contains_key(&key(1)));
        orders.settle(key(2), ORDERS_OCTETS_MAX + 1, at(5));
        assert_eq!(orders.mailboxes(), 0, "one that is too large by itself goes as well");
        let _keys = orders.of(key(4), at(10));
        orders.age(Timestamp::from_secs(10).minus(Duration::ZERO));
        assert_eq!(orders.mailboxes(), 1);
        orders.age(at(11 + i64::try_from(ORDERS_UNUSED_MAX.as_secs()).unwrap()));
        assert_eq!(orders.mailboxes(), 0);
    }
}
