//! STATUS (RFC 3501 §6.3.10; RFC 7162 §3.1.7, RFC 8438), answered from the mailbox's row.

use imap_wire::response::{self, StatusData};
use imap_wire::{MailboxName, StatusItem};
use mail::{AccountId, SystemFlags, Uid};
use routing::Rights;
use storage::Store;
use storage::rows::MailboxRow;

use crate::engine::object_id::mailbox_id;
use crate::fault::{Answer, Fault};
use crate::limits::ROWS_PER_PAGE;
use crate::session::Session;

impl Session {
    pub(crate) async fn status(&mut self, mailbox: &MailboxName, items: &[StatusItem]) -> Result<Answer, Fault> {
        let target = match self.find_with(mailbox.as_str(), Rights::READ).await? {
            Ok(target) => target,
            Err(answer) => return Ok(answer),
        };
        self.asks_for_status(items);
        self.tell_status(mailbox, target.owner, &target.row, target.access.person, items).await?;
        Ok(Answer::ok("Status told"))
    }

    /// Who asks for HIGHESTMODSEQ, by STATUS or LIST (RFC 5819), knows MODSEQs (RFC 7162 §3.1.7).
    pub(crate) fn asks_for_status(&mut self, items: &[StatusItem]) {
        if items.contains(&StatusItem::HighestModSeq) {
            self.know_modseqs();
        }
    }

    /// `* STATUS …`, also unasked (RFC 5465): NOTIFY switches no MODSEQs on (RFC 7162 §3.1).
    pub(crate) async fn tell_status(
        &mut self,
        mailbox: &MailboxName,
        owner: AccountId,
        row: &MailboxRow,
        person: Option<AccountId>,
        items: &[StatusItem],
    ) -> Result<(), Fault> {
        let unseen = match person.filter(|_| items.contains(&StatusItem::Unseen)) {
            Some(person) => self.server.store.person_seen(owner, row.id, person).await?.unseen_of(row),
            None => row.unseen,
        };
        let mut data = Vec::with_capacity(items.len());
        for item in items {
            data.push(match item {
                StatusItem::Messages => StatusData::Messages(row.messages),
                StatusItem::Recent => StatusData::Recent(recent(&self.server.store, owner, row).await?),
                StatusItem::UidNext => StatusData::UidNext(row.uid_next.0),
                StatusItem::UidValidity => StatusData::UidValidity(row.uid_validity.0),
                StatusItem::Unseen => StatusData::Unseen(unseen),
                StatusItem::Deleted => StatusData::Deleted(row.deleted),
                StatusItem::DeletedStorage => {
                    StatusData::DeletedStorage(deleted_octets(&self.server.store, owner, row).await?)
                }
                StatusItem::Size => StatusData::Size(row.octets),
                StatusItem::AppendLimit => StatusData::AppendLimit(self.settings.append_octets_max),
                StatusItem::MailboxId => StatusData::MailboxId(mailbox_id(owner, row.id)),
                StatusItem::HighestModSeq => StatusData::HighestModSeq(row.highest_modseq.0),
            });
        }
        let encoding = self.encoding();
        response::status(self.connection.out(), mailbox, encoding, &data);
        Ok(())
    }
}

/// Octets of the messages with `\Deleted` (RFC 9208 §4.1.4): looked for until as many are found as there are.
async fn deleted_octets(store: &Store, account: AccountId, row: &MailboxRow) -> Result<u64, Fault> {
    let (mut octets, mut left) = (0u64, row.deleted);
    let mut from = Some(Uid(1)).filter(|_| left > 0);
    while let Some(first) = from {
        let rows = store.messages(account, row.id, first, Uid(u32::MAX), ROWS_PER_PAGE).await?;
        for message in rows.iter().filter(|message| message.system_flags.contains(SystemFlags::DELETED)) {
            octets = octets.saturating_add(message.octets);
            left = left.saturating_sub(1);
        }
        let more = left > 0 && rows.len() == ROWS_PER_PAGE;
        from = rows.last().and_then(|row| row.uid.next()).filter(|_| more);
    }
    Ok(octets)
}

/// Messages that nobody has selected yet.
async fn recent(store: &Store, account: AccountId, row: &MailboxRow) -> Result<u32, Fault> {
    if row.recent_from >= row.uid_next {
        return Ok(0);
    }
    if row.recent_from == Uid(1) {
        return Ok(row.messages);
    }
    let mut count = 0u32;
    let mut from = Some(row.recent_from);
    while let Some(first) = from {
        let rows = store.messages(account, row.id, first, Uid(u32::MAX), ROWS_PER_PAGE).await?;
        count = count.saturating_add(u32::try_from(rows.len()).unwrap_or(u32::MAX));
        from = rows.last().and_then(|row| row.uid.next()).filter(|_| rows.len() == ROWS_PER_PAGE);
    }
    Ok(count)
}
