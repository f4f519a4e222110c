//! SEARCH (RFC 3501 §6.4.4; RFC 4731 ESEARCH; RFC 7162 §3.1.5).
//!
//! Rows are read by pages, records and contents only of messages that these don't decide; other sessions get their turn in
//! between. Memory is bounded by a page and a window of text, and the result is kept in ranges.

use imap_wire::response::{self, Code, Condition, EsearchData};
use imap_wire::{NumberSet, Search, SearchReturn, Tag};
use mail::Uid;
use message::{PartKind, PartTable, RecordView};
use storage::rows::MessageRow;
use storage::{StorageError, Store};

use crate::commands::fetch::read_header;
use crate::engine::search::{FoldedHeader, HeaderNeedle, Known, Need, Needles, Query, Row, Verdict};
use crate::fault::{Answer, Fault};
use crate::limits::{ROWS_PER_PAGE, SEARCH_NEEDLES_PER_TURN, SEARCH_ROWS_PER_TURN};
use crate::records::{complete, content, damaged};
use crate::session::Session;
use crate::text_search::Looking;

/// What was found.
#[derive(Default)]
struct Found {
    uids: NumberSet,
    /// The MODSEQs of the first of them, of the last, and the largest of all.
    first_modseq: u64,
    last_modseq: u64,
    highest_modseq: u64,
}

impl Found {
    /// Takes the next message that was found; they come in order.
    fn push(&mut self, row: &MessageRow) {
        if self.uids.is_empty() {
            self.first_modseq = row.modseq.0;
        }
        self.uids.push(row.uid.0);
        self.last_modseq = row.modseq.0;
        self.highest_modseq = self.highest_modseq.max(row.modseq.0);
    }

    /// RFC 4731 §3.2: the MODSEQ of what is returned; with MIN and MAX alone that is one message or two.
    fn modseq(&self, returns: Option<&SearchReturn>) -> Option<u64> {
        let modseq = match returns {
            Some(SearchReturn { min, max, all: false, count: false }) if *min || *max => {
                let first = if *min { self.first_modseq } else { 0 };
                first.max(if *max { self.last_modseq } else { 0 })
            }
            Some(_) | None => self.highest_modseq,
        };
        Some(modseq).filter(|modseq| *modseq > 0)
    }
}

impl Session {
    pub(crate) async fn search(&mut self, tag: &Tag, search: &Search) -> Result<Answer, Fault> {
        // RFC 6855 §3: two charsets for one text.
        if self.enabled.utf8 && search.charset.is_some() {
            return Ok(Answer::bad("No charset: everything is in UTF-8 since ENABLE UTF8=ACCEPT"));
        }
        // RFC 3501 §6.4.4: a charset that is not known gets the known ones told.
        if search.charset.as_deref().is_some_and(|charset| !CHARSETS.contains(&charset)) {
            let code = Code::BadCharset(&CHARSETS);
            return Ok(Answer { condition: Condition::No, code: Some(code), text: "Unknown charset".into() });
        }
        if search.uses_modseq() {
            self.know_modseqs();
        }
        let map = self.selected()?.view.map().clone();
        let now = self.server.store.now();
        let Ok(query) = Query::new(&search.key, &map, now) else {
            return Ok(Answer::bad("A text is not in the charset that it claims to be in"));
        };
        let scope = query.scope().unwrap_or_else(|| NumberSet::from_ranges([1..=map.max_uid()]));
        let scope = scope.clip(1..=map.max_uid());
        let found = if query.is_about_uids() && !search.uses_modseq() {
            let uids = map.existing(&scope).filter(|uid| query.holds_for_uid(*uid));
            Found { uids: NumberSet::from_numbers(uids.map(|uid| uid.0)), ..Found::default() }
        } else {
            self.look_through(&query, &scope).await?
        };
        let modseq = search.uses_modseq().then(|| found.modseq(search.returns.as_ref())).flatten();
        let numbers = if search.uid {
            found.uids
        } else {
            NumberSet::from_numbers(map.existing(&found.uids).filter_map(|uid| map.sequence_of(uid)).map(|n| n.0))
        };
        let out = self.connection.out();
        match &search.returns {
            None if search.uid => {
                // Ranges of UIDs may have holes; what is said is what exists.
                response::search(out, map.existing(&numbers).map(|uid| uid.0), modseq);
            }
            None => response::search(out, numbers.iter(), modseq),
            Some(returns) => {
                let data = EsearchData {
                    min: numbers.min().filter(|_| returns.min),
                    max: numbers.max().filter(|_| returns.max),
                    all: Some(&numbers).filter(|_| returns.all),
                    count: returns.count.then(|| numbers.count()),
                    modseq,
                };
                response::esearch(out, tag, search.uid, &data);
            }
        }
        let answer = Answer::ok("Searched");
        Ok(if self.selected()?.view.has_gone() { answer.with(Code::ExpungeIssued) } else { answer })
    }

