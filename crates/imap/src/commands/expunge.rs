//! EXPUNGE and UID EXPUNGE (RFC 3501 §6.4.3, RFC 4315 §2.1).

use imap_wire::{NumberSet, SequenceSet};
use mail::{SystemFlags, Uid};
use routing::Rights;
use storage::messages::ExpungeScope;

use crate::access::no_right;
use crate::commands::store::read_only;
use crate::fault::{Answer, Fault};
use crate::limits::ROWS_PER_PAGE;
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
        self.remove_deleted(scope).await?;
        Ok(Answer::ok("Expunged"))
    }

    /// Removes the messages with `\Deleted`, all or those of a set of UIDs.
    pub(crate) async fn remove_deleted(&mut self, scope: Option<NumberSet>) -> Result<(), Fault> {
        let (account, mailbox) = self.key()?;
        let store = self.server.store.clone();
        let marked = store.mailbox(account, mailbox).await?.map_or(0, |row| row.deleted);
        if marked == 0 {
            return Ok(());
        }
        let max = self.selected()?.view.map().max_uid();
        let scope = scope.unwrap_or_else(|| NumberSet::from_ranges([1..=max]));
        for range in scope.ranges() {
            let mut from = Some(Uid(*range.start()));
            while let Some(first) = from {
                let rows = store.messages(account, mailbox, first, Uid(*range.end()), ROWS_PER_PAGE).await?;
                let deleted: Vec<Uid> = rows
                    .iter()
                    .filter(|row| row.system_flags.contains(SystemFlags::DELETED))
                    .map(|row| row.uid)
                    .collect();
                if !deleted.is_empty() {
                    // Looked at once more in the transaction: somebody may have taken the flag away.
                    store.expunge(account, mailbox, deleted, ExpungeScope::Deleted).await?;
                }
                from = rows.last().and_then(|row| row.uid.next()).filter(|_| rows.len() == ROWS_PER_PAGE);
            }
        }
        Ok(())
    }
}
