//! Telling a client what others changed (RFC 3501 §5.2, §7.3.1, §7.4.1). Costs what changed: one read when nothing did.

use imap_wire::NumberSet;
use imap_wire::response::{self, Code, Condition, FetchResponse};
use mail::{ModSeq, SequenceNumber, Uid};
use storage::changes::Change;
use storage::rows::MessageRow;

use crate::commands::select::{all_flags, permanent_flags};
use crate::engine::enabled::Enabled;
use crate::engine::table::Sync;
use crate::engine::view::News;
use crate::fault::{Fault, Lost};
use crate::limits::ROWS_PER_PAGE;
use crate::notify::{Notifying, SelectedNews};
use crate::session::Session;
use crate::views::{learn_changes, learn_changes_up_to};

impl Session {
    /// Reads what changed and says as much of it as is allowed now. `uid`: FETCH responses carry UIDs.
    pub(crate) async fn sync(&mut self, what: Sync, uid: bool) -> Result<(), Fault> {
        self.sync_as(what, uid, self.selected_news()).await
    }

    /// As [`Session::sync`], with a say in what the client wants to hear (RFC 5465 §3.1).
    pub(crate) async fn sync_as(&mut self, what: Sync, uid: bool, wanted: SelectedNews) -> Result<(), Fault> {
        if what == Sync::Nothing || self.selected.is_none() || wanted == SelectedNews::Nothing {
            return Ok(());
        }
        self.learn().await?;
        self.tell_gone_from_results()?;
        let expunges = what == Sync::All;
        let selected = self.selected()?;
        let news = selected.view.tell(expunges);
        let messages = selected.view.map().messages();
        if !news.expunged.is_empty() || news.exists.is_some() {
            selected.member.share(&mut selected.view);
        }
        self.tell_expunged(&news).await?;
        if news.exists.is_some() {
            response::exists(self.connection.out(), messages);
        }
        let events = match wanted {
            SelectedNews::Some(events) => Some(events),
            SelectedNews::AsEver | SelectedNews::Nothing => None,
        };
        // RFC 5465 §5.1: without FlagChange nothing is said of flags.
        let mut untold = if events.as_ref().is_none_or(|events| events.flags) { news.changed } else { Vec::new() };
        let told = self.tell_rest(news.exists.is_some(), &mut untold, uid).await;
        // What could not be read is told the next time.
        if !untold.is_empty() {
            self.selected()?.view.untold(untold);
        }
        told?;
        if let Some(events) = events.filter(|_| !news.arrived.is_empty()) {
            self.tell_arrived(&news.arrived, &events.fetch).await?;
        }
        self.tell_modseq()
    }

    /// EXPUNGE for each, or VANISHED for all (RFC 7162 §3.2.10.2).
    async fn tell_expunged(&mut self, news: &News) -> Result<(), Lost> {
        if self.enabled.qresync || self.enabled.uid_only {
            response::vanished(self.connection.out(), &news.vanished, false);
            return Ok(());
        }
        for number in &news.expunged {
            response::expunge(self.connection.out(), number.0);
            self.connection.flush_some().await?;
        }
        Ok(())
    }

    /// RFC 7162 §3.2, §6: while expunges wait, a client that comes back with the MODSEQs that it has seen would never hear of
    /// them. It is told the one to keep; and the highest, once nothing waits any more.
    fn tell_modseq(&mut self) -> Result<(), Fault> {
        if !self.enabled.qresync {
            return Ok(());
        }
        let selected = self.selected()?;
        let waits = selected.view.has_gone();
        if !waits && !std::mem::replace(&mut selected.behind, waits) {
            return Ok(());
        }
        selected.behind = waits;
        let code = Code::HighestModSeq(selected.view.told_modseq().0);
        let text = if waits { "Expunges wait" } else { "Highest" };
        self.say(Condition::Ok, Some(&code), text);
        Ok(())
    }

    /// What has to be read before it can be told; removes from `changed` what was told.
    async fn tell_rest(&mut self, arrived: bool, changed: &mut Vec<Uid>, uid: bool) -> Result<(), Fault> {
        if arrived {
            self.claim_arrived().await?;
            let selected = self.selected()?;
            let recent = selected.recent.ranges().iter().map(|range| {
                let map = selected.view.map();
                let beyond = range.end().checked_add(1).map_or(0, |next| map.count_from(Uid(next)));
                map.count_from(Uid(*range.start())).saturating_sub(beyond)
            });
            let recent = recent.fold(0u32, u32::saturating_add);
            if !self.enabled.rev2 {
                response::recent(self.connection.out(), recent);
            }
        }
        self.tell_keywords()?;
        self.tell_flags(changed, uid).await?;
        Box::pin(self.tell_changed_results()).await
    }

