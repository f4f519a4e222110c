//! Rows of the queue, and the index by time that finds the due ones.

use mail::{Notice, QueueId, Timestamp, Topic};

use crate::engine::Order;
use crate::error::StorageError;
use crate::keys::{self, Key, Table};
use crate::rows::QueueRow;
use crate::store::{Store, counted, counter};
use crate::transaction::Transaction;

/// Counts what [`Store::queue_moves`] tells.
const MOVED_EARLIER: &str = "queue-moved-earlier";
const SENT_ELSEWHERE: &str = "queue-sent-elsewhere";

/// What happened to entries of the queue that somebody may know who has looked at it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueMoves {
    /// How often one was given an earlier time than it had: then it may stand where the schedule was empty before.
    pub earlier: u64,
    /// How often one was sent another way.
    pub elsewhere: u64,
}

impl Transaction<'_> {
    /// Adds an entry; its number is given here, whatever the row says. Its blob must be stored.
    ///
    /// # Errors
    /// When reading fails.
    pub fn enqueue(&mut self, mut row: QueueRow) -> Result<QueueId, StorageError> {
        row.id = QueueId(self.next_number(counter("queue"))?);
        self.reference_blob(&row.blob)?;
        self.put(keys::queue(row.id), row.encode()?);
        self.put(keys::queue_due(row.next_attempt, row.id), Vec::new());
        self.notify(Notice::Topic(Topic::Queue));
        Ok(row.id)
    }

    /// An entry as it is now.
    ///
    /// # Errors
    /// When reading fails.
    pub fn queue_entry(&self, id: QueueId) -> Result<Option<QueueRow>, StorageError> {
        self.get(&keys::queue(id))?.map(|value| QueueRow::decode(&value)).transpose()
    }

    /// Writes an entry anew, the schedule included. One that was removed meanwhile stays removed, and `false` says so.
    ///
    /// # Errors
    /// When reading fails.
    pub fn update_queue_entry(&mut self, row: &QueueRow) -> Result<bool, StorageError> {
        let Some(old) = self.queue_entry(row.id)? else { return Ok(false) };
        let goes_elsewhere = (&row.destination, &row.route) != (&old.destination, &old.route);
        if row.next_attempt < old.next_attempt {
            self.next_number(counter(MOVED_EARLIER))?;
        }
        if goes_elsewhere {
            self.next_number(counter(SENT_ELSEWHERE))?;
        }
        self.delete(keys::queue_due(old.next_attempt, row.id));
        self.put(keys::queue_due(row.next_attempt, row.id), Vec::new());
        self.put(keys::queue(row.id), row.encode()?);
        self.notify(Notice::Topic(Topic::Queue));
        Ok(true)
    }

    /// Removes an entry that has nothing left to do. `false` when it was gone.
    ///
    /// # Errors
    /// When reading fails.
    pub fn remove_queue_entry(&mut self, id: QueueId, now: Timestamp) -> Result<bool, StorageError> {
        let Some(old) = self.queue_entry(id)? else { return Ok(false) };
        self.delete(keys::queue_due(old.next_attempt, id));
        self.delete(keys::queue(id));
        self.unreference_blob(&old.blob, now)?;
        Ok(true)
    }
}

impl Store {
    /// The schedule, from its beginning or behind one of its places: when entries are due and their numbers, the most overdue first;
    /// held ones included.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn queue_schedule(
        &self,
        behind: Option<(Timestamp, QueueId)>,
        limit: usize,
    ) -> Result<Vec<(Timestamp, QueueId)>, StorageError> {
        let mut range = Key::global(Table::QueueDue).range();
        if let Some((at, id)) = behind {
            range.start = keys::queue_due(at, QueueId(id.0.saturating_add(1)));
        }
        let keys = self.engine.scan(range, Order::Ascending, limit).await?;
        let read = |key: &[u8]| {
            let at = keys::middle(key, keys::HEAD).map(u64::from_be_bytes).and_then(|at| i64::try_from(at).ok());
            let id = keys::tail(key).map(u64::from_be_bytes).map(QueueId);
            at.map(Timestamp).zip(id).ok_or_else(|| StorageError::corrupt("a due key"))
        };
        keys.iter().map(|(key, _)| read(key)).collect()
    }

    /// How often entries were moved so far.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn queue_moves(&self) -> Result<QueueMoves, StorageError> {
        let counters = [MOVED_EARLIER, SENT_ELSEWHERE].map(counter);
        let [earlier, elsewhere] = self.engine.multi_get(&counters).await?.try_into().unwrap_or_default();
        Ok(QueueMoves { earlier: counted(earlier.as_deref())?, elsewhere: counted(elsewhere.as_deref())? })
    }

    /// Entries whose next attempt is after a time, the earliest first.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn queue_entries_due_after(&self, after: Timestamp, limit: usize) -> Result<Vec<QueueRow>, StorageError> {
        let mut range = Key::global(Table::QueueDue).range();
        range.start = Key::global(Table::QueueDue).time(Timestamp(after.0.saturating_add(1))).done();
        let due = self.engine.scan(range, Order::Ascending, limit).await?;
        let mut rows = Vec::with_capacity(due.len());
        for (key, _) in due {
            let id = keys::tail(&key).map(u64::from_be_bytes).ok_or_else(|| StorageError::corrupt("a due key"))?;
            rows.extend(self.queue_entry(QueueId(id)).await?);
        }
        Ok(rows)
    }

    /// When the next entry is due.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn next_queue_due(&self) -> Result<Option<Timestamp>, StorageError> {
        let first = self.engine.scan(Key::global(Table::QueueDue).range(), Order::Ascending, 1).await?;
        let Some((key, _)) = first.first() else { return Ok(None) };
        let at = keys::middle(key, keys::HEAD).map(u64::from_be_bytes);
        Ok(at.and_then(|at| i64::try_from(at).ok()).map(Timestamp))
    }

    /// One entry.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn queue_entry(&self, id: QueueId) -> Result<Option<QueueRow>, StorageError> {
        self.engine.get(&keys::queue(id)).await?.map(|value| QueueRow::decode(&value)).transpose()
    }

    /// Entries by their numbers, in that order; `None` for what is gone.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn queue_entries_of(&self, ids: &[QueueId]) -> Result<Vec<Option<QueueRow>>, StorageError> {
        let keys: Vec<Vec<u8>> = ids.iter().map(|id| keys::queue(*id)).collect();
        let values = self.engine.multi_get(&keys).await?;
        values.into_iter().map(|value| value.map(|value| QueueRow::decode(&value)).transpose()).collect()
    }

    /// A page of the queue in order of number, behind `after`.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn queue_entries(&self, after: QueueId, limit: usize) -> Result<Vec<QueueRow>, StorageError> {
        let mut range = Key::global(Table::Queue).range();
        range.start = keys::queue(QueueId(after.0.saturating_add(1)));
        let rows = self.engine.scan(range, Order::Ascending, limit).await?;
        rows.iter().map(|(_, value)| QueueRow::decode(value)).collect()
    }
}
