//! Finding the messages of a mailbox that a [`Query`] asks for.
//!
//! Rows are read by pages, records and contents only of messages that these don't decide; other sessions get their turn in
//! between. Memory is bounded by a page and a window of text, and the result is kept in ranges.

use std::ops::RangeInclusive;
use std::sync::Arc;

use bytes::Bytes;
use imap_wire::NumberSet;
use mail::{AccountId, MailboxId, Uid};
use message::{ByteRange, PartKind, PartTable, RecordView};
use search::{Candidates, candidates, fuzzy};
use storage::rows::{MailboxRow, MessageRow, Sent};
use storage::sharing::person_seen::PersonSeen;
use storage::{StorageError, Store};
use urls::messages::read_header;

use crate::engine::comparator::Comparator;
use crate::engine::object_id::thread_id;
use crate::engine::search::{
    FoldedEnvelope, FoldedHeader, Fuzzy, HeaderNeedle, Known, Need, Needles, Query, Row, Verdict,
};
use crate::engine::uid_map::UidMap;
use crate::limits::{
    MESSAGE_READ_OCTETS, RECORDS_PER_PAGE, RECORDS_READ_FOR_ONE, ROWS_PER_PAGE, SEARCH_GAP_MAX,
    SEARCH_NEEDLES_PER_TURN, SEARCH_ROWS_PER_TURN, TEST_OCTETS,
};
use crate::progress::Progress;
use crate::records::{complete, content, damaged};
use crate::text_search::Looking;
use crate::turn::Turn;

/// A mailbox that is searched, as the one who searches sees it.
pub(crate) struct Place {
    pub(crate) key: (AccountId, MailboxId),
    /// The messages that the client counts.
    pub(crate) map: Arc<UidMap>,
    /// As it was last read.
    pub(crate) row: MailboxRow,
    /// What the reader has seen, where each has their own `\Seen`.
    pub(crate) reading: Option<PersonSeen>,
    /// UIDs that are `\Recent` for the reader.
    pub(crate) recent: NumberSet,
    /// Whether attached documents are looked into.
    pub(crate) attachments: bool,
    /// What is found is going to be sorted by what rows say alone: then that is kept.
    pub(crate) keeps_values: bool,
    /// How many messages have been looked at.
    pub(crate) progress: Progress,
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub(crate) struct Found {
    /// The messages, exactly.
    pub(crate) uids: NumberSet,
    /// The largest of their MODSEQs, if that was looked at.
    pub(crate) highest_modseq: u64,
    /// How well each of them fits, when words were looked for.
    pub(crate) scores: Vec<u8>,
    /// What the row of each says to SORT, when that was asked for and the rows were read.
    pub(crate) values: Vec<RowValues>,
    /// Whether one of these rows says nothing of the date that the message was sent.
    pub(crate) lacks_dates: bool,
}

/// What a message's row says to SORT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RowValues {
    /// INTERNALDATE, in seconds since 1970.
    pub(crate) arrived_secs: i64,
    /// RFC822.SIZE.
    pub(crate) octets: i64,
    /// The date of its Date field, in seconds since 1970; INTERNALDATE where there is none (RFC 5256 §2.2), or the row
    /// doesn't tell.
    pub(crate) sent_secs: i64,
}

impl RowValues {
    pub(crate) fn of(row: &MessageRow) -> Self {
        let octets = i64::try_from(row.octets).unwrap_or(i64::MAX);
        let arrived_secs = row.internal_date.secs;
        let sent_secs = row.sent.told().flatten().map_or(arrived_secs, |sent| sent.unix_secs);
        Self { arrived_secs, octets, sent_secs }
    }
}

impl Found {
    /// Keeps what a row says to SORT.
    fn keep(&mut self, row: &MessageRow) {
        self.values.push(RowValues::of(row));
        self.lacks_dates |= row.sent == Sent::Untold;
    }

    /// Takes the next message that was found; they come in order.
    fn push(&mut self, row: &MessageRow, score: Option<u8>) {
        self.uids.push(row.uid.0);
        self.highest_modseq = self.highest_modseq.max(row.modseq.0);
        self.scores.extend(score);
    }
}

/// How a message was decided.
enum Decided {
    Not,
    /// With its score, when words were looked for.
    Found(Option<u8>),
}

