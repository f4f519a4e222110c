//! Mailboxes that several people use: who may do what ([`acl`], [`access`]), whose `\Seen` it is ([`person_seen`]), what a change by
//! somebody with few rights amounts to ([`by`]), copies from one account to another ([`transfer`]), members and their
//! subscriptions ([`members`]), and which message an answer is about ([`message_ids`]).

pub mod access;
pub mod acl;
pub mod by;
mod members;
pub mod message_ids;
pub mod person_seen;
mod ranges;
#[cfg(test)]
mod tests;
pub mod transfer;

pub use by::{By, FlagMask};
pub use ranges::UidRanges;
