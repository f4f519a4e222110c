//! Bans in words, and what is known of an address.

use abuse::Ban;
use admin::VisitorView;
use mail::Timestamp;

use super::{field, line, moment, table};

pub(super) fn bans(all: &[Ban]) -> String {
    table(
        ["WHO", "SINCE", "UNTIL", "TIMES", "CAUSE", "WHY"],
        "nobody is banned",
        all.iter().map(|ban| {
            let cause = ban.cause.name().replace('_', " ");
            [ban.prefix.to_string(), moment(ban.since), until(ban.until), ban.times.to_string(), cause, ban.why.clone()]
        }),
    )
}

fn until(at: Option<Timestamp>) -> String {
    at.map_or_else(|| "removed".to_owned(), moment)
}

pub(super) fn visitor(one: &VisitorView) -> String {
    let seen = &one.visitor;
    let mut out = String::new();
    field(&mut out, "address", seen.address);
    let state = match (&seen.told, seen.never_banned) {
        (Some(_), _) => "banned",
        (None, true) => "never banned, by the configuration",
        (None, false) => "may come in",
    };
    field(&mut out, "state", state);
    if let Some(told) = &seen.told {
        field(&mut out, "is told", told);
    }
    if seen.familiar {
        field(&mut out, "familiar", "somebody has logged in from there lately");
    }
    for ban in &seen.bans {
        let times = format!("until {} ({}): {}", until(ban.until), nth(ban.times), ban.why);
        field(&mut out, "ban", format_args!("{} since {} {times}", ban.prefix, moment(ban.since)));
    }
    for count in &seen.counts {
        let kind = count.kind.words(count.count == 1);
        let mut rules = Vec::new();
        if count.limit > 0 {
            rules.push(format!("at most {} are taken", count.limit));
        }
        if count.bans_from > 0 {
            rules.push(format!("a ban from {} on", count.bans_from));
        }
        let rules = if rules.is_empty() { "any number is taken".to_owned() } else { rules.join(", ") };
        field(
            &mut out,
            "counted",
            format_args!("{}: {} {kind} in {}; {rules}", count.prefix, count.count, count.kind.window_words()),
        );
    }
    if !one.counted {
        line(&mut out, format_args!("No server runs: what clients did is counted by a running one."));
    } else if seen.counts.is_empty() {
        field(&mut out, "counted", "nothing lately");
    }
    out
}

fn nth(times: u32) -> String {
    match times {
        0 | 1 => "the first time".to_owned(),
        2 => "the second time".to_owned(),
        3 => "the third time".to_owned(),
        more => format!("the {more}th time"),
    }
}

#[cfg(test)]
mod tests {
    use abuse::{Door, Settings};

    use super::*;

    #[test]
    fn what_is_known_of_an_address_is_told_in_lines() {
        let door = Door::new(Settings::default(), || {});
        let (who, now) = ("192.0.2.7".parse().unwrap(), Timestamp(0));
        let _done = door.failed_login(who, false, None, now);
        let told = visitor(&VisitorView { visitor: door.visitor(who, now), counted: true });
        assert!(told.contains("state                 may come in\n"), "{told}");
        assert!(
            told.contains("192.0.2.7: 1 failed login in an hour; at most 20 are taken, a ban from 20 on\n"),
            "{told}"
        );
        door.ban("192.0.2.0/24".parse().unwrap(), "spam wave", None, now).unwrap();
        let told = visitor(&VisitorView { visitor: door.visitor(who, now), counted: false });
        assert!(
            told.contains("state                 banned\n") && told.contains("is told               Your network"),
            "{told}"
        );
        assert!(
            told.contains("192.0.2.0/24 since 1970-01-01 00:00:00 UTC until removed (the first time): spam wave\n"),
            "{told}"
        );
        assert!(told.contains("No server runs"), "{told}");
        let listed = bans(&door.in_force(now));
        assert!(listed.contains("administrator") && listed.contains("spam wave"), "{listed}");
        assert_eq!(bans(&[]), "nobody is banned\n");
    }
}
