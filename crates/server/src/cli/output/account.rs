//! Accounts, passwords and names in words.

use admin::{AccountView, StrengthView};
use routing::objects::{AccountKind, Identity, Role, SubmissionLimits};

use crate::check::counted;

use super::{addresses, field, line, moment, size, warnings};

pub(super) fn account(one: &AccountView) -> String {
    let mut out = String::new();
    field(&mut out, "account", &one.address);
    field(&mut out, "name", &one.display_name);
    field(&mut out, "role", role(one.role));
    let login = match (one.enabled, one.has_password) {
        (true, true) => "allowed",
        (true, false) => "not possible: no password is set",
        (false, _) => "not allowed",
    };
    field(&mut out, "login", login);
    let names = |addresses: &[mail::Address]| addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    if one.kind == AccountKind::Shared {
        field(&mut out, "kind", "shared mailbox");
    }
    if one.role == Role::DomainAdministrator {
        let domains: Vec<String> = one.administers.iter().map(ToString::to_string).collect();
        field(&mut out, "administers", domains.join(", "));
    }
    if !one.withdrawn.is_empty() {
        let services: Vec<&str> = one.withdrawn.iter().map(|service| service.name()).collect();
        field(&mut out, "withdrawn", services.join(", "));
    }
    if !one.owner.is_empty() {
        field(&mut out, "owner", &one.owner);
    }
    if let Some(further) = one.addresses.get(1..).filter(|further| !further.is_empty()) {
        field(&mut out, "also", names(further));
    }
    for leading in &one.leading {
        let way = if leading.direct { "" } else { ", by way of another alias" };
        field(&mut out, "led to by", format_args!("{} ({}{way})", leading.address, leading.what));
    }
    for redirect in &one.redirects {
        let to = addresses::target(&redirect.to);
        field(&mut out, "redirected", format_args!("by the alias {} to {to}", redirect.address));
    }
    for identity in &one.identities {
        field(&mut out, "writes as", format_args!("{} <{}>", identity.display_name, identity.address));
    }
    if let Some(recovery) = &one.recovery {
        field(&mut out, "recovery address", recovery);
    }
    if let Some(gone) = &one.off_boarding {
        field(&mut out, "person left", moment(gone.at));
        let successor = gone.successor.as_ref().map_or_else(|| "nobody".to_owned(), ToString::to_string);
        field(&mut out, "successor", successor);
        if gone.redirected {
            let until = gone.redirect_until.as_deref().map_or(String::new(), |date| format!(" until {date}"));
            field(&mut out, "copies", format_args!("to the successor{until}"));
        }
        field(&mut out, "deleted after", gone.delete_after.as_deref().unwrap_or("never"));
    }
    addresses::rules(&mut out, &one.rules);
    if !one.note.is_empty() {
        field(&mut out, "note", &one.note);
    }
    field(&mut out, "quota", quota(one));
    if let (Some(messages), Some(octets), Some(mailboxes)) = (one.messages, one.octets, one.mailboxes) {
        let (messages, mailboxes) = (counted(messages, "messages"), counted(mailboxes, "mailboxes"));
        field(&mut out, "holds", format_args!("{messages}, {} in {mailboxes}", size(octets)));
    }
    if let Some(sent) = &one.submitted {
        let counted = format!(
            "{} of {} messages, {} of {} recipients, {} of {} for the first time",
            sent.messages,
            sent.messages_max,
            sent.recipients,
            sent.recipients_max,
            sent.first_time,
            sent.first_time_max
        );
        let over = if sent.limit_reached { "; a limit was reached" } else { "" };
        field(&mut out, "sent today", format_args!("{counted}{over}"));
    }
    if one.submission != SubmissionLimits::default() && one.submitted.is_none() {
        let limits = [
            one.submission.messages.map(|most| counted(most.into(), "messages")),
            one.submission.recipients.map(|most| counted(most.into(), "recipients")),
            one.submission.first_time.map(|most| format!("{most} for the first time")),
        ];
        let limits: Vec<String> = limits.into_iter().flatten().collect();
        field(&mut out, "sends in a day", format_args!("at most {}", limits.join(", ")));
    }
    if one.undo_send_secs > 0 {
        field(&mut out, "undo send", format_args!("within {} seconds", one.undo_send_secs));
    }
    field(&mut out, "time zone", &one.time_zone);
    field(&mut out, "language", &one.language);
    field(&mut out, "made", moment(one.created_at));
    if let Some(password) = &one.generated_password {
        field(&mut out, "password", format_args!("{} (shown only now)", password.expose()));
    }
    warnings(&mut out, &one.warnings);
    out
}

/// The limits that there are, in words.
fn quota(one: &AccountView) -> String {
    let limits = [
        one.quota_octets.map(size),
        one.quota_messages.map(|messages| counted(messages, "messages")),
        one.quota_mailboxes.map(|mailboxes| counted(mailboxes, "mailboxes")),
    ];
    let limits: Vec<String> = limits.into_iter().flatten().collect();
    if limits.is_empty() {
        return "no limit".to_owned();
    }
    let nothing = one.quota_octets == Some(0) || one.quota_messages == Some(0);
    let told = if nothing {
        " (nothing fits, and mail for it is refused; `--no-quota` and `--no-quota-messages`: no limit)"
    } else {
        ""
    };
    format!("{}{told}", limits.join(", "))
}

pub(super) fn strength(one: &StrengthView) -> String {
    let mut out = String::new();
    let french = one.language == "fr";
    let taken = if french { "il serait accepté" } else { "it would be taken" };
    let verdict = if one.taken { taken.to_owned() } else { one.reason.clone() };
    let (score, words, least) = (one.score, &one.words, one.score_min);
    if french {
        field(&mut out, "force", format_args!("{score} sur 4 ({words}) ; il faut {least}"));
    } else {
        field(&mut out, "strength", format_args!("{score} of 4 ({words}); {least} is needed"));
    }
    field(&mut out, "verdict", verdict);
    one.advice.iter().for_each(|advice| line(&mut out, format_args!("  {advice}")));
    out
}

pub(super) fn identity(one: &Identity) -> String {
    let mut out = String::new();
    field(&mut out, "address", &one.address);
    field(&mut out, "name", &one.display_name);
    for (name, body) in [("signature", &one.signature_text), ("signature as HTML", &one.signature_html)] {
        if !body.is_empty() {
            line(&mut out, format_args!("{name}:\n{}", body.trim_end()));
        }
    }
    out
}

pub(super) fn role(role: Role) -> &'static str {
    match role {
        Role::User => "user",
        Role::DomainAdministrator => "domain-administrator",
        Role::Administrator => "administrator",
    }
}
