//! What the command line prints: text for people, or JSON for scripts. Results go to the standard output, failures to
//! the standard error.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "printing is this module's purpose")]

mod addresses;
mod externals;
mod lists;
mod traces;

use std::fmt::Write as _;

use admin::{
    AccountView, AclView, AdminError, DomainView, EventView, Preview, QueueEntryView, ResponderView, Response,
    SharedView, StrengthView,
};
use mail::Timestamp;
use routing::objects::{
    AccountKind, Audience, Identity, ResponderKind, ResponderObject, Role, SeenState, SubaddressFolders,
};
use routing::responders::{Keeping, Phase};
use serde::Serialize;
use storage::contacts::ContactOrigin;

use crate::check::Report;
use crate::config::{Config, ConfigError};

/// Why a command failed, for the person who typed it.
#[derive(Debug)]
pub(crate) struct Failure {
    kind: &'static str,
    message: String,
    hint: Option<String>,
}

impl Failure {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { kind: "failed", message: message.into(), hint: None }
    }

    /// Whether what was to be made is there already.
    pub(crate) fn is_exists(&self) -> bool {
        self.kind == "exists"
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// The system does not let this process work.
pub(crate) fn no_runtime(error: &std::io::Error) -> Failure {
    let failure = Failure::new(format!("the threads of this program can't be started: {error}"));
    failure.hint("the system grants too few processes or open files: see `ulimit -u` and `ulimit -n`")
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)?;
        self.hint.as_ref().map_or(Ok(()), |hint| write!(f, "\n  {hint}"))
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self { kind: "configuration", ..Self::new(error.to_string()) }
    }
}

impl From<AdminError> for Failure {
    fn from(error: AdminError) -> Self {
        let kind = match error.kind {
            admin::ErrorKind::Invalid => "invalid",
            admin::ErrorKind::NotFound => "not-found",
            admin::ErrorKind::Exists => "exists",
            admin::ErrorKind::InUse => "in-use",
            admin::ErrorKind::Full => "full",
            admin::ErrorKind::DiskFull => "disk-full",
            admin::ErrorKind::Denied => "denied",
            admin::ErrorKind::Unavailable => "unavailable",
        };
        Self { kind, message: error.message, hint: error.hint }
    }
}

/// Prints why nothing, or not all, was done.
pub(super) fn failure(failure: &Failure, json: bool) {
    if json {
        let object = serde_json::json!({
            "error": { "kind": failure.kind, "message": failure.message, "hint": failure.hint },
        });
        eprintln!("{object}");
    } else {
        eprintln!("relais: {failure}");
    }
}

/// Prints what should be known though all is done.
pub(super) fn warning(text: &str) {
    eprintln!("relais: warning: {text}");
}

/// Prints a value as JSON.
pub(super) fn json(value: &impl Serialize) {
    match serde_json::to_string_pretty(value) {
        Ok(text) => println!("{text}"),
        Err(error) => eprintln!("relais: {error}"),
    }
}

/// Asks, where the results of a command do not go.
pub(super) fn prompt(text: &str) {
    eprint!("{text}");
}

/// Prints lines as they are.
pub(super) fn text(text: &str) {
    print!("{text}");
}

/// Prints the configuration in force.
pub(super) fn config(config: &Config, as_json: bool) -> Result<(), Failure> {
    if as_json {
        json(config);
    } else {
        print!("{}", toml::to_string(config).map_err(|error| Failure::new(error.to_string()))?);
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
        println!("{problem}");
    }
    println!("{}", report.summary());
    for note in &report.notes {
        println!("{note}");
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
            (_, Err(error)) => eprintln!("relais: {error}"),
        }
        return;
    }
    print!("{}", in_words(response));
}

