//! `decide`: answer, or not and why. The order of the checks is the order of what the trace tells first.

use std::fmt;
use std::time::Duration;

use mail::Timestamp;
use serde::{Deserialize, Serialize};

use crate::limits::{ANSWERS_PER_DAY_MAX, DOMAIN_ANSWERS_PER_DAY_MAX, SENDER_ANSWERS_PER_DAY_MAX};
use crate::objects::{Audience, ResponderKind, ResponderObject};
use crate::responders::facts::{Facts, HeaderMarks, is_automatic_sender};
use crate::responders::hours::within;
use crate::responders::window::{TimeZone, Window};

/// Whether a responder answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "decision", content = "reason", rename_all = "kebab-case")]
pub enum Decision {
    /// It does.
    Answer,
    /// It does not.
    Silent(Silence),
}

/// Why a responder does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Silence {
    /// The responder is gone.
    Gone,
    /// Switched off (A12).
    Disabled,
    /// Neither subject nor prefix (A12).
    NoSubject,
    /// Neither text nor HTML (A12).
    NoMessage,
    /// Its start, end or hours can't be read, or the end comes first.
    BadWindow,
    /// Received before the start.
    NotYet,
    /// Received after the end.
    Over,
    /// Received at a time of the week at which it does not act.
    Hours,
    /// `<>`: nobody to answer (RFC 3834 §2).
    NullReversePath,
    /// From the responder's own owner.
    Oneself,
    /// From a group or a list of ours (V3).
    Group,
    /// The reverse-path is an address of ours that does not exist.
    NoSuchSender,
    /// Its `X-Loop` is ours.
    Loop,
    /// `Auto-Submitted` other than `no`, or an older mark of that kind (RFC 3834 §2).
    AutoSubmitted,
    /// A DSN, MDN or other report.
    Report,
    /// `Precedence: bulk`, `list` or `junk` (RFC 3834 §2).
    Bulk,
    /// A `List-*` field (RFC 3834 §2, RFC 5230 §4.6).
    List,
    /// `X-Auto-Response-Suppress` asks for silence.
    Suppressed,
    /// The sender is on the server's suppression list: what it sends of its own accord does not go there.
    OnSuppressionList,
    /// There is no From: nobody says that they wrote it.
    NoAuthor,
    /// The header was too long to be kept whole, so that a mark may be missing.
    HeaderCut,
    /// The local part is one behind which nobody reads.
    AutomaticSender,
    /// The message is marked as spam, or lies in Junk: an answer would go to whom a spammer named.
    Spam,
    /// The sender's authentication failed: an answer would go to whom somebody pretends to be.
    Unauthenticated,
    /// It speaks to the people of the organisation only.
    NotInside,
    /// It speaks to the owner's contacts only (V3).
    NoContact,
    /// Another out-of-office message of the same person comes first.
    AnotherAnswers,
    /// Out-of-office only: the header names none of the owner's addresses (RFC 5230 §4.5).
    NotAddressed,
    /// The sender was answered less than the frequency ago (A5).
    AnsweredLately,
    /// The sender has had as many answers as anyone gets in a day from one responder.
    DailyCap,
    /// The sender has had as many answers as anyone gets in a day from this server.
    SenderCap,
    /// The senders of its domain have.
    DomainCap,
    /// As many other responders as may answer one message come first.
    MessageCap,
}

/// What the store remembers when a decision is taken: read in the transaction that also writes the answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// When this responder last answered the sender.
    pub last_answer: Option<LastAnswer>,
    /// When any responder of this server last answered the sender.
    pub last_of_all: Option<LastAnswer>,
    /// When any responder of this server last answered somebody of the sender's domain; `None` for a domain of ours.
    pub last_of_domain: Option<LastAnswer>,
    /// The sender is a contact of the responder's owner.
    pub contact: bool,
    /// The suppression list keeps answers from the sender.
    pub suppressed: bool,
}

/// When a responder last answered a sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastAnswer {
    /// The last answer.
    pub at: Timestamp,
    /// The first answer of the day that is counted.
    pub day_from: Timestamp,
    /// Answers in that day.
    pub in_day: u32,
}

