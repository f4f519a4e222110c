//! Mailboxes that sessions have open: one map for all sessions that are at the same MODSEQ, loaded once.
//!
//! The registry holds weak references, and the maps of the mailboxes that were left last, so that a client that comes back
//! costs what changed meanwhile. Invariant: a stored map is exactly the
//! set of UIDs as of its MODSEQ, so that maps of equal MODSEQ are interchangeable.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};

use dashmap::DashMap;
use imap_wire::NumberSet;
use mail::{AccountId, MailboxId, ModSeq, SystemFlags, Uid};
use parking_lot::Mutex;
use storage::rows::{MailboxRow, MessageRow};
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
        let first = first_unseen(store, self.key, uids, row.unseen).await?;
        // What was found is of this state only if nothing has changed meanwhile.
        let (account, mailbox) = self.key;
        let after = store.mailbox(account, mailbox).await?.map(|row| row.highest_modseq);
        if after != Some(row.highest_modseq) {
            return first_unseen(store, self.key, uids, u32::MAX).await;
        }
        *self.shared.unseen.lock() = Some((row.highest_modseq, first));
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
    if let Some(map) = counted_map(store, (account, mailbox)).await? {
        return Ok(map);
    }
    let mut map = UidMap::default();
    let mut from = Some(Uid(1));
    while let Some(first) = from {
        let uids = store.message_uids(account, mailbox, first, Uid(u32::MAX), MAP_ROWS_PER_PAGE).await?;
        uids.iter().for_each(|uid| map.push(*uid));
        from = uids.last().and_then(|uid| uid.next()).filter(|_| uids.len() == MAP_ROWS_PER_PAGE);
    }
    Ok(map)
}

/// Every UID of a mailbox whose counters tell them: as many messages as there are UIDs from the first message's to
/// UIDNEXT. `None` when there are gaps, or it changed while it was looked at.
async fn counted_map(store: &Store, (account, mailbox): Key) -> Result<Option<UidMap>, StorageError> {
    let Some(row) = store.mailbox(account, mailbox).await? else { return Ok(None) };
    let first = store.message_uids(account, mailbox, Uid(1), Uid(u32::MAX), 1).await?;
    let after = store.mailbox(account, mailbox).await?;
    if after.is_none_or(|after| after.highest_modseq != row.highest_modseq) {
        return Ok(None);
    }
    let first = first.first().copied().unwrap_or(row.uid_next);
    let whole = row.uid_next.0.checked_sub(first.0) == Some(row.messages);
    Ok(whole.then(|| UidMap::whole(first, row.messages)))
}

/// The first message without `\Seen`, by UID; there are `count` of them, or it is not known how many.
///
/// Looked for from both ends: often it is one of the first, or one of few among the last, where the first of all that there are is
/// the first. A long look reads pages of growing size.
async fn first_unseen(store: &Store, key: Key, uids: &UidMap, count: u32) -> Result<Option<Uid>, StorageError> {
    let is_unseen = |row: &&MessageRow| !row.system_flags.contains(SystemFlags::SEEN) && uids.contains(row.uid);
    let (mut low, mut high) = (Uid(1), Uid(uids.max_uid()));
    let (mut left, mut first) = (count, None);
    let mut page = 16;
    while low <= high {
        let rows = store.messages(key.0, key.1, low, high, page).await?;
        if let Some(row) = rows.iter().find(is_unseen) {
            return Ok(Some(row.uid));
        }
        match rows.last().and_then(|row| row.uid.next()).filter(|_| rows.len() == page) {
            Some(next) => low = next,
            None => return Ok(first),
        }
        let rows = store.messages_descending(key.0, key.1, low, high, page).await?;
        for row in rows.iter().filter(is_unseen) {
            first = Some(row.uid);
            left = left.saturating_sub(1);
        }
        match rows.last().and_then(|row| row.uid.0.checked_sub(1)).filter(|_| rows.len() == page && left > 0) {
            Some(next) => high = Uid(next),
            None => return Ok(first),
        }
        page = page.saturating_mul(4).min(ROWS_PER_PAGE);
    }
    Ok(first)
}

