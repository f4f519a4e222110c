//! Filters: what becomes of a message on its way into one account's mailbox. Pure.
//!
//! A [`Filter`] has conditions on the message and actions. [`decide`] looks at the filters of an account in their order and
//! returns one [`Decision`]: what is done with the message, and for each filter why it acts or does not. Delivery, `relais
//! explain` and `relais filter test` call the same function. What may be saved: [`check`] and [`check_set`].
//!
//! - All filters that match act, in order, until one of them says that those behind it are skipped.
//! - Deleting for good goes before everything else: whatever other filters want, nothing is kept.
//! - The first filter that moves the message decides where it goes; tags and flags of all filters add up.
//! - Texts are compared as `i;unicode-casemap` compares them (RFC 5051), decoded (RFC 2047): case does not matter, and an
//!   accent is a character of its own behind its letter.

mod action;
mod check;
mod condition;
mod decide;
mod filter;
pub mod limits;
mod needle;
mod view;

pub use action::Actions;
pub use check::{FilterFlaw, check, check_set};
pub use condition::{Condition, ConditionFlaw, Field, TextTest};
pub use decide::{Decision, Fate, Outcome, Verdict, compares, decide};
pub use filter::{Filter, FilterSet, Matching, Place};
pub use needle::Needle;
pub use view::MessageView;
