//! EXPUNGE and UID EXPUNGE (RFC 3501 §6.4.3, RFC 4315 §2.1, RFC 7162 §3.2.7, §3.2.9).

use imap_wire::response::Code;
use imap_wire::{NumberSet, SequenceSet};
use mail::{SystemFlags, Uid};
use routing::Rights;
use storage::messages::{EXPUNGED_PER_TRANSACTION, ExpungeScope};

use crate::access::no_right;
use crate::commands::store::read_only;
use crate::engine::message_limit::Limited;
use crate::engine::search::Query;
use crate::engine::table::Sync;
use crate::fault::{Answer, Fault, Lost};
use crate::limits::ROWS_PER_PAGE;
use crate::notify::SelectedNews;
use crate::session::Session;

impl Session {
    /// The EXPUNGE responses come with the changes that are told before the tagged response.
    pub(crate) async fn expunge(&mut self, uids: Option<&SequenceSet>) -> Result<Answer, Fault> {
        if self.selected()?.read_only {
            return Ok(read_only());
        }
        if !self.selected()?.access.rights.has(Rights::EXPUNGE) {
            return Ok(no_right());
        }
        let scope = uids.map(|set| self.uids_meant(set, true)).transpose()?;
        // RFC 9738 §3.1: EXPUNGE and CLOSE are never limited.
        let limited = match &scope {
            Some(scope) => self.deleted_limit(scope).await?,
            None => None,
        };
        let scope = scope.map(|scope| limited.map_or(scope.clone(), |some| some.clip(&scope)));
        let removed = self.remove_deleted(scope).await?;
        let answer = self.told_up_to(removed, uids.is_some(), "Expunged").await?;
        Ok(self.answer_limited(answer, limited))
    }

    /// The answer to a command that may have removed messages: with the MODSEQ to come back with, once that is told (RFC 7162
    /// §3.2.7, §3.2.9; RFC 6851 §4.2).
    pub(crate) async fn told_up_to(&mut self, removed: bool, uid: bool, text: &'static str) -> Result<Answer, Fault> {
        let answer = Answer::ok(text);
        // RFC 5465 is about what others do: what the client has ordered is answered.
        let silent = self.selected_news() == SelectedNews::Nothing;
        if !removed || !(self.enabled.qresync || silent) {
            return Ok(answer);
        }
        match Box::pin(self.sync_as(Sync::All, uid, SelectedNews::AsEver)).await {
            // Whoever tells what is told with every command finds the same; what was done is done.
            Err(Fault::Storage(_) | Fault::Lost(Lost::MailboxDeleted)) => Ok(answer),
            Err(fault) => Err(fault),
            Ok(()) if !self.enabled.qresync => Ok(answer),
            Ok(()) => Ok(answer.with(Code::HighestModSeq(self.selected()?.view.told_modseq().0))),
        }
    }

    /// Whether more messages of a set have `\Deleted` than one UID EXPUNGE may remove (RFC 9738).
    async fn deleted_limit(&mut self, scope: &NumberSet) -> Result<Option<Limited>, Fault> {
        let (account, mailbox) = self.key()?;
        let marked = self.server.store.mailbox(account, mailbox).await?.map_or(0, |row| row.deleted);
        let limit = self.settings.message_limit.of_any().filter(|limit| marked > *limit);
        if limit.is_none() {
            return Ok(None);
        }
        let mut place = self.selected_place().await?;
        let store = self.server.store.clone();
        let deleted = Query::deleted_among(scope);
        let found = place.find(&store, &deleted, self.comparator, false).await?;
        Ok(Limited::of(&place.map, &found.uids, limit))
    }

    /// Removes the messages with `\Deleted`, all or those of a set of UIDs; whether there were any.
    pub(crate) async fn remove_deleted(&mut self, scope: Option<NumberSet>) -> Result<bool, Fault> {
        let (account, mailbox) = self.key()?;
        let store = self.server.store.clone();
        let row = store.mailbox(account, mailbox).await?;
        let (marked, messages) = row.map_or((0, 0), |row| (row.deleted, row.messages));
        if marked == 0 {
            return Ok(false);
        }
        let mut removed = false;
        // Few long transactions: each waits for a sync.
        let mut deleted: Vec<Uid> = Vec::new();
        let max = self.selected()?.view.map().max_uid();
        let scope = scope.unwrap_or_else(|| NumberSet::from_ranges([1..=max]));
        if marked == messages {
            // All of them have it: nothing has to be read to know which.
            let all: Vec<Uid> = self.selected()?.view.map().existing(&scope).collect();
            for some in all.chunks(EXPUNGED_PER_TRANSACTION) {
                removed |= self.remove_marked(some.to_vec()).await?;
            }
            return Ok(removed);
        }
        for range in scope.ranges() {
            let mut from = Some(Uid(*range.start()));
            while let Some(first) = from {
                let rows = store.messages(account, mailbox, first, Uid(*range.end()), ROWS_PER_PAGE).await?;
                let marked = rows.iter().filter(|row| row.system_flags.contains(SystemFlags::DELETED));
                deleted.extend(marked.map(|row| row.uid));
                if deleted.len().saturating_add(ROWS_PER_PAGE) > EXPUNGED_PER_TRANSACTION {
                    removed |= self.remove_marked(std::mem::take(&mut deleted)).await?;
                }
                from = rows.last().and_then(|row| row.uid.next()).filter(|_| rows.len() == ROWS_PER_PAGE);
            }
        }
        Ok(removed | self.remove_marked(deleted).await?)
    }

    /// Removes messages that had `\Deleted`: looked at once more in the transaction, for somebody may have taken the flag away.
    async fn remove_marked(&mut self, uids: Vec<Uid>) -> Result<bool, Fault> {
        if uids.is_empty() {
            return Ok(false);
        }
        let (account, mailbox) = self.key()?;
        let gone = self.server.store.expunge(account, mailbox, uids, ExpungeScope::Deleted).await?.value;
        Ok(!gone.is_empty())
    }
}
