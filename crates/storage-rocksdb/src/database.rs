//! The open database: which column family a key belongs to, reading, writing a group.

use std::path::Path;

use bytes::Bytes;
use rocksdb::checkpoint::Checkpoint;
use rocksdb::{
    ColumnFamily, DBRawIteratorWithThreadMode, DBWithThreadMode, FlushOptions, ReadOptions, SingleThreaded, WriteBatch,
    WriteOptions,
};
use storage::engine::{Row, Snapshot};
use storage::keys::Table;
use storage::transaction::Writes;
use storage::{KeyRange, Order, StorageError};

use crate::copies::Copies;
use crate::fault::{told, told_by_open};
use crate::options::{self, CHUNKS, Options, ROWS};

type Db = DBWithThreadMode<SingleThreaded>;

/// An open RocksDB.
pub(crate) struct Database {
    db: Db,
}

/// Where the number of the last group is: in the family `default`, so in no range that the store can name.
const GROUP: &[u8] = b"group";

/// Keys that are looked for together: a block of 8 KiB each at the most.
const KEYS_AT_ONCE: usize = 256;

/// Whether a key is of a chunk of a blob.
fn is_chunk(key: &[u8]) -> bool {
    key.first() == Some(&(Table::Chunk as u8))
}

impl Database {
    pub(crate) fn open(path: &Path, options: &Options) -> Result<Self, StorageError> {
        let families = options::families(options);
        let db = Db::open_cf_descriptors(&options::store(options), path, families).map_err(|e| told_by_open(&e))?;
        Ok(Self { db })
    }

    fn family(&self, name: &str) -> Result<&ColumnFamily, StorageError> {
        self.db.cf_handle(name).ok_or_else(|| StorageError::Io(format!("column family {name} is not open")))
    }

    fn family_of(&self, key: &[u8]) -> Result<&ColumnFamily, StorageError> {
        self.family(if is_chunk(key) { CHUNKS } else { ROWS })
    }

    /// Writes a group in one atomic step.
    pub(crate) fn write(&self, writes: &Writes, group: u64, sync: bool) -> Result<(), StorageError> {
        let (rows, chunks) = (self.family(ROWS)?, self.family(CHUNKS)?);
        let mut batch = WriteBatch::default();
        for (key, value) in writes {
            let family = if is_chunk(key) { chunks } else { rows };
            match value {
                Some(value) => batch.put_cf(family, key, value),
                None => batch.delete_cf(family, key),
            }
        }
        batch.put(GROUP, group.to_be_bytes());
        self.db.write_opt(batch, &write_options(sync)).map_err(|e| told(&e))
    }

    /// Writes rows that nothing names yet, without a sync.
    pub(crate) fn write_early<'r>(&self, rows: impl Iterator<Item = &'r Row>) -> Result<(), StorageError> {
        let mut batch = WriteBatch::default();
        for (key, value) in rows {
            batch.put_cf(self.family_of(key)?, key, value);
        }
        self.db.write_opt(batch, &write_options(false)).map_err(|e| told(&e))
    }

    /// The number of the last group that was written.
    pub(crate) fn last_group(&self) -> Result<u64, StorageError> {
        match self.db.get(GROUP).map_err(|e| told(&e))? {
            None => Ok(0),
            Some(value) => match <[u8; 8]>::try_from(value.as_slice()) {
                Ok(number) => Ok(u64::from_be_bytes(number)),
                Err(_) => Err(StorageError::Corrupt("the group number".to_owned())),
            },
        }
    }

    /// Makes all of it durable, in sorted files and without a log to replay.
    pub(crate) fn flush(&self) -> Result<(), StorageError> {
        self.db.flush_wal(true).map_err(|e| told(&e))?;
        let default = self.family(rocksdb::DEFAULT_COLUMN_FAMILY_NAME)?;
        let families = [default, self.family(ROWS)?, self.family(CHUNKS)?];
        self.db.flush_cfs_opt(&families, &FlushOptions::default()).map_err(|e| told(&e))
    }

    /// A copy that can be opened on its own, by hard links where the file system has them.
    pub(crate) fn checkpoint(&self, to: &Path) -> Result<(), StorageError> {
        let checkpoint = Checkpoint::new(&self.db).map_err(|e| told(&e))?;
        checkpoint.create_checkpoint(to).map_err(|e| told(&e))
    }

    /// A number that RocksDB keeps of itself, over all families.
    pub(crate) fn property(&self, name: &str) -> u64 {
        [rocksdb::DEFAULT_COLUMN_FAMILY_NAME, ROWS, CHUNKS].iter().map(|family| self.property_of(family, name)).sum()
    }

    /// A number that RocksDB keeps of a family; of the shared block cache every family says the same.
    pub(crate) fn property_of(&self, family: &str, name: &str) -> u64 {
        let family = self.family(family).ok();
        family.and_then(|family| self.db.property_int_value_cf(family, name).ok().flatten()).unwrap_or(0)
    }
}

