//! SUBSCRIBE and UNSUBSCRIBE (RFC 3501 §6.3.6, §6.3.7).

use imap_wire::MailboxName;
use routing::Rights;
use routing::namespace::Place;
use storage::StorageError;

use crate::engine::pattern::DELIMITER;
use crate::fault::{Answer, Fault};
use crate::session::Session;

impl Session {
    /// A name may be subscribed whether or not a mailbox has it: the server must not end a subscription by itself either.
    pub(crate) async fn subscribe(&mut self, mailbox: &MailboxName, subscribed: bool) -> Result<Answer, Fault> {
        let account = self.account()?;
        let name = mailbox.as_str().trim_end_matches(DELIMITER);
        // RFC 4314 §4: others' mailboxes only when they may be looked up; a subscription can always be ended.
        if subscribed && self.place(name)? != Place::Own {
            let seen = self.find(name).await?.is_some_and(|target| target.access.rights.has(Rights::LOOKUP));
            if !seen {
                return Ok(Answer::of(&StorageError::NoSuchMailbox));
            }
        }
        self.own_name(name);
        self.server.store.set_subscription(account, name, subscribed).await?;
        Ok(Answer::ok(if subscribed { "Subscribed" } else { "Unsubscribed" }))
    }
}
