//! Responders as decisions: which are active, what they change at acceptance, whether one answers a message, and why not.
//!
//! Pure. The crate `responder` reads the message, builds the answer and stores it; `relais explain` and the trace call
//! the same [`decide`]. RFC 3834 (automatic responses), RFC 5230 §4.5 and §4.6 (out-of-office only), rows A1
//! to A14 and V1 to V5 of `docs/design.md`.

mod acceptance;
mod check;
mod compose;
mod copies;
mod decide;
mod facts;
mod hours;
mod keeping;
mod placeholders;
mod subject;
mod window;

pub use acceptance::{AcceptancePlan, ResponderEvent, at_acceptance, bound_answers};
pub use check::{ResponderFlaw, check_responder};
pub use compose::{Composed, Occasion, compose};
pub use decide::{Decision, LastAnswer, Memory, Silence, decide};
pub use facts::{Facts, HeaderMarks, Received, capped_sender, counted_sender, is_automatic_sender, is_own_address};
pub use hours::{HoursFlaw, WeeklyHours};
pub use keeping::{Keeping, keeping};
pub use placeholders::{Form, Placeholder, PlaceholderFlaw, escape_html, fill, placeholders};
pub use subject::{cut, one_line};
pub use window::{Moment, TimeZone, Window, WindowFlaw, day_at, is_zone, zone_named};

use std::sync::Arc;

use mail::{AccountId, Address, Timestamp};

use crate::directory::Directory;
use crate::objects::{AccountObject, Audience, ResponderKind, ResponderObject};

/// The account that a responder belongs to: the one with its address. A free responder, or one at an alias, has none.
#[must_use]
pub fn owner<'a>(directory: &'a Directory, responder: &ResponderObject) -> Option<&'a AccountObject> {
    directory.account_at(&responder.address).map(Arc::as_ref)
}

/// Whether a responder has what its kind needs: an absence belongs to a person, and ends when the account is removed.
#[must_use]
pub fn belongs(directory: &Directory, responder: &ResponderObject) -> bool {
    responder.kind == ResponderKind::Autoresponder || owner(directory, responder).is_some()
}

/// The time zone in which a responder's window and hours are read: its own, else its owner's, else UTC.
#[must_use]
pub fn zone_of(directory: &Directory, responder: &ResponderObject) -> TimeZone {
    let of_owner = || owner(directory, responder).map(|account| account.time_zone.as_str());
    responder.time_zone.as_deref().or_else(of_owner).map_or(TimeZone::UTC, zone_named)
}

/// Whether a responder acts on what is received now: enabled, with subject (or prefix) and message, within its window
/// and its hours (A12).
#[must_use]
pub fn active(responder: &ResponderObject, now: Timestamp, zone: &TimeZone) -> bool {
    decide::inactive(responder, now, zone).is_none()
}

/// Where a responder is in its life, its weekly hours aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Switched off, or not complete.
    Off,
    /// Its start is still to come.
    Waiting,
    /// It acts now, or will within the week.
    Active,
    /// Its end has passed.
    Over,
}

/// Where a responder is in its life.
#[must_use]
pub fn phase(responder: &ResponderObject, now: Timestamp, zone: &TimeZone) -> Phase {
    match decide::inactive(responder, now, zone) {
        None | Some(Silence::Hours) => Phase::Active,
        Some(Silence::NotYet) => Phase::Waiting,
        Some(Silence::Over) => Phase::Over,
        Some(_) => Phase::Off,
    }
}

/// To whom the out-of-office messages of the same person speak that come before this one, for a message to `recipient`:
/// those at the same address, at the account's primary one, and at the one that was written to. Each autoresponder is a robot
/// of its own; but of a person's several out-of-office messages one answers: with an end before one without, then with
/// hours before one without, then the shorter window, then the lower number.
fn rivals(directory: &Directory, responder: &ResponderObject, recipient: &Address, at: Timestamp) -> Vec<Audience> {
    let away = |other: &ResponderObject| other.kind == ResponderKind::OutOfOffice;
    let Some(person) = owner(directory, responder).filter(|_| away(responder)) else { return Vec::new() };
    let reached = |address: &Address| {
        let same = [&responder.address, &person.address, recipient];
        same.into_iter().any(|known| known.same_mailbox(address))
    };
    let own = specificity(responder);
    let before = |other: &&Arc<ResponderObject>| {
        other.id != responder.id
            && away(other)
            && specificity(other) < own
            && active(other, at, &zone_of(directory, other))
    };
    let mut found = Vec::new();
    for address in person.addresses().filter(reached) {
        found.extend(directory.responders_at(&address).filter(before).map(|other| other.audience));
    }
    found
}

fn specificity(responder: &ResponderObject) -> (bool, bool, i64, u64) {
    let window = Window::parse(responder.starts.as_deref(), responder.ends.as_deref()).unwrap_or_default();
    (responder.ends.is_none(), responder.hours.is_none(), window.span_secs(), responder.id)
}

/// The number of a responder's owner.
fn owner_id(directory: &Directory, responder: &ResponderObject) -> Option<AccountId> {
    owner(directory, responder).map(|account| account.id)
}
