//! `HELP`: which commands there are, and how one is written (RFC 5321 §4.1.1.8).

use mail::{EnhancedCode, Reply};

use super::request::Checked;
use super::session::Session;
use super::state::State;
use super::step::Step;
use crate::settings::ListenerKind;

/// Tells of one command, or lists those that this session has.
pub(super) fn help(session: &Session, state: State, checked: Checked<'_>) -> Step {
    let word = checked.argument.split(' ').next().unwrap_or_default();
    let one = FORMS.iter().find(|(name, ..)| name.eq_ignore_ascii_case(word) && has(session, name));
    let text = match one {
        Some((name, form, what)) => format!("{}\n{what}", [name, *form].join(" ").trim_end()),
        None if word.is_empty() => list(session),
        None => return Step::reply(state, UNKNOWN),
    };
    Step::reply(state, Reply::new(214, Some(EnhancedCode(2, 0, 0)), text))
}

fn list(session: &Session) -> String {
    let names: Vec<&str> = FORMS.iter().map(|(name, ..)| *name).filter(|name| has(session, name)).collect();
    let lines: Vec<String> = names.chunks(NAMES_PER_LINE).map(|some| some.join(" ")).collect();
    format!("{}\nHELP and a command: how it is written", lines.join("\n"))
}

/// Whether the session has a command at all.
fn has(session: &Session, name: &str) -> bool {
    let lmtp = session.facts.kind == ListenerKind::Lmtp;
    match name {
        "EHLO" | "HELO" => !lmtp,
        "LHLO" => lmtp,
        "STARTTLS" => session.offers_starttls(),
        "AUTH" | "EXPN" => session.offers_submission(),
        "BURL" => session.announced_burl().is_some(),
        _ => true,
    }
}

/// The commands: name, argument, and what it does.
const FORMS: [(&str, &str, &str); 16] = [
    ("EHLO", "domain", "Begins; the answer names the extensions (RFC 5321 4.1.1.1)"),
    ("HELO", "domain", "Begins, without extensions (RFC 5321 4.1.1.1)"),
    ("LHLO", "domain", "Begins; the answer names the extensions (RFC 2033 4.1)"),
    ("STARTTLS", "", "Encrypts what follows (RFC 3207)"),
    ("AUTH", "mechanism [response]", "Logs in (RFC 4954)"),
    ("MAIL", "FROM:<address> [parameters]", "Begins a message with its sender (RFC 5321 4.1.1.2)"),
    ("RCPT", "TO:<address> [parameters]", "Adds a recipient (RFC 5321 4.1.1.3)"),
    ("DATA", "", "The message follows, up to a dot on a line of its own (RFC 5321 4.1.1.4)"),
    ("BDAT", "size [LAST]", "So many octets of the message follow (RFC 3030)"),
    ("BURL", "url [LAST]", "What an authorised URL of IMAP names is a piece of the message (RFC 4468)"),
    ("RSET", "", "Gives the open message up (RFC 5321 4.1.1.5)"),
    ("NOOP", "", "Does nothing (RFC 5321 4.1.1.9)"),
    ("QUIT", "", "Ends (RFC 5321 4.1.1.10)"),
    ("VRFY", "address", "Asks whether an address is known; told to who has logged in (RFC 5321 4.1.1.6)"),
    ("EXPN", "address", "Asks who is in a group or list (RFC 5321 4.1.1.7)"),
    ("HELP", "[command]", "Tells this (RFC 5321 4.1.1.8)"),
];

const NAMES_PER_LINE: usize = 8;
const UNKNOWN: Reply = Reply::fixed(504, EnhancedCode(5, 5, 4), "There is no such command to tell of");
