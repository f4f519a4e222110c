//! Live watches over whole accounts: one bell for as many as a session is interested in, with the places where it rang.
//!
//! What rings between two looks is merged; beyond [`DIRTY_MAILBOXES_MAX`] only that it was a good deal is remembered, and the
//! reader looks at everything. So a reader who does not come costs the same whatever happens.

use std::collections::BTreeSet;
use std::sync::{Arc, Weak};

use dashmap::DashMap;
use mail::{AccountId, MailboxId};
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::Bus;
use crate::limits::DIRTY_MAILBOXES_MAX;

pub(crate) type Watchers = DashMap<AccountId, Vec<Weak<Watcher>>>;

/// What has rung since the last look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dirty {
    /// Mailboxes in which messages or flags changed.
    pub mailboxes: BTreeSet<(AccountId, MailboxId)>,
    /// Mailboxes or subscriptions of an account changed, or what it may see.
    pub lists: bool,
    /// More than could be remembered: anything may have changed.
    pub all: bool,
}

impl Dirty {
    /// Whether nothing has rung.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.mailboxes.is_empty() && !self.lists && !self.all
    }

    fn add(&mut self, mailbox: Option<(AccountId, MailboxId)>) {
        match mailbox {
            None => self.lists = true,
            Some(_) if self.all => {}
            Some(mailbox) => {
                self.mailboxes.insert(mailbox);
                if self.mailboxes.len() > DIRTY_MAILBOXES_MAX {
                    self.mailboxes.clear();
                    self.all = true;
                }
            }
        }
    }
}

#[derive(Default)]
pub(crate) struct Watcher {
    dirty: Mutex<Dirty>,
    bell: Notify,
}

/// Rings for everybody who watches an account.
pub(crate) fn ring(watchers: &Watchers, account: AccountId, mailbox: Option<MailboxId>) {
    let found: Vec<_> = match watchers.get(&account) {
        Some(all) => all.iter().filter_map(Weak::upgrade).collect(),
        None => return,
    };
    // The guard is gone before the bell rings: a waker may run code that comes back to this map.
    for watcher in found {
        watcher.dirty.lock().add(mailbox.map(|mailbox| (account, mailbox)));
        watcher.bell.notify_one();
    }
}

/// Hears of all that changes in some accounts.
pub struct AccountsWatch {
    bus: Bus,
    accounts: BTreeSet<AccountId>,
    watcher: Arc<Watcher>,
}

impl AccountsWatch {
    pub(crate) fn new(bus: Bus, accounts: BTreeSet<AccountId>) -> Self {
        let watch = Self { bus, accounts: BTreeSet::new(), watcher: Arc::default() };
        watch.with(accounts)
    }

    fn with(mut self, accounts: BTreeSet<AccountId>) -> Self {
        self.watch(accounts);
        self
    }

    /// Watches these accounts from now on. Subscribe first, then read.
    pub fn watch(&mut self, accounts: BTreeSet<AccountId>) {
        for account in accounts.difference(&self.accounts) {
            self.bus.0.accounts.entry(*account).or_default().push(Arc::downgrade(&self.watcher));
        }
        for account in self.accounts.difference(&accounts) {
            self.leave(*account);
        }
        self.accounts = accounts;
    }

    fn leave(&self, account: AccountId) {
        if let Some(mut all) = self.bus.0.accounts.get_mut(&account) {
            all.retain(|watcher| !std::ptr::eq(watcher.as_ptr(), Arc::as_ptr(&self.watcher)));
        }
        self.bus.0.accounts.remove_if(&account, |_, all| all.is_empty());
    }

    /// Ends when something has rung since the last call, or since the watch began.
    pub async fn rung(&self) {
        self.watcher.bell.notified().await;
    }

    /// What has rung since the last look.
    #[must_use]
    pub fn take(&self) -> Dirty {
        std::mem::take(&mut *self.watcher.dirty.lock())
    }
}

impl Drop for AccountsWatch {
    fn drop(&mut self) {
        self.accounts.iter().for_each(|account| self.leave(*account));
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use mail::{ModSeq, Notice};
    use storage::Doorbell;

    use super::*;

    fn changed(account: u64, mailbox: u32) -> Notice {
        Notice::Mailbox { account: AccountId(account), mailbox: MailboxId(mailbox), modseq: ModSeq(2) }
    }

    fn accounts(numbers: &[u64]) -> BTreeSet<AccountId> {
        numbers.iter().copied().map(AccountId).collect()
    }

    #[test]
    fn rings_are_merged_with_their_places() {
        let bus = Bus::new();
        let mut watch = bus.watch_accounts(accounts(&[1, 2]));
        assert_eq!(watch.rung().now_or_never(), None);
        bus.ring(&[changed(1, 7), changed(3, 1), changed(2, 5), changed(1, 7)]);
        assert_eq!(watch.rung().now_or_never(), Some(()));
        assert_eq!(watch.rung().now_or_never(), None, "once for all");
        let dirty = watch.take();
        assert_eq!(dirty.mailboxes, [(AccountId(1), MailboxId(7)), (AccountId(2), MailboxId(5))].into());
        assert!(!dirty.lists && !dirty.all && watch.take().is_empty());
        watch.watch(accounts(&[2, 3]));
        bus.ring(&[changed(1, 7), Notice::MailboxList(AccountId(3))]);
        assert_eq!(watch.take(), Dirty { lists: true, ..Dirty::default() });
    }

    #[test]
    fn who_does_not_look_is_told_to_look_at_everything() {
        let bus = Bus::new();
        let watch = bus.watch_accounts(accounts(&[1]));
        (0..u32::try_from(DIRTY_MAILBOXES_MAX).unwrap() + 50).for_each(|mailbox| bus.ring(&[changed(1, mailbox)]));
        assert_eq!(watch.take(), Dirty { all: true, ..Dirty::default() });
    }

    #[test]
    fn who_leaves_leaves_no_trace() {
        let bus = Bus::new();
        let (first, second) = (bus.watch_accounts(accounts(&[1])), bus.watch_accounts(accounts(&[1, 2])));
        drop(second);
        assert_eq!(bus.0.accounts.len(), 1);
        drop(first);
        assert!(bus.0.accounts.is_empty());
    }
}
