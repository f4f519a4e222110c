//! Mailboxes: creating, renaming, deleting, listing, subscribing (RFC 3501 §6.3). Names here are UTF-8 with `/`.

use mail::{AccountId, MailboxId, Notice, SpecialUse, Timestamp, UidValidity};

use routing::Acl;
use routing::objects::AccountObject;

use crate::engine::{Durability, KeyRange, Order};
use crate::error::StorageError;
use crate::keys::{self, Key, Table};
use crate::limits::MAILBOXES_MAX;
pub use crate::mailbox_name::{new_name, normalised_name};
use crate::rows::MailboxRow;
use crate::store::{Done, Store, counted};
use crate::transaction::Transaction;
use crate::usage::Usage;

/// Mailboxes that go in the transaction in which their account goes; each writes some ten rows.
const MAILBOXES_PER_REMOVAL: usize = 2_000;

/// What parts the levels of a name.
pub const DELIMITER: char = '/';

impl Store {
    /// Every mailbox of an account, in order of number.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn mailboxes(&self, account: AccountId) -> Result<Vec<MailboxRow>, StorageError> {
        let range = Key::of(Table::Mailbox, account).range();
        let rows = self.engine.scan(range, Order::Ascending, MAILBOXES_MAX).await?;
        rows.iter().map(|(_, value)| MailboxRow::decode(value)).collect()
    }

    /// A mailbox by number.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn mailbox(&self, account: AccountId, id: MailboxId) -> Result<Option<MailboxRow>, StorageError> {
        self.engine.get(&keys::mailbox(account, id)).await?.map(|value| MailboxRow::decode(&value)).transpose()
    }

    /// A mailbox by name (any case of INBOX).
    ///
    /// # Errors
    /// When reading fails.
    pub async fn mailbox_by_name(&self, account: AccountId, name: &str) -> Result<Option<MailboxRow>, StorageError> {
        let Ok(name) = normalised_name(name) else { return Ok(None) };
        let Some(value) = self.engine.get(&keys::mailbox_name(account, &name)).await? else { return Ok(None) };
        self.mailbox(account, mailbox_id(&value)?).await
    }

    /// Creates a mailbox and the levels above it (RFC 3501 §6.3.3); all are left unsubscribed.
    ///
    /// # Errors
    /// [`StorageError::MailboxExists`], [`StorageError::BadMailboxName`], or the engine's.
    pub async fn create_mailbox(
        &self,
        account: AccountId,
        name: &str,
        special_use: Option<SpecialUse>,
    ) -> Result<Done<MailboxRow>, StorageError> {
        self.create_mailbox_by(account, name, special_use, true).await
    }

    /// As [`Store::create_mailbox`]; each new mailbox takes over the access list of the one above it, as its maker sees
    /// them: others see an account's first level below its INBOX.
    ///
    /// # Errors
    /// [`StorageError::MailboxExists`], [`StorageError::BadMailboxName`], or the engine's.
    pub async fn create_mailbox_by(
        &self,
        account: AccountId,
        name: &str,
        special_use: Option<SpecialUse>,
        by_owner: bool,
    ) -> Result<Done<MailboxRow>, StorageError> {
        let name = new_name(name)?;
        let now = self.now();
        let quota = self.quota(account);
        let owner = self.directory().account_by_id(account).cloned();
        self.transact(move |tx| {
            let row = tx.create_mailbox(account, owner.as_deref(), &name, special_use, now, by_owner)?;
            tx.require_mailbox_quota(account, quota)?;
            Ok(row)
        })
        .await
    }

    /// Deletes a mailbox and its messages; those below it stay (RFC 3501 §6.3.4).
    ///
    /// # Errors
    /// [`StorageError::NoSuchMailbox`], [`StorageError::NotAllowed`] for INBOX, or the engine's.
    pub async fn delete_mailbox(&self, account: AccountId, name: &str) -> Result<Done<()>, StorageError> {
        let name = normalised_name(name)?;
        if name == "INBOX" {
            return Err(StorageError::NotAllowed("INBOX can't be deleted"));
        }
        let done = self
            .transact_with(Durability::Freeing, move |tx| {
                let id = tx.mailbox_named(account, &name)?.ok_or(StorageError::NoSuchMailbox)?;
                tx.doom_mailbox(account, id)
            })
            .await?;
        self.sweep_after_deletion().await;
        Ok(done)
    }

    /// Renames a mailbox and what is below it; levels above the new name are created. Renaming INBOX moves its
    /// messages to a new mailbox and leaves it empty (RFC 3501 §6.3.5); what comes meanwhile stays.
    ///
    /// # Errors
    /// [`StorageError::NoSuchMailbox`], [`StorageError::MailboxExists`], [`StorageError::NotAllowed`], or the engine's.
    pub async fn rename_mailbox(&self, account: AccountId, from: &str, to: &str) -> Result<Done<()>, StorageError> {
        let (from, to) = (normalised_name(from)?, new_name(to)?);
        if from == "INBOX" {
            return self.rename_inbox(account, to).await;
        }
        if from == to {
            return Err(StorageError::MailboxExists);
        }
        if to.strip_prefix(&from).is_some_and(|rest| rest.starts_with(DELIMITER)) {
            return Err(StorageError::NotAllowed("a mailbox can't be moved below itself"));
        }
        let (now, quota) = (self.now(), self.quota(account));
        self.transact(move |tx| {
            let before = tx.mailbox_count(account)?;
            tx.rename_mailbox(account, &from, &to, now)?;
            // Levels above the new name are mailboxes too.
            if tx.mailbox_count(account)? > before { tx.require_mailbox_quota(account, quota) } else { Ok(()) }
        })
        .await
    }

    /// The subscribed names, in order; a mailbox of that name may no longer exist.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn subscriptions(&self, account: AccountId) -> Result<Vec<String>, StorageError> {
        let range = Key::of(Table::Subscription, account).range();
        let rows = self.engine.scan(range, Order::Ascending, MAILBOXES_MAX).await?;
        let name = |key: &[u8]| String::from_utf8(key.get(keys::HEAD..).unwrap_or_default().to_vec());
        rows.iter().map(|(key, _)| name(key).map_err(|_| StorageError::corrupt("a subscription"))).collect()
    }

    /// Whether a name is subscribed.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn is_subscribed(&self, account: AccountId, name: &str) -> Result<bool, StorageError> {
        let Ok(name) = normalised_name(name) else { return Ok(false) };
        Ok(self.engine.get(&keys::subscription(account, &name)).await?.is_some())
    }

    /// Whether an account has mailboxes below a name.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn has_mailboxes_below(&self, account: AccountId, name: &str) -> Result<bool, StorageError> {
        let below = Key::of(Table::MailboxName, account).bytes(name.as_bytes()).bytes(b"/").range();
        Ok(!self.engine.scan(below, Order::Ascending, 1).await?.is_empty())
    }

    /// Subscribes to a name or ends that (RFC 3501 §6.3.6).
    ///
    /// # Errors
    /// [`StorageError::BadMailboxName`], [`StorageError::LimitReached`], or the engine's.
    pub async fn set_subscription(
        &self,
        account: AccountId,
        name: &str,
        subscribed: bool,
    ) -> Result<Done<()>, StorageError> {
        // A subscription can always be ended.
        let name = if subscribed { new_name(name)? } else { normalised_name(name)? };
        self.transact(move |tx| {
            if subscribed {
                tx.subscribe(account, &name)?;
                if tx.subscription_count(account)? > MAILBOXES_MAX as u64 {
                    return Err(StorageError::LimitReached("subscriptions"));
                }
            } else {
                tx.unsubscribe(account, &name)?;
            }
            tx.notify(Notice::MailboxList(account));
            Ok(())
        })
        .await
    }

    /// Takes the `\Recent` messages below `behind` for the session that asks: returns the first recent UID and moves the
    /// mark there (RFC 3501 §2.3.2). What came later and is not known to the session stays recent for who hears of it
    /// first. Not synced: after a power cut they may be recent once more.
    ///
    /// # Errors
    /// [`StorageError::NoSuchMailbox`], or the engine's.
    pub async fn claim_recent(
        &self,
        account: AccountId,
        mailbox: MailboxId,
        behind: mail::Uid,
    ) -> Result<mail::Uid, StorageError> {
        let row = self.mailbox(account, mailbox).await?.ok_or(StorageError::NoSuchMailbox)?;
        if row.recent_from >= behind.min(row.uid_next) {
            return Ok(row.recent_from);
        }
        let done = self
            .transact_with(Durability::Relaxed, move |tx| {
                let mut row = tx.mailbox_row(account, mailbox)?;
                let from = row.recent_from;
                row.recent_from = from.max(behind.min(row.uid_next));
                tx.put_mailbox_row(account, &row)?;
                Ok(from)
            })
            .await?;
        Ok(done.value)
    }

    /// Deletes some mailboxes at a time before their account goes, until one transaction holds the others.
    pub(crate) async fn clear_mailboxes(&self, account: AccountId) -> Result<(), StorageError> {
        loop {
            let done = self
                .transact_with(Durability::Freeing, move |tx| {
                    if tx.mailbox_count(account)? <= MAILBOXES_PER_REMOVAL as u64 {
                        return Ok(0);
                    }
                    let range = Key::of(Table::Mailbox, account).range();
                    let mut doomed = 0usize;
                    for (_, value) in tx.scan(&range, Order::Descending, MAILBOXES_PER_REMOVAL / 2)? {
                        let row = MailboxRow::decode(&value)?;
                        // The account's own sign of being there.
                        if row.name != "INBOX" {
                            tx.doom_mailbox(account, row.id)?;
                            doomed = doomed.saturating_add(1);
                        }
                    }
                    Ok(doomed)
                })
                .await?;
            if done.value == 0 {
                return Ok(());
            }
            self.sweep_after_deletion().await;
        }
    }

    /// The deletion is done and will be acknowledged; when its sweeping fails, [`Store::sweep`] or the next start does it.
    pub(crate) async fn sweep_after_deletion(&self) {
        if let Err(error) = self.sweep_doomed_mailboxes().await {
            tracing::warn!(%error, "the messages of a deleted mailbox are left for the next sweep");
        }
    }

    /// Removes the messages of deleted mailboxes, some thousands at a time.
    pub(crate) async fn sweep_doomed_mailboxes(&self) -> Result<(), StorageError> {
        loop {
            let doomed = self.engine.scan(doomed_range(), Order::Ascending, 1).await?;
            let Some((key, _)) = doomed.first() else { return Ok(()) };
            let account = keys::middle(key, keys::HEAD).map(|id| AccountId(u64::from_be_bytes(id)));
            let mailbox = keys::tail(key).map(|id| MailboxId(u32::from_be_bytes(id)));
            let (Some(account), Some(mailbox)) = (account, mailbox) else {
                return Err(StorageError::corrupt("a doomed mailbox"));
            };
            let (key, now) = (key.to_vec(), self.now());
            self.transact_with(Durability::Freeing, move |tx| {
                if tx.wipe_messages(account, mailbox, now)? == 0 {
                    tx.delete(key.clone());
                }
                Ok(())
            })
            .await?;
        }
    }
}