impl LastAnswer {
    /// The state after an answer now.
    #[must_use]
    pub fn after(previous: Option<Self>, now: Timestamp) -> Self {
        match previous.filter(|last| now.since(last.day_from) < DAY) {
            Some(last) => Self { at: now, day_from: last.day_from, in_day: last.in_day.saturating_add(1) },
            None => Self { at: now, day_from: now, in_day: 1 },
        }
    }

    /// Whether nothing depends on it any more: older than a day and than the frequency.
    #[must_use]
    pub fn is_stale(&self, frequency_secs: u64, now: Timestamp) -> bool {
        let age = now.since(self.at);
        age >= DAY && age >= Duration::from_secs(frequency_secs)
    }
}

const DAY: Duration = Duration::from_secs(86_400);

/// Whether a responder answers a message. `now` is for the frequency; window and hours are about the date of receipt
/// (A12).
#[must_use]
pub fn decide(
    responder: &ResponderObject,
    facts: &Facts,
    now: Timestamp,
    zone: &TimeZone,
    memory: &Memory,
) -> Decision {
    let away = responder.kind == ResponderKind::OutOfOffice;
    let silence = inactive(responder, facts.received_at, zone)
        .or_else(|| unanswerable(facts))
        .or_else(|| automatic(&facts.marks))
        .or_else(|| suspicious(facts))
        .or_else(|| (away && !facts.names_owner).then_some(Silence::NotAddressed))
        .or_else(|| not_spoken_to(responder.audience, facts, memory))
        .or_else(|| {
            let spoken_to = |rival: &Audience| not_spoken_to(*rival, facts, memory).is_none();
            (away && facts.rivals.iter().any(spoken_to)).then_some(Silence::AnotherAnswers)
        })
        .or_else(|| memory.suppressed.then_some(Silence::OnSuppressionList))
        .or_else(|| too_often(responder, now, memory));
    silence.map_or(Decision::Answer, Decision::Silent)
}

fn suspicious(facts: &Facts) -> Option<Silence> {
    if facts.spam {
        return Some(Silence::Spam);
    }
    facts.unauthenticated.then_some(Silence::Unauthenticated)
}

fn not_spoken_to(audience: Audience, facts: &Facts, memory: &Memory) -> Option<Silence> {
    match audience {
        Audience::Inside if !facts.inside => Some(Silence::NotInside),
        Audience::Contacts if !facts.inside && !memory.contact => Some(Silence::NoContact),
        Audience::Everyone | Audience::Contacts | Audience::Inside => None,
    }
}

/// Why a responder does not act on what is received at a time, whatever it is.
pub(super) fn inactive(responder: &ResponderObject, at: Timestamp, zone: &TimeZone) -> Option<Silence> {
    let blank = |text: &str| text.trim().is_empty();
    if !responder.enabled {
        return Some(Silence::Disabled);
    }
    if blank(&responder.subject) && blank(&responder.subject_prefix) {
        return Some(Silence::NoSubject);
    }
    if [&responder.text, &responder.html].into_iter().flatten().all(|text| blank(text)) {
        return Some(Silence::NoMessage);
    }
    let Ok(window) = Window::parse(responder.starts.as_deref(), responder.ends.as_deref()) else {
        return Some(Silence::BadWindow);
    };
    if window.not_yet(at, zone) {
        return Some(Silence::NotYet);
    }
    if window.over(at, zone) {
        return Some(Silence::Over);
    }
    match responder.hours.as_ref().map(|hours| within(hours, at, zone)) {
        None | Some(Ok(true)) => None,
        Some(Ok(false)) => Some(Silence::Hours),
        Some(Err(_)) => Some(Silence::BadWindow),
    }
}

fn unanswerable(facts: &Facts) -> Option<Silence> {
    let Some(sender) = facts.reverse_path.address() else { return Some(Silence::NullReversePath) };
    if facts.from_group {
        return Some(Silence::Group);
    }
    if facts.from_self {
        return Some(Silence::Oneself);
    }
    if is_automatic_sender(sender) {
        return Some(Silence::AutomaticSender);
    }
    if facts.from_nowhere {
        return Some(Silence::NoSuchSender);
    }
    facts.looped.then_some(Silence::Loop)
}