impl Place {
    /// Messages with UIDs from `first` to `last`, as the reader sees them.
    async fn rows(&self, store: &Store, first: Uid, last: Uid, limit: usize) -> Result<Vec<MessageRow>, StorageError> {
        let mut rows = store.messages(self.key.0, self.key.1, first, last, limit).await?;
        if let Some(reading) = &self.reading {
            reading.overlay(&mut rows);
        }
        Ok(rows)
    }

    fn facts<'a>(&'a self, row: &'a MessageRow) -> Row<'a> {
        Row { row, keywords: &self.row.keywords, recent: self.recent.contains(row.uid.0) }
    }

    /// The largest MODSEQ of some messages.
    pub(crate) async fn highest_modseq(&self, store: &Store, uids: &NumberSet) -> Result<u64, StorageError> {
        let mut highest = 0;
        for range in uids.ranges() {
            let mut from = Some(Uid(*range.start()));
            while let Some(first) = from {
                let rows = self.rows(store, first, Uid(*range.end()), ROWS_PER_PAGE).await?;
                highest = rows.iter().map(|row| row.modseq.0).fold(highest, u64::max);
                from = rows.last().and_then(|row| row.uid.next()).filter(|_| rows.len() == ROWS_PER_PAGE);
            }
        }
        Ok(highest)
    }

    /// Another session may have brought in a keyword since.
    async fn refresh_keywords(&mut self, store: &Store, rows: &[MessageRow]) -> Result<(), StorageError> {
        let known = self.row.keywords.len();
        let unknown = |row: &MessageRow| known < 128 && row.keyword_bits >> known != 0;
        if rows.iter().any(unknown) {
            self.row = store.mailbox(self.key.0, self.key.1).await?.ok_or(StorageError::NoSuchMailbox)?;
        }
        Ok(())
    }

    /// What the query finds. Without `modseqs` a query about UIDs alone reads nothing.
    pub(crate) async fn find(
        &mut self,
        store: &Store,
        query: &Query,
        comparator: Comparator,
        modseqs: bool,
    ) -> Result<Found, StorageError> {
        let max = self.map.max_uid();
        let scope = query.scope().unwrap_or_else(|| NumberSet::from_ranges([1..=max])).clip(1..=max);
        if query.is_about_uids() && !modseqs {
            let uids = if matches!(query, Query::All) {
                NumberSet::from_ranges(self.map.uid_ranges())
            } else {
                let uids = self.map.existing(&scope).filter(|uid| query.holds_for_uid(*uid));
                NumberSet::from_numbers(uids.map(|uid| uid.0))
            };
            return Ok(Found { uids, ..Found::default() });
        }
        // The index names those that may have the texts; what they hold is looked at all the same, unless it is proven.
        let mut needles = query.needles(comparator);
        let scope = match query.texts() {
            Some(texts) => match candidates(store, self.key.0, self.key.1, self.attachments, &texts).await? {
                Some(Candidates { indexed_to, uids, proofs }) => {
                    needles.take_proofs(proofs);
                    let behind = NumberSet::from_ranges([indexed_to.0.saturating_add(1)..=max]);
                    scope.intersection(&NumberSet::from_numbers(uids).union(&behind))
                }
                None => scope,
            },
            None => scope,
        };
        self.find_among(store, query, needles, &scope).await
    }

    /// What the query finds among some UIDs.
    pub(crate) async fn find_within(
        &mut self,
        store: &Store,
        query: &Query,
        comparator: Comparator,
        scope: &NumberSet,
    ) -> Result<Found, StorageError> {
        self.find_among(store, query, query.needles(comparator), scope).await
    }

