//! Finding the messages of a mailbox that a [`Query`] asks for.
//!
//! Rows are read by pages, records and contents only of messages that these don't decide; other sessions get their turn in
//! between. Memory is bounded by a page and a window of text, and the result is kept in ranges.

use std::sync::Arc;

use imap_wire::NumberSet;
use mail::{AccountId, MailboxId, Uid};
use message::{PartKind, PartTable, RecordView};
use storage::rows::{MailboxRow, MessageRow};
use storage::sharing::person_seen::PersonSeen;
use storage::{StorageError, Store};

use crate::commands::fetch::read_header;
use crate::engine::comparator::Comparator;
use crate::engine::object_id::thread_id;
use crate::engine::search::{FoldedHeader, HeaderNeedle, Known, Need, Needles, Query, Row, Verdict};
use crate::engine::uid_map::UidMap;
use crate::limits::{ROWS_PER_PAGE, SEARCH_NEEDLES_PER_TURN, SEARCH_ROWS_PER_TURN};
use crate::progress::Progress;
use crate::records::{complete, content, damaged};
use crate::text_search::Looking;

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
}

impl Found {
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
    async fn rows(&self, store: &Store, first: Uid, last: Uid) -> Result<Vec<MessageRow>, StorageError> {
        let mut rows = store.messages(self.key.0, self.key.1, first, last, ROWS_PER_PAGE).await?;
        if let Some(reading) = &self.reading {
            reading.overlay(&mut rows);
        }
        Ok(rows)
    }

    /// The largest MODSEQ of some messages.
    pub(crate) async fn highest_modseq(&self, store: &Store, uids: &NumberSet) -> Result<u64, StorageError> {
        let mut highest = 0;
        for range in uids.ranges() {
            let mut from = Some(Uid(*range.start()));
            while let Some(first) = from {
                let rows = self.rows(store, first, Uid(*range.end())).await?;
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
        self.find_within(store, query, comparator, &scope).await
    }

    /// What the query finds among some UIDs.
    pub(crate) async fn find_within(
        &mut self,
        store: &Store,
        query: &Query,
        comparator: Comparator,
        scope: &NumberSet,
    ) -> Result<Found, StorageError> {
        let needles = query.needles(comparator);
        let fuzzy = query.is_fuzzy();
        let mut found = Found::default();
        let mut looked_at = 0usize;
        for range in scope.ranges() {
            let mut from = Some(Uid(*range.start()));
            while let Some(first) = from {
                let rows = self.rows(store, first, Uid(*range.end())).await?;
                self.refresh_keywords(store, &rows).await?;
                for row in rows.iter().filter(|row| self.map.contains(row.uid)) {
                    let recent = self.recent.contains(row.uid.0);
                    let facts = Row { row, keywords: &self.row.keywords, recent };
                    if let Decided::Found(score) = decide(store, self.key, query, &facts, &needles).await? {
                        found.push(row, if fuzzy { score.or(Some(100)) } else { None });
                    }
                }
                looked_at = looked_at.saturating_add(rows.len());
                self.progress.add(rows.len());
                if looked_at >= SEARCH_ROWS_PER_TURN {
                    looked_at = 0;
                    tokio::task::yield_now().await;
                }
                from = rows.last().and_then(|row| row.uid.next()).filter(|_| rows.len() == ROWS_PER_PAGE);
            }
        }
        Ok(found)
    }
}

/// Reads as much of a message as it takes.
async fn decide(
    store: &Store,
    key: (AccountId, MailboxId),
    query: &Query,
    row: &Row<'_>,
    needles: &Needles,
) -> Result<Decided, StorageError> {
    let (mut sent, mut header, mut body) = (None, None, None);
    let mut thread: Option<String> = None;
    let mut parts: Option<PartTable> = None;
    loop {
        let known = Known { sent, thread: thread.as_deref(), header: header.as_deref(), body: body.as_deref() };
        let need = match query.decide(row, &known, needles) {
            Verdict::True => return Ok(Decided::Found(query.relevancy(&known, needles))),
            Verdict::False => return Ok(Decided::Not),
            Verdict::Unknown(need) => need,
        };
        if parts.is_none() {
            match table(store, key, row.row, query.asks_for_threads()).await {
                // Expunged while it was looked at: it is not found.
                Err(StorageError::Expunged) => return Ok(Decided::Not),
                loaded => {
                    let Facts { parts: table, sent: date, thread: id } = loaded?;
                    parts = Some(table);
                    sent = Some(date);
                    thread = id;
                }
            }
        }
        let (Some(parts), false) = (&parts, need == Need::Record) else { continue };
        let mut reader = match content(store, row.row).await {
            Err(StorageError::Expunged) => return Ok(Decided::Not),
            reader => reader?,
        };
        if need == Need::Header {
            let range = parts.entries().first().map(message::TableEntry::header).unwrap_or_default();
            let text = read_header(&mut reader, range).await?;
            header = Some(search_header(&text, needles).await);
        } else {
            body = Some(search_body(&mut reader, parts, needles).await?);
        }
        tokio::task::yield_now().await;
    }
}

/// What the record tells.
struct Facts {
    /// Where the parts are.
    parts: PartTable,
    sent: Option<message::SentDate>,
    /// THREADID, when it was asked for.
    thread: Option<String>,
}

async fn table(
    store: &Store,
    key: (AccountId, MailboxId),
    row: &MessageRow,
    threads: bool,
) -> Result<Facts, StorageError> {
    let stored = store.records(key.0, key.1, row.uid, row.uid, 1).await?.pop().map(|(_, record)| record);
    let record = complete(store, row, stored, true).await?;
    let view = RecordView::new(&record).map_err(damaged)?;
    let thread = if threads { Some(thread_id(&view.sort_keys().map_err(damaged)?, &row.blob)) } else { None };
    let sent = view.sort_keys_view().map_err(damaged)?.sent;
    Ok(Facts { parts: view.parts().map_err(damaged)?, sent, thread })
}

/// How well the header holds each needle.
async fn search_header(header: &[u8], needles: &Needles) -> Vec<u8> {
    let header = FoldedHeader::new(header, needles.comparator());
    let wanted: &[HeaderNeedle] = needles.header();
    let mut found = Vec::with_capacity(wanted.len());
    for some in wanted.chunks(SEARCH_NEEDLES_PER_TURN) {
        found.extend(some.iter().map(|needle| header.score(needle)));
        tokio::task::yield_now().await;
    }
    found
}

/// How well the body holds each needle: its texts, decoded, and the headers of its parts.
async fn search_body(
    reader: &mut storage::blobs::BlobReader,
    parts: &PartTable,
    needles: &Needles,
) -> Result<Vec<u8>, StorageError> {
    let mut search = Looking::new(needles.body(), needles.comparator());
    for (at, part) in parts.entries().iter().enumerate() {
        if search.all_found() {
            break;
        }
        if at > 0 {
            let header = read_header(reader, part.header()).await?;
            let header = FoldedHeader::new(&header, needles.comparator());
            search.look(|needle| header.score_anywhere(needle)).await;
        }
        if part.kind == PartKind::Leaf {
            search.look_in_part(reader, part).await?;
        }
    }
    Ok(search.found())
}
