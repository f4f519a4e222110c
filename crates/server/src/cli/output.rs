//! What the command line prints: text for people, or JSON for scripts. Results go to the standard output, failures to
//! the standard error.
//! Who reads them may have gone (`relais trace | head`): that ends no command, whose work is done by then.

mod account;
mod addresses;
mod bans;
mod domain;
mod externals;
mod failure;
mod filters;
mod lists;
mod outside;
mod queue;
mod reports;
mod reputation;
mod responder;
mod sending;
mod shared;
mod spam;
mod traces;

use std::fmt::Write as _;
use std::io::{ErrorKind, Write as _};

use admin::Response;
use mail::Timestamp;
use serde::Serialize;
use storage::contacts::ContactOrigin;

use crate::check::{Report, counted};
use crate::config::Config;

pub(crate) use failure::{Failure, no_runtime};

/// Writes to the standard output. That nobody reads it any more is no failure; that it can't be kept, on a full disk, is one.
fn printed(text: std::fmt::Arguments<'_>) {
    let mut out = std::io::stdout().lock();
    match out.write_fmt(text).and_then(|()| out.flush()) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
        Err(error) => {
            told(format_args!("relais: what was done can't be printed: {error}\n"));
            std::process::exit(1);
        }
    }
}

/// Writes to the standard error. When that is closed there is nobody to tell.
fn told(text: std::fmt::Arguments<'_>) {
    std::io::stderr().lock().write_fmt(text).ok();
}

/// Prints why nothing, or not all, was done.
pub(super) fn failure(failure: &Failure, json: bool) {
    if json {
        told(format_args!("{}\n", failure.as_json()));
    } else {
        told(format_args!("relais: {failure}\n"));
    }
}

/// Prints what should be known though all is done.
pub(super) fn warning(text: &str) {
    told(format_args!("relais: warning: {text}\n"));
}

/// Prints a value as JSON.
pub(super) fn json(value: &impl Serialize) {
    match serde_json::to_string_pretty(value) {
        Ok(text) => printed(format_args!("{text}\n")),
        Err(error) => told(format_args!("relais: {error}\n")),
    }
}

/// Asks, where the results of a command do not go.
pub(super) fn prompt(text: &str) {
    told(format_args!("{text}"));
}

/// Prints lines as they are.
pub(super) fn text(text: &str) {
    printed(format_args!("{text}"));
}

/// Prints the configuration in force.
pub(super) fn config(config: &Config, as_json: bool) -> Result<(), Failure> {
    for doubt in crate::config::doubts(config) {
        told(format_args!("warning: {doubt}\n"));
    }
    if as_json {
        json(config);
    } else {
        let text = toml::to_string(config).map_err(|error| Failure::new(error.to_string()))?;
        printed(format_args!("{text}"));
    }
    Ok(())
}

/// Prints what a check of the store found.
pub(super) fn check(report: &Report, as_json: bool) {
    if as_json {
        json(report);
        return;
    }
    for problem in &report.problems {
        printed(format_args!("{problem}\n"));
    }
    printed(format_args!("{}\n", report.summary()));
    for note in &report.notes {
        printed(format_args!("{note}\n"));
    }
}

/// Prints an answer.
pub(super) fn response(response: &Response, as_json: bool) {
    if as_json {
        // On the wire an answer is wrapped in its name; a script wants what is inside.
        match (response, serde_json::to_value(response)) {
            (Response::Done(text), _) => json(&serde_json::json!({ "done": text })),
            (_, Ok(serde_json::Value::Object(wrapped))) => json(&wrapped.values().next()),
            (_, Ok(other)) => json(&other),
            (_, Err(error)) => told(format_args!("relais: {error}\n")),
        }
        return;
    }
    printed(format_args!("{}", in_words(response)));
}

