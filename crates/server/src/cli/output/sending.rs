//! The suppression list and webhooks in words.

use admin::WebhookView;
use storage::suppressed::{Suppressed, SuppressionReason};

use super::{field, line, moment, table};

pub(super) fn suppressions(all: &[Suppressed]) -> String {
    table(
        ["ADDRESS", "WHY", "SINCE", "TIMES", "UNTIL", "WHAT WAS SAID"],
        "no address is on the suppression list",
        all.iter().map(|one| {
            let why = match one.reason {
                SuppressionReason::HardBounce => "nobody there",
                SuppressionReason::Complaint => "complaint",
                SuppressionReason::ByHand => "by hand",
            };
            let until = one.until.map_or_else(|| "removed".to_owned(), moment);
            let (address, times) = (one.address.to_string(), one.times.to_string());
            [address, why.to_owned(), moment(one.since), times, until, one.detail.clone()]
        }),
    )
}

pub(super) fn webhooks(all: &[WebhookView]) -> String {
    table(
        ["ID", "URL", "EVENTS", "LAST SUCCESS", "STATE"],
        "no webhooks; `relais webhook add https://hooks.example.org/relais` adds one",
        all.iter().map(|one| {
            let succeeded = one.succeeded_at.map_or_else(|| "-".to_owned(), moment);
            [one.id.to_string(), one.url.clone(), events(one), succeeded, state(one).to_owned()]
        }),
    )
}

pub(super) fn webhook(one: &WebhookView) -> String {
    let mut out = String::new();
    field(&mut out, "webhook", one.id);
    field(&mut out, "url", &one.url);
    field(&mut out, "events", events(one));
    field(&mut out, "state", state(one));
    field(&mut out, "last success", one.succeeded_at.map_or_else(|| "-".to_owned(), moment));
    if let Some(since) = one.failing_since {
        field(&mut out, "failing since", moment(since));
    }
    field(&mut out, "last error", one.last_error.as_deref().unwrap_or("-"));
    if let Some(secret) = &one.secret {
        field(&mut out, "secret", secret);
        line(&mut out, format_args!("Keep the secret now: it is not shown again."));
    }
    out
}

fn events(one: &WebhookView) -> String {
    one.events.iter().map(|event| event.name()).collect::<Vec<_>>().join(", ")
}

fn state(one: &WebhookView) -> &'static str {
    match (one.enabled, one.failing_since) {
        (false, _) => "switched off",
        (true, Some(_)) => "failing",
        (true, None) => "on",
    }
}
