//! Live watches: who looks at what. A watch that nobody holds leaves no trace.

use std::hash::Hash;
use std::sync::Arc;

use dashmap::DashMap;
use mail::{AccountId, MailboxId, ModSeq};
use tokio::sync::watch;

use crate::Bus;

pub(crate) type Weak<T> = std::sync::Weak<watch::Sender<T>>;

/// Tells the watchers of a key, if there are any.
pub(crate) fn ring<K: Eq + Hash, T>(map: &DashMap<K, Weak<T>>, key: &K, change: impl FnOnce(&mut T)) {
    // The guard is gone before the bell rings: a waker may run code that comes back to this map.
    let sender = map.get(key).and_then(|weak| weak.upgrade());
    if let Some(sender) = sender {
        sender.send_modify(change);
    }
}

fn subscribe<K: Eq + Hash, T>(map: &DashMap<K, Weak<T>>, key: K, initial: T) -> Arc<watch::Sender<T>> {
    let mut entry = map.entry(key).or_default();
    if let Some(sender) = entry.upgrade() {
        return sender;
    }
    let sender = Arc::new(watch::Sender::new(initial));
    *entry = Arc::downgrade(&sender);
    sender
}

fn unsubscribe<K: Eq + Hash, T>(map: &DashMap<K, Weak<T>>, key: &K) {
    map.remove_if(key, |_, weak| weak.strong_count() == 0);
}

/// Hears of changes in one mailbox.
pub struct MailboxWatch {
    bus: Bus,
    key: (AccountId, MailboxId),
    changes: watch::Receiver<ModSeq>,
    sender: Option<Arc<watch::Sender<ModSeq>>>,
}

impl MailboxWatch {
    pub(crate) fn new(bus: Bus, key: (AccountId, MailboxId)) -> Self {
        let sender = subscribe(&bus.0.mailboxes, key, ModSeq(0));
        Self { changes: sender.subscribe(), sender: Some(sender), bus, key }
    }

    /// Ends when the mailbox has changed since the last call (or since the watch began), with its highest MODSEQ as
    /// far as heard. Also ends when the mailbox was deleted: the reader finds it gone.
    pub async fn changed(&mut self) -> ModSeq {
        if self.changes.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
        *self.changes.borrow_and_update()
    }

    /// Whether [`MailboxWatch::changed`] would end at once.
    #[must_use]
    pub fn has_changed(&self) -> bool {
        self.changes.has_changed().unwrap_or(false)
    }
}

impl Drop for MailboxWatch {
    fn drop(&mut self) {
        self.sender = None;
        unsubscribe(&self.bus.0.mailboxes, &self.key);
    }
}

/// Hears of created, renamed, deleted and subscribed mailboxes of one account.
pub struct MailboxListWatch {
    bus: Bus,
    account: AccountId,
    changes: watch::Receiver<()>,
    sender: Option<Arc<watch::Sender<()>>>,
}

impl MailboxListWatch {
    pub(crate) fn new(bus: Bus, account: AccountId) -> Self {
        let sender = subscribe(&bus.0.lists, account, ());
        Self { changes: sender.subscribe(), sender: Some(sender), bus, account }
    }

    /// Ends when the set of mailboxes has changed since the last call (or since the watch began).
    pub async fn changed(&mut self) {
        if self.changes.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for MailboxListWatch {
    fn drop(&mut self) {
        self.sender = None;
        unsubscribe(&self.bus.0.lists, &self.account);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use mail::Notice;
    use storage::Doorbell;

    use super::*;

    const ACCOUNT: AccountId = AccountId(1);
    const MAILBOX: MailboxId = MailboxId(2);

    fn changed(modseq: u64) -> Notice {
        Notice::Mailbox { account: ACCOUNT, mailbox: MAILBOX, modseq: ModSeq(modseq) }
    }

    #[test]
    fn a_slow_watcher_merges_notices() {
        let bus = Bus::new();
        let mut watch = bus.watch_mailbox(ACCOUNT, MAILBOX);
        assert_eq!(watch.changed().now_or_never(), None);
        bus.ring(&[changed(5), changed(7)]);
        bus.ring(&[changed(6)]);
        assert!(watch.has_changed());
        assert_eq!(watch.changed().now_or_never(), Some(ModSeq(7)));
        assert_eq!(watch.changed().now_or_never(), None);
    }

    #[test]
    fn every_watcher_hears() {
        let bus = Bus::new();
        let mut watches = [bus.watch_mailbox(ACCOUNT, MAILBOX), bus.watch_mailbox(ACCOUNT, MAILBOX)];
        bus.ring(&[changed(5)]);
        for watch in &mut watches {
            assert_eq!(watch.changed().now_or_never(), Some(ModSeq(5)));
        }
    }

    #[test]
    fn other_mailboxes_are_silent() {
        let bus = Bus::new();
        let mut other = bus.watch_mailbox(ACCOUNT, MailboxId(3));
        let mut list = bus.watch_mailbox_list(ACCOUNT);
        bus.ring(&[changed(5)]);
        assert_eq!(other.changed().now_or_never(), None);
        assert_eq!(list.changed().now_or_never(), None);
        bus.ring(&[Notice::MailboxList(ACCOUNT)]);
        assert_eq!(list.changed().now_or_never(), Some(()));
    }

    #[test]
    fn what_nobody_watches_leaves_no_trace() {
        let bus = Bus::new();
        let first = bus.watch_mailbox(ACCOUNT, MAILBOX);
        let second = bus.watch_mailbox(ACCOUNT, MAILBOX);
        drop(first);
        assert_eq!(bus.watched_mailboxes(), 1);
        drop(second);
        assert_eq!(bus.watched_mailboxes(), 0);
        bus.ring(&[changed(5)]);
        assert_eq!(bus.watched_mailboxes(), 0);
    }
}
