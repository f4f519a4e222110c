//! FETCH (RFC 3501 §6.4.5, §7.4.2; RFC 7162 §3.1.4 CHANGEDSINCE; RFC 8970 PREVIEW).
//!
//! Rows and records are read by pages in key order and nothing is parsed; contents go from the store to the socket piece by
//! piece, as fast as the client takes them.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use imap_wire::response::{Code, FetchResponse};
use imap_wire::{Fetch, FetchItem, NumberSet, PartialRange, Qresync, SequenceSet};
use mail::{Flags, ModSeq, SequenceNumber, SystemFlags, Uid};
use message::RecordView;
use routing::Rights;
use storage::Store;
use storage::blobs::BlobReader;
use storage::messages::FlagChange;
use storage::rows::MessageRow;

use super::sections::broken;
use crate::engine::enabled::Enabled;
use crate::engine::message_limit::Limited;
use crate::engine::object_id::{email_id, thread_id};
use crate::engine::resync::{known_up_to, unknown};
use crate::fault::{Answer, Fault, Lost};
use crate::limits::{
    AHEAD_MESSAGES_MAX, AHEAD_OCTETS_MAX, FETCH_ITEMS_PER_TURN, RECORDS_PER_PAGE, ROWS_PER_PAGE, SEEN_OCTETS_PER_STEP,
};
use crate::records::{complete, content, damaged};
use crate::session::Session;

/// What a FETCH needs, found out once.
pub(super) struct Plan {
    pub(super) items: Vec<FetchItem>,
    sources: Sources,
    /// Messages without `\Seen` get it, and their FLAGS are told.
    sets_seen: bool,
    changed_since: Option<ModSeq>,
    /// From the highest UID to the lowest (RFC 9738 §3.1).
    descending: bool,
    /// BINARY was asked for of a part in an encoding that nobody knows (RFC 3516 §4.3).
    unknown_encoding: AtomicBool,
}

/// Where the items of a FETCH are, beside the rows of the messages.
#[derive(Clone, Copy, Debug, Default)]
struct Sources {
    /// ENVELOPE, BODYSTRUCTURE, or where the parts are.
    record: bool,
    /// Where the parts are.
    parts: bool,
    /// What is in the message itself.
    content: bool,
    /// The record is read, but nothing is computed when there is none (RFC 8970 §4.1).
    lazy: bool,
}

impl Sources {
    fn of(items: &[FetchItem]) -> Self {
        let all = || items.iter().map(Source::of);
        Self {
            record: all().any(Source::needs_record),
            parts: all().any(|source| source == Source::Content { part: true }),
            content: all().any(|source| matches!(source, Source::Content { .. })),
            lazy: all().filter(|source| source.needs_record()).all(|source| source == Source::Record { lazy: true }),
        }
    }
}

/// One message of the answer.
struct Message<'a> {
    number: SequenceNumber,
    row: &'a MessageRow,
    record: Option<Bytes>,
    /// `\Seen` was set by this FETCH: FLAGS come whether asked for or not.
    newly_seen: bool,
    /// Its content, where that was read ahead.
    reader: Option<BlobReader>,
}