    async fn look_through(&mut self, query: &Query, scope: &NumberSet) -> Result<Found, Fault> {
        self.refresh_row().await?;
        let key = self.key()?;
        let store = self.server.store.clone();
        let needles = query.needles();
        let mut found = Found::default();
        let mut looked_at = 0usize;
        for range in scope.ranges() {
            let mut from = Some(Uid(*range.start()));
            while let Some(first) = from {
                let last = Uid(*range.end());
                let rows = self.rows(first, last, ROWS_PER_PAGE).await?;
                self.refresh_keywords(&rows).await?;
                for row in &rows {
                    let selected = self.selected()?;
                    if !selected.view.map().contains(row.uid) {
                        continue;
                    }
                    let facts =
                        Row { row, flags: selected.row.flags_of(row), recent: selected.recent.contains(row.uid.0) };
                    if decide(&store, key, query, &facts, &needles).await? {
                        found.push(row);
                    }
                }
                looked_at = looked_at.saturating_add(rows.len());
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
    key: (mail::AccountId, mail::MailboxId),
    query: &Query,
    row: &Row<'_>,
    needles: &Needles,
) -> Result<bool, StorageError> {
    let (mut sent, mut header, mut body) = (None, None, None);
    let mut parts: Option<PartTable> = None;
    loop {
        let known = Known { sent, header: header.as_deref(), body: body.as_deref() };
        let need = match query.decide(row, &known, needles) {
            Verdict::True => return Ok(true),
            Verdict::False => return Ok(false),
            Verdict::Unknown(need) => need,
        };
        if parts.is_none() {
            match table(store, key, row.row).await {
                // Expunged while it was looked at: it is not found.
                Err(StorageError::Expunged) => return Ok(false),
                loaded => {
                    let (table, date) = loaded?;
                    parts = Some(table);
                    sent = Some(date);
                }
            }
        }
        let (Some(parts), false) = (&parts, need == Need::Record) else { continue };
        let mut reader = match content(store, row.row).await {
            Err(StorageError::Expunged) => return Ok(false),
            reader => reader?,
        };
        if need == Need::Header {
            let range = parts.entries().first().map(message::TableEntry::header).unwrap_or_default();
            header = Some(search_header(&read_header(&mut reader, range).await?, needles.header()).await);
        } else {
            body = Some(search_body(&mut reader, parts, needles.body()).await?);
        }
        tokio::task::yield_now().await;
    }
}

/// Where the parts are, and when the message was sent.
async fn table(
    store: &Store,
    key: (mail::AccountId, mail::MailboxId),
    row: &MessageRow,
) -> Result<(PartTable, Option<message::SentDate>), StorageError> {
    let stored = store.records(key.0, key.1, row.uid, row.uid, 1).await?.pop().map(|(_, record)| record);
    let record = complete(store, row, stored, true).await?;
    let view = RecordView::new(&record).map_err(damaged)?;
    Ok((view.parts().map_err(damaged)?, view.sort_keys().map_err(damaged)?.sent))
}

/// Which needles the header holds.
async fn search_header(header: &[u8], needles: &[HeaderNeedle]) -> Vec<bool> {
    let header = FoldedHeader::new(header);
    let mut found = Vec::with_capacity(needles.len());
    for some in needles.chunks(SEARCH_NEEDLES_PER_TURN) {
        found.extend(some.iter().map(|needle| header.holds(needle)));
        tokio::task::yield_now().await;
    }
    found
}

/// Which needles the body holds: its texts, decoded, and the headers of its parts.
async fn search_body(
    reader: &mut storage::blobs::BlobReader,
    parts: &PartTable,
    needles: &[String],
) -> Result<Vec<bool>, StorageError> {
    let mut search = Looking::new(needles);
    for (at, part) in parts.entries().iter().enumerate() {
        if search.all_found() {
            break;
        }
        if at > 0 {
            let header = read_header(reader, part.header()).await?;
            let header = FoldedHeader::new(&header);
            search.look(|needle| header.holds_text(needle)).await;
        }
        if part.kind == PartKind::Leaf {
            search.look_in_part(reader, part).await?;
        }
    }
    Ok(search.found())
}

const CHARSETS: [&str; 2] = ["US-ASCII", "UTF-8"];
