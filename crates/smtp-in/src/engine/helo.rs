//! `EHLO` and `HELO`, and `LHLO` of LMTP (RFC 2033 §4.1): the client names itself, the server what it can do.
//!
//! Commands: RFC 5321 §4.1.1.1. Extensions: RFC 2920, 1870, 6152, 6531, 2034, 3030, 3461, 3207, 4954, 9422,
//! 8689, 3865, 4865, 2852, 6710, 4468.
//! Either drops an open mail transaction (§4.1.4). Dialogs: `tests/transcripts/rfc5321/4.1.1.1-*.txt`.

use mail::{Reply, Timestamp};
use smtp_proto::Request;

use super::Action;
use super::auth::Mechanism;
use super::request::{self, Checked};
use super::session::Session;
use super::state::State;
use super::step::Step;
use super::xclient;
use crate::limits::HELO_OCTETS_MAX;
use crate::misbehaviour::Misbehaviour;

/// Keeps the name and answers with what is offered.
pub(super) fn helo(session: &mut Session, state: State, checked: Checked<'_>, now: Timestamp) -> Step {
    let (name, esmtp) = match request::parse(checked.line, "EHLO domain") {
        Ok(Request::Ehlo { host }) if is_name(checked.argument) => (host, true),
        Ok(Request::Lhlo { host }) if is_name(checked.argument) => (host, true),
        Ok(Request::Helo { host }) if is_name(checked.argument) => (host, false),
        Ok(_) | Err(_) => return Step::refuse(state, Misbehaviour::BadHelo),
    };
    let mut text = format!("{} greets {name}", session.policy.host_name);
    if esmtp {
        for line in extensions(session, now) {
            text.push('\n');
            text.push_str(&line);
        }
    }
    session.facts.helo = Some(name);
    session.facts.esmtp = esmtp;
    let abandons = matches!(state, State::Chunks(_));
    let step = Step::reply(State::Ready, Reply::new(250, None, text));
    if abandons { step.with(Action::AbandonBody) } else { step }
}

/// One word of printable ASCII. More is not demanded: RFC 5321 §4.1.4 forbids to refuse a name that only looks wrong.
fn is_name(argument: &str) -> bool {
    (1..=HELO_OCTETS_MAX).contains(&argument.len()) && argument.bytes().all(|b| b.is_ascii_graphic())
}

/// The lines of the EHLO reply behind the first.
fn extensions(session: &Session, now: Timestamp) -> Vec<String> {
    let limits = session.limits();
    let mut lines = vec![
        "PIPELINING".to_owned(),
        format!("SIZE {}", limits.message_octets_max),
        "8BITMIME".to_owned(),
        "SMTPUTF8".to_owned(),
        "ENHANCEDSTATUSCODES".to_owned(),
        "CHUNKING".to_owned(),
        "BINARYMIME".to_owned(),
        "DSN".to_owned(),
    ];
    if session.offers_starttls() {
        lines.push("STARTTLS".to_owned());
    }
    if session.offers_auth() {
        let offered: Vec<&str> = Mechanism::offered(session).map(Mechanism::name).collect();
        lines.push(format!("AUTH {}", offered.join(" ")));
    }
    if session.takes_xclient {
        lines.push(xclient::ANNOUNCED.to_owned());
    }
    if session.offers_require_tls() {
        lines.push("REQUIRETLS".to_owned());
    }
    if session.offers_submission() {
        lines.push("DELIVERBY".to_owned());
        lines.push("MT-PRIORITY".to_owned());
        lines.push("VRFY".to_owned());
        lines.push("EXPN".to_owned());
    }
    if let Some(burl) = session.announced_burl() {
        lines.push(burl.to_owned());
    }
    if session.offers_hold() {
        // RFC 4865 §3: how long, and until when at the latest.
        let until = now.plus(limits.hold_max).to_rfc3339();
        lines.push(format!("FUTURERELEASE {} {until}", limits.hold_max.as_secs().min(999_999_999)));
    }
    // RFC 3865 §4.1.
    let classes = session.policy.no_soliciting.join(",");
    lines.push(format!("NO-SOLICITING {classes}").trim_end().to_owned());
    // RFC 9422 §4.
    let mut told = format!("LIMITS MAILMAX={} RCPTMAX={}", limits.transactions_max, limits.recipients_max);
    if limits.recipient_domains_max > 0 {
        told.push_str(&format!(" RCPTDOMAINMAX={}", limits.recipient_domains_max));
    }
    lines.push(told);
    lines.push("HELP".to_owned());
    lines
}
