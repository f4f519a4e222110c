//! The store's engine on RocksDB: one process, one directory, no service beside it.
//!
//! One thread, the [committer](committer), owns every write. It runs the waiting transaction bodies one after the
//! other, writes what they leave as one batch with one sync, and then answers them all; what arrives while a sync runs
//! waits for the next one. That is the whole of group commit, and why no two transactions ever conflict.
//!
//! Reads are made on the caller's thread: a point read and a short scan cost microseconds from memory and a fraction of
//! a millisecond from a disk without moving parts, less than handing them to another thread and back. Long scans go to
//! the runtime's blocking threads. Nothing on an async thread ever waits for a sync, a flush or a stalled write.
//!
//! **Invariant:** a transaction is answered with `Committed` only after a sync that covers it has returned (unless it
//! asked for [`storage::Durability::Relaxed`]), and a reader sees only what such a group has written.
//!
//! What RocksDB is told and why: `docs/decisions/0002-rocksdb-settings.md`.
#![allow(
    clippy::disallowed_methods,
    reason = "this crate is the store engine: it owns the disk, a thread, and the time between attempts to reopen"
)]

mod committer;
mod copies;
mod database;
mod engine;
mod fault;
mod health;
mod options;
mod space;

pub use engine::RocksEngine;
pub use health::{Health, Statistics};
pub use options::Options;
