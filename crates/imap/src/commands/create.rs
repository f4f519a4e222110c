//! CREATE and RENAME (RFC 3501 §6.3.3, §6.3.5; RFC 6154 §3).

use imap_wire::response::Code;
use imap_wire::{Create, MailboxName};

use crate::engine::pattern::DELIMITER;
use crate::fault::{Answer, Fault};
use crate::session::Session;

impl Session {
    pub(crate) async fn create(&mut self, create: Create) -> Result<Answer, Fault> {
        let account = self.account()?;
        // RFC 3501 §6.3.3: a trailing delimiter only announces children.
        let name = create.mailbox.as_str().trim_end_matches(DELIMITER).to_owned();
        let mut uses = create.special_uses;
        uses.dedup();
        let special_use = uses.pop();
        if !uses.is_empty() {
            return Ok(Answer::no(Code::UseAttr, "A mailbox has one special use here"));
        }
        if let Some(wanted) = special_use
            && self.server.store.special_mailbox(account, wanted).await?.is_some()
        {
            return Ok(Answer::no(Code::UseAttr, "Another mailbox has that special use"));
        }
        self.server.store.create_mailbox(account, &name, special_use).await?;
        Ok(Answer::ok("Created"))
    }

    /// INBOX keeps existing: its messages move (RFC 3501 §6.3.5). Who has the mailbox selected stays where they are.
    pub(crate) async fn rename(&mut self, from: &MailboxName, to: &MailboxName) -> Result<Answer, Fault> {
        let account = self.account()?;
        let to = to.as_str().trim_end_matches(DELIMITER);
        self.server.store.rename_mailbox(account, from.as_str(), to).await?;
        Ok(Answer::ok("Renamed"))
    }
}
