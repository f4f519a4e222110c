//! The commands, one file each (small siblings share one). A handler says its untagged responses and returns the tagged one.

mod acl;
mod announce;
pub(crate) mod append;
mod authenticate;
mod batches;
mod copy;
mod create;
mod delete;
mod expunge;
mod fetch;
mod idle;
mod list;
pub(crate) mod metadata;
mod quota;
mod search;
pub(crate) mod select;
mod server;
mod status;
mod store;
mod subscribe;
pub(crate) mod upload;
