//! Work over more messages than one transaction holds: a long COPY, which is undone when it is cut short (RFC 3501
//! §6.4.7), and RENAME of a full INBOX, which is finished (§6.3.5).
//!
//! A row is written with the first step, brought up to date by each, and removed with the last, so that a crash between
//! two of them leaves no half. Invariant: a row that nobody works on is settled at the start, or by the next sweep; a
//! step whose row is not as the step before left it does not happen.

use std::sync::Arc;

use bytes::Bytes;
use mail::{AccountId, MailboxId, Timestamp, Uid, UidValidity};
use parking_lot::Mutex;

use crate::engine::{KeyRange, Order};
use crate::error::StorageError;
use crate::keys::{Key, Table};
use crate::messages::{
    ExpungeScope, MESSAGES_PER_TRANSACTION, MOVED_PER_TRANSACTION, arrived, chunks, uid_of, uid_range,
};
use crate::rows::UndoRow;
use crate::store::{Done, Store};
use crate::transaction::Transaction;

/// Keys of rows whose work was given up in this run.
pub(crate) type GivenUp = Arc<Mutex<Vec<Vec<u8>>>>;

/// Work under way. Dropped before its end, it is left to the next sweep.
struct Work {
    key: Vec<u8>,
    given_up: GivenUp,
    finished: bool,
}

impl Drop for Work {
    fn drop(&mut self) {
        if !self.finished {
            self.given_up.lock().push(std::mem::take(&mut self.key));
        }
    }
}

impl Store {
    fn begin_work(&self) -> Work {
        let mut id = [0; 16];
        self.world.chance.fill(&mut id);
        let key = Key::global(Table::Undo).bytes(&id).done();
        Work { key, given_up: Arc::clone(&self.given_up), finished: false }
    }

