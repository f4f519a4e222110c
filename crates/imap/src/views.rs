//! Mailboxes that sessions have open: one map for all sessions that are at the same MODSEQ, loaded once.
//!
//! The registry holds weak references, and the maps of the mailboxes that were left last, so that a client that comes back
//! costs what changed meanwhile. Invariant: a stored map is exactly the
//! set of UIDs as of its MODSEQ, so that maps of equal MODSEQ are interchangeable.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};

use dashmap::DashMap;
use imap_wire::NumberSet;
use mail::{AccountId, MailboxId, ModSeq, Uid};
use parking_lot::Mutex;
use storage::rows::MailboxRow;
use storage::{StorageError, Store};

use crate::engine::uid_map::UidMap;
use crate::engine::view::SessionView;
use crate::limits::{CHANGES_PER_PAGE, MAP_ROWS_PER_PAGE, ROWS_PER_PAGE, VIEWS_KEPT_MAX};

type Key = (AccountId, MailboxId);

/// The mailboxes that are open, or were lately.
#[derive(Default)]
pub(crate) struct Views {
    known: DashMap<Key, Weak<MailboxView>>,
    /// The ones left last, the latest at the end; at most [`VIEWS_KEPT_MAX`].
    left: Mutex<VecDeque<(Key, Arc<MailboxView>)>>,
}

/// What all sessions of one mailbox share.
#[derive(Default)]
struct MailboxView {
    latest: Mutex<Option<(ModSeq, Arc<UidMap>)>>,
    /// The first message without `\Seen` as of a MODSEQ.
    unseen: Mutex<Option<(ModSeq, Option<Uid>)>>,
    /// Held while the map is read from the store, so that many sessions that come together read it once.
    loading: tokio::sync::Mutex<()>,
}

/// One session's part in a mailbox's shared view; leaves when dropped.
pub(crate) struct Member {
    views: Arc<Views>,
    key: Key,
    shared: Arc<MailboxView>,
}

impl Views {
    /// Joins those who have the mailbox open.
    pub(crate) fn join(self: &Arc<Self>, account: AccountId, mailbox: MailboxId) -> Member {
        let key = (account, mailbox);
        let mut entry = self.known.entry(key).or_default();
        let shared = entry.upgrade().unwrap_or_else(|| {
            let fresh = Arc::new(MailboxView::default());
            *entry = Arc::downgrade(&fresh);
            fresh
        });
        drop(entry);
        Member { views: Arc::clone(self), key, shared }
    }

    /// How many mailboxes are held in memory.
    #[cfg(test)]
    pub(crate) fn mailboxes(&self) -> usize {
        self.known.len()
    }
}

impl Member {
    /// The mailbox as of a MODSEQ, when somebody has looked at it since its last change: costs nothing.
    pub(crate) fn at(&self, modseq: ModSeq) -> Option<SessionView> {
        let latest = self.shared.latest.lock();
        let (known, map) = latest.as_ref()?;
        (*known == modseq).then(|| SessionView::new(Arc::clone(map), modseq))
    }

    /// The first message without `\Seen`; found once for each state of the mailbox.
    pub(crate) async fn first_unseen(
        &self,
        store: &Store,
        row: &MailboxRow,
        uids: &UidMap,
    ) -> Result<Option<Uid>, StorageError> {
        if row.unseen == 0 {
            return Ok(None);
        }
        let known = self.shared.unseen.lock().filter(|(modseq, _)| *modseq == row.highest_modseq);
        if let Some((_, first)) = known {
            return Ok(first);
        }
        let first = first_unseen(store, self.key, uids).await?;
        // What was found is of this state only if nothing has changed meanwhile.
        let (account, mailbox) = self.key;
        let after = store.mailbox(account, mailbox).await?.map(|row| row.highest_modseq);
        if after == Some(row.highest_modseq) {
            *self.shared.unseen.lock() = Some((row.highest_modseq, first));
        }
        Ok(first)
    }

    /// The mailbox as it is now. Reads only what changed since another session last looked; reads all when none has.
    pub(crate) async fn load(&self, store: &Store) -> Result<SessionView, StorageError> {
        let _guard = self.shared.loading.lock().await;
        let known = self.shared.latest.lock().clone();
        let mut view = match known {
            Some((modseq, map)) => SessionView::new(map, modseq),
            None => self.read(store).await?,
        };
        learn_changes(store, self.key, &mut view).await?;
        view.tell(true);
        self.share(&mut view);
        Ok(view)
    }

