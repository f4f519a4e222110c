//! FETCH (RFC 3501 §6.4.5, §7.4.2; RFC 7162 §3.1.4 CHANGEDSINCE).
//!
//! Rows and records are read by pages in key order and nothing is parsed; contents go from the store to the socket piece by
//! piece, as fast as the client takes them.

use bytes::Bytes;
use imap_wire::response::{self, Code, FetchResponse};
use imap_wire::{Fetch, FetchItem, NumberSet, Partial, Qresync, Section, SectionText, SequenceSet};
use mail::{Flags, ModSeq, SequenceNumber, SystemFlags, Uid};
use message::{ByteRange, PartTable, RecordView, header_fields};
use routing::Rights;
use storage::blobs::BlobReader;
use storage::messages::{Change, FlagChange};
use storage::rows::MessageRow;

use crate::engine::enabled::Enabled;
use crate::engine::object_id::{email_id, thread_id};
use crate::engine::resync::{known_up_to, unknown};
use crate::fault::{Answer, Fault, Lost};
use crate::limits::{
    CHANGES_PER_PAGE, FETCH_ITEMS_PER_TURN, HEADER_OCTETS_MAX, RECORDS_PER_PAGE, ROWS_PER_PAGE, SEEN_OCTETS_PER_STEP,
};
use crate::records::{complete, content, damaged};
use crate::session::Session;

/// What a FETCH needs, found out once.
struct Plan {
    items: Vec<FetchItem>,
    /// ENVELOPE, BODYSTRUCTURE, or where the parts are.
    record: bool,
    /// Where the parts are.
    parts: bool,
    /// Messages without `\Seen` get it, and their FLAGS are told.
    sets_seen: bool,
    changed_since: Option<ModSeq>,
}