impl Transaction<'_> {
    /// The row of a mailbox.
    ///
    /// # Errors
    /// [`StorageError::NoSuchMailbox`], or the engine's.
    pub fn mailbox_row(&self, account: AccountId, mailbox: MailboxId) -> Result<MailboxRow, StorageError> {
        let value = self.get(&keys::mailbox(account, mailbox))?;
        MailboxRow::decode(&value.ok_or(StorageError::NoSuchMailbox)?)
    }

    /// The number of the mailbox with a (normalised) name.
    ///
    /// # Errors
    /// When reading fails.
    pub fn mailbox_named(&self, account: AccountId, name: &str) -> Result<Option<MailboxId>, StorageError> {
        self.get(&keys::mailbox_name(account, name))?.map(|value| mailbox_id(&value)).transpose()
    }

    /// The first mailbox of an account with a special use.
    ///
    /// # Errors
    /// When reading fails.
    pub fn special_mailbox(
        &self,
        account: AccountId,
        special_use: SpecialUse,
    ) -> Result<Option<MailboxId>, StorageError> {
        for (_, value) in self.scan(&Key::of(Table::Mailbox, account).range(), Order::Ascending, MAILBOXES_MAX)? {
            let row = MailboxRow::decode(&value)?;
            if row.special_use == Some(special_use) {
                return Ok(Some(row.id));
            }
        }
        Ok(None)
    }

    /// Gives a mailbox a special use, or takes it away (RFC 6154 §4): each use is one mailbox's.
    ///
    /// # Errors
    /// [`StorageError::NoSuchMailbox`], [`StorageError::NotAllowed`] when another mailbox has it, or when reading fails.
    pub fn set_special_use(
        &mut self,
        account: AccountId,
        mailbox: MailboxId,
        special_use: Option<SpecialUse>,
    ) -> Result<(), StorageError> {
        let mut row = self.mailbox_row(account, mailbox)?;
        if row.special_use == special_use {
            return Ok(());
        }
        if let Some(wanted) = special_use
            && self.special_mailbox(account, wanted)?.is_some()
        {
            return Err(StorageError::NotAllowed("another mailbox has that special use"));
        }
        row.special_use = special_use;
        self.put_mailbox_row(account, &row)?;
        self.notify(Notice::MailboxList(account));
        Ok(())
    }

    pub(crate) fn put_mailbox_row(&mut self, account: AccountId, row: &MailboxRow) -> Result<(), StorageError> {
        self.put(keys::mailbox(account, row.id), row.encode()?);
        Ok(())
    }

    /// A mailbox with a (normalised) name, and the levels above it; each has the access list of the one above (RFC 4314 §4, CREATE).
    /// The members of an owner that is a shared mailbox are subscribed to them.
    pub(crate) fn create_mailbox(
        &mut self,
        account: AccountId,
        owner: Option<&AccountObject>,
        name: &str,
        special_use: Option<SpecialUse>,
        now: Timestamp,
        by_owner: bool,
    ) -> Result<MailboxRow, StorageError> {
        for (at, _) in name.match_indices(DELIMITER) {
            let parent = name.get(..at).unwrap_or_default();
            if self.mailbox_named(account, parent)?.is_none() {
                self.create_below(account, owner, parent, None, now, by_owner)?;
            }
        }
        self.create_below(account, owner, name, special_use, now, by_owner)
    }

    fn create_below(
        &mut self,
        account: AccountId,
        owner: Option<&AccountObject>,
        name: &str,
        special_use: Option<SpecialUse>,
        now: Timestamp,
        by_owner: bool,
    ) -> Result<MailboxRow, StorageError> {
        let row = self.create_mailbox_row(account, name, special_use, now)?;
        if let Some(parent) = self.parent_for(account, name, by_owner)? {
            self.inherit_acl(account, parent, row.id)?;
        }
        if let Some(owner) = owner {
            self.subscribe_members(owner, &row)?;
        }
        Ok(row)
    }

    pub(crate) fn create_mailbox_row(
        &mut self,
        account: AccountId,
        name: &str,
        special_use: Option<SpecialUse>,
        now: Timestamp,
    ) -> Result<MailboxRow, StorageError> {
        if self.mailbox_named(account, name)?.is_some() {
            return Err(StorageError::MailboxExists);
        }
        let number = self.next_number(Key::of(Table::Meta, account).bytes(b"mailbox").done())?;
        let id = MailboxId(u32::try_from(number).map_err(|_| StorageError::LimitReached("mailboxes"))?);
        let count = self.mailbox_count(account)?;
        if count >= MAILBOXES_MAX as u64 {
            return Err(StorageError::LimitReached("mailboxes"));
        }
        self.put_mailbox_count(account, count.saturating_add(1));
        let row = MailboxRow::new(id, name.to_owned(), self.next_uid_validity(account, now)?, special_use);
        self.put_mailbox_row(account, &row)?;
        self.put(keys::mailbox_name(account, name), id.0.to_be_bytes().to_vec());
        self.notify(Notice::MailboxList(account));
        Ok(row)
    }

    /// The seconds of the clock, and always more than the account's last one (RFC 3501 §2.3.1.1).
    fn next_uid_validity(&mut self, account: AccountId, now: Timestamp) -> Result<UidValidity, StorageError> {
        let key = Key::of(Table::Meta, account).bytes(b"uidvalidity").done();
        let last = match self.get(&key)? {
            Some(value) => {
                u32::from_be_bytes(value.as_ref().try_into().map_err(|_| StorageError::corrupt("UIDVALIDITY"))?)
            }
            None => 0,
        };
        let next = u32::try_from(now.as_secs()).unwrap_or(1).max(last.saturating_add(1));
        self.put(key, next.to_be_bytes().to_vec());
        Ok(UidValidity(next))
    }

    fn rename_mailbox(&mut self, account: AccountId, from: &str, to: &str, now: Timestamp) -> Result<(), StorageError> {
        let mut moves = Vec::new();
        if let Some(id) = self.mailbox_named(account, from)? {
            moves.push((id, from.to_owned(), to.to_owned()));
        }
        let below = Key::of(Table::MailboxName, account).bytes(from.as_bytes()).bytes(b"/").range();
        for (key, value) in self.scan(&below, Order::Ascending, MAILBOXES_MAX)? {
            let old = String::from_utf8(key.get(keys::HEAD..).unwrap_or_default().to_vec())
                .map_err(|_| StorageError::corrupt("a mailbox name"))?;
            let new = format!("{to}{}", old.get(from.len()..).unwrap_or_default());
            moves.push((mailbox_id(&value)?, old, normalised_name(&new)?));
        }
        if moves.is_empty() {
            return Err(StorageError::NoSuchMailbox);
        }
        moves.iter().for_each(|(_, old, _)| self.delete(keys::mailbox_name(account, old)));
        for (id, _, new) in moves {
            if self.mailbox_named(account, &new)?.is_some() {
                return Err(StorageError::MailboxExists);
            }
            let mut row = self.mailbox_row(account, id)?;
            row.name.clone_from(&new);
            self.put_mailbox_row(account, &row)?;
            self.put(keys::mailbox_name(account, &new), id.0.to_be_bytes().to_vec());
        }
        for (at, _) in to.match_indices(DELIMITER) {
            let parent = to.get(..at).unwrap_or_default();
            if self.mailbox_named(account, parent)?.is_none() {
                self.create_mailbox_row(account, parent, None, now)?;
            }
        }
        self.notify(Notice::MailboxList(account));
        Ok(())
    }

    /// Takes a mailbox out of sight; its messages go in later steps.
    pub(crate) fn doom_mailbox(&mut self, account: AccountId, mailbox: MailboxId) -> Result<(), StorageError> {
        let row = self.mailbox_row(account, mailbox)?;
        let count = self.mailbox_count(account)?;
        self.put_mailbox_count(account, count.saturating_sub(1));
        self.delete(keys::mailbox_name(account, &row.name));
        self.delete(keys::mailbox(account, mailbox));
        self.take_usage(account, Usage::of(&row))?;
        self.put_acl(account, mailbox, &Acl::default())?;
        self.forget_readers(account, mailbox)?;
        self.forget_annotations_of(account, mailbox)?;
        self.delete(crate::url_keys::key(account, mailbox));
        self.put(doomed_key(account, mailbox), Vec::new());
        self.notify(Notice::MailboxList(account));
        self.notify(Notice::Mailbox { account, mailbox, modseq: row.highest_modseq });
        Ok(())
    }

    pub(crate) fn subscribe(&mut self, account: AccountId, name: &str) -> Result<(), StorageError> {
        let key = keys::subscription(account, name);
        if self.get(&key)?.is_none() {
            let count = self.subscription_count(account)?;
            self.put(subscription_count_key(account), count.saturating_add(1).to_be_bytes().to_vec());
            self.put(key, Vec::new());
        }
        Ok(())
    }

    pub(crate) fn unsubscribe(&mut self, account: AccountId, name: &str) -> Result<(), StorageError> {
        let key = keys::subscription(account, name);
        if self.get(&key)?.is_some() {
            let count = self.subscription_count(account)?;
            self.put(subscription_count_key(account), count.saturating_sub(1).to_be_bytes().to_vec());
            self.delete(key);
        }
        Ok(())
    }

    /// How many names an account has subscribed. Stores that were made before they were counted have no row: then they are.
    pub(crate) fn subscription_count(&self, account: AccountId) -> Result<u64, StorageError> {
        match self.get(&subscription_count_key(account))? {
            Some(value) => counted(Some(&value)),
            None => {
                let range = Key::of(Table::Subscription, account).range();
                Ok(self.scan(&range, Order::Ascending, MAILBOXES_MAX)?.len() as u64)
            }
        }
    }
}

/// How many names an account has subscribed.
pub(crate) fn subscription_count_key(account: AccountId) -> Vec<u8> {
    Key::of(Table::Meta, account).bytes(b"subscriptions").done()
}

pub(crate) fn mailbox_id(value: &[u8]) -> Result<MailboxId, StorageError> {
    let id = value.try_into().map_err(|_| StorageError::corrupt("a mailbox number"))?;
    Ok(MailboxId(u32::from_be_bytes(id)))
}

fn doomed_range() -> KeyRange {
    Key::global(Table::Doomed).range()
}

pub(crate) fn doomed_key(account: AccountId, mailbox: MailboxId) -> Vec<u8> {
    Key::global(Table::Doomed).u64(account.0).u32(mailbox.0).done()
}
