//! Free space of the file system that holds the store.

use std::path::Path;

use nix::sys::statvfs::statvfs;

/// Octets that are free for us, or `None` when the system does not say; then nothing is refused for their sake.
pub(crate) fn free_octets(path: &Path) -> Option<u64> {
    let found = statvfs(path).ok()?;
    Some(found.blocks_available().saturating_mul(found.fragment_size()))
}
