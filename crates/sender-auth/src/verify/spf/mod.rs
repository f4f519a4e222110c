//! SPF (RFC 7208): whether a domain says that a client may send for it.
//!
//! [`record`] reads what a domain publishes, strictly: what is not in the grammar is a mistake of the domain's. [`macros`] fills in
//! names. [`evaluate`] asks the DNS, within the bounds of §4.6.4.

mod evaluate;
mod macros;
mod record;

pub(super) use evaluate::{Question, check};