impl Session {
    pub(crate) async fn fetch(&mut self, fetch: Fetch) -> Result<Answer, Fault> {
        // RFC 7162 §3.2.6.
        if fetch.vanished && !self.enabled.qresync {
            return Ok(Answer::bad("ENABLE QRESYNC first"));
        }
        if fetch.changed_since.is_some() || fetch.items.contains(&FetchItem::ModSeq) {
            self.know_modseqs();
        }
        let wanted = match self.wanted(&fetch.set, fetch.uid)? {
            Ok(wanted) => wanted,
            Err(answer) => return Ok(answer),
        };
        let wanted = match fetch.partial {
            Some(range) => match self.settings.message_limit.of_any().filter(|limit| range.places() > *limit) {
                // RFC 9738 §3.1: places are counted, whether or not there are so many messages.
                Some(limit) => return Ok(too_many_places(limit)),
                None => self.some_of(&wanted, range)?,
            },
            None => wanted,
        };
        let vanished = match fetch.vanished {
            true => Some(self.all_uids(&fetch.set)?),
            false => None,
        };
        let selected = self.selected()?;
        // RFC 4314 §4: without the right `s`, FETCH sets no \Seen.
        let looks_only = selected.read_only || !selected.access.rights.has(Rights::SEEN);
        let mut plan = Plan::new(fetch, looks_only, self.enabled.uid_only);
        self.refresh_row().await?;
        let (wanted, changes) = match plan.changed_since {
            Some(since) => self.changed_since(since, &wanted, vanished.as_ref(), plan.tells_flags_alone()).await?,
            None => (wanted, None),
        };
        let limited = self.limit(&wanted)?;
        let Some(some) = limited else { return self.fetch_changed(&plan, &wanted, changes).await };
        plan.descending = true;
        let answer = self.fetch_wanted(&plan, &some.clip(&wanted)).await?;
        Ok(self.answer_limited(answer, limited))
    }

    /// Whether a command that may do a part names more messages than it may work on (RFC 9738).
    pub(crate) fn limit(&mut self, wanted: &NumberSet) -> Result<Option<Limited>, Fault> {
        let limit = self.settings.message_limit.of_any();
        Ok(Limited::of(self.selected()?.view.map(), wanted, limit))
    }

    /// The UIDs of a set, also those that no message has any more: `*` is the last one that was given, or else nobody who asks
    /// for `n:*` would be told of expunges at the end.
    fn all_uids(&mut self, set: &SequenceSet) -> Result<NumberSet, Fault> {
        let selected = self.selected()?;
        let last = selected.row.uid_next.0.saturating_sub(1);
        let all = set.resolve(last).clip(1..=last);
        Ok(if set.has_saved() { all.union(&selected.saved) } else { all })
    }

    /// The messages at some places among those wanted (RFC 9394 §3.3).
    fn some_of(&mut self, wanted: &NumberSet, range: PartialRange) -> Result<NumberSet, Fault> {
        let map = self.selected()?.view.map();
        let places = range.of(map.existing(wanted).count());
        let some = map.existing(wanted).skip(places.start).take(places.len());
        Ok(NumberSet::from_numbers(some.map(|uid| uid.0)))
    }

    /// SELECT (QRESYNC …): what has changed among the messages that the client knows, and which of them are gone (RFC 7162
    /// §3.2.5.1, §3.2.5.2).
    pub(crate) async fn resync(&mut self, known: &Qresync) -> Result<(), Fault> {
        let selected = self.selected()?;
        let all = NumberSet::from_ranges([1..=selected.row.uid_next.0.saturating_sub(1)]);
        let map = selected.view.map();
        let known_up_to = known.sequence_match.as_ref().map_or(0, |(numbers, uids)| known_up_to(map, numbers, uids));
        let asked = match &known.known_uids {
            Some(set) => set.resolve(map.max_uid()).intersection(&all),
            None => all,
        };
        let gone = unknown(&asked, known_up_to);
        let plan = Plan::resync(ModSeq(known.modseq), self.enabled.uid_only);
        let (changed, changes) = self.changed_since(ModSeq(known.modseq), &asked, Some(&gone), true).await?;
        self.fetch_changed(&plan, &changed, changes).await.map(drop)
    }

    /// What NOTIFY wants of new messages (RFC 5465 §5.2); `\Seen` stays as it is.
    pub(crate) async fn fetch_news(&mut self, news: &NumberSet, items: &[FetchItem]) -> Result<(), Fault> {
        let Enabled { condstore, rev2, uid_only, .. } = self.enabled;
        // RFC 7162 §3.2.4, RFC 9051 §7.5.2: nobody asked for it just now.
        let added =
            [(!uid_only && (condstore || rev2)).then_some(FetchItem::Uid), condstore.then_some(FetchItem::ModSeq)];
        let mut all: Vec<FetchItem> = items.to_vec();
        all.extend(added.into_iter().flatten().filter(|item| !items.contains(item)));
        self.fetch_wanted(&Plan::news(all), news).await.map(drop)
    }

