//! RocksDB's errors in the store's words.

use storage::StorageError;

/// What an error means. RocksDB gives a kind and a text; what the kinds lack is told from the text.
pub(crate) fn told(error: &rocksdb::Error) -> StorageError {
    let text: &str = error.as_ref();
    let kind = error.kind();
    if kind == rocksdb::ErrorKind::Corruption {
        StorageError::Corrupt(text.to_owned())
    } else if text.contains("No space left") {
        StorageError::DiskFull
    } else {
        StorageError::Io(text.to_owned())
    }
}

/// What an error of opening means.
pub(crate) fn told_by_open(error: &rocksdb::Error) -> StorageError {
    let text: &str = error.as_ref();
    if error.kind() == rocksdb::ErrorKind::IOError && text.contains("/LOCK") {
        return StorageError::Locked;
    }
    told(error)
}
