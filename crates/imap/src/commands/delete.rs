//! DELETE (RFC 3501 §6.3.4).

use imap_wire::MailboxName;
use imap_wire::response::Code;
use routing::Rights;
use routing::namespace::Place;
use storage::StorageError;

use crate::engine::pattern::DELIMITER;
use crate::fault::{Answer, Fault};
use crate::session::{Selected, Session};

impl Session {
    /// What lies below stays, and the name with it as `\Noselect`; such a name can't be deleted before what is below it.
    pub(crate) async fn delete(&mut self, mailbox: &MailboxName) -> Result<Answer, Fault> {
        let account = self.account()?;
        let store = self.server.store.clone();
        self.own_name(mailbox.as_str());
        let Place::Own = self.place(mailbox.as_str())? else { return self.delete_elsewhere(mailbox).await };
        let doomed = store.mailbox_by_name(account, mailbox.as_str()).await?.map(|row| row.id);
        if doomed.is_none() {
            let below = format!("{}{DELIMITER}", mailbox.as_str());
            let has_children = store.mailboxes(account).await?.iter().any(|row| row.name.starts_with(&below));
            return Ok(if has_children {
                Answer::no(Code::HasChildren, "Only a name, with mailboxes below it")
            } else {
                Answer::of(&StorageError::NoSuchMailbox)
            });
        }
        store.delete_mailbox(account, mailbox.as_str()).await?;
        // A session that deletes what it has selected goes back to where it was before; others are told BYE.
        if self.selected.as_deref().is_some_and(|selected| selected.owner == account && Some(selected.row.id) == doomed)
        {
            self.leave();
        }
        self.tell_spelling_of_deleted(mailbox);
        Ok(Answer::ok("Deleted"))
    }

    /// Another account's mailbox: the right `x` is needed (RFC 4314 §4).
    async fn delete_elsewhere(&mut self, mailbox: &MailboxName) -> Result<Answer, Fault> {
        let target = match self.find_with(mailbox.as_str(), Rights::DELETE_MAILBOX).await? {
            Ok(target) => target,
            Err(answer) => return Ok(answer),
        };
        self.server.store.delete_mailbox(target.owner, &target.row.name).await?;
        let same = |selected: &Selected| selected.owner == target.owner && selected.row.id == target.row.id;
        if self.selected.as_deref().is_some_and(same) {
            self.leave();
        }
        self.tell_spelling_of_deleted(mailbox);
        Ok(Answer::ok("Deleted"))
    }
}