    /// Brings the view up to date without saying anything.
    pub(crate) async fn learn(&mut self) -> Result<(), Fault> {
        let key = self.key()?;
        let store = self.server.store.clone();
        let Some(row) = store.mailbox(key.0, key.1).await? else { return Err(Lost::MailboxDeleted.into()) };
        // After the row: what is read now is not older than it.
        self.look_at_rights().await?;
        let selected = self.selected()?;
        let highest = row.highest_modseq;
        let newer = highest > selected.view.modseq();
        selected.row = row;
        if newer {
            if selected.reading.is_some() {
                self.learn_of_person(highest).await?;
            } else {
                learn_changes(&store, key, &mut selected.view).await?;
            }
            self.selected()?.view.advance(highest);
        }
        Ok(())
    }

    /// Where the reader has a `\Seen` of their own: what all see and what they alone see, both up to one MODSEQ.
    async fn learn_of_person(&mut self, highest: ModSeq) -> Result<(), Fault> {
        let key = self.key()?;
        let store = self.server.store.clone();
        let selected = self.selected()?;
        let since = selected.view.modseq();
        learn_changes_up_to(&store, key, &mut selected.view, highest).await?;
        let own: Vec<Change> = match selected.reading.as_ref().and_then(|reading| reading.changed_since(since)) {
            Some(changes) => changes
                .iter()
                .filter(|(modseq, _)| *modseq <= highest)
                .map(|(modseq, uid)| Change { modseq: *modseq, uid: *uid, expunged: false })
                .collect(),
            // Too long ago to know: any message may be another one now.
            None => {
                let modseq = ModSeq(since.0.saturating_add(1));
                let map = selected.view.map();
                let all = NumberSet::from_ranges([1..=map.max_uid()]);
                map.existing(&all).map(|uid| Change { modseq, uid, expunged: false }).collect()
            }
        };
        selected.view.learn(&own);
        Ok(())
    }

    /// RFC 3501 §7.2.6: a new FLAGS response when there are new keywords.
    fn tell_keywords(&mut self) -> Result<(), Fault> {
        let selected = self.selected()?;
        if selected.row.keywords.len() == selected.keywords_told {
            return Ok(());
        }
        selected.keywords_told = selected.row.keywords.len();
        let flags = all_flags(&selected.row);
        let permanent = (!selected.read_only).then(|| permanent_flags(&selected.row, selected.access));
        response::flags(self.connection.out(), &flags);
        if let Some(permanent) = permanent {
            self.say(Condition::Ok, Some(&permanent), "Flags that last");
        }
        Ok(())
    }

    /// Tells the flags of messages in order of UID; removes from the list what was told.
    async fn tell_flags(&mut self, uids: &mut Vec<Uid>, uid: bool) -> Result<(), Fault> {
        uids.sort_unstable();
        uids.dedup();
        while !uids.is_empty() {
            let some = uids.get(..ROWS_PER_PAGE).unwrap_or(uids);
            let rows = self.rows_of(some).await?;
            // They may be newer than the mailbox's row, with a keyword that somebody has made since.
            self.refresh_keywords(rows.iter().map(|row| row.keyword_bits)).await?;
            self.tell_keywords()?;
            for row in &rows {
                self.tell_flags_of(row, uid)?;
                self.connection.flush_some().await?;
            }
            uids.drain(..ROWS_PER_PAGE.min(uids.len()));
        }
        Ok(())
    }

    /// `* n FETCH (`, or `* uid UIDFETCH (` for who knows no sequence numbers (RFC 9586 §3.3).
    pub(crate) fn begin_fetch(&mut self, number: SequenceNumber, uid: Uid) -> FetchResponse {
        let uid_only = self.enabled.uid_only;
        let out = self.connection.out();
        if uid_only { FetchResponse::begin_uid(out, uid.0) } else { FetchResponse::begin(out, number.0) }
    }

    /// `* n FETCH (FLAGS (…))`, with MODSEQ for clients that know it.
    pub(crate) fn tell_flags_of(&mut self, row: &MessageRow, uid: bool) -> Result<(), Fault> {
        let Enabled { condstore, rev2, uid_only, .. } = self.enabled;
        // RFC 5465 §5.1, §5.3: who is notified of flags is told UIDs, and can't rely on sequence numbers.
        let notified = self.notify.as_deref().is_some_and(Notifying::tells_flags);
        let selected = self.selected()?;
        let Some(number) = selected.view.map().sequence_of(row.uid) else { return Ok(()) };
        let recent = !rev2 && selected.recent.contains(row.uid.0);
        let mut fetch = self.begin_fetch(number, row.uid);
        let Some(selected) = self.selected.as_deref() else { return Ok(()) };
        let out = self.connection.out();
        // RFC 7162 §3.2.4: who knows MODSEQs is told both. RFC 9051 §7.5.2: what is told unasked carries UID.
        if (uid || condstore || rev2 || notified) && !uid_only {
            fetch.uid(out, row.uid.0);
        }
        if condstore {
            fetch.modseq(out, row.modseq.0);
        }
        fetch.flag_names(out, row.system_flags, selected.row.keywords_of(row.keyword_bits), recent);
        fetch.end(out);
        Ok(())
    }
}