/// One message of the answer.
struct Message<'a> {
    number: SequenceNumber,
    row: &'a MessageRow,
    record: Option<Bytes>,
    /// `\Seen` was set by this FETCH: FLAGS come whether asked for or not.
    newly_seen: bool,
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
        let vanished = match fetch.vanished {
            true => Some(self.all_uids(&fetch.set)?),
            false => None,
        };
        let selected = self.selected()?;
        // RFC 4314 §4: without the right `s`, FETCH sets no \Seen.
        let looks_only = selected.read_only || !selected.access.rights.has(Rights::SEEN);
        let plan = Plan::new(fetch, looks_only, self.enabled.uid_only);
        self.refresh_row().await?;
        let wanted = match plan.changed_since {
            Some(since) => self.changed_since(since, &wanted, vanished.as_ref()).await?,
            None => wanted,
        };
        self.fetch_wanted(&plan, &wanted).await
    }

    /// The UIDs of a set, also those that no message has any more.
    fn all_uids(&mut self, set: &SequenceSet) -> Result<NumberSet, Fault> {
        let selected = self.selected()?;
        let max = selected.view.map().max_uid();
        Ok(set.resolve(max).clip(1..=selected.row.uid_next.0.saturating_sub(1)))
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
        let changed = self.changed_since(ModSeq(known.modseq), &asked, Some(&gone)).await?;
        let plan = Plan::resync(ModSeq(known.modseq), self.enabled.uid_only);
        self.fetch_wanted(&plan, &changed).await.map(drop)
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

    async fn fetch_wanted(&mut self, plan: &Plan, wanted: &NumberSet) -> Result<Answer, Fault> {
        let map = self.selected()?.view.map().clone();
        let mut left = map.existing(wanted).count();
        for range in wanted.ranges() {
            left = left.saturating_sub(self.fetch_range(plan, Uid(*range.start()), Uid(*range.end())).await?);
        }
        if left > 0 && plan.changed_since.is_none() {
            return Ok(Answer::ok("Some messages are no longer there").with(Code::ExpungeIssued));
        }
        Ok(Answer::ok("Fetched"))
    }

    /// Those of the wanted that changed, from the change index: costs what changed, not what is there (RFC 7162 §3.1.4.1).
    /// Tells which of `asked` were expunged since, before any FETCH response (§3.2.6).
    async fn changed_since(
        &mut self,
        since: ModSeq,
        wanted: &NumberSet,
        asked: Option<&NumberSet>,
    ) -> Result<NumberSet, Fault> {
        let key = self.key()?;
        let own = self.own_changes_since(since)?;
        // Where the reader's own changes are too long ago to be known, any message may be another one now.
        let any = own.is_none();
        let (own, mut vanished) = (own.unwrap_or_default(), Vec::new());
        let mut changed: Vec<u32> = own.into_iter().map(|uid| uid.0).filter(|uid| wanted.contains(*uid)).collect();
        let mut last = None;
        while !any || asked.is_some() {
            let page = self.server.store.changes(key.0, key.1, since, last, CHANGES_PER_PAGE).await?;
            for Change { uid: Uid(uid), expunged, .. } in &page {
                if !expunged && wanted.contains(*uid) {
                    changed.push(*uid);
                } else if *expunged && asked.is_some_and(|asked| asked.contains(*uid)) {
                    vanished.push(*uid);
                }
            }
            if page.len() < CHANGES_PER_PAGE {
                break;
            }
            last = page.last().copied();
        }
        let map = self.selected()?.view.map();
        // What the client still counts is told without EARLIER, when that may be.
        vanished.retain(|uid| !map.contains(Uid(*uid)));
        response::vanished(self.connection.out(), &NumberSet::from_numbers(vanished), true);
        Ok(if any { wanted.clone() } else { NumberSet::from_numbers(changed) })
    }

    /// Answers for the messages of a range of UIDs; returns how many were there.
    async fn fetch_range(&mut self, plan: &Plan, first: Uid, last: Uid) -> Result<usize, Fault> {
        let key = self.key()?;
        let store = self.server.store.clone();
        let page = if plan.record { RECORDS_PER_PAGE } else { ROWS_PER_PAGE };
        let mut found = 0usize;
        let mut from = Some(first);
        while let Some(first) = from {
            let mut rows = self.rows(first, last, page).await?;
            from = rows.last().and_then(|row| row.uid.next()).filter(|next| rows.len() == page && *next <= last);
            if let Some(since) = plan.changed_since {
                rows.retain(|row| row.modseq > since);
            }
            let mut records = match (plan.record, rows.first(), rows.last()) {
                (true, Some(first), Some(last)) => store.records(key.0, key.1, first.uid, last.uid, page).await?,
                _ => Vec::new(),
            }
            .into_iter()
            .peekable();
            self.refresh_keywords(&rows).await?;
            let mut rest = rows.as_mut_slice();
            while !rest.is_empty() {
                let step = if plan.sets_seen { seen_step(rest) } else { rest.len() };
                let (some, later) = rest.split_at_mut(step);
                rest = later;
                let seen = if plan.sets_seen { self.set_seen(some).await? } else { NumberSet::empty() };
                for row in &*some {
                    while records.next_if(|(uid, _)| *uid < row.uid).is_some() {}
                    let record = records.next_if(|(uid, _)| *uid == row.uid).map(|(_, record)| record);
                    let Some(number) = self.selected()?.view.map().sequence_of(row.uid) else { continue };
                    let newly_seen = seen.contains(row.uid.0);
                    found = found.saturating_add(1);
                    self.fetch_one(plan, Message { number, row, record, newly_seen }).await?;
                }
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
            if let Ok(at) = rows.binary_search_by_key(&row.uid, |row| row.uid)
                && let Some(old) = rows.get_mut(at)
            {
                old.clone_from(row);
            }
        }
        Ok(NumberSet::from_numbers(changed.rows.iter().map(|row| row.uid.0)))
    }

    async fn fetch_one(&mut self, plan: &Plan, message: Message<'_>) -> Result<(), Fault> {
        let Message { number, row, record, newly_seen } = message;
        let store = self.server.store.clone();
        let record = match (plan.record, record) {
            (true, record) => Some(complete(&store, row, record, plan.parts).await?),
            (false, _) => None,
        };
        let view = record.as_ref().map(|record| RecordView::new(record)).transpose().map_err(damaged)?;
        let mut parts = None;
        let mut reader = None;
        let tells_flags = newly_seen && !plan.items.contains(&FetchItem::Flags);
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
                FetchItem::Flags => {
                    let selected = self.selected()?;
                    let (flags, recent) = (selected.row.flags_of(row), selected.recent.contains(row.uid.0));
                    let recent = recent && !self.enabled.rev2;
                    response.flags(self.connection.out(), &flags, recent);
                }
                FetchItem::Envelope => response.envelope(out, view.map(|view| view.envelope()).unwrap_or_default()),
                FetchItem::Body => response.body(out, view.map(|view| view.body()).unwrap_or_default()),
                FetchItem::BodyStructure => {
                    response.body_structure(out, view.map(|view| view.body_structure()).unwrap_or_default());
                }
                FetchItem::BodySection { .. } | FetchItem::Rfc822 | FetchItem::Rfc822Header | FetchItem::Rfc822Text => {
                    if parts.is_none() && needs_parts(item) {
                        parts = view.map(|view| view.parts()).transpose().map_err(damaged)?;
                    }
                    if reader.is_none() {
                        reader = Some(content(&store, row).await.map_err(|error| broken(row, &error))?);
                    }
                    if let Some(reader) = &mut reader {
                        self.send_section(&mut response, item, parts.as_ref(), row, reader).await?;
                    }
                }
            }
        }
        response.end(self.connection.out());
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

    /// `BODY[…]` and the RFC822 items.
    async fn send_section(
        &mut self,
        response: &mut FetchResponse,
        item: &FetchItem,
        parts: Option<&PartTable>,
        row: &MessageRow,
        reader: &mut BlobReader,
    ) -> Result<(), Fault> {
        let whole = ByteRange { start: 0, end: row.octets };
        let of = |text| {
            let section = message::Section::new(Vec::new(), text);
            parts.and_then(|parts| parts.section(&section)).unwrap_or_default()
        };
        match item {
            FetchItem::Rfc822 => {
                response.rfc822_literal(self.connection.out(), whole.size());
                self.stream(whole, row, reader).await
            }
            FetchItem::Rfc822Header => {
                let header = of(message::SectionText::Header);
                response.rfc822_header_literal(self.connection.out(), header.size());
                self.stream(header, row, reader).await
            }
            FetchItem::Rfc822Text => {
                let text = of(message::SectionText::Text);
                response.rfc822_text_literal(self.connection.out(), text.size());
                self.stream(text, row, reader).await
            }
            FetchItem::BodySection { section, partial, .. } => {
                let origin = partial.map(|partial| partial.start);
                let found = if section.part.is_empty() && section.text.is_none() {
                    Some(whole)
                } else {
                    parts.and_then(|parts| parts.section(&place(section)))
                };
                let Some(range) = found else {
                    response.section_nil(self.connection.out(), section, origin);
                    return Ok(());
                };
                if let Some((names, invert)) = fields(section) {
                    let header = read_header(reader, range).await.map_err(|error| broken(row, &error))?;
                    let names: Vec<&[u8]> = names.iter().map(imap_wire::HeaderName::as_bytes).collect();
                    let found = header_fields(&header, &names, invert);
                    let found = clip(&found, *partial);
                    response.section_bytes(self.connection.out(), section, origin, found);
                    // Nothing bounds how often one FETCH asks for fields: each answer leaves before the next is made.
                    self.connection.flush_some().await?;
                    return Ok(());
                }
                let (skip, octets) = partial.map_or((0, range.size()), |partial| partial.clip(range.size()));
                let start = range.start.saturating_add(skip);
                response.section_literal(self.connection.out(), section, origin, octets);
                self.stream(ByteRange { start, end: start.saturating_add(octets) }, row, reader).await
            }
            FetchItem::Body
            | FetchItem::BodyStructure
            | FetchItem::EmailId
            | FetchItem::Envelope
            | FetchItem::Flags
            | FetchItem::InternalDate
            | FetchItem::Rfc822Size
            | FetchItem::SaveDate
            | FetchItem::ThreadId
            | FetchItem::Uid
            | FetchItem::ModSeq => Ok(()),
        }
    }

    /// Content, piece by piece. After its length was announced there is no way back: a failure ends the connection.
    async fn stream(&mut self, range: ByteRange, row: &MessageRow, reader: &mut BlobReader) -> Result<(), Fault> {
        let mut at = range.start;
        while at < range.end {
            let piece = reader.piece(at, range.end).await.map_err(|error| broken(row, &error))?;
            if piece.is_empty() {
                return Err(broken(row, &storage::StorageError::Expunged));
            }
            at = at.saturating_add(piece.len() as u64);
            let out = self.connection.out();
            let start = out.len();
            out.extend_from_slice(&piece);
            // RFC 3501 §9 `CHAR8`: a literal holds no NUL.
            if memchr::memchr(0, &piece).is_some() {
                out.iter_mut().skip(start).filter(|octet| **octet == 0).for_each(|octet| *octet = 0x80);
            }
            self.connection.flush_some().await?;
        }
        Ok(())
    }

    /// The mailbox's row of this moment, for the names of its keywords.
    pub(crate) async fn refresh_row(&mut self) -> Result<(), Fault> {
        let key = self.key()?;
        let row = self.server.store.mailbox(key.0, key.1).await?.ok_or(Lost::MailboxDeleted)?;
        self.selected()?.row = row;
        Ok(())
    }

    /// Another session may have brought in a keyword since.
    pub(crate) async fn refresh_keywords(&mut self, rows: &[MessageRow]) -> Result<(), Fault> {
        let known = self.selected()?.row.keywords.len();
        let unknown = |row: &MessageRow| known < 128 && row.keyword_bits >> known != 0;
        if rows.iter().any(unknown) { self.refresh_row().await } else { Ok(()) }
    }
}