fn in_words(response: &Response) -> String {
    match response {
        Response::Domain(one) => domain(one),
        Response::Domains(all) => table(
            ["DOMAIN", "ACCOUNTS", "ALIASES", "CATCH-ALL", "STATE"],
            "no domains yet; `relais domain add example.org` adds one",
            all.iter().map(|one| {
                let catch_all = one.domain.catch_all.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
                let counts = (one.accounts.to_string(), one.aliases.to_string());
                [one.domain.name.to_string(), counts.0, counts.1, catch_all, on_off(one.domain.enabled)]
            }),
        ),
        Response::Account(one) => account(one),
        Response::Accounts(all) => table(
            ["ADDRESS", "NAME", "ROLE", "QUOTA", "STATE"],
            "no accounts yet; `relais account add alice@example.org` adds one",
            all.iter().map(|one| {
                let quota = one.quota_octets.map_or_else(|| "-".to_owned(), size);
                [one.address.to_string(), one.display_name.clone(), role(one.role).into(), quota, on_off(one.enabled)]
            }),
        ),
        Response::Imported(report) => {
            let mut out = format!("{} accounts added, {} were there already\n", report.added, report.present);
            for (address, password) in &report.generated_passwords {
                line(&mut out, format_args!("{address} {}", password.expose()));
            }
            out
        }
        Response::Strength(one) => strength(one),
        Response::Connection(one) => one.text.clone(),
        Response::Identities(all) if all.is_empty() => {
            "no names yet; `relais account identity add` adds one\n".to_owned()
        }
        Response::Identities(all) => all.iter().map(identity).collect::<Vec<_>>().join("\n"),
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
            format!("{} members added, {} were there already\n", report.added, report.present)
        }
        Response::Waiting(all) => lists::waiting(all),
        Response::Responder(one) => responder(one),
        Response::Responders(all) => table(
            ["ID", "ADDRESS", "KIND", "SUBJECT", "WINDOW", "ANSWERED", "RECEIVED", "STATE"],
            "no responders yet; `relais responder add --help` shows how to add one",
            all.iter().map(|view| {
                let one = &view.responder;
                let (id, address, answered) = (one.id.to_string(), one.address.to_string(), view.answered.to_string());
                let (kind, kept) = (kind(one.kind).into(), kept(view.keeping).into());
                [id, address, kind, subject(one), window(one), answered, kept, phase(view).into()]
            }),
        ),
        Response::Preview(one) => preview(one),
        Response::External(one) => externals::external(one),
        Response::Externals(all) => externals::externals(all),
        Response::ExternalTest(one) => externals::test(one),
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
        Response::Shared(one) => shared(one),
        Response::SharedMailboxes(all) => table(
            ["ADDRESS", "NAME", "MEMBERS", "SEEN", "QUOTA"],
            "no shared mailboxes yet; `relais shared add --help` shows how to add one",
            all.iter().map(|one| {
                let quota = one.quota_octets.map_or_else(|| "-".to_owned(), size);
                let members = one.shared.members.len().to_string();
                [one.address.to_string(), one.display_name.clone(), members, seen(one.shared.seen).into(), quota]
            }),
        ),
        Response::Acl(one) => acl(one),
        Response::QueueEntry(one) => queue_entry(one),
        Response::QueueEntries(all) => table(
            ["ID", "DESTINATION", "FROM", "RECIPIENTS", "ATTEMPTS", "NEXT ATTEMPT", "LAST ERROR"],
            "the queue is empty",
            all.iter().map(|one| {
                let next = if one.held { "held".to_owned() } else { moment(one.next_attempt) };
                let waiting = one.recipients.iter().filter(|recipient| recipient.state == "waiting").count();
                let counts = (format!("{waiting} of {}", one.recipients.len()), one.attempts.to_string());
                let error = one.last_error.clone().unwrap_or_default();
                let destination = one.destination.to_string();
                [one.id.to_string(), destination, one.reverse_path.clone(), counts.0, counts.1, next, error]
            }),
        ),
        Response::Traces(all) => traces::traces(all),
        Response::SigningKeys(all) => traces::signing_keys(all),
        Response::Event(one) => event(one),
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

fn field(out: &mut String, name: &str, value: impl std::fmt::Display) {
    line(out, format_args!("{name:<22}{value}"));
}

fn domain(one: &DomainView) -> String {
    let mut out = String::new();
    let nobody = || "unknown addresses are refused".to_owned();
    field(&mut out, "domain", &one.domain.name);
    field(&mut out, "state", on_off(one.domain.enabled));
    field(&mut out, "accounts", one.accounts);
    field(&mut out, "aliases", one.aliases);
    field(&mut out, "catch-all", one.domain.catch_all.as_ref().map_or_else(nobody, ToString::to_string));
    let administrator = || "an administrator".to_owned();
    let postmaster = one.domain.postmaster.as_ref().map_or_else(administrator, ToString::to_string);
    match &one.postmaster_object {
        None => field(&mut out, "postmaster", postmaster),
        Some(object) => field(&mut out, "postmaster", format_args!("the {object}, which goes before {postmaster}")),
    }
    field(&mut out, "subaddresses by", &one.domain.subaddress_separators);
    field(
        &mut out,
        "DKIM records",
        format_args!("`relais domain dkim show {}` shows what to publish", one.domain.name),
    );
    field(
        &mut out,
        "subaddress folders",
        match one.domain.subaddress_folders {
            SubaddressFolders::Off => "off",
            SubaddressFolders::Existing => "existing ones",
            SubaddressFolders::Create => "made when missing",
        },
    );
    if let Some(target) = &one.domain.alias_of {
        field(&mut out, "stands for", target);
    }
    field(&mut out, "groups", one.groups);
    field(&mut out, "lists", one.lists);
    field(&mut out, "patterns", one.domain.patterns.len());
    field(&mut out, "own aliases made by", addresses::policy(&one.domain.alias_policy));
    field(&mut out, "time zone", &one.domain.time_zone);
    field(&mut out, "language", &one.domain.language);
    field(&mut out, "made", moment(one.domain.created_at));
    out
}

fn account(one: &AccountView) -> String {
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
    field(&mut out, "quota", one.quota_octets.map_or_else(|| "no limit".to_owned(), size));
    if let (Some(messages), Some(octets)) = (one.messages, one.octets) {
        field(&mut out, "holds", format_args!("{messages} messages, {}", size(octets)));
    }
    field(&mut out, "time zone", &one.time_zone);
    field(&mut out, "language", &one.language);
    field(&mut out, "made", moment(one.created_at));
    if let Some(password) = &one.generated_password {
        field(&mut out, "password", format_args!("{} (shown only now)", password.expose()));
    }
    out
}

fn preview(one: &Preview) -> String {
    let mut out = String::new();
    line(&mut out, format_args!("responder {} now {}", one.responder, one.decision));
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

fn strength(one: &StrengthView) -> String {
    let mut out = String::new();
    let verdict = if one.taken { "it would be taken".to_owned() } else { one.reason.clone() };
    field(&mut out, "strength", format_args!("{} of 4 ({}); {} is needed", one.score, one.words, one.score_min));
    field(&mut out, "verdict", verdict);
    one.advice.iter().for_each(|advice| line(&mut out, format_args!("  {advice}")));
    out
}

fn identity(one: &Identity) -> String {
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

fn phase(view: &ResponderView) -> &'static str {
    match view.phase {
        Phase::Active if view.acts_now => "ACTIVE",
        Phase::Active => "active, silent at this hour",
        Phase::Waiting => "waiting for its start",
        Phase::Over => "ended",
        Phase::Off => "off",
    }
}

fn kept(keeping: Keeping) -> &'static str {
    match keeping {
        Keeping::Kept => "kept",
        Keeping::Deleted => "DELETED",
        Keeping::Redirected => "redirected",
        Keeping::CopiesOnly => "copied only",
        Keeping::FailureNotice => "FAILURE NOTICE",
    }
}

fn responder(view: &ResponderView) -> String {
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

fn shared(one: &SharedView) -> String {
    let mut out = String::new();
    field(&mut out, "shared mailbox", &one.address);
    field(&mut out, "name", &one.display_name);
    field(&mut out, "quota", one.quota_octets.map_or_else(|| "no limit".to_owned(), size));
    if let (Some(messages), Some(octets)) = (one.messages, one.octets) {
        field(&mut out, "holds", format_args!("{messages} messages, {}", size(octets)));
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

fn acl(one: &AclView) -> String {
    let mut out = String::new();
    field(&mut out, "mailbox", format_args!("{} of {}", one.mailbox, one.address));
    field(&mut out, "seen state", one.seen.map_or("as the account says", seen));
    let rows = one.lines.iter().map(|line| [line.identifier.clone(), line.rights.to_string(), line.reason.to_string()]);
    out.push_str(&table(["WHO", "RIGHTS", "WHY"], "nobody but its owner has a right to it", rows));
    out
}

fn seen(seen: SeenState) -> &'static str {
    match seen {
        SeenState::Shared => "one for all",
        SeenState::PerPerson => "one for each person",
    }
}

fn queue_entry(one: &QueueEntryView) -> String {
    let mut out = String::new();
    field(&mut out, "entry", one.id);
    field(&mut out, "from", &one.reverse_path);
    field(&mut out, "destination", &one.destination);
    field(&mut out, "size", size(one.octets));
    field(&mut out, "accepted", moment(one.accepted_at));
    field(&mut out, "attempts", one.attempts);
    field(&mut out, "next attempt", if one.held { "held".to_owned() } else { moment(one.next_attempt) });
    field(&mut out, "last error", one.last_error.as_deref().unwrap_or("-"));
    for recipient in &one.recipients {
        let said = recipient.last_reply.as_deref().unwrap_or("nothing said yet");
        field(&mut out, "to", format_args!("{} ({}): {said}", recipient.address, recipient.state));
    }
    out
}

fn event(one: &EventView) -> String {
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

fn table<const N: usize>(head: [&str; N], none: &str, rows: impl Iterator<Item = [String; N]>) -> String {
    let rows: Vec<[String; N]> = rows.collect();
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

fn role(role: Role) -> &'static str {
    match role {
        Role::User => "user",
        Role::DomainAdministrator => "domain-administrator",
        Role::Administrator => "administrator",
    }
}

fn kind(kind: ResponderKind) -> &'static str {
    match kind {
        ResponderKind::Autoresponder => "autoresponder",
        ResponderKind::OutOfOffice => "out-of-office",
    }
}

fn subject(one: &ResponderObject) -> String {
    match (one.subject.is_empty(), one.subject_prefix.is_empty()) {
        (false, _) => one.subject.clone(),
        (true, false) => format!("{} + the original", one.subject_prefix),
        (true, true) => "the original".to_owned(),
    }
}

fn window(one: &ResponderObject) -> String {
    match (one.starts.as_deref(), one.ends.as_deref()) {
        (None, None) => "always".to_owned(),
        (Some(starts), None) => format!("from {starts}"),
        (None, Some(ends)) => format!("until {ends}"),
        (Some(starts), Some(ends)) => format!("{starts} to {ends}"),
    }
}

fn moment(at: Timestamp) -> String {
    match jiff::Timestamp::from_millisecond(at.0) {
        Ok(at) => at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
        Err(_) => format!("{} ms", at.0),
    }
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
    use super::*;

    #[test]
    fn sizes_and_moments_are_readable() {
        assert_eq!(
            (size(5).as_str(), size(1536).as_str(), size(u64::MAX / 16).as_str()),
            ("5 octets", "1.5 KiB", "1073741823.9 GiB")
        );
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
        assert!(domain(&view(None)).contains("postmaster            an administrator\n"));
        let told = domain(&view(Some("account postmaster@a.example")));
        assert!(told.contains("the account postmaster@a.example, which goes before an administrator\n"), "{told}");
    }
}