    /// COPY of more messages than one transaction holds: all, or none.
    pub(crate) async fn copy_in_steps(
        &self,
        from: (AccountId, MailboxId),
        uids: Vec<Uid>,
        to: (AccountId, MailboxId),
    ) -> Result<Done<(UidValidity, Vec<(Uid, Uid)>)>, StorageError> {
        let (now, quota) = (self.now(), self.quota(to.0));
        let mut work = self.begin_work();
        let mut pairs: Vec<(Uid, Uid)> = Vec::with_capacity(uids.len());
        let mut row: Option<UndoRow> = None;
        let mut steps = chunks(uids, MESSAGES_PER_TRANSACTION).into_iter().peekable();
        loop {
            let some = steps.next().unwrap_or_default();
            let (key, before, last) = (work.key.clone(), row.take(), steps.peek().is_none());
            let step = move |tx: &mut Transaction<'_>| {
                tx.expect_undo(&key, before.as_ref())?;
                let copied = tx.copy(from, &some, to, now)?;
                tx.judge_by_place(Some(from), to, &arrived(&copied.1), now)?;
                tx.require_quota(to.0, quota)?;
                let row = with_copies(before.as_ref(), to, &copied.1);
                if last {
                    tx.delete(key.clone());
                } else {
                    tx.put(key.clone(), row.encode()?);
                }
                Ok((copied, row))
            };
            match self.transact(step).await {
                Ok(Done { value: ((validity, copied), now), committed }) => {
                    pairs.extend(copied);
                    row = Some(now);
                    if last {
                        work.finished = true;
                        return Ok(Done { value: (validity, pairs), committed });
                    }
                }
                Err(error) => {
                    drop(work);
                    if let Err(error) = self.settle_given_up().await {
                        tracing::warn!(%error, "the copies of a COPY that failed are left for the next sweep");
                    }
                    return Err(error);
                }
            }
        }
    }

    /// Makes the new mailbox and moves the messages of INBOX there, at once when they are not too many. The decision is
    /// durable with the first transaction: when a later step fails, the next sweep goes on.
    pub(crate) async fn rename_inbox(&self, account: AccountId, to: String) -> Result<Done<()>, StorageError> {
        let (now, quota) = (self.now(), self.quota(account));
        let mut work = self.begin_work();
        let key = work.key.clone();
        let begin = move |tx: &mut Transaction<'_>| {
            let target = tx.create_mailbox(account, None, &to, None, now, true)?;
            let inbox = tx.mailbox_named(account, "INBOX")?.ok_or(StorageError::NoSuchMailbox)?;
            tx.require_mailbox_quota(account, quota)?;
            tx.copy_annotations(account, inbox, target.id)?;
            let below = tx.mailbox_row(account, inbox)?.uid_next;
            tx.put(key.clone(), UndoRow::MoveAll { account, from: inbox, to: target.id, below }.encode()?);
            tx.settle_step(&key, now)
        };
        let Done { value: more, committed } = self.transact(begin).await?;
        if more && let Err(error) = self.settle(&work.key).await {
            tracing::warn!(%error, "the rest of INBOX is left for the next sweep to move");
        } else {
            work.finished = true;
        }
        Ok(Done { value: (), committed })
    }

    /// Settles what an earlier run left. What can't be settled now is left for the next sweep.
    pub(crate) async fn settle_all(&self) -> Result<(), StorageError> {
        let mut range = undo_range();
        loop {
            let page = self.engine.scan(range.clone(), Order::Ascending, 100).await?;
            let Some((last, _)) = page.last() else { break };
            range.start = [last.as_ref(), &[0]].concat();
            self.given_up.lock().extend(page.iter().map(|(key, _)| key.to_vec()));
        }
        if let Err(error) = self.settle_given_up().await {
            tracing::warn!(%error, "work that was cut short is left for the next sweep");
        }
        Ok(())
    }

    /// Settles what was given up in this run.
    pub(crate) async fn settle_given_up(&self) -> Result<(), StorageError> {
        let keys = std::mem::take(&mut *self.given_up.lock());
        let mut failure = None;
        for key in keys {
            if let Err(error) = self.settle(&key).await {
                self.given_up.lock().push(key);
                failure = Some(error);
            }
        }
        failure.map_or(Ok(()), Err)
    }

    /// Brings one work to its end.
    async fn settle(&self, key: &[u8]) -> Result<(), StorageError> {
        loop {
            let (row, now) = (key.to_vec(), self.now());
            match self.transact(move |tx| tx.settle_step(&row, now)).await {
                Ok(Done { value: true, .. }) => {}
                Ok(_) => return Ok(()),
                // A mailbox was deleted meanwhile, or takes no more: what is left stays where it is.
                Err(StorageError::NoSuchMailbox | StorageError::LimitReached(_)) => {
                    let row = key.to_vec();
                    self.transact(move |tx| {
                        tx.delete(row.clone());
                        Ok(())
                    })
                    .await?;
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
    }
}

impl Transaction<'_> {
    /// The row is as the step before left it: nobody has begun to settle it.
    fn expect_undo(&self, key: &[u8], expected: Option<&UndoRow>) -> Result<(), StorageError> {
        let found: Option<Bytes> = self.get(key)?;
        let expected = expected.map(UndoRow::encode).transpose()?;
        if found == expected { Ok(()) } else { Err(StorageError::Closed) }
    }

    /// One step of settling; whether there are more.
    fn settle_step(&mut self, key: &[u8], now: Timestamp) -> Result<bool, StorageError> {
        let Some(value) = self.get(key)? else { return Ok(false) };
        let row = match UndoRow::decode(&value)? {
            UndoRow::Copy { account, mailbox, mut copies } => {
                if let Some((first, last)) = copies.pop() {
                    let uids: Vec<Uid> = (first.0..=last.0).map(Uid).collect();
                    self.expunge(account, mailbox, &uids, ExpungeScope::All, now)?;
                }
                (!copies.is_empty()).then_some(UndoRow::Copy { account, mailbox, copies })
            }
            UndoRow::MoveAll { account, from, to, below } => {
                let mut range = uid_range(Table::Message, account, from, Uid(1), below);
                range.end.pop();
                let some = self.scan(&range, Order::Ascending, MOVED_PER_TRANSACTION)?;
                let uids = some.iter().map(|(key, _)| uid_of(key)).collect::<Result<Vec<Uid>, _>>()?;
                self.move_messages(account, from, &uids, to, now)?;
                (uids.len() == MOVED_PER_TRANSACTION).then_some(UndoRow::MoveAll { account, from, to, below })
            }
        };
        match &row {
            Some(row) => self.put(key.to_vec(), row.encode()?),
            None => self.delete(key.to_vec()),
        }
        Ok(row.is_some())
    }
}

/// The row after one more step. Copies of one transaction have UIDs in a row.
fn with_copies(before: Option<&UndoRow>, to: (AccountId, MailboxId), pairs: &[(Uid, Uid)]) -> UndoRow {
    let mut copies = match before {
        Some(UndoRow::Copy { copies, .. }) => copies.clone(),
        Some(UndoRow::MoveAll { .. }) | None => Vec::new(),
    };
    if let (Some((_, first)), Some((_, last))) = (pairs.first(), pairs.last()) {
        copies.push((*first, *last));
    }
    UndoRow::Copy { account: to.0, mailbox: to.1, copies }
}

pub(crate) fn undo_range() -> KeyRange {
    Key::global(Table::Undo).range()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::SilentDoorbell;
    use crate::stage::{ALICE, INBOX, house, message, open};
    use crate::{Engine, MemoryEngine};

    /// Two steps of COPY and of RENAME.
    const MESSAGES: u32 = 4_100;

    /// An account whose INBOX is full.
    async fn full() -> (MemoryEngine, Store) {
        let engine = MemoryEngine::default();
        let store = house(&engine).await;
        let (staged, message) = message(&store, b"a: b\r\n\r\n").await;
        let _done = store
            .transact(move |tx| {
                tx.store_blob(&staged)?;
                (0..MESSAGES).try_for_each(|_| tx.deposit(ALICE, INBOX, &message).map(drop))
            })
            .await
            .unwrap();
        (engine, store)
    }

    async fn messages(store: &Store, name: &str) -> Option<u32> {
        store.mailbox_by_name(ALICE, name).await.unwrap().map(|row| row.messages)
    }

    async fn sound(engine: &MemoryEngine, store: &Store) {
        let mut findings = Vec::new();
        crate::check::check(store, false, &mut |finding| findings.push(finding.to_string())).await.unwrap();
        assert_eq!(findings, Vec::<String>::new());
        assert!(engine.scan(undo_range(), Order::Ascending, 1).await.unwrap().is_empty(), "a row is left");
    }

    async fn copy(store: &Store) -> Result<usize, StorageError> {
        let trash = store.mailbox_by_name(ALICE, "Trash").await?.unwrap().id;
        let uids = (1..=MESSAGES).map(Uid).collect();
        Ok(store.copy((ALICE, INBOX), uids, (ALICE, trash)).await?.value.1.len())
    }

    #[tokio::test]
    async fn a_long_copy_is_whole() {
        let (engine, store) = full().await;
        let before = engine.commits();
        assert_eq!(copy(&store).await, Ok(MESSAGES as usize));
        assert_eq!(engine.commits() - before, 2, "it takes several transactions");
        assert_eq!(messages(&store, "Trash").await, Some(MESSAGES));
        sound(&engine, &store).await;
    }

    /// RFC 3501 §6.4.7: all or none, whenever the disk fails and the power is cut: not even undoing works any more.
    #[tokio::test]
    async fn a_long_copy_that_a_power_cut_ends_leaves_nothing() {
        let (whole, _) = full().await;
        for commits in 0..2 {
            let engine = whole.after_power_cut(Arc::new(SilentDoorbell));
            let store = open(&engine).await;
            engine.fail_after(commits, StorageError::DiskFull);
            assert_eq!(copy(&store).await, Err(StorageError::DiskFull));
            let engine = engine.after_power_cut(Arc::new(SilentDoorbell));
            let store = open(&engine).await;
            assert_eq!(messages(&store, "Trash").await, Some(0), "after {commits} commits");
            assert_eq!(messages(&store, "INBOX").await, Some(MESSAGES));
            sound(&engine, &store).await;
        }
    }

    #[tokio::test]
    async fn a_long_copy_that_fails_is_undone_by_the_next_sweep() {
        let (engine, store) = full().await;
        engine.fail_after(1, StorageError::DiskFull);
        assert_eq!(copy(&store).await, Err(StorageError::DiskFull));
        assert_eq!(messages(&store, "Trash").await, Some(4_000), "undoing fails too");
        engine.heal();
        store.sweep().await.unwrap();
        assert_eq!(messages(&store, "Trash").await, Some(0));
        sound(&engine, &store).await;
    }

    #[tokio::test]
    async fn undoing_ends_when_the_mailbox_is_gone() {
        let (engine, store) = full().await;
        engine.fail_after(1, StorageError::DiskFull);
        copy(&store).await.unwrap_err();
        engine.heal();
        let _done = store.delete_mailbox(ALICE, "Trash").await.unwrap();
        store.sweep().await.unwrap();
        sound(&engine, &store).await;
    }

    /// A step in flight whose caller has gone meets a sweep that was faster.
    #[tokio::test]
    async fn a_step_does_not_follow_a_sweep() {
        let (_engine, store) = full().await;
        let row = with_copies(None, (ALICE, INBOX), &[(Uid(1), Uid(2))]);
        let key = Key::global(Table::Undo).bytes(b"1").done();
        let late = store.transact(move |tx| tx.expect_undo(&key, Some(&row))).await;
        assert_eq!(late.err(), Some(StorageError::Closed));
    }

    /// RFC 3501 §6.3.5: the messages that were there are in the new mailbox, and what came later is in INBOX.
    #[tokio::test]
    async fn renaming_a_full_inbox_is_finished_whenever_the_power_is_cut() {
        let (whole, _) = full().await;
        for commits in 0..3 {
            let engine = whole.after_power_cut(Arc::new(SilentDoorbell));
            let store = open(&engine).await;
            engine.fail_after(commits, StorageError::DiskFull);
            let renamed = store.rename_mailbox(ALICE, "INBOX", "Old/2025").await;
            assert_eq!(renamed.is_ok(), commits > 0);
            let engine = engine.after_power_cut(Arc::new(SilentDoorbell));
            let store = open(&engine).await;
            let expected = if commits > 0 { (Some(0), Some(MESSAGES)) } else { (Some(MESSAGES), None) };
            let found = (messages(&store, "INBOX").await, messages(&store, "Old/2025").await);
            assert_eq!(found, expected, "after {commits} commits");
            sound(&engine, &store).await;
        }
    }

    #[tokio::test]
    async fn what_comes_while_inbox_is_renamed_stays_there() {
        let (engine, store) = full().await;
        engine.fail_after(1, StorageError::DiskFull);
        let _done = store.rename_mailbox(ALICE, "INBOX", "Old").await.unwrap();
        assert_eq!(messages(&store, "Old").await, u32::try_from(MOVED_PER_TRANSACTION).ok());
        engine.heal();
        let old = store.mailbox_by_name(ALICE, "Old").await.unwrap().unwrap().id;
        let back = store.copy((ALICE, old), vec![Uid(1)], (ALICE, INBOX)).await.unwrap();
        assert_eq!(back.value.1, [(Uid(1), Uid(MESSAGES + 1))]);
        store.sweep().await.unwrap();
        assert_eq!((messages(&store, "INBOX").await, messages(&store, "Old").await), (Some(1), Some(MESSAGES)));
        sound(&engine, &store).await;
    }
}