fn in_words(response: &Response) -> String {
    match response {
        Response::Domain(one) => domain::domain(one),
        Response::Domains(all) => table(
            ["DOMAIN", "ACCOUNTS", "ALIASES", "CATCH-ALL", "STATE"],
            "no domains yet; `relais domain add example.org` adds one",
            all.iter().map(|one| {
                let catch_all = one.domain.catch_all.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
                let counts = (one.accounts.to_string(), one.aliases.to_string());
                [one.domain.name.to_string(), counts.0, counts.1, catch_all, on_off(one.domain.enabled)]
            }),
        ),
        Response::Account(one) => account::account(one),
        Response::Accounts(all) => table(
            ["ADDRESS", "NAME", "ROLE", "QUOTA", "STATE"],
            "no accounts yet; `relais account add alice@example.org` adds one",
            all.iter().map(|one| {
                let quota = one.quota_octets.map_or_else(|| "-".to_owned(), size);
                [
                    one.address.to_string(),
                    one.display_name.clone(),
                    account::role(one.role).into(),
                    quota,
                    on_off(one.enabled),
                ]
            }),
        ),
        Response::Imported(report) => {
            let added = counted(u64::try_from(report.added).unwrap_or(u64::MAX), "accounts");
            let mut out = format!("{added} added, {} there already\n", were(report.present));
            for (address, password) in &report.generated_passwords {
                line(&mut out, format_args!("{address} {}", password.expose()));
            }
            out
        }
        Response::Strength(one) => account::strength(one),
        Response::Connection(one) => one.text.clone(),
        Response::Identities(all) if all.is_empty() => {
            "no names yet; `relais account identity add` adds one\n".to_owned()
        }
        Response::Identities(all) => all.iter().map(account::identity).collect::<Vec<_>>().join("\n"),
        Response::OffBoarded(report) => {
            let mut out = format!("{}\n", report.account);
            report.done.iter().for_each(|done| line(&mut out, format_args!("  {done}")));
            if !report.left.is_empty() {
                line(&mut out, format_args!("left as it is:"));
                report.left.iter().for_each(|left| line(&mut out, format_args!("  {left}")));
            }
            out
        }
        Response::Alias(one) => addresses::alias(one),
        Response::Aliases(all) => addresses::aliases(all),
        Response::Group(one) => addresses::group(one),
        Response::Groups(all) => addresses::groups(all),
        Response::Patterns(all) => addresses::patterns(all),
        Response::PatternTest(test) => addresses::pattern_test(test),
        Response::List(one) => lists::list(one),
        Response::Lists(all) => lists::lists(all),
        Response::Member(one) => lists::member(one),
        Response::Members(all) => lists::members(all),
        Response::MembersImported(report) => {
            let added = counted(u64::try_from(report.added).unwrap_or(u64::MAX), "members");
            let mut out = format!("{added} added, {} there already\n", were(report.present));
            warnings(&mut out, &report.warnings);
            out
        }
        Response::Waiting(all) => lists::waiting(all),
        Response::Responder(one) => responder::responder(one),
        Response::Responders(all) => table(
            ["ID", "ADDRESS", "KIND", "SUBJECT", "WINDOW", "ANSWERED", "RECEIVED", "STATE"],
            "no responders yet; `relais responder add --help` shows how to add one",
            all.iter().map(|view| {
                let one = &view.responder;
                let (id, address, answered) = (one.id.to_string(), one.address.to_string(), view.answered.to_string());
                let (kind, kept) = (responder::kind(one.kind).into(), responder::kept(view.keeping).into());
                [
                    id,
                    address,
                    kind,
                    responder::subject(one),
                    responder::window(one),
                    answered,
                    kept,
                    responder::phase(view).into(),
                ]
            }),
        ),
        Response::Preview(one) => responder::preview(one),
        Response::External(one) => externals::external(one),
        Response::Externals(all) => externals::externals(all),
        Response::ExternalTest(one) => externals::test(one),
        Response::Filter(one) => filters::filter(one),
        Response::Filters(all) => filters::filters(all),
        Response::FilterTest(one) => filters::test(one),
        Response::FiltersApplied(one) => filters::applied(one),
        Response::Contacts(all) => table(
            ["CONTACT", "SINCE", "HOW"],
            "no contacts yet; whom the account writes to becomes one",
            all.iter().map(|one| {
                let how = match one.origin {
                    ContactOrigin::ByHand => "entered by hand",
                    ContactOrigin::WrittenTo => "written to",
                };
                [one.address.to_string(), moment(one.at), how.to_owned()]
            }),
        ),
        Response::SpamStatus(one) => spam::status(one),
        Response::SpamExplanation(one) => spam::explanation(one),
        Response::OutsideFilters(all) => outside::filters(all),
        Response::Shared(one) => shared::shared(one),
        Response::SharedMailboxes(all) => table(
            ["ADDRESS", "NAME", "MEMBERS", "SEEN", "QUOTA"],
            "no shared mailboxes yet; `relais shared add --help` shows how to add one",
            all.iter().map(|one| {
                let quota = one.quota_octets.map_or_else(|| "-".to_owned(), size);
                let members = one.shared.members.len().to_string();
                [
                    one.address.to_string(),
                    one.display_name.clone(),
                    members,
                    shared::seen(one.shared.seen).into(),
                    quota,
                ]
            }),
        ),
        Response::Acl(one) => shared::acl(one),
        Response::QueueEntry(one) => queue::queue_entry(one),
        Response::QueueEntries(all) => table(
            ["ID", "DESTINATION", "FROM", "RECIPIENTS", "ATTEMPTS", "NEXT ATTEMPT", "WAITS FOR", "LAST ERROR"],
            "the queue is empty",
            all.iter().map(|one| {
                let next = if one.held { "held".to_owned() } else { moment(one.next_attempt) };
                let waiting = one.recipients.iter().filter(|recipient| recipient.state == "waiting").count();
                let counts = (format!("{waiting} of {}", one.recipients.len()), one.attempts.to_string());
                let error = one.last_error.clone().unwrap_or_default();
                // What has not set out goes to several places, some of them here perhaps.
                let destination = match one.waits_until {
                    Some(_) => "-".to_owned(),
                    None => one.destination.to_string(),
                };
                let why = queue::waits_for(one).to_owned();
                [one.id.to_string(), destination, one.reverse_path.clone(), counts.0, counts.1, next, why, error]
            }),
        ),
        Response::Reputation(one) => reputation::reputation(one),
        Response::Greylist(one) => reputation::greylist(one),
        Response::Suppressions(all) => sending::suppressions(all),
        Response::Bans(all) => bans::bans(all),
        Response::Visitor(one) => bans::visitor(one),
        Response::Webhook(one) => sending::webhook(one),
        Response::Webhooks(all) => sending::webhooks(all),
        Response::Traces(all) => traces::traces(all),
        Response::SigningKeys(all) => traces::signing_keys(all),
        Response::DmarcReports(all) => reports::dmarc(all),
        Response::TlsReports(all) => reports::tls(all),
        Response::Records(all) => addresses::records(all),
        Response::Event(one) => queue::event(one),
        Response::Events(all) => table(
            ["ID", "HAPPENED", "ATTEMPTS", "LAST ERROR"],
            "no event is parked",
            all.iter().map(|one| {
                let error = one.last_error.clone().unwrap_or_default();
                [one.id.to_string(), moment(one.created_at), one.attempts.to_string(), error]
            }),
        ),
        Response::Explanation(told) => {
            let mut out = told.text.clone();
            for of in &told.filters {
                of.verdicts.iter().for_each(|verdict| line(&mut out, format_args!("{}: {verdict}", of.account)));
            }
            told.responders.iter().for_each(|responder| line(&mut out, format_args!("{responder}")));
            out
        }
        Response::Done(text) => format!("{text}\n"),
    }
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a String can't fail.
    writeln!(out, "{text}").ok();
}

