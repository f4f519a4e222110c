//! The pure parts: no I/O, no clock, no store. What is decided here is decided from values alone.

pub(crate) mod batches;
pub(crate) mod capability;
pub(crate) mod comparator;
pub(crate) mod deflate;
pub(crate) mod enabled;
pub(crate) mod filters;
pub(crate) mod language;
pub(crate) mod listing;
pub(crate) mod message_limit;
pub(crate) mod notify;
pub(crate) mod object_id;
pub(crate) mod order;
pub(crate) mod pattern;
pub(crate) mod resync;
pub(crate) mod search;
pub(crate) mod table;
pub(crate) mod thread;
pub(crate) mod uid_map;
pub(crate) mod view;
