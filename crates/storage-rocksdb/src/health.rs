//! What the engine says of itself.

/// Whether the store takes writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// It does.
    Ready,
    /// There is too little free space; it takes writes again once there is more.
    DiskFull {
        /// Octets free at the last look.
        free_octets: u64,
    },
    /// Writing failed. The store is reopened now and then until that succeeds; no write is taken before.
    Failed(String),
    /// It was closed.
    Closed,
}

/// Numbers for the metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Transactions committed since opening.
    pub transactions: u64,
    /// Groups written; transactions by groups tells how well syncs are shared.
    pub groups: u64,
    /// Syncs waited for.
    pub syncs: u64,
    /// Transactions that wait for their group now.
    pub waiting: u64,
    /// Octets of sorted files.
    pub sorted_octets: u64,
    /// Octets of blob files.
    pub blob_octets: u64,
    /// Octets of rows in memory that are not in sorted files yet.
    pub write_buffer_octets: u64,
    /// Octets of the block cache in use.
    pub block_cache_octets: u64,
    /// Octets that open files hold in memory beside it.
    pub table_octets: u64,
    /// Octets free on the file system.
    pub free_octets: u64,
}