    async fn find_among(
        &mut self,
        store: &Store,
        query: &Query,
        mut needles: Needles,
        scope: &NumberSet,
    ) -> Result<Found, StorageError> {
        let asked: Vec<Fuzzy> = needles.fuzzy_mut().map(|(fuzzy, _)| fuzzy.clone()).collect();
        if !asked.is_empty() {
            let asked: Vec<_> = asked.iter().map(|Fuzzy { place, text }| (place, text.as_str())).collect();
            let found = fuzzy(store, self.key.0, self.key.1, self.attachments, &asked).await?;
            needles.fuzzy_mut().zip(found).for_each(|((_, relevant), found)| *relevant = found);
        }
        let scope = query.words_scope(&needles).map_or_else(|| scope.clone(), |words| words.intersection(scope));
        let mut found = Found::default();
        let mut looked_at = 0usize;
        let mut turn = Turn::default();
        for range in joined(&scope) {
            let mut from = Some(Uid(*range.start()));
            while let Some(first) = from {
                let rows = self.rows(store, first, Uid(*range.end()), ROWS_PER_PAGE).await?;
                from = rows.last().and_then(|row| row.uid.next()).filter(|_| rows.len() == ROWS_PER_PAGE);
                looked_at = looked_at.saturating_add(rows.len());
                self.progress.add(rows.len());
                self.refresh_keywords(store, &rows).await?;
                for some in rows.chunks(RECORDS_PER_PAGE) {
                    self.look_at(store, query, &needles, (some, &scope), &mut turn, &mut found).await?;
                }
                if looked_at >= SEARCH_ROWS_PER_TURN {
                    looked_at = 0;
                    tokio::task::yield_now().await;
                }
            }
        }
        Ok(found)
    }

    /// Looks at messages one after the other, those of the scope.
    async fn look_at(
        &self,
        store: &Store,
        query: &Query,
        needles: &Needles,
        (rows, scope): (&[MessageRow], &NumberSet),
        turn: &mut Turn,
        found: &mut Found,
    ) -> Result<(), StorageError> {
        turn.worked(rows.len().saturating_mul(needles.tests()).saturating_mul(TEST_OCTETS)).await;
        let is_fuzzy = query.is_fuzzy();
        // Most are decided by their rows: for these not even a future is made.
        let by_row = |row: &MessageRow| match scope.contains(row.uid.0) && self.map.contains(row.uid) {
            true => query.decide(&self.facts(row), &Known::default(), needles),
            false => Verdict::False,
        };
        let by_rows: Vec<Verdict> = rows.iter().map(by_row).collect();
        let undecided = || rows.iter().zip(&by_rows).filter(|(_, verdict)| matches!(verdict, Verdict::Unknown(_)));
        // One read for all, where many of them would need one.
        let mut records = match (undecided().next(), undecided().next_back()) {
            (Some((first, _)), Some((last, _))) if undecided().count() > rows.len() / RECORDS_READ_FOR_ONE => {
                store.records(self.key.0, self.key.1, first.uid, last.uid, rows.len()).await?
            }
            _ => Vec::new(),
        }
        .into_iter()
        .peekable();
        for (row, verdict) in rows.iter().zip(&by_rows) {
            let decided = match verdict {
                Verdict::True => Decided::Found(query.relevancy(row.uid, needles)),
                Verdict::False => Decided::Not,
                Verdict::Unknown(_) => {
                    while records.next_if(|(uid, _)| *uid < row.uid).is_some() {}
                    let record = records.next_if(|(uid, _)| *uid == row.uid).map(|(_, record)| record);
                    self.decide(store, query, &self.facts(row), record, needles, turn).await?
                }
            };
            if let Decided::Found(score) = decided {
                found.push(row, if is_fuzzy { score.or(Some(100)) } else { None });
                if self.keeps_values {
                    found.keep(row);
                }
            }
        }
        Ok(())
    }

    /// Reads as much of a message as it takes.
    async fn decide(
        &self,
        store: &Store,
        query: &Query,
        row: &Row<'_>,
        mut record: Option<Bytes>,
        needles: &Needles,
        turn: &mut Turn,
    ) -> Result<Decided, StorageError> {
        let (mut sent, mut thread, mut envelope, mut header, mut body) = (None, None, None, None, None);
        let mut known_record: Option<Bytes> = None;
        loop {
            // Each question is asked again with what is known now.
            turn.worked(needles.tests().saturating_mul(TEST_OCTETS)).await;
            let known = Known {
                sent,
                thread_id: thread.clone(),
                envelope: envelope.as_deref(),
                header: header.as_deref(),
                body: body.as_deref(),
            };
            let need = match query.decide(row, &known, needles) {
                Verdict::True => return Ok(Decided::Found(query.relevancy(row.row.uid, needles))),
                Verdict::False => return Ok(Decided::Not),
                Verdict::Unknown(need) => need,
            };
            let Some(known_record) = &known_record else {
                let record = match whole_record(store, self.key, row.row, record.take()).await {
                    // Expunged while it was looked at: it is not found.
                    Err(StorageError::Expunged) => return Ok(Decided::Not),
                    record => record?,
                };
                let view = RecordView::new(&record).map_err(damaged)?;
                sent = Some(view.sent().map_err(damaged)?);
                if query.asks_threads() {
                    thread = Some(thread_id(&view.sort_keys().map_err(damaged)?, &row.row.blob));
                }
                turn.worked(record.len()).await;
                envelope = Some(search_envelope(&view, needles, turn).await);
                known_record = Some(record);
                continue;
            };
            // A table that is damaged harms nobody who asks for the date alone.
            let parts = &RecordView::new(known_record).and_then(|view| view.parts()).map_err(damaged)?;
            let mut reader = match content(store, row.row).await {
                Err(StorageError::Expunged) => return Ok(Decided::Not),
                reader => reader?,
            };
            if need == Need::Header {
                let text = read_header(&mut reader, header_of(parts)).await?;
                header = Some(search_header(&text, needles, turn).await);
            } else {
                body = Some(search_body(&mut reader, parts, needles, self.attachments, turn).await?);
            }
            turn.worked(MESSAGE_READ_OCTETS).await;
        }
    }
}