    pub(super) async fn fetch_wanted(&mut self, plan: &Plan, wanted: &NumberSet) -> Result<Answer, Fault> {
        let map = self.selected()?.view.map().clone();
        let mut left = map.existing(wanted).count();
        let mut uids = map.existing(wanted);
        // From the end, as many as a limit allows.
        let mut descending: Vec<Uid> = if plan.descending { uids.by_ref().collect() } else { Vec::new() };
        loop {
            let some: Vec<Uid> = match plan.descending {
                true => descending.split_off(descending.len().saturating_sub(plan.page())),
                false => uids.by_ref().take(plan.page()).collect(),
            };
            if some.is_empty() {
                break;
            }
            left = left.saturating_sub(self.fetch_page(plan, some).await?);
        }
        if plan.unknown_encoding.load(Ordering::Relaxed) {
            return Ok(Answer::no(Code::UnknownCte, "Some parts have an encoding that I do not know"));
        }
        if left > 0 && plan.changed_since.is_none() {
            return Ok(Answer::ok("Some messages are no longer there").with(Code::ExpungeIssued));
        }
        Ok(Answer::ok("Fetched"))
    }

    /// `FLAGS (…)`
    pub(super) fn say_flags(
        &mut self,
        response: &mut FetchResponse,
        uid: Uid,
        system_flags: SystemFlags,
        keyword_bits: u128,
    ) {
        let Some(selected) = self.selected.as_deref() else { return };
        let recent = selected.recent.contains(uid.0) && !self.enabled.rev2;
        let keywords = selected.row.keywords_of(keyword_bits);
        response.flag_names(self.connection.out(), system_flags, keywords, recent);
    }

    /// Answers for some messages, which are in order of UID; returns how many were there.
    async fn fetch_page(&mut self, plan: &Plan, mut uids: Vec<Uid>) -> Result<usize, Fault> {
        let key = self.key()?;
        let store = self.server.store.clone();
        let mut rows = self.rows_of(&uids).await?;
        rows.retain(|row| plan.is_about(row));
        let mut records = Vec::new();
        if plan.sources.record {
            uids.clear();
            uids.extend(rows.iter().map(|row| row.uid));
            records = store.records_of(key.0, key.1, &uids).await?;
        }
        if plan.descending {
            rows.reverse();
            records.reverse();
        }
        let mut found = 0usize;
        let mut records = records.into_iter().peekable();
        self.refresh_keywords(rows.iter().map(|row| row.keyword_bits)).await?;
        let mut rest = rows.as_mut_slice();
        while !rest.is_empty() {
            let step = if plan.sets_seen { seen_step(rest) } else { rest.len() };
            let (some, later) = rest.split_at_mut(step);
            rest = later;
            let seen = if plan.sets_seen { self.set_seen(some).await? } else { NumberSet::empty() };
            if !seen.is_empty() {
                self.refresh_keywords(some.iter().map(|row| row.keyword_bits)).await?;
            }
            let mut ahead = VecDeque::new();
            for (at, row) in some.iter().enumerate() {
                if plan.sources.content && ahead.is_empty() {
                    ahead = read_ahead(&store, some.get(at..).unwrap_or_default()).await;
                }
                let reader = ahead.pop_front().flatten();
                while records.next_if(|(uid, _)| plan.comes_before(*uid, row.uid)).is_some() {}
                let record = records.next_if(|(uid, _)| *uid == row.uid).map(|(_, record)| record);
                let Some(number) = self.selected()?.view.map().sequence_of(row.uid) else { continue };
                let newly_seen = seen.contains(row.uid.0);
                found = found.saturating_add(1);
                self.fetch_one(plan, Message { number, row, record, newly_seen, reader }).await?;
            }
        }
        Ok(found)
    }

