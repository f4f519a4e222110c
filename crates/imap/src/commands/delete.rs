//! DELETE (RFC 3501 §6.3.4).

use imap_wire::MailboxName;
use imap_wire::response::Code;
use storage::StorageError;

use crate::engine::pattern::DELIMITER;
use crate::fault::{Answer, Fault};
use crate::session::Session;

impl Session {
    /// What lies below stays, and the name with it as `\Noselect`; such a name can't be deleted before what is below it.
    pub(crate) async fn delete(&mut self, mailbox: &MailboxName) -> Result<Answer, Fault> {
        let account = self.account()?;
        let store = self.server.store.clone();
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
        if self.selected.as_deref().is_some_and(|selected| Some(selected.row.id) == doomed) {
            self.leave();
        }
        Ok(Answer::ok("Deleted"))
    }
}