fn write_options(sync: bool) -> WriteOptions {
    let mut options = WriteOptions::default();
    options.set_sync(sync);
    options
}

/// A range cut at the borders of the chunk table, in ascending order.
fn parts(range: &KeyRange) -> Vec<(&'static str, KeyRange)> {
    let chunks = KeyRange::prefix(vec![Table::Chunk as u8]);
    let cut = |name, start: &[u8], end: &[u8]| {
        let (start, end) = (range.start.as_slice().max(start), range.end.as_slice().min(end));
        (start < end).then(|| (name, KeyRange { start: start.to_vec(), end: end.to_vec() }))
    };
    let before = cut(ROWS, &[], &chunks.start);
    let inside = cut(CHUNKS, &chunks.start, &chunks.end);
    let behind = cut(ROWS, &chunks.end, &range.end);
    [before, inside, behind].into_iter().flatten().collect()
}

impl Snapshot for Database {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StorageError> {
        Ok(self.db.get_cf(self.family_of(key)?, key).map_err(|e| told(&e))?.map(Bytes::from))
    }

    fn multi_get(&self, keys: &[Vec<u8>]) -> Result<Vec<Option<Bytes>>, StorageError> {
        let mut values = Vec::with_capacity(keys.len());
        for some in keys.chunk_by(|a, b| is_chunk(a) == is_chunk(b)) {
            // Together the engine looks for the keys of one block once. What it has found holds its blocks until it is copied.
            for some in some.chunks(KEYS_AT_ONCE) {
                let Some(first) = some.first() else { continue };
                for value in self.db.batched_multi_get_cf(self.family_of(first)?, some, some.is_sorted()) {
                    values.push(value.map_err(|e| told(&e))?.map(|value| Bytes::copy_from_slice(&value)));
                }
            }
        }
        Ok(values)
    }

    fn scan(&self, range: &KeyRange, order: Order, limit: usize) -> Result<Vec<Row>, StorageError> {
        let mut parts = parts(range);
        if order == Order::Descending {
            parts.reverse();
        }
        let mut rows = Vec::new();
        for (family, part) in parts {
            if rows.len() < limit {
                self.scan_part(family, part, order, limit, &mut rows)?;
            }
        }
        Ok(rows)
    }
}

impl Database {
    fn scan_part(
        &self,
        family: &str,
        range: KeyRange,
        order: Order,
        limit: usize,
        rows: &mut Vec<Row>,
    ) -> Result<(), StorageError> {
        let mut options = ReadOptions::default();
        options.set_iterate_lower_bound(range.start);
        options.set_iterate_upper_bound(range.end);
        let mut cursor: DBRawIteratorWithThreadMode<'_, Db> =
            self.db.raw_iterator_cf_opt(self.family(family)?, options);
        match order {
            Order::Ascending => cursor.seek_to_first(),
            Order::Descending => cursor.seek_to_last(),
        }
        let mut copies = Copies::default();
        while rows.len().saturating_add(copies.waiting()) < limit {
            let Some((key, value)) = cursor.item() else { break };
            copies.take(key, value, rows);
            match order {
                Order::Ascending => cursor.next(),
                Order::Descending => cursor.prev(),
            }
        }
        copies.finish(rows);
        cursor.status().map_err(|e| told(&e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(start: &[u8], end: &[u8]) -> KeyRange {
        KeyRange { start: start.to_vec(), end: end.to_vec() }
    }

    #[test]
    fn ranges_are_cut_at_the_chunk_table() {
        assert_eq!(parts(&range(&[0x20], &[0x22])), vec![(ROWS, range(&[0x20], &[0x22]))]);
        assert_eq!(parts(&range(&[0x31, 5], &[0x31, 9])), vec![(CHUNKS, range(&[0x31, 5], &[0x31, 9]))]);
        assert_eq!(
            parts(&range(&[0x01], &[0x70])),
            vec![(ROWS, range(&[0x01], &[0x31])), (CHUNKS, range(&[0x31], &[0x32])), (ROWS, range(&[0x32], &[0x70]))]
        );
        assert_eq!(parts(&range(&[0x31], &[0x31])), vec![]);
    }
}