/// The ranges of a scope, those close to each other as one.
fn joined(scope: &NumberSet) -> Vec<RangeInclusive<u32>> {
    let mut joined: Vec<RangeInclusive<u32>> = Vec::new();
    for range in scope.ranges() {
        match joined.last_mut() {
            Some(last) if range.start().saturating_sub(*last.end()) <= SEARCH_GAP_MAX => {
                *last = *last.start()..=*range.end();
            }
            Some(_) | None => joined.push(range.clone()),
        }
    }
    joined
}

/// A message's record, complete; `stored`: as far as it has been read.
async fn whole_record(
    store: &Store,
    key: (AccountId, MailboxId),
    row: &MessageRow,
    stored: Option<Bytes>,
) -> Result<Bytes, StorageError> {
    let stored = match stored {
        Some(stored) => Some(stored),
        None => store.records(key.0, key.1, row.uid, row.uid, 1).await?.pop().map(|(_, record)| record),
    };
    complete(store, row, stored, true).await
}

/// Where the header of the message itself is.
fn header_of(parts: &PartTable) -> ByteRange {
    parts.entries().first().map(message::TableEntry::header).unwrap_or_default()
}

/// What the envelope tells of each needle of the header.
async fn search_envelope(record: &RecordView<'_>, needles: &Needles, turn: &mut Turn) -> Vec<Option<bool>> {
    let folded = FoldedEnvelope::wanted(record, needles.comparator(), needles.header());
    let mut told = Vec::with_capacity(needles.header().len());
    for some in needles.header().chunks(SEARCH_NEEDLES_PER_TURN) {
        told.extend(some.iter().map(|needle| folded.holds(needle)));
        turn.worked(record.envelope().len().saturating_add(TEST_OCTETS).saturating_mul(some.len())).await;
    }
    told
}

/// Which needles the header holds.
async fn search_header(header: &[u8], needles: &Needles, turn: &mut Turn) -> Vec<bool> {
    let octets = header.len();
    let wanted: &[HeaderNeedle] = needles.header();
    let header = FoldedHeader::wanted(header, needles.comparator(), wanted);
    turn.worked(octets).await;
    let mut found = Vec::with_capacity(wanted.len());
    for some in wanted.chunks(SEARCH_NEEDLES_PER_TURN) {
        found.extend(some.iter().map(|needle| header.holds(needle)));
        turn.worked(octets.saturating_mul(some.len())).await;
    }
    found
}

/// Which needles the body holds: its texts, decoded, and the headers of its parts.
async fn search_body(
    reader: &mut storage::blobs::BlobReader,
    parts: &PartTable,
    needles: &Needles,
    attachments: bool,
    turn: &mut Turn,
) -> Result<Vec<bool>, StorageError> {
    let mut search = Looking::new(needles.body(), needles.comparator(), turn);
    for (at, part) in parts.entries().iter().enumerate() {
        if search.all_found() {
            break;
        }
        if at > 0 {
            let header = read_header(reader, part.header()).await?;
            let octets = header.len();
            let header = FoldedHeader::new(&header, needles.comparator());
            search.look(octets, |needle| header.holds_anywhere(needle)).await;
        }
        if part.kind == PartKind::Leaf {
            search.look_in_part(reader, part, attachments).await?;
        }
    }
    Ok(search.found())
}

#[cfg(test)]
mod tests;