    /// Sets `\Seen` where it is missing and brings the rows up to date. A store that can't be written to doesn't keep
    /// anyone from reading.
    async fn set_seen(&mut self, rows: &mut [MessageRow]) -> Result<NumberSet, Fault> {
        let unseen: Vec<Uid> =
            rows.iter().filter(|row| !row.system_flags.contains(SystemFlags::SEEN)).map(|row| row.uid).collect();
        if unseen.is_empty() {
            return Ok(NumberSet::empty());
        }
        let change = FlagChange::Add(Flags::system(SystemFlags::SEEN));
        let changed = match self.change_flags(unseen, change, None).await {
            Ok(changed) => changed,
            Err(Fault::Storage(error)) if error.is_temporary() => {
                tracing::warn!(peer = %self.peer, %error, "\\Seen could not be set");
                return Ok(NumberSet::empty());
            }
            Err(fault) => return Err(fault),
        };
        for row in &changed.rows {
            // Some hundreds at the most, in either order.
            if let Some(old) = rows.iter_mut().find(|old| old.uid == row.uid) {
                old.clone_from(row);
            }
        }
        Ok(NumberSet::from_numbers(changed.rows.iter().map(|row| row.uid.0)))
    }

    async fn fetch_one(&mut self, plan: &Plan, message: Message<'_>) -> Result<(), Fault> {
        let Message { number, row, record, newly_seen, mut reader } = message;
        // Many messages are told in a row: one count goes up for each of them, and not all of the store's.
        let server = Arc::clone(&self.server);
        let store = &server.store;
        let record = match (plan.sources.record, record) {
            (true, record) if plan.sources.lazy => record,
            (true, record) => Some(complete(store, row, record, plan.sources.parts).await?),
            (false, _) => None,
        };
        let view = match record.as_ref().map(|record| RecordView::new(record)).transpose() {
            Err(_) if plan.sources.lazy => None,
            view => view.map_err(damaged)?,
        };
        let mut parts = None;
        let tells_flags = newly_seen && !plan.items.contains(&FetchItem::Flags);
        let begun_at = self.connection.out().len();
        let mut response = self.begin_fetch(number, row.uid);
        let [uid, modseq] = self.adds(plan, newly_seen);
        let added = [uid, tells_flags.then_some(FetchItem::Flags), modseq];
        for (at, item) in plan.items.iter().chain(added.iter().flatten()).enumerate() {
            if at % FETCH_ITEMS_PER_TURN == FETCH_ITEMS_PER_TURN - 1 {
                tokio::task::yield_now().await;
            }
            let out = self.connection.out();
            match item {
                FetchItem::Uid => response.uid(out, row.uid.0),
                FetchItem::EmailId => response.email_id(out, &email_id(&row.blob)),
                FetchItem::SaveDate => response.save_date(out, row.saved_at.into()),
                FetchItem::ThreadId => {
                    let keys = view.map(|view| view.sort_keys()).transpose().map_err(damaged)?.unwrap_or_default();
                    response.thread_id(out, &thread_id(&keys, &row.blob));
                }
                FetchItem::ModSeq => response.modseq(out, row.modseq.0),
                FetchItem::InternalDate => response.internal_date(out, row.internal_date),
                FetchItem::Rfc822Size => response.size(out, row.octets),
                FetchItem::Flags => self.say_flags(&mut response, row.uid, row.system_flags, row.keyword_bits),
                FetchItem::Envelope => response.envelope(out, view.map(|view| view.envelope()).unwrap_or_default()),
                FetchItem::Body => response.body(out, view.map(|view| view.body()).unwrap_or_default()),
                FetchItem::BodyStructure => {
                    response.body_structure(out, view.map(|view| view.body_structure()).unwrap_or_default());
                }
                FetchItem::Preview { .. } => {
                    let preview = view.and_then(|view| view.preview().ok());
                    response.preview(out, preview.or((!plan.sources.lazy).then_some("")));
                }
                FetchItem::Binary { .. }
                | FetchItem::BinarySize { .. }
                | FetchItem::BodySection { .. }
                | FetchItem::Rfc822
                | FetchItem::Rfc822Header
                | FetchItem::Rfc822Text => {
                    if parts.is_none() && Source::of(item) == (Source::Content { part: true }) {
                        parts = view.map(|view| view.parts()).transpose().map_err(damaged)?;
                    }
                    if reader.is_none() {
                        reader = Some(content(store, row).await.map_err(|error| broken(row, &error))?);
                    }
                    let Some(reader) = &mut reader else { continue };
                    if matches!(item, FetchItem::Binary { .. } | FetchItem::BinarySize { .. }) {
                        if !self.send_binary(&mut response, item, parts.as_ref(), row, reader).await? {
                            plan.unknown_encoding.store(true, Ordering::Relaxed);
                        }
                    } else {
                        self.send_section(&mut response, item, parts.as_ref(), row, reader).await?;
                    }
                }
            }
        }
        match response.items() {
            // Nothing can be said of the message, and nothing was sent (RFC 9051 §9: a FETCH response has an item).
            0 => self.connection.out().truncate(begun_at),
            _ => response.end(self.connection.out()),
        }
        self.connection.flush_some().await?;
        Ok(())
    }