/// The numbers from a UID on, as far as there are any.
pub(crate) fn from_uid(first: Uid, max: u32) -> NumberSet {
    NumberSet::from_ranges([first.0..=max])
}

#[cfg(test)]
mod tests {
    use mail::Timestamp;
    use storage::MemoryEngine;
    use storage::messages::FlagChange;
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

    async fn deposit(store: &Store, account: AccountId, mailbox: MailboxId, messages: usize) {
        for _ in 0..messages {
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
            let _done = store.append(account, mailbox, staged, message).await.unwrap();
        }
    }

    /// Another session knows the mailbox from before its expunges, which nothing tells of any more.
    #[tokio::test]
    async fn forgotten_expunges_are_made_up_for_in_what_is_shared() {
        let (store, account, inbox) = stage().await;
        deposit(&store, account, inbox, 3).await;
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

    /// Wherever the unseen are, and whether or not their number is known, the first of them is found.
    #[tokio::test]
    async fn the_first_unseen_is_found_from_either_end() {
        let (store, account, inbox) = stage().await;
        deposit(&store, account, inbox, 150).await;
        let (all, key): (UidMap, Key) = ((1..=150).map(Uid).collect(), (account, inbox));
        let seen = |uids: Vec<u32>, add: bool| {
            let flags = mail::Flags::system(SystemFlags::SEEN);
            let change = if add { FlagChange::Add(flags) } else { FlagChange::Remove(flags) };
            store.change_flags(account, inbox, uids.into_iter().map(Uid).collect(), change, None)
        };
        let _done = seen((1..=150).collect(), true).await.unwrap();
        assert_eq!(first_unseen(&store, key, &all, u32::MAX).await, Ok(None));
        for unseen in
            [vec![1], vec![16], vec![17, 140], vec![75], vec![76, 77], vec![90, 150], vec![134, 135], vec![150]]
        {
            let _done = seen(unseen.clone(), false).await.unwrap();
            let first = unseen.first().copied().map(Uid);
            let count = u32::try_from(unseen.len()).unwrap();
            assert_eq!(store.inbox(account).await.unwrap().unseen, count);
            for count in [count, count + 1, u32::MAX] {
                assert_eq!(first_unseen(&store, key, &all, count).await, Ok(first), "{unseen:?}");
            }
            // One that the session doesn't count is none of its first.
            let behind: UidMap = (1..=150).filter(|uid| *uid != 150).map(Uid).collect();
            let expected = first.filter(|uid| uid.0 < 150);
            assert_eq!(first_unseen(&store, key, &behind, count).await, Ok(expected), "{unseen:?}");
            let _done = seen(unseen, true).await.unwrap();
        }
    }

    /// Counters tell the UIDs of a mailbox without gaps, and of no other.
    #[tokio::test]
    async fn a_map_is_made_of_counters_where_they_tell_it() {
        let (store, account, inbox) = stage().await;
        let counted = async || counted_map(&store, (account, inbox)).await.unwrap();
        let scope = storage::messages::ExpungeScope::All;
        assert_eq!(counted().await, Some(UidMap::default()));
        deposit(&store, account, inbox, 7).await;
        for (gone, left) in [(1, Some(2..=7)), (2, Some(3..=7)), (4, None), (3, Some(5..=7)), (7, None), (6, None)] {
            let _done = store.expunge(account, inbox, vec![Uid(gone)], scope).await.unwrap();
            let map = read_map(&store, (account, inbox)).await.unwrap();
            let rows = store.messages(account, inbox, Uid(1), Uid(7), 100).await.unwrap();
            let there: UidMap = rows.iter().map(|row| row.uid).collect();
            assert_eq!(map, there, "without {gone}");
            let expected: Option<UidMap> = left.map(|left| left.map(Uid).collect());
            assert_eq!(counted().await, expected, "without {gone}");
        }
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
