//! Shared mailboxes and access lists in words.

use admin::{AclView, SharedView};
use routing::objects::SeenState;

use crate::check::counted;

use super::{field, moment, size, table};

pub(super) fn shared(one: &SharedView) -> String {
    let mut out = String::new();
    field(&mut out, "shared mailbox", &one.address);
    field(&mut out, "name", &one.display_name);
    field(&mut out, "quota", one.quota_octets.map_or_else(|| "no limit".to_owned(), size));
    if let (Some(messages), Some(octets)) = (one.messages, one.octets) {
        field(&mut out, "holds", format_args!("{}, {}", counted(messages, "messages"), size(octets)));
    }
    field(&mut out, "seen state", seen(one.shared.seen));
    field(&mut out, "what is sent", if one.shared.file_sent { "is filed in its Sent" } else { "is not filed" });
    field(&mut out, "note", &one.note);
    field(&mut out, "made", moment(one.created_at));
    for member in &one.shared.members {
        field(&mut out, "member", format_args!("{}  {}", member.account, member.rights));
    }
    if one.shared.members.is_empty() {
        field(&mut out, "members", "none yet; `relais shared member add` adds one");
    }
    out
}

pub(super) fn acl(one: &AclView) -> String {
    let mut out = String::new();
    field(&mut out, "mailbox", format_args!("{} of {}", one.mailbox, one.address));
    field(&mut out, "seen state", one.seen.map_or("as the account says", seen));
    let rows = one.lines.iter().map(|line| [line.identifier.clone(), line.rights.to_string(), line.reason.to_string()]);
    out.push_str(&table(["WHO", "RIGHTS", "WHY"], "nobody but its owner has a right to it", rows));
    out
}

pub(super) fn seen(seen: SeenState) -> &'static str {
    match seen {
        SeenState::Shared => "one for all",
        SeenState::PerPerson => "one for each person",
    }
}