fn automatic(marks: &HeaderMarks) -> Option<Silence> {
    // `auto-replied; owner-email="…"`, `no (really)`: the word in front counts (RFC 3834 §5.1).
    let word = |value: &String| {
        let end = value.find([';', '(']).unwrap_or(value.len());
        value.get(..end).unwrap_or_default().trim().to_ascii_lowercase()
    };
    if marks.auto_reply || marks.auto_submitted.iter().any(|value| word(value) != "no") {
        return Some(Silence::AutoSubmitted);
    }
    if marks.report {
        return Some(Silence::Report);
    }
    let bulk = ["bulk", "list", "junk", "auto_reply", "auto-reply"];
    if marks.precedence.iter().any(|value| bulk.contains(&word(value).as_str())) {
        return Some(Silence::Bulk);
    }
    if marks.list {
        return Some(Silence::List);
    }
    let asks = |value: &String| {
        let mut words = value.split([',', ' ', ';']);
        words.any(|word| ["all", "oof", "autoreply"].iter().any(|known| word.trim().eq_ignore_ascii_case(known)))
    };
    if marks.suppress.iter().any(asks) {
        return Some(Silence::Suppressed);
    }
    if marks.cut {
        return Some(Silence::HeaderCut);
    }
    marks.no_author.then_some(Silence::NoAuthor)
}

fn too_often(responder: &ResponderObject, now: Timestamp, memory: &Memory) -> Option<Silence> {
    let full = |last: Option<LastAnswer>, max: u32| {
        last.is_some_and(|last| now.since(last.day_from) < DAY && last.in_day >= max)
    };
    let frequency = Duration::from_secs(responder.frequency_secs);
    if memory.last_answer.is_some_and(|last| now.since(last.at) < frequency) {
        return Some(Silence::AnsweredLately);
    }
    if full(memory.last_answer, ANSWERS_PER_DAY_MAX) {
        return Some(Silence::DailyCap);
    }
    if full(memory.last_of_all, SENDER_ANSWERS_PER_DAY_MAX) {
        return Some(Silence::SenderCap);
    }
    full(memory.last_of_domain, DOMAIN_ANSWERS_PER_DAY_MAX).then_some(Silence::DomainCap)
}

impl fmt::Display for Silence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gone => "the responder has been deleted",
            Self::Disabled => "the responder is switched off",
            Self::NoSubject => "the responder has neither a subject nor a prefix",
            Self::NoMessage => "the responder has no message",
            Self::BadWindow => "the responder's start, end or hours can't be read",
            Self::NotYet => "received before the responder's start",
            Self::Over => "received after the responder's end",
            Self::Hours => "received at a time of the week at which the responder does not act",
            Self::Group => "the message comes from a group or a list of this server",
            Self::Spam => "the message is taken for spam",
            Self::Unauthenticated => "the sender's authentication failed, so that somebody else would get the answer",
            Self::NotInside => "the responder answers the people of the organisation only",
            Self::NoContact => "the sender is not among the contacts, and the responder answers contacts only",
            Self::AnotherAnswers => "a more specific out-of-office message of the same person answers",
            Self::NullReversePath => "the message has a null reverse-path",
            Self::Oneself => "the message comes from the owner of the responder",
            Self::NoSuchSender => "the sender's address does not exist on this server",
            Self::Loop => "the message went through this responder before",
            Self::AutoSubmitted => "the message was sent automatically (Auto-Submitted)",
            Self::Report => "the message is a delivery report",
            Self::Bulk => "the message is bulk mail (Precedence)",
            Self::List => "the message comes from a mailing list",
            Self::Suppressed => "the sender asks for no automatic answers (X-Auto-Response-Suppress)",
            Self::OnSuppressionList => "the sender is on the suppression list, and gets only what people write",
            Self::NoAuthor => "the message has no From field, so that nobody has written it",
            Self::HeaderCut => "the message's header is too long to be sure that it was not sent automatically",
            Self::AutomaticSender => "nobody reads the sender's address",
            Self::NotAddressed => "the message does not name the absent person in To, Cc or Bcc",
            Self::AnsweredLately => "the sender was answered already within the chosen frequency",
            Self::DailyCap => "the sender has had the most answers that anyone gets in a day",
            Self::SenderCap => "the sender has had the most answers that anyone gets in a day from all responders here",
            Self::DomainCap => "the sender's domain has had the most answers that one gets in a day",
            Self::MessageCap => "as many other responders as may answer one message come first",
        })
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer => f.write_str("answers"),
            Self::Silent(silence) => write!(f, "does not answer: {silence}"),
        }
    }
}

#[cfg(test)]
mod tests;