    /// Every UID, with a MODSEQ from which on changes have to be looked at.
    async fn read(&self, store: &Store) -> Result<SessionView, StorageError> {
        let (account, mailbox) = self.key;
        // First the MODSEQ, then the rows: what changes in between is in the change index behind it.
        let since = store.mailbox(account, mailbox).await?.ok_or(StorageError::NoSuchMailbox)?.highest_modseq;
        Ok(SessionView::new(Arc::new(read_map(store, self.key).await?), since))
    }

    /// Takes the shared map in place of an equal one; the newest is kept for those who come.
    pub(crate) fn share(&self, view: &mut SessionView) {
        view.share(|modseq, map| {
            let mut latest = self.shared.latest.lock();
            match latest.as_ref() {
                Some((known, shared)) if *known == modseq => Arc::clone(shared),
                Some((known, _)) if *known > modseq => Arc::clone(map),
                _ => {
                    *latest = Some((modseq, Arc::clone(map)));
                    Arc::clone(map)
                }
            }
        });
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let mut left = self.views.left.lock();
        left.retain(|(key, _)| *key != self.key);
        left.push_back((self.key, Arc::clone(&self.shared)));
        let forgotten = if left.len() > VIEWS_KEPT_MAX { left.pop_front() } else { None };
        drop(left);
        if let Some((key, view)) = forgotten {
            drop(view);
            // Somebody may still have it open.
            self.views.known.remove_if(&key, |_, weak| weak.strong_count() == 0);
        }
    }
}

/// Reads everything that changed since the view was last brought up to date. Costs what changed.
pub(crate) async fn learn_changes(store: &Store, key: Key, view: &mut SessionView) -> Result<(), StorageError> {
    learn_changes_up_to(store, key, view, ModSeq(u64::MAX)).await
}

/// As [`learn_changes`], and not beyond a MODSEQ: what the reader alone changed has to be learnt up to the same one.
pub(crate) async fn learn_changes_up_to(
    store: &Store,
    key: Key,
    view: &mut SessionView,
    modseq: ModSeq,
) -> Result<(), StorageError> {
    let since = view.modseq();
    let learnt = learn(store, key, view, modseq).await;
    learnt.inspect_err(|_| view.unlearn(since))
}

async fn learn(store: &Store, key: Key, view: &mut SessionView, up_to: ModSeq) -> Result<(), StorageError> {
    let since = view.modseq();
    let mut made_up_for = since;
    loop {
        learn_remembered(store, key, view, up_to).await?;
        // Read behind the changes: none of them has been forgotten unseen.
        let forgotten = store.expunges_forgotten(key.0, key.1).await?;
        if made_up_for >= forgotten {
            // A view that has made up for forgotten expunges is a newer one, though nothing that is remembered tells so.
            view.advance(made_up_for.min(up_to));
            return Ok(());
        }
        // Where expunges since then are forgotten already, what is there says what is gone.
        view.learn_what_is_there(&read_map(store, key).await?, since);
        made_up_for = forgotten;
    }
}

/// The changes that are in the change index, up to a MODSEQ.
async fn learn_remembered(store: &Store, key: Key, view: &mut SessionView, up_to: ModSeq) -> Result<(), StorageError> {
    let since = view.modseq();
    let mut last = None;
    loop {
        let mut changes = store.changes(key.0, key.1, since, last, CHANGES_PER_PAGE).await?;
        let more = changes.len() == CHANGES_PER_PAGE;
        changes.retain(|change| change.modseq <= up_to);
        view.learn(&changes);
        if !more || changes.len() < CHANGES_PER_PAGE {
            return Ok(());
        }
        last = changes.last().copied();
    }
}

/// Every UID of this moment.
async fn read_map(store: &Store, (account, mailbox): Key) -> Result<UidMap, StorageError> {
    let mut map = UidMap::default();
    let mut from = Some(Uid(1));
    while let Some(first) = from {
        let rows = store.messages(account, mailbox, first, Uid(u32::MAX), MAP_ROWS_PER_PAGE).await?;
        rows.iter().for_each(|row| map.push(row.uid));
        from = rows.last().and_then(|row| row.uid.next()).filter(|_| rows.len() == MAP_ROWS_PER_PAGE);
    }
    Ok(map)
}