    /// A client that knows MODSEQs is told UID and the new MODSEQ when FETCH changed the flags (RFC 7162 §3.2.4).
    fn adds(&self, plan: &Plan, newly_seen: bool) -> [Option<FetchItem>; 2] {
        // RFC 9051 §7.5.2: with what is told unasked comes the UID.
        let Enabled { condstore, rev2, uid_only, .. } = self.enabled;
        let adds = [(FetchItem::Uid, !uid_only && (condstore || rev2)), (FetchItem::ModSeq, condstore)];
        adds.map(|(item, adds)| Some(item).filter(|item| newly_seen && adds && !plan.items.contains(item)))
    }

    /// The mailbox's row of this moment, for the names of its keywords.
    pub(crate) async fn refresh_row(&mut self) -> Result<(), Fault> {
        let key = self.key()?;
        let row = self.server.store.mailbox(key.0, key.1).await?.ok_or(Lost::MailboxDeleted)?;
        self.selected()?.row = row;
        Ok(())
    }

    /// Another session may have brought in a keyword since.
    pub(crate) async fn refresh_keywords(&mut self, bits: impl IntoIterator<Item = u128>) -> Result<(), Fault> {
        let known = self.selected()?.row.keywords.len();
        let unknown = |bits: u128| known < 128 && bits >> known != 0;
        if bits.into_iter().any(unknown) { self.refresh_row().await } else { Ok(()) }
    }
}

impl Plan {
    /// Messages whose rows are read at once.
    const fn page(&self) -> usize {
        if self.sources.record { RECORDS_PER_PAGE } else { ROWS_PER_PAGE }
    }

    /// Whether it asks for nothing but flags, and by which UID and MODSEQ.
    pub(super) fn tells_flags_alone(&self) -> bool {
        self.items.iter().all(|item| matches!(item, FetchItem::Flags | FetchItem::ModSeq | FetchItem::Uid))
    }

    /// Whether a message has changed since then, where that is asked for.
    fn is_about(&self, row: &MessageRow) -> bool {
        self.changed_since.is_none_or(|since| row.modseq > since)
    }

    /// Whether a message is told of before another.
    fn comes_before(&self, one: Uid, other: Uid) -> bool {
        if self.descending { one > other } else { one < other }
    }

    /// Items without any other effect.
    fn news(items: Vec<FetchItem>) -> Self {
        Self {
            sources: Sources::of(&items),
            unknown_encoding: AtomicBool::new(false),
            sets_seen: false,
            changed_since: None,
            descending: false,
            items,
        }
    }

    /// What SELECT (QRESYNC …) tells: as `UID FETCH … (FLAGS) (CHANGEDSINCE …)` (RFC 7162 §3.2.5.1).
    fn resync(since: ModSeq, uid_only: bool) -> Self {
        let uid = (!uid_only).then_some(FetchItem::Uid);
        Self {
            items: uid.into_iter().chain([FetchItem::Flags, FetchItem::ModSeq]).collect(),
            sources: Sources::default(),
            unknown_encoding: AtomicBool::new(false),
            sets_seen: false,
            changed_since: Some(since),
            descending: false,
        }
    }

