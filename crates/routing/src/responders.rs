//! Responders as decisions: which are active, what they change at acceptance, whether one answers a message, and why not.
//!
//! Pure. The crate `responder` reads the message, builds the answer and stores it; `relais explain` and the trace call
//! the same [`decide`]. RFC 3834 (automatic responses), RFC 5230 §4.5 and §4.6 (out-of-office only), rows A1
//! to A14 and V1 to V5 of `docs/design.md`.

mod acceptance;
mod check;
mod decide;
mod facts;
mod window;

pub use acceptance::{AcceptancePlan, ResponderEvent, at_acceptance};
pub use check::{ResponderFlaw, check_responder};
pub use decide::{Decision, LastAnswer, Silence, decide};
pub use facts::{Facts, HeaderMarks, is_automatic_sender, is_own_address};
pub use window::{Moment, TimeZone, Window, WindowFlaw, is_zone, zone_named};

use mail::{AccountId, Timestamp};

use crate::directory::Directory;
use crate::objects::{AccountObject, ResponderObject};

/// The account that a responder belongs to: the one with its address. A free responder, or one at an alias, has none.
#[must_use]
pub fn owner<'a>(directory: &'a Directory, responder: &ResponderObject) -> Option<&'a AccountObject> {
    directory.account(&responder.address).map(std::sync::Arc::as_ref)
}

/// The time zone in which a responder's window is read: its owner's, else UTC.
#[must_use]
pub fn zone_of(directory: &Directory, responder: &ResponderObject) -> TimeZone {
    owner(directory, responder).map_or(TimeZone::UTC, |account| zone_named(&account.time_zone))
}

/// Whether a responder acts on what is received now: enabled, with subject (or prefix) and message, within its window
/// (A12).
#[must_use]
pub fn active(responder: &ResponderObject, now: Timestamp, zone: &TimeZone) -> bool {
    decide::inactive(responder, now, zone).is_none()
}

/// The number of a responder's owner.
fn owner_id(directory: &Directory, responder: &ResponderObject) -> Option<AccountId> {
    owner(directory, responder).map(|account| account.id)
}
