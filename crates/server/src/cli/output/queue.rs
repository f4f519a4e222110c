//! Queue entries and parked events in words.

use admin::{EventView, QueueEntryView};

use super::{field, line, moment, size};

pub(super) fn queue_entry(one: &QueueEntryView) -> String {
    let mut out = String::new();
    field(&mut out, "entry", one.id);
    field(&mut out, "from", &one.reverse_path);
    field(&mut out, "destination", &one.destination);
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
