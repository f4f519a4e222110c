//! Outside filters: rspamd over HTTP, and milters.
//!
//! [`Filters::judge`] shows one message to each filter in turn, when all of it has come, and says what follows. What filters change is changed in
//! a [`Letter`]: its header in memory, which is bounded; its body in a [`Spool`], which whoever lends it keeps. Reading what filters say is pure
//! ([`milter::codec`], [`rspamd::Answer`], [`Header`]).
//!
//! **Invariant:** whatever a filter says or leaves unsaid, asking it ends, holds a bounded amount of memory, and adds no line to a reply or field
//! to a header but those that it was asked for.

mod facts;
mod failure;
mod filters;
mod header;
pub mod limits;
mod lines;
pub mod milter;
mod opinion;
pub mod rspamd;
mod spool;
mod text;

pub use facts::{Letter, Session};
pub use filters::{Discard, Fail, Filter, Filters, Kind, Status, Turn};
pub use header::{FieldFlaw, Header};
pub use opinion::Judgement;
pub use spool::{MemorySpool, Spool, SpoolError};
