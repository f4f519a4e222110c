//! Filters in words.

use admin::{FilterTest, FilterView, FiltersApplied};
use filter::Matching;
use mail::Timestamp;

use super::{field, line, moment, table};
use crate::check::counted;

fn number(count: usize, what: &str) -> String {
    counted(u64::try_from(count).unwrap_or(u64::MAX), what)
}

pub(super) fn filters(all: &[FilterView]) -> String {
    table(
        ["NO", "FILTER", "IF", "THEN", "LOOKS AT", "STATE"],
        "no filters yet; `relais filter add --help` shows how to add one",
        all.iter().map(|one| {
            [
                one.position.to_string(),
                one.filter.name.clone(),
                conditions(one),
                does(one),
                places(one),
                state(one).to_owned(),
            ]
        }),
    )
}

pub(super) fn filter(one: &FilterView) -> String {
    let mut out = String::new();
    field(&mut out, "filter", &one.filter.name);
    field(&mut out, "of", &one.account);
    field(&mut out, "place", one.position);
    field(&mut out, "state", state(one));
    field(&mut out, "looks at", places(one));
    field(&mut out, "if", conditions(one));
    field(&mut out, "then", does(one));
    out
}

fn conditions(one: &FilterView) -> String {
    one.condition_texts.join(match one.filter.matching {
        Matching::All => " AND ",
        Matching::Any => " OR ",
    })
}

fn does(one: &FilterView) -> String {
    let mut does = one.filter.actions.in_words();
    if one.filter.stop {
        does.push("skips the filters behind it".to_owned());
    }
    does.join(", ")
}

fn places(one: &FilterView) -> String {
    one.filter.places.iter().map(|place| place.name()).collect::<Vec<_>>().join(", ")
}

const fn state(one: &FilterView) -> &'static str {
    match (one.filter.enabled, one.rests) {
        (false, _) => "off",
        (true, true) => "rests: its person has left",
        (true, false) => "on",
    }
}

pub(super) fn test(one: &FilterTest) -> String {
    let mut out = String::new();
    line(&mut out, format_args!("{} in {} of {}", number(one.messages, "messages"), one.folder, one.account));
    for matched in &one.filters {
        if let Some(why) = &matched.passed_over {
            line(&mut out, format_args!("filter \"{}\" {why}", matched.filter));
            continue;
        }
        let does = if matched.does.is_empty() { String::new() } else { format!("; it {}", matched.does.join(", ")) };
        line(
            &mut out,
            format_args!("filter \"{}\" matches {}{does}", matched.filter, number(matched.matches, "messages")),
        );
        for message in matched.newest.iter().rev() {
            let date = moment(Timestamp(message.date_secs.saturating_mul(1_000)));
            line(&mut out, format_args!("  {date}  {}  {}", message.from, message.subject));
        }
    }
    out
}

pub(super) fn applied(one: &FiltersApplied) -> String {
    let mut out = String::new();
    let filed = number(one.filed, "messages");
    line(&mut out, format_args!("filed {filed} of {} in {} of {}", one.messages, one.folder, one.account));
    for (name, count) in &one.filters {
        line(&mut out, format_args!("filter \"{name}\" matched {}", number(*count, "messages")));
    }
    one.left_out.iter().for_each(|left| line(&mut out, format_args!("{left}")));
    out
}
