//! REPLACE and UID REPLACE (RFC 8508): a new message, and the one that it stands for is gone, in one act.

use imap_wire::Replace;
use imap_wire::response::Condition;
use mail::SystemFlags;
use routing::Rights;
use storage::StorageError;

use crate::access::no_right;
use crate::commands::store::read_only;
use crate::fault::{Answer, Fault};
use crate::session::Session;

impl Session {
    pub(crate) async fn replace(&mut self, replace: Replace) -> Result<Answer, Fault> {
        if self.selected()?.read_only {
            return Ok(read_only());
        }
        // RFC 8508 §4.1: what STORE and EXPUNGE need here, besides what APPEND needs there.
        let access = self.selected()?.access;
        if !access.rights.has(Rights::EXPUNGE) || !access.by().mask.system.contains(SystemFlags::DELETED) {
            return Ok(no_right());
        }
        let wanted = match self.wanted(&replace.set, replace.uid)? {
            Ok(wanted) => wanted,
            Err(answer) => return Ok(answer),
        };
        let (owner, mailbox) = self.key()?;
        let uid = self.selected()?.view.map().existing(&wanted).next();
        let Some(uid) = uid else { return Ok(Answer::of(&StorageError::Expunged)) };
        let replaced = Some((owner, mailbox, uid));
        match self.deposit(&replace.mailbox, vec![replace.message], replaced).await? {
            Ok(code) => {
                // §4.3: before the EXPUNGE.
                self.say(Condition::Ok, Some(&code), "Here is the new one");
                self.told_up_to(true, replace.uid, "Replaced").await
            }
            Err(answer) => Ok(answer),
        }
    }
}
