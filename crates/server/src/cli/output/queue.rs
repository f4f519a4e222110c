//! Queue entries and parked events in words.

use admin::{EventView, QueueEntryView, QueueWaitsFor};

use super::{field, line, moment, size};

pub(super) fn queue_entry(one: &QueueEntryView) -> String {
    let mut out = String::new();
    field(&mut out, "entry", one.id);
    field(&mut out, "from", &one.reverse_path);
    match one.waits_until {
        Some(_) => field(&mut out, "destination", "its recipients', when it sets out"),
        None => field(&mut out, "destination", &one.destination),
    }
    field(&mut out, "way", if one.way.is_empty() { "-" } else { &one.way });
    field(&mut out, "class", if one.class.is_empty() { "-" } else { &one.class });
    field(&mut out, "size", size(one.octets));
    field(&mut out, "accepted", moment(one.accepted_at));
    field(&mut out, "attempts", one.attempts);
    field(&mut out, "next attempt", if one.held { "held".to_owned() } else { moment(one.next_attempt) });
    if let Some(until) = one.waits_until {
        field(&mut out, "waits until", moment(until));
    }
    if one.priority != 0 {
        field(&mut out, "priority", one.priority);
    }
    if let Some(by) = one.deliver_by {
        field(&mut out, "deliver by", moment(by));
    }
    field(&mut out, "last error", one.last_error.as_deref().unwrap_or("-"));
    field(&mut out, "why it waits", &one.why);
    for recipient in &one.recipients {
        let said = recipient.last_reply.as_deref().unwrap_or("nothing said yet");
        field(&mut out, "to", format_args!("{} ({}): {said}", recipient.address, recipient.state));
    }
    out
}

/// What an entry waits for, in a few words.
pub(super) fn waits_for(one: &QueueEntryView) -> &'static str {
    match (one.held, one.waits_for, one.attempts) {
        (true, ..) => "an administrator, who holds it",
        (false, Some(QueueWaitsFor::Undo), _) => "its sender, who may take it back",
        (false, Some(QueueWaitsFor::Release), _) => "the time that its sender set",
        (false, None, 0) => "its first attempt",
        (false, None, _) => "its next attempt",
    }
}

pub(super) fn event(one: &EventView) -> String {
    let mut out = String::new();
    field(&mut out, "event", one.id);
    field(&mut out, "happened", moment(one.created_at));
    field(&mut out, "attempts", one.attempts);
    field(&mut out, "last error", one.last_error.as_deref().unwrap_or("-"));
    if let Some(content) = &one.content {
        line(&mut out, format_args!("{content:#}"));
    }
    out
}