/// The first message without `\Seen`, by UID.
async fn first_unseen(store: &Store, key: Key, uids: &UidMap) -> Result<Option<Uid>, StorageError> {
    let mut from = Uid(1);
    // Often one of the first; a long look reads pages of growing size.
    let mut page = 16;
    loop {
        let rows = store.messages(key.0, key.1, from, Uid(uids.max_uid()), page).await?;
        let unseen = |row: &&storage::rows::MessageRow| {
            !row.system_flags.contains(mail::SystemFlags::SEEN) && uids.contains(row.uid)
        };
        if let Some(row) = rows.iter().find(unseen) {
            return Ok(Some(row.uid));
        }
        match rows.last().and_then(|row| row.uid.next()).filter(|_| rows.len() == page) {
            Some(next) => from = next,
            None => return Ok(None),
        }
        page = page.saturating_mul(4).min(ROWS_PER_PAGE);
    }
}

/// The numbers from a UID on, as far as there are any.
pub(crate) fn from_uid(first: Uid, max: u32) -> NumberSet {
    NumberSet::from_ranges([first.0..=max])
}

#[cfg(test)]
mod tests {
    use mail::Timestamp;
    use storage::MemoryEngine;
    use world::simulated::SimulatedWorld;

    use super::*;

    /// An account and its INBOX.
    async fn stage() -> (Store, AccountId, MailboxId) {
        let world = SimulatedWorld::new(Timestamp(0), 1).world();
        let store = Store::open(Arc::new(MemoryEngine::default()), world).await.unwrap();
        let account = serde_json::from_str("{\"id\":0,\"address\":\"alice@example.org\"}").unwrap();
        let account = store.add_account(account).await.unwrap().value.id;
        let inbox = store.inbox(account).await.unwrap().id;
        (store, account, inbox)
    }

    /// Another session knows the mailbox from before its expunges, which nothing tells of any more.
    #[tokio::test]
    async fn forgotten_expunges_are_made_up_for_in_what_is_shared() {
        let (store, account, inbox) = stage().await;
        for _ in 0..3 {
            let mut writer = store.blob_writer();
            writer.write(b"a: b\r\n").await.unwrap();
            let staged = writer.finish();
            let message = storage::messages::NewMessage {
                blob: staged.hash,
                octets: staged.octets,
                flags: mail::Flags::default(),
                internal_date: mail::InternalDate::from(store.now()),
                saved_at: store.now(),
                record: None,
            };
            let _done = store.append(account, inbox, staged, message).await.unwrap();
        }
        let views = Arc::new(Views::default());
        let (first, second) = (views.join(account, inbox), views.join(account, inbox));
        let mut watching = first.load(&store).await.unwrap();
        assert_eq!(watching.map().messages(), 3);
        let scope = storage::messages::ExpungeScope::All;
        let _done = store.expunge(account, inbox, vec![Uid(1), Uid(3)], scope).await.unwrap();
        store.forget_expunges(account, inbox, 0).await.unwrap();
        let coming = second.load(&store).await.unwrap();
        assert_eq!(coming.map().messages(), 1);
        assert_eq!(coming.modseq(), store.inbox(account).await.unwrap().highest_modseq);
        learn_changes(&store, (account, inbox), &mut watching).await.unwrap();
        assert_eq!(watching.tell(true).expunged.len(), 2);
        first.share(&mut watching);
        assert!(watching.map().messages() == 1 && Arc::ptr_eq(watching.map(), coming.map()));
    }

    #[tokio::test]
    async fn a_mailbox_is_held_once() {
        let (store, account, inbox) = stage().await;
        let views = Arc::new(Views::default());
        let (first, second) = (views.join(account, inbox), views.join(account, inbox));
        let (a, b) = (first.load(&store).await.unwrap(), second.load(&store).await.unwrap());
        assert!(Arc::ptr_eq(a.map(), b.map()));
        assert_eq!(views.mailboxes(), 1);
        let row = store.inbox(account).await.unwrap();
        assert!(Arc::ptr_eq(first.at(row.highest_modseq).unwrap().map(), a.map()));
        assert!(first.at(ModSeq(row.highest_modseq.0 + 1)).is_none());
        drop((first, second));
        let again = views.join(account, inbox).load(&store).await.unwrap();
        assert!(Arc::ptr_eq(a.map(), again.map()), "who comes back finds it");
    }

    #[test]
    fn only_the_ones_left_last_are_kept() {
        let views = Arc::new(Views::default());
        let open = |mailbox| views.join(AccountId(1), MailboxId(mailbox));
        let still_open = open(1);
        (2..1000).for_each(|mailbox| drop(open(mailbox)));
        assert_eq!(views.mailboxes(), VIEWS_KEPT_MAX + 1);
        drop(still_open);
        assert_eq!(views.mailboxes(), VIEWS_KEPT_MAX);
        assert!(views.known.contains_key(&(AccountId(1), MailboxId(999))));
        assert!(!views.known.contains_key(&(AccountId(1), MailboxId(2))));
    }
}