impl Plan {
    /// Items without any other effect.
    fn news(items: Vec<FetchItem>) -> Self {
        Self {
            record: items.iter().any(|item| needs_parts(item) || is_form(item)),
            parts: items.iter().any(needs_parts),
            sets_seen: false,
            changed_since: None,
            items,
        }
    }

    /// What SELECT (QRESYNC …) tells: as `UID FETCH … (FLAGS) (CHANGEDSINCE …)` (RFC 7162 §3.2.5.1).
    fn resync(since: ModSeq, uid_only: bool) -> Self {
        let uid = (!uid_only).then_some(FetchItem::Uid);
        Self {
            items: uid.into_iter().chain([FetchItem::Flags, FetchItem::ModSeq]).collect(),
            record: false,
            parts: false,
            sets_seen: false,
            changed_since: Some(since),
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
            record: items.iter().any(|item| needs_parts(item) || is_form(item)),
            parts: items.iter().any(needs_parts),
            sets_seen: !read_only && items.iter().any(FetchItem::sets_seen),
            changed_since: fetch.changed_since.map(ModSeq),
            items,
        }
    }
}

/// How many of the next messages get `\Seen` before the first of them is sent: one, or more that are small.
fn seen_step(rows: &[MessageRow]) -> usize {
    let octets = rows.iter().scan(0u64, |sum, row| {
        *sum = sum.saturating_add(row.octets);
        Some(*sum)
    });
    octets.take_while(|sum| *sum <= SEEN_OCTETS_PER_STEP).count().max(1)
}

