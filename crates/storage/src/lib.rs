//! The store: accounts, mailboxes, messages, the queue's rows, the bus's rows and the directory's objects.
//!
//! Everything is rows with ordered keys ([`keys`]) behind one [`Engine`] trait. What belongs together is written by one
//! [`Transaction`]; only a transaction that is on disk and synced yields a [`Committed`], and only from that token can
//! an acknowledgement be built. Transactions run one after the other at the engine's commit point and share a sync
//! with those that wait beside them (group commit).
//!
//! The modules in the order of the way down: [`store`] (the handle), then by subject [`accounts`], [`mailboxes`],
//! [`messages`] and their [`changes`], [`usage`], [`sharing`], [`metadata`], [`blobs`], [`objects`] and their [`edits`], [`queue`], [`events`], [`contacts`],
//! [`lists`], [`secret`], [`fetch`], [`filing`], [`index`], [`responder_states`], [`signing_keys`], [`spam`], [`suppressed`], [`bans`], [`webhooks`], [`trace`], and over all of them [`check`]; below them
//! [`transaction`], [`engine`],
//! [`memory`].

pub mod accounts;
pub mod answered;
pub mod bans;
pub mod blobs;
pub mod changes;
pub mod check;
mod compression;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
pub mod contacts;
pub mod dmarc_reports;
pub mod edits;
pub mod engine;
pub mod error;
pub mod events;
pub mod fetch;
pub mod filing;
pub mod first_use;
mod flag_blocks;
mod forgotten;
pub mod greylist;
pub mod index;
pub mod keys;
pub mod limits;
pub mod lists;
mod mailbox_name;
pub mod mailboxes;
pub mod memory;
pub mod messages;
pub mod metadata;
pub mod mta_sts;
pub mod objects;
mod pace;
pub mod queue;
pub mod received_reports;
pub mod reputation;
pub mod responder_states;
pub mod rows;
pub mod secret;
pub mod sharing;
pub mod signing_keys;
pub mod spam;
pub mod srs;
pub mod store;
pub mod subaddress;
pub mod submitted;
pub mod suppressed;
pub mod trace;
pub mod transaction;
mod undo;
pub mod url_keys;
mod usage;
pub mod webhooks;

#[cfg(test)]
mod stage;
#[cfg(test)]
mod tests;

pub use edits::Objects;
pub use engine::{Committed, Doorbell, Durability, Engine, KeyRange, Order, SilentDoorbell};
pub use error::StorageError;
pub use memory::MemoryEngine;
pub use queue::QueueMoves;
pub use store::{Done, Store};
pub use transaction::Transaction;
