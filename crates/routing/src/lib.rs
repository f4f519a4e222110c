//! Where a message goes: the objects of the directory, and the pure decisions taken from them.
//!
//! No I/O and no clock. The store keeps the objects, [`Directory`] is their index in memory, and every decision is a
//! value with its reason, so that delivery, `relais explain` and the message trace tell the same story.
//!
//! [`resolve`] answers where a forward-path leads for who asks, [`check`] what may be saved, [`may_send_as`] who may use which
//! address, [`may_log_in`] who gets in by which way, [`rights_of`] who may do what in a
//! mailbox, [`responders`] who answers by itself.

pub mod access;
pub mod asking;
pub mod check;
pub mod directory;
pub mod limits;
pub mod meant;
pub mod namespace;
pub mod objects;
pub mod organisation;
pub mod own_alias;
pub mod pattern;
pub mod quota;
pub mod resolution;
pub mod resolve;
pub mod responders;
pub mod rights;
pub mod send_as;
pub mod sharing;
#[cfg(test)]
mod testing;
pub mod verdict;

pub use access::{NoAccess, SessionEnd, may_log_in, session_end};
pub use asking::Asking;
pub use check::{ObjectFlaw, check_account, check_alias, check_domain, check_group, check_list, check_rules};
pub use directory::Directory;
pub use meant::meant;
pub use own_alias::{OwnAliasFlaw, may_make_alias, random_local_part};
pub use pattern::{PatternFlaw, PatternMatch, check_pattern, matching_pattern};
pub use quota::{may_set_quota, may_set_quotas};
pub use resolution::{Held, Node, Reason, Resolution, What};
pub use resolve::{has_expired, resolve};
pub use rights::{Rights, RightsChange, RightsFlaw};
pub use send_as::{SendAs, SendAsReason, may_send_as};
pub use sharing::{Access, AccessReason, Acl, AclEntry, Identifier, rights_of, seen_of};
pub use verdict::{RELAY_DENIED, RefuseReason, Verdict};