/// Whether the item is in the record as it is sent.
fn is_form(item: &FetchItem) -> bool {
    matches!(item, FetchItem::Body | FetchItem::BodyStructure | FetchItem::Envelope | FetchItem::ThreadId)
}

/// Whether the record's part table is needed to find the item.
fn needs_parts(item: &FetchItem) -> bool {
    match item {
        FetchItem::Rfc822Header | FetchItem::Rfc822Text => true,
        FetchItem::BodySection { section, .. } => !section.part.is_empty() || section.text.is_some(),
        FetchItem::Body
        | FetchItem::BodyStructure
        | FetchItem::EmailId
        | FetchItem::Envelope
        | FetchItem::Flags
        | FetchItem::InternalDate
        | FetchItem::Rfc822
        | FetchItem::Rfc822Size
        | FetchItem::SaveDate
        | FetchItem::ThreadId
        | FetchItem::Uid
        | FetchItem::ModSeq => false,
    }
}

/// The section whose octets hold what is asked for.
fn place(section: &Section) -> message::Section {
    let text = match &section.text {
        None => message::SectionText::Whole,
        Some(SectionText::Header | SectionText::HeaderFields(_) | SectionText::HeaderFieldsNot(_)) => {
            message::SectionText::Header
        }
        Some(SectionText::Text) => message::SectionText::Text,
        Some(SectionText::Mime) => message::SectionText::Mime,
    };
    message::Section::new(section.part.clone(), text)
}

/// The names of HEADER.FIELDS, and whether all others are meant.
fn fields(section: &Section) -> Option<(&[imap_wire::HeaderName], bool)> {
    match section.text.as_ref()? {
        SectionText::HeaderFields(names) => Some((names, false)),
        SectionText::HeaderFieldsNot(names) => Some((names, true)),
        SectionText::Header | SectionText::Text | SectionText::Mime => None,
    }
}

fn clip(bytes: &[u8], partial: Option<Partial>) -> &[u8] {
    let Some(partial) = partial else { return bytes };
    let (start, octets) = partial.clip(bytes.len() as u64);
    ByteRange { start, end: start.saturating_add(octets) }.of(bytes)
}

/// A header, as far as it is looked at.
pub(crate) async fn read_header(reader: &mut BlobReader, range: ByteRange) -> Result<Vec<u8>, storage::StorageError> {
    reader.read(range.start, range.end.min(range.start.saturating_add(HEADER_OCTETS_MAX))).await
}

/// The response has begun and can't be finished.
fn broken(row: &MessageRow, error: &storage::StorageError) -> Fault {
    tracing::error!(uid = %row.uid, blob = %row.blob, %error, "a message's content could not be read");
    Lost::BrokenLiteral.into()
}
