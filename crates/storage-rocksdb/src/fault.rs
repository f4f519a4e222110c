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
    if error.kind() == rocksdb::ErrorKind::IOError && is_held(text) {
        return StorageError::Locked;
    }
    told(error)
}

/// Whether the lock file is another's. That it can't be opened (a folder of another user, a disk that is read-only) is not
/// that: nobody would find the server that has to be stopped.
fn is_held(text: &str) -> bool {
    let held = ["Resource temporarily unavailable", "lock hold by current process"];
    text.contains("/LOCK") && held.iter().any(|words| text.contains(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_lock_that_somebody_holds_is_one() {
        assert!(is_held("IO error: While lock file: /x/store/LOCK: Resource temporarily unavailable"));
        assert!(is_held(
            "IO error: lock hold by current process, acquire time 1 acquiring thread 2: /x/LOCK: No locks available"
        ));
        assert!(!is_held("IO error: While open a file for lock: /x/store/LOCK: Permission denied"));
        assert!(!is_held("IO error: While open a file for lock: /x/store/LOCK: Read-only file system"));
        assert!(!is_held(
            "IO error: While open a file for appending: /x/store/000004.log: Resource temporarily unavailable"
        ));
    }
}
