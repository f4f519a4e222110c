//! What has changed since a MODSEQ: FETCH with CHANGEDSINCE, and SELECT with QRESYNC (RFC 7162).

use std::cmp::Reverse;

use imap_wire::{FetchItem, NumberSet, response};
use mail::{ModSeq, Uid};
use storage::changes::{Change, ChangedFlags};

use super::fetch::Plan;
use crate::fault::{Answer, Fault};
use crate::limits::{CHANGES_PER_PAGE, ROWS_PER_PAGE};
use crate::session::Session;

impl Session {
    /// Those of the wanted that changed, from the change index: costs what changed, not what is there (RFC 7162 §3.1.4.1).
    /// Tells which of `asked` were expunged since, before any FETCH response (§3.2.6). The changes themselves come along where they
    /// are wanted (`keeps`), and the index alone says which they are: nothing is the reader's own.
    pub(super) async fn changed_since(
        &mut self,
        since: ModSeq,
        wanted: &NumberSet,
        asked: Option<&NumberSet>,
        keeps: bool,
    ) -> Result<(NumberSet, Option<Vec<Change>>), Fault> {
        // The row was read just now: a mailbox in which nothing has happened since costs no more than that.
        if self.selected()?.row.highest_modseq <= since {
            return Ok((NumberSet::empty(), None));
        }
        let kept = keeps && self.selected()?.reading.is_none();
        let key = self.key()?;
        let own = self.own_changes_since(since)?;
        // Where the reader's own changes are too long ago to be known, any message may be another one now.
        let any = own.is_none();
        let (own, mut vanished) = (own.unwrap_or_default(), Vec::new());
        let mut changed: Vec<u32> = own.into_iter().map(|uid| uid.0).filter(|uid| wanted.contains(*uid)).collect();
        let (mut changes, mut last) = (Vec::new(), None);
        while !any || asked.is_some() {
            let page = self.server.store.changes(key.0, key.1, since, last, CHANGES_PER_PAGE).await?;
            for change @ Change { uid: Uid(uid), expunged, .. } in &page {
                if !expunged && wanted.contains(*uid) {
                    changed.push(*uid);
                    if kept {
                        changes.push(*change);
                    }
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
        let mut vanished = NumberSet::from_numbers(vanished);
        // Read after the changes: what was forgotten meanwhile is among it.
        if let Some(asked) = asked
            && since < self.server.store.expunges_forgotten(key.0, key.1).await?
        {
            vanished = self.not_there(asked).await?;
        }
        response::vanished(self.connection.out(), &vanished, true);
        let changed = if any { wanted.clone() } else { NumberSet::from_numbers(changed) };
        Ok((changed, kept.then_some(changes)))
    }

    /// Answers for messages, whose changes tell where their flags are; without changes, and so for other items, rows are read.
    pub(super) async fn fetch_changed(
        &mut self,
        plan: &Plan,
        wanted: &NumberSet,
        changes: Option<Vec<Change>>,
    ) -> Result<Answer, Fault> {
        let Some(mut changes) = changes else {
            return self.fetch_wanted(plan, wanted).await;
        };
        // One that changed again while the index was read is there twice: the later one holds.
        changes.sort_unstable_by_key(|change| (change.uid, Reverse(change.modseq)));
        changes.dedup_by_key(|change| change.uid);
        let key = self.key()?;
        for some in changes.chunks(CHANGES_PER_PAGE) {
            let flags = self.server.store.changed_flags(key.0, key.1, some).await?;
            self.refresh_keywords(flags.iter().map(|flags| flags.keyword_bits)).await?;
            for flags in &flags {
                self.tell_changed_flags(plan, flags).await?;
            }
        }
        Ok(Answer::ok("Fetched"))
    }

    async fn tell_changed_flags(&mut self, plan: &Plan, flags: &ChangedFlags) -> Result<(), Fault> {
        let Some(number) = self.selected()?.view.map().sequence_of(flags.uid) else { return Ok(()) };
        let mut response = self.begin_fetch(number, flags.uid);
        for item in &plan.items {
            if *item == FetchItem::Uid {
                response.uid(self.connection.out(), flags.uid.0);
            } else if *item == FetchItem::ModSeq {
                response.modseq(self.connection.out(), flags.modseq.0);
            } else {
                self.say_flags(&mut response, flags.uid, flags.system_flags, flags.keyword_bits);
            }
        }
        response.end(self.connection.out());
        self.connection.flush_some().await?;
        Ok(())
    }

    /// The UIDs of a set that no message has, whether or not the client knows: when it has been away longer than expunges are
    /// remembered (RFC 7162 §3.2.5.1).
    async fn not_there(&mut self, asked: &NumberSet) -> Result<NumberSet, Fault> {
        let key = self.key()?;
        let map = self.selected()?.view.map().clone();
        let left = asked.minus(&NumberSet::from_ranges(map.uid_ranges()));
        // What came after the map was read.
        let mut came = Vec::new();
        let mut from = Uid(map.max_uid()).next();
        while let Some(first) = from {
            let rows = self.server.store.messages(key.0, key.1, first, Uid(u32::MAX), ROWS_PER_PAGE).await?;
            came.extend(rows.iter().map(|row| row.uid.0));
            from = rows.last().and_then(|row| row.uid.next()).filter(|_| rows.len() == ROWS_PER_PAGE);
        }
        Ok(left.minus(&NumberSet::from_numbers(came)))
    }
}
