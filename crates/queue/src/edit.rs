//! What an administrator does to a queue entry: hold, resume, try again now. Deleting is removing the row.

use mail::{DeliverByMode, Domain, Timestamp};
use storage::rows::QueueRow;

/// Holds an entry: it is not attempted, and its age does not make it fail, until it is resumed.
pub fn hold(row: &mut QueueRow) {
    row.held = true;
    // Out of the way of the due ones, which are found by time.
    row.next_attempt = FAR;
}

/// Ends the hold; the entry is attempted at once, or when its sender wants it to leave.
pub fn resume(row: &mut QueueRow) {
    row.held = false;
    match row.waiting {
        Some(waiting) => row.next_attempt = waiting.until,
        None => retry_now(row),
    }
}

/// Has an entry attempted at once, whatever its schedule and the memory of its destination's failures say.
pub fn retry_now(row: &mut QueueRow) {
    if !row.held {
        row.next_attempt = row.accepted_at;
    }
}

/// Sends an entry another way, at once: to the hosts of another domain. Its recipients stay who they are. What was said of the old way
/// counts no more.
pub fn reroute(row: &mut QueueRow, to: &Domain) {
    row.destination = to.clone();
    row.route = None;
    row.last_error = None;
    retry_now(row);
}

/// Sends an entry another way, at once: by a route that the configuration names.
pub fn reroute_by(row: &mut QueueRow, route: &str) {
    row.route = Some(route.to_owned());
    row.last_error = None;
    retry_now(row);
}

/// Whether the time has passed after which the sender wants the message back (RFC 2852): no attempt is made any more.
#[must_use]
pub fn is_out_of_time(row: &QueueRow, now: Timestamp) -> bool {
    row.deliver_by.is_some_and(|by| by.mode == DeliverByMode::Return && by.by <= now)
}

/// Whether somebody asked for this attempt with [`retry_now`]. The schedule itself never yields such a time.
#[must_use]
pub fn is_wanted_at_once(row: &QueueRow) -> bool {
    row.attempts > 0 && row.next_attempt <= row.accepted_at
}

/// The end of the year 9999.
const FAR: Timestamp = Timestamp(253_402_300_799_000);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attempt::tests::row;

    #[test]
    fn another_way_is_taken_at_once_to_the_same_people() {
        let mut row = row(&["a@b.example"]);
        (row.attempts, row.last_error) = (3, Some("no connection".to_owned()));
        let recipients = row.recipients.clone();
        reroute(&mut row, &Domain::parse("c.example").unwrap());
        assert_eq!((row.destination.as_str(), &row.recipients), ("c.example", &recipients));
        assert!(is_wanted_at_once(&row) && row.last_error.is_none());
        reroute_by(&mut row, "provider");
        assert_eq!((row.destination.as_str(), row.route.as_deref()), ("c.example", Some("provider")));
        hold(&mut row);
        reroute(&mut row, &Domain::parse("d.example").unwrap());
        assert_eq!(row.route, None, "a domain's own way again");
        assert!(row.held && row.next_attempt == FAR, "what is held stays so");
    }

    #[test]
    fn holding_ends_with_an_attempt_at_once() {
        let mut row = row(&["a@b.example"]);
        row.attempts = 3;
        row.next_attempt = row.accepted_at.plus(std::time::Duration::from_secs(60));
        assert!(!is_wanted_at_once(&row));
        hold(&mut row);
        retry_now(&mut row);
        assert!(row.held && row.next_attempt == FAR && !is_wanted_at_once(&row));
        resume(&mut row);
        assert!(!row.held && is_wanted_at_once(&row));
    }
}