/// What whoever changed something should know.
fn warnings(out: &mut String, all: &[String]) {
    all.iter().for_each(|one| field(out, "note well", one));
}

fn field(out: &mut String, name: &str, value: impl std::fmt::Display) {
    line(out, format_args!("{name:<22}{value}"));
}

/// Text that others wrote, without characters that a terminal would obey.
fn shown(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

fn table<const N: usize>(head: [&str; N], none: &str, rows: impl Iterator<Item = [String; N]>) -> String {
    // A cell is in one line, whatever was stored: terminals obey control characters.
    let rows: Vec<[String; N]> = rows.map(|row| row.map(|cell| shown(&cell))).collect();
    if rows.is_empty() {
        return format!("{none}\n");
    }
    let mut widths = head.map(str::len);
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut out = String::new();
    let mut write = |cells: Vec<&str>| {
        let mut text = String::new();
        for (cell, width) in cells.into_iter().zip(widths) {
            text.push_str(cell);
            text.extend(std::iter::repeat_n(' ', width.saturating_sub(cell.chars().count()).saturating_add(2)));
        }
        line(&mut out, format_args!("{}", text.trim_end()));
    };
    write(head.to_vec());
    rows.iter().for_each(|row| write(row.iter().map(String::as_str).collect()));
    out
}

fn on_off(enabled: bool) -> String {
    if enabled { "on".to_owned() } else { "off".to_owned() }
}

fn moment(at: Timestamp) -> String {
    at.for_people()
}

fn were(number: usize) -> String {
    format!("{number} {}", if number == 1 { "was" } else { "were" })
}

fn size(octets: u64) -> String {
    let units = [("GiB", 1u64 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    match units.into_iter().find(|(_, unit)| octets >= *unit) {
        Some((name, unit)) => {
            let tenths = octets.saturating_mul(10) / unit;
            format!("{}.{} {name}", tenths / 10, tenths % 10)
        }
        None => format!("{octets} octets"),
    }
}

#[cfg(test)]
mod tests {
    use admin::{DomainView, QueueEntryView};

    use super::*;

    #[test]
    fn sizes_and_moments_are_readable() {
        assert_eq!(
            (size(5).as_str(), size(1536).as_str(), size(u64::MAX / 16).as_str()),
            ("5 octets", "1.5 KiB", "1073741823.9 GiB")
        );
        assert_eq!([0, 1, 2].map(|n| counted(n, "messages")), ["0 messages", "1 message", "2 messages"]);
        assert_eq!(moment(Timestamp(0)), "1970-01-01 00:00:00 UTC");
    }

    #[test]
    fn a_table_lines_up_and_an_empty_one_says_what_to_do() {
        let rows = [["é".to_owned(), "x".to_owned()], ["long".to_owned(), String::new()]];
        assert_eq!(table(["A", "B"], "none", rows.into_iter()), "A     B\né     x\nlong\n");
        assert_eq!(table(["A"], "none", std::iter::empty()), "none\n");
    }
    #[test]
    fn the_queue_counts_who_still_waits_and_a_domain_tells_who_reads_postmaster() {
        let recipient =
            |state: &str| serde_json::json!({ "address": "x@far.example", "state": state, "last_reply": null });
        let entry = serde_json::json!({
            "id": 7, "destination": "far.example", "reverse_path": "<>", "octets": 5,
            "recipients": [recipient("delivered"), recipient("waiting"), recipient("failed")],
            "accepted_at": 0, "attempts": 1, "next_attempt": 0, "last_error": "450 4.2.0 full", "held": false,
        });
        let entry: QueueEntryView = serde_json::from_value(entry).unwrap();
        let listed = in_words(&Response::QueueEntries(vec![entry]));
        assert!(listed.contains("  1 of 3  ") && listed.contains("450 4.2.0 full"), "{listed}");
        let view = |object: Option<&str>| DomainView {
            domain: routing::objects::DomainObject::new(mail::Domain::parse("a.example").unwrap()),
            postmaster_object: object.map(str::to_owned),
            accounts: 0,
            aliases: 0,
            groups: 0,
            lists: 0,
        };
        assert!(domain::domain(&view(None)).contains("postmaster            an administrator\n"));
        let told = domain::domain(&view(Some("account postmaster@a.example")));
        assert!(told.contains("the account postmaster@a.example, which goes before an administrator\n"), "{told}");
    }
}
