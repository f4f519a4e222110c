//! LIST responses that nobody asked for: what a mailbox is called now (RFC 9051 §6.3.2, §6.3.9.7; RFC 5465 §5.4).

use imap_wire::MailboxName;
use imap_wire::response::{self, ChildInfo, ListAttribute, ListEntry};
use mail::AccountId;
use routing::namespace::{OTHER_USERS, SHARED};
use storage::rows::MailboxRow;

use crate::engine::pattern::DELIMITER;
use crate::fault::Fault;
use crate::session::Session;

impl Session {
    /// After CREATE and RENAME: the one spelling of names that the client spelt otherwise (RFC 9051 §6.3.4, §6.3.6). A new name
    /// comes with what it was before.
    pub(crate) async fn tell_spelling(&mut self, mailbox: &MailboxName, before: &MailboxName) -> Result<(), Fault> {
        if !self.enabled.rev2 || (mailbox.supplied().is_none() && before.supplied().is_none()) {
            return Ok(());
        }
        let Ok(name) = MailboxName::new(mailbox.as_str().trim_end_matches(DELIMITER)) else { return Ok(()) };
        let Some(target) = self.find(name.as_str()).await? else { return Ok(()) };
        let old_name = before.supplied().unwrap_or(before.as_str());
        self.tell_name(&name, target.owner, &target.row, Some(old_name)).await
    }

    /// After DELETE: the one spelling of a name that is gone (RFC 9051 §6.3.5).
    pub(crate) fn tell_spelling_of_deleted(&mut self, mailbox: &MailboxName) {
        if let Some(supplied) = mailbox.supplied().filter(|_| self.enabled.rev2) {
            self.write_list(&[ListAttribute::NonExistent], mailbox, Some(supplied));
        }
    }

    /// `* LIST (…) "/" name`, with what a mailbox is for and whether there are others below it.
    pub(crate) async fn tell_name(
        &mut self,
        mailbox: &MailboxName,
        owner: AccountId,
        row: &MailboxRow,
        old_name: Option<&str>,
    ) -> Result<(), Fault> {
        let mut attributes = Vec::with_capacity(3);
        let children = self.has_children(mailbox.as_str(), owner, &row.name).await?;
        attributes.push(if children { ListAttribute::HasChildren } else { ListAttribute::HasNoChildren });
        if self.server.store.is_subscribed(self.account()?, mailbox.as_str()).await? {
            attributes.push(ListAttribute::Subscribed);
        }
        attributes.extend(row.special_use.map(ListAttribute::Use));
        self.write_list(&attributes, mailbox, old_name);
        Ok(())
    }

    /// Writes what is known already.
    pub(crate) fn write_list(&mut self, attributes: &[ListAttribute], mailbox: &MailboxName, old_name: Option<&str>) {
        let encoding = self.encoding();
        let entry =
            ListEntry { attributes, delimiter: Some(DELIMITER), mailbox, child_info: ChildInfo::default(), old_name };
        response::list(self.connection.out(), &entry, encoding);
    }

    /// Whether something is shown below a name: one look for one's own mailboxes.
    async fn has_children(&mut self, shown: &str, owner: AccountId, name: &str) -> Result<bool, Fault> {
        let own = owner == self.account()?;
        if own && self.server.store.has_mailboxes_below(owner, name).await? {
            return Ok(true);
        }
        if own && shown != SHARED && shown != OTHER_USERS {
            return Ok(false);
        }
        let below = format!("{shown}{DELIMITER}");
        let foreign = self.foreign_mailboxes().await?;
        Ok(foreign.range(below.clone()..).next().is_some_and(|(name, _)| name.starts_with(&below)))
    }
}
