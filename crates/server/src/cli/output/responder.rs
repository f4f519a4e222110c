//! Responders in words.

use admin::{Preview, ResponderView};
use routing::objects::{Audience, ResponderKind, ResponderObject};
use routing::responders::{Keeping, Phase};

use super::{field, line, moment};

pub(super) fn preview(one: &Preview) -> String {
    let mut out = String::new();
    line(&mut out, format_args!("responder {} now {}", one.responder, one.decision));
    if let Some(at) = one.answered_at {
        field(&mut out, "answered last", moment(at));
    }
    if let Some(at) = one.next_answer_at {
        field(&mut out, "answers again from", moment(at));
    }
    let name = if one.from_name.is_empty() { String::new() } else { format!("{} ", one.from_name) };
    field(&mut out, "From", format_args!("{name}<{}>", one.from));
    field(&mut out, "To", &one.to);
    field(&mut out, "Subject", &one.subject);
    for (name, body) in [("text", &one.text), ("HTML", &one.html)] {
        if let Some(body) = body {
            line(
                &mut out,
                format_args!(
                    "{name}:
{}",
                    body.trim_end()
                ),
            );
        }
    }
    out
}

pub(super) fn phase(view: &ResponderView) -> &'static str {
    match view.phase {
        Phase::Active if view.acts_now => "ACTIVE",
        Phase::Active => "active, silent at this hour",
        Phase::Waiting => "waiting for its start",
        Phase::Over => "ended",
        Phase::Off => "off",
    }
}

pub(super) fn kept(keeping: Keeping) -> &'static str {
    match keeping {
        Keeping::Kept => "kept",
        Keeping::Deleted => "DELETED",
        Keeping::Redirected => "redirected",
        Keeping::CopiesOnly => "copied only",
        Keeping::FailureNotice => "FAILURE NOTICE",
    }
}

pub(super) fn responder(view: &ResponderView) -> String {
    let one = &view.responder;
    let mut out = String::new();
    let address =
        |address: &Option<mail::Address>| address.as_ref().map_or_else(|| "nobody".into(), ToString::to_string);
    field(&mut out, "responder", one.id);
    field(&mut out, "at", &one.address);
    field(&mut out, "kind", kind(one.kind));
    field(&mut out, "state", phase(view));
    field(&mut out, "subject", subject(one));
    field(&mut out, "window", format_args!("{} ({})", window(one), view.zone));
    if let Some(hours) = &one.hours {
        field(&mut out, "hours", hours);
    }
    let audience = match one.audience {
        Audience::Everyone => "everyone",
        Audience::Contacts => "contacts, and the people of the organisation",
        Audience::Inside => "the people of the organisation",
    };
    field(&mut out, "answers", audience);
    field(&mut out, "answered", format_args!("{} since it began", view.answered));
    field(&mut out, "answers one sender", one.often());
    field(&mut out, "received messages", &view.received);
    if let Some(deputy) = &one.deputy {
        let copies = if one.copy_to_deputy { ", gets copies of what is received" } else { "" };
        field(&mut out, "deputy", format_args!("{deputy}{copies}"));
    }
    field(&mut out, "answers copied to", address(&one.copy_answers_to));
    field(&mut out, "received copied to", address(&one.copy_received_to));
    field(&mut out, "answers in Sent", &view.filed);
    let (inside_text, inside_html) = one.inside.as_ref().map_or((&None, &None), |words| (&words.text, &words.html));
    if let Some(words) = &one.inside {
        field(&mut out, "subject inside", format_args!("{} {}", words.subject_prefix, words.subject));
    }
    let bodies = [("text", &one.text), ("HTML", &one.html), ("text inside", inside_text), ("HTML inside", inside_html)];
    for (name, body) in bodies {
        if let Some(body) = body {
            line(&mut out, format_args!("{name}:\n{}", body.trim_end()));
        }
    }
    out
}

pub(super) fn kind(kind: ResponderKind) -> &'static str {
    match kind {
        ResponderKind::Autoresponder => "autoresponder",
        ResponderKind::OutOfOffice => "out-of-office",
    }
}

pub(super) fn subject(one: &ResponderObject) -> String {
    match (one.subject.is_empty(), one.subject_prefix.is_empty()) {
        (false, _) => one.subject.clone(),
        (true, false) => format!("{} + the original", one.subject_prefix),
        (true, true) => "the original".to_owned(),
    }
}

pub(super) fn window(one: &ResponderObject) -> String {
    match (one.starts.as_deref(), one.ends.as_deref()) {
        (None, None) => "always".to_owned(),
        (Some(starts), None) => format!("from {starts}"),
        (None, Some(ends)) => format!("until {ends}"),
        (Some(starts), Some(ends)) => format!("{starts} to {ends}"),
    }
}