    fn new(fetch: Fetch, read_only: bool, uid_only: bool) -> Self {
        let mut items: Vec<FetchItem> = Vec::with_capacity(fetch.items.len() + 2);
        // RFC 3501 §6.4.8: an answer to UID FETCH carries the UID. RFC 7162 §3.1.4.1: CHANGEDSINCE implies MODSEQ.
        // RFC 9586 §3.3: the response has it in front.
        let uid = fetch.uid && !uid_only;
        let implied = [uid.then_some(FetchItem::Uid), fetch.changed_since.map(|_| FetchItem::ModSeq)];
        for item in implied.into_iter().flatten().chain(fetch.items) {
            if !items.contains(&item) {
                items.push(item);
            }
        }
        Self {
            sources: Sources::of(&items),
            unknown_encoding: AtomicBool::new(false),
            sets_seen: !read_only && items.iter().any(FetchItem::sets_seen),
            changed_since: fetch.changed_since.map(ModSeq),
            descending: false,
            items,
        }
    }
}

/// RFC 9738 §3.1: nothing is done.
fn too_many_places(limit: u32) -> Answer {
    let text = format!("One FETCH has {limit} messages at the most");
    Answer::no(Code::MessageLimit { limit, lowest: None }, text)
}

/// How many of the next messages get `\Seen` before the first of them is sent: one, or more that are small.
fn seen_step(rows: &[MessageRow]) -> usize {
    small_together(rows, SEEN_OCTETS_PER_STEP).max(1)
}

/// How many of the next messages have so many octets together at the most.
fn small_together(rows: &[MessageRow], octets_max: u64) -> usize {
    let octets = rows.iter().scan(0_u64, |sum, row| {
        *sum = sum.saturating_add(row.octets);
        Some(*sum)
    });
    octets.take_while(|sum| *sum <= octets_max).count()
}

/// Readers of the contents of the next messages, of as many as are small together; none of a single one, or when reading fails: then
/// that shows when the message is told of.
async fn read_ahead(store: &Store, rows: &[MessageRow]) -> VecDeque<Option<BlobReader>> {
    let small = small_together(rows, AHEAD_OCTETS_MAX).min(AHEAD_MESSAGES_MAX);
    let hashes: Vec<_> = rows.iter().take(small).map(|row| row.blob).collect();
    if hashes.len() < 2 {
        return VecDeque::new();
    }
    store.blobs(&hashes).await.map(VecDeque::from).unwrap_or_default()
}

/// Where an item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    /// In the message's row.
    Row,
    /// In its record, as it is sent; a lazy one may be left out when it isn't there.
    Record { lazy: bool },
    /// In the message itself, at a place that the record's part table tells, or all of it.
    Content { part: bool },
}

impl Source {
    fn of(item: &FetchItem) -> Self {
        match item {
            FetchItem::EmailId
            | FetchItem::Flags
            | FetchItem::InternalDate
            | FetchItem::ModSeq
            | FetchItem::Rfc822Size
            | FetchItem::SaveDate
            | FetchItem::Uid => Self::Row,
            FetchItem::Body | FetchItem::BodyStructure | FetchItem::Envelope | FetchItem::ThreadId => {
                Self::Record { lazy: false }
            }
            FetchItem::Preview { lazy } => Self::Record { lazy: *lazy },
            FetchItem::Rfc822 => Self::Content { part: false },
            FetchItem::Rfc822Header | FetchItem::Rfc822Text => Self::Content { part: true },
            FetchItem::BodySection { section, .. } => {
                Self::Content { part: !section.part.is_empty() || section.text.is_some() }
            }
            FetchItem::Binary { part, .. } | FetchItem::BinarySize { part } => Self::Content { part: !part.is_empty() },
        }
    }

    fn needs_record(self) -> bool {
        matches!(self, Self::Record { .. } | Self::Content { part: true })
    }
}
