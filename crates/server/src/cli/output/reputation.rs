//! What is known of clients and senders, and the greylist, for people.

use admin::{GreylistView, ReputationView, StandingView};
use reputation::lists::{ListUse, Subject};

use crate::check::counted;

use super::{field, line, moment, shown, table};

pub(super) fn reputation(one: &ReputationView) -> String {
    let mut out = String::new();
    line(&mut out, format_args!("{}", shown(&one.subject)));
    match &one.now {
        None => line(&mut out, format_args!("  what the DNS says is known while the server runs")),
        Some(now) => {
            for fact in &now.facts {
                line(&mut out, format_args!("  {}", shown(fact)));
            }
            for doubt in &now.doubts {
                line(&mut out, format_args!("  doubt {:>5}  {}", doubt.points.to_string(), shown(&doubt.text)));
            }
            if let Some(why) = &now.vouched {
                line(&mut out, format_args!("  it is not doubted: {}", shown(why)));
            }
            for follows in &now.follows {
                line(&mut out, format_args!("  now: {}", shown(follows)));
            }
        }
    }
    if one.standings.is_empty() {
        line(&mut out, format_args!("  nothing is known of former mail"));
    }
    for standing in &one.standings {
        of_sender(&mut out, standing);
    }
    if let Some(pass) = &one.passed {
        let (since, until) = (moment(pass.since), moment(pass.until));
        let origin = &pass.origin;
        line(
            &mut out,
            format_args!("  greylist: {origin} came again on {since} as {}, known until {until}", shown(&pass.sender)),
        );
    }
    for grey in &one.waiting {
        let (first, tries) = (moment(grey.first), counted(grey.tries.into(), "times"));
        line(&mut out, format_args!("  greylist: {} waits since {first}, tried {tries}", shown(&grey.key.to_string())));
    }
    for list in &one.lists {
        let what = match list.subject {
            Subject::Addresses => "addresses",
            Subject::Domains => "domains",
        };
        let used = match list.used {
            ListUse::Block => "refuses",
            ListUse::Points => "weighs",
            ListUse::Allow => "vouches",
        };
        let state = list.trouble.as_ref().map_or_else(|| "used".to_owned(), |why| format!("NOT USED: {why}"));
        line(&mut out, format_args!("  list {} of {what}, {used}: {state}", list.zone));
    }
    out
}

fn of_sender(out: &mut String, one: &StandingView) {
    line(out, format_args!("  former mail from {}: {}", shown(&one.sender.to_string()), one.rating));
    let standing = &one.standing;
    let counts = [
        (standing.kept, "in INBOX"),
        (standing.found_spam, "found to be spam"),
        (standing.refused, "refused"),
        (standing.said_spam, "called spam"),
        (standing.said_ham, "called no spam"),
    ];
    let counts = counts.iter().filter(|(count, _)| *count > 0);
    let counts: Vec<String> =
        counts.map(|(count, what)| format!("{}.{} {what}", count / 1_000, count % 1_000 / 100)).collect();
    if !counts.is_empty() {
        line(out, format_args!("    {}; last {}", counts.join(", "), moment(one.last)));
    }
}

pub(super) fn greylist(one: &GreylistView) -> String {
    let mut out = table(
        ["FROM", "SENDER", "TO", "FIRST", "LAST", "TRIES"],
        "nothing waits on the greylist",
        one.waiting.iter().map(|grey| {
            let sender = if grey.key.sender.is_empty() { "<>".to_owned() } else { grey.key.sender.clone() };
            let (first, last) = (moment(grey.first), moment(grey.last));
            [grey.key.origin.to_string(), sender, grey.key.domain.clone(), first, last, grey.tries.to_string()]
        }),
    );
    if !one.passed.is_empty() {
        out.push('\n');
        out.push_str(&table(
            ["FROM", "CAME AGAIN AS", "SINCE", "LAST", "UNTIL"],
            "",
            one.passed.iter().map(|pass| {
                let sender = if pass.sender.is_empty() { "<>".to_owned() } else { pass.sender.clone() };
                [pass.origin.to_string(), sender, moment(pass.since), moment(pass.last), moment(pass.until)]
            }),
        ));
    }
    field(
        &mut out,
        "in all",
        format_args!("{} wait, {} networks and domains are known", one.waiting.len(), one.passed.len()),
    );
    out
}
