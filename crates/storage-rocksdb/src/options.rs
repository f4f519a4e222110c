//! What can be set, and how it is told to RocksDB (`docs/decisions/0002-rocksdb-settings.md`).

use rocksdb::{
    BlockBasedIndexType, BlockBasedOptions, Cache, ColumnFamilyDescriptor, DBCompressionType, DBRecoveryMode, LogLevel,
    Options as RocksOptions,
};

/// What an administrator can set. The defaults suit a small machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Free octets of the file system below which nothing new is taken. What frees space, records what has happened or
    /// may be forgotten goes on down to half of it.
    pub free_octets_min: u64,
    /// Octets of uncompressed blocks kept in memory, indexes and filters included.
    pub block_cache_octets: usize,
    /// Octets of rows kept in memory, all together, before they are written to sorted files.
    pub write_buffer_octets: usize,
    /// Transactions that share one sync at most.
    pub group_transactions_max: usize,
    /// Octets of writes after which a group takes no further transaction.
    pub group_octets_max: usize,
    /// Transactions that wait for their group at most; further callers wait for a place.
    pub waiting_max: usize,
    /// Files held open.
    pub open_files_max: i32,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            free_octets_min: 256 << 20,
            block_cache_octets: 32 << 20,
            write_buffer_octets: 24 << 20,
            group_transactions_max: 512,
            group_octets_max: 4 << 20,
            waiting_max: 4096,
            open_files_max: 512,
        }
    }
}

/// Ordinary rows.
pub(crate) const ROWS: &str = "rows";
/// Chunks of blobs.
pub(crate) const CHUNKS: &str = "chunks";

/// RocksDB's options for the whole store.
pub(crate) fn store(options: &Options) -> RocksOptions {
    let mut store = RocksOptions::default();
    store.create_if_missing(true);
    store.create_missing_column_families(true);
    store.set_paranoid_checks(true);
    store.set_wal_recovery_mode(DBRecoveryMode::PointInTime);
    store.set_track_and_verify_wals_in_manifest(true);
    store.set_max_total_wal_size(64 << 20);
    store.set_db_write_buffer_size(options.write_buffer_octets);
    store.set_max_background_jobs(2);
    store.set_max_open_files(options.open_files_max);
    store.set_bytes_per_sync(1 << 20);
    store.set_avoid_unnecessary_blocking_io(true);
    store.set_is_fd_close_on_exec(true);
    store.set_log_level(LogLevel::Warn);
    store.set_keep_log_file_num(4);
    store.set_max_log_file_size(4 << 20);
    store.set_stats_dump_period_sec(0);
    store.set_stats_persist_period_sec(0);
    store
}

/// The column families: `default` holds the engine's own marker, the others what the store writes.
pub(crate) fn families(options: &Options) -> Vec<ColumnFamilyDescriptor> {
    let cache = Cache::new_lru_cache(options.block_cache_octets);
    vec![
        ColumnFamilyDescriptor::new(rocksdb::DEFAULT_COLUMN_FAMILY_NAME, family(options, &cache)),
        ColumnFamilyDescriptor::new(ROWS, rows(options, &cache)),
        ColumnFamilyDescriptor::new(CHUNKS, chunks(options, &cache)),
    ]
}

fn family(options: &Options, cache: &Cache) -> RocksOptions {
    let mut blocks = BlockBasedOptions::default();
    blocks.set_block_cache(cache);
    blocks.set_block_size(8 << 10);
    blocks.set_format_version(6);
    blocks.set_bloom_filter(10.0, false);
    blocks.set_whole_key_filtering(true);
    blocks.set_optimize_filters_for_memory(true);
    blocks.set_cache_index_and_filter_blocks(true);
    blocks.set_cache_index_and_filter_blocks_with_high_priority(true);
    blocks.set_pin_l0_filter_and_index_blocks_in_cache(true);
    // In pieces: a large file's index or filter in one piece is more than a shard of the cache holds, so each read would fetch, check and
    // decompress all of it again.
    blocks.set_index_type(BlockBasedIndexType::TwoLevelIndexSearch);
    blocks.set_partition_filters(true);
    blocks.set_metadata_block_size(4 << 10);
    blocks.set_pin_top_level_index_and_filter(true);
    let mut family = RocksOptions::default();
    family.set_block_based_table_factory(&blocks);
    family.set_write_buffer_size(options.write_buffer_octets / 2);
    family.set_max_write_buffer_number(3);
    family.set_level_compaction_dynamic_level_bytes(true);
    family.set_arena_block_size(256 << 10);
    family
}

fn rows(options: &Options, cache: &Cache) -> RocksOptions {
    let mut rows = family(options, cache);
    rows.set_compression_type(DBCompressionType::Lz4);
    rows.set_bottommost_compression_type(DBCompressionType::Zstd);
    rows
}

/// Chunks come compressed, so RocksDB keeps them as they are, outside of the sorted files: compaction then moves keys
/// alone, and the files of removed chunks are collected when half of what the oldest ones hold is gone.
fn chunks(options: &Options, cache: &Cache) -> RocksOptions {
    let mut chunks = family(options, cache);
    chunks.set_compression_type(DBCompressionType::None);
    chunks.set_enable_blob_files(true);
    chunks.set_min_blob_size(512);
    chunks.set_blob_file_size(64 << 20);
    chunks.set_blob_compression_type(DBCompressionType::None);
    chunks.set_enable_blob_gc(true);
    chunks.set_blob_gc_age_cutoff(0.25);
    chunks.set_blob_gc_force_threshold(0.5);
    chunks
}
