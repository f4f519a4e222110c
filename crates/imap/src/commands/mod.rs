//! The commands, one file each (small siblings share one). A handler says its untagged responses and returns the tagged one.

mod acl;
mod announce;
pub(crate) mod append;
mod authenticate;
mod batches;
mod binary;
mod comparator;
mod copy;
mod create;
mod delete;
mod expunge;
pub(crate) mod fetch;
mod idle;
mod list;
mod multisearch;
mod recode;
mod search;
mod sections;
pub(crate) mod select;
mod server;
mod sort;
mod status;
mod store;
mod subscribe;
mod thread;
pub(crate) mod update;
pub(crate) mod upload;
