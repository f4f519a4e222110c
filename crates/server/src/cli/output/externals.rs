//! External accounts, for people.

use admin::{ExternalTest, ExternalView};
use routing::objects::{AfterFetch, ExternalSecurity};

use crate::check::counted;

use super::{field, line, moment, table};

pub(super) fn externals(all: &[ExternalView]) -> String {
    table(
        ["ID", "OWNER", "NAME", "SERVER", "STATE", "LAST LOOK", "FETCHED", "LAST ERROR"],
        "no external accounts yet; `relais external add --help` shows how to add one",
        all.iter().map(|one| {
            let error = one.status.last_error.clone().unwrap_or_default();
            let server = format!("{} {}", one.protocol.name(), one.host);
            let (id, owner, name) = (one.id.to_string(), one.owner.to_string(), one.name.clone());
            [id, owner, name, server, state(one), last(one), one.status.fetched.to_string(), error]
        }),
    )
}

pub(super) fn external(one: &ExternalView) -> String {
    let mut out = String::new();
    field(&mut out, "external account", one.id);
    field(&mut out, "of", &one.owner);
    if !one.name.is_empty() {
        field(&mut out, "name", &one.name);
    }
    field(&mut out, "server", format_args!("{} at {} port {}", one.protocol.name(), one.host, one.port));
    let security = match one.security {
        ExternalSecurity::Tls => "TLS",
        ExternalSecurity::Starttls => "STARTTLS",
        ExternalSecurity::None => "none (this machine itself)",
    };
    let trusted = if one.own_ca { ", certificates of its own are trusted" } else { "" };
    field(&mut out, "protection", format_args!("{security}{trusted}"));
    field(&mut out, "login", &one.login);
    field(&mut out, "password", if one.has_password { "set" } else { "none" });
    for folder in &one.folders {
        let local = folder.local.as_ref().unwrap_or(&one.mailbox);
        field(&mut out, "folder", format_args!("{} into {local}", folder.remote));
    }
    if one.folders.is_empty() {
        field(&mut out, "mailbox here", &one.mailbox);
    }
    field(&mut out, "interval", format_args!("{} s", one.interval_secs));
    let after = match one.after_fetch {
        AfterFetch::Leave => "stay there".to_owned(),
        AfterFetch::Delete => "are deleted there".to_owned(),
        AfterFetch::DeleteAfterDays(days) => format!("are deleted there after {days} days"),
    };
    field(&mut out, "fetched messages", after);
    field(&mut out, "state", state(one));
    field(&mut out, "last look", last(one));
    let status = &one.status;
    if let Some(at) = status.last_success {
        field(&mut out, "last success", moment(at));
    }
    field(
        &mut out,
        "fetched",
        format_args!("{}, {}", counted(status.fetched, "messages"), counted(status.octets, "octets")),
    );
    if status.skipped > 0 {
        let why = status.last_skipped.as_deref().unwrap_or_default();
        field(&mut out, "passed over", format_args!("{}, the last one: {why}", status.skipped));
    }
    if let Some(error) = &status.last_error {
        field(&mut out, "last error", error);
    }
    if let Some(since) = status.failing_since {
        field(
            &mut out,
            "failing since",
            format_args!("{} ({})", moment(since), counted(status.failures.into(), "times")),
        );
    }
    out
}

pub(super) fn test(test: &ExternalTest) -> String {
    let mut out = String::new();
    test.steps.iter().for_each(|step| line(&mut out, format_args!("ok      {step}")));
    match &test.failed {
        Some(why) => line(&mut out, format_args!("failed  {why}")),
        None => line(&mut out, format_args!("ok      everything works; nothing was fetched by this")),
    }
    out
}

fn state(one: &ExternalView) -> String {
    match (one.enabled, one.status.progress) {
        (false, _) => "off".to_owned(),
        (true, Some((done, all))) => format!("fetching, {done} of {all}"),
        (true, None) if one.status.failing_since.is_some() => "failing".to_owned(),
        (true, None) if one.status.asked => "waiting".to_owned(),
        (true, None) => "on".to_owned(),
    }
}

fn last(one: &ExternalView) -> String {
    one.status.last_run.map_or_else(|| "never".to_owned(), moment)
}
