//! Where a message goes: the objects of the directory, and the pure decisions taken from them.
//!
//! No I/O and no clock. The store keeps the objects, [`Directory`] is their index in memory, and every decision is a
//! value with its reason, so that delivery, `relais explain` and the message trace tell the same story.

pub mod directory;
pub mod objects;

pub use directory::Directory;
