//! Aliases, groups and patterns in words.

use admin::discovery::records::RecordsView;
use admin::{AliasView, GroupView, PatternTest};
use routing::objects::{AddressRules, AliasMakers, AliasPolicy, GroupObject, PatternAlias, Posting, Target};

use super::{field, line, moment, on_off, size, table, warnings};

pub(super) fn alias(one: &AliasView) -> String {
    let mut out = String::new();
    field(&mut out, "alias", &one.alias.address);
    field(&mut out, "leads to", targets(one));
    field(&mut out, "state", state(one));
    field(&mut out, "note", &one.alias.note);
    if let Some(owner) = &one.owner {
        field(&mut out, "made by", owner);
    }
    rules(&mut out, &one.alias.rules);
    if let Some(fallback) = &one.alias.when_away {
        field(&mut out, "when all are away", fallback);
    }
    if one.alias.deputies_when_away {
        field(&mut out, "when all are away", "their deputies");
    }
    field(&mut out, "first used by", first_use(one));
    warnings(&mut out, &one.warnings);
    out
}

/// Lines for a zone file; what can't be one is a comment there.
pub(super) fn records(view: &RecordsView) -> String {
    let mut out = String::new();
    let width = view.records.iter().map(|one| one.name.len()).max().unwrap_or(0).saturating_add(1);
    for one in &view.records {
        let name = format!("{}.", one.name);
        line(&mut out, format_args!("{name:<width$}  {:<5}  {:<38}  ; {}", one.kind, one.value, one.purpose));
    }
    view.notes.iter().for_each(|note| line(&mut out, format_args!("; {note}")));
    out
}

pub(super) fn aliases(all: &[AliasView]) -> String {
    table(
        ["ALIAS", "LEADS TO", "STATE", "FIRST USED BY", "NOTE"],
        "no aliases yet; `relais alias add info@example.org --to alice@example.org` adds one",
        all.iter().map(|one| {
            let first = one.first_use.as_ref().map_or_else(|| "-".to_owned(), |first| first.from.clone());
            [one.alias.address.to_string(), targets(one), state(one), first, one.alias.note.clone()]
        }),
    )
}

/// An alias that is on takes no mail behind its last moment.
fn state(one: &AliasView) -> String {
    if one.alias.enabled && one.expired { "expired".to_owned() } else { on_off(one.alias.enabled) }
}

fn first_use(one: &AliasView) -> String {
    let told = |first: &admin::FirstUseView| format!("{} on {}", first.from, moment(first.at));
    one.first_use.as_ref().map_or_else(|| "nobody yet".to_owned(), told)
}

fn targets(one: &AliasView) -> String {
    one.alias.targets.iter().map(target).collect::<Vec<_>>().join(", ")
}

/// Where an alias leads.
pub(super) fn target(target: &Target) -> String {
    if *target == Target::AllUsers { ":all: (every user)".to_owned() } else { String::from(target.clone()) }
}

/// What an address demands, a line for each condition.
pub(super) fn rules(out: &mut String, rules: &AddressRules) {
    if let Some(expires) = &rules.expires {
        field(out, "takes mail until", expires);
    }
    if rules.internal_only {
        field(out, "takes mail from", "people of the organisation who have logged in");
    }
    if !rules.senders.is_empty() {
        let senders: Vec<String> = rules.senders.iter().map(ToString::to_string).collect();
        field(out, "takes mail from", senders.join(", "));
    }
    if let Some(octets) = rules.message_octets_max {
        field(out, "takes messages up to", size(octets));
    }
}

pub(super) fn group(view: &GroupView) -> String {
    let one = &view.group;
    let mut out = String::new();
    field(&mut out, "group", &one.address);
    field(&mut out, "name", &one.display_name);
    field(&mut out, "state", on_off(one.enabled));
    field(&mut out, "may be written to by", posting(&one.posting));
    if one.moderated {
        field(&mut out, "moderated by", addresses(&one.moderators));
    }
    if one.moderated || view.waiting > 0 {
        field(&mut out, "waiting messages", view.waiting);
    }
    rules(&mut out, &one.rules);
    if let Some(fallback) = &one.when_away {
        field(&mut out, "when all are away", fallback);
    }
    if !one.withdrawn.is_empty() {
        let services: Vec<&str> = one.withdrawn.iter().map(|service| service.name()).collect();
        field(&mut out, "members are without", services.join(", "));
    }
    if one.deputies_when_away {
        field(&mut out, "when all are away", "their deputies");
    }
    field(&mut out, "note", &one.note);
    for member in &one.members {
        field(&mut out, "member", member);
    }
    warnings(&mut out, &view.warnings);
    out
}

pub(super) fn groups(all: &[GroupObject]) -> String {
    table(
        ["GROUP", "NAME", "MEMBERS", "MAY WRITE", "STATE", "NOTE"],
        "no groups yet; `relais group add board@example.org --member alice@example.org` adds one",
        all.iter().map(|one| {
            let mut who = posting(&one.posting);
            if one.moderated {
                who.push_str(", moderated");
            }
            let members = one.members.len().to_string();
            [one.address.to_string(), one.display_name.clone(), members, who, on_off(one.enabled), one.note.clone()]
        }),
    )
}

fn posting(posting: &Posting) -> String {
    match posting {
        Posting::Anyone => "anyone".to_owned(),
        Posting::Organisation => "organisation".to_owned(),
        Posting::Members => "members".to_owned(),
        Posting::Named(named) => named.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    }
}

fn addresses(all: &[mail::Address]) -> String {
    all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Who may make aliases, and which.
pub(super) fn policy(policy: &AliasPolicy) -> String {
    let who = match &policy.makers {
        AliasMakers::Nobody => return "nobody but administrators".to_owned(),
        AliasMakers::Everyone => "everyone".to_owned(),
        AliasMakers::Named(named) => addresses(named),
    };
    format!("{who}, up to {} each", policy.per_person_max)
}

pub(super) fn patterns(all: &[PatternAlias]) -> String {
    table(
        ["NUMBER", "PATTERN", "LEADS TO", "STATE", "NOTE"],
        "no patterns; `relais domain pattern add --help` shows how to add one",
        all.iter().enumerate().map(|(at, one)| {
            let number = at.saturating_add(1).to_string();
            [number, one.pattern.clone(), one.targets.join(", "), on_off(one.enabled), one.note.clone()]
        }),
    )
}

pub(super) fn pattern_test(test: &PatternTest) -> String {
    let mut out = String::new();
    match (&test.number, &test.pattern) {
        (Some(number), Some(pattern)) => {
            line(&mut out, format_args!("{} fits pattern {number}: {pattern}", test.address));
            for target in &test.targets {
                line(&mut out, format_args!("  {target}"));
            }
        }
        _ => line(&mut out, format_args!("{} fits no pattern", test.address)),
    }
    line(&mut out, format_args!("as things are saved, a stranger's message goes this way:"));
    out.push_str(&test.explanation);
    out
}
