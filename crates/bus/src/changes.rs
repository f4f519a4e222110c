//! Which mailboxes have changed, of all accounts: gathered for one reader, which takes them at its own pace.

use std::collections::BTreeSet;

use mail::{AccountId, MailboxId};
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::Bus;
use crate::limits::CHANGES_MAX;

/// What has changed since it was last asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changed {
    /// These mailboxes; one that was deleted may be among them.
    These(BTreeSet<(AccountId, MailboxId)>),
    /// Too many to keep them apart.
    TooMany,
}

/// What is gathered while there is a reader.
#[derive(Default)]
pub(crate) struct Gathered {
    changed: Mutex<Option<Changed>>,
    bell: Notify,
}

impl Gathered {
    pub(crate) fn note(&self, mailbox: (AccountId, MailboxId)) {
        let mut changed = self.changed.lock();
        let Some(gathered) = changed.as_mut() else { return };
        if let Changed::These(mailboxes) = gathered {
            if mailboxes.len() >= CHANGES_MAX && !mailboxes.contains(&mailbox) {
                *gathered = Changed::TooMany;
            } else {
                mailboxes.insert(mailbox);
            }
        }
        drop(changed);
        self.bell.notify_one();
    }
}

/// Hears of changes in all mailboxes.
pub struct Changes(Bus);

impl Changes {
    pub(crate) fn new(bus: Bus) -> Self {
        *bus.0.changes.changed.lock() = Some(Changed::These(BTreeSet::new()));
        Self(bus)
    }

    /// Ends when something has changed since the last [`Changes::take`].
    pub async fn heard(&mut self) {
        while !self.any() {
            self.0.0.changes.bell.notified().await;
        }
    }

    /// Whether [`Changes::heard`] would end at once.
    #[must_use]
    pub fn any(&self) -> bool {
        match self.0.0.changes.changed.lock().as_ref() {
            Some(Changed::These(mailboxes)) => !mailboxes.is_empty(),
            Some(Changed::TooMany) => true,
            None => false,
        }
    }

    /// What has changed since the last call.
    pub fn take(&mut self) -> Changed {
        let none = Changed::These(BTreeSet::new());
        self.0.0.changes.changed.lock().replace(none).unwrap_or(Changed::These(BTreeSet::new()))
    }
}

impl Drop for Changes {
    fn drop(&mut self) {
        *self.0.0.changes.changed.lock() = None;
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use mail::{ModSeq, Notice};
    use storage::Doorbell;

    use super::*;

    fn changed(mailbox: u32) -> Notice {
        Notice::Mailbox { account: AccountId(1), mailbox: MailboxId(mailbox), modseq: ModSeq(5) }
    }

    #[test]
    fn each_changed_mailbox_is_told_once() {
        let bus = Bus::new();
        bus.ring(&[changed(1)]);
        let mut changes = bus.changes();
        assert_eq!(changes.heard().now_or_never(), None);
        bus.ring(&[changed(3), changed(2), changed(3)]);
        assert_eq!(changes.heard().now_or_never(), Some(()));
        let mailboxes = [2, 3].map(|mailbox| (AccountId(1), MailboxId(mailbox)));
        assert_eq!(changes.take(), Changed::These(mailboxes.into()));
        assert_eq!(changes.heard().now_or_never(), None);
        assert_eq!(changes.take(), Changed::These(BTreeSet::new()));
    }

    #[test]
    fn many_changes_are_told_as_such() {
        let bus = Bus::new();
        let mut changes = bus.changes();
        let most = u32::try_from(CHANGES_MAX).unwrap();
        (0..most).for_each(|mailbox| bus.ring(&[changed(mailbox)]));
        bus.ring(&[changed(0)]);
        assert!(matches!(changes.take(), Changed::These(mailboxes) if mailboxes.len() == CHANGES_MAX));
        (0..=most).for_each(|mailbox| bus.ring(&[changed(mailbox)]));
        assert!(changes.any());
        assert_eq!(changes.take(), Changed::TooMany);
        assert!(!changes.any());
    }

    #[test]
    fn nothing_is_gathered_for_nobody() {
        let bus = Bus::new();
        drop(bus.changes());
        bus.ring(&[changed(1)]);
        assert_eq!(*bus.0.changes.changed.lock(), None);
    }
}
