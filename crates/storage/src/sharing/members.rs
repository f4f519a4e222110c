//! Members of a shared account: each is subscribed to its mailboxes when they join, and no longer when they leave.
//!
//! Follows every change of an account's object, in the same transaction, whoever makes it.

use std::collections::BTreeMap;

use mail::{AccountId, Address, MailboxId, Notice};
use routing::namespace::{root_of, shown_name};
use routing::objects::{AccountKind, AccountObject, Object, ObjectKey};
use routing::sharing::weigh;
use routing::{Directory, Rights};

use crate::engine::Order;
use crate::error::StorageError;
use crate::keys::{self, Key, Table};
use crate::limits::MAILBOXES_MAX;
use crate::objects::{PutMode, decode, row_key};
use crate::rows::MailboxRow;
use crate::transaction::Transaction;

impl Transaction<'_> {
    /// An account's object becomes another, comes (no `before`) or goes (no `after`).
    pub(crate) fn members_changed(
        &mut self,
        before: Option<&AccountObject>,
        after: Option<&AccountObject>,
    ) -> Result<(), StorageError> {
        let (was, is) = (members(before), members(after));
        if was.is_empty() && is.is_empty() {
            return Ok(());
        }
        let account = after.or(before).map_or(AccountId(0), |account| account.id);
        let mailboxes = self.all_mailboxes(account)?;
        let changed_name = before.zip(after).is_some_and(|(before, after)| root_of(before) != root_of(after));
        for (member, old) in was.iter().filter(|(member, _)| changed_name || !is.contains_key(*member)) {
            if let (Some(id), Some(old)) = (self.account_number(member)?, old) {
                self.unsubscribe_below(id, &root_of(old))?;
            }
        }
        for (member, new) in is.iter().filter(|(member, _)| changed_name || !was.contains_key(*member)) {
            if let (Some(member), Some(new)) = (self.stored_account(member)?, new) {
                self.subscribe_member(&member, new, &mailboxes)?;
            }
        }
        for member in was.keys().chain(is.keys()) {
            if let Some(id) = self.account_number(member)? {
                self.notify(Notice::MailboxList(id));
            }
        }
        // Who has one of its mailboxes open looks at their rights.
        for row in &mailboxes {
            self.notify(Notice::Mailbox { account, mailbox: row.id, modseq: row.highest_modseq });
        }
        Ok(())
    }

    /// Somebody's account goes: they are no member of anything any more.
    pub(crate) fn leave_all(
        &mut self,
        directory: &std::sync::Arc<parking_lot::RwLock<Directory>>,
        who: &Address,
    ) -> Result<(), StorageError> {
        let memberships: Vec<ObjectKey> = {
            let directory = directory.read();
            directory.memberships(who).map(|account| ObjectKey::Account(account.address.canonical())).collect()
        };
        for key in memberships {
            // As this transaction has left it, not as the directory still shows it.
            let Some(value) = self.get(&row_key(&key))? else { continue };
            let Object::Account(mut account) = decode(&value)? else { continue };
            let Some(shared) = &mut account.shared else { continue };
            let before = shared.members.len();
            shared.members.retain(|member| !member.account.same_mailbox(who));
            if shared.members.len() < before {
                self.put_object(directory, Object::Account(account), PutMode::Replace)?;
            }
        }
        Ok(())
    }

    fn subscribe_member(
        &mut self,
        member: &AccountObject,
        account: &AccountObject,
        mailboxes: &[MailboxRow],
    ) -> Result<(), StorageError> {
        let id = member.id;
        for row in mailboxes {
            let acl = self.acl(account.id, row.id)?;
            if weigh(account, &acl, member).rights.has(Rights::LOOKUP) {
                self.subscribe(id, &shown_name(account, &row.name))?;
            }
        }
        Ok(())
    }

    /// A shared mailbox has a new folder: who sees it and is subscribed to the mailbox itself is subscribed to it too.
    pub(crate) fn subscribe_members(&mut self, account: &AccountObject, row: &MailboxRow) -> Result<(), StorageError> {
        let acl = self.acl(account.id, row.id)?;
        let (root, name) = (root_of(account), shown_name(account, &row.name));
        for address in members(Some(account)).keys() {
            let Some(member) = self.stored_account(address)? else { continue };
            let wants = self.get(&keys::subscription(member.id, &root))?.is_some();
            let has_room = self.subscription_count(member.id)? < MAILBOXES_MAX as u64;
            if wants && has_room && weigh(account, &acl, &member).rights.has(Rights::LOOKUP) {
                self.subscribe(member.id, &name)?;
                self.notify(Notice::MailboxList(member.id));
            }
        }
        Ok(())
    }

    fn unsubscribe_below(&mut self, who: AccountId, root: &str) -> Result<(), StorageError> {
        self.unsubscribe(who, root)?;
        let below = Key::of(Table::Subscription, who).bytes(root.as_bytes()).bytes(b"/").range();
        for (key, _) in self.scan(&below, Order::Ascending, MAILBOXES_MAX)? {
            let name = key.get(keys::HEAD..).and_then(|name| std::str::from_utf8(name).ok());
            let name = name.ok_or_else(|| StorageError::corrupt("a subscription"))?.to_owned();
            self.unsubscribe(who, &name)?;
        }
        Ok(())
    }

    fn all_mailboxes(&self, account: AccountId) -> Result<Vec<MailboxRow>, StorageError> {
        let rows = self.scan(&Key::of(Table::Mailbox, account).range(), Order::Ascending, MAILBOXES_MAX)?;
        rows.iter().map(|(_, value)| MailboxRow::decode(value)).collect()
    }

    /// The account with a primary address, as it is stored.
    fn stored_account(&self, address: &Address) -> Result<Option<AccountObject>, StorageError> {
        let Some(value) = self.get(&row_key(&ObjectKey::Account(address.canonical())))? else { return Ok(None) };
        Ok(if let Object::Account(account) = decode(&value)? { Some(account) } else { None })
    }

    fn account_number(&self, address: &Address) -> Result<Option<AccountId>, StorageError> {
        Ok(self.stored_account(address)?.map(|account| account.id))
    }

    /// The mailbox above a new one whose list it takes over, in the owner's names: for one at the first level that
    /// somebody else makes, it is INBOX, under whose name they see the account.
    pub(crate) fn parent_for(
        &self,
        account: AccountId,
        name: &str,
        by_owner: bool,
    ) -> Result<Option<MailboxId>, StorageError> {
        match name.rsplit_once(crate::mailboxes::DELIMITER) {
            Some((parent, _)) => self.mailbox_named(account, parent),
            None if by_owner => Ok(None),
            None => self.mailbox_named(account, "INBOX"),
        }
    }
}

/// The members by address, each with the account as it was written.
fn members(account: Option<&AccountObject>) -> BTreeMap<Address, Option<&AccountObject>> {
    let shared =
        account.filter(|account| account.kind == AccountKind::Shared).and_then(|account| account.shared.as_ref());
    shared.iter().flat_map(|shared| &shared.members).map(|member| (member.account.canonical(), account)).collect()
}
