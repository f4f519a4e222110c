//! Mailing lists, their members and what waits, in words.

use admin::{ListView, MemberView, WaitingView};
use routing::objects::Posting;
use serde::Serialize;
use storage::rows::{MemberState, WaitReason};

use super::{field, moment, on_off, shown, size, table, warnings};

pub(super) fn lists(all: &[ListView]) -> String {
    table(
        ["LIST", "NAME", "MEMBERS", "WAITING", "STATE"],
        "no mailing lists yet; `relais list add garden@example.org --owner alice@example.org` adds one",
        all.iter().map(|one| {
            let counts = (one.active.to_string(), one.waiting.to_string());
            let name = one.list.display_name.clone();
            [one.list.address.to_string(), name, counts.0, counts.1, on_off(one.list.enabled)]
        }),
    )
}

pub(super) fn members(all: &[MemberView]) -> String {
    table(
        ["MEMBER", "NAME", "STATE", "JOINED", "BOUNCES"],
        "no members",
        all.iter().map(|one| {
            let bounces = format!("{}.{}", one.bounce_tenths / 10, one.bounce_tenths % 10);
            let state = member_state(one.state).to_owned();
            [one.address.to_string(), one.name.clone(), state, moment(one.joined_at), bounces]
        }),
    )
}

pub(super) fn waiting(all: &[WaitingView]) -> String {
    table(
        ["MESSAGE", "AUTHOR", "SUBJECT", "SIZE", "WHY", "UNTIL"],
        "nothing waits",
        all.iter().map(|one| {
            let author = one.author.as_ref().map_or_else(|| one.reverse_path.clone(), ToString::to_string);
            let why = match one.reason {
                WaitReason::Moderated => "moderated",
                WaitReason::NonMember => "not a member",
            };
            let until = moment(one.expires);
            [one.message.to_string(), author, one.subject.clone(), size(one.octets), why.to_owned(), until]
        }),
    )
}

pub(super) fn list(one: &ListView) -> String {
    let mut out = String::new();
    let (list, settings) = (&one.list, &one.list.settings);
    let addresses = |all: &[mail::Address]| all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    field(&mut out, "list", &list.address);
    field(&mut out, "name", &list.display_name);
    field(&mut out, "state", on_off(list.enabled));
    field(&mut out, "members", format_args!("{}, of whom {} get posts", one.members, one.active));
    field(&mut out, "waiting messages", one.waiting);
    field(&mut out, "owners", addresses(&list.owners));
    field(&mut out, "moderators", addresses(list.deciders()));
    let posting = match &list.posting {
        Posting::Named(named) => named.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        posting @ (Posting::Anyone | Posting::Organisation | Posting::Members) => word(posting),
    };
    field(&mut out, "who may write", posting);
    field(&mut out, "others than members", word(&settings.non_members));
    field(&mut out, "moderated", if list.moderated { "every message waits" } else { "no" });
    field(&mut out, "joining", word(&settings.joining));
    field(&mut out, "From of posts", word(&settings.from));
    field(&mut out, "answers go to", word(&settings.reply_to));
    field(&mut out, "subject prefix", &settings.subject_prefix);
    field(
        &mut out,
        "largest message",
        list.rules.message_octets_max.map_or_else(|| "no limit of its own".to_owned(), size),
    );
    let archive = match settings.archive {
        true => format!("kept, read by {}", word(&settings.archive_readers)),
        false => on_off(false).to_owned(),
    };
    field(&mut out, "archive", archive);
    field(&mut out, "personal links", on_off(settings.personal_links));
    field(&mut out, "messages wait", format_args!("{} days", settings.waiting_days));
    field(&mut out, "suspended after", format_args!("{} days with bounces", settings.bounce_days_max));
    field(&mut out, "language", &settings.language);
    field(&mut out, "note", &list.note);
    warnings(&mut out, &one.warnings);
    out
}

pub(super) fn member(one: &MemberView) -> String {
    let mut out = String::new();
    field(&mut out, "member", &one.address);
    field(&mut out, "name", shown(&one.name));
    field(&mut out, "state", member_state(one.state));
    field(&mut out, "joined", moment(one.joined_at));
    field(&mut out, "language", one.language.as_deref().unwrap_or("the list's"));
    field(&mut out, "own posts", if one.own_posts { "come back" } else { "do not come back" });
    field(&mut out, "days with bounces", format_args!("{}.{}", one.bounce_tenths / 10, one.bounce_tenths % 10));
    field(&mut out, "note", &one.note);
    warnings(&mut out, &one.warnings);
    out
}

fn member_state(state: MemberState) -> &'static str {
    match state {
        MemberState::Active => "active",
        MemberState::Suspended => "suspended",
        MemberState::Pending => "pending",
    }
}

/// A setting in its JSON word, as it is typed.
fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}
